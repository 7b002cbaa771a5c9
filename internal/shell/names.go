package shell

import (
	"context"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/syntax"
)

// names are what a statement may mention, as far as it is known without a call.
// What DuckDB knows is asked for when first needed.
type names struct {
	session *session.Session
	params  map[string]string

	functions, reserved, others, settings []string
	words                                 map[string]bool // those that are shown as keywords
	locals                                map[string][]string
	read                                  bool
}

// forget drops what a statement may have changed.
func (n *names) forget() { n.locals = nil }

// load asks DuckDB for its words, once. What can't be had is not offered.
func (n *names) load() {
	if n.read {
		return
	}
	n.read = true
	ctx := context.Background()
	n.functions, _ = n.session.Functions(ctx)
	n.reserved, n.others, _ = n.session.Keywords(ctx)
	n.settings, _ = n.session.EngineSettings(ctx)
	n.words = map[string]bool{}
	for _, w := range n.reserved {
		n.words[w] = true
	}
	for _, w := range strings.Fields(firstWords + " " + clauseWords + " " + quietWords) {
		n.words[w] = true
	}
}

// Words that begin a statement, those that may follow an operand, and others
// that are keywords where they stand.
const (
	firstWords  = "SELECT FROM WITH INSERT UPDATE DELETE MERGE EXPLAIN SHOW DESCRIBE SET RESET USE CREATE COPY BEGIN COMMIT ROLLBACK SUMMARIZE PIVOT UNPIVOT VALUES DROP"
	clauseWords = "FROM WHERE GROUP ORDER BY LIMIT JOIN LEFT RIGHT FULL INNER CROSS ASOF ON USING AND OR NOT IN LIKE ILIKE IS NULL BETWEEN AS UNION EXCEPT INTERSECT HAVING QUALIFY " +
		"OFFSET ASC DESC RETURNING SET VALUES WHEN THEN ELSE END MATCHED"
	quietWords = "INTO TABLE TABLES SERVICES METHODS PROVIDERS ALL DISTINCT CASE EXISTS OVER PARTITION NULLS FIRST LAST ANALYZE PERMISSIONS TO VIEW MACRO EXTENDED RECURSIVE FILTER NATURAL SEMI ANTI OUTER"
)

// tables of the user's own.
func (n *names) local() map[string][]string {
	if n.locals == nil {
		n.locals, _ = n.session.Locals(context.Background())
	}
	return n.locals
}

// lookup finds a cloud table by the parts of its name.
func (n *names) lookup(parts []string) (*catalog.Table, catalog.Form, bool) {
	c := n.session.Catalog()
	if len(parts) > 0 && isProvider(parts[0]) && len(parts) > 1 {
		parts = parts[1:]
	} else if len(parts) == 1 && n.session.Service() != "" {
		parts = []string{n.session.Service(), parts[0]}
	}
	if len(parts) != 2 {
		return nil, 0, false
	}
	e, form, ok := c.Lookup(parts[0], parts[1])
	if !ok {
		return nil, 0, false
	}
	t, err := c.Table(e.Type)
	return t, form, err == nil
}

func isProvider(name string) bool {
	return strings.EqualFold(name, "aws") || strings.EqualFold(name, "awscc")
}

// A source is a table that a statement mentions.
type source struct {
	alias   string
	table   *catalog.Table // nil for one of the user's own
	columns []string       // of one of the user's own
}

// sources finds the tables of a statement: the names behind FROM, JOIN, INTO
// and UPDATE, with their aliases, at any depth.
func (n *names) sources(toks []syntax.Token, text string) []source {
	var out []source
	for i := 0; i < len(toks); i++ {
		if !namesTable(toks, i) || i+1 >= len(toks) || !toks[i+1].IsName() {
			continue
		}
		parts := syntax.NameAt(text, toks[i+1].Pos)
		var words []string
		for _, p := range parts {
			words = append(words, p.Text)
		}
		s := source{alias: words[len(words)-1]}
		if t, _, ok := n.lookup(words); ok {
			s.table = t
		} else if cols, ok := n.local()[strings.Join(words, ".")]; ok {
			s.columns = cols
		} else {
			continue
		}
		j := i + 1
		for j < len(toks) && toks[j].End <= parts[len(parts)-1].End {
			j++
		}
		if j < len(toks) && toks[j].Is("AS") {
			j++
		}
		if j < len(toks) && toks[j].IsName() && !n.isWord(toks[j]) {
			s.alias = toks[j].Text
		}
		out = append(out, s)
	}
	return out
}

func (n *names) isWord(t syntax.Token) bool {
	n.load()
	return t.Kind == syntax.Name && n.words[strings.ToUpper(t.Text)]
}

// namesTable reports whether a table's name is due behind token i: a keyword,
// or a comma in a FROM list.
func namesTable(toks []syntax.Token, i int) bool {
	t := toks[i]
	if t.Is("FROM") {
		return !(i >= 2 && toks[i-1].Is("DISTINCT"))
	}
	if t.Is("JOIN") || t.Is("INTO") || t.Is("DESCRIBE") || t.Is("SUMMARIZE") || t.Is("PIVOT") || t.Is("UNPIVOT") ||
		t.Is("UPDATE") && (i == 0 || !toks[i-1].Is("THEN")) || t.Is("USING") && i > 0 && slices.ContainsFunc(toks[:i], func(t syntax.Token) bool { return t.Is("MERGE") || t.Is("DELETE") }) {
		return true
	}
	return t.IsOp(",") && clause(toks[:i]) == "FROM"
}

// clause gives the word that governs the end of some tokens: the last one that
// begins a clause, outside parentheses that are closed. Inside the parentheses
// of a call it is "(".
func clause(toks []syntax.Token) string {
	depth := 0
	for i := len(toks) - 1; i >= 0; i-- {
		t := toks[i]
		switch {
		case t.IsOp(")"), t.IsOp("]"), t.IsOp("}"):
			depth++
		case t.IsOp("("), t.IsOp("["), t.IsOp("{"):
			if depth == 0 {
				return "("
			}
			depth--
		case depth == 0 && t.Kind == syntax.Name && (i == 0 || !toks[i-1].IsOp(".")):
			w := strings.ToUpper(t.Text)
			if slices.Contains(governors, w) && !(w == "FROM" && i > 0 && toks[i-1].Is("DISTINCT")) {
				if w == "JOIN" {
					return "FROM"
				}
				return w
			}
		}
	}
	return ""
}

var governors = []string{"SELECT", "FROM", "JOIN", "WHERE", "ON", "GROUP", "ORDER", "HAVING", "QUALIFY", "SET", "VALUES", "RETURNING", "LIMIT", "USING", "INTO"}
