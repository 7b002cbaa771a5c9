package shell

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/session"
)

// testShell is a shell that is fed by nobody, over a session that reaches
// nothing.
func testShell(t testing.TB) *Shell {
	t.Helper()
	sess, err := session.New(t.Context(), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sess.Close() })
	return New(Options{Session: sess, In: strings.NewReader(""), Out: io.Discard, Err: &bytes.Buffer{}})
}
