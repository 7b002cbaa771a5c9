package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// The server as a person starts it: over TCP and a socket, with metrics, until
// it is interrupted.
func TestServer(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SKYQL_CONFIG_DIR", dir)
	t.Setenv("SKYQL_CACHE_DIR", dir)
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"server", "--sandbox", "--listen", "127.0.0.1:0", "--socket", dir, "--metrics-listen", "127.0.0.1:0"}, streams{strings.NewReader(""), io.Discard, w})
		w.Close()
	}()
	said := map[string]string{}
	lines := bufio.NewScanner(r)
	for len(said) < 3 && lines.Scan() {
		switch m := regexp.MustCompile(`^(server|metrics) on (\S+)`).FindStringSubmatch(lines.Text()); {
		case m == nil:
			t.Fatalf("said %q", lines.Text())
		case strings.HasPrefix(m[2], "/"):
			said["socket"] = m[2]
		default:
			said[m[1]] = m[2]
		}
	}
	go io.Copy(io.Discard, r)
	_, port, _ := strings.Cut(said["server"], ":")
	if said["socket"] != filepath.Join(dir, ".s.PGSQL."+port) {
		t.Errorf("the socket is %s", said["socket"])
	}
	for _, url := range []string{"postgres://someone@" + said["server"] + "/aws?sslmode=disable", "postgres://someone@/aws?host=" + dir + "&port=" + port} {
		c, err := pgx.Connect(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if err := c.QueryRow(ctx, "SELECT count(*) FROM ec2.vpcs WHERE region = $1", "us-east-1").Scan(&n); err != nil || n == 0 {
			t.Errorf("%d VPCs, %v", n, err)
		}
		c.Close(ctx)
	}
	res, err := http.Get(said["metrics"])
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || !strings.Contains(string(page), `skyql_calls_total{operation="ListResources",region="us-east-1",outcome="ok"} 1`) || !strings.HasSuffix(string(page), "# EOF\n") {
		t.Errorf("metrics %v\n%s", err, page)
	}
	cancel()
	if code := <-done; code != exitDone {
		t.Errorf("status %d", code)
	}
}

// Changes through the server: the plan, the journal and the audit log are where
// the other commands look for them.
func TestServerChanges(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"CONFIG", "CACHE", "STATE"} {
		t.Setenv("SKYQL_"+name+"_DIR", dir)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"server", "--sandbox", "--allow-writes", "--listen", "127.0.0.1:0"}, streams{strings.NewReader(""), io.Discard, w})
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	said := map[string]string{}
	for len(said) < 2 && lines.Scan() {
		for _, what := range []string{"audit log ", "server on "} {
			if at, ok := strings.CutPrefix(lines.Text(), what); ok {
				said[what] = at
			}
		}
	}
	go io.Copy(io.Discard, r)
	c, err := pgx.Connect(ctx, "postgres://someone@"+said["server on "]+"/aws?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	results, err := c.PgConn().Exec(ctx, "BEGIN; UPDATE sqs.queues SET delay_seconds = 30 WHERE queue_name = 'orders'; SHOW PLAN; COMMIT").ReadAll()
	if err != nil || len(results) != 4 || !strings.HasPrefix(string(results[2].Rows[0][0]), "sandbox · account 111122223333") {
		t.Errorf("%+v %v", results, err)
	}
	c.Close(ctx)
	cancel()
	if code := <-done; code != exitDone {
		t.Errorf("status %d", code)
	}
	audit := filepath.Join(dir, "sandbox", "server-audit.log")
	if info, err := os.Stat(audit); said["audit log "] != audit || err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s, %v", said["audit log "], err)
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"changes", "--sandbox"}, streams{strings.NewReader(""), &out, &out}); code != exitDone || !strings.Contains(out.String(), "1 done") {
		t.Errorf("status %d: %s", code, out.String())
	}
}
