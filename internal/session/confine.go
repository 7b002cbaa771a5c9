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
		if err := s.permitWrite(st); err != nil {
			return err
		}
	default:
		if !s.mayWrite() || !isTransaction(st) {
			return sqlerr.New(sqlerr.FeatureNotSupported, "%s is not a statement of this server", st.Word).At(st.Text, 0)
		}
	}
	return s.permitTree(tree, st.Text)
}

func (s *Session) permitTree(tree []byte, text string) error {
	if s.options.Confine == nil {
		return nil
	}
	return s.db.Permit(tree, text, nil)
}

// mayWrite reports whether a confined session may change tables of AWS.
func (s *Session) mayWrite() bool { return s.options.Changes.Approve != nil }

// permitWrite refuses everything before the first call where nothing may be
// written, and elsewhere what isn't about a table of AWS.
func (s *Session) permitWrite(st syntax.Statement) error {
	_, _, cloud := s.cloudTable(st.Target)
	switch {
	case cloud && st.Verb == syntax.Write && s.mayWrite():
		return nil
	case cloud && st.Verb == syntax.Write:
		return sqlerr.New(readOnlyTransaction, "cannot execute %s: this server only reads", st.Word).At(st.Text, 0).
			WithHint("skyql server --allow-writes, for whoever runs the server")
	case s.mayWrite() && s.misnamed(st):
		_, _, err := s.tableOf(st, st.Target)
		return err
	case s.mayWrite():
		return sqlerr.New(sqlerr.FeatureNotSupported, "cannot execute %s: this server has no tables but those of AWS", st.Word).At(st.Text, 0)
	}
	return sqlerr.New(readOnlyTransaction, "cannot execute %s: this server only reads", st.Word).At(st.Text, 0)
}

// permitSetting refuses settings of DuckDB's but the one that is a client's.
func (s *Session) permitSetting(st syntax.Statement, name string) error {
	if s.options.Confine == nil || name == "timezone" {
		return nil
	}
	e := sqlerr.New(sqlerr.UndefinedObject, "unrecognized configuration parameter %q", name).At(st.Text, st.Tokens[1].Pos)
	return e.WithHint("%s", NoSetting(name, SettingNames()).Hint)
}

// helpers makes the macros that a statement mentions.
func (s *Session) helpers(ctx context.Context, st syntax.Statement) error {
	if !strings.Contains(strings.ToLower(st.Text), "tag(") {
		return nil
	}
	return s.db.Helpers(ctx)
}
