package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/plan"
)

// A model is what a list call is given: pointers below the ResourceModel to
// their values, as text.
type model map[string]string

// json writes a model for a call, each value in the type of its property. Nil
// for an empty one.
func (m model) json(t *catalog.Table) json.RawMessage {
	if len(m) == 0 {
		return nil
	}
	root := map[string]any{}
	for p, v := range m {
		steps := strings.Split(p[1:], "/")
		at := root
		for _, s := range steps[:len(steps)-1] {
			next, ok := at[s].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[s] = next
			}
			at = next
		}
		at[steps[len(steps)-1]] = typed(t, steps, v)
	}
	out, err := json.Marshal(root)
	if err != nil {
		panic("fetch: a list model does not encode: " + err.Error())
	}
	return out
}

func typed(t *catalog.Table, steps []string, v string) any {
	if len(steps) == 1 {
		if c, ok := t.Column(steps[0]); ok {
			switch t.Columns[c].Type {
			case catalog.BigInt, catalog.Double, catalog.Boolean:
				if json.Valid([]byte(v)) {
					return json.RawMessage(v)
				}
			}
		}
	}
	return v
}

func (m model) key() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%s=%q;", k, m[k])
	}
	return b.String()
}

// list lists a table in one place, under each of its parents, and reads the
// resources of which the list doesn't tell enough.
func (s *scanning) list(ctx context.Context, at place, b plan.Box) error {
	if s.table.List == nil {
		return s.noList()
	}
	return s.models(ctx, s.table, at, b.Parents, func(m model) error {
		// Pages are read ahead of what is done with them, one at a time.
		ahead := make(chan []cloudcontrol.Document, 1)
		s.group.Go(func() error {
			defer close(ahead)
			return s.pages(ctx, s.table, at, m, func(docs []cloudcontrol.Document) error {
				select {
				case ahead <- docs:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		})
		s.group.Go(func() error {
			for docs := range ahead {
				if err := s.page(ctx, at, m, docs, b); err != nil {
					return err
				}
			}
			return nil
		})
		return nil
	})
}

// page hands over what a page tells in full, and reads the rest.
func (s *scanning) page(ctx context.Context, at place, m model, docs []cloudcontrol.Document, b plan.Box) error {
	rows, err := s.candidates(ctx, at, m, docs, b, false)
	if err != nil {
		return err
	}
	s.stat(s.table, func(st *stats) { st.Expected += len(rows) })
	var whole []Row
	rows = slices.DeleteFunc(rows, func(r Row) bool {
		if !s.enough(r) {
			return false
		}
		if s.first(at, r.Identifier) {
			whole = append(whole, r)
		}
		return true
	})
	if err := s.hand(ctx, whole...); err != nil {
		return err
	}
	for _, r := range rows {
		if s.first(at, r.Identifier) {
			if err := s.spawn(ctx, at, r.Identifier, wanted{model: m}); err != nil {
				return err
			}
		}
	}
	return nil
}

// known adds to a resource the write-only keys that it was listed with: AWS
// gives them back nowhere, but what is listed under a key has it.
func (s *scanning) known(properties json.RawMessage, m model) json.RawMessage {
	for _, p := range s.fill {
		v, ok := m["/"+p]
		if !ok || gjson.GetBytes(properties, p).Exists() {
			continue
		}
		member, err := json.Marshal(map[string]any{p: typed(s.table, []string{p}, v)})
		if err != nil {
			panic("fetch: a list key does not encode: " + err.Error())
		}
		body := bytes.TrimSpace(properties)
		if len(bytes.TrimSpace(body[1:len(body)-1])) == 0 {
			properties = member
			continue
		}
		properties = append(append(bytes.Clone(body[:len(body)-1]), ','), member[1:]...)
	}
	return properties
}

// enough reports whether a list row has every property that is wanted: one
// that is missing is not known, it is not NULL.
func (s *scanning) enough(r Row) bool {
	if s.table.SpansRegions || s.table.Read == nil {
		return s.table.Read == nil
	}
	if len(s.want) == 0 || s.Trust {
		return true
	}
	return !s.Distrust && has(r.Properties, s.want)
}

// has reports whether an object has all of some members.
func has(object json.RawMessage, names []string) bool {
	if len(names) == 0 {
		return true
	}
	left := len(names)
	found := make([]bool, left)
	gjson.ParseBytes(object).ForEach(func(k, _ gjson.Result) bool {
		if i := slices.Index(names, k.Str); i >= 0 && !found[i] {
			found[i] = true
			left--
		}
		return left > 0
	})
	return left == 0
}

// pages lists a type with one model. What is listed of a type that is
// somebody's parent in this run is listed once and kept.
func (r *run) pages(ctx context.Context, t *catalog.Table, at place, m model, f func([]cloudcontrol.Document) error) error {
	if !r.shared[t.Type] && r.MaxAge == 0 {
		return r.listPages(ctx, t, at, m, f)
	}
	return r.through(ctx, "list|"+t.Type+"|"+at.account+"|"+at.region+"|"+m.key(),
		func(ctx context.Context, page func([]cloudcontrol.Document) error) error {
			return r.listPages(ctx, t, at, m, page)
		}, f)
}

// listPages asks for page after page.
func (r *run) listPages(ctx context.Context, t *catalog.Table, at place, m model, f func([]cloudcontrol.Document) error) error {
	c, err := r.client(ctx, at)
	if err != nil {
		return r.absent(ctx, at, t, err)
	}
	seen := map[string]bool{}
	for token := ""; ; {
		if err := r.within(t); err != nil {
			return err
		}
		turn, err := r.admit(ctx, at, t, true)
		if err != nil {
			return err
		}
		var page cloudcontrol.Page
		err = r.call(ctx, turn, at, t, opList, true, func() (err error) {
			page, err = c.List(ctx, t.Type, m.json(t), token)
			return err
		})
		switch {
		case errors.Is(err, cloudcontrol.ErrNotFound) && len(m) > 0: // the parent is gone
			return nil
		case errors.Is(err, cloudcontrol.ErrMissingKey):
			return r.missingKey(t, err)
		case err != nil:
			return r.absent(ctx, at, t, err)
		}
		if err := f(page.Documents); err != nil {
			return err
		}
		if token = page.Next; token == "" {
			return nil
		}
		if seen[token] {
			return r.absent(ctx, at, t, cloudcontrol.Repeated(t.Type, at.account, at.region))
		}
		seen[token] = true
	}
}

// missingKey words AWS's wish for a list key that no schema tells of.
func (r *run) missingKey(t *catalog.Table, err error) error {
	var e *cloudcontrol.Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Type != t.Type { // t is read by the names of types
		need := &NeedKeyError{Table: t, Columns: []string{"resource_model"}, Reason: "AWS lists " + e.Type + " under a parent alone",
			Hint: fmt.Sprintf(`WHERE resource_model = '{"%s": "…"}'`, e.MissingKey)}
		if typed, ok := r.f.o.Catalog.ByType(e.Type); ok {
			need.Hint += ", or read " + typed.Name()
		}
		return need
	}
	name := e.MissingKey
	if c, ok := t.Column(name); ok {
		name = t.Columns[c].Name
	}
	return &NeedKeyError{Table: t, Columns: []string{name}, Reason: "AWS wants it for listing"}
}

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
