package session

import (
	"slices"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/sandbox"
)

// What was read is offered again, for the columns of the table and of those
// that are listed under it. Offering makes no call.
func TestKnown(t *testing.T) {
	t.Parallel()
	box := sandbox.NewServer(sandbox.Options{World: costWorld()})
	t.Cleanup(box.Close)
	settings := Settings{}
	if err := settings.Put("cache", "60s"); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), Options{Settings: settings, Cloud: cloudcontrol.Options{Endpoint: box.URL, Region: "us-east-1",
		Static: &cloudcontrol.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	known := func(table, column string, want ...string) {
		t.Helper()
		e, _, ok := s.Catalog().Lookup("connect", table)
		if !ok {
			t.Fatalf("no table %s", table)
		}
		tab, err := s.Catalog().Table(e.Type)
		if err != nil {
			t.Fatal(err)
		}
		i, ok := tab.Column(column)
		if !ok {
			t.Fatalf("no column %s", column)
		}
		if got := s.Known(tab, i, 3); !slices.Equal(got, want) {
			t.Errorf("%s.%s: %q, want %q", table, column, got, want)
		}
	}
	known("users", "instance_arn")
	err = s.Run(t.Context(), "SELECT username FROM aws.connect.users WHERE instance_arn LIKE '%/1'", nil)
	if err != nil {
		t.Fatal(err)
	}
	box.ResetCalls()
	arn := "arn:aws:connect:us-east-1:" + accountA + ":instance/"
	known("users", "instance_arn", arn+"0", arn+"1")
	known("routing_profiles", "instance_arn", arn+"0", arn+"1") // of the instances that were listed
	known("users", "username", "u0", "u1", "u2")                // and no more than asked for
	known("users", "region", "us-east-1")
	known("users", "account_id", accountA)
	known("users", "tags")
	known("hours_of_operations", "name")
	if calls := box.Calls(); len(calls) > 0 {
		t.Errorf("calls %v", calls)
	}
	link, err := s.Link(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if account, err := link.Account(t.Context()); err != nil || account != accountA || link.Region() != "us-east-1" || link.Endpoint() != box.URL {
		t.Errorf("account %q in %q at %q, %v", account, link.Region(), link.Endpoint(), err)
	}
}

// Words are asked of DuckDB itself; the user's tables are offered once there are any.
func TestWords(t *testing.T) {
	t.Parallel()
	s, err := New(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	functions, err := s.Functions(t.Context())
	if err != nil || !slices.Contains(functions, "json_extract") || !slices.Contains(functions, "tag") || strings.Contains(strings.Join(functions, ""), "%") {
		t.Errorf("functions %.200q, %v", functions, err)
	}
	reserved, others, err := s.Keywords(t.Context())
	if err != nil || !slices.Contains(reserved, "SELECT") || !slices.Contains(others, "VALUES") && !slices.Contains(others, "BEGIN") {
		t.Errorf("keywords %.100q, %.100q, %v", reserved, others, err)
	}
	if names, err := s.EngineSettings(t.Context()); err != nil || !slices.Contains(names, "threads") {
		t.Errorf("settings %.100q, %v", names, err)
	}
	for _, sql := range []string{"CREATE TABLE a (x INTEGER, y VARCHAR)", "CREATE SCHEMA s", "CREATE VIEW s.v AS SELECT 1 AS one"} {
		if err := s.Run(t.Context(), sql, nil); err != nil {
			t.Fatal(err)
		}
	}
	locals, err := s.Locals(t.Context())
	if err != nil || !slices.Equal(locals["a"], []string{"x", "y"}) || !slices.Equal(locals["s.v"], []string{"one"}) || len(locals) != 2 {
		t.Errorf("locals %v, %v", locals, err)
	}
	if s.Service() != "" || s.Catalog() != catalog.Embedded().WithCloudControl() || SettingHint("cache") == "" || SettingHint("nope") != "" {
		t.Error("service, catalog or hints")
	}
}
