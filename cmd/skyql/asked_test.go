//go:build unix

package main

import (
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/skyql/skyql/internal/sandbox"
)

// A row that was changed while a person was asked is not deleted: both values
// are shown.
func TestChangedWhileAsked(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{})
	x := open(t, 110, 40, at(t, box, t.TempDir()), "skyql", "query", "DELETE FROM aws.sqs.queues WHERE queue_name = 'orders'")
	x.shows(`Only "yes" does:`)
	const id = "https://sqs.us-east-1.amazonaws.com/111122223333/orders"
	now := box.Properties("111122223333", "us-east-1", "AWS::SQS::Queue", id)
	now["DelaySeconds"] = 600
	if err := box.Put(sandbox.Resource{Account: "111122223333", Region: "us-east-1", Type: "AWS::SQS::Queue", Properties: now}); err != nil {
		t.Fatal(err)
	}
	x.keys("yes\r")
	x.shows("orders  failed: Drifted", "changed since it was read: delay_seconds was 0 and is 600", "run the statement again")
	x.ends(exitError)
	if n := box.Calls()["DeleteResource"]; n != 0 {
		t.Errorf("%d deletes", n)
	}
}

// A waitingRoom holds the polls of requests until it is opened.
type waitingRoom struct {
	*sandbox.Sandbox
	once         sync.Once
	held, opened chan struct{}
}

func newWaitingRoom() *waitingRoom {
	return &waitingRoom{Sandbox: sandbox.New(sandbox.Options{}), held: make(chan struct{}), opened: make(chan struct{})}
}

func (w *waitingRoom) ServeHTTP(rw http.ResponseWriter, q *http.Request) {
	if strings.HasSuffix(q.Header.Get("X-Amz-Target"), ".GetResourceRequestStatus") {
		w.once.Do(func() { close(w.held) })
		select {
		case <-w.opened:
		case <-q.Context().Done():
		}
	}
	w.Sandbox.ServeHTTP(rw, q)
}

const threeGroups = "INSERT INTO aws.logs.log_groups (log_group_name) SELECT 'late-' || i FROM range(3) r(i);\r"

// The first Ctrl-C begins no new change and waits for what is under way; what
// was never sent can be gone on with.
func TestShellInterruptedChange(t *testing.T) {
	t.Parallel()
	room := newWaitingRoom()
	x := open(t, 110, 40, at(t, room, t.TempDir()), "skyql", "--quiet", "--yes")
	x.ready()
	x.keys("SET parallel = 1;\r")
	x.ready()
	x.keys(threeGroups)
	<-room.held
	x.keys("\x03")
	x.shows("interrupted: nothing more is begun")
	close(room.opened)
	x.shows("late-0  done", "late-1  skipped: interrupted before it was sent", "1 done, 2 skipped", "goes on")
	if n := room.Calls()["CreateResource"]; n != 1 {
		t.Errorf("%d creates", n)
	}
	x.ready()
	x.keys("\x04")
	x.ends(0)
}

// The second Ctrl-C leaves at once and says how to go on; recover then finds out.
func TestShellLeftChange(t *testing.T) {
	t.Parallel()
	room := newWaitingRoom()
	env := at(t, room, t.TempDir())
	x := open(t, 110, 40, env, "skyql", "--quiet", "--yes")
	x.ready()
	x.keys("SET parallel = 1;\r")
	x.ready()
	x.keys(threeGroups)
	<-room.held
	x.keys("\x03")
	x.shows("interrupted: nothing more is begun")
	x.keys("\x03")
	x.shows("late-0  unknown", "the wait was given up", "1 unknown, 2 skipped", "skyql recover finds out the rest")
	x.ready()
	close(room.opened)
	x.keys("\x04")
	x.ends(0)
	y := open(t, 110, 40, env, "skyql", "recover")
	y.shows("late-0  done", "2 were never sent")
	y.ends(0)
	set := regexp.MustCompile(`change set ([0-9]+-1)`).FindStringSubmatch(y.text())[1]
	z := open(t, 110, 40, env, "skyql", "apply", "--plan", set) // looks, and goes on with nothing
	z.shows("late-1", "late-2", "2 to create")
	z.ends(exitChanges)
	if n := room.Calls()["CreateResource"]; n != 1 {
		t.Errorf("%d creates", n)
	}
	open(t, 110, 40, env, "skyql", "apply", set).ends(0)
	z = open(t, 110, 40, env, "skyql", "apply", "--plan", set)
	z.shows("nothing of change set " + set + " is left to send")
	z.ends(0)
}

// What changes the cloud is never done again and again, agreed to or not.
func TestShellWatchChange(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{})
	x := open(t, 110, 30, at(t, box, t.TempDir()), "skyql", "--quiet", "--yes")
	x.ready()
	x.keys("UPDATE aws.sqs.queues SET delay_seconds = delay_seconds + 1 WHERE queue_name = 'orders' \\watch 0.1\r")
	x.shows(`error: \watch reads again and again`)
	x.ready()
	x.keys("SELECT 1; DELETE FROM aws.sqs.queues WHERE queue_name = 'orders' \\watch\r")
	x.shows(`hint: run the statement by itself`)
	x.ready()
	if c := box.Calls(); c["UpdateResource"]+c["DeleteResource"] != 0 {
		t.Errorf("%v", c)
	}
}
