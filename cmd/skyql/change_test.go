package main

import (
	"bufio"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/sandbox"
)

// against gives a function that runs the program against a service, and gives
// what it says.
func against(t *testing.T, o sandbox.Options) (box *sandbox.Sandbox, dir string, skyql func(args ...string) string) {
	t.Helper()
	box, dir = sandbox.New(o), t.TempDir()
	srv := httptest.NewServer(box)
	t.Cleanup(srv.Close)
	return box, dir, func(args ...string) string {
		t.Helper()
		out, err := child(t.Context(), t, srv.URL, dir, args...).CombinedOutput()
		if err != nil && !strings.Contains(string(out), "error:") {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
}

// A MERGE that is run twice while lists don't show yet what the first one made
// makes nothing twice: with identifiers of the caller's, and with AWS's own.
func TestMergeTwice(t *testing.T) {
	t.Parallel()
	box, _, skyql := against(t, sandbox.Options{Lag: sandbox.Lag{ListsFor: time.Hour}})
	for _, merge := range []string{
		`MERGE INTO aws.logs.log_groups g USING (VALUES ('/merge/a', 7), ('/merge/b', 30)) w(name, days) ON g.log_group_name = w.name
			WHEN MATCHED THEN UPDATE SET retention_in_days = w.days WHEN NOT MATCHED THEN INSERT (log_group_name, retention_in_days) VALUES (w.name, w.days)`,
		`MERGE INTO aws.ec2.vpcs v USING (VALUES ('10.71.0.0/16'), ('10.72.0.0/16')) w(cidr) ON v.cidr_block = w.cidr WHEN NOT MATCHED THEN INSERT (cidr_block) VALUES (w.cidr)`,
	} {
		before := box.Calls()["CreateResource"]
		if got := skyql("query", "--yes", merge); !strings.Contains(got, "2 done") {
			t.Errorf("at first: %s", got)
		}
		if got := skyql("query", "--format", "csv", "SELECT count(*) AS n FROM "+strings.Fields(merge)[2]+" WHERE identifier LIKE '/merge/%' OR cidr_block LIKE '10.7_.0.0/16'"); strings.HasPrefix(got, "n\n2") {
			t.Fatalf("lists don't lag: %s", got)
		}
		if got := skyql("query", "--yes", merge); got != "notice: nothing to change\n" {
			t.Errorf("the second time: %s", got)
		}
		if n := box.Calls()["CreateResource"] - before; n != 2 {
			t.Errorf("%d creates", n)
		}
	}
}

// An update that is refused by its own test because the service reads a value
// in another spelling than it gives is made all the same; nobody was at work.
func TestSpelling(t *testing.T) {
	t.Parallel()
	yes := true
	box, _, skyql := against(t, sandbox.Options{Faults: &sandbox.Faults{Rules: []sandbox.Rule{{Operation: sandbox.Names{"UpdateResource"}, Transform: &yes}}}})
	err := box.Put(sandbox.Resource{Account: "111122223333", Region: "us-east-1", Type: "AWS::Lightsail::Database", Properties: map[string]any{"RelationalDatabaseName": "books",
		"RelationalDatabaseBlueprintId": "mysql_8_0", "RelationalDatabaseBundleId": "micro_1_0", "MasterDatabaseName": "books", "MasterUsername": "admin", "PreferredMaintenanceWindow": "Tue:16:00-Tue:16:30"}})
	if err != nil {
		t.Fatal(err)
	}
	got := skyql("query", "--yes", "UPDATE aws.lightsail.databases SET preferred_maintenance_window = 'Wed:16:00-Wed:16:30' WHERE relational_database_name = 'books'")
	if !strings.Contains(got, "1 done") || box.Calls()["UpdateResource"] != 2 {
		t.Errorf("%s%v", got, box.Calls())
	}
	if got := box.Properties("111122223333", "us-east-1", "AWS::Lightsail::Database", "books")["PreferredMaintenanceWindow"]; got != "Wed:16:00-Wed:16:30" {
		t.Errorf("it is %v", got)
	}
}

// Of two programs that change things with one state folder the second one says
// whom it waits for, and goes on when that has ended.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{})
	srv := httptest.NewServer(box)
	defer srv.Close()
	dir := t.TempDir()
	first, err := change.OpenJournal(filepath.Join(dir, "state", "journal"))
	if err != nil {
		t.Fatal(err)
	}
	start := func() (*exec.Cmd, *bufio.Reader) {
		cmd := child(t.Context(), t, srv.URL, dir, "query", "--yes", "DELETE FROM aws.sqs.queues WHERE queue_name = 'orders'")
		errs, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		out := bufio.NewReader(errs)
		for line := ""; !strings.HasPrefix(line, "notice: waiting for another skyql (process "); {
			if line, err = out.ReadString('\n'); err != nil {
				t.Fatalf("%q, %v", line, err)
			}
		}
		return cmd, out
	}
	cmd, out := start()
	cmd.Process.Signal(os.Interrupt)
	rest, _ := io.ReadAll(out)
	if cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted || box.Calls()["DeleteResource"] != 0 {
		t.Errorf("interrupted: %v, %s", cmd.ProcessState, rest)
	}
	cmd, out = start()
	first.Close()
	rest, _ = io.ReadAll(out)
	if err := cmd.Wait(); err != nil || !strings.Contains(string(rest), "1 done") || box.Calls()["DeleteResource"] != 1 {
		t.Errorf("%v: %s", err, rest)
	}
}

// The aws command and its waiter change things in skyql sandbox.
func TestAWSAgainstSandbox(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("no aws command")
	}
	server := program(t)("sandbox", "--listen", "127.0.0.1:0")
	errs, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { server.Process.Kill(); server.Wait() }()
	line, err := bufio.NewReader(errs).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "sandbox on ")
	if err != nil || !ok {
		t.Fatalf("%v: %s", err, line)
	}
	aws := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "aws", append([]string{"cloudcontrol", "--endpoint-url", url, "--output", "text"}, args...)...)
		cmd.Env = append(os.Environ(), append(cloud(url, t.TempDir()), "AWS_DEFAULT_REGION=us-east-1", "AWS_PAGER=")...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			out = append(out, err.Error()...)
		}
		return strings.TrimSpace(string(out))
	}
	done := func(token string) {
		t.Helper()
		if got := aws("wait", "resource-request-success", "--request-token", token); got != "" {
			t.Errorf("wait for %s: %s", token, got)
		}
		if got := aws("get-resource-request-status", "--request-token", token, "--query", "ProgressEvent.OperationStatus"); got != "SUCCESS" {
			t.Errorf("status of %s: %s", token, got)
		}
	}
	const token = "ProgressEvent.RequestToken"
	group := []string{"--type-name", "AWS::Logs::LogGroup"}
	done(aws(append([]string{"create-resource", "--desired-state", `{"LogGroupName":"a","RetentionInDays":7}`, "--query", token}, group...)...))
	done(aws(append([]string{"update-resource", "--identifier", "a", "--patch-document", `[{"op":"replace","path":"/RetentionInDays","value":30}]`, "--query", token}, group...)...))
	get := append([]string{"get-resource", "--identifier", "a", "--query", "ResourceDescription.Properties"}, group...)
	if got := aws(get...); !strings.Contains(got, `"RetentionInDays":30`) {
		t.Errorf("updated: %s", got)
	}
	done(aws(append([]string{"delete-resource", "--identifier", "a", "--query", token}, group...)...))
	if got := aws(get...); !strings.Contains(got, "ResourceNotFoundException") {
		t.Errorf("deleted: %s", got)
	}
}
