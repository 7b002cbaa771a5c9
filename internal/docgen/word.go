package docgen

import (
	"regexp"
	"strings"
)

// reserved are DuckDB's words that name nothing unless quoted
// (duckdb_keywords(), categories reserved, type_function and column_name).
var reserved = set(`all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create default deferrable
	desc describe distinct do else end except false fetch for foreign from grant group having in initially intersect into lambda lateral leading limit
	not null offset on only or order pivot pivot_longer pivot_wider placing primary qualify references returning select show some summarize
	symmetric table then to trailing true union unique unpivot using variadic when where window with
	anti asof at authorization binary collation concurrently cross freeze full generated glob ilike inner is isnull join left like map natural
	notnull outer overlaps positional right semi similar struct tablesample try_cast verbose
	between bigint bit boolean char character coalesce columns dec decimal exists extract float grouping_id inout int integer interval
	national nchar none nullif numeric out overlay position precision real row setof smallint substring time timestamp treat trim values varchar
	xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
	unpack grouping recursive`)

func set(words string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(words) {
		out[w] = true
	}
	return out
}

var simple = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// word writes a name as SQL takes it, quoted only where it must be.
func word(name string) string {
	if simple.MatchString(name) && !reserved[name] {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
