package session

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// wantedRows are the rows of RETURNING before anything has happened.
func wantedRows(changed []*wanted) []returning {
	var out []returning
	for _, x := range changed {
		r := returning{key: x.key, properties: x.after, action: "UPDATE"}
		switch {
		case x.after == nil:
			r.properties, r.action = x.before, "DELETE"
		case x.before == nil:
			r.action = "INSERT"
		}
		out = append(out, r)
	}
	return out
}

// A returning is a row that RETURNING speaks of.
type returning struct {
	key        rowKey
	properties json.RawMessage
	action     string // of MERGE's merge_action
}

// returned runs the query of RETURNING over rows. It gives nil without one.
func (w *writing) returned(ctx context.Context, rows []returning) (*engine.Rows, error) {
	if w.returning == nil {
		return nil, nil
	}
	c := w.db.Begin()
	got, err := w.ask(ctx, c, rows)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	got.OnClose(c.Close)
	return got, nil
}

func (w *writing) ask(ctx context.Context, c *engine.Copy, rows []returning) (*engine.Rows, error) {
	l, err := c.Table(ctx, w.table, everyColumn(w.table))
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		id, properties := rowOf(w.table, r.key, r.properties)
		if err := l.Append(ctx, r.key.account, r.key.region, id, properties); err != nil {
			return nil, err
		}
	}
	if _, err := l.Finish(ctx); err != nil {
		return nil, err
	}
	if w.actions() {
		marks := map[[3]string]string{}
		for _, r := range rows {
			id, _ := rowOf(w.table, r.key, nil)
			marks[[3]string{r.key.account, r.key.region, id}] = r.action
		}
		if err := c.Mark(ctx, w.table, mergeAction, marks); err != nil {
			return nil, err
		}
	}
	return w.db.Query(ctx, w.returning.Text(nil).Text, w.options.Params)
}

// mergeAction is the column of RETURNING that says what MERGE did with a row.
const mergeAction = "merge_action"

// actions reports whether RETURNING asks what MERGE did with each row.
func (w *writing) actions() bool {
	return w.w.Word == "MERGE" && strings.Contains(strings.ToLower(w.st.Text[w.w.Returning.Pos:w.w.Returning.End]), mergeAction)
}

// planReturning plans the query of RETURNING, so that what is wrong with it is
// said before anything is changed.
func (w *writing) planReturning(ctx context.Context) error {
	q := w.w.Returned(w.st.Text, w.name())
	if q == nil {
		return nil
	}
	for _, t := range w.st.Tokens {
		if t.Pos >= w.w.Returning.Pos && t.End <= w.w.Returning.End && t.Is("SELECT") {
			return sqlerr.New(sqlerr.FeatureNotSupported, "RETURNING can't ask a query of its own: it speaks of the rows that were changed").At(w.st.Text, t.Pos)
		}
	}
	back := func(err error) error {
		if e, ok := asError[*sqlerr.Error](err); ok && e.Position > 0 {
			e.Statement, e.Position = w.st.Text, q.Offset(e.Position-1)+1
		}
		return err
	}
	p, err := w.Session.plan(ctx, syntax.Statement{Text: q.Text, Reading: q.Text})
	if err != nil {
		return back(err)
	}
	if len(p.Scans) > 1 {
		return sqlerr.New(sqlerr.FeatureNotSupported, "RETURNING can't read other tables").At(w.st.Text, w.w.Returning.Pos)
	}
	w.returning = p
	if w.actions() {
		return nil
	}
	_, err = w.db.Describe(ctx, p.Text(nil).Text, w.options.Params)
	return back(err)
}
