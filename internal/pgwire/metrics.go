package pgwire

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Metrics counts what a server does, and writes it as OpenMetrics text. A nil
// one counts nothing. It is safe for concurrent use.
type Metrics struct {
	mu         sync.Mutex // guards the rest
	open       int
	rows       uint64
	refusals   uint64
	statements map[string]*histogram // by outcome: ok, or an SQLSTATE class
	calls      map[[3]string]uint64  // by operation, region and outcome
	retries    map[[2]string]uint64  // by operation and region
	throttled  map[[2]string]uint64
}

// A histogram is how long statements took, in seconds.
type histogram struct {
	buckets []uint64
	count   uint64
	sum     float64
}

var bounds = []float64{0.01, 0.1, 1, 10, 60, 300}

// NewMetrics makes an empty one.
func NewMetrics() *Metrics {
	return &Metrics{statements: map[string]*histogram{}, calls: map[[3]string]uint64{}, retries: map[[2]string]uint64{}, throttled: map[[2]string]uint64{}}
}

// Call counts one call to Cloud Control. Outcome is ok or an error's code.
func (m *Metrics) Call(operation, region, outcome string, throttled, retry bool) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[[3]string{operation, region, outcome}]++
	if throttled {
		m.throttled[[2]string{operation, region}]++
	}
	if retry {
		m.retries[[2]string{operation, region}]++
	}
}

func (m *Metrics) sessions(n int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open += n
}

func (m *Metrics) refused() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refusals++
}

func (m *Metrics) sent(rows int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows += uint64(rows)
}

func (m *Metrics) statement(outcome string, took time.Duration) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.statements[outcome]
	if h == nil {
		h = &histogram{buckets: make([]uint64, len(bounds))}
		m.statements[outcome] = h
	}
	s := took.Seconds()
	for i, b := range bounds {
		if s <= b {
			h.buckets[i]++
		}
	}
	h.count++
	h.sum += s
}

// Handler serves /healthz and /metrics.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
		io.WriteString(w, m.String())
	})
	return mux
}

// String writes everything as OpenMetrics text, sorted.
func (m *Metrics) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	head := func(name, kind, help string) {
		fmt.Fprintf(&b, "# TYPE %s %s\n# HELP %s %s\n", name, kind, name, help)
	}
	head("skyql_sessions", "gauge", "Sessions that are open.")
	fmt.Fprintf(&b, "skyql_sessions %d\n", m.open)
	head("skyql_rows", "counter", "Rows sent to clients.")
	fmt.Fprintf(&b, "skyql_rows_total %d\n", m.rows)
	head("skyql_authentication_failures", "counter", "Wrong passwords and unknown users.")
	fmt.Fprintf(&b, "skyql_authentication_failures_total %d\n", m.refusals)
	head("skyql_calls", "counter", "Calls to Cloud Control.")
	writeCounters(&b, "skyql_calls_total", []string{"operation", "region", "outcome"}, m.calls, func(k [3]string) []string { return k[:] })
	head("skyql_retries", "counter", "Calls that were made again.")
	writeCounters(&b, "skyql_retries_total", []string{"operation", "region"}, m.retries, func(k [2]string) []string { return k[:] })
	head("skyql_throttled", "counter", "Calls that AWS refused as too many.")
	writeCounters(&b, "skyql_throttled_total", []string{"operation", "region"}, m.throttled, func(k [2]string) []string { return k[:] })
	head("skyql_statement_seconds", "histogram", "Time of statements, rows sent included.")
	for _, outcome := range sorted(m.statements) {
		h := m.statements[outcome]
		for i, bound := range bounds {
			fmt.Fprintf(&b, "skyql_statement_seconds_bucket{outcome=%q,le=%q} %d\n", outcome, label(bound), h.buckets[i])
		}
		fmt.Fprintf(&b, "skyql_statement_seconds_bucket{outcome=%q,le=\"+Inf\"} %d\n", outcome, h.count)
		fmt.Fprintf(&b, "skyql_statement_seconds_count{outcome=%q} %d\nskyql_statement_seconds_sum{outcome=%q} %g\n", outcome, h.count, outcome, h.sum)
	}
	return b.String() + "# EOF\n"
}

func writeCounters[K comparable](b *strings.Builder, name string, labels []string, counts map[K]uint64, values func(K) []string) {
	var lines []string
	for k, n := range counts {
		var pairs []string
		for i, v := range values(k) {
			pairs = append(pairs, fmt.Sprintf("%s=%q", labels[i], v))
		}
		lines = append(lines, fmt.Sprintf("%s{%s} %d\n", name, strings.Join(pairs, ","), n))
	}
	slices.Sort(lines)
	b.WriteString(strings.Join(lines, ""))
}

func sorted[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// label writes a bound as OpenMetrics wants a float: 1.0, 0.01.
func label(bound float64) string {
	text := strconv.FormatFloat(bound, 'g', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
