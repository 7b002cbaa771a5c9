package shell

import (
	"strings"
	"testing"
)

func TestEndOfInput(t *testing.T) {
	t.Parallel()
	check := func(want bool, inputs ...string) {
		t.Helper()
		for _, in := range inputs {
			if got := whole(in); got != want {
				t.Errorf("whole(%q) = %v", in, got)
			}
		}
	}
	check(true, ``, ` `, `;`, `SELECT 1;`, "SELECT 1;\n", "SELECT\n1\n;", `SELECT ';' ;`, `SELECT 1; -- done`, `SELECT 1; /* done */`, `SELECT $$;$$;`, `SELECT "a;b";`,
		`\d`, `\d aws.s3.buckets`, `.tables`, `SELECT 1 \g`, "SELECT 1\n\\watch 5", `quit`, `EXIT`, `help`, `-- a comment`, `SELECT 1; SELECT 2;`, `SELECT 'it''s';`)
	check(false, `SELECT 1`, `SELECT 1; SELECT 2`, `SELECT ';`, `SELECT 'it''s;`, `SELECT ";`, `SELECT $$;`, `SELECT $x$ $$; $y$;`, `SELECT 1 /* ;`, `SELECT 1; /* open`,
		`SELECT 1 -- ;`, `/* open`, `SELECT '\d'`, `SELECT .5`, `SELECT E'\';`, `/* /* */ ;`)
}

func TestParts(t *testing.T) {
	t.Parallel()
	check := func(input, want string) {
		t.Helper()
		var got []string
		for _, p := range parts(input) {
			sql := strings.TrimSpace(p.sql)
			if p.command == nil {
				got = append(got, sql)
				continue
			}
			got = append(got, strings.TrimSpace(sql+` {`+p.command.name+`|`+p.command.args+`}`))
		}
		if g := strings.Join(got, " + "); g != want {
			t.Errorf("%s\n got %s\nwant %s", input, g, want)
		}
	}
	check(`SELECT 1;`, `SELECT 1;`)
	check(`SELECT 1; SELECT 2;`, `SELECT 1; SELECT 2;`)
	check(`\d aws.s3.buckets`, `{d|aws.s3.buckets}`)
	check(`  .dt *bucket*  `, `{dt|*bucket*}`)
	check(`\?`, `{?|}`)
	check(`SELECT 1 \g`, `SELECT 1 {g|}`)
	check(`SELECT 1 \g out.csv`, `SELECT 1 {g|out.csv}`)
	check(`SELECT 1; \watch 2`, `SELECT 1; + {watch|2}`)
	check(`SELECT 1; SELECT 2 \gx`, `SELECT 1; + SELECT 2 {gx|}`)
	check("\\x\nSELECT 1;\n\\x", `{x|} + SELECT 1; + {x|}`)
	check("\\set a it's\nSELECT 1 \\g\n", `{set|a it's} + SELECT 1 {g|}`)
	check("\\i a--b.sql\nSELECT 1;", `{i|a--b.sql} + SELECT 1;`)
	check(`SELECT '\d', "\x", $$\g$$;`, `SELECT '\d', "\x", $$\g$$;`)
	check("SELECT 1 -- \\d\n;", "SELECT 1 -- \\d\n;")
	check(`SELECT .5;`, `SELECT .5;`)
	check(`\`, `{|}`)
	check(``, ``)
	check(` ; ; `, ``)
}

// Whatever a text is coloured like, its characters stay.
func TestHighlight(t *testing.T) {
	t.Parallel()
	s := testShell(t)
	s.out.color = true
	for text, want := range map[string]string{
		`select 'a', 1 from aws.s3.buckets b -- x`: "<1>select<0> <32>'a'<0>, <33>1<0> <1>from<0> <36>aws.s3.buckets<0> b<2> -- x<0>",
		`SELECT * FROM aws.s3.nothing`:             "<1>SELECT<0> * <1>FROM<0> aws.s3.nothing",
		`\d aws.s3.buckets`:                        `<35>\d<0> aws.s3.buckets`,
		"SELECT\n  'open":                          "<1>SELECT<0>\n  <32>'open<0>",
		`SELECT type FROM t WHERE x = $x`:          "<1>SELECT<0> type <1>FROM<0> t <1>WHERE<0> x = <33>$x<0>",
		``:                                         ``,
	} {
		got := s.highlight(text)
		if g := strings.NewReplacer("\x1b[", "<", "m", "m").Replace(got); strings.NewReplacer("<1m", "<1>", "<0m", "<0>", "<2m", "<2>", "<32m", "<32>", "<33m", "<33>", "<35m", "<35>", "<36m", "<36>").Replace(g) != want {
			t.Errorf("%s\n got %s\nwant %s", text, g, want)
		}
	}
}

// TestMayEnd holds the short cut of scripts against the rule that it spares.
func TestMayEnd(t *testing.T) {
	t.Parallel()
	lines := []string{"SELECT 1\n", ";\n", "\\x\n", ".x\n", "'\n", "/*\n", "*/\n", "$$\n", "-- c\n", "\n", "quit\n", "a; 'b\n", "; /* c\n", "x'; --\n"}
	var grow func(text string, depth int)
	grow = func(text string, depth int) {
		for _, l := range lines {
			next := text + l
			if whole(next) {
				if text != "" && !mayEnd(l) {
					t.Errorf("%q is whole with its last line, and that was not seen", next)
				}
			} else if depth > 1 {
				grow(next, depth-1)
			}
		}
	}
	grow("", 4)
}
