package shell

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/session"
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

// services are those that begin with what was typed of one, as prefix and name.
func (c *completion) services(prefix, typed, after string) []candidate {
	var out []candidate
	for _, name := range c.session.Catalog().Services() {
		if strings.HasPrefix(name, strings.ToLower(typed)) {
			out = append(out, candidate{text: prefix + name + after, tag: "services"})
		}
	}
	return out
}

// tables offers tables, by what was typed of their dotted name.
func (c *completion) tables(prefix string, word []syntax.Token) []candidate {
	var parts []string
	for _, t := range word {
		if t.IsName() {
			parts = append(parts, t.Text)
		}
	}
	if len(word) == 0 || word[len(word)-1].IsOp(".") {
		parts = append(parts, "")
	}
	if len(parts) > 1 && isProvider(parts[0]) {
		if len(parts) == 2 {
			return c.services(prefix[:strings.IndexByte(prefix, '.')+1], parts[1], ".")
		}
		parts = parts[1:]
	}
	stem := prefix[:strings.LastIndexByte(prefix, '.')+1]
	if len(parts) == 2 {
		return c.tablesOf(parts[0], stem)
	}
	if len(parts) > 2 {
		return nil
	}
	out := c.ctes()
	for _, name := range sortedKeys(c.local()) {
		out = append(out, candidate{text: name, tag: "local"})
	}
	if u := c.session.Service(); u != "" {
		out = append(out, c.tablesOf(u, "")...)
	}
	out = append(out, candidate{text: "aws.", tag: "services"})
	if prefix != "" {
		out = append(out, c.services("", prefix, ".")...)
	}
	return out
}

func (c *completion) tablesOf(service, stem string) []candidate {
	var out []candidate
	for _, e := range c.session.Catalog().Entries(service) {
		if service == "" {
			break
		}
		out = append(out, candidate{text: stem + e.Plural, note: e.Type, tag: "tables"})
		if e.Singular != e.Plural {
			out = append(out, candidate{text: stem + e.Singular, note: "one, by identifier", tag: "tables"})
		}
	}
	return out
}

// ctes are the names of WITH.
func (c *completion) ctes() []candidate {
	var out []candidate
	if len(c.toks) == 0 || !c.toks[0].Is("WITH") {
		return nil
	}
	for i := 1; i+1 < len(c.toks); i++ {
		if c.toks[i].IsName() && c.toks[i+1].Is("AS") && i+2 < len(c.toks) && c.toks[i+2].IsOp("(") {
			out = append(out, candidate{text: c.toks[i].Text, tag: "with"})
		}
	}
	return out
}

// columns are those of the statement's tables. bare leaves qualifiers out.
func (c *completion) columns(of string, bare bool) []candidate {
	var out []candidate
	seen := map[string]bool{}
	add := func(name, note string) {
		if seen[name] {
			return
		}
		seen[name] = true
		if bare && slices.Contains(c.reserved, strings.ToUpper(name)) {
			name = syntax.Quote(name)
		}
		out = append(out, candidate{text: name, note: note, tag: "columns"})
	}
	for _, s := range c.sources(c.toks, c.text) {
		if of != "" && !strings.EqualFold(s.alias, of) && (s.table == nil || !strings.EqualFold(s.table.Plural, of) && !strings.EqualFold(s.table.Singular, of)) {
			continue
		}
		for _, name := range s.columns {
			add(name, "")
		}
		if s.table == nil {
			continue
		}
		for _, col := range s.table.Columns {
			note := col.Type.String()
			if marks := session.Notes(s.table, col); marks != "" {
				note += " · " + marks
			}
			add(col.Name, note)
		}
	}
	return out
}

// expression offers columns, the aliases of tables, functions and keywords.
// Before anything is typed the columns are enough.
func (c *completion) expression(prefix string) []candidate {
	out := c.columns("", true)
	for _, s := range c.sources(c.toks, c.text) {
		if s.table == nil || s.alias != s.table.Plural && s.alias != s.table.Singular {
			out = append(out, candidate{text: s.alias + ".", tag: "tables"})
		}
	}
	if prefix == "" && len(out) > 0 {
		return out
	}
	if prefix == "" {
		return append(append(out, candidate{text: "*", tag: "columns"}), c.parameters()...)
	}
	for _, f := range c.functions {
		out = append(out, candidate{text: f + "(", tag: "functions"})
	}
	words := append(strings.Fields("CASE CAST DISTINCT EXISTS NOT NULL SELECT TRUE FALSE INTERVAL FROM"), c.reserved...)
	return append(out, c.keywords(prefix, words)...)
}

// parameters are those of \set.
func (c *completion) parameters() []candidate {
	var out []candidate
	for _, name := range sortedKeys(c.params) {
		out = append(out, candidate{text: "$" + name, tag: "parameters"})
	}
	return out
}

// qualified offers what may follow a dot: the columns of an alias, the members
// of an object.
func (c *completion) qualified(prefix string, word []syntax.Token) []candidate {
	stem := prefix[:strings.LastIndexByte(prefix, '.')+1]
	var path []string
	for _, t := range word {
		if t.IsName() && t.Pos < len(c.head)-len(prefix)+len(stem) {
			path = append(path, t.Text)
		}
	}
	var out []candidate
	if len(path) == 1 {
		for _, col := range c.columns(path[0], false) {
			col.text = stem + col.text
			out = append(out, col)
		}
	}
	if t, column, rest, ok := c.column(path); ok {
		for _, m := range members(t, column, rest) {
			m.text = stem + m.text
			out = append(out, m)
		}
	}
	if len(out) == 0 && len(path) < 3 && isProvider(path[0]) { // SELECT * … written from its table on
		return c.tables(prefix, word)
	}
	return out
}

// column finds the column at the start of a path, behind an alias or not.
func (c *completion) column(path []string) (t *catalog.Table, column int, rest []string, ok bool) {
	for _, s := range c.sources(c.toks, c.text) {
		if s.table == nil {
			continue
		}
		if i, ok := s.table.Column(path[0]); ok {
			return s.table, i, path[1:], true
		}
		if len(path) > 1 && strings.EqualFold(s.alias, path[0]) {
			if i, ok := s.table.Column(path[1]); ok {
				return s.table, i, path[2:], true
			}
		}
	}
	return nil, 0, nil, false
}

// members are the names below a place in a column, as AWS spells them and in
// snake case.
func members(t *catalog.Table, column int, path []string) []candidate {
	n := nodeAt(t, column, path)
	if n == nil {
		return nil
	}
	var out []candidate
	for _, spell := range []func(string) string{func(s string) string { return s }, catalog.Snake} {
		for _, p := range n.Properties {
			leaf, err := t.Leaf(column, append(slices.Clone(path), p.Name))
			if err != nil {
				continue
			}
			out = append(out, candidate{text: spell(p.Name), note: leaf.Type.String(), tag: "members"})
		}
	}
	return out
}

// nodeAt follows a path of member names below a column, nil where the schema
// ends.
func nodeAt(t *catalog.Table, column int, path []string) *catalog.Node {
	n := t.Resolve(t.Columns[column].Node)
	for _, step := range path {
		if n == nil {
			return nil
		}
		i := slices.IndexFunc(n.Properties, func(p catalog.Property) bool {
			return strings.EqualFold(p.Name, step) || strings.EqualFold(catalog.Snake(p.Name), step)
		})
		if i < 0 {
			return nil
		}
		n = t.Resolve(n.Properties[i].Node)
	}
	return n
}

// settingWords offers names behind SET and RESET, and values behind the equals
// sign.
func (c *completion) settingWords() []candidate {
	if len(c.before) == 1 {
		var out []candidate
		for _, n := range session.SettingNames() {
			out = append(out, candidate{text: n, note: session.SettingHint(n), tag: "settings"})
		}
		for _, n := range c.settings {
			out = append(out, candidate{text: n, tag: "settings of DuckDB"})
		}
		return out
	}
	if len(c.before) == 2 {
		return []candidate{{text: "=", tag: "settings"}}
	}
	return c.settingValues(c.before[1].Text, "'")
}

// settingValues are those of one of ours, in quotes.
func (c *completion) settingValues(name, quote string) []candidate {
	var values []string
	switch strings.ToLower(name) {
	case "regions":
		values = []string{"all"}
		for _, r := range catalog.Regions() {
			values = append(values, r.Name)
		}
	case "accounts":
		values = append([]string{"org"}, c.accounts()...)
	case "cache", "hydrate", "on_error", "pushdown":
		values = strings.Split(session.SettingHint(strings.ToLower(name)), ", ")
	}
	return literals(values, quote, name)
}

func literals(values []string, quote, tag string) []candidate {
	var out []candidate
	for _, v := range values {
		out = append(out, candidate{text: "'" + strings.ReplaceAll(v, "'", "''") + quote, label: v, tag: tag})
	}
	return out
}

// accounts are the caller's and those of what was read before.
func (c *completion) accounts() []string {
	var out []string
	if c.account != nil {
		out = append(out, *c.account)
	}
	for _, s := range c.sources(c.toks, c.text) {
		if s.table != nil {
			out = append(out, c.session.Known(s.table, 0, mostValues)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// showWords offers what may follow SHOW.
func (c *completion) showWords(prefix string) []candidate {
	switch last := c.last(0); {
	case last.Is("IN"), last.Is("FROM"):
		if len(c.before) > 1 && c.before[1].Is("METHODS") {
			return c.tables(prefix, trimEOF(syntax.Lex(prefix)))
		}
		return c.services("aws.", "", "")
	case len(c.before) == 1:
		out := c.keywords(prefix, strings.Fields("PROVIDERS SERVICES TABLES METHODS"))
		for _, n := range session.SettingNames() {
			out = append(out, candidate{text: n, tag: "settings"})
		}
		return out
	}
	return c.keywords(prefix, []string{"IN", "LIKE"})
}

// mostValues bounds the values that are offered.
const mostValues = 200

// quoted offers what a text in quotes may become: a file, the value of a
// setting, the value of the column that it is compared with.
func (c *completion) quoted(typed string) []candidate {
	quote := "'"
	if strings.HasPrefix(c.text[min(len(c.head), len(c.text)):], "'") {
		quote = "" // it is closed already
	}
	if len(c.before) == 0 {
		return nil
	}
	if c.before[0].Is("SET") && len(c.before) > 2 {
		return c.settingValues(c.before[1].Text, quote)
	}
	if c.fileDue() {
		return files(typed, quote)
	}
	path := c.compared()
	if len(path) == 0 {
		return nil
	}
	t, column, rest, ok := c.column(path)
	if !ok {
		if strings.EqualFold(path[len(path)-1], "region") { // the tables may come later
			return c.settingValues("regions", quote)[1:]
		}
		return nil
	}
	name := t.Columns[column].Name
	switch {
	case column == 1:
		return c.settingValues("regions", quote)[1:]
	case column == 0:
		return literals(c.accounts(), quote, name)
	}
	values := enum(nodeAt(t, column, rest))
	if len(rest) == 0 {
		values = append(values, c.session.Known(t, column, mostValues)...)
	}
	return literals(values, quote, strings.Join(append([]string{name}, rest...), "."))
}

// enum are the values that a schema allows.
func enum(n *catalog.Node) []string {
	if n == nil {
		return nil
	}
	var out []string
	for _, raw := range n.Enum {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			out = append(out, text)
		}
	}
	return out
}

// fileDue reports whether a text here is the name of a file.
func (c *completion) fileDue() bool {
	i := len(c.before) - 1
	t := c.last(0)
	switch {
	case c.tableDue():
		return true
	case c.before[0].Is("COPY"):
		return t.Is("TO") || t.Is("FROM")
	case t.IsOp("(") && i > 0:
		f := strings.ToLower(c.before[i-1].Text)
		return strings.HasPrefix(f, "read_") || f == "parquet_scan"
	}
	return false
}

// compared gives the path of the column that a text is compared with: before an
// operator, or before IN ( and other texts.
func (c *completion) compared() []string {
	i := len(c.before) - 1
	switch t := c.before[i]; {
	case t.IsOp("="), t.IsOp("<>"), t.IsOp("!="), t.IsOp("=="):
		i--
	case t.IsOp("("), t.IsOp(","):
		for i > 0 && !c.before[i].IsOp("(") {
			if k := c.before[i].Kind; !c.before[i].IsOp(",") && k != syntax.String && k != syntax.Number {
				return nil
			}
			i--
		}
		if i--; i < 0 || !c.before[i].Is("IN") {
			return nil
		}
		if i--; i >= 0 && c.before[i].Is("NOT") {
			i--
		}
	default:
		return nil
	}
	var path []string
	for i >= 0 && c.before[i].IsName() {
		path = append([]string{c.before[i].Text}, path...)
		if i--; i < 0 || !c.before[i].IsOp(".") {
			break
		}
		i--
	}
	return path
}

// files are those that begin with what was typed of a path, in quotes; folders
// end in a slash.
func files(typed, quote string) []candidate {
	dir, base := filepath.Split(typed)
	entries, err := os.ReadDir(firstOf(home(dir), "."))
	if err != nil {
		return nil
	}
	var out []candidate
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, base) || strings.HasPrefix(name, ".") && !strings.HasPrefix(base, ".") {
			continue
		}
		end := quote
		if e.IsDir() {
			name += "/"
			end = ""
		}
		out = append(out, candidate{text: "'" + strings.ReplaceAll(dir+name, "'", "''") + end, label: name, tag: "files"})
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
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
