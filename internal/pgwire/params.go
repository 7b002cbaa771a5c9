package pgwire

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/sqlerr"
)

// decodeParam reads the value of a parameter that Bind brings, in the form that
// engine.DB.Positional takes. name is DuckDB's name of its type, or "".
func decodeParam(types *pgtype.Map, n int, oid uint32, name string, format int16, src []byte) (any, error) {
	if src == nil {
		return nil, nil
	}
	wrong := func() error {
		return sqlerr.New(sqlerr.InvalidText, "parameter $%d is no %s", n, typeName(types, oid))
	}
	if isText(oid) || name == "" && format == textFormat {
		if oid == pgtype.JSONBOID && format == binaryFormat && len(src) > 0 {
			src = src[1:] // the format's version
		}
		if !utf8.Valid(src) || strings.IndexByte(string(src), 0) >= 0 {
			return nil, sqlerr.New("22021", "parameter $%d: invalid byte sequence for encoding \"UTF8\"", n)
		}
		return string(src), nil
	}
	t, ok := types.TypeForOID(oid)
	if !ok {
		if format == binaryFormat {
			return nil, sqlerr.New(sqlerr.FeatureNotSupported, "parameter $%d: type %d is not known in binary form", n, oid)
		}
		return string(src), nil
	}
	v, err := t.Codec.DecodeValue(types, oid, format, src)
	if err != nil {
		return nil, wrong()
	}
	out, err := plain(v, name)
	if errors.Is(err, errDigits) {
		return nil, sqlerr.New("22003", "parameter $%d has more digits than a parameter can have: write the number into the statement", n)
	}
	if err != nil {
		return nil, wrong()
	}
	if out == nil { // a text has the form that the type prints in
		text, err := types.Encode(oid, textFormat, v, nil)
		if err != nil {
			return nil, wrong()
		}
		return string(text), nil
	}
	return out, nil
}

func isText(oid uint32) bool {
	switch oid {
	case 0, pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.NameOID, pgtype.UnknownOID, pgtype.JSONOID, pgtype.JSONBOID, pgtype.QCharOID:
		return true
	}
	return false
}

func typeName(types *pgtype.Map, oid uint32) string {
	if t, ok := types.TypeForOID(oid); ok {
		return t.Name
	}
	return fmt.Sprintf("type %d", oid)
}

// plain turns a decoded value into one that the engine binds; nil: its text.
func plain(v any, name string) (any, error) {
	switch v := v.(type) {
	case bool, int64, float64, []byte:
		return v, nil
	case int16:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case uint32:
		return int64(v), nil
	case float32:
		return strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	case time.Time:
		if name == "DATE" || name == "TIMESTAMP" || name == "TIMESTAMP WITH TIME ZONE" {
			return engine.Typed(v.UTC(), name), nil
		}
	case pgtype.Numeric:
		return numeric(v)
	case []any:
		return list(v, name)
	}
	return nil, nil
}

// errDigits says that a number is neither an integer nor a float.
var errDigits = errors.New("too many digits")

// numeric gives an integer of any size, or a float where that has all digits.
func numeric(v pgtype.Numeric) (any, error) {
	if v.NaN || v.InfinityModifier != pgtype.Finite || v.Int == nil {
		f, err := v.Float64Value()
		return f.Float64, err
	}
	if v.Exp >= 0 && v.Exp < 40 {
		n := new(big.Int).Mul(v.Int, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(v.Exp)), nil))
		if n.IsInt64() {
			return n.Int64(), nil
		}
		return n, nil
	}
	if len(v.Int.String()) > 15 {
		return nil, errDigits
	}
	f, err := v.Float64Value()
	return f.Float64, err
}

// list gives a slice of the type that the engine's list has.
func list(values []any, name string) (any, error) {
	switch name {
	case "VARCHAR[]":
		return slice[string](values, name)
	case "BIGINT[]":
		return slice[int64](values, name)
	case "DOUBLE[]":
		return slice[float64](values, name)
	case "BOOLEAN[]":
		return slice[bool](values, name)
	}
	return nil, fmt.Errorf("no lists of %s", name)
}

func slice[T any](values []any, name string) (any, error) {
	out := make([]*T, len(values))
	for i, v := range values {
		if v == nil {
			continue
		}
		x, err := plain(v, name)
		if err != nil {
			return nil, err
		}
		if x == nil {
			x = v
		}
		t, ok := x.(T)
		if !ok {
			return nil, fmt.Errorf("an element is no %s", strings.TrimSuffix(name, "[]"))
		}
		out[i] = &t
	}
	return out, nil
}
