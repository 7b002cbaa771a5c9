package session

import (
	"context"
	"regexp"
	"strings"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// isTransaction reports whether a statement begins or ends a transaction.
func isTransaction(st syntax.Statement) bool {
	switch st.Word {
	case "BEGIN", "START", "COMMIT", "ROLLBACK", "ABORT", "END":
		return true
	}
	return false
}

// transactionForms are the words that may follow BEGIN or START, and COMMIT,
// END, ROLLBACK or ABORT. What they say of isolation is so anyway.
var transactionForms = map[bool]*regexp.Regexp{
	true:  regexp.MustCompile(`^ (TRANSACTION |WORK )?((READ (ONLY|WRITE)|ISOLATION LEVEL (SERIALIZABLE|REPEATABLE READ|READ (UN)?COMMITTED)|(NOT )?DEFERRABLE|,) )*$`),
	false: regexp.MustCompile(`^ (TRANSACTION |WORK )?(AND NO CHAIN )?$`),
}

// forms reads the words behind BEGIN, COMMIT and so on, and refuses those that
// would be passed over: ROLLBACK TO a savepoint is no ROLLBACK.
func forms(st syntax.Statement) (readOnly bool, err error) {
	words := " "
	for _, t := range st.Tokens[1:] {
		if t.Kind != syntax.EOF && !t.IsOp(";") {
			words += strings.ToUpper(t.Text) + " "
		}
	}
	if begins := st.Word == "BEGIN" || st.Word == "START"; !transactionForms[begins].MatchString(words) {
		e := sqlerr.New(sqlerr.FeatureNotSupported, "%s%s is not supported", st.Word, strings.TrimRight(words, " ")).At(st.Text, st.Tokens[1].Pos)
		return false, e.WithHint("BEGIN [READ ONLY], COMMIT and ROLLBACK")
	}
	return strings.Contains(words, " READ ONLY "), nil
}

// transaction runs BEGIN, COMMIT, ROLLBACK and their other names.
func (s *Session) transaction(ctx context.Context, st syntax.Statement) error {
	readOnly, err := forms(st)
	if err != nil {
		return err
	}
	switch st.Word {
	case "BEGIN", "START":
		if s.tx != nil {
			return sqlerr.New("25001", "there is a transaction already").At(st.Text, 0).WithHint("COMMIT or ROLLBACK")
		}
		s.tx = newPending()
		s.tx.readOnly = readOnly
		return nil
	}
	if s.tx == nil {
		return sqlerr.New("25P01", "there is no transaction").At(st.Text, 0).WithHint("BEGIN")
	}
	want := s.tx
	if st.Word == "ROLLBACK" || st.Word == "ABORT" {
		s.tx = nil
		return nil
	}
	set, err := s.changeSet(ctx, want.intents())
	if err != nil {
		return err // it goes on: what is wrong may be mended, or rolled back
	}
	s.tx = nil
	if len(set.Changes) == 0 {
		return s.nothing(set)
	}
	s.shown = want.shown != "" && want.shown == planText(set)
	defer func() { s.shown = false }()
	report, err := s.execute(ctx, set, want.covers, false)
	if err != nil && report == nil { // nothing was begun: a slip of the finger is no ROLLBACK
		s.tx = want
		if e, ok := asError[*sqlerr.Error](err); ok && e.Hint == "" {
			e.Hint = "the transaction is still open: COMMIT asks again, ROLLBACK forgets it"
		}
	}
	return err
}

// PlanShown tells Changes.Approve whether the plan that it is asked about is
// what SHOW PLAN has shown in its transaction.
func (s *Session) PlanShown() bool { return s.shown }

// Savepoint notes what the open transaction wants. back has it want just that
// again.
func (s *Session) Savepoint() (back func()) {
	if s.tx == nil {
		return func() {}
	}
	was := s.tx.clone()
	return func() { s.tx = was.clone() }
}

func planText(set *change.Set) string {
	var b strings.Builder
	set.WriteText(&b) // a builder takes everything
	return b.String()
}

// InTransaction reports whether a transaction is open, and whether it wants
// anything yet.
func (s *Session) InTransaction() (open, wants bool) {
	return s.tx != nil, s.tx != nil && len(s.tx.order) > 0
}

// showPlan is SHOW PLAN: what COMMIT would do.
func (s *Session) showPlan(ctx context.Context) (*engine.Rows, error) {
	if s.tx == nil {
		return nil, sqlerr.New("25P01", "there is no transaction").WithHint("BEGIN")
	}
	set, err := s.changeSet(ctx, s.tx.intents())
	if err != nil {
		return nil, err
	}
	s.tx.shown = planText(set)
	return engine.Lines("plan", strings.Split(strings.TrimRight(s.tx.shown, "\n"), "\n")), nil
}
