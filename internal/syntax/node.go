package syntax

// A Query is one query of a tree: a SELECT block, a set operation, or the two
// halves of a recursive CTE. DuckDB's names for things are kept.
type Query struct {
	Kind QueryKind
	CTEs []*CTE

	// Of a SELECT block.
	List         []*Expr
	From         *Ref
	Where        *Expr
	GroupBy      []*Expr
	GroupingSets int  // how many; one or none is a plain GROUP BY
	GroupAll     bool // GROUP BY ALL
	Having       *Expr
	Qualify      *Expr
	Sample       bool

	// Of a set operation (UNION, EXCEPT, INTERSECT) and a recursive CTE.
	Op          string
	All, ByName bool
	Arms        []*Query

	// Of both.
	Distinct   bool
	DistinctOn []*Expr
	OrderBy    []*Expr
	Orders     []Order // OrderBy with its directions
	Limited    bool    // LIMIT or OFFSET
	Limits     []*Expr
	// Limit and Offset are nil where there is none, and for a percentage.
	Limit, Offset *Expr
	Percent       bool

	// Other holds every expression found in a place that this package does
	// not know by name, so that nothing is overlooked.
	Other []*Expr

	raw object
}

// An Order is one entry of ORDER BY, with what stands behind the expression:
// "", " DESC", " NULLS FIRST" and so on.
type Order struct {
	Expr   *Expr
	Suffix string
}

// A QueryKind tells the three forms of a Query apart.
type QueryKind uint8

const (
	Select QueryKind = iota
	SetOp
	Recursive
)

// A CTE is one entry of a WITH list.
type CTE struct {
	Name    string
	Aliases []string
	Query   *Query
	Keys    []*Expr // USING KEY
}

// A Ref is one item of a FROM clause.
type Ref struct {
	Kind    RefKind
	Loc     int // of the name, or -1
	Alias   string
	Columns []string // (a, b, c) after the alias
	Sample  bool

	Catalog, Schema, Table string // Base
	At                     *Expr  // time travel

	Sub  *Query // Derived; Show of a query
	Show string // SUMMARY, DESCRIBE, …

	// Join. Type is INNER, LEFT, RIGHT, FULL, SEMI, ANTI, SINGLE, MARK; Form is
	// REGULAR, NATURAL, CROSS, POSITIONAL, ASOF, DEPENDENT.
	Left, Right *Ref
	Type, Form  string
	Cond        *Expr
	Using       []string

	Func *Expr // TableFunc

	Source *Ref // Pivot

	// Exprs are the expressions of the other kinds: VALUES rows, a pivot's
	// aggregates and groups, and those in places not known by name.
	Exprs []*Expr
	// Inner are queries in places not known by name.
	Inner []*Query

	raw object
}

// A RefKind tells FROM items apart.
type RefKind uint8

const (
	Empty RefKind = iota
	Base
	Derived
	Join
	TableFunc
	Values
	Pivot
	ShowRef
	OtherRef
)

// An Expr is one expression.
type Expr struct {
	Class string // COLUMN_REF, CONSTANT, COMPARISON, CONJUNCTION, FUNCTION, OPERATOR, SUBQUERY, STAR, …
	Type  string // COMPARE_EQUAL, CONJUNCTION_AND, …
	Loc   int    // byte offset, or -1
	Alias string

	Names []string // COLUMN_REF
	Func  string   // FUNCTION, WINDOW, lower case
	Param string   // PARAMETER: "1", "name"

	// Of a CONSTANT.
	Value Constant

	// Args are the children in order: operands, arguments, WHEN and THEN. For
	// COMPARISON left and right; for LAMBDA the parameters and the body.
	Args []*Expr
	// Partition are a window's PARTITION BY.
	Partition []*Expr

	Sub     *Query // SUBQUERY
	SubType string // SCALAR, EXISTS, NOT_EXISTS, ANY
	Compare string // of ANY: COMPARE_EQUAL, …

	Star Star

	raw object // the decoded JSON
}

// A Constant is a literal's value.
type Constant struct {
	Type string // VARCHAR, INTEGER, BOOLEAN, …
	Null bool
	Text string // of a VARCHAR, its text; of others as JSON writes it
}

// A Star is *, t.*, or COLUMNS(…).
type Star struct {
	Relation string
	Columns  bool
	Exclude  []string
	// Replace are the names that REPLACE gives another value; Rename those
	// that RENAME gives another name.
	Replace, Rename []string
}

// Walk calls f for e and every expression below it, sub-selects apart. f says
// whether to go deeper.
func (e *Expr) Walk(f func(*Expr) bool) {
	if e == nil || !f(e) {
		return
	}
	for _, a := range e.Args {
		a.Walk(f)
	}
}
