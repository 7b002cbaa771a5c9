package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/syntax"
)

// bounds say what a predicate lets through: rows whose columns are all in the
// sets given for them, and among the values of their sources. never: no row.
type bounds struct {
	never bool
	sets  map[*column]Set
	links map[*column][]source
	// filters are whole conjuncts over one reference's own columns.
	filters map[*reference][]Filter
}

func (a bounds) and(b bounds) bounds {
	out := bounds{never: a.never || b.never, sets: map[*column]Set{}, links: map[*column][]source{}, filters: map[*reference][]Filter{}}
	for _, x := range []bounds{a, b} {
		for c, s := range x.sets {
			out.sets[c] = out.sets[c].And(s)
		}
		for c, l := range x.links {
			for _, s := range l {
				out.link(c, s)
			}
		}
		for r, f := range x.filters {
			out.filters[r] = append(slices.Clone(out.filters[r]), f...)
		}
	}
	return out
}

// or keeps what both sides bound.
func (a bounds) or(b bounds) bounds {
	if a.impossible() {
		return b
	}
	if b.impossible() {
		return a
	}
	out := bounds{sets: map[*column]Set{}} // links and filters of one branch bound nothing
	for c, s := range a.sets {
		if o := b.sets[c]; o != nil && s != nil {
			out.sets[c] = s.Or(o)
		}
	}
	return out
}

func (a bounds) impossible() bool {
	if a.never {
		return true
	}
	for _, s := range a.sets {
		if s != nil && len(s) == 0 {
			return true
		}
	}
	return false
}

// bounds reads a predicate by the table of planning: what it doesn't know
// bounds nothing.
func (b *binder) bounds(e *syntax.Expr) bounds {
	if e == nil {
		return bounds{}
	}
	switch e.Type {
	case "CONJUNCTION_AND":
		out := bounds{}
		for _, a := range e.Args {
			out = out.and(b.bounds(a))
		}
		return out
	case "CONJUNCTION_OR":
		out := b.bounds(e.Args[0])
		for _, a := range e.Args[1:] {
			if !b.keeps(RuleOr) {
				continue
			}
			out = out.or(b.bounds(a))
		}
		return out
	case "COMPARE_EQUAL":
		return b.equal(RuleEqual, e.Args[0], e.Args[1:], false)
	case "COMPARE_NOT_DISTINCT_FROM":
		return b.equal(RuleNotDistinct, e.Args[0], e.Args[1:], true)
	case "COMPARE_IN":
		return b.equal(RuleIn, e.Args[0], e.Args[1:], false)
	case "SUBQUERY":
		if e.SubType == "ANY" && e.Compare == "COMPARE_EQUAL" && len(e.Args) == 1 {
			if list := unnested(e.Sub); list != nil {
				return b.equal(RuleIn, e.Args[0], list, false)
			}
		}
	case "VALUE_CONSTANT", "OPERATOR_CAST":
		return bounds{never: isFalse(e)}
	case "COMPARE_NOTEQUAL", "COMPARE_GREATERTHAN":
		if !b.keeps(RuleNot) {
			return b.equal(RuleEqual, e.Args[0], e.Args[1:], false)
		}
	}
	return bounds{}
}

// isFalse reports whether a condition is the constant FALSE or NULL.
func isFalse(e *syntax.Expr) bool {
	if e.Type == "OPERATOR_CAST" && len(e.Args) == 1 && e.Args[0].Class == "CONSTANT" {
		v := e.Args[0].Value
		return v.Null || v.Type == "VARCHAR" && (v.Text == "f" || v.Text == "false")
	}
	v := e.Value
	return e.Class == "CONSTANT" && (v.Null || v.Type == "BOOLEAN" && v.Text == "false")
}

// unnested gives the members of ANY([…]), which DuckDB writes as a SELECT of
// unnest over a list.
func unnested(q *syntax.Query) []*syntax.Expr {
	if q == nil || q.Kind != syntax.Select || len(q.List) != 1 || q.Where != nil || q.Limited || len(q.CTEs) > 0 ||
		q.From != nil && q.From.Kind != syntax.Empty {
		return nil
	}
	u := q.List[0]
	if u.Func != "unnest" || len(u.Args) != 1 || u.Args[0].Func != "list_value" {
		return nil
	}
	return u.Args[0].Args
}

// equal bounds a column that must equal one of some values. null says that a
// comparison with NULL can be true.
func (b *binder) equal(r Rule, left *syntax.Expr, values []*syntax.Expr, null bool) bounds {
	c := b.columns[left]
	if c == nil && len(left.Args) > 0 && b.columns[left.Args[0]] != nil && !b.keeps(RuleWrapped) {
		c = b.columns[left.Args[0]]
	}
	if c == nil && len(values) == 1 {
		if o := b.columns[values[0]]; o != nil {
			c, values = o, []*syntax.Expr{left}
		}
	}
	if c == nil {
		if len(values) == 1 && (isNull(left) || isNull(values[0])) && !null {
			return bounds{never: true}
		}
		return bounds{}
	}
	if !c.text() {
		if len(values) == 1 && isNull(values[0]) && !null {
			return bounds{never: true}
		}
		return bounds{}
	}
	set := Set{}
	for _, v := range values {
		text, isNil, ok := b.constant(v)
		switch {
		case !ok:
			b.unquoted(c, v)
			if b.keeps(RuleOwnType) {
				return bounds{}
			}
		case isNil && v.Class != "CONSTANT" && len(values) > 1:
			return bounds{} // its type may be what all are compared in
		case isNil && null:
			if b.keeps(RuleNullIsValue) {
				return bounds{}
			}
		case !isNil:
			set = append(set, text)
		}
	}
	b.comparedRegion(c, left, set)
	return bounds{sets: map[*column]Set{c: b.right(r, NewSet(set...))}}
}

// comparedRegion notes what a table's own region is compared with.
func (b *binder) comparedRegion(c *column, at *syntax.Expr, names Set) {
	if c.from.ref == nil || c.from.col != regionColumn || len(c.from.path) > 0 {
		return
	}
	for _, n := range names {
		if u := (RegionUse{n, b.loc(at.Loc)}); !slices.Contains(b.plan.Regions, u) {
			b.plan.Regions = append(b.plan.Regions, u)
		}
	}
}

func isNull(e *syntax.Expr) bool { return e.Class == "CONSTANT" && e.Value.Null }

// unquoted tells why account_id = 111122223333 narrows nothing.
func (b *binder) unquoted(c *column, v *syntax.Expr) {
	for len(c.of) > 0 {
		c = c.of[0]
	}
	if v.Class == "CONSTANT" && !v.Value.Null && c.from.col == accountColumn {
		b.notice(fmt.Sprintf("account_id is compared with a number, which narrows nothing: write '%s'", v.Value.Text))
	}
}

// constant gives the text that an expression always has.
func (b *binder) constant(e *syntax.Expr) (text string, null, ok bool) {
	switch e.Class {
	case "CONSTANT":
		return e.Value.Text, e.Value.Null, e.Value.Null || e.Value.Type == "VARCHAR"
	case "PARAMETER":
		if b.env.Param != nil && b.loose == 0 {
			text, ok = b.env.Param(e.Param)
		}
		return text, false, ok
	case "FUNCTION", "CAST", "CASE", "OPERATOR":
	default:
		return "", false, false
	}
	if b.env.Fold == nil || !closed(e) {
		return "", false, false
	}
	text, null, ok = b.env.Fold(e)
	if ok && !b.keeps(RuleFold) {
		text += "~"
	}
	return text, null, ok
}

// closed reports whether an expression holds nothing but constants and
// functions of them.
func closed(e *syntax.Expr) bool {
	ok := true
	e.Walk(func(x *syntax.Expr) bool {
		switch x.Class {
		case "CONSTANT", "FUNCTION", "CAST", "CASE", "OPERATOR", "COMPARISON", "CONJUNCTION":
		default:
			ok = false
		}
		return ok
	})
	return ok
}

// equalities gives the pairs of text columns that a predicate makes equal, as
// top-level conjuncts.
func (b *binder) equalities(e *syntax.Expr) [][2]*column {
	if e == nil {
		return nil
	}
	if e.Type == "CONJUNCTION_AND" {
		var out [][2]*column
		for _, a := range e.Args {
			out = append(out, b.equalities(a)...)
		}
		return out
	}
	if e.Type != "COMPARE_EQUAL" || len(e.Args) != 2 {
		return nil
	}
	l, r := b.columns[e.Args[0]], b.columns[e.Args[1]]
	if l == nil || r == nil || !l.text() || !r.text() {
		return nil
	}
	return [][2]*column{{l, r}}
}

// spread carries bounds over equalities until nothing changes.
func (a bounds) spread(pairs [][2]*column) bounds {
	out := a.and(bounds{})
	for changed := true; changed; {
		changed = false
		for _, p := range pairs {
			l, r := out.sets[p[0]], out.sets[p[1]]
			both := l.And(r)
			if both == nil {
				continue
			}
			if l == nil || len(l) != len(both) {
				out.sets[p[0]], changed = both, true
			}
			if r == nil || len(r) != len(both) {
				out.sets[p[1]], changed = both, true
			}
		}
	}
	return out
}

// String is for tests and EXPLAIN: a box as text.
func (b Box) String() string {
	var parts []string
	add := func(name string, s Set) {
		if s != nil {
			parts = append(parts, name+"="+strings.Join(s, ","))
		}
	}
	add("account", b.Accounts)
	add("region", b.Regions)
	add("id", b.Identifiers)
	for _, p := range sortedKeys(b.Parents) {
		add(p, b.Parents[p])
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, " ")
}
