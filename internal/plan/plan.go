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
	"maps"
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

	// Regions are the constants that the statement compares a table's region
	// with, by where the comparison stands in the text; -1 if that is not the
	// user's.
	Regions []RegionUse
	// Unused are the conditions that narrow nothing, for EXPLAIN.
	Unused []Unused
	// Apart are references whose text reads Settings, which must be there.
	Apart []Apart

	text  string
	names []syntax.Edit // tables, columns and headers
	paths []*pathUse
}

// A RegionUse is a constant that a region column is compared with.
type RegionUse struct {
	Name string
	Pos  int
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
	// box at all: no call is made. Those of a scan with Bindings are complete
	// after Bind.
	Boxes []Box
	// Stage is when the scan can be fetched: after all scans of lower stages.
	Stage int
	// Bindings say whose values narrow the scan, for EXPLAIN.
	Bindings []Binding
	// Mentions may speak of accounts and regions that the settings leave out.
	Mentions []Mention

	refs []*reference
}

// A Binding is a key of a scan whose values another scan, or a local table, gives.
type Binding struct {
	Columns []int  // of the scan's table
	From    *Scan  // nil: a local table
	Source  []int  // columns of From's table
	Query   string // gives the tuples of values
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

	// InAccounts and InRegions narrow inside the scope, whatever that is: they
	// come from values, not from the statement's text. Nil: no bound.
	InAccounts, InRegions Set
	// Bound says that the Identifiers are values of another scan: where they are
	// many, listing may cost less. Found says that they are values of any table,
	// local ones too: one that AWS calls malformed is no resource, where one that
	// the statement itself gives is a mistake to be told.
	Bound, Found bool
	// In bounds columns that every list row has: account, region, identifier
	// and the columns that it is made of.
	In map[int]Set
	// Filters all hold for the resources that matter.
	Filters []Filter
	// Limit is how many resources that pass the Filters are enough; 0: all.
	// With Order, an ORDER BY over columns that every list row has, it must be
	// the first ones.
	Limit int
	Order string
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
	// Text writes a tree as SQL.
	Text func(tree []byte) (string, error)
	// Scalar says whether all functions are scalar ones that always give the
	// same; Pure whether they are, or readers of files, or aggregates that give
	// the same in whichever order rows come.
	Scalar, Pure func(functions []string) bool
	// Columns describes a query that reads no cloud table; ok is false where
	// that fails, and where text in it may compare by a collation.
	Columns func(sql string) ([]Column, bool)
	// Ordered says whether DuckDB keeps the order of a table's or a file's rows.
	Ordered func() bool
	// Values gives the distinct rows of text of a query that reads no cloud
	// table; ok is false if there are too many.
	Values func(sql string) (rows [][]string, ok bool)
	// Inside reports whether accounts, and regions, are all among those that
	// the settings cover; nil, for either, is. False where that can't be told.
	Inside func(accounts, regions Set) bool
	// Explain asks for Plan.Unused.
	Explain bool
	// Probe is nil but in tests of planning.
	Probe *Probe
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

// A Column is one column of a query.
type Column struct{ Name, Type string }

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
	b, err := bind(q, text, env, nil)
	if err != nil {
		return nil, err
	}
	if apart := b.apart(); len(apart) > 0 {
		if b, err = bind(q, text, env, apart); err != nil {
			return nil, err
		}
	}
	b.headers()
	for _, r := range b.refs {
		b.add(r)
	}
	b.order()
	for _, s := range b.plan.Scans {
		for _, r := range s.refs {
			if err := b.checkKeys(r); err != nil {
				return nil, err
			}
		}
		b.box(s)
		for _, r := range s.refs {
			s.Mentions = append(s.Mentions, r.told()...)
		}
	}
	return b.plan, nil
}

// bind finds what the names of a statement mean, and what bounds them. apart are
// the references that are written as what of their table lies in the settings.
func bind(q *syntax.Query, text string, env *Env, apart []Apart) (*binder, error) {
	b := &binder{env: env, text: text, columns: map[*syntax.Expr]*column{}, outer: map[*syntax.Expr]*column{}, blocks: map[*syntax.Query]*block{},
		plan: &Plan{text: text, Apart: apart}, keptApart: apart}
	top := b.query(q, nil)
	if b.err == nil {
		b.push(top, limits{})
	}
	return b, b.err
}

// None is the plan of a text that reads nothing.
func None(text string) *Plan { return &Plan{text: text} }

// Edit adds edits of the text to those that the plan makes.
func (p *Plan) Edit(edits ...syntax.Edit) { p.names = append(p.names, edits...) }

// add unites what a reference needs with the scan of its table.
func (b *binder) add(r *reference) {
	p := b.plan
	i := slices.IndexFunc(p.Scans, func(s *Scan) bool { return s.Table == r.table })
	if i < 0 {
		i = len(p.Scans)
		p.Scans = append(p.Scans, &Scan{Table: r.table})
	}
	s := p.Scans[i]
	s.Columns = append(s.Columns, r.needed()...)
	slices.Sort(s.Columns)
	s.Columns = slices.Compact(s.Columns)
	if _, some := r.box(nil); !some && (b.env.Narrow == Keys || r.described) {
		return
	}
	if n := len(r.needed()); n > 0 && !b.keeps(RuleColumns) {
		last := r.needed()[n-1]
		s.Columns = slices.DeleteFunc(s.Columns, func(c int) bool { return c == last })
	}
	if len(s.refs) == 0 || b.keeps(RuleTableUnion) {
		s.refs = append(s.refs, r)
	}
}

// checkKeys refuses a reference that lacks the keys which its form or its
// conditions ask for.
func (b *binder) checkKeys(r *reference) error {
	box, some := r.box(nil)
	if !some { // contradictions, or local values that turned out to be none
		return nil
	}
	if r.form == catalog.Singular && r.table.Singular != r.table.Plural && box.Identifiers == nil {
		part := r.table.Identifier[0][1:]
		if len(r.table.Identifier) > 1 {
			part = "identifier"
		}
		return sqlerr.New(sqlerr.SyntaxError, "aws.%s.%s needs an identifier", r.table.Service, r.table.Singular).At(b.text, r.loc).
			WithHint("WHERE identifier = '<%s>', or read %s for all of them", part, r.table.Name())
	}
	if r.listed > 0 && box.Identifiers != nil {
		return sqlerr.New(sqlerr.FeatureNotSupported, "%s of %s is write-only: of a single resource AWS never gives it back, so no condition on it can hold",
			r.table.Columns[r.listed].Name, r.table.Name()).At(b.text, r.loc).WithHint("leave out the identifier or the condition on %s", r.table.Columns[r.listed].Name)
	}
	return nil
}

// box gives a scan the boxes of its references, as far as they are known.
func (b *binder) box(s *Scan) {
	for _, r := range s.refs {
		if len(r.chosen) > 0 {
			continue
		}
		box, some := r.box(nil)
		switch b.env.Narrow {
		case Scope:
			box = Box{Accounts: box.Accounts, Regions: box.Regions}
		case Nothing:
			box = Box{}
		default:
			if !some {
				continue
			}
			if box.Identifiers == nil && (len(s.refs) == 1 || !b.keeps(RuleEnoughOnce)) {
				box.Limit, box.Order = r.limit, r.order
			}
		}
		s.put(box)
	}
}

// put adds a box that is not there yet.
func (s *Scan) put(box Box) {
	if !slices.ContainsFunc(s.Boxes, box.equal) {
		s.Boxes = append(s.Boxes, box)
	}
}

func (b Box) equal(o Box) bool {
	same := func(x, y Set) bool { return (x == nil) == (y == nil) && slices.Equal(x, y) }
	sameIn := func(x, y map[int]Set) bool { return maps.EqualFunc(x, y, same) }
	return same(b.Accounts, o.Accounts) && same(b.Regions, o.Regions) && same(b.Identifiers, o.Identifiers) && maps.EqualFunc(b.Parents, o.Parents, same) &&
		same(b.InAccounts, o.InAccounts) && same(b.InRegions, o.InRegions) && b.Bound == o.Bound && b.Found == o.Found && sameIn(b.In, o.In) &&
		slices.EqualFunc(b.Filters, o.Filters, func(x, y Filter) bool { return x.SQL == y.SQL }) && b.Limit == o.Limit && b.Order == o.Order
}
