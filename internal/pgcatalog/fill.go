package pgcatalog

import (
	"context"
	"database/sql/driver"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/engine"
)

//go:embed relations.txt
var relationsText string

//go:embed types.txt
var typesText string

//go:embed catalog.sql
var catalogSQL string

// Object ids, which mean something only while the process lives. catalog.sql
// gives a primary key's index the id of its table and 100000.
const (
	firstSchema = 16384
	firstTable  = 20000
)

// infos is the schema that holds information_schema's relations: DuckDB has one
// of that name already.
const infos = "infos"

// fill makes all relations and functions.
func (c *Catalog) fill(ctx context.Context, db *engine.DB) error {
	facts, err := c.facts()
	if err != nil {
		return err
	}
	if err := db.Exec(ctx, "BEGIN;"+relations()+factTables, nil); err != nil {
		return err
	}
	for _, f := range []struct {
		table string
		rows  [][]driver.Value
	}{{"skyql_schemas", facts.schemas}, {"skyql_tables", facts.tables}, {"skyql_columns", facts.columns}, {"skyql_types", types()}} {
		if err := db.Append(f.table, slices.Values(f.rows)); err != nil {
			return err
		}
	}
	return db.Exec(ctx, catalogSQL+";COMMIT", nil)
}

const factTables = `
CREATE TABLE skyql_schemas (oid UINTEGER, name VARCHAR);
CREATE TABLE skyql_tables (oid UINTEGER, schema UINTEGER, name VARCHAR, columns SMALLINT, comment VARCHAR);
CREATE TABLE skyql_columns (rel UINTEGER, num SMALLINT, name VARCHAR, type UINTEGER, "notnull" BOOLEAN, comment VARCHAR);
CREATE TABLE skyql_types (oid UINTEGER, name VARCHAR, len SMALLINT, kind VARCHAR, category VARCHAR, elem UINTEGER, arr UINTEGER);
`

// relations are PostgreSQL's own, empty.
func relations() string {
	var b strings.Builder
	b.WriteString("CREATE SCHEMA " + infos + ";\n")
	for line := range strings.Lines(relationsText) {
		f := strings.Fields(line)
		var cols []string
		for _, col := range f[1:] {
			name, typ, _ := strings.Cut(col, ":")
			cols = append(cols, engine.Quote(name)+" "+strings.Replace(typ, "oid", "UINTEGER", 1))
		}
		name := engine.Quote(f[0])
		if n, ok := strings.CutPrefix(f[0], "information_schema."); ok {
			name = infos + "." + engine.Quote(n)
		}
		fmt.Fprintf(&b, "CREATE TABLE %s (%s);\n", name, strings.Join(cols, ", "))
	}
	return b.String()
}

// types are PostgreSQL's base types.
func types() (rows [][]driver.Value) {
	for line := range strings.Lines(typesText) {
		f := strings.Fields(line)
		number := func(i int) int64 {
			n, err := strconv.ParseInt(f[i], 10, 64)
			if err != nil {
				panic("pgcatalog: types.txt: " + err.Error())
			}
			return n
		}
		rows = append(rows, []driver.Value{uint32(number(0)), f[1], int16(number(2)), f[3], f[4], uint32(number(5)), uint32(number(6))})
	}
	return rows
}

// facts are what there is, as rows of the fact tables.
type facts struct{ schemas, tables, columns [][]driver.Value }

func (c *Catalog) facts() (*facts, error) {
	f := &facts{}
	oid := uint32(firstTable)
	for i, service := range c.tables.Services() {
		schema := uint32(firstSchema + i)
		f.schemas = append(f.schemas, []driver.Value{schema, service})
		for _, e := range c.tables.Entries(service) {
			t, err := c.tables.Table(e.Type)
			if err != nil {
				return nil, err
			}
			for _, name := range slices.Compact([]string{t.Plural, t.Singular}) {
				f.tables = append(f.tables, []driver.Value{oid, schema, name, int16(len(t.Columns)), comment(t)})
				for n, col := range t.Columns {
					f.columns = append(f.columns, []driver.Value{oid, int16(n + 1), col.Name, typeOID(col.Type), col.Property == "", c.notes(t, col)})
				}
				oid++
			}
		}
	}
	return f, nil
}

func comment(t *catalog.Table) string {
	if t.Description == "" {
		return t.Type
	}
	return t.Type + ": " + t.Description
}

// typeOID gives a column's type as PostgreSQL numbers it.
func typeOID(t catalog.ColumnType) uint32 {
	return map[catalog.ColumnType]uint32{catalog.JSON: 114, catalog.Varchar: 25, catalog.BigInt: 20, catalog.Double: 701, catalog.Boolean: 16,
		catalog.VarcharList: 1009, catalog.BigIntList: 1016, catalog.DoubleList: 1022, catalog.BooleanList: 1000}[t]
}
