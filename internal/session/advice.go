package session

import (
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// statementWords are what statements begin with; those before the empty one are
// what people write, and misspell.
var statementWords = strings.Fields(`SELECT FROM VALUES WITH INSERT UPDATE DELETE MERGE EXPLAIN DESCRIBE SHOW SET RESET USE CREATE DROP ALTER
	COPY TRUNCATE PIVOT UNPIVOT SUMMARIZE BEGIN COMMIT ROLLBACK ATTACH DETACH PRAGMA
	ABORT ANALYSE ANALYZE CALL CHECKPOINT CLUSTER COMMENT DEALLOCATE DESC END EXECUTE EXPORT FORCE IMPORT INSTALL LOAD PIVOT_LONGER PIVOT_WIDER
	PREPARE REINDEX RELEASE REPLACE SAVEPOINT START TABLE UPSERT VACUUM`)

// misspelt is the error of a statement whose first word is none, but like one.
func misspelt(st syntax.Statement) error {
	if st.Verb != syntax.Other || slices.Contains(statementWords, st.Word) {
		return nil
	}
	near := catalog.Nearest(st.Word, statementWords)
	if len(near) == 0 {
		return nil
	}
	first := st.Tokens[0]
	return sqlerr.New(sqlerr.SyntaxError, "syntax error at or near %q", first.Text).At(st.Text, first.Pos).WithHint("%s", near[0])
}

// advised adds what to type to errors of DuckDB's that people run into who come
// from elsewhere.
func advised(st syntax.Statement, err error) error {
	e, ok := asError[*sqlerr.Error](err)
	if !ok {
		return err
	}
	e = listHint(st, e)
	switch e.Code {
	case sqlerr.SyntaxError, sqlerr.InvalidText, sqlerr.DatatypeMismatch:
		return paramHint(st, jsonHint(st, arrowHint(st, e)))
	case sqlerr.UndefinedColumn:
		return quoteHint(st, e)
	}
	return err
}

// arrowHint explains an error of a statement that compares a member of a JSON
// value, as people from PostgreSQL write it: DuckDB reads a = 1 AND j->>'k' = 'v'
// as (a = 1 AND j) ->> ('k' = 'v').
func arrowHint(st syntax.Statement, e *sqlerr.Error) *sqlerr.Error {
	for i, t := range st.Tokens {
		if i == 0 || i+2 >= len(st.Tokens) || !t.IsOp("->>") && !t.IsOp("->") {
			continue
		}
		member, next := st.Tokens[i+1], st.Tokens[i+2]
		compares := next.Kind == syntax.Op && strings.ContainsAny(next.Text[:1], "=<>!~") || next.Is("LIKE") || next.Is("ILIKE") || next.Is("IN") || next.Is("BETWEEN")
		if (member.Kind == syntax.String || member.Kind == syntax.Number) && compares && !next.IsOp("->") && !next.IsOp("->>") {
			return e.WithHint("(%s) %s …: -> and ->> bind less than comparisons and AND", st.Text[st.Tokens[i-1].Pos:member.End], next.Text)
		}
	}
	return e
}

// at gives the place of the token that an error points at, -1 if it is none.
func at(st syntax.Statement, e *sqlerr.Error) int {
	if e.Statement != st.Text {
		return -1
	}
	return slices.IndexFunc(st.Tokens, func(t syntax.Token) bool { return t.Pos == e.Position-1 })
}

// jsonHint explains the error of a JSON column that is compared with a text:
// DuckDB takes the text for a document.
func jsonHint(st syntax.Statement, e *sqlerr.Error) *sqlerr.Error {
	if e.Hint != "" || !strings.HasPrefix(e.Message, "malformed JSON") {
		return e
	}
	i := at(st, e)
	if i < 2 || st.Tokens[i].Kind != syntax.String || !st.Tokens[i-2].IsName() {
		return e
	}
	text := st.Text[st.Tokens[i].Pos:st.Tokens[i].End]
	return e.WithHint("%s is JSON: (%[1]s->>'member') %s %s compares a member, tag(%[1]s, 'key') a tag", st.Tokens[i-2].Text, st.Tokens[i-1].Text, text)
}

// paramHint tells somebody who counts with a parameter that it is text.
func paramHint(st syntax.Statement, e *sqlerr.Error) *sqlerr.Error {
	if !strings.Contains(e.Message+e.Detail, "STRING_LITERAL") {
		return e
	}
	if i := slices.IndexFunc(st.Tokens, func(t syntax.Token) bool { return t.Kind == syntax.Param }); i >= 0 {
		return e.WithHint("parameters are text: %s::BIGINT", st.Tokens[i].Text)
	}
	return e
}

// quoteHint tells somebody who put text into double quotes what they are for.
func quoteHint(st syntax.Statement, e *sqlerr.Error) *sqlerr.Error {
	i := at(st, e)
	if i < 1 || st.Tokens[i].Kind != syntax.Quoted || e.Hint != "" && !strings.HasPrefix(e.Hint, "DESCRIBE") {
		return e
	}
	if before := st.Tokens[i-1]; before.IsOp("(") || before.IsOp(",") || before.Is("LIKE") || before.Is("ILIKE") ||
		before.Kind == syntax.Op && strings.ContainsAny(before.Text[:1], "=<>!") {
		return e.WithHint("%s is text, double quotes are for names", syntax.Literal(st.Tokens[i].Text))
	}
	return e
}

// listHint shows how an element is added to a list that is kept as JSON, such as
// tags: DuckDB concatenates lists of one type.
func listHint(st syntax.Statement, e *sqlerr.Error) *sqlerr.Error {
	if e.Hint != "" || !strings.HasPrefix(e.Message, "cannot concatenate types JSON and ") {
		return e
	}
	for i, t := range st.Tokens {
		if i > 0 && t.IsOp("||") && st.Tokens[i-1].IsName() {
			return e.WithHint("%s::JSON[] || [{…}::JSON]", st.Tokens[i-1].Text)
		}
	}
	return e
}
