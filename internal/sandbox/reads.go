package sandbox

import (
	"regexp"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
)

// read is a resource as its read handler gives it.
func (r *resource) read(t *catalog.Table, how Reads) []byte {
	if how == (Reads{}) {
		return r.full(t)
	}
	model := cloneObject(decodeValue(r.full(t)).(map[string]any))
	root := rootOf(t)
	if how.Defaults {
		fillDefaults(t, root, model)
	}
	if how.EmptyArrays {
		emptyArrays(t, root, model)
	}
	if how.Transform {
		for _, p := range sortedKeys(t.PropertyTransform) {
			transform(model, strings.Split(p[1:], "/"), t.PropertyTransform[p])
		}
	}
	if how.PolicyText {
		policyText(root, model)
	}
	if how.SystemTags {
		systemTag(t, model)
	}
	if how.Reorder {
		reorder(root, model)
	}
	return inOrder(t, model)
}

// fillDefaults adds the defaults of what an object could have.
func fillDefaults(t *catalog.Table, r *rule, v any) {
	switch v := v.(type) {
	case map[string]any:
		if r.node == nil {
			return
		}
		for _, p := range r.node.Properties {
			x := r.props[p.Name]
			if _, there := v[p.Name]; !there && x.node != nil && len(x.node.Default) > 0 && !slices.Contains(t.WriteOnly, "/"+p.Name) {
				v[p.Name] = decodeValue(x.node.Default)
			}
		}
		for name, x := range v {
			if p := r.props[name]; p != nil {
				fillDefaults(t, p, x)
			}
		}
	case []any:
		for _, e := range v {
			if r.items != nil {
				fillDefaults(t, r.items, e)
			}
		}
	}
}

func emptyArrays(t *catalog.Table, root *rule, model map[string]any) {
	for _, p := range t.Root.Properties {
		at := "/" + p.Name
		if _, there := model[p.Name]; !there && root.props[p.Name].kind() == arrays && !slices.Contains(t.WriteOnly, at) && !slices.Contains(t.ReadOnly, at) {
			model[p.Name] = []any{}
		}
	}
}

var letterCase = regexp.MustCompile(`^\$(uppercase|lowercase)\([A-Za-z0-9.]+\)`)

// transform applies a transform that only changes letter case.
func transform(v any, path []string, expression string) {
	m := letterCase.FindStringSubmatch(expression)
	if m == nil {
		return
	}
	change := strings.ToUpper
	if m[1] == "lowercase" {
		change = strings.ToLower
	}
	var walk func(v any, path []string)
	walk = func(v any, path []string) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				if k != path[0] && path[0] != "*" {
					continue
				}
				if s, ok := x.(string); ok && len(path) == 1 {
					v[k] = change(s)
				} else if len(path) > 1 {
					walk(x, path[1:])
				}
			}
		case []any:
			if path[0] == "*" && len(path) > 1 {
				path = path[1:]
			}
			for _, e := range v {
				walk(e, path)
			}
		}
	}
	walk(v, path)
}

// policyText turns documents into text where the schema lets them be either.
func policyText(r *rule, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			p := r.props[name]
			if p == nil {
				continue
			}
			if _, object := x.(map[string]any); object && p.types&texts != 0 {
				v[name] = string(encode(x))
				continue
			}
			policyText(p, x)
		}
	case []any:
		for _, e := range v {
			if r.items != nil {
				policyText(r.items, e)
			}
		}
	}
}

// systemTag adds a tag as stacks do.
func systemTag(t *catalog.Table, model map[string]any) {
	const name, value = "aws:cloudformation:stack-name", "sandbox"
	p := strings.TrimPrefix(t.Tagging.Property, "/")
	if p == "" || strings.Contains(p, "/") {
		return
	}
	r := rootOf(t).props[p]
	if slices.Contains(tagKeys(t, model), name) { // an update kept it
		return
	}
	switch have := model[p].(type) {
	case []any:
		model[p] = append(have, map[string]any{"Key": name, "Value": value})
	case map[string]any:
		have[name] = value
	case nil:
		if r != nil && r.kind() == arrays {
			model[p] = []any{map[string]any{"Key": name, "Value": value}}
		} else {
			model[p] = map[string]any{name: value}
		}
	}
}

// tagKeys are the keys of a model's tags.
func tagKeys(t *catalog.Table, model map[string]any) []string {
	p := strings.TrimPrefix(t.Tagging.Property, "/")
	switch tags := model[p].(type) {
	case map[string]any:
		return sortedKeys(tags)
	case []any:
		return valuesIn(tags, "Key")
	}
	return nil
}

func valuesIn(list []any, member string) []string {
	var out []string
	for _, e := range list {
		if o, ok := e.(map[string]any); ok {
			if s, ok := o[member].(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

// reorder sorts arrays, but for those of which the schema says that their
// order counts.
func reorder(r *rule, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			if p := r.props[name]; p != nil {
				reorder(p, x)
			}
		}
	case []any:
		for _, e := range v {
			if r.items != nil {
				reorder(r.items, e)
			}
		}
		if r.node != nil && (r.node.InsertionOrder == nil || !*r.node.InsertionOrder) {
			slices.SortStableFunc(v, func(a, b any) int { return strings.Compare(canonical(a), canonical(b)) })
		}
	}
}
