package pgwire

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// A changing is a statement that changes things, on its way: it plans, asks
// whether the plan is agreed to, and learns what became of it.
type changing struct {
	statement string // without secrets
	commits   bool   // it is the end of a transaction
	began     time.Time
	set       *change.Set    // the plan; nil until there is one
	report    *change.Report // nil: nothing was begun
}

// terms are those on which the connection's session changes things.
func (c *conn) terms() session.Changes {
	if c.server.options.Changes == nil {
		return session.Changes{}
	}
	t := *c.server.options.Changes
	t.Show = func(s *change.Set) { c.changing.set = s }
	t.Done = func(r *change.Report) { c.changing.report = r }
	t.Approve = c.approve
	return t
}

func (c *conn) writable() bool { return c.server.options.Changes != nil }

// confirmed reports whether the client wants changes made without a look at
// their plan.
func (c *conn) confirmed() bool { return c.vars.get("confirm") == "apply" }

// writes reports whether a statement, or the one that it executes, changes
// something.
func (c *conn) writes(st syntax.Statement) bool {
	if st.Word == "EXECUTE" {
		if s, err := c.named(st); err == nil {
			st = s.st
		}
	}
	return st.Verb == syntax.Write
}

// write runs a statement that changes a table. It is carried out at once where
// nothing else belongs to it; in a transaction block, and among several
// statements of one query or pipeline, it is planned and waits for their end.
func (c *conn) write(ctx context.Context, p *portal, st syntax.Statement, values []any) error {
	if c.writable() && c.vars.get("transaction_read_only") == "on" {
		return sqlerr.New(readOnlyTransaction, "cannot execute %s in a read-only transaction", st.Word).At(st.Text, 0).
			WithHint("SET default_transaction_read_only = off, or BEGIN READ WRITE")
	}
	waits := c.block.open || c.block.implicit
	if !waits && !p.last && c.confirmed() && c.writable() {
		if err := c.vars.tell(ctx, "BEGIN"); err != nil {
			return err
		}
		c.block.implicit, waits = true, true
	}
	c.park(p)
	c.offset = st.Offset
	c.changing = &changing{statement: c.session.Scrub(st.Text), began: time.Now()}
	rows, err := c.session.Query(ctx, st, values)
	if rows != nil {
		p.rows = rows
	}
	p.changed = c.session.Changed()
	return c.conclude(waits, err)
}

// settle ends the session's transaction. Whatever becomes of a COMMIT, it is
// over then: clients take it for granted, and what was refused must not come
// back with a later one.
func (c *conn) settle(ctx context.Context, commit bool) error {
	if !c.writable() {
		return nil
	}
	if _, wants := c.session.InTransaction(); !commit || !wants {
		return c.vars.tell(context.WithoutCancel(ctx), "ROLLBACK")
	}
	c.changing = &changing{statement: "COMMIT", commits: true, began: time.Now()}
	err := c.vars.tell(ctx, "COMMIT")
	if open, _ := c.session.InTransaction(); open {
		c.forget()
	}
	return c.conclude(false, err)
}

// forget ends the session's transaction without asking for anything.
func (c *conn) forget() {
	if err := c.vars.tell(context.Background(), "ROLLBACK"); err != nil {
		c.server.log.Error("roll back", "error", err)
	}
}

// endImplicit ends the transaction that several statements of one query or
// pipeline make, if they have begun one.
func (c *conn) endImplicit(ctx context.Context) error {
	if !c.block.implicit {
		return nil
	}
	c.block.implicit = false
	return c.settle(ctx, true)
}

// approve is asked about a plan, which is carried out if the client has said so,
// or has looked at it, and once the audit log has it.
func (c *conn) approve(_ context.Context, s *change.Set) (bool, error) {
	if !c.confirmed() && !c.session.PlanShown() {
		return false, c.unconfirmed(s)
	}
	e := c.entry("change", begun)
	e.Statement, e.Plan = c.changing.statement, counts(s)
	return true, c.server.options.Audit.write(e)
}

// unconfirmed refuses a plan that nobody agreed to, and shows it.
func (c *conn) unconfirmed(s *change.Set) error {
	var b strings.Builder
	s.WriteText(&b) // a builder takes everything
	plan := cut(b.String())
	if c.changing.commits {
		return sqlerr.New(notReady, "nothing was changed, and the transaction is over: its plan was not shown before COMMIT").WithDetail("%s", plan).
			WithHint("the same again with SHOW PLAN before COMMIT, or with SET LOCAL confirm = 'apply'")
	}
	return sqlerr.New(notReady, "nothing was changed: the plan was not agreed to").WithDetail("%s", plan).
		WithHint("BEGIN, the statement, SHOW PLAN, COMMIT; or SET confirm = 'apply'")
}

// mostLines of a plan or a report go into an error.
const mostLines = 200

// cut leaves out the middle of a long text.
func cut(text string) string {
	lines := strings.SplitAfter(strings.TrimRight(text, "\n"), "\n")
	if n := len(lines) - mostLines; n > 0 {
		lines = slices.Concat(lines[:mostLines-1], []string{fmt.Sprintf("… %d more lines\n", n)}, lines[len(lines)-1:])
	}
	return strings.Join(lines, "")
}

// conclude is the end of a statement that changes things: the audit log has it,
// and the error says what became of each change. waits says that it was planned
// only.
func (c *conn) conclude(waits bool, err error) error {
	g := c.changing
	c.changing = nil
	e := c.entry("change", g.outcome(waits, err))
	e.Statement, e.Took, e.Plan = g.statement, time.Since(g.began).Milliseconds(), counts(g.set)
	if r := g.report; r != nil {
		e.ChangeSet = r.Set.ID
		e.Result = &tally{r.Count(change.Done), r.Count(change.Failed), r.Count(change.Uncertain), r.Count(change.Skipped)}
		if err != nil {
			err = became(r, err)
		} else {
			c.notify(r.Summary())
		}
	}
	if err != nil {
		e.Code = sqlerr.From(err).Code
	}
	unwritten := c.server.options.Audit.write(e)
	switch {
	case unwritten == nil:
	case e.Outcome == planned:
		return unwritten
	default: // what is done is done
		c.server.log.Error("audit log", "error", unwritten)
		c.notify("the audit log has no word of the end of this: " + sqlerr.From(unwritten).Message)
	}
	return err
}

func counts(s *change.Set) *change.Counts {
	if s == nil {
		return nil
	}
	n := s.Counts()
	return &n
}

// outcome is the audit log's word for how a statement ended.
func (g *changing) outcome(waits bool, err error) string {
	switch {
	case g.report != nil && g.report.Count(change.Uncertain) > 0, g.report == nil && err != nil && sqlerr.From(err).Code == sqlerr.Internal:
		return unknown
	case g.report != nil && g.report.Complete():
		return applied
	case g.report != nil:
		return failed
	case err != nil:
		return refused
	case waits:
		return planned
	}
	return applied
}

// became is the error of changes of which not all were made.
func became(r *change.Report, err error) error {
	e := *sqlerr.From(err)
	if r.Interrupted {
		e = *sqlerr.From(cmp.Or(r.Err(), err))
	}
	rank := map[change.Outcome]int{change.Failed: 0, change.Uncertain: 1, change.Skipped: 2, change.Done: 3}
	sorted := *r
	sorted.Results = slices.Clone(r.Results)
	slices.SortStableFunc(sorted.Results, func(a, b change.Result) int { return rank[a.Outcome] - rank[b.Outcome] })
	var b strings.Builder
	sorted.WriteText(&b)
	e.Detail, e.Err = cut(b.String()), err
	switch id := r.Set.ID; {
	case r.Count(change.Uncertain) > 0:
		e.Hint = "skyql recover"
	case r.Interrupted && r.Count(change.Skipped) > 0:
		e.Hint = fmt.Sprintf("skyql apply %s, or skyql changes drop %s", id, id)
	case r.Count(change.Done) > 0:
		e.Hint = fmt.Sprintf("skyql undo %s", id)
	default:
		e.Hint = "skyql changes"
	}
	return &e
}
