package fetch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/plan"
)

// models calls f with every model that a table must be listed with in a place.
// given are the keys that the statement bounds.
func (r *run) models(ctx context.Context, t *catalog.Table, at place, given map[string]plan.Set, f func(model) error) error {
	in := t.ListInput
	base := []model{{}}
	for _, p := range slices.Sorted(maps.Keys(given)) {
		base = cross(base, p, given[p])
	}
	open := r.open(t, given)
	for _, p := range slices.Clone(open) {
		values := in.Fixed[p]
		if slices.Contains(in.Account, p) {
			values = []string{at.account}
		}
		if values == nil {
			continue
		}
		if only := in.HomeOnly[p]; only != nil && at.region != catalog.HomeRegion(at.region) {
			values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return slices.Contains(only, v) })
		}
		base = cross(base, p, values)
		open = slices.DeleteFunc(open, func(o string) bool { return o == p })
	}
	if len(open) == 0 {
		for _, m := range base {
			if err := f(m); err != nil {
				return err
			}
		}
		return nil
	}
	if in.Unknown != "" || len(in.Parents) == 0 {
		return &NeedKeyError{Table: t, Columns: columnNames(t, open), Reason: in.Unknown}
	}
	return r.parents(ctx, t, at, base, given, f)
}

// open gives the keys that a list wants and the statement doesn't give.
func (r *run) open(t *catalog.Table, given map[string]plan.Set) []string {
	in := t.ListInput
	var out []string
	for _, p := range in.Required {
		if given[p] == nil {
			out = append(out, p)
		}
	}
	if len(in.OneOf) > 0 && !slices.ContainsFunc(in.OneOf, func(set []string) bool {
		return !slices.ContainsFunc(set, func(p string) bool { return given[p] == nil })
	}) {
		out = append(out, in.OneOf[0]...)
		if len(in.Parents) > 0 { // the alternative that the parents serve
			out = out[:len(out)-len(in.OneOf[0])]
			for _, g := range in.Parents[0].Give {
				if given[g.To] == nil {
					out = append(out, g.To)
				}
			}
		}
	}
	if in.DefaultParentOnly && len(in.Parents) > 0 {
		for _, g := range in.Parents[0].Give {
			if given[g.To] == nil {
				out = append(out, g.To)
			}
		}
	}
	return out
}

func cross(models []model, p string, values []string) []model {
	var out []model
	for _, m := range models {
		for _, v := range values {
			n := maps.Clone(m)
			n[p] = v
			out = append(out, n)
		}
	}
	return out
}

func columnNames(t *catalog.Table, pointers []string) []string {
	var out []string
	for _, p := range pointers {
		name := p[1:]
		if c, ok := t.Column(name); ok {
			name = t.Columns[c].Name
		}
		out = append(out, name)
	}
	return out
}

// parents finds the missing keys in the rows of other types. All keys of one
// call come from one row. A parent of the table's own type makes every row
// found a parent in turn.
func (r *run) parents(ctx context.Context, t *catalog.Table, at place, base []model, given map[string]plan.Set, f func(model) error) error {
	var mu sync.Mutex
	seen := map[string]bool{}
	each := func(m model) error {
		mu.Lock()
		again := seen[m.key()]
		seen[m.key()] = true
		mu.Unlock()
		if again {
			return nil
		}
		return f(m)
	}
	var self *catalog.Parent
	for i, p := range t.ListInput.Parents {
		if p.Type == t.Type {
			self = &t.ListInput.Parents[i]
		}
	}
	for _, p := range t.ListInput.Parents {
		if p.Type == t.Type {
			continue
		}
		parent, err := r.f.o.Catalog.Table(p.Type)
		if err != nil {
			return err
		}
		where := at
		if parent.Global && !t.Global {
			where.region = catalog.HomeRegion(at.region)
		}
		err = r.under(ctx, parent, where, p, given, func(keys model) error {
			for _, b := range base {
				m := maps.Clone(b)
				maps.Copy(m, keys)
				if err := each(m); err != nil {
					return err
				}
				if self != nil {
					if err := r.descend(ctx, t, at, *self, m, each); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// descend lists what is under one model of a table that is its own parent, and
// goes on with each row.
func (r *run) descend(ctx context.Context, t *catalog.Table, at place, self catalog.Parent, m model, each func(model) error) error {
	var docs []cloudcontrol.Document
	if err := r.pages(ctx, t, at, m, func(d []cloudcontrol.Document) error { docs = append(docs, d...); return nil }); err != nil {
		return err
	}
	for _, d := range docs {
		keys, err := r.gifts(ctx, t, at, self, d)
		if err != nil {
			return err
		}
		for _, k := range keys {
			next := maps.Clone(m)
			maps.Copy(next, k)
			if next.key() == m.key() {
				continue
			}
			if err := each(next); err != nil {
				return err
			}
			if err := r.descend(ctx, t, at, self, next, each); err != nil {
				return err
			}
		}
	}
	return nil
}

// under calls f with the keys that each row of a parent gives, of those that
// the statement lets through.
func (r *run) under(ctx context.Context, parent *catalog.Table, at place, p catalog.Parent, given map[string]plan.Set, f func(model) error) error {
	above := map[string]plan.Set{}
	for _, g := range p.Give {
		if s := given[g.To]; s != nil && slices.Contains(slices.Concat(parent.ListInput.Required, parent.ListInput.Optional), g.From) {
			above[g.From] = s
		}
	}
	return r.models(ctx, parent, at, above, func(m model) error {
		return r.pages(ctx, parent, at, m, func(docs []cloudcontrol.Document) error {
			for _, d := range docs {
				all, err := r.gifts(ctx, parent, at, p, d)
				if err != nil {
					return err
				}
				for _, keys := range all {
					if admitted(keys, given) {
						if err := f(keys); err != nil {
							return err
						}
					}
				}
			}
			return nil
		})
	})
}

func admitted(keys model, given map[string]plan.Set) bool {
	for p, v := range keys {
		if s := given[p]; s != nil && !slices.Contains(s, v) {
			return false
		}
	}
	return true
}

// gifts gives the keys in one parent row: from its identifier, the list row,
// or the resource itself where the list doesn't tell. A '*' in a pointer makes
// several; no value at all, none.
func (r *run) gifts(ctx context.Context, parent *catalog.Table, at place, p catalog.Parent, d cloudcontrol.Document) ([]model, error) {
	props := d.Properties
	need := false
	for _, g := range p.Give {
		need = need || !inIdentifier(parent, g.From) && len(values(parent, d, g.From)) == 0 && !gjson.GetBytes(props, firstStep(g.From)).Exists()
	}
	if need && parent.Read != nil {
		got, err := r.document(ctx, nil, at, parent, d.Identifier)
		if errors.Is(err, cloudcontrol.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, r.absent(ctx, at, parent, err)
		}
		d = got
	}
	out := []model{{}}
	for _, g := range p.Give {
		out = cross(out, g.To, values(parent, d, g.From))
	}
	return out, nil
}

func inIdentifier(t *catalog.Table, pointer string) bool {
	return slices.Contains(t.Identifier, pointer)
}

func firstStep(pointer string) string {
	step, _, _ := strings.Cut(pointer[1:], "/")
	return step
}

// values gives what is at a pointer of a resource.
func values(t *catalog.Table, d cloudcontrol.Document, pointer string) []string {
	if i := slices.Index(t.Identifier, pointer); i >= 0 {
		if parts, err := t.SplitIdentifier(d.Identifier); err == nil {
			return []string{parts[i]}
		}
	}
	at := []gjson.Result{gjson.ParseBytes(d.Properties)}
	for _, step := range strings.Split(pointer[1:], "/") {
		var next []gjson.Result
		for _, v := range at {
			if step == "*" {
				next = append(next, v.Array()...)
			} else if m, ok := v.Map()[step]; ok {
				next = append(next, m)
			}
		}
		at = next
	}
	var out []string
	for _, v := range at {
		if s := v.String(); v.Type != gjson.Null && s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
