// Package shell is the prompt: it reads statements and meta commands, runs the
// statements through a session and shows what comes of them.
//
// On a terminal it edits lines, completes, highlights, pages and cuts results
// to the screen; from a pipe it reads the same language without any of that,
// and shows everything. What is typed goes to session.Run as it is. History is
// kept without secrets. Ctrl-C ends the statement and never the shell.
package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/skyql/skyql/internal/render"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// Options are what a shell starts with.
type Options struct {
	// Session runs the statements. The shell is its only user.
	Session *session.Session
	// Sandbox says that the session talks to one.
	Sandbox bool
	// Profile is the name by which the user knows the account, of AWS's
	// configuration; empty for none.
	Profile string
	// OpenSandbox gives a session on a sandbox instead, for somebody without
	// credentials who says yes to that; nil: it is not offered.
	OpenSandbox func(context.Context) (*session.Session, error)
	// Params are what $name stands for: the map that the session was given, so
	// that \set can add to it.
	Params   map[string]string
	In       io.Reader
	Out, Err io.Writer
	// Format is the output mode to begin with; empty: duckbox on a terminal,
	// table elsewhere.
	Format string
	// Quiet leaves out greeting, counts and times.
	Quiet bool
	// Clear takes back what a progress display has drawn; nil: nothing is.
	Clear func()
	// StateDir is where the history is kept; empty: nowhere.
	StateDir string
	// Plain reads lines without an editor, as on a dumb terminal.
	Plain bool
	// Color says that colours may be shown.
	Color bool
}

// A Shell is one conversation. It is not safe for concurrent use, but for
// Notify and Confirm.
type Shell struct {
	o       Options
	session *session.Session
	link    *session.Link
	reader  reader
	history *history
	out     *output
	// account is the caller's account id, "" until it is known.
	account atomic.Pointer[string]
	last    string // the statements that \g and \watch run again
	timing  bool
	counted int // calls of statements that are done
	depth   int // of \i
	signals chan os.Signal
	// While a question is asked in the middle of a statement, Ctrl-C answers it.
	asking  atomic.Bool
	answers chan os.Signal
	// leave is closed by the second Ctrl-C of the statement that runs.
	leave atomic.Pointer[chan struct{}]
	names *names
}

// errQuit ends the shell; so does the end of the input.
var errQuit = errors.New("quit")

// New makes a shell. Run uses it, then Close frees it.
func New(o Options) *Shell {
	s := &Shell{o: o, session: o.Session, signals: make(chan os.Signal, 8), answers: make(chan os.Signal, 1)}
	if s.o.Params == nil {
		s.o.Params = map[string]string{}
	}
	s.out = newOutput(o)
	s.names = &names{session: o.Session, params: s.o.Params}
	return s
}

// Run talks until the input or the user ends it. On a terminal a failed
// statement is shown and the next one read; elsewhere it ends the run, and the
// error is returned. The context's end is the shell's, but for an interrupt: it
// belongs to the statement that runs.
func (s *Shell) Run(ctx context.Context) error {
	signal.Notify(s.signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(s.signals)
	ctx = context.WithoutCancel(ctx)
	if !s.out.interactive {
		return errors.Join(s.script(ctx, s.o.In), s.out.closeFile())
	}
	defer s.out.closeFile()
	defer s.farewell()
	restore := keepTerminal(s.o.In)
	defer restore()
	s.open()
	defer s.reader.Close()
	if err := s.greet(ctx); err != nil {
		return ignoreEnd(err)
	}
	for {
		text, err := s.reader.Read(s.prompt())
		switch {
		case errors.Is(err, errInterrupted):
			continue
		case err != nil:
			return ignoreEnd(err)
		}
		if err := s.input(ctx, text); errors.Is(err, errQuit) {
			return nil
		} else if err != nil {
			s.show(err)
		}
	}
}

// farewell tells what is given up with the shell.
func (s *Shell) farewell() {
	if open, wants := s.session.InTransaction(); open && wants {
		s.Notify("the transaction was still open: nothing of it was changed")
	}
}

// open makes what reading needs, once.
func (s *Shell) open() {
	if s.reader == nil {
		s.history = openHistory(s.o.StateDir)
		s.history.scrub = s.scrub
		s.reader = s.newReader()
	}
}

// ignoreEnd makes an ended input no error.
func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, errQuit) {
		return nil
	}
	return err
}

func (s *Shell) show(err error) {
	s.clear()
	fmt.Fprint(s.o.Err, s.out.red(sqlerr.Show(err)))
}

// clear takes back the progress, and what was typed while it stood there: the
// editor shows that again.
func (s *Shell) clear() {
	if s.o.Clear != nil {
		s.o.Clear()
	}
	if s.out.interactive && !s.o.Plain {
		fmt.Fprint(s.o.Err, "\r\x1b[K")
	}
}

// input runs what was typed or read: statements and meta commands.
func (s *Shell) input(ctx context.Context, text string) (err error) {
	defer func() {
		if p := recover(); p != nil { // a fault of the shell's own: told, and the next input read
			err = sqlerr.New(sqlerr.Internal, "internal error: %v", p).WithDetail("this is a fault of skyql; please report it with what was typed")
		}
	}()
	switch strings.ToLower(strings.TrimRight(strings.TrimSpace(text), "; ")) {
	case "":
		return nil
	case "quit", "exit":
		return errQuit
	case "help":
		return s.meta(ctx, "", command{name: "?"})
	}
	for _, p := range parts(text) {
		if p.command != nil {
			if err := s.meta(ctx, p.sql, *p.command); err != nil {
				return err
			}
			continue
		}
		s.last = p.sql
		if err := s.run(ctx, p.sql); err != nil {
			return err
		}
	}
	return nil
}

// script runs all of a reader. What is left at its end runs without a
// semicolon, as the argument of query does.
func (s *Shell) script(ctx context.Context, r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	var pending strings.Builder
	lines := 0 // before what is pending
	for line := range strings.Lines(string(text)) {
		first := pending.Len() == 0
		pending.WriteString(line)
		if !first && !mayEnd(line) || !whole(pending.String()) {
			continue
		}
		next := pending.String()
		pending.Reset()
		if err := s.input(ctx, next); err != nil {
			return ignoreEnd(below(lines, err))
		}
		lines += strings.Count(next, "\n")
	}
	rest := pending.String()
	if at := syntax.OpenComment(rest); at >= 0 { // what it swallowed would not run, and nobody be told
		return below(lines, s.session.Run(ctx, rest, nil))
	}
	return ignoreEnd(below(lines, s.input(ctx, rest)))
}

// below counts the line of an error from the start of the script.
func below(lines int, err error) error {
	var e *sqlerr.Error
	if errors.As(err, &e) && e.File == "" {
		e.Line = lines + max(e.Line, 1)
	}
	return err
}

// run runs statements until they are done or Ctrl-C is pressed.
func (s *Shell) run(ctx context.Context, sql string) error {
	ctx, stop := s.interruptible(ctx)
	defer stop()
	start := time.Now()
	s.counted = s.session.Calls()
	err := s.session.Run(ctx, sql, s.result)
	s.clear()
	if s.timing && !s.o.Quiet {
		fmt.Fprintf(s.o.Err, "Time: %.3f ms\n", float64(time.Since(start).Microseconds())/1000)
	}
	if err == nil {
		s.names.forget()
	}
	return err
}

// Leave gives what ends the wait for changes that are under way: the second
// Ctrl-C of a statement.
func (s *Shell) Leave() <-chan struct{} {
	if c := s.leave.Load(); c != nil {
		return *c
	}
	return nil
}

// interruptible gives a context that Ctrl-C cancels.
func (s *Shell) interruptible(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done, leave := make(chan struct{}), make(chan struct{})
	s.leave.Store(&leave)
	var second sync.Once
	go func() {
		for {
			select {
			case sig := <-s.signals:
				if s.out.paging.Load() && sig == os.Interrupt {
					continue // it is the pager's
				}
				if s.asking.Load() {
					s.answers <- sig
					continue
				}
				if ctx.Err() != nil {
					second.Do(func() { close(leave) })
				}
				cancel(fmt.Errorf("%s", sig))
				if sig != os.Interrupt {
					s.signals <- sig // ends the shell too
					return
				}
			case <-done:
				return
			}
		}
	}()
	return ctx, func() { close(done); cancel(nil) }
}

// result shows what a statement gave.
func (s *Shell) result(ctx context.Context, r session.Result) error {
	s.clear()
	calls := s.session.Calls()
	made := calls - s.counted
	s.counted = calls
	if r.Rows == nil {
		if r.Statement.Verb != syntax.Write { // what became of a change was told
			s.done(made, r.Took)
		}
		return nil
	}
	start := time.Now()
	return s.out.write(r.Rows, func() (int, time.Duration) { return made, r.Took + time.Since(start) })
}

// done tells somebody who types that a statement without rows is through.
func (s *Shell) done(calls int, took time.Duration) {
	if !s.out.interactive || s.o.Quiet {
		return
	}
	text := "done"
	if calls > 0 || took > time.Second/10 {
		text = render.Tally(text, calls, took)
	}
	fmt.Fprintln(s.o.Err, s.out.dim(text))
}

// Notify shows what a user should know beside the rows.
func (s *Shell) Notify(text string) {
	s.clear()
	for l := range strings.Lines(text) {
		fmt.Fprintf(s.o.Err, "%s\n", s.out.dim("notice: "+strings.TrimRight(l, "\n")))
	}
}
