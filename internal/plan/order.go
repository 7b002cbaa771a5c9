package plan

import (
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/syntax"
)

// A binding is the links of a reference that come from one place: the tuples
// of its columns are values of a reference fetched before, or local.
type binding struct {
	columns []int // of the reference, rising
	from    *reference
	source  []int // columns of from
	local   []*localColumn
	item    any
	wrong   bool
}

// bindings groups a reference's links by where they come from. A column that
// has several links to one place keeps the first.
func (r *reference) bindings() []binding {
	var out []binding
	for c := range r.table.Columns {
		for _, l := range r.links[c] {
			i := slices.IndexFunc(out, func(b binding) bool {
				return b.item == l.item && (l.ref != nil && b.from == l.ref || l.local != nil && b.local != nil && b.local[0].from == l.local.from)
			})
			if i < 0 {
				i = len(out)
				out = append(out, binding{from: l.ref, item: l.item})
			}
			b := &out[i]
			if slices.Contains(b.columns, c) {
				continue
			}
			b.columns = append(b.columns, c)
			b.wrong = b.wrong || l.wrong
			if l.ref != nil {
				b.source = append(b.source, l.col)
			} else {
				b.local = append(b.local, l.local)
			}
		}
	}
	return out
}

// useful reports whether knowing a binding's values saves calls of a
// reference: it makes identifiers whole, gives a list key, or tells which of
// the listed resources must be read.
func (r *reference) useful(bs []binding) bool {
	have := map[int]bool{}
	for c, s := range r.sets {
		have[c] = s != nil
	}
	for _, b := range bs {
		for _, c := range b.columns {
			have[c] = true
		}
	}
	new := func(c int) bool { return have[c] && r.sets[c] == nil }
	if new(identifierColumn) {
		return true
	}
	for _, c := range r.table.IdentifierColumns() {
		if new(c) {
			return true
		}
	}
	return slices.ContainsFunc(r.listKeys(), func(p string) bool {
		c, ok := r.table.Column(p[1:])
		return ok && new(c)
	})
}

// order decides which scans wait for which: a scan whose keys are other scans'
// values comes after those, if every reference to its table gains by it. A
// scan that must be fetched whole anyway waits for nothing.
func (b *binder) order() {
	if b.env.Narrow != Keys {
		return
	}
	var done, open []*Scan
	for _, s := range b.plan.Scans {
		for _, r := range s.refs {
			b.takeLocal(r)
		}
		open = append(open, s)
	}
	for stage := 0; len(open) > 0; stage++ {
		now := b.next(open, done)
		for _, s := range now {
			s.Stage = stage
			for _, r := range s.refs {
				b.choose(s, r, done)
			}
		}
		open = slices.DeleteFunc(open, func(s *Scan) bool { return slices.Contains(now, s) })
		done = append(done, now...)
	}
}

// next gives the scans to fetch now, of those that are left.
func (b *binder) next(open, done []*Scan) []*Scan {
	var now, wait []*Scan
	for _, s := range open {
		switch {
		case s.known(), s.bound(done) && !s.better(open, done):
			now = append(now, s)
		case s.bound(slices.Concat(done, without(open, s))):
			wait = append(wait, s)
		default:
			now = append(now, s)
		}
	}
	if len(now) > 0 {
		return now
	}
	// All wait for each other: the one that is narrowed most goes first.
	best := wait[0]
	for _, s := range wait[1:] {
		if s.weight() > best.weight() || s.weight() == best.weight() && s.parentOf(best) {
			best = s
		}
	}
	return []*Scan{best}
}

// better reports whether waiting for more scans would make identifiers whole,
// where those that are done don't.
func (s *Scan) better(open, done []*Scan) bool {
	return !s.whole(done) && s.whole(slices.Concat(done, without(open, s)))
}

func (s *Scan) whole(by []*Scan) bool {
	return !slices.ContainsFunc(s.refs, func(r *reference) bool {
		sets := map[int]Set{}
		for c, v := range r.sets {
			sets[c] = v
		}
		for _, b := range r.from(by) {
			for _, c := range b.columns {
				sets[c] = Set{""}
			}
		}
		return r.identifiers(sets) == nil
	})
}

func without(all []*Scan, s *Scan) []*Scan {
	return slices.DeleteFunc(slices.Clone(all), func(o *Scan) bool { return o == s })
}

// known reports whether all of a scan's references name their resources.
func (s *Scan) known() bool {
	return !slices.ContainsFunc(s.refs, func(r *reference) bool {
		box, some := r.box(nil)
		return some && box.Identifiers == nil
	})
}

// bound reports whether every reference that names no resources gains by the
// values of other scans.
func (s *Scan) bound(by []*Scan) bool {
	some := false
	for _, r := range s.refs {
		if box, ok := r.box(nil); !ok || box.Identifiers != nil {
			continue
		}
		if r.limit > 0 && len(s.refs) == 1 || !r.useful(r.from(by)) {
			return false
		}
		some = true
	}
	return some
}

// from gives the bindings of a reference whose sources are among some scans.
func (r *reference) from(by []*Scan) []binding {
	return slices.DeleteFunc(r.bindings(), func(b binding) bool {
		return b.from == nil || b.from.table == r.table || !slices.ContainsFunc(by, func(s *Scan) bool { return s.Table == b.from.table })
	})
}

// weight says how much is known of a scan's keys.
func (s *Scan) weight() int {
	w := 0
	for _, r := range s.refs {
		for _, p := range r.listKeys() {
			if c, ok := r.table.Column(p[1:]); ok && r.sets[c] != nil {
				w += 4
			}
		}
		if len(r.filters) > 0 {
			w += 2
		}
	}
	if len(s.Table.ListInput.Required) == 0 && len(s.Table.ListInput.OneOf) == 0 {
		w++
	}
	return w
}

func (s *Scan) parentOf(o *Scan) bool {
	for _, p := range o.Table.ListInput.Parents {
		if p.Type == s.Table.Type {
			return true
		}
	}
	return false
}

// choose fixes the bindings that a reference is fetched by.
func (b *binder) choose(s *Scan, r *reference, done []*Scan) {
	if box, some := r.box(nil); !some || box.Identifiers != nil || !s.bound(done) {
		return
	}
	r.chosen = append(r.chosen, r.from(done)...)
	for i, c := range r.chosen {
		r.chosen[i].wrong = !b.keeps(RuleLink) || c.wrong
		at := slices.IndexFunc(done, func(s *Scan) bool { return s.Table == c.from.table })
		s.Bindings = append(s.Bindings, Binding{Columns: c.columns, From: done[at], Source: c.source, Query: c.query()})
	}
}

// query asks for the distinct tuples of a binding, of the rows that matter.
func (c binding) query() string {
	t := c.from.table
	var cols, conds []string
	for _, i := range c.source {
		name := syntax.Quote(t.Columns[i].Name)
		cols = append(cols, name)
		conds = append(conds, name+" IS NOT NULL")
	}
	for i, set := range c.from.sets {
		if set != nil && len(set) <= 100 {
			var values []string
			for _, v := range set {
				values = append(values, syntax.Literal(v))
			}
			conds = append(conds, syntax.Quote(t.Columns[i].Name)+" IN ("+strings.Join(values, ", ")+")")
		}
	}
	for _, f := range c.from.filters {
		conds = append(conds, "("+f.SQL+")")
	}
	return "SELECT DISTINCT " + strings.Join(cols, ", ") + " FROM aws." + syntax.Quote(t.Service) + "." + syntax.Quote(t.Plural) + " WHERE " + strings.Join(conds, " AND ")
}

// takeLocal runs the local sources of a reference that save calls, and makes
// their values bounds. Those of accounts and regions narrow inside the scope.
func (b *binder) takeLocal(r *reference) {
	if r.never || b.env.Values == nil {
		return
	}
	for _, c := range r.bindings() {
		if c.local == nil || !r.useful([]binding{c}) {
			continue
		}
		var cols []string
		for _, l := range c.local {
			cols = append(cols, syntax.Quote(l.name))
		}
		rows, ok := b.env.Values("SELECT DISTINCT " + strings.Join(cols, ", ") + " FROM " + c.local[0].from)
		if !ok {
			continue
		}
		if wrong := !b.keeps(RuleLocal) || c.wrong; wrong && len(rows) > 0 {
			rows = rows[1:]
		}
		for i, col := range c.columns {
			set := Set{}
			for _, row := range rows {
				set = append(set, row[i])
			}
			if set = NewSet(set...); col > regionColumn {
				r.sets[col] = r.sets[col].And(set)
				r.found = r.found || col == identifierColumn || slices.Contains(r.table.IdentifierColumns(), col)
			}
		}
	}
}

// Bind completes the boxes of a scan with Bindings. values runs a query over
// the tables of lower stages and gives its rows; ok is false if they are too
// many to be keys.
func (s *Scan) Bind(values func(query string) (rows [][]string, ok bool, err error)) error {
	for _, r := range s.refs {
		if len(r.chosen) == 0 {
			continue
		}
		boxes, err := r.bind(values)
		if err != nil {
			return err
		}
		for _, b := range boxes {
			s.put(b)
		}
	}
	return nil
}

// bind turns the tuples of a reference's bindings into boxes. Tuples that hold
// an account or region make a box for each of those; with several bindings,
// all but the first bound each column by itself.
func (r *reference) bind(values func(query string) ([][]string, bool, error)) ([]Box, error) {
	groups := []map[int]Set{nil}
	for i, c := range r.chosen {
		rows, ok, err := values(c.query())
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if c.wrong && len(rows) > 0 {
			rows = rows[1:]
		}
		if i == 0 {
			groups = c.group(rows)
			continue
		}
		for col, set := range c.columnSets(rows) {
			for _, g := range groups {
				if g != nil {
					g[col] = g[col].And(set)
				}
			}
		}
	}
	var out []Box
	for _, g := range groups {
		if box, some := r.box(g); some {
			out = append(out, box)
		}
	}
	return out, nil
}

func (c binding) columnSets(rows [][]string) map[int]Set {
	out := map[int]Set{}
	for i, col := range c.columns {
		all := make(Set, 0, len(rows))
		for _, row := range rows {
			all = append(all, row[i])
		}
		out[col] = NewSet(all...)
	}
	return out
}

// group splits tuples by their account and region.
func (c binding) group(rows [][]string) []map[int]Set {
	var places []int
	for i, col := range c.columns {
		if col == accountColumn || col == regionColumn {
			places = append(places, i)
		}
	}
	if len(places) == 0 {
		return []map[int]Set{c.columnSets(rows)}
	}
	var keys []string
	by := map[string][][]string{}
	for _, row := range rows {
		var key strings.Builder
		for _, p := range places {
			key.WriteString(row[p] + "\x00")
		}
		if by[key.String()] == nil {
			keys = append(keys, key.String())
		}
		by[key.String()] = append(by[key.String()], row)
	}
	slices.Sort(keys)
	var out []map[int]Set
	for _, k := range keys {
		out = append(out, c.columnSets(by[k]))
	}
	return out
}
