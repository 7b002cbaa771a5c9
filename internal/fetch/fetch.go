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
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

// maxIdentifier is the longest identifier that Cloud Control takes.
const maxIdentifier = 1024

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

// locate finds the places of all boxes. A filter over nothing but account and
// region holds for all of a place or for nothing in it.
func (r *run) locate(ctx context.Context) error {
	r.where = map[*plan.Scan][][]place{}
	for _, s := range r.Scans {
		for _, b := range s.Boxes {
			places := r.places(s.Table, b)
			for _, f := range b.Filters {
				if r.Sieve == nil || len(places) == 0 || f.Columns[len(f.Columns)-1] >= identifierColumn {
					continue
				}
				var rows []Row
				for _, at := range places {
					rows = append(rows, Row{Account: at.account, Region: at.region})
				}
				pass, sure, err := r.Sieve.Pass(ctx, s.Table, rows, f)
				if err != nil {
					return err
				}
				if sure {
					places = keep(places, pass)
				}
			}
			r.where[s] = append(r.where[s], places)
		}
	}
	return nil
}

// share marks the types whose lists are used more than once in this run: the
// parents of a table, through all levels, and a table with several boxes.
func (r *run) share(s *plan.Scan) error {
	lists := 0
	for _, b := range s.Boxes {
		if b.Identifiers == nil || b.Bound {
			lists++
		}
	}
	if lists > 1 {
		r.shared[s.Table.Type] = true
	}
	return r.shareParents(s.Table)
}

func (r *run) shareParents(t *catalog.Table) error {
	for _, p := range t.ListInput.Parents {
		if r.shared[p.Type] {
			continue
		}
		r.shared[p.Type] = true
		parent, err := r.f.o.Catalog.Table(p.Type)
		if err != nil {
			return err
		}
		if err := r.shareParents(parent); err != nil {
			return err
		}
	}
	return nil
}

// affordable refuses what is sure to make too many calls.
func (r *run) affordable() error {
	if r.MaxCalls <= 0 {
		return nil
	}
	n := 0
	for _, s := range r.Scans {
		sc := r.scanning(s)
		for i, b := range s.Boxes {
			places := r.where[s][i]
			if b.Identifiers != nil && !(b.Bound && sc.listsInstead(b, places)) {
				n += len(b.Identifiers) * len(places)
			} else {
				n += len(places)
			}
		}
		if n > r.MaxCalls {
			return &TooManyError{s.Table, n, r.MaxCalls}
		}
	}
	return nil
}

// A run is the state of one Run.
type run struct {
	Request
	f     *Fetcher
	group *errgroup.Group
	store *store
	// shared are the types whose lists are kept, so that they are asked for once.
	shared map[string]bool
	calls  atomic.Int64
	// where gives the places of each box of a scan.
	where map[*plan.Scan][][]place

	mu      sync.Mutex // guards what follows, and calls of Sink
	stats   map[string]*stats
	order   []*stats
	notices []string
	noticed map[string]bool
	missing []Missing
	missed  map[string]bool
	oldest  time.Duration
}

type stats struct {
	Stats
	first time.Time
}

// stat changes a table's numbers. The caller doesn't hold mu.
func (r *run) stat(t *catalog.Table, f func(*stats)) {
	r.mu.Lock()
	s := r.stats[t.Type]
	if s == nil {
		s = &stats{Stats: Stats{Table: t}, first: time.Now()}
		r.stats[t.Type] = s
		r.order = append(r.order, s)
	}
	f(s)
	s.Took = time.Since(s.first)
	now := s.Stats
	r.mu.Unlock()
	if r.Progress != nil {
		r.Progress(now)
	}
}

func (r *run) report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := Report{Notices: r.notices, Missing: r.missing, Oldest: r.oldest}
	for _, s := range r.order {
		out.Stats = append(out.Stats, s.Stats)
	}
	slices.SortFunc(out.Missing, func(a, b Missing) int {
		return cmp.Or(strings.Compare(a.Table.Type, b.Table.Type), strings.Compare(a.Account, b.Account), strings.Compare(a.Region, b.Region))
	})
	return out
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
	return r.f.o.Client(ctx, at.account, at.region)
}

// counted counts and logs one call.
func (r *run) counted(ctx context.Context, t *catalog.Table, at place, op string, retry cloudcontrol.Retry, try int, took time.Duration, err error) {
	r.stat(t, func(s *stats) {
		if op == opList {
			s.Lists++
		} else {
			s.Gets++
		}
		if try > 1 {
			s.Retries++
		}
		if retry == cloudcontrol.Throttled {
			s.Throttled++
		}
	})
	if r.f.tell != nil {
		r.f.tell(Call{op, at.account, at.region, try, retry == cloudcontrol.Throttled, err})
	}
	r.f.log.DebugContext(ctx, "call", "op", op, "type", t.Type, "account", at.account, "region", at.region, "try", try, "took", took, "error", err)
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

// places are the accounts and regions of a box. A global type is asked in its
// home region alone.
func (r *run) places(t *catalog.Table, b plan.Box) []place {
	accounts := []string(b.Accounts)
	if b.Accounts == nil {
		accounts = r.Scope.Accounts
	}
	var out []place
	for _, a := range accounts {
		if b.InAccounts != nil && !slices.Contains(b.InAccounts, a) {
			continue
		}
		regions := []string(b.Regions)
		if b.Regions == nil {
			regions = r.Scope.Regions(a)
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
		for _, reg := range regions {
			if b.InRegions == nil || slices.Contains(b.InRegions, reg) {
				out = append(out, place{a, reg})
			}
		}
	}
	return out
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

// getAll reads resources by identifier.
func (s *scanning) getAll(ctx context.Context, places []place, b plan.Box) error {
	if s.table.Read == nil {
		return &NeedKeyError{Table: s.table, Reason: "its type can't be read"}
	}
	for _, at := range places {
		for _, id := range b.Identifiers {
			if id == "" || len(id) > maxIdentifier || !s.first(at, id) {
				continue
			}
			s.stat(s.table, func(st *stats) { st.Expected++ })
			if err := s.spawn(ctx, at, id, wanted{named: true, bound: b.Bound}); err != nil {
				return err
			}
		}
	}
	return nil
}

// A wanted says how a resource came to be read.
type wanted struct {
	named bool  // by identifier, not from a list
	bound bool  // by an identifier that another resource holds
	model model // what it was listed with
}

// spawn reads one resource beside what else goes on. It waits for its turn
// first, so that there are never more of them than calls in flight.
func (s *scanning) spawn(ctx context.Context, at place, id string, w wanted) error {
	turn, err := s.admitGet(ctx, at, id)
	if err != nil {
		return err
	}
	s.group.Go(func() error {
		row, ok, err := s.get(ctx, turn, at, id, w)
		if err != nil || !ok {
			return err
		}
		return s.hand(ctx, row)
	})
	return nil
}

// admitGet waits for a turn to read a resource, if it isn't there already.
func (s *scanning) admitGet(ctx context.Context, at place, id string) (*admission, error) {
	if s.MaxAge > 0 && s.f.cache.has(getKey(s.table, at, id), s.MaxAge) {
		return nil, nil
	}
	if err := s.within(s.table); err != nil {
		return nil, err
	}
	turn, err := s.admit(ctx, at, s.table, false)
	return &turn, err
}

// within counts a call that is about to be made, and ends a run that makes too
// many.
func (r *run) within(t *catalog.Table) error {
	if n := int(r.calls.Add(1)); r.MaxCalls > 0 && n > r.MaxCalls {
		return &TooManyError{t, n, r.MaxCalls}
	}
	return nil
}

// get reads one resource in a turn. ok is false when it isn't there, or not in
// this place.
func (s *scanning) get(ctx context.Context, turn *admission, at place, id string, w wanted) (Row, bool, error) {
	d, err := s.document(ctx, turn, at, s.table, id)
	switch {
	case err == nil:
	case errors.Is(err, cloudcontrol.ErrNotFound), s.table.SpansRegions && errors.Is(err, cloudcontrol.ErrElsewhere),
		w.bound && errors.Is(err, cloudcontrol.ErrBadID):
		return Row{}, false, nil
	default:
		return Row{}, false, s.absent(ctx, at, s.table, err)
	}
	if w.named && d.Identifier != id {
		if !w.bound && !strings.HasPrefix(id, "{") {
			s.notice("%s is another name of %s, which conditions on the identifier of %s compare with", id, d.Identifier, s.table.Name())
		}
		if !s.first(at, d.Identifier) {
			return Row{}, false, nil // it is there already
		}
	}
	return Row{at.account, at.region, d.Identifier, s.known(d.Properties, w.model)}, true, nil
}

func getKey(t *catalog.Table, at place, id string) string {
	return "get|" + t.Type + "|" + at.account + "|" + at.region + "|" + id
}

// document reads one resource, or takes it from what is shared. Without a turn
// it waits for one.
func (r *run) document(ctx context.Context, turn *admission, at place, t *catalog.Table, id string) (cloudcontrol.Document, error) {
	var d cloudcontrol.Document
	var held atomic.Pointer[admission]
	held.Store(turn)
	read := func(ctx context.Context, page func([]cloudcontrol.Document) error) error {
		mine := held.Swap(nil)
		if mine == nil {
			if err := r.within(t); err != nil {
				return err
			}
			turn, err := r.admit(ctx, at, t, false)
			if err != nil {
				return err
			}
			mine = &turn
		}
		c, err := r.client(ctx, at)
		if err != nil {
			r.giveBack(*mine)
			return err
		}
		var got cloudcontrol.Document
		err = r.call(ctx, *mine, at, t, opGet, false, func() (err error) {
			got, err = c.Get(ctx, t.Type, id)
			return err
		})
		if err != nil {
			return err
		}
		return page([]cloudcontrol.Document{got})
	}
	one := func(docs []cloudcontrol.Document) error { d = docs[0]; return nil }
	if r.MaxAge == 0 && !r.shared[t.Type] {
		err := read(ctx, one)
		return d, err
	}
	err := r.through(ctx, getKey(t, at, id), read, one)
	if turn := held.Swap(nil); turn != nil { // somebody else had it
		r.giveBack(*turn)
	}
	return d, err
}

// giveBack ends a turn in which no call was made.
func (r *run) giveBack(turn admission) {
	r.f.limits.all.Release(1)
	turn.l.give()
}

// absent turns the errors that mean "no rows here" into notices, and where the
// caller chose it, those of one place into something missing. It gives back
// all others.
func (r *run) absent(ctx context.Context, at place, t *catalog.Table, err error) error {
	var e *cloudcontrol.Error
	switch {
	case errors.Is(err, cloudcontrol.ErrNoType), errors.Is(err, cloudcontrol.ErrUnsupported):
		name := t.Name()
		if errors.As(err, &e) && e.Type != "" && e.Type != t.Type {
			name = e.Type
		}
		r.notice("%s is not offered in %s", name, at.region)
	case errors.Is(err, cloudcontrol.ErrRegion):
		r.notice("region %s is not enabled in account %s: nothing was looked for there", at.region, at.account)
	case r.Warn && ctx.Err() == nil && errors.As(err, &e):
		r.mu.Lock()
		defer r.mu.Unlock()
		key := t.Type + "|" + at.account + "|" + at.region + "|" + e.Code
		if !r.missed[key] {
			r.missed[key] = true
			r.missing = append(r.missing, Missing{at.account, at.region, t, err})
		}
	default:
		return err
	}
	return nil
}
