package plan

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/skyql/skyql/internal/catalog"
)

// A reference is one mention of a cloud table in a statement.
type reference struct {
	table *catalog.Table
	form  catalog.Form
	name  string // alias, or the table's own name
	loc   int    // of the name in the text, or -1

	all   bool // every column
	need  map[int]bool
	sets  map[int]Set // bounds by column
	never bool        // none of its rows can matter
	// described: its columns are all that is asked of it.
	described bool
	// listed is a write-only column that a condition is on and that only a
	// list can tell; 0 for none.
	listed int

	links   map[int][]source // where a column's values must come from
	filters []Filter         // all hold for the rows that matter
	limit   int              // rows that are enough; 0: all
	order   string           // with limit: the first ones by this
	chosen  []binding        // the links that fetching goes by
	found   bool             // a part of the identifiers are values of a local table

	mentions []Mention
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

// box turns bounds into keys. bound are the values of columns that came from
// elsewhere, nil for none. some is false when no resource can matter.
func (r *reference) box(bound map[int]Set) (box Box, some bool) {
	if r.never {
		return Box{}, false
	}
	for _, sets := range []map[int]Set{r.sets, bound} {
		for _, s := range sets {
			if s != nil && len(s) == 0 {
				return Box{}, false
			}
		}
	}
	box = Box{Accounts: r.sets[accountColumn], Regions: r.sets[regionColumn], InAccounts: bound[accountColumn], InRegions: bound[regionColumn], Filters: r.filters}
	box.Identifiers = r.identifiers(r.sets)
	if box.Identifiers == nil && bound != nil {
		both := map[int]Set{}
		maps.Copy(both, r.sets)
		for c, s := range bound {
			both[c] = both[c].And(s)
		}
		box.Identifiers = r.identifiers(both)
		box.Bound = box.Identifiers != nil
	}
	if box.Identifiers != nil {
		box.Found = box.Bound || r.found
		if box.Identifiers = possible(box.Identifiers); len(box.Identifiers) == 0 {
			return Box{}, false
		}
	}
	for _, p := range r.listKeys() {
		c, ok := r.table.Column(p[1:])
		if !ok {
			continue
		}
		if s := r.sets[c].And(bound[c]); s != nil {
			if box.Parents == nil {
				box.Parents = map[string]Set{}
			}
			box.Parents[p] = s
		}
	}
	for c := range r.table.Columns {
		if s := r.sets[c].And(bound[c]); s != nil && c > regionColumn && r.table.Free(c) {
			if box.In == nil {
				box.In = map[int]Set{}
			}
			box.In[c] = s
		}
	}
	for _, s := range box.In {
		if len(s) == 0 {
			return Box{}, false
		}
	}
	if box.Identifiers != nil && !box.Bound { // each is read, whatever else is known of it
		box.In, box.Filters = nil, nil
	}
	return box, true
}

// maxIdentifier is how many characters the longest identifier has that Cloud
// Control takes.
const maxIdentifier = 1024

// possible gives the identifiers that Cloud Control takes at all: no others are
// any resource's. Line breaks are in none of them.
func possible(ids Set) Set {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return id == "" || utf8.RuneCountInString(id) > maxIdentifier || strings.ContainsAny(id, "\r\n")
	})
}

// listKeys are the pointers that a list of the table takes.
func (r *reference) listKeys() []string {
	in := r.table.ListInput
	return slices.Concat(append([][]string{in.Required, in.Optional}, in.OneOf...)...)
}

// identifiers gives those that bounds make whole; nil if they don't.
func (r *reference) identifiers(sets map[int]Set) Set {
	if s := sets[identifierColumn]; s != nil {
		return s
	}
	columns := r.table.IdentifierColumns()
	if len(columns) == 0 || len(columns) != len(r.table.Identifier) {
		return nil
	}
	rows := [][]string{nil}
	for _, c := range columns {
		s := sets[c]
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
