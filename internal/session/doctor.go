package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/sqlerr"
)

// A Finding is one thing that Doctor looked at.
type Finding struct {
	What string // "credentials", "regions", …
	// OK says that statements can rely on it.
	OK   bool
	Text string // what was found, or what is wrong
	Hint string // what to type next; "" where there is nothing
}

// probeType is listed to see whether Cloud Control answers: every account and
// region has it, few have many, and nobody minds being asked.
const probeType = "AWS::EC2::VPC"

// Doctor finds out who the session is, and what of the settings' scope it can
// reach: credentials, regions, accounts, and Cloud Control in each of them. What
// can't be looked at because of something before it is left out.
func (s *Session) Doctor(ctx context.Context) []Finding {
	link, err := s.connect(ctx)
	if err != nil {
		return []Finding{s.wrong(ctx, "credentials", err)}
	}
	where := "AWS"
	if e := link.cloud.Endpoint(); e != "" {
		where = e
	}
	out := []Finding{{"endpoint", true, where, ""}}
	me, err := link.cloud.Identity(ctx)
	if err != nil {
		return append(out, s.wrong(ctx, "credentials", err))
	}
	out = append(out, Finding{"credentials", true, fmt.Sprintf("%s, account %s, partition %s", me.ARN, me.Account, me.Partition), ""})
	enabled, err := link.cloud.EnabledRegions(ctx, me.Account)
	if err != nil {
		out = append(out, s.wrong(ctx, "enabled", err))
	} else {
		slices.Sort(enabled)
		out = append(out, Finding{"enabled", true, fmt.Sprintf("%d regions: %s", len(enabled), strings.Join(enabled, ", ")), ""})
	}
	accounts, err := s.accounts(ctx, link.cloud, me.Account)
	if err != nil {
		return append(out, s.wrong(ctx, "accounts", err))
	}
	out = append(out, Finding{"accounts", true, fmt.Sprintf("%d in scope: %s", len(accounts), strings.Join(accounts, ", ")), ""})
	return append(out, s.reach(ctx, link.cloud, accounts)...)
}

// reach asks Cloud Control in every account and region of the scope.
func (s *Session) reach(ctx context.Context, cloud *cloudcontrol.Cloud, accounts []string) []Finding {
	found := make([][]Finding, len(accounts))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.settings.parallel())
	for i, a := range accounts {
		g.Go(func() error { found[i] = s.reachAccount(gctx, cloud, a); return nil })
	}
	g.Wait()
	return slices.Concat(found...)
}

func (s *Session) reachAccount(ctx context.Context, cloud *cloudcontrol.Cloud, account string) []Finding {
	regions, err := s.regions(ctx, cloud, account)
	if err != nil {
		return []Finding{s.wrong(ctx, account, err)}
	}
	var out []Finding
	for _, r := range regions {
		client, err := cloud.Client(ctx, account, r)
		if err != nil { // of the account, whatever the region
			return append(out, s.wrong(ctx, account, err))
		}
		out = append(out, s.reachRegion(ctx, client, account+" "+r))
	}
	return out
}

func (s *Session) reachRegion(ctx context.Context, client *cloudcontrol.Client, what string) Finding {
	start := time.Now()
	_, err := client.List(ctx, probeType, nil, "")
	switch took := time.Since(start).Round(time.Millisecond); {
	case err == nil:
		return Finding{what, true, fmt.Sprintf("Cloud Control answers in %v", took), ""}
	case errors.Is(err, cloudcontrol.ErrNoType), errors.Is(err, cloudcontrol.ErrUnsupported):
		return Finding{what, true, fmt.Sprintf("Cloud Control answers in %v, without %s", took, s.nameOf(probeType)), ""}
	}
	f := s.wrong(ctx, what, err)
	if errors.Is(err, cloudcontrol.ErrRegion) {
		f.Text = "the region is not enabled: " + f.Text
	}
	return f
}

// nameOf gives the table of a type.
func (s *Session) nameOf(typ string) string {
	if e, ok := s.catalog.ByType(typ); ok {
		return e.Name()
	}
	return typ
}

// wrong words what failed as any statement would.
func (s *Session) wrong(ctx context.Context, what string, err error) Finding {
	var e *sqlerr.Error
	if !errors.As(s.word(ctx, err), &e) {
		return Finding{what, false, err.Error(), ""}
	}
	text := e.Message
	if e.Detail != "" {
		text += "\n" + e.Detail
	}
	hint := e.Hint
	if errors.Is(err, cloudcontrol.ErrDenied) && hint == "" {
		hint = "skyql query \"EXPLAIN PERMISSIONS SELECT …\" prints the policy that a statement needs"
	}
	return Finding{what, false, text, hint}
}
