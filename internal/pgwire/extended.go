package pgwire

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// A statement is one that was prepared: understood, and bound to nothing yet.
type statement struct {
	script string
	st     syntax.Statement // of no tokens: an empty one
	sig    engine.Signature
	oids   []uint32 // of its parameters
}

// parse is the Parse message.
func (c *conn) parse(ctx context.Context, m *pgproto3.Parse) error {
	c.script, c.offset = m.Query, 0
	if _, taken := c.statements[m.Name]; taken && m.Name != "" {
		return sqlerr.New(duplicateStatement, "prepared statement %q already exists", m.Name).WithHint("DEALLOCATE %s", engine.Quote(m.Name))
	}
	delete(c.statements, m.Name) // the unnamed one ends with the next
	s, err := c.understand(ctx, m.Query, m.ParameterOIDs)
	if err != nil {
		return err
	}
	if len(c.statements) >= c.server.limits.Statements {
		return sqlerr.New(sqlerr.ProgramLimit, "the session has %d prepared statements already, which is the limit", len(c.statements)).WithHint("DEALLOCATE ALL")
	}
	c.statements[m.Name] = s
	c.send(&pgproto3.ParseComplete{})
	return nil
}

// understand prepares a text that holds one statement, or none.
func (c *conn) understand(ctx context.Context, text string, oids []uint32) (*statement, error) {
	all := syntax.Split(text)
	if len(all) > 1 {
		return nil, sqlerr.New(sqlerr.SyntaxError, "cannot insert multiple commands into a prepared statement").At(text, all[1].Offset)
	}
	s := &statement{script: text}
	if len(all) == 0 {
		return s, nil
	}
	s.st, c.offset = all[0], all[0].Offset
	if c.block.failed && !endsBlock(s.st) {
		return nil, sqlerr.New(failedTransaction, "current transaction is aborted, commands ignored until end of transaction block").WithHint("ROLLBACK")
	}
	if err := countParams(s.st); err != nil {
		return nil, err
	}
	types := make([]string, len(oids))
	for i, oid := range oids {
		types[i] = paramNames[oid]
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := c.run(ctx, cancel, func() (err error) {
		s.sig, err = c.sign(ctx, s.st, types)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, t := range s.sig.Params {
		var declared uint32
		if i < len(oids) {
			declared = oids[i]
		}
		s.oids = append(s.oids, paramOID(declared, t))
	}
	return s, nil
}

// countParams refuses more parameters than Bind can bring, before anybody works
// on them.
func countParams(st syntax.Statement) error {
	for _, t := range st.Tokens {
		if t.Kind != syntax.Param || !strings.HasPrefix(t.Text, "$") {
			continue
		}
		if n, err := strconv.Atoi(t.Text[1:]); err == nil && n > engine.MaxParams || errors.Is(err, strconv.ErrRange) {
			return sqlerr.New("54023", "there is no parameter %s: a statement has at most %d", t.Text, engine.MaxParams).At(st.Text, t.Pos)
		}
	}
	return nil
}

// bind is the Bind message.
func (c *conn) bind(m *pgproto3.Bind) error {
	s := c.statements[m.PreparedStatement]
	if s == nil {
		return noStatement(m.PreparedStatement)
	}
	c.script, c.offset = s.script, s.st.Offset
	if _, taken := c.portals[m.DestinationPortal]; taken && m.DestinationPortal != "" {
		return sqlerr.New(duplicateCursor, "cursor %q already exists", m.DestinationPortal)
	}
	if len(m.Parameters) != len(s.oids) {
		return sqlerr.New(protocolViolation, "bind message supplies %d parameters, but prepared statement %q requires %d", len(m.Parameters), m.PreparedStatement, len(s.oids))
	}
	if n := len(m.ParameterFormatCodes); n > 1 && n != len(m.Parameters) {
		return sqlerr.New(protocolViolation, "bind message has %d parameter formats but %d parameters", n, len(m.Parameters))
	}
	if n := len(m.ResultFormatCodes); n > 1 && n != len(s.sig.Columns) {
		return sqlerr.New(protocolViolation, "bind message has %d result formats but query has %d columns", n, len(s.sig.Columns))
	}
	p := &portal{name: m.DestinationPortal, script: s.script, st: s.st, promised: s.sig.Columns, formats: append([]int16(nil), m.ResultFormatCodes...)}
	for i, src := range m.Parameters {
		v, err := decodeParam(c.types, i+1, s.oids[i], s.sig.Params[i], formatOf(m.ParameterFormatCodes, i), src)
		if err != nil {
			return err
		}
		p.values = append(p.values, v)
	}
	c.dropPortal(p.name)
	if len(c.portals) >= c.server.limits.Statements {
		return sqlerr.New(sqlerr.ProgramLimit, "the session has %d portals already, which is the limit", len(c.portals))
	}
	c.portals[p.name] = p
	c.send(&pgproto3.BindComplete{})
	return nil
}

func noStatement(name string) error {
	if name == "" {
		return sqlerr.New(undefinedStatement, "unnamed prepared statement does not exist")
	}
	return sqlerr.New(undefinedStatement, "prepared statement %q does not exist", name)
}

func (c *conn) dropPortal(name string) {
	if p := c.portals[name]; p != nil {
		p.close()
		delete(c.portals, name)
	}
}

// describe is the Describe message. It calls nobody: what a statement gives was
// found out when it was parsed.
func (c *conn) describe(m *pgproto3.Describe) error {
	switch m.ObjectType {
	case 'S':
		s := c.statements[m.Name]
		if s == nil {
			return noStatement(m.Name)
		}
		c.send(&pgproto3.ParameterDescription{ParameterOIDs: s.oids})
		c.describeOrNot(s.sig.Columns, nil)
		return nil
	case 'P':
		p := c.portals[m.Name]
		if p == nil {
			return sqlerr.New(undefinedCursor, "portal %q does not exist", m.Name)
		}
		c.describeOrNot(p.columns(), p.formats)
		return nil
	}
	return violated("invalid DESCRIBE message subtype %d", m.ObjectType)
}

func (c *conn) describeOrNot(columns []engine.Column, formats []int16) {
	if columns == nil {
		c.send(&pgproto3.NoData{})
		return
	}
	c.send(describeRows(columns, formats))
}

// execute is the Execute message.
func (c *conn) execute(ctx context.Context, m *pgproto3.Execute) error {
	p := c.portals[m.Portal]
	if p == nil {
		return sqlerr.New(undefinedCursor, "portal %q does not exist", m.Portal)
	}
	if len(p.st.Tokens) == 0 {
		c.send(&pgproto3.EmptyQueryResponse{})
		return nil
	}
	limit := int(m.MaxRows)
	if c.writable() && c.writes(p.st) && !p.begun && !c.block.open {
		p.last = c.syncs()
	}
	return c.advance(ctx, p, limit, false)
}

// sync ends the transaction that the statements of a pipeline make.
func (c *conn) sync(ctx context.Context) error {
	if !c.block.implicit {
		return nil
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	err := c.run(ctx, cancel, func() error { return c.endImplicit(ctx) })
	return caused(ctx, err)
}

// closeNamed is the Close message; what isn't there is closed already.
func (c *conn) closeNamed(m *pgproto3.Close) error {
	switch m.ObjectType {
	case 'S':
		delete(c.statements, m.Name)
	case 'P':
		c.dropPortal(m.Name)
	default:
		return violated("invalid CLOSE message subtype %d", m.ObjectType)
	}
	c.send(&pgproto3.CloseComplete{})
	return nil
}
