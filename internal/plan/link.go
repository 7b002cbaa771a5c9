package plan

import (
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/syntax"
)

// A source is where the values of a key come from: a column of another cloud
// table, known once that is fetched, or one that is local.
type source struct {
	ref   *reference
	col   int
	local *localColumn
	wrong bool // a rule was broken on purpose: one of its values is lost
	item  any
}

func (a source) equal(o source) bool {
	if a.local != nil && o.local != nil {
		return *a.local == *o.local
	}
	return a.local == nil && o.local == nil && a.ref == o.ref && a.col == o.col
}

// source gives where a column's values come from; it may have fewer.
func (c *column) source() (source, bool) {
	switch {
	case c.from.ref != nil && len(c.from.path) == 0 && !c.from.mixed:
		return source{ref: c.from.ref, col: c.from.col, item: c.item}, true
	case c.local != nil:
		return source{local: c.local, item: c.item}, true
	}
	return source{}, false
}

// link notes that a column's value must be among a source's.
func (a *bounds) link(c *column, s source) {
	if a.links == nil {
		a.links = map[*column][]source{}
	}
	if !slices.ContainsFunc(a.links[c], s.equal) {
		a.links[c] = append(slices.Clone(a.links[c]), s)
	}
}

// join links the columns of each pair with each other, through all of them.
func (a bounds) join(pairs [][2]*column) bounds {
	out := a.and(bounds{})
	for changed := true; changed; {
		changed = false
		for _, p := range pairs {
			for i, c := range p {
				other := p[1-i]
				from := slices.Clone(out.links[other])
				if s, ok := other.source(); ok {
					from = append(from, s)
				}
				before := len(out.links[c])
				for _, s := range from {
					if s.ref == nil || s.ref != c.from.ref {
						out.link(c, s)
					}
				}
				changed = changed || len(out.links[c]) != before
			}
		}
	}
	return out
}

// conjuncts calls f for each top-level conjunct of a predicate.
func conjuncts(e *syntax.Expr, f func(*syntax.Expr)) {
	if e == nil {
		return
	}
	if e.Type == "CONJUNCTION_AND" {
		for _, a := range e.Args {
			conjuncts(a, f)
		}
		return
	}
	f(e)
}

// queryLinks gives the links that sub-selects in a block's WHERE make, and
// those that its correlated columns make.
func (b *binder) queryLinks(bl *block) bounds {
	out := b.inLinks(bl.query.Where, bl.from).and(b.inLinks(bl.query.Having, bl.from))
	if len(bl.query.GroupBy) == 0 && bl.query.Having != nil {
		out = b.inLinks(bl.query.Where, bl.from)
	}
	conjuncts(bl.query.Where, func(e *syntax.Expr) {
		if e.Type != "COMPARE_EQUAL" || len(e.Args) != 2 {
			return
		}
		for i := range e.Args {
			inner, outer := b.columns[e.Args[i]], b.outer[e.Args[1-i]]
			if inner == nil || outer == nil || !inner.text() || !outer.text() {
				continue
			}
			if s, ok := outer.source(); ok {
				s.wrong = !b.keeps(RuleCorrelated)
				out.link(inner, s)
			}
		}
	})
	return out
}

// inLinks gives the links of IN (SELECT …) and EXISTS that are conjuncts of a
// predicate, for the columns of a FROM tree.
func (b *binder) inLinks(e *syntax.Expr, n *node) bounds {
	out := bounds{}
	conjuncts(e, func(e *syntax.Expr) {
		if (e.Type == "OPERATOR_NOT" || e.Type == "CONJUNCTION_OR") && e.Args[0].Class == "SUBQUERY" && e.Args[0].SubType == "ANY" && !b.keeps(RuleNotIn) {
			e = e.Args[0]
		}
		if e.Type == "OPERATOR_NOT" && e.Args[0].SubType == "EXISTS" && !b.keeps(RuleNotExists) {
			e = e.Args[0]
		}
		if e.Type == "COMPARE_EQUAL" && len(e.Args) == 2 {
			b.scalarLink(e.Args[0], e.Args[1], &out)
			b.scalarLink(e.Args[1], e.Args[0], &out)
		}
		if e.Class != "SUBQUERY" || e.Sub == nil {
			return
		}
		sub := b.blocks[e.Sub]
		if sub == nil {
			return
		}
		switch {
		case e.SubType == "ANY" && e.Compare == "COMPARE_EQUAL" && len(e.Args) == 1:
			if c := b.columns[e.Args[0]]; c != nil && c.text() {
				if s, ok := b.outputSource(sub); ok {
					s.wrong = !b.keeps(RuleInQuery)
					out.link(c, s)
				}
			}
		case e.SubType == "EXISTS":
			b.existsLinks(sub, n, &out)
		}
	})
	return out
}

// scalarLink links a column with the sub-select that it must equal the value of.
func (b *binder) scalarLink(left, right *syntax.Expr, out *bounds) {
	c := b.columns[left]
	if c == nil || !c.text() || right.SubType != "SCALAR" || right.Sub == nil || b.blocks[right.Sub] == nil {
		return
	}
	if s, ok := b.outputSource(b.blocks[right.Sub]); ok {
		s.wrong = !b.keeps(RuleInQuery)
		out.link(c, s)
	}
}

// outputSource gives where the one column of a sub-select comes from.
func (b *binder) outputSource(sub *block) (source, bool) {
	if sub.refs[0] == sub.refs[1] && !b.borrows(sub) {
		if sub.unstable {
			return source{}, false
		}
		return b.localOutput(sub.query)
	}
	if len(sub.outs) != 1 || sub.open || sub.outs[0].column == nil || !sub.outs[0].text() {
		return source{}, false
	}
	return sub.outs[0].column.source()
}

// localOutput makes a sub-select that reads no cloud table a source.
func (b *binder) localOutput(q *syntax.Query) (source, bool) {
	if b.env.Columns == nil || b.env.Narrow != Keys || b.macro > 0 {
		return source{}, false
	}
	tree := q.AsTree()
	if tree == nil || !b.pure(q.Functions()) {
		return source{}, false
	}
	text, err := b.env.Text(tree)
	if err != nil {
		return source{}, false
	}
	cols, ok := b.env.Columns(text)
	if !ok || len(cols) != 1 || cols[0].Type != "VARCHAR" {
		return source{}, false
	}
	return source{local: &localColumn{from: "(" + text + ")", name: cols[0].Name}}, true
}

// existsLinks binds the columns outside an EXISTS to those that they must
// equal inside. An aggregate inside would make a row of nothing, and so may
// not be there.
func (b *binder) existsLinks(sub *block, n *node, out *bounds) {
	q := sub.query
	if q.Kind != syntax.Select || q.Limited || q.Sample || q.Having != nil || q.GroupingSets > 1 || q.GroupAll ||
		q.GroupingSets == 1 && len(q.GroupBy) == 0 || q.Qualify != nil {
		return
	}
	for _, e := range slices.Concat(q.List, q.OrderBy, q.DistinctOn) { // an aggregate in any of them makes one row of none
		if (e.Class != "STAR" && e.Class != "CONSTANT" && e.Class != "COLUMN_REF" || e.Star.Columns) && b.keeps(RuleExistsRows) {
			return
		}
	}
	conjuncts(q.Where, func(e *syntax.Expr) {
		if e.Type != "COMPARE_EQUAL" || len(e.Args) != 2 {
			return
		}
		for i := range e.Args {
			inner, outer := b.columns[e.Args[i]], b.outer[e.Args[1-i]]
			if inner == nil || outer == nil || !inner.text() || !outer.text() || !under(n, outer) {
				continue
			}
			if s, ok := inner.source(); ok {
				s.wrong = !b.keeps(RuleExists)
				out.link(outer, s)
			}
		}
	})
}

// A Filter is a condition over one table's own columns, as SQL with the names
// that the columns have in the copy. A row for which it isn't true can't
// matter; one of which not all Columns are known may.
type Filter struct {
	SQL     string
	Columns []int // rising
}

// filters gives the conjuncts of a predicate that are filters.
func (b *binder) filters(e *syntax.Expr) map[*reference][]Filter {
	out := map[*reference][]Filter{}
	if b.env.Narrow != Keys || b.env.Text == nil {
		return out
	}
	conjuncts(e, func(e *syntax.Expr) {
		if r, f, ok := b.filter(e); ok {
			if !b.keeps(RuleFilter) {
				f.SQL = "NOT (" + f.SQL + ")"
			}
			out[r] = append(out[r], f)
		}
	})
	return out
}

// filter reads an expression over one reference's columns and constants.
func (b *binder) filter(e *syntax.Expr) (*reference, Filter, bool) {
	var f Filter
	var ref *reference
	ok := true
	names := map[string]string{}
	e.Walk(func(x *syntax.Expr) bool {
		switch x.Class {
		case "CONSTANT", "FUNCTION", "CAST", "CASE", "OPERATOR", "COMPARISON", "CONJUNCTION", "BETWEEN", "COLLATE", "PARAMETER":
		case "COLUMN_REF":
			c := b.columns[x]
			if c == nil || len(c.of) > 0 || c.from.ref == nil || len(c.from.path) > 0 || ref != nil && c.from.ref != ref || c.from.column().WriteOnly {
				ok = false
				return false
			}
			ref = c.from.ref
			names[strings.Join(x.Names, "\x00")] = c.from.column().Name
			if !slices.Contains(f.Columns, c.from.col) {
				f.Columns = append(f.Columns, c.from.col)
			}
			return false // what may be below is no operand
		default:
			ok = false
		}
		return ok
	})
	if !ok || ref == nil || !b.scalar(e.Functions()) && b.keeps(RuleStable) {
		return nil, f, false
	}
	text, err := b.env.Text(e.Renamed(names))
	if err != nil {
		return nil, f, false
	}
	f.SQL = strings.TrimPrefix(text, "SELECT ")
	slices.Sort(f.Columns)
	return ref, f, true
}

func (b *binder) scalar(functions []string) bool {
	return len(functions) == 0 || b.env.Scalar != nil && b.env.Scalar(functions)
}

func (b *binder) pure(functions []string) bool {
	return len(functions) == 0 || b.env.Pure != nil && b.env.Pure(functions)
}
