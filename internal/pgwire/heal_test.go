package pgwire

import (
	"context"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/session"
)

// fault is a statement that ends DuckDB's instance: it prints a broken tree.
// Confined sessions refuse it.
const fault = `SELECT json_deserialize_sql(x) FROM (VALUES ('{"error":false,"statements":[{"node":{"type":"SELECT_NODE","modifiers":[],"cte_map":{"map":[]},` +
	`"select_list":[{"class":"CONJUNCTION","type":"CONJUNCTION_AND","alias":"","query_location":7,"children":[]}],"from_table":{"type":"EMPTY","alias":"","sample":null,"query_location":0},` +
	`"where_clause":null,"group_expressions":[],"group_sets":[],"aggregate_handling":"STANDARD_HANDLING","having":null,"sample":null,"qualify":null},"named_param_map":[]}]}')) t(x)`

// A fault of DuckDB's own ends a statement, and neither the session nor another.
func TestHeal(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *Options) {
		o.Open = func(ctx context.Context, h Hooks) (*session.Session, error) {
			return session.New(ctx, session.Options{Notify: h.Notify})
		}
	})
	p, other := talker{s.dial(t)}, talker{s.dial(t)}
	p.says("SET TimeZone = 'Europe/Berlin'")
	got := p.says("BEGIN; " + fault)
	if !strings.Contains(got, "NOTICE DuckDB has ended itself after a fault of its own, and was started again\nERROR XX000 ") || strings.Contains(got, "0x") || !strings.HasSuffix(got, "\nE") {
		t.Error(got)
	}
	if got := p.says("ROLLBACK; SHOW TimeZone; SELECT TIMESTAMPTZ '2026-01-02 03:04:05+00'::VARCHAR AS at"); got != "ROLLBACK\nTimeZone\nEurope/Berlin\nSHOW\nat\n2026-01-02 04:04:05+01\nSELECT 1\nI" {
		t.Error(got)
	}
	if got := other.says("SELECT 1 AS one"); got != "one\n1\nSELECT 1\nI" {
		t.Error(got)
	}
	q := talker{serve(t, nil).dial(t)}
	if got := q.says(fault); !strings.HasPrefix(got, "ERROR 42501 function json_deserialize_sql can't be used here") {
		t.Error(got)
	}
}
