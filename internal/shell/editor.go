package shell

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/reeflective/readline"
	"github.com/reeflective/readline/inputrc"
)

// An editor reads with line editing: Emacs or vi keys as the user's inputrc
// says, history, completion and highlighting.
type editor struct {
	shell  *Shell
	rl     *readline.Shell
	prompt string
	asking bool
	put    string
	broken reader // in use since the editor failed
}

func newEditor(s *Shell) *editor {
	e := &editor{shell: s, rl: readline.NewShell(inputrc.WithApp("skyql"))}
	rl := e.rl
	rl.Prompt.Primary(func() string { return e.prompt })
	rl.Prompt.Secondary(func() string { return s.out.dim("· ") })
	rl.AcceptMultiline = func(line []rune) bool { return e.asking || complete(string(line)) }
	rl.SyntaxHighlighter = func(line []rune) string {
		if e.asking || !s.o.Color {
			return string(line)
		}
		return s.highlight(string(line))
	}
	rl.Completer = e.completions
	rl.History.Delete()
	rl.History.Add("history", e)
	for name, value := range map[string]any{
		"completion-ignore-case": true, "multiline-column": false, "completion-query-items": 0, "history-size": 0,
		"blink-matching-paren": false, "usage-hint-always": false, "menu-complete-display-prefix": true,
	} {
		rl.Config.Set(name, value)
	}
	return e
}

func (e *editor) Close() {}

func (e *editor) Put(text string) { e.put = text }

// completions offers what may stand at the cursor.
func (e *editor) completions(line []rune, cursor int) readline.Completions {
	if e.asking {
		return readline.Completions{}
	}
	prefix, found := e.shell.complete(string(line), len(string(line[:cursor])))
	var out []readline.Completion
	for _, c := range found {
		out = append(out, readline.Completion{Value: c.text, Display: c.show(), Description: c.note, Tag: c.tag})
	}
	comps := readline.CompleteRaw(out).NoSort().NoSpace()
	comps.PREFIX = prefix
	return comps
}

func (e *editor) Ask(question string) (string, error) {
	e.asking = true
	defer func() { e.asking = false }()
	return e.Read(question)
}

func (e *editor) Read(prompt string) (string, error) {
	if e.broken != nil {
		if e.asking {
			return e.broken.Ask(prompt)
		}
		return e.broken.Read(prompt)
	}
	e.prompt = prompt
	if e.put != "" {
		e.rl.Keys.Feed(false, []rune(strings.NewReplacer("\t", "    ", "\r", "").Replace(e.put))...)
		e.put = ""
	}
	got := make(chan line, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil { // a fault of the editor must not end the session
				got <- line{"", fmt.Errorf("the line editor failed (%v): lines are read without it from here on", p)}
			}
		}()
		text, err := e.rl.Readline()
		got <- line{text, err}
	}()
	for {
		select {
		case l := <-got:
			return e.end(l)
		case sig := <-e.shell.signals:
			if sig != os.Interrupt { // the editor takes Ctrl-C as a key
				fmt.Fprint(e.shell.o.Out, "\x1b[?2004l\r\n")
				return "", errTerminated
			}
		}
	}
}

func (e *editor) end(l line) (string, error) {
	switch {
	case errors.Is(l.err, readline.ErrInterrupt):
		return "", errInterrupted
	case errors.Is(l.err, io.EOF):
		fmt.Fprintln(e.shell.o.Out)
		return "", io.EOF
	case l.err != nil:
		e.shell.show(l.err)
		e.broken = newPlain(e.shell)
		return "", errInterrupted
	}
	return l.text, nil
}

// The editor is its own source of history.

// Write is readline's: an accepted input.
func (e *editor) Write(text string) (int, error) {
	if !e.asking {
		e.shell.history.add(text)
	}
	return e.Len(), nil
}

// GetLine is readline's.
func (e *editor) GetLine(i int) (string, error) {
	if i < 0 || i >= e.Len() {
		return "", errors.New("no such line")
	}
	return e.shell.history.lines[i], nil
}

// Len is readline's.
func (e *editor) Len() int { return len(e.shell.history.lines) }

// Dump is readline's.
func (e *editor) Dump() any { return e.shell.history.lines }
