package change

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/wI2L/jsondiff"

	"github.com/skyql/skyql/internal/catalog"
)

var patchSeeds = flag.Int("patch-seeds", 2, "models of each type in TestPatchOfEveryType")

// A generator makes models that have the shape that a schema gives them. Limits
// and patterns are not kept: nothing here depends on them.
type generator struct {
	*rules
	rnd *rand.Rand
}

func (g *generator) value(n *catalog.Node, at []string, depth int) any {
	n = g.table.Resolve(n)
	if n == nil || depth > 5 {
		return g.pick([]any{"x", json.Number("1"), true})
	}
	if len(n.Enum) > 0 {
		if v, err := parse(n.Enum[g.rnd.IntN(len(n.Enum))]); err == nil && v != nil {
			return v
		}
	}
	kind := ""
	if len(n.Types) > 0 {
		kind = n.Types[g.rnd.IntN(len(n.Types))]
	}
	switch {
	case kind == "object" || kind == "" && len(n.Properties)+len(n.PatternProperties)+len(n.OneOf)+len(n.AnyOf) > 0:
		return g.object(n, at, depth)
	case kind == "array":
		list := []any{}
		for range g.rnd.IntN(4) {
			list = append(list, g.value(n.Items, extend(at, "0"), depth+1))
		}
		return list
	case kind == "boolean":
		return g.rnd.IntN(2) == 0
	case kind == "integer":
		return json.Number(fmt.Sprint(g.rnd.IntN(100)))
	case kind == "number":
		return json.Number(fmt.Sprintf("%d.%d", g.rnd.IntN(100), g.rnd.IntN(10)))
	}
	return g.pick([]any{"a", "b", "A", "", "a/b", "~", "arn:aws:iam::111122223333:role/x", "ü", fmt.Sprint(g.rnd.IntN(1000))})
}

func (g *generator) pick(list []any) any { return list[g.rnd.IntN(len(list))] }

func (g *generator) object(n *catalog.Node, at []string, depth int) map[string]any {
	out := map[string]any{}
	for _, p := range n.Properties {
		if slices.Contains(n.Required, p.Name) || g.rnd.IntN(2) == 0 {
			out[p.Name] = g.value(p.Node, extend(at, p.Name), depth+1)
		}
	}
	for _, branches := range [][]*catalog.Node{n.OneOf, n.AnyOf} {
		if len(branches) > 0 {
			if b := g.table.Resolve(branches[g.rnd.IntN(len(branches))]); b != nil && depth < 5 {
				for k, v := range g.object(b, at, depth+1) {
					out[k] = v
				}
			}
		}
	}
	for _, p := range n.PatternProperties {
		for _, k := range []string{"key", "a/b", "x~y", "Name"} {
			if re := compiled(p.Name); re != nil && re.MatchString(k) && g.rnd.IntN(2) == 0 {
				out[k] = g.value(p.Node, extend(at, k), depth+1)
			}
		}
	}
	if len(n.Properties)+len(n.PatternProperties) == 0 && g.rnd.IntN(2) == 0 {
		out["free"] = "x"
	}
	return out
}

// drop leaves out what a list of pointers covers.
func drop(v any, p pattern, at []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if p.covers(extend(at, k)) {
				delete(v, k)
				continue
			}
			drop(x, p, extend(at, k))
		}
	case []any:
		for i, x := range v {
			drop(x, p, extend(at, fmt.Sprint(i)))
		}
	}
}

// pair makes a model as read, and one as wanted of it: some properties
// changed, removed, added or only told in another way.
func (g *generator) pair() (before, after map[string]any) {
	before = g.object(g.table.Root, nil, 0)
	drop(before, g.writeOnly, nil)
	prune(before)
	after = cloneModel(before)
	fixed := func(at []string) bool { return g.readOnly.covers(at) || g.createOnly.covers(at) }
	for _, p := range g.table.Root.Properties {
		at := []string{p.Name}
		if fixed(at) {
			continue
		}
		switch g.rnd.IntN(6) {
		case 0:
			delete(after, p.Name)
		case 1:
			after[p.Name] = g.value(p.Node, at, 1)
		case 2:
			g.touch(after, p.Name, p.Node, at)
		case 3:
			if list, ok := after[p.Name].([]any); ok {
				list = slices.Clone(list)
				g.rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				after[p.Name] = list
			}
		}
	}
	// What only AWS writes, or only a creation can, stays as it was.
	for _, p := range g.table.Root.Properties {
		at := []string{p.Name}
		if g.readOnly.below(at) || g.createOnly.below(at) {
			after[p.Name] = clone(before[p.Name])
		}
	}
	return before, prune(after)
}

// touch changes one member of an object.
func (g *generator) touch(o map[string]any, name string, n *catalog.Node, at []string) {
	inner, ok := o[name].(map[string]any)
	if !ok || len(inner) == 0 {
		o[name] = g.value(n, at, 1)
		return
	}
	keys := sortedKeys(inner)
	k := keys[g.rnd.IntN(len(keys))]
	if g.rnd.IntN(3) == 0 {
		delete(inner, k)
		return
	}
	g.touch(inner, k, g.child(n, k), extend(at, k))
}

// Of every type: the patch, applied to what was read, gives what is wanted; it
// changes nothing else, and is empty where nothing differs. Two other
// implementations agree.
func TestPatchOfEveryType(t *testing.T) {
	t.Parallel()
	patched, changed := 0, 0
	for i, e := range catalog.Embedded().Entries("") {
		if !e.Updatable {
			continue
		}
		r := rulesOf(table(t, e.Type))
		for seed := range *patchSeeds {
			g := &generator{r, rand.New(rand.NewPCG(uint64(i), uint64(seed)))}
			before, after := g.pair()
			if checkPatch(t, r, before, after) {
				patched++
			}
			if !sameJSON(before, after) {
				changed++
			}
		}
	}
	if patched < 1000 || changed < patched {
		t.Errorf("%d patches for %d changes: the generator makes too little", patched, changed)
	}
}

// checkPatch reports whether there was anything to patch.
func checkPatch(t testing.TB, r *rules, before, after map[string]any) bool {
	t.Helper()
	text := string(encode(before))
	d := r.differences(before, after)
	ops := r.patch(before, d.found)
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%s\nbefore %s\nafter  %s\npatch  %s\n%s", r.table.Type, text, encode(after), opsText(t, ops), fmt.Sprintf(format, args...))
	}
	got, err := Apply(before, ops)
	if err != nil {
		fail("%v", err)
	}
	if string(encode(before)) != text {
		fail("the model became %s", encode(before))
	}
	theirs, err := jsonpatch.DecodePatch(mustPatch(ops))
	if err != nil {
		fail("%v", err)
	}
	other, err := theirs.Apply([]byte(text))
	if err != nil {
		fail("json-patch: %v", err)
	}
	parsed, err := parse(other)
	if err != nil || !sameJSON(parsed, got) {
		fail("json-patch gives %s, not %s", other, encode(got))
	}
	model := got.(map[string]any)
	if v := (comparison{rules: r}).models(after, model); v == different {
		fail("the patch gives %s", encode(got))
	}
	for _, x := range d.found {
		if v, _ := lookup(model, x.at); !r.taggedAt(x.at) && !sameJSON(v, x.new) {
			fail("%s became %v", pointer(x.at), v)
		}
	}
	oracle, err := jsondiff.CompareJSON([]byte(text), encode(after))
	if err != nil {
		fail("%v", err)
	}
	if len(oracle) == 0 && len(ops) > 0 {
		fail("jsondiff sees no difference")
	}
	if len(ops) == 0 && (comparison{rules: r}).models(after, before) == different {
		fail("no patch for a difference: jsondiff says %s", oracle)
	}
	for _, op := range ops {
		if at := steps(op.Path); r.readOnly.covers(at) || r.createOnly.covers(at) {
			fail("%s is not to be touched", op.Path)
		}
	}
	return len(ops) > 0
}

// Patching what was read gives what is wanted, whatever JSON it is.
func FuzzPatch(f *testing.F) {
	for i, typ := range []string{logGroup, queue, user, "AWS::S3::Bucket", "AWS::IAM::Role", "AWS::Lambda::Function", "AWS::ECS::Service"} {
		f.Add(typ, `{"Tags":[{"Key":"a","Value":"1"}],"A":{"b":[1,null]}}`, fmt.Sprintf(`{"Tags":{"a":"2"},"A":{"b":%d,"~/":null}}`, i))
	}
	f.Add("AWS::EC2::Instance", `{"Tags":[]}`, `{"Tags":[{"Key":"aws:x","Value":""}]}`)
	f.Fuzz(func(t *testing.T, typ, before, after string) {
		tb, err := catalog.Embedded().Table(typ)
		if err != nil {
			return
		}
		b, err := parseModel([]byte(before))
		a, err2 := parseModel([]byte(after))
		if err != nil || err2 != nil || !valid(before) || !valid(after) {
			return
		}
		r := rulesOf(tb)
		r.tidy(tb.Root, a)
		d := r.differences(b, a)
		got, err := Apply(b, r.patch(b, d.found))
		if err != nil {
			t.Fatalf("%s → %s: %v", before, after, err)
		}
		if again := r.differences(got.(map[string]any), a); len(again.found) > 0 {
			for _, x := range again.found {
				if !r.readOnly.covers(x.at) && !r.writeOnly.covers(x.at) && !r.taggedAt(x.at) {
					t.Errorf("%s → %s leaves %s: %s", before, after, pointer(x.at), encode(got))
				}
			}
		}
		// A check never panics, whatever it is given.
		Check([]Intent{{Table: tb, Before: json.RawMessage(before), After: json.RawMessage(after)}, {Table: tb, After: json.RawMessage(after)}}, Options{Replace: true})
		r.masked(a)
	})
}

// valid: what can be encoded again without loss.
func valid(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, `\u`) }

// A document that is applied is what another implementation makes of it.
func FuzzApply(f *testing.F) {
	f.Add(`{"A":[1,2]}`, `[{"op":"add","path":"/A/-","value":3}]`)
	f.Add(`{"A":{"B":1}}`, `[{"op":"move","from":"/A/B","path":"/C"},{"op":"test","path":"/C","value":1}]`)
	f.Add(`{"A":{"B":1}}`, `[{"op":"copy","from":"/A","path":"/A/C"},{"op":"remove","path":"/A/C/B"}]`)
	f.Fuzz(func(t *testing.T, doc, patch string) {
		model, err := parseModel([]byte(doc))
		if err != nil || !valid(doc) || !valid(patch) {
			return
		}
		text := string(encode(model))
		ops, err := ParsePatch([]byte(patch))
		if err != nil {
			return
		}
		got, err := Apply(model, ops)
		if string(encode(model)) != text {
			t.Errorf("%s %s changed the model", doc, patch)
		}
		if err != nil {
			return
		}
		if again, err := Apply(model, ops); err != nil || !sameJSON(got, again) {
			t.Errorf("%s %s gives two results", doc, patch)
		}
	})
}
