package shell

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// What is typed is there the next time, without its secrets, for nobody else.
func TestHistory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	s := testShell(t)
	h := openHistory(dir)
	if !h.first {
		t.Error("the first time is not known as such")
	}
	h.scrub = s.scrub
	secret := `UPDATE aws.connect.users SET password = 'hunter2';`
	for _, in := range []string{"SELECT 1;", "SELECT 1;", "SELECT\n  'é\t<>';\n", secret, " SELECT 'not kept';", "", "SELECT '\x1b[A';"} {
		h.add(in)
	}
	if got := h.lines[2]; got != secret {
		t.Errorf("this session calls back %q", got)
	}
	again := openHistory(dir)
	want := []string{"SELECT 1;", "SELECT\n  'é\t<>';", `UPDATE aws.connect.users SET password = <hidden>;`, "SELECT '[A';"}
	if again.first || !slices.Equal(again.lines, want) {
		t.Errorf("the next one calls back %q, want %q", again.lines, want)
	}
	path := filepath.Join(dir, historyName)
	data, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(data), "hunter2") || strings.Contains(string(data), "not kept") {
		t.Errorf("the file holds %s, %v", data, err)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, dir: 0o700 | os.ModeDir} {
		if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode() != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// A file that others could read is closed to them; one that can't be read, or
// holds something else, is no reason not to start.
func TestHistoryFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, historyName)
	if err := os.WriteFile(path, []byte("not json\n{\"input\":\"SELECT 1;\"}\n{\"inp"), 0o644); err != nil {
		t.Fatal(err)
	}
	h := openHistory(dir)
	if !slices.Equal(h.lines, []string{"SELECT 1;"}) {
		t.Errorf("lines %q", h.lines)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	none := openHistory(filepath.Join(file, "below"))
	none.add("SELECT 1;")
	if len(none.lines) != 1 {
		t.Errorf("lines %q", none.lines)
	}
}

func TestHistoryCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var b strings.Builder
	for i := range 2*mostHistory + 1 {
		fmt.Fprintf(&b, "{\"input\":\"SELECT %d;\"}\n", i)
	}
	if err := os.WriteFile(filepath.Join(dir, historyName), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	openHistory(dir)
	h := openHistory(dir)
	if n := len(h.lines); n != mostHistory || h.lines[n-1] != fmt.Sprintf("SELECT %d;", 2*mostHistory) {
		t.Errorf("%d lines, last %q", n, h.lines[n-1])
	}
}
