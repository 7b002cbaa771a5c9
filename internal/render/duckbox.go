package render

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Duckbox writes rows for a screen, as DuckDB's own shell does: names and types
// on top, the middle of a long result left out, columns shortened and then
// dropped where the width does not hold them, each with a mark. It keeps in
// memory what it shows and no more.
//
// o.Width 0 shows every column whole, most 0 every row: a file or a pipe must
// get everything.
func Duckbox(w io.Writer, rows Rows, o Options, most int) (Shape, error) {
	b := bufio.NewWriterSize(w, 32<<10)
	s, err := duckbox(b, rows, o, most)
	if e := b.Flush(); err == nil {
		err = e
	}
	return s, err
}

// A Shape is how much a result held, and how much of it was shown.
type Shape struct {
	Rows, Shown           int
	Columns, ColumnsShown int
	Verbatim              bool // the lines of a text
}

// String says what there was, and what of it was left out.
func (s Shape) String() string {
	out := Count(s.Rows, "row")
	if s.Shown < s.Rows {
		out += fmt.Sprintf(", %d shown", s.Shown)
	}
	if s.ColumnsShown < s.Columns {
		out += fmt.Sprintf(" · %d of %s", s.ColumnsShown, Count(s.Columns, "column"))
	}
	return out
}

// Count is a number and what it counts: 1 row, 1,200 rows.
func Count(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return Thousands(n) + " " + word
}

// Thousands groups a number's digits.
func Thousands(n int) string {
	t := fmt.Sprint(n)
	for i := len(t) - 3; i > 0; i -= 3 {
		t = t[:i] + "," + t[i:]
	}
	return t
}

// Tally is the line below a result: what it was, what it took to get it.
func Tally(what string, calls int, took time.Duration) string {
	return fmt.Sprintf("%s · %s · %.1f s", what, Count(calls, "call"), took.Seconds())
}

func duckbox(w *bufio.Writer, rows Rows, o Options, most int) (Shape, error) {
	cols := rows.Columns()
	if v, ok := rows.(interface{ Verbatim() bool }); ok && v.Verbatim() {
		n, err := verbatim(w, rows)
		return Shape{Rows: n, Shown: n, Columns: 1, ColumnsShown: 1, Verbatim: true}, err
	}
	head, tail, n, err := ends(rows, most)
	s := Shape{Rows: n, Shown: len(head) + len(tail), Columns: len(cols), ColumnsShown: len(cols)}
	if err != nil {
		return s, err
	}
	names, types := make([]string, len(cols)), make([]string, len(cols))
	for i, c := range cols {
		names[i], types[i] = visible(c.Name), visible(c.Type)
	}
	all := append(append([][]string{names, types}, head...), tail...)
	keep, limits := choose(widths(all), o.Width)
	s.ColumnsShown = len(keep)
	line := func(cells []string, gap string) table.Row { return chosen(cut(cells, limits), keep, len(cols), gap) }
	t := lightTable()
	var configs []table.ColumnConfig
	for _, i := range keep {
		a := text.AlignLeft
		if right(cols[i].Kind) {
			a = text.AlignRight
		}
		configs = append(configs, table.ColumnConfig{Number: place(keep, len(cols), i), Align: a, AlignHeader: a})
	}
	t.SetColumnConfigs(configs)
	t.AppendHeader(line(names, "…"))
	t.AppendHeader(line(types, ""))
	for _, c := range head {
		t.AppendRow(line(c, "…"))
	}
	if len(tail) > 0 {
		t.AppendRow(chosen(dots(len(cols)), keep, len(cols), "·"))
	}
	for _, c := range tail {
		t.AppendRow(line(c, "…"))
	}
	_, err = w.WriteString(t.Render() + "\n")
	return s, err
}

func lightTable() table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format = table.FormatOptions{HeaderAlign: text.AlignLeft}
	return t
}

// ends reads rows and keeps the first and the last of them, together most; all
// if most is 0 or one more is all there are. tail is empty when nothing was left out.
func ends(rows Rows, most int) (head, tail [][]string, n int, err error) {
	half := (most + 1) / 2
	var ring [][]any // the last rows, most of them; the oldest is at n % most
	for ; rows.Next(); n++ {
		switch values := rows.Values(); {
		case most == 0 || n < half:
			head = append(head, plainly(values))
		case len(ring) < most:
			ring = append(ring, slices.Clone(values))
		default:
			copy(ring[(n-half)%most], values)
		}
	}
	var last [][]string
	for i := range ring {
		last = append(last, plainly(ring[(max(n-half, len(ring))+i)%len(ring)]))
	}
	if most > 0 && n > most+1 { // else the mark would take the room of the one row
		return head, last[len(last)-(most-half):], n, rows.Err()
	}
	return append(head, last...), nil, n, rows.Err()
}

func plainly(values []any) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = plain(v)
	}
	return out
}

func widths(cells [][]string) []int {
	wide := make([]int, len(cells[0]))
	for _, c := range cells {
		for i, v := range c {
			wide[i] = max(wide[i], text.StringWidthWithoutEscSequences(v))
		}
	}
	return wide
}

// readable is the width below which a column is dropped rather than cut.
const readable = 20

// choose gives the columns to show and each column's limit, 0 for none: as many
// as the width holds at a readable size, the middle ones dropped first.
func choose(wide []int, width int) (keep, limits []int) {
	for i := range wide {
		keep = append(keep, i)
	}
	limits = make([]int, len(wide))
	if width <= 0 {
		return keep, limits
	}
	room := func(k []int) int {
		n := width - 3*len(k) - 1
		if len(k) < len(wide) {
			n -= 4 // the mark of what was dropped
		}
		return n
	}
	need := func(k []int, limit int) int {
		sum := 0
		for _, i := range k {
			sum += min(wide[i], limit)
		}
		return sum
	}
	for len(keep) > 1 && need(keep, readable) > room(keep) {
		m := (len(keep) + 1) / 2
		keep = append(keep[:m:m], keep[m+1:]...)
	}
	limit := 0
	for _, i := range keep {
		limit = max(limit, wide[i])
	}
	if need(keep, limit) <= room(keep) {
		return keep, limits
	}
	for limit > 1 && need(keep, limit) > room(keep) {
		limit--
	}
	spare := room(keep) - need(keep, limit)
	for _, i := range keep {
		if wide[i] > limit {
			limits[i] = limit
			if spare > 0 { // what does not divide evenly goes to the first
				limits[i]++
				spare--
			}
		}
	}
	return keep, limits
}

// chosen picks cells, with a mark where some are left out.
func chosen(cells table.Row, keep []int, columns int, mark string) table.Row {
	var out table.Row
	for k, i := range keep {
		if k > 0 && i > keep[k-1]+1 {
			out = append(out, mark)
		}
		out = append(out, cells[i])
	}
	if len(keep) > 0 && keep[len(keep)-1] < columns-1 {
		out = append(out, mark)
	}
	return out
}

// place is the number, from 1, of a column among those shown.
func place(keep []int, columns, column int) int {
	n := 0
	for k, i := range keep {
		if k > 0 && i > keep[k-1]+1 {
			n++
		}
		n++
		if i == column {
			break
		}
	}
	return n
}

func dots(n int) table.Row {
	out := make(table.Row, n)
	for i := range out {
		out[i] = "·"
	}
	return out
}

// Width is how many terminal columns a text takes.
func Width(s string) int { return text.StringWidthWithoutEscSequences(s) }
