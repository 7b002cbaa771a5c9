package sandbox

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
)

// childOf gives a resource that is listed under another, "" if there is none:
// what has children can't be deleted.
func (s *store) childOf(t *catalog.Table, r *resource) string {
	for _, name := range s.typesLocked() {
		child, err := s.catalog.Table(name)
		if err != nil {
			continue
		}
		for _, p := range child.ListInput.Parents {
			if p.Type != t.Type {
				continue
			}
			if c := s.under(child, p, r); c != nil {
				return fmt.Sprintf("%s %s", child.Type, c.id)
			}
		}
	}
	return ""
}

// typesLocked are the types that have resources, sorted.
func (s *store) typesLocked() []string {
	var out []string
	for name, sh := range s.byType {
		for _, rs := range sh.byPlace {
			if len(rs) > 0 {
				out = append(out, name)
				break
			}
		}
	}
	for name := range s.raw {
		if s.byType[name] == nil {
			out = append(out, name)
		}
	}
	if s.populate > 0 {
		for _, e := range s.catalog.Entries("") {
			if e.Creatable && s.byType[e.Type] == nil && s.raw[e.Type] == nil {
				out = append(out, e.Type)
			}
		}
	}
	slices.Sort(out)
	return out
}

// under finds a child that holds what its parent gives.
func (s *store) under(child *catalog.Table, p catalog.Parent, parent *resource) *resource {
	rs := s.shelfLocked(child).byPlace[place(parent.account, parent.region)]
	i := slices.IndexFunc(rs, func(c *resource) bool {
		if child.Type == p.Type && c.id == parent.id {
			return false
		}
		for _, g := range p.Give {
			have, given := c.keyValues(child, g.To), valuesAt(parent.properties, g.From)
			if !slices.ContainsFunc(have, func(h string) bool { return slices.ContainsFunc(given, func(v string) bool { return sameName(h, v) }) }) {
				return false
			}
		}
		return len(p.Give) > 0
	})
	if i < 0 {
		return nil
	}
	return rs[i]
}

var looksLikeID = regexp.MustCompile(`^[a-z]{1,12}(-[a-z]{2,8})?-[0-9a-f]{8,17}$`)

// missingReference says what a new resource refers to and isn't there: the
// parent that it would be listed under, an ARN of a known account, an id.
func (s *store) missingReference(t *catalog.Table, q *request) string {
	if !q.References {
		return ""
	}
	if len(t.ListInput.Parents) > 0 && !slices.ContainsFunc(t.ListInput.Parents, func(p catalog.Parent) bool { return s.hasParent(t, p, q) }) {
		p := t.ListInput.Parents[0]
		return fmt.Sprintf("The %s %s does not exist.", p.Type, strings.Join(valuesAt(q.Model, p.Give[0].To), ""))
	}
	var refers []string
	var walk func(name string, v any)
	walk = func(name string, v any) {
		switch v := v.(type) {
		case string:
			parts := strings.SplitN(v, ":", 6)
			if len(parts) == 6 && parts[0] == "arn" && s.world.account(parts[4]) != nil || looksLikeID.MatchString(v) {
				refers = append(refers, v)
			}
		case []any:
			for _, e := range v {
				walk(name, e)
			}
		case map[string]any:
			for _, k := range sortedKeys(v) {
				walk(k, v[k])
			}
		}
	}
	for _, k := range sortedKeys(q.Model) {
		if !slices.Contains(t.ReadOnly, "/"+k) && !slices.Contains(t.Identifier, "/"+k) {
			walk(k, q.Model[k])
		}
	}
	for _, v := range refers {
		if !s.exists(v) {
			return fmt.Sprintf("%s does not exist.", v)
		}
	}
	return ""
}

func (s *store) hasParent(t *catalog.Table, p catalog.Parent, q *request) bool {
	parent, err := s.catalog.Table(p.Type)
	if err != nil {
		return true
	}
	kept := regionOf(parent, caller{account: q.Account, region: q.Region})
	return slices.ContainsFunc(s.shelfLocked(parent).byPlace[place(q.Account, kept)], func(r *resource) bool {
		for _, g := range p.Give {
			want, have := valuesAt(q.Model, g.To), valuesAt(r.properties, g.From)
			if len(want) > 0 && !slices.ContainsFunc(want, func(w string) bool { return slices.ContainsFunc(have, func(h string) bool { return sameName(w, h) }) }) {
				return false
			}
		}
		return true
	})
}

// exists looks for a resource that is called by an ARN or id, in any place.
func (s *store) exists(name string) bool {
	for _, typ := range s.typesLocked() {
		t, err := s.catalog.Table(typ)
		if err != nil {
			continue
		}
		for _, rs := range s.shelfLocked(t).byPlace {
			if slices.ContainsFunc(rs, func(r *resource) bool { return r.called(t, name) }) {
				return true
			}
		}
	}
	return false
}

// called reports whether a resource's identifier or a top-level ARN or id of
// its own is a name, or the name's beginning: policies add /* and versions.
func (r *resource) called(t *catalog.Table, name string) bool {
	is := func(v string) bool {
		rest, ok := strings.CutPrefix(name, strings.TrimSuffix(v, ":*"))
		return ok && v != "" && (rest == "" || strings.ContainsAny(rest[:1], ":/"))
	}
	if slices.ContainsFunc(t.Identifier, func(p string) bool { return is(r.parts[p]) }) {
		return true
	}
	return slices.ContainsFunc(t.ReadOnly, func(p string) bool { v, _ := r.properties[p[1:]].(string); return is(v) })
}
