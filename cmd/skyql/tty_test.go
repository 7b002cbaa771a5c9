//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
)

// A tty is a program in a pseudo-terminal, and the screen that a person
// would see.
type tty struct {
	t   *testing.T
	pty *os.File
	cmd *exec.Cmd

	mu      sync.Mutex
	screen  *vt.Emulator
	raw     strings.Builder // everything that was sent to it
	asked   int             // lines that were asked for when keys were last typed
	gone    bool            // the program has ended
	changed chan struct{}   // closed with each change
}

// patience is how long a screen may take to look as it should.
const patience = 60 * time.Second

// open starts a command of this test binary on a terminal. The environment is
// the variables given and no others.
func open(t *testing.T, cols, rows int, env []string, command string, args ...string) *tty {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), command)
	if err := os.Symlink(self, bin); err != nil {
		t.Fatal(err)
	}
	x := &tty{t: t, screen: vt.NewEmulator(cols, rows), changed: make(chan struct{}), cmd: exec.Command(bin, args...)}
	x.cmd.Env = append([]string{"TERM=xterm-256color", "INPUTRC=" + os.DevNull, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}, env...)
	if x.pty, err = pty.StartWithSize(x.cmd, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)}); err != nil {
		t.Fatal(err)
	}
	go io.Copy(x.pty, x.screen) // what the terminal answers
	go x.read()
	t.Cleanup(func() {
		x.cmd.Process.Kill()
		x.cmd.Wait()
		x.pty.Close()
		x.screen.InputPipe().(io.Closer).Close() // ends the answers
	})
	return x
}

func (x *tty) read() {
	buf := make([]byte, 32<<10)
	for {
		n, err := x.pty.Read(buf)
		x.mu.Lock()
		x.raw.Write(buf[:n])
		x.screen.Write(buf[:n])
		x.gone = err != nil
		close(x.changed)
		x.changed = make(chan struct{})
		x.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// keys types. "\r" is Enter, "\t" Tab, "\x03" Ctrl-C.
func (x *tty) keys(text string) {
	x.t.Helper()
	x.asked = x.lines()
	if _, err := io.WriteString(x.pty, text); err != nil {
		x.t.Fatalf("type %q: %v", text, err)
	}
}

func (x *tty) resize(cols, rows int) {
	x.t.Helper()
	x.mu.Lock()
	x.screen.Resize(cols, rows)
	x.mu.Unlock()
	if err := pty.Setsize(x.pty, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)}); err != nil {
		x.t.Fatal(err)
	}
}

// text is the screen, without blanks at the ends of lines and below.
func (x *tty) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []string
	for line := range strings.SplitSeq(x.screen.String(), "\n") {
		out = append(out, strings.TrimRight(line, " \r"))
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n") + "\n"
}

// until waits for the screen to be so.
func (x *tty) until(what string, ok func(screen string) bool) string {
	x.t.Helper()
	late := time.After(patience)
	for {
		x.mu.Lock()
		changed := x.changed
		x.mu.Unlock()
		text := x.text()
		if ok(text) {
			return text
		}
		select {
		case <-changed:
		case <-late:
			x.t.Fatalf("the screen never shows %s:\n%s", what, text)
		}
	}
}

// shows waits for texts.
func (x *tty) shows(texts ...string) string {
	x.t.Helper()
	return x.until(strings.Join(texts, " and "), func(screen string) bool {
		for _, t := range texts {
			if !strings.Contains(screen, t) {
				return false
			}
		}
		return true
	})
}

// lines is how often the shell began to read a line: it takes what is pasted
// apart from what is typed while it does.
func (x *tty) lines() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.Count(x.raw.String(), "\x1b[?2004h")
}

// ready waits for the prompt that comes after what was typed last: keys typed
// earlier are the terminal's, as for everybody who types ahead, and a Ctrl-D
// among them is lost. A prompt that ends otherwise is not waited for.
func (x *tty) ready(ends ...string) {
	x.t.Helper()
	end := strings.Join(append(ends, "❯"), " ")
	x.until("a new prompt "+end, func(s string) bool {
		return x.lines() > x.asked && strings.HasSuffix(strings.TrimRight(s, "\n"), end)
	})
}

// ends waits for the program's end and compares its exit status.
func (x *tty) ends(status int) {
	x.t.Helper()
	x.until("the end", func(string) bool { x.mu.Lock(); defer x.mu.Unlock(); return x.gone })
	x.cmd.Wait()
	if got := x.cmd.ProcessState.ExitCode(); got != status {
		x.t.Errorf("exit status %d, want %d\n%s", got, status, x.text())
	}
}

var (
	varies = regexp.MustCompile(`\d+( calls · )\d+\.\d( s\b)|\d+(s old)`)
	digits = regexp.MustCompile(`\d+`)
)

// golden waits for the screen to be as it was recorded. Times and calls are put aside.
// With -update the screen is recorded, once it shows a text and has settled.
func (x *tty) golden(name, shows string) {
	x.t.Helper()
	x.recorded(name, shows, func(s string) string { return varies.ReplaceAllString(s, "N${1}${2}${3}") })
}

// took is how long a change took, where it took any time.
var took = regexp.MustCompile(`done in [0-9.]+ s`)

// masked is golden without regard to numbers and to how long changes took.
func (x *tty) masked(name, shows string) {
	x.t.Helper()
	x.recorded(name, shows, func(s string) string { return digits.ReplaceAllString(took.ReplaceAllString(s, "done"), "N") })
}

func (x *tty) recorded(name, shows string, tidy func(string) string) {
	x.t.Helper()
	path := filepath.Join("testdata", "screens", name+".golden")
	if *update {
		x.record(path, shows, tidy)
		return
	}
	data, err := os.ReadFile(path)
	if err != nil {
		x.t.Fatal(err)
	}
	want := string(data)
	late := time.After(patience)
	for {
		x.mu.Lock()
		changed := x.changed
		x.mu.Unlock()
		got := tidy(x.text())
		if got == want {
			return
		}
		select {
		case <-changed:
		case <-late:
			x.t.Fatalf("%s: the screen is not what was recorded (-want +got)\n%s", name, cmp.Diff(want, got))
		}
	}
}

func (x *tty) record(path, shows string, tidy func(string) string) {
	x.t.Helper()
	x.shows(shows)
	for settled := false; !settled; {
		x.mu.Lock()
		changed := x.changed
		x.mu.Unlock()
		select {
		case <-changed:
		case <-time.After(time.Second / 2):
			settled = true
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		x.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(tidy(x.text())), 0o644); err != nil {
		x.t.Fatal(err)
	}
}
