// Package render writes rows down: table, box, json, ndjson, csv, markdown, line.
//
// In the JSON formats a JSON column is nested as JSON with its text kept, and
// numbers keep their digits. In the formats for people, nothing in a value can
// drive a terminal: control characters are shown, not sent.
package render

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/skyql/skyql/internal/engine"
)

// Options are how rows are written.
type Options struct {
	// Width is the terminal's, in columns; tables are fitted to it by cutting
	// their widest columns. 0: nothing is cut.
	Width int
}

// Gone reports whether a write failed because whoever read has left, such as
// head after its lines: no error to speak of.
func Gone(err error) bool {
	return slices.ContainsFunc(gone, func(e error) bool { return errors.Is(err, e) })
}

// Formats are the names that Write takes.
var Formats = []string{"table", "box", "json", "ndjson", "csv", "markdown", "line"}

// Rows are what is written: *engine.Rows are.
type Rows interface {
	Columns() []engine.Column
	Next() bool
	Values() []any
	Err() error
}

// Write writes all rows in a format and says how many there were. It stops at
// the writer's first error.
func Write(w io.Writer, format string, rows Rows, o Options) (n int, err error) {
	b := bufio.NewWriterSize(w, 32<<10)
	if v, ok := rows.(interface{ Verbatim() bool }); ok && v.Verbatim() && (format == "table" || format == "box" || format == "line") {
		format = "verbatim"
	}
	switch format {
	case "verbatim":
		n, err = verbatim(b, rows)
	case "table", "box":
		n, err = grid(b, rows, o, format == "box")
	case "json":
		n, err = objects(b, rows, "[", ",\n ", "]\n")
	case "ndjson":
		n, err = objects(b, rows, "", "\n", "\n")
	case "csv":
		n, err = commas(b, rows)
	case "markdown":
		n, err = markdown(b, rows)
	case "line":
		n, err = lines(b, rows)
	default:
		return 0, fmt.Errorf("no format %q: it is one of %s", format, strings.Join(Formats, ", "))
	}
	if e := b.Flush(); err == nil {
		err = e
	}
	return n, err
}

// plain is a value for people: NULL is empty, control characters are visible.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return visible(v)
	case float64:
		return number(v)
	}
	return fmt.Sprint(v)
}

// number writes the fewest digits that read back the same, and an exponent for
// the very large and small alone, as PostgreSQL does.
func number(f float64) string {
	switch abs := math.Abs(f); {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case abs == 0 || abs >= 1e-4 && abs < 1e15:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// visible replaces what a terminal would act on: line breaks become ⏎, other
// control and formatting characters their escape.
func visible(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar
	}) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString("⏎")
		case r == '\u200d' || r == '\u200c': // joins letters and emoji
			b.WriteRune(r)
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func right(k engine.Kind) bool {
	return k == engine.Integer || k == engine.Float || k == engine.Decimal
}

func grid(w *bufio.Writer, rows Rows, o Options, types bool) (int, error) {
	cols := rows.Columns()
	var cells [][]string
	for rows.Next() {
		line := make([]string, len(cols))
		for i, v := range rows.Values() {
			line[i] = plain(v)
		}
		cells = append(cells, line)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	heads := [][]string{make([]string, len(cols))}
	if types {
		heads = append(heads, make([]string, len(cols)))
	}
	for i, c := range cols {
		heads[0][i] = visible(c.Name)
		if types {
			heads[1][i] = visible(c.Type)
		}
	}
	limits := fit(append(slices.Clone(heads), cells...), o.Width)
	t := lightTable()
	var configs []table.ColumnConfig
	for i, c := range cols {
		a := text.AlignLeft
		if right(c.Kind) {
			a = text.AlignRight
		}
		configs = append(configs, table.ColumnConfig{Number: i + 1, Align: a, AlignHeader: a})
	}
	t.SetColumnConfigs(configs)
	for _, h := range heads {
		t.AppendHeader(cut(h, limits))
	}
	for _, c := range cells {
		t.AppendRow(cut(c, limits))
	}
	_, err := w.WriteString(t.Render() + "\n")
	return len(cells), err
}

func cut(cells []string, limits []int) table.Row {
	out := make(table.Row, len(cells))
	for i, c := range cells {
		if limits[i] > 0 && text.StringWidthWithoutEscSequences(c) > limits[i] {
			c = text.Trim(c, limits[i]-1) + "…"
		}
		out[i] = c
	}
	return out
}

// fit gives each column's width, 0 for as wide as it is. Where all don't fit,
// the widest are cut first, evenly.
func fit(cells [][]string, width int) []int {
	n := len(cells[0])
	limits := make([]int, n)
	if width <= 0 || n == 0 {
		return limits
	}
	wide := make([]int, n)
	for _, c := range cells {
		for i, v := range c {
			wide[i] = max(wide[i], text.StringWidthWithoutEscSequences(v))
		}
	}
	const least = 4
	room := width - 3*n - 1
	most := 0
	for _, w := range wide {
		most = max(most, w)
	}
	total := func(limit int) int {
		sum := 0
		for _, w := range wide {
			sum += min(w, max(limit, least))
		}
		return sum
	}
	if total(most) <= room {
		return limits
	}
	for most > least && total(most) > room {
		most--
	}
	for i, w := range wide {
		if w > most {
			limits[i] = max(most, least)
		}
	}
	return limits
}

// objects writes JSON objects, members in the columns' order; a name that is
// there before gets a number, so that none is lost.
func objects(w *bufio.Writer, rows Rows, open, between, end string) (int, error) {
	cols := rows.Columns()
	names := make([][]byte, len(cols))
	seen := map[string]bool{}
	for i, c := range cols {
		name := c.Name
		for k := 1; seen[name]; k++ {
			name = fmt.Sprintf("%s_%d", c.Name, k)
		}
		seen[name] = true
		names[i] = quote(name)
	}
	w.WriteString(open)
	n := 0
	for rows.Next() {
		if n > 0 {
			w.WriteString(between)
		}
		n++
		w.WriteByte('{')
		for i, v := range rows.Values() {
			if i > 0 {
				w.WriteByte(',')
			}
			w.Write(names[i])
			w.WriteByte(':')
			if _, err := w.Write(jsonValue(v, cols[i].Kind)); err != nil {
				return n, err
			}
		}
		if err := w.WriteByte('}'); err != nil {
			return n, err
		}
	}
	if err := rows.Err(); err != nil {
		return n, err
	}
	if n > 0 || open != "" {
		w.WriteString(end)
	}
	return n, nil
}

func quote(s string) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic("render: " + err.Error())
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

func jsonValue(v any, k engine.Kind) []byte {
	switch v := v.(type) {
	case nil:
		return []byte("null")
	case string:
		if (k == engine.JSON || k == engine.Decimal) && json.Valid([]byte(v)) {
			return []byte(v)
		}
		return quote(v)
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) { // JSON has no such numbers
			return quote(number(v))
		}
		return []byte(number(v))
	case bool:
		return strconv.AppendBool(nil, v)
	case int64:
		return strconv.AppendInt(nil, v, 10)
	}
	return quote(fmt.Sprint(v))
}

// commas writes RFC 4180 with a header; NULL is an empty field.
func commas(w *bufio.Writer, rows Rows) (int, error) {
	c := csv.NewWriter(w)
	line := make([]string, len(rows.Columns()))
	for i, col := range rows.Columns() {
		line[i] = col.Name
	}
	n := 0
	write := func() error {
		if len(line) == 1 && line[0] == "" { // an empty line would be no row for most readers
			c.Flush()
			_, err := w.WriteString("\"\"\n")
			return err
		}
		return c.Write(line)
	}
	for err := write(); ; err = write() {
		if err != nil {
			return n, err
		}
		if !rows.Next() {
			break
		}
		n++
		for i, v := range rows.Values() {
			switch v := v.(type) {
			case string:
				line[i] = v
			default:
				line[i] = plain(v)
			}
		}
	}
	c.Flush()
	if err := rows.Err(); err != nil {
		return n, err
	}
	return n, c.Error()
}

func markdown(w *bufio.Writer, rows Rows) (int, error) {
	cell := func(s string) string {
		s = visible(strings.ReplaceAll(s, "\n", "\x00"))
		return strings.NewReplacer(`\x00`, "<br>", "|", `\|`).Replace(s)
	}
	row := func(cells []string) error {
		_, err := w.WriteString("| " + strings.Join(cells, " | ") + " |\n")
		return err
	}
	cols := rows.Columns()
	names, rule := make([]string, len(cols)), make([]string, len(cols))
	for i, c := range cols {
		names[i], rule[i] = cell(c.Name), "---"
		if right(c.Kind) {
			rule[i] = "---:"
		}
	}
	row(names)
	if err := row(rule); err != nil {
		return 0, err
	}
	n := 0
	for rows.Next() {
		n++
		line := make([]string, len(cols))
		for i, v := range rows.Values() {
			if s, ok := v.(string); ok {
				line[i] = cell(s)
			} else {
				line[i] = plain(v)
			}
		}
		if err := row(line); err != nil {
			return n, err
		}
	}
	return n, rows.Err()
}

// lines writes a value a line, a block a row.
func lines(w *bufio.Writer, rows Rows) (int, error) {
	cols := rows.Columns()
	wide := 0
	for _, c := range cols {
		wide = max(wide, text.StringWidthWithoutEscSequences(visible(c.Name)))
	}
	n := 0
	for rows.Next() {
		if n > 0 {
			w.WriteByte('\n')
		}
		n++
		for i, v := range rows.Values() {
			name := text.AlignRight.Apply(visible(cols[i].Name), wide)
			if _, err := fmt.Fprintf(w, "%s = %s\n", name, plain(v)); err != nil {
				return n, err
			}
		}
	}
	return n, rows.Err()
}

// verbatim writes the lines of a text.
func verbatim(w io.Writer, rows Rows) (n int, err error) {
	for rows.Next() {
		n++
		if _, err := fmt.Fprintln(w, visible(fmt.Sprint(rows.Values()[0]))); err != nil {
			return n, err
		}
	}
	return n, rows.Err()
}
