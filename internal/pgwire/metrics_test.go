package pgwire

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	m.Call("GetResource", "us-east-1", "ok", false, false)
	m.Call("ListResources", "us-east-1", "ok", false, false)
	m.Call("ListResources", "us-east-1", "ThrottlingException", true, true)
	m.sessions(2)
	m.sent(3)
	m.refused()
	m.statement("ok", 20*time.Millisecond)
	m.statement("42P01", 2*time.Second)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	var got []string
	for line := range strings.Lines(w.Body.String()) {
		if !strings.HasPrefix(line, "# HELP") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := strings.Split(`# TYPE skyql_sessions gauge
skyql_sessions 2
# TYPE skyql_rows counter
skyql_rows_total 3
# TYPE skyql_authentication_failures counter
skyql_authentication_failures_total 1
# TYPE skyql_calls counter
skyql_calls_total{operation="GetResource",region="us-east-1",outcome="ok"} 1
skyql_calls_total{operation="ListResources",region="us-east-1",outcome="ThrottlingException"} 1
skyql_calls_total{operation="ListResources",region="us-east-1",outcome="ok"} 1
# TYPE skyql_retries counter
skyql_retries_total{operation="ListResources",region="us-east-1"} 1
# TYPE skyql_throttled counter
skyql_throttled_total{operation="ListResources",region="us-east-1"} 1
# TYPE skyql_statement_seconds histogram
skyql_statement_seconds_bucket{outcome="42P01",le="0.01"} 0
skyql_statement_seconds_bucket{outcome="42P01",le="0.1"} 0
skyql_statement_seconds_bucket{outcome="42P01",le="1.0"} 0
skyql_statement_seconds_bucket{outcome="42P01",le="10.0"} 1
skyql_statement_seconds_bucket{outcome="42P01",le="60.0"} 1
skyql_statement_seconds_bucket{outcome="42P01",le="300.0"} 1
skyql_statement_seconds_bucket{outcome="42P01",le="+Inf"} 1
skyql_statement_seconds_count{outcome="42P01"} 1
skyql_statement_seconds_sum{outcome="42P01"} 2
skyql_statement_seconds_bucket{outcome="ok",le="0.01"} 0
skyql_statement_seconds_bucket{outcome="ok",le="0.1"} 1
skyql_statement_seconds_bucket{outcome="ok",le="1.0"} 1
skyql_statement_seconds_bucket{outcome="ok",le="10.0"} 1
skyql_statement_seconds_bucket{outcome="ok",le="60.0"} 1
skyql_statement_seconds_bucket{outcome="ok",le="300.0"} 1
skyql_statement_seconds_bucket{outcome="ok",le="+Inf"} 1
skyql_statement_seconds_count{outcome="ok"} 1
skyql_statement_seconds_sum{outcome="ok"} 0.02
# EOF`, "\n")
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	w = httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
	if w.Code != 200 || w.Body.String() != "ok\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// What clients do is counted.
func TestCounted(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	c := s.client(t)
	all(t, c, "FROM range(7)")
	c.Exec(t.Context(), "SELECT nope")
	got := s.options.Metrics.String()
	for _, want := range []string{"skyql_sessions 1\n", "skyql_rows_total 7\n", `skyql_statement_seconds_count{outcome="ok"} 1`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
}
