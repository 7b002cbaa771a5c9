package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/sandbox"
)

var crashes = flag.Int("crashes", 6, "seeds of TestKilled")

// A reaper is a service that kills its client at one of its calls: before the
// call is looked at, once its work is done but nobody has answered, or once the
// answer is out.
type reaper struct {
	http.Handler
	at   int // which call that changes something or asks after it, from 1; 0: none
	when int // 0 before, 1 unanswered, 2 answered

	mu     sync.Mutex
	client *os.Process
	calls  int
	killed bool
}

func (r *reaper) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if !r.due(q) {
		r.Handler.ServeHTTP(w, q)
		return
	}
	if r.when == 0 {
		r.kill()
		panic(http.ErrAbortHandler)
	}
	answer := httptest.NewRecorder()
	r.Handler.ServeHTTP(answer, q)
	if r.when == 1 {
		r.kill()
		panic(http.ErrAbortHandler)
	}
	for k, v := range answer.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	r.kill()
}

// due counts the calls of changes, and says whether this is the one.
func (r *reaper) due(q *http.Request) bool {
	op := strings.TrimPrefix(q.Header.Get("X-Amz-Target"), "CloudApiService.")
	if !slices.Contains([]string{"CreateResource", "UpdateResource", "DeleteResource", "GetResourceRequestStatus"}, op) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	return r.at > 0 && r.calls == r.at && !r.killed
}

func (r *reaper) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.killed = true
	r.client.Kill() // it may have ended by itself
}

// plenty makes VPCs, which AWS names, log groups, which the caller names, and
// changes and deletes some.
const plenty = `BEGIN;
INSERT INTO aws.ec2.vpcs (region, cidr_block, tags) SELECT 'us-east-1', '10.' || i || '.0.0/16', [{'Key': 'crash', 'Value': 'v' || i}] FROM range(3) r(i);
INSERT INTO aws.logs.log_groups (region, log_group_name, retention_in_days) SELECT 'us-east-1', '/crash/' || i, 7 FROM range(3) r(i);
UPDATE aws.sqs.queues SET delay_seconds = 77 WHERE region = 'us-east-1' AND queue_name IN ('orders', 'notifications');
DELETE FROM aws.sqs.queues WHERE region = 'us-east-1' AND queue_name = 'app-log-queue';
COMMIT`

// wanted reads what plenty is about.
const wantedNow = `SELECT 'vpc ' || tag(tags, 'crash') AS what FROM aws.ec2.vpcs WHERE tag(tags, 'crash') IS NOT NULL
UNION ALL SELECT 'group ' || log_group_name || ' ' || retention_in_days FROM aws.logs.log_groups WHERE log_group_name LIKE '/crash/%'
UNION ALL SELECT 'queue ' || queue_name || ' ' || delay_seconds FROM aws.sqs.queues WHERE queue_name IN ('orders', 'notifications', 'app-log-queue') ORDER BY 1`

var asPlanned = []string{"what", "group /crash/0 7", "group /crash/1 7", "group /crash/2 7", "queue notifications 77", "queue orders 77", "vpc v0", "vpc v1", "vpc v2"}

// The program is killed at some call of a transaction; then recover, and going
// on with what was never sent, give what was planned: nothing twice, nothing
// forgotten.
func TestKilled(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	unknown, killed := 0, 0
	t.Run("seeds", func(t *testing.T) {
		for seed := range *crashes {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				u, k := crash(t, uint64(seed))
				mu.Lock()
				defer mu.Unlock()
				unknown += u
				if k {
					killed++
				}
			})
		}
	})
	t.Logf("%d of %d runs were killed, %d changes ended as unknown", killed, *crashes, unknown)
	if killed < *crashes/2 {
		t.Errorf("only %d of %d runs were killed", killed, *crashes)
	}
}

// crash is one seed. It gives the changes that stayed unknown, and whether the
// program was killed at all.
func crash(t *testing.T, seed uint64) (unknown int, killed bool) {
	rng := rand.New(rand.NewPCG(seed, 11))
	r := &reaper{Handler: sandbox.New(sandbox.Options{}), at: 1 + rng.IntN(16), when: rng.IntN(3)}
	srv := httptest.NewServer(r)
	defer srv.Close()
	dir := t.TempDir()
	skyql := func(args ...string) (string, error) {
		cmd := child(t.Context(), t, srv.URL, dir, args...)
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		r.mu.Lock() // the service may be asked before Start returns
		err := cmd.Start()
		r.client = cmd.Process
		r.mu.Unlock()
		if err == nil {
			err = cmd.Wait()
		}
		if err != nil {
			err = fmt.Errorf("%v: %w\n%s", args, err, errs.String())
		}
		return out.String(), err
	}
	_, err := skyql("query", "--yes", plenty)
	if r.killed != (err != nil) && r.when != 2 {
		t.Fatalf("seed %d: killed %t, %v", seed, r.killed, err)
	}
	if !r.killed {
		return 0, false
	}
	r.at = 0
	if _, err := skyql("recover"); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	sets, err := change.ReadJournal(filepath.Join(dir, "state", "journal"))
	if err != nil || len(sets) != 1 {
		t.Fatalf("seed %d: %d change sets, %v", seed, len(sets), err)
	}
	unknown = sets[0].Count(change.StateUnknown)
	if sets[0].Count(change.NotSent) > 0 {
		if _, err := skyql("apply", "--yes", sets[0].ID); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	out, err := skyql("query", "--format", "csv", wantedNow)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if d := cmp.Diff(asPlanned, strings.Split(strings.TrimSpace(out), "\n")); d != "" && unknown == 0 {
		t.Errorf("seed %d, killed at call %d (%d): what there is, is not what was planned (-planned +there)\n%s", seed, r.calls, r.when, d)
	}
	return unknown, true
}

// child is this test binary as skyql, against a service.
func child(ctx context.Context, t *testing.T, url, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Args = append([]string{"skyql"}, args...)
	bin := filepath.Join(dir, "skyql")
	if _, err := os.Lstat(bin); err != nil {
		if err := os.Symlink(self, bin); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Path = bin
	cmd.Args[0] = bin
	cmd.Env = append(append(os.Environ(), cloud(url, dir)...), "SKYQL_STATE_DIR="+filepath.Join(dir, "state"))
	return cmd
}

// An interrupt ends a statement in the middle of ten thousand reads: no call is
// made after that, and the exit status says so.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	const n = 10_000
	w := &sandbox.World{Accounts: []sandbox.Account{{ID: "111122223333", Name: "a"}}, Regions: []string{"us-east-1"}}
	for i := range n {
		w.Add("111122223333", "us-east-1", "AWS::SQS::Queue", map[string]any{"QueueUrl": fmt.Sprintf("https://q/%05d", i), "QueueName": fmt.Sprintf("q%05d", i)})
	}
	i := &interrupter{Sandbox: sandbox.New(sandbox.Options{World: w, Latency: 20 * time.Millisecond}), at: 1000}
	srv := httptest.NewServer(i)
	defer srv.Close()
	cmd := child(t.Context(), t, srv.URL, t.TempDir(), "query", "SELECT count(queue_name) FROM aws.sqs.queues")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	i.mu.Lock()
	err := cmd.Start()
	i.client = cmd.Process
	i.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted || out.String() != "" {
		t.Errorf("%v, out %q, err %q", err, out.String(), errs.String())
	}
	calls := i.Calls()["GetResource"]
	srv.Close() // waits for what is still being answered
	if after := i.Calls()["GetResource"]; calls < 500 || calls > n/2 || after-calls > 64 {
		t.Errorf("%d calls, %d when all was over", calls, after)
	}
}

// An interrupter is a sandbox that interrupts its client at one of its calls.
type interrupter struct {
	*sandbox.Sandbox
	at int

	mu     sync.Mutex
	client *os.Process
	calls  int
}

func (i *interrupter) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	i.mu.Lock()
	if i.calls++; i.calls == i.at {
		i.client.Signal(os.Interrupt)
	}
	i.mu.Unlock()
	i.Sandbox.ServeHTTP(w, q)
}
