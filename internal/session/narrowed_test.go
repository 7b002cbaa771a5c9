package session

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/plan"
)

// TestNarrowed runs the statements of a file, a line each, as TestNarrowing does
// with random ones.
func TestNarrowed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "narrowing.sql"))
	if err != nil {
		t.Fatal(err)
	}
	d := newDiffer(t)
	against := plan.Nothing
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch word, _, _ := strings.Cut(line, " "); word {
		case "", "--":
			continue
		case "SET":
			if strings.HasPrefix(line, "SET regions") {
				against = plan.Scope // not everything is in the settings any more
			}
			fallthrough
		case "CREATE", "DROP":
			if err := d.sess.Run(t.Context(), line, nil); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			continue
		}
		want, errWant := d.rows(line, against)
		got, errGot := d.rows(line, plan.Keys)
		if (errWant == nil) != (errGot == nil) || !slices.Equal(got, want) {
			t.Errorf("%s\nwith    %.300v %v\nwithout %.300v %v", line, got, errGot, want, errWant)
		}
	}
}
