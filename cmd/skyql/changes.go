package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/sqlerr"
)

// An agreement is the flags that say what may become of a plan.
type agreement struct {
	yes, plan, noWait bool
	planFile          string
	timeout           time.Duration
	planFormat        string // text or json
	told              *reporter
}

func (a *agreement) register(f *pflag.FlagSet) {
	f.BoolVar(&a.yes, "yes", false, "agree to every plan: make the changes without asking")
	f.BoolVar(&a.plan, "plan", false, "show what would change and stop: exit status 0 nothing, 2 changes")
	f.StringVar(&a.planFile, "plan-file", "", "write the plan to a file, for skyql apply, and stop")
	f.BoolVar(&a.noWait, "no-wait", false, "don't wait for the end of changes: skyql recover asks later")
	f.DurationVar(&a.timeout, "timeout", 0, "how long a change may take (default: as long as its handler)")
}

// terms turn the flags into what the session asks for.
func (a *agreement) terms(s streams, sandbox bool) session.Changes {
	a.plan = a.plan || a.planFile != ""
	r := &reporter{s: s, format: a.planFormat}
	a.told = r
	c := session.Changes{StateDir: journalDir(sandbox), Sandbox: sandbox, PlanOnly: a.plan, NoWait: a.noWait, Timeout: a.timeout, Show: r.show, Done: r.done,
		Leave: secondInterrupt, Patience: lockPatience, Through: through}
	if a.planFile != "" {
		c.Keep = (&planFile{path: a.planFile}).keep
	}
	switch tty := terminalDevice(s); {
	case a.yes:
		c.Approve = func(context.Context, *change.Set) (bool, error) { return true, nil }
	case tty != "":
		c.Asked = true
		c.Approve = func(ctx context.Context, _ *change.Set) (bool, error) { return ask(ctx, tty, s) }
	}
	return c
}

// lockPatience is how long another skyql that changes things is waited for.
const lockPatience = 30 * time.Second

// through is what journals are written through. Tests alone set it, to end the
// program at a write.
var through func(change.File) change.File

// journalDir is the folder of the journal. A sandbox has one of its own.
func journalDir(sandbox bool) string { return filepath.Join(stateFolder(sandbox), "journal") }

// stateFolder is the folder for what is to last of AWS, or of the sandbox.
func stateFolder(sandbox bool) string {
	if sandbox {
		return filepath.Join(stateDir(), "sandbox")
	}
	return stateDir()
}

// outcome is what a script that ran to its end came to.
func (a *agreement) outcome(sess *session.Session) error {
	switch open, wants := sess.InTransaction(); {
	case open && wants:
		return sqlerr.New("25P02", "the transaction is still open: nothing of it was changed").WithHint("COMMIT")
	case sess.Missing() > 0:
		return errMissing
	case a.plan && sess.Planned() > 0:
		return errChanges
	}
	return a.told.err
}

// A planFile holds one plan, and never just the last one of several.
type planFile struct {
	path  string
	whole bool // there is a plan in it that changes something
}

func (p *planFile) keep(set *change.Set) error {
	if p.whole && len(set.Changes) > 0 {
		return errors.Join(sqlerr.New(sqlerr.FeatureNotSupported, "%s was to hold a second plan, and so is not kept: a plan file holds one", p.path).
			WithHint("BEGIN; …; COMMIT makes one plan of several statements"), os.Remove(p.path))
	}
	if p.whole {
		return nil
	}
	p.whole = len(set.Changes) > 0
	f, err := os.OpenFile(p.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		err = errors.Join(set.Save(f), f.Close())
	}
	if err != nil {
		return sqlerr.New("58030", "the plan can't be kept: %s", err).Wrap(err)
	}
	return nil
}

// A reporter writes plans, and what became of them, to standard error.
type reporter struct {
	s      streams
	format string
	err    error
}

func (r *reporter) show(set *change.Set) {
	if r.format == "json" {
		text, err := json.MarshalIndent(set, "", "  ")
		if err == nil {
			fmt.Fprintf(r.s.out, "%s\n", text)
		}
		r.err = errors.Join(r.err, err)
		return
	}
	r.err = errors.Join(r.err, set.WriteText(r.s.err))
}

func (r *reporter) done(report *change.Report) { r.err = errors.Join(r.err, report.WriteText(r.s.err)) }

// terminalDevice is where a person can be asked: the terminal device, whatever the
// standard streams are; "" where there is none.
func terminalDevice(s streams) string {
	if f, ok := s.err.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return ""
	}
	const device = "/dev/tty"
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return ""
	}
	f.Close()
	return device
}

// ask asks on a terminal whether the plan shall come true.
func ask(ctx context.Context, device string, s streams) (bool, error) {
	tty, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer tty.Close()
	io.WriteString(tty, `Apply these changes? Only "yes" does: `)
	line := make(chan string, 1)
	go func() { // ends with the answer, or with the program
		text, _ := bufio.NewReader(tty).ReadString('\n')
		line <- text
	}()
	select {
	case text := <-line:
		return strings.TrimSpace(text) == "yes", nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// errChanges is the end of --plan where there is something to do.
var errChanges = errors.New("there are changes")

var interrupts = sync.OnceValue(func() chan struct{} { return make(chan struct{}) })

// signals are the interrupts that main counts.
var signals = sync.OnceValue(func() chan os.Signal { return make(chan os.Signal, 3) })

// secondInterrupt is closed when the program is interrupted for the second time.
func secondInterrupt() <-chan struct{} { return interrupts() }
