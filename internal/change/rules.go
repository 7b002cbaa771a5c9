package change

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/skyql/skyql/internal/catalog"
)

// rules are a table's pointer lists, taken apart.
type rules struct {
	table *catalog.Table

	readOnly, writeOnly, createOnly, conditional, identifier pattern

	transforms []transform
	tags       []string // path of the tag property; nil: none
}

// A pattern is a list of pointers, "*" standing for any element or key.
type pattern [][]string

// patternOf reads pointers. Some leave out the star of an array's elements.
func (r *rules) patternOf(pointers []string) pattern {
	var out pattern
	for _, p := range pointers {
		var at []string
		n := r.table.Root
		for _, s := range steps(p) {
			if items := r.items(n); items != nil && s != "*" {
				at, n = append(at, "*"), items
			}
			at = append(at, s)
			if s == "*" {
				n = r.elements(n)
			} else {
				n = r.child(n, s)
			}
		}
		out = append(out, at)
	}
	return out
}

// elements is the schema of what a star stands for: elements, or a map's
// values.
func (r *rules) elements(n *catalog.Node) *catalog.Node {
	if items := r.items(n); items != nil {
		return items
	}
	if n = r.table.Resolve(n); n != nil && len(n.PatternProperties) > 0 {
		return r.table.Resolve(n.PatternProperties[0].Node)
	}
	return nil
}

// demanded reports whether what a pointer names below the top level is required
// where it stands: then it has to be sent, read-only or not.
func (r *rules) demanded(at []string) bool {
	n := r.table.Root
	for _, s := range at[:len(at)-1] {
		if s == "*" {
			n = r.elements(n)
		} else {
			n = r.child(n, s)
		}
	}
	n = r.table.Resolve(n)
	return len(at) > 1 && n != nil && slices.Contains(n.Required, at[len(at)-1])
}

// A transform is a propertyTransform: what a read makes of a value sent.
type transform struct {
	at         []string
	expression string
}

// A ruleBook keeps the rules of the tables at hand.
type ruleBook map[*catalog.Table]*rules

func (b ruleBook) of(t *catalog.Table) *rules {
	r := b[t]
	if r == nil {
		r = rulesOf(t)
		b[t] = r
	}
	return r
}

func rulesOf(t *catalog.Table) *rules {
	r := &rules{table: t}
	r.readOnly, r.writeOnly = r.patternOf(t.ReadOnly), r.patternOf(t.WriteOnly)
	r.createOnly, r.identifier = r.patternOf(t.CreateOnly), r.patternOf(t.Identifier)
	r.conditional = r.patternOf(t.ConditionalCreateOnly)
	r.readOnly = slices.DeleteFunc(r.readOnly, func(at []string) bool { return len(at) == 0 || r.demanded(at) })
	// What is both can never be sent, so it counts as read-only.
	r.writeOnly = slices.DeleteFunc(r.writeOnly, r.readOnly.covers)
	for p, e := range t.PropertyTransform {
		r.transforms = append(r.transforms, transform{steps(p), e})
	}
	if t.Tagging.Property != "" {
		r.tags = steps(t.Tagging.Property)
	}
	return r
}

func fits(pattern, at []string) bool {
	for i, s := range pattern {
		if s != "*" && s != at[i] {
			return false
		}
	}
	return true
}

// covers reports whether a pointer of the list is at or above a path.
func (p pattern) covers(at []string) bool {
	return slices.ContainsFunc(p, func(q []string) bool { return len(q) > 0 && len(q) <= len(at) && fits(q, at) })
}

// below reports whether a pointer of the list is somewhere under a path.
func (p pattern) below(at []string) bool {
	return slices.ContainsFunc(p, func(q []string) bool { return len(q) > len(at) && fits(q[:len(at)], at) })
}

func (r *rules) transform(at []string) (string, bool) {
	for _, t := range r.transforms {
		if len(t.at) == len(at) && fits(t.at, at) {
			return t.expression, true
		}
	}
	return "", false
}

// child finds what a schema says of an object's member. Nil: nothing.
func (r *rules) child(n *catalog.Node, name string) *catalog.Node { return r.childAt(n, name, 0) }

// maxBranches bounds how deep branches may lie in branches: some types are
// recursive.
const maxBranches = 8

func (r *rules) childAt(n *catalog.Node, name string, depth int) *catalog.Node {
	n = r.table.Resolve(n)
	if n == nil || depth > maxBranches {
		return nil
	}
	for _, p := range n.Properties {
		if p.Name == name {
			return r.table.Resolve(p.Node)
		}
	}
	for _, p := range n.PatternProperties {
		if re := compiled(p.Name); re != nil && re.MatchString(name) {
			return r.table.Resolve(p.Node)
		}
	}
	for _, branch := range slices.Concat(n.AllOf, n.OneOf, n.AnyOf) {
		if c := r.childAt(branch, name, depth+1); c != nil {
			return c
		}
	}
	return nil
}

// items finds what a schema says of an array's elements. Nil: nothing.
func (r *rules) items(n *catalog.Node) *catalog.Node {
	n = r.table.Resolve(n)
	if n == nil {
		return nil
	}
	if n.Items != nil {
		return r.table.Resolve(n.Items)
	}
	for _, branch := range slices.Concat(n.AllOf, n.OneOf, n.AnyOf) {
		if b := r.table.Resolve(branch); b != nil && b.Items != nil {
			return r.table.Resolve(b.Items)
		}
	}
	return nil
}

// node finds what a schema says of the value at a path.
func (r *rules) node(at []string) *catalog.Node {
	n := r.table.Root
	for _, s := range at {
		if next := r.child(n, s); next != nil {
			n = next
			continue
		}
		n = r.items(n)
		if n == nil {
			return nil
		}
	}
	return n
}

// tidy leaves out members that are null, where the schema names members: what
// SQL can't leave out it sets to NULL. Free JSON stays as it is.
func (r *rules) tidy(n *catalog.Node, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if c := r.child(n, k); x == nil && c != nil {
				delete(v, k)
			} else if x != nil && c != nil {
				r.tidy(c, x)
			}
		}
	case []any:
		for _, x := range v {
			r.tidy(r.items(n), x)
		}
	}
}

// path names a place as SQL does: the column, then members as AWS spells them.
func (r *rules) path(at []string) string {
	var b strings.Builder
	for i, s := range at {
		switch {
		case i == 0:
			b.WriteString(r.column(s))
		case s != "" && strings.Trim(s, "0123456789") == "":
			b.WriteString("[" + s + "]")
		default:
			b.WriteString("." + s)
		}
	}
	return b.String()
}

// column names a property's column.
func (r *rules) column(property string) string {
	for _, c := range r.table.Columns {
		if c.Property == property {
			return c.Name
		}
	}
	return catalog.Snake(property)
}

var regexps sync.Map // pattern → *regexp.Regexp, nil for one that does not compile

// compiled compiles a schema's pattern. One that Go does not take counts as
// absent: nil.
func compiled(pattern string) *regexp.Regexp {
	if re, ok := regexps.Load(pattern); ok {
		return re.(*regexp.Regexp)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		re = nil
	}
	regexps.Store(pattern, re)
	return re
}
