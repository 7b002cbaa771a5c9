package pgwire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skyql/skyql/internal/engine"
)

// Parameters have the types of what they are used with, and narrow as constants
// do.
func TestParams(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	c := s.client(t)
	check := func(want, sql string, args ...any) {
		t.Helper()
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
			rows, err := c.Query(t.Context(), sql, append([]any{mode}, args...)...)
			if err != nil {
				t.Errorf("%s: %v", sql, err)
				continue
			}
			var got []string
			for rows.Next() {
				values, err := rows.Values()
				if err != nil {
					t.Error(err)
				}
				got = append(got, strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(values), "["), "]"))
			}
			if err := rows.Err(); err != nil {
				t.Errorf("%v %s: %v", mode, sql, err)
			} else if d := strings.Join(got, ", "); d != want {
				t.Errorf("%v %s: got %s, want %s", mode, sql, d, want)
			}
		}
	}
	check("3", "SELECT $1::BIGINT + 1", int64(2))
	check("x", "SELECT $1::VARCHAR", "x")
	check("1, 2", "SELECT x FROM range(10) t(x) WHERE x > $1 AND x < $2 ORDER BY x", 0, 3)
	check("4", "SELECT x FROM range(10) t(x) WHERE x < $2 AND x > $1 ORDER BY x", 3, 5)
	check("7", "SELECT x FROM range(10) t(x) ORDER BY x LIMIT $1 OFFSET $2", 1, 7)
	check("true", "SELECT $1::BOOLEAN", true)
	check("a", "SELECT 'a' WHERE 1.25::DECIMAL(9,2) > $1", 1.2)
	check("a", "SELECT 'a' WHERE DATE '2026-01-02' > $1", "2026-01-01")
	check("<nil>", "SELECT $1::VARCHAR", nil)
	s.cloud.ResetCalls()
	users := s.cloud.Identifiers("111122223333", "us-east-1", "AWS::Connect::User")
	var name string
	if err := c.QueryRow(t.Context(), "SELECT username FROM connect.users WHERE region = $1 AND identifier = $2", "us-east-1", users[0]).Scan(&name); err != nil {
		t.Fatal(err)
	}
	if calls := s.cloud.Calls(); calls["GetResource"] != 1 || calls["ListResources"] != 0 {
		t.Errorf("a key in a parameter: %v", calls)
	}
	var size int64
	if err := c.QueryRow(t.Context(), "SELECT max(size) FROM ec2.volumes WHERE size > $1 AND region = $2", 100, "us-east-1").Scan(&size); err != nil || size <= 100 {
		t.Errorf("%d %v", size, err)
	}
}

// A parameter that can't be what it is declared as is an error that names it.
func TestWrongParams(t *testing.T) {
	t.Parallel()
	c := serve(t, nil).client(t).PgConn()
	check := func(want, sql string, oids []uint32, values ...[]byte) {
		t.Helper()
		if got := code(c.ExecParams(t.Context(), sql, values, oids, nil, nil).Read().Err); got != want {
			t.Errorf("%s: got %q, want %s", sql, got, want)
		}
	}
	check("22P02", "SELECT $1", []uint32{pgtype.Int8OID}, []byte("x"))
	check("22021", "SELECT $1", nil, []byte("a\xff"))
	check("08P01", "SELECT $1", nil)
	check("42P18", "SELECT $2", nil, []byte("a"), []byte("b"))
	check("54023", "SELECT $70000", nil)
	check("22003", "SELECT $1 > 1", []uint32{pgtype.NumericOID}, []byte("1.23456789012345678"))
	check("42601", "SELECT 1; SELECT 2", nil)
}

// Describe tells types and asks nobody.
func TestDescribe(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	c := s.client(t)
	d, err := c.Prepare(t.Context(), "s", "SELECT username, tags, security_profile_arns, phone_config.AutoAccept AS a, count(*) OVER () AS n, 1.5::DECIMAL(5,1) FROM connect.users WHERE region = $1 AND after_contact_work_configs IS NOT NULL LIMIT $2")
	if err != nil {
		t.Fatal(err)
	}
	var got []uint32
	for _, f := range d.Fields {
		got = append(got, f.DataTypeOID)
	}
	if diff := cmp.Diff([]uint32{pgtype.TextOID, pgtype.JSONOID, pgtype.TextArrayOID, pgtype.BoolOID, pgtype.Int8OID, pgtype.NumericOID}, got); diff != "" {
		t.Error(diff)
	}
	if d.Fields[5].TypeModifier != 5<<16+1+4 {
		t.Errorf("modifier %d", d.Fields[5].TypeModifier)
	}
	if diff := cmp.Diff([]uint32{pgtype.TextOID, pgtype.Int8OID}, d.ParamOIDs); diff != "" {
		t.Error(diff)
	}
	if calls := s.cloud.Calls(); len(calls) != 0 {
		t.Errorf("calls %v", calls)
	}
	if _, err := c.Prepare(t.Context(), "p", "PIVOT (SELECT 1 AS a, 2 AS b) ON a USING sum(b)"); code(err) != "0A000" {
		t.Errorf("a PIVOT: %v", err)
	}
	if got := all(t, c, "PIVOT (SELECT 1 AS a, 2 AS b) ON a USING sum(b)"); got != "2" {
		t.Errorf("a PIVOT, simply: %s", got)
	}
}

// What was promised is kept, or an error.
func TestPromise(t *testing.T) {
	t.Parallel()
	col := func(typ string, kind engine.Kind) engine.Column {
		return engine.Column{Name: "c", Type: typ, Kind: kind}
	}
	check := func(promised, actual engine.Column, v any, want string) {
		t.Helper()
		e := encoder{column: promised, typ: typeOf(promised), actual: actual}
		got, err := e.append(nil, v)
		if err != nil {
			got = []byte("error")
		}
		if string(got) != want {
			t.Errorf("%v promised as %s: got %s, want %s", v, promised.Type, got, want)
		}
	}
	json := col("JSON", engine.JSON)
	check(col("BIGINT", engine.Integer), json, "12", "12")
	check(col("BIGINT", engine.Integer), json, `"12"`, "12")
	check(col("BIGINT", engine.Integer), json, `"abc"`, "error")
	check(col("INTEGER", engine.Integer), col("BIGINT", engine.Integer), int64(1<<40), "error")
	check(col("VARCHAR", engine.Text), json, `"abc"`, "abc")
	check(col("VARCHAR", engine.Text), json, `{"a":1}`, `{"a":1}`)
	check(col("VARCHAR", engine.Text), col("BIGINT", engine.Integer), int64(5), "5")
	check(col("DOUBLE", engine.Float), col("HUGEINT", engine.Decimal), "17", "17")
	check(col("BOOLEAN", engine.Bool), json, "true", "t")
	check(col("BOOLEAN", engine.Bool), json, "{}", "error")
	check(col("VARCHAR[]", engine.JSON), json, `["a"]`, `{"a"}`)
	check(col("VARCHAR[]", engine.JSON), json, `{"a":1}`, "error")
	check(col("DATE", engine.Text), col("VARCHAR", engine.Text), "2026-01-02", "2026-01-02")
	check(col("DATE", engine.Text), col("VARCHAR", engine.Text), "soon", "error")
}

func TestErrors(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	c := s.client(t)
	check := func(sql, wantCode, at, message, hint string) {
		t.Helper()
		_, err := c.PgConn().Exec(t.Context(), sql).ReadAll()
		var e *pgconn.PgError
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", sql, err)
			return
		}
		got := ""
		if e.Position > 0 {
			got = string([]rune(sql)[e.Position-1:])
		}
		if e.Code != wantCode || !strings.HasPrefix(got, at) || (at == "") != (got == "") || !strings.Contains(e.Message, message) || !strings.Contains(e.Hint, hint) {
			t.Errorf("%s\n got %s %q at %q, hint %q", sql, e.Code, e.Message, got, e.Hint)
		}
	}
	check("SELECT 'ä'; SELECT 'öö', nope FROM connect.users", "42703", "nope", "nope", "DESCRIBE")
	check("SELECT 1 FROM connect.usrs", "42P01", "connect.usrs", "usrs", "connect.users")
	check("SELEC 1", "42601", "SELEC", "syntax error", "SELECT")
	check("VACUUM", "0A000", "VACUUM", "not a statement of this server", "")
	check("SELECT 1 1", "42601", "1", "syntax error", "")
	check("SELECT * FROM connect.user", "42601", "connect.user", "needs an identifier", "WHERE identifier")
	check("DELETE FROM ec2.vpcs", "25006", "DELETE", "only reads", "")
	check("COPY (SELECT nope FROM connect.users) TO STDOUT", "42703", "nope", "nope", "")
	check("COPY connect.users (nope) TO STDOUT", "42703", "", "nope", "")
	check("PREPARE p AS SELECT 'ä', nope FROM connect.users", "42703", "nope", "nope", "")
	check("EXPLAIN SELECT 1 FROM connect.usrs", "42P01", "connect.usrs", "usrs", "")
	check("SET nope = 1", "42704", "nope", "unrecognized", "regions")
	check("SET regions = 'mars'", "22023", "regions", "mars", "all")
	check("EXECUTE nope", "26000", "", "nope", "")
	check("FETCH 1 FROM nope", "34000", "nope", "nope", "")
	check("SELECT pg_catalog.nope(1)", "42883", "nope", "nope", "")
	if got := all(t, c, ""); got != "" {
		t.Errorf("an empty query: %q", got)
	}
}

// A portal gives its rows in parts, while other statements run.
func TestPortals(t *testing.T) {
	t.Parallel()
	c := serve(t, nil).client(t)
	tx, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := all(t, c, "DECLARE a CURSOR FOR SELECT x FROM range(10) t(x) ORDER BY x"); got != "DECLARE CURSOR" {
		t.Error(got)
	}
	if got := all(t, c, "FETCH 3 FROM a"); got != "0\n1\n2" {
		t.Error(got)
	}
	if got := all(t, c, "SELECT 42"); got != "42" {
		t.Error(got)
	}
	if got := all(t, c, "MOVE FORWARD 2 FROM a; FETCH a; FETCH FORWARD ALL IN a; FETCH a"); got != "MOVE 2\n5\n6\n7\n8\n9\nFETCH 0" {
		t.Error(got)
	}
	if got := all(t, c, "CLOSE a"); got != "CLOSE CURSOR" {
		t.Error(got)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(t.Context(), "DECLARE a CURSOR FOR SELECT 1"); code(err) != "25P01" {
		t.Errorf("outside a block: %v", err)
	}
	if got := all(t, c, "DECLARE b CURSOR WITH HOLD FOR SELECT 7"); got != "DECLARE CURSOR" {
		t.Error(got)
	}
	if got := all(t, c, "FETCH b; CLOSE ALL"); got != "7\nCLOSE CURSOR ALL" {
		t.Error(got)
	}
}

// An error in a pipeline ends it as far as the next Sync, and no further.
func TestPipeline(t *testing.T) {
	t.Parallel()
	c := serve(t, nil).client(t)
	p := c.PgConn().StartPipeline(t.Context())
	p.SendQueryParams("SELECT 1", nil, nil, nil, nil)
	p.SendQueryParams("SELECT nope", nil, nil, nil, nil)
	p.SendQueryParams("SELECT 2", nil, nil, nil, nil)
	if err := p.Sync(); err != nil {
		t.Fatal(err)
	}
	p.SendQueryParams("SELECT 3", nil, nil, nil, nil)
	if err := p.Sync(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		r, err := p.GetResults()
		if err != nil {
			got = append(got, code(err))
			continue
		}
		if r == nil {
			break
		}
		switch r := r.(type) {
		case *pgconn.ResultReader:
			res := r.Read()
			got = append(got, string(res.Rows[0][0]))
		case *pgconn.PipelineSync:
			got = append(got, "sync")
		}
	}
	if err := p.Close(); err != nil && code(err) == "" {
		t.Error(err)
	}
	if d := cmp.Diff([]string{"1", "42703", "sync", "3", "sync"}, got); d != "" {
		t.Error(d)
	}
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	c := serve(t, nil).client(t)
	check := func(sql, want string, status byte) {
		t.Helper()
		got, err := c.PgConn().Exec(t.Context(), sql).ReadAll()
		tag := code(err)
		if err == nil && len(got) > 0 {
			tag = got[len(got)-1].CommandTag.String()
		}
		if tag != want || c.PgConn().TxStatus() != status {
			t.Errorf("%s: got %s %c, want %s %c", sql, tag, c.PgConn().TxStatus(), want, status)
		}
	}
	check("BEGIN", "BEGIN", 'T')
	check("SELECT 1", "SELECT 1", 'T')
	check("SELECT nope", "42703", 'E')
	check("SELECT 1", "25P02", 'E')
	check("COMMIT", "ROLLBACK", 'I')
	check("START TRANSACTION READ ONLY", "START TRANSACTION", 'T')
	check("SAVEPOINT a", "SAVEPOINT", 'T')
	check("SELECT nope", "42703", 'E')
	check("ROLLBACK TO SAVEPOINT a", "ROLLBACK", 'T')
	check("RELEASE a", "RELEASE", 'T')
	check("RELEASE a", "3B001", 'E')
	check("ROLLBACK", "ROLLBACK", 'I')
	check("COMMIT", "COMMIT", 'I')
	check("BEGIN; SET application_name = 'x'; SET LOCAL extra_float_digits = 3; COMMIT", "COMMIT", 'I')
	if got := all(t, c, "SHOW application_name; SHOW extra_float_digits"); got != "x\n1" {
		t.Error(got)
	}
	check("BEGIN; SET regions = 'eu-west-1'; SET LOCAL allow_all_rows = true; COMMIT", "COMMIT", 'I')
	check("BEGIN; SET max_changes = 7; SET LOCAL allow_all_rows = true; ROLLBACK; SET LOCAL confirm = 'apply'; SET LOCAL allow_all_rows = true", "SET", 'I')
	if got := all(t, c, "SHOW regions; SHOW allow_all_rows; SHOW max_changes; SHOW confirm"); got != "eu-west-1\nfalse\n50\nplan" {
		t.Error(got)
	}
	check("BEGIN; SET application_name = 'y'; ROLLBACK", "ROLLBACK", 'I')
	if got := all(t, c, "SHOW application_name"); got != "x" {
		t.Error(got)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	c := serve(t, nil).client(t)
	check := func(sql, want string) {
		t.Helper()
		if got := all(t, c, sql); got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
	check("SHOW server_version", "15.0")
	check("SHOW statement_timeout", "5min")
	check("SET statement_timeout = 1500; SHOW statement_timeout; RESET statement_timeout; SHOW statement_timeout", "SET\n1500ms\nRESET\n5min")
	check("SET client_encoding TO 'utf8'; SET NAMES 'UTF8'; SET DateStyle = ISO, DMY; SET TIME ZONE 'Europe/Berlin'; SHOW TimeZone", "SET\nSET\nSET\nSET\nEurope/Berlin")
	check("SELECT TIMESTAMPTZ '2026-01-02 03:04:05+00'", "2026-01-02 04:04:05+01")
	check("SET search_path = s3, public; SELECT count(*) FROM buckets", "SET\n5")
	check("SHOW search_path; SELECT current_schema()", "s3, public\ns3")
	check("USE ec2; SHOW search_path; SELECT count(*) > 0 FROM vpcs", "USE\nec2, public\nt")
	check("SET regions = 'us-east-1,eu-west-1'; SHOW regions; RESET ALL; SHOW regions", "SET\nus-east-1,eu-west-1\nRESET\n")
	check("SET my.own = 'x'; SHOW my.own", "SET\nx")
	check("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SHOW TRANSACTION ISOLATION LEVEL", "SET\nread committed")
	check("DISCARD ALL; UNLISTEN *", "DISCARD\nUNLISTEN")
	check("SELECT set_config('TimeZone', 'Europe/Berlin', false); SHOW TimeZone; SELECT pg_catalog.set_config('search_path', '', false); SELECT set_config('regions', 'us-east-1', false); RESET ALL", "Europe/Berlin\nEurope/Berlin\npg_catalog\nus-east-1\nRESET")
	var zone string
	if err := c.QueryRow(t.Context(), "SELECT set_config($1, $2, $3)", "TimeZone", "America/New_York", false).Scan(&zone); err != nil || zone != "America/New_York" {
		t.Errorf("%s %v", zone, err)
	}
	if got := c.PgConn().ParameterStatus("standard_conforming_strings"); got != "on" {
		t.Error(got)
	}
	for _, sql := range []string{"SET client_encoding = 'latin1'", "SET server_version = '9'", "SET TimeZone = 'Mars'", "SET statement_timeout = 'soon'", "SET memory_limit = '1GB'", "SET", "SET x", "RESET", "SHOW nope", "SELECT set_config('nope', 'x', false)", "SELECT set_config('a;b', 'x', false)", "SELECT set_config('TimeZone', 1 + 1, false)"} {
		if _, err := c.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); code(err) == "" {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestPrepared(t *testing.T) {
	t.Parallel()
	c := serve(t, nil).client(t)
	if got := all(t, c, "PREPARE p (bigint) AS SELECT $1 + 1; EXECUTE p(41); EXECUTE p(-1); DEALLOCATE p"); got != "PREPARE\n42\n0\nDEALLOCATE" {
		t.Error(got)
	}
	for _, sql := range []string{"EXECUTE p(1)", "PREPARE q", "PREPARE q AS SELECT $1::BIGINT; EXECUTE q", "EXECUTE q(1, 2)", "EXECUTE"} {
		if _, err := c.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); code(err) == "" {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	c := serve(t, nil).client(t)
	check := func(sql, want string) {
		t.Helper()
		var b bytes.Buffer
		if _, err := c.PgConn().CopyTo(t.Context(), &b, sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		} else if b.String() != want {
			t.Errorf("%s\n got %q\nwant %q", sql, b.String(), want)
		}
	}
	const q = `(SELECT 1 AS a, E'x\ty\\z\n' AS b, NULL AS c, 'p,"q"' AS d, '' AS e)`
	check("COPY "+q+" TO STDOUT", "1\tx\\ty\\\\z\\n\t\\N\tp,\"q\"\t\n")
	check("COPY "+q+" TO STDOUT (FORMAT csv, HEADER)", "a,b,c,d,e\n1,\"x\ty\\z\n\",,\"p,\"\"q\"\"\",\"\"\n")
	check("COPY "+q+" TO STDOUT WITH CSV HEADER DELIMITER ';' NULL '-'", "a;b;c;d;e\n1;\"x\ty\\z\n\";-;\"p,\"\"q\"\"\";\n")
	check("COPY (SELECT 1 AS a, 'b' AS b) TO STDOUT (FORMAT csv, FORCE_QUOTE (b))", "1,\"b\"\n")
	check("COPY (SELECT 1::BIGINT AS a, NULL AS b) TO STDOUT (FORMAT binary)", "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff")
	check("COPY s3.buckets (region) TO STDOUT", strings.Repeat("us-east-1\n", 5))
	for _, sql := range []string{"COPY x FROM STDIN", "COPY (SELECT 1) TO '/tmp/x'", "COPY (SELECT 1) TO PROGRAM 'x'", "COPY", "COPY (SELECT 1", "COPY (SELECT 1) TO STDOUT (FORMAT xml)", "COPY (SELECT 1) TO STDOUT (NOPE 1)", "COPY (SELECT 1) TO STDOUT (DELIMITER 'xx')", "COPY (DELETE FROM s3.buckets) TO STDOUT"} {
		if _, err := c.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); code(err) == "" {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// Every notice of the session reaches the client, before the end of its
// statement.
func TestNotices(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	var got []string
	config, err := pgx.ParseConfig(s.url())
	if err != nil {
		t.Fatal(err)
	}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { got = append(got, n.Message) }
	c, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	all(t, c, "SELECT count(*) FROM s3.buckets WHERE region = '*'")
	if len(got) != 1 || !strings.Contains(got[0], "matches no row") {
		t.Errorf("%q", got)
	}
	all(t, c, "SET client_min_messages = error; SELECT count(*) FROM s3.buckets WHERE region = '*'")
	if len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// Clients see nothing of each other.
func TestIsolation(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	a, b := s.client(t), s.client(t)
	all(t, a, "SET regions = 'eu-west-1'; PREPARE p AS SELECT 1; USE s3")
	if got := all(t, b, "SHOW regions"); got != "" {
		t.Error(got)
	}
	if _, err := b.Exec(t.Context(), "EXECUTE p", pgx.QueryExecModeSimpleProtocol); code(err) != "26000" {
		t.Error(err)
	}
	if _, err := b.Exec(t.Context(), "SELECT count(*) FROM buckets", pgx.QueryExecModeSimpleProtocol); code(err) != "42P01" {
		t.Error(err)
	}
	if got := all(t, b, "SELECT current_user, current_schema()"); got != "someone|public" {
		t.Error(got)
	}
}
