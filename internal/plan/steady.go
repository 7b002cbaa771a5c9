package plan

import (
	"strconv"
	"strings"

	"github.com/skyql/skyql/internal/syntax"
)

// What a statement reads of local tables to know keys is read again when the
// statement runs. Both readings must give the same rows, or rows of the
// statement are lost: a query of which DuckDB may give others each time, by how
// its threads come along, binds nothing.

// chancy reports whether a block's rows depend on the order in which DuckDB
// comes by those that it takes them from.
func (b *binder) chancy(bl *block) bool {
	q := bl.query
	switch {
	case q.Sample, len(q.DistinctOn) > 0, len(windows(q)) > 0: // of equal ones any may be the first
		return true
	case !q.Limited, ordersAll(bl):
		return false
	}
	return len(q.Orders) > 0 || !b.inFileOrder(bl)
}

// inFileOrder reports whether a block's rows come in the order of the one table
// or file that it reads, which DuckDB keeps unless it is told otherwise.
func (b *binder) inFileOrder(bl *block) bool {
	n := bl.from
	if n == nil || n.relation == nil || n.left != nil || n.block != nil || n.cte != nil || !b.rowByRow(bl.query) {
		return false
	}
	sub := false
	if bl.query.Where != nil {
		bl.query.Where.Walk(func(e *syntax.Expr) bool {
			sub = sub || e.Class == "SUBQUERY" // carried out as a join
			return !sub
		})
	}
	return !sub && b.env.Ordered != nil && b.env.Ordered()
}

// ordersAll reports whether ORDER BY names every output of a block, so that rows
// which it ranks alike are alike.
func ordersAll(bl *block) bool {
	by := map[string]bool{}
	for _, o := range bl.query.Orders {
		switch e := o.Expr; {
		case e.Class == "STAR": // ORDER BY ALL
			return len(e.Args) == 0 && e.Star.Relation == ""
		case e.Class == "CONSTANT":
			by[e.Value.Text] = true
		case len(e.Names) == 1:
			by[strings.ToLower(e.Names[0])] = true
		}
	}
	named := map[string]int{}
	for _, o := range bl.outs {
		named[strings.ToLower(o.name)]++
	}
	all := func(i int, o output) bool {
		name := strings.ToLower(o.name)
		return by[strconv.Itoa(i+1)] || name != "" && named[name] == 1 && by[name]
	}
	for i, o := range bl.outs {
		if bl.open || !all(i, o) {
			return false
		}
	}
	return len(bl.outs) > 0
}
