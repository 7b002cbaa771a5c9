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
	when int // 0 before, 1 unanswered, 2 answered

	mu     sync.Mutex
	at     int // which call that changes something or asks after it, from 1; 0: none
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

// A fate is how one seed goes: at which points the program is killed, and what
// else is the service's mood.
type fate struct {
	seed  uint64
	kind  string // of the first kill: one of journal's modes, or of calls'
	at    int
	again string // the second one's, of recover; "" for none
	next  int
	box   sandbox.Options
}

var callModes = []string{"before a call", "call unanswered", "call answered"}

// Steps of the journal and calls that the transaction takes, about.
const (
	journalSteps = 58
	changeCalls  = 16
)

// fateOf gives the fate of a seed. The first 464 go through all ways to be killed
// at each step of the journal, and at each call; answers get lost besides,
// identifiers are told early or late, and a token that is used again is
// answered either way.
func fateOf(seed uint64) fate {
	rng := rand.New(rand.NewPCG(seed, 11))
	f := fate{seed: seed}
	if n := int(seed / 2); seed%2 == 0 {
		f.kind, f.at = callModes[n%3], 1+n*7%changeCalls
	} else {
		f.kind, f.at = dyingModes[n%4], 1+n*7%journalSteps
	}
	if rng.IntN(3) == 0 {
		f.again, f.next = dyingModes[rng.IntN(len(dyingModes))], 1+rng.IntN(12)
	}
	f.box.Work.LateIdentifier = rng.IntN(2) == 0
	f.box.Contract.ReplayCurrent = rng.IntN(2) == 0
	if rng.IntN(2) == 0 {
		f.box.Faults = &sandbox.Faults{Seed: int(seed), Rules: []sandbox.Rule{{Operation: sandbox.Names{"CreateResource", "UpdateResource", "DeleteResource"}, Probability: 0.25, Reset: "after"}}}
	}
	return f
}

// An ending is what became of a seed.
type ending struct {
	killed, again bool // the program was killed, and recover too
	begun         bool // there was a change set to recover
	unknown       int  // changes of which it can't be known what became
}

// The program is killed at a call of a transaction, or before, in the middle of
// or after a write to its journal, sometimes in recover once more, and answers
// get lost. Then recover, and going on with what was never sent, give what was
// planned: nothing twice, nothing forgotten.
func TestKilled(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	kinds, sum := map[string]int{}, map[string]int{}
	t.Run("seeds", func(t *testing.T) {
		for seed := range *crashes {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				f := fateOf(uint64(seed))
				e := f.run(t)
				mu.Lock()
				defer mu.Unlock()
				sum["unknown changes"] += e.unknown
				if !e.killed {
					return
				}
				sum["killed"]++
				kinds[f.kind]++
				if e.again {
					sum["killed again in recover"]++
				}
				if !e.begun {
					sum["killed before anything was journaled"]++
				}
				if f.box.Faults != nil {
					sum["with answers lost"]++
				}
			})
		}
	})
	t.Logf("of %d runs: %v; killed at %v", *crashes, sum, kinds)
	if sum["killed"] < *crashes/2 {
		t.Errorf("only %d of %d runs were killed", sum["killed"], *crashes)
	}
	if changes := sum["killed"] * 9; sum["unknown changes"]*50 > changes {
		t.Errorf("%d of %d changes are unknown", sum["unknown changes"], changes)
	}
}

// run is one seed.
func (f fate) run(t *testing.T) (e ending) {
	r := &reaper{Handler: sandbox.New(f.box)}
	if i := slices.Index(callModes, f.kind); i >= 0 {
		r.at, r.when = f.at, i
	}
	srv := httptest.NewServer(r)
	defer srv.Close()
	dir := t.TempDir()
	// skyql runs the program, which may be to die at a step of its journal.
	skyql := func(mode string, at int, args ...string) (out string, killed bool) {
		cmd := child(t.Context(), t, srv.URL, dir, args...)
		if slices.Contains(dyingModes, mode) {
			cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d %q", dying, at, mode))
		}
		var rows, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &rows, &errs
		r.mu.Lock() // the service may be asked before Start returns
		err := cmd.Start()
		r.client = cmd.Process
		r.mu.Unlock()
		if err == nil {
			err = cmd.Wait()
		}
		var exit *exec.ExitError
		if killed = errors.As(err, &exit) && exit.ExitCode() == -1; !killed && err != nil {
			t.Fatalf("%+v: %v: %v\n%s", f, args, err, errs.String())
		}
		return rows.String(), killed
	}
	_, e.killed = skyql(f.kind, f.at, "query", "--yes", plenty)
	r.mu.Lock() // a handler of a client that is dead may still run
	r.at = 0
	r.mu.Unlock()
	if _, e.again = skyql(f.again, f.next, "recover"); e.again {
		skyql("", 0, "recover")
	}
	sets, err := change.ReadJournal(filepath.Join(dir, "state", "journal"))
	if err != nil || len(sets) > 1 {
		t.Fatalf("%+v: %d change sets, %v", f, len(sets), err)
	}
	if e.begun = len(sets) > 0; !e.begun {
		skyql("", 0, "query", "--yes", plenty)
	} else if e.unknown = sets[0].Count(change.StateUnknown); sets[0].Unfinished() {
		skyql("", 0, "apply", "--yes", sets[0].ID)
	}
	out, _ := skyql("", 0, "query", "--format", "csv", wantedNow)
	there := strings.Split(strings.TrimSpace(out), "\n")
	if d := cmp.Diff(asPlanned, there); d != "" && e.unknown == 0 {
		t.Errorf("%+v: what there is, is not what was planned (-planned +there)\n%s", f, d)
	}
	if len(slices.Compact(slices.Clone(there))) < len(there) {
		t.Errorf("%+v: something is there twice: %v", f, there)
	}
	return e
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
