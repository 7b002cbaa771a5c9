// Package fetch turns scans into documents.
//
// It knows requests and pages, and no SQL: what to ask for comes as a plan,
// what arrives goes to a Sink in batches while fetching goes on, and conditions
// are put to a Sieve. Every resource that a scan asks for is handed over exactly
// once, or Run fails, unless the caller chose to be told what is missing.
//
// One Fetcher serves a whole process: it keeps what each service in each
// account and region has shown to bear (limit.go), makes calls again where that
// helps (call.go), and shares what was read with those who take it (cache.go).
package fetch

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/plan"
)

// A Client is Cloud Control in one account and region. *cloudcontrol.Client is one.
type Client interface {
	Get(ctx context.Context, typ, id string) (cloudcontrol.Document, error)
	List(ctx context.Context, typ string, model json.RawMessage, token string) (cloudcontrol.Page, error)
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

// A Sieve evaluates conditions that a plan gives as SQL.
type Sieve interface {
	// Pass reports for each row whether a filter is true of it. sure is
	// false when it can't be told; then every row counts.
	Pass(ctx context.Context, t *catalog.Table, rows []Row, f plan.Filter) (pass []bool, sure bool, err error)
	// First gives the places of the first n rows in an order.
	First(ctx context.Context, t *catalog.Table, rows []Row, order string, n int) ([]int, error)
}

// A Scope is the accounts and regions of the settings, as names.
type Scope struct {
	Accounts []string
	// Regions gives those of an account.
	Regions func(account string) []string
}

// A Fetcher runs plans. It is safe for concurrent use, and made by New.
type Fetcher struct {
	o      Options
	log    *slog.Logger
	limits *limits
	cache  *store
	tell   func(Call) // nil: nobody
}

// Options are what a Fetcher is made with.
type Options struct {
	Client   func(ctx context.Context, account, region string) (Client, error)
	Catalog  *catalog.Catalog
	Parallel int          // calls in flight; 0: 64
	Logger   *slog.Logger // nil: nothing
}

// A Call is one call that was answered, or failed.
type Call struct {
	Operation, Account, Region string
	Try                        int // counted from 1
	Throttled                  bool
	Err                        error
}

// Observe has f told of every call, from several goroutines. It is for before
// the first Run.
func (f *Fetcher) Observe(tell func(Call)) { f.tell = tell }

// New makes a Fetcher.
func New(o Options) *Fetcher {
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	f := &Fetcher{o: o, log: o.Logger, limits: newLimits(o.Parallel), cache: newStore()}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	return f
}

// Admit waits for a turn to call a service in an account and region, beside
// what runs fetch there. The turn is given back with release, which is told
// whether the service had enough.
func (f *Fetcher) Admit(ctx context.Context, account, region, service string) (release func(throttled bool), err error) {
	l := f.limits.of(target{account, region, service})
	if err := l.enter(ctx, true); err != nil {
		return nil, err
	}
	if err := f.limits.all.Acquire(ctx, 1); err != nil {
		l.give()
		return nil, err
	}
	began := time.Now()
	return func(throttled bool) {
		f.limits.all.Release(1)
		l.leave(throttled, began)
	}, nil
}

// A Request is what one Run is asked.
type Request struct {
	Scans []*plan.Scan
	Scope Scope
	Sink  Sink
	Sieve Sieve // nil: conditions narrow nothing
	// Warn makes what fails in an account and region something missing, and
	// not the end.
	Warn bool
	// MaxAge is how old what is shared may be; 0: everything is asked anew.
	MaxAge time.Duration
	// MaxCalls is how many calls are too many; 0: none is.
	MaxCalls int
	// Distrust says that a list never tells enough, Trust that it always does:
	// what it leaves out is NULL then.
	Distrust, Trust bool
	// Progress is told of every call and batch; may be nil.
	Progress func(Stats)
}

// A Report says what a run came to.
type Report struct {
	Stats   []Stats // by table, those that were asked for something
	Notices []string
	Missing []Missing
	Oldest  time.Duration // age of the oldest thing that was not asked anew
}

// Stats are the numbers of one table.
type Stats struct {
	Table              *catalog.Table
	Lists, Gets        int // calls answered or failed, pages counted
	Rows               int // handed over
	Expected           int // resources that were asked for, or listed and wanted, so far
	Avoided            int // listed resources that need not be read
	Retries, Throttled int
	Took               time.Duration // from the first call to the last answer
	Waited             time.Duration // in queues, all calls together
}

// Calls is how many calls were made.
func (r Report) Calls() int {
	n := 0
	for _, s := range r.Stats {
		n += s.Lists + s.Gets
	}
	return n
}

// A Missing is a part of the scope of a table that could not be read.
type Missing struct {
	Account, Region string
	Table           *catalog.Table
	Err             error
}

// A NeedKeyError says that a table can't be listed without a value that the
// statement doesn't give and that nothing else tells.
type NeedKeyError struct {
	Table   *catalog.Table
	Columns []string // those to give
	Reason  string
	Hint    string // what to write, if not Columns
}

func (e *NeedKeyError) Error() string {
	return fmt.Sprintf("%s needs %s: %s", e.Table.Name(), strings.Join(e.Columns, " and "), e.Reason)
}

// A TooManyError says that a run would make, or has made, too many calls.
type TooManyError struct {
	Table *catalog.Table
	Calls int // at least so many
	Most  int
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("%s needs at least %d calls, more than %d", e.Table.Name(), e.Calls, e.Most)
}

const defaultParallel = 64

// Run fetches what a request asks. The first failure ends it; so does ctx, at once.
func (f *Fetcher) Run(ctx context.Context, q Request) (Report, error) {
	r := &run{Request: q, f: f, noticed: map[string]bool{}, missed: map[string]bool{}, shared: map[string]bool{}, store: newStore(), stats: map[string]*stats{}}
	for _, s := range q.Scans {
		if len(s.Boxes) == 0 {
			continue
		}
		if err := r.share(s); err != nil {
			return Report{}, err
		}
	}
	if q.MaxAge > 0 {
		r.store = f.cache
	}
	if err := r.locate(ctx); err != nil {
		return Report{}, err
	}
	if err := r.affordable(); err != nil {
		return Report{}, err
	}
	g, gctx := errgroup.WithContext(ctx)
	r.group = g
	for _, s := range q.Scans {
		g.Go(func() error { return r.scan(gctx, s) })
	}
	err := g.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return r.report(), err
}

const (
	opList = "ListResources"
	opGet  = "GetResource"
)

// A scanning is one table's scan under way.
type scanning struct {
	*run
	table *catalog.Table
	want  []string // properties that rows must have, beyond the identifier's
	fill  []string // write-only list keys: known from the list's model alone

	seenMu sync.Mutex
	seen   map[[2]uint64]struct{} // fingerprints of what was handed over
}

func (r *run) scanning(s *plan.Scan) *scanning {
	sc := &scanning{run: r, table: s.Table, seen: map[[2]uint64]struct{}{}}
	for _, c := range s.Columns {
		switch col := s.Table.Columns[c]; {
		case col.WriteOnly && s.Table.ListKey(c):
			sc.fill = append(sc.fill, col.Property)
		case !s.Table.Free(c) && !col.WriteOnly:
			sc.want = append(sc.want, col.Property)
		}
	}
	return sc
}

func (r *run) scan(ctx context.Context, s *plan.Scan) error {
	sc := r.scanning(s)
	for i, b := range s.Boxes {
		places := r.where[s][i]
		switch {
		case len(places) == 0:
		case b.Identifiers != nil && !(b.Bound && sc.listsInstead(b, places)):
			if err := sc.getAll(ctx, places, b); err != nil {
				return err
			}
		case b.Limit > 0:
			r.group.Go(func() error { return sc.few(ctx, places, b) })
		default:
			for _, at := range places {
				r.group.Go(func() error { return sc.list(ctx, at, b) })
			}
		}
	}
	return nil
}

// listsInstead reports whether listing, and reading what of it is wanted, takes
// fewer calls than reading each identifier in each place. What lists tell isn't
// known beforehand, so it must be clear.
func (s *scanning) listsInstead(b plan.Box, places []place) bool {
	if s.table.List == nil || s.table.Read == nil {
		return s.table.Read == nil
	}
	lists := len(places)
	for _, p := range s.open(s.table, b.Parents) {
		if s.table.ListInput.Fixed[p] == nil && !slices.Contains(s.table.ListInput.Account, p) {
			if len(s.table.ListInput.Parents) == 0 {
				return false
			}
			lists *= 10 // how many parents there are isn't known
			break
		}
	}
	if len(s.want) > 0 || s.table.SpansRegions {
		lists *= 8
	}
	return len(b.Identifiers)*len(places) > lists
}

// first reports whether a resource is seen for the first time. Two different
// ones have the same fingerprint, of 128 bits under seeds of the process's own,
// with a probability of 10⁻²⁶ among a million.
func (s *scanning) first(at place, id string) bool {
	var f [2]uint64
	for i := range f {
		var h maphash.Hash
		h.SetSeed(seeds[i])
		for _, part := range []string{at.account, at.region, id} {
			h.WriteString(part)
			h.WriteByte(0)
		}
		f[i] = h.Sum64()
	}
	s.seenMu.Lock()
	defer s.seenMu.Unlock()
	if _, ok := s.seen[f]; ok {
		return false
	}
	s.seen[f] = struct{}{}
	return true
}

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func (s *scanning) hand(ctx context.Context, rows ...Row) error {
	if len(rows) == 0 {
		return nil
	}
	s.run.mu.Lock()
	err := ctx.Err()
	if err == nil {
		err = s.Sink.Add(ctx, s.table, rows)
	}
	s.run.mu.Unlock()
	if err == nil {
		s.stat(s.table, func(st *stats) { st.Rows += len(rows) })
	}
	return err
}
