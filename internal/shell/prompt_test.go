package shell

import (
	"bytes"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/session"
)

// The prompt says where a statement would run, and whether changes are pending.
func TestPrompt(t *testing.T) {
	t.Parallel()
	o := session.Options{}
	o.Cloud.Endpoint, o.Cloud.Region = "http://127.0.0.1:1", "eu-west-1"
	sess, err := session.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sess.Close() })
	s := New(Options{Session: sess, In: strings.NewReader(""), Out: &bytes.Buffer{}, Err: &bytes.Buffer{}})
	if s.link, err = sess.Link(t.Context()); err != nil {
		t.Fatal(err)
	}
	check := func(want string) {
		t.Helper()
		if got := s.prompt(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	run := func(sql string) {
		t.Helper()
		if err := sess.Run(t.Context(), sql, nil); err != nil {
			t.Fatal(err)
		}
	}
	check("http://127.0.0.1:1 eu-west-1 ❯ ")
	account := "111122223333"
	s.account.Store(&account)
	check("111122223333 eu-west-1 ❯ ")
	run("SET regions = 'us-east-1,us-west-2'")
	check("111122223333 us-east-1,us-west-2 ❯ ")
	run("SET regions = 'us-east-1,us-west-2,eu-west-1'")
	check("111122223333 3 regions ❯ ")
	run("SET regions = 'all'; USE aws.kms")
	check("111122223333 all regions kms ❯ ")
	run("BEGIN")
	check("111122223333 all regions kms* ❯ ")
	run("SET accounts = 'org'; USE aws")
	check("111122223333 accounts org all regions* ❯ ")
	s.o.Sandbox, s.o.Plain = true, true
	check("sandbox accounts org all regions* > ")
	s.out.color = true
	check("\x1b[35msandbox\x1b[0m accounts org all regions\x1b[33m*\x1b[0m > ")
	s.o.Sandbox = false
	run("ROLLBACK")
	check("\x1b[36m111122223333\x1b[0m accounts org all regions > ")
}

// Where nobody types, a plan is not agreed to.
func TestConfirmAlone(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := New(Options{Session: testShell(t).session, In: strings.NewReader("yes\n"), Out: &out, Err: &out})
	if yes, err := s.Confirm("1 to change"); yes || err == nil || !strings.Contains(out.String(), "1 to change") {
		t.Errorf("%v, %v, %s", yes, err, out.String())
	}
}
