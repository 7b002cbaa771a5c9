package catalog

import (
	_ "embed"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The types of the tables that are about Cloud Control itself. AWS publishes
// no such types: their schemas are written here, from the service's model.
const (
	// ResourceType is aws.cloud_control.resources: any type by its name, with
	// one JSON column of properties.
	ResourceType = "AWS::CloudControl::Resource"
	// RequestType is aws.cloud_control.requests: the records that Cloud Control
	// keeps of the changes that it was asked for.
	RequestType = "AWS::CloudControl::Request"
)

//go:embed cloudcontrol.json
var cloudControl []byte

const cloudControlService = "cloud_control"

var cloudControlTables = sync.OnceValue(func() []*Table {
	var schemas []json.RawMessage
	if err := json.Unmarshal(cloudControl, &schemas); err != nil {
		panic("catalog: cloudcontrol.json: " + err.Error())
	}
	var out []*Table
	for _, text := range schemas {
		t, err := compileType(text, false)
		if err != nil {
			panic("catalog: cloudcontrol.json: " + err.Error())
		}
		t.Service = cloudControlService
		switch t.Type {
		case ResourceType:
			t.openEnd = true
			t.ListInput.Unknown = "it reads any type, and has to be told which"
			t.Aliases = map[string]string{"type_name": "data__TypeName", "resource_identifier": "data__Identifier"}
		case RequestType:
			t.Records = true
		}
		t.byName = map[string]int{}
		t.nameColumns()
		out = append(out, t)
	}
	return out
})

// WithCloudControl gives the catalog with the tables about Cloud Control itself
// beside those of the archive. Info still counts the archive's alone.
func (c *Catalog) WithCloudControl() *Catalog {
	c.withOnce.Do(func() {
		if c.own != nil {
			c.with = c
			return
		}
		w := &Catalog{info: c.info, dict: c.dict, blobs: c.blobs, read: c.read, tables: map[string]*Table{}, own: map[string]*Table{}}
		for _, t := range cloudControlTables() {
			w.own[t.Type] = t
		}
		w.index = sync.OnceValue(func() *index {
			x := c.read()
			for _, name := range slices.Sorted(maps.Keys(w.own)) {
				t := w.own[name]
				x.add(Entry{Type: t.Type, Service: t.Service, Plural: t.Plural, Singular: t.Singular, Readable: true, Listable: true,
					Creatable: t.Create != nil, Updatable: t.Update != nil, Deletable: t.Delete != nil}, span{}, nil)
			}
			slices.Sort(x.services)
			return x
		})
		c.with = w
	})
	return c.with
}

// typeName is what CloudFormation takes for one, modules apart.
var typeName = regexp.MustCompile(`^[A-Za-z0-9]{2,64}::[A-Za-z0-9]{2,64}::[A-Za-z0-9]{2,64}$`)

// Unlisted gives a table for a type that is in no archive: private to an
// account, or of a third party. Nothing is known of it, so that everything is
// left to the service to check. It reports false for what can't be a type's name.
func Unlisted(name string) (*Table, bool) {
	if !typeName.MatchString(name) {
		return nil, false
	}
	t := &Table{Type: name, Service: cloudControlService, Plural: "resources (" + name + ")", Singular: "resource",
		Create: &Handler{}, Read: &Handler{}, Update: &Handler{}, Delete: &Handler{}, List: &Handler{},
		Root: &Node{Types: []string{"object"}, Open: true}, byName: map[string]int{}}
	if err := t.makeColumns(); err != nil {
		return nil, false
	}
	t.nameColumns()
	return t, true
}

// Any gives a type's table, of the archive or unlisted.
func (c *Catalog) Any(name string) (*Table, error) {
	if _, ok := c.ByType(name); !ok {
		if t, ok := Unlisted(name); ok {
			return t, nil
		}
	}
	return c.Table(name)
}

// NearTypes gives the names of types like one.
func (c *Catalog) NearTypes(name string) []string {
	var names []string
	for _, e := range c.Entries("") {
		if strings.EqualFold(e.Type, name) {
			return []string{e.Type}
		}
		names = append(names, e.Type)
	}
	return Nearest(name, names)
}
