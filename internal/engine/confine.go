package engine

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// A Confinement is what an instance that runs statements of others may use.
type Confinement struct {
	Memory  int64 // bytes; 0: DuckDB's default
	Threads int   // 0: DuckDB's default
}

// confine takes away from an instance what reaches out of it, and then the way
// back. Only the time zone stays a client's to choose.
func (e *DB) confine(ctx context.Context, c Confinement) error {
	var b strings.Builder
	if c.Memory > 0 {
		fmt.Fprintf(&b, "SET memory_limit = '%d B';", c.Memory)
	}
	if c.Threads > 0 {
		fmt.Fprintf(&b, "SET threads = %d;", c.Threads)
	}
	b.WriteString("SET TimeZone = 'UTC'; SET allowed_configs = ['TimeZone']; SET autoinstall_known_extensions = false; SET autoload_known_extensions = false;" +
		"SET enable_external_access = false; SET lock_configuration = true")
	return e.Exec(ctx, b.String(), nil)
}

// Connect opens another connection to the same instance, with temporary tables
// and macros of its own.
func (e *DB) Connect(ctx context.Context) (*DB, error) {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open DuckDB: %w", err)
	}
	return &DB{conn: conn}, nil
}

// builtin are DuckDB's own functions and relations. Every instance has the same.
type builtin struct {
	functions map[string]bool // by name: whether strangers may call it
	relations map[string]bool
}

var builtins = sync.OnceValues(func() (*builtin, error) {
	ctx := context.Background()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	e := &DB{conn: conn}
	defer conn.Close()
	b := &builtin{map[string]bool{}, map[string]bool{}}
	functions, err := e.Strings(ctx, "SELECT DISTINCT function_type || ' ' || coalesce(stability, '-') || ' ' || function_name FROM duckdb_functions()")
	if err != nil {
		return nil, err
	}
	for _, f := range functions {
		part := strings.SplitN(f, " ", 3)
		ok := part[0] == "macro" || (part[0] == "scalar" || part[0] == "aggregate") && part[1] == "CONSISTENT"
		before, seen := b.functions[part[2]]
		b.functions[part[2]] = ok && (before || !seen)
	}
	for name, ok := range exceptions {
		b.functions[name] = ok
	}
	relations, err := e.Strings(ctx, "SELECT view_name FROM duckdb_views() WHERE internal AND schema_name <> 'information_schema'")
	for _, r := range relations {
		b.relations[r] = true
	}
	return b, err
})

// exceptions are functions about which the rule (what always gives the same for
// the same arguments reaches nothing else) says the wrong thing.
var exceptions = map[string]bool{
	"range": true, "generate_series": true, "unnest": true, "json_each": true, "json_tree": true, "repeat": true, "histogram": true, "histogram_values": true,
	"now": true, "today": true, "current_date": true, "transaction_timestamp": true, "get_current_time": true, "get_current_timestamp": true,
	"random": true, "uuid": true, "uuidv4": true, "uuidv7": true, "gen_random_uuid": true, "error": true, "pg_timezone_names": true,
	"current_setting": false, "json_execute_serialized_sql": false, "json_deserialize_sql": false, // a broken tree ends the instance
	"in_search_path": false,
}

// Permit refuses a statement that uses what strangers may not: a function or
// relation of DuckDB's that is not known to be harmless. tree is the
// statement's, of which the text may hold parts that the tree leaves out; nil:
// there is none. own are further functions and relations that are allowed.
func (e *DB) Permit(tree []byte, text string, own map[string]bool) error {
	b, err := builtins()
	if err != nil {
		return err
	}
	check := func(name, schema string, at int) error {
		name = strings.ToLower(name)
		if ok, known := b.functions[name]; known && !ok && (!own[name] || schema != "") {
			return sqlerr.New(sqlerr.InsufficientPriv, "function %s can't be used here", name).At(text, at)
		}
		return nil
	}
	toks := syntax.Lex(text)
	for i, t := range toks {
		if t.IsName() && i+1 < len(toks) && toks[i+1].IsOp("(") {
			if err := check(t.Text, "", t.Pos); err != nil {
				return err
			}
		}
	}
	var refused error
	walk(gjson.ParseBytes(tree), func(node gjson.Result) {
		if f := node.Get("function_name"); f.Exists() && refused == nil {
			refused = check(f.String(), node.Get("schema").String()+node.Get("catalog").String(), -1)
		}
		if name := strings.ToLower(node.Get("table_name").String()); b.relations[name] && !own[name] && refused == nil &&
			!strings.EqualFold(node.Get("schema_name").String(), "information_schema") {
			refused = sqlerr.New(sqlerr.InsufficientPriv, "relation %s can't be read here", name)
		}
	})
	return refused
}

// walk calls f for every object of a document.
func walk(v gjson.Result, f func(gjson.Result)) {
	if v.IsObject() {
		f(v)
	}
	if v.IsObject() || v.IsArray() {
		v.ForEach(func(_, child gjson.Result) bool {
			walk(child, f)
			return true
		})
	}
}
