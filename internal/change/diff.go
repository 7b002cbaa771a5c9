package change

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/skyql/skyql/internal/catalog"
)

// A Difference is one property that changes, at the smallest path.
type Difference struct {
	Pointer   string          `json:"pointer"`       // "/PhoneConfig/AutoAccept"
	Path      string          `json:"path"`          // "phone_config.AutoAccept"
	Old       json.RawMessage `json:"old,omitempty"` // nil: absent. Secrets are masked
	New       json.RawMessage `json:"new,omitempty"`
	Sensitive bool            `json:"sensitive,omitempty"` // nothing of the value may be shown
}

// diff is a Difference before it is shown.
type diff struct {
	at       []string
	old, new any
}

// differ finds what a statement changes of a model. Objects are taken apart,
// arrays and policies are not.
type differ struct {
	comparison
	found   []diff
	unknown [][]string // differences that may be none
	moved   [][]string // arrays whose order alone differs, where nothing says whether that counts
}

func (r *rules) differences(before, after map[string]any) *differ {
	d := &differ{comparison: comparison{rules: r}}
	d.objects(nil, before, after)
	return d
}

func (d *differ) objects(at []string, old, new map[string]any) {
	n := d.table.Root
	if len(at) > 0 {
		n = d.node(at)
	}
	keys := maps.Clone(old)
	if keys == nil {
		keys = map[string]any{}
	}
	maps.Copy(keys, new)
	for _, k := range d.inOrder(at, slices.Sorted(maps.Keys(keys))) {
		if d.tagged(at) && isSystemTag(k) && new[k] == nil {
			continue
		}
		step := extend(at, k)
		o, v := old[k], d.member(n, step, new, old)
		switch {
		case d.leftAlone(step, new[k]):
		case d.writeOnly.covers(step):
			if new[k] != nil { // nothing to compare with: what is given is sent
				d.found = append(d.found, diff{step, nil, new[k]})
			}
		case bothObjects(o, new[k]) && (v != same || d.writeOnly.below(step)):
			d.objects(step, o.(map[string]any), new[k].(map[string]any))
		case v == unknown:
			d.unknown = append(d.unknown, step)
		case v == same && d.reordered(d.child(n, k), o, new[k]):
			d.moved = append(d.moved, step)
		case v == different:
			d.found = append(d.found, diff{step, o, new[k]})
		}
	}
}

// reordered reports whether arrays that count as the same are in another order,
// and the schema says nothing about that.
func (d *differ) reordered(n *catalog.Node, a, b any) bool {
	x, ok := a.([]any)
	y, too := b.([]any)
	return ok && too && n != nil && n.InsertionOrder == nil && n.ArrayType == "" && !isKeyValue(x) && !sameJSON(x, y) && sameJSON(ranked(x), ranked(y))
}

// ranked sorts elements by their text.
func ranked(list []any) []any {
	out := slices.Clone(list)
	slices.SortFunc(out, func(a, b any) int { return bytes.Compare(encode(a), encode(b)) })
	return out
}

// leftAlone: what a statement leaves out can't be removed where AWS alone
// writes it, or only a creation could have.
func (d *differ) leftAlone(at []string, v any) bool {
	return v == nil && (d.readOnly.covers(at) || len(at) > 1 && d.createOnly.covers(at))
}

func bothObjects(a, b any) bool {
	x, ok := a.(map[string]any)
	y, too := b.(map[string]any)
	return ok && too && !(isPolicy(x) && isPolicy(y))
}

// inOrder sorts the properties of the top level as the table's columns are.
func (d *differ) inOrder(at []string, keys []string) []string {
	if len(at) > 0 {
		return keys
	}
	rank := make(map[string]int, len(d.table.Columns))
	for i, c := range d.table.Columns {
		rank[c.Property] = i
	}
	slices.SortStableFunc(keys, func(a, b string) int { return rank[a] - rank[b] })
	return keys
}

// shown gives a difference as it may be seen.
func (r *rules) shown(d diff, before, after map[string]any) Difference {
	out := Difference{Pointer: pointer(d.at), Path: r.path(d.at)}
	mask := func(model map[string]any, v any) json.RawMessage {
		if v == nil {
			return nil
		}
		holder, _ := lookup(model, d.at[:len(d.at)-1])
		o, _ := holder.(map[string]any)
		m := r.maskedAt(d.at, v, o)
		out.Sensitive = out.Sensitive || m == Sensitive
		return encode(m)
	}
	out.Old, out.New = mask(before, d.old), mask(after, d.new)
	return out
}
