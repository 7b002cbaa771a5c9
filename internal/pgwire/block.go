package pgwire

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// A block is a connection's transaction block. Statements that only read need
// no more of it than its state, which clients hold to: a failed block refuses
// everything until it is rolled back.
type block struct {
	open, failed bool
	savepoints   []string
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

func (b *block) fail() { b.failed = b.open }

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
	switch st.Word {
	case "BEGIN", "START":
		if b.open {
			c.warn("25001", "there is already a transaction in progress")
		} else {
			b.open = true
			c.vars.begin()
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
		b.savepoints = append(b.savepoints, strings.ToLower(st.Tokens[1].Text))
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
		if c.block.savepoints[i] == name {
			return i, nil
		}
	}
	return 0, sqlerr.New("3B001", "savepoint %q does not exist", name).At(st.Text, st.Tokens[at].Pos)
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
	c.block.savepoints, c.block.failed = c.block.savepoints[:i+1], false
	return nil
}

// endBlock ends the block; COMMIT of a failed one rolls back. A session that
// changes things applies or forgets them here.
func (c *conn) endBlock(ctx context.Context, commit bool) (tag string, err error) {
	if !c.block.open {
		c.warn("25P01", "there is no transaction in progress")
	} else {
		c.block = block{}
		err = c.vars.end(ctx, commit)
		c.closePortals()
	}
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
