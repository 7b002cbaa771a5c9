package sandbox

import (
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/skyql/skyql/internal/catalog"
)

// For every pattern of every schema a text is found that it matches, with the
// length that the schema asks for.
func TestMatching(t *testing.T) {
	t.Parallel()
	tried, seen := 0, map[string]bool{}
	var walk func(n *catalog.Node)
	walk = func(n *catalog.Node) {
		if n == nil {
			return
		}
		least, most := 0, 1<<20
		if n.MinLength != nil {
			least = *n.MinLength
		}
		if n.MaxLength != nil {
			most = *n.MaxLength
		}
		key := fmt.Sprintf("%s %d %d", n.Pattern, least, most)
		if n.Pattern != "" && !seen[key] {
			seen[key] = true
			tried++
			s, ok := matching(patternOf(n.Pattern), least, most, dice(key))
			if length := utf8.RuneCountInString(s); !ok || length < least || length > most || !patternOf(n.Pattern).match(s) {
				// One is written with quotes around its anchors, so that nothing fits.
				if n.Pattern != `"^arn:aws:acm:[a-z0-9-]+:\d{12}:certificate\/.+$"` {
					t.Errorf("%q of %d to %d: %q", n.Pattern, least, most, s)
				}
			}
		}
		for _, p := range append(n.Properties, n.PatternProperties...) {
			walk(p.Node)
		}
		walk(n.Items)
		for _, list := range [][]*catalog.Node{n.OneOf, n.AnyOf, n.AllOf} {
			for _, x := range list {
				walk(x)
			}
		}
	}
	for _, e := range catalog.Embedded().Entries("") {
		table, err := catalog.Embedded().Table(e.Type)
		if err != nil {
			t.Fatal(err)
		}
		walk(table.Root)
		for _, d := range table.Definitions {
			walk(d)
		}
	}
	if tried < 2000 {
		t.Errorf("%d patterns", tried)
	}
}
