package pgwire

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// simple runs a Query message: statements one after the other, the first that
// fails ends it.
func (c *conn) simple(ctx context.Context, script string) error {
	c.script, c.offset = script, 0
	c.dropPortal("")
	delete(c.statements, "")
	statements := syntax.Split(script)
	if len(statements) == 0 {
		c.send(&pgproto3.EmptyQueryResponse{})
	}
	for i, st := range statements {
		p := &portal{script: script, st: st, last: i == len(statements)-1}
		err := c.advance(ctx, p, 0, true)
		p.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// begin starts what a portal runs: p.rows and p.tag are set.
func (c *conn) begin(ctx context.Context, p *portal) (err error) {
	st := p.st
	if c.block.failed && !endsBlock(st) {
		return sqlerr.New(failedTransaction, "current transaction is aborted, commands ignored until end of transaction block").WithHint("ROLLBACK")
	}
	p.tag = tagOf(st)
	switch st.Word {
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE":
		p.tag, err = c.transact(ctx, st)
		return err
	case "SET", "RESET":
		return c.set(ctx, st)
	case "SHOW":
		if rows, ok := c.show(st); ok {
			p.rows = rows
			return nil
		}
	case "USE":
		return c.useService(ctx, p)
	case "DISCARD":
		return c.discard(ctx, st)
	case "PREPARE", "DEALLOCATE", "EXECUTE":
		return c.prepared(ctx, p)
	case "DECLARE", "FETCH", "MOVE", "CLOSE":
		return c.cursor(ctx, p)
	case "UNLISTEN", "LOCK":
		return nil // nothing is ever listened to, nor locked
	case "COPY":
		return c.beginCopy(ctx, p)
	}
	if args, ok := setConfig(st); ok {
		return c.runSetConfig(ctx, p, args)
	}
	return c.query(ctx, p, st, p.values)
}

// query runs a statement of the session's, or of PostgreSQL's catalogs.
func (c *conn) query(ctx context.Context, p *portal, st syntax.Statement, values []any) error {
	if st.Verb == syntax.Write {
		return c.write(ctx, p, st, values)
	}
	c.park(p)
	c.offset = st.Offset
	return c.ask(st, func(a answerer) error {
		rows, err := a.Query(ctx, st, values)
		if rows != nil {
			p.rows = rows
		}
		return err
	})
}

// ask asks those who may know what a statement names, the likeliest first.
func (c *conn) ask(st syntax.Statement, f func(answerer) error) error {
	if st.Verb == syntax.Write || !c.catalog.Mentions(st) {
		return f(c.session)
	}
	first := f(c.catalog)
	if !elsewhere(first) {
		return first
	}
	err := f(c.session)
	if err != nil && sqlerr.From(err).Code == sqlerr.InsufficientPriv {
		return first // the catalogs of the session's engine are out of reach
	}
	return err
}

// elsewhere reports whether a statement names a table that isn't a catalog's.
func elsewhere(err error) bool {
	return err != nil && sqlerr.From(err).Code == sqlerr.UndefinedTable
}

// sign finds out what a statement takes and gives, without running it.
func (c *conn) sign(ctx context.Context, st syntax.Statement, types []string) (engine.Signature, error) {
	none := engine.Signature{Params: types}
	switch st.Word {
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "SET", "RESET", "DISCARD", "PREPARE", "DEALLOCATE", "DECLARE", "MOVE", "CLOSE",
		"UNLISTEN", "LOCK", "COPY":
		return none, nil
	case "SHOW":
		if rows, ok := c.show(st); ok {
			none.Columns = rows.Columns()
			return none, nil
		}
	case "EXECUTE":
		s, err := c.named(st)
		if err == nil {
			none.Columns = s.sig.Columns
		}
		return none, err
	case "FETCH":
		p, _, err := c.fetched(st)
		if err == nil {
			none.Columns = p.columns()
		}
		return none, err
	}
	if args, ok := setConfig(st); ok {
		return signSetConfig(args, types), nil
	}
	c.park(nil)
	c.offset = st.Offset
	var sig engine.Signature
	err := c.ask(st, func(a answerer) (err error) {
		sig, err = a.Prepare(ctx, st, types)
		return err
	})
	return sig, err
}

// tagOf is the tag of statements that are done when they ran; a count may
// follow.
func tagOf(st syntax.Statement) string {
	switch st.Verb {
	case syntax.Read:
		return "SELECT"
	case syntax.Describe:
		return "SHOW"
	case syntax.Write:
		if st.Word == "REPLACE" { // StackQL's word
			return "UPDATE"
		}
	case syntax.Other, syntax.Export:
		if i := strings.IndexByte(st.Word, ' '); i < 0 && len(st.Tokens) > 2 {
			switch st.Word {
			case "DECLARE", "CLOSE":
				return st.Word + " CURSOR"
			case "LOCK":
				return "LOCK TABLE"
			}
		}
	}
	return st.Word
}

// useService is USE, which is the search path by another name.
func (c *conn) useService(ctx context.Context, p *portal) error {
	if err := c.query(ctx, p, p.st, nil); err != nil {
		return err
	}
	path := variableOf("search_path").value
	if parts := syntax.NameAt(p.st.Text, p.st.Tokens[1].Pos); len(parts) > 0 && !strings.EqualFold(parts[len(parts)-1].Text, "aws") {
		path = strings.ToLower(parts[len(parts)-1].Text) + ", public"
	}
	c.vars.follow("search_path", path)
	return nil
}

// discard is DISCARD ALL and its parts.
func (c *conn) discard(ctx context.Context, st syntax.Statement) error {
	if !st.Tokens[1].Is("ALL") {
		return nil // plans, sequences and temporary tables: there are none
	}
	if c.block.open {
		return sqlerr.New("25001", "DISCARD ALL cannot run inside a transaction block").At(st.Text, 0)
	}
	for _, p := range c.portals {
		p.hold = false
	}
	c.closePortals()
	clear(c.statements)
	return c.set(ctx, syntax.Split("RESET ALL")[0])
}
