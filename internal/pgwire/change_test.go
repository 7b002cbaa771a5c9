package pgwire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/sandbox"
	"github.com/skyql/skyql/internal/session"
)

// A writable site has a journal and an audit log.
type writable struct {
	*site
	dir, audit string
}

// serveChanges starts a server whose sessions may change things.
func serveChanges(t testing.TB, cloud sandbox.Options) *writable {
	t.Helper()
	dir := t.TempDir()
	w := &writable{dir: filepath.Join(dir, "journal"), audit: filepath.Join(dir, "audit.log")}
	audit, err := OpenAudit(w.audit)
	if err != nil {
		t.Fatal(err)
	}
	w.site = serveCloud(t, cloud, func(o *Options) {
		o.Changes, o.Audit = &session.Changes{StateDir: w.dir}, audit
	})
	return w
}

// logged gives the audit log's lines: what doesn't vary of them.
func (w *writable) logged(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(w.audit)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range bytes.Lines(text) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s %s", e.User, e.Outcome, e.Statement)
		if e.Result != nil {
			fmt.Fprintf(&b, " %+v", *e.Result)
		}
		if e.Code != "" {
			fmt.Fprintf(&b, " %s", e.Code)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// sets gives what the journal knows, and fails where something is left open.
func (w *writable) sets(t testing.TB) []*change.History {
	t.Helper()
	sets, err := change.ReadJournal(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	return sets
}

// A talker runs simple queries and writes down what comes back, a line a
// message.
type talker struct{ *peer }

func (p talker) says(sql string) string {
	p.t.Helper()
	p.front.Send(&pgproto3.Query{String: sql})
	return p.heard()
}

// heard reads up to ReadyForQuery.
func (p talker) heard() string {
	p.t.Helper()
	if err := p.front.Flush(); err != nil {
		p.t.Fatal(err)
	}
	var lines []string
	for {
		m, err := p.front.Receive()
		if err != nil {
			p.t.Fatalf("%v after %q", err, lines)
		}
		switch m := m.(type) {
		case *pgproto3.RowDescription:
			var names []string
			for _, f := range m.Fields {
				names = append(names, string(f.Name))
			}
			lines = append(lines, strings.Join(names, "|"))
		case *pgproto3.DataRow:
			var values []string
			for _, v := range m.Values {
				values = append(values, string(v))
			}
			lines = append(lines, strings.Join(values, "|"))
		case *pgproto3.NoticeResponse:
			lines = append(lines, m.Severity+" "+m.Message)
		case *pgproto3.ErrorResponse:
			lines = append(lines, "ERROR "+m.Code+" "+m.Message)
			for _, d := range []struct{ name, text string }{{"DETAIL", m.Detail}, {"HINT", m.Hint}} {
				if d.text != "" {
					lines = append(lines, d.name+" "+d.text)
				}
			}
		case *pgproto3.CommandComplete:
			lines = append(lines, string(m.CommandTag))
		case *pgproto3.ReadyForQuery:
			return strings.Join(append(lines, string(m.TxStatus)), "\n")
		}
	}
}

func (w *writable) talker(t testing.TB) talker { return talker{w.dial(t)} }

// Without --allow-writes nothing is read, let alone changed.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	p := talker{s.dial(t)}
	s.cloud.ResetCalls()
	for _, sql := range []string{
		"INSERT INTO sqs.queues (queue_name) VALUES ('x')", "UPDATE aws.sqs.queues SET delay_seconds = 5", "DELETE FROM sqs.queues WHERE queue_name = 'x'",
		"MERGE INTO sqs.queues q USING (SELECT 'x' AS n) s ON q.queue_name = s.n WHEN MATCHED THEN DELETE", "WITH x AS (SELECT 1) DELETE FROM sqs.queues",
		"BEGIN; SET confirm = 'apply'; UPDATE sqs.queues SET delay_seconds = 5",
	} {
		got := p.says(sql)
		if !strings.Contains(got, "ERROR 25006 cannot execute") || !strings.Contains(got, "HINT skyql server --allow-writes") {
			t.Errorf("%s\n%s", sql, got)
		}
		p.says("ROLLBACK")
	}
	p.front.Send(&pgproto3.Parse{Query: "UPDATE sqs.queues SET delay_seconds = $1"})
	p.front.Send(&pgproto3.Sync{})
	if got := p.heard(); !strings.Contains(got, "25006") {
		t.Error(got)
	}
	if calls := s.cloud.Calls(); len(calls) > 0 {
		t.Errorf("%v", calls)
	}
	check := func(sql, want string) {
		t.Helper()
		if got := p.says(sql); got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
	check("SHOW default_transaction_read_only", "default_transaction_read_only\non\nSHOW\nI")
	check("SET default_transaction_read_only = off", "WARNING this server only reads: default_transaction_read_only stays on\nSET\nI")
	check("BEGIN READ WRITE; SHOW transaction_read_only; COMMIT", "BEGIN\ntransaction_read_only\non\nSHOW\nCOMMIT\nI")
}

// A plan that was looked at is carried out, and only that one.
func TestShownPlan(t *testing.T) {
	t.Parallel()
	w := serveChanges(t, sandbox.Options{})
	p := w.talker(t)
	check := func(sql, want string) {
		t.Helper()
		got := tidy(w, p.says(sql))
		if d := cmp.Diff(strings.TrimSpace(want), got); d != "" {
			t.Errorf("%s (-want +got)\n%s", sql, d)
		}
	}
	check("SHOW default_transaction_read_only", "default_transaction_read_only\noff\nSHOW\nI")
	check("SHOW confirm", "confirm\nplan\nSHOW\nI")
	check("INSERT INTO sqs.queues (queue_name, delay_seconds) VALUES ('jobs', 5)", `
ERROR 55000 nothing was changed: the plan was not agreed to
DETAIL CLOUD · account 111122223333 · us-east-1

+ aws.sqs.queues  jobs  (known after apply)
    delay_seconds   5
    queue_name      jobs

1 to create · needs sqs:CreateQueue, sqs:GetQueueUrl, sqs:TagQueue
HINT BEGIN, the statement, SHOW PLAN, COMMIT; or SET confirm = 'apply'
I`)
	check("BEGIN", "BEGIN\nT")
	check("INSERT INTO sqs.queues (queue_name, delay_seconds) VALUES ('jobs', 5)", "NOTICE 1 planned: SHOW PLAN shows the whole, COMMIT makes it so, ROLLBACK forgets it\nINSERT 0 1\nT")
	check("SELECT queue_name, delay_seconds FROM sqs.queues WHERE queue_name = 'jobs'", "queue_name|delay_seconds\njobs|5\nSELECT 1\nT")
	check("SHOW PLAN", `
plan
CLOUD · account 111122223333 · us-east-1

+ aws.sqs.queues  jobs  (known after apply)
    delay_seconds   5
    queue_name      jobs

1 to create · needs sqs:CreateQueue, sqs:GetQueueUrl, sqs:TagQueue
SHOW
T`)
	check("COMMIT", "NOTICE 1 done · change set DAY-1 · skyql undo DAY-1 shows how to take it back\nCOMMIT\nI")
	// What comes after SHOW PLAN was not seen. The refused COMMIT ends the block.
	check("BEGIN; UPDATE sqs.queues SET delay_seconds = 6 WHERE queue_name = 'jobs'; SHOW PLAN; UPDATE sqs.queues SET delay_seconds = 7 WHERE queue_name = 'jobs'; COMMIT", `
BEGIN
NOTICE 1 planned: SHOW PLAN shows the whole, COMMIT makes it so, ROLLBACK forgets it
UPDATE 1
plan
CLOUD · account 111122223333 · us-east-1

~ aws.sqs.queues  jobs  https://sqs.us-east-1.amazonaws.com/111122223333/jobs
    delay_seconds   5 → 6

1 to change · needs sqs:SetQueueAttributes, sqs:TagQueue, sqs:UntagQueue
SHOW
NOTICE 1 planned
UPDATE 1
ERROR 55000 nothing was changed, and the transaction is over: its plan was not shown before COMMIT
DETAIL CLOUD · account 111122223333 · us-east-1

~ aws.sqs.queues  jobs  https://sqs.us-east-1.amazonaws.com/111122223333/jobs
    delay_seconds   5 → 7

1 to change · needs sqs:SetQueueAttributes, sqs:TagQueue, sqs:UntagQueue
HINT the same again with SHOW PLAN before COMMIT, or with SET LOCAL confirm = 'apply'
I`)
	// Nothing of it comes back with the next transaction.
	check("BEGIN; SHOW PLAN; COMMIT", "BEGIN\nplan\nnothing to do\nSHOW\nCOMMIT\nI")
	check("SELECT delay_seconds FROM sqs.queues WHERE queue_name = 'jobs'", "delay_seconds\n5\nSELECT 1\nI")
	check("BEGIN; SET LOCAL confirm = 'apply'; DELETE FROM sqs.queues WHERE queue_name = 'jobs' RETURNING queue_name; COMMIT; SHOW confirm",
		"BEGIN\nSET\nqueue_name\nNOTICE 1 planned: SHOW PLAN shows the whole, COMMIT makes it so, ROLLBACK forgets it\njobs\nDELETE 1\nNOTICE 1 done · change set DAY-2 · skyql undo DAY-2 shows how to take it back\nCOMMIT\nconfirm\nplan\nSHOW\nI")
	if d := cmp.Diff(strings.TrimPrefix(`
someone refused INSERT INTO sqs.queues (queue_name, delay_seconds) VALUES ('jobs', 5) 55000
someone planned INSERT INTO sqs.queues (queue_name, delay_seconds) VALUES ('jobs', 5)
someone begun COMMIT
someone applied COMMIT {Done:1 Failed:0 Unknown:0 Skipped:0}
someone planned UPDATE sqs.queues SET delay_seconds = 6 WHERE queue_name = 'jobs'
someone planned UPDATE sqs.queues SET delay_seconds = 7 WHERE queue_name = 'jobs'
someone refused COMMIT 55000
someone planned DELETE FROM sqs.queues WHERE queue_name = 'jobs' RETURNING queue_name
someone begun COMMIT
someone applied COMMIT {Done:1 Failed:0 Unknown:0 Skipped:0}
`, "\n"), w.logged(t)); d != "" {
		t.Errorf("audit log (-want +got)\n%s", d)
	}
}

var (
	days = regexp.MustCompile(`\b20[0-9]{6}-`)
	took = regexp.MustCompile(` in [0-9.]+ s\b`)
)

// tidy takes out of a text what is different in every run.
func tidy(w *writable, text string) string {
	text = strings.ReplaceAll(text, w.cloud.URL, "CLOUD")
	return days.ReplaceAllString(took.ReplaceAllString(text, ""), "DAY-")
}
