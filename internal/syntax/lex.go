package syntax

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Kind says what a token is.
type Kind uint8

const (
	EOF    Kind = iota
	Name        // identifier or keyword, as written
	Quoted      // "identifier"
	String      // 'text', E'text', $tag$text$tag$
	Number
	Param // ?, $1, $name
	Op    // one character, or one of the operators of several that matter here
)

// A Token is one word of SQL. Pos and End are byte offsets.
type Token struct {
	Kind     Kind
	Pos, End int
	// Text is a name or a string without its quotes, and anything else as written.
	Text string
}

// Is reports whether t is the unquoted word, in any letter case.
func (t Token) Is(word string) bool { return t.Kind == Name && strings.EqualFold(t.Text, word) }

// IsOp reports whether t is the operator.
func (t Token) IsOp(op string) bool { return t.Kind == Op && t.Text == op }

// IsName reports whether t can name something: a word or a quoted name.
func (t Token) IsName() bool { return t.Kind == Name || t.Kind == Quoted }

// Lex cuts text into tokens, leaving out white space and comments. The last
// token is EOF at the end of the text. Text that no SQL can hold (a quote that
// is never closed) ends in a token that reaches to the end: DuckDB's parser is
// what complains.
//
// Rules are those of DuckDB's scanner, which is PostgreSQL's: block comments
// nest, quotes are doubled inside quotes, E” takes backslashes, dollar quotes
// need a tag that doesn't start with a digit.
func Lex(text string) []Token {
	var out []Token
	for p := 0; ; {
		p = skipBlank(text, p)
		if p >= len(text) {
			return append(out, Token{Kind: EOF, Pos: len(text), End: len(text)})
		}
		t := lexOne(text, p)
		out = append(out, t)
		p = t.End
	}
}

func skipBlank(s string, p int) int {
	for p < len(s) {
		switch r, n := utf8.DecodeRuneInString(s[p:]); {
		case unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b':
			p += n
		case strings.HasPrefix(s[p:], "--"):
			p = skipLine(s, p)
		case strings.HasPrefix(s[p:], "/*"):
			p, _ = skipComment(s, p)
		default:
			return p
		}
	}
	return p
}

// OpenComment gives the place of a block comment that is never closed, -1 if
// there is none.
func OpenComment(text string) int {
	if !strings.Contains(text, "/*") {
		return -1
	}
	p := 0 // behind the last token there are blanks and comments alone
	if toks := Lex(text); len(toks) > 1 {
		p = toks[len(toks)-2].End
	}
	for p < len(text) {
		switch {
		case strings.HasPrefix(text[p:], "--"):
			p = skipLine(text, p)
		case strings.HasPrefix(text[p:], "/*"):
			end, closed := skipComment(text, p)
			if !closed {
				return p
			}
			p = end
		default:
			p++
		}
	}
	return -1
}

func skipLine(s string, p int) int {
	if i := strings.IndexAny(s[p:], "\n\r"); i >= 0 {
		return p + i
	}
	return len(s)
}

func skipComment(s string, p int) (end int, closed bool) {
	depth := 0
	for p < len(s) {
		switch {
		case strings.HasPrefix(s[p:], "/*"):
			depth++
			p += 2
		case strings.HasPrefix(s[p:], "*/"):
			depth--
			p += 2
			if depth == 0 {
				return p, true
			}
		default:
			p++
		}
	}
	return p, false
}

func lexOne(s string, p int) Token {
	c := s[p]
	switch {
	case c == '\'':
		return quoted(s, p, p, '\'', String, false)
	case (c == 'e' || c == 'E') && p+1 < len(s) && s[p+1] == '\'':
		return quoted(s, p, p+1, '\'', String, true)
	case (c == 'x' || c == 'X' || c == 'b' || c == 'B') && p+1 < len(s) && s[p+1] == '\'':
		return quoted(s, p, p+1, '\'', String, false)
	case c == '"':
		return quoted(s, p, p, '"', Quoted, false)
	case c == '$':
		return dollar(s, p)
	case c == '?':
		e := p + 1
		for e < len(s) && isDigit(s[e]) {
			e++
		}
		return Token{Param, p, e, s[p:e]}
	case isDigit(c), c == '.' && p+1 < len(s) && isDigit(s[p+1]):
		return number(s, p)
	case isNameStart(s, p):
		e := nameEnd(s, p)
		return Token{Name, p, e, s[p:e]}
	}
	for _, op := range [...]string{"->>", "->", "::", ":=", "<=", ">=", "<>", "!=", "||", "==", "=>", "**", "//"} {
		if strings.HasPrefix(s[p:], op) {
			return Token{Op, p, p + len(op), op}
		}
	}
	_, n := utf8.DecodeRuneInString(s[p:])
	return Token{Op, p, p + n, s[p : p+n]}
}

func quoted(s string, start, open int, q byte, kind Kind, escapes bool) Token {
	var b strings.Builder
	for p := open + 1; p < len(s); p++ {
		switch {
		case escapes && s[p] == '\\' && p+1 < len(s):
			p++
			b.WriteByte(s[p])
		case s[p] == q && p+1 < len(s) && s[p+1] == q:
			p++
			b.WriteByte(q)
		case s[p] == q:
			return Token{kind, start, p + 1, b.String()}
		default:
			b.WriteByte(s[p])
		}
	}
	return Token{kind, start, len(s), b.String()}
}

// dollar reads $1, $name, or a dollar quote.
func dollar(s string, p int) Token {
	e := p + 1
	for e < len(s) && (isNameByte(s[e])) {
		e++
	}
	if e < len(s) && s[e] == '$' && (e == p+1 || !isDigit(s[p+1])) {
		tag := s[p : e+1]
		if i := strings.Index(s[e+1:], tag); i >= 0 {
			return Token{String, p, e + 1 + i + len(tag), s[e+1 : e+1+i]}
		}
		return Token{String, p, len(s), s[e+1:]}
	}
	if e == p+1 {
		return Token{Op, p, e, "$"}
	}
	return Token{Param, p, e, s[p:e]}
}

func number(s string, p int) Token {
	e := p
	for e < len(s) && (isDigit(s[e]) || s[e] == '_' || s[e] == '.' ||
		(s[e] == 'e' || s[e] == 'E') && e+1 < len(s) && (isDigit(s[e+1]) || (s[e+1] == '-' || s[e+1] == '+') && e+2 < len(s) && isDigit(s[e+2]))) {
		if s[e] == 'e' || s[e] == 'E' {
			e++
		}
		e++
	}
	return Token{Number, p, e, s[p:e]}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNameByte(c byte) bool {
	return c == '_' || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

func isNameStart(s string, p int) bool { return isNameByte(s[p]) && !isDigit(s[p]) }

func nameEnd(s string, p int) int {
	for p < len(s) && (isNameByte(s[p]) || s[p] == '$') {
		p++
	}
	return p
}

// A Part is one piece of a dotted name.
type Part struct {
	Text     string
	Pos, End int
}

// NameAt reads the dotted name that starts at a byte offset: the longest run
// of name, dot, name. It gives nil where no name starts.
func NameAt(text string, pos int) []Part {
	if pos < 0 || pos >= len(text) {
		return nil
	}
	var parts []Part
	for p := pos; ; {
		p = skipBlank(text, p)
		if p >= len(text) {
			return parts
		}
		t := lexOne(text, p)
		if !t.IsName() {
			return parts
		}
		parts = append(parts, Part{t.Text, t.Pos, t.End})
		p = skipBlank(text, t.End)
		if p >= len(text) || text[p] != '.' {
			return parts
		}
		p++
	}
}

// Quote writes a name so that it is read back as it is.
func Quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Literal writes text as a string constant.
func Literal(text string) string {
	return `'` + strings.ReplaceAll(text, `'`, `''`) + `'`
}
