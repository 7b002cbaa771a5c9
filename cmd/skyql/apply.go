package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/sqlerr"
)

// A later is the flags of the commands that go on with change sets.
type later struct {
	connection
	agreement
	given []string
}

func (l *later) register(cmd *cobra.Command, agree bool) {
	l.connection.register(cmd.Flags())
	if agree {
		l.agreement.register(cmd.Flags())
	}
	cmd.Flags().StringArrayVarP(&l.given, "param", "p", nil, "name=value: a secret that the change set needs again")
}

// with opens a session and hands it to f.
func (l *later) with(ctx context.Context, s streams, f func(*session.Session) error) error {
	var err error
	if l.params, err = parameters(l.given); err != nil {
		return err
	}
	l.changes = l.terms(s, l.sandbox)
	sess, stop, err := l.open(ctx, s)
	if err != nil {
		return err
	}
	defer stop()
	if err := f(sess); err != nil {
		return err
	}
	if l.plan && sess.Planned() > 0 {
		return errChanges
	}
	return l.told.err
}

var setID = regexp.MustCompile(`^[0-9]{8}-[0-9]+$`)

func newApply(s streams) *cobra.Command {
	l := &later{}
	cmd := &cobra.Command{
		Use:   "apply FILE|ID",
		Short: "Make a saved plan so, or go on with a change set",
		Long: "Make the plan of a file (query --plan-file) so, unless what it was made of has changed since; or go on with\n" +
			"a change set of the journal that was cut off.",
		Args: one,
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.with(cmd.Context(), s, func(sess *session.Session) error {
				if setID.MatchString(args[0]) {
					return sess.ApplySet(cmd.Context(), args[0])
				}
				f, err := os.Open(args[0])
				if err != nil {
					return sqlerr.New(sqlerr.UndefinedObject, "%q is neither a plan file nor a change set: %v", args[0], err).WithHint("skyql changes")
				}
				defer f.Close()
				return sess.ApplyPlan(cmd.Context(), f)
			})
		},
	}
	l.register(cmd, true)
	return cmd
}

func newRecover(s streams) *cobra.Command {
	l := &later{}
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Find out what became of changes that were cut off",
		Args:  none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return l.with(cmd.Context(), s, func(sess *session.Session) error {
				found := 0
				_, err := sess.Recover(cmd.Context(), func(h *change.History) {
					found++
					asked := len(h.Changes) - h.Count(change.NotSent)
					fmt.Fprintf(s.err, "change set %s was cut off: %d of %d changes asked for\n", h.ID, asked, len(h.Changes))
				})
				if err == nil && found == 0 {
					fmt.Fprintln(s.err, "nothing was cut off")
				}
				return err
			})
		},
	}
	l.register(cmd, false)
	cmd.Flags().DurationVar(&l.timeout, "timeout", 0, "how long to wait for what AWS is still at work on (default: as long as its handler)")
	return cmd
}

func newUndo(s streams) *cobra.Command {
	l := &later{}
	cmd := &cobra.Command{
		Use:   "undo ID",
		Short: "Show the plan that takes a change set back, and make it so if agreed to",
		Args:  one,
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.with(cmd.Context(), s, func(sess *session.Session) error { return sess.UndoSet(cmd.Context(), args[0]) })
		},
	}
	l.register(cmd, true)
	return cmd
}

func newChanges(s streams) *cobra.Command {
	l := &later{}
	cmd := &cobra.Command{
		Use:   "changes",
		Short: "List the change sets of the journal",
		Args:  none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return l.with(cmd.Context(), s, func(sess *session.Session) error {
				sets, err := sess.Histories()
				if err != nil {
					return err
				}
				w := tabwriter.NewWriter(s.out, 0, 0, 3, ' ', 0)
				fmt.Fprintln(w, "id\tmade\twhere\tchanges\tstate")
				for _, h := range sets {
					fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", h.ID, h.Made.Local().Format("2006-01-02 15:04"), h.Place, len(h.Changes), stateOf(h))
				}
				return w.Flush()
			})
		},
	}
	l.register(cmd, false)
	drop := &later{}
	sub := &cobra.Command{
		Use:   "drop ID",
		Short: "Forget what is open of a change set: it is never gone on with",
		Args:  one,
		RunE: func(cmd *cobra.Command, args []string) error {
			return drop.with(cmd.Context(), s, func(sess *session.Session) error { return sess.DropSet(cmd.Context(), args[0]) })
		},
	}
	drop.register(sub, false)
	cmd.AddCommand(sub)
	return cmd
}

// stateOf says in a few words how far a change set has come.
func stateOf(h *change.History) string {
	var out string
	for _, st := range []change.State{change.StateDone, change.StateFailed, change.StateUnknown, change.StateSkipped, change.Open, change.NotSent} {
		if n := h.Count(st); n > 0 {
			if out != "" {
				out += ", "
			}
			out += fmt.Sprintf("%d %s", n, st)
		}
	}
	if h.Dropped {
		out += ", dropped"
	}
	return out
}
