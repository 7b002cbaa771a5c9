package change

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
)

// Types with identifiers of both kinds: chosen by the caller, given by AWS.
const (
	logGroup = "AWS::Logs::LogGroup"
	queue    = "AWS::SQS::Queue"
	user     = "AWS::Connect::User"
)

func intent(t testing.TB, typ, id, before, after string) Intent {
	t.Helper()
	in := of(t, typ, before, after)
	in.ReadAt = time.Now()
	if id != "" {
		in.Identifier = id
	}
	return in
}

func newSet(t testing.TB, intents ...Intent) *Set {
	t.Helper()
	s, err := New(Place{Sandbox: true}, intents, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func journal(t testing.TB) *Journal {
	t.Helper()
	j, err := OpenJournal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// outcomes gives each change's end as a line.
func outcomes(r *Report) []string {
	var out []string
	for _, x := range r.Results {
		line := fmt.Sprintf("%s %s: %s", x.Change.Action, x.Change.Name, x.Outcome)
		if x.Code != "" {
			line += " " + x.Code
		}
		if x.Message != "" {
			line += ": " + x.Message
		}
		if x.Tries > 1 {
			line += fmt.Sprintf(" (%d tries)", x.Tries)
		}
		out = append(out, line)
	}
	return out
}

func wantOutcomes(t testing.TB, r *Report, err error, want ...string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, outcomes(r)); diff != "" {
		t.Error(diff)
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		f.put(logGroup, "old", `{"LogGroupName":"old","RetentionInDays":7}`)
		f.put(logGroup, "gone", `{"LogGroupName":"gone"}`)
		s := newSet(t,
			intent(t, logGroup, "", "", `{"LogGroupName":"new","RetentionInDays":30}`),
			intent(t, logGroup, "old", `{"LogGroupName":"old","RetentionInDays":7}`, `{"LogGroupName":"old","RetentionInDays":90}`),
			intent(t, logGroup, "gone", `{"LogGroupName":"gone"}`, ""),
			intent(t, queue, "", "", `{"QueueName":"q"}`))
		a := &Applier{Clouds: f.clouds, Journal: j, ReadBack: true}
		began := time.Now()
		r, err := a.Apply(t.Context(), s)
		wantOutcomes(t, r, err, "+ new: done", "~ old: done", "- gone: done", "+ q: done")
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("four changes of a second each took %s side by side", took)
		}
		if !r.Complete() || r.Results[3].Identifier != "assigned-1" || string(r.Results[1].Properties) != `{"LogGroupName":"old","RetentionInDays":90}` {
			t.Errorf("%+v", r.Results)
		}
		want := map[string]any{"LogGroupName": "old", "RetentionInDays": json.Number("90")}
		if diff := cmp.Diff(want, f.world[logGroup+" old"]); diff != "" || len(f.world) != 3 {
			t.Errorf("%s %v", diff, f.world)
		}
		if h := j.Sets()[0]; !h.Closed || h.Unfinished() || h.Count(StateDone) != 4 || h.Changes[3].Identifier != "assigned-1" {
			t.Errorf("%+v", h)
		}
	})
}

// What a later process would need is on disk before each call.
func TestDependentsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		s := newSet(t,
			intent(t, "AWS::Lambda::Function", "", "", `{"FunctionName":"f","Role":"arn:aws:iam::111122223333:role/runner","Code":{"ZipFile":"x"}}`),
			intent(t, "AWS::IAM::Role", "", "", `{"RoleName":"runner","AssumeRolePolicyDocument":{}}`),
			intent(t, queue, "", "", `{"QueueName":"q"}`))
		if got := names(s); got != "runner f q" && got != "q runner f" && got != "runner q f" {
			t.Errorf("order %s", got)
		}
		f.fail = func(r *fakeRequest) *cloudcontrol.Event {
			if r.typ == "AWS::IAM::Role" {
				return &cloudcontrol.Event{Code: "AccessDenied", Message: "not authorized to perform: iam:CreateRole"}
			}
			return nil
		}
		r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), s)
		got := strings.Join(outcomes(r), "\n")
		if err != nil || !strings.Contains(got, "+ runner: failed AccessDenied: not authorized to perform: iam:CreateRole") ||
			!strings.Contains(got, "+ f: skipped: waits for aws.iam.roles runner, which is failed") || !strings.Contains(got, "+ q: done") {
			t.Errorf("%v\n%s", err, got)
		}
		if h := j.Sets()[0]; h.Unfinished() {
			t.Error("a set that has failed is unfinished")
		}
	})
}

func names(s *Set) string {
	var out []string
	for _, c := range s.Changes {
		out = append(out, c.Name)
	}
	return strings.Join(out, " ")
}

// Failures by code, what is tried again, and with what token.
func TestRetries(t *testing.T) {
	t.Parallel()
	check := func(name string, in func(t *testing.T) Intent, code string, fails int, early bool, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, j := newFake(t), journal(t)
				defer j.Close()
				f.put(logGroup, "a", `{"LogGroupName":"a","RetentionInDays":7}`)
				f.fail = func(r *fakeRequest) *cloudcontrol.Event {
					if fails--; fails < 0 {
						return nil
					}
					e := &cloudcontrol.Event{Code: code, Message: "so it is"}
					if early {
						e.Identifier = "half"
					}
					return e
				}
				r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, in(t)))
				wantOutcomes(t, r, err, want)
			})
		})
	}
	update := func(t *testing.T) Intent {
		return intent(t, logGroup, "a", `{"LogGroupName":"a","RetentionInDays":7}`, `{"LogGroupName":"a","RetentionInDays":8}`)
	}
	remove := func(t *testing.T) Intent {
		return intent(t, logGroup, "a", `{"LogGroupName":"a","RetentionInDays":7}`, "")
	}
	named := func(t *testing.T) Intent { return intent(t, logGroup, "", "", `{"LogGroupName":"b"}`) }
	given := func(t *testing.T) Intent { return intent(t, queue, "", "", `{"QueueName":"q"}`) }
	check("update throttled", update, "Throttling", 2, false, "~ a: done (3 tries)")
	check("update throttled for ever", update, "Throttling", 99, false, "~ a: failed Throttling: so it is (8 tries)")
	check("update conflict", update, "ResourceConflict", 1, false, "~ a: done (2 tries)")
	check("update broken", update, "InternalFailure", 9, false, "~ a: failed InternalFailure: so it is (2 tries)")
	check("update refused", update, "InvalidRequest", 1, false, "~ a: failed InvalidRequest: so it is")
	check("delete timeout", remove, "ServiceTimeout", 2, false, "- a: done (3 tries)")
	check("delete gone", remove, "NotFound", 1, false, "- a: done")
	check("delete denied", remove, "AccessDenied", 1, false, "- a: failed AccessDenied: so it is")
	check("create throttled", named, "Throttling", 2, false, "+ b: done (3 tries)")
	check("create half made", named, "Throttling", 2, true, "+ b: failed Throttling: so it is")
	check("create timeout", named, "ServiceTimeout", 1, false, "+ b: failed ServiceTimeout: so it is")
	check("create given throttled", given, "Throttling", 1, false, "+ q: done (2 tries)")
	check("create exists", named, "AlreadyExists", 1, false, "+ b: failed AlreadyExists: so it is")
}

// A creation that failed with an identifier may have left something.
func TestHalfMade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		f.fail = func(r *fakeRequest) *cloudcontrol.Event {
			return &cloudcontrol.Event{Code: "NotStabilized", Identifier: "https://sqs/q", Message: "never ready"}
		}
		r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, intent(t, queue, "", "", `{"QueueName":"q"}`)))
		wantOutcomes(t, r, err, "+ q: failed NotStabilized: never ready")
		if x := r.Results[0]; !x.HalfMade() || x.Identifier != "https://sqs/q" || x.Advice == "" {
			t.Errorf("%+v", x)
		}
	})
}

// Answers that are lost: the call is made again with the same token, and asks
// for nothing twice.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{false, true} {
		for _, replay := range []bool{false, true} {
			for _, arrives := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					f, j := newFake(t), journal(t)
					defer j.Close()
					f.early, f.replay = early, replay
					n := map[string]int{}
					lose := func(op string) error {
						if op == "Create" || op == "Update" || op == "Delete" {
							if n[op]++; n[op] <= 2 {
								return lost()
							}
						}
						return nil
					}
					if arrives {
						f.after = lose
					} else {
						f.before = lose
					}
					f.put(logGroup, "a", `{"LogGroupName":"a","RetentionInDays":7}`)
					f.put(logGroup, "b", `{"LogGroupName":"b","RetentionInDays":7}`)
					s := newSet(t, intent(t, queue, "", "", `{"QueueName":"q"}`),
						intent(t, logGroup, "a", `{"LogGroupName":"a","RetentionInDays":7}`, `{"LogGroupName":"a","RetentionInDays":8}`),
						intent(t, logGroup, "b", `{"LogGroupName":"b","RetentionInDays":7}`, ""))
					r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), s)
					wantOutcomes(t, r, err, "+ q: done", "~ a: done", "- b: done")
					if len(f.all) != 3 || len(f.world) != 2 {
						t.Errorf("%d requests, world %v", len(f.all), f.world)
					}
				})
			}
		}
	}
}

// Nobody there: that is no lost answer.
func TestNeverSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		f.before = func(string) error {
			e := cloudcontrol.NewError("CreateResource", "NoAnswer", "connection refused")
			e.Err = syscall.ECONNREFUSED
			return e
		}
		r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, intent(t, queue, "", "", `{"QueueName":"q"}`)))
		wantOutcomes(t, r, err, "+ q: failed NoAnswer: connection refused")
	})
}

// An endpoint that never answers again leaves the change open.
func TestNeverAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		f.after = func(string) error { return lost() }
		r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, intent(t, queue, "", "", `{"QueueName":"q"}`)))
		wantOutcomes(t, r, err, "+ q: unknown ConnectionLost: no answer came: the answer broke off")
		if h := j.Sets()[0]; !h.Unfinished() || h.Count(Open) != 1 {
			t.Errorf("%+v", h)
		}
		f.after = nil
		h := j.Sets()[0]
		s, err := h.Set(catalog.Embedded())
		if err != nil {
			t.Fatal(err)
		}
		r, err = (&Applier{Clouds: f.clouds, Journal: j}).Recover(t.Context(), h, s, h.Place)
		wantOutcomes(t, r, err, "+ q: done")
		if len(f.world) != 1 || len(f.all) != 1 || j.Sets()[0].Unfinished() {
			t.Errorf("world %v, %d requests", f.world, len(f.all))
		}
	})
}

// Drift: somebody else was at work between the plan and its making.
func TestDrift(t *testing.T) {
	t.Parallel()
	check := func(asked bool, now, before, after, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			f, j := newFake(t), journal(t)
			defer j.Close()
			f.put(logGroup, "a", now)
			r, err := (&Applier{Clouds: f.clouds, Journal: j, Asked: asked}).Apply(t.Context(), newSet(t, intent(t, logGroup, "a", before, after)))
			wantOutcomes(t, r, err, want)
			if m, err := parseModel(json.RawMessage(now)); strings.Contains(want, "Drifted") && (err != nil || !cmp.Equal(m, f.world[logGroup+" a"])) {
				t.Errorf("the resource became %v", f.world[logGroup+" a"])
			}
		})
	}
	const before = `{"LogGroupName":"a","RetentionInDays":7}`
	// The patch's own test refuses.
	check(false, `{"LogGroupName":"a","RetentionInDays":30}`, before, `{"LogGroupName":"a","RetentionInDays":8}`, "~ a: failed Drifted: changed since it was read: retention_in_days was 7 and is 30")
	check(true, `{"LogGroupName":"a","RetentionInDays":30}`, before, `{"LogGroupName":"a","RetentionInDays":8}`, "~ a: failed Drifted: changed since it was read: retention_in_days was 7 and is 30")
	// What a test can't hold is read again.
	check(true, `{"LogGroupName":"a","KmsKeyId":"k"}`, `{"LogGroupName":"a"}`, `{"LogGroupName":"a","KmsKeyId":"mine"}`, "~ a: failed Drifted: changed since it was read: kms_key_id was (absent) and is k")
	check(true, `{"LogGroupName":"a","Tags":[{"Key":"a","Value":"x"}]}`, `{"LogGroupName":"a","Tags":[{"Key":"a","Value":"1"}]}`, `{"LogGroupName":"a","Tags":[{"Key":"a","Value":"2"}]}`,
		`~ a: failed Drifted: changed since it was read: tags was [{"Key":"a","Value":"1"}] and is [{"Key":"a","Value":"x"}]`)
	// Another property is none of its business.
	check(true, `{"LogGroupName":"a","RetentionInDays":7,"KmsKeyId":"k"}`, before, `{"LogGroupName":"a","RetentionInDays":8}`, "~ a: done")
	// A deletion minds everything but what AWS writes.
	check(true, `{"LogGroupName":"a","RetentionInDays":7,"KmsKeyId":"k"}`, before, ``, "- a: failed Drifted: changed since it was read: kms_key_id was (absent) and is k")
	check(true, `{"LogGroupName":"a","RetentionInDays":7,"Arn":"new"}`, before, ``, "- a: done")
}

// What the service reads for an update may be written another way than what it
// gave: the patch's own test then refuses it, though nobody was at work.
func TestOwnTestRefuses(t *testing.T) {
	t.Parallel()
	check := func(odd func(model map[string]any), updates int, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			f, j := newFake(t), journal(t)
			defer j.Close()
			f.put(logGroup, "a", `{"LogGroupName":"a","RetentionInDays":7}`)
			f.odd = odd
			r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, intent(t, logGroup, "a", `{"LogGroupName":"a","RetentionInDays":7}`, `{"LogGroupName":"a","RetentionInDays":8}`)))
			wantOutcomes(t, r, err, want)
			if f.calls["Update"] != updates {
				t.Errorf("%d updates", f.calls["Update"])
			}
			if strings.Contains(want, "done") && fmt.Sprint(f.world[logGroup+" a"]["RetentionInDays"]) != "8" {
				t.Errorf("it became %v", f.world[logGroup+" a"])
			}
		})
	}
	check(func(m map[string]any) { m["RetentionInDays"] = "7" }, 2, "~ a: done (2 tries)")
	// If it isn't the test, the second try says so, and is the last.
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		f.put(logGroup, "a", `{"LogGroupName":"a","RetentionInDays":7}`)
		f.sync = true
		f.fail = func(*fakeRequest) *cloudcontrol.Event {
			return &cloudcontrol.Event{Code: "InvalidRequest", Message: "seven is the test of a week"}
		}
		r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, intent(t, logGroup, "a", `{"LogGroupName":"a","RetentionInDays":7}`, `{"LogGroupName":"a","RetentionInDays":8}`)))
		wantOutcomes(t, r, err, "~ a: failed InvalidRequest: seven is the test of a week (2 tries)")
	})
}

// A first Ctrl-C ends new calls, and what is in flight is awaited.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		f.time = 10 * time.Second
		var in []Intent
		for i := range 5 {
			in = append(in, intent(t, logGroup, fmt.Sprintf("%snew-%d", Placeholder, i), "", fmt.Sprintf(`{"LogGroupName":"g%d"}`, i)))
		}
		ctx, cancel := context.WithCancel(t.Context())
		a := &Applier{Clouds: f.clouds, Journal: j, Parallel: 2}
		time.AfterFunc(5*time.Second, cancel)
		r, err := a.Apply(ctx, newSet(t, in...))
		const never = "skipped: interrupted before it was sent"
		wantOutcomes(t, r, err, "+ g0: done", "+ g1: done", "+ g2: "+never, "+ g3: "+never, "+ g4: "+never)
		h := j.Sets()[0]
		if !r.Interrupted || !h.Unfinished() || h.Count(NotSent) != 3 {
			t.Errorf("%+v", h)
		}
		s, err := h.Set(catalog.Embedded())
		if err != nil {
			t.Fatal(err)
		}
		r, err = a.Resume(t.Context(), h, s, h.Place)
		wantOutcomes(t, r, err, "+ g0: done", "+ g1: done", "+ g2: done", "+ g3: done", "+ g4: done")
		if len(f.world) != 5 || len(f.all) != 5 || j.Sets()[0].Unfinished() {
			t.Errorf("%v", f.world)
		}
		if _, err := a.Resume(t.Context(), h, s, Place{}); err == nil || !strings.Contains(err.Error(), "it belongs to the sandbox, and this is AWS") {
			t.Errorf("another endpoint: %v", err)
		}
	})
}

// A second Ctrl-C leaves, and recover goes on.
func TestLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		f.time = time.Hour
		leave := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		time.AfterFunc(2*time.Second, func() { close(leave) })
		began := time.Now()
		r, err := (&Applier{Clouds: f.clouds, Journal: j, Leave: leave}).Apply(ctx, newSet(t, intent(t, queue, "", "", `{"QueueName":"q"}`)))
		wantOutcomes(t, r, err, "+ q: unknown: the wait was given up")
		if d := time.Since(began); d != 2*time.Second {
			t.Errorf("left after %s", d)
		}
		h := j.Sets()[0]
		s, err := h.Set(catalog.Embedded())
		if err != nil {
			t.Fatal(err)
		}
		r, err = (&Applier{Clouds: f.clouds, Journal: j}).Recover(t.Context(), h, s, h.Place)
		wantOutcomes(t, r, err, "+ q: done")
	})
}

// Polls begin with RetryAfter, else at 0.3 s, and grow to 10 s; a handler's
// own time is the bound.
func TestPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		f.time = 60 * time.Second
		r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, intent(t, queue, "", "", `{"QueueName":"q"}`)))
		wantOutcomes(t, r, err, "+ q: done")
		if n := f.calls["RequestStatus"]; n < 14 || n > 20 {
			t.Errorf("%d polls in a minute", n)
		}
		f.time = 24 * time.Hour
		began := time.Now()
		r, err = (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, intent(t, queue, "", "", `{"QueueName":"q2"}`)))
		wantOutcomes(t, r, err, "+ q2: unknown: AWS is still at work on it after 2h1m0s")
		if d := time.Since(began); d < 2*time.Hour || d > 2*time.Hour+2*time.Minute {
			t.Errorf("waited for %s", d)
		}
		r, err = (&Applier{Clouds: f.clouds, Journal: j, Timeout: time.Minute}).Apply(t.Context(), newSet(t, intent(t, queue, "", "", `{"QueueName":"q3"}`)))
		wantOutcomes(t, r, err, "+ q3: unknown: AWS is still at work on it after 1m0s")
		r, err = (&Applier{Clouds: f.clouds, Journal: j, NoWait: true}).Apply(t.Context(), newSet(t, intent(t, queue, "", "", `{"QueueName":"q4"}`)))
		wantOutcomes(t, r, err, "+ q4: asked")
		if h := j.Sets()[3]; r.Results[0].Request == "" || !h.Unfinished() {
			t.Errorf("%+v", h)
		}
	})
}

// NotFound right after a creation is asked again, for a read-back.
func TestReadBackWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		f.hidden = 3
		r, err := (&Applier{Clouds: f.clouds, Journal: j, ReadBack: true}).Apply(t.Context(), newSet(t, intent(t, logGroup, "", "", `{"LogGroupName":"a"}`)))
		wantOutcomes(t, r, err, "+ a: done")
		if string(r.Results[0].Properties) != `{"LogGroupName":"a"}` || f.calls["Get"] != 4 {
			t.Errorf("%s after %d reads", r.Results[0].Properties, f.calls["Get"])
		}
	})
}

// A replacement deletes and makes anew, in the type's order.
func TestReplace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		f.put(queue, "assigned-0", `{"QueueName":"q","FifoQueue":false,"QueueUrl":"assigned-0"}`)
		in := intent(t, queue, "assigned-0", `{"QueueName":"q","FifoQueue":false,"QueueUrl":"assigned-0"}`, `{"QueueName":"q","FifoQueue":true,"QueueUrl":"assigned-0"}`)
		s, err := New(Place{}, []Intent{in}, Options{Replace: true})
		if err != nil {
			t.Fatal(err)
		}
		var steps []string
		var mu sync.Mutex
		a := &Applier{Clouds: f.clouds, Journal: j, Progress: func(p Progress) {
			mu.Lock()
			defer mu.Unlock()
			steps = append(steps, string(p.Step)+" "+p.Request)
		}}
		r, err := a.Apply(t.Context(), s)
		wantOutcomes(t, r, err, "-/+ q: done")
		if r.Results[0].Identifier != "assigned-1" || len(f.world) != 1 || f.world[queue+" assigned-1"]["FifoQueue"] != true {
			t.Errorf("%v", f.world)
		}
		if diff := cmp.Diff([]string{"started ", "requested request-1", "requested request-2", "ended "}, steps); diff != "" {
			t.Error(diff)
		}
	})
}

// A replacement that would be called as another resource is ends nothing.
func TestReplaceTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		f.put(logGroup, "a", `{"LogGroupName":"a"}`)
		f.put(logGroup, "b", `{"LogGroupName":"b"}`)
		s, err := New(Place{}, []Intent{intent(t, logGroup, "b", `{"LogGroupName":"b"}`, `{"LogGroupName":"a"}`)}, Options{Replace: true})
		if err != nil {
			t.Fatal(err)
		}
		r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), s)
		wantOutcomes(t, r, err, "-/+ a: failed AlreadyExists: a is there already, so the old one was left as it is")
		if len(f.world) != 2 || f.calls["Delete"] != 0 {
			t.Errorf("%v, %v", f.world, f.calls)
		}
	})
}

// on_change_error: what is independent of a failure goes on, or not.
func TestStopOnError(t *testing.T) {
	t.Parallel()
	for _, stop := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f, j := newFake(t), journal(t)
			defer j.Close()
			f.fail = func(r *fakeRequest) *cloudcontrol.Event {
				if r.id == "a" {
					return &cloudcontrol.Event{Code: "AccessDenied", Message: "no"}
				}
				return nil
			}
			var in []Intent
			for _, n := range []string{"a", "b", "c"} {
				in = append(in, intent(t, logGroup, Placeholder+n, "", `{"LogGroupName":"`+n+`"}`))
			}
			r, err := (&Applier{Clouds: f.clouds, Journal: j, Parallel: 1, StopOnError: stop}).Apply(t.Context(), newSet(t, in...))
			rest := "done"
			if stop {
				rest = "skipped: not sent, because another change failed"
			}
			wantOutcomes(t, r, err, "+ a: failed AccessDenied: no", "+ b: "+rest, "+ c: "+rest)
			if j.Sets()[0].Unfinished() || r.Err() == nil {
				t.Error("a set that has ended is unfinished, or its failure is none")
			}
		})
	}
}
