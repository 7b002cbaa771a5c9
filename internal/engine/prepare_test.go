package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A part of a statement may mention $2 alone: numbers lose their gaps, and
// nothing moves.
func TestBound(t *testing.T) {
	t.Parallel()
	e := &DB{positional: []any{"a", "b", "c", 4, 5, 6, 7, 8, 9, 10, 11, "l"}}
	check := func(text, want string, values ...any) {
		t.Helper()
		got, bound := e.bound(text, nil)
		if got != want || !cmp.Equal(bound, values, cmpopts.EquateEmpty()) {
			t.Errorf("%s: got %q %v, want %q %v", text, got, bound, want, values)
		}
	}
	check("$1 $2", "$1 $2", "a", "b")
	check("$2 $1 $2", "$1 $2 $1", "b", "a")
	check("x = $12 AND y = $3", "x = $1  AND y = $2", "l", "c")
	check("'$1' $$ $2 $$ -- $3\n$2", "'$1' $$ $2 $$ -- $3\n$1", "b")
	check("$13", "$13")
	check("$x", "$x")
}

func TestSign(t *testing.T) {
	t.Parallel()
	db := open(t)
	if err := db.Exec(t.Context(), "CREATE TABLE t (i BIGINT, s VARCHAR, d DATE, n DECIMAL(9,2), l VARCHAR[])", nil); err != nil {
		t.Fatal(err)
	}
	check := func(text, params, columns string, types ...string) {
		t.Helper()
		sig, err := db.Sign(t.Context(), text, types)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		var cols []string
		for _, c := range sig.Columns {
			cols = append(cols, c.Type)
		}
		if got := strings.Join(sig.Params, " ") + " -> " + strings.Join(cols, " "); got != params+" -> "+columns {
			t.Errorf("%s\n got %s\nwant %s -> %s", text, got, params, columns)
		}
	}
	check("SELECT i, s FROM t WHERE i > $1 AND s = $2 AND d < $3 AND n = $4", "BIGINT VARCHAR DATE DECIMAL", "BIGINT VARCHAR")
	check("SELECT i FROM t WHERE s = $2 LIMIT $1", "BIGINT VARCHAR", "BIGINT")
	check("SELECT $1", "", "VARCHAR")
	check("SELECT $1", "BIGINT", "BIGINT", "BIGINT")
	check("SELECT $1 + 1", "DECIMAL", "DOUBLE")
	check("SELECT i - $1::BIGINT FROM t", "BIGINT", "BIGINT")
	check("SELECT date_trunc('day', $1)", "TIMESTAMP", "TIMESTAMP")
	check("SELECT * FROM range($1)", "BIGINT", "BIGINT")
	check("SELECT s FROM t WHERE s = ANY($1)", "VARCHAR[]", "VARCHAR")
	check("SELECT 1", "", "INTEGER")
	if _, err := db.Sign(t.Context(), "SELECT nope + $1", nil); err == nil || !strings.Contains(err.Error(), "nope") {
		t.Errorf("an unknown column: %v", err)
	}
	if got := show(t, db, "SELECT 1", nil); got != "1 INTEGER\n1" {
		t.Errorf("afterwards: %s", got)
	}
}

func TestPositional(t *testing.T) {
	t.Parallel()
	db := open(t)
	db.Positional([]any{int64(3), "x", nil})
	if got := show(t, db, "SELECT $2 AS a, $1 + 1 AS b, $3 AS c", nil); !strings.HasSuffix(got, "\nx | 4 | <nil>") {
		t.Error(got)
	}
	db.Positional(nil)
}

// A confined instance reaches nothing outside, and spills all the same.
func TestConfine(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "not", "there")
	db, err := Open(t.Context(), Options{TempDir: dir, Confine: &Confinement{Memory: 24 << 20, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range []string{"SET threads = 4", "RESET lock_configuration", "FROM read_text('/etc/passwd')", "ATTACH '/tmp/x.db'", "COPY (SELECT 1) TO '/tmp/x.csv'", "INSTALL httpfs"} {
		if err := db.Exec(t.Context(), text, nil); err == nil {
			t.Errorf("%s works", text)
		}
	}
	if err := db.Exec(t.Context(), "SET TimeZone = 'Europe/Berlin'; CREATE TABLE t AS SELECT md5(x::VARCHAR) AS s FROM range(500000) r(x) ORDER BY s", nil); err != nil {
		t.Error(err)
	}
	if spilled, err := os.ReadDir(dir); err != nil || len(spilled) != 1 {
		t.Errorf("spilled to %v, %v", spilled, err)
	}
}

// Strangers call what gives the same for the same, and what is on the list.
func TestPermit(t *testing.T) {
	t.Parallel()
	db := open(t)
	check := func(text string, want bool, own ...string) {
		t.Helper()
		tree, err := db.Parse(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, n := range own {
			names[n] = true
		}
		if err := db.Permit(tree, text, names); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	check("SELECT lower(x), sum(1) OVER (), list_filter([1], lambda y: y > 0) FROM range(3) t(x)", true)
	check("SELECT now(), random(), uuid()", true)
	check("SELECT x.lower() FROM (VALUES ('A')) t(x)", true)
	check("SELECT 'duckdb_logs', \"glob\" FROM (SELECT 1 AS glob)", true)
	check("FROM glob('*')", false)
	check("SELECT (SELECT count(*) FROM duckdb_settings())", false)
	check("FROM duckdb_columns", false)
	check("FROM 'duckdb_columns'", false)
	check("FROM information_schema.tables", true)
	check("SELECT current_setting('threads')", false)
	check("SELECT current_setting('threads')", true, "current_setting")
	check("SELECT main.current_setting('threads')", false, "current_setting")
	check("SELECT x.current_setting() FROM (VALUES ('threads')) t(x)", false)
	check("FROM pg_settings", false)
	check("FROM pg_settings", true, "pg_settings")
}

func TestConnect(t *testing.T) {
	t.Parallel()
	db := open(t)
	if err := db.Exec(t.Context(), "CREATE TABLE shared AS SELECT 1 AS x", nil); err != nil {
		t.Fatal(err)
	}
	for range 2 { // what is temporary ends with the connection
		c, err := db.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Exec(t.Context(), "CREATE TEMP TABLE own AS FROM shared", nil); err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if d := cmp.Diff("x INTEGER\n1", show(t, db, "FROM shared", nil)); d != "" {
		t.Error(d)
	}
}
