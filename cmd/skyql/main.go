// Command skyql queries and changes AWS resources with SQL.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/skyql/skyql/internal/shell"
	"github.com/skyql/skyql/internal/sqlerr"
)

func main() {
	closeConsole := openConsole(os.Stdout, os.Stderr)
	findHome()
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // a reader that leaves fails a write, and doesn't end the program in the middle of a change
	ctx, stop := interruptible()
	code := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	closeConsole()
	os.Exit(code)
}

// findHome asks the system's list of users where the environment doesn't tell,
// as that of cron jobs and services: everything that is kept is below the home.
func findHome() {
	if _, err := os.UserHomeDir(); err == nil || runtime.GOOS == "windows" {
		return
	}
	if u, err := user.Current(); err == nil && filepath.IsAbs(u.HomeDir) {
		os.Setenv("HOME", u.HomeDir)
	}
}

// interruptible is a context that the first interrupt ends. The second one ends
// the wait for changes that are under way, the third one the program.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signal.Notify(signals(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals()
		cancel()
		<-signals()
		close(interrupts())
		<-signals()
		os.Exit(exitInterrupted)
	}()
	return ctx, func() { signal.Stop(signals()); cancel() }
}

// streams are a program's own.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Exit statuses.
const (
	exitDone        = 0
	exitError       = 1
	exitChanges     = 2 // --plan: there are changes
	exitMissing     = 3 // rows are missing, and which was said
	exitInterrupted = 130
	exitUnread      = 141 // who read the output has left, as a shell says it of SIGPIPE
)

// errMissing: the statements ran with what could be read.
var errMissing = errors.New("rows are missing")

// errShown is a failure that was already written to the user.
var errShown = errors.New("already shown")

// run is the program: arguments and streams in, exit status out.
func run(ctx context.Context, args []string, s streams) int {
	root := newRoot(s)
	root.SetArgs(append([]string{}, args...)) // cobra takes nil for os.Args
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil, errors.Is(err, shell.ErrTerminated):
		fmt.Fprintln(s.err, "interrupted")
		return exitInterrupted
	case errors.Is(err, errMissing):
		return exitMissing
	case errors.Is(err, errChanges):
		return exitChanges
	case readerLeft(err):
		return exitUnread
	case errors.Is(err, errShown):
	default:
		fmt.Fprint(s.err, sqlerr.Show(err))
	}
	return exitError
}

// readerLeft reports whether output failed because nobody reads it any more. A
// connection to AWS that breaks is no such thing.
func readerLeft(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p) && p.Op == "write" && errors.Is(p.Err, syscall.EPIPE)
}

func newRoot(s streams) *cobra.Command {
	alone := &prompt{}
	root := &cobra.Command{
		Use:           "skyql",
		Short:         "Query and change AWS resources with SQL",
		Long:          "skyql runs SQL over AWS resources: every resource type is a table such as aws.ec2.vpcs.\nTry it without an account: skyql query --sandbox \"SELECT username FROM aws.connect.users LIMIT 5\"",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return alone.alone(cmd, s)
			}
			e := sqlerr.New(sqlerr.InvalidParameter, "unknown command %q", args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				return e.WithHint("skyql %s", near[0])
			}
			if args[0] == "version" {
				return e.WithHint("skyql --version")
			}
			return e.WithHint("skyql query %q, or skyql --help", strings.Join(args, " "))
		},
		SuggestionsMinimumDistance: 2,
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(badFlag)
	alone.flags(root)
	root.AddCommand(newShell(s), newQuery(s), newServer(s), newSandbox(s), newCatalog(s), newDocs(s), newDoctor(s), newApply(s), newChanges(s), newRecover(s), newUndo(s))
	return root
}

// version is the module's version as the build knows it, and the commit where
// it was built from a checkout.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	out := firstOf(strings.TrimPrefix(info.Main.Version, "(devel)"), "devel")
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(out, s.Value[:min(12, len(s.Value))]) {
			out += " " + s.Value[:min(12, len(s.Value))]
		}
	}
	return out + " " + runtime.Version()
}
