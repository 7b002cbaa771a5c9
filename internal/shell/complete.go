package shell

import (
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/syntax"
)

// A candidate is something that may stand at the cursor. text takes the place
// of what was typed of it.
type candidate struct {
	text  string
	label string // what is shown of it, if not text
	note  string
	tag   string // the heading it stands under
}

func (c candidate) show() string { return firstOf(c.label, c.text) }

// complete gives what was typed of a word that ends at the cursor, and what it
// may become. Candidates begin with prefix, in any letter case. Where nothing
// was typed yet, prefix is the character in front, which candidates then begin
// with: the editor takes an empty prefix for the blank-separated word.
func (s *Shell) complete(text string, cursor int) (prefix string, found []candidate) {
	s.names.load()
	head := text[:cursor]
	if at, name := commandAt(head); at >= 0 {
		return s.completeCommand(head, at, name)
	}
	start := 0
	for _, t := range syntax.Lex(head) {
		if t.IsOp(";") {
			start = t.End
		}
	}
	stmt, _, _ := cutSemicolon(text[start:])
	c := &completion{names: s.names, text: stmt, toks: trimEOF(syntax.Lex(stmt)), before: trimEOF(syntax.Lex(head[start:])), head: head[start:]}
	c.account = s.account.Load()
	prefix, found = c.candidates()
	lower := strings.ToLower(prefix)
	found = slices.DeleteFunc(found, func(x candidate) bool { return !strings.HasPrefix(strings.ToLower(x.text), lower) })
	if prefix != "" || cursor == 0 {
		return prefix, found
	}
	prefix = head[cursor-1:]
	if prefix[0] >= 0x80 {
		return prefix, nil
	}
	for i := range found {
		found[i].label = found[i].show()
		found[i].text = prefix + found[i].text
	}
	return prefix, found
}

func cutSemicolon(text string) (before, after string, found bool) {
	for _, t := range syntax.Lex(text) {
		if t.IsOp(";") {
			return text[:t.Pos], text[t.End:], true
		}
	}
	return text, "", false
}

func trimEOF(toks []syntax.Token) []syntax.Token { return toks[:len(toks)-1] }

// A completion is one question: a statement and the place in it.
type completion struct {
	*names
	text    string
	toks    []syntax.Token // of text
	head    string         // text up to the cursor
	before  []syntax.Token // of head
	account *string
}

func (c *completion) candidates() (string, []candidate) {
	if !closed(c.head) {
		n := len(c.before) - 1
		if n < 0 || c.before[n].Kind != syntax.String || c.before[n].End < len(c.head) || c.head[c.before[n].Pos] != '\'' {
			return "", nil // in a comment, a quoted name, a dollar quote
		}
		t := c.before[n]
		c.before = c.before[:n]
		return c.head[t.Pos:], c.quoted(t.Text)
	}
	if behind := trimEOF(syntax.Lex(c.head + "x")); len(behind) == 0 || behind[len(behind)-1].End <= len(c.head) {
		return "", nil // in a comment
	}
	if n := len(c.before) - 1; n >= 0 && c.before[n].End == len(c.head) {
		switch t := c.before[n]; t.Kind {
		case syntax.Param:
			return t.Text, c.parameters()
		case syntax.Number, syntax.String:
			return "", nil
		}
	}
	// The dotted word at the cursor.
	n := len(c.before)
	for n > 0 && c.before[n-1].End == c.end(n) && (c.before[n-1].IsName() || c.before[n-1].IsOp(".")) {
		n--
	}
	prefix := c.head[c.start(n):]
	word := c.before[n:]
	c.before = c.before[:n]
	if len(word) > 0 && word[0].IsOp(".") {
		return "", nil
	}
	return prefix, c.word(prefix, word)
}

// end is where token n would have to start to stand right behind token n-1.
func (c *completion) end(n int) int {
	if n == len(c.before) {
		return len(c.head)
	}
	return c.before[n].Pos
}

func (c *completion) start(n int) int {
	if n == len(c.before) {
		return len(c.head)
	}
	return c.before[n].Pos
}

func (c *completion) last(back int) syntax.Token {
	if i := len(c.before) - 1 - back; i >= 0 {
		return c.before[i]
	}
	return syntax.Token{}
}

// word offers what an unquoted word may become. It holds dots where a name is
// qualified.
func (c *completion) word(prefix string, word []syntax.Token) []candidate {
	dotted := slices.ContainsFunc(word, func(t syntax.Token) bool { return t.IsOp(".") })
	for len(c.before) > 0 && (c.before[0].Is("EXPLAIN") || c.before[0].Is("ANALYZE") || c.before[0].Is("PERMISSIONS")) {
		if c.before = c.before[1:]; len(c.before) == 0 {
			return c.keywords(prefix, strings.Fields(firstWords+" ANALYZE PERMISSIONS"))
		}
	}
	if len(c.before) == 0 {
		return c.keywords(prefix, strings.Fields(firstWords))
	}
	switch first := c.before[0]; {
	case first.Is("SET") || first.Is("RESET"):
		return c.settingWords()
	case first.Is("SHOW"):
		return c.showWords(prefix)
	case first.Is("USE"):
		return c.services("aws.", "", "")
	}
	switch {
	case c.tableDue(), c.last(0).Is("TABLE"):
		return c.tables(prefix, word)
	case c.last(0).Is("AS"):
		return nil
	case c.columnList():
		return c.columns("", true)
	case c.operandDue():
		if dotted {
			return c.qualified(prefix, word)
		}
		return c.expression(prefix)
	case dotted:
		return c.qualified(prefix, word)
	}
	words := strings.Fields(clauseWords)
	if len(prefix) > 1 {
		words = append(words, c.others...)
	}
	return c.keywords(prefix, words)
}

// tableDue reports whether a table's name comes next.
func (c *completion) tableDue() bool {
	due := tableDue(c.before)
	return due[len(due)-1]
}

// operandDue reports whether an expression goes on with an operand here, and
// not with an operator or the next clause.
func (c *completion) operandDue() bool {
	t := c.last(0)
	switch t.Kind {
	case syntax.Op:
		return !t.IsOp(")") && !t.IsOp("]") && !t.IsOp("}") && !(t.IsOp("*") && c.starAlone())
	case syntax.Name:
		switch strings.ToUpper(t.Text) {
		case "SELECT", "WHERE", "AND", "OR", "NOT", "ON", "BY", "WHEN", "THEN", "ELSE", "IN", "LIKE", "ILIKE", "BETWEEN", "CASE", "DISTINCT", "HAVING", "SET",
			"RETURNING", "QUALIFY", "ALL", "EXISTS", "IS", "USING", "VALUES":
			return true
		}
	}
	return false
}

// starAlone reports whether the star before the cursor is a whole select item.
func (c *completion) starAlone() bool {
	t := c.last(1)
	return t.Is("SELECT") || t.IsOp(",") || t.IsOp("(") || t.IsOp(".") || t.Is("DISTINCT")
}

// columnList reports whether the cursor is in INSERT INTO t (….
func (c *completion) columnList() bool {
	depth := 0
	for i := len(c.before) - 1; i > 0; i-- {
		t := c.before[i]
		switch {
		case t.IsOp(")"):
			depth++
		case t.IsOp("(") && depth > 0:
			depth--
		case t.IsOp("("):
			for i--; i > 0 && (c.before[i].IsName() || c.before[i].IsOp(".")); i-- {
				if c.before[i].Is("INTO") {
					return true
				}
			}
			return false
		}
	}
	return false
}

// keywords gives those that begin with what was typed, in its letter case.
func (c *completion) keywords(prefix string, words []string) []candidate {
	var out []candidate
	seen := map[string]bool{}
	for _, w := range words {
		if seen[w] || !strings.HasPrefix(w, strings.ToUpper(prefix)) {
			continue
		}
		seen[w] = true
		if prefix != "" && prefix == strings.ToLower(prefix) {
			w = strings.ToLower(w)
		}
		out = append(out, candidate{text: w, tag: "keywords"})
	}
	return out
}

// completeCommand offers the names of meta commands and their arguments.
func (s *Shell) completeCommand(head string, at int, name string) (string, []candidate) {
	mark := head[at : at+1]
	rest := head[at+1+len(name):]
	if rest == "" {
		var out []candidate
		for _, m := range metaCommands() {
			out = append(out, candidate{text: mark + m.names[0], note: m.help, tag: "commands"})
		}
		return head[at:], slices.DeleteFunc(out, func(c candidate) bool { return !strings.HasPrefix(c.text, mark+name) })
	}
	word := rest[strings.LastIndexAny(rest, " \t")+1:]
	c := &completion{names: s.names}
	var out []candidate
	switch {
	case slices.Contains([]string{"d", "describe", "schema", "dt", "tables"}, name):
		out = c.tables(word, trimEOF(syntax.Lex(word)))
	case name == "dn" || name == "services":
		out = c.services("aws.", "", "")
	case name == "mode":
		out = plainWords(Modes)
	case slices.Contains([]string{"x", "timing", "pager"}, name):
		out = plainWords([]string{"on", "off"})
	case name == "unset" || name == "set":
		out = plainWords(sortedKeys(s.o.Params))
	case slices.Contains([]string{"i", "include", "read", "o", "output", "e", "edit", "g", "go", "copy"}, name):
		for _, f := range files(word, "") {
			out = append(out, candidate{text: strings.ReplaceAll(f.text[1:], "''", "'"), label: f.label, tag: "files"})
		}
	}
	if word == "" { // see complete
		for i := range out {
			out[i].label, out[i].text = out[i].show(), rest[len(rest)-1:]+out[i].text
		}
		return rest[len(rest)-1:], out
	}
	return word, slices.DeleteFunc(out, func(c candidate) bool { return !strings.HasPrefix(strings.ToLower(c.text), strings.ToLower(word)) })
}

func plainWords(words []string) []candidate {
	var out []candidate
	for _, w := range words {
		out = append(out, candidate{text: w})
	}
	return out
}
