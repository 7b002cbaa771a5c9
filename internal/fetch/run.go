package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// ofPlaces reports whether a filter is about account and region alone.
func ofPlaces(f plan.Filter) bool { return f.Columns[len(f.Columns)-1] < identifierColumn }

// locate finds the places of all boxes. A filter over nothing but account and
// region holds for all of a place or for nothing in it.
func (r *run) locate(ctx context.Context) error {
	r.where = map[*plan.Scan][][]place{}
	for _, s := range r.Scans {
		for _, b := range s.Boxes {
			places := r.places(s.Table, b)
			for _, f := range b.Filters {
				if r.Sieve == nil || len(places) == 0 || !ofPlaces(f) {
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

// within counts a call that is about to be made, and ends a run that makes too
// many.
func (r *run) within(t *catalog.Table) error {
	if n := int(r.calls.Add(1)); r.MaxCalls > 0 && n > r.MaxCalls {
		return &TooManyError{t, n, r.MaxCalls}
	}
	return nil
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
