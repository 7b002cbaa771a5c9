//go:build unix

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/skyql/skyql/internal/sandbox"
)

// at gives the variables of somebody whose home is a folder and whose AWS is a
// handler.
func at(t *testing.T, h http.Handler, dir string) []string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return append(cloud(s.URL, dir), "SKYQL_STATE_DIR="+filepath.Join(dir, "state"))
}

func world(o sandbox.Options) http.Handler { return sandbox.New(o) }

// noCredentials are the variables of somebody who has none.
func noCredentials(dir string) []string {
	return []string{"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"SKYQL_CACHE_DIR=" + filepath.Join(dir, "cache"), "SKYQL_STATE_DIR=" + filepath.Join(dir, "state"), "HOME=" + dir}
}

// The first start without credentials offers the sandbox, and takes a typed yes.
func TestShellFirstStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x := open(t, 100, 24, noCredentials(dir), "skyql")
	x.golden("first_question", "nothing real is touched")
	x.keys("yes\r")
	x.golden("first_start", "for help")
	x.keys("SELECT username FROM aws.connect.users WHERE username < 'c' ORDER BY ALL;\r")
	x.golden("first_query", "4 rows")
	x.keys("\x04")
	x.ends(0)
	// The second time nothing is offered, whatever was said the first time.
	y := open(t, 100, 24, noCredentials(dir), "skyql")
	y.golden("no_credentials", "for help")
	y.keys("SELECT 1 AS one;\r")
	y.shows("│       1 │")
	y.ready()
	y.keys("\\q\r")
	y.ends(0)
	// Another answer than yes is a no.
	z := open(t, 100, 24, noCredentials(t.TempDir()), "skyql")
	z.shows("nothing real is touched")
	z.keys("y\r")
	z.golden("first_no", "for help")
}

// A session: completion, several lines, an error with its caret, describing.
func TestShellSession(t *testing.T) {
	t.Parallel()
	x := open(t, 100, 26, at(t, world(sandbox.Options{}), t.TempDir()), "skyql")
	x.ready()
	x.keys("FROM aws.connect.us\t")
	x.golden("complete_tables", "one, by identifier")
	x.keys("s u SELECT u.phone_config.\t")
	x.golden("complete_members", "phone_number")
	x.keys("\x03")
	x.ready()
	x.keys("SELECT user_name\rFROM aws.connect.users;\r")
	x.golden("error", "hint")
	x.keys("SELECT username\rFROM aws.connect.users\r  WHERE username < 'c'")
	x.golden("several_lines", "Ctrl-C drops it")
	x.keys("\rORDER BY ALL;\r")
	x.shows("bkim", "4 rows")
	x.ready()
	x.keys("SELECT username FROM aws.connect.users WHERE region = 'eu\t")
	x.golden("complete_regions", "eu-west-1")
	x.keys("\x03\\d kms.aliases\r")
	x.golden("describe", "target_key_id")
}

// A gate lets so many reads of resources through; the others wait until nobody
// waits for them any more.
type gate struct {
	http.Handler
	mu   sync.Mutex
	free int
	held chan struct{} // closed when the first waits
	once sync.Once
}

func newGate(h http.Handler, free int) *gate {
	return &gate{Handler: h, free: free, held: make(chan struct{})}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetResource") {
		g.mu.Lock()
		g.free--
		hold := g.free < 0
		g.mu.Unlock()
		if hold {
			g.once.Do(func() { close(g.held) })
			io.Copy(io.Discard, r.Body) // so that the server sees a client go
			<-r.Context().Done()
			return
		}
	}
	g.Handler.ServeHTTP(w, r)
}

// While a statement reads, progress is shown. Ctrl-C ends the statement at
// once, and the shell goes on.
func TestShellCancel(t *testing.T) {
	t.Parallel()
	slow := newGate(world(sandbox.Options{Latency: 100 * time.Millisecond}), 12)
	x := open(t, 100, 14, at(t, slow, t.TempDir()), "skyql")
	x.ready()
	x.keys("SET parallel = 1;\r")
	x.shows("done")
	x.ready()
	x.keys("SELECT * FROM aws.connect.users;\r")
	<-slow.held
	x.masked("progress", "s left")
	x.keys("\x03")
	x.golden("canceled", "canceled (57014)")
	x.keys("SELECT 1 AS one;\r")
	x.shows("│       1 │")
	x.ready()
	x.keys("half a line\x03SELECT 2 AS two;\r")
	x.shows("│       2 │")
	x.ready()
	x.keys("\x04")
	x.ends(0)
}

// A service that refuses calls is told of while the others go on.
func TestShellThrottled(t *testing.T) {
	t.Parallel()
	w := &sandbox.World{Accounts: []sandbox.Account{{ID: "111122223333", Name: "a"}}, Regions: []string{"us-east-1"}}
	for i := range 900 {
		w.Add("111122223333", "us-east-1", "AWS::SQS::Queue", map[string]any{"QueueUrl": fmt.Sprintf("https://q/%03d", i), "QueueName": fmt.Sprintf("q%03d", i)})
	}
	refusing := newGate(world(sandbox.Options{World: w, Throttle: 40}), 150)
	x := open(t, 100, 10, at(t, refusing, t.TempDir()), "skyql")
	x.ready()
	x.keys("SELECT queue_name, delay_seconds FROM aws.sqs.queues;\r")
	<-refusing.held
	x.masked("throttled", "s left")
	x.keys("\x03")
	x.shows("canceled (57014)")
}

// Only yes is a yes.
func TestConfirm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ keys, want string }{
		{"yes\r", "agreed: true <nil>"}, {"y\r", "agreed: false <nil>"}, {"\r", "agreed: false <nil>"}, {"YES\r", "agreed: false <nil>"},
		{"\x03", "agreed: false <nil>"}, {"\x04", "agreed: false <nil>"},
	} {
		x := open(t, 80, 12, nil, "confirm")
		x.shows(`Only "yes" does:`)
		x.keys(c.keys)
		x.shows(c.want)
		if c.keys == "yes\r" {
			x.golden("confirm", c.want)
		}
	}
}

// What is longer than the screen goes through the pager, what is shorter
// doesn't; the middle of a long result is left out; a narrower screen shows less.
func TestShellLongResults(t *testing.T) {
	t.Parallel()
	x := open(t, 80, 16, append(at(t, world(sandbox.Options{}), t.TempDir()), "PAGER=sed s/^/paged:/"), "skyql", "--quiet")
	x.ready()
	x.keys("SELECT i FROM range(6) t(i);\r")
	x.shows("│      5 │")
	x.ready()
	x.keys("SELECT i FROM range(20) t(i);\r")
	x.shows("paged:│     19 │")
	x.ready()
	x.keys("\\pager off\r")
	x.ready()
	x.keys("\\rows 4\r")
	x.ready()
	x.keys("SELECT * FROM (SELECT i, 'some text' AS a, 'more of it' AS b, 'the last one' AS c FROM range(1000) t(i));\r")
	x.golden("middle", "999 │")
	x.resize(44, 16)
	x.keys("\\g\r")
	x.golden("narrow", "999 │")
}

// A line that is being written is drawn anew when the screen changes.
func TestShellResize(t *testing.T) {
	t.Parallel()
	x := open(t, 80, 12, at(t, world(sandbox.Options{}), t.TempDir()), "skyql", "--quiet")
	x.ready()
	x.keys("SELECT username FROM aws.connect.users WHERE username")
	x.shows("WHERE username")
	x.resize(50, 12)
	x.keys(" = 'abara'")
	x.resize(100, 12)
	x.keys(";\r")
	x.shows("│ abara    │")
	x.ready()
}

// What is typed and pasted beyond ASCII stands in the statement as it is:
// letters with accents, which are no keys with Meta, wide ones in the middle of a
// line, and characters of several runes.
func TestShellLetters(t *testing.T) {
	t.Parallel()
	const ctrlA, ctrlF = "\x01", "\x06"
	for _, inputrc := range []string{"", "set editing-mode vi\nset convert-meta on\n"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ".inputrc"), []byte(inputrc), 0o600); err != nil {
			t.Fatal(err)
		}
		x := open(t, 100, 40, at(t, world(sandbox.Options{}), dir), "skyql", "--quiet")
		x.ready()
		for c := range strings.SplitSeq("SELECT 'Bär, Zoë ß ý' AS a;\r", "") { // as somebody types
			x.keys(c)
		}
		x.shows("│ Bär, Zoë ß ý │")
		x.ready()
		x.keys("SELECT length('e\u0301 🇩🇪 ü') AS a, encode('e\u0301 🇩🇪 ü')::VARCHAR AS b;\r")
		x.shows(`│ e\xCC\x81 \xF0\x9F\x87\xA9\xF0\x9F\x87\xAA \xC3\xBC │`)
		x.ready()
		x.keys("\x1b[200~SELECT 'pâté'\x1b[201~ AS a;\r")
		x.shows("│ pâté    │")
		x.ready()
		if inputrc == "" {
			x.keys("SELECT '本' AS a;" + ctrlA + strings.Repeat(ctrlF, len("SELECT '")) + "日é\r")
			x.shows("│ 日é本   │")
			x.ready()
		}
		x.keys("\x04")
		x.ends(0)
	}
}

// Values that were read before are offered for keys, and history is searched.
func TestShellKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := at(t, world(sandbox.Options{}), dir)
	x := open(t, 100, 22, env, "skyql", "--quiet")
	x.ready()
	x.keys("SELECT queue_name FROM aws.sqs.queues ORDER BY 1;\r")
	x.shows("orders.fifo")
	x.ready()
	x.keys("SELECT region FROM aws.sqs.queues WHERE queue_name = 'o\t")
	x.golden("complete_values", "orders.fifo")
	x.keys("';\r")
	x.shows("│ us-east-1 │")
	x.ready()
	x.keys("SET my_password = 'hunter2';\r")
	x.shows("error:")
	x.ready()
	x.keys("\x12order by")
	x.golden("search", "history")
	x.keys("\r")
	x.ready()
	x.keys("\x04")
	x.ends(0)
	// Another session has it all, but for the secret.
	y := open(t, 100, 22, env, "skyql", "--quiet")
	y.ready()
	y.keys("\x1b[A\x1b[A")
	y.shows("SET my_password = <hidden>;")
	y.keys("\r")
	y.shows("error:", "syntax error")
}

// A terminal that can do nothing is asked for nothing, and colours are left out
// where they are not wanted.
func TestShellPlain(t *testing.T) {
	t.Parallel()
	escapes := func(env ...string) string {
		dir := t.TempDir()
		x := open(t, 80, 20, append(at(t, world(sandbox.Options{}), dir), env...), "skyql")
		x.shows("for help")
		x.keys("SELECT user_name\rFROM aws.connect.users;\r")
		x.shows("hint: username")
		x.keys("SELECT 1 AS one;\r")
		x.shows("│       1 │")
		x.keys("no end\x03")
		x.keys("\\q\r")
		x.ends(0)
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.raw.String()
	}
	if raw := escapes("TERM=dumb"); strings.Contains(raw, "\x1b") {
		t.Errorf("a dumb terminal is sent %q", raw)
	}
	colour := regexp.MustCompile(`\x1b\[([1-9]|3[0-8]|4[0-8]|9[0-7])[;m]`)
	if raw := escapes("NO_COLOR=1"); colour.MatchString(raw) {
		t.Errorf("NO_COLOR: %q", colour.FindString(raw))
	}
	if raw := escapes(); !colour.MatchString(raw) {
		t.Error("no colours at all")
	}
}

// The prompt names the profile beside the account: numbers look all alike.
func TestShellProfile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	if err := os.WriteFile(config, []byte("[profile prod]\nregion = eu-west-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	x := open(t, 80, 10, append(at(t, world(sandbox.Options{}), dir), "AWS_CONFIG_FILE="+config, "AWS_PROFILE=prod"), "skyql", "--quiet")
	x.ready("prod", "111122223333", "us-east-1")
}

// A termination ends the shell.
func TestShellTerminated(t *testing.T) {
	t.Parallel()
	x := open(t, 80, 10, at(t, world(sandbox.Options{}), t.TempDir()), "skyql", "--quiet")
	x.ready()
	x.keys("SELECT half a line")
	x.shows("half a line")
	if err := x.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	x.ends(exitInterrupted)
}

// \watch reads anew each time, until Ctrl-C.
func TestShellWatch(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{})
	x := open(t, 100, 30, at(t, box, t.TempDir()), "skyql")
	x.ready()
	x.keys("SELECT count(*) AS n FROM aws.sqs.queues \\watch 0.1\r")
	x.until("a third time", func(string) bool { return box.Calls()["ListResources"] >= 3 })
	x.keys("\x03")
	x.ready()
	x.keys("SHOW cache;\r")
	x.shows("│ 1m0s")
}

// \e hands the statement to an editor; what comes back runs, or is gone on with.
func TestShellEdit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	editor := filepath.Join(dir, "editor")
	script := "#!/bin/sh\nif grep -q 1 \"$1\"; then sed s/1/42/ \"$1\" > \"$1.new\"; mv \"$1.new\" \"$1\"; else echo 'SELECT 7 AS' > \"$1\"; echo '  seven' >> \"$1\"; fi\n"
	if err := os.WriteFile(editor, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	x := open(t, 80, 24, append(at(t, world(sandbox.Options{}), dir), "EDITOR="+editor, "TMPDIR="+dir), "skyql")
	x.ready()
	x.keys("SELECT 1 AS n;\r")
	x.shows("│       1 │")
	x.ready()
	x.keys("\\e\r")
	x.shows("SELECT 42 AS n;", "│      42 │")
	x.ready()
	x.keys("SELECT 2 AS n;\r")
	x.shows("│       2 │")
	x.ready()
	x.keys("\\e\r")
	x.shows("SELECT 7 AS\n", "  seven")
	x.keys(";\r")
	x.shows("│   seven │", "│       7 │")
	left, err := filepath.Glob(filepath.Join(dir, "skyql-*.sql"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Mistakes are told, and how to go on.
func TestShellMistakes(t *testing.T) {
	t.Parallel()
	x := open(t, 100, 30, at(t, world(sandbox.Options{}), t.TempDir()), "skyql", "--quiet")
	x.ready()
	for typed, want := range map[string]string{
		`\timng`:          `hint: \timing`,
		`\mode xml`:       `hint: \mode duckbox|table`,
		`\x maybe`:        `"maybe" is neither on nor off`,
		`\watch soon`:     `hint: \watch 5`,
		`\rows many`:      `hint: \rows 100`,
		`\copy mine`:      `hint: \copy (SELECT`,
		`\i`:              `hint: \i script.sql`,
		`\set 1x-y z`:     `hint: \set name value`,
		`\unset z`:        `"z" is not set`,
		`\dt *bukets*`:    `hint: \d aws.`,
		`\d aws.s3.buket`: `hint: did you mean aws.s3.bucket`,
		`\dn nope`:        `no service is like nope`,
		`\o /no/such/dir`: `error: open /no/such/dir`,
		`\g`:              `there is no statement yet`,
	} {
		x.keys(typed + "\r")
		x.shows(want)
		x.ready()
	}
}

// What is pasted is text: its line ends run nothing, its tabs complete nothing.
func TestShellPaste(t *testing.T) {
	t.Parallel()
	x := open(t, 80, 24, at(t, world(sandbox.Options{}), t.TempDir()), "skyql", "--quiet")
	x.ready()
	x.keys("\x1b[200~SELECT 1 AS one;\r\nSELECT\t2 AS two\n  ;\n\x1b[201~")
	screen := x.shows("SELECT 1 AS one;", "2 AS two", "  ;")
	if strings.Contains(screen, "┌") {
		t.Errorf("it ran:\n%s", screen)
	}
	x.keys("\r")
	x.shows("│       1 │", "│       2 │")
	x.ready()
}

// A plan is agreed to where it is shown, by yes alone; the prompt shows an open
// transaction.
func TestShellPlan(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{})
	x := open(t, 100, 30, at(t, box, t.TempDir()), "skyql", "--quiet")
	x.ready()
	statement := "UPDATE aws.sqs.queues SET visibility_timeout = 77 WHERE queue_name = 'orders';\r"
	x.keys(statement)
	x.masked("plan", `Only "yes" does:`)
	x.keys("no\r")
	x.shows("error:")
	x.ready()
	x.keys("\x0c" + statement)
	x.shows(`Only "yes" does:`)
	x.keys("\x03")
	x.ready()
	if n := box.Calls()["UpdateResource"]; n != 0 {
		t.Errorf("%d updates without a yes", n)
	}
	x.keys("\x0c" + statement)
	x.shows(`Only "yes" does:`)
	x.keys("yes\r")
	x.masked("applied", "1 done")
	if n := box.Calls()["UpdateResource"]; n != 1 {
		t.Errorf("%d updates", n)
	}
	x.keys("\x0cBEGIN;\r")
	x.ready("us-east-1*")
	x.keys("UPDATE aws.sqs.queues SET visibility_timeout = 78 WHERE queue_name = 'orders';\r")
	x.shows("planned")
	x.ready("us-east-1*")
	x.keys("\x0cCOMMIT;\r") // a slip of the finger loses nothing
	x.shows(`Only "yes" does:`)
	x.keys("yse\r")
	x.shows("the transaction is still open: COMMIT asks again, ROLLBACK forgets it")
	x.ready("us-east-1*")
	x.keys("ROLLBACK;\r")
	x.ready("us-east-1")
	x.keys("BEGIN; UPDATE aws.sqs.queues SET visibility_timeout = 79 WHERE queue_name = 'orders';\r")
	x.ready("us-east-1*")
	x.keys("\x04")
	x.shows("the transaction was still open")
	x.ends(0)
}
