package change

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
)

// A call whose answer was lost in a crash, found out about later: by the same
// token while it lives, afterwards by what is there, or not at all.
func TestRecover(t *testing.T) {
	t.Parallel()
	type world = func(f *fake)
	check := func(name, typ, id, before, after string, arrived bool, later time.Duration, then world, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, dir := newFake(t), t.TempDir()
				if before != "" {
					f.put(typ, id, before)
				}
				mode := crashBefore
				if arrived {
					mode = crashAfter
				}
				// The set, the call's record, the call.
				process(t, dir, f, &crasher{at: 3, mode: mode}, func(a *Applier) { a.Apply(t.Context(), newSet(t, intent(t, typ, id, before, after))) })
				time.Sleep(later)
				if later > 36*time.Hour {
					clear(f.tokens)
				}
				if then != nil {
					then(f)
				}
				process(t, dir, f, &crasher{}, func(a *Applier) {
					h := a.Journal.Sets()[0]
					s, err := h.Set(catalog.Embedded())
					if err != nil {
						t.Fatal(err)
					}
					r, err := a.Recover(t.Context(), h, s, h.Place)
					wantOutcomes(t, r, err, want)
					if h, err := a.Journal.Find(h.ID); err != nil || h.Count(Open) > 0 {
						t.Errorf("%+v", h.Changes)
					}
				})
				n := 0
				for k := range f.world {
					if strings.HasPrefix(k, typ) {
						n++
					}
				}
				if n > 1 {
					t.Errorf("%d resources: %v", n, f.world)
				}
			})
		})
	}
	const day = 24 * time.Hour
	const g7, g8 = `{"LogGroupName":"g","RetentionInDays":7}`, `{"LogGroupName":"g","RetentionInDays":8}`
	// While the token lives: the same call again.
	check("create arrived", queue, "", "", `{"QueueName":"q"}`, true, time.Hour, nil, "+ q: done")
	check("create lost", queue, "", "", `{"QueueName":"q"}`, false, time.Hour, nil, "+ q: done")
	check("update lost", logGroup, "g", g7, g8, false, time.Hour, nil, "~ g: done")
	check("delete lost", logGroup, "g", g7, "", false, time.Hour, nil, "- g: done")
	check("delete by others", logGroup, "g", g7, "", false, time.Hour, func(f *fake) { f.put(logGroup, "g", g8) }, "- g: unknown: the resource has changed since; it is there, and not as it was")
	const k = `{"LogGroupName":"g","KmsKeyId":"k"}`
	check("update by others", logGroup, "g", `{"LogGroupName":"g"}`, k, false, time.Hour, func(f *fake) { f.put(logGroup, "g", `{"LogGroupName":"g","KmsKeyId":"theirs"}`) },
		"~ g: unknown: the resource has changed since; kms_key_id was (absent) and is theirs")
	check("guarded update by others", logGroup, "g", g7, g8, false, time.Hour, func(f *fake) { f.put(logGroup, "g", `{"LogGroupName":"g","RetentionInDays":9}`) },
		"~ g: unknown: operation 1 of the patch, test /RetentionInDays: the value is another one; retention_in_days was 7 and is 9")
	// Later, never.
	const late = "asked longer ago than its token lives"
	check("late create named arrived", logGroup, "", "", g7, true, 2*day, nil, "+ g: done")
	check("late create named lost", logGroup, "", "", g7, false, 2*day, nil, "+ g: failed NeverArrived: it never arrived ("+late+")")
	check("late create named by others", logGroup, "", "", g7, false, 2*day, func(f *fake) { f.put(logGroup, "g", g8) }, "+ g: unknown: "+late+"; g exists, and is not what was wanted")
	check("late create arrived", queue, "", "", `{"QueueName":"q"}`, true, 2*day, nil, "+ q: done")
	check("late create lost", queue, "", "", `{"QueueName":"q"}`, false, 2*day, nil, "+ q: failed NeverArrived: it never arrived ("+late+")")
	check("very late create", queue, "", "", `{"QueueName":"q"}`, true, 8*day, nil, "+ q: unknown: "+late+", and what became of it can't be read: AWS keeps its records of requests for seven days")
	check("late update arrived", logGroup, "g", g7, g8, true, 2*day, nil, "~ g: done")
	check("late update lost", logGroup, "g", g7, g8, false, 2*day, nil, "~ g: failed NeverArrived: it never arrived ("+late+")")
	check("very late update arrived", logGroup, "g", g7, g8, true, 8*day, nil, "~ g: done")
	check("late update by others", logGroup, "g", g7, g8, false, 2*day, func(f *fake) { f.put(logGroup, "g", `{"LogGroupName":"g","RetentionInDays":9}`) },
		"~ g: unknown: "+late+"; retention_in_days was 7 and is 9")
	check("late delete arrived", logGroup, "g", g7, "", true, 8*day, nil, "- g: done")
	check("late delete lost", logGroup, "g", g7, "", false, 8*day, nil, "- g: failed NeverArrived: it never arrived ("+late+")")
	// A secret that nobody gives again: never the same call.
	const secret = "its secrets are not given"
	u := strings.Replace(connectUser("u", `,"Password":"`+hidden+`"`), `"UserArn":"`+instance+`/agent/u",`, "", 1)
	u = strings.Replace(u, `"UserArn":"`+instance+`/agent/u"`, `"DirectoryUserId":"d"`, 1)
	check("secret create arrived", user, "", "", u, true, time.Hour, nil, "+ u: done")
	check("secret create lost", user, "", "", u, false, time.Hour, nil, "+ u: failed NeverArrived: it never arrived ("+secret+")")
	check("secret update", user, "u", connectUser("u", ""), connectUser("u", `,"Password":"`+hidden+`"`), true, 8*day, nil,
		"~ u: unknown: asked longer ago than its token lives; write-only values can't be read back")
	check("secret update recorded", user, "u", connectUser("u", ""), connectUser("u", `,"Password":"`+hidden+`"`), true, time.Hour, nil, "~ u: done")
}

// While nobody answers, nothing is decided for good.
func TestRecoverOffline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, dir := newFake(t), t.TempDir()
		process(t, dir, f, &crasher{at: 3, mode: crashAfter}, func(a *Applier) { a.Apply(t.Context(), newSet(t, intent(t, queue, "", "", `{"QueueName":"q"}`))) })
		recover := func(a *Applier, want string) {
			t.Helper()
			h := a.Journal.Sets()[0]
			s, err := h.Set(catalog.Embedded())
			if err != nil {
				t.Fatal(err)
			}
			r, err := a.Recover(t.Context(), h, s, h.Place)
			wantOutcomes(t, r, err, want)
		}
		process(t, dir, f, &crasher{}, func(a *Applier) {
			clouds := a.Clouds
			a.Clouds = func(context.Context, string, string) (Cloud, error) { return nil, errors.New("no credentials") }
			recover(a, "+ q: unknown: no credentials")
			a.Clouds = clouds
			f.before = func(string) error { return lost() }
			recover(a, "+ q: unknown ConnectionLost: no answer came: the answer broke off")
			time.Sleep(48 * time.Hour)
			recover(a, "+ q: unknown ConnectionLost: asked longer ago than its token lives, and what became of it can't be read: call: ConnectionLost: the answer broke off")
			f.before = nil
			recover(a, "+ q: done")
		})
	})
}

// A clock that has gone back proves nothing about a token's age.
func TestRecoverClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		s := newSet(t, intent(t, logGroup, "", "", `{"LogGroupName":"g"}`))
		plan := s.saved()
		body := `{"LogGroupName":"g"}`
		ahead := time.Now().Add(48 * time.Hour)
		for _, r := range []record{{Kind: "set", Set: "20000101-1", Time: ahead, Plan: &plan},
			{Kind: "call", Set: "20000101-1", Time: ahead, Change: 1, Op: "CREATE", Token: "t", Body: &body}} {
			if err := j.append(r); err != nil {
				t.Fatal(err)
			}
		}
		h := j.Sets()[0]
		s, err := h.Set(catalog.Embedded())
		if err != nil {
			t.Fatal(err)
		}
		r, err := (&Applier{Clouds: f.clouds, Journal: j}).Recover(t.Context(), h, s, h.Place)
		wantOutcomes(t, r, err, "+ g: failed NeverArrived: it never arrived (the clock has gone back)")
		if f.calls["Create"] != 0 {
			t.Error("a call was made again")
		}
	})
}

// Many alike: as many as were asked for, however many answers are lost.
func TestManyAlike(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		n := 0
		f.after = func(op string) error {
			if n++; op == "Create" && n%3 == 0 {
				return lost()
			}
			return nil
		}
		var in []Intent
		for i := range 40 {
			in = append(in, intent(t, queue, fmt.Sprintf("~%d", i), "", `{"DelaySeconds":1}`))
		}
		r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, in...))
		if err != nil || !r.Complete() || len(f.world) != 40 || len(f.all) != 40 {
			t.Errorf("%v: %d resources, %d requests\n%v", err, len(f.world), len(f.all), outcomes(r))
		}
		ids := map[string]bool{}
		for _, x := range r.Results {
			ids[x.Identifier] = true
		}
		if len(ids) != 40 {
			t.Errorf("%d identifiers", len(ids))
		}
	})
}

// Journal, checks and polls cost little beside the handlers' own time: against
// a bare loop that asks every 0.3 s, at the same concurrency. The time is fake.
func TestOverhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n, parallel = 200, 16
		f, j := newFake(t), journal(t)
		defer j.Close()
		f.latency = 50 * time.Millisecond
		began := time.Now()
		var g errgroup.Group
		g.SetLimit(parallel)
		for i := range n {
			g.Go(func() error {
				e, err := f.Create(t.Context(), queue, []byte(fmt.Sprintf(`{"QueueName":"bare%d"}`, i)), fmt.Sprint("bare", i))
				for err == nil && !e.Status.Final() {
					time.Sleep(300 * time.Millisecond)
					e, err = f.RequestStatus(t.Context(), e.Token)
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		bare := time.Since(began)
		var in []Intent
		for i := range n {
			in = append(in, intent(t, queue, fmt.Sprintf("~%d", i), "", fmt.Sprintf(`{"QueueName":"q%d"}`, i)))
		}
		began = time.Now()
		r, err := (&Applier{Clouds: f.clouds, Journal: j, Parallel: parallel}).Apply(t.Context(), newSet(t, in...))
		if err != nil || !r.Complete() || len(f.all) != 2*n {
			t.Fatal(err, outcomes(r))
		}
		if took := time.Since(began); took > bare*13/10 {
			t.Errorf("%s beside %s of a bare loop", took, bare)
		}
	})
}

// Refusals instead of requests: what is tried again, and how a change ends.
func TestRefusals(t *testing.T) {
	t.Parallel()
	check := func(op, code string, times int, want string, calls int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			f, j := newFake(t), journal(t)
			defer j.Close()
			f.put(logGroup, "a", `{"LogGroupName":"a","RetentionInDays":7}`)
			left := times
			f.before = func(o string) error {
				if o != op {
					return nil
				}
				if left--; left >= 0 {
					return apiError(code, "so it is")
				}
				return nil
			}
			in := intent(t, logGroup, "a", `{"LogGroupName":"a","RetentionInDays":7}`, `{"LogGroupName":"a","RetentionInDays":8}`)
			switch op {
			case "Create":
				in = intent(t, queue, "", "", `{"QueueName":"q"}`)
			case "Delete":
				in.After = nil
			}
			r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, in))
			wantOutcomes(t, r, err, want)
			if f.calls[op] != calls {
				t.Errorf("%s %s: %d calls, want %d", op, code, f.calls[op], calls)
			}
			if r.Results[0].Outcome == Done && len(f.all) > 1 {
				t.Errorf("%d requests", len(f.all))
			}
		})
	}
	check("Create", "ThrottlingException", 5, "+ q: done", 6)
	check("Create", "ServiceInternalErrorException", 1, "+ q: failed ServiceInternalError: so it is", 1)
	check("Create", "ServiceLimitExceededException", 1, "+ q: failed ServiceLimitExceeded: so it is", 1)
	check("Create", "ValidationException", 1, "+ q: failed Validation: so it is", 1)
	check("Update", "ThrottlingException", 3, "~ a: done", 4)
	check("Update", "ConcurrentOperationException", 2, "~ a: done (3 tries)", 3)
	check("Update", "ResourceConflictException", 2, "~ a: done (3 tries)", 3)
	check("Update", "HandlerInternalFailureException", 5, "~ a: failed InternalFailure: so it is (2 tries)", 2)
	check("Update", "ResourceNotFoundException", 1, "~ a: failed NotFound: so it is", 1)
	check("Update", "UnsupportedActionException", 1, "~ a: failed UnsupportedAction: so it is", 1)
	check("Update", "ClientTokenConflictException", 1, "~ a: failed ClientTokenConflict: so it is", 1)
	check("Delete", "ResourceNotFoundException", 1, "- a: done", 1)
	check("Delete", "AccessDeniedException", 1, "- a: failed AccessDenied: so it is", 1)
}

// A poll that is refused for a while is asked again; one that AWS has forgotten
// is decided by what is there.
func TestPollFailures(t *testing.T) {
	t.Parallel()
	check := func(code string, times int, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			f, j := newFake(t), journal(t)
			defer j.Close()
			f.before = func(op string) error {
				if times--; op == "RequestStatus" && times >= -1 {
					return cloudcontrol.NewError(op, code, "so it is")
				}
				return nil
			}
			r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, intent(t, logGroup, "", "", `{"LogGroupName":"g"}`)))
			wantOutcomes(t, r, err, want)
		})
	}
	check("ThrottlingException", 20, "+ g: done")
	check("ConnectionLost", 20, "+ g: done")
	check("RequestTokenNotFoundException", 1, "+ g: done")
	check("AccessDeniedException", 1, "+ g: done")
	check("AccessDeniedException", 1000, "+ g: unknown AccessDenied: its end can't be asked after: so it is")
}
