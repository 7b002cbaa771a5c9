package change

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// propertyTransform is JSONata with an extension, $OR. Of its 188 uses nearly
// all are upper and lower case, join, split and alternatives; those are
// evaluated. A text literal is a regular expression, a value spliced into one
// is not.

// transformed says whether a read value is what the expression makes of the
// one that is wanted.
func transformed(expression string, at []string, want, have any, holder map[string]any) verdict {
	h, ok := scalarText(have)
	if !ok {
		return unknown
	}
	out := different
	for _, alternative := range alternatives(expression) {
		p := &transforming{text: alternative, self: at[len(at)-1], want: want, holder: holder}
		v, ok := p.whole()
		switch {
		case !ok:
			out = min(out, unknown)
		case v.is(h):
			return same
		}
	}
	return out
}

func scalarText(v any) (string, bool) {
	switch v.(type) {
	case nil, map[string]any, []any:
		return "", false
	}
	return fmt.Sprint(v), true
}

// alternatives splits at $OR outside of brackets and quotes.
func alternatives(e string) []string {
	var out []string
	depth, start := 0, 0
	var quote byte
	for i := 0; i < len(e); i++ {
		switch c := e[i]; {
		case quote != 0:
			if c == '\\' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == ')' || c == ']' || c == '}':
			depth--
		case depth == 0 && strings.HasPrefix(e[i:], "$OR"):
			out = append(out, e[start:i])
			start = i + 3
			i += 2
		}
	}
	return append(out, e[start:])
}

// A term is a value of an expression: as text, and as the regular expression
// that a read value may match.
type term struct {
	text, pattern string
	list          []term // of [a, b] and $split
	literal       bool
}

func (t term) is(have string) bool {
	if t.list != nil {
		return false
	}
	if t.text == have {
		return true
	}
	re, err := regexp.Compile(`^(?:` + t.pattern + `)$`)
	return t.pattern != "" && err == nil && re.MatchString(have)
}

func value(s string) term { return term{text: s, pattern: regexp.QuoteMeta(s)} }

// transforming reads one expression. Whatever it doesn't know ends it.
type transforming struct {
	text   string
	self   string // the property's own name
	want   any
	holder map[string]any
}

func (p *transforming) whole() (term, bool) {
	v, ok := p.sum()
	return v, ok && strings.TrimSpace(p.text) == ""
}

// sum reads operands joined by &.
func (p *transforming) sum() (term, bool) {
	v, ok := p.operand()
	for ok && p.take("&") {
		var w term
		if w, ok = p.operand(); ok {
			v = join([]term{v, w}, term{})
		}
	}
	return v, ok
}

func join(list []term, by term) term {
	var texts, patterns []string
	literal := by.literal && by.text != ""
	for _, t := range list {
		texts, patterns = append(texts, t.text), append(patterns, t.pattern)
		literal = literal || t.literal
	}
	return term{text: strings.Join(texts, by.text), pattern: strings.Join(patterns, by.pattern), literal: literal}
}

func (p *transforming) take(s string) bool {
	rest, ok := strings.CutPrefix(strings.TrimLeft(p.text, " \t\r\n"), s)
	if ok {
		p.text = rest
	}
	return ok
}

func (p *transforming) operand() (term, bool) {
	v, ok := p.primary()
	if ok && p.take("[") {
		end := strings.IndexByte(p.text, ']')
		if end < 0 {
			return v, false
		}
		i, err := strconv.Atoi(strings.TrimSpace(p.text[:end]))
		p.text = p.text[end+1:]
		if i < 0 {
			i += len(v.list)
		}
		if err != nil || i < 0 || i >= len(v.list) {
			return v, false
		}
		return v.list[i], true
	}
	return v, ok
}

func (p *transforming) primary() (term, bool) {
	p.text = strings.TrimLeft(p.text, " \t\r\n")
	switch {
	case p.text == "":
		return term{}, false
	case p.text[0] == '"' || p.text[0] == '\'':
		return p.literal()
	case p.text[0] == '[':
		p.take("[")
		list, ok := p.arguments("]")
		return term{list: list}, ok
	case p.text[0] == '$':
		return p.call()
	}
	return p.name()
}

func (p *transforming) literal() (term, bool) {
	quote := p.text[0]
	var b strings.Builder
	for i := 1; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == quote:
			p.text = p.text[i+1:]
			return term{text: b.String(), pattern: b.String(), literal: true}, true
		case c == '\\' && i+1 < len(p.text):
			i++
			if p.text[i] != quote && p.text[i] != '\\' && p.text[i] != '/' {
				b.WriteByte('\\')
			}
			b.WriteByte(p.text[i])
		default:
			b.WriteByte(c)
		}
	}
	return term{}, false
}

func (p *transforming) arguments(end string) ([]term, bool) {
	list := []term{}
	for {
		v, ok := p.sum()
		if !ok {
			return nil, false
		}
		list = append(list, v)
		if p.take(end) {
			return list, true
		}
		if !p.take(",") {
			return nil, false
		}
	}
}

var nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*`)

// name reads a path. Its last part is the property itself or one beside it.
func (p *transforming) name() (term, bool) {
	path := nameForm.FindString(p.text)
	p.text = p.text[len(path):]
	last := path[strings.LastIndexByte(path, '.')+1:]
	v := p.want
	if last != p.self {
		v = p.holder[last]
	}
	s, ok := scalarText(v)
	return value(s), ok && path != ""
}

// call reads a function with its arguments.
func (p *transforming) call() (term, bool) {
	name := "$" + nameForm.FindString(p.text[1:])
	p.text = p.text[len(name):]
	if !p.take("(") {
		return term{}, false
	}
	args, ok := p.arguments(")")
	if !ok {
		return term{}, false
	}
	return apply(name, args)
}

func apply(name string, args []term) (term, bool) {
	text := func(i int) string { return args[i].text }
	switch {
	case name == "$uppercase" && len(args) == 1:
		return value(strings.ToUpper(text(0))), !args[0].literal
	case name == "$lowercase" && len(args) == 1:
		return value(strings.ToLower(text(0))), !args[0].literal
	case name == "$join" && len(args) == 1 && args[0].list != nil:
		return join(args[0].list, term{}), true
	case name == "$join" && len(args) == 2 && args[0].list != nil:
		by := args[1]
		if by.literal {
			by = value(by.text)
		}
		return join(args[0].list, by), true
	case name == "$split" && len(args) == 2:
		var list []term
		for _, s := range strings.Split(text(0), text(1)) {
			list = append(list, value(s))
		}
		return term{list: list}, true
	case name == "$split" && len(args) == 3:
		return term{}, false
	case name == "$substringAfter" && len(args) == 2:
		if _, after, ok := strings.Cut(text(0), text(1)); ok {
			return value(after), true
		}
		return args[0], true
	case name == "$substringBefore" && len(args) == 2:
		before, _, _ := strings.Cut(text(0), text(1))
		return value(before), true
	case name == "$replace" && len(args) == 3 && !slices.ContainsFunc(args[:1], func(t term) bool { return t.literal }):
		return value(strings.ReplaceAll(text(0), text(1), text(2))), true
	}
	return term{}, false
}
