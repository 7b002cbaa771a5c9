package plan

import (
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/syntax"
)

// A Mention is a condition, or a local source of values, that speaks of
// accounts or regions without being a key of the scope. It narrows inside the
// settings, so what it lets through outside of them is not looked at: the user
// is told.
type Mention struct {
	// Query gives rows of account_id and region that are let through, '' for
	// an account or region that isn't spoken of.
	Query string
	// Denies: the condition says which are not meant. It is told of only where
	// it leaves nothing inside.
	Denies bool
	// All is how many rows there are if nothing is meant in particular; 0: never.
	All int

	columns []int // account_id, region, or both
}

// mentions notes what the conditions of a predicate say of the accounts and
// regions of the references that they are about.
func (b *binder) mentions(e *syntax.Expr) {
	if b.env.Text == nil {
		return
	}
	conjuncts(e, func(c *syntax.Expr) {
		if denies(c) {
			b.mention(c, true)
		}
		alternatives(c, func(a *syntax.Expr) { b.mention(a, false) })
	})
}

// alternatives calls f for each condition under AND and OR that affirms
// something.
func alternatives(e *syntax.Expr, f func(*syntax.Expr)) {
	if e.Type == "CONJUNCTION_AND" || e.Type == "CONJUNCTION_OR" {
		for _, a := range e.Args {
			alternatives(a, f)
		}
		return
	}
	if !denies(e) {
		f(e)
	}
}

func denies(e *syntax.Expr) bool {
	switch e.Type {
	case "COMPARE_NOTEQUAL", "COMPARE_NOT_IN", "COMPARE_DISTINCT_FROM", "OPERATOR_NOT":
		return true
	}
	return strings.HasPrefix(e.Func, "!") || strings.HasPrefix(e.Func, "not_")
}

// mention notes a condition over nothing but account_id and region.
func (b *binder) mention(e *syntax.Expr, denies bool) {
	if !b.ofPlaces(e) {
		return
	}
	r, f, ok := b.filter(e)
	if !ok || len(f.Columns) == 0 {
		return
	}
	accounts := Set{""}
	if f.Columns[0] == accountColumn {
		accounts = Set{}
		e.Walk(func(x *syntax.Expr) bool {
			if x.Class == "CONSTANT" && x.Value.Type == "VARCHAR" && len(x.Value.Text) == 12 {
				accounts = append(accounts, x.Value.Text)
			}
			return true
		})
	}
	regions := Set{""}
	if slices.Contains(f.Columns, regionColumn) {
		regions = nil
		for _, g := range catalog.Regions() {
			regions = append(regions, g.Name)
		}
	}
	if len(accounts) == 0 {
		return
	}
	all := 0
	if f.Columns[0] == regionColumn {
		all = len(regions)
	}
	r.mentions = append(r.mentions, Mention{"SELECT account_id, region FROM " + oneColumn(accounts, "account_id") + ", " + oneColumn(regions, "region") + " WHERE " + f.SQL,
		denies, all, f.Columns})
}

// ofPlaces reports whether a condition reads no column but account_id and region.
func (b *binder) ofPlaces(e *syntax.Expr) bool {
	ok := true
	e.Walk(func(x *syntax.Expr) bool {
		if x.Class == "COLUMN_REF" {
			c := b.columns[x]
			ok = ok && c != nil && c.from.ref != nil && c.from.col <= regionColumn
		}
		return ok
	})
	return ok
}

// oneColumn writes values as a FROM item of one column.
func oneColumn(values Set, name string) string {
	var rows []string
	for _, v := range NewSet(values...) {
		rows = append(rows, "("+syntax.Literal(v)+")")
	}
	return "(VALUES " + strings.Join(rows, ", ") + ") AS skyql_" + name + "(" + name + ")"
}

// told are the mentions of what the reference has no key for.
func (r *reference) told() []Mention {
	return slices.DeleteFunc(slices.Concat(r.mentions, r.localMentions()), func(m Mention) bool {
		return slices.ContainsFunc(m.columns, func(c int) bool { return r.sets[c] != nil })
	})
}

// localMentions are the values of local sources that a reference's account and
// region must be among.
func (r *reference) localMentions() []Mention {
	var out []Mention
	for _, col := range []int{accountColumn, regionColumn} {
		for _, l := range r.links[col] {
			if l.local == nil {
				continue
			}
			account, region := "''", syntax.Quote(l.local.name)
			if col == accountColumn {
				account, region = region, account
			}
			out = append(out, Mention{Query: "SELECT DISTINCT " + account + " AS account_id, " + region + " AS region FROM " + l.local.from, columns: []int{col}})
		}
	}
	return out
}
