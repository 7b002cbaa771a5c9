package plan

import (
	"maps"
	"slices"
	"strconv"

	"github.com/skyql/skyql/internal/syntax"
)

func sortedKeys(m map[string]Set) []string { return slices.Sorted(maps.Keys(m)) }

// limits are bounds on a block's outputs, by position: rows outside them don't
// matter to whoever uses the block.
type limits struct {
	never bool
	sets  map[int]Set
}

// push carries bounds down into a block, as far as each construct lets them.
func (b *binder) push(bl *block, in limits) {
	q := bl.query
	if q.Limited || len(q.DistinctOn) > 0 && q.Kind != syntax.Select {
		in.sets = nil
	}
	switch q.Kind {
	case syntax.SetOp:
		for _, a := range bl.arms {
			b.push(a, armLimits(bl, a, in))
		}
	case syntax.Recursive:
		for _, a := range bl.arms {
			b.push(a, limits{never: in.never})
		}
	case syntax.Select:
		b.pushSelect(bl, in)
	}
	for _, s := range bl.subs {
		b.push(s, limits{})
	}
	for _, c := range slices.Backward(bl.ctes) {
		b.push(c.block, c.limits())
	}
}

// limits unites what the uses of a CTE let through. One that is not used is
// not run.
func (c *cte) limits() limits {
	out := limits{never: true}
	for i, u := range c.uses {
		switch {
		case u.never:
		case i == 0 || out.never:
			out = limits{sets: maps.Clone(u.sets)}
		default:
			for k, s := range out.sets {
				if o := u.sets[k]; o != nil && s != nil {
					out.sets[k] = s.Or(o)
				} else {
					delete(out.sets, k)
				}
			}
		}
	}
	return out
}

// armLimits carries a set operation's limits into one arm, for the columns
// that are text in every arm, so that none is cast.
func armLimits(bl, arm *block, in limits) limits {
	out := limits{never: in.never}
	for at, s := range in.sets {
		name := ""
		if at < len(bl.outs) {
			name = bl.outs[at].name
		}
		i, ok := -1, true
		for _, a := range bl.arms {
			j, found := counterpart(bl.query, a, at, name)
			if !found || !a.outs[j].text() {
				ok = false
				break
			}
			if a == arm {
				i = j
			}
		}
		if ok && i >= 0 {
			if out.sets == nil {
				out.sets = map[int]Set{}
			}
			out.sets[i] = out.sets[i].And(s)
		}
	}
	return out
}

func (o output) text() bool {
	if o.column != nil {
		return o.column.text()
	}
	c := column{from: o.from, varchar: o.varchar}
	return c.text()
}

func (b *binder) pushSelect(bl *block, in limits) {
	q := bl.query
	above := bounds{never: in.never}
	if !q.Sample {
		above = above.and(b.bounds(q.Where)).and(b.having(bl))
		above = above.and(b.incoming(bl, in)).spread(b.equalities(q.Where))
		above.never = above.never || b.bounds(q.Where).impossible()
	}
	b.pushNode(bl.from, above, q.Sample)
}

// incoming turns limits on outputs into bounds on the block's columns. With
// windows, only what every window is partitioned by may be bounded; with
// DISTINCT ON, only what it lists; with GROUP BY, only what it groups by.
func (b *binder) incoming(bl *block, in limits) bounds {
	out := bounds{never: in.never, sets: map[*column]Set{}}
	for i, s := range in.sets {
		if i >= len(bl.outs) || bl.outs[i].column == nil || s == nil {
			continue
		}
		if c := bl.outs[i].column; b.passes(bl, c) {
			out.sets[c] = out.sets[c].And(s)
		}
	}
	return out
}

func (b *binder) passes(bl *block, c *column) bool {
	q := bl.query
	if len(q.GroupBy) > 0 && !b.groupedBy(bl, c) {
		return false
	}
	if len(q.DistinctOn) > 0 && !b.holds(q.DistinctOn, c) {
		return false
	}
	for _, w := range windows(q) {
		if !b.holds(w.Partition, c) {
			return false
		}
	}
	return true
}

func (b *binder) holds(list []*syntax.Expr, c *column) bool {
	return slices.ContainsFunc(list, func(e *syntax.Expr) bool { return b.columns[e] == c })
}

// groupedBy reports whether a block groups by a column, in one grouping set.
// GROUP BY 2 and the alias of an item count as the item.
func (b *binder) groupedBy(bl *block, c *column) bool {
	q := bl.query
	if q.GroupingSets > 1 {
		return false
	}
	if b.holds(q.GroupBy, c) {
		return true
	}
	for _, g := range q.GroupBy {
		if g.Class == "CONSTANT" && g.Value.Type == "INTEGER" {
			for i, o := range bl.outs {
				if !bl.open && o.column == c && g.Value.Text == strconv.Itoa(i+1) {
					return true
				}
			}
		}
	}
	return false
}

// windows are the window functions of a block.
func windows(q *syntax.Query) []*syntax.Expr {
	var out []*syntax.Expr
	collect := func(e *syntax.Expr) {
		e.Walk(func(x *syntax.Expr) bool {
			if x.Class == "WINDOW" {
				out = append(out, x)
			}
			return true
		})
	}
	for _, e := range slices.Concat(q.List, q.OrderBy, q.DistinctOn) {
		collect(e)
	}
	collect(q.Qualify)
	return out
}

// having gives the bounds of HAVING on grouping columns.
func (b *binder) having(bl *block) bounds {
	q := bl.query
	out := bounds{sets: map[*column]Set{}}
	if q.Having == nil || q.GroupingSets > 1 {
		return out
	}
	for c, s := range b.bounds(q.Having).sets {
		if b.holds(q.GroupBy, c) {
			out.sets[c] = s
		}
	}
	return out
}

// pushNode carries bounds into a FROM tree. above are those of WHERE: they
// hold for every row of the node's result. cut: nothing passes but never.
func (b *binder) pushNode(n *node, above bounds, cut bool) {
	if n == nil {
		return
	}
	if n.barrier {
		cut = true
	}
	if cut {
		above.sets = nil
	}
	switch {
	case n.left != nil:
		b.pushJoin(n, above, cut)
	case n.relation == nil:
	case n.relation.ref != nil:
		r := n.relation.ref
		r.never = r.never || above.never
		for _, c := range n.relation.columns {
			if s := above.sets[c]; s != nil && c.from.ref == r {
				r.sets[c.from.col] = r.sets[c.from.col].And(s)
			}
		}
	case n.block != nil:
		b.push(n.block, leafLimits(n, above))
	case n.cte != nil:
		n.cte.uses = append(n.cte.uses, leafLimits(n, above))
	}
}

func leafLimits(n *node, above bounds) limits {
	out := limits{never: above.never, sets: map[int]Set{}}
	for i, c := range n.relation.columns {
		if s := above.sets[c]; s != nil {
			out.sets[i] = s
		}
	}
	return out
}

// pushJoin gives each side of a join what may bound it.
//
//   - Bounds of WHERE hold for both sides: an equality with a constant is never
//     true of the NULLs that an outer join fills in. They travel over the
//     join's own equalities both ways.
//   - Bounds of ON hold for a side only if its rows vanish when ON is false:
//     both sides of an inner or semi join, the filled-in side of an outer one,
//     the right side of an anti join.
func (b *binder) pushJoin(n *node, above bounds, cut bool) {
	if cut || n.form == "POSITIONAL" {
		only := bounds{never: above.never}
		b.pushNode(n.left, only, true)
		b.pushNode(n.right, only, true)
		return
	}
	above = unmerge(above, n)
	pairs := b.equalities(n.cond)
	for _, u := range n.using {
		if u[0].text() && u[1].text() {
			pairs = append(pairs, u)
		}
	}
	on := b.bounds(n.cond)
	on.never = on.impossible()
	if n.form == "ASOF" {
		b.pushAsof(n, above, on, pairs)
		return
	}
	outer := above.spread(pairs)
	inner := above.and(on).spread(pairs)
	inner.never = inner.impossible()
	switch n.kind {
	case "INNER", "SEMI":
		b.pushNode(n.left, inner, false)
		b.pushNode(n.right, inner, false)
	case "LEFT":
		b.pushNode(n.left, outer, false)
		b.pushNode(n.right, inner, false)
	case "RIGHT":
		b.pushNode(n.left, inner, false)
		b.pushNode(n.right, outer, false)
	case "FULL", "OUTER":
		b.pushNode(n.left, outer, false)
		b.pushNode(n.right, outer, false)
	case "ANTI":
		b.pushNode(n.left, above, false)
		b.pushNode(n.right, inner, false)
	default: // a kind that is not known here
		b.pushNode(n.left, bounds{never: above.never}, true)
		b.pushNode(n.right, bounds{never: above.never}, true)
	}
}

// pushAsof: the right side of an ASOF join is searched for the nearest row, so
// WHERE, which looks at the row found, bounds nothing there.
func (b *binder) pushAsof(n *node, above, on bounds, pairs [][2]*column) {
	left := above
	if n.kind == "INNER" {
		left = above.and(on)
	} else if n.kind != "LEFT" {
		left = bounds{never: above.never}
	}
	right := bounds{never: above.never}
	for _, p := range pairs { // equalities of ON, with what the left side is bounded to
		for i, c := range p {
			if s := left.sets[p[1-i]]; s != nil && under(n.right, c) && under(n.left, p[1-i]) {
				right = right.and(bounds{sets: map[*column]Set{c: s}})
			}
		}
	}
	for c, s := range on.sets {
		if under(n.right, c) {
			right = right.and(bounds{sets: map[*column]Set{c: s}})
		}
	}
	b.pushNode(n.left, left, false)
	b.pushNode(n.right, right, false)
}

// under reports whether a column is one of a node's own.
func under(n *node, c *column) bool {
	cols, _ := n.columns()
	return slices.Contains(cols, c)
}

// unmerge carries the bounds of a column that USING made to the columns that
// it was made of: of the left one in a left join, of the right one in a right join.
func unmerge(a bounds, n *node) bounds {
	out := a.and(bounds{})
	for _, m := range n.merged {
		s := a.sets[m]
		if s == nil {
			continue
		}
		if n.kind != "RIGHT" {
			out.sets[m.of[0]] = out.sets[m.of[0]].And(s)
		}
		if n.kind == "RIGHT" || n.kind == "FULL" || n.kind == "INNER" {
			out.sets[m.of[1]] = out.sets[m.of[1]].And(s)
		}
	}
	return out
}
