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
	for i, due := range tableDue(toks) {
		if !due || i+1 >= len(toks) || !toks[i+1].IsName() {
			continue
		}
		parts := syntax.NameAt(text, toks[i+1].Pos)
		s := source{alias: parts[len(parts)-1].Text}
		words := partTexts(parts)
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

func partTexts(parts []syntax.Part) []string {
	var out []string
	for _, p := range parts {
		out = append(out, p.Text)
	}
	return out
}

func (n *names) isWord(t syntax.Token) bool {
	n.load()
	return t.Kind == syntax.Name && n.words[strings.ToUpper(t.Text)]
}

// tableDue says of each token whether a table's name is due behind it: it is a
// keyword such as FROM, or a comma in a FROM list.
func tableDue(toks []syntax.Token) []bool {
	out := make([]bool, len(toks))
	clauses := []string{""} // the word that governs, for each open parenthesis
	feeds := false          // the statement takes rows with USING
	for i, t := range toks {
		top := &clauses[len(clauses)-1]
		distinct := i > 0 && toks[i-1].Is("DISTINCT") // IS DISTINCT FROM
		switch {
		case t.IsOp("("), t.IsOp("["), t.IsOp("{"):
			clauses = append(clauses, "(")
		case t.IsOp(")"), t.IsOp("]"), t.IsOp("}"):
			if len(clauses) > 1 {
				clauses = clauses[:len(clauses)-1]
			}
		case t.IsOp(","):
			out[i] = *top == "FROM"
		case t.Kind != syntax.Name || i > 0 && toks[i-1].IsOp(".") && toks[i-1].End == t.Pos: // u. FROM t is being written
		case t.Is("FROM"), t.Is("JOIN"):
			if !distinct {
				out[i], *top = true, "FROM"
			}
		case t.Is("INTO"), t.Is("DESCRIBE"), t.Is("SUMMARIZE"), t.Is("PIVOT"), t.Is("UNPIVOT"):
			out[i], *top = true, "INTO"
		case t.Is("UPDATE"):
			out[i] = i == 0 || !toks[i-1].Is("THEN")
		case t.Is("USING"):
			out[i], *top = feeds, "USING"
		case slices.ContainsFunc(governors, t.Is):
			*top = strings.ToUpper(t.Text)
		}
		feeds = feeds || t.Is("MERGE") || t.Is("DELETE")
	}
	return out
}

// governors begin clauses that are no lists of tables.
var governors = []string{"SELECT", "WHERE", "ON", "GROUP", "ORDER", "HAVING", "QUALIFY", "SET", "VALUES", "RETURNING", "LIMIT"}
