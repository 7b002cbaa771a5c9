package fetch

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/plan"
)

// errEnough ends a list of which no more is needed.
var errEnough = errors.New("enough")

// few fetches until a box's Limit is reached. Places are asked in growing
// numbers at once, and in each only as much as is still needed.
func (s *scanning) few(ctx context.Context, places []place, b plan.Box) error {
	if b.Order != "" {
		return s.top(ctx, places, b)
	}
	f := &fewer{scanning: s, box: b, left: b.Limit}
	for _, fl := range b.Filters {
		f.drops = f.drops || slices.ContainsFunc(fl.Columns, func(c int) bool { return !s.table.Free(c) })
	}
	for n := 1; len(places) > 0 && f.needs() > 0; n *= 2 {
		now := places[:min(n, len(places))]
		places = places[len(now):]
		g, gctx := errgroup.WithContext(ctx)
		for _, at := range now {
			g.Go(func() error { return f.place(gctx, at) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// A fewer is a scan that stops early.
type fewer struct {
	*scanning
	box plan.Box
	// drops: what is read may turn out not to pass the box's filters.
	drops bool

	leftMu sync.Mutex
	left   int // rows still needed
	read   int // resources read so far
}

func (f *fewer) needs() int {
	f.leftMu.Lock()
	defer f.leftMu.Unlock()
	return f.left
}

func (f *fewer) place(ctx context.Context, at place) error {
	if f.table.List == nil {
		return f.noList()
	}
	err := f.models(ctx, f.table, at, f.box.Parents, func(m model) error {
		err := f.listPages(ctx, f.table, at, m, func(docs []cloudcontrol.Document) error { return f.page(ctx, at, m, docs) })
		if err == nil && f.needs() <= 0 {
			err = errEnough
		}
		return err
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// page takes of a page what is needed.
func (f *fewer) page(ctx context.Context, at place, m model, docs []cloudcontrol.Document) error {
	rows, err := f.candidates(ctx, at, m, docs, f.box, true)
	if err != nil {
		return err
	}
	for len(rows) > 0 {
		n := f.batch()
		if n <= 0 {
			return errEnough
		}
		n = min(n, len(rows))
		if err := f.take(ctx, at, m, rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	if f.needs() <= 0 {
		return errEnough
	}
	return nil
}

// batch is how many resources to read at once: as many as are needed, and
// where conditions drop some, as many as were read before.
func (f *fewer) batch() int {
	f.leftMu.Lock()
	defer f.leftMu.Unlock()
	if f.left <= 0 || !f.drops {
		return f.left
	}
	return max(f.left, f.read)
}

// take reads what a list didn't tell of some rows, and hands over those that
// the box's filters let through.
func (f *fewer) take(ctx context.Context, at place, m model, rows []Row) error {
	whole := make([]Row, len(rows))
	there := make([]bool, len(rows))
	read := 0
	g, gctx := errgroup.WithContext(ctx)
	for i, row := range rows {
		if f.enough(row) {
			whole[i], there[i] = row, f.first(at, row.Identifier)
			continue
		}
		if !f.first(at, row.Identifier) {
			continue
		}
		read++
		turn, err := f.admitGet(ctx, at, row.Identifier)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		g.Go(func() (err error) {
			whole[i], there[i], err = f.get(gctx, turn, at, row.Identifier, wanted{model: m})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var got []Row
	for i := range whole {
		if there[i] {
			got = append(got, whole[i])
		}
	}
	passed := len(got)
	for _, fl := range f.box.Filters {
		if f.Sieve == nil {
			break
		}
		pass, sure, err := f.Sieve.Pass(ctx, f.table, got, fl)
		if err != nil {
			return err
		}
		if !sure { // no row is known to pass
			passed = 0
			break
		}
		got = keep(got, pass)
		passed = len(got)
	}
	if f.Sieve == nil && len(f.box.Filters) > 0 {
		passed = 0
	}
	f.leftMu.Lock()
	f.left -= passed
	f.read += read
	f.leftMu.Unlock()
	return f.hand(ctx, got...)
}

func keep[T any](rows []T, pass []bool) []T {
	var out []T
	for i, r := range rows {
		if pass[i] {
			out = append(out, r)
		}
	}
	return out
}

// top lists everything, and reads only the first ones in the box's order.
func (s *scanning) top(ctx context.Context, places []place, b plan.Box) error {
	var mu sync.Mutex
	var rows []Row
	models := map[string]model{}
	g, gctx := errgroup.WithContext(ctx)
	for _, at := range places {
		if s.table.List == nil {
			return s.noList()
		}
		g.Go(func() error {
			return s.models(gctx, s.table, at, b.Parents, func(m model) error {
				return s.listPages(gctx, s.table, at, m, func(docs []cloudcontrol.Document) error {
					got, err := s.candidates(gctx, at, m, docs, b, true)
					mu.Lock()
					defer mu.Unlock()
					for _, r := range got {
						if s.first(at, r.Identifier) {
							rows = append(rows, r)
							if len(s.fill) > 0 {
								models[r.Account+"|"+r.Region+"|"+r.Identifier] = m
							}
						}
					}
					return err
				})
			})
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if s.Sieve == nil {
		return s.rest(ctx, rows, models)
	}
	// Filters that could not be computed for all of a page let rows through that
	// may not count.
	limit := b.Limit
	for _, f := range b.Filters {
		pass, sure, err := s.Sieve.Pass(ctx, s.table, rows, f)
		if err != nil {
			return err
		}
		if !sure {
			limit = max(limit, len(rows))
			continue
		}
		rows = keep(rows, pass)
	}
	// A resource that has gone meanwhile leaves its place to the next one.
	done := map[int]bool{}
	for n, need := limit, limit; need > 0; n += need {
		first, err := s.Sieve.First(ctx, s.table, rows, b.Order, n)
		if err != nil {
			return err
		}
		var now []Row
		for _, i := range first {
			if !done[i] {
				done[i] = true
				now = append(now, rows[i])
			}
		}
		before := s.handed()
		if err := s.rest(ctx, now, models); err != nil {
			return err
		}
		need -= s.handed() - before
		if n >= len(rows) {
			break
		}
	}
	s.stat(s.table, func(st *stats) { st.Avoided += len(rows) - len(done) })
	return nil
}

func (s *scanning) handed() int {
	n := 0
	s.stat(s.table, func(st *stats) { n = st.Rows })
	return n
}

// rest reads what the list didn't tell of some rows, and hands them over.
func (s *scanning) rest(ctx context.Context, rows []Row, models map[string]model) error {
	g, gctx := errgroup.WithContext(ctx)
	for _, row := range rows {
		if s.enough(row) {
			if err := s.hand(ctx, row); err != nil {
				return errors.Join(err, g.Wait())
			}
			continue
		}
		at := place{row.Account, row.Region}
		turn, err := s.admitGet(ctx, at, row.Identifier)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		g.Go(func() error {
			got, ok, err := s.get(gctx, turn, at, row.Identifier, wanted{model: models[row.Account+"|"+row.Region+"|"+row.Identifier]})
			if err != nil || !ok {
				return err
			}
			return s.hand(gctx, got)
		})
	}
	return g.Wait()
}

// candidates are the rows of a page that may matter: in the box, and not known
// to fail a filter. all: also those that nothing more must be read of.
func (s *scanning) candidates(ctx context.Context, at place, m model, docs []cloudcontrol.Document, b plan.Box, all bool) ([]Row, error) {
	var rows []Row
	for _, d := range docs {
		if s.inside(d, at, b.In) {
			rows = append(rows, Row{at.account, at.region, d.Identifier, s.known(d.Properties, m)})
		}
	}
	before := len(rows)
	rows, err := s.sift(ctx, rows, b.Filters, all)
	if dropped := before - len(rows); dropped > 0 || before < len(docs) {
		s.stat(s.table, func(st *stats) { st.Avoided += dropped + len(docs) - before })
	}
	return rows, err
}

// inside reports whether a listed resource is in the sets of a box, as far as
// the list tells.
func (s *scanning) inside(d cloudcontrol.Document, at place, in map[int]plan.Set) bool {
	for c, set := range in {
		if c == identifierColumn {
			if _, ok := slices.BinarySearch(set, d.Identifier); !ok {
				return false
			}
			continue
		}
		got := values(s.table, d, "/"+s.table.Columns[c].Property)
		if len(got) != 1 {
			continue
		}
		if _, ok := slices.BinarySearch(set, got[0]); !ok {
			return false
		}
	}
	return true
}

// identifierColumn is the place of identifier in every table.
const identifierColumn = 2

// sift drops the rows of which a filter is known not to be true. A property
// that a list doesn't tell is unknown, so its filters drop nothing.
func (s *scanning) sift(ctx context.Context, rows []Row, filters []plan.Filter, all bool) ([]Row, error) {
	if s.Sieve == nil || len(filters) == 0 || !all && !slices.ContainsFunc(rows, func(r Row) bool { return !s.enough(r) }) {
		return rows, nil
	}
	for _, f := range filters {
		if ofPlaces(f) { // locate has asked it
			continue
		}
		var known []Row
		var at []int
		for i, r := range rows {
			if s.tells(r, f.Columns) {
				known, at = append(known, r), append(at, i)
			}
		}
		if len(known) == 0 {
			continue
		}
		pass, sure, err := s.Sieve.Pass(ctx, s.table, known, f)
		if err != nil {
			return nil, err
		}
		if !sure {
			continue
		}
		ok := make([]bool, len(rows))
		for i := range ok {
			ok[i] = true
		}
		for i, p := range pass {
			ok[at[i]] = p
		}
		rows = keep(rows, ok)
	}
	return rows, nil
}

// tells reports whether a row has all of some columns.
func (s *scanning) tells(r Row, columns []int) bool {
	var names []string
	for _, c := range columns {
		if !s.table.Free(c) {
			names = append(names, s.table.Columns[c].Property)
		}
	}
	return has(r.Properties, names)
}

func (s *scanning) noList() error {
	return &NeedKeyError{Table: s.table, Columns: []string{"identifier"}, Reason: "AWS offers no list of " + s.table.Type}
}
