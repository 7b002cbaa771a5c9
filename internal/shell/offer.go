package shell

import (
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/syntax"
)

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
