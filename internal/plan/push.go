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
	links map[int][]source
}

// push carries bounds down into a block, as far as each construct lets them.
func (b *binder) push(bl *block, in limits) {
	q := bl.query
	if q.Limited && b.keeps(RuleLimitInside) || len(q.DistinctOn) > 0 && q.Kind != syntax.Select {
		in = limits{never: in.never}
	}
	switch q.Kind {
	case syntax.SetOp:
		for _, a := range bl.arms {
			b.push(a, b.armLimits(bl, a, in))
		}
	case syntax.Recursive:
		for _, a := range bl.arms {
			if b.keeps(RuleRecursive) {
				b.push(a, limits{never: in.never})
			} else {
				b.push(a, in)
			}
		}
	case syntax.Select:
		b.pushSelect(bl, in)
	}
	for _, s := range bl.subs {
		b.push(s, limits{})
	}
	for _, c := range slices.Backward(bl.ctes) {
		b.push(c.block, c.limits(b))
	}
}

// limits unites what the uses of a CTE let through. One that is not used is
// not run. Links of one use bind nothing for another.
func (c *cte) limits(b *binder) limits {
	out := limits{never: true}
	for i, u := range c.uses {
		switch {
		case u.never:
		case i == 0 || out.never:
			out = limits{sets: maps.Clone(u.sets), links: u.links}
		case !b.keeps(RuleCTEUnion):
		default:
			out.links = nil
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
func (b *binder) armLimits(bl, arm *block, in limits) limits {
	out := limits{never: in.never, sets: map[int]Set{}, links: map[int][]source{}}
	for at := range bl.outs {
		if in.sets[at] == nil && in.links[at] == nil {
			continue
		}
		i := b.armPlace(bl, arm, at)
		if i < 0 {
			continue
		}
		if s := in.sets[at]; s != nil {
			out.sets[i] = out.sets[i].And(b.right(RuleSetOp, s))
		}
		out.links[i] = append(out.links[i], in.links[at]...)
	}
	return out
}

// armPlace gives the place in an arm of a set operation's output, -1 if it is
// not text in every arm.
func (b *binder) armPlace(bl, arm *block, at int) int {
	i := -1
	for _, a := range bl.arms {
		j, found := counterpart(bl.query, a, at, bl.outs[at].name)
		if bl.query.ByName && !b.keeps(RuleByName) {
			j, found = at, at < len(a.outs)
		}
		if !found || !a.outs[j].text() {
			return -1
		}
		if a == arm {
			i = j
		}
	}
	return i
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
	cut := q.Sample && b.keeps(RuleSample)
	if !cut {
		where := b.bounds(q.Where)
		pairs := b.equalities(q.Where)
		above = above.and(where).and(b.having(bl)).and(b.queryLinks(bl)).and(bounds{filters: b.filters(q.Where)})
		above = above.and(b.incoming(bl, in)).spread(pairs).join(pairs)
		above.never = above.never || where.impossible()
		b.enough(bl)
		b.unused(q.Where, bl.from, nil)
		b.mentions(q.Where)
		b.mentions(q.Having)
		b.mentions(q.Qualify)
	}
	b.pushNode(bl.from, above, cut)
}

// incoming turns limits on outputs into bounds on the block's columns. With
// windows, only what every window is partitioned by may be bounded; with
// DISTINCT ON, only what it lists; with GROUP BY, only what it groups by.
func (b *binder) incoming(bl *block, in limits) bounds {
	out := bounds{never: in.never, sets: map[*column]Set{}, links: map[*column][]source{}}
	for i, o := range bl.outs {
		if o.column == nil || in.sets[i] == nil && in.links[i] == nil || !b.passes(bl, o.column) {
			continue
		}
		if s := in.sets[i]; s != nil {
			if len(bl.query.GroupBy) > 0 {
				s = b.right(RuleGroupBy, s)
			}
			out.sets[o.column] = out.sets[o.column].And(s)
		}
		for _, l := range in.links[i] {
			out.link(o.column, l)
		}
	}
	return out
}

func (b *binder) passes(bl *block, c *column) bool {
	q := bl.query
	if len(q.GroupBy) > 0 && !b.groupedBy(bl, c) {
		return false
	}
	if len(q.DistinctOn) > 0 && !b.holds(q.DistinctOn, c) && b.keeps(RuleDistinctOn) {
		return false
	}
	for _, w := range windows(q) {
		if !b.holds(w.Partition, c) && b.keeps(RulePartition) {
			return false
		}
	}
	return true
}

func (b *binder) holds(list []*syntax.Expr, c *column) bool {
	return slices.ContainsFunc(list, func(e *syntax.Expr) bool { return b.columns[e] == c })
}

// groupedBy reports whether a block groups by a column, in one grouping set: of
// several, those without the column show NULL in its place, which no bound lets
// through, but the rows of the others are not worth the thought. GROUP BY 2
// counts as the item.
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
			out.sets[c] = b.right(RuleHaving, s)
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
	if n.barrier && b.keeps(RuleBarrier) {
		cut = true
	}
	if cut {
		above = bounds{never: above.never}
	}
	switch {
	case n.left != nil:
		b.pushJoin(n, above, cut)
	case n.relation == nil:
	case n.relation.ref != nil:
		r := n.relation.ref
		r.never = r.never || above.never
		for _, c := range n.relation.columns {
			if c.from.ref != r || len(c.from.path) > 0 {
				continue
			}
			if s := above.sets[c]; s != nil {
				r.sets[c.from.col] = r.sets[c.from.col].And(s)
			}
			for _, l := range above.links[c] {
				if l.ref != r {
					r.links[c.from.col] = append(r.links[c.from.col], l)
				}
			}
		}
		r.filters = append(r.filters, above.filters[r]...)
	case n.block != nil:
		b.push(n.block, leafLimits(n, above))
	case n.cte != nil:
		n.cte.uses = append(n.cte.uses, leafLimits(n, above))
	}
}

func leafLimits(n *node, above bounds) limits {
	out := limits{never: above.never, sets: map[int]Set{}, links: map[int][]source{}}
	for i, c := range n.relation.columns {
		if s := above.sets[c]; s != nil {
			out.sets[i] = s
		}
		if l := above.links[c]; l != nil {
			out.links[i] = l
		}
	}
	return out
}

// pushJoin gives each side of a join what may bound it.
//
//   - Bounds of WHERE hold for both sides: an equality with a constant is never
//     true of the NULLs that an outer join fills in. They travel over the
//     join's own equalities; to a side whose rows stay without a match only
//     where they bound the other side too, for then there was a match.
//   - Bounds of ON hold for a side only if its rows vanish when ON is false:
//     both sides of an inner or semi join, the filled-in side of an outer one,
//     the right side of an anti join.
func (b *binder) pushJoin(n *node, above bounds, cut bool) {
	if cut || n.form == "POSITIONAL" && b.keeps(RulePositional) {
		only := bounds{never: above.never}
		b.pushNode(n.left, only, true)
		b.pushNode(n.right, only, true)
		return
	}
	matched := [2]bool{above.bound(n.right), above.bound(n.left)} // those of the left side, those of the right one
	above = unmerge(above, n)
	pairs := b.equalities(n.cond)
	for i, u := range n.using {
		if n.form == "ASOF" && i == len(n.using)-1 {
			break // of an ASOF join the last column of USING is compared by >=
		}
		if u[0].text() && u[1].text() {
			pairs = append(pairs, u)
			for _, c := range u {
				if above.sets[c] != nil {
					above = above.and(bounds{sets: map[*column]Set{c: b.right(RuleUsing, above.sets[c])}})
				}
			}
		}
	}
	on := b.bounds(n.cond)
	on.never = on.impossible()
	if n.form == "ASOF" {
		b.pushAsof(n, above, on, pairs)
		return
	}
	if n.kind == "INNER" || n.kind == "SEMI" {
		on = on.and(b.inLinks(n.cond, n))
	}
	on.filters = b.filters(n.cond)
	b.mentions(n.cond)
	switch n.kind {
	case "LEFT", "ANTI":
		b.unused(n.cond, n, n.left)
	case "RIGHT":
		b.unused(n.cond, n, n.right)
	default:
		b.unused(n.cond, n, nil)
	}
	// What WHERE says of rows that an outer join fills in with NULL holds only
	// if it is an equality: whole conjuncts may well accept the NULL.
	bare := above
	if b.keeps(RuleNullRejecting) {
		bare.filters = nil
	}
	outer := func(side int) bounds {
		if matched[side] || !b.keeps(RuleOuterMatch) {
			return above.spread(pairs)
		}
		return above
	}
	inner := above.and(on).spread(pairs).join(pairs)
	inner.never = inner.impossible()
	filled := bare.and(on).spread(pairs).join(pairs)
	filled.never = filled.impossible()
	switch n.kind {
	case "INNER", "SEMI":
		for c, s := range on.sets {
			inner.sets[c] = inner.sets[c].And(b.right(RuleInner, s))
		}
		b.pushNode(n.left, inner, false)
		b.pushNode(n.right, inner, false)
	case "LEFT":
		if b.keeps(RuleLeftOn) {
			b.pushNode(n.left, outer(0), false)
		} else {
			b.pushNode(n.left, inner, false)
		}
		b.pushNode(n.right, filled, false)
	case "RIGHT":
		b.pushNode(n.left, filled, false)
		if b.keeps(RuleLeftOn) {
			b.pushNode(n.right, outer(1), false)
		} else {
			b.pushNode(n.right, inner, false)
		}
	case "FULL", "OUTER":
		if b.keeps(RuleFullOn) {
			left, right := outer(0), outer(1)
			left.filters, right.filters = nil, nil
			b.pushNode(n.left, left, false)
			b.pushNode(n.right, right, false)
		} else {
			b.pushNode(n.left, inner, false)
			b.pushNode(n.right, inner, false)
		}
	case "ANTI":
		if b.keeps(RuleAntiOn) {
			b.pushNode(n.left, above, false)
		} else {
			b.pushNode(n.left, inner, false)
		}
		b.pushNode(n.right, filled, false)
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
	if !b.keeps(RuleAsof) {
		right = above.and(bounds{})
	}
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

// bound reports whether any column of a node is bounded, so that NULL in its
// place is not let through.
func (a bounds) bound(n *node) bool {
	cols, _ := n.columns()
	return slices.ContainsFunc(cols, func(c *column) bool { return a.sets[c] != nil })
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
	for _, m := range n.merged {
		for _, l := range a.links[m] {
			if n.kind != "RIGHT" && n.kind != "FULL" {
				out.link(m.of[0], l)
			}
			if n.kind == "RIGHT" || n.kind == "INNER" {
				out.link(m.of[1], l)
			}
		}
	}
	return out
}
