package pgcatalog

import (
	"testing"

	"github.com/skyql/skyql/internal/catalog"
)

// fault is a statement that ends DuckDB's instance: it prints a broken tree. No
// client may run it.
const fault = `SELECT json_deserialize_sql(x) FROM (VALUES ('{"error":false,"statements":[{"node":{"type":"SELECT_NODE","modifiers":[],"cte_map":{"map":[]},` +
	`"select_list":[{"class":"CONJUNCTION","type":"CONJUNCTION_AND","alias":"","query_location":7,"children":[]}],"from_table":{"type":"EMPTY","alias":"","sample":null,"query_location":0},` +
	`"where_clause":null,"group_expressions":[],"group_sets":[],"aggregate_handling":"STANDARD_HANDLING","having":null,"sample":null,"qualify":null},"named_param_map":[]}]}')) t(x)`

// When DuckDB gives up the shared instance, clients get another one.
func TestHeal(t *testing.T) {
	t.Parallel()
	c := New(nil, func(*catalog.Table, catalog.Column) string { return "" })
	defer c.Close()
	client := Client{Settings: func() map[string]string { return map[string]string{"TimeZone": "UTC"} }}
	a, b := c.Connect(client), c.Connect(client)
	defer a.Close()
	defer b.Close()
	const question = "SELECT count(*) FROM pg_class WHERE relname = 'vpcs'"
	for _, conn := range []*Conn{a, b} {
		if got := answer(t.Context(), conn, question); got != "1" {
			t.Fatal(got)
		}
	}
	if got := answer(t.Context(), a, "SELECT json_deserialize_sql('{}') FROM pg_class"); got != "error: function json_deserialize_sql can't be used here" {
		t.Error(got)
	}
	_, err := a.db.Strings(t.Context(), fault)
	a.db.Note(err)
	if err == nil || !a.db.Dead() {
		t.Fatalf("the instance lives: %v", err)
	}
	for _, conn := range []*Conn{a, b, a} {
		if got := answer(t.Context(), conn, question); got != "1" {
			t.Error(got)
		}
	}
}
