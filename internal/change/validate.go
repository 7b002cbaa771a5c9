package change

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/skyql/skyql/internal/catalog"
)

// A finding is a rule of the schema that a value breaks.
type finding struct {
	kind      Kind
	at        []string
	value     any // nil: not shown
	rule, fix string
	below     bool // an array with too few elements
}

// key is the same for the same fault at the same place of another model:
// elements of arrays may have moved.
func (f finding) key() string {
	at := slices.Clone(f.at)
	for i, s := range at {
		if s != "" && strings.Trim(s, "0123456789") == "" {
			at[i] = "*"
		}
	}
	return fmt.Sprint(f.kind, pointer(at), f.rule, string(encode(f.value)))
}

// A validator walks a model beside its schema. It judges values and not
// schemas: what is not said is allowed.
type validator struct {
	*rules
	creating bool
	found    []finding
}

func (v *validator) add(kind Kind, at []string, value any, rule, fix string) {
	v.found = append(v.found, finding{kind: kind, at: at, value: value, rule: rule, fix: fix})
}

// value checks x. depth counts schemas that apply to one and the same value.
func (v *validator) value(n *catalog.Node, at []string, x any, depth int) {
	n = v.table.Resolve(n)
	if n == nil || x == nil || depth > maxBranches || len(at) > 0 && v.readOnly.covers(at) {
		return
	}
	if !v.typed(n, at, x) {
		return
	}
	v.members(n, at, x)
	switch x := x.(type) {
	case map[string]any:
		v.object(n, at, x)
	case []any:
		v.array(n, at, x)
	case string:
		v.text(n, at, x)
	case json.Number:
		v.number(n, at, x)
	}
	for _, branch := range n.AllOf {
		v.value(branch, at, x, depth+1)
	}
	v.oneOf(n.OneOf, at, x, depth, true)
	v.oneOf(n.AnyOf, at, x, depth, false)
}

func (v *validator) typed(n *catalog.Node, at []string, x any) bool {
	kind := kindOf(x)
	if len(n.Types) == 0 || slices.Contains(n.Types, kind) || kind == "integer" && slices.Contains(n.Types, "number") {
		return true
	}
	v.add(WrongType, at, x, "must be "+article(n.Types)+", not "+article([]string{kind}), "")
	return false
}

// article names kinds: "a string or an object".
func article(kinds []string) string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = "a " + k
		if strings.ContainsRune("aeiou", rune(k[0])) {
			out[i] = "an " + k
		}
	}
	return strings.Join(out, " or ")
}

// members checks enum and const.
func (v *validator) members(n *catalog.Node, at []string, x any) {
	if len(n.Enum) > 0 && !slices.ContainsFunc(n.Enum, func(e json.RawMessage) bool { return isJSON(e, x) }) {
		var all, texts []string
		for _, e := range n.Enum {
			all = append(all, strings.Trim(string(e), `"`))
		}
		texts = all[:min(len(all), 8)]
		rule := "must be one of " + strings.Join(texts, ", ")
		if len(all) > len(texts) {
			rule += fmt.Sprintf(" and %d more", len(all)-len(texts))
		}
		fix := ""
		if s, ok := x.(string); ok {
			if near := catalog.Nearest(s, all); len(near) > 0 {
				fix = "did you mean " + strings.Join(near, ", ") + "?"
			}
		}
		v.add(Enum, at, x, rule, fix)
	}
	if len(n.Const) > 0 && !isJSON(n.Const, x) {
		v.add(Enum, at, x, "must be "+string(n.Const), "")
	}
}

func isJSON(text json.RawMessage, x any) bool {
	e, err := parse(text)
	return err != nil || sameJSON(e, x)
}

func (v *validator) object(n *catalog.Node, at []string, o map[string]any) {
	for _, name := range n.Required {
		if o[name] == nil {
			v.missing(extend(at, name))
		}
	}
	v.names(n, at, o)
	count(v, at, len(o), n.MinProps, n.MaxProps, "members")
	for name, d := range n.Dependencies {
		if o[name] == nil {
			continue
		}
		for _, other := range d.Names {
			if o[other] == nil {
				v.add(Combination, extend(at, name), nil, "needs "+v.path(extend(at, other))+" beside it", "")
			}
		}
		v.value(d.Schema, at, o, 1)
	}
	for _, name := range sortedKeys(o) {
		v.value(ownChild(v.rules, n, name), extend(at, name), o[name], 0)
	}
}

// ownChild is the schema of a member without what branches say: those are
// walked on their own.
func ownChild(r *rules, n *catalog.Node, name string) *catalog.Node {
	own := catalog.Node{Properties: n.Properties, PatternProperties: n.PatternProperties}
	return r.child(&own, name)
}

func sortedKeys(o map[string]any) []string {
	out := make([]string, 0, len(o))
	for k := range o {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// missing judges a required member that isn't there.
func (v *validator) missing(at []string) {
	name := v.path(at)
	switch {
	case v.readOnly.covers(at):
	case v.creating || !v.writeOnly.covers(at):
		v.add(Required, at, nil, "is required", "give "+name+" a value")
	case v.createOnly.covers(at):
		v.add(CreateOnly, at, nil, "is wanted by AWS with every update, never given back by it and taken only when the resource is made: the type can't be updated", "")
	default:
		v.add(WriteOnly, at, nil, "is wanted by AWS with every update and never given back by it", "SET "+name+" too")
	}
}

// names finds members that a closed object doesn't have.
func (v *validator) names(n *catalog.Node, at []string, o map[string]any) {
	if n.Open || len(n.Properties)+len(n.PatternProperties) == 0 {
		return
	}
	for _, name := range sortedKeys(o) {
		if v.child(n, name) != nil || slices.ContainsFunc(n.Properties, func(p catalog.Property) bool { return p.Name == name }) {
			continue
		}
		if len(n.PatternProperties) > 0 {
			if compiled(n.PatternProperties[0].Name) != nil {
				v.add(Pattern, extend(at, name), nil, "is a name that does not match "+n.PatternProperties[0].Name, "")
			}
			continue
		}
		known := make([]string, 0, len(n.Properties))
		for _, p := range n.Properties {
			known = append(known, p.Name)
		}
		v.add(Unknown, extend(at, name), nil, v.unknownRule(at), nearFix(name, known))
	}
}

func (v *validator) unknownRule(at []string) string {
	if len(at) == 0 {
		return "is no property of " + v.table.Type
	}
	return "is no property of " + v.path(at)
}

func nearFix(name string, known []string) string {
	if near := catalog.Nearest(name, known); len(near) > 0 {
		return "did you mean " + strings.Join(near, ", ") + "?"
	}
	slices.Sort(known)
	return "it has " + cutText(strings.Join(known, ", "), 200)
}

func (v *validator) array(n *catalog.Node, at []string, list []any) {
	count(v, at, len(list), n.MinItems, n.MaxItems, "elements")
	if n.UniqueItems && len(distinct(list)) < len(list) {
		v.add(Count, at, nil, "must not have an element twice", "")
	}
	for i, x := range list {
		v.value(n.Items, extend(at, fmt.Sprint(i)), x, 0)
	}
}

func count(v *validator, at []string, n int, low, high *int, what string) {
	switch {
	case low != nil && n < *low:
		v.found = append(v.found, finding{kind: Count, at: at, rule: fmt.Sprintf("must have at least %d %s, not %d", *low, what, n), below: true})
	case high != nil && n > *high:
		v.add(Count, at, nil, fmt.Sprintf("must have at most %d %s, not %d", *high, what, n), "")
	}
}

func (v *validator) text(n *catalog.Node, at []string, s string) {
	length := utf8.RuneCountInString(s)
	switch {
	case n.MinLength != nil && length < *n.MinLength:
		v.add(Length, at, s, fmt.Sprintf("must have at least %d characters, not %d", *n.MinLength, length), "")
	case n.MaxLength != nil && length > *n.MaxLength:
		v.add(Length, at, s, fmt.Sprintf("must have at most %d characters, not %d", *n.MaxLength, length), "")
	}
	if n.Pattern == "" {
		return
	}
	if re := compiled(n.Pattern); re != nil && !re.MatchString(s) {
		v.add(Pattern, at, s, "does not match "+cutText(n.Pattern, 120), "")
	}
}

func (v *validator) number(n *catalog.Node, at []string, x json.Number) {
	switch {
	case n.Minimum != nil && lessNumber(x, *n.Minimum):
		v.add(Range, at, x, "must be at least "+n.Minimum.String(), "")
	case n.Maximum != nil && lessNumber(*n.Maximum, x):
		v.add(Range, at, x, "must be at most "+n.Maximum.String(), "")
	case n.ExclusiveMinimum != nil && !lessNumber(*n.ExclusiveMinimum, x):
		v.add(Range, at, x, "must be more than "+n.ExclusiveMinimum.String(), "")
	case n.ExclusiveMaximum != nil && !lessNumber(x, *n.ExclusiveMaximum):
		v.add(Range, at, x, "must be less than "+n.ExclusiveMaximum.String(), "")
	case n.MultipleOf != nil && !multiple(x, *n.MultipleOf):
		v.add(Range, at, x, "must be a multiple of "+n.MultipleOf.String(), "")
	}
}

// multiple judges numbers of an everyday size; others pass.
func multiple(x, of json.Number) bool {
	d, ok := decimalOf(x)
	if !ok || d.exponent > 100 || d.exponent < -100 || len(x) > 200 {
		return true
	}
	a, ok := new(big.Rat).SetString(x.String())
	b, too := new(big.Rat).SetString(of.String())
	return !ok || !too || b.Sign() == 0 || a.Quo(a, b).IsInt()
}

// oneOf finds whether a value has one of several forms. A form is judged by
// its hard rules alone, so that a wrong pattern never makes a value none.
func (v *validator) oneOf(branches []*catalog.Node, at []string, x any, depth int, only bool) {
	if len(branches) == 0 {
		return
	}
	var best []finding
	var wants []string
	fitting := 0
	for i, b := range branches {
		w := &validator{rules: v.rules, creating: v.creating}
		w.value(b, at, x, depth+1)
		hard := slices.DeleteFunc(slices.Clone(w.found), func(f finding) bool { return f.kind.soft() })
		if len(hard) == 0 {
			fitting++
			if len(w.found) == 0 {
				best = nil
			}
			continue
		}
		wants = append(wants, wanted(v.rules, hard))
		if fitting == 0 && (i == 0 || len(hard) < len(best)) {
			best = hard
		}
	}
	switch {
	case fitting == 0 && !slices.Contains(wants, ""):
		slices.Sort(wants)
		v.add(NothingFits, at, nil, "needs "+strings.Join(slices.Compact(wants), ", or "), "")
	case fitting == 0:
		v.found = append(v.found, best...)
	case fitting > 1 && only && distinctForms(v.rules, branches, x):
		v.add(Combination, at, nil, "has several forms at once that exclude one another", "")
	}
}

// wanted names what a form misses, if that is all that is wrong.
func wanted(r *rules, hard []finding) string {
	var out []string
	for _, f := range hard {
		if f.kind != Required {
			return ""
		}
		out = append(out, r.path(f.at))
	}
	return strings.Join(out, " and ")
}

// distinctForms reports whether forms are told apart by what they require: an
// object that satisfies two of them has too much.
func distinctForms(r *rules, branches []*catalog.Node, x any) bool {
	o, ok := x.(map[string]any)
	if !ok {
		return false
	}
	full := 0
	for _, b := range branches {
		b = r.table.Resolve(b)
		if b == nil || len(b.Required) == 0 {
			return false
		}
		if !slices.ContainsFunc(b.Required, func(name string) bool { return o[name] == nil }) {
			full++
		}
	}
	return full > 1
}
