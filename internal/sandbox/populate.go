package sandbox

import (
	"slices"
	"strconv"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
)

// populated makes resources of a type, for a world that has some of every
// type: full and minimal models by turns, in the first account and region.
// Those of a type that is listed under parents are their children.
func (s *store) populated(t *catalog.Table) []*resource {
	if t.Create == nil || s.making[t.Type] {
		return nil
	}
	s.making[t.Type] = true // types that are their own parents
	defer delete(s.making, t.Type)
	account, region := s.world.Accounts[0].ID, s.world.Regions[0]
	kept := regionOf(t, caller{account: account, region: region})
	var out []*resource
	ids := map[string]bool{}
	for _, r := range s.raw[t.Type] {
		r.identify(t)
		ids[r.id] = true
	}
	now := epochStart
	for try := 0; len(out) < s.populate && try < 20*s.populate; try++ {
		given := s.givenTo(t, account, region, len(out))
		model, ok := modelOf(t, rootOf(t), account, kept, len(out)%2 == 0, try, given)
		if !ok {
			continue
		}
		r := &resource{account: account, region: kept, properties: assign(t, rootOf(t), model, account, kept, now, t.Type, try, true)}
		for k, v := range given {
			switch own := slices.Contains(t.ReadOnly, "/"+k) && slices.Contains(t.Identifier, "/"+k); {
			case own: // the list calls its parent by the name of what is the child's own
				r.properties[s.parentProperty(t, k)] = v
			case rootOf(t).props[k] != nil:
				r.properties[k] = v // a parent's name, whatever the schema says of names
			}
		}
		r.identify(t)
		if try < 10*s.populate && len(rootOf(t).check(normal(r.properties))) > 0 {
			continue // what AWS fills in makes a model of another form of it: another one may not
		}
		if !ids[r.id] {
			ids[r.id] = true
			out = append(out, r)
		}
	}
	return out
}

// parentProperty is where a child keeps its parent, when the key that lists take
// is one of its own.
func (s *store) parentProperty(t *catalog.Table, key string) string {
	for _, p := range t.ListInput.Parents {
		if name := p.Type[strings.LastIndexByte(p.Type, ':')+1:]; rootOf(t).props[name] != nil {
			return name
		}
	}
	return key
}

// givenTo are the values that a list of a type asks for, for the n-th resource.
func (s *store) givenTo(t *catalog.Table, account, region string, n int) map[string]any {
	out := map[string]any{}
	in := t.ListInput
	for _, p := range in.Account {
		out[p[1:]] = account
	}
	for _, p := range sortedKeys(in.Fixed) {
		out[p[1:]] = fitting(rootOf(t).props[p[1:]], in.Fixed[p][n%len(in.Fixed[p])])
	}
	if len(in.Parents) == 0 || in.Parents[0].Type == t.Type && len(in.Parents) == 1 {
		return out
	}
	i := slices.IndexFunc(in.Parents, func(p catalog.Parent) bool { return p.Type != t.Type })
	parent, err := s.catalog.Table(in.Parents[i].Type)
	if err != nil {
		return out
	}
	var all, fit []map[string]any // what each row gives that gives everything, and what a child can be given
	for _, row := range s.shelfLocked(parent).byPlace[place(account, regionOf(parent, caller{account: account, region: region}))] {
		gifts := map[string]any{}
		for _, g := range in.Parents[i].Give {
			if v := allAt(normal(row.properties), strings.Split(g.From[1:], "/")); len(v) > 0 {
				gifts[g.To[1:]] = fitting(rootOf(t).props[g.To[1:]], v[0])
			}
		}
		if len(gifts) == len(in.Parents[i].Give) {
			all = append(all, gifts)
			if welcome(t, gifts) {
				fit = append(fit, gifts)
			}
		}
	}
	if len(fit) > 0 {
		all = fit
	}
	if len(all) == 0 {
		return out
	}
	for k, v := range all[n%len(all)] {
		if v != nil {
			out[k] = v
		}
	}
	return out
}

// welcome reports whether a child's schema takes what a parent gives.
func welcome(t *catalog.Table, gifts map[string]any) bool {
	for k, v := range gifts {
		if r := rootOf(t).props[k]; r != nil && v != nil && !r.admits(v) {
			return false
		}
	}
	return true
}

// fitting gives a parent's value the type of the child's property.
func fitting(r *rule, v any) any {
	s, text := v.(string)
	if r == nil || !text {
		return v
	}
	switch r.kind() {
	case arrays:
		return []any{s}
	case booleans:
		if b, err := strconv.ParseBool(s); err == nil {
			return b
		}
	case objects: // a name in an object
		return nil
	}
	return v
}
