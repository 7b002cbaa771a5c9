package pgwire

import (
	"context"
	"math"
	"strconv"
	"strings"

	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// nameOf is a name as PostgreSQL folds it: unquoted ones are lower case.
func nameOf(t syntax.Token) string {
	if t.Kind == syntax.Name {
		return strings.ToLower(t.Text)
	}
	return t.Text
}

// inner gives the statement that stands inside another one from a token on, at
// unchanged offsets in the script.
func inner(st syntax.Statement, at int) (syntax.Statement, error) {
	pos := st.Tokens[at].Pos
	all := syntax.Split(st.Text[pos:])
	if len(all) != 1 {
		return st, sqlerr.New(sqlerr.SyntaxError, "%s needs a statement", st.Word).At(st.Text, pos)
	}
	all[0].Offset += st.Offset + pos
	return all[0], nil
}

// cursor is DECLARE, FETCH, MOVE and CLOSE. A cursor is a portal with a name.
func (c *conn) cursor(ctx context.Context, p *portal) error {
	switch p.st.Word {
	case "DECLARE":
		return c.declare(ctx, p)
	case "CLOSE":
		t := p.st.Tokens[1]
		if t.Is("ALL") {
			for name := range c.portals {
				c.dropPortal(name)
			}
			p.tag = "CLOSE CURSOR ALL"
			return nil
		}
		if c.portals[nameOf(t)] == nil {
			return sqlerr.New(undefinedCursor, "cursor %q does not exist", nameOf(t)).At(p.st.Text, t.Pos)
		}
		c.dropPortal(nameOf(t))
		return nil
	}
	source, n, err := c.fetched(p.st)
	if err != nil {
		return err
	}
	if p.st.Word == "MOVE" {
		for p.ran < n && source.rows.Next() {
			p.ran++
		}
		return source.rows.Err()
	}
	if _, live := source.rows.(*engine.Rows); live {
		c.park(source)
	}
	p.rows = &part{source.rows, n}
	return nil
}

// A part is the next rows of a cursor. Closing it leaves the cursor open.
type part struct {
	reader
	left int
}

// Next is reader's.
func (f *part) Next() bool {
	if f.left <= 0 {
		return false
	}
	f.left--
	return f.reader.Next()
}

// Close is reader's.
func (f *part) Close() error { return nil }

// declare is DECLARE name CURSOR [WITH HOLD] FOR query. The query runs at once.
func (c *conn) declare(ctx context.Context, p *portal) error {
	st := p.st
	name, hold, at := nameOf(st.Tokens[1]), false, 0
	for i, t := range st.Tokens {
		if t.Is("BINARY") || t.Is("SCROLL") && !st.Tokens[max(0, i-1)].Is("NO") {
			return sqlerr.New(sqlerr.FeatureNotSupported, "a cursor can't be %s", strings.ToUpper(t.Text)).At(st.Text, t.Pos).WithHint("DECLARE %s CURSOR FOR …", name)
		}
		hold = hold || t.Is("HOLD") && st.Tokens[i-1].Is("WITH")
		if t.Is("FOR") {
			at = i + 1
			break
		}
	}
	if at == 0 {
		return sqlerr.New(sqlerr.SyntaxError, "DECLARE needs a query").At(st.Text, len(st.Text)).WithHint("DECLARE %s CURSOR FOR SELECT …", name)
	}
	if !c.block.open && !hold {
		return sqlerr.New("25P01", "DECLARE CURSOR can only be used in transaction blocks").At(st.Text, 0).WithHint("BEGIN, or DECLARE %s CURSOR WITH HOLD FOR …", name)
	}
	if _, taken := c.portals[name]; taken {
		return sqlerr.New(duplicateCursor, "cursor %q already exists", name).At(st.Text, st.Tokens[1].Pos)
	}
	query, err := inner(st, at)
	if err != nil {
		return err
	}
	if query.Verb != syntax.Read {
		return sqlerr.New(sqlerr.FeatureNotSupported, "a cursor needs a query").At(st.Text, st.Tokens[at].Pos)
	}
	source := &portal{name: name, script: p.script, st: query, hold: hold, begun: true, tag: "SELECT"}
	source.ctx, source.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	unlink := context.AfterFunc(ctx, func() { source.cancel(context.Cause(ctx)) })
	defer unlink()
	if err := c.query(source.ctx, source, query, p.values); err != nil {
		source.cancel(nil)
		return err
	}
	c.portals[name] = source
	return nil
}

// fetched reads FETCH [direction] [FROM | IN] name, and finds the cursor.
func (c *conn) fetched(st syntax.Statement) (*portal, int, error) {
	n := 1
	toks := st.Tokens[1 : len(st.Tokens)-1]
	if len(toks) == 0 {
		return nil, 0, sqlerr.New(sqlerr.SyntaxError, "%s needs a cursor", st.Word).At(st.Text, len(st.Text))
	}
	for _, t := range toks[:len(toks)-1] {
		switch {
		case t.Is("ALL"):
			n = math.MaxInt
		case t.Kind == syntax.Number:
			var err error
			if n, err = strconv.Atoi(t.Text); err != nil {
				return nil, 0, sqlerr.New(sqlerr.SyntaxError, "%s is no number of rows", t.Text).At(st.Text, t.Pos)
			}
		case t.Is("FORWARD"), t.Is("NEXT"), t.Is("FROM"), t.Is("IN"):
		default:
			return nil, 0, sqlerr.New("55000", "a cursor can only be read forward").At(st.Text, t.Pos).WithHint("FETCH FORWARD 100 FROM %s", toks[len(toks)-1].Text)
		}
	}
	last := toks[len(toks)-1]
	p := c.portals[nameOf(last)]
	if p == nil || p.rows == nil {
		return nil, 0, sqlerr.New(undefinedCursor, "cursor %q does not exist", nameOf(last)).At(st.Text, last.Pos)
	}
	return p, n, nil
}

// prepared is PREPARE, EXECUTE and DEALLOCATE.
func (c *conn) prepared(ctx context.Context, p *portal) error {
	st := p.st
	switch st.Word {
	case "PREPARE":
		return c.prepare(ctx, p)
	case "DEALLOCATE":
		t := st.Tokens[1]
		if t.Is("PREPARE") {
			t = st.Tokens[2]
		}
		if t.Is("ALL") {
			clear(c.statements)
			p.tag = "DEALLOCATE ALL"
			return nil
		}
		if c.statements[nameOf(t)] == nil {
			return noStatement(nameOf(t))
		}
		delete(c.statements, nameOf(t))
		return nil
	}
	s, err := c.named(st)
	if err != nil {
		return err
	}
	values, err := c.arguments(st, s)
	if err != nil {
		return err
	}
	p.tag = tagOf(s.st)
	c.script, c.offset = s.script, s.st.Offset
	return c.query(ctx, p, s.st, values)
}

// prepare is PREPARE name [(types)] AS statement.
func (c *conn) prepare(ctx context.Context, p *portal) error {
	st := p.st
	name := nameOf(st.Tokens[1])
	for i, t := range st.Tokens {
		if !t.Is("AS") || i < 2 || i+1 >= len(st.Tokens)-1 {
			continue
		}
		if c.statements[name] != nil {
			return sqlerr.New(duplicateStatement, "prepared statement %q already exists", name).WithHint("DEALLOCATE %s", engine.Quote(name))
		}
		if len(c.statements) >= c.server.limits.Statements {
			return sqlerr.New(sqlerr.ProgramLimit, "the session has %d prepared statements already, which is the limit", len(c.statements)).WithHint("DEALLOCATE ALL")
		}
		query, err := inner(st, i+1)
		if err != nil {
			return err
		}
		if query.Verb == syntax.Other || query.Verb == syntax.Set { // what isn't the session's, COMMIT above all
			return sqlerr.New(sqlerr.SyntaxError, "%s can't be prepared", query.Word).At(st.Text, st.Tokens[i+1].Pos).WithHint("%s", query.Word)
		}
		s := &statement{script: p.script, st: query}
		types := c.declared(st.Tokens[2:i])
		if s.sig, err = c.sign(ctx, query, types); err != nil {
			return err
		}
		for _, t := range s.sig.Params {
			s.oids = append(s.oids, paramOID(0, t))
		}
		c.statements[name] = s
		return nil
	}
	return sqlerr.New(sqlerr.SyntaxError, "PREPARE needs a statement").At(st.Text, len(st.Text)).WithHint("PREPARE %s AS SELECT …", name)
}

// typeWords are names of types that differ from those of pg_type.
var typeWords = map[string]string{"integer": "int4", "int": "int4", "bigint": "int8", "smallint": "int2", "boolean": "bool", "real": "float4", "double": "float8", "decimal": "numeric", "character": "varchar"}

// declared reads the types in parentheses of PREPARE; those that are not known
// are left to the statement.
func (c *conn) declared(toks []syntax.Token) (out []string) {
	depth := 0
	for i, t := range toks {
		switch {
		case t.IsOp("("):
			depth++
		case t.IsOp(")"):
			depth--
		case depth == 1 && t.IsName() && (toks[i-1].IsOp("(") || toks[i-1].IsOp(",")):
			name := nameOf(t)
			if word, ok := typeWords[name]; ok {
				name = word
			}
			oid := uint32(0)
			if known, ok := c.types.TypeForName(name); ok {
				oid = known.OID
			}
			out = append(out, paramNames[oid])
		}
	}
	return out
}

// named finds the statement that EXECUTE names.
func (c *conn) named(st syntax.Statement) (*statement, error) {
	s := c.statements[nameOf(st.Tokens[1])]
	if s == nil {
		return nil, noStatement(nameOf(st.Tokens[1]))
	}
	return s, nil
}

// arguments reads the constants in the parentheses of EXECUTE.
func (c *conn) arguments(st syntax.Statement, s *statement) ([]any, error) {
	var out []any
	sign := ""
	for _, t := range st.Tokens[min(2, len(st.Tokens)-1) : len(st.Tokens)-1] {
		var src []byte
		switch {
		case t.IsOp("("), t.IsOp(")"), t.IsOp(","):
			continue
		case t.IsOp("-"):
			sign = "-"
			continue
		case t.Is("NULL"):
		case t.Kind == syntax.String, t.Kind == syntax.Number, t.Is("TRUE"), t.Is("FALSE"):
			src = []byte(sign + t.Text)
		default:
			return nil, sqlerr.New(sqlerr.FeatureNotSupported, "EXECUTE takes constants").At(st.Text, t.Pos)
		}
		sign = ""
		if len(out) == len(s.oids) {
			return nil, sqlerr.New(sqlerr.SyntaxError, "too many parameters for prepared statement").At(st.Text, t.Pos)
		}
		v, err := decodeParam(c.types, len(out)+1, s.oids[len(out)], s.sig.Params[len(out)], textFormat, src)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if len(out) != len(s.oids) {
		return nil, sqlerr.New(sqlerr.SyntaxError, "the statement takes %d parameters, %d are given", len(s.oids), len(out)).At(st.Text, 0)
	}
	return out, nil
}
