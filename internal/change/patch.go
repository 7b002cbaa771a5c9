package change

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// An Operation is one operation of a JSON Patch (RFC 6902). Paths are relative
// to the resource's properties: "/Tags/0/Value".
type Operation struct {
	Op    string          `json:"op"`
	From  string          `json:"from,omitempty"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value,omitempty"`
}

// A PatchError says which operation of a patch is wrong, counted from 0.
type PatchError struct {
	Index  int
	Op     Operation
	Reason string
}

func (e *PatchError) Error() string {
	return fmt.Sprintf("operation %d of the patch, %s %s: %s", e.Index+1, e.Op.Op, e.Op.Path, e.Reason)
}

// ParsePatch reads a patch document: an array, which may be empty.
func ParsePatch(text []byte) ([]Operation, error) {
	var raw []struct {
		Op, Path, From *string
		Value          json.RawMessage
	}
	if !utf8.Valid(text) {
		return nil, errors.New("patch document: not UTF-8")
	}
	v, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("patch document: %w", err)
	}
	if _, ok := v.([]any); !ok {
		return nil, fmt.Errorf("patch document: %s instead of an array of operations", kindOf(v))
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("patch document: %w", err)
	}
	ops := make([]Operation, 0, len(raw))
	for i, r := range raw {
		text := func(s *string) string {
			if s == nil {
				return ""
			}
			return *s
		}
		op := Operation{Op: text(r.Op), Path: text(r.Path), From: text(r.From), Value: r.Value}
		if reason := misshapen(op, r.Path == nil, r.From == nil, r.Value == nil); reason != "" {
			return nil, &PatchError{i, op, reason}
		}
		ops = append(ops, op)
	}
	return ops, nil
}

func misshapen(op Operation, noPath, noFrom, noValue bool) string {
	switch {
	case op.Op == "":
		return `no "op"`
	case noPath:
		return `no "path"`
	}
	switch op.Op {
	case "add", "replace", "test":
		if noValue {
			return `no "value"`
		}
	case "move", "copy":
		if noFrom {
			return `no "from"`
		}
	case "remove":
	default:
		return "no operation of RFC 6902: those are add, remove, replace, move, copy and test"
	}
	return ""
}

// Apply gives what a patch makes of a model, in the way the service does: each
// operation on the result of the one before, all or nothing. The model is left
// as it was. The error is a *PatchError.
func Apply(model any, ops []Operation) (any, error) {
	doc := clone(model)
	for i, op := range ops {
		next, reason := applyOne(doc, op)
		if reason != "" {
			return nil, &PatchError{i, op, reason}
		}
		doc = next
	}
	return doc, nil
}

func applyOne(doc any, op Operation) (any, string) {
	at := steps(op.Path)
	var v any
	if op.Value != nil {
		var err error
		if v, err = parse(op.Value); err != nil {
			return nil, "its value: " + err.Error()
		}
	}
	switch op.Op {
	case "add":
		return put(doc, at, v, true)
	case "replace":
		return put(doc, at, v, false)
	case "remove":
		return cut(doc, at)
	case "test":
		have, ok := lookup(doc, at)
		if !ok {
			return nil, noSuchPath
		}
		if !sameJSON(have, v) {
			return nil, "the value is another one"
		}
		return doc, ""
	}
	return transplant(doc, op, at)
}

const noSuchPath = "there is nothing at this path"

// transplant does move and copy.
func transplant(doc any, op Operation, at []string) (any, string) {
	from := steps(op.From)
	v, ok := lookup(doc, from)
	if !ok {
		return nil, "there is nothing at " + op.From
	}
	v = clone(v)
	if op.Op == "move" {
		if len(at) > len(from) && slices.Equal(from, at[:len(from)]) {
			return nil, "a value can't be moved into itself"
		}
		var reason string
		if doc, reason = cut(doc, from); reason != "" {
			return nil, reason
		}
	}
	return put(doc, at, v, true)
}

// put sets what is at a path. With fresh it may be new, and goes between the
// elements of an array; otherwise it has to be there.
func put(doc any, at []string, v any, fresh bool) (any, string) {
	if len(at) == 0 {
		return v, ""
	}
	return edit(doc, at, func(holder any, last string) (any, string) {
		switch h := holder.(type) {
		case map[string]any:
			if _, there := h[last]; !there && !fresh {
				return nil, noSuchPath
			}
			h[last] = v
			return h, ""
		case []any:
			i, ok := index(last, len(h))
			if !ok || !fresh && i == len(h) {
				return nil, noSuchPath
			}
			if fresh {
				return slices.Insert(h, i, v), ""
			}
			h[i] = v
			return h, ""
		}
		return nil, noSuchPath
	})
}

func cut(doc any, at []string) (any, string) {
	if len(at) == 0 {
		return nil, "the whole model can't be removed"
	}
	return edit(doc, at, func(holder any, last string) (any, string) {
		switch h := holder.(type) {
		case map[string]any:
			if _, there := h[last]; !there {
				return nil, noSuchPath
			}
			delete(h, last)
			return h, ""
		case []any:
			i, ok := index(last, len(h))
			if !ok || i == len(h) {
				return nil, noSuchPath
			}
			return slices.Delete(h, i, i+1), ""
		}
		return nil, noSuchPath
	})
}

// edit changes what holds the last step of a path, and puts the changed holder
// back in its place: an array that grew is another one.
func edit(doc any, at []string, f func(holder any, last string) (any, string)) (any, string) {
	if len(at) == 1 {
		return f(doc, at[0])
	}
	inner, ok := lookup(doc, at[:1])
	if !ok {
		return nil, noSuchPath
	}
	changed, reason := edit(inner, at[1:], f)
	if reason != "" {
		return nil, reason
	}
	replaceAt(doc, at[:1], changed)
	return doc, ""
}

// index reads an array index: digits without leading zeros, or "-" for the
// place behind the last element. Up to n is good.
func index(s string, n int) (int, bool) {
	if s == "-" {
		return n, true
	}
	i, err := strconv.Atoi(s)
	return i, err == nil && i >= 0 && i <= n && strconv.Itoa(i) == s
}

// patch writes the smallest patch that makes the differences: test what is
// replaced, where reads give it back as it is, so that a change by somebody
// else meanwhile is a conflict; add whole properties, which works whether they
// are there or not. What only AWS writes never appears.
func (r *rules) patch(before map[string]any, ds []diff) []Operation {
	ops := []Operation{}
	for _, d := range ds {
		if r.readOnly.covers(d.at) {
			continue
		}
		path := pointer(d.at)
		if d.old != nil && r.guards(d) {
			ops = append(ops, Operation{Op: "test", Path: path, Value: encode(d.old)})
		}
		switch {
		case d.new == nil:
			ops = append(ops, Operation{Op: "remove", Path: path})
		case d.old == nil, len(d.at) == 1:
			ops = append(ops, Operation{Op: "add", Path: path, Value: encode(r.sent(before, d))})
		default:
			ops = append(ops, Operation{Op: "replace", Path: path, Value: encode(r.sent(before, d))})
		}
	}
	return ops
}

// guards reports whether a test can hold the old value: scalars, and objects
// without arrays and JSON text, which come back in another order. Secrets are
// no part of it.
func (r *rules) guards(d diff) bool {
	return !hasArray(d.old) && !hasJSON(d.old) && r.plain(d.at, d.old)
}

// plain reports whether a value has no secret in it.
func (r *rules) plain(at []string, v any) bool {
	return len(r.secrets(nest(at, v))) == 0
}

// nest puts a value where its path says, in a model of its own.
func nest(at []string, v any) map[string]any {
	for i := len(at) - 1; i >= 0; i-- {
		v = map[string]any{at[i]: v}
	}
	o, _ := v.(map[string]any)
	return o
}

func hasArray(v any) bool {
	switch v := v.(type) {
	case []any:
		return true
	case map[string]any:
		for _, x := range v {
			if hasArray(x) {
				return true
			}
		}
	}
	return false
}

func hasJSON(v any) bool {
	found := false
	each(v, nil, func(_ []string, v any) {
		_, text := v.(string)
		_, still := unwrapped(nil, v).(string)
		found = found || text && !still
	})
	return found
}

// sent gives the value to send: a tag list keeps the tags that AWS put there.
func (r *rules) sent(before map[string]any, d diff) any {
	if !(comparison{rules: r}).tagged(d.at) {
		return d.new
	}
	old, _ := lookup(before, d.at)
	switch now := d.new.(type) {
	case []any:
		was, _ := old.([]any)
		kept := without(was, func(e any) bool { return !isSystemElement(e) })
		return append(without(now, isSystemElement), kept...)
	}
	return d.new
}
