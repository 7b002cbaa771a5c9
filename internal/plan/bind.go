package plan

import (
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/syntax"
)

// A binder gives every name in a tree its meaning. It collects references and
// edits; the first error stays.
type binder struct {
	env       *Env
	plan      *Plan
	text      string
	refs      []*reference
	uses      []*cte // CTEs, in the order in which they are named
	defs      []*cte // … and made
	keptApart []Apart
	// unstable counts samples, queries and views that may give different rows each time.
	unstable int
	// columns are the names that are a column and nothing below it, found in
	// the block they stand in.
	columns map[*syntax.Expr]*column
	// outer are the names that are a column of a block further out.
	outer  map[*syntax.Expr]*column
	blocks map[*syntax.Query]*block
	exists *syntax.Query // the query of the EXISTS being bound
	items  []item
	// loose counts the macros and views being bound: their text is not the
	// user's, so nothing in it is edited.
	loose int
	// macro counts macros alone: arguments may mean anything inside one.
	macro int
	err   error
}

// An item is an entry of a select list that may need its header kept.
type item struct {
	list []*syntax.Expr
	at   int
}

// maxDepth bounds views in views and macros in macros.
const maxDepth = 32

func (b *binder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// a place says where an expression stands.
type place uint8

const (
	elsewhere place = iota
	inList          // an item of a select list, by itself
	inPredicate
	inHaving // a predicate where an alias may win over a column
	inOrder  // ORDER BY, where an alias wins too
)

func (b *binder) query(q *syntax.Query, outer *scope) *block {
	bl := &block{query: q, exists: q == b.exists}
	defer b.within(bl)()
	b.blocks[q] = bl
	sc := &scope{outer: outer}
	for _, c := range q.CTEs {
		b.with(c, sc, bl)
	}
	switch q.Kind {
	case syntax.Select:
		b.selectBlock(q, sc, bl)
	case syntax.SetOp:
		b.setOperation(q, sc, bl)
	case syntax.Recursive: // outside WITH there is none
		b.setOperation(q, sc, bl)
		bl.open = true
	}
	for _, e := range q.Limits {
		b.expr(e, sc, elsewhere, bl)
	}
	for _, e := range q.Other {
		b.expr(e, sc, elsewhere, bl)
	}
	return bl
}

// within notes what is bound for a block until the function that it gives is called.
func (b *binder) within(bl *block) func() {
	bl.refs[0], bl.uses[0], bl.defs[0] = len(b.refs), len(b.uses), len(b.defs)
	before := b.unstable
	return func() {
		if b.chancy(bl) {
			b.unstable++
		}
		bl.refs[1], bl.uses[1], bl.defs[1] = len(b.refs), len(b.uses), len(b.defs)
		bl.unstable = b.unstable != before
	}
}

// borrows reports whether a block names a CTE that is made outside of it, so
// that its text alone means something else.
func (b *binder) borrows(bl *block) bool {
	own := b.defs[bl.defs[0]:bl.defs[1]]
	return slices.ContainsFunc(b.uses[bl.uses[0]:bl.uses[1]], func(c *cte) bool { return !slices.Contains(own, c) })
}

func (b *binder) with(c *syntax.CTE, sc *scope, bl *block) {
	entry := &cte{name: c.Name, names: c.Aliases}
	if c.Query.Kind == syntax.Recursive {
		b.recursive(c, entry, sc)
	} else {
		entry.block = b.query(c.Query, sc)
		entry.block.outs = entry.block.renamed(c.Aliases)
	}
	b.defs = append(b.defs, entry)
	if entry.self != nil {
		b.defs = append(b.defs, entry.self)
	}
	sc.ctes = append(sc.ctes, entry)
	bl.ctes = append(bl.ctes, entry)
	for _, k := range c.Keys {
		_ = k // names of the CTE's own columns: nothing of ours is read
	}
}

// recursive binds a recursive CTE: its second half sees the first's column
// names, but not where they come from, since rows of either kind flow through.
func (b *binder) recursive(c *syntax.CTE, entry *cte, sc *scope) {
	bl := &block{query: c.Query, open: true}
	defer b.within(bl)()
	inner := &scope{outer: sc}
	for _, w := range c.Query.CTEs {
		b.with(w, inner, bl)
	}
	if len(c.Query.Arms) == 0 {
		bl.open = true
		entry.block = bl
		return
	}
	left := b.query(c.Query.Arms[0], inner)
	self := &block{query: c.Query, open: left.open}
	for _, o := range renamed(left.outs, c.Aliases) {
		if b.keeps(RuleRecursive) {
			o = output{name: o.name}
		}
		self.outs = append(self.outs, o)
	}
	it := &cte{name: c.Name, block: self}
	b.uses = append(b.uses, it) // so that its text means nothing by itself
	inner.ctes = append(inner.ctes, it)
	bl.arms = []*block{left}
	for _, a := range c.Query.Arms[1:] {
		bl.arms = append(bl.arms, b.query(a, inner))
	}
	bl.outs, bl.open = self.outs, self.open
	entry.block = bl
	entry.self = it
}

// renamed gives a block's outputs under other names, which go by place.
func (bl *block) renamed(names []string) []output {
	outs := renamed(bl.outs, names)
	if bl.open && len(names) > 0 {
		for i, o := range outs {
			outs[i] = output{name: o.name}
		}
	}
	return outs
}

func renamed(outs []output, names []string) []output {
	outs = append([]output{}, outs...)
	for i, n := range names {
		if i < len(outs) {
			outs[i].name = n
		}
	}
	return outs
}

func (b *binder) setOperation(q *syntax.Query, sc *scope, bl *block) {
	for _, a := range q.Arms {
		bl.arms = append(bl.arms, b.query(a, sc))
	}
	// ORDER BY names the outputs; sub-selects in it are read all the same.
	for _, e := range append(append([]*syntax.Expr{}, q.OrderBy...), q.DistinctOn...) {
		b.expr(e, &scope{outer: sc}, inOrder, bl)
	}
	if len(bl.arms) == 0 {
		bl.open = true
		return
	}
	for i, o := range bl.arms[0].outs {
		out := output{name: o.name, from: common(q, bl.arms, i), varchar: true}
		for _, a := range bl.arms {
			j, ok := counterpart(q, a, i, o.name)
			out.varchar = out.varchar && ok && a.outs[j].text()
		}
		out.from.mixed = out.from.ref != nil && b.keeps(RuleArms)
		bl.outs = append(bl.outs, out)
	}
	for _, a := range bl.arms {
		bl.open = bl.open || a.open || q.ByName
	}
	if q.ByName { // other outputs of the later arms too, in an order that is theirs
		for _, a := range bl.arms[1:] {
			bl.outs = append(bl.outs, a.outs...)
		}
	}
}

// counterpart gives the place of an arm's column for an output of a set operation.
func counterpart(q *syntax.Query, arm *block, at int, name string) (int, bool) {
	if q.ByName {
		at = slices.IndexFunc(arm.outs, func(o output) bool { return strings.EqualFold(o.name, name) })
	}
	return at, !arm.open && at >= 0 && at < len(arm.outs)
}

// common gives an output's origin if every arm's column at its place holds the
// same property of the same table.
func common(q *syntax.Query, arms []*block, at int) origin {
	first := arms[0].outs[at].from
	if first.ref == nil {
		return origin{}
	}
	for _, a := range arms {
		i, ok := counterpart(q, a, at, arms[0].outs[at].name)
		if !ok {
			return origin{}
		}
		o := a.outs[i]
		if o.from.ref == nil || o.from.ref.table != first.ref.table || o.from.col != first.col || !slices.Equal(o.from.path, first.path) {
			return origin{}
		}
	}
	return first
}

func (b *binder) selectBlock(q *syntax.Query, sc *scope, bl *block) {
	bl.from = b.ref(q.From, sc, bl)
	pivoted := len(q.List) == 1 && q.List[0].Class == "STAR" && b.pivoted(q.From)
	bl.from.barrier = bl.from.barrier || pivoted
	sc.aliases = map[string]*syntax.Expr{}
	for _, e := range q.List {
		if name := strings.ToLower(e.Alias); name != "" {
			if _, twice := sc.aliases[name]; twice {
				e = nil
			}
			sc.aliases[name] = e
		}
	}
	b.expr(q.Where, sc, inPredicate, bl)
	for _, e := range q.GroupBy {
		b.expr(e, sc, elsewhere, bl)
	}
	b.expr(q.Having, sc, inHaving, bl)
	b.expr(q.Qualify, sc, inPredicate, bl)
	for i, e := range q.List {
		b.items = append(b.items, item{q.List, i})
		was := bl.open
		outs := b.listItem(e, sc, bl)
		if was { // what stands before may have the same name, which wins
			for i, o := range outs {
				outs[i] = output{name: o.name}
			}
		}
		bl.outs = append(bl.outs, outs...)
	}
	for _, e := range q.DistinctOn {
		b.expr(e, sc, inOrder, bl)
	}
	for _, e := range q.OrderBy {
		b.expr(e, sc, inOrder, bl)
	}
	if pivoted {
		bl.outs, bl.open = nil, true
	}
}

// pivoted reports whether a FROM item is the source of a PIVOT, in whose place
// the tree has FROM and the source alone: what a PIVOT shows are other columns.
func (b *binder) pivoted(r *syntax.Ref) bool {
	if b.loose > 0 || r == nil {
		return false
	}
	at := r.First()
	if at < 0 || at > len(b.text) {
		return false
	}
	toks := syntax.Lex(b.text[:at])
	toks = toks[:len(toks)-1]
	depth := 0
	for i := len(toks) - 1; i >= 0; i-- {
		switch t := toks[i]; {
		case t.IsOp(")"):
			depth++
		case t.IsOp("("):
			depth--
		case !t.Is("PIVOT") && !t.Is("PIVOT_WIDER"):
		case i == len(toks)-1:
			return true
		case depth < 0 && toks[i+1].IsOp("("): // a query, or a join, in parentheses
			query := i+2 < len(toks) && syntax.StartsQuery(toks[i+2]) && !toks[i+2].IsOp("(")
			if r.Kind == syntax.Derived || r.Kind == syntax.Join && !query {
				return true
			}
		}
	}
	return false
}

// refused are functions that read a table, or run a text, which no tree shows.
var refused = map[string]bool{
	"query": true, "query_table": true, "json_execute_serialized_sql": true, "from_substrait": true, "from_substrait_json": true,
	"sniff_csv": false,
}

// lists are functions over the list of tables.
var lists = map[string]bool{
	"duckdb_tables": true, "duckdb_columns": true, "duckdb_schemas": true, "pragma_table_info": true, "pragma_show": true,
	"duckdb_constraints": true, "pragma_storage_info": true,
}

// loc hides the places of text that is not the user's.
func (b *binder) loc(at int) int {
	if b.loose > 0 {
		return -1
	}
	return at
}

func (b *binder) notice(text string) {
	if !has(b.plan.Notices, text) {
		b.plan.Notices = append(b.plan.Notices, text)
	}
}

func (b *binder) addReference(t *catalog.Table, form catalog.Form, loc int) *reference {
	r := &reference{table: t, form: form, loc: b.loc(loc), sets: map[int]Set{}, links: map[int][]source{}, all: b.macro > 0}
	b.refs = append(b.refs, r)
	return r
}
