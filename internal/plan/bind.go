package plan

import (
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// A binder gives every name in a tree its meaning. It collects references and
// edits; the first error stays.
type binder struct {
	env  *Env
	plan *Plan
	text string
	refs []*reference
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
	inHaving // a predicate where an alias wins over a column
	inOrder  // ORDER BY, where an alias wins too
)

func (b *binder) query(q *syntax.Query, outer *scope) *block {
	bl := &block{query: q, exists: q == b.exists}
	bl.refs[0] = len(b.refs)
	defer func() { bl.refs[1] = len(b.refs) }()
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

func (b *binder) with(c *syntax.CTE, sc *scope, bl *block) {
	entry := &cte{name: c.Name, names: c.Aliases}
	if c.Query.Kind == syntax.Recursive {
		b.recursive(c, entry, sc)
	} else {
		entry.block = b.query(c.Query, sc)
		entry.block.outs = renamed(entry.block.outs, c.Aliases)
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
		self.outs = append(self.outs, output{name: o.name})
	}
	inner.ctes = append(inner.ctes, &cte{name: c.Name, block: self})
	bl.arms = []*block{left}
	for _, a := range c.Query.Arms[1:] {
		bl.arms = append(bl.arms, b.query(a, inner))
	}
	bl.outs, bl.open = self.outs, self.open
	entry.block = bl
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
		bl.outs = append(bl.outs, b.listItem(e, sc, bl)...)
	}
	for _, e := range q.DistinctOn {
		b.expr(e, sc, inOrder, bl)
	}
	for _, e := range q.OrderBy {
		b.expr(e, sc, inOrder, bl)
	}
}

// listItem binds one item of a select list and gives the columns it makes.
func (b *binder) listItem(e *syntax.Expr, sc *scope, bl *block) []output {
	if e.Class == "STAR" {
		return b.star(e, sc, bl)
	}
	at := elsewhere
	if e.Class == "COLUMN_REF" {
		at = inList
	}
	from := b.expr(e, sc, at, bl)
	out := output{name: e.Alias, column: b.columns[e], from: from}
	if out.name == "" && len(e.Names) > 0 {
		out.name = e.Names[len(e.Names)-1]
	}
	if hasStar(e) {
		bl.open = true
	}
	return []output{out}
}

// hasStar reports whether an expression makes several columns of itself, as
// COLUMNS(…) + 1 and unnest(s, recursive := true) do.
func hasStar(e *syntax.Expr) bool {
	found := false
	e.Walk(func(x *syntax.Expr) bool {
		found = found || x.Class == "STAR" || x.Func == "unnest" || x.Func == "unlist"
		return !found
	})
	return found
}

func (b *binder) star(e *syntax.Expr, sc *scope, bl *block) []output {
	for _, a := range e.Args {
		b.expr(a, sc, elsewhere, bl)
	}
	var cols []*column
	ordered := true
	if e.Star.Relation != "" {
		ordered = false
		for s := sc; s != nil && !ordered; s = s.outer {
			for _, r := range s.relations {
				if strings.EqualFold(r.name, e.Star.Relation) {
					cols, ordered = r.columns, !r.open
					b.wantAll(r)
				}
			}
		}
	} else {
		cols, ordered = bl.from.columns()
		for _, r := range sc.relations {
			if !bl.exists || bl.query.Distinct { // of EXISTS (SELECT *) nobody sees a column
				b.wantAll(r)
			}
		}
	}
	if e.Star.Columns || len(e.Star.Rename) > 0 || len(e.Args) > 0 && len(e.Star.Replace) == 0 {
		ordered = false
	}
	bl.open = bl.open || !ordered
	var outs []output
	for _, c := range cols {
		if has(e.Star.Exclude, c.name) {
			continue
		}
		o := output{name: c.name, column: c, from: c.from}
		if e.Star.Columns || has(e.Star.Replace, c.name) || len(e.Star.Rename) > 0 {
			o = output{name: c.name}
		}
		outs = append(outs, o)
	}
	return outs
}

func has(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

func (b *binder) wantAll(r *relation) {
	if r.ref != nil && len(r.columns) == len(r.ref.table.Columns) {
		r.ref.all = true
	}
	for _, c := range r.columns {
		b.want(c)
	}
}

func (b *binder) want(c *column) {
	for _, o := range c.of {
		b.want(o)
	}
	if c.from.ref != nil {
		c.from.ref.want(c.from.col)
	}
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

// expr binds an expression and what is inside. The origin is that of the
// property it stands for unchanged, if it does.
func (b *binder) expr(e *syntax.Expr, sc *scope, at place, bl *block) origin {
	if e == nil || b.err != nil {
		return origin{}
	}
	switch e.Class {
	case "COLUMN_REF":
		return b.columnRef(e, sc, at)
	case "SUBQUERY":
		for _, a := range e.Args {
			b.expr(a, sc, deeper(at), bl)
		}
		if e.Sub != nil {
			if e.SubType == "EXISTS" || e.SubType == "NOT_EXISTS" {
				b.exists = e.Sub
			}
			sub := b.query(e.Sub, sc)
			bl.subs = append(bl.subs, sub)
		}
		return origin{}
	case "LAMBDA":
		b.lambda(e, sc, at, bl)
		return origin{}
	case "STAR":
		for s := sc; s != nil; s = s.outer {
			for _, r := range s.relations {
				if e.Star.Relation == "" || strings.EqualFold(r.name, e.Star.Relation) {
					b.wantAll(r)
				}
			}
			if e.Star.Relation == "" {
				break
			}
		}
	case "FUNCTION", "WINDOW":
		b.function(e, bl)
	}
	for _, a := range e.Args {
		b.expr(a, sc, deeper(at), bl)
	}
	return origin{}
}

// deeper is the place of an operand.
func deeper(at place) place {
	if at == inPredicate || at == inHaving {
		return at
	}
	return elsewhere
}

// lambda binds x -> body. The same tree stands for column -> 'member'.
func (b *binder) lambda(e *syntax.Expr, sc *scope, at place, bl *block) {
	inner := &scope{outer: sc, params: map[string]bool{}}
	for i, a := range e.Args {
		if i == 0 {
			a.Walk(func(p *syntax.Expr) bool {
				if len(p.Names) == 1 {
					inner.params[strings.ToLower(p.Names[0])] = true
				}
				return true
			})
			b.expr(a, sc, deeper(at), bl) // if it is a column, it is read
			continue
		}
		b.expr(a, inner, deeper(at), bl)
	}
}

func (b *binder) function(e *syntax.Expr, bl *block) {
	if refused[e.Func] {
		b.fail(sqlerr.New(sqlerr.FeatureNotSupported, "%s() is not supported: skyql must see which tables a statement reads", e.Func).
			At(b.text, b.loc(e.Loc)).WithHint("write the query itself in its place"))
		return
	}
	if lists[e.Func] {
		b.plan.Everything = true
	}
	if b.env.Macro == nil {
		return
	}
	if m, ok := b.env.Macro(e.Func); ok {
		if inner := b.macroBody(m); inner != nil {
			bl.subs = append(bl.subs, inner)
		}
	}
}

// macroBody binds what a macro reads. Its arguments may stand for columns of
// the tables inside, so all of those are wanted.
func (b *binder) macroBody(m Macro) *block {
	if b.loose >= maxDepth {
		b.fail(sqlerr.New(sqlerr.FeatureNotSupported, "macros call each other more than %d deep", maxDepth))
		return nil
	}
	q, err := b.env.Parse(m.Body)
	if err != nil {
		b.fail(err)
		return nil
	}
	params := map[string]bool{}
	for _, p := range m.Params {
		params[strings.ToLower(p)] = true
	}
	b.loose++
	b.macro++
	defer func() { b.loose--; b.macro-- }()
	return b.query(q, &scope{params: params})
}

// loc hides the places of text that is not the user's.
func (b *binder) loc(at int) int {
	if b.loose > 0 {
		return -1
	}
	return at
}

func (b *binder) columnRef(e *syntax.Expr, sc *scope, at place) origin {
	if sc.param(e.Names[0]) {
		return origin{}
	}
	found := sc.lookup(e.Names)
	for _, m := range found {
		if m.row {
			b.wantAll(m.relation)
			continue
		}
		b.want(m.column)
	}
	if item, ok := sc.alias(e.Names, found, at); ok && b.keeps(RuleAlias) {
		b.aliased(e, item, sc, at)
		return origin{}
	}
	if len(found) != 1 || found[0].row {
		return origin{}
	}
	m := found[0]
	rest := e.Names[m.skip+1:]
	if len(rest) == 0 {
		if m.local {
			b.columns[e] = m.column
		} else {
			b.outer[e] = m.column
		}
		b.writeOnly(e, m.column, at)
		b.rename(e, m, nil)
		return m.column.from
	}
	return b.path(e, m, rest, at)
}

// aliased binds the alias of an item of the select list. An item that is a
// column makes it that column.
func (b *binder) aliased(e, item *syntax.Expr, sc *scope, at place) {
	if item == nil || item.Class != "COLUMN_REF" {
		return
	}
	found := sc.lookup(item.Names)
	if len(found) != 1 || found[0].row || !found[0].local || len(item.Names) != found[0].skip+1 {
		return
	}
	b.want(found[0].column)
	b.columns[e] = found[0].column
	b.writeOnly(e, found[0].column, at)
}

// writeOnly says what must be said of a property that AWS never gives back.
func (b *binder) writeOnly(e *syntax.Expr, c *column, at place) {
	if c.from.ref == nil || !c.from.column().WriteOnly {
		return
	}
	col := c.from.column()
	if c.from.ref.table.ListKey(c.from.col) {
		if (at == inPredicate || at == inHaving) && len(c.from.path) == 0 {
			c.from.ref.listed = c.from.col // known of whatever is listed with it
		}
		return
	}
	if at == inPredicate || at == inHaving {
		b.fail(sqlerr.New(sqlerr.FeatureNotSupported, "%s of %s is write-only: AWS never gives it back, so no condition on it can hold",
			col.Name, c.from.ref.table.Name()).At(b.text, b.loc(e.Loc)))
		return
	}
	b.notice(col.Name + " of " + c.from.ref.table.Name() + " is write-only: AWS never gives it back, it reads as NULL")
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
