// Package pgcatalog answers what PostgreSQL's clients ask about tables: queries
// of pg_catalog and information_schema, and PostgreSQL's functions about them.
//
// There is one engine instance for all clients of a process, filled with a row
// for every table and column when the first client asks, and read only from
// then on. Queries run in it as they are written, but for a rewriting of single
// tokens (rewrite.go) where PostgreSQL's spelling is none of DuckDB's. No query
// is known by its text: relations.txt holds the columns that PostgreSQL 15's
// own relations have, catalog.sql what fills them and the functions.
//
// PostgreSQL's terms map so: the database is aws, a schema is a service, a
// table is a table (the singular twins too), the primary key is account_id,
// region and identifier, and a comment is the resource type or a column's notes.
package pgcatalog

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/syntax"
)

// A Catalog is what all clients share. It is safe for concurrent use.
type Catalog struct {
	tables *catalog.Catalog
	notes  func(*catalog.Table, catalog.Column) string

	mu sync.Mutex // guards the rest
	db *engine.DB // nil until somebody asks
}

// New makes a catalog of tables; nil is the embedded one. notes gives what is to
// be said about a column.
func New(tables *catalog.Catalog, notes func(*catalog.Table, catalog.Column) string) *Catalog {
	if tables == nil {
		tables = catalog.Embedded()
	}
	tables = tables.WithCloudControl()
	return &Catalog{tables: tables, notes: notes}
}

// memory is what questions may take, all clients' together.
const memory = 1 << 30

// open gives a connection to the instance, and that, which it makes if it is the
// first.
func (c *Catalog) open(ctx context.Context) (db, of *engine.DB, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.db == nil {
		db, err := engine.Open(ctx, engine.Options{Confine: &engine.Confinement{Memory: memory}})
		if err != nil {
			return nil, nil, err
		}
		// Whoever asks first may go away; the others wait for the same.
		if err := c.fill(context.WithoutCancel(ctx), db); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("make pg_catalog: %w", err), db.Close())
		}
		c.db = db
	}
	db, err = c.db.Connect(ctx)
	return db, c.db, err
}

// has reports whether an instance is the one in use.
func (c *Catalog) has(db *engine.DB) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.db == db
}

// drop has the next client make another instance, if this one is still in use.
func (c *Catalog) drop(dead *engine.DB) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.db == dead {
		c.db.Close() // it is dead
		c.db = nil
	}
}

// Close frees the instance.
func (c *Catalog) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.db == nil {
		return nil
	}
	err := c.db.Close()
	c.db = nil
	return err
}

// A Client is who asks.
type Client struct {
	User    string
	Process uint32
	// Settings gives the client's settings, by the names PostgreSQL writes.
	Settings func() map[string]string
}

// A Conn answers one client. It is not safe for concurrent use.
type Conn struct {
	catalog  *Catalog
	client   Client
	db       *engine.DB // nil until something is asked
	of       *engine.DB // the instance that db is a connection to
	settings map[string]string
}

// Connect makes a client's connection. It opens nothing yet.
func (c *Catalog) Connect(client Client) *Conn { return &Conn{catalog: c, client: client} }

// Close frees the connection.
func (c *Conn) Close() error {
	if c == nil || c.db == nil {
		return nil
	}
	return c.db.Close()
}

// Prepare finds out what a query takes and gives.
func (c *Conn) Prepare(ctx context.Context, st syntax.Statement, types []string) (engine.Signature, error) {
	text, err := c.ready(ctx, st)
	if err != nil {
		return engine.Signature{}, err
	}
	sig, err := c.db.Sign(ctx, text.Text, types)
	c.db.Note(err)
	return sig, here(err, text)
}

// Query runs a query with the values of $1, $2 ….
func (c *Conn) Query(ctx context.Context, st syntax.Statement, values []any) (*engine.Rows, error) {
	text, err := c.ready(ctx, st)
	if err != nil {
		return nil, err
	}
	c.db.Positional(values)
	defer c.db.Positional(nil)
	rows, err := c.db.Query(ctx, text.Text, nil)
	c.db.Note(err)
	return rows, here(err, text)
}

// heal leaves an instance that DuckDB has given up, whoever brought that about.
func (c *Conn) heal() error {
	if c.db == nil {
		return nil
	}
	if c.db.Dead() {
		c.catalog.drop(c.of)
	} else if c.catalog.has(c.of) {
		return nil
	}
	err := c.db.Close()
	c.db = nil
	return err
}

// ready opens the connection, and gives the text to run.
func (c *Conn) ready(ctx context.Context, st syntax.Statement) (syntax.Rewritten, error) {
	text := rewrite(st)
	if err := c.heal(); err != nil {
		return text, err
	}
	if c.db == nil {
		db, of, err := c.catalog.open(ctx)
		if err != nil {
			return text, err
		}
		c.db, c.of, c.settings = db, of, nil
		if err := c.introduce(ctx); err != nil {
			return text, err
		}
	}
	if err := c.follow(ctx); err != nil {
		return text, err
	}
	tree, err := c.db.Parse(ctx, text.Text)
	if err != nil {
		tree = nil // the engine says what is wrong with it
	}
	return text, c.db.Permit(tree, text.Text, own())
}

//go:embed session.sql
var sessionSQL string

// introduce makes what is different for every client.
func (c *Conn) introduce(ctx context.Context) error {
	text := strings.NewReplacer("{user}", syntax.Literal(c.client.User), "{process}", fmt.Sprint(c.client.Process)).Replace(sessionSQL)
	return c.db.Exec(ctx, text, nil)
}

// follow brings the client's settings up to date.
func (c *Conn) follow(ctx context.Context) error {
	now := c.client.Settings()
	if maps.Equal(now, c.settings) {
		return nil
	}
	var rows, pairs []string
	for name, value := range now {
		rows = append(rows, "("+syntax.Literal(name)+", "+syntax.Literal(value)+")")
		pairs = append(pairs, syntax.Literal(strings.ToLower(name))+": "+syntax.Literal(value))
	}
	var names []string
	for _, t := range syntax.Lex(now["search_path"]) {
		if t.IsName() && t.Text != "$user" && t.Text != "pg_catalog" {
			names = append(names, t.Text)
		}
	}
	schemas, err := c.existing(ctx, names)
	if err != nil {
		return err
	}
	text := "DELETE FROM temp.skyql_settings; INSERT INTO temp.skyql_settings VALUES " + strings.Join(rows, ", ") + ";" + stateSQL("pg_catalog", schemas, pairs)
	if tz := now["TimeZone"]; tz != "" && tz != c.settings["TimeZone"] {
		text += "; SET TimeZone = " + syntax.Literal(tz)
	}
	if err := c.db.Exec(ctx, text, nil); err != nil {
		return err
	}
	c.settings = now
	return nil
}

// existing gives those of some schemas that are there, in their order.
func (c *Conn) existing(ctx context.Context, names []string) (out []string, err error) {
	have, err := c.db.Strings(ctx, "SELECT nspname FROM pg_namespace")
	for _, name := range names {
		if slices.Contains(have, name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, err
}

// stateSQL makes the functions that tell the search path and settings. They are
// constants, so that they can be arguments of functions in FROM; that is also
// why a setting that isn't there fails as a cast.
func stateSQL(system string, path, settings []string) string {
	list := func(names []string) string {
		var out []string
		for _, n := range names {
			out = append(out, syntax.Literal(n))
		}
		return "[" + strings.Join(out, ", ") + "]::VARCHAR[]"
	}
	all := append([]string{system}, path...)
	current := "NULL::VARCHAR"
	if len(path) > 0 {
		current = syntax.Literal(path[0])
	}
	return `
CREATE OR REPLACE TEMP MACRO current_schemas(implicit) AS CASE WHEN implicit THEN ` + list(all) + ` ELSE ` + list(path) + ` END;
CREATE OR REPLACE TEMP MACRO current_schema() AS ` + current + `;
CREATE OR REPLACE TEMP MACRO current_setting(n) AS coalesce(map {` + strings.Join(settings, ", ") + `}[lower(n)], CAST('unrecognized configuration parameter "' || n || '"' AS INTEGER)::VARCHAR), (n, missing) AS map {` + strings.Join(settings, ", ") + `}[lower(n)];
DELETE FROM temp.skyql_path; INSERT INTO temp.skyql_path SELECT oid, nspname FROM pg_namespace WHERE nspname IN ` + strings.TrimSuffix(list(all), "::VARCHAR[]")
}
