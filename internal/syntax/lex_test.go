package syntax

import "testing"

func TestOpenComment(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"SELECT 1": -1, "SELECT 1 /* a */": -1, "SELECT 1 -- /* a": -1, "SELECT '/* a'": -1, "SELECT 1 /* a /* b */": 9, "/* a": 0, "SELECT '/*' /* a": 12, "-- /*\n/*": 6, "/* a */ SELECT 1; /* b": 18,
	} {
		if got := OpenComment(text); got != want {
			t.Errorf("OpenComment(%q) = %d, want %d", text, got, want)
		}
	}
}
