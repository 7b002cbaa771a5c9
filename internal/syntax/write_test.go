package syntax

import (
	"fmt"
	"strings"
	"testing"
)

// A write, and the query that reads what it reads.
func TestWriteReads(t *testing.T) {
	t.Parallel()
	check := func(text, want string) {
		t.Helper()
		st := Split(text)[0]
		w, ok := st.Clauses()
		if !ok {
			t.Errorf("%s: it has not the clauses of a write: %+v", text, w)
			return
		}
		c := w.Reading(st.Text)
		if got := strings.Join(strings.Fields(c.Text), " "); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
		for i := range c.Text { // what was copied knows its place
			if at := c.Offset(i); at >= 0 && c.Text[i] != st.Text[at] {
				t.Errorf("%s: byte %d is %q, and in the statement at %d %q", text, i, c.Text[i], at, st.Text[at])
			}
		}
	}
	check("UPDATE t SET a = 1", `SELECT "t".*, 1 FROM t`)
	check("UPDATE aws.connect.user AS u SET a = b + 1, c = DEFAULT, (d, e) = (1, f(2)) WHERE x IS DISTINCT FROM 1 RETURNING *",
		"SELECT u.*, b + 1, (1, f(2)) FROM aws.connect.user AS u WHERE x IS DISTINCT FROM 1")
	check("WITH s AS (SELECT 1 AS id) UPDATE t u SET a = s.id FROM s, v JOIN w ON v.a = w.a WHERE u.id = s.id",
		"WITH s AS (SELECT 1 AS id) SELECT u.*, s.id FROM t u, s, v JOIN w ON v.a = w.a WHERE u.id = s.id")
	check("UPDATE t SET a = CASE WHEN b IS NULL THEN 'x' ELSE (SELECT max(c) FROM d WHERE e) END", `SELECT "t".*, CASE WHEN b IS NULL THEN 'x' ELSE (SELECT max(c) FROM d WHERE e) END FROM t`)
	check("DELETE FROM connect.users", `SELECT "users".* FROM connect.users`)
	check("DELETE FROM t AS x USING y, z WHERE x.a = y.a AND y.b = z.b RETURNING x.a", "SELECT x.* FROM t AS x, y, z WHERE x.a = y.a AND y.b = z.b")
	check("INSERT INTO t (a, b) VALUES (1, DEFAULT), ('default', 2) RETURNING *", "VALUES (1, NULL), ('default', 2)")
	check("INSERT INTO t (a) SELECT b FROM c JOIN d ON c.x = d.x", "SELECT b FROM c JOIN d ON c.x = d.x")
	check("INSERT INTO t BY NAME FROM c", "FROM c")
	check("WITH c AS (FROM d) INSERT INTO t (SELECT * FROM c)", "WITH c AS (FROM d) (SELECT * FROM c)")
	check("INSERT INTO t DEFAULT VALUES RETURNING a", "")
	check("MERGE INTO aws.sqs.queues q USING wanted w ON q.queue_name = w.name WHEN MATCHED AND q.a <> w.a THEN UPDATE SET a = w.a, b = 2 WHEN NOT MATCHED THEN INSERT (c, d) VALUES (w.name, upper(w.x)) RETURNING merge_action",
		"SELECT *, q.a <> w.a, w.a, 2, (w.name, upper(w.x)) FROM aws.sqs.queues q RIGHT JOIN wanted w ON q.queue_name = w.name")
	check("MERGE INTO t USING (SELECT 1 AS id) s USING (id) WHEN NOT MATCHED BY SOURCE AND t.x THEN DELETE WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED BY TARGET THEN INSERT *",
		"SELECT *, t.x FROM t FULL JOIN (SELECT 1 AS id) s USING (id)")
	check("MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT BY NAME", "SELECT * FROM t RIGHT JOIN s ON t.id = s.id")
}

// What is not cut is left to DuckDB's parser.
func TestNoClauses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"TRUNCATE t", "UPDATE t", "UPDATE t SET", "UPDATE t SET a", "UPDATE t SET a = 1 WHERE", "DELETE FROM", "INSERT INTO t", "MERGE INTO t USING s WHEN MATCHED THEN DELETE",
		"MERGE INTO t USING s ON a = b", "MERGE INTO t USING s ON a = b WHEN MATCHED", "COPY t FROM 'x.csv'", "DELETE FROM t RETURNING", "UPDATE t SET a.b.c"} {
		if w, ok := Split(text)[0].Clauses(); ok {
			t.Errorf("%s is taken as %+v", text, w)
		}
	}
}

func TestSeveral(t *testing.T) {
	t.Parallel()
	check := func(text, want string) {
		t.Helper()
		st := Split(text)[0]
		w, _ := st.Clauses()
		if got := strings.TrimSpace(w.Several(func(s Span) string { return st.Text[s.Pos:s.End] })); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	check("UPDATE t SET a = 1 WHERE b", "")
	check("DELETE FROM t USING s WHERE b", "")
	key := "%s.account_id AS a, %s.region AS r, %s.identifier AS i"
	check("UPDATE t u SET a = s.a FROM s WHERE u.b = s.b", "SELECT a, r, i FROM (SELECT DISTINCT "+strings.ReplaceAll(key, "%s", "u")+", s.a AS va FROM t u, s WHERE u.b = s.b) GROUP BY a, r, i HAVING count(*) > 1 LIMIT 1")
	check("MERGE INTO t USING s ON t.b = s.b WHEN MATCHED THEN DELETE", "SELECT a, r, i FROM (SELECT "+strings.ReplaceAll(key, "%s", `"t"`)+" FROM t JOIN s ON t.b = s.b) GROUP BY a, r, i HAVING count(*) > 1 LIMIT 1")
	check("MERGE INTO t USING s ON t.b = s.b WHEN NOT MATCHED THEN INSERT *", "")
}

func FuzzClauses(f *testing.F) {
	for _, text := range []string{"UPDATE t SET a = 1 FROM b WHERE c RETURNING d", "INSERT INTO t (a) VALUES (1)", "MERGE INTO t USING s ON a WHEN MATCHED THEN UPDATE SET a = CASE WHEN 1 THEN 2 END", "WITH a AS (b) DELETE FROM c USING d", "INSERT OR REPLACE INTO t (", "UPDATE t SET (a", "MERGE INTO t USING s ON a WHEN NOT"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, st := range Split(text) {
			w, ok := st.Clauses()
			if !ok {
				continue
			}
			_ = fmt.Sprint(w.Reading(st.Text).Text, w.Several(func(s Span) string { return st.Text[s.Pos:s.End] }))
			if r := w.Returned(st.Text, "t"); r != nil {
				_ = r.Text
			}
		}
	})
}
