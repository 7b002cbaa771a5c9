package plan

import (
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/syntax"
)

// A column is one visible column of a FROM item. Identity is by pointer: two
// items never share one.
type column struct {
	name string
	from origin
	// of are the two columns that USING or NATURAL made one.
	of []*column
	// varchar: the column is VARCHAR wherever it comes from.
	varchar bool
	// local says where the values of a column that is no cloud table's come from.
	local *localColumn
	// item tells rows apart: what two columns of one item hold stands in one row
	// of the table that it comes from. A use of a CTE makes another one of each.
	item any
}

// A used is an item of a CTE, as one use of that shows it.
type used struct {
	use *relation
	of  any
}

// A localColumn is a column of something that reads no cloud table, so that
// its values can be had before anything is fetched.
type localColumn struct {
	from string // as SQL: what stands in FROM
	name string
}

// An origin is the property that a column holds unchanged: a column of a cloud
// table, or a place inside one. No reference: computed, or not ours.
type origin struct {
	ref  *reference
	col  int
	path []string // as AWS spells it
	// mixed: other references to the table give rows too (of a set operation).
	mixed bool
}

func (o origin) column() *catalog.Column { return &o.ref.table.Columns[o.col] }

// text reports whether the column is a VARCHAR straight from a cloud table, so
// that comparing it with text, or with another such, compares text.
func (c *column) text() bool {
	if len(c.of) > 0 {
		return c.of[0].text() && c.of[1].text()
	}
	return c.varchar || c.from.ref != nil && len(c.from.path) == 0 && c.from.column().Type == catalog.Varchar
}

// A relation is what a FROM item looks like to the names in a block.
type relation struct {
	name      string   // alias, or the table's own name; empty for none
	qualifier []string // schema, or catalog and schema, of a table without alias
	written   []string // the same as the user wrote it
	rename    string   // what a qualified name's qualifier is rewritten to
	columns   []*column
	open      bool // it may have columns that are not known
	ref       *reference
}

// find gives a column by name: as it is called, or as AWS calls the property
// that it is. canonical is the name that DuckDB must be given, if it differs.
func (r *relation) find(name string) (c *column, canonical string) {
	for _, c := range r.columns {
		if strings.EqualFold(c.name, name) {
			return c, ""
		}
	}
	for _, c := range r.columns {
		if c.from.ref == nil || len(c.from.path) > 0 {
			continue
		}
		if i, ok := c.from.ref.table.Column(name); ok && i == c.from.col && c.name == c.from.column().Name {
			return c, c.name
		}
	}
	return nil, ""
}

// A scope is the names that an expression can use. Inner scopes win.
type scope struct {
	outer     *scope
	relations []*relation
	merged    []*column // of USING and NATURAL
	ctes      []*cte
	aliases   map[string]*syntax.Expr // items of the select list by lower-case alias; nil: several
	params    map[string]bool         // of a lambda or macro, lower case
}

func (s *scope) cte(name string) *cte {
	for ; s != nil; s = s.outer {
		for i := len(s.ctes) - 1; i >= 0; i-- {
			if strings.EqualFold(s.ctes[i].name, name) {
				return s.ctes[i]
			}
		}
	}
	return nil
}

func (s *scope) param(name string) bool {
	for ; s != nil; s = s.outer {
		if s.params[strings.ToLower(name)] {
			return true
		}
	}
	return false
}

// A match is what a dotted name turned out to be.
type match struct {
	column    *column
	relation  *relation // nil for a merged column
	canonical string    // the column's name for DuckDB, if the user's differs
	skip      int       // how many parts name the relation
	row       bool      // the whole row of relation
	local     bool      // found in the innermost scope
}

// lookup finds what a dotted name means, innermost scope first, as DuckDB's
// binder does: first as relation and column, then as column and what is inside
// it, then as a whole row. several are all the columns that the name could be;
// more than one is ambiguous.
func (s *scope) lookup(names []string) (several []match) {
	first := s
	for ; s != nil; s = s.outer {
		local := s == first
		unsure, named := false, false
		for _, r := range s.relations {
			for _, n := range r.prefixes(names) {
				named = true
				if c, canonical := r.find(names[n]); c != nil {
					several = append(several, match{c, r, canonical, n, false, local})
				} else if r.open {
					unsure = true
				}
			}
		}
		if len(several) > 0 || unsure {
			return several
		}
		for _, c := range s.merged {
			if strings.EqualFold(c.name, names[0]) {
				return append(several, match{c, nil, "", 0, false, local})
			}
		}
		for _, r := range s.relations {
			if c, canonical := r.find(names[0]); c != nil {
				m := match{c, r, canonical, 0, false, local}
				several = append(several, m)
				if named { // a table has the name too: twice, so that it is read but never taken for sure
					several = append(several, m)
				}
			}
			unsure = unsure || r.open
		}
		if len(several) > 0 {
			return several
		}
		if len(names) == 1 {
			for _, r := range s.relations {
				if strings.EqualFold(r.name, names[0]) {
					return append(several, match{relation: r, row: true, local: local})
				}
			}
		}
		if unsure { // it may be a column of a table that is not known: whatever else it could be is read too
			for _, m := range s.outer.lookup(names) {
				m.local = false
				several = append(several, m, m) // twice: never taken for sure
			}
			return several
		}
	}
	return several
}

// alias gives the item of the select list that a name means, if it means one:
// in ORDER BY an alias wins over a column, in HAVING over one that the block
// doesn't group by, in other conditions over columns further out alone.
func (s *scope) alias(names []string, found []match, at place) (item *syntax.Expr, ok bool) {
	if len(names) != 1 || at == elsewhere || at == inList {
		return nil, false
	}
	if item, ok = s.aliases[strings.ToLower(names[0])]; !ok || at == inOrder || at == inHaving {
		return item, ok
	}
	for _, r := range s.relations {
		if r.open {
			return nil, false
		}
	}
	return item, len(found) == 0 || !found[0].local || found[0].canonical != ""
}

// aliasedNearer reports whether a name is an alias in a scope nearer than any
// that has a column of that name: DuckDB takes the alias there.
func (s *scope) aliasedNearer(names []string) bool {
	for ; s != nil && len(names) == 1; s = s.outer {
		for _, r := range s.relations {
			if c, _ := r.find(names[0]); c != nil || r.open {
				return false
			}
		}
		if _, ok := s.aliases[strings.ToLower(names[0])]; ok {
			return true
		}
	}
	return false
}

// prefixes gives how many leading parts of a dotted name name r, for each way
// in which they do: table, schema.table, catalog.schema.table.
func (r *relation) prefixes(names []string) []int {
	var out []int
	if len(names) >= 2 && strings.EqualFold(names[0], r.name) && r.name != "" {
		out = append(out, 1)
	}
	for _, q := range [][]string{r.written, r.qualifier} {
		for from := range q {
			full := append(append([]string{}, q[from:]...), r.name)
			if len(q) > 0 && len(names) > len(full) && equalNames(names[:len(full)], full) && !contains(out, len(full)) {
				out = append(out, len(full))
			}
		}
	}
	return out
}

func contains(s []int, v int) bool {
	for _, x := range s {
		if x == v {
			return true
		}
	}
	return false
}

func equalNames(a, b []string) bool {
	for i := range a {
		if !strings.EqualFold(a[i], b[i]) {
			return false
		}
	}
	return true
}

// A cte is a WITH entry, bound once however often it is used.
type cte struct {
	name  string
	block *block // nil while its own recursive half is bound
	names []string
	uses  []limits
	self  *cte // what the recursive half of it calls by its name
}

// A block is a bound query.
type block struct {
	query  *syntax.Query
	outs   []output
	open   bool // the outputs are not all known, or not their order
	from   *node
	arms   []*block
	ctes   []*cte
	subs   []*block // queries inside expressions
	exists bool     // of EXISTS: one row is enough
	// refs are the places in the binder's list of what the block reads.
	refs [2]int
	// uses and defs are those in its lists of CTEs named and made.
	uses, defs [2]int
	// unstable: run twice, it may give different rows, or something that it
	// reads may.
	unstable bool
}

// An output is one column of a block's result.
type output struct {
	name string
	// column is the column that is passed on unchanged; nil for anything computed.
	column  *column
	from    origin
	varchar bool
}

// A node is a FROM tree.
type node struct {
	relation *relation
	block    *block // of a derived table or view
	cte      *cte

	left, right *node
	kind, form  string // INNER, LEFT, …; REGULAR, ASOF, …
	cond        *syntax.Expr
	using       [][2]*column
	merged      []*column
	// barrier: no predicate passes to anything below (samples, pivots).
	barrier bool
}

// columns gives what * would show. ordered is false when the order, or
// whether that is all, is not known.
func (n *node) columns() (cols []*column, ordered bool) {
	switch {
	case n == nil:
		return nil, true
	case n.relation != nil:
		return n.relation.columns, !n.relation.open
	case n.left == nil:
		return nil, false
	}
	l, lo := n.left.columns()
	r, ro := n.right.columns()
	switch n.kind {
	case "SEMI", "ANTI":
		return l, lo
	}
	return append(append([]*column{}, l...), r...), lo && ro
}
