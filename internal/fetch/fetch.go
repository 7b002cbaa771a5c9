// Package fetch turns scans into documents.
//
// It knows requests and pages, and no SQL: what to ask for comes as a plan,
// what arrives goes to a Sink in batches while fetching goes on. Every resource
// in the scope of a scan is handed over exactly once, or Run fails.
package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/plan"
)

// A Client is Cloud Control in one account and region. *cloudcontrol.Client is one.
type Client interface {
	Get(ctx context.Context, typ, id string) (cloudcontrol.Document, error)
	List(ctx context.Context, typ string, model json.RawMessage) iter.Seq2[[]cloudcontrol.Document, error]
}

// A Row is one resource.
type Row struct {
	Account, Region, Identifier string
	// Properties may lack what the list that it came from didn't tell, but
	// nothing that the scan wants.
	Properties json.RawMessage
}

// A Sink takes rows. Add is called for one batch at a time.
type Sink interface {
	Add(ctx context.Context, t *catalog.Table, rows []Row) error
}

// A Scope is the accounts and regions of the settings, as names.
type Scope struct{ Accounts, Regions []string }

// A Fetcher runs plans. It is safe for concurrent use.
type Fetcher struct {
	Client   func(ctx context.Context, account, region string) (Client, error)
	Catalog  *catalog.Catalog
	Parallel int          // calls in flight; 0: 64
	Logger   *slog.Logger // nil: nothing
}

// A Report says what a run came to.
type Report struct {
	Lists, Gets int // calls answered or failed, pages counted
	Rows        int
	Notices     []string
}

// A NeedKeyError says that a table can't be listed without a value that the
// statement doesn't give and that nothing else tells.
type NeedKeyError struct {
	Table   *catalog.Table
	Columns []string // those to give
	Reason  string
}

func (e *NeedKeyError) Error() string {
	return fmt.Sprintf("%s needs %s: %s", e.Table.Name(), strings.Join(e.Columns, " and "), e.Reason)
}

const defaultParallel = 64

// maxIdentifier is the longest identifier that Cloud Control takes.
const maxIdentifier = 1024

// Run fetches what a plan needs. The first failure ends it; so does ctx, at once.
func (f *Fetcher) Run(ctx context.Context, scans []*plan.Scan, scope Scope, sink Sink) (Report, error) {
	parallel := f.Parallel
	if parallel <= 0 {
		parallel = defaultParallel
	}
	r := &run{f: f, scope: scope, sink: sink, slots: semaphore.NewWeighted(int64(parallel)), noticed: map[string]bool{},
		shared: map[string]bool{}, flights: map[string]*flight{}, log: f.Logger}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	for _, s := range scans {
		if len(s.Boxes) == 0 {
			continue
		}
		if err := r.share(s.Table); err != nil {
			return Report{}, err
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	r.group = g
	for _, s := range scans {
		g.Go(func() error { return r.scan(gctx, s) })
	}
	err := g.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return Report{Lists: int(r.lists.Load()), Gets: int(r.gets.Load()), Rows: r.rows, Notices: r.notices}, err
}

// share marks the types that are parents of a table, through all levels.
func (r *run) share(t *catalog.Table) error {
	for _, p := range t.ListInput.Parents {
		if r.shared[p.Type] {
			continue
		}
		r.shared[p.Type] = true
		parent, err := r.f.Catalog.Table(p.Type)
		if err != nil {
			return err
		}
		if err := r.share(parent); err != nil {
			return err
		}
	}
	return nil
}

// A run is the state of one Run.
type run struct {
	f     *Fetcher
	scope Scope
	group *errgroup.Group
	slots *semaphore.Weighted // one a call in flight
	log   *slog.Logger

	lists, gets atomic.Int64

	// shared are the types whose rows are parents in this run: what is listed
	// of them is kept, so that it is asked for once.
	shared  map[string]bool
	mu      sync.Mutex // guards what follows, and calls of sink
	flights map[string]*flight
	sink    Sink
	rows    int
	notices []string
	noticed map[string]bool
}

func (r *run) notice(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.noticed[text] {
		r.noticed[text] = true
		r.notices = append(r.notices, text)
	}
}

// A place is where calls go.
type place struct{ account, region string }

func (r *run) client(ctx context.Context, at place) (Client, error) {
	return r.f.Client(ctx, at.account, at.region)
}

// call holds a slot while f runs, and counts and logs it.
func (r *run) call(ctx context.Context, at place, op, typ string, count *atomic.Int64, f func() error) error {
	if err := r.slots.Acquire(ctx, 1); err != nil {
		return err
	}
	defer r.slots.Release(1)
	return r.counted(ctx, at, op, typ, count, f)
}

func (r *run) counted(ctx context.Context, at place, op, typ string, count *atomic.Int64, f func() error) error {
	start := time.Now()
	err := f()
	count.Add(1)
	r.log.DebugContext(ctx, "call", "op", op, "type", typ, "account", at.account, "region", at.region, "took", time.Since(start), "error", err)
	return err
}

// A scanning is one table's scan under way.
type scanning struct {
	*run
	table *catalog.Table
	want  []string // properties that rows must have, beyond the identifier's
	fill  []string // write-only list keys: known from the list's model alone

	mu   sync.Mutex
	seen map[string]bool // account, region and identifier of what was handed over
}

func (r *run) scan(ctx context.Context, s *plan.Scan) error {
	sc := &scanning{run: r, table: s.Table, seen: map[string]bool{}}
	for _, c := range s.Columns {
		switch col := s.Table.Columns[c]; {
		case col.WriteOnly && s.Table.ListKey(c):
			sc.fill = append(sc.fill, col.Property)
		case !s.Table.Free(c) && !col.WriteOnly:
			sc.want = append(sc.want, col.Property)
		}
	}
	for _, b := range s.Boxes {
		for _, at := range r.places(s.Table, b) {
			var err error
			if b.Identifiers != nil {
				err = sc.getAll(ctx, at, b.Identifiers)
			} else {
				r.group.Go(func() error { return sc.list(ctx, at, b.Parents) })
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// places are the accounts and regions of a box. A global type is asked in its
// home region alone.
func (r *run) places(t *catalog.Table, b plan.Box) []place {
	accounts, regions := []string(b.Accounts), []string(b.Regions)
	if b.Accounts == nil {
		accounts = r.scope.Accounts
	}
	if b.Regions == nil {
		regions = r.scope.Regions
	}
	if t.Global {
		home := "us-east-1"
		if len(regions) > 0 {
			home = catalog.HomeRegion(regions[0])
		}
		if b.Regions != nil && !slices.Contains(regions, home) {
			r.notice("%s is global: its rows are in %s, not in %s", t.Name(), home, strings.Join(regions, ", "))
			return nil
		}
		regions = []string{home}
	}
	var out []place
	for _, a := range accounts {
		for _, reg := range regions {
			out = append(out, place{a, reg})
		}
	}
	return out
}

// first reports whether a resource is seen for the first time.
func (s *scanning) first(at place, id string) bool {
	key := at.account + "\x00" + at.region + "\x00" + id
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[key] {
		return false
	}
	s.seen[key] = true
	return true
}

func (s *scanning) hand(ctx context.Context, rows ...Row) error {
	if len(rows) == 0 {
		return nil
	}
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	s.run.rows += len(rows)
	return s.run.sink.Add(ctx, s.table, rows)
}

// getAll reads resources by identifier.
func (s *scanning) getAll(ctx context.Context, at place, ids []string) error {
	if s.table.Read == nil {
		return &NeedKeyError{s.table, nil, "its type can't be read"}
	}
	for _, id := range ids {
		if id == "" || len(id) > maxIdentifier || !s.first(at, id) {
			continue
		}
		if err := s.spawn(ctx, at, id, true, nil); err != nil {
			return err
		}
	}
	return nil
}

// spawn reads one resource beside what else goes on. It waits for a slot
// first, so that there are never more of them than calls in flight. named: the
// statement named the resource. m: what it was listed with.
func (s *scanning) spawn(ctx context.Context, at place, id string, named bool, m model) error {
	if err := s.slots.Acquire(ctx, 1); err != nil {
		return err
	}
	s.group.Go(func() error {
		row, ok, err := s.get(ctx, at, id)
		s.slots.Release(1)
		if err != nil || !ok {
			return err
		}
		if named && row.Identifier != id && !s.first(at, row.Identifier) {
			return nil // an alternative key of a row that is there already
		}
		row.Properties = s.known(row.Properties, m)
		return s.hand(ctx, row)
	})
	return nil
}

// get reads one resource; the caller holds a slot. ok is false when it isn't
// there, or not in this place.
func (s *scanning) get(ctx context.Context, at place, id string) (Row, bool, error) {
	c, err := s.client(ctx, at)
	if err != nil {
		return Row{}, false, err
	}
	var d cloudcontrol.Document
	err = s.counted(ctx, at, "GetResource", s.table.Type, &s.gets, func() (err error) {
		d, err = c.Get(ctx, s.table.Type, id)
		return err
	})
	switch {
	case err == nil:
		return Row{at.account, at.region, d.Identifier, d.Properties}, true, nil
	case errors.Is(err, cloudcontrol.ErrNotFound), s.table.SpansRegions && errors.Is(err, cloudcontrol.ErrElsewhere):
		return Row{}, false, nil
	}
	return Row{}, false, s.absent(at, s.table, err)
}

// absent turns the errors that mean "no rows here" into notices, and gives
// back all others.
func (r *run) absent(at place, t *catalog.Table, err error) error {
	switch {
	case errors.Is(err, cloudcontrol.ErrNoType), errors.Is(err, cloudcontrol.ErrUnsupported):
		r.notice("%s is not offered in %s", t.Name(), at.region)
	case errors.Is(err, cloudcontrol.ErrRegion):
		r.notice("region %s is not enabled in account %s: nothing was looked for there", at.region, at.account)
	default:
		return err
	}
	return nil
}
