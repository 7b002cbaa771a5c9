package engine

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
)

// A LocalTable is a table or view of DuckDB's own.
type LocalTable struct {
	Columns []string
	View    string // a view's query; empty for a table
}

// HasSchema reports whether there is a schema or database by that name.
func (e *DB) HasSchema(ctx context.Context, name string) (bool, error) {
	got, err := e.Strings(ctx, `SELECT schema_name FROM duckdb_schemas() WHERE NOT internal AND lower(schema_name) = lower($1) AND database_name <> 'aws'
		UNION ALL SELECT database_name FROM duckdb_databases() WHERE NOT internal AND lower(database_name) = lower($1) AND database_name <> 'aws'`, name)
	return len(got) > 0, err
}

// Local finds a table or view by name; catalog and schema may be empty.
func (e *DB) Local(ctx context.Context, cat, schema, name string) (LocalTable, bool, error) {
	where := fmt.Sprintf("lower(table_name) = lower(%s) AND database_name <> 'aws'", literal(name))
	if schema != "" {
		where += fmt.Sprintf(" AND lower(%s) IN (lower(schema_name), lower(database_name))", literal(schema))
	}
	if cat != "" {
		where += fmt.Sprintf(" AND lower(database_name) = lower(%s)", literal(cat))
	}
	cols, err := e.Strings(ctx, "SELECT column_name FROM duckdb_columns() WHERE "+where+" ORDER BY database_name = 'temp' DESC, column_index")
	if err != nil || len(cols) == 0 {
		return LocalTable{}, false, err
	}
	views, err := e.Strings(ctx, "SELECT sql FROM duckdb_views() WHERE NOT internal AND "+strings.ReplaceAll(where, "table_name", "view_name"))
	if err != nil || len(views) == 0 {
		return LocalTable{Columns: cols}, true, err
	}
	query, err := viewQuery(views[0])
	return LocalTable{Columns: cols, View: query}, true, err
}

// viewQuery cuts the query out of CREATE VIEW name (columns) AS query;
func viewQuery(text string) (string, error) {
	i := strings.Index(text, " AS ")
	if i < 0 {
		return "", fmt.Errorf("engine: no query in view %q", text)
	}
	return strings.TrimSuffix(strings.TrimSpace(text[i+4:]), ";"), nil
}

// A Macro is one that the user made; Body is a SELECT statement.
type Macro struct {
	Params []string
	Body   string
}

// Macro gives the last definition of a macro.
func (e *DB) Macro(ctx context.Context, name string) (Macro, error) {
	var params, body sql.NullString
	var kind string
	err := e.conn.QueryRowContext(ctx, `SELECT array_to_string(parameters, ','), macro_definition, function_type FROM duckdb_functions()
		WHERE NOT internal AND lower(function_name) = lower($1) AND macro_definition IS NOT NULL LIMIT 1`, name).Scan(&params, &body, &kind)
	if err != nil {
		return Macro{}, wrap(err, "", 0)
	}
	m := Macro{Params: strings.Split(params.String, ","), Body: body.String}
	if kind == "macro" {
		m.Body = "SELECT " + m.Body
	}
	return m, nil
}

// Scalar reports whether every function is a scalar one of DuckDB's own that
// gives the same for the same arguments, always.
func (e *DB) Scalar(ctx context.Context, functions []string) bool {
	return e.stable(ctx, functions, map[string]bool{"scalar": true})
}

// Pure reports whether every function is Scalar, one of steady, or reads a file.
func (e *DB) Pure(ctx context.Context, functions []string) bool {
	return e.stable(ctx, functions, map[string]bool{"scalar": true, "aggregate": true, "table": true})
}

// readers are the table functions that give the same while a statement runs.
var readers = map[string]bool{"read_csv": true, "read_csv_auto": true, "read_json": true, "read_json_auto": true, "read_ndjson": true, "read_parquet": true,
	"parquet_scan": true, "range": true, "generate_series": true, "unnest": true, "read_text": true}

// steady are the aggregates that give the same in whichever order rows come,
// which is not told of any: first(), list() and max_by() don't, nor do sum() and
// avg() of floating-point numbers, in their last digits.
var steady = map[string]bool{"count": true, "count_star": true, "count_if": true, "countif": true, "min": true, "max": true, "median": true, "bool_and": true, "bool_or": true}

func (e *DB) stable(ctx context.Context, functions []string, kinds map[string]bool) bool {
	for _, f := range functions {
		got, ok := e.functions[f]
		if !ok {
			var err error
			got, err = e.Strings(ctx, "SELECT DISTINCT function_type || ' ' || coalesce(stability, '') FROM duckdb_functions() WHERE function_name = $1", f)
			if err != nil {
				return false
			}
			if len(got) > 0 && !slices.ContainsFunc(got, func(k string) bool { return strings.Contains(k, "macro") }) {
				if e.functions == nil {
					e.functions = map[string][]string{}
				}
				e.functions[f] = got // only DuckDB's own: the user may make others
			}
		}
		fits := len(got) > 0
		for _, k := range got {
			kind, stability, _ := strings.Cut(k, " ")
			switch {
			case kind == "table":
				fits = fits && (kinds["table"] && readers[f] || len(got) > 1)
			default:
				fits = fits && kinds[kind] && stability == "CONSISTENT" && (kind != "aggregate" || steady[f])
			}
		}
		if !fits {
			return false
		}
	}
	return true
}

// Collates reports whether a query may give text that compares by a collation:
// if COLLATE stands in it, or in any table or view of the user's. DuckDB
// doesn't tell a column's collation.
func (e *DB) Collates(ctx context.Context, query string) bool {
	if strings.Contains(strings.ToUpper(query), "COLLATE") {
		return true
	}
	got, err := e.Strings(ctx, `SELECT 1::VARCHAR FROM (SELECT sql FROM duckdb_tables() WHERE NOT internal AND database_name <> 'aws' UNION ALL SELECT sql FROM duckdb_views() WHERE NOT internal) WHERE upper(sql) LIKE '%COLLATE%' LIMIT 1`)
	return err != nil || len(got) > 0
}

// Fold computes a SELECT of one constant expression. ok is false if one of its
// functions may give another value at another time, or if it is not text.
func (e *DB) Fold(ctx context.Context, text string, functions []string) (value string, null, ok bool) {
	if !e.Scalar(ctx, functions) {
		return "", false, false
	}
	var v sql.NullString
	var t string
	err := e.conn.QueryRowContext(ctx, "SELECT v::VARCHAR, typeof(v) FROM ("+text+") AS t(v)").Scan(&v, &t)
	if err != nil {
		return "", false, false
	}
	return v.String, !v.Valid, t == "VARCHAR" || !v.Valid
}

// Texts runs a query and gives its rows as texts, without those that hold a
// NULL; ok is false if there are more than a number of them.
func (e *DB) Texts(ctx context.Context, text string, args map[string]string, most int) (out [][]string, ok bool, err error) {
	text, values := e.bound(text, args)
	rows, err := e.conn.QueryContext(ctx, text, values...)
	if err != nil {
		return nil, false, wrap(err, text, 0)
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return nil, false, err
	}
	row := make([]sql.NullString, len(cols))
	into := make([]any, len(cols))
	for i := range row {
		into[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, false, err
		}
		if len(out) == most {
			return nil, false, nil
		}
		values := make([]string, len(row))
		whole := true
		for i, v := range row {
			values[i], whole = v.String, whole && v.Valid
		}
		if whole {
			out = append(out, values)
		}
	}
	return out, true, wrap(rows.Err(), text, 0)
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Misfit gives a value at a place inside a JSON column that is not of a type,
// or "" if all are.
func (e *DB) Misfit(ctx context.Context, table, column, pointer string, t catalog.ColumnType) (string, error) {
	c, at := Quote(column), literal(pointer)
	var wrong string
	switch _, list := t.Elem(); {
	case t == catalog.Varchar:
		wrong = "json_type(j) IN ('OBJECT', 'ARRAY')"
	case list:
		wrong = "json_type(j) <> 'ARRAY' OR TRY_CAST(j AS " + t.String() + ") IS NULL"
	case t == catalog.Double:
		wrong = "TRY_CAST(j->>'$' AS DOUBLE) IS NULL OR TRY_CAST(j->>'$' AS DECIMAL(38,10)) IS DISTINCT FROM TRY_CAST(TRY_CAST(j->>'$' AS DOUBLE)::VARCHAR AS DECIMAL(38,10))"
	default:
		wrong = "CAST(TRY_CAST(j->>'$' AS " + t.String() + ") AS VARCHAR) IS DISTINCT FROM j->>'$'"
	}
	got, err := e.Strings(ctx, "SELECT CAST(j AS VARCHAR) FROM (SELECT "+c+" -> "+at+" AS j FROM "+table+") WHERE j IS NOT NULL AND json_type(j) <> 'NULL' AND ("+wrong+") LIMIT 1")
	if err != nil || len(got) == 0 {
		return "", err
	}
	return got[0], nil
}
