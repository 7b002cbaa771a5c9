package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/sqlerr"
)

func open(t testing.TB) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// show runs a query and writes its rows: name:type headers, then values.
func show(t testing.TB, db *DB, text string, args map[string]string) string {
	t.Helper()
	rows, err := db.Query(t.Context(), text, args)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	var b strings.Builder
	for i, c := range rows.Columns() {
		if i > 0 {
			b.WriteString(" | ")
		}
		fmt.Fprintf(&b, "%s %s", c.Name, c.Type)
	}
	for rows.Next() {
		b.WriteString("\n")
		for i, v := range rows.Values() {
			if i > 0 {
				b.WriteString(" | ")
			}
			fmt.Fprintf(&b, "%v", v)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return b.String()
}

func TestQuery(t *testing.T) {
	t.Parallel()
	db := open(t)
	check := func(text, want string) {
		t.Helper()
		if got := show(t, db, text, map[string]string{"name": "x"}); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	check("SELECT 1 AS a, 'x' AS a, NULL AS n", "a INTEGER | a VARCHAR | n INTEGER\n1 | x | <nil>")
	check("SELECT 12345678901234567890123::HUGEINT AS h, 1.10 AS d, true AS b, 0.1::DOUBLE AS f", "h HUGEINT | d DECIMAL(3,2) | b BOOLEAN | f DOUBLE\n12345678901234567890123 | 1.10 | true | 0.1")
	check(`SELECT '{"n": 12345678901234567890, "a": 1.10}'::JSON AS j, ['a', NULL] AS l, {'k': 1} AS s`,
		"j JSON | l VARCHAR[] | s STRUCT(k INTEGER)\n"+`{"n": 12345678901234567890, "a": 1.10} | ["a",null] | {"k":1}`)
	check("SELECT DATE '2026-01-02' AS d, TIMESTAMP '2026-01-02 03:04:05' AS t", "d DATE | t TIMESTAMP\n2026-01-02 | 2026-01-02 03:04:05")
	check("SELECT x FROM range(3) t(x) ORDER BY x DESC -- last", "x BIGINT\n2\n1\n0")
	check("SELECT $name AS p", "p VARCHAR\nx")
	check("VALUES (1)", "col0 INTEGER\n1")
	check("PIVOT (SELECT x % 2 AS g, x FROM range(4) t(x)) ON g USING sum(x)", "0 HUGEINT | 1 HUGEINT\n2 | 4")
}

func TestErrors(t *testing.T) {
	t.Parallel()
	db := open(t)
	check := func(text, code, at, message string) {
		t.Helper()
		_, err := db.Query(t.Context(), text, nil)
		e := sqlerr.From(err)
		got := ""
		if e.Position > 0 {
			got = e.Statement[e.Position-1:]
		}
		if e.Code != code || !strings.HasPrefix(got, at) || at == "" && got != "" || !strings.Contains(e.Message, message) {
			t.Errorf("%s\n got %s %q at %q, hint %q\nwant %s %q at %q", text, e.Code, e.Message, got, e.Hint, code, message, at)
		}
	}
	check("SELECT nope FROM range(1)", sqlerr.UndefinedColumn, "nope", "nope")
	check("SELECT 1\nFROM nowhere", sqlerr.UndefinedTable, "nowhere", "nowhere")
	check("SELECT nofunc(1)", "42883", "nofunc", "nofunc")
	check("SELECT 'ä', 'x'::INT + nope", sqlerr.UndefinedColumn, "nope", "nope")
	check("SELECT "+strings.Repeat("1 + ", 100)+"nope", sqlerr.UndefinedColumn, "nope", "nope")
}

func TestParse(t *testing.T) {
	t.Parallel()
	db := open(t)
	if tree, err := db.Parse(t.Context(), "SELECT 'é' FROM t -- x"); err != nil || !strings.Contains(string(tree), "BASE_TABLE") {
		t.Errorf("%s %v", tree, err)
	}
	var p *ParseError
	if _, err := db.Parse(t.Context(), "SELECT 1 FRM t x"); !errors.As(err, &p) || p.NotSelect || p.Position < 0 {
		t.Errorf("%+v", err)
	}
	if _, err := db.Parse(t.Context(), "DROP TABLE x"); !errors.As(err, &p) || !p.NotSelect {
		t.Errorf("%+v", err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	db := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := db.Query(ctx, "SELECT x FROM range(1000000) a(x)", nil)
	if err == nil {
		defer rows.Close()
	}
	cancel()
	_, err = db.Query(ctx, "SELECT count(*) FROM range(100000000000) a(x)", nil)
	if e := sqlerr.From(err); e.Code != sqlerr.QueryCanceled {
		t.Errorf("got %v", err)
	}
}

func table(t testing.TB, typ string) *catalog.Table {
	t.Helper()
	tb, err := catalog.Embedded().Table(typ)
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

func columns(t testing.TB, tb *catalog.Table, names ...string) []int {
	t.Helper()
	var out []int
	for _, n := range names {
		c, ok := tb.Column(n)
		if !ok {
			t.Fatalf("no column %s", n)
		}
		out = append(out, c)
	}
	return out
}

// Values keep their text: what doesn't fit its column makes the column JSON.
func TestLoad(t *testing.T) {
	t.Parallel()
	check := func(typ, column, want string, docs ...string) {
		t.Helper()
		db := open(t)
		c := db.Begin()
		defer c.Close()
		tb := table(t, typ)
		l, err := c.Table(t.Context(), tb, columns(t, tb, column))
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range docs {
			if err := l.Append(t.Context(), "1", "r", fmt.Sprint("id", i), json.RawMessage(d)); err != nil {
				t.Fatal(err)
			}
		}
		wide, err := l.Finish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(show(t, db, "SELECT "+column+" FROM "+tb.Name()+" ORDER BY identifier", nil), "\n", "; ")
		for _, w := range wide {
			got += " widened by " + w.Value
		}
		if got != want {
			t.Errorf("%s.%s %v\n got %s\nwant %s", typ, column, docs, got, want)
		}
	}
	check("AWS::SQS::Queue", "queue_name", "queue_name VARCHAR; a; 5; true; <nil>; <nil>", `{"QueueName":"a"}`, `{"QueueName":5}`, `{"QueueName":true}`, `{"QueueName":null}`, `{}`)
	check("AWS::SQS::Queue", "queue_name", `queue_name JSON; "a"; {"b":1} widened by {"b":1}`, `{"QueueName":"a"}`, `{"QueueName":{"b":1}}`)
	check("AWS::SQS::Queue", "delay_seconds", "delay_seconds BIGINT; 5; 6; <nil>", `{"DelaySeconds":5}`, `{"DelaySeconds":"6"}`, `{}`)
	check("AWS::SQS::Queue", "delay_seconds", `delay_seconds JSON; 5; "06"; <nil> widened by "06"`, `{"DelaySeconds":5}`, `{"DelaySeconds":"06"}`, `{}`)
	check("AWS::SQS::Queue", "delay_seconds", `delay_seconds JSON; 99999999999999999999 widened by 99999999999999999999`, `{"DelaySeconds":99999999999999999999}`)
	check("AWS::SQS::Queue", "fifo_queue", "fifo_queue BOOLEAN; true; false", `{"FifoQueue":true}`, `{"FifoQueue":"false"}`)
	check("AWS::SQS::Queue", "fifo_queue", `fifo_queue JSON; true; "yes" widened by "yes"`, `{"FifoQueue":true}`, `{"FifoQueue":"yes"}`)
	check("AWS::SQS::Queue", "redrive_policy", `redrive_policy JSON; {"a": 1.10}; {"b":2}; "x"`, `{"RedrivePolicy":{"a": 1.10}}`, `{"RedrivePolicy":"{\"b\":2}"}`, `{"RedrivePolicy":"x"}`)
	check("AWS::CloudWatch::Alarm", "threshold", "threshold DOUBLE; 0.1; 100; 1.1", `{"Threshold":0.1}`, `{"Threshold":1e2}`, `{"Threshold":1.10}`)
	check("AWS::CloudWatch::Alarm", "threshold", "threshold JSON; 0.1; 9007199254740993 widened by 9007199254740993", `{"Threshold":0.1}`, `{"Threshold":9007199254740993}`)
	check("AWS::Connect::User", "security_profile_arns", `security_profile_arns VARCHAR[]; ["a",null,"5"]; []; <nil>`, `{"SecurityProfileArns":["a",null,5]}`, `{"SecurityProfileArns":[]}`, `{}`)
	check("AWS::Connect::User", "security_profile_arns", `security_profile_arns JSON; ["a"]; "a" widened by "a"`, `{"SecurityProfileArns":["a"]}`, `{"SecurityProfileArns":"a"}`)
	check("AWS::Connect::User", "user_arn", "user_arn VARCHAR; id0", `{}`)
	check("AWS::ECS::Service", "service_arn", "service_arn VARCHAR; <nil>", `{}`) // id0 is not two parts
}

// A table that was not added, and a column that nobody wanted, don't exist.
func TestCopyHoldsWhatWasAsked(t *testing.T) {
	t.Parallel()
	db := open(t)
	c := db.Begin()
	tb := table(t, "AWS::SQS::Queue")
	if _, err := c.Table(t.Context(), tb, nil); err != nil {
		t.Fatal(err)
	}
	if got := show(t, db, "FROM aws.sqs.queues", nil); got != "account_id VARCHAR | region VARCHAR | identifier VARCHAR | queue_url VARCHAR" {
		t.Errorf("got %s", got)
	}
	if _, err := db.Query(t.Context(), "SELECT queue_name FROM aws.sqs.queues", nil); sqlerr.From(err).Code != sqlerr.UndefinedColumn {
		t.Errorf("got %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Query(t.Context(), "FROM aws.sqs.queues", nil); err == nil {
		t.Error("the table outlived its copy")
	}
}

// Whatever a model holds is read back equal, or its column is JSON.
func TestLoadKeepsEverything(t *testing.T) {
	t.Parallel()
	db := open(t)
	tb := table(t, "AWS::Connect::User")
	all := make([]int, len(tb.Columns))
	for i := range all {
		all[i] = i
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		c := db.Begin()
		l, err := c.Table(t.Context(), tb, all)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for i := range 5 {
			doc := map[string]any{}
			for _, col := range tb.Columns[3:] {
				if r.IntN(2) == 0 && !col.IdentifierPart {
					doc[col.Property] = random(r, 2)
				}
			}
			text, _ := json.Marshal(doc)
			want = append(want, string(text))
			if err := l.Append(t.Context(), "1", "r", fmt.Sprint(i), text); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := l.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows, err := db.Query(t.Context(), "FROM "+tb.Name()+" ORDER BY identifier", nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; rows.Next(); i++ {
			var doc map[string]any
			json.Unmarshal([]byte(want[i]), &doc)
			for j, v := range rows.Values()[3:] {
				col := tb.Columns[3+j]
				if !col.IdentifierPart && !same(doc[col.Property], v, rows.Columns()[3+j].Kind) {
					t.Errorf("%s: wrote %v, read %v as %s", col.Name, doc[col.Property], v, rows.Columns()[3+j].Type)
				}
			}
		}
		rows.Close()
		c.Close()
	}
}

func same(wrote, read any, kind Kind) bool {
	if kind == JSON && read != nil {
		var x any
		if json.Unmarshal([]byte(read.(string)), &x) != nil {
			return false
		}
		if s, ok := wrote.([]any); ok { // a list of text shows its numbers as text
			y, ok := x.([]any)
			if !ok || len(s) != len(y) {
				return false
			}
			for i := range s {
				if s[i] != nil && y[i] != nil && fmt.Sprint(s[i]) != fmt.Sprint(y[i]) || (s[i] == nil) != (y[i] == nil) {
					return false
				}
			}
			return true
		}
		if _, deep := x.(map[string]any); !deep { // text of a column that another row made JSON
			return fmt.Sprint(wrote) == fmt.Sprint(x)
		}
		return cmp.Equal(wrote, x)
	}
	if wrote == nil || read == nil {
		return wrote == read
	}
	return fmt.Sprint(wrote) == fmt.Sprint(read)
}

func random(r *rand.Rand, depth int) any {
	switch n := r.IntN(8); {
	case n == 0:
		return nil
	case n == 1:
		return r.IntN(2) == 0
	case n == 2:
		return float64(r.IntN(1000))
	case n <= 5 || depth == 0:
		return []string{"", "a", "true", "5", "{", "ü\"\\\n", "null"}[r.IntN(7)]
	case n == 6:
		var l []any
		for range r.IntN(3) {
			l = append(l, random(r, depth-1))
		}
		if l == nil {
			l = []any{}
		}
		return l
	}
	return map[string]any{"k": random(r, depth-1)}
}

func TestTag(t *testing.T) {
	t.Parallel()
	db := open(t)
	if err := db.Helpers(t.Context()); err != nil {
		t.Fatal(err)
	}
	for tags, want := range map[string]string{
		`[{"Key":"a","Value":"1"},{"Key":"env","Value":"dev"}]`: "dev",
		`[{"TagKey":"env","TagValue":"dev"}]`:                   "dev",
		`{"env":"dev","a.b":"x"}`:                               "dev",
		`[{"Key":"a","Value":"1"}]`:                             "<nil>",
		`[]`:                                                    "<nil>",
		`null`:                                                  "<nil>",
		`[{"Key":"env"}]`:                                       "",
	} {
		if got := show(t, db, "SELECT tag($t::JSON, 'env') AS v", map[string]string{"t": tags}); got != "v VARCHAR\n"+want {
			t.Errorf("%s: got %s, want %s", tags, got, want)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	tb := table(b, "AWS::Connect::User")
	doc := json.RawMessage(`{"InstanceArn":"arn:aws:connect:us-east-1:111122223333:instance/a","Username":"abara","IdentityInfo":{"FirstName":"A","LastName":"Bara"},"PhoneConfig":{"PhoneType":"SOFT_PHONE","AutoAccept":false},"SecurityProfileArns":["arn:1","arn:2"],"Tags":[{"Key":"team","Value":"support"}]}`)
	for b.Loop() {
		db, err := Open(b.Context(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		c := db.Begin()
		l, err := c.Table(b.Context(), tb, []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13})
		if err != nil {
			b.Fatal(err)
		}
		for i := range 200_000 {
			if err := l.Append(b.Context(), "111122223333", "us-east-1", fmt.Sprint("arn:", i), doc); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := l.Finish(b.Context()); err != nil {
			b.Fatal(err)
		}
		c.Close()
		db.Close()
	}
}

// The rows of a LIMIT are chosen before they are joined, also where the other
// side has none of their values.
func TestLimitUnderJoin(t *testing.T) {
	t.Parallel()
	db := open(t)
	exec := func(text string) {
		t.Helper()
		if err := db.Exec(t.Context(), text, nil); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TABLE big AS SELECT CASE WHEN range % 2 = 0 THEN 'a' ELSE 'b' END AS k, (range % 7)::VARCHAR AS name FROM range(20000);
		CREATE TABLE small AS SELECT 'b' AS k FROM range(3);
		CREATE TABLE other AS SELECT range::VARCHAR AS name, 'eu' AS r FROM range(5)`)
	for range 50 {
		got, err := db.Strings(t.Context(), `SELECT count(*)::VARCHAR FROM small s JOIN (SELECT b.k, o.name FROM big b JOIN other o ON b.name = o.name AND o.r = 'eu' ORDER BY ALL LIMIT 3) t ON s.k = t.k`)
		if err != nil || got[0] != "0" {
			t.Fatalf("got %v, %v", got, err)
		}
	}
}

// What doesn't fit into memory goes to the folder for it, which need not be
// there before and is gone afterwards.
func TestSpill(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache", "tmp")
	db, err := Open(t.Context(), Options{TempDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Exec(t.Context(), "SET memory_limit = '64MB'; SET threads = 1", nil); err != nil {
		t.Fatal(err)
	}
	got, err := db.Strings(t.Context(), "SELECT count(*)::VARCHAR FROM (SELECT md5(range::VARCHAR) AS m, repeat(range::VARCHAR, 30) AS r FROM range(600000) ORDER BY m) WHERE m >= '' AND r <> ''")
	if err != nil || got[0] != "600000" {
		t.Errorf("got %v, %v", got, err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// A policy that AWS gives as text with line breaks is an object on one line.
func TestOneLine(t *testing.T) {
	t.Parallel()
	check := func(raw, want string) {
		t.Helper()
		c := loading{typ: catalog.JSON, open: true}
		if got, fits := c.convert(parseValue(raw)); got != want || !fits {
			t.Errorf("%s: got %v, %t, want %s", raw, got, fits, want)
		}
	}
	check(`"{\n  \"n\": 1.50,\n  \"s\": \"a\\nb\"\n}"`, `{"n":1.50,"s":"a\nb"}`)
	check("[1,\n 2]", "[1,2]")
	check(`{"a": 1}`, `{"a": 1}`)
	check(`"{\n"`, `"{\n"`)
}

// A text is given the parameters that it names, and no others: DuckDB refuses
// those.
func TestNamed(t *testing.T) {
	t.Parallel()
	db := open(t)
	args := map[string]string{"a": "1", "ab": "2", "text": "3"}
	rows, _, err := db.Texts(t.Context(), "SELECT $ab || $ab, '$a', $$ $text $$ -- $a", args, 10)
	if err != nil || len(rows) != 1 || rows[0][0] != "22" || rows[0][1] != "$a" {
		t.Errorf("got %v, %v", rows, err)
	}
}
