package sandbox

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/catalog"
)

// A generator makes up values that a type's schema admits. The same dice make
// the same values.
type generator struct {
	table           *catalog.Table
	account, region string
	now             time.Time
	rand            *rand.Rand
	full            bool                 // optional properties too
	skip            func(at string) bool // pointers that are not to be made
	given           map[string]any       // values for top-level properties
	own             string               // the resource's name or id, once it is known
	left            int                  // optional values that may still be made
	extra           int                  // optional properties to make although the model is minimal
}

const (
	// optionalDepth is how deep optional properties are made, deepest how deep
	// required ones are before a schema counts as endless.
	optionalDepth = 4
	deepest       = 24
	// maxOptional bounds a full model below its top level.
	maxOptional = 250
)

// epochStart is the time in what is made up without a clock.
var epochStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Model makes up a valid model of a type, as a caller would send it for a
// create: nothing read-only. It is minimal, or has every property that the
// schema lets stand beside the others. Seeds tell models of a type apart. False
// means that the schema admits nothing that could be found.
func Model(t *catalog.Table, account, region string, full bool, seed int) (map[string]any, bool) {
	return modelOf(t, rootRule(t), account, region, full, seed, nil)
}

func modelOf(t *catalog.Table, root *rule, account, region string, full bool, seed int, given map[string]any) (map[string]any, bool) {
	g := &generator{table: t, account: account, region: region, now: epochStart, full: full, given: given,
		rand: dice("model", t.Type, account, region, strconv.Itoa(seed), strconv.FormatBool(full)), skip: forbidden(t, root), left: maxOptional}
	v, ok := g.value(root, "", "", 0)
	o, _ := v.(map[string]any)
	return o, ok
}

// forbidden says which pointers a caller may not give: the read-only ones, but
// for those that an object can't do without.
func forbidden(t *catalog.Table, root *rule) func(at string) bool {
	no := map[string]bool{}
	for _, p := range t.ReadOnly {
		if !needed(root, strings.Split(p[1:], "/")) {
			no[p] = true
		}
	}
	return func(at string) bool { return no[at] }
}

// needed reports whether the last step of a path is required where it stands,
// below the top level.
func needed(r *rule, path []string) bool {
	for i, step := range path {
		if len(path) == 1 || r == nil || r.node == nil {
			return false
		}
		if i == len(path)-1 {
			return slices.Contains(r.node.Required, step)
		}
		r = r.step(step)
	}
	return false
}

// step gives the rule of what a step of a pointer leads to; '*' stands for an
// array's elements or a map's values.
func (r *rule) step(name string) *rule {
	switch {
	case r.props[name] != nil:
		return r.props[name]
	case name == "*" && r.items != nil:
		return r.items
	case name == "*" && len(r.patterns) > 0:
		return r.patterns[0].rule
	case r.items != nil: // some pointers leave the star out
		return r.items.step(name)
	}
	for _, list := range [][]*rule{r.allOf, r.oneOf, r.anyOf} {
		for _, x := range list {
			if s := x.step(name); s != nil {
				return s
			}
		}
	}
	return nil
}

// value makes a value for a rule. name is the property that it is for, at the
// pointer where it stands.
func (g *generator) value(r *rule, name, at string, depth int) (any, bool) {
	if depth > deepest {
		return nil, false
	}
	if r.node == nil {
		return map[string]any{}, true
	}
	if len(r.constant) > 0 {
		return r.constant[0], true
	}
	if len(r.enum) > 0 {
		return g.member(r), true
	}
	defer func(n int) { g.extra = n }(g.extra)
	for try := range 60 {
		g.extra = max(g.extra, try/10) // {} is valid too often, or not at all
		v, ok := g.try(r, name, at, depth)
		if ok && r.admits(v) {
			return v, true
		}
		if !ok && !r.choosy() && try > 20 {
			return nil, false
		}
	}
	return nil, false
}

// choosy rules are those where another try may lead elsewhere.
func (r *rule) choosy() bool {
	return len(r.oneOf)+len(r.anyOf)+len(r.allOf)+len(r.dependencies)+len(r.patterns) > 0 || r.node != nil && (r.node.MaxProps != nil || r.node.UniqueItems)
}

// member picks a value of an enum: what a healthy resource would say, if there
// is such a one.
func (g *generator) member(r *rule) any {
	for _, good := range []string{"ACTIVE", "AVAILABLE", "ENABLED", "READY", "CREATED", "RUNNING", "SUCCEEDED", "COMPLETED"} {
		for _, e := range r.enum {
			if s, ok := e.(string); ok && strings.EqualFold(s, good) {
				return e
			}
		}
	}
	return r.enum[g.rand.IntN(len(r.enum))]
}

func (g *generator) try(r *rule, name, at string, depth int) (any, bool) {
	k := r.kind()
	if k&(objects|arrays) == 0 && g.rand.IntN(2) == 0 { // a scalar that is said in alternatives
		for _, list := range [][]*rule{r.oneOf, r.anyOf} {
			if len(list) > 0 {
				return g.value(list[g.rand.IntN(len(list))], name, at, depth+1)
			}
		}
	}
	switch k {
	case objects:
		return g.object(r, name, at, depth)
	case arrays:
		return g.array(r, name, at, depth)
	case texts:
		return g.text(r, name)
	case integers, numbers:
		return g.number(r, name, k)
	case booleans:
		return g.full, true
	}
	for _, list := range [][]*rule{r.oneOf, r.anyOf, r.allOf} {
		if len(list) > 0 {
			return g.value(list[g.rand.IntN(len(list))], name, at, depth+1)
		}
	}
	return map[string]any{}, true
}

// kind is the type of value to make, 0 where the rule leaves it to others.
func (r *rule) kind() kind {
	n := r.node
	for _, k := range []kind{objects, texts, arrays, integers, numbers, booleans} {
		if r.types&k != 0 {
			return k
		}
	}
	switch {
	case len(r.props) > 0 || len(r.patterns) > 0 || len(n.Required) > 0:
		return objects
	case r.items != nil:
		return arrays
	case r.pattern != nil || n.MinLength != nil || n.MaxLength != nil:
		return texts
	case n.Minimum != nil || n.Maximum != nil:
		return numbers
	}
	return 0
}

// demands are what an object must and may have, one of each set of
// alternatives chosen by the dice.
type demands struct {
	required []string
	order    []string
	props    map[string]*rule
}

func (g *generator) demands(r *rule, d *demands) {
	if r.node == nil {
		return
	}
	d.required = append(d.required, r.node.Required...)
	for _, p := range r.node.Properties {
		if old := d.props[p.Name]; old == nil {
			d.order = append(d.order, p.Name)
			d.props[p.Name] = r.props[p.Name]
		} else if n := r.props[p.Name]; n.node != nil && (len(n.node.Types) > 0 || len(n.enum)+len(n.constant) > 0) {
			d.props[p.Name] = n
		}
	}
	for _, x := range r.allOf {
		g.demands(x, d)
	}
	for _, list := range [][]*rule{r.oneOf, r.anyOf} {
		if len(list) > 0 {
			g.demands(list[g.rand.IntN(len(list))], d)
		}
	}
}

func (g *generator) object(r *rule, name, at string, depth int) (any, bool) {
	out := map[string]any{}
	d := demands{props: map[string]*rule{}}
	g.demands(r, &d)
	if at == "" {
		g.addGiven(r, out)
	}
	for i := 0; i < len(d.required); i++ { // dependencies make it longer
		p := d.required[i]
		if dep, ok := r.dependencies[p]; ok {
			d.required = append(d.required, dep.names...)
		}
		if _, there := out[p]; there {
			continue
		}
		v, ok := g.property(d.props[p], p, at, depth)
		if !ok {
			return nil, false
		}
		out[p] = v
	}
	if len(r.patterns) > 0 && !g.entries(r, out, name, at, depth) {
		return nil, false
	}
	if r.node.Open && len(d.props) == 0 && len(r.patterns) == 0 && strings.Contains(name, "Policy") {
		out["Version"], out["Statement"] = "2012-10-17", []any{}
	}
	switch {
	case g.full && depth < optionalDepth:
		g.options(r, d, out, at, depth)
	case g.extra > 0 && len(d.order) > 0:
		g.some(d, out, at, depth)
	}
	return out, true
}

func (g *generator) property(r *rule, name, at string, depth int) (any, bool) {
	if r == nil {
		return "x", true // required, but not described
	}
	return g.value(r, name, at+"/"+name, depth+1)
}

func (g *generator) addGiven(r *rule, out map[string]any) {
	for k, v := range g.given {
		if p := r.props[k]; p != nil && p.admits(v) {
			out[k] = v
		}
	}
}

// options adds the optional properties that the others admit.
func (g *generator) options(r *rule, d demands, out map[string]any, at string, depth int) {
	for _, name := range d.order {
		if _, there := out[name]; there || g.skip(at+"/"+name) || depth > 0 && g.left <= 0 {
			continue
		}
		if depth > 0 {
			g.left--
		}
		v, ok := g.property(d.props[name], name, at, depth)
		if !ok {
			continue
		}
		out[name] = v
		if r.choosy() && !r.admits(out) {
			delete(out, name)
		}
	}
}

// some adds a few of the optional properties.
func (g *generator) some(d demands, out map[string]any, at string, depth int) {
	defer func(n int) { g.extra = n }(g.extra)
	n := g.extra
	g.extra--
	for range n {
		name := d.order[g.rand.IntN(len(d.order))]
		if _, there := out[name]; there || g.skip(at+"/"+name) || depth > optionalDepth {
			continue
		}
		if v, ok := g.property(d.props[name], name, at, depth); ok {
			out[name] = v
		}
	}
}

// entries makes a map's.
func (g *generator) entries(r *rule, out map[string]any, name, at string, depth int) bool {
	n := 0
	if r.node.MinProps != nil {
		n = *r.node.MinProps
	}
	if g.full && depth < optionalDepth+1 {
		n = max(n, 1)
	}
	for i := 0; len(out) < n && i < 4*n; i++ {
		p := r.patterns[g.rand.IntN(len(r.patterns))]
		key, ok := matching(p.name, 1, 60, g.rand)
		if !ok {
			return false
		}
		v, ok := g.value(p.rule, name, at+"/*", depth+1)
		if !ok {
			return len(out) > 0
		}
		out[key] = v
	}
	return true
}

func (g *generator) array(r *rule, name, at string, depth int) (any, bool) {
	out := []any{}
	n := 0
	if r.node.MinItems != nil {
		n = *r.node.MinItems
	}
	if g.full && depth < optionalDepth+1 && (r.node.MaxItems == nil || *r.node.MaxItems > 0) {
		n = max(n, 1)
	}
	defer func(n int) { g.extra = n }(g.extra)
	for i := 0; len(out) < n && i < 20*n; i++ {
		if i > 2*n {
			g.extra = max(g.extra, 1) // those that are different
		}
		var v any = "x" + strconv.Itoa(i)
		if r.items != nil {
			var ok bool
			if v, ok = g.value(r.items, name, at+"/*", depth+1); !ok {
				break
			}
		}
		if !r.node.UniqueItems || unique(append(slices.Clone(out), v)) {
			out = append(out, v)
		}
	}
	return out, r.node.MinItems == nil || len(out) >= *r.node.MinItems
}

// number picks one between the limits, small where it can be.
func (g *generator) number(r *rule, name string, k kind) (any, bool) {
	n := r.node
	if moment(name) && n.Maximum == nil {
		return json.Number(strconv.FormatInt(g.now.Unix(), 10)), true
	}
	at := big.NewRat(int64(g.rand.IntN(20)+1), 1)
	step := big.NewRat(1, 1)
	if n.MultipleOf != nil {
		step = ratio(*n.MultipleOf)
		at.Mul(at, step)
	}
	clamp := func(limit *json.Number, side int, open bool) {
		if limit == nil {
			return
		}
		l := ratio(*limit)
		if open {
			l = new(big.Rat).Add(l, new(big.Rat).Mul(step, big.NewRat(int64(side), 2)))
		}
		if at.Cmp(l)*side < 0 {
			at.Set(l)
		}
	}
	clamp(n.Maximum, -1, false)
	clamp(n.ExclusiveMaximum, -1, true)
	clamp(n.Minimum, 1, false)
	clamp(n.ExclusiveMinimum, 1, true)
	if k == integers || n.MultipleOf != nil { // up to a whole multiple
		q := new(big.Rat).Quo(at, step)
		if !q.IsInt() {
			whole := new(big.Int).Quo(q.Num(), q.Denom())
			if q.Sign() > 0 {
				whole.Add(whole, big.NewInt(1))
			}
			at.Mul(new(big.Rat).SetInt(whole), step)
		}
	}
	if at.IsInt() {
		return json.Number(at.Num().String()), true
	}
	f, _ := at.Float64()
	return json.Number(strconv.FormatFloat(f, 'f', -1, 64)), true
}
