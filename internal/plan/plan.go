package plan

import "github.com/skyql/skyql/internal/catalog"

// A Plan is what must be fetched before DuckDB can run a statement. Scans name
// each table at most once; whatever several references need is united.
type Plan struct {
	Scans []*Scan
}

// A Scan is one table's fetch.
type Scan struct {
	Table *catalog.Table
	// Columns are the indexes into Table.Columns that the statement may read,
	// rising. account_id, region, identifier and the columns that the
	// identifier is made of cost nothing; any other needs the resource, or a
	// list row that holds it.
	Columns []int
	// Boxes bound the resources that can matter: their union is fetched. No
	// box at all: no call is made.
	Boxes []Box
}

// A Box bounds resources by the values of their keys: a resource is inside
// when each of its keys is in the set given for it.
type Box struct {
	Accounts    Set // nil: the setting
	Regions     Set // nil: the setting
	Identifiers Set // nil: list
	// Parents bound list keys: pointer below the list model ("/InstanceArn")
	// to values.
	Parents map[string]Set
}

// A Set is a sorted set of texts. Nil says that nothing is known (every value
// is possible); an empty one that is not nil admits none.
type Set []string
