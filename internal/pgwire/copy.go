package pgwire

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// A copyOut is the form in which COPY … TO STDOUT writes rows, as PostgreSQL's
// page of COPY defines it.
type copyOut struct {
	format        string // text, csv or binary
	delimiter     byte
	null          string
	quote, escape byte
	header        bool
	force         map[string]bool // columns that are always quoted; "*": all
	buf           []byte
	value         []byte
}

// beginCopy is COPY (query) TO STDOUT and COPY table [(columns)] TO STDOUT.
func (c *conn) beginCopy(ctx context.Context, p *portal) error {
	st := p.st
	to, depth := 0, 0
	for i, t := range st.Tokens {
		switch {
		case t.IsOp("("):
			depth++
		case t.IsOp(")"):
			depth--
		case depth == 0 && t.Is("FROM"):
			if c.writable() {
				return sqlerr.New(sqlerr.FeatureNotSupported, "COPY FROM is not supported").At(st.Text, t.Pos).WithHint("INSERT INTO … VALUES …")
			}
			return sqlerr.New(readOnlyTransaction, "cannot execute COPY FROM: this server only reads").At(st.Text, t.Pos)
		case depth == 0 && t.Is("TO"):
			to = i
		}
	}
	if to == 0 || !st.Tokens[to+1].Is("STDOUT") {
		return sqlerr.New(sqlerr.InsufficientPriv, "COPY writes to STDOUT only: there are no files here").At(st.Text, st.Tokens[max(0, to)].Pos).WithHint("COPY (SELECT …) TO STDOUT, or \\copy in psql")
	}
	options, err := copyOptions(st, to+2)
	if err != nil {
		return err
	}
	query, err := copied(st, to)
	if err != nil {
		return err
	}
	p.copy, p.tag = options, "COPY"
	if options.format == "binary" {
		p.formats = []int16{binaryFormat}
	}
	p.promised = nil
	if err := c.query(ctx, p, query, p.values); err != nil {
		return err
	}
	if p.rows == nil {
		return sqlerr.New(sqlerr.FeatureNotSupported, "COPY needs a query that gives rows").At(st.Text, 0)
	}
	return nil
}

// copied gives the query that a COPY copies; of a table, one that reads it.
func copied(st syntax.Statement, to int) (syntax.Statement, error) {
	if st.Tokens[1].IsOp("(") && to > 2 {
		first, last := st.Tokens[1].End, st.Tokens[to-1].Pos
		all := syntax.Split(st.Text[first:last])
		if len(all) != 1 || all[0].Verb != syntax.Read {
			return st, sqlerr.New(sqlerr.SyntaxError, "COPY needs one query").At(st.Text, first)
		}
		all[0].Offset += st.Offset + first
		return all[0], nil
	}
	parts := syntax.NameAt(st.Text, st.Tokens[1].Pos)
	if len(parts) == 0 || parts[len(parts)-1].End > st.Tokens[to].Pos {
		return st, sqlerr.New(sqlerr.SyntaxError, "COPY needs a table or a query in parentheses").At(st.Text, st.Tokens[1].Pos)
	}
	end := parts[len(parts)-1].End
	columns := "*"
	if list := strings.TrimSpace(st.Text[end:st.Tokens[to].Pos]); list != "" {
		columns = strings.TrimSuffix(strings.TrimPrefix(list, "("), ")")
	}
	query := syntax.Split("SELECT " + columns + " FROM " + st.Text[parts[0].Pos:end])[0]
	query.Offset = st.Offset
	return query, nil
}

// copyOptions reads [WITH] (FORMAT csv, HEADER …) and the older [WITH] CSV
// HEADER ….
func copyOptions(st syntax.Statement, at int) (*copyOut, error) {
	o := &copyOut{format: "text", force: map[string]bool{}}
	delimiter, null, quote, escape := "", "\x00", `"`, ""
	toks := st.Tokens[at:]
	for i := 0; i < len(toks)-1; i++ {
		t, next := toks[i], toks[i+1]
		if next.Is("AS") && i+2 < len(toks) {
			next = toks[i+2]
		}
		word := strings.ToUpper(t.Text)
		value := func(to *string) { *to = next.Text; i += 1 }
		switch {
		case t.IsOp("("), t.IsOp(")"), t.IsOp(","), word == "WITH", word == "AS":
		case word == "FORMAT":
			value(&o.format)
		case word == "CSV", word == "BINARY", word == "TEXT":
			o.format = word
		case word == "HEADER":
			o.header = !next.Is("FALSE") && !next.Is("OFF") && next.Text != "0"
			if next.Kind == syntax.Name && (next.Is("TRUE") || next.Is("FALSE") || next.Is("ON") || next.Is("OFF") || next.Is("MATCH")) {
				i++
			}
		case word == "DELIMITER":
			value(&delimiter)
		case word == "NULL":
			value(&null)
		case word == "QUOTE":
			value(&quote)
		case word == "ESCAPE":
			value(&escape)
		case word == "ENCODING":
			i++
		case word == "FORCE_QUOTE", word == "FORCE" && next.Is("QUOTE"):
			i = o.forced(toks, i)
		default:
			return nil, sqlerr.New(sqlerr.SyntaxError, "option %q of COPY not recognized", strings.ToLower(t.Text)).At(st.Text, t.Pos).
				WithHint("COPY (SELECT …) TO STDOUT (FORMAT csv, HEADER)")
		}
	}
	o.format = strings.ToLower(o.format)
	if !slices.Contains([]string{"text", "csv", "binary"}, o.format) {
		return nil, sqlerr.New(sqlerr.InvalidParameter, "COPY format %q not recognized", o.format).WithHint("text, csv, binary")
	}
	defaults := map[string][2]string{"text": {"\t", `\N`}, "csv": {",", ""}, "binary": {"\t", ""}}[o.format]
	if delimiter == "" {
		delimiter = defaults[0]
	}
	if o.null = null; null == "\x00" {
		o.null = defaults[1]
	}
	if escape == "" {
		escape = quote
	}
	if len(delimiter) != 1 || len(quote) != 1 || len(escape) != 1 || strings.ContainsAny(delimiter, "\r\n") || delimiter == quote {
		return nil, sqlerr.New(sqlerr.InvalidParameter, "COPY delimiter, quote and escape must be single one-byte characters")
	}
	o.delimiter, o.quote, o.escape = delimiter[0], quote[0], escape[0]
	return o, nil
}

// forced reads FORCE_QUOTE * | (columns) from token i, and gives its last one.
func (o *copyOut) forced(toks []syntax.Token, i int) int {
	for i++; i < len(toks)-1; i++ {
		switch t := toks[i]; {
		case t.IsOp("*"):
			o.force["*"] = true
			return i
		case t.IsOp(")"):
			return i
		case t.IsName() && !t.Is("QUOTE"):
			o.force[nameOf(t)] = true
		}
	}
	return i
}

// begin says what comes.
func (o *copyOut) begin(c *conn, p *portal) {
	format := byte(textFormat)
	if o.format == "binary" {
		format = binaryFormat
	}
	codes := make([]uint16, len(p.encoders))
	for i := range codes {
		codes[i] = uint16(format)
	}
	c.send(&pgproto3.CopyOutResponse{OverallFormat: format, ColumnFormatCodes: codes})
	switch {
	case o.format == "binary":
		c.send(&pgproto3.CopyData{Data: []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")})
	case o.header:
		o.buf = o.buf[:0]
		for i, e := range p.encoders {
			if i > 0 {
				o.buf = append(o.buf, o.delimiter)
			}
			o.field([]byte(e.column.Name), false)
		}
		c.send(&pgproto3.CopyData{Data: append(o.buf, '\n')})
	}
}

// row sends one row.
func (o *copyOut) row(c *conn, p *portal, values []any) (err error) {
	o.buf = o.buf[:0]
	if o.format == "binary" {
		o.buf = binary.BigEndian.AppendUint16(o.buf, uint16(len(values)))
	}
	for i, v := range values {
		if i > 0 && o.format != "binary" {
			o.buf = append(o.buf, o.delimiter)
		}
		if v != nil {
			if o.value, err = p.encoders[i].append(o.value[:0], v); err != nil {
				return err
			}
		}
		switch {
		case o.format == "binary" && v == nil:
			o.buf = append(o.buf, 0xff, 0xff, 0xff, 0xff)
		case o.format == "binary":
			o.buf = append(binary.BigEndian.AppendUint32(o.buf, uint32(len(o.value))), o.value...)
		case v == nil:
			o.buf = append(o.buf, o.null...)
		default:
			o.field(o.value, o.force["*"] || o.force[p.encoders[i].column.Name])
		}
	}
	if o.format != "binary" {
		o.buf = append(o.buf, '\n')
	}
	return c.sendPart(&pgproto3.CopyData{Data: o.buf}, len(o.buf))
}

// field writes a value in text or CSV form.
func (o *copyOut) field(value []byte, force bool) {
	if o.format == "text" {
		for _, b := range value {
			if i := bytes.IndexByte([]byte("\b\f\n\r\t\v\\"), b); i >= 0 {
				o.buf = append(o.buf, '\\', `bfnrtv\`[i])
				continue
			}
			if b == o.delimiter {
				o.buf = append(o.buf, '\\')
			}
			o.buf = append(o.buf, b)
		}
		return
	}
	plain := string(value) != o.null && string(value) != `\.` && bytes.IndexByte(value, o.delimiter) < 0 && bytes.IndexByte(value, o.quote) < 0 && !bytes.ContainsAny(value, "\r\n")
	if plain && !force {
		o.buf = append(o.buf, value...)
		return
	}
	o.buf = append(o.buf, o.quote)
	for _, b := range value {
		if b == o.quote || b == o.escape {
			o.buf = append(o.buf, o.escape)
		}
		o.buf = append(o.buf, b)
	}
	o.buf = append(o.buf, o.quote)
}

// end says that it was all.
func (o *copyOut) end(c *conn, p *portal) {
	if o.format == "binary" {
		c.send(&pgproto3.CopyData{Data: []byte{0xff, 0xff}})
	}
	c.send(&pgproto3.CopyDone{})
}
