package pgwire

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// A block is a connection's transaction block, whose state clients hold to: a
// failed one refuses everything until it is rolled back. What its statements
// want is the session's to know.
type block struct {
	open, failed bool
	// implicit: no block is open, but several statements of one query or pipeline
	// make a transaction, and one of them changes something.
	implicit   bool
	savepoints []savepoint
}

// A savepoint is a name in a block, and the way back to it.
type savepoint struct {
	name string
	back func()
}

func (b *block) status() byte {
	switch {
	case b.failed:
		return 'E'
	case b.open:
		return 'T'
	}
	return 'I'
}

// failBlock is what an error does: an implicit transaction is over.
func (c *conn) failBlock() {
	if c.block.implicit {
		c.block.implicit = false
		c.forget()
	}
	c.block.failed = c.block.open
}

// endsBlock reports whether a statement may run in a failed block.
func endsBlock(st syntax.Statement) bool {
	switch st.Word {
	case "ROLLBACK", "ABORT", "COMMIT", "END":
		return true
	}
	return false
}

// transact is BEGIN, COMMIT, ROLLBACK and SAVEPOINT with all their forms. It
// gives the tag that says what was done.
func (c *conn) transact(ctx context.Context, st syntax.Statement) (tag string, err error) {
	b := &c.block
	if i := slices.IndexFunc(st.Tokens, func(t syntax.Token) bool { return t.Is("CHAIN") }); i > 0 && !st.Tokens[i-1].Is("NO") {
		return "", sqlerr.New(sqlerr.FeatureNotSupported, "AND CHAIN is not supported").At(st.Text, st.Tokens[i].Pos).WithHint("%s; BEGIN", st.Word)
	}
	switch st.Word {
	case "BEGIN", "START":
		if b.open {
			c.warn("25001", "there is already a transaction in progress")
		} else if err := c.beginBlock(ctx, st); err != nil {
			return "", err
		}
		return map[string]string{"BEGIN": "BEGIN", "START": "START TRANSACTION"}[st.Word], nil
	case "COMMIT", "END":
		return c.endBlock(ctx, !b.failed)
	case "ROLLBACK", "ABORT":
		if at := slices.IndexFunc(st.Tokens, func(t syntax.Token) bool { return t.Is("TO") }); at > 0 && st.Word == "ROLLBACK" {
			return "ROLLBACK", c.rollbackTo(st, at)
		}
		return c.endBlock(ctx, false)
	case "SAVEPOINT":
		if !b.open {
			return "", sqlerr.New("25P01", "SAVEPOINT can only be used in transaction blocks").At(st.Text, 0).WithHint("BEGIN")
		}
		b.savepoints = append(b.savepoints, savepoint{strings.ToLower(st.Tokens[1].Text), c.session.Savepoint()})
		return "SAVEPOINT", nil
	}
	at := 1 // RELEASE [SAVEPOINT] name
	if st.Tokens[at].Is("SAVEPOINT") {
		at++
	}
	i, err := c.savepoint(st, at)
	if err == nil {
		b.savepoints = b.savepoints[:i]
	}
	return "RELEASE", err
}

// savepoint finds a savepoint by the name at a token.
func (c *conn) savepoint(st syntax.Statement, at int) (int, error) {
	if !c.block.open {
		return 0, sqlerr.New("25P01", "%s can only be used in transaction blocks", st.Word).At(st.Text, 0).WithHint("BEGIN")
	}
	name := strings.ToLower(st.Tokens[at].Text)
	for i := len(c.block.savepoints) - 1; i >= 0; i-- {
		if c.block.savepoints[i].name == name {
			return i, nil
		}
	}
	return 0, sqlerr.New("3B001", "savepoint %q does not exist", name).At(st.Text, st.Tokens[at].Pos)
}

// beginBlock opens the block. Statements of the same query or pipeline that went
// before it belong to it.
func (c *conn) beginBlock(ctx context.Context, st syntax.Statement) error {
	if c.writable() && !c.block.implicit {
		if err := c.vars.tell(ctx, "BEGIN"); err != nil {
			return err
		}
	}
	c.block.open, c.block.implicit = true, false
	c.vars.begin()
	c.vars.begins(accessMode(st))
	return nil
}

// rollbackTo goes back to a savepoint, which ends a failure.
func (c *conn) rollbackTo(st syntax.Statement, at int) error {
	at++
	if st.Tokens[at].Is("SAVEPOINT") {
		at++
	}
	i, err := c.savepoint(st, at)
	if err != nil {
		return err
	}
	c.block.savepoints[i].back()
	c.block.savepoints, c.block.failed = c.block.savepoints[:i+1], false
	return nil
}

// endBlock ends the block; COMMIT of a failed one rolls back. What it wants is
// made so or forgotten here, and after an error it has ended too.
func (c *conn) endBlock(ctx context.Context, commit bool) (tag string, err error) {
	if !c.block.open {
		c.warn("25P01", "there is no transaction in progress")
	}
	if c.block.open || c.block.implicit {
		err = c.settle(ctx, commit)
	}
	if c.block.open {
		if e := c.vars.end(context.WithoutCancel(ctx), commit && err == nil); err == nil {
			err = e
		}
		c.closePortals()
	}
	c.block = block{}
	if commit {
		return "COMMIT", err
	}
	return "ROLLBACK", err
}

// endPipeline ends what a Sync or a simple query ends: portals do not outlive
// the transaction, and without a block that ends here.
func (c *conn) endPipeline() {
	if !c.block.open {
		c.closePortals()
	}
}

func (c *conn) warn(code, message string) {
	if c.vars.wants("warning") {
		c.send(&pgproto3.NoticeResponse{Severity: "WARNING", SeverityUnlocalized: "WARNING", Code: code, Message: message})
	}
}
