package catalog

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
)

// Changes are what differs between two catalogs: type names, sorted.
type Changes struct{ New, Changed, Gone []string }

// FileName is what Update calls the catalog in the cache folder.
const FileName = "catalog.bin"

// Update compiles an archive, with its descriptions, into the cache folder,
// and says what is different from old. Nothing is replaced before the new
// catalog was read back whole.
func Update(archive, cacheDir string, old *Catalog) (Changes, error) {
	f, err := os.Open(archive)
	if err != nil {
		return Changes{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Changes{}, err
	}
	data, err := Compile(f, st.Size(), CompileOptions{Descriptions: true, Name: filepath.Base(archive)})
	if err != nil {
		return Changes{}, err
	}
	if err := os.MkdirAll(cacheDir, 0o700); err != nil {
		return Changes{}, err
	}
	tmp, err := os.CreateTemp(cacheDir, FileName+".*")
	if err != nil {
		return Changes{}, err
	}
	defer os.Remove(tmp.Name())
	if _, err = tmp.Write(data); err == nil {
		err = tmp.Sync()
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err != nil {
		return Changes{}, err
	}
	next, err := OpenFile(tmp.Name())
	if err != nil {
		return Changes{}, err
	}
	changes, err := Diff(old, next)
	if err != nil {
		return Changes{}, err
	}
	return changes, os.Rename(tmp.Name(), filepath.Join(cacheDir, FileName))
}

// Diff compares two catalogs type by type. Descriptions don't count.
func Diff(old, next *Catalog) (Changes, error) {
	var c Changes
	for _, e := range next.Entries("") {
		b, err := next.Table(e.Type)
		if err != nil {
			return c, err
		}
		if _, ok := old.ByType(e.Type); !ok {
			c.New = append(c.New, e.Type)
			continue
		}
		a, err := old.Table(e.Type)
		if err != nil {
			return c, fmt.Errorf("the catalog in use: %w", err)
		}
		if !reflect.DeepEqual(a.plain(), b.plain()) {
			c.Changed = append(c.Changed, e.Type)
		}
	}
	for _, e := range old.Entries("") {
		if _, ok := next.ByType(e.Type); !ok {
			c.Gone = append(c.Gone, e.Type)
		}
	}
	for _, l := range [][]string{c.New, c.Changed, c.Gone} {
		slices.Sort(l)
	}
	return c, nil
}

// plain gives a table without its texts.
func (t *Table) plain() []byte {
	c := *t
	c.Description = ""
	c.Columns = slices.Clone(t.Columns)
	for i := range c.Columns {
		c.Columns[i].Description = ""
	}
	c.Root = t.Root.plain()
	c.Definitions = map[string]*Node{}
	for k, n := range t.Definitions {
		c.Definitions[k] = n.plain()
	}
	return encode(c)
}

func (n *Node) plain() *Node {
	if n == nil {
		return nil
	}
	c := *n
	c.Description = ""
	members := func(ps []Property) []Property {
		ps = slices.Clone(ps)
		for i := range ps {
			ps[i].Node = ps[i].Node.plain()
		}
		return ps
	}
	all := func(ns []*Node) []*Node {
		ns = slices.Clone(ns)
		for i := range ns {
			ns[i] = ns[i].plain()
		}
		return ns
	}
	c.Properties, c.PatternProperties, c.Items = members(n.Properties), members(n.PatternProperties), n.Items.plain()
	c.OneOf, c.AnyOf, c.AllOf = all(n.OneOf), all(n.AnyOf), all(n.AllOf)
	c.Dependencies = nil
	for k, d := range n.Dependencies {
		if c.Dependencies == nil {
			c.Dependencies = map[string]Dependency{}
		}
		c.Dependencies[k] = Dependency{d.Names, d.Schema.plain()}
	}
	return &c
}
