package render

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skyql/skyql/internal/engine"
)

func duckRows(n, columns int) *engine.Rows {
	var cols []engine.Column
	for i := range columns {
		c := engine.Column{Name: fmt.Sprintf("column_%d", i), Type: "VARCHAR", Kind: engine.Text}
		if i == 1 {
			c.Type, c.Kind = "BIGINT", engine.Integer
		}
		cols = append(cols, c)
	}
	var rows [][]any
	for i := range n {
		var r []any
		for c := range columns {
			switch {
			case c == 1:
				r = append(r, int64(i))
			case c == 2:
				r = append(r, strings.Repeat("long ", 8)+"日本")
			case c == 3 && i%2 == 0:
				r = append(r, nil)
			default:
				r = append(r, fmt.Sprintf("v%d_%d", i, c))
			}
		}
		rows = append(rows, r)
	}
	return engine.Static(cols, rows)
}

// The layout at given widths, and what is said of what is left out.
func TestDuckbox(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	for _, c := range []struct{ rows, columns, width, most int }{
		{3, 2, 80, 40}, {0, 2, 80, 40}, {7, 2, 80, 4}, {7, 2, 80, 5}, {6, 2, 80, 4}, {5, 2, 80, 4}, {3, 4, 60, 40}, {2, 9, 60, 40}, {2, 9, 30, 40}, {1, 3, 8, 40}, {7, 3, 0, 0},
	} {
		fmt.Fprintf(&out, "%d × %d, width %d, most %d\n", c.rows, c.columns, c.width, c.most)
		var b strings.Builder
		s, err := Duckbox(&b, duckRows(c.rows, c.columns), Options{Width: c.width}, c.most)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if w := Width(strings.TrimSuffix(line, "\n")); c.width >= 30 && w > c.width {
				t.Errorf("width %d: a line takes %d:\n%s", c.width, w, line)
			}
		}
		fmt.Fprintf(&out, "%s%s\n\n", b.String(), s)
	}
	path := filepath.Join("testdata", "duckbox.golden")
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), out.String()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// Of a long result only what is shown is kept.
func TestDuckboxEnds(t *testing.T) {
	t.Parallel()
	for most := range 12 {
		for n := range 30 {
			head, tail, got, err := ends(duckRows(n, 2), most)
			shown := len(head) + len(tail)
			if err != nil || got != n {
				t.Fatalf("%d of %d rows, %v", got, n, err)
			}
			if want := map[bool]int{true: n, false: most}[most == 0 || n <= most+1]; shown != want {
				t.Errorf("most %d: %d + %d of %d", most, len(head), len(tail), n)
			}
			for i, r := range head {
				if r[0] != fmt.Sprintf("v%d_0", i) {
					t.Errorf("most %d of %d: row %d of the head is %s", most, n, i, r)
				}
			}
			for i, r := range tail {
				if r[0] != fmt.Sprintf("v%d_0", n-len(tail)+i) {
					t.Errorf("most %d of %d: row %d of the tail is %s", most, n, i, r)
				}
			}
		}
	}
}
