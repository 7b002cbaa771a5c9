package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/sandbox"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

func newConfined(t *testing.T) (*Session, *sandbox.Server) {
	t.Helper()
	box := sandbox.NewServer(sandbox.Options{World: costWorld()})
	t.Cleanup(box.Close)
	s, err := New(t.Context(), Options{Confine: &engine.Confinement{}, Settings: Settings{Accounts: []string{accountA}},
		Cloud: cloudcontrol.Options{Endpoint: box.URL, Region: "us-east-1", Static: &cloudcontrol.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, box
}

// run gives the rows of a statement, and the calls it made.
func (s *Session) rowsAndCalls(t *testing.T, box *sandbox.Server, text string, values ...any) string {
	t.Helper()
	box.ResetCalls()
	rows, err := s.Query(t.Context(), syntax.Split(text)[0], values)
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return ""
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		fmt.Fprintln(&b, rows.Values()...)
	}
	if rows.Err() != nil {
		t.Errorf("%s: %v", text, rows.Err())
	}
	calls := box.Calls()
	return fmt.Sprintf("%sget %d list %d", b.String(), calls["GetResource"], calls["ListResources"])
}

// A statement with parameters gives the same rows as one with constants, and
// costs the same.
func TestParametersNarrow(t *testing.T) {
	t.Parallel()
	s, box := newConfined(t)
	check := func(text string, values ...any) {
		t.Helper()
		constant := text
		for i, v := range values {
			lit := fmt.Sprint(v)
			if x, ok := v.(string); ok {
				lit = syntax.Literal(x)
			}
			constant = strings.ReplaceAll(constant, fmt.Sprintf("$%d", i+1), lit)
		}
		want := s.rowsAndCalls(t, box, constant)
		if got := s.rowsAndCalls(t, box, text, values...); got != want {
			t.Errorf("%s %v\n got %s\nwant %s", text, values, got, want)
		}
	}
	url := queueURL("us-east-1", 5)
	check("SELECT queue_name, delay_seconds FROM aws.sqs.queues WHERE region = $1 AND identifier = $2", "us-east-1", url)
	check("SELECT queue_name, delay_seconds FROM aws.sqs.queues WHERE region = $2 AND identifier = $1", url, "us-west-2")
	check("SELECT queue_name FROM aws.sqs.queues WHERE region IN ($1, $2) AND delay_seconds > $3 ORDER BY region, 1", "us-east-1", "us-west-2", int64(4))
	check("SELECT queue_name, visibility_timeout FROM aws.sqs.queues WHERE queue_url LIKE $1 ORDER BY 1", "%log-%")
	check("SELECT username FROM aws.connect.users WHERE instance_arn = $1 ORDER BY 1", "arn:aws:connect:us-east-1:"+accountA+":instance/1")
	check("SELECT count(*) FROM aws.sqs.queues WHERE fifo_queue = $1", true)
	check("SELECT queue_name FROM aws.sqs.queues ORDER BY 1 LIMIT $1", int64(2))
	check("WITH r AS (SELECT $1 AS region) SELECT count(*) FROM aws.ec2.vpcs v JOIN r USING (region)", "us-east-1")
	check("SELECT count(*) FROM aws.ec2.subnets s JOIN aws.ec2.vpcs v ON s.vpc_id = v.vpc_id WHERE v.region = $1 AND v.vpc_id <> $2", "us-east-1", "vpc-us-east-1-0")
	if got := s.rowsAndCalls(t, box, "SELECT queue_name FROM aws.sqs.queues WHERE region = $1 AND delay_seconds = $2", "us-east-1", nil); !strings.HasPrefix(got, "get") {
		t.Errorf("NULL equals something: %s", got)
	}
}

// What is prepared has its types, and made no call.
func TestPrepareCallsNobody(t *testing.T) {
	t.Parallel()
	s, box := newConfined(t)
	check := func(text, want string) {
		t.Helper()
		sig, err := s.Prepare(t.Context(), syntax.Split(text)[0], nil)
		got := strings.Join(sig.Params, " ") + " ->"
		for _, c := range sig.Columns {
			got += " " + c.Type
		}
		if err != nil {
			got = sqlerr.From(err).Code
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	check("SELECT queue_name, delay_seconds FROM aws.sqs.queues WHERE delay_seconds > $1 AND region = $2", "BIGINT VARCHAR -> VARCHAR BIGINT")
	check("SHOW SERVICES", " -> VARCHAR VARCHAR BIGINT")
	check("DESCRIBE aws.sqs.queues", " -> VARCHAR VARCHAR VARCHAR VARCHAR")
	check("EXPLAIN ANALYZE SELECT * FROM aws.sqs.queues", " -> VARCHAR")
	check("SET regions = 'all'", " ->")
	check("SELECT nope FROM aws.sqs.queues", sqlerr.UndefinedColumn)
	check("SELECT * FROM aws.sqs.queue", sqlerr.SyntaxError)
	check("DELETE FROM aws.sqs.queues", readOnlyTransaction)
	check("FROM read_text('/etc/passwd')", sqlerr.InsufficientPriv)
	if calls := box.Calls(); len(calls) != 0 {
		t.Errorf("%v", calls)
	}
}
