package syntax

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	check := func(script string, want ...string) {
		t.Helper()
		var got []string
		for _, s := range Split(script) {
			got = append(got, s.Word+": "+s.Text)
			if script[s.Offset:s.Offset+len(s.Text)] != s.Text {
				t.Errorf("%q: statement at %d is not %q", script, s.Offset, s.Text)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q (-want +got)\n%s", script, d)
		}
	}
	check("")
	check(" ; ;-- nothing\n")
	check("SELECT 1", "SELECT: SELECT 1")
	check("select 1; -- a; b\n select ';' /* ; /* ; */ ; */ ;", "SELECT: select 1", "SELECT: select ';'")
	check(`select "a;b", $$;$$, $x$;$$;$x$, E'\';'; use aws.s3`, `SELECT: select "a;b", $$;$$, $x$;$$;$x$, E'\';'`, "USE: use aws.s3")
	check("WITH a AS (SELECT 1), b(x) AS MATERIALIZED (SELECT 2) INSERT INTO t FROM b", "INSERT: WITH a AS (SELECT 1), b(x) AS MATERIALIZED (SELECT 2) INSERT INTO t FROM b")
	check("(SELECT 1) UNION (SELECT 2)", "SELECT: (SELECT 1) UNION (SELECT 2)")
	check("'unfinished ; quote", "UNFINISHED ; QUOTE: 'unfinished ; quote")
}

// What a statement reads keeps its place in the text.
func TestReading(t *testing.T) {
	t.Parallel()
	check := func(text, want string) {
		t.Helper()
		s := Split(text)[0]
		if len(s.Reading) != 0 && len(s.Reading) != len(s.Text) {
			t.Errorf("%s: reading has %d bytes of %d", text, len(s.Reading), len(s.Text))
		}
		if got := strings.Join(strings.Fields(s.Reading), " "); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
		if at := strings.Index(s.Text, "q."); at >= 0 && s.Reading != "" && s.Reading[at:at+2] != "q." {
			t.Errorf("%s: offsets moved: %q", text, s.Reading)
		}
	}
	check("SELECT * FROM q.t", "SELECT * FROM q.t")
	check("CREATE TABLE x AS SELECT * FROM q.t", "SELECT * FROM q.t")
	check("CREATE OR REPLACE TEMP VIEW x AS FROM q.t", "FROM q.t")
	check("CREATE MACRO f(a) AS TABLE SELECT * FROM q.t WHERE b = a", "SELECT * FROM q.t WHERE b = a")
	check("CREATE MACRO f(a) AS a + 1", "")
	check("CREATE TABLE x (a INT)", "")
	check("INSERT INTO x (a, b) SELECT a, b FROM q.t", "SELECT a, b FROM q.t")
	check("COPY (SELECT * FROM q.t) TO 'f.csv' (HEADER)", "(SELECT * FROM q.t)")
	check("COPY q.t TO 'f.csv'", "FROM q.t")
	check("PIVOT q.t ON c USING count(*)", "FROM q.t")
	check("PIVOT (SELECT * FROM q.t WHERE a = 1) ON c IN ('x') USING count(*) GROUP BY b ORDER BY 1", "FROM (SELECT * FROM q.t WHERE a = 1)")
	check("PIVOT q.t ON c IN (SELECT d FROM q.u WHERE (e = 1)) USING count(*)", "FROM q.t WHERE (SELECT d FROM q.u WHERE (e = 1))")
	check("FROM (PIVOT q.t ON c IN (FROM u), d IN (TABLE v) USING max((a + 1)))", "FROM (FROM q.t WHERE (FROM u) +(TABLE v) )")
	check("PIVOT q.t ON c IN (FROM (PIVOT u ON d IN (FROM v)))", "FROM q.t WHERE (FROM (FROM u WHERE (FROM v)))")
	check("PIVOT q.t ON (SELECT 1)", "FROM q.t")
	check("PIVOT q.t ON a IN (SELECT 1", "FROM q.t WHERE (SELECT 1")
	check("SELECT * FROM (PIVOT q.t ON c) p WHERE x", "SELECT * FROM (FROM q.t ) p WHERE x")
	check("WITH a AS (FROM q.t) PIVOT a ON c", "WITH a AS (FROM q.t) FROM a")
	check("FROM q.t PIVOT (sum(x) FOR c IN (1, 2))", "FROM q.t PIVOT (sum(x) FOR c IN (1, 2))")
	check("SELECT pivot FROM q.t", "SELECT pivot FROM q.t")
}

func TestTarget(t *testing.T) {
	t.Parallel()
	check := func(text, want string) {
		t.Helper()
		var parts []string
		for _, p := range Split(text)[0].Target {
			parts = append(parts, p.Text)
		}
		if got := strings.Join(parts, "|"); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	check("INSERT INTO aws.s3.buckets (region) VALUES ('x')", "aws|s3|buckets")
	check("INSERT OR REPLACE INTO t FROM aws.s3.buckets", "t")
	check(`UPDATE aws.connect."user" SET a = (SELECT 1 FROM b)`, "aws|connect|user")
	check("DELETE FROM aws.ec2.volumes USING x", "aws|ec2|volumes")
	check("WITH x AS (DELETE FROM no) DELETE FROM aws.ec2.volumes", "aws|ec2|volumes")
	check("MERGE INTO aws.sqs.queues q USING w ON true", "aws|sqs|queues")
	check("TRUNCATE TABLE aws.sqs.queues", "aws|sqs|queues")
	check("COPY aws.sqs.queues FROM 'f'", "aws|sqs|queues")
}

func TestSelectLists(t *testing.T) {
	t.Parallel()
	check := func(text, want string) {
		t.Helper()
		var lists []string
		for _, l := range SelectLists(text) {
			var items []string
			for _, s := range l {
				items = append(items, text[s.Pos:s.End])
			}
			lists = append(lists, strings.Join(items, " | "))
		}
		if got := strings.Join(lists, "\n"); got != want {
			t.Errorf("%s\n got %q\nwant %q", text, got, want)
		}
	}
	check("SELECT a, f(b, c) x, [1, 2] FROM t", "a | f(b, c) x | [1, 2]")
	check("SELECT DISTINCT ON (a, b) c, d FROM t", "c | d")
	check("SELECT a IS NOT DISTINCT FROM b, extract(year FROM c) FROM t", "a IS NOT DISTINCT FROM b | extract(year FROM c)")
	check("SELECT (SELECT x, y FROM u), z UNION SELECT 1", "(SELECT x, y FROM u) | z\nx | y\n1")
	check("FROM t SELECT a WHERE b", "a")
	check("SELECT quantile(a) WITHIN GROUP (ORDER BY a), b", "quantile(a) WITHIN GROUP (ORDER BY a) | b")
	check("SELECT", "")
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	const text = "SELECT a.B FROM x.y"
	r := Rewrite(text, []Edit{{16, 19, `aws."x"."ys" AS "y"`}, {7, 10, "(a ->> 'B')"}, {10, 10, ` AS "B"`}, {10, 10, ` AS "B"`}})
	if want := `SELECT (a ->> 'B') AS "B" FROM aws."x"."ys" AS "y"`; r.Text != want {
		t.Fatalf("got %s", r.Text)
	}
	for at, want := range map[int]int{0: 0, 7: 7, 12: 7, 26: 11, 31: 16, 49: 16, 50: 19} {
		if got := r.Offset(at); got != want {
			t.Errorf("offset %d (%q): got %d, want %d", at, r.Text[at:], got, want)
		}
	}
}

func FuzzLex(f *testing.F) {
	for _, s := range []string{"SELECT 'a''b', \"c\" -- d", "$x$ y", "/* /* */", "1.5e+3 ?1 $a::INT", "PIVOT (a ON b", "COPY (", "INSERT INTO", "é.ü \xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at := 0
		for _, tok := range Lex(text) {
			if tok.Pos < at || tok.End < tok.Pos || tok.End > len(text) {
				t.Fatalf("token %+v after %d", tok, at)
			}
			at = tok.End
		}
		for _, s := range Split(text) {
			if s.Reading != "" && len(s.Reading) != len(s.Text) {
				t.Fatalf("%q: reading moved: %q", s.Text, s.Reading)
			}
		}
		SelectLists(text)
	})
}
