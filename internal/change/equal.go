package change

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
)

// A verdict says whether a read gave back what was wanted.
type verdict uint8

const (
	same verdict = iota
	// unknown: the schema says that AWS changes the value, by an expression
	// that isn't evaluated here.
	unknown
	different
)

// A comparison holds what is wanted against what was read. What a read changes
// by itself is no difference: order where it means nothing, text instead of
// numbers, policies as text, upper and lower case where the schema says so,
// empty instead of absent.
type comparison struct {
	*rules
	// subset: what is wanted says nothing about what it leaves out. A resource
	// just made has defaults, and never its write-only values.
	subset bool
}

// same compares two whole models.
func (c comparison) models(want, have map[string]any) verdict {
	return c.values(c.table.Root, nil, want, have, nil)
}

func (c comparison) values(n *catalog.Node, at []string, want, have any, holder map[string]any) verdict {
	n = c.table.Resolve(n)
	if want == nil || have == nil {
		return c.absent(n, at, want, have)
	}
	if c.writeOnly.covers(at) && c.subset {
		return same
	}
	want, have = unwrapped(n, want), unwrapped(n, have)
	v := c.shape(n, at, want, have)
	if v == same {
		return same
	}
	if e, ok := c.transform(at); ok {
		return transformed(e, at, want, have, holder)
	}
	return v
}

func (c comparison) shape(n *catalog.Node, at []string, want, have any) verdict {
	switch w := want.(type) {
	case map[string]any:
		if h, ok := have.(map[string]any); ok {
			if isPolicy(w) && isPolicy(h) {
				return verdictOf(samePolicy(w, h))
			}
			return c.members(n, at, w, h)
		}
	case []any:
		if h, ok := have.([]any); ok {
			return c.lists(n, at, w, h)
		}
		return c.single(n, at, w, have)
	default:
		if h, ok := have.([]any); ok && isList(n) {
			return c.single(n, at, h, want)
		}
		return verdictOf(sameScalar(want, have))
	}
	return different
}

// single compares a list with what may be its only element: some reads give
// the one for the other.
func (c comparison) single(n *catalog.Node, at []string, list []any, one any) verdict {
	if len(list) != 1 || !isList(n) {
		return different
	}
	return c.values(c.items(n), extend(at, "0"), list[0], one, nil)
}

func isList(n *catalog.Node) bool { return n != nil && slices.Contains(n.Types, "array") }

func verdictOf(equal bool) verdict {
	if equal {
		return same
	}
	return different
}

// absent compares where one side has nothing.
func (c comparison) absent(n *catalog.Node, at []string, want, have any) verdict {
	switch {
	case want == nil && have == nil:
		return same
	case want == nil:
		if c.subset || c.readOnly.covers(at) || isEmpty(have) || len(at) > 1 && c.createOnly.covers(at) {
			return same
		}
		return verdictOf(isDefault(n, have))
	case c.writeOnly.covers(at) && c.subset, isEmpty(want):
		return same
	}
	if o, ok := want.(map[string]any); ok && c.subset {
		return c.members(n, at, o, map[string]any{})
	}
	return different
}

// isEmpty: [], {} and a missing member often stand for one another, and so does
// an object that holds nothing else.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			if !isEmpty(x) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	}
	return v == nil
}

func isDefault(n *catalog.Node, v any) bool {
	if n == nil || len(n.Default) == 0 {
		return false
	}
	d, err := parse(n.Default)
	return err == nil && sameJSON(d, v)
}

func (c comparison) members(n *catalog.Node, at []string, want, have map[string]any) verdict {
	out := same
	step := func(k string) {
		if c.tagged(at) && isSystemTag(k) {
			return
		}
		out = max(out, c.member(n, extend(at, k), want, have))
	}
	for k := range want {
		step(k)
	}
	for k := range have {
		if _, ok := want[k]; !ok {
			step(k)
		}
	}
	return out
}

// member compares the last step of a path in two objects.
func (c comparison) member(parent *catalog.Node, at []string, want, have map[string]any) verdict {
	k := at[len(at)-1]
	w, h := want[k], have[k]
	v := c.values(c.child(parent, k), at, w, h, want)
	if v == same && (w == nil) != (h == nil) && !c.readOnly.covers(at) && !(c.subset && (w == nil || c.writeOnly.covers(at))) && c.presence(parent, k, w, h) {
		return different
	}
	return v
}

// presence reports whether an empty value and none are two things: what is
// required has to be there, and an object may stand for a choice.
func (c comparison) presence(parent *catalog.Node, name string, want, have any) bool {
	parent = c.table.Resolve(parent)
	if parent == nil || !isEmpty(want) || !isEmpty(have) {
		return false
	}
	if slices.Contains(parent.Required, name) {
		return true
	}
	_, w := want.(map[string]any)
	_, h := have.(map[string]any)
	return (w || h) && (len(parent.OneOf)+len(parent.AnyOf) > 0 || parent.MinProps != nil || parent.MaxProps != nil)
}

// tagged reports whether a path is the type's tag property.
func (c comparison) tagged(at []string) bool {
	return c.tags != nil && len(c.tags) == len(at) && fits(c.tags, at)
}

// isSystemTag: nobody but AWS writes tags with this prefix.
func isSystemTag(key string) bool { return strings.HasPrefix(strings.ToLower(key), "aws:") }

// tagKey gives the key of an element of a tag list.
func tagKey(e any) (string, bool) {
	o, _ := e.(map[string]any)
	for _, k := range []string{"Key", "TagKey", "key"} {
		if s, ok := o[k].(string); ok {
			return s, true
		}
	}
	return "", false
}

func isSystemElement(e any) bool {
	k, ok := tagKey(e)
	return ok && isSystemTag(k)
}

func (c comparison) lists(n *catalog.Node, at []string, want, have []any) verdict {
	if c.tagged(at) {
		want, have = without(want, isSystemElement), without(have, isSystemElement)
	}
	items := c.items(n)
	equal := func(i, j int) verdict {
		return c.values(items, extend(at, "*"), want[i], have[j], nil)
	}
	switch order := orderOf(n, want, have); {
	case order == subsetOrder:
		return c.matched(want, have, equal, true)
	case order == setOrder:
		want, have = distinct(want), distinct(have)
		fallthrough
	case order == multisetOrder:
		if len(want) != len(have) {
			return different
		}
		return c.matched(want, have, equal, false)
	}
	if len(want) != len(have) {
		return different
	}
	out := same
	for i := range want {
		out = max(out, equal(i, i))
	}
	return out
}

func without(list []any, drop func(any) bool) []any {
	return slices.DeleteFunc(slices.Clone(list), drop)
}

// An order says what the order of an array's elements means.
type order uint8

const (
	listOrder order = iota
	multisetOrder
	setOrder
	subsetOrder // elements that aren't named keep their values
)

// orderOf follows insertionOrder and uniqueItems. An array that says neither is
// a list by the rule and comes back in any order in practice: as such it counts.
// Key/value lists are sets whatever the schema says.
func orderOf(n *catalog.Node, lists ...[]any) order {
	switch {
	case n != nil && n.ArrayType == "AttributeList":
		return subsetOrder
	case !slices.ContainsFunc(lists, func(l []any) bool { return !isKeyValue(l) }):
		return multisetOrder
	case n == nil:
		return listOrder
	case n.InsertionOrder != nil && !*n.InsertionOrder && n.UniqueItems:
		return setOrder
	case n.InsertionOrder != nil && !*n.InsertionOrder, n.InsertionOrder == nil && !n.UniqueItems:
		return multisetOrder
	}
	return listOrder
}

// isKeyValue reports whether all elements are pairs with a key, each another.
func isKeyValue(list []any) bool {
	seen := map[string]bool{}
	for _, e := range list {
		o, _ := e.(map[string]any)
		key, ok := tagKey(e)
		_, value := o["Value"]
		_, lower := o["value"]
		if !ok || !value && !lower && len(o) > 1 || seen[key] {
			return false
		}
		seen[key] = true
	}
	return true
}

func distinct(list []any) []any {
	seen := map[string]bool{}
	return without(list, func(e any) bool {
		k := string(encode(e))
		if seen[k] {
			return true
		}
		seen[k] = true
		return false
	})
}

// matched finds a partner among have for each of want: first those that are the
// same text, then by comparing, then those that may be the same.
func (c comparison) matched(want, have []any, equal func(i, j int) verdict, some bool) verdict {
	texts := map[string][]int{}
	for j, h := range have {
		k := string(encode(h))
		texts[k] = append(texts[k], j)
	}
	used := make([]bool, len(have))
	var left []int
	for i, w := range want {
		k := string(encode(w))
		if free := texts[k]; len(free) > 0 {
			used[free[0]], texts[k] = true, free[1:]
			continue
		}
		left = append(left, i)
	}
	worst := same
	for _, accept := range []verdict{same, unknown} {
		left = slices.DeleteFunc(left, func(i int) bool {
			for j := range have {
				if !used[j] && equal(i, j) == accept {
					used[j] = true
					worst = max(worst, accept)
					return true
				}
			}
			return false
		})
	}
	if len(left) > 0 || !some && slices.Contains(used, false) {
		return different
	}
	return worst
}

// unwrapped gives the object that text holds, where the schema takes objects:
// policies come back as text, and sometimes URL-encoded.
func unwrapped(n *catalog.Node, v any) any {
	s, ok := v.(string)
	if !ok || n != nil && len(n.Types) > 0 && !slices.Contains(n.Types, "object") && !slices.Contains(n.Types, "string") {
		return v
	}
	if strings.HasPrefix(s, "%7B") {
		if u, err := url.QueryUnescape(s); err == nil {
			s = u
		}
	}
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "{") && !strings.HasPrefix(s, "[") {
		return v
	}
	if o, err := parse([]byte(s)); err == nil {
		return o
	}
	return v
}

func isPolicy(o map[string]any) bool {
	_, ok := o["Statement"]
	return ok
}

// samePolicy compares policy documents: one string and a list of it are the
// same, and lists are sets.
func samePolicy(a, b any) bool {
	if x, ok := a.([]any); ok {
		y, ok := b.([]any)
		if !ok {
			y = []any{b}
		}
		return sameSet(x, y, samePolicy)
	}
	if y, ok := b.([]any); ok {
		return sameSet([]any{a}, y, samePolicy)
	}
	x, ok := a.(map[string]any)
	y, too := b.(map[string]any)
	if ok != too {
		return false
	}
	if !ok {
		return sameScalar(a, b)
	}
	if len(x) != len(y) {
		return false
	}
	for k, v := range x {
		w, ok := y[k]
		if !ok || !samePolicy(v, w) {
			return false
		}
	}
	return true
}

func sameSet(a, b []any, equal func(a, b any) bool) bool {
	in := func(x any, list []any) bool {
		return slices.ContainsFunc(list, func(y any) bool { return equal(x, y) })
	}
	return !slices.ContainsFunc(a, func(x any) bool { return !in(x, b) }) && !slices.ContainsFunc(b, func(y any) bool { return !in(y, a) })
}

// sameScalar compares by value: a number or a boolean may come back as text.
func sameScalar(a, b any) bool {
	switch x := a.(type) {
	case json.Number:
		switch y := b.(type) {
		case json.Number:
			return sameNumber(x, y)
		case string:
			return isNumber(y) && sameNumber(x, json.Number(y))
		}
	case bool:
		switch y := b.(type) {
		case bool:
			return x == y
		case string:
			return x && y == "true" || !x && y == "false"
		}
	case string:
		if y, ok := b.(string); ok {
			return x == y
		}
		switch b.(type) {
		case json.Number, bool:
			return sameScalar(b, a)
		}
	}
	return a == nil && b == nil
}

func isNumber(s string) bool {
	v, err := parse([]byte(s))
	_, ok := v.(json.Number)
	return err == nil && ok
}

// sameJSON is equality as RFC 6902 defines it for test.
func sameJSON(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			w, ok := y[k]
			if !ok || !sameJSON(v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, sameJSON)
	case json.Number:
		y, ok := b.(json.Number)
		return ok && sameNumber(x, y)
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return a == b
}
