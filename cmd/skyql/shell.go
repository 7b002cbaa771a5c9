package main

import (
	"cmp"
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/shell"
	"github.com/skyql/skyql/internal/sqlerr"
)

// A prompt is the flags of skyql shell, and of skyql alone.
type prompt struct {
	connection
	agreement
	quiet bool
}

// shellCache is for how long what was read is used again where nobody says.
const shellCache = "60s"

func newShell(s streams) *cobra.Command {
	p := &prompt{}
	cmd := &cobra.Command{
		Use:   "shell",
		Short: "Type SQL statements, with history and completion",
		Long:  "Type SQL statements, with history and completion. Without a terminal, statements and meta commands are read from standard input.",
		Args:  none,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.run(cmd.Context(), s) },
	}
	p.flags(cmd)
	return cmd
}

func (p *prompt) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	p.connection.register(f)
	p.agreement.register(f)
	f.Lookup("cache").Usage = "how old what was read before may be, such as 60s (default " + shellCache + ")"
	f.StringVar(&p.format, "format", "", "output mode to begin with (default duckbox on a terminal, else table)")
	f.BoolVarP(&p.quiet, "quiet", "q", false, "no greeting, no progress, no counts")
}

// alone is skyql without a command: the shell on a terminal, query for what
// comes by a pipe, help for nothing.
func (p *prompt) alone(cmd *cobra.Command, s streams) error {
	if onTerminal(s.in) {
		return p.run(cmd.Context(), s)
	}
	text, err := io.ReadAll(s.in)
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(text)) == "" {
		return cmd.Help()
	}
	q := &query{connection: p.connection, agreement: p.agreement, quiet: p.quiet, showProgress: "auto"}
	return q.run(cmd.Context(), []string{string(text)}, s)
}

func (p *prompt) run(ctx context.Context, s streams) error {
	if p.format != "" && !slices.Contains(shell.Modes, p.format) {
		return sqlerr.New(sqlerr.InvalidParameter, "no format %q", p.format).WithHint("--format %s", strings.Join(shell.Modes, "|"))
	}
	p.params, p.fresh = map[string]string{}, shellCache
	bar := newProgress("auto", p.quiet, s.err)
	if bar != nil {
		p.progress = bar.note
	}
	var sh *shell.Shell
	p.notify = func(text string) { sh.Notify(text) }
	p.changes = p.asked(&sh, bar, s, p.sandbox)
	sess, stop, err := p.open(ctx, s)
	if err != nil {
		return err
	}
	defer func() { stop() }()
	if onTerminal(s.in) { // an interrupt is the statement's, however many come
		signal.Stop(signals())
	}
	dumb := env("TERM") == "dumb" || !onTerminal(s.out) || !onTerminal(s.err)
	sh = shell.New(shell.Options{
		Session: sess, Sandbox: p.sandbox, Profile: cmp.Or(p.profile, env("AWS_PROFILE")), Params: p.params, In: s.in, Out: s.out, Err: s.err, Format: p.format, Quiet: p.quiet,
		Clear: bar.clear, StateDir: stateDir(), Plain: dumb, Color: !dumb && env("NO_COLOR") == "",
		OpenSandbox: func(ctx context.Context) (*session.Session, error) {
			in := p.connection
			in.sandbox, in.endpoint = true, ""
			in.changes = p.asked(&sh, bar, s, true)
			sess, stopSandbox, err := in.open(ctx, s)
			if err == nil {
				before := stop
				stop = func() { stopSandbox(); before() }
			}
			return sess, err
		},
	})
	if err := sh.Run(ctx); err != nil || onTerminal(s.in) {
		return err
	}
	return p.outcome(sess)
}

// asked are the terms on which a shell changes things: its plans are agreed to
// where they are shown.
func (p *prompt) asked(sh **shell.Shell, bar *progress, s streams, sandbox bool) session.Changes {
	c := p.terms(s, sandbox)
	show := c.Show
	c.Show = func(set *change.Set) {
		bar.clear()
		show(set)
	}
	if !onTerminal(s.in) {
		return c
	}
	c.Leave = func() <-chan struct{} { return (*sh).Leave() }
	if !p.yes {
		c.Asked = true
		c.Approve = func(context.Context, *change.Set) (bool, error) { return (*sh).Confirm("") }
	}
	return c
}

func onTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
