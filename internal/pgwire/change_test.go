package pgwire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
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
		got := tidy(p.says(sql))
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
	endpoint = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`)
	days     = regexp.MustCompile(`\b20[0-9]{6}-`)
	took     = regexp.MustCompile(` in [0-9.]+ s\b`)
)

// tidy takes out of a text what is different in every run.
func tidy(text string) string {
	text = endpoint.ReplaceAllString(text, "CLOUD")
	return days.ReplaceAllString(took.ReplaceAllString(text, ""), "DAY-")
}

// What is confirmed beforehand is done at once, or at the end of what belongs
// together; nothing lifts the guards.
func TestConfirmed(t *testing.T) {
	t.Parallel()
	w := serveChanges(t, sandbox.Options{})
	p := w.talker(t)
	check := func(sql, want string) {
		t.Helper()
		got := tidy(p.says(sql))
		if d := cmp.Diff(strings.TrimSpace(want), got); d != "" {
			t.Errorf("%s (-want +got)\n%s", sql, d)
		}
	}
	sets := func(want int) {
		t.Helper()
		if got := w.sets(t); len(got) != want {
			t.Errorf("%d change sets, want %d", len(got), want)
		}
	}
	check("SET confirm = 'apply'; INSERT INTO sqs.queues (queue_name) VALUES ('a') RETURNING queue_name, identifier", `
SET
queue_name|identifier
NOTICE 1 done · change set DAY-1 · skyql undo DAY-1 shows how to take it back
a|https://sqs.us-east-1.amazonaws.com/111122223333/a
INSERT 0 1
I`)
	check("UPDATE sqs.queues SET queue_name = queue_name WHERE queue_name = 'a'", "NOTICE nothing to change\nUPDATE 0\nI")
	// One query is one transaction.
	check("INSERT INTO sqs.queues (queue_name) VALUES ('b'); INSERT INTO sqs.queues (queue_name) VALUES ('c'), ('d'); SELECT count(*) FROM sqs.queues WHERE queue_name IN ('b', 'c', 'd')", `
NOTICE 1 planned: SHOW PLAN shows the whole, COMMIT makes it so, ROLLBACK forgets it
INSERT 0 1
NOTICE 2 planned
INSERT 0 2
count_star()
3
NOTICE 3 done · change set DAY-2 · skyql undo DAY-2 shows how to take it back
SELECT 1
I`)
	check("INSERT INTO sqs.queues (queue_name) VALUES ('e'); SELECT nope", `
NOTICE 1 planned: SHOW PLAN shows the whole, COMMIT makes it so, ROLLBACK forgets it
INSERT 0 1
ERROR 42703 referenced column "nope" was not found because the FROM clause is missing
I`)
	check("SELECT count(*) FROM sqs.queues WHERE queue_name = 'e'", "count_star()\n0\nSELECT 1\nI")
	sets(2)
	// Guards.
	check("SET regions = 'eu-west-1'; INSERT INTO sqs.queues (queue_name) VALUES ('x'), ('y'); RESET regions", `
SET
NOTICE 2 planned: SHOW PLAN shows the whole, COMMIT makes it so, ROLLBACK forgets it
INSERT 0 2
NOTICE 2 done · change set DAY-3 · skyql undo DAY-3 shows how to take it back
RESET
I`)
	got := p.says("UPDATE sqs.queues SET delay_seconds = 9")
	if !strings.HasPrefix(got, "ERROR 22023 this would change all ") || !strings.Contains(got, "HINT SET allow_all_rows = true") {
		t.Error(got)
	}
	check("SET max_changes = 1; UPDATE sqs.queues SET delay_seconds = 9 WHERE queue_name IN ('a', 'b')", "SET\nERROR 54000 the plan has 2 changes, more than max_changes = 1\nHINT --max-changes 2, or SET max_changes = 2\nI")
	check("RESET max_changes; SET protect = 'identifier:*/a'; DELETE FROM sqs.queues WHERE queue_name = 'a'", `
RESET
SET
ERROR 42501 1 of the changes would end what is protected, and nothing was sent
DETAIL - aws.sqs.queues a: protect = 'identifier:*/a'
I`)
	check("RESET protect", "RESET\nI")
	got = p.says("UPDATE sqs.queues SET delay_seconds = 'soon' WHERE queue_name = 'a'")
	if !strings.HasPrefix(got, "ERROR 22P02 ") {
		t.Error(got)
	}
	// Who wants to read only is held to it.
	check("DELETE FROM sqs.quues", "ERROR 42P01 table sqs.quues does not exist\nHINT did you mean aws.sqs.queues?\nI")
	check("BEGIN READ ONLY; DELETE FROM sqs.queues WHERE queue_name = 'a'", "BEGIN\nERROR 25006 cannot execute DELETE in a read-only transaction\nHINT SET default_transaction_read_only = off, or BEGIN READ WRITE\nE")
	check("COMMIT; SHOW transaction_read_only", "ROLLBACK\ntransaction_read_only\noff\nSHOW\nI")
	check("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; DELETE FROM sqs.queues WHERE queue_name = 'a'", "SET\nERROR 25006 cannot execute DELETE in a read-only transaction\nHINT SET default_transaction_read_only = off, or BEGIN READ WRITE\nI")
	check("SET default_transaction_read_only = off", "SET\nI")
	// A failed statement fails its block; a savepoint is a way back.
	check("BEGIN; DELETE FROM sqs.queues WHERE queue_name = 'a'; SELECT 1/0 + nope", `
BEGIN
NOTICE 1 planned: SHOW PLAN shows the whole, COMMIT makes it so, ROLLBACK forgets it
DELETE 1
ERROR 42703 referenced column "nope" was not found because the FROM clause is missing
E`)
	check("DELETE FROM sqs.queues WHERE queue_name = 'b'", "ERROR 25P02 current transaction is aborted, commands ignored until end of transaction block\nHINT ROLLBACK\nE")
	check("COMMIT", "ROLLBACK\nI")
	check("BEGIN; DELETE FROM sqs.queues WHERE queue_name = 'a'; SAVEPOINT s; DELETE FROM sqs.queues WHERE queue_name = 'b'; ROLLBACK TO s; COMMIT", `
BEGIN
NOTICE 1 planned: SHOW PLAN shows the whole, COMMIT makes it so, ROLLBACK forgets it
DELETE 1
SAVEPOINT
NOTICE 1 planned
DELETE 1
ROLLBACK
NOTICE 1 done · change set DAY-4 · skyql undo DAY-4 shows how to take it back
COMMIT
I`)
	check("SELECT queue_name FROM sqs.queues WHERE queue_name IN ('a', 'b')", "queue_name\nb\nSELECT 1\nI")
	check("BEGIN; COMMIT AND CHAIN", "BEGIN\nERROR 0A000 AND CHAIN is not supported\nHINT COMMIT; BEGIN\nE")
	check("ROLLBACK", "ROLLBACK\nI")
	// What isn't AWS's can't be written, and there are no files to read from.
	for _, sql := range []string{"CREATE TABLE x (a int)", "INSERT INTO x VALUES (1)", "TRUNCATE sqs.queues", "COPY sqs.queues FROM STDIN", "INSERT INTO sqs.queues (queue_name) SELECT content FROM read_text('/etc/passwd')",
		"INSERT INTO sqs.queues (queue_name) SELECT name FROM duckdb_settings()", "INSERT INTO sqs.queues (queue_name) SELECT message FROM duckdb_logs", "UPDATE sqs.queues SET queue_name = (SELECT message FROM duckdb_logs)", "INSERT INTO sqs.queues (queue_name) FROM '/etc/passwd'",
		"UPDATE sqs.queues SET queue_name = getenv('HOME') WHERE queue_name = 'b'", "EXPLAIN ANALYZE DELETE FROM sqs.queues WHERE queue_name = 'b'", "SELECT nextval('x')", "DROP TABLE sqs.queues", "EXPLAIN DELETE FROM sqs.queues USING duckdb_logs"} {
		if got := p.says(sql); !strings.Contains(got, "ERROR ") || strings.Contains(got, "XX000") {
			t.Errorf("%s: %s", sql, got)
		}
	}
	if got := p.says("EXPLAIN DELETE FROM sqs.queues WHERE queue_name = 'b'"); !strings.Contains(got, "writes") {
		t.Error(got)
	}
	for _, sql := range []string{"PREPARE x AS COMMIT", "PREPARE x AS BEGIN", "PREPARE x AS EXECUTE y", "PREPARE x AS SET confirm = 'apply'", "DECLARE x CURSOR WITH HOLD FOR DELETE FROM sqs.queues", "COPY (DELETE FROM sqs.queues WHERE queue_name = 'b' RETURNING queue_name) TO STDOUT"} {
		if got := p.says(sql); !strings.HasPrefix(got, "ERROR 42601 ") && !strings.HasPrefix(got, "ERROR 0A000 ") {
			t.Errorf("%s: %s", sql, got)
		}
	}
	sets(4)
}

// Secrets are in no message, nor in the audit log or the journal.
func TestSecrets(t *testing.T) {
	t.Parallel()
	w := serveChanges(t, sandbox.Options{})
	p := w.talker(t)
	const secret = "Hunter2-hunter2"
	var said strings.Builder
	for _, sql := range []string{
		"UPDATE connect.users SET password = '" + secret + "' WHERE username = 'bkim'", "BEGIN; UPDATE connect.users SET password = '" + secret + "' WHERE username = 'bkim'; SHOW PLAN; ROLLBACK",
		"SET confirm = 'apply'; UPDATE connect.users SET password = '" + secret + "' WHERE username = 'bkim' RETURNING username, password", "PREPARE p AS UPDATE connect.users SET password = '" + secret + "' WHERE username = 'bkim'", "EXECUTE p",
		"UPDATE connect.users SET password = '" + secret + "', nope = 1",
	} {
		said.WriteString(p.says(sql) + "\n")
	}
	if strings.Contains(said.String(), secret) || !strings.Contains(said.String(), "(sensitive)") {
		t.Error(said.String())
	}
	journal, err := os.ReadFile(filepath.Join(w.dir, "journal"))
	if err != nil || bytes.Contains(journal, []byte(secret)) {
		t.Errorf("%v: %s", err, journal)
	}
	if got := w.logged(t); strings.Contains(got, secret) || !strings.Contains(got, "SET password = <hidden>") {
		t.Error(got)
	}
	for _, path := range []string{w.audit, filepath.Join(w.dir, "journal")} {
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", path, info, err)
		}
	}
}

// What can't be logged isn't done.
func TestNoAudit(t *testing.T) {
	t.Parallel()
	w := serveChanges(t, sandbox.Options{})
	p := w.talker(t)
	if err := os.Remove(w.audit); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(w.audit, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"SET confirm = 'apply'; INSERT INTO sqs.queues (queue_name) VALUES ('a')", "BEGIN; INSERT INTO sqs.queues (queue_name) VALUES ('a')"} {
		if got := p.says(sql); !strings.Contains(got, "ERROR 58030 the audit log can't be written, so nothing is changed") {
			t.Errorf("%s: %s", sql, got)
		}
	}
	if calls := w.cloud.Calls(); calls["CreateResource"] > 0 {
		t.Errorf("%v", calls)
	}
}

// Who is refused is in the audit log too.
func TestRefusedClient(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "logs", "audit.log")
	audit, err := OpenAudit(path)
	if err != nil {
		t.Fatal(err)
	}
	w := &writable{audit: path, site: serve(t, func(o *Options) { o.Users, o.Audit = users(t), audit })}
	if got := connect(t, strings.Replace(w.url(), "someone@", "alice:wrong@", 1), nil); got != "28P01" {
		t.Error(got)
	}
	if got := w.logged(t); got != "alice refused \n" {
		t.Errorf("%q", got)
	}
	text, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(text, []byte(`"event":"authentication"`)) || bytes.Contains(text, []byte("wrong")) {
		t.Errorf("%s %v", text, err)
	}
}
