package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/skyql/skyql/internal/catalog"
)

// A rule is one JSON schema (draft-07) of a type's model, references followed:
// what a value must be. The rules of a recursive type form a cycle.
type rule struct {
	node *catalog.Node // nil: anything

	types    kind
	props    map[string]*rule
	patterns []patternRule
	items    *rule

	oneOf, anyOf, allOf []*rule
	dependencies        map[string]dependency

	enum     []any
	constant []any // one value, or none
	pattern  *pattern
}

type patternRule struct {
	name *pattern
	rule *rule
}

type dependency struct {
	names []string
	rule  *rule
}

// A kind is a set of JSON types.
type kind uint8

const (
	objects kind = 1 << iota
	arrays
	texts
	integers
	numbers
	booleans
	nulls
)

var kindNames = map[string]kind{"object": objects, "array": arrays, "string": texts, "integer": integers, "number": numbers | integers, "boolean": booleans, "null": nulls}

// A pattern is a regular expression that is compiled when first used. One that
// RE2 doesn't take admits everything.
type pattern struct {
	text string
	once sync.Once
	re   *regexp.Regexp
}

var patterns sync.Map // text to *pattern: many types share theirs

func patternOf(text string) *pattern {
	p, _ := patterns.LoadOrStore(text, &pattern{text: text})
	return p.(*pattern)
}

func (p *pattern) match(s string) bool {
	p.once.Do(func() { p.re, _ = regexp.Compile(p.text) }) // nil: look-around and the like
	return p.re == nil || p.re.MatchString(s)
}

// rules makes a type's rules; the same node gives the same rule.
type rules struct {
	table *catalog.Table
	made  map[*catalog.Node]*rule
}

func rootRule(t *catalog.Table) *rule {
	r := rules{t, map[*catalog.Node]*rule{}}
	root := r.rule(t.Root)
	root.types = objects
	return root
}

func (rs rules) rule(n *catalog.Node) *rule {
	if n = rs.table.Resolve(n); n == nil {
		return &rule{}
	}
	if r := rs.made[n]; r != nil {
		return r
	}
	r := &rule{node: n}
	rs.made[n] = r
	for _, t := range n.Types {
		r.types |= kindNames[t]
	}
	if len(n.Properties) > 0 {
		r.props = make(map[string]*rule, len(n.Properties))
	}
	for _, p := range n.Properties {
		r.props[p.Name] = rs.rule(p.Node)
	}
	for _, p := range n.PatternProperties {
		r.patterns = append(r.patterns, patternRule{patternOf(p.Name), rs.rule(p.Node)})
	}
	if n.Items != nil {
		r.items = rs.rule(n.Items)
	}
	all := func(ns []*catalog.Node) (out []*rule) {
		for _, x := range ns {
			out = append(out, rs.rule(x))
		}
		return out
	}
	r.oneOf, r.anyOf, r.allOf = all(n.OneOf), all(n.AnyOf), all(n.AllOf)
	for name, d := range n.Dependencies {
		if r.dependencies == nil {
			r.dependencies = map[string]dependency{}
		}
		x := dependency{names: d.Names}
		if d.Schema != nil {
			x.rule = rs.rule(d.Schema)
		}
		r.dependencies[name] = x
	}
	for _, e := range n.Enum {
		r.enum = append(r.enum, decodeValue(e))
	}
	if len(n.Const) > 0 {
		r.constant = []any{decodeValue(n.Const)}
	}
	if n.Pattern != "" {
		r.pattern = patternOf(n.Pattern)
	}
	return r
}

// decodeValue reads JSON that is known to be whole; numbers keep their text.
func decodeValue(text []byte) any {
	v, err := readValue(text)
	if err != nil {
		panic("sandbox: " + err.Error())
	}
	return v
}

// readValue reads one JSON value and nothing behind it; numbers keep their text.
func readValue(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("%w at byte %d", err, syntax.Offset)
	case err != nil:
		return nil, fmt.Errorf("%w at byte %d", err, len(text))
	}
	at := d.InputOffset()
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the value at byte %d", at)
	}
	return v, nil
}

// check gives what is wrong with a value, a line each: where, as a JSON
// pointer behind a #, and what, in the words of CloudFormation's validator.
func (r *rule) check(v any) []string {
	c := checker{}
	c.value(r, v, "#")
	return c.problems
}

// admits reports whether a value is valid.
func (r *rule) admits(v any) bool {
	c := checker{quick: true}
	c.value(r, v, "")
	return len(c.problems) == 0
}

type checker struct {
	problems []string
	quick    bool // the first problem will do
}

func (c *checker) say(at, format string, args ...any) {
	if c.quick {
		c.problems = append(c.problems, "")
		return
	}
	c.problems = append(c.problems, at+": "+fmt.Sprintf(format, args...))
}

func (c *checker) value(r *rule, v any, at string) {
	if r.node == nil || c.quick && len(c.problems) > 0 {
		return
	}
	is, word := kindOf(v)
	if r.types != 0 && r.types&is == 0 {
		c.say(at, "expected type: %s, found: %s", r.expected(), word)
		return
	}
	if len(r.enum) > 0 && !slices.ContainsFunc(r.enum, func(e any) bool { return sameValue(e, v) }) {
		c.say(at, "%s is not a valid enum value", plain(v))
	}
	if len(r.constant) > 0 && !sameValue(r.constant[0], v) {
		c.say(at, "%s is not the constant %s", plain(v), plain(r.constant[0]))
	}
	switch v := v.(type) {
	case string:
		c.text(r, v, at)
	case json.Number:
		c.number(r.node, v, at)
	case []any:
		c.array(r, v, at)
	case map[string]any:
		c.object(r, v, at)
	}
	c.combined(r, v, at)
}

func (r *rule) expected() string {
	words := make([]string, len(r.node.Types))
	for i, t := range r.node.Types {
		words[i] = map[string]string{"object": "JSONObject", "array": "JSONArray", "string": "String", "integer": "Integer", "number": "Number", "boolean": "Boolean", "null": "Null"}[t]
	}
	if len(words) == 0 {
		return "JSONObject"
	}
	return strings.Join(words, " or ")
}

func kindOf(v any) (kind, string) {
	switch v := v.(type) {
	case nil:
		return nulls, "Null"
	case string:
		return texts, "String"
	case bool:
		return booleans, "Boolean"
	case []any:
		return arrays, "JSONArray"
	case map[string]any:
		return objects, "JSONObject"
	case json.Number:
		if whole(v) {
			return integers, "Integer"
		}
		return numbers, "Number"
	}
	panic(fmt.Sprintf("sandbox: a %T is no JSON value", v))
}

func (c *checker) text(r *rule, s, at string) {
	n := r.node
	if n.MinLength != nil || n.MaxLength != nil {
		length := utf8.RuneCountInString(s)
		if n.MinLength != nil && length < *n.MinLength {
			c.say(at, "expected minLength: %d, actual: %d", *n.MinLength, length)
		}
		if n.MaxLength != nil && length > *n.MaxLength {
			c.say(at, "expected maxLength: %d, actual: %d", *n.MaxLength, length)
		}
	}
	if r.pattern != nil && !r.pattern.match(s) {
		c.say(at, "string [%s] does not match pattern %s", s, r.pattern.text)
	}
}

func (c *checker) number(n *catalog.Node, v json.Number, at string) {
	if n.Minimum != nil && compare(v, *n.Minimum) < 0 {
		c.say(at, "%s is not greater or equal to %s", v, *n.Minimum)
	}
	if n.Maximum != nil && compare(v, *n.Maximum) > 0 {
		c.say(at, "%s is not less or equal to %s", v, *n.Maximum)
	}
	if n.ExclusiveMinimum != nil && compare(v, *n.ExclusiveMinimum) <= 0 {
		c.say(at, "%s is not greater than %s", v, *n.ExclusiveMinimum)
	}
	if n.ExclusiveMaximum != nil && compare(v, *n.ExclusiveMaximum) >= 0 {
		c.say(at, "%s is not less than %s", v, *n.ExclusiveMaximum)
	}
	if n.MultipleOf != nil {
		if a, b := ratio(v), ratio(*n.MultipleOf); b.Sign() != 0 && !new(big.Rat).Quo(a, b).IsInt() {
			c.say(at, "%s is not a multiple of %s", v, *n.MultipleOf)
		}
	}
}

func (c *checker) array(r *rule, list []any, at string) {
	n := r.node
	if n.MinItems != nil && len(list) < *n.MinItems {
		c.say(at, "expected minimum item count: %d, found: %d", *n.MinItems, len(list))
	}
	if n.MaxItems != nil && len(list) > *n.MaxItems {
		c.say(at, "expected maximum item count: %d, found: %d", *n.MaxItems, len(list))
	}
	if n.UniqueItems && !unique(list) {
		c.say(at, "array items are not unique")
	}
	if r.items == nil {
		return
	}
	for i, e := range list {
		c.value(r.items, e, c.below(at, strconv.Itoa(i)))
	}
}

func (c *checker) below(at, step string) string {
	if c.quick {
		return ""
	}
	return at + "/" + escapeStep(step)
}

func (c *checker) object(r *rule, o map[string]any, at string) {
	n := r.node
	for _, name := range n.Required {
		if _, ok := o[name]; !ok {
			c.say(at, "required key [%s] not found", name)
		}
	}
	if n.MinProps != nil && len(o) < *n.MinProps {
		c.say(at, "minimum size: [%d], found: [%d]", *n.MinProps, len(o))
	}
	if n.MaxProps != nil && len(o) > *n.MaxProps {
		c.say(at, "maximum size: [%d], found: [%d]", *n.MaxProps, len(o))
	}
	for _, name := range sortedKeys(o) {
		known := false
		if p := r.props[name]; p != nil {
			known = true
			c.value(p, o[name], c.below(at, name))
		}
		for _, p := range r.patterns {
			if p.name.match(name) {
				known = true
				c.value(p.rule, o[name], c.below(at, name))
			}
		}
		if !known && !n.Open {
			c.say(at, "extraneous key [%s] is not permitted", name)
		}
		if d, ok := r.dependencies[name]; ok {
			for _, other := range d.names {
				if _, there := o[other]; !there {
					c.say(at, "property [%s] is required", other)
				}
			}
			if d.rule != nil {
				c.value(d.rule, o, at)
			}
		}
	}
}

func (c *checker) combined(r *rule, v any, at string) {
	for _, x := range r.allOf {
		c.value(x, v, at)
	}
	matching := func(list []*rule) (n int) {
		for _, x := range list {
			if x.admits(v) {
				n++
			}
		}
		return n
	}
	if len(r.anyOf) > 0 && matching(r.anyOf) == 0 {
		c.say(at, "#: no subschema matched out of the total %d subschemas", len(r.anyOf))
	}
	if len(r.oneOf) > 0 {
		if n := matching(r.oneOf); n != 1 {
			c.say(at, "#: %d subschemas matched instead of one", n)
		}
	}
}

// plain is a value as a message shows it: text without quotes.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(encode(v))
}

// whole reports whether a number is an integer: 1, and 1.0 and 1e2 as well.
func whole(n json.Number) bool {
	if !strings.ContainsAny(string(n), ".eE") {
		return true
	}
	return ratio(n).IsInt()
}

// ratio is a number, exactly; one that is too long to be meant so, as a float.
func ratio(n json.Number) *big.Rat {
	if len(n) <= 64 && !strings.ContainsAny(string(n), "eE") {
		if r, ok := new(big.Rat).SetString(string(n)); ok {
			return r
		}
	}
	f, err := strconv.ParseFloat(string(n), 64)
	r := new(big.Rat)
	if err != nil || r.SetFloat64(f) == nil { // beyond all floats
		r.SetFloat64(1.7e308)
		if strings.HasPrefix(string(n), "-") {
			r.Neg(r)
		}
	}
	return r
}

func compare(a, b json.Number) int {
	x, err1 := strconv.ParseInt(string(a), 10, 64)
	y, err2 := strconv.ParseInt(string(b), 10, 64)
	if err1 == nil && err2 == nil {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	return ratio(a).Cmp(ratio(b))
}

// sameValue compares JSON values as RFC 6902 (4.6) does: numbers by value,
// objects without order.
func sameValue(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && (a == b || compare(a, b) == 0)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, sameValue)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if w, ok := b[k]; !ok || !sameValue(v, w) {
				return false
			}
		}
		return true
	}
	return a == b
}

func unique(list []any) bool {
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		k := canonical(e)
		if seen[k] {
			return false
		}
		seen[k] = true
	}
	return true
}

// canonical gives equal values equal texts.
func canonical(v any) string {
	switch v := v.(type) {
	case json.Number:
		return ratio(v).RatString()
	case []any:
		var b strings.Builder
		for _, e := range v {
			b.WriteString("," + canonical(e))
		}
		return "[" + b.String() + "]"
	case map[string]any:
		var b strings.Builder
		for _, k := range sortedKeys(v) {
			b.WriteString("," + strconv.Quote(k) + ":" + canonical(v[k]))
		}
		return "{" + b.String() + "}"
	}
	return string(encode(v))
}

func sortedKeys[V any](o map[string]V) []string {
	out := make([]string, 0, len(o))
	for k := range o {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
