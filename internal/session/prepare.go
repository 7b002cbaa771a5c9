package session

import (
	"context"
	"runtime/debug"

	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// Prepare finds out what a statement takes and gives, and what is wrong with
// it. It makes no call to AWS. types are those of $1, $2 … that are known
// already, as DuckDB writes them, "" for the rest. Columns are nil for a
// statement that gives no rows.
func (s *Session) Prepare(ctx context.Context, st syntax.Statement, types []string) (sig engine.Signature, err error) {
	defer s.recovered(&err)
	if err := s.heal(nil); err != nil {
		return sig, err
	}
	defer func() { s.db.Note(err); err = s.heal(err) }()
	if sig, err = s.signature(ctx, st, types); err != nil {
		return sig, s.word(ctx, err)
	}
	return sig, nil
}

func (s *Session) signature(ctx context.Context, st syntax.Statement, types []string) (engine.Signature, error) {
	if err := s.permit(nil, st); err != nil {
		return engine.Signature{}, err
	}
	switch st.Verb {
	case syntax.Read:
		return s.signRead(ctx, st, types)
	case syntax.Write:
		return s.signWrite(ctx, st, types)
	case syntax.Show, syntax.Describe:
		if isShowPlan(st) { // which is for a transaction only
			return engine.Signature{Params: types, Columns: engine.Lines("plan", nil).Columns()}, nil
		}
		rows, err := s.run(ctx, st)
		if err != nil {
			return engine.Signature{}, err
		}
		return engine.Signature{Columns: rows.Columns()}, rows.Close()
	case syntax.Explain:
		o, _, err := explainOptions(st)
		name := "QUERY PLAN"
		if o.permissions {
			name = "policy"
		}
		return engine.Signature{Params: types, Columns: engine.Lines(name, nil).Columns()}, err
	}
	return engine.Signature{Params: types}, nil
}

// prepares is for planning without values: what is to be said is said when the
// statement runs.
func (s *Session) prepares() (done func()) {
	notify := s.options.Notify
	s.options.Notify, s.preparing = nil, true
	return func() { s.options.Notify, s.preparing = notify, false }
}

// signRead binds a query to empty tables.
func (s *Session) signRead(ctx context.Context, st syntax.Statement, types []string) (engine.Signature, error) {
	if dynamic(st.Text) {
		return engine.Signature{}, sqlerr.New(sqlerr.FeatureNotSupported, "a PIVOT that finds its own columns can't be prepared").
			WithHint("PIVOT … ON x IN ('a', 'b'), or send it as a simple query")
	}
	if mentionsOwn(st) {
		if err := s.makeOwn(ctx); err != nil {
			return engine.Signature{}, err
		}
	}
	done := s.prepares()
	p, err := s.plan(ctx, st)
	done()
	if err != nil {
		return engine.Signature{}, err
	}
	if err := s.helpers(ctx, st); err != nil {
		return engine.Signature{}, err
	}
	c := s.db.Begin()
	text := p.Text(nil)
	var sig engine.Signature
	if _, err = s.empty(ctx, c, p); err == nil {
		sig, err = s.db.Sign(ctx, text.Text, types)
	}
	if e := c.Close(); e != nil {
		s.log.Error("close copy", "error", e)
	}
	return sig, s.here(err, text, st, p)
}

// signWrite binds a statement that changes a cloud table to empty tables. Its
// columns are those of RETURNING.
func (s *Session) signWrite(ctx context.Context, st syntax.Statement, types []string) (engine.Signature, error) {
	sig := engine.Signature{Params: types}
	e, form, ok := s.cloudTable(st.Target)
	if !ok {
		return sig, nil
	}
	defer s.prepares()()
	w, err := s.writing(ctx, st, e, form)
	if err != nil {
		return sig, err
	}
	if err := w.makePlan(ctx); err != nil {
		return sig, err
	}
	w.copy = w.db.Begin()
	defer w.copy.Close()
	if _, err := w.tables(ctx); err != nil {
		return sig, err
	}
	text := w.plan.Text(nil)
	bound := text.Text
	if patch, desired := w.documents(); patch >= 0 || desired >= 0 {
		bound = "" // no columns of the table: their values are texts
	}
	if sig.Params, err = s.db.Takes(ctx, bound, st.Text, types); err != nil {
		return sig, s.here(err, text, st, w.plan)
	}
	s.db.Samples(sig.Params)
	defer s.db.Positional(nil)
	if err := w.planReturning(ctx); err != nil || w.returning == nil {
		return sig, err
	}
	if w.actions() {
		if err := w.copy.Mark(ctx, w.table, mergeAction, nil); err != nil {
			return sig, err
		}
	}
	sig.Columns, err = s.db.Describe(ctx, w.returning.Text(nil).Text, nil)
	return sig, err
}

// Query runs one statement with the values of $1, $2 …, of the types that
// engine.DB.Positional takes. Rows are nil for a statement that gives none;
// whoever gets them closes them before the next statement.
func (s *Session) Query(ctx context.Context, st syntax.Statement, values []any) (rows *engine.Rows, err error) {
	defer s.recovered(&err)
	if err := ctx.Err(); err != nil {
		return nil, s.canceled(ctx)
	}
	if err := s.heal(nil); err != nil { // rows may have ended the engine
		return nil, err
	}
	defer func() { s.db.Note(err); err = s.heal(err) }()
	s.values = values
	s.db.Positional(values)
	defer func() { s.values = nil; s.db.Positional(nil) }()
	if rows, err = s.run(ctx, st); err != nil {
		return nil, s.word(ctx, err)
	}
	return rows, nil
}

// param gives the text of $name or $1 if it is one.
func (s *Session) param(name string) (string, bool) {
	if v, ok := s.options.Params[name]; ok {
		return v, true
	}
	n := 0
	for _, c := range []byte(name) {
		if c < '0' || c > '9' || n > len(s.values) {
			return "", false
		}
		n = n*10 + int(c-'0')
	}
	if n == 0 || n > len(s.values) {
		return "", false
	}
	v, ok := s.values[n-1].(string)
	return v, ok
}

// recovered turns a broken promise of ours into an error: it is shown, not
// thrown.
func (s *Session) recovered(err *error) {
	if p := recover(); p != nil {
		s.log.Error("panic", "value", p, "stack", string(debug.Stack()))
		*err = sqlerr.New(sqlerr.Internal, "internal error: %v", p).
			WithDetail("this is a fault of skyql, not of the statement; please report it with the statement")
	}
}
