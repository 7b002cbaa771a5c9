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
