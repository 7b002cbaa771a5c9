package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Name gives the full name of the plural table: aws.connect.users.
func (t *Table) Name() string { return "aws." + t.Service + "." + t.Plural }

// nameColumns fills byName: columns, properties as AWS spells them, names in
// use elsewhere. A column's own name wins over another's alias.
func (t *Table) nameColumns() {
	add := func(name string, i int) {
		if _, taken := t.byName[strings.ToLower(name)]; !taken {
			t.byName[strings.ToLower(name)] = i
		}
	}
	for i, c := range t.Columns {
		add(c.Name, i)
	}
	if !slices.Contains(slices.Collect(maps.Values(t.Aliases)), "data__Identifier") {
		add("data__Identifier", 2)
	}
	for i, c := range t.Columns {
		if c.Property != "" {
			add(c.Property, i)
		}
		if a, ok := t.Aliases[c.Name]; ok {
			add(a, i)
		}
	}
}

// Column finds a column by its name, its property's name as AWS spells it, or
// a name in use elsewhere, in any letter case. The result indexes Columns.
func (t *Table) Column(name string) (int, bool) {
	i, ok := t.byName[strings.ToLower(name)]
	return i, ok
}

// IdentifierColumns are the columns whose values stand in the identifier, in
// its order. Parts below the top level have none.
func (t *Table) IdentifierColumns() []int {
	var out []int
	for _, p := range t.Identifier {
		for i, c := range t.Columns {
			if c.Property != "" && "/"+c.Property == p {
				out = append(out, i)
			}
		}
	}
	return out
}

// Free reports whether a column is known from any list row: account_id,
// region, identifier, and the columns whose values stand in the identifier.
func (t *Table) Free(column int) bool {
	return column < 3 || slices.Contains(t.Identifier, "/"+t.Columns[column].Property)
}

// ListKey reports whether a list can be given a column's value, so that what
// was listed is known to have it.
func (t *Table) ListKey(column int) bool {
	at := "/" + t.Columns[column].Property
	in := t.ListInput
	return slices.Contains(in.Required, at) || slices.Contains(in.Optional, at) ||
		slices.ContainsFunc(in.OneOf, func(set []string) bool { return slices.Contains(set, at) })
}

// SplitIdentifier gives the parts of an identifier in the schema's order. One
// part is never split. With n parts and more than n-1 bars there is no safe
// answer, and so it is an error. The JSON form is taken too.
func (t *Table) SplitIdentifier(id string) ([]string, error) {
	n := len(t.Identifier)
	if strings.HasPrefix(id, "{") {
		if parts, ok := t.splitJSON(id); ok {
			return parts, nil
		}
	}
	if n == 1 {
		return []string{id}, nil
	}
	parts := strings.Split(id, "|")
	if t.openEnd {
		parts = strings.SplitN(id, "|", n)
	}
	if len(parts) != n {
		return nil, fmt.Errorf("identifier %q of %s has %d parts, not %d", id, t.Type, len(parts), n)
	}
	return parts, nil
}

func (t *Table) splitJSON(id string) ([]string, bool) {
	var o map[string]any
	if json.Unmarshal([]byte(id), &o) != nil || len(o) != len(t.Identifier) {
		return nil, false
	}
	var parts []string
	for _, p := range t.Identifier {
		v, ok := o[p[strings.LastIndexByte(p, '/')+1:]]
		if !ok {
			v, ok = o["/properties"+p]
		}
		if !ok {
			return nil, false
		}
		parts = append(parts, fmt.Sprint(v))
	}
	return parts, true
}

// JoinIdentifier gives the text form; the JSON form where a part holds the bar
// that would join it, for which no escape is defined.
func (t *Table) JoinIdentifier(parts []string) string {
	closed := parts
	if t.openEnd {
		closed = parts[:len(parts)-1]
	}
	if len(parts) > 1 && slices.ContainsFunc(closed, func(p string) bool { return strings.Contains(p, "|") }) {
		o := map[string]string{}
		for i, p := range t.Identifier {
			o[p[strings.LastIndexByte(p, '/')+1:]] = parts[i]
		}
		out, err := json.Marshal(o)
		if err == nil {
			return string(out)
		}
	}
	return strings.Join(parts, "|")
}

// A Leaf is where a dot path below a column leads.
type Leaf struct {
	Path []string // member names as AWS spells them, map keys as given
	Type ColumnType
	// Known is false where the schema says nothing: free JSON.
	Known bool
}

// An UnknownMember is a name that a closed object doesn't have.
type UnknownMember struct {
	Name   string
	Object string // the column and path down to the object
	Near   []string
}

func (e *UnknownMember) Error() string { return fmt.Sprintf("%s has no member %q", e.Object, e.Name) }

// Leaf follows a path of member names, in AWS's spelling or in snake case,
// below a column. The error is an *UnknownMember.
func (t *Table) Leaf(column int, path []string) (Leaf, error) {
	c := t.Columns[column]
	n := t.Resolve(c.Node)
	leaf := Leaf{Type: c.Type, Known: true}
	for i, name := range path {
		object := strings.Join(append([]string{c.Name}, leaf.Path...), ".")
		if e := t.memberless(n, object, name); e != nil {
			return leaf, e
		}
		next, spelled, known, near := t.member(n, name)
		if near != nil {
			return leaf, &UnknownMember{name, object, near}
		}
		if !known {
			return Leaf{Path: append(leaf.Path, path[i:]...), Type: JSON}, nil
		}
		leaf.Path = append(leaf.Path, spelled)
		leaf.Type, _ = t.sqlType(next)
		n = t.Resolve(next)
	}
	return leaf, nil
}

// memberless is the error of a path that goes on below a list or a scalar, which
// DuckDB would read as NULL; nil where the schema has anything else. Near then
// says how a list is asked.
func (t *Table) memberless(n *Node, object, name string) *UnknownMember {
	if n == nil || len(n.Types) != 1 || n.Types[0] == "object" {
		return nil
	}
	if n.Types[0] != "array" {
		return &UnknownMember{name, fmt.Sprintf("%s, a %s,", object, n.Types[0]), nil}
	}
	quoted := "'" + strings.ReplaceAll(name, "'", "''") + "'"
	how := fmt.Sprintf("json_each(%s) x in FROM, and x.value->>%s", object, quoted)
	if item := t.Resolve(n.Items); item != nil && isTag(item) {
		how = fmt.Sprintf("tag(%s, %s)", object, quoted)
	}
	return &UnknownMember{name, object + ", a list,", []string{how}}
}

// isTag reports whether an object is a tag: a key and a value.
func isTag(n *Node) bool {
	has := func(name string) bool {
		return slices.ContainsFunc(n.Properties, func(p Property) bool { return strings.EqualFold(p.Name, name) })
	}
	return has("Key") && has("Value")
}

// member finds a member of an object schema. near is not nil when the object
// is closed and has no such member.
func (t *Table) member(n *Node, name string) (next *Node, spelled string, known bool, near []string) {
	if n == nil || len(n.Types) > 1 || len(n.Types) == 1 && n.Types[0] != "object" ||
		len(n.Properties) > 0 && len(n.OneOf)+len(n.AnyOf)+len(n.AllOf) > 0 && n.Open {
		return nil, "", false, nil
	}
	for _, match := range []func(string) bool{
		func(p string) bool { return p == name },
		func(p string) bool { return strings.EqualFold(p, name) },
		func(p string) bool { return strings.EqualFold(Snake(p), name) },
	} {
		for _, p := range n.Properties {
			if match(p.Name) {
				return p.Node, p.Name, true, nil
			}
		}
	}
	if len(n.PatternProperties) == 1 {
		return n.PatternProperties[0].Node, name, true, nil
	}
	if len(n.Properties) == 0 || n.Open || len(n.PatternProperties) > 0 {
		return nil, "", false, nil
	}
	var names []string
	for _, p := range n.Properties {
		names = append(names, p.Name)
	}
	near = Nearest(name, names)
	if near == nil {
		near = []string{}
	}
	return nil, "", false, near
}

// Distance is the number of letters to change, add or drop to get from a to b.
func Distance(a, b string) int { return levenshtein.Distance(a, b, nil) }

// Nearest gives the names that are most like one, at most three, nearest
// first; none if none is really near.
func Nearest(name string, names []string) []string {
	type scored struct {
		name string
		d    int
	}
	want := fold(name)
	var near []scored
	for _, n := range names {
		have := fold(n)
		d := Distance(want, have)
		limit := max(1, min(len(want), len(have))/3)
		if len(want) >= 4 && (strings.HasPrefix(have, want) || strings.HasSuffix(have, want) || strings.HasPrefix(want, have) && len(have) >= 4) {
			d = min(d, limit)
		}
		if d <= limit {
			near = append(near, scored{n, d})
		}
	}
	slices.SortStableFunc(near, func(a, b scored) int { return a.d - b.d })
	var out []string
	for _, s := range near[:min(3, len(near))] {
		out = append(out, s.name)
	}
	return out
}

// fold leaves out what people forget or add.
func fold(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "") }

// NearColumns gives the columns with a name like one.
func (t *Table) NearColumns(name string) []string {
	var names []string
	for _, c := range t.Columns {
		names = append(names, c.Name)
	}
	return Nearest(name, names)
}

// NearServices gives the services with a name like one.
func (c *Catalog) NearServices(name string) []string { return Nearest(name, c.Services()) }

// NearTables gives full names of tables like one: what Steampipe calls it, else
// of the service if it has any, else of all services, those first that have one
// of the very name.
func (c *Catalog) NearTables(service, table string) []string {
	if name, ok := c.joined(table); ok {
		return []string{name}
	}
	near := c.nearIn(service, table)
	if service == "" || len(near) == 0 {
		if same := c.named(table); len(same) > 0 {
			return same
		}
	}
	if len(near) == 0 && service != "" {
		return c.nearIn("", table)
	}
	return near
}

func (c *Catalog) nearIn(service, table string) []string {
	var names []string
	full := map[string]string{}
	for _, e := range c.Entries(service) {
		for _, n := range []string{e.Plural, e.Singular} {
			if _, ok := full[n]; !ok {
				names = append(names, n)
			}
			full[n] = "aws." + e.Service + "." + n
		}
	}
	var out []string
	for _, n := range Nearest(table, names) {
		out = append(out, full[n])
	}
	return out
}

// mostNamed is how many tables of one name are told.
const mostNamed = 6

// named gives the tables of a name in any service; those that can be listed
// first, and of a singular name the plural.
func (c *Catalog) named(table string) []string {
	var listed, rest []string
	for _, e := range c.Entries("") {
		switch {
		case fold(e.Plural) != fold(table) && fold(e.Singular) != fold(table):
		case e.Listable:
			listed = append(listed, e.Name())
		default:
			rest = append(rest, e.Name())
		}
	}
	out := append(listed, rest...)
	return out[:min(mostNamed, len(out))]
}

// joined finds the table that Steampipe calls aws_ec2_instance, with or without
// its aws_.
func (c *Catalog) joined(name string) (string, bool) {
	name = strings.TrimPrefix(strings.ToLower(name), "aws_")
	for i := range len(name) {
		if name[i] != '_' {
			continue
		}
		if e, form, ok := c.Lookup(fold(name[:i]), name[i+1:]); ok && form <= Singular {
			return e.Name(), true
		}
	}
	return "", false
}
