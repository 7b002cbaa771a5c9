package plan

import (
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/syntax"
)

// An Unused is a condition that narrows nothing, and why.
type Unused struct{ Text, Reason string }

// Names are what a statement calls a scan's table, each once.
func (s *Scan) Names() []string {
	var out []string
	for _, r := range s.refs {
		if !slices.Contains(out, r.name) {
			out = append(out, r.name)
		}
	}
	if len(out) == 0 {
		out = []string{s.Table.Plural}
	}
	return out
}

// Filters are the conditions that are put to what a list tells, before the
// rest is read.
func (s *Scan) Filters() []string {
	var out []string
	for _, r := range s.refs {
		for _, f := range r.filters {
			if !slices.Contains(out, f.SQL) && !slices.ContainsFunc(f.Columns, func(c int) bool { return !s.Table.Free(c) }) && !r.isKey(f) {
				out = append(out, f.SQL)
			}
		}
	}
	return out
}

// isKey reports whether a filter says what a key of its reference says already.
func (r *reference) isKey(f Filter) bool {
	return len(f.Columns) == 1 && r.sets[f.Columns[0]] != nil
}

// Limit is how many rows are enough, and in which order; 0 for all.
func (s *Scan) Limit() (n int, order string) {
	if len(s.refs) == 1 {
		return s.refs[0].limit, s.refs[0].order
	}
	return 0, ""
}

// unused notes which conjuncts of a predicate narrow nothing. tree is the FROM
// tree that they are about; kept is the side that an outer join keeps, whose
// rows ON can't drop.
func (b *binder) unused(e *syntax.Expr, tree, kept *node) {
	if !b.env.Explain || b.env.Narrow != Keys || b.env.Text == nil || b.loose > 0 {
		return
	}
	conjuncts(e, func(e *syntax.Expr) {
		reason := b.useless(e, tree, kept)
		if reason == "" {
			return
		}
		text, err := b.env.Text(e.AsSelect())
		if err == nil {
			b.plan.Unused = append(b.plan.Unused, Unused{strings.TrimPrefix(text, "SELECT "), reason})
		}
	})
}

// useless says why a conjunct narrows nothing; "" if it does, or speaks of no
// cloud table.
func (b *binder) useless(e *syntax.Expr, tree, kept *node) string {
	some := false
	var onKept, other bool
	e.Walk(func(x *syntax.Expr) bool {
		if c := b.columns[x]; c != nil && c.from.ref != nil {
			some = true
			if kept != nil && under(kept, c) {
				onKept = true
			} else {
				other = true
			}
		}
		return x.Class != "COLUMN_REF"
	})
	if !some {
		return ""
	}
	if onKept && !other {
		return "ON drops no row of the side that an outer join keeps: say it in WHERE"
	}
	bd := b.bounds(e)
	if bd.never || len(bd.sets) > 0 || len(b.equalities(e)) > 0 || len(b.inLinks(e, tree).links) > 0 || b.correlates(e) {
		return ""
	}
	if _, _, ok := b.filter(e); ok {
		return ""
	}
	for _, f := range e.Functions() {
		if !b.scalar([]string{f}) {
			return f + "() may give another value each time"
		}
	}
	refs := map[*reference]bool{}
	sub, path := false, false
	e.Walk(func(x *syntax.Expr) bool {
		if c := b.columns[x]; c != nil && c.from.ref != nil {
			refs[c.from.ref] = true
		}
		path = path || x.Class == "COLUMN_REF" && b.columns[x] == nil
		sub = sub || x.Class == "SUBQUERY"
		return x.Class != "COLUMN_REF"
	})
	switch {
	case sub:
		return "a sub-select is a key only as IN or EXISTS, by itself"
	case len(refs) > 1:
		return "it speaks of several tables"
	case path:
		return "it looks into a JSON column"
	}
	return "it is none of =, IN and conditions over one table's columns"
}

// correlates reports whether a conjunct is a column's equality with one of a
// block further out.
func (b *binder) correlates(e *syntax.Expr) bool {
	return e.Type == "COMPARE_EQUAL" && len(e.Args) == 2 &&
		(b.columns[e.Args[0]] != nil && b.outer[e.Args[1]] != nil || b.outer[e.Args[0]] != nil && b.columns[e.Args[1]] != nil)
}
