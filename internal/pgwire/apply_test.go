package pgwire

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/sandbox"
)

// Parameters, described rows and pipelines of statements that change things.
func TestExtendedChanges(t *testing.T) {
	t.Parallel()
	w := serveChanges(t, sandbox.Options{})
	c, err := pgx.Connect(t.Context(), w.url()+"&options=-c%20confirm%3Dapply%20-c%20regions%3Dus-east-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	ctx := t.Context()
	if got := all(t, c, "SHOW confirm; SHOW regions"); got != "apply\nus-east-1" {
		t.Error(got)
	}
	for i, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		name := fmt.Sprintf("q%d", i)
		var url string
		var delay int64
		err := c.QueryRow(ctx, "INSERT INTO sqs.queues (queue_name, delay_seconds) VALUES ($1, $2) RETURNING identifier, delay_seconds + $3", mode, name, 5, 1).Scan(&url, &delay)
		if err != nil || url != "https://sqs.us-east-1.amazonaws.com/111122223333/"+name || delay != 6 {
			t.Errorf("%v: %s %d %v", mode, url, delay, err)
		}
		tag, err := c.Exec(ctx, "UPDATE sqs.queues SET delay_seconds = $2 WHERE queue_name = $1", mode, name, 7)
		if err != nil || tag.String() != "UPDATE 1" {
			t.Errorf("%v: %s %v", mode, tag, err)
		}
	}
	st, err := c.Prepare(ctx, "p", "MERGE INTO sqs.queues q USING (SELECT $1 AS n, $2::BIGINT AS d) s ON q.queue_name = s.n WHEN MATCHED THEN UPDATE SET delay_seconds = s.d WHEN NOT MATCHED THEN INSERT (queue_name, delay_seconds) VALUES (s.n, s.d) RETURNING merge_action, queue_name")
	if err != nil || len(st.Fields) != 2 || st.Fields[0].Name != "merge_action" {
		t.Fatalf("%+v %v", st, err)
	}
	for _, want := range []string{"UPDATE", "INSERT"} {
		var action, name string
		if err := c.QueryRow(ctx, "p", map[string]string{"UPDATE": "q1", "INSERT": "q9"}[want], 8).Scan(&action, &name); err != nil || action != want {
			t.Errorf("%s %s %v", action, name, err)
		}
	}
	if got := all(t, c, "PREPARE d (text) AS DELETE FROM sqs.queues WHERE queue_name = $1 RETURNING delay_seconds; EXECUTE d('q9')"); got != "PREPARE\n8" {
		t.Error(got)
	}
	before := len(w.sets(t))
	// A pipeline is one transaction.
	batch := &pgx.Batch{}
	for i := range 3 {
		batch.Queue("INSERT INTO sqs.queues (queue_name) VALUES ($1)", fmt.Sprintf("batch%d", i))
	}
	if err := c.SendBatch(ctx, batch).Close(); err != nil {
		t.Error(err)
	}
	if sets := w.sets(t); len(sets) != before+1 || len(sets[before].Changes) != 3 {
		t.Errorf("a pipeline made %d change sets", len(sets)-before)
	}
	batch = &pgx.Batch{}
	batch.Queue("DELETE FROM sqs.queues WHERE queue_name = $1", "batch0")
	batch.Queue("SELECT x + $1 FROM (VALUES ('a')) t(x)", 1)
	if err := c.SendBatch(ctx, batch).Close(); code(err) == "" {
		t.Error("a pipeline with an error in it went through")
	}
	if got := all(t, c, "SELECT count(*) FROM sqs.queues WHERE queue_name = 'batch0'"); got != "1" || len(w.sets(t)) != before+1 {
		t.Errorf("%s queues, %d change sets", got, len(w.sets(t))-before)
	}
	// A transaction of pgx's.
	all(t, c, "SET confirm = 'plan'")
	tx, err := c.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "DELETE FROM sqs.queues WHERE queue_name = ANY($1)", []string{"batch0", "batch1"}); err != nil {
		t.Fatal(err)
	}
	rows, err := tx.Query(ctx, "SHOW PLAN")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || !strings.HasPrefix(plan[len(plan)-1], "2 to delete") {
		t.Errorf("%q %v", plan, err)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Error(err)
	}
	if _, err := c.Exec(ctx, "DELETE FROM sqs.queues WHERE queue_name = $1", "batch2"); code(err) != "55000" {
		t.Error(err)
	}
	tx, err = c.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "DELETE FROM sqs.queues WHERE queue_name = $1", "batch2"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(ctx); code(err) != "55000" || c.IsClosed() {
		t.Errorf("%v", err)
	}
	if got := all(t, c, "SELECT count(*) FROM sqs.queues WHERE queue_name LIKE 'batch%'"); got != "1" {
		t.Error(got)
	}
}

// What became of each change is in the error.
func TestFailedChanges(t *testing.T) {
	t.Parallel()
	w := serveChanges(t, sandbox.Options{Faults: &sandbox.Faults{Rules: []sandbox.Rule{
		{Operation: sandbox.Names{"UpdateResource"}, Identifier: sandbox.Names{"*/bad"}, Fail: "InvalidRequest", Message: "no such delay"}}}})
	p := w.talker(t)
	p.says("SET confirm = 'apply'; INSERT INTO sqs.queues (queue_name) VALUES ('good'), ('bad')")
	got := tidy(p.says("UPDATE sqs.queues SET delay_seconds = 5 WHERE queue_name IN ('good', 'bad')"))
	if d := cmp.Diff(strings.TrimSpace(`
ERROR 38000 not all of the changes are made: 1 done, 1 failed · change set DAY-2 · skyql undo DAY-2 shows how to take it back
DETAIL   bad   failed: InvalidRequest
        AWS says: no such delay
        the service refuses the values: the message says which; change them and run the statement again
  good  done
1 done, 1 failed · change set DAY-2 · skyql undo DAY-2 shows how to take it back
HINT skyql undo DAY-2
I`), got); d != "" {
		t.Error(d)
	}
	got = tidy(p.says("BEGIN; UPDATE sqs.queues SET delay_seconds = 6 WHERE queue_name = 'bad'; COMMIT"))
	if !strings.Contains(got, "ERROR 38000 aws.sqs.queues bad: failed: InvalidRequest") || !strings.HasSuffix(got, "HINT skyql changes\nI") {
		t.Error(got)
	}
	if got := w.logged(t); !strings.Contains(got, "someone failed UPDATE sqs.queues SET delay_seconds = 5 WHERE queue_name IN ('good', 'bad') {Done:1 Failed:1 Unknown:0 Skipped:0} 38000\n") {
		t.Error(got)
	}
}

// started brings a session to the point where the first of two changes is in
// flight.
func (w *writable) started(t testing.TB, p talker) {
	t.Helper()
	p.says("SET confirm = 'apply'; INSERT INTO sqs.queues (queue_name) VALUES ('a'), ('b'); SET parallel = 1")
	w.gate.closed.Store(true)
	p.front.Send(&pgproto3.Query{String: "UPDATE sqs.queues SET delay_seconds = 5 WHERE queue_name IN ('a', 'b')"})
	if err := p.front.Flush(); err != nil {
		t.Fatal(err)
	}
	<-w.gate.arrived
}

// halfDone checks that one change is done, one was never sent, and that the
// journal and the audit log know.
func (w *writable) halfDone(t testing.TB) {
	t.Helper()
	sets := w.sets(t)
	if h := sets[len(sets)-1]; h.Count(change.StateDone) != 1 || h.Count(change.NotSent) != 1 {
		t.Errorf("journal: %s", h.Summary())
	}
	if got := w.logged(t); !strings.Contains(got, "someone failed UPDATE sqs.queues SET delay_seconds = 5 WHERE queue_name IN ('a', 'b') {Done:1 Failed:0 Unknown:0 Skipped:1}") {
		t.Errorf("audit log:\n%s", got)
	}
	if n := w.cloud.Calls()["UpdateResource"]; n != 1 {
		t.Errorf("%d updates", n)
	}
}

const howToGoOn = "1 done, 1 skipped · change set DAY-2 · skyql apply DAY-2 goes on, skyql changes drop DAY-2 forgets it"

// Whatever ends a statement ends its new calls; the one in flight is awaited, and
// the client told how to go on.
func TestInterruptedChanges(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{"user request": errUser, "statement timeout": errTimeout} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := serveChanges(t, sandbox.Options{})
			p := w.talker(t)
			w.started(t, p)
			w.conn(1).interrupt(cause)
			w.gate.pass <- struct{}{}
			got := tidy(p.heard())
			want := "ERROR 57014 canceling statement due to " + name + "\nDETAIL   b  skipped: interrupted before it was sent\n  a  done\n" + howToGoOn + "\nHINT skyql apply DAY-2, or skyql changes drop DAY-2\nI"
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			w.halfDone(t)
		})
	}
}

// A client that goes away ends its statement in the same way.
func TestVanishedChanges(t *testing.T) {
	t.Parallel()
	w := serveChanges(t, sandbox.Options{})
	p := w.talker(t)
	w.started(t, p)
	ended := w.ended(1)
	p.Close()
	<-ended
	w.gate.pass <- struct{}{}
	w.stop()
	w.halfDone(t)
}

func (s *site) conn(id uint32) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[id]
}

// ended gives what is closed once something has ended the statement that a
// connection runs.
func (s *site) ended(id uint32) <-chan struct{} {
	c := s.conn(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	out, cancel := make(chan struct{}), c.running
	closed := sync.OnceFunc(func() { close(out) })
	c.running = func(cause error) { cancel(cause); closed() }
	return out
}

// A server that stops gives changes their time, and then ends new calls.
func TestStoppedChanges(t *testing.T) {
	t.Parallel()
	w := serveChanges(t, sandbox.Options{})
	w.grace = 0
	p := w.talker(t)
	w.started(t, p)
	ended, stopped := w.ended(1), make(chan struct{})
	go func() { w.stop(); close(stopped) }()
	<-ended
	w.gate.pass <- struct{}{}
	e := p.until("ErrorResponse").(*pgproto3.ErrorResponse)
	if e.Code != "57P01" || !strings.Contains(tidy(e.Detail), howToGoOn) || e.Severity != "FATAL" {
		t.Errorf("%+v", e)
	}
	<-stopped
	w.halfDone(t)
}

// Sessions change things side by side, with one journal.
func TestChangesSideBySide(t *testing.T) {
	t.Parallel()
	w := serveChanges(t, sandbox.Options{})
	a, b := w.talker(t), w.talker(t)
	w.started(t, a) // which waits in the gate, with the journal in its hands
	w.gate.closed.Store(false)
	if got := tidy(b.says("SET confirm = 'apply'; INSERT INTO sqs.queues (queue_name) VALUES ('other')")); !strings.Contains(got, "1 done · change set DAY-3") {
		t.Error(got)
	}
	w.gate.pass <- struct{}{}
	if got := tidy(a.heard()); !strings.Contains(got, "2 done · change set DAY-2") {
		t.Error(got)
	}
	for _, h := range w.sets(t) {
		if !h.Closed || h.Unfinished() {
			t.Errorf("%s is left open", h.ID)
		}
	}
	// Another process is kept out, and told so.
	j, err := change.OpenJournal(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if got := b.says("DELETE FROM sqs.queues WHERE queue_name = 'other'"); !strings.HasPrefix(got, "ERROR 55006 another skyql (process ") {
		t.Error(got)
	}
}

// A statement is carried out once its pipeline is known to end with it, or at the
// end; one whose Sync never comes isn't.
func TestPipelinedChanges(t *testing.T) {
	t.Parallel()
	w := serveChanges(t, sandbox.Options{})
	p := w.talker(t)
	p.says("SET confirm = 'apply'")
	insert := func(name string) {
		p.front.Send(&pgproto3.Parse{Query: "INSERT INTO sqs.queues (queue_name) VALUES ($1) RETURNING identifier"})
		p.front.Send(&pgproto3.Bind{Parameters: [][]byte{[]byte(name)}})
		p.front.Send(&pgproto3.Execute{})
	}
	check := func(want string, messages ...pgproto3.FrontendMessage) {
		t.Helper()
		for _, m := range messages {
			p.front.Send(m)
		}
		if d := cmp.Diff(strings.TrimSpace(want), tidy(p.heard())); d != "" {
			t.Error(d)
		}
	}
	insert("a")
	check("NOTICE 1 done · change set DAY-1 · skyql undo DAY-1 shows how to take it back\nhttps://sqs.us-east-1.amazonaws.com/111122223333/a\nINSERT 0 1\nI",
		&pgproto3.Close{ObjectType: 'P'}, &pgproto3.Close{ObjectType: 'S'}, &pgproto3.Sync{})
	insert("b")
	p.front.Send(&pgproto3.Flush{})
	p.until("CommandComplete") // planned: what comes next may fail
	if n := w.cloud.Calls()["CreateResource"]; n != 1 {
		t.Errorf("%d creates", n)
	}
	check("NOTICE 1 done · change set DAY-2 · skyql undo DAY-2 shows how to take it back\nI", &pgproto3.Sync{})
	insert("c")
	p.front.Send(&pgproto3.Execute{Portal: "none"})
	check("NOTICE 1 planned: SHOW PLAN shows the whole, COMMIT makes it so, ROLLBACK forgets it\n~new-1\nINSERT 0 1\nERROR 34000 portal \"none\" does not exist\nI", &pgproto3.Sync{})
	insert("d")
	if err := p.front.Flush(); err != nil {
		t.Fatal(err)
	}
	w.stop() // while it waits for a Sync
	if got := p.closed(); got != "57P01" {
		t.Errorf("%q", got)
	}
	if n := w.cloud.Calls()["CreateResource"]; n != 2 {
		t.Errorf("%d creates", n)
	}
}
