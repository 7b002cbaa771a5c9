package session

import (
	"context"
	"slices"
	"strconv"

	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/plan"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// inside reports whether accounts and regions that a statement names are all
// among those of the settings. It makes no call: the credentials' own account
// is as good as any other.
func (s *Session) inside(ctx context.Context, accounts, regions plan.Set) bool {
	covered := func(set plan.Set, setting []string, everything string) bool {
		picked := pick(setting, set, everything)
		return !slices.ContainsFunc(set, func(v string) bool { return !slices.Contains(picked, v) })
	}
	if len(accounts) > 0 && (len(s.settings.Accounts) == 0 || !covered(accounts, s.settings.Accounts, "org")) {
		return false
	}
	if len(regions) == 0 {
		return true
	}
	setting := s.settings.Regions
	if link, err := s.connect(ctx); err == nil && len(setting) == 0 && link.cloud.Region() != "" {
		setting = []string{link.cloud.Region()}
	}
	return len(setting) > 0 && covered(regions, setting, "all")
}

// together refuses a statement that speaks of one table in several scopes where
// they can't be kept apart: in what writes, or is kept, and in views.
func together(p *plan.Plan, st syntax.Statement) error {
	for _, a := range p.Apart {
		if a.Pos >= 0 && st.Verb != syntax.Make && st.Verb != syntax.Write && st.Verb != syntax.Export {
			continue
		}
		return sqlerr.New(sqlerr.FeatureNotSupported, "the statement names %s twice, once with accounts or regions that the settings leave out", a.Table.Name()).At(st.Text, a.Pos).
			WithDetail("this one would see what the other one reads").WithHint("name account_id and region for both, or SET regions and accounts so that they cover all")
	}
	return nil
}

// settle fills the table that says what the settings cover, for the references
// that a plan keeps apart.
func (s *Session) settle(ctx context.Context, c *engine.Copy, p *plan.Plan) error {
	link, err := s.connect(ctx)
	if err != nil {
		return err
	}
	me, err := link.cloud.Identity(ctx)
	if err != nil {
		return err
	}
	own, err := s.accounts(ctx, link.cloud, me.Account)
	if err != nil {
		return err
	}
	all := slices.Clone(own)
	for _, a := range p.Apart { // the boxes of scans that wait for others aren't there yet
		all = append(all, a.Accounts...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	regions, err := s.regionsOf(ctx, link.cloud, all, p.Scans)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, a := range all {
		for _, r := range regions[a] {
			rows = append(rows, []string{a, r, strconv.FormatBool(slices.Contains(own, a))})
		}
	}
	return c.Settings(ctx, plan.Settings, rows)
}
