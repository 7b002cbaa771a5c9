package plan

import (
	"slices"

	"github.com/skyql/skyql/internal/catalog"
)

// A reference is one mention of a cloud table in a statement.
type reference struct {
	table *catalog.Table
	form  catalog.Form
	loc   int // of the name in the text, or -1

	all   bool // every column
	need  map[int]bool
	sets  map[int]Set // bounds by column
	never bool        // none of its rows can matter
	// described: its columns are all that is asked of it.
	described bool
	// listed is a write-only column that a condition is on and that only a
	// list can tell; 0 for none.
	listed int
}

func (r *reference) want(column int) {
	if r.need == nil {
		r.need = map[int]bool{}
	}
	r.need[column] = true
}

func (r *reference) needed() []int {
	var out []int
	for i := range r.table.Columns {
		if r.all || r.need[i] {
			out = append(out, i)
		}
	}
	return out
}

// The columns that every table starts with.
const (
	accountColumn = iota
	regionColumn
	identifierColumn
)

// maxProduct bounds how many identifiers the columns of a composite one are
// multiplied out to; beyond it the table is listed.
const maxProduct = 10_000

// box turns bounds into keys. some is false when no resource can matter.
func (r *reference) box() (box Box, some bool) {
	if r.never {
		return Box{}, false
	}
	for _, s := range r.sets {
		if s != nil && len(s) == 0 {
			return Box{}, false
		}
	}
	box = Box{Accounts: r.sets[accountColumn], Regions: r.sets[regionColumn], Identifiers: r.identifiers()}
	in := r.table.ListInput
	pointers := slices.Concat(in.Required, in.Optional)
	for _, set := range in.OneOf {
		pointers = append(pointers, set...)
	}
	for _, p := range pointers {
		c, ok := r.table.Column(p[1:])
		if !ok || r.sets[c] == nil {
			continue
		}
		if box.Parents == nil {
			box.Parents = map[string]Set{}
		}
		box.Parents[p] = r.sets[c]
	}
	return box, true
}

func (r *reference) identifiers() Set {
	if s := r.sets[identifierColumn]; s != nil {
		return s
	}
	columns := r.table.IdentifierColumns()
	if len(columns) == 0 || len(columns) != len(r.table.Identifier) {
		return nil
	}
	rows := [][]string{nil}
	for _, c := range columns {
		s := r.sets[c]
		if s == nil || len(rows)*len(s) > maxProduct {
			return nil
		}
		var next [][]string
		for _, row := range rows {
			for _, v := range s {
				next = append(next, append(slices.Clone(row), v))
			}
		}
		rows = next
	}
	out := Set{}
	for _, row := range rows {
		out = append(out, r.table.JoinIdentifier(row))
	}
	return NewSet(out...)
}
