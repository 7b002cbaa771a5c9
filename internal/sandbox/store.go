package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/skyql/skyql/internal/catalog"
)

// A ListKind is how much a type's list tells of each resource.
type ListKind uint8

const (
	Thin    ListKind = iota + 1 // the identifier's properties
	Partial                     // some more, and not of every resource
	Full                        // everything
)

// known are kinds that are worth having as they are; all others go by name.
var known = map[string]ListKind{
	"AWS::Connect::User": Partial, "AWS::Connect::Instance": Full, "AWS::SQS::Queue": Thin, "AWS::S3::Bucket": Thin,
	"AWS::EC2::VPC": Full, "AWS::EC2::Subnet": Partial, "AWS::EC2::Volume": Thin, "AWS::Logs::LogGroup": Full, "AWS::SSM::Parameter": Partial,
}

func (s *Sandbox) kind(typ string) ListKind {
	if k, ok := s.o.Lists[typ]; ok {
		return k
	}
	if k, ok := known[typ]; ok {
		return k
	}
	return ListKind(hash("list", typ)%3) + Thin
}

// A store holds a world by type, made ready when a type is first asked for.
type store struct {
	world *World

	mu     sync.Mutex
	byType map[string]*shelf
	raw    map[string][]*resource
}

// A shelf is all resources of a type.
type shelf struct {
	byPlace map[string][]*resource // account and region, sorted by identifier
}

// A resource is one thing that exists.
type resource struct {
	account, region string
	properties      map[string]any
	id              string
	parts           map[string]string // by pointer

	once sync.Once
	text []byte
}

func newStore(c *catalog.Catalog, w *World) *store {
	s := &store{world: w, byType: map[string]*shelf{}, raw: map[string][]*resource{}}
	for _, r := range w.Resources {
		s.raw[r.Type] = append(s.raw[r.Type], &resource{account: r.Account, region: r.Region, properties: r.Properties})
	}
	return s
}

func (s *store) shelf(t *catalog.Table) *shelf {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh := s.byType[t.Type]; sh != nil {
		return sh
	}
	sh := &shelf{byPlace: map[string][]*resource{}}
	for _, r := range s.raw[t.Type] {
		var parts []string
		r.parts = map[string]string{}
		for _, p := range t.Identifier {
			v := strings.Join(valuesAt(r.properties, p), "")
			parts = append(parts, v)
			r.parts[p] = v
		}
		r.id = strings.Join(parts, "|")
		key := r.account + " " + r.region
		sh.byPlace[key] = append(sh.byPlace[key], r)
	}
	for _, rs := range sh.byPlace {
		sort.Slice(rs, func(i, j int) bool { return rs[i].id < rs[j].id })
	}
	s.byType[t.Type] = sh
	return sh
}

// region is where a type's resources are kept for a caller.
func regionOf(t *catalog.Table, c caller) string {
	if t.Global {
		return catalog.HomeRegion(c.region)
	}
	return c.region
}

// find gives a resource by its primary or an alternative key. elsewhere says
// that it exists in another region, for types whose lists span regions.
func (s *store) find(t *catalog.Table, c caller, want map[string]string) (r *resource, elsewhere bool) {
	sh := s.shelf(t)
	match := func(r *resource) bool {
		for p, v := range want {
			have, ok := r.parts[p]
			if !ok {
				have = strings.Join(valuesAt(r.properties, p), "")
			}
			if have != v {
				return false
			}
		}
		return true
	}
	here := sh.byPlace[c.account+" "+regionOf(t, c)]
	if len(t.Identifier) == 1 && len(want) == 1 {
		if v, ok := want[t.Identifier[0]]; ok {
			i := sort.Search(len(here), func(i int) bool { return here[i].id >= v })
			if i < len(here) && here[i].id == v {
				return here[i], false
			}
		}
	}
	if i := slices.IndexFunc(here, match); i >= 0 {
		return here[i], false
	}
	if t.SpansRegions {
		for _, region := range s.world.Regions {
			if slices.ContainsFunc(sh.byPlace[c.account+" "+region], match) {
				return nil, true
			}
		}
	}
	return nil, false
}

// list gives the resources that a list with a model names, in a steady order.
func (s *store) list(t *catalog.Table, c caller, model map[string]any) []*resource {
	sh := s.shelf(t)
	all := sh.byPlace[c.account+" "+regionOf(t, c)]
	if t.SpansRegions {
		all = nil
		for _, region := range s.world.Regions {
			all = append(all, sh.byPlace[c.account+" "+region]...)
		}
	}
	var pointers []string
	in := t.ListInput
	pointers = append(append(pointers, in.Required...), in.Optional...)
	for _, set := range in.OneOf {
		pointers = append(pointers, set...)
	}
	var out []*resource
	for _, r := range all {
		if r.under(t, pointers, model) {
			out = append(out, r)
		}
	}
	return out
}

// under reports whether a resource belongs to the parent that a model names.
// Without one, a type that has a default parent shows that one's children only.
func (r *resource) under(t *catalog.Table, pointers []string, model map[string]any) bool {
	for _, p := range pointers {
		given := valuesAt(model, p)
		if len(given) == 0 {
			if t.ListInput.DefaultParentOnly && !slices.ContainsFunc(valuesAt(r.properties, p), func(v string) bool { return sameName(v, "default") }) {
				return false
			}
			continue
		}
		have := valuesAt(r.properties, p)
		if len(have) == 0 {
			continue // the resource doesn't say: its type keeps the parent elsewhere
		}
		if !slices.ContainsFunc(have, func(h string) bool { return slices.ContainsFunc(given, func(g string) bool { return sameName(h, g) }) }) {
			return false
		}
	}
	return true
}

// sameName compares names of one thing, which may be an ARN or its last part.
func sameName(a, b string) bool {
	return a == b || strings.HasPrefix(a, "arn:") && strings.HasSuffix(a, "/"+b) || strings.HasPrefix(b, "arn:") && strings.HasSuffix(b, "/"+a)
}

// valuesAt gives the scalars at a pointer of a model, as text.
func valuesAt(model map[string]any, pointer string) []string {
	var at any = model
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		o, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = o[step]
	}
	switch v := at.(type) {
	case nil, map[string]any:
		return nil
	case []any:
		var out []string
		for _, x := range v {
			out = append(out, fmt.Sprint(x))
		}
		return out
	case []string:
		return v
	}
	return []string{fmt.Sprint(at)}
}

// full is a resource as a Get gives it: without what is write-only.
func (r *resource) full(t *catalog.Table) []byte {
	r.once.Do(func() {
		shown := map[string]any{}
		for k, v := range r.properties {
			shown[k] = v
		}
		for _, p := range t.WriteOnly {
			if !slices.Contains(t.ReadOnly, p) {
				shown = without(shown, strings.Split(p[1:], "/"))
			}
		}
		r.text = inOrder(t, shown)
	})
	return r.text
}

// without gives an object without what is at a path; '*' stands for every
// element or member.
func without(o map[string]any, path []string) map[string]any {
	out := map[string]any{}
	for k, v := range o {
		if k != path[0] && path[0] != "*" {
			out[k] = v
			continue
		}
		if len(path) == 1 {
			continue
		}
		switch v := v.(type) {
		case map[string]any:
			out[k] = without(v, path[1:])
		case []any:
			var list []any
			for _, e := range v {
				if m, ok := e.(map[string]any); ok && path[1] == "*" && len(path) > 2 {
					e = without(m, path[2:])
				}
				list = append(list, e)
			}
			out[k] = list
		default:
			out[k] = v
		}
	}
	return out
}

// inOrder writes properties in the schema's order, as handlers do.
func inOrder(t *catalog.Table, o map[string]any) []byte {
	b := []byte{'{'}
	for _, p := range t.Root.Properties {
		v, ok := o[p.Name]
		if !ok {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, encode(p.Name)...)
		b = append(b, ':')
		b = append(b, encode(v)...)
	}
	return append(b, '}')
}

// listed is a resource as a list gives it.
func (r *resource) listed(t *catalog.Table, kind ListKind) []byte {
	if kind == Full {
		return r.full(t)
	}
	var whole map[string]any
	if err := json.Unmarshal(r.full(t), &whole); err != nil {
		panic("sandbox: " + err.Error())
	}
	out := map[string]any{}
	for k, v := range whole {
		if slices.ContainsFunc(t.Identifier, func(p string) bool { return p == "/"+k || strings.HasPrefix(p, "/"+k+"/") }) || kind == Partial && r.tells(t, k, v) {
			out[k] = v
		}
	}
	return inOrder(t, out)
}

// tells says which properties a partial list has: half of the scalars, the
// optional ones not for every resource.
func (r *resource) tells(t *catalog.Table, name string, v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return false
	}
	if hash("tells", t.Type, name)%2 == 0 {
		return false
	}
	return slices.Contains(t.Root.Required, name) || hash("absent", name, r.id)%5 != 0
}
