package change

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
)

// takeBack undoes a set, and gives what was said and what became of it.
func takeBack(t *testing.T, a *Applier, f *fake, id string) (said []string) {
	t.Helper()
	h, err := a.Journal.Find(id)
	if err != nil {
		t.Fatal(err)
	}
	s, err := h.Set(catalog.Embedded())
	if err != nil {
		t.Fatal(err)
	}
	intents, notes, err := Undo(t.Context(), h, s, h.Place, f.clouds)
	if err != nil {
		t.Fatal(err)
	}
	back, err := New(h.Place, intents, Options{Replace: true})
	if err != nil {
		t.Fatal(err)
	}
	back.Undoes = id
	r, err := a.Apply(t.Context(), back)
	if err != nil {
		t.Fatal(err)
	}
	return append(notes, outcomes(r)...)
}

// What AWS names would be made once more each time that its deletion is undone.
func TestUndoTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, dir := newFake(t), t.TempDir()
		f.put(queue, "https://q", `{"QueueName":"q","QueueUrl":"https://q"}`)
		check := func(want ...string) {
			t.Helper()
			process(t, dir, f, &crasher{}, func(a *Applier) {
				if diff := cmp.Diff(want, takeBack(t, a, f, a.Journal.Sets()[0].ID)); diff != "" {
					t.Error(diff)
				}
			})
		}
		id := ""
		process(t, dir, f, &crasher{}, func(a *Applier) {
			s := newSet(t, intent(t, queue, "https://q", `{"QueueName":"q","QueueUrl":"https://q"}`, ""))
			r, err := a.Apply(t.Context(), s)
			wantOutcomes(t, r, err, "- q: done")
			id, _, _ = strings.Cut(s.ID, "-")
		})
		const anew = "aws.sqs.queues q: AWS gives it a new identifier: what refers to the old one has to be changed"
		f.fail = func(*fakeRequest) *cloudcontrol.Event {
			return &cloudcontrol.Event{Code: "InvalidRequest", Message: "no"}
		}
		check(anew, "+ q: failed InvalidRequest: no")
		f.fail = nil
		check(anew, "+ q: done")
		check("aws.sqs.queues q: was made anew by change set " + id + "-3, as assigned-2")
		if len(f.world) != 1 {
			t.Error(f.world)
		}
		delete(f.world, queue+" assigned-2")
		check(anew, "+ q: done")
	})
}

// Of a replacement whose second call fails it is said how things are, and undo
// makes them as they were.
func TestUndoHalfReplaced(t *testing.T) {
	t.Parallel()
	check := func(typ, strategy, before, after string, fails cloudcontrol.Operation, half string, want ...string) {
		t.Helper()
		t.Run(typ+strategy, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, j := newFake(t), journal(t)
				defer j.Close()
				f.put(typ, "old", before)
				a := &Applier{Clouds: f.clouds, Journal: j}
				in := intent(t, typ, "old", before, after)
				tb := *in.Table
				tb.ReplacementStrategy, in.Table = strategy, &tb
				s, err := New(Place{}, []Intent{in}, Options{Replace: true})
				if err != nil {
					t.Fatal(err)
				}
				f.fail = func(r *fakeRequest) *cloudcontrol.Event {
					if r.op != fails {
						return nil
					}
					return &cloudcontrol.Event{Code: "InvalidRequest", Message: "no"}
				}
				r, err := a.Apply(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprint(r.Results[0].details()); !strings.Contains(got, strings.ReplaceAll(half, "SET", s.ID)) {
					t.Error(got)
				}
				f.fail = nil
				if diff := cmp.Diff(want, takeBack(t, a, f, s.ID)); diff != "" {
					t.Error(diff)
				}
				if len(f.world) != 1 {
					t.Error(f.world)
				}
				for _, m := range f.world {
					if m["QueueName"] != "old" && m["LogGroupName"] != "old" && m["Name"] != "old" {
						t.Error(m)
					}
				}
			})
		})
	}
	check(queue, "", `{"QueueName":"old","QueueUrl":"old"}`, `{"QueueName":"new"}`, cloudcontrol.OpCreate, "the old one is deleted already: skyql undo SET makes it anew",
		"aws.sqs.queues new: AWS gives it a new identifier: what refers to the old one has to be changed", "+ old: done")
	check(logGroup, "", `{"LogGroupName":"old"}`, `{"LogGroupName":"new"}`, cloudcontrol.OpCreate, "the old one is deleted already: skyql undo SET makes it anew", "+ old: done")
	check(logGroup, "create_then_delete", `{"LogGroupName":"old"}`, `{"LogGroupName":"new"}`, cloudcontrol.OpDelete, "the new one is made, and the old one is still there: skyql undo SET takes the new one away", "- new: done")
}
