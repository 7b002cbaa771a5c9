package plan

import (
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/syntax"
)

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
	shown := map[*column]bool{}
	for _, c := range cols {
		if has(e.Star.Exclude, c.name) {
			continue
		}
		if e.Star.Relation == "" { // a column that USING made stands where its first one does
			for _, m := range sc.merged {
				if m.madeOf(c) {
					c = m
					break
				}
			}
			if len(c.of) > 0 && shown[c] {
				continue
			}
			shown[c] = true
		}
		o := output{name: c.name, column: c, from: c.from}
		if e.Star.Columns || has(e.Star.Replace, c.name) || len(e.Star.Rename) > 0 {
			o = output{name: c.name}
		}
		outs = append(outs, o)
	}
	return outs
}

// madeOf reports whether USING made a column of another one, by way of others.
func (c *column) madeOf(o *column) bool {
	return slices.ContainsFunc(c.of, func(x *column) bool { return x == o || x.madeOf(o) })
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
