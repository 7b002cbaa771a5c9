package internal_test

import (
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/skyql/skyql/internal/"

// allowed are the arrows between packages: who may import whom of ours. A new
// one is a decision. Tests may import sandbox too, and those of syntax and plan
// the engine for its parser.
var allowed = map[string][]string{
	"sqlerr":       {},
	"catalog":      {},
	"cloudcontrol": {},
	"syntax":       {"sqlerr"},
	"plan":         {"syntax", "catalog", "sqlerr"},
	"fetch":        {"plan", "catalog", "cloudcontrol"},
	"engine":       {"catalog", "sqlerr", "syntax"}, // syntax: the parameters that a text names
	"anytype":      {"catalog", "cloudcontrol"},
	"change":       {"catalog", "cloudcontrol", "sqlerr"},
	"session":      {"sqlerr", "catalog", "syntax", "plan", "cloudcontrol", "anytype", "fetch", "engine", "change"},
	"render":       {"engine"},
	"shell":        {"session", "engine", "sqlerr", "render", "catalog", "syntax"}, // syntax: where an input ends, and what may stand at the cursor
	"pgcatalog":    {"sqlerr", "catalog", "syntax", "engine"},
	"pgwire":       {"sqlerr", "syntax", "engine", "session", "pgcatalog", "change"}, // change: the plans that clients agree to, and what became of them
	"docgen":       {"catalog"},
	"sandbox":      {"catalog"},
}

// only are packages from outside that a single package may import.
var only = map[string]string{
	"github.com/duckdb/duckdb-go":     "engine",
	"github.com/aws/aws-sdk-go-v2":    "cloudcontrol",
	"github.com/aws/smithy-go":        "cloudcontrol",
	"github.com/jedib0t/go-pretty/v6": "render",
	"github.com/reeflective/readline": "shell",
	"github.com/jackc/pgx/v5":         "pgwire",
	"github.com/xdg-go/scram":         "pgwire",
}

func packages(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, name := range packages(t) {
		may, ok := allowed[name]
		if !ok {
			t.Errorf("package %s is not in the table of imports", name)
			continue
		}
		p, err := build.ImportDir(name, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range p.Imports {
			if ours, ok := strings.CutPrefix(imp, module); ok && !slices.Contains(may, ours) {
				t.Errorf("%s imports %s", name, ours)
			}
			for prefix, owner := range only {
				if strings.HasPrefix(imp, prefix) && name != owner {
					t.Errorf("%s imports %s, which is %s's alone", name, imp, owner)
				}
			}
		}
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			ours, ok := strings.CutPrefix(imp, module)
			parser := ours == "engine" && (name == "syntax" || name == "plan")
			door := ours == "cloudcontrol" && slices.Contains(may, "session") // to open one against a sandbox
			if ok && !slices.Contains(may, ours) && ours != name && ours != "sandbox" && !parser && !door {
				t.Errorf("the tests of %s import %s", name, ours)
			}
		}
	}
}

func TestPackageDocs(t *testing.T) {
	t.Parallel()
	for _, name := range packages(t) {
		files, err := filepath.Glob(filepath.Join(name, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		docs := 0
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.Doc != nil {
				docs++
				if !strings.HasPrefix(parsed.Doc.Text(), "Package "+name+" ") {
					t.Errorf("%s: the comment does not begin with Package %s", f, name)
				}
			}
		}
		if docs != 1 {
			t.Errorf("package %s has %d package comments, want one", name, docs)
		}
	}
}
