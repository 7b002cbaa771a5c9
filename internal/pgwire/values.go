package pgwire

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/tidwall/gjson"

	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/sqlerr"
)

// Formats of a value on the wire.
const (
	textFormat   = 0
	binaryFormat = 1
)

// An encoder writes the values of one column in the type that was promised. It
// is not safe for concurrent use.
type encoder struct {
	column engine.Column // as promised
	typ    wireType
	format int16
	actual engine.Column
	types  *pgtype.Map // made when a type needs it
}

// append adds a value's bytes. v is not nil.
func (e *encoder) append(buf []byte, v any) ([]byte, error) {
	if e.actual.Type != e.column.Type {
		fitted, err := e.fit(v)
		if err != nil {
			return buf, err
		}
		v = fitted
	}
	if e.format == binaryFormat {
		return e.appendBinary(buf, v)
	}
	return e.appendText(buf, v), nil
}

// fit gives a value of another type in the form of the promised one.
func (e *encoder) fit(v any) (any, error) {
	text := fmt.Sprint(v)
	if f, ok := v.(float64); ok {
		text = string(appendFloat(nil, f, 64))
	}
	if e.actual.Kind == engine.JSON && e.column.Kind != engine.JSON {
		if j := gjson.Parse(text); j.Type == gjson.String {
			text = j.String()
		}
	}
	wrong := sqlerr.New(sqlerr.InvalidText, "column %q holds %.60s, which is no %s as the statement's description promised", e.column.Name, text, strings.ToLower(e.column.Type)).
		WithHint("SELECT CAST(%s AS JSON), or send it as a simple query", engine.Quote(e.column.Name))
	switch e.column.Kind {
	case engine.Integer:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n != truncated(n, e.typ.size) {
			return nil, wrong
		}
		return n, nil
	case engine.Float:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, wrong
		}
		return f, nil
	case engine.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, wrong
		}
		return b, nil
	case engine.JSON:
		if !json.Valid([]byte(text)) || strings.HasSuffix(e.column.Type, "]") && !gjson.Parse(text).IsArray() {
			return nil, wrong
		}
	}
	if e.typ.oid != pgtype.TextOID && e.typ.oid != pgtype.JSONOID && e.column.Kind != engine.JSON {
		if _, err := e.decode(e.appendText(nil, text)); err != nil {
			return nil, wrong
		}
	}
	return text, nil
}

func truncated(n int64, size int16) int64 {
	switch size {
	case 2:
		return int64(int16(n))
	case 4:
		return int64(int32(n))
	}
	return n
}

func (e *encoder) appendText(buf []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		if v {
			return append(buf, 't')
		}
		return append(buf, 'f')
	case int64:
		return strconv.AppendInt(buf, v, 10)
	case float64:
		return appendFloat(buf, v, int(e.typ.size)*8)
	case string:
		switch e.typ.oid {
		case pgtype.TextOID, pgtype.JSONOID, pgtype.NumericOID:
			return append(buf, v...)
		case pgtype.ByteaOID:
			return hex.AppendEncode(append(buf, `\x`...), blob(v))
		case pgtype.IntervalOID:
			return append(buf, strings.Replace(v, " month", " mon", 1)...)
		case pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID:
			return append(buf, era(v)...)
		}
		if strings.HasSuffix(e.column.Type, "]") {
			return appendArray(buf, v)
		}
		return append(buf, v...)
	}
	return fmt.Append(buf, v)
}

// appendFloat writes a number as PostgreSQL does: the fewest digits that read
// back the same, an exponent for the very large and small.
func appendFloat(buf []byte, f float64, bits int) []byte {
	switch abs := math.Abs(f); {
	case math.IsInf(f, 1):
		return append(buf, "Infinity"...)
	case math.IsInf(f, -1):
		return append(buf, "-Infinity"...)
	case math.IsNaN(f):
		return append(buf, "NaN"...)
	case bits != 32:
		bits = 64
		fallthrough
	default:
		if abs == 0 || abs >= 1e-4 && abs < 1e15 && (bits == 64 || abs < 1e6) {
			return strconv.AppendFloat(buf, f, 'f', -1, bits)
		}
		return strconv.AppendFloat(buf, f, 'e', -1, bits)
	}
}

// blob reads the text that DuckDB gives bytes: \xAB for what is not plain.
func blob(text string) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) && text[i+1] == 'x' {
			if b, err := strconv.ParseUint(text[i+2:i+4], 16, 8); err == nil {
				out = append(out, byte(b))
				i += 3
				continue
			}
		}
		out = append(out, text[i])
	}
	return out
}

// era moves DuckDB's (BC) to where PostgreSQL has it, at the end.
func era(text string) string {
	if before, after, ok := strings.Cut(text, " (BC)"); ok {
		return before + after + " BC"
	}
	return text
}

// appendArray writes a JSON list of scalars as an array: {a,"b c",NULL}.
func appendArray(buf []byte, list string) []byte {
	buf = append(buf, '{')
	first := true
	gjson.Parse(list).ForEach(func(_, v gjson.Result) bool {
		if !first {
			buf = append(buf, ',')
		}
		first = false
		switch v.Type {
		case gjson.Null:
			buf = append(buf, "NULL"...)
		case gjson.True:
			buf = append(buf, 't')
		case gjson.False:
			buf = append(buf, 'f')
		case gjson.String:
			buf = append(buf, '"')
			for _, c := range []byte(v.String()) {
				if c == '"' || c == '\\' {
					buf = append(buf, '\\')
				}
				buf = append(buf, c)
			}
			buf = append(buf, '"')
		default:
			buf = append(buf, v.Raw...)
		}
		return true
	})
	return append(buf, '}')
}

func (e *encoder) appendBinary(buf []byte, v any) ([]byte, error) {
	switch x := v.(type) {
	case bool:
		if x {
			return append(buf, 1), nil
		}
		return append(buf, 0), nil
	case int64:
		switch e.typ.size {
		case 2:
			return binary.BigEndian.AppendUint16(buf, uint16(x)), nil
		case 4:
			return binary.BigEndian.AppendUint32(buf, uint32(x)), nil
		}
		return binary.BigEndian.AppendUint64(buf, uint64(x)), nil
	case float64:
		if e.typ.size == 4 {
			return binary.BigEndian.AppendUint32(buf, math.Float32bits(float32(x))), nil
		}
		return binary.BigEndian.AppendUint64(buf, math.Float64bits(x)), nil
	case string:
		switch e.typ.oid {
		case pgtype.TextOID, pgtype.JSONOID:
			return append(buf, x...), nil
		case pgtype.ByteaOID:
			return append(buf, blob(x)...), nil
		}
	}
	value, err := e.decode(e.appendText(nil, v))
	if err != nil {
		return buf, err
	}
	return e.types.Encode(e.typ.oid, binaryFormat, value, buf)
}

// decode reads a text as the promised type.
func (e *encoder) decode(text []byte) (any, error) {
	if e.types == nil {
		e.types = pgtype.NewMap()
	}
	t, ok := e.types.TypeForOID(e.typ.oid)
	if !ok {
		return string(text), nil
	}
	return t.Codec.DecodeValue(e.types, e.typ.oid, textFormat, text)
}
