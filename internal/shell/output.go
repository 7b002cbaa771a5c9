package shell

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/render"
	"github.com/skyql/skyql/internal/sqlerr"
)

// Modes are the output modes: those of query, and the one for screens.
var Modes = append([]string{"duckbox"}, render.Formats...)

// defaultRows is how many rows duckbox shows.
const defaultRows = 40

// An output is where results go, and how.
type output struct {
	out, err    io.Writer
	interactive bool // somebody types
	screen      bool // out is a terminal
	color       bool
	quiet       bool

	mode     string
	expanded bool // \x
	rows     int  // most rows that duckbox shows; 0: all
	pager    string
	// paging says that a pager has the terminal.
	paging atomic.Bool
	// file is that of \o, nil without one.
	file io.WriteCloser
}

func newOutput(o Options) *output {
	out := &output{out: o.Out, err: o.Err, interactive: isTerminal(o.In), screen: isTerminal(o.Out), color: o.Color, quiet: o.Quiet, rows: defaultRows, pager: defaultPager(), mode: o.Format}
	if out.mode == "" {
		out.mode = "table"
		if out.screen {
			out.mode = "duckbox"
		}
	}
	return out
}

// IsTerminal reports whether a stream is one.
func isTerminal(s any) bool {
	f, ok := s.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// size is the terminal's, 0 and 0 for anything else.
func size(w io.Writer) (width, height int) {
	if f, ok := w.(*os.File); ok {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil {
			return width, height
		}
	}
	return 0, 0
}

func defaultPager() string {
	if p, ok := os.LookupEnv("PAGER"); ok {
		return p
	}
	if runtime.GOOS == "windows" {
		return ""
	}
	return "less -SRFX"
}

// setMode chooses an output mode by name.
func (o *output) setMode(name string) error {
	if !slices.Contains(Modes, name) {
		return sqlerr.New(sqlerr.InvalidParameter, "no output mode %q", name).WithHint(`\mode %s`, strings.Join(Modes, "|"))
	}
	o.mode, o.expanded = name, false
	return nil
}

// write shows the rows of a result. cost gives the calls and the time it took;
// nil: it took none.
func (o *output) write(rows *engine.Rows, cost func() (int, time.Duration)) error {
	tally := func(what string) string { return "" }
	if o.screen && !o.quiet && o.file == nil && cost != nil {
		tally = func(what string) string {
			calls, took := cost()
			return o.dim(render.Tally(what, calls, took)) + "\n"
		}
	}
	return o.show(func(w io.Writer, width int) error { return o.render(w, rows, width, tally) })
}

// show runs what writes a result: to the file of \o, else to the screen, by way
// of the pager if it is longer. width is the screen's, 0 where nothing may be
// cut.
func (o *output) show(f func(w io.Writer, width int) error) error {
	if o.file != nil {
		return f(o.file, 0)
	}
	width, height := size(o.out)
	if !o.interactive || o.pager == "" || o.pager == "cat" || height == 0 {
		return f(o.out, width)
	}
	p := &paged{o: o, room: height - 1}
	err := f(p, width)
	if e := p.Close(); err == nil {
		err = e
	}
	if render.Gone(err) || errors.Is(err, errPagerLeft) {
		return nil // whoever read had enough
	}
	return err
}

func (o *output) render(w io.Writer, rows *engine.Rows, width int, tally func(string) string) error {
	foot := func(what string) error {
		_, err := io.WriteString(w, tally(what))
		return err
	}
	if o.expanded && !rows.Verbatim() {
		n, err := render.Write(w, "line", rows, render.Options{Width: width})
		if err != nil {
			return err
		}
		return foot(render.Count(n, "row"))
	}
	if o.mode == "duckbox" {
		most := o.rows
		if width == 0 {
			most = 0
		}
		s, err := render.Duckbox(w, rows, render.Options{Width: width}, most)
		if err != nil || s.Verbatim {
			return err
		}
		return foot(s.String())
	}
	n, err := render.Write(w, o.mode, rows, render.Options{Width: width})
	if err != nil {
		return err
	}
	return foot(render.Count(n, "row"))
}

// plainly writes what the shell itself has to say: duckbox's types and cuts are
// for results.
func (o *output) plainly(w io.Writer, rows *engine.Rows, width int) error {
	mode := o.mode
	if mode == "duckbox" {
		mode = "table"
	}
	_, err := render.Write(w, mode, rows, render.Options{Width: width})
	return err
}

// openFile sends results to a file, or to a command's input behind a bar.
func (o *output) openFile(name string) error {
	if err := o.closeFile(); err != nil || name == "" {
		return err
	}
	if command, ok := strings.CutPrefix(name, "|"); ok {
		p, err := startPipe(command, o.out, o.err)
		o.file = p
		if err != nil {
			o.file = nil
		}
		return err
	}
	f, err := os.OpenFile(home(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	o.file = f
	return nil
}

func (o *output) closeFile() error {
	f := o.file
	o.file = nil
	if f == nil {
		return nil
	}
	return f.Close()
}

// home puts the home folder in the place of a leading ~/.
func home(name string) string {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if dir, err := os.UserHomeDir(); err == nil {
			return dir + "/" + rest
		}
	}
	return name
}

// A paged writer keeps what fits on the screen, and starts the pager when there
// is more.
type paged struct {
	o    *output
	room int // lines
	kept strings.Builder
	n    int // lines kept
	pipe *pipe
}

var errPagerLeft = errors.New("the pager was left")

func (p *paged) Write(b []byte) (int, error) {
	if p.pipe != nil {
		if _, err := p.pipe.Write(b); err != nil {
			return 0, errPagerLeft
		}
		return len(b), nil
	}
	p.kept.Write(b)
	if p.n += strings.Count(string(b), "\n"); p.n <= p.room {
		return len(b), nil
	}
	p.o.paging.Store(true)
	pipe, err := startPipe(p.o.pager, p.o.out, p.o.err)
	if err != nil { // no such program: the terminal can scroll
		p.o.paging.Store(false)
		p.o.pager = ""
		p.room = 1 << 30
		return len(b), nil
	}
	p.pipe = pipe
	if _, err := io.WriteString(pipe, p.kept.String()); err != nil {
		return 0, errPagerLeft
	}
	return len(b), nil
}

// Close shows what was kept, or waits for the pager to be left.
func (p *paged) Close() error {
	if p.pipe == nil {
		_, err := io.WriteString(p.o.out, p.kept.String())
		return err
	}
	defer p.o.paging.Store(false)
	p.pipe.Close() // a pager's exit status says nothing
	return nil
}

// A pipe is the standard input of a command.
type pipe struct {
	io.WriteCloser
	cmd *exec.Cmd
}

func startPipe(command string, out, err io.Writer) (*pipe, error) {
	cmd := shellCommand(command)
	cmd.Stdout, cmd.Stderr = out, err
	in, e := cmd.StdinPipe()
	if e != nil {
		return nil, e
	}
	if words := strings.Fields(command); len(words) > 0 {
		if _, e := exec.LookPath(words[0]); e != nil {
			return nil, e
		}
	}
	if e := cmd.Start(); e != nil {
		return nil, e
	}
	return &pipe{in, cmd}, nil
}

// Close ends the input and waits for the command.
func (p *pipe) Close() error {
	err := p.WriteCloser.Close()
	if e := p.cmd.Wait(); err == nil && e != nil {
		err = fmt.Errorf("%s: %w", strings.Join(p.cmd.Args[2:], " "), e)
	}
	return err
}

// shellCommand is a command line, run by the system's shell.
func shellCommand(line string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		return exec.Command("cmd", "/c", line)
	}
	return exec.Command("sh", "-c", line)
}

func (o *output) paint(code, text string) string {
	if !o.color || text == "" || code == "" {
		return text
	}
	body := strings.TrimRight(text, "\n")
	return "\x1b[" + code + "m" + body + "\x1b[0m" + text[len(body):]
}

func (o *output) dim(text string) string { return o.paint("2", text) }

// red colours the first word of an error.
func (o *output) red(text string) string {
	if rest, ok := strings.CutPrefix(text, "error:"); ok {
		return o.paint("31", "error:") + rest
	}
	return text
}
