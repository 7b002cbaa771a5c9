// Command skyql queries AWS resources with SQL.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/skyql/skyql/internal/sqlerr"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
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
	exitMissing     = 3 // rows are missing, and which was said
	exitInterrupted = 130
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
	case ctx.Err() != nil:
		fmt.Fprintln(s.err, "interrupted")
		return exitInterrupted
	case errors.Is(err, errMissing):
		return exitMissing
	case errors.Is(err, errShown):
	default:
		var e *sqlerr.Error
		if errors.As(err, &e) {
			fmt.Fprint(s.err, e.Format())
		} else {
			fmt.Fprintf(s.err, "error: %v\n", err)
		}
	}
	return exitError
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "skyql",
		Short:         "Query AWS resources with SQL",
		Long:          "skyql runs SQL over AWS resources: every resource type is a table such as aws.ec2.vpcs.\nTry it without an account: skyql query --sandbox \"SELECT username FROM aws.connect.users LIMIT 5\"",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			e := sqlerr.New(sqlerr.InvalidParameter, "unknown command %q", args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				return e.WithHint("skyql %s", near[0])
			}
			return e.WithHint("skyql query %q, or skyql --help", strings.Join(args, " "))
		},
		SuggestionsMinimumDistance: 2,
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.AddCommand(newQuery(s), newServer(s), newSandbox(s), newCatalog(s), newDocs(s))
	return root
}
