package session

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/skyql/skyql/internal/anytype"
	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/plan"
	"github.com/skyql/skyql/internal/sqlerr"
)

// What is wanted of a resource is kept by its own type, whichever table it was
// said of: a transaction sees it in both, and it is checked, planned and
// journaled as what it is. A row of aws.cloud_control.resources is a view.

// anyTypes gives the tables of types that may be in no archive.
type anyTypes struct{ *catalog.Catalog }

func (a anyTypes) Table(name string) (*catalog.Table, error) { return a.Any(name) }

// keyOf names the resource that a row of a table is.
func keyOf(t *catalog.Table, account, region, identifier string) rowKey {
	if t.Type == catalog.ResourceType {
		if typ, id, ok := anytype.Split(identifier); ok {
			return rowKey{typ, account, region, id}
		}
	}
	return rowKey{t.Type, account, region, identifier}
}

// rowOf gives the identifier and the properties of a resource in a table.
func rowOf(t *catalog.Table, k rowKey, properties json.RawMessage) (string, json.RawMessage) {
	if t.Type != catalog.ResourceType {
		return k.identifier, properties
	}
	return anytype.Join(k.typ, k.identifier), anytype.Properties(k.typ, k.identifier, properties)
}

// ownProperties are a resource's own, of a row of a table.
func ownProperties(t *catalog.Table, row json.RawMessage) json.RawMessage {
	if t.Type != catalog.ResourceType {
		return row
	}
	return json.RawMessage(gjson.GetBytes(row, "Properties").Raw)
}

// recentIn gives the identifier in a scan's table of something that was made
// lately, if the scan may list it.
func recentIn(sc *plan.Scan, p change.Past) (string, bool) {
	if sc.Table.Type != catalog.ResourceType {
		return p.Identifier, p.Type == sc.Table.Type
	}
	return anytype.Join(p.Type, p.Identifier), slices.ContainsFunc(sc.Boxes, func(b plan.Box) bool { return slices.Contains(b.Parents["/TypeName"], p.Type) })
}

// retype makes a change of a row of aws.cloud_control.resources one of the
// resource that it is: x gets its table and key, and what comes back are the
// properties that differ from base.
func (w *writing) retype(x *wanted, c engine.Changed, set map[string]json.RawMessage, base json.RawMessage) (map[string]json.RawMessage, error) {
	column := func(property string) error {
		i, _ := w.table.Column(property)
		if property == "Identifier" {
			i, _ = w.table.Column("resource_identifier")
		}
		name := w.table.Columns[i].Name
		e := sqlerr.New(sqlerr.FeatureNotSupported, "%s can't be set: AWS gives it, or what properties hold does", name).WithHint("leave out %s", name)
		if property == "TypeName" {
			e = sqlerr.New(sqlerr.FeatureNotSupported, "type_name can't be updated: it says what a resource is").WithHint("DELETE the resource, and INSERT one of the other type")
		}
		if at := w.shows(name); at >= 0 {
			return e.At(w.st.Text, at)
		}
		return e
	}
	given := func(p string) bool { return len(set[p]) > 0 && string(set[p]) != "null" }
	if c.Before {
		if _, ok := set["TypeName"]; ok && c.After {
			return nil, column("TypeName")
		}
	} else {
		var name string
		if !given("TypeName") || json.Unmarshal(set["TypeName"], &name) != nil {
			return nil, sqlerr.New("23502", "a new row of %s needs type_name", w.table.Name()).WithHint("INSERT INTO %s (type_name, properties) VALUES ('AWS::SQS::Queue', {'QueueName': '…'})", w.table.Name())
		}
		x.key.typ = name
	}
	for _, p := range []string{"Identifier", "ResourceModel"} {
		if c.After && given(p) {
			return nil, column(p)
		}
	}
	var err error
	if x.table, err = w.ofType(x.key.typ); err != nil {
		return nil, err
	}
	if err := w.can(x.table, c); err != nil || !c.After {
		return nil, err
	}
	text, changed := set["Properties"]
	if !changed && c.Before {
		return map[string]json.RawMessage{}, nil
	}
	return differing(x.table, base, text)
}

// ofType finds the table of a type that a statement names by a value.
func (w *writing) ofType(name string) (*catalog.Table, error) {
	t, err := w.catalog.Any(name)
	if _, known := w.catalog.ByType(name); err == nil && !known {
		if near := w.catalog.NearTypes(name); len(near) > 0 {
			w.notify("%s is no type of the catalog: did you mean %s?", name, strings.Join(near, ", "))
		}
	}
	if err == nil && t.Service != w.table.Service || err == nil && t.Type != catalog.RequestType && t.Type != catalog.ResourceType {
		return t, nil
	}
	e := sqlerr.New(sqlerr.InvalidText, "%q is no type that resources are of", name)
	if near := w.catalog.NearTypes(name); len(near) > 0 {
		return nil, e.WithHint("did you mean %s?", strings.Join(near, ", "))
	}
	return nil, e.WithHint("type_name is as in 'AWS::SQS::Queue'")
}

// can refuses what a row's type has no handler for.
func (w *writing) can(t *catalog.Table, c engine.Changed) error {
	word := "UPDATE"
	switch {
	case !c.Before:
		word = "INSERT"
	case !c.After:
		word = "DELETE"
	}
	return w.handled(t, word)
}

// differing gives the members of an object that differ from another's, null for
// those that are gone. What only AWS writes can't go.
func differing(t *catalog.Table, base, text json.RawMessage) (map[string]json.RawMessage, error) {
	var was, is map[string]json.RawMessage
	if len(base) > 0 {
		if err := json.Unmarshal(base, &was); err != nil {
			return nil, err
		}
	}
	if len(text) > 0 && json.Unmarshal(text, &is) != nil {
		return nil, sqlerr.New(sqlerr.InvalidText, "properties must be a JSON object, not %.60s", text).WithHint("{'Name': '…'}, or json_merge_patch(properties, {'Name': '…'})")
	}
	out := map[string]json.RawMessage{}
	for k, v := range is {
		if !bytes.Equal(was[k], v) {
			out[k] = v
		}
	}
	for k := range was {
		if _, ok := is[k]; !ok && !slices.Contains(t.ReadOnly, "/"+k) {
			out[k] = nil
		}
	}
	return out, nil
}
