package engine

import (
	"context"
	"database/sql"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// A Kind says what a value of a column is, for those who write it down.
type Kind uint8

const (
	Text    Kind = iota // string
	Integer             // int64
	Float               // float64
	Bool                // bool
	Decimal             // string, a number of any size
	JSON                // string, a JSON text
)

// A Column is one column of a result.
type Column struct {
	Name string
	Type string // as DuckDB writes it
	Kind Kind
}

// Rows are a result, read once from first to last. Values are nil for NULL, else
// of the Go type that the column's Kind names.
type Rows struct {
	columns []Column
	rows    *sql.Rows
	static  [][]any
	values  []any
	into    []any // where values are read to
	text    string
	shift   int
	err     error
	db      *DB // nil for static ones
	closed  func() error
	// verbatim: the rows are the lines of a text.
	verbatim bool
}

// Query runs a SELECT-like statement. Rows are read as they are asked for.
func (e *DB) Query(ctx context.Context, text string, args map[string]string) (*Rows, error) {
	cols, err := e.Describe(ctx, text, args)
	if err != nil {
		return nil, err
	}
	items, names := make([]string, len(cols)), make([]string, len(cols))
	for i, c := range cols {
		names[i] = fmt.Sprintf("c%d", i)
		items[i] = c.read(names[i])
	}
	// The user's statement stands in parentheses, its order is kept; columns
	// are named by position, since theirs may repeat.
	head := "SELECT " + strings.Join(items, ", ") + " FROM ("
	full := head + text + "\n) AS skyql_result(" + strings.Join(names, ", ") + ")"
	sent, values := e.bound(full, args)
	rows, err := e.conn.QueryContext(ctx, sent, values...)
	if err != nil {
		return nil, wrap(err, full, len(head))
	}
	return e.newRows(cols, rows, full, len(head)), nil
}

// Plain runs any statement and reads what it gives as text.
func (e *DB) Plain(ctx context.Context, text string, args map[string]string) (*Rows, error) {
	sent, values := e.bound(text, args)
	rows, err := e.conn.QueryContext(ctx, sent, values...)
	if err != nil {
		return nil, wrap(err, text, 0)
	}
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	var cols []Column
	for i, n := range names {
		c := Column{Name: n, Type: types[i].DatabaseTypeName(), Kind: Text}
		switch c.Type {
		case "BIGINT", "INTEGER":
			c.Kind = Integer
		case "BOOLEAN":
			c.Kind = Bool
		}
		cols = append(cols, c)
	}
	return e.newRows(cols, rows, text, 0), nil
}

// Lines are a text, a row for each line. Formats for people show it as it is.
func Lines(name string, lines []string) *Rows {
	r := Static([]Column{{Name: name, Type: "VARCHAR", Kind: Text}}, nil)
	for _, l := range lines {
		r.static = append(r.static, []any{l})
	}
	r.verbatim = true
	return r
}

// Verbatim reports whether the rows are Lines.
func (r *Rows) Verbatim() bool { return r.verbatim }

// Static are rows that exist already. Values must be of the columns' kinds.
func Static(columns []Column, values [][]any) *Rows {
	return &Rows{columns: columns, static: values}
}

const describe = "DESCRIBE ("

// Describe binds a SELECT-like statement without running it, and gives its
// columns.
func (e *DB) Describe(ctx context.Context, text string, args map[string]string) ([]Column, error) {
	full := describe + text + "\n)"
	sent, values := e.bound(full, args)
	rows, err := e.conn.QueryContext(ctx, sent, values...)
	if err != nil {
		return nil, wrap(err, full, len(describe))
	}
	defer rows.Close()
	var cols []Column
	for rows.Next() {
		var c Column
		var null, key, def, extra any
		if err := rows.Scan(&c.Name, &c.Type, &null, &key, &def, &extra); err != nil {
			return nil, err
		}
		c.Kind = kindOf(c.Type)
		cols = append(cols, c)
	}
	return cols, wrap(rows.Err(), full, len(describe))
}

func kindOf(t string) Kind {
	switch t {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER":
		return Integer
	case "FLOAT", "DOUBLE":
		return Float
	case "BOOLEAN":
		return Bool
	case "UBIGINT", "HUGEINT", "UHUGEINT", "BIGNUM":
		return Decimal
	case "JSON":
		return JSON
	}
	switch {
	case strings.HasPrefix(t, "DECIMAL"):
		return Decimal
	case strings.HasSuffix(t, "]"), strings.HasPrefix(t, "STRUCT"), strings.HasPrefix(t, "MAP"), strings.HasPrefix(t, "UNION"):
		return JSON
	}
	return Text
}

// read writes the expression that reads a column without loss.
func (c Column) read(name string) string {
	switch {
	case c.Kind == Integer:
		return "CAST(" + name + " AS BIGINT) AS " + name
	case c.Kind == Float:
		return "CAST(" + name + " AS DOUBLE) AS " + name
	case c.Kind == Bool, c.Type == "VARCHAR":
		return name
	case c.Kind == JSON && c.Type != "JSON":
		return "CAST(to_json(" + name + ") AS VARCHAR) AS " + name
	}
	return "CAST(" + name + " AS VARCHAR) AS " + name
}

func (e *DB) newRows(cols []Column, rows *sql.Rows, text string, shift int) *Rows {
	return &Rows{db: e, columns: cols, rows: rows, values: make([]any, len(cols)), text: text, shift: shift}
}

// Columns are the result's columns.
func (r *Rows) Columns() []Column { return r.columns }

// Next goes to the next row, and says whether there is one.
func (r *Rows) Next() bool {
	if r.rows == nil {
		if len(r.static) == 0 {
			return false
		}
		r.values, r.static = r.static[0], r.static[1:]
		return true
	}
	if r.err != nil || !r.rows.Next() {
		return false
	}
	if r.into == nil {
		r.into = make([]any, len(r.values))
		for i := range r.values {
			r.into[i] = &r.values[i]
		}
	}
	if r.err = r.rows.Scan(r.into...); r.err != nil {
		return false
	}
	for i, v := range r.values {
		r.values[i] = r.columns[i].value(v)
	}
	return true
}

// value brings what the driver gives into the form of the column's kind.
func (c Column) value(v any) any {
	switch v := v.(type) {
	case nil, string, int64, bool:
		return v
	case float64:
		if c.Type == "FLOAT" { // the number that was meant, not its 53 bits
			v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', -1, 32), 64)
		}
		return v
	case int32:
		return int64(v)
	case []byte:
		return string(v)
	case *big.Int:
		return v.String()
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

// Values are the current row's values, until the next call of Next.
func (r *Rows) Values() []any { return r.values }

// Err is what ended the rows, if not their end.
func (r *Rows) Err() error {
	if r.err != nil {
		return r.err
	}
	if r.rows == nil {
		return nil
	}
	err := wrap(r.rows.Err(), r.text, r.shift)
	r.db.Note(err)
	return err
}

// OnClose adds what is to be done when the rows are closed.
func (r *Rows) OnClose(f func() error) { r.closed = f }

// Close frees the result.
func (r *Rows) Close() error {
	var err error
	if r.rows != nil {
		err = r.rows.Close()
	}
	if f := r.closed; f != nil {
		r.closed = nil
		if e := f(); err == nil {
			err = e
		}
	}
	return err
}
