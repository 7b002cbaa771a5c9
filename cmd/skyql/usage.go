package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/sqlerr"
)

// badFlag words the error of a flag that a command doesn't have, or of a value
// that it doesn't take.
func badFlag(cmd *cobra.Command, err error) error {
	e := sqlerr.New(sqlerr.InvalidParameter, "%v", err)
	if name, ok := strings.CutPrefix(err.Error(), "unknown flag: --"); ok {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := catalog.Nearest(name, names); len(near) > 0 {
			return e.WithHint("--%s", strings.Join(near, ", --"))
		}
	}
	return e.WithHint("%s --help", cmd.CommandPath())
}

// one takes a single argument, and says which where there is none.
func one(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return sqlerr.New(sqlerr.InvalidParameter, "%d arguments given, %s takes one", len(args), cmd.CommandPath()).WithHint("%s %s", cmd.CommandPath(), firstOf(argument(cmd), "--help"))
}

// none takes no arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	e := sqlerr.New(sqlerr.InvalidParameter, "%s takes no argument %q", cmd.CommandPath(), args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return e.WithHint("%s %s", cmd.CommandPath(), near[0])
	}
	return e.WithHint("%s --help", cmd.CommandPath())
}

// sqlArgument takes a text of SQL. What a shell has cut into words was meant to
// be one.
func sqlArgument(cmd *cobra.Command, args []string) error {
	if len(args) < 2 {
		return nil
	}
	return sqlerr.New(sqlerr.InvalidParameter, "%d arguments given: SQL is one argument, in quotes", len(args)).
		WithHint("%s %q", cmd.CommandPath(), strings.Join(args, " "))
}

// argument is what a command's usage calls its argument.
func argument(cmd *cobra.Command) string {
	words := strings.Fields(cmd.Use)
	return words[slices.IndexFunc(words, func(w string) bool { return w == strings.ToUpper(w) })]
}
