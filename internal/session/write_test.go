package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/sandbox"
	"github.com/skyql/skyql/internal/sqlerr"
)

// newWriter is a session that agrees to every plan, in the world of costs.
func newWriter(t *testing.T, o sandbox.Options, c Changes) *costs {
	t.Helper()
	o.World, o.PageSize = costWorld(), 3
	o.Lists = map[string]sandbox.ListKind{"AWS::SQS::Queue": sandbox.Thin}
	box := sandbox.NewServer(o)
	t.Cleanup(box.Close)
	c.StateDir = t.TempDir()
	if c.Approve == nil && !c.PlanOnly {
		c.Approve = func(context.Context, *change.Set) (bool, error) { return true, nil }
	}
	s, err := New(t.Context(), Options{
		Cloud: cloudcontrol.Options{Endpoint: box.URL, Region: "us-east-1", RoleName: "sandbox", Static: &cloudcontrol.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "x"}}, Changes: c,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &costs{s, box, t}
}

// writes runs a script and gives its rows and calls, polls and questions of who
// one is apart.
func (c *costs) writes(script string) string {
	c.t.Helper()
	got := c.calls(script)
	n := c.box.Calls()
	for _, op := range []string{"Create", "Update", "Delete"} {
		if n[op+"Resource"] > 0 {
			got += fmt.Sprintf(" %s %d", op, n[op+"Resource"])
		}
	}
	return got
}

// What a change costs: the reads that it needs, and one call for each resource.
func TestWriteCost(t *testing.T) {
	t.Parallel()
	c := newWriter(t, sandbox.Options{}, Changes{})
	check := func(query, want string) {
		t.Helper()
		if got := c.writes(query); got != want {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
	q := func(i int) string { return "'" + queueURL("us-east-1", i) + "'" }
	check("UPDATE aws.sqs.queue SET delay_seconds = 9 WHERE identifier = "+q(4), "0 rows, List 0 Get 1 Update 1")
	check("UPDATE aws.sqs.queue SET delay_seconds = 9 WHERE identifier = "+q(4), "0 rows, List 0 Get 1") // it is so already
	check("UPDATE aws.sqs.queues SET delay_seconds = 8 WHERE identifier IN ("+q(4)+", "+q(5)+") RETURNING queue_name", "2 rows, List 0 Get 4 Update 2")
	check("UPDATE aws.sqs.queues SET delay_seconds = delay_seconds + 1 WHERE queue_url LIKE '%log%'", "0 rows, List 3 Get 3 Update 3")
	check("INSERT INTO aws.sqs.queues (queue_name) VALUES ('new')", "0 rows, List 0 Get 0 Create 1")
	check("INSERT INTO aws.sqs.queues (queue_name) VALUES ('newer') RETURNING *", "1 rows, List 0 Get 1 Create 1")
	check("DELETE FROM aws.sqs.queues WHERE queue_url LIKE '%/log%'", "0 rows, List 3 Get 5 Delete 3") // what was made just now is read too: a list may not have it
	check("DELETE FROM aws.sqs.queues WHERE false", "0 rows, List 0 Get 0")
	check("BEGIN; UPDATE aws.sqs.queues SET delay_seconds = 1 WHERE identifier = "+q(5)+"; UPDATE aws.sqs.queues SET visibility_timeout = 2 WHERE identifier = "+q(5)+"; COMMIT", "0 rows, List 0 Get 2 Update 1")
	check("BEGIN; INSERT INTO aws.sqs.queues (queue_name) VALUES ('gone'); DELETE FROM aws.sqs.queues WHERE queue_name = 'gone' AND delay_seconds IS NULL; ROLLBACK", "0 rows, List 2 Get 6")
}

// A plan reads what the statement reads, and changes nothing.
func TestPlanOnly(t *testing.T) {
	t.Parallel()
	var shown strings.Builder
	c := newWriter(t, sandbox.Options{}, Changes{PlanOnly: true, Show: func(s *change.Set) {
		if err := s.WriteText(&shown); err != nil {
			t.Error(err)
		}
	}})
	if got := c.writes("DELETE FROM aws.sqs.queues WHERE queue_url LIKE '%/log%'"); got != "0 rows, List 3 Get 3" {
		t.Errorf("got %s", got)
	}
	if c.sess.Planned() != 3 || !strings.Contains(shown.String(), "3 to delete") {
		t.Errorf("%d planned: %s", c.sess.Planned(), shown.String())
	}
}

// What a person was asked about is read again before it is deleted; what has
// changed meanwhile is left alone.
func TestAskedAgain(t *testing.T) {
	t.Parallel()
	var c *costs
	meddle := false
	c = newWriter(t, sandbox.Options{}, Changes{Asked: true, Approve: func(ctx context.Context, s *change.Set) (bool, error) {
		if meddle {
			other := newSession(t, c.box, Changes{StateDir: t.TempDir(), Approve: func(context.Context, *change.Set) (bool, error) { return true, nil }})
			return true, other.Run(ctx, "UPDATE aws.sqs.queues SET delay_seconds = 99 WHERE identifier = '"+queueURL("us-east-1", 6)+"'", nil)
		}
		return true, nil
	}})
	if got := c.writes("DELETE FROM aws.sqs.queues WHERE queue_url LIKE '%/log%'"); got != "0 rows, List 3 Get 6 Delete 3" {
		t.Errorf("got %s", got)
	}
	meddle = true
	err := c.sess.Run(t.Context(), "DELETE FROM aws.sqs.queues WHERE identifier = '"+queueURL("us-east-1", 6)+"'", nil)
	if !errors.Is(err, change.ErrDrifted) {
		t.Errorf("got %v", err)
	}
	if e, _ := asError[*sqlerr.Error](err); e == nil || !strings.Contains(e.Format(), "99") || !strings.Contains(e.Format(), "delay_seconds") {
		t.Errorf("it doesn't name the values: %v", e)
	}
	if got := c.calls("FROM aws.sqs.queues WHERE identifier = '" + queueURL("us-east-1", 6) + "'"); got != "1 rows, List 0 Get 1" {
		t.Errorf("it is gone: %s", got)
	}
}

func newSession(t *testing.T, box *sandbox.Server, c Changes) *Session {
	t.Helper()
	s, err := New(t.Context(), Options{Changes: c,
		Cloud: cloudcontrol.Options{Endpoint: box.URL, Region: "us-east-1", RoleName: "sandbox", Static: &cloudcontrol.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A script that is run twice makes nothing twice, although lists lag behind.
func TestRunTwice(t *testing.T) {
	t.Parallel()
	c := newWriter(t, sandbox.Options{Lag: sandbox.Lag{Lists: 100}}, Changes{})
	const merge = `MERGE INTO aws.sqs.queues q USING (VALUES ('jobs', 1), ('mail', 2), ('q4', 3)) w(name, d) ON q.queue_name = w.name
		WHEN MATCHED THEN UPDATE SET delay_seconds = w.d WHEN NOT MATCHED THEN INSERT (queue_name, delay_seconds) VALUES (w.name, w.d)`
	if got := c.writes(merge); !strings.HasSuffix(got, "Create 2 Update 1") {
		t.Errorf("got %s", got)
	}
	if got := c.writes(merge); strings.Contains(got, "Create") || strings.Contains(got, "Update") || strings.Contains(got, "error") {
		t.Errorf("the second time: %s", got)
	}
}

// What a transaction makes one after the other is all made: the names that new
// rows go by until AWS names them are given once.
func TestMadeOneByOne(t *testing.T) {
	t.Parallel()
	c := newWriter(t, sandbox.Options{}, Changes{})
	const script = `BEGIN; INSERT INTO aws.sqs.queues (queue_name) VALUES ('one'); INSERT INTO aws.sqs.queues (queue_name) VALUES ('two'), ('three');
		DELETE FROM aws.sqs.queues WHERE queue_name = 'two'; INSERT INTO aws.sqs.queues (queue_name) VALUES ('four'); COMMIT`
	if got := c.writes(script); !strings.HasSuffix(got, "Create 3") {
		t.Errorf("got %s", got)
	}
}
