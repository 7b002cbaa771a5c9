package engine

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// Positional sets what $1, $2 … stand for in the texts that follow, until it is
// called again. A value is nil for NULL, a bool, int64, float64, time.Time,
// []byte, or a string, which is whatever it is compared with, as a literal is.
func (e *DB) Positional(values []any) { e.positional = values }

// bound gives a text and its values as the driver takes them. The driver wants
// numbers without gaps, and a part of a statement may mention $2 alone: numbers
// are made smaller in place, so that every offset stays.
func (e *DB) bound(text string, args map[string]string) (string, []any) {
	if len(e.positional) == 0 {
		return text, named(text, args)
	}
	var used []int // the values in order of the text's new numbers
	place := map[int]int{}
	out := []byte(text)
	for _, t := range syntax.Lex(text) {
		n, ok := number(t)
		if !ok || n > len(e.positional) {
			continue
		}
		if place[n] == 0 {
			used = append(used, n)
			place[n] = len(used)
		}
		copy(out[t.Pos:t.End], fmt.Sprintf("%-*s", t.End-t.Pos, "$"+strconv.Itoa(place[n])))
	}
	if len(used) == 0 { // a text of ours, run for a statement that has some
		return text, named(text, args)
	}
	values := make([]any, len(used))
	for i, n := range used {
		values[i] = e.positional[n-1]
	}
	return string(out), values
}

// Typed gives a moment that is a DATE, a TIMESTAMP or a TIMESTAMP WITH TIME
// ZONE, which a Go time alone doesn't say.
func Typed(t time.Time, typ string) any {
	switch typ {
	case "DATE":
		return duckdb.Typed(t, duckdb.TYPE_DATE)
	case "TIMESTAMP":
		return duckdb.Typed(t, duckdb.TYPE_TIMESTAMP)
	}
	return duckdb.Typed(t, duckdb.TYPE_TIMESTAMP_TZ)
}

// number reads $1.
func number(t syntax.Token) (int, bool) {
	if t.Kind != syntax.Param || !strings.HasPrefix(t.Text, "$") {
		return 0, false
	}
	n, err := strconv.Atoi(t.Text[1:])
	return n, err == nil && n > 0
}

// MaxParams is how many positional parameters a statement may have: what a
// 16-bit count on the wire can say.
const MaxParams = 65535

// A Signature is what a statement takes and gives. Types are as DuckDB writes
// them, "" for a parameter whose type the statement leaves open.
type Signature struct {
	Params  []string
	Columns []Column
}

// openTypes are the types that are tried for parameters whose type a statement leaves
// open, in this order: text, which becomes whatever it is used as, then what
// arithmetic and functions of times take.
var openTypes = []string{"", "BIGINT", "TIMESTAMP"}

// Sign binds a SELECT-like statement without running it. types are those of
// parameters that are known already, "" for the rest.
func (e *DB) Sign(ctx context.Context, text string, types []string) (Signature, error) {
	params, err := e.params(ctx, text, types)
	if err != nil {
		return Signature{}, err
	}
	defer e.Positional(e.positional)
	var first error
	for _, typ := range openTypes {
		tried := slices.Clone(params)
		e.positional = make([]any, len(params))
		for i, t := range params {
			if t == "" {
				tried[i] = typ
			}
			e.positional[i] = sample(tried[i])
		}
		cols, err := e.Describe(ctx, text, nil)
		if err == nil {
			return Signature{tried, cols}, nil
		}
		if first == nil {
			first = err
		}
		if !slices.Contains(params, "") {
			break
		}
	}
	return Signature{Params: params}, first
}

// Takes gives the types of the parameters of a statement that writes, without
// running it. bound is the text as it can be bound, "" where it can't; whole is
// all of it, which may mention more. Types that are left open are "".
func (e *DB) Takes(ctx context.Context, bound, whole string, types []string) ([]string, error) {
	known := slices.Clone(types)
	open := map[int]bool{}
	for _, t := range syntax.Lex(bound) {
		if n, ok := number(t); ok {
			open[n] = true
		}
	}
	toks := syntax.Lex(whole)
	for i, t := range toks {
		n, ok := number(t)
		if !ok || n > MaxParams {
			continue
		}
		known = append(known, make([]string, max(0, n-len(known)))...)
		if known[n-1] == "" && !open[n] { // only RETURNING has it
			known[n-1] = cmp.Or(hint(toks, i), "VARCHAR")
		}
	}
	if bound == "" {
		return known, nil
	}
	return e.params(ctx, bound, known)
}

// Samples sets some value for each parameter of types, to bind texts with.
func (e *DB) Samples(types []string) {
	e.positional = make([]any, len(types))
	for i, t := range types {
		e.positional[i] = sample(t)
	}
}

// params finds the types of $1, $2 …
func (e *DB) params(ctx context.Context, text string, types []string) ([]string, error) {
	most := len(types)
	seen, hints := map[int]bool{}, map[int]string{}
	toks := syntax.Lex(text)
	for i, t := range toks {
		n, ok := number(t)
		if !ok {
			continue
		}
		if n > MaxParams {
			continue // DuckDB says that it has no value
		}
		most = max(most, n)
		seen[n] = true
		if h := hint(toks, i); h != "" {
			hints[n] = h
		}
	}
	out := make([]string, most)
	copy(out, types)
	for i := range out {
		if !seen[i+1] && out[i] == "" {
			return nil, sqlerr.New("42P18", "could not determine data type of parameter $%d: the statement does not mention it", i+1)
		}
	}
	if len(seen) == 0 {
		return out, nil
	}
	e.positional = make([]any, most)
	dense, order := e.dense(text)
	err := e.conn.Raw(func(c any) error {
		st, err := c.(driver.ConnPrepareContext).PrepareContext(ctx, dense)
		if err != nil {
			return wrap(err, text, 0)
		}
		defer st.Close()
		s := st.(*duckdb.Stmt)
		for i := range min(s.NumInput(), len(order)) {
			if t, err := s.ParamType(i + 1); err == nil && out[order[i]-1] == "" {
				out[order[i]-1] = typeNames[t]
			}
		}
		return nil
	})
	e.positional = nil
	for i := range out {
		if out[i] == "" {
			out[i] = hints[i+1]
		}
	}
	return out, err
}

// hint gives the type of a parameter that DuckDB leaves open and that its place
// tells: x = ANY($1) is a list, x + $1 a number, and $1::BIGINT says so itself.
func hint(toks []syntax.Token, i int) string {
	if i+3 < len(toks) && toks[i+1].IsOp("::") && !toks[i+3].IsOp("[") && !toks[i+3].IsOp("(") {
		return castTypes[strings.ToUpper(toks[i+2].Text)]
	}
	if i > 1 && toks[i-1].IsOp("(") && (toks[i-2].Is("ANY") || toks[i-2].Is("ALL") || toks[i-2].Is("SOME")) {
		return "VARCHAR[]"
	}
	arithmetic := func(t syntax.Token) bool {
		return t.IsOp("+") || t.IsOp("-") || t.IsOp("*") || t.IsOp("/") || t.IsOp("%")
	}
	if next := toks[i+1]; !next.IsOp("::") && (arithmetic(next) || i > 0 && arithmetic(toks[i-1])) {
		return "DECIMAL"
	}
	return ""
}

// dense gives a text with its parameters renumbered, and their old numbers.
func (e *DB) dense(text string) (string, []int) {
	for i := range e.positional {
		e.positional[i] = i + 1
	}
	out, values := e.bound(text, nil)
	order := make([]int, len(values))
	for i, v := range values {
		order[i] = v.(int)
	}
	return out, order
}

// castTypes are the types that a parameter may be cast to, by the words for them.
var castTypes = map[string]string{"BOOLEAN": "BOOLEAN", "BOOL": "BOOLEAN", "BIGINT": "BIGINT", "INTEGER": "BIGINT", "INT": "BIGINT", "INT4": "BIGINT", "INT8": "BIGINT", "SMALLINT": "BIGINT",
	"DOUBLE": "DOUBLE", "FLOAT8": "DOUBLE", "VARCHAR": "VARCHAR", "TEXT": "VARCHAR", "JSON": "VARCHAR", "DATE": "DATE", "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}

// typeNames are the types that a parameter may have; the others are left open.
var typeNames = map[duckdb.Type]string{
	duckdb.TYPE_BOOLEAN: "BOOLEAN", duckdb.TYPE_TINYINT: "BIGINT", duckdb.TYPE_SMALLINT: "BIGINT", duckdb.TYPE_INTEGER: "BIGINT", duckdb.TYPE_BIGINT: "BIGINT",
	duckdb.TYPE_UTINYINT: "BIGINT", duckdb.TYPE_USMALLINT: "BIGINT", duckdb.TYPE_UINTEGER: "BIGINT", duckdb.TYPE_UBIGINT: "DECIMAL", duckdb.TYPE_HUGEINT: "DECIMAL",
	duckdb.TYPE_FLOAT: "DOUBLE", duckdb.TYPE_DOUBLE: "DOUBLE", duckdb.TYPE_DECIMAL: "DECIMAL", duckdb.TYPE_VARCHAR: "VARCHAR",
	duckdb.TYPE_DATE: "DATE", duckdb.TYPE_TIME: "TIME", duckdb.TYPE_TIMESTAMP: "TIMESTAMP", duckdb.TYPE_TIMESTAMP_TZ: "TIMESTAMP WITH TIME ZONE",
	duckdb.TYPE_INTERVAL: "INTERVAL", duckdb.TYPE_UUID: "UUID", duckdb.TYPE_BLOB: "BLOB",
}

// sample gives some value of a type, to bind a statement with.
func sample(t string) any {
	switch t {
	case "BIGINT":
		return int64(0)
	case "DOUBLE":
		return float64(0)
	case "BOOLEAN":
		return false
	case "DECIMAL":
		return 0.5
	case "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE":
		return Typed(time.Unix(0, 0).UTC(), t)
	case "BLOB":
		return []byte{}
	case "TIME":
		return "00:00:00"
	case "INTERVAL":
		return "0 days"
	case "UUID":
		return "00000000-0000-0000-0000-000000000000"
	case "VARCHAR[]":
		return []string{}
	case "BIGINT[]":
		return []int64{}
	case "DOUBLE[]":
		return []float64{}
	case "BOOLEAN[]":
		return []bool{}
	}
	return ""
}
