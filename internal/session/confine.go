package session

import (
	"context"
	"strings"

	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// readOnlyTransaction is the SQLSTATE of a write where none is allowed.
const readOnlyTransaction = "25006"

// permit refuses what a confined session may not run: its kinds of statement
// are those on a list, and so are functions, relations and settings. tree is
// that of a query, nil before it is parsed.
func (s *Session) permit(tree []byte, st syntax.Statement) error {
	if s.options.Confine == nil {
		return nil
	}
	switch st.Verb {
	case syntax.Read, syntax.Show, syntax.Describe, syntax.Use, syntax.Set, syntax.Explain:
	case syntax.Make, syntax.Write, syntax.Export:
		return sqlerr.New(readOnlyTransaction, "cannot execute %s: this server only reads", st.Word).At(st.Text, 0)
	default:
		return sqlerr.New(sqlerr.FeatureNotSupported, "%s is not a statement of this server", st.Word).At(st.Text, 0)
	}
	return s.db.Permit(tree, st.Text, nil)
}

// permitSetting refuses settings of DuckDB's but the one that is a client's.
func (s *Session) permitSetting(st syntax.Statement, name string) error {
	if s.options.Confine == nil || name == "timezone" {
		return nil
	}
	return sqlerr.New(sqlerr.UndefinedObject, "unrecognized configuration parameter %q", name).At(st.Text, st.Tokens[1].Pos).
		WithHint("%s", strings.Join(SettingNames(), ", "))
}

// helpers makes the macros that a statement mentions.
func (s *Session) helpers(ctx context.Context, st syntax.Statement) error {
	if !strings.Contains(strings.ToLower(st.Text), "tag(") {
		return nil
	}
	return s.db.Helpers(ctx)
}
