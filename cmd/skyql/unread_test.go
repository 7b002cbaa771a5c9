//go:build unix

package main

import (
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/sandbox"
)

// Whoever reads what skyql writes may leave at any time: rows then end, with the
// status that a shell gives to that, and a change goes on to its end.
func TestReaderLeft(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{})
	srv := httptest.NewServer(box)
	t.Cleanup(srv.Close)
	left := func(out, errs bool, stdin string, args ...string) (status int, rest string) {
		t.Helper()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		defer w.Close()
		var b strings.Builder
		cmd := child(t.Context(), t, srv.URL, t.TempDir(), args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &b, &b
		if out {
			cmd.Stdout = w
		}
		if errs {
			cmd.Stderr = w
		}
		var exit *exec.ExitError
		if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), b.String()
	}
	for _, c := range []struct {
		stdin string
		args  []string
	}{
		{"", []string{"query", "SELECT * FROM range(100000)"}},
		{"", []string{"query", "SELECT 1; SELECT 2"}},
		{"SELECT 1;\nSELECT 2;\n", []string{"shell"}},
		{"", []string{"docs", "aws.sqs.queue"}},
		{"", []string{"catalog"}},
		{"", []string{"doctor"}},
	} {
		if status, said := left(true, false, c.stdin, c.args...); status != exitUnread || said != "" {
			t.Errorf("%v: status %d, %q", c.args, status, said)
		}
	}
	const update = "UPDATE aws.sqs.queues SET delay_seconds = 44 WHERE queue_name LIKE 'orders%'"
	left(false, true, "", "query", "--yes", update)
	if n := box.Calls()["UpdateResource"]; n != 2 {
		t.Errorf("%d updates after the reader of the plan left", n)
	}
}

// Without HOME, as in a cron job, what is kept is below the home that the system
// knows, and never in a folder where others may write.
func TestNoHome(t *testing.T) {
	t.Parallel()
	cmd := child(t.Context(), t, "http://127.0.0.1:1", t.TempDir(), "doctor")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "AWS_EC2_METADATA_DISABLED=true"}
	out, _ := cmd.Output()
	for _, what := range []string{"config", "cache", "state"} {
		if !strings.Contains(string(out), "ok       "+what) {
			t.Errorf("nothing of %s:\n%s", what, out)
		}
	}
	if strings.Contains(string(out), os.TempDir()+"/") {
		t.Errorf("what is kept is where anybody may write:\n%s", out)
	}
}
