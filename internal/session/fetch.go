package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/fetch"
	"github.com/skyql/skyql/internal/plan"
	"github.com/skyql/skyql/internal/sqlerr"
)

// A keeping is what a write keeps of what it reads: the resources of the table
// that it writes to, whole. What is read for one is read anew, all or nothing.
type keeping struct {
	table *catalog.Table
	docs  map[rowKey]document
}

// fetch makes the calls of a plan, stage by stage: a scan whose keys are values
// of another one waits for that. keep is nil but for a write.
func (s *Session) fetch(ctx context.Context, c *engine.Copy, p *plan.Plan, loaders map[*catalog.Table]*engine.Loader, keep *keeping) error {
	l := &loading{session: s, copy: c, loaders: loaders, keep: keep, wide: map[*catalog.Table][]engine.Widened{}}
	s.report = fetch.Report{}
	defer s.keepMissing(ctx)
	if len(p.Apart) > 0 {
		if err := s.settle(ctx, c, p); err != nil {
			return err
		}
	}
	last := 0
	for _, sc := range p.Scans {
		last = max(last, sc.Stage)
	}
	for stage := 0; stage <= last; stage++ {
		var scans []*plan.Scan
		for _, sc := range p.Scans {
			if sc.Stage != stage {
				continue
			}
			if err := sc.Bind(func(query string) ([][]string, bool, error) { return l.values(ctx, sc, query) }); err != nil {
				return err
			}
			s.checkKeys(sc)
			s.unlimit(sc)
			if keep != nil {
				if err := s.addRecent(ctx, sc); err != nil {
					return err
				}
			}
			if len(sc.Boxes) > 0 {
				scans = append(scans, sc)
			}
		}
		if err := s.fetchStage(ctx, scans, l); err != nil {
			return err
		}
		for _, sc := range p.Scans {
			if sc.Stage == stage {
				if err := l.finish(ctx, sc.Table); err != nil {
					return err
				}
			}
		}
	}
	if keep != nil && !slices.ContainsFunc(p.Scans, func(sc *plan.Scan) bool { return sc.Table == keep.table }) {
		return l.finish(ctx, keep.table) // nothing of it is read, but what is pending is there
	}
	return nil
}

// unlimit takes back where a scan may stop early: of what it reads, some is
// pending and doesn't count.
func (s *Session) unlimit(sc *plan.Scan) {
	if len(s.tx.of(sc.Table.Type)) == 0 {
		return
	}
	for i := range sc.Boxes {
		sc.Boxes[i].Limit, sc.Boxes[i].Order = 0, ""
	}
}

// addRecent adds to a scan that lists what was made in the last minutes.
func (s *Session) addRecent(ctx context.Context, sc *plan.Scan) error {
	if sc.Table.Read == nil || !slices.ContainsFunc(sc.Boxes, func(b plan.Box) bool { return b.Identifiers == nil }) {
		return nil
	}
	boxes := sc.Boxes
	for _, p := range s.recent(ctx) {
		id, ok := recentIn(sc, p)
		if !ok {
			continue
		}
		switch ok, err := s.inScope(ctx, sc.Table, boxes, p); {
		case err != nil:
			return err
		case ok:
			sc.Boxes = append(sc.Boxes, plan.Box{Accounts: plan.NewSet(p.Account), Regions: plan.NewSet(p.Region), Identifiers: plan.NewSet(id)})
		}
	}
	return nil
}

// maxAge is how old what is read may be. Records change by themselves.
func (s *Session) maxAge(scans []*plan.Scan) time.Duration {
	if slices.ContainsFunc(scans, func(sc *plan.Scan) bool { return sc.Table.Records }) {
		return 0
	}
	return s.settings.Cache
}

// inScope reports whether one of the boxes lists what was made somewhere: what
// they leave open is as the settings say, and the profile where they don't.
func (s *Session) inScope(ctx context.Context, t *catalog.Table, boxes []plan.Box, p change.Past) (bool, error) {
	link, err := s.connect(ctx)
	if err != nil {
		return false, err
	}
	me, err := link.cloud.Identity(ctx)
	if err != nil {
		return false, err
	}
	for _, b := range boxes {
		if b.Identifiers != nil {
			continue
		}
		accounts, regions := []string(b.Accounts), []string(b.Regions)
		if accounts == nil {
			if accounts, err = s.accounts(ctx, link.cloud, me.Account); err != nil {
				return false, err
			}
		}
		if !slices.Contains(accounts, p.Account) {
			continue
		}
		if regions == nil && t.Global {
			return true, nil
		}
		if regions == nil {
			if regions, err = s.regions(ctx, link.cloud, p.Account); err != nil {
				return false, err
			}
		}
		if slices.Contains(regions, p.Region) {
			return true, nil
		}
	}
	return false, nil
}

func (s *Session) fetchStage(ctx context.Context, scans []*plan.Scan, l *loading) error {
	if len(scans) == 0 {
		return nil
	}
	link, err := s.connect(ctx)
	if err != nil {
		return err
	}
	scope, err := s.scope(ctx, scans)
	if err != nil {
		return err
	}
	if err := s.tellOutside(ctx, scans, scope); err != nil {
		return err
	}
	q := fetch.Request{Scans: scans, Scope: scope, Sink: l, Sieve: l, MaxCalls: s.settings.maxCalls(), Progress: s.options.Progress}
	if l.keep != nil {
		q.Distrust = true
	} else {
		q.Warn, q.MaxAge, q.Distrust, q.Trust = s.settings.OnError == Warn, s.maxAge(scans), s.settings.Hydrate == "always", s.settings.Hydrate == "never"
	}
	report, err := link.fetcher.Run(ctx, q)
	s.calls += report.Calls()
	for _, n := range report.Notices {
		s.notify("%s", n)
	}
	s.report.Stats = append(s.report.Stats, report.Stats...)
	s.report.Missing = append(s.report.Missing, report.Missing...)
	for _, m := range report.Missing {
		e := s.word(ctx, m.Err)
		s.notify("missing: %s in account %s, region %s: %s", m.Table.Name(), m.Account, m.Region, message(e))
	}
	if report.Oldest > 0 {
		s.notify("%s old: SET cache = '0s' reads anew", report.Oldest.Round(time.Second))
	}
	if q.Trust {
		s.notify("hydrate is 'never': what lists don't tell reads as NULL")
	}
	return err
}

func message(err error) string {
	if e, ok := asError[*sqlerr.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

// A loading fills the tables of one copy. DuckDB has one connection, so one
// thing is done at a time.
type loading struct {
	session *Session
	copy    *engine.Copy
	keep    *keeping // nil but for a write

	mu      sync.Mutex
	loaders map[*catalog.Table]*engine.Loader
	wide    map[*catalog.Table][]engine.Widened
}

// Add is fetch.Sink.
func (l *loading) Add(ctx context.Context, t *catalog.Table, rows []fetch.Row) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range rows {
		key := keyOf(t, r.Account, r.Region, r.Identifier)
		if l.session.tx.has(key) {
			continue // what the transaction wants of it counts
		}
		if l.keep != nil && l.keep.table == t {
			l.keep.docs[key] = document{ownProperties(t, r.Properties), time.Now()}
		}
		if err := l.loaders[t].Append(ctx, r.Account, r.Region, r.Identifier, r.Properties); err != nil {
			return err
		}
	}
	return nil
}

// Pass is fetch.Sieve.
func (l *loading) Pass(ctx context.Context, t *catalog.Table, rows []fetch.Row, f plan.Filter) (pass []bool, sure bool, err error) {
	err = l.batch(ctx, t, f.Columns, rows, func(b *engine.Batch) (err error) {
		pass, sure, err = b.Where(ctx, f.SQL, l.session.options.Params)
		return err
	})
	return pass, sure, err
}

// First is fetch.Sieve.
func (l *loading) First(ctx context.Context, t *catalog.Table, rows []fetch.Row, order string, n int) (first []int, err error) {
	err = l.batch(ctx, t, nil, rows, func(b *engine.Batch) (err error) {
		first, err = b.First(ctx, order, n)
		return err
	})
	return first, err
}

func (l *loading) batch(ctx context.Context, t *catalog.Table, columns []int, rows []fetch.Row, f func(*engine.Batch) error) error {
	if len(rows) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b, err := l.copy.Batch(ctx, t, columns)
	if err != nil {
		return err
	}
	defer b.Close()
	for _, r := range rows {
		if err := b.Append(ctx, r.Account, r.Region, r.Identifier, r.Properties); err != nil {
			return err
		}
	}
	return f(b)
}

// finish completes a table, so that statements can read it.
func (l *loading) finish(ctx context.Context, t *catalog.Table) error {
	for _, w := range l.session.tx.of(t.Type) {
		if w.after != nil {
			id, properties := rowOf(t, w.key, w.after)
			if err := l.loaders[t].Append(ctx, w.key.account, w.key.region, id, properties); err != nil {
				return err
			}
		}
	}
	wide, err := l.loaders[t].Finish(ctx)
	l.wide[t] = wide
	for _, w := range wide {
		l.session.notify("%s of %s holds a value that is no %s, such as %.60s: the column is JSON in this result", w.Column, w.Table, w.Type, w.Value)
	}
	return err
}

// values runs the query of a binding. A source column that is not text any
// more binds nothing, nor does a condition that can't be computed: whatever is
// wrong with it, the statement itself will tell.
func (l *loading) values(ctx context.Context, sc *plan.Scan, query string) ([][]string, bool, error) {
	for _, b := range sc.Bindings {
		if b.Query == query && b.From != nil {
			for _, w := range l.wide[b.From.Table] {
				if slices.ContainsFunc(b.Source, func(c int) bool { return b.From.Table.Columns[c].Name == w.Column }) {
					return nil, false, nil
				}
			}
		}
	}
	rows, ok, err := l.session.db.Texts(ctx, query, l.session.options.Params, maxKeys)
	if err != nil {
		return nil, false, ctx.Err()
	}
	return rows, ok, nil
}

// scope resolves the settings, as far as the scans need them.
func (s *Session) scope(ctx context.Context, scans []*plan.Scan) (fetch.Scope, error) {
	link, err := s.connect(ctx)
	if err != nil {
		return fetch.Scope{}, err
	}
	me, err := link.cloud.Identity(ctx)
	if err != nil {
		return fetch.Scope{}, err
	}
	accounts, err := s.accounts(ctx, link.cloud, me.Account)
	if err != nil {
		return fetch.Scope{}, err
	}
	need, global := false, false
	named := slices.Clone(accounts)
	for _, sc := range scans {
		for _, b := range sc.Boxes {
			need = need || b.Regions == nil && !sc.Table.Global
			global = global || b.Regions == nil && sc.Table.Global
			named = append(named, b.Accounts...)
		}
	}
	regions := map[string][]string{}
	switch {
	case need:
		slices.Sort(named)
		if regions, err = s.regionsOf(ctx, link.cloud, slices.Compact(named), scans); err != nil {
			return fetch.Scope{}, err
		}
	case global:
		home := link.cloud.Region()
		if home == "" {
			home = map[string]string{"aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}[me.Partition]
		}
		for _, a := range named {
			regions[a] = []string{catalog.HomeRegion(home)}
		}
	}
	return fetch.Scope{Accounts: accounts, Regions: func(account string) []string { return regions[account] }}, nil
}

// regionsOf resolves the regions of several accounts side by side.
func (s *Session) regionsOf(ctx context.Context, cloud *cloudcontrol.Cloud, accounts []string, scans []*plan.Scan) (map[string][]string, error) {
	var mu sync.Mutex
	out := map[string][]string{}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.settings.parallel())
	for _, a := range accounts {
		g.Go(func() error {
			names, err := s.regions(gctx, cloud, a)
			mu.Lock()
			defer mu.Unlock()
			var e *cloudcontrol.Error
			if err != nil && s.settings.OnError == Warn && ctx.Err() == nil && errors.As(err, &e) && len(accounts) > 1 {
				for _, sc := range scans {
					s.report.Missing = append(s.report.Missing, fetch.Missing{Account: a, Table: sc.Table, Err: err})
				}
				s.notify("missing: account %s: %s", a, message(s.word(ctx, err)))
				return nil
			}
			out[a] = names
			return err
		})
	}
	return out, g.Wait()
}

// keepMissing makes skyql.missing what the last statement that fetched lacks.
func (s *Session) keepMissing(ctx context.Context) {
	s.missing += len(s.report.Missing)
	if len(s.report.Missing) == 0 && !s.missingTable {
		return
	}
	var rows [][]string
	for _, m := range s.report.Missing {
		rows = append(rows, []string{m.Account, m.Region, m.Table.Name(), message(s.word(ctx, m.Err))})
	}
	if err := s.makeMissing(context.WithoutCancel(ctx), rows); err != nil {
		s.log.Error("skyql.missing", "error", err)
	}
}

// makeMissing makes the table skyql.missing.
func (s *Session) makeMissing(ctx context.Context, rows [][]string) error {
	s.missingTable, s.local = true, true
	text := "CREATE SCHEMA IF NOT EXISTS skyql; CREATE OR REPLACE TABLE skyql.missing (account_id VARCHAR, region VARCHAR, type VARCHAR, error VARCHAR)"
	if err := s.db.Exec(ctx, text, nil); err != nil {
		return err
	}
	for _, r := range rows {
		err := s.db.Exec(ctx, "INSERT INTO skyql.missing VALUES ($a, $b, $c, $d)", map[string]string{"a": r[0], "b": r[1], "c": r[2], "d": r[3]})
		if err != nil {
			return fmt.Errorf("note what is missing: %w", err)
		}
	}
	return nil
}
