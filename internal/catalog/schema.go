package catalog

import (
	"encoding/json"
	"strings"
)

// Resolve follows a node's reference to what it stands for. A reference that
// leads nowhere, or round in a circle, gives nil; so does nil.
func (t *Table) Resolve(n *Node) *Node {
	for hops := 0; n != nil && n.Ref != ""; hops++ {
		if hops > 16 {
			return nil
		}
		if name, ok := strings.CutPrefix(n.Ref, "#/definitions/"); ok {
			n = t.Definitions[name]
			continue
		}
		name, ok := strings.CutPrefix(n.Ref, "#/properties/")
		if !ok {
			return nil
		}
		n = t.Root.property(name)
	}
	return n
}

func (n *Node) property(name string) *Node {
	for _, p := range n.Properties {
		if p.Name == name {
			return p.Node
		}
	}
	return nil
}

// Raw gives the type's model as a JSON Schema (draft-07), references intact:
// what a validator takes.
func (t *Table) Raw() json.RawMessage {
	o := t.Root.schema()
	if len(t.Definitions) > 0 {
		defs := map[string]any{}
		for k, d := range t.Definitions {
			defs[k] = d.schema()
		}
		o["definitions"] = defs
	}
	out, err := json.Marshal(o)
	if err != nil {
		panic("catalog: " + err.Error())
	}
	return out
}

func (n *Node) schema() map[string]any {
	if n.Ref != "" {
		return map[string]any{"$ref": n.Ref}
	}
	o := map[string]any{}
	put := func(name string, there bool, v any) {
		if there {
			o[name] = v
		}
	}
	members := func(ps []Property) map[string]any {
		m := map[string]any{}
		for _, p := range ps {
			m[p.Name] = p.Node.schema()
		}
		return m
	}
	all := func(ns []*Node) []any {
		var out []any
		for _, x := range ns {
			out = append(out, x.schema())
		}
		return out
	}
	put("type", len(n.Types) > 0, n.Types)
	put("properties", len(n.Properties) > 0, members(n.Properties))
	put("patternProperties", len(n.PatternProperties) > 0, members(n.PatternProperties))
	put("additionalProperties", !n.Open, false)
	put("required", len(n.Required) > 0, n.Required)
	if n.Items != nil {
		o["items"] = n.Items.schema()
	}
	put("minItems", n.MinItems != nil, n.MinItems)
	put("maxItems", n.MaxItems != nil, n.MaxItems)
	put("uniqueItems", n.UniqueItems, true)
	put("minProperties", n.MinProps != nil, n.MinProps)
	put("maxProperties", n.MaxProps != nil, n.MaxProps)
	put("oneOf", len(n.OneOf) > 0, all(n.OneOf))
	put("anyOf", len(n.AnyOf) > 0, all(n.AnyOf))
	put("allOf", len(n.AllOf) > 0, all(n.AllOf))
	put("enum", len(n.Enum) > 0, n.Enum)
	put("const", len(n.Const) > 0, n.Const)
	put("pattern", n.Pattern != "", n.Pattern)
	put("minLength", n.MinLength != nil, n.MinLength)
	put("maxLength", n.MaxLength != nil, n.MaxLength)
	put("minimum", n.Minimum != nil, n.Minimum)
	put("maximum", n.Maximum != nil, n.Maximum)
	put("exclusiveMinimum", n.ExclusiveMinimum != nil, n.ExclusiveMinimum)
	put("exclusiveMaximum", n.ExclusiveMaximum != nil, n.ExclusiveMaximum)
	put("multipleOf", n.MultipleOf != nil, n.MultipleOf)
	if len(n.Dependencies) > 0 {
		deps := map[string]any{}
		for k, d := range n.Dependencies {
			if d.Schema != nil {
				deps[k] = d.Schema.schema()
			} else {
				deps[k] = d.Names
			}
		}
		o["dependencies"] = deps
	}
	return o
}
