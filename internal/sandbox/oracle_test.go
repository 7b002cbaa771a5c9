package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/skyql/skyql/internal/catalog"
)

// schemaOf compiles a type's schema for the library that checks ours.
func schemaOf(t *testing.T, table *catalog.Table) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.UseRegexpEngine(lenient)
	c.DefaultDraft(jsonschema.Draft7)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(table.Raw()))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("x.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("x.json")
	if err != nil {
		t.Fatalf("%s: %v", table.Type, err)
	}
	return s
}

// Our validator and another one agree: on models that are made up, on what is
// stored of them, and on all of these spoilt in many ways.
func TestValidatorAgrees(t *testing.T) {
	t.Parallel()
	const parts = 8
	entries := catalog.Embedded().Entries("")
	for part := range parts {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			refused, taken := 0, 0
			for i, e := range entries {
				if i%parts != part {
					continue
				}
				table, err := catalog.Embedded().Table(e.Type)
				if err != nil {
					t.Fatal(err)
				}
				oracle, root := schemaOf(t, table), rootOf(table)
				agree := func(v any) {
					ours, theirs := root.check(v), oracle.Validate(v)
					if (len(ours) == 0) != (theirs == nil) {
						t.Errorf("%s: ours %q, theirs %v\n%s", e.Type, ours, theirs, encode(v))
					}
					if root.admits(v) != (len(ours) == 0) {
						t.Errorf("%s: the quick check differs from the whole one\n%s", e.Type, encode(v))
					}
					if theirs == nil {
						taken++
					} else {
						refused++
					}
				}
				for _, full := range []bool{false, true} {
					model, ok := Model(table, demoAccounts[0].ID, everyRegion, full, 3)
					if !ok {
						t.Errorf("%s: no model", e.Type)
						continue
					}
					agree(model)
					whole := assign(table, root, model, demoAccounts[0].ID, everyRegion, epochStart, "s", 0, true)
					agree(whole)
					if problems := root.check(whole); len(problems) > 0 {
						t.Errorf("%s: what is stored is invalid: %q", e.Type, problems)
					}
					r := dice("spoil", e.Type)
					for range spoils {
						agree(spoil(r, clone(whole)))
					}
				}
			}
			if refused < 500 || taken < 500 {
				t.Errorf("%d refused, %d taken", refused, taken)
			}
		})
	}
}

const spoils = 8

// spoil changes something somewhere.
func spoil(r *rand.Rand, v any) any {
	switch v := v.(type) {
	case map[string]any:
		keys := sortedKeys(v)
		if len(keys) == 0 || r.IntN(8) == 0 {
			v["NoSuchProperty"] = junk(r)
			return v
		}
		k := keys[r.IntN(len(keys))]
		switch r.IntN(4) {
		case 0:
			delete(v, k)
		default:
			v[k] = spoil(r, v[k])
		}
		return v
	case []any:
		switch {
		case len(v) == 0 || r.IntN(6) == 0:
			return append(v, junk(r))
		case r.IntN(5) == 0:
			return append(v, v[0])
		case r.IntN(5) == 0:
			return []any{}
		}
		i := r.IntN(len(v))
		v[i] = spoil(r, v[i])
		return v
	case string:
		switch r.IntN(5) {
		case 0:
			return ""
		case 1:
			return v + " é!"
		case 2:
			return v + v + v + v
		case 3:
			return v[:len(v)/2]
		}
	case json.Number:
		text := []string{"-" + string(v), string(v) + "999999", string(v) + ".5", string(v) + ".0"}[r.IntN(4)]
		if json.Valid([]byte(text)) {
			return json.Number(text)
		}
	}
	return junk(r)
}

func junk(r *rand.Rand) any {
	return []any{nil, true, "x", json.Number("0"), json.Number("1.5"), json.Number("1e3"), map[string]any{}, []any{}, []any{"x", "x"}, map[string]any{"a": "b"}}[r.IntN(10)]
}
