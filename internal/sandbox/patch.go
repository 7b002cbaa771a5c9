package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A patchOp is one operation of a JSON Patch (RFC 6902).
type patchOp struct {
	op         string
	path, from []string
	value      any
	shown      string // the path as it was written
}

var patchOps = []string{"add", "remove", "replace", "move", "copy", "test"}

// readPatch reads a patch document: an array of operations. Paths are relative
// to the properties; a leading slash may be missing, as in the service's own
// manual.
func readPatch(text string) ([]patchOp, error) {
	doc, err := readValue([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("not valid JSON: %w", err)
	}
	list, ok := doc.([]any)
	if !ok {
		return nil, errors.New("it is not a JSON array of operations")
	}
	out := make([]patchOp, 0, len(list))
	for i, e := range list {
		o, ok := e.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("operation %d is not a JSON object", i)
		}
		p, err := readPatchOp(o)
		if err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
		out = append(out, p)
	}
	return out, nil
}

func readPatchOp(o map[string]any) (p patchOp, err error) {
	p.op, _ = o["op"].(string)
	if !slices.Contains(patchOps, p.op) {
		return p, fmt.Errorf("op %s is none of %s", encode(o["op"]), strings.Join(patchOps, ", "))
	}
	path, ok := o["path"].(string)
	if !ok {
		return p, errors.New("path is missing or not a string")
	}
	p.shown = path
	if p.path, err = readPointer(path); err != nil {
		return p, err
	}
	switch p.op {
	case "move", "copy":
		from, ok := o["from"].(string)
		if !ok {
			return p, errors.New("from is missing or not a string")
		}
		p.from, err = readPointer(from)
		if err == nil && p.op == "move" && len(p.from) < len(p.path) && slices.Equal(p.from, p.path[:len(p.from)]) {
			err = errors.New("a value can't be moved into itself")
		}
		return p, err
	case "remove":
		return p, nil
	}
	if p.value, ok = o["value"]; !ok {
		return p, errors.New("value is missing")
	}
	return p, nil
}

// readPointer reads a JSON pointer (RFC 6901) into its steps.
func readPointer(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	steps := strings.Split(strings.TrimPrefix(s, "/"), "/")
	for i, step := range steps {
		for j := 0; j < len(step); j++ {
			if step[j] == '~' && (j+1 == len(step) || step[j+1] != '0' && step[j+1] != '1') {
				return nil, fmt.Errorf("path %s: ~ stands before 0 or 1 only", s)
			}
		}
		steps[i] = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
	}
	return steps, nil
}

func escapeStep(s string) string {
	if !strings.ContainsAny(s, "~/") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}

// A patchError is an operation that can't be applied.
type patchError struct{ op, what, path string }

func (e *patchError) Error() string {
	// The service puts a slash before every path it was given.
	return fmt.Sprintf("[%s Operation] %s, path provided: /%s", strings.ToUpper(e.op), e.what, e.path)
}

// applyPatch applies operations in order, each on the result of the one
// before. The document is left as it is.
func applyPatch(doc any, ops []patchOp) (any, error) {
	for _, o := range ops {
		next, err := o.apply(doc)
		if err != nil {
			return nil, &patchError{o.op, err.Error(), o.shown}
		}
		doc = next
	}
	return doc, nil
}

var errNoPath = errors.New("noSuchPath in source")

func (o patchOp) apply(doc any) (any, error) {
	switch o.op {
	case "add":
		return edit(doc, o.path, o.value, insert)
	case "replace":
		return edit(doc, o.path, o.value, replace)
	case "remove":
		return edit(doc, o.path, nil, remove)
	case "test":
		have, err := valueAt(doc, o.path)
		if err == nil && !sameValue(have, o.value) {
			err = errors.New("value differs from expectations")
		}
		return doc, err
	}
	v, err := valueAt(doc, o.from)
	if err != nil {
		return nil, err
	}
	if o.op == "move" {
		if doc, err = edit(doc, o.from, nil, remove); err != nil {
			return nil, err
		}
	}
	return edit(doc, o.path, v, insert)
}

func valueAt(doc any, path []string) (any, error) {
	for _, step := range path {
		switch v := doc.(type) {
		case map[string]any:
			x, ok := v[step]
			if !ok {
				return nil, errNoPath
			}
			doc = x
		case []any:
			i, err := indexOf(step, len(v)-1)
			if err != nil {
				return nil, err
			}
			doc = v[i]
		default:
			return nil, errNoPath
		}
	}
	return doc, nil
}

func indexOf(step string, last int) (int, error) {
	i, err := strconv.Atoi(step)
	if err != nil || i < 0 || strconv.Itoa(i) != step {
		return 0, fmt.Errorf("%q is no array index", step)
	}
	if i > last {
		return 0, errNoPath
	}
	return i, nil
}

// change is what an edit does where its path ends.
type change uint8

const (
	insert change = iota
	replace
	remove
)

// edit gives a document changed at a path; what is not changed is shared.
func edit(doc any, path []string, v any, how change) (any, error) {
	if len(path) == 0 {
		if how == remove {
			return nil, nil
		}
		return v, nil
	}
	step, last := path[0], len(path) == 1
	switch at := doc.(type) {
	case map[string]any:
		old, there := at[step]
		if !there && (!last || how != insert) {
			return nil, errNoPath
		}
		out := maps.Clone(at)
		if last && how == remove {
			delete(out, step)
			return out, nil
		}
		x, err := edit(old, path[1:], v, how)
		out[step] = x
		return out, err
	case []any:
		return editArray(at, path, v, how)
	}
	return nil, errNoPath
}

func editArray(at []any, path []string, v any, how change) (any, error) {
	step, last := path[0], len(path) == 1
	if last && how == insert {
		i := len(at)
		if step != "-" {
			var err error
			if i, err = indexOf(step, len(at)); err != nil {
				return nil, err
			}
		}
		return slices.Insert(slices.Clone(at), i, v), nil
	}
	i, err := indexOf(step, len(at)-1)
	if err != nil {
		return nil, err
	}
	if last && how == remove {
		return slices.Delete(slices.Clone(at), i, i+1), nil
	}
	out := slices.Clone(at)
	out[i], err = edit(at[i], path[1:], v, how)
	return out, err
}

// normal gives a value of Go's as JSON's: map[string]any, []any, json.Number.
func normal(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		panic("sandbox: " + err.Error())
	}
	return decodeValue(text)
}
