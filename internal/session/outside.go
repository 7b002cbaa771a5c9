package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/fetch"
	"github.com/skyql/skyql/internal/plan"
)

// tellOutside says where a statement did not look though it speaks of it: a
// condition that is no key, and values of other tables, narrow inside the
// settings and never widen them.
func (s *Session) tellOutside(ctx context.Context, scans []*plan.Scan, scope fetch.Scope) error {
	for _, sc := range scans {
		accounts := slices.Clone(scope.Accounts)
		var out outside
		for _, b := range sc.Boxes {
			accounts = append(accounts, b.Accounts...)
			if b.Accounts == nil {
				out.accounts = append(out.accounts, b.InAccounts...)
			}
			if b.Regions == nil {
				out.regions = append(out.regions, b.InRegions...)
			}
		}
		var regions []string
		for _, a := range accounts {
			regions = append(regions, scope.Regions(a)...)
		}
		for _, m := range sc.Mentions {
			rows, ok, err := s.db.Texts(ctx, m.Query, s.options.Params, maxKeys)
			if err != nil && ctx.Err() != nil {
				return err
			}
			inside := slices.ContainsFunc(rows, func(r []string) bool {
				return (r[0] == "" || slices.Contains(accounts, r[0])) && (r[1] == "" || slices.Contains(regions, r[1]))
			})
			if !ok || err != nil || m.Denies && inside || len(rows) == m.All {
				continue
			}
			for _, r := range rows {
				out.accounts, out.regions = append(out.accounts, r[0]), append(out.regions, r[1])
			}
		}
		if names := left(out.accounts, accounts, isAccount); len(names) > 0 && !slices.Contains(s.settings.Accounts, "org") {
			s.notify("%s was not looked at in account %s: only account_id = '…' goes beyond the setting accounts. SET accounts = '%s' looks there", sc.Table.Name(), firstFew(names), names[0])
		}
		known := func(r string) bool {
			return checkRegion("", r) == nil && catalog.Partition(r) == catalog.Partition(regions[0])
		}
		if len(regions) > 0 && !sc.Table.Global && !slices.Contains(s.settings.Regions, "all") {
			if names := left(out.regions, regions, known); len(names) > 0 {
				s.notify("%s was not looked at in %s: only region = '…' and region IN (…) go beyond the setting regions. SET regions = 'all' looks everywhere", sc.Table.Name(), firstFew(names))
			}
		}
	}
	return nil
}

// outside are the accounts and regions that a scan's conditions let through.
type outside struct{ accounts, regions []string }

// left gives the names that are not among those looked at, sorted.
func left(names, inside []string, known func(string) bool) []string {
	return slices.DeleteFunc(plan.NewSet(names...), func(n string) bool { return n == "" || slices.Contains(inside, n) || !known(n) })
}

// firstFew writes the first of many names.
func firstFew(names []string) string {
	if n := len(names) - 3; n > 1 {
		return strings.Join(names[:3], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(names, ", ")
}
