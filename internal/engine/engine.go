// Package engine is DuckDB: it loads resources into tables, runs statements and
// yields rows.
//
// Documents go in as JSON and come out as rows of values that are exact: what
// doesn't fit its column's type makes the column JSON, and results are read as
// text wherever a Go type would lose something. Nobody else imports the driver.
package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/skyql/skyql/internal/syntax"
)

// Options are what a database is opened with.
type Options struct {
	// TempDir is where DuckDB may spill, inside a private folder that Close
	// removes. Empty: nothing is spilled.
	TempDir string
	// Confine is for an instance that runs statements of others; nil: it has
	// everything of DuckDB.
	Confine *Confinement
}

// A DB is one DuckDB instance with one connection: settings, temporary tables
// and macros live as long as it. It is not safe for concurrent use.
type DB struct {
	db   *sql.DB
	conn *sql.Conn
	tmp  string
	tags bool // the helper macro exists
	// functions are the kinds and stabilities of DuckDB's functions, by name.
	functions map[string][]string
	// positional are the values of $1, $2 … of the statement that is run.
	positional []any
	suspect    bool // an error may have been the last
}

// disabled are the optimizers of DuckDB that give wrong rows, now and then: a
// join's filter is pushed below the LIMIT of its other side
// (duckdb/duckdb#22924, still in the version that is linked here; see
// TestLimitUnderJoin).
const disabled = "join_filter_pushdown"

// Open opens an in-memory database.
func Open(ctx context.Context, o Options) (*DB, error) {
	e := &DB{}
	dsn := "?disabled_optimizers=" + disabled
	if o.TempDir != "" {
		// DuckDB makes the folder itself if it spills, but not what it is in. Where
		// that can't be made, a statement that has to spill fails and says so.
		_ = os.MkdirAll(o.TempDir, 0o700)
		e.tmp = fmt.Sprintf("%s/duckdb-%d-%p", o.TempDir, os.Getpid(), e)
		dsn += "&temp_directory=" + e.tmp
	}
	c, err := duckdb.NewConnector(dsn, nil)
	if err != nil {
		return nil, fmt.Errorf("open DuckDB: %w", err)
	}
	e.db = sql.OpenDB(c)
	e.db.SetMaxIdleConns(-1) // a connection ends with its DB: what is temporary is nobody else's
	if e.conn, err = e.db.Conn(ctx); err != nil {
		e.db.Close()
		return nil, fmt.Errorf("open DuckDB: %w", err)
	}
	if o.Confine != nil {
		if err := e.confine(ctx, *o.Confine); err != nil {
			return nil, errors.Join(err, e.Close())
		}
	}
	return e, nil
}

// Close frees everything.
func (e *DB) Close() error {
	err := e.conn.Close()
	if e.db == nil { // of Connect
		return err
	}
	if err2 := e.db.Close(); err == nil {
		err = err2
	}
	if e.tmp != "" {
		if err2 := os.RemoveAll(e.tmp); err == nil {
			err = err2
		}
	}
	return err
}

// Exec runs a statement that gives no rows.
func (e *DB) Exec(ctx context.Context, text string, args map[string]string) error {
	sent, values := e.bound(text, args)
	_, err := e.conn.ExecContext(ctx, sent, values...)
	return wrap(err, text, 0)
}

// named gives the parameters that a text mentions; DuckDB refuses others.
func named(text string, args map[string]string) []any {
	if len(args) == 0 {
		return nil
	}
	var out []any
	seen := map[string]bool{}
	for _, t := range syntax.Lex(text) {
		if t.Kind != syntax.Param {
			continue
		}
		name := t.Text[1:]
		if v, ok := args[name]; ok && !seen[name] {
			seen[name] = true
			out = append(out, sql.Named(name, v))
		}
	}
	return out
}

// A ParseError is the parser's refusal of a text.
type ParseError struct {
	Message  string
	Position int // byte offset, or -1
	// NotSelect: the text is SQL, but not of the kind that has a tree.
	NotSelect bool
}

func (e *ParseError) Error() string { return e.Message }

// Parse gives the tree of a SELECT-like statement as json_serialize_sql writes
// it. The error is a *ParseError.
func (e *DB) Parse(ctx context.Context, text string) ([]byte, error) {
	var tree string
	if err := e.conn.QueryRowContext(ctx, "SELECT json_serialize_sql($1::VARCHAR)::VARCHAR", text).Scan(&tree); err != nil {
		return nil, wrap(err, "", 0)
	}
	if strings.HasPrefix(tree, `{"error":true`) {
		return nil, parseError(tree)
	}
	return []byte(tree), nil
}

// Deserialize gives the SQL text of a tree.
func (e *DB) Deserialize(ctx context.Context, tree []byte) (string, error) {
	var text string
	err := e.conn.QueryRowContext(ctx, "SELECT json_deserialize_sql($1::JSON)", string(tree)).Scan(&text)
	return text, wrap(err, "", 0)
}

// Strings runs a query for its first column.
func (e *DB) Strings(ctx context.Context, text string, args ...any) ([]string, error) {
	rows, err := e.conn.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, wrap(err, text, 0)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s sql.NullString
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s.String)
	}
	return out, wrap(rows.Err(), text, 0)
}

// Helpers makes the macros that statements may use: tag(tags, key), which reads
// a tag from every shape that AWS gives tags (a list of Key and Value, a map).
func (e *DB) Helpers(ctx context.Context) error {
	if e.tags {
		return nil
	}
	e.tags = true
	return e.Exec(ctx, `CREATE OR REPLACE TEMP MACRO tag(tags, k) AS
		CASE json_type(tags)
		WHEN 'OBJECT' THEN json_extract_string(tags, '$."' || replace(k, '"', '\"') || '"')
		WHEN 'ARRAY' THEN list_filter(list_transform(CAST(tags AS JSON[]),
			lambda t: CASE WHEN coalesce(t->>'Key', t->>'TagKey') = k THEN coalesce(t->>'Value', t->>'TagValue', '') END), lambda v: v IS NOT NULL)[1]
		END`, nil)
}

// Quote writes a name as DuckDB reads it.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
