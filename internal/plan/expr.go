package plan

import (
	"strings"

	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// expr binds an expression and what is inside. The origin is that of the
// property it stands for unchanged, if it does.
func (b *binder) expr(e *syntax.Expr, sc *scope, at place, bl *block) origin {
	if e == nil || b.err != nil {
		return origin{}
	}
	switch e.Class {
	case "COLUMN_REF":
		return b.columnRef(e, sc, at, bl)
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

func (b *binder) columnRef(e *syntax.Expr, sc *scope, at place, bl *block) origin {
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
	item, ok := sc.alias(e.Names, found, at)
	if ok && at == inHaving && len(found) > 0 && found[0].local && b.keeps(RuleAlias) {
		grouped, sure := b.grouped(found, bl)
		if !sure {
			return origin{}
		}
		ok = !grouped
	}
	if ok {
		b.aliased(e, item, sc, at)
		return origin{}
	}
	if len(found) != 1 || found[0].row {
		return origin{}
	}
	m := found[0]
	if sc.aliasedNearer(e.Names) && b.keeps(RuleAlias) {
		return origin{}
	}
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

// grouped reports whether a name in HAVING is a column that the block groups by:
// DuckDB takes it rather than an alias. sure is false where GROUP BY names it by
// its place, or may.
func (b *binder) grouped(found []match, bl *block) (yes, sure bool) {
	sure = true
	for _, g := range bl.query.GroupBy {
		c := b.columns[g]
		yes = yes || c != nil && len(found) == 1 && found[0].column == c
		sure = sure && c != nil
	}
	return yes, yes || sure
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
