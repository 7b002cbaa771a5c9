package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/syntax"
)

// maxEnough is the largest LIMIT that fetching stops early for: beyond it the
// whole table is as good.
const maxEnough = 100_000

// enough finds out whether a block of one table needs only so many rows: with a
// LIMIT, and where all that its WHERE says can be checked row by row.
func (b *binder) enough(bl *block) {
	q := bl.query
	if b.env.Narrow != Keys || !q.Limited && !bl.exists || q.Percent || bl.from == nil || bl.from.relation == nil || bl.from.relation.ref == nil {
		return
	}
	r := bl.from.relation.ref
	if r.form == catalog.Tags || bl.from.barrier {
		return
	}
	if bl.exists && !q.Limited {
		b.stopAt(bl, r, 1)
		return
	}
	n, ok := integer(q.Limit)
	if !ok || n > maxEnough {
		return
	}
	if q.Offset != nil {
		skip, ok := integer(q.Offset)
		if !ok || n+skip > maxEnough {
			return
		}
		if b.keeps(RuleEnoughOffset) {
			n += skip
		}
	}
	if n == 0 {
		r.never = true
		return
	}
	b.stopAt(bl, r, n)
}

// stopAt notes that n rows are enough for a block, if they are.
func (b *binder) stopAt(bl *block, r *reference, n int) {
	q := bl.query
	if !b.rowByRow(q) && b.keeps(RuleEnoughPlain) {
		return
	}
	covered, listed := true, true
	conjuncts(q.Where, func(e *syntax.Expr) {
		ref, f, ok := b.filter(e)
		covered = covered && ok && ref == r
		for _, c := range f.Columns {
			listed = listed && r.table.Free(c)
		}
	})
	if !covered && b.keeps(RuleEnough) {
		return
	}
	order, ok := b.listedOrder(bl, r)
	if (!ok || order != "" && !listed) && b.keeps(RuleTopListed) {
		return
	}
	r.limit, r.order = n, order
}

// rowByRow reports whether each row of a block comes of one row of its table.
func (b *binder) rowByRow(q *syntax.Query) bool {
	if len(q.GroupBy) > 0 || q.GroupAll || q.Having != nil || q.Qualify != nil || q.Distinct || len(q.DistinctOn) > 0 || q.Sample || len(q.Other) > 0 {
		return false
	}
	for _, e := range q.List {
		plain := true
		e.Walk(func(x *syntax.Expr) bool {
			plain = plain && x.Class != "WINDOW" && x.Class != "SUBQUERY" && x.Class != "LAMBDA" && (x.Class != "STAR" || x == e && !x.Star.Columns)
			return plain
		})
		if !plain || e.Class != "STAR" && hasStar(e) || !b.scalar(e.Functions()) {
			return false
		}
	}
	return true
}

// listedOrder writes ORDER BY over columns that every list row has. ok is
// false if it needs others.
func (b *binder) listedOrder(bl *block, r *reference) (string, bool) {
	var out []string
	for _, o := range bl.query.Orders {
		e := o.Expr
		if e.Class == "CONSTANT" {
			i, ok := integer(e)
			if !ok || bl.open || i < 1 || i > len(bl.outs) || bl.outs[i-1].column == nil {
				return "", false
			}
			c := bl.outs[i-1].column
			if c.from.ref != r || len(c.from.path) > 0 || !r.table.Free(c.from.col) {
				return "", false
			}
			out = append(out, syntax.Quote(c.from.column().Name)+o.Suffix)
			continue
		}
		ref, f, ok := b.filter(e)
		if !ok || ref != r || slices.ContainsFunc(f.Columns, func(c int) bool { return !r.table.Free(c) }) {
			return "", false
		}
		out = append(out, f.SQL+o.Suffix)
	}
	return strings.Join(out, ", "), true
}

func integer(e *syntax.Expr) (int, bool) {
	if e == nil || e.Class != "CONSTANT" || e.Value.Null {
		return 0, false
	}
	n, err := strconv.Atoi(e.Value.Text)
	return n, err == nil && n >= 0
}
