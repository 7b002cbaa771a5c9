package main

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program gives a function that makes commands of this program, with folders
// of their own.
func program(t *testing.T) func(args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "skyql")
	if err := os.Symlink(self, bin); err != nil {
		t.Fatal(err)
	}
	return func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), bin, args...)
		cmd.Env = append(os.Environ(), cloud("http://127.0.0.1:1", dir)...)
		return cmd
	}
}

// What is changed in the world of --sandbox is there for the next command, and
// for many at once, until it is reset.
func TestSandboxState(t *testing.T) {
	t.Parallel()
	skyql := program(t)
	run := func(args ...string) string {
		t.Helper()
		out, err := skyql(args...).CombinedOutput()
		if err != nil && !strings.Contains(string(out), "error:") {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	count := func() string {
		t.Helper()
		return run("query", "--sandbox", "--format", "csv", "SELECT count(*) AS n FROM aws.sqs.queues WHERE queue_url = 'https://example.com/late'")
	}
	state := ""
	for _, e := range skyql().Env {
		if dir, ok := strings.CutPrefix(e, "SKYQL_STATE_DIR="); ok {
			state = filepath.Join(dir, "sandbox", "world.log")
		}
	}
	if got := count(); got != "n\n0\n" {
		t.Fatalf("at first: %s", got)
	}
	if _, err := os.Stat(filepath.Dir(state)); err == nil {
		t.Error("a query wrote to the state folder")
	}
	server := skyql("sandbox", "--listen", "127.0.0.1:0", "--state", state)
	errs, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(errs).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "sandbox on ")
	if err != nil || !ok {
		t.Fatalf("%v: %s", err, line)
	}
	resp, err := http.Post(url+"/_sandbox/put", "application/json", strings.NewReader(`{"type":"AWS::SQS::Queue","account":"111122223333","region":"us-east-1","properties":{"QueueUrl":"https://example.com/late","QueueName":"late"}}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := count(); got != "n\n1\n" {
		t.Errorf("while the server runs: %s", got)
	}
	server.Process.Signal(os.Interrupt)
	server.Wait()
	if got := count(); got != "n\n1\n" {
		t.Errorf("after it: %s", got)
	}
	if got := run("sandbox", "--listen", "127.0.0.1:0", "--state", state, "--populate", "2"); !strings.Contains(got, `keeps the world "demo", not "demo+2"`) {
		t.Errorf("another world: %s", got)
	}
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(state, bytes.Replace(text, []byte("late"), []byte("LATE"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(state, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("more\n")
	f.Close()
	if got := count(); !strings.Contains(got, "error: the sandbox's world can't be read (58030)") || !strings.Contains(got, "is damaged at byte") || !strings.Contains(got, "hint: skyql sandbox reset") {
		t.Errorf("damaged: %s", got)
	}
	if got := run("sandbox", "reset"); got != "the sandbox's world is as it began\n" {
		t.Errorf("reset: %s", got)
	}
	if got := count(); got != "n\n0\n" {
		t.Errorf("after the reset: %s", got)
	}
}
