package syntax

import "strings"

// Clauses are an INSERT, UPDATE, DELETE or MERGE, cut at its clauses. Spans are
// of the statement's text; one without length is a clause that isn't there.
type Clauses struct {
	Word   string // INSERT, UPDATE, DELETE, MERGE
	With   Span   // WITH … in front
	Target []Part
	// Table is the target with its alias, as written; Alias is the name that
	// its columns are qualified with, quoted where it must be.
	Table Span
	Alias string
	// Columns are INSERT's list; nil for none.
	Columns []Part
	ByName  bool // INSERT … BY NAME
	Default bool // INSERT … DEFAULT VALUES
	// Source is what the rows come from: INSERT's query, UPDATE's FROM,
	// DELETE's and MERGE's USING, without that word.
	Source Span
	Set    []Assignment
	// Condition is that of WHERE, or of MERGE's ON.
	Condition Span
	Using     Span // MERGE … USING (columns), with the parentheses
	Whens     []When
	// Returning are RETURNING's items; ReturningClause has the word too.
	Returning, ReturningClause Span
	// Upsert is the place of OR REPLACE, OR IGNORE or ON CONFLICT, -1 for none.
	Upsert int
}

// An Assignment is one entry of SET: the columns it names, and the value's
// text, without length for DEFAULT and *.
type Assignment struct {
	Columns [][]Part
	Value   Span
}

// A When is one branch of a MERGE.
type When struct {
	Matched, BySource bool
	Condition         Span
	Action            string // UPDATE, INSERT, DELETE, DO, ERROR
	Set               []Assignment
	Columns           []Part
	Values            Span // of INSERT, with the parentheses
	All               bool // INSERT * and UPDATE SET *, or BY NAME and BY POSITION
}

// Some reports whether a span has any length.
func (s Span) Some() bool { return s.End > s.Pos }

// Clauses cuts a statement of the Verb Write. ok is false for other writes
// (TRUNCATE, COPY), and for what doesn't have the clauses that it needs:
// DuckDB's parser says what is wrong with it.
func (s Statement) Clauses() (w Clauses, ok bool) {
	w = Clauses{Word: s.Word, Target: s.Target, Upsert: -1}
	if len(s.Target) == 0 {
		return w, false
	}
	c := &cutter{text: s.Text, toks: s.Tokens}
	c.depths()
	for c.i = 0; c.toks[c.i].Pos < s.Target[0].Pos; c.skip() {
		if t := c.toks[c.i]; t.Is("OR") && c.depth[c.i] == 0 {
			w.Upsert = t.Pos
		}
	}
	if s.Tokens[0].Is("WITH") {
		at := 0
		for i, t := range c.toks[:c.i] {
			if c.depth[i] == 0 && t.Is(s.Word) {
				at = i
			}
		}
		w.With = Span{0, c.toks[at].Pos}
	}
	c.seek(s.Target[len(s.Target)-1].End)
	w.Table = Span{s.Target[0].Pos, s.Target[len(s.Target)-1].End}
	w.Alias = s.Text[s.Target[len(s.Target)-1].Pos:w.Table.End]
	if c.at("AS") || c.peek().IsName() && !c.clause() {
		if c.at("AS") {
			c.skip()
		}
		w.Alias = s.Text[c.peek().Pos:c.peek().End]
		w.Table.End = c.peek().End
		c.skip()
	} else {
		w.Alias = Quote(s.Target[len(s.Target)-1].Text)
	}
	switch s.Word {
	case "INSERT":
		ok = c.insert(&w)
	case "UPDATE", "REPLACE": // REPLACE t SET … is StackQL's
		w.Word = "UPDATE"
		ok = c.update(&w)
	case "DELETE":
		ok = c.delete(&w)
	case "MERGE":
		ok = c.merge(&w)
	}
	return w, ok && c.peek().Kind == EOF
}

// A cutter walks over the tokens of a write.
type cutter struct {
	text  string
	toks  []Token
	depth []int // of parentheses, and of CASE … END
	i     int
}

func (c *cutter) depths() {
	c.depth = make([]int, len(c.toks))
	d := 0
	for i, t := range c.toks {
		opens := t.IsOp("(") || t.IsOp("[") || t.IsOp("{") || t.Is("CASE")
		closes := t.IsOp(")") || t.IsOp("]") || t.IsOp("}") || t.Is("END")
		if closes && d > 0 {
			d--
		}
		c.depth[i] = d
		if opens {
			d++
		}
	}
}

func (c *cutter) peek() Token           { return c.toks[c.i] }
func (c *cutter) at(word string) bool   { return c.toks[c.i].Is(word) }
func (c *cutter) next(word string) bool { return c.i+1 < len(c.toks) && c.toks[c.i+1].Is(word) }

// skip goes to the next token; the last one stays.
func (c *cutter) skip() {
	if c.peek().Kind != EOF {
		c.i++
	}
}

func (c *cutter) seek(pos int) {
	for c.toks[c.i].Kind != EOF && c.toks[c.i].Pos < pos {
		c.skip()
	}
}

// clause reports whether the next token starts a clause.
func (c *cutter) clause() bool {
	for _, w := range [...]string{"SET", "FROM", "WHERE", "USING", "ON", "WHEN", "RETURNING", "VALUES", "SELECT", "DEFAULT", "BY", "WITH", "TABLE", "PIVOT", "PIVOT_WIDER", "UNPIVOT", "PIVOT_LONGER", "OVERRIDING"} {
		if c.at(w) {
			return true
		}
	}
	return false
}

// until gives the text up to the next token outside parentheses for which stop
// says so, or the end.
func (c *cutter) until(stop func() bool) Span {
	start := c.i
	for c.peek().Kind != EOF && !(c.depth[c.i] == 0 && stop()) {
		c.skip()
	}
	if c.i == start {
		return Span{}
	}
	return Span{c.toks[start].Pos, c.toks[c.i-1].End}
}

// words stops at any of some words. The FROM of IS DISTINCT FROM is none.
func (c *cutter) words(stops ...string) func() bool {
	return func() bool {
		for _, w := range stops {
			if c.at(w) && !(w == "FROM" && c.i > 1 && c.toks[c.i-1].Is("DISTINCT") && (c.toks[c.i-2].Is("IS") || c.toks[c.i-2].Is("NOT"))) {
				return true
			}
		}
		return false
	}
}

// returning is the last clause.
func (c *cutter) returning(w *Clauses) bool {
	if !c.at("RETURNING") {
		return true
	}
	start := c.peek().Pos
	c.skip()
	w.Returning = c.until(func() bool { return false })
	w.ReturningClause = Span{start, max(w.Returning.End, start+len("RETURNING"))}
	return w.Returning.Some()
}

func (c *cutter) insert(w *Clauses) bool {
	if c.peek().IsOp("(") && !StartsQuery(c.toks[c.i+1]) {
		w.Columns = c.names()
	}
	if c.at("BY") {
		w.ByName = c.next("NAME")
		c.skip()
		c.skip()
	}
	if c.at("DEFAULT") && c.next("VALUES") {
		w.Default = true
		c.skip()
		c.skip()
	} else {
		w.Source = c.until(func() bool { return c.at("RETURNING") || c.at("ON") && c.next("CONFLICT") })
	}
	if c.at("ON") {
		w.Upsert = c.peek().Pos
		c.until(c.words("RETURNING"))
	}
	return (w.Default || w.Source.Some()) && c.returning(w)
}

// names reads a list of names in parentheses.
func (c *cutter) names() []Part {
	out := []Part{}
	for c.skip(); c.peek().Kind != EOF && !c.peek().IsOp(")"); c.skip() {
		if t := c.peek(); t.IsName() {
			out = append(out, Part{Text: t.Text, Pos: t.Pos, End: t.End})
		}
	}
	if c.peek().Kind != EOF {
		c.skip()
	}
	return out
}

func (c *cutter) update(w *Clauses) bool {
	if !c.at("SET") {
		return false
	}
	c.skip()
	w.Set = c.assignments(c.words("FROM", "WHERE", "RETURNING"))
	if c.at("FROM") {
		c.skip()
		w.Source = c.until(c.words("WHERE", "RETURNING"))
	}
	return len(w.Set) > 0 && c.where(w) && c.returning(w)
}

func (c *cutter) delete(w *Clauses) bool {
	if c.at("USING") {
		c.skip()
		w.Source = c.until(c.words("WHERE", "RETURNING"))
	}
	return c.where(w) && c.returning(w)
}

func (c *cutter) where(w *Clauses) bool {
	if !c.at("WHERE") {
		return true
	}
	c.skip()
	w.Condition = c.until(c.words("RETURNING"))
	return w.Condition.Some()
}

// assignments reads SET's list: a = 1, (b, c) = (2, 3).
func (c *cutter) assignments(stop func() bool) []Assignment {
	var out []Assignment
	for c.peek().Kind != EOF && !stop() {
		var a Assignment
		if c.peek().IsOp("(") {
			for _, p := range c.names() {
				a.Columns = append(a.Columns, []Part{p})
			}
		} else if parts := NameAt(c.text, c.peek().Pos); parts != nil {
			a.Columns = [][]Part{parts}
			c.seek(parts[len(parts)-1].End)
		} else {
			return nil
		}
		if !c.peek().IsOp("=") {
			return nil
		}
		c.skip()
		a.Value = c.until(func() bool { return c.peek().IsOp(",") || stop() })
		if strings.EqualFold(c.text[a.Value.Pos:a.Value.End], "DEFAULT") {
			a.Value = Span{}
		}
		out = append(out, a)
		if c.peek().IsOp(",") {
			c.skip()
		}
	}
	return out
}

func (c *cutter) merge(w *Clauses) bool {
	if !c.at("USING") {
		return false
	}
	c.skip()
	w.Source = c.until(c.words("ON", "USING", "WHEN"))
	switch {
	case c.at("ON"):
		c.skip()
		w.Condition = c.until(c.words("WHEN"))
	case c.at("USING"):
		c.skip()
		w.Using = c.until(c.words("WHEN"))
	}
	for c.at("WHEN") {
		x, ok := c.when()
		if !ok {
			return false
		}
		w.Whens = append(w.Whens, x)
	}
	return w.Source.Some() && (w.Condition.Some() || w.Using.Some()) && len(w.Whens) > 0 && c.returning(w)
}

func (c *cutter) when() (x When, ok bool) {
	c.skip()
	x.Matched = !c.at("NOT")
	if c.at("NOT") {
		c.skip()
	}
	if !c.at("MATCHED") {
		return x, false
	}
	c.skip()
	if c.at("BY") {
		x.BySource = c.next("SOURCE")
		c.skip()
		c.skip()
	}
	if c.at("AND") {
		c.skip()
		x.Condition = c.until(c.words("THEN"))
	}
	if !c.at("THEN") {
		return x, false
	}
	c.skip()
	x.Action = strings.ToUpper(c.peek().Text)
	c.skip()
	stop := c.words("WHEN", "RETURNING")
	switch {
	case x.Action == "UPDATE" && c.at("SET") && !c.toks[c.i+1].IsOp("*"):
		c.skip()
		x.Set = c.assignments(stop)
		return x, len(x.Set) > 0
	case x.Action == "INSERT" && (c.peek().IsOp("(") || c.at("VALUES")):
		if c.peek().IsOp("(") {
			x.Columns = c.names()
		}
		if c.at("VALUES") {
			c.skip()
		}
		x.Values = c.until(stop)
		return x, x.Values.Some()
	case x.Action == "UPDATE", x.Action == "INSERT":
		x.All = true
	}
	c.until(stop)
	return x, true
}
