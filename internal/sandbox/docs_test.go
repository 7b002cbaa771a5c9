package sandbox

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// The page on faults names every field there is, and its example is a file.
func TestFaultsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) != 1 {
		t.Fatalf("%d examples", len(blocks))
	}
	f, err := ReadFaults(blocks[0][1])
	if err != nil || len(f.Rules) != 3 || !f.Contract.ReplayCurrent {
		t.Errorf("%v: %+v", err, f)
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[Rule](), reflect.TypeFor[Contract]()} {
		for i := range typ.NumField() {
			if name := typ.Field(i).Tag.Get("toml"); !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("no word of %s", name)
			}
		}
	}
}
