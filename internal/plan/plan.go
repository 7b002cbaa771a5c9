// Package plan decides what to fetch before the engine can answer a statement.
//
// In goes a statement's tree, the catalog and what the session knows of local
// tables; out come scans, and the edits that turn the user's text into what
// DuckDB runs. A plan may only narrow: leaving out every predicate still gives
// the right answer, slower, for the engine evaluates the whole statement again
// over what arrives. Accounts and regions are the exception, they are meaning:
// a constant key on them replaces the setting.
package plan

import (
	"slices"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// A Plan is what must be fetched before DuckDB can run a statement. Scans name
// each table at most once; whatever several references need is united.
type Plan struct {
	Scans []*Scan

	// Notices are for the user: a password that reads as NULL, a comparison
	// that can't narrow for want of quotes.
	Notices []string
	// Everything says that the statement looks at the list of tables itself
	// (information_schema and the like), so that all must exist, empty.
	Everything bool

	text  string
	names []syntax.Edit // tables, columns and headers
	paths []*pathUse
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

// NewSet sorts values and drops repeats. The result is never nil.
func NewSet(values ...string) Set {
	s := Set(slices.Clone(values))
	if s == nil {
		s = Set{}
	}
	slices.Sort(s)
	return slices.Compact(s)
}

// And gives what is in both.
func (s Set) And(o Set) Set {
	if s == nil {
		return o
	}
	if o == nil {
		return s
	}
	out := Set{}
	for _, v := range s {
		if _, ok := slices.BinarySearch(o, v); ok {
			out = append(out, v)
		}
	}
	return out
}

// Or gives what is in one of them. Nil, which admits everything, swallows.
func (s Set) Or(o Set) Set {
	if s == nil || o == nil {
		return nil
	}
	return NewSet(append(slices.Clone(s), o...)...)
}

// An Env is what planning knows besides the statement. Every function may be
// nil, for nothing known.
type Env struct {
	Catalog *catalog.Catalog
	// Narrow says how far predicates count.
	Narrow Narrow
	// Service is that of USE aws.service; empty for none.
	Service string
	// Local finds a table or view of DuckDB's own. Catalog and schema may be
	// empty: DuckDB's search path.
	Local func(catalog, schema, name string) (Local, bool)
	// LocalSchema says whether DuckDB has a schema or database of its own by
	// that name.
	LocalSchema func(name string) bool
	// Macro finds a macro that the user made, by lower-case name.
	Macro func(name string) (Macro, bool)
	// Parse reads the text of a view or macro.
	Parse func(sql string) (*syntax.Query, error)
	// Param gives a parameter's value if that is text.
	Param func(name string) (string, bool)
	// Fold computes an expression that holds no column and no query. ok is
	// false when it isn't constant or isn't text.
	Fold func(e *syntax.Expr) (text string, null, ok bool)
	// Header gives the name that DuckDB would head an expression's column with.
	Header func(e *syntax.Expr) (string, error)
}

// A Narrow is how far predicates count.
type Narrow uint8

const (
	// Keys is everything: accounts, regions, identifiers, list parents.
	Keys Narrow = iota
	// Scope is accounts and regions alone: SET pushdown = 'off'.
	Scope
	// Nothing is for tests, over settings that cover every account and region.
	Nothing
)

// A Local is a table or view of DuckDB's own.
type Local struct {
	Columns []string
	View    string // its query; empty for a table
}

// A Macro is one that the user made.
type Macro struct {
	Params []string
	Body   string // a SELECT statement; of a scalar macro, SELECT and its expression
}

// Make plans a query. text is what the tree's offsets point into. The error is
// a *sqlerr.Error.
func Make(q *syntax.Query, text string, env *Env) (*Plan, error) {
	b := &binder{env: env, text: text, columns: map[*syntax.Expr]*column{}, plan: &Plan{text: text}}
	top := b.query(q, nil)
	if b.err != nil {
		return nil, b.err
	}
	b.push(top, limits{})
	if b.err != nil {
		return nil, b.err
	}
	b.headers()
	p := b.plan
	for _, r := range b.refs {
		if err := p.add(r, text, env.Narrow); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// add unites what a reference needs with the scan of its table.
func (p *Plan) add(r *reference, text string, narrow Narrow) error {
	i := slices.IndexFunc(p.Scans, func(s *Scan) bool { return s.Table == r.table })
	if i < 0 {
		i = len(p.Scans)
		p.Scans = append(p.Scans, &Scan{Table: r.table})
	}
	s := p.Scans[i]
	s.Columns = append(s.Columns, r.needed()...)
	slices.Sort(s.Columns)
	s.Columns = slices.Compact(s.Columns)
	box, some := r.box()
	if !some && (narrow == Keys || r.described) {
		return nil
	}
	if r.form == catalog.Singular && r.table.Singular != r.table.Plural && box.Identifiers == nil {
		part := r.table.Identifier[0][1:]
		if len(r.table.Identifier) > 1 {
			part = "identifier"
		}
		return sqlerr.New(sqlerr.SyntaxError, "aws.%s.%s needs an identifier", r.table.Service, r.table.Singular).At(text, r.loc).
			WithHint("WHERE identifier = '<%s>', or read %s for all of them", part, r.table.Name())
	}
	if r.listed > 0 && box.Identifiers != nil {
		return sqlerr.New(sqlerr.FeatureNotSupported, "%s of %s is write-only: of a single resource AWS never gives it back, so no condition on it can hold",
			r.table.Columns[r.listed].Name, r.table.Name()).At(text, r.loc).WithHint("leave out the identifier or the condition on %s", r.table.Columns[r.listed].Name)
	}
	switch narrow {
	case Scope:
		box = Box{Accounts: box.Accounts, Regions: box.Regions}
	case Nothing:
		box = Box{}
	}
	for _, old := range s.Boxes {
		if old.equal(box) {
			return nil
		}
	}
	s.Boxes = append(s.Boxes, box)
	return nil
}

func (b Box) equal(o Box) bool {
	same := func(x, y Set) bool { return (x == nil) == (y == nil) && slices.Equal(x, y) }
	if !same(b.Accounts, o.Accounts) || !same(b.Regions, o.Regions) || !same(b.Identifiers, o.Identifiers) || len(b.Parents) != len(o.Parents) {
		return false
	}
	for k, v := range b.Parents {
		if w, ok := o.Parents[k]; !ok || !same(v, w) {
			return false
		}
	}
	return true
}
