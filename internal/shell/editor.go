package shell

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/reeflective/readline"
	"github.com/reeflective/readline/inputrc"

	"github.com/skyql/skyql/internal/render"
)

// An editor reads with line editing: Emacs or vi keys as the user's inputrc
// says, history, completion and highlighting.
type editor struct {
	shell  *Shell
	rl     *readline.Shell
	prompt string
	// rows is how many rows the input takes, row the one that the cursor is in.
	rows, row int
	asking    bool
	put       string
	broken    reader // in use since the editor failed
}

func newEditor(s *Shell) *editor {
	e := &editor{shell: s, rl: readline.NewShell(inputrc.WithApp("skyql"))}
	rl := e.rl
	rl.Prompt.Primary(func() string { return e.prompt })
	rl.Prompt.Secondary(func() string { return s.out.dim("· ") })
	rl.AcceptMultiline = func(line []rune) bool { return e.asking || whole(string(line)) }
	rl.SyntaxHighlighter = func(line []rune) string {
		if e.asking || !s.o.Color {
			return string(line)
		}
		return s.highlight(string(line))
	}
	rl.Completer = e.completions
	rl.Hint.SetProvider(e.watched)
	rl.History.Delete()
	rl.History.Add("history", e)
	rl.PasteTransformer = func(text string) string { return strings.TrimRight(printable(text), "\n") }
	for name, value := range map[string]any{
		"convert-meta":           false, // é is a letter and not Meta-i
		"enable-bracketed-paste": true,  // what is pasted is text: its tabs and line ends do nothing
		"completion-ignore-case": true, "multiline-column": false, "completion-query-items": 0, "history-size": 0,
		"blink-matching-paren": false, "usage-hint-always": false, "menu-complete-display-prefix": true,
		"cursor-position-probe": runtime.GOOS == "windows", // see watched
	} {
		rl.Config.Set(name, value)
	}
	e.bindInterrupt()
	e.bindInsert()
	return e
}

// bindInsert makes what is typed beyond ASCII arrive as it is. The editor's own
// command spells U+0080 to U+00FF as keys with Meta, takes the first rune of a
// character for all of it, and loses count in front of wide ones.
func (e *editor) bindInsert() {
	commands := e.rl.Keymap.Commands()
	insert, accept := commands["self-insert"], commands["accept-line"]
	e.rl.Keymap.Register(map[string]func(){"self-insert": func() {
		switch keys := e.rl.Keys.Caller(); {
		case string(keys) == "\r\n": // one character to the editor
			accept()
		case slices.ContainsFunc(keys, func(r rune) bool { return r >= utf8.RuneSelf }):
			e.rl.History.SkipSave()
			e.rl.Cursor().InsertAt(keys...)
		default:
			insert()
		}
	}})
}

// bindInterrupt gives Ctrl-C a command of its own: the line is dropped, whatever
// is being completed or searched. (The editor's own looks at the keys that
// follow, and eats them.)
func (e *editor) bindInterrupt() {
	const name = "skyql-interrupt"
	e.rl.Keymap.Register(map[string]func(){name: func() {
		e.rl.Display.AcceptLine()
		e.rl.History.Accept(false, false, readline.ErrInterrupt)
	}})
	for _, binds := range e.rl.Config.Binds {
		binds[inputrc.Unescape(`\C-C`)] = inputrc.Bind{Action: name}
	}
}

func (e *editor) Close() {}

func (e *editor) Put(text string) { e.put = text }

// completions offers what may stand at the cursor, as much of it as the screen
// holds below the line.
func (e *editor) completions(line []rune, cursor int) readline.Completions {
	if e.asking {
		return readline.Completions{}
	}
	prefix, found := e.shell.complete(string(line), len(string(line[:cursor])))
	width, height := size(e.shell.o.Out)
	found = menu(found, prefix, width, height-e.rows-4)
	notes := map[string]int{} // by heading, how wide its names are
	for _, c := range found {
		if c.note != "" {
			notes[c.tag] = max(notes[c.tag], render.Width(c.show()))
		}
	}
	var out []readline.Completion
	for _, c := range found {
		show := c.show()
		if w := notes[c.tag]; w > 0 {
			show += strings.Repeat(" ", max(0, w-render.Width(show))) + "  " + e.shell.out.dim(c.note)
		}
		out = append(out, readline.Completion{Value: c.text, Display: show, Tag: c.tag})
	}
	comps := readline.CompleteRaw(out).NoSort()
	for tag := range notes {
		comps = comps.DisplayList(tag)
	}
	comps.PREFIX = prefix
	return comps
}

// watched is called before the line is drawn. The editor counts rows from where
// the line begins and needs one below it: at the bottom of the screen there is
// none, so room is made by scrolling. (The editor could ask the terminal where
// the cursor is, but then waits for the answer at every key, and drops what is
// typed meanwhile.)
func (e *editor) watched(line []rune, cursor int) []rune {
	width, _ := size(e.shell.o.Out)
	rows := rowsOf(string(line), render.Width(e.prompt), width)
	below := max(1, rows-e.row)
	e.rows, e.row = rows, rowsOf(string(line[:min(cursor, len(line))]), render.Width(e.prompt), width)-1
	fmt.Fprintf(e.shell.o.Out, "%s\x1b[%dA", strings.Repeat("\x1bD", below), below)
	e.suggest(string(line), cursor == len(line))
	if e.asking || rows == 1 || whole(string(line)) || !strings.ContainsRune(string(line), '\n') {
		return nil
	}
	return []rune(e.shell.out.dim("; and Enter run it, Ctrl-C drops it"))
}

// suggest shows in grey what the word before the cursor may become, as one
// types: the right arrow takes it. What is in quotes is left to the Tab key.
func (e *editor) suggest(text string, atEnd bool) {
	e.rl.ClearInlineSuggestion()
	if e.asking || !atEnd || !e.shell.o.Color || len(text) > longLine || !closed(text) {
		return
	}
	prefix, found := e.shell.complete(text, len(text))
	if len(found) == 0 || len(strings.TrimSpace(prefix)) < 2 {
		return
	}
	best := found[0] // of the first heading the shortest
	for _, c := range found {
		if c.tag == best.tag && len(c.text) < len(best.text) {
			best = c
		}
	}
	if rest, ok := strings.CutPrefix(best.text, prefix); ok && rest != "" {
		e.rl.SetInlineSuggestion(text + rest)
	}
}

// rowsOf is how many rows of a terminal a text takes whose lines are indented.
func rowsOf(text string, indent, width int) int {
	rows := 0
	for line := range strings.SplitSeq(text, "\n") {
		rows++
		if width > 0 {
			rows += (indent + render.Width(line)) / width
		}
	}
	return rows
}

// menu cuts candidates to so many rows. What is left out is told at the end, by
// an entry that changes nothing; if all go on alike, that is the one candidate.
func menu(found []candidate, prefix string, width, rows int) []candidate {
	widest, notes, tags := map[string]int{}, map[string]bool{}, 0
	for _, c := range found {
		if _, ok := widest[c.tag]; !ok {
			tags++
		}
		widest[c.tag] = max(widest[c.tag], len(c.show()))
		notes[c.tag] = notes[c.tag] || c.note != ""
	}
	rows = max(rows-tags, 3)
	used, room := 0.0, float64(rows)
	for i, c := range found {
		if notes[c.tag] || width == 0 {
			used++
		} else {
			used += 1 / float64(max(1, width/(widest[c.tag]+2)))
		}
		if used <= room-1 || i == len(found)-1 && used <= room {
			continue
		}
		if p := commonPrefix(found); len(p) > len(prefix) && strings.EqualFold(p[:len(prefix)], prefix) {
			return []candidate{{text: p}}
		}
		return append(slices.Clone(found[:i]), candidate{text: prefix, label: fmt.Sprintf("… %d more, type on", len(found)-i)})
	}
	return found
}

// commonPrefix is what all candidates begin with.
func commonPrefix(found []candidate) string {
	p := found[0].text
	for _, c := range found[1:] {
		for !strings.HasPrefix(c.text, p) {
			p = p[:len(p)-1]
		}
	}
	return p
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
	e.prompt, e.rows, e.row = prompt, 1, 0
	e.rl.Keymap.SetLocal("")
	if !e.rl.Keymap.IsEmacs() { // a new line begins in insert mode, whatever mode the last one was left in
		e.rl.Keymap.SetMain("vi-insert")
	}
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
				return "", ErrTerminated
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
		fmt.Fprint(e.shell.o.Out, "\r\n\x1b[J")
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
