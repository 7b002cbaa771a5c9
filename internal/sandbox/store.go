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

// A store holds what exists and what was asked for. It is safe for concurrent
// use: readers share it, and a resource never changes, it is replaced.
type store struct {
	catalog *catalog.Catalog
	world   *World

	mu     sync.RWMutex
	byType map[string]*shelf
	raw    map[string][]*resource // the world's, by type, until a type is asked for
	ledger ledger
	// changed are the resources that differ from the world's.
	changed map[resourceKey]bool
	state   *State // nil: nothing is kept

	populate int             // how many resources of every type there are beside the world's
	making   map[string]bool // types whose resources are being made
}

// A resourceKey names a resource of a store.
type resourceKey struct{ typ, account, region, id string }

func (s *store) dirty(typ, account, region, id string) {
	s.changed[resourceKey{typ, account, region, id}] = true
}

// A shelf is all resources of a type.
type shelf struct {
	table   *catalog.Table
	byPlace map[string][]*resource // account and region, sorted by identifier

	// version counts changes; listed keeps the last lists that are still right,
	// so that a page costs no more than its rows.
	version  int
	listedMu sync.Mutex
	listed   map[string]listing
}

// A listing is what a list of some version of a shelf gives.
type listing struct {
	version int
	rows    []*resource
}

// mostListings bounds what a shelf keeps.
const mostListings = 64

func (sh *shelf) kept(key string) ([]*resource, bool) {
	sh.listedMu.Lock()
	defer sh.listedMu.Unlock()
	l, ok := sh.listed[key]
	return l.rows, ok && l.version == sh.version
}

// keep keeps a list, unless one of its resources shows only after a while.
func (sh *shelf) keep(key string, all, rows []*resource) {
	if slices.ContainsFunc(all, func(r *resource) bool { return r.seen != nil }) {
		return
	}
	sh.listedMu.Lock()
	defer sh.listedMu.Unlock()
	if sh.listed == nil || len(sh.listed) >= mostListings {
		sh.listed = map[string]listing{}
	}
	sh.listed[key] = listing{sh.version, rows}
}

// A resource is one thing that exists. Its properties are JSON's values, but
// for those of a world that was made in Go.
type resource struct {
	account, region string
	properties      map[string]any
	id              string
	parts           map[string]string // by pointer
	seen            *sightings        // nil for what the world began with

	once sync.Once
	text []byte
}

func newStore(c *catalog.Catalog, w *World, populate int) *store {
	s := &store{catalog: c, world: w, populate: populate, making: map[string]bool{}}
	s.reset()
	return s
}

// reset goes back to the world as it began.
func (s *store) reset() {
	s.byType, s.raw, s.ledger, s.changed = map[string]*shelf{}, map[string][]*resource{}, newLedger(), map[resourceKey]bool{}
	for _, r := range s.world.Resources {
		s.raw[r.Type] = append(s.raw[r.Type], &resource{account: r.Account, region: r.Region, properties: r.Properties})
	}
}

// shelf gives a type's, made ready when first asked for.
func (s *store) shelf(t *catalog.Table) *shelf {
	s.mu.RLock()
	sh := s.byType[t.Type]
	s.mu.RUnlock()
	if sh != nil {
		return sh
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shelfLocked(t)
}

func (s *store) shelfLocked(t *catalog.Table) *shelf {
	if sh := s.byType[t.Type]; sh != nil {
		return sh
	}
	sh := &shelf{table: t, byPlace: map[string][]*resource{}}
	for _, r := range slices.Concat(s.raw[t.Type], s.populated(t)) {
		r.identify(t)
		key := place(r.account, r.region)
		sh.byPlace[key] = append(sh.byPlace[key], r)
	}
	for _, rs := range sh.byPlace {
		sort.SliceStable(rs, func(i, j int) bool { return rs[i].id < rs[j].id })
	}
	if !s.making[t.Type] {
		s.byType[t.Type] = sh
	}
	return sh
}

func place(account, region string) string { return account + " " + region }

// identify computes a resource's identifier.
func (r *resource) identify(t *catalog.Table) {
	var parts []string
	r.parts = map[string]string{}
	for _, p := range t.Identifier {
		v := strings.Join(valuesAt(r.properties, p), "")
		parts = append(parts, v)
		r.parts[p] = v
	}
	r.id = strings.Join(parts, "|")
}

// at finds a resource by its place and identifier; if there is none, where it
// would stand.
func (sh *shelf) at(place, id string) (i int, found bool) {
	rs := sh.byPlace[place]
	i = sort.Search(len(rs), func(i int) bool { return rs[i].id >= id })
	return i, i < len(rs) && rs[i].id == id
}

// all gives a type's resources in a place, in order.
func (s *store) all(t *catalog.Table, account, region string) []*resource {
	sh := s.shelf(t)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(sh.byPlace[place(account, region)])
}

// put adds a resource, or replaces the one with its identifier.
func (sh *shelf) put(r *resource) {
	key := place(r.account, r.region)
	sh.version++
	i, found := sh.at(key, r.id)
	rs := sh.byPlace[key]
	if found {
		rs[i] = r
	} else {
		rs = slices.Insert(rs, i, r)
	}
	sh.byPlace[key] = rs
}

func (sh *shelf) drop(place, id string) {
	if i, found := sh.at(place, id); found {
		sh.version++
		sh.byPlace[place] = slices.Delete(sh.byPlace[place], i, i+1)
	}
}

var roots sync.Map // *catalog.Table to *rule

// rootOf gives a type's rule, made once.
func rootOf(t *catalog.Table) *rule {
	if r, ok := roots.Load(t); ok {
		return r.(*rule)
	}
	r, _ := roots.LoadOrStore(t, rootRule(t))
	return r.(*rule)
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
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.findLocked(sh, c, want)
}

func (s *store) findLocked(sh *shelf, c caller, want map[string]string) (r *resource, elsewhere bool) {
	t := sh.table
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
	here := sh.byPlace[place(c.account, regionOf(t, c))]
	if len(t.Identifier) == 1 && len(want) == 1 {
		if v, ok := want[t.Identifier[0]]; ok {
			if i, found := sh.at(place(c.account, regionOf(t, c)), v); found {
				return here[i], false
			}
		}
	}
	if i := slices.IndexFunc(here, match); i >= 0 {
		return here[i], false
	}
	if t.SpansRegions {
		for _, region := range s.world.Regions {
			if slices.ContainsFunc(sh.byPlace[place(c.account, region)], match) {
				return nil, true
			}
		}
	}
	return nil, false
}

// list gives the resources that a list with a model names, in a steady order.
func (s *store) list(t *catalog.Table, c caller, model map[string]any, seen func(*resource) bool) []*resource {
	sh := s.shelf(t)
	s.mu.RLock()
	defer s.mu.RUnlock()
	key := place(c.account, regionOf(t, c)) + " " + string(encode(model))
	if rows, ok := sh.kept(key); ok {
		return rows
	}
	all := sh.byPlace[place(c.account, regionOf(t, c))]
	if t.SpansRegions {
		all = nil
		for _, region := range s.world.Regions {
			all = append(all, sh.byPlace[place(c.account, region)]...)
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
		if r.under(t, pointers, model) && seen(r) {
			out = append(out, r)
		}
	}
	sh.keep(key, all, out)
	return out
}

// under reports whether a resource belongs to the parent that a model names.
// Without one, a type that has a default parent shows that one's children only.
func (r *resource) under(t *catalog.Table, pointers []string, model map[string]any) bool {
	for _, p := range pointers {
		given := valuesAt(model, p)
		if len(given) == 0 {
			if t.ListInput.DefaultParentOnly && givesTo(t, p) && !slices.ContainsFunc(valuesAt(r.properties, p), func(v string) bool { return sameName(v, "default") }) {
				return false
			}
			continue
		}
		have := r.keyValues(t, p)
		if len(have) == 0 {
			continue // the resource doesn't say: its type keeps the parent elsewhere
		}
		if !slices.ContainsFunc(have, func(h string) bool { return slices.ContainsFunc(given, func(g string) bool { return sameName(h, g) }) }) {
			return false
		}
	}
	return true
}

// keyValues are those of a resource that a list's key is compared with. Where
// the key is called like the resource's own name (the Arn of a workspace, asked
// for its rule groups) the parent's stands in some other property.
func (r *resource) keyValues(t *catalog.Table, pointer string) []string {
	if !slices.Contains(t.ReadOnly, pointer) || !slices.Contains(t.Identifier, pointer) {
		return valuesAt(r.properties, pointer)
	}
	var out []string
	for _, p := range t.Root.Properties {
		out = append(out, valuesAt(r.properties, "/"+p.Name)...)
	}
	return out
}

// givesTo reports whether a pointer takes a value of a list parent.
func givesTo(t *catalog.Table, pointer string) bool {
	return slices.ContainsFunc(t.ListInput.Parents, func(p catalog.Parent) bool {
		return slices.ContainsFunc(p.Give, func(g catalog.Gift) bool { return g.To == pointer })
	})
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
	r.once.Do(func() { r.text = inOrder(t, readable(t, r.properties)) })
	return r.text
}

// readable gives a model without what is write-only.
func readable(t *catalog.Table, model map[string]any) map[string]any {
	for _, p := range t.WriteOnly {
		if !slices.Contains(t.ReadOnly, p) { // a few are in both lists
			model, _ = without(model, strings.Split(p[1:], "/")).(map[string]any)
		}
	}
	return model
}

// without gives a value without what is at a path; '*' stands for every
// element of an array or value of a map, and may be left out for arrays.
func without(v any, path []string) any {
	switch v := v.(type) {
	case map[string]any:
		if _, there := v[path[0]]; !there && path[0] != "*" {
			return v
		}
		out := make(map[string]any, len(v))
		for k, x := range v {
			switch {
			case k != path[0] && path[0] != "*":
				out[k] = x
			case len(path) > 1:
				out[k] = without(x, path[1:])
			}
		}
		return out
	case []any:
		if path[0] == "*" {
			path = path[1:]
		}
		if len(path) == 0 {
			return []any{}
		}
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = without(e, path)
		}
		return out
	}
	return v
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
func (r *resource) listed(t *catalog.Table, kind ListKind, how Reads) []byte {
	if kind == Full {
		return r.read(t, how)
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
