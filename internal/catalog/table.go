package catalog

import "encoding/json"

// A Table is everything that is known of one resource type. It is what both
// SQL tables of the type (plural and singular) are made from. A decoded Table
// is shared: callers must not change it.
type Table struct {
	Type     string // AWS::Connect::User
	Service  string // connect
	Plural   string // users
	Singular string // user; equal to Plural where the language has one word

	// Columns are account_id, region, identifier, then one column for each
	// top-level property in schema order.
	Columns []Column

	// Identifier is the primary identifier: pointers below the model such as
	// "/UserArn" or "/Schedule/ScheduleId", in the order in which '|' joins
	// their values.
	Identifier []string
	// Additional are the alternative keys, each a list of pointers.
	Additional [][]string

	// Pointer lists of the schema, relative to the model ("/Arn", "/A/*/B").
	ReadOnly, WriteOnly, CreateOnly, ConditionalCreateOnly, Deprecated []string

	Create, Read, Update, Delete, List *Handler // nil where the type has none

	ListInput ListInput
	Tagging   Tagging

	// PropertyTransform maps a pointer to the JSONata expression that turns a
	// value sent into the value read back.
	PropertyTransform   map[string]string
	ReplacementStrategy string // "", delete_then_create, create_then_delete

	// Global types live in their partition's home region and are asked there
	// only.
	Global bool
	// SpansRegions says that a list may name resources of other regions; a
	// Get in the right region decides.
	SpansRegions bool

	// Root is the type's model: an object whose Properties are in schema order.
	Root *Node
	// Definitions are the targets of "#/definitions/X" references.
	Definitions map[string]*Node

	byName map[string]int `codec:"-"` // columns by every accepted name in lower case, made by Catalog

	// Description is empty in the embedded catalog, which holds facts only.
	Description string
	// Aliases are further names of columns: column name to alias.
	Aliases map[string]string

	// Records says that the rows are records of Cloud Control's own, and not
	// resources: they change by themselves, and what reads them isn't what
	// reads resources.
	Records bool `codec:"-"`
	// openEnd: the last part of the identifier may hold the bar that joins them.
	openEnd bool `codec:"-"`
}

// A Column is one column of a table.
type Column struct {
	Name     string // user_arn
	Property string // UserArn; empty for account_id, region and identifier
	Type     ColumnType
	// Datatype is what documentation calls it: string, integer, number,
	// boolean, object or array.
	Datatype string

	Required       bool
	IdentifierPart bool
	ReadOnly       bool // whole or a parent of it
	WriteOnly      bool // whole
	CreateOnly     bool
	Deprecated     bool

	Node        *Node  `codec:"-"` // nil for the three leading columns
	Description string // only in an updated catalog
}

// A ColumnType is the SQL type of a column.
type ColumnType uint8

const (
	JSON ColumnType = iota
	Varchar
	BigInt
	Double
	Boolean
	VarcharList
	BigIntList
	DoubleList
	BooleanList
)

// String gives the type as DuckDB writes it.
func (t ColumnType) String() string {
	return [...]string{"JSON", "VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR[]", "BIGINT[]", "DOUBLE[]", "BOOLEAN[]"}[t]
}

// Elem gives a list type's element type, and whether t is a list at all.
func (t ColumnType) Elem() (ColumnType, bool) {
	if t < VarcharList {
		return t, false
	}
	return t - VarcharList + Varchar, true
}

// A Handler is one of Cloud Control's operations on a type.
type Handler struct {
	Permissions      []string
	TimeoutInMinutes int // 0: not said (120)
}

// Tagging is the schema's tagging block, its defaults filled in.
type Tagging struct {
	Taggable, TagOnCreate, TagUpdatable, SystemTags bool
	Property                                        string // pointer, "/Tags"; empty when not taggable
	Permissions                                     []string
}

// ListInput says what ListResources wants in its ResourceModel.
type ListInput struct {
	// Required are the pointers that a list call must be given ("/InstanceArn").
	// Empty: the type lists without input.
	Required []string
	// Optional are pointers that may be given.
	Optional []string
	// OneOf are alternatives, of which one whole set must be given (in
	// addition to Required); empty for most types. The parents below satisfy one.
	OneOf [][]string

	// Fixed are the values to run through for a pointer (an enum's).
	Fixed map[string][]string
	// HomeOnly are those of the fixed values that only the home region takes.
	HomeOnly map[string][]string
	// Account are the pointers that take the caller's account id.
	Account []string
	// Parents are where the remaining values come from when a statement does
	// not give them. Every parent is run and the results are united; all
	// values of one call come from one row of one parent. A parent of the
	// table's own type means: each row found is a parent in turn.
	Parents []Parent
	// Unknown is the reason why the values cannot be found by skyql, ready
	// for an error message; empty when they can.
	Unknown string

	// DefaultParentOnly: listing without input works but covers one default
	// parent only, so it is listed under each of Parents instead.
	DefaultParentOnly bool
}

// A Parent gives list keys from the rows of another type.
type Parent struct {
	Type string
	Give []Gift
}

// A Gift is one value of a parent row, put into the child's list model. Both
// are pointers below the model; From may hold '*' for array elements, each
// of which makes a call of its own.
type Gift struct{ To, From string }

// A Node is one JSON schema of a type's model, reduced to what it says about
// values. References are kept: follow them with Table.Resolve, and mind that
// some types are recursive.
type Node struct {
	Ref   string   // "#/definitions/Tag"; empty for most
	Types []string // string, integer, number, boolean, object, array; may be empty

	Properties        []Property // in schema order
	PatternProperties []Property // Name is the pattern; a map
	// Open says that an object may have properties that are not listed.
	Open     bool
	Required []string

	Items                *Node
	MinItems, MaxItems   *int
	UniqueItems          bool
	InsertionOrder       *bool
	ArrayType            string // AttributeList
	MinProps, MaxProps   *int
	OneOf, AnyOf, AllOf  []*Node
	Enum                 []json.RawMessage
	Const                json.RawMessage
	Default              json.RawMessage
	Pattern, Format      string
	MinLength, MaxLength *int
	Minimum, Maximum     *json.Number
	ExclusiveMinimum     *json.Number
	ExclusiveMaximum     *json.Number
	MultipleOf           *json.Number
	// Dependencies: when the named property is there, so must these be (names),
	// or the value must match the schema.
	Dependencies map[string]Dependency

	// Relationships are the relationshipRef entries: what the value refers to.
	Relationships []Relationship

	Description string // only in an updated catalog
}

// A Property is a named member of an object schema.
type Property struct {
	Name string
	Node *Node
}

// A Dependency is one entry of a schema's dependencies keyword.
type Dependency struct {
	Names  []string
	Schema *Node
}

// A Relationship is a property's reference to another type.
type Relationship struct{ Type, Pointer string }
