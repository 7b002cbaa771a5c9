package change

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/sqlerr"
)

// An Intent is one resource before and after a statement, or a transaction.
type Intent struct {
	Table           *catalog.Table
	Account, Region string
	// Identifier is Cloud Control's. Of a resource to be made it is the one
	// composed of the parts that the caller chooses, or a placeholder that
	// begins with "~".
	Identifier string
	// Before are the properties as read, an object; nil: there is no such
	// resource. After are the properties as wanted; nil: it is to go. A
	// property that is null or missing in After is left out of a creation, and
	// removed by an update. Write-only values are in After where the statement
	// gives them: Before never has any.
	Before, After json.RawMessage
	// Set are the top-level properties that the statement sets, as AWS spells
	// them. It tells a write-only value that is set to NULL from one that is
	// not set; nil is as good where there is none.
	Set []string
	// Patch is a document given by the user: it makes After of Before and is
	// sent as it is. After is then ignored.
	Patch json.RawMessage
	// ReadAt is when Before was read. Of a resource to be made it is when its
	// like were looked at; zero: they weren't.
	ReadAt time.Time
}

// Placeholder begins the identifier of a resource that AWS has yet to name.
const Placeholder = "~"

// A Place is where a change set goes. All of it has to be the same when the set
// is gone on with.
type Place struct {
	// Endpoint is the one given instead of AWS's own, or "".
	Endpoint string `json:"endpoint,omitempty"`
	// Sandbox says that the endpoint is a sandbox, of a world that is known by
	// its state folder rather than by its port.
	Sandbox   bool   `json:"sandbox,omitempty"`
	Partition string `json:"partition,omitempty"` // aws, aws-cn, aws-us-gov
	Profile   string `json:"profile,omitempty"`   // shown, not compared
	Account   string `json:"account,omitempty"`   // the credentials' own
}

// Differs says in which way another place is not the same, or "".
func (p Place) Differs(q Place) string {
	name := func(p Place) string {
		switch {
		case p.Sandbox:
			return "the sandbox"
		case p.Endpoint != "":
			return p.Endpoint
		}
		return "AWS"
	}
	switch {
	case name(p) != name(q):
		return fmt.Sprintf("it belongs to %s, and this is %s", name(p), name(q))
	case p.Partition != q.Partition && p.Partition != "" && q.Partition != "":
		return fmt.Sprintf("it belongs to the partition %s, and this is %s", p.Partition, q.Partition)
	case p.Account != q.Account && p.Account != "" && q.Account != "":
		return fmt.Sprintf("it belongs to account %s, and these are the credentials of %s", p.Account, q.Account)
	}
	return ""
}

// An Action is what happens to a resource.
type Action byte

// Actions print as the plan shows them. Replace is one resource deleted and
// made anew, in the order that its type's replacementStrategy says.
const (
	Create  Action = '+'
	Update  Action = '~'
	Delete  Action = '-'
	Replace Action = '/'
)

func (a Action) String() string {
	if a == Replace {
		return "-/+"
	}
	return string(a)
}

// A Change is one resource's way from before to after.
type Change struct {
	Number          int // in its set, from 1
	Action          Action
	Table           *catalog.Table
	Account, Region string
	Identifier      string // may be a placeholder, see Intent
	Name            string // what people call it; "" where nothing tells
	// Before and After are as in Intent, without what only AWS writes in the
	// After of something made.
	Before, After json.RawMessage
	Differences   []Difference
	// Unknown are paths whose values AWS rewrites by a rule that isn't
	// evaluated here: they may be as wanted already, and aren't sent.
	Unknown []string
	// Patch is what an update sends.
	Patch []Operation
	// Given says that the patch is the user's own.
	Given  bool
	ReadAt time.Time

	rules         *rules
	before, after map[string]any
	diffs         []diff
	given         json.RawMessage // the user's patch, byte for byte
	missing       [][]string      // secrets that are not known (again)
	creates       bool            // Replace: create_then_delete
}

// Known reports whether a change's identifier is AWS's own and not a
// placeholder.
func (c *Change) Known() bool {
	return c.Identifier != "" && !strings.HasPrefix(c.Identifier, Placeholder)
}

// String names the change: aws.connect.users abara.
func (c *Change) String() string {
	return strings.TrimSpace(c.Table.Name() + " " + c.label())
}

func (c *Change) label() string {
	switch {
	case c.Name != "":
		return printable(c.Name)
	case c.Known():
		return printable(c.Identifier)
	}
	id, _ := c.rules.compose(c.after)
	return printable(id)
}

// A Set is all changes of one statement or transaction, in an order in which
// they can be made.
type Set struct {
	ID      string // 20261123-7; "" until it is in the journal
	Place   Place
	Made    time.Time
	Undoes  string // the id of the set that this one takes back; "" for none
	Changes []*Change
	// Warnings are what the schema has against the values and AWS may not.
	Warnings Problems

	needs [][]int // for each change the indices of those that come first
}

// Options say how strictly intents are held to the schema.
type Options struct {
	Strict bool // warnings are errors: checks = 'strict'
	// Replace allows to delete and make anew what can't be updated:
	// SET replace = 'allow'.
	Replace bool
}

// New checks intents and makes a change set of those that change anything,
// ordered so that what others refer to comes first. The error is an
// *sqlerr.Error; where the schema is why, its cause is Problems.
func New(at Place, intents []Intent, o Options) (*Set, error) {
	s := &Set{Place: at, Made: time.Now()}
	problems, book := Problems{}, ruleBook{}
	var of []int // for each change the index of its intent
	for i, in := range intents {
		c, p := read(book, i, in, o)
		problems = append(problems, p...)
		if c != nil && c.changes() {
			s.Changes, of = append(s.Changes, c), append(of, i)
		}
	}
	problems = append(problems, knownLater(book, intents)...)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if err := s.once(); err != nil {
		return nil, err
	}
	s.Warnings = append(problems, s.namesakes(of)...)
	if err := s.order(); err != nil {
		return nil, err
	}
	return s, nil
}

// once refuses a resource that is changed twice in a set.
func (s *Set) once() error {
	seen := map[[4]string]bool{}
	for _, c := range s.Changes {
		id := c.Identifier
		if !c.Known() {
			var chosen bool
			if id, chosen = c.rules.compose(c.after); !chosen {
				continue
			}
		}
		making := "changed"
		if c.Action == Create {
			making = "made"
		}
		key := [4]string{making + c.Table.Type, c.Account, c.Region, id}
		if seen[key] {
			return refuse("%s is %s twice", c, making)
		}
		seen[key] = true
	}
	return nil
}

// namesakes warns of new resources with the same name, of which AWS chooses the
// identifiers: a source with a row twice makes them, and most services refuse
// the second.
func (s *Set) namesakes(of []int) (out Problems) {
	seen := map[[4]string]bool{}
	for i, c := range s.Changes {
		name := c.rules.givenName(c.after)
		if c.Action != Create || name == "" || c.Known() {
			continue
		}
		key := [4]string{c.Table.Type, c.Account, c.Region, name}
		if seen[key] {
			out = append(out, Problem{Intent: of[i], Kind: Unguarded, Warning: true, Table: c.Table.Name(), Resource: printable(name), Rule: "is the name of more than one of the new resources"})
		}
		seen[key] = true
	}
	return out
}

// Check holds intents against the schema: every rule, all at once, warnings
// too. New does the same; this is for who wants to know only.
func Check(intents []Intent, o Options) Problems {
	out, book := Problems{}, ruleBook{}
	for i, in := range intents {
		_, p := read(book, i, in, o)
		out = append(out, p...)
	}
	return append(out, knownLater(book, intents)...)
}

// read makes a change of an intent, and checks it.
func read(book ruleBook, i int, in Intent, o Options) (*Change, Problems) {
	k := &checker{intent: i, in: in, options: o, rules: book.of(in.Table)}
	before, after := k.parsed("before", in.Before), k.parsed("after", in.After)
	if in.Patch != nil {
		after = k.patched(before)
	} else {
		k.tidy(in.Table.Root, after)
	}
	if len(k.problems) > 0 {
		return nil, k.problems
	}
	c := &Change{Table: in.Table, Account: in.Account, Region: in.Region, Identifier: in.Identifier, ReadAt: in.ReadAt,
		Given: in.Patch != nil, given: in.Patch, rules: k.rules, before: before, after: after}
	switch {
	case before == nil && after == nil:
		return nil, nil
	case before == nil:
		c.Action = Create
		k.create(after)
	case after == nil:
		c.Action = Delete
		k.delete()
	default:
		c.update(k)
	}
	c.finish()
	return c, k.problems
}

// update finds the differences, and whether an update can make them.
func (c *Change) update(k *checker) {
	c.Action = Update
	d := c.rules.differences(c.before, c.after)
	c.diffs = d.found
	for _, at := range d.unknown {
		c.Unknown = append(c.Unknown, c.rules.path(at))
	}
	k.notSent(d)
	k.unset(c.after)
	if len(c.diffs) == 0 && !c.Given {
		return
	}
	if k.update(c.before, c.after, c.diffs) {
		c.Action = Replace
		c.creates = c.Table.ReplacementStrategy == "create_then_delete"
		c.after = c.rules.creatable(c.after)
		k.lost(c.after)
		k.create(c.after)
	}
}

// changes reports whether there is anything to do.
func (c *Change) changes() bool {
	return c.Action != Update || len(c.diffs) > 0 || c.Given
}

// finish fills in what is shown.
func (c *Change) finish() {
	if c.before != nil {
		c.Before = encode(c.before)
	}
	if c.after != nil {
		c.After = encode(c.after)
	}
	c.Name = c.rules.name(c.after)
	if c.Name == "" {
		c.Name = c.rules.name(c.before)
	}
	if c.Action == Create {
		c.diffs = c.rules.differences(nil, c.after).found
	}
	c.Differences = nil
	for _, d := range c.diffs {
		c.Differences = append(c.Differences, c.rules.shown(d, c.before, c.after))
	}
	if c.Action == Update && c.given == nil {
		c.Patch = c.rules.patch(c.before, c.diffs)
	}
}

// creatable leaves out of a read model what only AWS writes.
func (r *rules) creatable(model map[string]any) map[string]any {
	out := cloneModel(model)
	var strip func(v any, at []string) bool
	strip = func(v any, at []string) bool {
		if r.readOnly.covers(at) {
			return true
		}
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				if strip(x, extend(at, k)) || r.taggedAt(at) && isSystemTag(k) {
					delete(v, k)
				}
			}
			// An object of which AWS wrote everything was never given.
			return len(v) == 0 && len(at) > 0 && r.readOnly.below(at)
		case []any:
			for i, x := range v {
				strip(x, extend(at, fmt.Sprint(i)))
			}
		}
		return false
	}
	strip(out, nil)
	if tags, ok := lookup(out, r.tags); ok && r.tags != nil {
		if list, ok := tags.([]any); ok {
			replaceAt(out, r.tags, without(list, isSystemElement))
		}
	}
	return out
}

func (r *rules) taggedAt(at []string) bool { return comparison{rules: r}.tagged(at) }

// name finds what people call a resource: its name, else a name that is part of
// its identifier, else its Name tag.
func (r *rules) name(model map[string]any) string {
	if s := r.givenName(model); s != "" {
		return s
	}
	for _, p := range r.identifier {
		if len(p) == 1 && strings.HasSuffix(p[0], "Name") {
			if s, ok := model[p[0]].(string); ok && s != "" {
				return s
			}
		}
	}
	if r.tags == nil {
		return ""
	}
	switch tags, _ := lookup(model, r.tags); tags := tags.(type) {
	case map[string]any:
		s, _ := tags["Name"].(string)
		return s
	case []any:
		for _, e := range tags {
			if k, ok := tagKey(e); ok && k == "Name" {
				s, _ := e.(map[string]any)["Value"].(string)
				return s
			}
		}
	}
	return ""
}

// givenName finds the name that a resource itself was given: Name, or what its
// type's name ends with, such as GroupName of a SecurityGroup.
func (r *rules) givenName(model map[string]any) string {
	resource, shown := r.resource(), ""
	for _, p := range r.table.Root.Properties {
		stem, ok := strings.CutSuffix(folded(p.Name), "name")
		s, _ := model[p.Name].(string)
		switch {
		case !ok || s == "":
		case strings.HasSuffix(resource, stem) || stem == "user":
			return s
		case shown == "" && (stem == "display" || stem == "friendly"):
			shown = s
		}
	}
	return shown
}

// Problems as an error of New carry on to errors.As.
var _ error = Problems(nil)

// refuse is an error of the user's that this package finds.
func refuse(format string, args ...any) *sqlerr.Error {
	return sqlerr.New(sqlerr.InvalidParameter, format, args...)
}
