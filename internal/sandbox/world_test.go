package sandbox

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/skyql/skyql/internal/catalog"
)

// anyPattern lets a pattern that is no RE2 admit everything.
type anyPattern struct{ *regexp.Regexp }

func (a anyPattern) MatchString(s string) bool { return a.Regexp == nil || a.Regexp.MatchString(s) }
func (a anyPattern) String() string {
	if a.Regexp == nil {
		return ""
	}
	return a.Regexp.String()
}

func lenient(s string) (jsonschema.Regexp, error) {
	re, err := regexp.Compile(s)
	if err != nil {
		return anyPattern{}, nil
	}
	return anyPattern{re}, nil
}

// Every resource of the demo obeys its type's own schema.
func TestDemoIsValid(t *testing.T) {
	t.Parallel()
	w := DemoWorld()
	schemas := map[string]*jsonschema.Schema{}
	types := map[string]bool{}
	for _, r := range w.Resources {
		types[r.Type] = true
		sch := schemas[r.Type]
		if sch == nil {
			tb, err := catalog.Embedded().Table(r.Type)
			if err != nil {
				t.Fatal(err)
			}
			c := jsonschema.NewCompiler()
			c.UseRegexpEngine(lenient)
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(tb.Raw()))
			if err != nil {
				t.Fatal(err)
			}
			c.DefaultDraft(jsonschema.Draft7)
			if err := c.AddResource("x.json", doc); err != nil {
				t.Fatal(err)
			}
			if sch, err = c.Compile("x.json"); err != nil {
				t.Fatalf("%s: %v", r.Type, err)
			}
			schemas[r.Type] = sch
			if sch.Validate(map[string]any{"NoSuchProperty": true}) == nil {
				t.Fatalf("the schema of %s admits anything", r.Type)
			}
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(encode(r.Properties)))
		if err != nil {
			t.Fatal(err)
		}
		if err := sch.Validate(v); err != nil {
			t.Errorf("%s: %v", r.Type, err)
		}
	}
	if len(types) < 60 || len(w.Resources) < 1900 {
		t.Errorf("%d types and %d resources", len(types), len(w.Resources))
	}
}

// Identifiers are unique, and ARNs and ids lead to things that exist.
func TestDemoRefers(t *testing.T) {
	t.Parallel()
	w := DemoWorld()
	ids, values := map[string]bool{}, map[string]bool{}
	s := newStore(catalog.Embedded(), w, 0)
	for _, r := range w.Resources {
		tb, err := catalog.Embedded().Table(r.Type)
		if err != nil {
			t.Fatal(err)
		}
		s.shelf(tb)
		for _, v := range r.Properties {
			if text, ok := v.(string); ok {
				values[text] = true
			}
		}
	}
	for typ, sh := range s.byType {
		for at, rs := range sh.byPlace {
			for _, r := range rs {
				key := fmt.Sprint(typ, at, r.id)
				if ids[key] || strings.Trim(r.id, "|") == "" {
					t.Errorf("%s %s: identifier %q is empty or there twice", typ, at, r.id)
				}
				ids[key] = true
			}
		}
	}
	refers := regexp.MustCompile(`^(subnet|vpc|sg|vol|igw|lt|fs|eipalloc)-[0-9a-f]{17}$|^arn:aws:(connect|sqs|sns|lambda|kms|iam|ecs|elasticloadbalancing):.*$`)
	var walk func(typ, name string, v any)
	walk = func(typ, name string, v any) {
		switch v := v.(type) {
		case string:
			if refers.MatchString(v) && !values[v] && !strings.Contains(v, "aws-service-role") && !strings.HasSuffix(v, ":root") {
				t.Errorf("%s.%s refers to %s, which doesn't exist", typ, name, v)
			}
		case []any:
			for _, x := range v {
				walk(typ, name, x)
			}
		case p:
			for k, x := range v {
				walk(typ, name+"."+k, x)
			}
		}
	}
	for _, r := range w.Resources {
		for k, v := range r.Properties {
			walk(r.Type, k, v)
		}
	}
}

func TestWorldFile(t *testing.T) {
	t.Parallel()
	var a, b bytes.Buffer
	if err := DemoWorld().Write(&a); err != nil {
		t.Fatal(err)
	}
	w, err := LoadWorld(bytes.NewReader(a.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&b); err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() {
		t.Error("a world that was written and read is another")
	}
	var c bytes.Buffer
	if err := DemoWorld().Write(&c); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a.String(), c.String()); d != "" {
		t.Error("the demo world is not the same twice")
	}
	for _, bad := range []string{"", "{}", `{"accounts":[{"id":"1"}],"regions":["r"],"resources":[{"type":"T","account":"2","region":"r"}]}`, `{"acounts":[]}`} {
		if _, err := LoadWorld(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was taken for a world", bad)
		}
	}
}

func BenchmarkDemoWorld(b *testing.B) {
	for b.Loop() {
		New(Options{})
	}
}
