package shell

import (
	"strings"

	"github.com/skyql/skyql/internal/syntax"
)

// highlight colours a statement as it is typed: keywords, texts, numbers,
// comments, and tables that exist. It changes no character.
func (s *Shell) highlight(text string) string {
	s.names.load()
	if len(text) > longLine {
		return text
	}
	var b strings.Builder
	at := 0
	put := func(end int, code string) {
		if at < end {
			b.WriteString(s.out.paint(code, text[at:end]))
		}
		at = end
	}
	blank := func(end int) { // comments stand between tokens
		gap := text[at:end]
		if strings.Contains(gap, "--") || strings.Contains(gap, "/*") {
			put(end, "2")
			return
		}
		b.WriteString(gap)
		at = end
	}
	toks := syntax.Lex(text)
	due := tableDue(toks)
	for i := 0; i < len(toks); i++ {
		t := toks[i]
		if t.Pos < at {
			continue
		}
		blank(t.Pos)
		switch {
		case t.IsOp(`\`), i == 0 && t.IsOp(".") && t.End < len(text) && isLetter(text[t.End]):
			_, name := commandAt(text[t.Pos:])
			put(t.End+len(name), "35")
			b.WriteString(text[at:])
			return b.String()
		case t.Kind == syntax.String:
			put(t.End, "32")
		case t.Kind == syntax.Number, t.Kind == syntax.Param:
			put(t.End, "33")
		case t.IsName() && (i == 0 || !toks[i-1].IsOp(".")):
			put(s.nameColor(t, i > 0 && due[i-1], text))
		default:
			b.WriteString(text[at:t.End])
			at = t.End
		}
	}
	blank(len(text))
	return b.String()
}

// nameColor gives where a name ends, and its colour: of a dotted name that is a
// table all of it, of others the first word.
func (s *Shell) nameColor(t syntax.Token, table bool, text string) (end int, code string) {
	if table {
		parts := syntax.NameAt(text, t.Pos)
		if _, _, ok := s.names.lookup(partTexts(parts)); ok {
			return parts[len(parts)-1].End, "36"
		}
	}
	if s.names.isWord(t) {
		return t.End, "1"
	}
	return t.End, ""
}

// longLine is the length from which an input is neither coloured nor completed
// as one types: each key would take too long.
const longLine = 8 << 10
