package pgcatalog

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

var macroName = regexp.MustCompile(`(?m)^CREATE (?:OR REPLACE )?(?:TEMP )?MACRO "?([a-z_0-9~*!]+)"?\(`)

// own are the names of the relations and functions of this package.
var own = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(relationsText) {
		name, _, _ := strings.Cut(line, " ")
		if !strings.HasPrefix(name, "information_schema.") {
			out[name] = true
		}
	}
	for _, text := range []string{catalogSQL, sessionSQL, stateSQL("", nil, nil)} {
		for _, m := range macroName.FindAllStringSubmatch(text, -1) {
			out[m[1]] = true
		}
	}
	return out
})

// words are functions that are written without parentheses.
var words = map[string]bool{"current_user": true, "session_user": true, "current_catalog": true, "current_schema": true, "current_role": true}

// general are functions of this package that DuckDB has too, or that say
// nothing about tables: who uses them doesn't ask a catalog.
var general = map[string]bool{"format": true, "quote_literal": true, "parse_ident": true, "array_upper": true, "array_lower": true, "array_position": true, "array_remove": true,
	"generate_subscripts": true, "regexp_full_match": true}

// Mentions reports whether a statement is a query that asks something of
// PostgreSQL's catalogs: it names one of their relations or types, or has no
// FROM and calls a function of theirs.
func (c *Conn) Mentions(st syntax.Statement) bool {
	if st.Verb != syntax.Read {
		return false
	}
	function, from := false, false
	for i, t := range st.Tokens {
		if !t.IsName() {
			continue
		}
		name := strings.ToLower(t.Text)
		switch {
		case name == "pg_catalog", name == "information_schema", strings.HasPrefix(name, "pg_") && own()[name] && !st.Tokens[i+1].IsOp("("), castTo(st.Tokens, i) != "":
			return true
		case words[name] && t.Kind == syntax.Name, own()[name] && !general[name] && st.Tokens[i+1].IsOp("("):
			function = true
		case t.Is("FROM"):
			from = true
		}
	}
	return function && !from
}

// registered are the types whose values are ids that print as names: the
// function that finds the id of a name, and the one that finds the name. A
// function's id is its name, which is what pg_type has of it.
var registered = map[string][2]string{
	"regclass": {"skyql_class_oid", "skyql_class_name"}, "regtype": {"skyql_type_oid", "skyql_type_name"}, "regnamespace": {"skyql_namespace_oid", "skyql_namespace_name"},
	"regproc": {"skyql_proc_of", "skyql_proc_name"}, "regprocedure": {"skyql_proc_of", "skyql_proc_name"}, "regrole": {"skyql_role_oid", "skyql_role_name"},
	// There are none of these that anybody could name.
	"regoper": {"skyql_proc_of", "skyql_proc_name"}, "regoperator": {"skyql_proc_of", "skyql_proc_name"}, "regcollation": {"skyql_proc_of", "skyql_proc_name"},
	"regconfig": {"skyql_proc_of", "skyql_proc_name"}, "regdictionary": {"skyql_proc_of", "skyql_proc_name"},
}

// renamed are functions of any number of arguments, which no macro can be, that
// DuckDB has by another name.
var renamed = map[string]string{"json_build_object": "json_object", "jsonb_build_object": "json_object", "json_build_array": "json_array", "jsonb_build_array": "json_array",
	"json_agg": "json_group_array", "jsonb_agg": "json_group_array", "row_to_json": "to_json"}

// castTo gives the registered type that the tokens from i on name, if they
// stand behind :: or AS.
func castTo(toks []syntax.Token, i int) string {
	name := strings.ToLower(toks[i].Text)
	if _, ok := registered[name]; !ok || i == 0 {
		return ""
	}
	if before := toks[i-1]; before.IsOp("::") || before.Is("AS") || before.IsOp(".") {
		return name
	}
	return ""
}

// rewrite turns what is PostgreSQL's spelling alone into DuckDB's:
//
//	pg_catalog.x                    x
//	information_schema.x            infos.x
//	OPERATOR(pg_catalog.~)          ~
//	COLLATE "C", pg_catalog.default gone: texts are compared by their bytes
//	x::regclass, CAST(x AS regclass) a function of x
//	FROM generate_series(…) s       FROM generate_series(…) s(s)
//	FROM string_to_array(…) s       FROM (SELECT string_to_array(…) AS s) s
//	'{a,b}'::text[]                 '[a,b]'::text[]
//	json_build_object(…)            json_object(…)
//	x = ANY (list)                  a function of both: an ON can't hold what DuckDB makes of it
//	c.tableoid                      the id of the relation that c stands for
func rewrite(st syntax.Statement) syntax.Rewritten {
	var edits []syntax.Edit
	toks := st.Tokens
	drop := func(from, to int) { edits = append(edits, syntax.Edit{Pos: toks[from].Pos, End: toks[to].End}) }
	for i := 0; i < len(toks)-1; i++ {
		t := toks[i]
		switch {
		case t.Is("OPERATOR") && toks[i+1].IsOp("("):
			end := i + 2
			for end < len(toks)-1 && !toks[end].IsOp(")") {
				end++
			}
			op := strings.TrimSpace(st.Text[toks[i+1].End:toks[end].Pos])
			if at := strings.LastIndexByte(op, '.'); at >= 0 {
				op = op[at+1:]
			}
			edits = append(edits, syntax.Edit{Pos: t.Pos, End: toks[end].End, Text: " " + op + " "})
			i = end
		case t.Is("COLLATE") && toks[i+1].IsName():
			end := i + 1
			for end+2 < len(toks) && toks[end+1].IsOp(".") {
				end += 2
			}
			drop(i, end)
			i = end
		case t.IsName() && strings.EqualFold(t.Text, "aws") && toks[i+1].IsOp(".") && i+2 < len(toks) && isSystem(toks[i+2]):
			drop(i, i+1)
			i++
		case t.IsName() && strings.EqualFold(t.Text, "pg_catalog") && toks[i+1].IsOp("."):
			if i+2 < len(toks) && castTo(toks, i+2) != "" && cast(st, i+2, &edits) {
				i += 2
				continue
			}
			drop(i, i+1)
			i++
		case t.IsName() && strings.EqualFold(t.Text, "information_schema") && toks[i+1].IsOp("."):
			edits = append(edits, syntax.Edit{Pos: t.Pos, End: t.End, Text: infos})
		case t.IsName() && castTo(toks, i) != "":
			cast(st, i, &edits)
		case t.Kind == syntax.String && strings.HasPrefix(st.Text[t.Pos:], "'{") && strings.HasSuffix(st.Text[:t.End], "}'") && listCast(toks, i+1):
			edits = append(edits, syntax.Edit{Pos: t.Pos, End: t.Pos + 2, Text: "'["}, syntax.Edit{Pos: t.End - 2, End: t.End, Text: "]'"})
		case t.IsOp("=") && toks[i+1].Is("ANY") && i+3 < len(toks) && toks[i+2].IsOp("(") && !toks[i+3].Is("SELECT") && i > 0:
			if start := operand(toks, i-1); start >= 0 {
				edits = append(edits, syntax.Edit{Pos: toks[start].Pos, End: toks[start].Pos, Text: "skyql_any("}, syntax.Edit{Pos: t.Pos, End: toks[i+2].End, Text: ","})
				i += 2
			}
		case t.IsName() && renamed[strings.ToLower(t.Text)] != "" && toks[i+1].IsOp("("):
			edits = append(edits, syntax.Edit{Pos: t.Pos, End: t.End, Text: renamed[strings.ToLower(t.Text)]})
		case t.Is("tableoid") && i > 1 && toks[i-1].IsOp("."):
			if relation := aliased(toks, toks[i-2].Text); relation != "" {
				edits = append(edits, syntax.Edit{Pos: toks[i-2].Pos, End: t.End, Text: "skyql_class_oid(" + syntax.Literal("pg_catalog."+relation) + ")"})
			}
		case t.IsOp(")") && series(toks, i):
			alias := toks[i+1]
			if alias.Is("AS") {
				alias = toks[i+2]
			}
			open := opening(toks, i)
			if name := toks[open-1]; scalars[strings.ToLower(name.Text)] {
				edits = append(edits, syntax.Edit{Pos: name.Pos, End: name.Pos, Text: "(SELECT "}, syntax.Edit{Pos: t.End, End: t.End, Text: " AS " + syntax.Quote(alias.Text) + ")"})
			} else {
				edits = append(edits, syntax.Edit{Pos: alias.End, End: alias.End, Text: "(" + syntax.Quote(alias.Text) + ")"})
			}
		}
	}
	return syntax.Rewrite(st.Text, apart(edits))
}

// apart leaves out edits that touch what another one replaces: that is no SQL,
// and the engine says so.
func apart(edits []syntax.Edit) (out []syntax.Edit) {
	slices.SortStableFunc(edits, func(a, b syntax.Edit) int { return cmp.Or(a.Pos-b.Pos, a.End-b.End) })
	end := 0
	for _, e := range edits {
		if e.Pos >= end {
			out = append(out, e)
			end = e.End
		}
	}
	return out
}

// series reports whether the bracket at token i closes a function in FROM whose
// alias names its one column too.
func series(toks []syntax.Token, i int) bool {
	open := opening(toks, i)
	if open < 1 {
		return false
	}
	name := strings.ToLower(toks[open-1].Text)
	if name != "generate_series" && name != "unnest" && !scalars[name] {
		return false
	}
	before := open - 2
	for before > 0 && (toks[before].IsOp(".") || toks[before+1].IsOp(".")) {
		before--
	}
	if !inFrom(toks, before) {
		return false
	}
	at := i + 1
	as := toks[at].Is("AS")
	if as {
		at++
	}
	if at+1 >= len(toks) || !toks[at].IsName() || toks[at+1].IsOp("(") {
		return false
	}
	return as || toks[at].Kind == syntax.Quoted || !clause[strings.ToUpper(toks[at].Text)]
}

// scalars are functions that give one value, which PostgreSQL takes in FROM too.
var scalars = map[string]bool{"string_to_array": true, "parse_ident": true, "current_schemas": true, "current_setting": true, "generate_subscripts": true}

// inFrom reports whether what follows token i stands in a FROM clause.
func inFrom(toks []syntax.Token, i int) bool {
	for depth := 0; i >= 0; i-- {
		switch t := toks[i]; {
		case t.IsOp(")"):
			depth++
		case t.IsOp("("):
			if depth--; depth < 0 {
				return false
			}
		case depth > 0:
		case t.Is("FROM"), t.Is("JOIN"):
			return true
		case t.Is("SELECT"), t.Is("WHERE"), t.Is("BY"), t.Is("ON"):
			return false
		}
	}
	return false
}

// clause are the words that may follow a table and are no alias.
var clause = map[string]bool{"WHERE": true, "ON": true, "JOIN": true, "LEFT": true, "RIGHT": true, "FULL": true, "INNER": true, "CROSS": true, "NATURAL": true, "GROUP": true,
	"ORDER": true, "HAVING": true, "LIMIT": true, "OFFSET": true, "UNION": true, "EXCEPT": true, "INTERSECT": true, "WINDOW": true, "USING": true, "WITH": true, "FETCH": true, "FOR": true}

// aliased finds the relation of PostgreSQL's that an alias stands for.
func aliased(toks []syntax.Token, alias string) string {
	for i, t := range toks[:len(toks)-1] {
		name := strings.ToLower(t.Text)
		if !t.IsName() || !own()[name] || !strings.HasPrefix(name, "pg_") {
			continue
		}
		next := toks[i+1]
		if next.Is("AS") {
			next = toks[i+2]
		}
		if strings.EqualFold(next.Text, alias) && next.IsName() || strings.EqualFold(name, alias) {
			return name
		}
	}
	return ""
}

// listCast reports whether a cast to a list stands at token i.
func listCast(toks []syntax.Token, i int) bool {
	if !toks[i].IsOp("::") {
		return false
	}
	for i++; i < len(toks) && (toks[i].IsName() || toks[i].IsOp(".")); i++ {
		if strings.HasPrefix(toks[i].Text, "_") {
			return true
		}
	}
	return i < len(toks) && toks[i].IsOp("[")
}

func isSystem(t syntax.Token) bool {
	return strings.EqualFold(t.Text, "pg_catalog") || strings.EqualFold(t.Text, "information_schema")
}

// cast turns a cast to the registered type at token i into a call.
func cast(st syntax.Statement, i int, edits *[]syntax.Edit) bool {
	toks := st.Tokens
	first := i // of the type's name
	if i >= 2 && toks[i-1].IsOp(".") {
		first = i - 2
	}
	f := registered[strings.ToLower(toks[i].Text)]
	switch {
	case first > 0 && toks[first-1].IsOp("::"):
		start := operand(toks, first-2)
		if start < 0 {
			return false
		}
		name := f[1]
		if constant(toks[start]) && start == first-2 || toOID(toks, i+1) {
			name = f[0]
		}
		// Of calls that begin at one place the later is the outer one.
		call := syntax.Edit{Pos: toks[start].Pos, End: toks[start].Pos, Text: name + "("}
		*edits = append([]syntax.Edit{call}, append(*edits, syntax.Edit{Pos: toks[first-1].Pos, End: toks[i].End, Text: ")"})...)
		return true
	case first > 0 && toks[first-1].Is("AS") && toks[i+1].IsOp(")"):
		open := opening(toks, i+1)
		if open < 1 || !toks[open-1].Is("CAST") {
			return false
		}
		name := f[1]
		if constant(toks[open+1]) && open+2 == first-1 || toOID(toks, i+2) {
			name = f[0]
		}
		*edits = append(*edits, syntax.Edit{Pos: toks[open-1].Pos, End: toks[open-1].End, Text: name},
			syntax.Edit{Pos: toks[first-1].Pos, End: toks[i].End})
		return true
	}
	return false
}

// toOID reports whether what ends before token i is cast to an id next.
func toOID(toks []syntax.Token, i int) bool {
	if i+1 >= len(toks) || !toks[i].IsOp("::") && !toks[i].Is("AS") {
		return false
	}
	if toks[i+1].Is("pg_catalog") && i+3 < len(toks) {
		i += 2
	}
	return toks[i+1].Is("oid") || toks[i+1].Is("int") || toks[i+1].Is("int8") || toks[i+1].Is("bigint")
}

func constant(t syntax.Token) bool { return t.Kind == syntax.String || t.Kind == syntax.Param }

// operand gives the first token of the operand that ends at token i, -1 where
// that can't be told.
func operand(toks []syntax.Token, i int) int {
	for i >= 0 {
		switch t := toks[i]; {
		case t.IsOp(")") || t.IsOp("]"):
			if i = opening(toks, i); i < 0 {
				return -1
			}
			if i > 0 && (toks[i-1].IsName() && !isKeyword(toks[i-1]) || toks[i].IsOp("[")) {
				i-- // a call's name, or what is indexed
				if toks[i].IsOp(")") || toks[i].IsOp("]") {
					continue
				}
			}
		case t.IsName(), t.Kind == syntax.String, t.Kind == syntax.Number, t.Kind == syntax.Param:
		default:
			return -1
		}
		for i >= 2 && toks[i-1].IsOp(".") {
			i -= 2
		}
		if i >= 2 && toks[i-1].IsOp("::") { // a cast of a cast
			i -= 2
			continue
		}
		return i
	}
	return -1
}

func isKeyword(t syntax.Token) bool {
	switch strings.ToUpper(t.Text) {
	case "SELECT", "WHERE", "AND", "OR", "NOT", "IN", "ON", "THEN", "ELSE", "WHEN", "CASE", "BY", "AS", "FROM", "ANY", "ALL":
		return t.Kind == syntax.Name
	}
	return false
}

// opening finds the bracket that the one at token i closes.
func opening(toks []syntax.Token, i int) int {
	depth := 0
	for ; i >= 0; i-- {
		switch t := toks[i]; {
		case t.IsOp(")"), t.IsOp("]"):
			depth++
		case t.IsOp("("), t.IsOp("["):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// here moves an error's place into what the client wrote.
func here(err error, text syntax.Rewritten) error {
	var e *sqlerr.Error
	if !errors.As(err, &e) || e.Position == 0 {
		return err
	}
	e.Position = text.Offset(e.Position-1) + 1
	e.Statement = text.Original
	return e
}
