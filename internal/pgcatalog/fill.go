package pgcatalog

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
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

// Object ids. They mean something only while the process lives.
const (
	firstSchema = 16384
	firstTable  = 20000
	indexShift  = 100000 // a primary key's index, after its table
	systemTable = 14000  // of PostgreSQL's relations without a known id
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
	if err := db.Exec(ctx, relations(), nil); err != nil {
		return err
	}
	if err := db.Exec(ctx, "CREATE TABLE skyql_facts AS SELECT $facts::JSON AS f, $types::JSON AS types", map[string]string{"facts": facts, "types": types()}); err != nil {
		return err
	}
	return db.Exec(ctx, catalogSQL, nil)
}

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

// types are PostgreSQL's base types, as a JSON list.
func types() string {
	var rows [][]string
	for line := range strings.Lines(typesText) {
		rows = append(rows, strings.Fields(line))
	}
	out, err := json.Marshal(rows)
	if err != nil {
		panic("pgcatalog: " + err.Error())
	}
	return string(out)
}

// facts are schemas, tables and columns, as JSON lists.
func (c *Catalog) facts() (string, error) {
	var f struct {
		Schemas []schemaFact `json:"schemas"`
		Tables  []tableFact  `json:"tables"`
		Columns []columnFact `json:"columns"`
	}
	oid := firstTable
	for i, service := range c.tables.Services() {
		f.Schemas = append(f.Schemas, schemaFact{firstSchema + i, service})
		for _, e := range c.tables.Entries(service) {
			t, err := c.tables.Table(e.Type)
			if err != nil {
				return "", err
			}
			names := []string{t.Plural, t.Singular}
			if t.Plural == t.Singular {
				names = names[:1]
			}
			for _, name := range names {
				f.Tables = append(f.Tables, tableFact{oid, firstSchema + i, name, len(t.Columns), comment(t)})
				for n, col := range t.Columns {
					f.Columns = append(f.Columns, columnFact{oid, n + 1, col.Name, typeOID(col.Type), col.Property == "", c.notes(t, col)})
				}
				oid++
			}
		}
	}
	out, err := json.Marshal(f)
	return string(out), err
}

type schemaFact struct {
	OID  int    `json:"oid"`
	Name string `json:"name"`
}

type tableFact struct {
	OID     int    `json:"oid"`
	Schema  int    `json:"schema"`
	Name    string `json:"name"`
	Columns int    `json:"columns"`
	Comment string `json:"comment"`
}

type columnFact struct {
	Table   int    `json:"rel"`
	Number  int    `json:"num"`
	Name    string `json:"name"`
	Type    uint32 `json:"type"`
	NotNull bool   `json:"notnull"`
	Comment string `json:"comment"`
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
