package render

import (
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skyql/skyql/internal/engine"
)

var update = flag.Bool("update", false, "rewrite golden files")

func sample() *engine.Rows {
	return engine.Static([]engine.Column{
		{Name: "name", Type: "VARCHAR", Kind: engine.Text}, {Name: "n", Type: "BIGINT", Kind: engine.Integer}, {Name: "n", Type: "DOUBLE", Kind: engine.Float},
		{Name: "on", Type: "BOOLEAN", Kind: engine.Bool}, {Name: "tags", Type: "JSON", Kind: engine.JSON}, {Name: "sum", Type: "HUGEINT", Kind: engine.Decimal},
	}, [][]any{
		{"plain", int64(1), 0.5, true, `{"b": 12345678901234567890, "a": 1.10}`, "170141183460469231731687303715884105727"},
		{"two\nlines | \x1b[31mred, \"q\"", int64(-20), math.Inf(1), false, `["<x>"]`, nil},
		{"日本 é 👍", nil, nil, nil, nil, nil},
	})
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for _, f := range Formats {
		var b strings.Builder
		if n, err := Write(&b, f, sample(), Options{}); err != nil || n != 3 {
			t.Fatalf("%s: %d rows, %v", f, n, err)
		}
		golden(t, f, b.String())
		var none strings.Builder
		if n, err := Write(&none, f, engine.Static([]engine.Column{{Name: "a"}}, nil), Options{}); err != nil || n != 0 {
			t.Errorf("%s of nothing: %d rows, %v", f, n, err)
		}
		golden(t, f+"_none", none.String())
	}
	var fitted strings.Builder
	Write(&fitted, "table", sample(), Options{Width: 60})
	golden(t, "table_60", fitted.String())
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{0: "0", 1.5e6: "1500000", 1234567.5: "1234567.5", 1e14: "100000000000000", 1e15: "1e+15", 0.0001: "0.0001", 0.00001: "1e-05", -2e20: "-2e+20", math.Inf(-1): "-Infinity"} {
		if got := number(f); got != want {
			t.Errorf("number(%g) = %s, want %s", f, got, want)
		}
	}
	if got := number(math.NaN()); got != "NaN" {
		t.Errorf("NaN is %s", got)
	}
}

// A row whose only value is NULL or empty is still a row.
func TestCSVEmpty(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if n, err := Write(&b, "csv", engine.Static([]engine.Column{{Name: "a", Kind: engine.Text}}, [][]any{{"x"}, {nil}, {""}, {"y"}}), Options{}); err != nil || n != 4 {
		t.Fatal(n, err)
	}
	if got, want := b.String(), "a\nx\n\"\"\n\"\"\ny\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		os.MkdirAll("testdata", 0o755)
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got)\n%s", name, d)
	}
}

func TestJSONIsJSON(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	Write(&b, "json", sample(), Options{})
	var rows []map[string]any
	if err := json.Unmarshal([]byte(b.String()), &rows); err != nil || len(rows) != 3 || rows[0]["n_1"] != 0.5 {
		t.Errorf("%v: %s", err, b.String())
	}
}

func TestNothingDrivesTheTerminal(t *testing.T) {
	t.Parallel()
	for _, f := range []string{"table", "box", "markdown", "line"} {
		var b strings.Builder
		Write(&b, f, sample(), Options{})
		if strings.ContainsAny(b.String(), "\x1b\a\b\r") {
			t.Errorf("%s lets an escape through", f)
		}
	}
}

type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriterFails(t *testing.T) {
	t.Parallel()
	for _, f := range Formats {
		if _, err := Write(full{}, f, sample(), Options{}); !errors.Is(err, errFull) {
			t.Errorf("%s: got %v", f, err)
		}
	}
	if _, err := Write(full{}, "xml", sample(), Options{}); err == nil || !strings.Contains(err.Error(), "markdown") {
		t.Errorf("got %v", err)
	}
}
