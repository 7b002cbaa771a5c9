package session

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/sqlerr"
)

// A rowKey names a resource, as a copy's rows do.
type rowKey struct{ typ, account, region, identifier string }

// A document is a resource as it was read.
type document struct {
	properties json.RawMessage
	read       time.Time
}

// A wanted is a resource as statements want it, of which AWS knows nothing yet.
type wanted struct {
	table *catalog.Table
	key   rowKey
	// before is what was read, nil where there is no such resource; after is
	// what it is to be, nil where it is to go.
	before, after json.RawMessage
	set           []string // properties that statements set, as AWS spells them
	patch         json.RawMessage
	read          time.Time
}

// pending is what the statements of a transaction want; outside of one, what
// one statement wants. What comes later sees the resources as they will be.
type pending struct {
	rows   map[rowKey]*wanted
	order  []*wanted
	covers []change.Coverage
	made   int // placeholders given so far
	// readOnly: BEGIN READ ONLY.
	readOnly bool
	// shown is the plan as SHOW PLAN has shown it, "" since the last change of
	// what is wanted.
	shown string
}

func newPending() *pending { return &pending{rows: map[rowKey]*wanted{}} }

// of gives what is wanted of a type's resources; of all for the table of any type.
func (p *pending) of(typ string) []*wanted {
	var out []*wanted
	if p == nil {
		return nil
	}
	for _, w := range p.order {
		if w.key.typ == typ || typ == catalog.ResourceType {
			out = append(out, w)
		}
	}
	return out
}

func (p *pending) has(k rowKey) bool { return p != nil && p.rows[k] != nil }

// want notes a resource's wanted state. One that was made in the transaction
// and is to go again was never there.
func (p *pending) want(w *wanted) {
	old := p.rows[w.key]
	if old == nil {
		p.rows[w.key] = w
		p.order = append(p.order, w)
		return
	}
	old.after = w.after
	if w.patch != nil {
		old.patch = w.patch
	}
	for _, c := range w.set {
		if !slices.Contains(old.set, c) {
			old.set = append(old.set, c)
		}
	}
	if old.before == nil && old.after == nil {
		delete(p.rows, old.key)
		p.order = slices.DeleteFunc(p.order, func(x *wanted) bool { return x == old })
	}
}

// rename gives a resource that is still to be made the identifier that its
// properties now make, if they make another one.
func (p *pending) rename(w *wanted) error {
	old := p.rows[w.key]
	if old == nil || old.before != nil || w.after == nil {
		return nil
	}
	id, ok := composed(w.table, w.after)
	if !ok || id == w.key.identifier {
		return nil
	}
	key := w.key
	key.identifier = id
	if p.has(key) {
		return sqlerr.New(sqlerr.UniqueViolation, "%s %s would be made twice", w.table.Name(), id)
	}
	delete(p.rows, old.key)
	old.key, w.key = key, key
	p.rows[key] = old
	return nil
}

// clone is a copy to fall back on.
func (p *pending) clone() *pending {
	c := &pending{rows: map[rowKey]*wanted{}, covers: slices.Clone(p.covers), made: p.made, readOnly: p.readOnly}
	for _, w := range p.order {
		x := *w
		x.set = slices.Clone(w.set)
		c.rows[x.key] = &x
		c.order = append(c.order, &x)
	}
	return c
}

// intents are what change makes a set of.
func (p *pending) intents() []change.Intent {
	var out []change.Intent
	for _, w := range p.order {
		out = append(out, change.Intent{Table: w.table, Account: w.key.account, Region: w.key.region, Identifier: w.key.identifier,
			Before: w.before, After: w.after, Set: w.set, Patch: w.patch, ReadAt: w.read})
	}
	return out
}

// composed gives the identifier that a resource's own properties make, if all
// of its parts are there.
func composed(t *catalog.Table, properties json.RawMessage) (string, bool) {
	var parts []string
	for _, p := range t.Identifier {
		var v any = properties
		for step := range strings.SplitSeq(p[1:], "/") {
			raw, _ := v.(json.RawMessage)
			var o map[string]json.RawMessage
			if json.Unmarshal(raw, &o) != nil || o[step] == nil {
				return "", false
			}
			v = o[step]
		}
		text := string(v.(json.RawMessage))
		var s string
		if json.Unmarshal([]byte(text), &s) == nil {
			text = s
		}
		if text == "" || text == "null" {
			return "", false
		}
		parts = append(parts, text)
	}
	return t.JoinIdentifier(parts), true
}
