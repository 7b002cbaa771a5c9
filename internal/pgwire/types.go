package pgwire

import (
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skyql/skyql/internal/engine"
)

// A wireType is a type as RowDescription tells it.
type wireType struct {
	oid  uint32
	size int16 // bytes, -1: of varying length
	mod  int32 // of numeric: precision and scale; else -1
}

// wireTypes are DuckDB's types as PostgreSQL knows them. Whatever is not here
// is text.
var wireTypes = map[string]wireType{
	"BOOLEAN": {pgtype.BoolOID, 1, -1}, "TINYINT": {pgtype.Int2OID, 2, -1}, "SMALLINT": {pgtype.Int2OID, 2, -1}, "UTINYINT": {pgtype.Int2OID, 2, -1},
	"INTEGER": {pgtype.Int4OID, 4, -1}, "USMALLINT": {pgtype.Int4OID, 4, -1}, "BIGINT": {pgtype.Int8OID, 8, -1}, "UINTEGER": {pgtype.OIDOID, 4, -1},
	"UBIGINT": {pgtype.NumericOID, -1, -1}, "HUGEINT": {pgtype.NumericOID, -1, -1}, "UHUGEINT": {pgtype.NumericOID, -1, -1}, "BIGNUM": {pgtype.NumericOID, -1, -1},
	"FLOAT": {pgtype.Float4OID, 4, -1}, "DOUBLE": {pgtype.Float8OID, 8, -1}, "VARCHAR": {pgtype.TextOID, -1, -1}, "JSON": {pgtype.JSONOID, -1, -1},
	"DATE": {pgtype.DateOID, 4, -1}, "TIME": {pgtype.TimeOID, 8, -1}, "TIMESTAMP": {pgtype.TimestampOID, 8, -1}, "TIMESTAMP_S": {pgtype.TimestampOID, 8, -1},
	"TIMESTAMP_MS": {pgtype.TimestampOID, 8, -1}, "TIMESTAMP WITH TIME ZONE": {pgtype.TimestamptzOID, 8, -1}, "INTERVAL": {pgtype.IntervalOID, 16, -1},
	"UUID": {pgtype.UUIDOID, 16, -1}, "BLOB": {pgtype.ByteaOID, -1, -1},
	"VARCHAR[]": {pgtype.TextArrayOID, -1, -1}, "BIGINT[]": {pgtype.Int8ArrayOID, -1, -1}, "INTEGER[]": {pgtype.Int4ArrayOID, -1, -1}, "SMALLINT[]": {pgtype.Int2ArrayOID, -1, -1},
	"UINTEGER[]": {pgtype.OIDArrayOID, -1, -1}, "DOUBLE[]": {pgtype.Float8ArrayOID, -1, -1}, "FLOAT[]": {pgtype.Float4ArrayOID, -1, -1}, "BOOLEAN[]": {pgtype.BoolArrayOID, -1, -1},
}

// typeOf gives a column's type.
func typeOf(c engine.Column) wireType {
	if t, ok := wireTypes[c.Type]; ok {
		return t
	}
	if inner, ok := strings.CutPrefix(c.Type, "DECIMAL("); ok {
		p, s, _ := strings.Cut(strings.TrimSuffix(inner, ")"), ",")
		precision, err1 := strconv.Atoi(p)
		scale, err2 := strconv.Atoi(s)
		if err1 == nil && err2 == nil {
			return wireType{pgtype.NumericOID, -1, int32(precision<<16|scale) + 4}
		}
		return wireType{pgtype.NumericOID, -1, -1}
	}
	if c.Kind == engine.JSON {
		return wireTypes["JSON"]
	}
	return wireTypes["VARCHAR"]
}

// paramOIDs are the types of parameters, by DuckDB's names.
var paramOIDs = map[string]uint32{"": pgtype.TextOID, "DECIMAL": pgtype.NumericOID}

// paramOID gives a parameter's type: what the client said, or what the
// statement wants.
func paramOID(declared uint32, name string) uint32 {
	if declared != 0 && declared != pgtype.UnknownOID {
		return declared
	}
	if oid, ok := paramOIDs[name]; ok {
		return oid
	}
	return wireTypes[name].oid
}

// paramNames are DuckDB's names of the types that clients declare. Text is left
// to the statement: clients say text of what they don't know.
var paramNames = map[uint32]string{
	pgtype.BoolOID: "BOOLEAN", pgtype.Int2OID: "BIGINT", pgtype.Int4OID: "BIGINT", pgtype.Int8OID: "BIGINT", pgtype.OIDOID: "BIGINT",
	pgtype.Float4OID: "DOUBLE", pgtype.Float8OID: "DOUBLE", pgtype.NumericOID: "DECIMAL", pgtype.DateOID: "DATE",
	pgtype.TimestampOID: "TIMESTAMP", pgtype.TimestamptzOID: "TIMESTAMP WITH TIME ZONE", pgtype.ByteaOID: "BLOB",
	pgtype.TextOID: "VARCHAR", pgtype.VarcharOID: "VARCHAR", pgtype.BPCharOID: "VARCHAR", pgtype.NameOID: "VARCHAR", pgtype.JSONOID: "VARCHAR", pgtype.JSONBOID: "VARCHAR",
	pgtype.TimeOID: "TIME", pgtype.IntervalOID: "INTERVAL", pgtype.UUIDOID: "UUID",
	pgtype.TextArrayOID: "VARCHAR[]", pgtype.VarcharArrayOID: "VARCHAR[]", pgtype.Int8ArrayOID: "BIGINT[]", pgtype.Int4ArrayOID: "BIGINT[]", pgtype.Int2ArrayOID: "BIGINT[]",
	pgtype.OIDArrayOID: "BIGINT[]", pgtype.Float8ArrayOID: "DOUBLE[]", pgtype.BoolArrayOID: "BOOLEAN[]",
}
