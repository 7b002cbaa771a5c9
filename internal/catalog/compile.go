package catalog

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// CompileOptions say what to keep of an archive.
type CompileOptions struct {
	// Descriptions keeps the schemas' texts. The embedded catalog has none.
	Descriptions bool
	// Name is what Info calls the archive.
	Name string
}

// maxArchive bounds the sum of what an archive unpacks to: ten times today's.
const maxArchive = 256 << 20

// Compile reads an archive in the layout of AWS's CloudformationSchema.zip, a
// JSON schema a file, and gives the compiled catalog as bytes that OpenFile
// reads. The same archive gives the same bytes.
func Compile(r io.ReaderAt, size int64, o CompileOptions) ([]byte, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%s is not a whole zip archive: %w", o.Name, err)
	}
	var tables []*Table
	var date string
	left := int64(maxArchive)
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".json") {
			continue
		}
		if d := f.Modified.UTC().Format("2006-01-02"); d > date {
			date = d
		}
		text, err := readEntry(f, left)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", o.Name, f.Name, err)
		}
		left -= int64(len(text))
		t, err := compileType(text, o.Descriptions)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", o.Name, f.Name, err)
		}
		tables = append(tables, t)
	}
	if len(tables) == 0 {
		return nil, fmt.Errorf("%s holds no resource schemas (files like aws-s3-bucket.json)", o.Name)
	}
	slices.SortFunc(tables, func(a, b *Table) int { return strings.Compare(a.Type, b.Type) })
	if err := finish(tables); err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	return write(tables, Info{Archive: o.Name, Date: date, Descriptions: o.Descriptions}), nil
}

func readEntry(f *zip.File, limit int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("the archive unpacks to more than %d MiB", maxArchive>>20)
	}
	return text, err
}

// member is one member of a JSON object whose order matters.
type member struct {
	name  string
	value any
}

// ordered is a JSON object that keeps its order.
type ordered []member

func (o ordered) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func (o ordered) object(name string) ordered { v, _ := o.get(name).(ordered); return v }
func (o ordered) text(name string) string    { v, _ := o.get(name).(string); return v }
func (o ordered) list(name string) []any     { v, _ := o.get(name).([]any); return v }
func (o ordered) texts(name string) []string { return texts(o.list(name)) }

func texts(list []any) []string {
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// parse reads one JSON value, objects in order.
func parse(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := ordered{}
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := parse(d)
			if err != nil {
				return nil, err
			}
			o = append(o, member{k.(string), v})
		}
		_, err = d.Token()
		return o, err
	case json.Delim('['):
		a := []any{}
		for d.More() {
			v, err := parse(d)
			if err != nil {
				return nil, err
			}
			a = append(a, v)
		}
		_, err = d.Token()
		return a, err
	}
	return t, nil
}

func encodeValue(v any) json.RawMessage {
	switch v := v.(type) {
	case ordered:
		var b bytes.Buffer
		b.WriteByte('{')
		for i, m := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			k, _ := json.Marshal(m.name)
			b.Write(k)
			b.WriteByte(':')
			b.Write(encodeValue(m.value))
		}
		b.WriteByte('}')
		return b.Bytes()
	case []any:
		var b bytes.Buffer
		b.WriteByte('[')
		for i, x := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(encodeValue(x))
		}
		b.WriteByte(']')
		return b.Bytes()
	}
	out, err := json.Marshal(v)
	if err != nil {
		panic("catalog: " + err.Error())
	}
	return out
}

// compileType turns one schema into a table, but for what needs its siblings.
func compileType(text []byte, descriptions bool) (*Table, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := parse(d)
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	s, ok := v.(ordered)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	t := &Table{Type: s.text("typeName")}
	parts := strings.Split(t.Type, "::")
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return nil, fmt.Errorf("typeName %q is not like AWS::S3::Bucket", t.Type)
	}
	if s.object("properties") == nil || len(s.list("primaryIdentifier")) == 0 {
		return nil, fmt.Errorf("%s: no properties or no primaryIdentifier", t.Type)
	}
	t.Service, t.Singular = strings.ToLower(parts[1]), Snake(parts[2])
	t.Plural = Plural(t.Singular)
	b := schemaReader{descriptions}
	t.Root = b.node(s)
	for _, m := range s.object("definitions") {
		if o, ok := m.value.(ordered); ok {
			if t.Definitions == nil {
				t.Definitions = map[string]*Node{}
			}
			t.Definitions[m.name] = b.node(o)
		}
	}
	if descriptions {
		t.Description = s.text("description")
	}
	t.Identifier = pointers(s.list("primaryIdentifier"))
	for _, a := range s.list("additionalIdentifiers") {
		if l, ok := a.([]any); ok {
			t.Additional = append(t.Additional, pointers(l))
		}
	}
	t.ReadOnly, t.WriteOnly = pointers(s.list("readOnlyProperties")), pointers(s.list("writeOnlyProperties"))
	t.CreateOnly, t.Deprecated = pointers(s.list("createOnlyProperties")), pointers(s.list("deprecatedProperties"))
	t.ConditionalCreateOnly = pointers(s.list("conditionalCreateOnlyProperties"))
	for _, m := range s.object("propertyTransform") {
		if x, ok := m.value.(string); ok {
			if t.PropertyTransform == nil {
				t.PropertyTransform = map[string]string{}
			}
			t.PropertyTransform[pointer(m.name)] = x
		}
	}
	t.ReplacementStrategy = s.text("replacementStrategy")
	t.handlers(s.object("handlers"))
	t.tagging(s)
	return t, t.makeColumns()
}

// pointer cuts /properties off a pointer. A few schemas write dots for slashes.
func pointer(p string) string {
	p = strings.TrimPrefix(p, "/properties")
	return strings.ReplaceAll(p, ".", "/")
}

func pointers(list []any) []string {
	var out []string
	for _, s := range texts(list) {
		out = append(out, pointer(s))
	}
	return out
}

func (t *Table) handlers(h ordered) {
	for _, x := range []struct {
		name string
		dst  **Handler
	}{{"create", &t.Create}, {"read", &t.Read}, {"update", &t.Update}, {"delete", &t.Delete}, {"list", &t.List}} {
		o := h.object(x.name)
		if o == nil {
			continue
		}
		*x.dst = &Handler{Permissions: o.texts("permissions"), TimeoutInMinutes: number(o, "timeoutInMinutes")}
	}
	in := h.object("list").object("handlerSchema")
	required := in.texts("required")
	for _, r := range required {
		t.ListInput.Required = append(t.ListInput.Required, "/"+r)
	}
	for _, k := range []string{"oneOf", "anyOf"} {
		for _, alt := range in.list(k) {
			var set []string
			if o, ok := alt.(ordered); ok {
				for _, r := range o.texts("required") {
					set = append(set, "/"+r)
				}
			}
			t.ListInput.OneOf = append(t.ListInput.OneOf, set)
		}
	}
	for _, m := range in.object("properties") {
		if !slices.Contains(required, m.name) {
			t.ListInput.Optional = append(t.ListInput.Optional, "/"+m.name)
		}
	}
}

func number(o ordered, name string) int {
	n, _ := o.get(name).(json.Number)
	i, _ := n.Int64()
	return int(i)
}

// tagging fills in the defaults of the provider meta-schema: everything true,
// at /properties/Tags. Types with neither block nor Tags property have none.
func (t *Table) tagging(s ordered) {
	o := s.object("tagging")
	flag := func(name string) bool {
		b, ok := o.get(name).(bool)
		return b || !ok
	}
	hasTags := slices.ContainsFunc(t.Root.Properties, func(p Property) bool { return p.Name == "Tags" })
	if o == nil {
		taggable, said := s.get("taggable").(bool)
		if taggable && said || !said && hasTags {
			t.Tagging = Tagging{Taggable: true, TagOnCreate: true, TagUpdatable: true, SystemTags: true}
		}
	} else if flag("taggable") {
		t.Tagging = Tagging{Taggable: true, TagOnCreate: flag("tagOnCreate"), TagUpdatable: flag("tagUpdatable"), SystemTags: flag("cloudFormationSystemTags"),
			Property: pointer(o.text("tagProperty")), Permissions: o.texts("permissions")}
	}
	if t.Tagging.Taggable && t.Tagging.Property == "" && hasTags {
		t.Tagging.Property = "/Tags"
	}
}

func (t *Table) makeColumns() error {
	t.Columns = []Column{
		{Name: "account_id", Type: Varchar, Datatype: "string"},
		{Name: "region", Type: Varchar, Datatype: "string"},
		{Name: "identifier", Type: Varchar, Datatype: "string", IdentifierPart: true},
	}
	seen := map[string]string{}
	for _, p := range t.Root.Properties {
		c := Column{Name: columnName(p.Name), Property: p.Name, Node: p.Node, Description: p.Node.Description}
		if c.Description == "" {
			if n := t.Resolve(p.Node); n != nil {
				c.Description = n.Description
			}
		}
		c.Type, c.Datatype = t.sqlType(p.Node)
		at := "/" + p.Name
		c.Required = slices.Contains(t.Root.Required, p.Name)
		c.IdentifierPart = slices.Contains(t.Identifier, at)
		c.ReadOnly, c.CreateOnly = slices.Contains(t.ReadOnly, at), slices.Contains(t.CreateOnly, at)
		c.Deprecated = slices.Contains(t.Deprecated, at)
		c.WriteOnly = slices.Contains(t.WriteOnly, at) && !c.ReadOnly // nine of QuickSight are in both lists
		if other, ok := seen[c.Name]; ok {
			return fmt.Errorf("%s: properties %s and %s would both be column %s", t.Type, other, p.Name, c.Name)
		}
		seen[c.Name] = p.Name
		t.Columns = append(t.Columns, c)
	}
	return nil
}

// sqlType gives a property's column type and the word that documentation has
// for it.
func (t *Table) sqlType(n *Node) (ColumnType, string) {
	n = t.Resolve(n)
	if n == nil {
		return JSON, "object"
	}
	switch {
	case len(n.Types) > 1:
		return JSON, "object"
	case len(n.Types) == 0 && len(n.AllOf) > 0 && len(n.Properties) == 0: // a string said in pieces
		for _, p := range n.AllOf {
			if typ, word := t.sqlType(p); typ != JSON {
				return typ, word
			}
		}
		return JSON, "object"
	case len(n.Types) == 0:
		if len(n.Enum) > 0 && n.Enum[0][0] == '"' {
			return Varchar, "string"
		}
		return JSON, "object"
	}
	switch n.Types[0] {
	case "string":
		return Varchar, "string"
	case "integer":
		return BigInt, "integer"
	case "number":
		return Double, "number"
	case "boolean":
		return Boolean, "boolean"
	case "array":
		if n.Items != nil {
			if e, _ := t.sqlType(n.Items); e != JSON && e < VarcharList {
				return e - Varchar + VarcharList, "array"
			}
		}
		return JSON, "array"
	}
	return JSON, "object"
}

// A schemaReader turns JSON schemas into nodes.
type schemaReader struct{ descriptions bool }

func (b schemaReader) node(o ordered) *Node {
	n := &Node{Open: true}
	for _, m := range o {
		switch v := m.value.(type) {
		case string:
			switch m.name {
			case "$ref":
				n.Ref = v
			case "type":
				n.Types = []string{v}
			case "pattern":
				n.Pattern = v
			case "format":
				n.Format = v
			case "arrayType":
				n.ArrayType = v
			case "description":
				if b.descriptions {
					n.Description = v
				}
			}
		case bool:
			switch m.name {
			case "uniqueItems":
				n.UniqueItems = v
			case "insertionOrder":
				n.InsertionOrder = &v
			case "additionalProperties":
				n.Open = v
			}
		case json.Number:
			b.limit(n, m.name, v)
		case []any:
			b.list(n, m.name, v)
		case ordered:
			b.object(n, m.name, v)
		}
		switch m.name {
		case "const":
			n.Const = encodeValue(m.value)
		case "default":
			n.Default = encodeValue(m.value)
		}
	}
	return n
}

func (b schemaReader) limit(n *Node, name string, v json.Number) {
	i64, err := v.Int64()
	i := int(i64)
	whole := err == nil
	for key, dst := range map[string]**int{"minItems": &n.MinItems, "maxItems": &n.MaxItems, "minLength": &n.MinLength, "maxLength": &n.MaxLength,
		"minProperties": &n.MinProps, "maxProperties": &n.MaxProps} {
		if key == name && whole {
			*dst = &i
		}
	}
	for key, dst := range map[string]**json.Number{"minimum": &n.Minimum, "maximum": &n.Maximum, "exclusiveMinimum": &n.ExclusiveMinimum,
		"exclusiveMaximum": &n.ExclusiveMaximum, "multipleOf": &n.MultipleOf} {
		if key == name {
			*dst = &v
		}
	}
}

func (b schemaReader) list(n *Node, name string, v []any) {
	nodes := func() []*Node {
		var out []*Node
		for _, x := range v {
			if o, ok := x.(ordered); ok {
				out = append(out, b.node(o))
			}
		}
		return out
	}
	switch name {
	case "type":
		n.Types = texts(v)
	case "required":
		n.Required = texts(v)
	case "enum":
		for _, x := range v {
			n.Enum = append(n.Enum, encodeValue(x))
		}
	case "oneOf":
		n.OneOf = nodes()
	case "anyOf":
		n.AnyOf = nodes()
	case "allOf":
		n.AllOf = nodes()
	}
}

func (b schemaReader) object(n *Node, name string, v ordered) {
	properties := func() []Property {
		var out []Property
		for _, m := range v {
			if o, ok := m.value.(ordered); ok {
				out = append(out, Property{m.name, b.node(o)})
			}
		}
		return out
	}
	switch name {
	case "properties":
		n.Properties = properties()
	case "patternProperties":
		n.PatternProperties = properties()
	case "items":
		n.Items = b.node(v)
	case "dependencies":
		n.Dependencies = map[string]Dependency{}
		for _, m := range v {
			switch d := m.value.(type) {
			case []any:
				n.Dependencies[m.name] = Dependency{Names: texts(d)}
			case ordered:
				n.Dependencies[m.name] = Dependency{Schema: b.node(d)}
			}
		}
	case "relationshipRef":
		n.Relationships = append(n.Relationships, Relationship{v.text("typeName"), pointer(v.text("propertyPath"))})
	}
}
