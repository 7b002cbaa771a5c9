package change

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// A model is decoded into maps, slices, strings, booleans, json.Numbers (no
// digit is lost) and nil. A member that is null is a member that is absent.

// parse decodes one JSON value and nothing behind it.
func parse(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, notJSON(text, err)
	}
	if end := d.InputOffset(); len(bytes.TrimSpace(text[end:])) > 0 {
		rest := text[end:]
		return nil, &SyntaxError{int(end) + len(rest) - len(bytes.TrimLeft(rest, " \t\r\n")), "more text behind the JSON value"}
	}
	return v, nil
}

// A SyntaxError says where a text is no JSON.
type SyntaxError struct {
	At     int // the byte, from 0
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("at byte %d: %s", e.At+1, e.Reason) }

func notJSON(text []byte, err error) error {
	var s *json.SyntaxError
	switch {
	case errors.As(err, &s):
		return &SyntaxError{max(int(s.Offset)-1, 0), s.Error()}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &SyntaxError{len(text), "it ends too early"}
	}
	return err
}

// ParseDesired says what keeps a text from being a resource's properties.
func ParseDesired(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("not UTF-8")
	}
	v, err := parse(text)
	if err != nil {
		return err
	}
	if _, ok := v.(map[string]any); !ok {
		return fmt.Errorf("%s instead of an object", kindOf(v))
	}
	return nil
}

// parseModel decodes an object. Nil text is no resource, a nil map.
func parseModel(text json.RawMessage) (map[string]any, error) {
	if text == nil {
		return nil, nil
	}
	v, err := parse(text)
	if err != nil {
		return nil, err
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s instead of an object", kindOf(v))
	}
	return prune(o), nil
}

// prune leaves out the members of a model's top level that are null.
func prune(o map[string]any) map[string]any {
	maps.DeleteFunc(o, func(_ string, v any) bool { return v == nil })
	return o
}

// encode writes a value with its members sorted, so that the same value is
// always the same bytes.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("change: a decoded value does not encode: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = clone(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = clone(x)
		}
		return out
	}
	return v
}

func cloneModel(m map[string]any) map[string]any {
	if m == nil {
		return nil
	}
	return clone(m).(map[string]any)
}

// kindOf names a value's kind as JSON Schema does.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case json.Number:
		if isInteger(v) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// pointer writes steps as RFC 6901 does.
func pointer(steps []string) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteByte('/')
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1"))
	}
	return b.String()
}

// steps reads a pointer. The leading slash may be missing, as in the example
// of AWS's manual.
func steps(p string) []string {
	if p == "" {
		return nil
	}
	out := strings.Split(strings.TrimPrefix(p, "/"), "/")
	for i, s := range out {
		out[i] = strings.ReplaceAll(strings.ReplaceAll(s, "~1", "/"), "~0", "~")
	}
	return out
}

// extend gives a path of its own: append alone would share memory.
func extend(at []string, step string) []string {
	return append(slices.Clip(at), step)
}

// lookup follows steps through members and elements.
func lookup(v any, at []string) (any, bool) {
	for _, s := range at {
		switch x := v.(type) {
		case map[string]any:
			m, ok := x[s]
			if !ok {
				return nil, false
			}
			v = m
		case []any:
			i, ok := index(s, len(x))
			if !ok || i == len(x) {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// each calls f for every scalar below v, with the path to it.
func each(v any, at []string, f func(at []string, v any)) {
	switch x := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			each(x[k], extend(at, k), f)
		}
	case []any:
		for i, e := range x {
			each(e, extend(at, fmt.Sprint(i)), f)
		}
	default:
		f(at, v)
	}
}

// Merge gives a model with some of its top-level properties set: to their new
// values, or, where that is null or nil, left out. Properties that aren't named
// stay as they were.
func Merge(model json.RawMessage, set map[string]json.RawMessage) (json.RawMessage, error) {
	o, err := parseModel(model)
	if err != nil {
		return nil, err
	}
	if o == nil {
		o = map[string]any{}
	}
	for k, text := range set {
		if text == nil {
			delete(o, k)
			continue
		}
		v, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		o[k] = v
	}
	return encode(prune(o)), nil
}
