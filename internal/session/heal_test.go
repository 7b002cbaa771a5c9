package session

import (
	"context"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/sandbox"
	"github.com/skyql/skyql/internal/sqlerr"
)

// fault is a statement that ends DuckDB's instance: it prints a broken tree.
const fault = `SELECT json_deserialize_sql(x) FROM (VALUES ('{"error":false,"statements":[{"node":{"type":"SELECT_NODE","modifiers":[],"cte_map":{"map":[]},` +
	`"select_list":[{"class":"CONJUNCTION","type":"CONJUNCTION_AND","alias":"","query_location":7,"children":[]}],"from_table":{"type":"EMPTY","alias":"","sample":null,"query_location":0},` +
	`"where_clause":null,"group_expressions":[],"group_sets":[],"aggregate_handling":"STANDARD_HANDLING","having":null,"sample":null,"qualify":null},"named_param_map":[]}]}')) t(x)`

// A fault of DuckDB's own ends a statement, and not the session.
func TestHeal(t *testing.T) {
	t.Parallel()
	c := newWriter(t, sandbox.Options{}, Changes{Show: func(*change.Set) {}})
	var said []string
	c.sess.options.Notify = func(text string) { said = append(said, text) }
	run := func(script string) (rows [][]any, err error) {
		err = c.sess.Run(t.Context(), script, func(_ context.Context, r Result) error {
			for r.Rows != nil && r.Rows.Next() {
				rows = append(rows, append([]any(nil), r.Rows.Values()...))
			}
			if r.Rows != nil {
				return r.Rows.Err()
			}
			return nil
		})
		return rows, err
	}
	if _, err := run("SET TimeZone = 'Europe/Berlin'; CREATE TABLE mine AS SELECT 1; BEGIN; INSERT INTO aws.sqs.queues (queue_name) VALUES ('one')"); err != nil {
		t.Fatal(err)
	}
	said = nil
	_, err := run(fault)
	if e := sqlerr.From(err); e.Code != sqlerr.Internal || strings.Contains(e.Format(), "0x") {
		t.Errorf("got %s", e.Format())
	}
	if len(said) != 1 || !strings.Contains(said[0], "started again; tables, views and macros") {
		t.Errorf("said %q", said)
	}
	rows, err := run("SELECT TIMESTAMPTZ '2026-01-02 03:04:05+00'::VARCHAR, count(*) FROM aws.sqs.queues WHERE queue_name = 'one'")
	if err != nil || len(rows) != 1 || rows[0][0] != "2026-01-02 04:04:05+01" || rows[0][1] != int64(1) {
		t.Errorf("%v %v", rows, err)
	}
	if _, err := run("FROM mine"); sqlerr.From(err).Code != sqlerr.UndefinedTable {
		t.Errorf("got %v", err)
	}
	if got := c.writes("COMMIT"); !strings.HasSuffix(got, "Create 1") {
		t.Errorf("got %s", got)
	}
}
