package syntax

import "strings"

// A Verb says what a statement does, as far as its first words tell.
type Verb uint8

const (
	// Read statements give rows and change nothing: SELECT, FROM, VALUES,
	// TABLE, PIVOT, UNPIVOT, SUMMARIZE, DESCRIBE of a query, WITH before any of those.
	Read Verb = iota
	// Show is SHOW in one of the forms of this program or DuckDB's.
	Show
	// Describe is DESCRIBE or DESC of a name.
	Describe
	// Use is USE name.
	Use
	// Set is SET name = value or RESET name.
	Set
	// Explain is EXPLAIN of another statement.
	Explain
	// Make is CREATE of a local table, view, macro, schema, type or sequence.
	Make
	// Write changes the rows of a table: INSERT, UPDATE, DELETE, MERGE,
	// TRUNCATE, COPY … FROM.
	Write
	// Export is COPY (query) TO file.
	Export
	// Other is everything else: DROP, ALTER, ATTACH, PRAGMA, BEGIN …
	Other
)

// A Statement is one statement of a script.
type Statement struct {
	// Text is the statement without the semicolon. Offset is where it starts
	// in the script.
	Text   string
	Offset int
	Verb   Verb
	// Word is the word that decides, in upper case: SELECT, INSERT, SHOW, …
	Word string
	// Reading is Text with all that is not a query blanked out, at unchanged
	// offsets, so that DuckDB's parser takes it: of CREATE TABLE t AS SELECT …
	// the SELECT. A PIVOT that finds its own columns is given as its source, WHERE
	// standing before the queries that look for them.
	// Empty when nothing is read.
	Reading string
	// Target is the table that a Write, Export or Make names.
	Target []Part
	Tokens []Token // of Text, EOF last
}

// Split cuts a script at its semicolons. Empty statements are left out.
func Split(script string) []Statement {
	var out []Statement
	toks := Lex(script)
	start := 0
	for i, t := range toks {
		if t.Kind != EOF && !t.IsOp(";") {
			continue
		}
		if i > start {
			first, last := toks[start].Pos, toks[i-1].End
			out = append(out, statement(script[first:last], first))
		}
		start = i + 1
	}
	return out
}

func statement(text string, offset int) Statement {
	s := Statement{Text: text, Offset: offset, Tokens: Lex(text)}
	first := s.Tokens[0]
	for n := 0; first.IsOp("(") && n < len(s.Tokens)-1; n++ {
		first = s.Tokens[n]
	}
	s.Word = strings.ToUpper(first.Text)
	if first.Kind != Name {
		s.Verb, s.Reading = Read, text // DuckDB's parser says what is wrong
		return s
	}
	if s.Word == "WITH" {
		if v := s.afterWith(); v != "" {
			s.Word = v
		}
	}
	switch s.Word {
	case "SELECT", "FROM", "VALUES", "TABLE", "PIVOT", "PIVOT_WIDER", "UNPIVOT", "PIVOT_LONGER", "SUMMARIZE", "WITH":
		s.Verb = Read
		s.Reading = blankPivots(text, s.Tokens)
	case "DESCRIBE", "DESC":
		s.Verb = Describe
		if len(s.Tokens) > 1 && StartsQuery(s.Tokens[1]) {
			s.Verb, s.Reading = Read, blankPivots(text, s.Tokens)
		}
	case "SHOW":
		s.Verb = Show
	case "USE":
		s.Verb = Use
	case "SET", "RESET":
		s.Verb = Set
	case "EXPLAIN":
		s.Verb = Explain
	case "CREATE":
		s.Verb = Make
		s.body(s.Tokens)
	case "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "UPSERT", "REPLACE":
		s.Verb = Write
		s.write()
	case "COPY":
		s.copy()
	default:
		s.Verb = Other
	}
	return s
}

// StartsQuery reports whether a query, or one in parentheses, may start with t.
func StartsQuery(t Token) bool {
	for _, w := range [...]string{"SELECT", "FROM", "WITH", "VALUES", "PIVOT", "PIVOT_WIDER", "UNPIVOT", "PIVOT_LONGER", "TABLE", "SUMMARIZE"} {
		if t.Is(w) {
			return true
		}
	}
	return t.IsOp("(")
}

// afterWith gives the word that follows a WITH list.
func (s *Statement) afterWith() string {
	depth := 0
	for i, t := range s.Tokens {
		switch {
		case t.IsOp("("):
			depth++
		case t.IsOp(")"):
			depth--
		case depth == 0 && i > 0 && t.Kind == Name && s.Tokens[i-1].IsOp(")"):
			switch w := strings.ToUpper(t.Text); w {
			case "SELECT", "FROM", "VALUES", "TABLE", "PIVOT", "PIVOT_WIDER", "UNPIVOT", "PIVOT_LONGER",
				"INSERT", "UPDATE", "DELETE", "MERGE", "SUMMARIZE":
				return w
			}
		}
	}
	return ""
}

// body finds the query after AS, and blanks out what stands before it.
func (s *Statement) body(toks []Token) {
	for i, t := range toks {
		if !t.Is("AS") || i+1 >= len(toks) {
			continue
		}
		n := toks[i+1]
		if n.Is("TABLE") && i+2 < len(toks) && StartsQuery(toks[i+2]) { // CREATE MACRO f() AS TABLE SELECT …
			n = toks[i+2]
		}
		if StartsQuery(n) || n.Is("MATERIALIZED") {
			s.readFrom(n.Pos)
			return
		}
	}
}

// write finds a write's target and, for INSERT, its query.
func (s *Statement) write() {
	for i, t := range s.Tokens[:len(s.Tokens)-1] {
		if t.Is(s.Word) || t.Is("OR") || t.Is("REPLACE") || t.Is("IGNORE") || t.Is("INTO") || t.Is("FROM") || t.Is("TABLE") || t.Is("ONLY") {
			if n := s.Tokens[i+1]; n.IsName() && !n.Is("INTO") && !n.Is("FROM") && !n.Is("OR") && !n.Is("TABLE") && !n.Is("ONLY") &&
				!n.Is("REPLACE") && !n.Is("IGNORE") && s.Target == nil && s.atTop(i) {
				s.Target = NameAt(s.Text, n.Pos)
			}
		}
	}
	if s.Word != "INSERT" || s.Target == nil {
		return
	}
	end := s.Target[len(s.Target)-1].End
	depth := 0
	for _, t := range s.Tokens {
		if t.Pos < end {
			continue
		}
		switch {
		case depth == 0 && (t.Is("SELECT") || t.Is("FROM") || t.Is("VALUES") || t.Is("WITH") || t.Is("PIVOT") || t.Is("TABLE")):
			s.readFrom(t.Pos)
			return
		case t.IsOp("("):
			depth++
		case t.IsOp(")"):
			depth--
		}
	}
}

// atTop reports whether token i stands outside all parentheses.
func (s *Statement) atTop(i int) bool {
	depth := 0
	for _, t := range s.Tokens[:i] {
		if t.IsOp("(") {
			depth++
		} else if t.IsOp(")") {
			depth--
		}
	}
	return depth == 0
}

func (s *Statement) copy() {
	s.Verb = Export
	if len(s.Tokens) > 1 && s.Tokens[1].IsOp("(") {
		depth := 0
		for _, t := range s.Tokens[1:] {
			if t.IsOp("(") {
				depth++
			} else if t.IsOp(")") {
				if depth--; depth == 0 {
					s.readFrom(s.Tokens[1].Pos)
					s.Reading = s.Reading[:t.End] + blank(s.Text[t.End:])
					return
				}
			}
		}
		return
	}
	s.Target = NameAt(s.Text, s.Tokens[1].Pos)
	if s.Target == nil {
		return
	}
	for _, t := range s.Tokens[1:] {
		if t.Is("TO") && s.atTop(0) { // COPY t TO 'file' reads t
			first, last := s.Target[0].Pos, s.Target[len(s.Target)-1].End
			s.Reading = "FROM" + blank(s.Text[4:first]) + s.Text[first:last] + blank(s.Text[last:])
			s.Target = nil
			return
		}
	}
	s.Verb = Write
}

func (s *Statement) readFrom(pos int) {
	text := blank(s.Text[:pos]) + s.Text[pos:]
	s.Reading = blankPivots(text, Lex(text))
}

// blank gives as many bytes of white space, with line breaks kept.
func blank(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c != '\n' && c != '\r' {
			b[i] = ' '
		}
	}
	return string(b)
}

// blankPivots turns PIVOT t ON … into FROM t, at unchanged offsets: DuckDB
// can't serialize a PIVOT whose columns it has to look for first, and what such
// a statement reads is all of its source. Queries behind ON read tables too: they
// stay, as ON x IN (SELECT …) is WHERE (SELECT …).
func blankPivots(text string, toks []Token) string {
	out := []byte(text)
	for i, t := range toks {
		if !t.Is("PIVOT") && !t.Is("PIVOT_WIDER") || i+1 >= len(toks) || !toks[i+1].IsName() && !toks[i+1].IsOp("(") && toks[i+1].Kind != String {
			continue
		}
		if i > 0 && !opensQuery(toks[i-1]) {
			continue // FROM t PIVOT (…), or a column of that name
		}
		on, end := pivotParts(toks, i)
		if on < 0 {
			continue
		}
		copy(out[t.Pos:], "FROM "+strings.Repeat(" ", t.End-t.Pos-5))
		copy(out[toks[on].Pos:], keepQueries(text, toks[on:end+1]))
	}
	return string(out)
}

// keepQueries blanks a stretch of text up to its last token, but for the queries
// in parentheses, which it makes operands of one condition.
func keepQueries(text string, toks []Token) string {
	start := toks[0].Pos
	out := []byte(blank(text[start:toks[len(toks)-1].Pos]))
	joint := "WHERE "
	for i := 0; i+1 < len(toks); i++ {
		from := toks[i].Pos - start
		if !toks[i].IsOp("(") || toks[i+1].IsOp("(") || !StartsQuery(toks[i+1]) || from < len(joint) {
			continue
		}
		i = closing(toks, i)
		copy(out[from-len(joint):], joint+text[start+from:toks[i].End])
		joint = "+"
	}
	return string(out)
}

// closing gives the place of the parenthesis that closes the one at toks[i], or
// of the last token but one.
func closing(toks []Token, i int) int {
	for depth := 0; i+2 < len(toks); i++ {
		switch {
		case toks[i].IsOp("("):
			depth++
		case toks[i].IsOp(")"):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return i
}

// opensQuery reports whether a query may start behind t.
func opensQuery(t Token) bool {
	return t.IsOp("(") || t.IsOp(")") || t.Is("ALL") || t.Is("NAME") || t.Is("UNION") || t.Is("EXCEPT") || t.Is("INTERSECT") ||
		t.Is("AS") || t.Is("DESCRIBE") || t.Is("SUMMARIZE")
}

// pivotParts finds the ON of the PIVOT at toks[i], and the token behind the
// whole of it. on is -1 if there is none.
func pivotParts(toks []Token, i int) (on, end int) {
	on = -1
	depth := 0
	for j := i + 1; j < len(toks); j++ {
		t := toks[j]
		switch {
		case t.Kind == EOF:
			return on, j
		case t.IsOp("("):
			depth++
		case t.IsOp(")"):
			if depth == 0 {
				return on, j
			}
			depth--
		case depth > 0:
		case on < 0 && (t.Is("ON") || t.Is("USING") || t.Is("GROUP")):
			on = j
		case on >= 0 && (t.Is("UNION") || t.Is("EXCEPT") || t.Is("INTERSECT")):
			return on, j
		}
	}
	return on, len(toks) - 1
}

// A Span is a stretch of bytes.
type Span struct{ Pos, End int }

// SelectLists gives the items of every select list of a text, in order of
// appearance: it is what a tree doesn't say.
func SelectLists(text string) [][]Span {
	type list struct {
		depth, start int // start of the item being read, as a token index
		items        []Span
		out          int
	}
	var lists [][]Span
	var open []*list
	toks := Lex(text)
	depth := 0
	finish := func(i int) { // the innermost list ends before token i
		l := open[len(open)-1]
		open = open[:len(open)-1]
		if i > l.start {
			l.items = append(l.items, Span{toks[l.start].Pos, toks[i-1].End})
		}
		lists[l.out] = l.items
	}
	for i, t := range toks {
		at := len(open) > 0 && open[len(open)-1].depth == depth
		switch {
		case t.Kind == EOF:
			for len(open) > 0 {
				finish(i)
			}
		case t.IsOp("(") || t.IsOp("[") || t.IsOp("{"):
			depth++
		case t.IsOp(")") || t.IsOp("]") || t.IsOp("}"):
			if at {
				finish(i)
			}
			depth--
		case at && t.IsOp(","):
			l := open[len(open)-1]
			l.items = append(l.items, Span{toks[l.start].Pos, toks[i-1].End})
			l.start = i + 1
		case at && endsList(toks, i):
			finish(i)
		case at && i == open[len(open)-1].start && (t.Is("DISTINCT") || t.Is("ALL")):
			open[len(open)-1].start = skipDistinct(toks, i)
		}
		if t.Is("SELECT") && (i == 0 || !toks[i-1].IsOp(".")) {
			lists = append(lists, nil)
			open = append(open, &list{depth: depth, start: i + 1, out: len(lists) - 1})
		}
	}
	return lists
}

func skipDistinct(toks []Token, i int) int {
	if !toks[i].Is("DISTINCT") || !toks[i+1].Is("ON") || !toks[i+2].IsOp("(") {
		return i + 1
	}
	depth := 0
	for j := i + 2; j < len(toks); j++ {
		if toks[j].IsOp("(") {
			depth++
		} else if toks[j].IsOp(")") {
			if depth--; depth == 0 {
				return j + 1
			}
		}
	}
	return i + 1
}

// endsList reports whether the word at toks[i] ends a select list.
func endsList(toks []Token, i int) bool {
	t := toks[i]
	if t.Kind != Name || i > 0 && (toks[i-1].IsOp(".") || toks[i-1].Is("AS")) {
		return false
	}
	switch strings.ToUpper(t.Text) {
	case "FROM": // IS [NOT] DISTINCT FROM stands inside an item
		return !(i >= 2 && toks[i-1].Is("DISTINCT") && (toks[i-2].Is("IS") || toks[i-2].Is("NOT")))
	case "GROUP":
		return !toks[i-1].Is("WITHIN")
	case "WHERE", "HAVING", "QUALIFY", "WINDOW", "ORDER", "LIMIT", "OFFSET", "UNION", "EXCEPT", "INTERSECT", "USING":
		return true
	}
	return false
}
