package shell

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// A reader asks for input on a terminal.
type reader interface {
	// Read gives the next complete input: statements up to a semicolon, or a
	// meta command. The error is errInterrupted for Ctrl-C, io.EOF for Ctrl-D.
	Read(prompt string) (string, error)
	// Ask reads one line that is not kept.
	Ask(question string) (string, error)
	// Put begins the next Read with a text.
	Put(text string)
	Close()
}

// errInterrupted is Ctrl-C.
var errInterrupted = errors.New("interrupted")

// ErrTerminated is what Run returns when the program was told to end.
var ErrTerminated = errors.New("terminated")

func (s *Shell) newReader() reader {
	if s.o.Plain {
		return newPlain(s)
	}
	return newEditor(s)
}

// keepTerminal remembers the terminal's mode, for whoever is left in the middle
// of a line.
func keepTerminal(in io.Reader) (restore func()) {
	f, ok := in.(*os.File)
	if !ok {
		return func() {}
	}
	state, err := term.GetState(int(f.Fd()))
	if err != nil {
		return func() {}
	}
	return func() { term.Restore(int(f.Fd()), state) }
}

// A plain reader leaves editing to the terminal. It reads ahead of what is
// asked for by one line at most, so that a signal can end the waiting.
type plain struct {
	shell *Shell
	lines chan line
	want  chan struct{}
	due   bool // a line was asked for and has not come
	put   string
}

type line struct {
	text string
	err  error
}

func newPlain(s *Shell) *plain {
	p := &plain{shell: s, lines: make(chan line), want: make(chan struct{})}
	go func() {
		r := bufio.NewReader(s.o.In)
		for range p.want {
			text, err := r.ReadString('\n')
			if text != "" {
				err = nil
			}
			p.lines <- line{text, err}
		}
	}()
	return p
}

func (p *plain) Close() {
	if !p.due {
		close(p.want)
	}
}

func (p *plain) Put(text string) { p.put = text }

func (p *plain) Ask(question string) (string, error) {
	out := p.shell.o.Err
	if p.shell.out.screen {
		out = p.shell.o.Out
	}
	fmt.Fprint(out, question)
	if !p.due {
		p.due = true
		p.want <- struct{}{}
	}
	var sig os.Signal
	select {
	case l := <-p.lines:
		if p.due = false; l.err != nil {
			fmt.Fprintln(out)
		}
		return strings.TrimRight(l.text, "\r\n"), l.err
	case sig = <-p.shell.signals:
	case sig = <-p.shell.answers:
	}
	fmt.Fprintln(out)
	if sig == os.Interrupt {
		return "", errInterrupted
	}
	return "", ErrTerminated
}

func (p *plain) Read(prompt string) (string, error) {
	text := p.put
	p.put = ""
	if text != "" {
		fmt.Fprint(p.shell.o.Out, text, "\n")
		text += "\n"
	}
	for {
		l, err := p.Ask(prompt)
		if err != nil {
			return "", err
		}
		if text += l + "\n"; whole(text) {
			p.shell.history.add(strings.TrimSpace(text))
			return text, nil
		}
		prompt = "-> "
	}
}
