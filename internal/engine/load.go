package engine

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/skyql/skyql/internal/catalog"
)

// A Copy is the local copy of the cloud that one statement runs on. Tables are
// there from the moment they are added, empty, so that a statement can be bound
// before anything is fetched; a table that wasn't added doesn't exist, and
// neither does a column that nobody wanted.
type Copy struct {
	db      *DB
	open    bool
	loaders []*Loader
}

// Begin starts a copy. There may be one at a time.
func (e *DB) Begin() *Copy { return &Copy{db: e} }

func (c *Copy) attach(ctx context.Context) error {
	if c.open {
		return nil
	}
	c.open = true
	return c.db.Exec(ctx, "ATTACH ':memory:' AS aws", nil)
}

// Close drops the copy with all its tables.
func (c *Copy) Close() error {
	for _, l := range c.loaders {
		l.stop()
	}
	if !c.open {
		return nil
	}
	c.open = false
	return c.db.Exec(context.WithoutCancel(context.Background()), "DETACH aws", nil)
}

// Declare makes empty tables with all their columns, under both their names.
func (c *Copy) Declare(ctx context.Context, tables []*catalog.Table) error {
	if err := c.attach(ctx); err != nil {
		return err
	}
	var b strings.Builder
	schemas := map[string]bool{}
	for _, t := range tables {
		if !schemas[t.Service] {
			schemas[t.Service] = true
			fmt.Fprintf(&b, "CREATE SCHEMA IF NOT EXISTS aws.%s;\n", Quote(t.Service))
		}
		var cols []string
		for _, col := range t.Columns {
			cols = append(cols, Quote(col.Name)+" "+col.Type.String())
		}
		for _, n := range slices.Compact([]string{t.Plural, t.Singular}) {
			fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS aws.%s.%s (%s);\n", Quote(t.Service), Quote(n), strings.Join(cols, ", "))
		}
	}
	return c.db.Exec(ctx, b.String(), nil)
}

// A Widened is a column that became JSON, since a value did not fit its type.
type Widened struct {
	Table, Column, Type string
	Value               string // the first that did not fit, as JSON
}

// A Loader fills one table of a copy. It is not safe for concurrent use.
type Loader struct {
	copy     *Copy
	table    *catalog.Table
	name     string // as SQL
	columns  []loading
	byName   map[string]int // property to place in columns
	parts    []int          // place of each identifier part, or -1
	staged   int            // how many staging tables there were
	appender *duckdb.Appender
	rows     int // in the appender
	widened  []Widened
	row      []driver.Value
	ordinal  int64 // of a Batch: the number of the row
}

// A loading is one column being filled. How it is staged is decided by type:
// scalars as they are, anything else as JSON text.
type loading struct {
	*catalog.Column
	typ  catalog.ColumnType // JSON once widened
	open bool               // the schema says object: text that holds one is shown as it
}

// Table adds a table with some of its columns; account_id, region, identifier
// and what the identifier is made of are always there.
func (c *Copy) Table(ctx context.Context, t *catalog.Table, columns []int) (*Loader, error) {
	if err := c.attach(ctx); err != nil {
		return nil, err
	}
	l := c.loader(t, columns, "aws."+Quote(t.Service)+"."+Quote(t.Plural))
	if err := c.db.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS aws."+Quote(t.Service), nil); err != nil {
		return nil, err
	}
	return l, c.db.Exec(ctx, "CREATE TABLE "+l.name+" ("+l.declared()+")", nil)
}

func (c *Copy) loader(t *catalog.Table, columns []int, name string) *Loader {
	l := &Loader{copy: c, table: t, name: name, byName: map[string]int{}}
	for i := range t.Columns {
		if !t.Free(i) && !slices.Contains(columns, i) {
			continue
		}
		col := &t.Columns[i]
		if col.Property != "" {
			l.byName[col.Property] = len(l.columns)
		}
		l.columns = append(l.columns, loading{Column: col, typ: col.Type, open: col.Type == catalog.JSON && col.Datatype == "object"})
	}
	for _, p := range t.Identifier {
		at, ok := l.byName[p[1:]]
		if !ok {
			at = -1
		}
		l.parts = append(l.parts, at)
	}
	c.loaders = append(c.loaders, l)
	return l
}

// declared are the columns as CREATE TABLE writes them.
func (l *Loader) declared() string {
	var cols []string
	for _, col := range l.columns {
		cols = append(cols, Quote(col.Name)+" "+col.typ.String())
	}
	return strings.Join(cols, ", ")
}

func (l *Loader) stage() string { return fmt.Sprintf("skyql_stage_%p_%d", l, l.staged) }

// stageType is how a column is kept until all rows are there.
func (c loading) stageType() string {
	if _, list := c.typ.Elem(); list || c.typ == catalog.JSON {
		return "VARCHAR"
	}
	return c.typ.String()
}

// start makes the staging table and its appender.
func (l *Loader) start(ctx context.Context) error {
	var cols []string
	for i, c := range l.columns {
		cols = append(cols, fmt.Sprintf("c%d %s", i, c.stageType()))
	}
	if err := l.copy.db.Exec(ctx, "CREATE TEMP TABLE "+l.stage()+" ("+strings.Join(cols, ", ")+")", nil); err != nil {
		return err
	}
	return l.append()
}

func (l *Loader) append() error {
	return l.copy.db.conn.Raw(func(c any) error {
		var err error
		l.appender, err = duckdb.NewAppender(c.(driver.Conn), "temp", "main", l.stage())
		return err
	})
}

// Append adds one resource. properties is a JSON object; nil for none.
func (l *Loader) Append(ctx context.Context, account, region, identifier string, properties json.RawMessage) error {
	if l.appender == nil {
		if err := l.start(ctx); err != nil {
			return err
		}
	}
	if l.row == nil {
		l.row = make([]driver.Value, len(l.columns))
	}
	clear(l.row)
	l.row[0], l.row[1], l.row[2] = account, region, identifier
	if last := len(l.columns) - 1; l.columns[last].Name == ordinal {
		l.row[last] = l.ordinal
	}
	if err := l.identify(identifier); err != nil {
		return err
	}
	var misfits []int
	each(properties, func(name string, v value) {
		at, ok := l.byName[name]
		if !ok {
			return
		}
		x, fits := l.columns[at].convert(v)
		if !fits {
			misfits = append(misfits, at)
			x = v.raw
			l.widened = append(l.widened, Widened{l.table.Name(), l.columns[at].Name, l.columns[at].typ.String(), v.raw})
		}
		l.row[at] = x
	})
	if len(misfits) > 0 {
		if err := l.widen(ctx, misfits); err != nil {
			return err
		}
	}
	if err := l.appender.AppendRow(l.row...); err != nil {
		return fmt.Errorf("load %s: %w", l.table.Name(), err)
	}
	// The appender keeps what it has in memory until it is flushed.
	if l.rows++; l.rows%20000 == 0 {
		return l.appender.Flush()
	}
	return nil
}

// identify fills the columns that the identifier is made of; properties that
// say the same come after and win.
func (l *Loader) identify(identifier string) error {
	if !slices.ContainsFunc(l.parts, func(i int) bool { return i >= 0 }) {
		return nil
	}
	parts, err := l.table.SplitIdentifier(identifier)
	if err != nil {
		return nil // no safe answer: the properties tell, or it stays unknown
	}
	for i, at := range l.parts {
		if at < 0 {
			continue
		}
		q, err := json.Marshal(parts[i])
		if err != nil {
			return err
		}
		if x, ok := l.columns[at].convert(parseValue(string(q))); ok {
			l.row[at] = x
		}
	}
	return nil
}

// widen makes columns JSON: what is staged already is copied over.
func (l *Loader) widen(ctx context.Context, at []int) error {
	if err := l.appender.Close(); err != nil {
		return err
	}
	old := l.stage()
	l.staged++
	var items []string
	for i, c := range l.columns {
		item := fmt.Sprintf("c%d", i)
		if slices.Contains(at, i) {
			if c.stageType() != "VARCHAR" || c.typ == catalog.Varchar {
				item = fmt.Sprintf("CAST(to_json(c%d) AS VARCHAR) AS c%d", i, i)
			}
			l.columns[i].typ = catalog.JSON
		}
		items = append(items, item)
	}
	text := "CREATE TEMP TABLE " + l.stage() + " AS SELECT " + strings.Join(items, ", ") + " FROM " + old + "; DROP TABLE " + old
	if err := l.copy.db.Exec(ctx, text, nil); err != nil {
		return err
	}
	return l.append()
}

// Finish puts everything appended into the table, by account, region and
// identifier, so that the same statement gives the same rows in the same order
// however they came in. The columns it returns are JSON now.
func (l *Loader) Finish(ctx context.Context) ([]Widened, error) {
	if l.appender == nil {
		return nil, nil
	}
	err := l.appender.Close()
	l.appender = nil
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", l.table.Name(), err)
	}
	var items []string
	for i, c := range l.columns {
		item := fmt.Sprintf("c%d", i)
		switch _, list := c.typ.Elem(); {
		case c.typ == catalog.JSON:
			item += "::JSON"
		case list:
			item += "::JSON::" + c.typ.String()
		}
		items = append(items, item)
	}
	text := ""
	if len(l.widened) > 0 {
		text = "CREATE OR REPLACE TABLE " + l.name + " (" + l.declared() + ");"
	}
	text += "INSERT INTO " + l.name + " SELECT " + strings.Join(items, ", ") + " FROM " + l.stage() + " ORDER BY c0, c1, c2; DROP TABLE " + l.stage()
	if err := l.copy.db.Exec(ctx, text, nil); err != nil {
		return nil, fmt.Errorf("load %s: %w", l.table.Name(), err)
	}
	return l.widened, nil
}

// stop gives up what was not finished.
func (l *Loader) stop() {
	if l.appender == nil {
		return
	}
	l.appender.Close() // what it holds is dropped with its table
	l.appender = nil
	l.copy.db.Exec(context.Background(), "DROP TABLE IF EXISTS "+l.stage(), nil)
}

// Settings makes a table of account_id, region and own, a boolean, in a copy.
func (c *Copy) Settings(ctx context.Context, name string, rows [][]string) error {
	if err := c.attach(ctx); err != nil {
		return err
	}
	text := "CREATE OR REPLACE TABLE " + name + " (account_id VARCHAR, region VARCHAR, own BOOLEAN)"
	if err := c.db.Exec(ctx, text, nil); err != nil {
		return err
	}
	for chunk := range slices.Chunk(rows, 1000) {
		var values []string
		for _, r := range chunk {
			values = append(values, "("+literal(r[0])+", "+literal(r[1])+", "+r[2]+")")
		}
		if err := c.db.Exec(ctx, "INSERT INTO "+name+" VALUES "+strings.Join(values, ", "), nil); err != nil {
			return err
		}
	}
	return nil
}
