package sandbox

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skyql/skyql/internal/catalog"
)

//go:embed shapes.json
var shapesText []byte

// A shapesFile is how the values look that services make up, where schemas
// don't say: id prefixes by property, and templates by type and pointer, in
// the order in which they build on each other.
type shapesFile struct {
	Prefixes map[string]string
	Types    map[string]template
}

// A template is a type's, in the order of the file.
type template []shape

type shape struct{ pointer, text string }

func (t *template) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(strings.NewReader(string(text)))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return err
		}
		v, err := d.Token()
		if err != nil {
			return err
		}
		*t = append(*t, shape{fmt.Sprint(k), fmt.Sprint(v)})
	}
	return nil
}

var shapes = sync.OnceValue(func() shapesFile {
	var s shapesFile
	if err := json.Unmarshal(shapesText, &s); err != nil {
		panic("sandbox: shapes.json: " + err.Error())
	}
	return s
})

// An assignment is what a service adds to a caller's model when it makes a
// resource.
type assignment struct {
	generator
	root  *rule
	model map[string]any
}

// assign gives a model with all that the service adds: names left out,
// defaults, read-only values. The n-th try with the same seed gives other ids.
// The caller's model is left as it is.
func assign(t *catalog.Table, root *rule, model map[string]any, account, region string, now time.Time, seed string, n int, defaults bool) map[string]any {
	a := &assignment{root: root, model: cloneObject(model)}
	a.generator = generator{table: t, account: account, region: region, now: now.UTC().Truncate(time.Second), skip: func(string) bool { return false },
		rand: dice("assign", seed, strconv.Itoa(n))}
	if defaults {
		a.defaults()
	}
	a.names()
	a.own = a.ownName()
	for _, x := range shapes().Types[t.Type] {
		if _, there := a.model[x.pointer[1:]]; !there {
			a.put([]string{x.pointer[1:]}, a.fill(x.text))
		}
	}
	a.own = a.ownName()
	late := func(p string) bool { return strings.HasSuffix(strings.ToLower(p), "arn") }
	for _, arns := range []bool{false, true} { // ARNs hold ids
		for _, p := range t.ReadOnly {
			if late(p) == arns {
				a.readOnly(a.root, a.model, strings.Split(p[1:], "/"), "")
				a.own = a.ownName()
			}
		}
	}
	for _, p := range t.Identifier {
		a.identifierPart(p)
	}
	return a.model
}

// cloneObject copies an object so deep that the copy can be changed anywhere.
func cloneObject(o map[string]any) map[string]any { return clone(o).(map[string]any) }

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v)+4)
		for k, x := range v {
			out[k] = clone(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = clone(x)
		}
		return out
	}
	return v
}

// defaults fills in the schema's, where the whole stays valid.
func (a *assignment) defaults() {
	for _, p := range a.table.Root.Properties {
		n := a.table.Resolve(p.Node)
		if _, there := a.model[p.Name]; there || n == nil || slices.Contains(a.table.ReadOnly, "/"+p.Name) || slices.Contains(a.table.WriteOnly, "/"+p.Name) {
			continue
		}
		def := n.Default
		if len(p.Node.Default) > 0 {
			def = p.Node.Default
		}
		if len(def) == 0 {
			continue
		}
		v := decodeValue(def)
		a.model[p.Name] = v
		if s, text := v.(string); text && s == "" || !a.root.props[p.Name].admits(v) || !a.root.admits(a.model) {
			delete(a.model, p.Name)
		}
	}
}

// names makes up what the caller may choose and didn't.
func (a *assignment) names() {
	want := slices.Clone(a.table.Identifier)
	for _, name := range []string{"/" + a.table.Type[strings.LastIndexByte(a.table.Type, ':')+1:] + "Name", "/Name"} {
		if slices.Contains(a.table.CreateOnly, name) {
			want = append(want, name)
		}
	}
	for _, x := range shapes().Types[a.table.Type] {
		for _, m := range hole.FindAllStringSubmatch(x.text, -1) {
			if m[1] >= "A" && m[1] < "a" {
				want = append(want, "/"+m[1])
			}
		}
	}
	for _, p := range want {
		name := p[1:]
		r := a.root.props[name]
		if _, there := a.model[name]; there || r == nil || slices.Contains(a.table.ReadOnly, p) || r.kind() != texts {
			continue
		}
		if v, ok := a.value(r, name, p, 0); ok {
			a.model[name] = v
			if !a.root.admits(a.model) {
				delete(a.model, name)
			}
		}
	}
}

// ownName is what a resource is called: its id or name.
func (a *assignment) ownName() string {
	resource := a.table.Type[strings.LastIndexByte(a.table.Type, ':')+1:]
	for _, name := range append(identifierNames(a.table), resource+"Name", "Name", resource+"Id", "Id") {
		if s, ok := a.model[name].(string); ok && s != "" && !strings.HasPrefix(s, "arn:") {
			return s
		}
	}
	return ""
}

func identifierNames(t *catalog.Table) []string {
	var out []string
	for i := len(t.Identifier) - 1; i >= 0; i-- {
		out = append(out, t.Identifier[i][1:])
	}
	return out
}

var hole = regexp.MustCompile(`\{([A-Za-z]+)(\d*)\}`)

// fill gives a template's text.
func (a *assignment) fill(text string) string {
	return hole.ReplaceAllStringFunc(text, func(h string) string {
		m := hole.FindStringSubmatch(h)
		n, _ := strconv.Atoi(m[2]) // no digits: 0
		switch m[1] {
		case "region":
			return a.region
		case "account":
			return a.account
		case "partition":
			return catalog.Partition(a.region)
		case "uuid":
			return uuidOf(a.rand)
		case "hex":
			return word(a.rand, n, "0123456789abcdef")
		case "id":
			return word(a.rand, 1, lower) + word(a.rand, n-1, letters)
		case "upper":
			return word(a.rand, n, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
		case "digits":
			return word(a.rand, n, "123456789")
		case "number", "octet":
			return strconv.Itoa(1 + a.rand.IntN(200))
		}
		v := lastPart(plain(a.model[m[1]]), text)
		if m[1] == "Scope" {
			v = strings.ToLower(v)
		}
		return v
	})
}

// lastPart is a name out of an ARN, where a template isn't that ARN's own child.
func lastPart(v, text string) string {
	if !strings.HasPrefix(text, "arn:") || !strings.HasPrefix(v, "arn:") {
		return v
	}
	if i := strings.LastIndexAny(v, ":/"); i >= 0 {
		return v[i+1:]
	}
	return v
}

// put sets a value that the schema admits.
func (a *assignment) put(path []string, v any) {
	if r := a.root.props[path[0]]; r != nil && r.admits(v) {
		a.model[path[0]] = v
	}
}

// readOnly makes the value at a path below an object. An object on the way is
// made if all that it could hold is read-only.
func (a *assignment) readOnly(r *rule, o map[string]any, path []string, at string) {
	name := path[0]
	if name == "*" || r == nil || r.node == nil {
		a.entriesReadOnly(r, o, path, at)
		return
	}
	p := r.step(name)
	if p == nil {
		return
	}
	at += "/" + name
	if len(path) == 1 {
		if _, there := o[name]; !there {
			if v, ok := a.value(p, name, at, 1); ok {
				o[name] = v
			}
		}
		return
	}
	switch v := o[name].(type) {
	case map[string]any:
		a.readOnly(p, v, path[1:], at)
	case []any:
		rest := path[1:]
		if rest[0] == "*" {
			rest = rest[1:]
			at += "/*"
		}
		for _, e := range v {
			if m, ok := e.(map[string]any); ok && p.items != nil && len(rest) > 0 {
				a.readOnly(p.items, m, rest, at)
			}
		}
	case nil:
		if p.kind() == objects && a.onlyReadOnly(p, at) {
			m := map[string]any{}
			a.readOnly(p, m, path[1:], at)
			if len(m) > 0 {
				o[name] = m
			}
		}
	}
}

func (a *assignment) entriesReadOnly(r *rule, o map[string]any, path []string, at string) {
	if r == nil || len(r.patterns) == 0 || len(path) < 2 {
		return
	}
	for _, k := range sortedKeys(o) {
		if m, ok := o[k].(map[string]any); ok {
			a.readOnly(r.patterns[0].rule, m, path[1:], at+"/*")
		}
	}
}

// onlyReadOnly reports whether a caller can set nothing of an object.
func (a *assignment) onlyReadOnly(r *rule, at string) bool {
	for name := range r.props {
		if !slices.Contains(a.table.ReadOnly, at+"/"+name) {
			return false
		}
	}
	return len(r.props) > 0
}

// identifierPart makes sure that there is one, below the top level too.
func (a *assignment) identifierPart(p string) {
	r, o := a.root, a.model
	steps := strings.Split(p[1:], "/")
	for i, step := range steps {
		if r = r.step(step); r == nil {
			return
		}
		if i == len(steps)-1 {
			if _, there := o[step]; !there {
				if v, ok := a.value(r, step, p, 1); ok {
					o[step] = v
				}
			}
			return
		}
		next, ok := o[step].(map[string]any)
		if !ok {
			next = map[string]any{}
			o[step] = next
		}
		o = next
	}
}

// touch gives the read-only times of a model a new value, as an update does.
func touch(t *catalog.Table, root *rule, model map[string]any, now time.Time) map[string]any {
	for _, p := range t.ReadOnly {
		name := p[1:]
		if strings.Contains(name, "/") || !moment(name) || !updated.MatchString(name) || model[name] == nil {
			continue
		}
		g := generator{table: t, now: now.UTC().Truncate(time.Second), rand: rand.New(rand.NewPCG(1, 1))}
		if v, ok := g.value(root.props[name], name, p, 1); ok {
			model[name] = v
		}
	}
	return model
}

var updated = regexp.MustCompile(`Updat|Modif|Chang`)
