package syntax

import (
	"strings"
)

// A Composed is a text made of parts of another one. It knows where each of
// its bytes came from.
type Composed struct {
	Text   string
	from   string
	pieces []piece
}

// A piece is a part that was copied.
type piece struct{ at, pos, end int }

// Offset gives the place in the other text of a place in this one, -1 for
// what was added.
func (c *Composed) Offset(at int) int {
	for _, p := range c.pieces {
		if at >= p.at && at < p.at+p.end-p.pos {
			return p.pos + at - p.at
		}
	}
	return -1
}

func (c *Composed) add(text string) *Composed { c.Text += text; return c }

// copy takes a part over. Where a value may stand, DEFAULT is NULL: a query
// has no other word for it.
func (c *Composed) copy(s Span) *Composed {
	at := s.Pos
	for _, t := range Lex(c.from[s.Pos:s.End]) {
		if t.Is("DEFAULT") {
			c.copyPlain(Span{at, s.Pos + t.Pos}).add("NULL")
			at = s.Pos + t.End
		}
	}
	return c.copyPlain(Span{at, s.End})
}

func (c *Composed) copyPlain(s Span) *Composed {
	c.pieces = append(c.pieces, piece{len(c.Text), s.Pos, s.End})
	c.Text += c.from[s.Pos:s.End]
	return c
}

// Reading is the query that reads whatever a write reads: all of the rows it
// may touch, and what their new values are made of. It is "" for a write that
// reads nothing. It keeps every row that matters, and no more than that: of a
// MERGE the whole source, and of the target what matches, or all of it where
// a branch is for what doesn't.
func (w Clauses) Reading(text string) *Composed {
	c := (&Composed{from: text}).copy(w.With)
	switch w.Word {
	case "INSERT":
		if !w.Source.Some() {
			return &Composed{from: text}
		}
		c.copy(w.Source)
		return c
	case "MERGE":
		c.add("SELECT *")
		for _, x := range w.Whens {
			c.value(x.Condition).values(x.Set).value(x.Values)
		}
		c.add(" FROM ").copy(w.Table).add(w.join()).copy(w.Source)
		if w.Using.Some() {
			return c.add(" USING ").copy(w.Using)
		}
		return c.add(" ON ").copy(w.Condition)
	}
	c.add("SELECT " + w.Alias + ".*").values(w.Set).add(" FROM ").copy(w.Table)
	if w.Source.Some() {
		c.add(", ").copy(w.Source)
	}
	if w.Condition.Some() {
		c.add(" WHERE ").copy(w.Condition)
	}
	return c
}

// join keeps the source's rows, which may be inserted, and the target's where
// a branch is for those that the source lacks.
func (w Clauses) join() string {
	for _, x := range w.Whens {
		if x.BySource {
			return " FULL JOIN "
		}
	}
	return " RIGHT JOIN "
}

func (c *Composed) value(s Span) *Composed {
	if s.Some() {
		c.add(", ").copy(s)
	}
	return c
}

func (c *Composed) values(set []Assignment) *Composed {
	for _, a := range set {
		c.value(a.Value)
	}
	return c
}

// Returned is the query that RETURNING asks of the rows that a write made,
// changed or took away, which are in a table; nil without RETURNING.
func (w Clauses) Returned(text, table string) *Composed {
	if !w.Returning.Some() {
		return nil
	}
	return (&Composed{from: text}).add("SELECT ").copy(w.Returning).add(" FROM " + table + " AS " + w.Alias)
}

// Several is the query that gives the rows of the target that an UPDATE … FROM
// or a MERGE finds more than one match for, with different values: which of
// them would win is left to chance. Its columns are account_id, region and
// identifier. texts gives a part of the statement as it is run. "" for a
// write of which each row has at most one match.
func (w Clauses) Several(texts func(Span) string) string {
	key := w.Alias + ".account_id AS a, " + w.Alias + ".region AS r, " + w.Alias + ".identifier AS i"
	var from string
	switch {
	case w.Word == "UPDATE" && w.Source.Some():
		for n, a := range w.Set {
			if a.Value.Some() {
				key += ", " + texts(a.Value) + " AS v" + string(rune('a'+n%26)) + strings.Repeat("_", n/26)
			}
		}
		from = " FROM " + texts(w.Table) + ", " + texts(w.Source)
		if w.Condition.Some() {
			from += " WHERE " + texts(w.Condition)
		}
		from = "SELECT DISTINCT " + key + from
	case w.Word == "MERGE" && w.changesMatched():
		from = " FROM " + texts(w.Table) + " JOIN " + texts(w.Source)
		if w.Using.Some() {
			from += " USING " + texts(w.Using)
		} else {
			from += " ON " + texts(w.Condition)
		}
		from = "SELECT " + key + from
	default:
		return ""
	}
	return texts(w.With) + " SELECT a, r, i FROM (" + from + ") GROUP BY a, r, i HAVING count(*) > 1 LIMIT 1"
}

func (w Clauses) changesMatched() bool {
	for _, x := range w.Whens {
		if x.Matched && (x.Action == "UPDATE" || x.Action == "DELETE") {
			return true
		}
	}
	return false
}
