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
		out := c.keywords(prefix, strings.Fields("PROVIDERS SERVICES TABLES METHODS PLAN"))
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
