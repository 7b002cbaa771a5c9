package pgwire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// A reader is rows that are read once, from first to last. *engine.Rows is one.
type reader interface {
	Columns() []engine.Column
	Next() bool
	Values() []any
	Err() error
	Close() error
}

// An answerer runs statements: the session, or PostgreSQL's catalogs.
type answerer interface {
	Prepare(ctx context.Context, st syntax.Statement, types []string) (engine.Signature, error)
	Query(ctx context.Context, st syntax.Statement, values []any) (*engine.Rows, error)
}

// A portal is a statement that runs, with its values: it may be read in parts.
type portal struct {
	name     string
	script   string
	st       syntax.Statement
	values   []any
	promised []engine.Column // what Describe told; nil: nothing
	formats  []int16
	hold     bool // outlives the transaction block
	last     bool // nothing of its query or pipeline comes after it

	begun    bool
	ctx      context.Context
	cancel   context.CancelCauseFunc
	rows     reader // nil: the statement gives none
	tag      string
	encoders []encoder
	sent     int
	ran      int      // rows of the last run
	changed  int      // rows that it has changed, or planned to
	copy     *copyOut // of COPY TO STDOUT
	row      pgproto3.DataRow
	buf      []byte
	ends     []int
}

// close frees a portal's rows.
func (p *portal) close() {
	if p.rows != nil {
		p.rows.Close() // it was read as far as somebody wanted
		p.rows = nil
	}
	if p.cancel != nil {
		p.cancel(nil)
	}
}

func (c *conn) closePortals() {
	for name, p := range c.portals {
		if !p.hold || c.session == nil {
			p.close()
			delete(c.portals, name)
		}
	}
}

// advance runs a portal for at most limit rows, 0 for all, and says on the wire
// what came of it.
func (c *conn) advance(ctx context.Context, p *portal, limit int, describe bool) (err error) {
	start := time.Now()
	c.script, c.offset = p.script, p.st.Offset
	if p.ctx == nil {
		p.ctx, p.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	}
	suspended := false
	p.ran = 0
	err = c.run(ctx, p.cancel, func() error {
		if !p.begun {
			p.begun = true
			if err := c.begin(p.ctx, p); err != nil {
				return err
			}
			if describe && p.rows != nil && p.copy == nil {
				c.send(describeRows(p.columns(), p.formats))
			}
		}
		c.sendNotices()
		suspended, err = c.sendRows(p, limit)
		if err == nil && p.last && !suspended {
			err = c.endImplicit(p.ctx)
		}
		return err
	})
	if err = caused(p.ctx, err); err != nil {
		p.close()
		c.server.options.Metrics.statement(sqlerr.From(err).Code, time.Since(start))
		return err
	}
	if suspended {
		c.send(&pgproto3.PortalSuspended{})
		return nil
	}
	if p.rows != nil {
		err := p.rows.Close()
		p.rows = &finished{p.rows.Columns()}
		if err != nil {
			return err
		}
	}
	c.sendNotices()
	c.server.options.Metrics.statement("ok", time.Since(start))
	c.send(&pgproto3.CommandComplete{CommandTag: []byte(p.complete())})
	return nil
}

// caused adds to an error what ended the context it comes from.
func caused(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if err == nil || cause == nil || isEnd(err) {
		return err
	}
	if errors.Is(cause, errGone) {
		return cause
	}
	return fmt.Errorf("%w: %w", cause, err)
}

// finished are the rows of a portal that was read to its end.
type finished struct{ columns []engine.Column }

func (f *finished) Columns() []engine.Column { return f.columns }
func (f *finished) Next() bool               { return false }
func (f *finished) Values() []any            { return nil }
func (f *finished) Err() error               { return nil }
func (f *finished) Close() error             { return nil }

// complete is the tag that ends a portal's run.
func (p *portal) complete() string {
	switch p.tag {
	case "SELECT", "FETCH", "COPY", "MOVE":
		return fmt.Sprintf("%s %d", p.tag, p.ran)
	case "INSERT":
		return fmt.Sprintf("INSERT 0 %d", p.changed) // no OIDs here
	case "UPDATE", "DELETE", "MERGE":
		return fmt.Sprintf("%s %d", p.tag, p.changed)
	}
	return p.tag
}

// columns are what a portal's rows are told to be.
func (p *portal) columns() []engine.Column {
	if p.promised != nil || p.rows == nil {
		return p.promised
	}
	return p.rows.Columns()
}

func describeRows(columns []engine.Column, formats []int16) *pgproto3.RowDescription {
	fields := make([]pgproto3.FieldDescription, len(columns))
	for i, col := range columns {
		t := typeOf(col)
		fields[i] = pgproto3.FieldDescription{Name: []byte(col.Name), DataTypeOID: t.oid, DataTypeSize: t.size, TypeModifier: t.mod, Format: formatOf(formats, i)}
	}
	return &pgproto3.RowDescription{Fields: fields}
}

// formatOf gives a column's format by the rule of Bind: none, one for all, or
// one each.
func formatOf(formats []int16, i int) int16 {
	switch {
	case len(formats) == 1:
		return formats[0]
	case i < len(formats):
		return formats[i]
	}
	return textFormat
}

// lastWrite is how long a write may take once its statement was ended.
const lastWrite = 5 * time.Second

// sendRows sends up to limit rows, and says whether there may be more.
func (c *conn) sendRows(p *portal, limit int) (suspended bool, err error) {
	if p.rows == nil {
		return false, nil
	}
	// A client that doesn't read is let go soon after its statement was ended.
	unblock := context.AfterFunc(p.ctx, func() { c.wire.SetWriteDeadline(time.Now().Add(lastWrite)) })
	defer func() {
		if unblock() {
			return
		}
		c.wire.SetWriteDeadline(time.Time{})
	}()
	if p.encoders == nil {
		if p.encoders, err = encoders(p.columns(), p.rows.Columns(), p.formats); err != nil {
			return false, err
		}
		if p.copy != nil {
			p.copy.begin(c, p)
		}
	}
	defer func() { c.server.options.Metrics.sent(p.ran) }()
	for limit == 0 || p.ran < limit {
		if !p.rows.Next() {
			if err := p.rows.Err(); err != nil {
				return false, err
			}
			if p.copy != nil {
				p.copy.end(c, p)
			}
			return false, nil
		}
		if p.sent == c.server.limits.Rows {
			return false, sqlerr.New(sqlerr.ProgramLimit, "the result has more than %d rows, the server's limit", p.sent).WithHint("LIMIT %d, or --max-rows of skyql server", p.sent)
		}
		if err := c.sendRow(p); err != nil {
			return false, err
		}
		p.ran++
		if p.sent++; p.sent%1024 == 0 && p.ctx.Err() != nil {
			return false, p.ctx.Err()
		}
	}
	return true, nil
}

// encoders fit the columns that come to those that were promised.
func encoders(promised, actual []engine.Column, formats []int16) ([]encoder, error) {
	if len(promised) != len(actual) {
		return nil, sqlerr.New(sqlerr.FeatureNotSupported, "the statement gives %d columns and was described with %d", len(actual), len(promised)).
			WithHint("DEALLOCATE ALL, then prepare it again")
	}
	out := make([]encoder, len(promised))
	for i, col := range promised {
		out[i] = encoder{column: col, typ: typeOf(col), format: formatOf(formats, i), actual: actual[i]}
	}
	return out, nil
}

// sendRow sends the current row.
func (c *conn) sendRow(p *portal) (err error) {
	values := p.rows.Values()
	if p.copy != nil {
		return p.copy.row(c, p, values)
	}
	if p.row.Values == nil {
		p.buf = make([]byte, 0, 512) // an empty value must not be nil
		p.row.Values = make([][]byte, len(values))
		p.ends = make([]int, len(values))
	}
	p.buf = p.buf[:0]
	for i, v := range values {
		if v != nil {
			if p.buf, err = p.encoders[i].append(p.buf, v); err != nil {
				return err
			}
		}
		p.ends[i] = len(p.buf)
	}
	start := 0
	for i, v := range values {
		p.row.Values[i] = nil
		if v != nil {
			p.row.Values[i] = p.buf[start:p.ends[i]:p.ends[i]]
		}
		start = p.ends[i]
	}
	return c.sendPart(&p.row, len(p.buf))
}

// sendPart sends a message of many, and flushes now and then.
func (c *conn) sendPart(m pgproto3.BackendMessage, size int) error {
	c.send(m)
	if c.unsent += size + 16; c.unsent >= flushAt {
		return c.flush()
	}
	return nil
}

// held are rows that were read ahead, since another statement needs the engine.
type held struct {
	columns []engine.Column
	rows    [][]any
	err     error
	at      int
}

func (h *held) Columns() []engine.Column { return h.columns }
func (h *held) Next() bool               { h.at++; return h.at <= len(h.rows) }
func (h *held) Values() []any            { return h.rows[h.at-1] }
func (h *held) Err() error               { return h.err }
func (h *held) Close() error             { h.rows = nil; return nil }

// park reads what other portals have left, so that the engine is free. There is
// a limit to that.
func (c *conn) park(but *portal) {
	size := 0
	for _, p := range c.portals {
		rows, ok := p.rows.(*engine.Rows)
		if !ok || p == but {
			continue
		}
		h := &held{columns: rows.Columns()}
		for rows.Next() {
			row := append([]any(nil), rows.Values()...)
			for _, v := range row {
				size += 16
				if s, ok := v.(string); ok {
					size += len(s)
				}
			}
			if size > c.server.limits.Held {
				h.err = sqlerr.New(sqlerr.ProgramLimit, "portal %q: its rows are more than are kept while other statements run", p.name).
					WithHint("read it to its end first")
				break
			}
			h.rows = append(h.rows, row)
		}
		if h.err == nil {
			h.err = rows.Err()
		}
		if err := rows.Close(); h.err == nil {
			h.err = err
		}
		p.rows = h
	}
}
