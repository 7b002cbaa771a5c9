// Package catalog is what exists: services, tables, columns, keys, handlers and
// permissions of every resource type that AWS publishes a schema for.
//
// A generator compiles AWS's archive of schemas into a file that is read by
// type: an index of names in front, then one compressed block a type, decoded
// when first asked for. The embedded catalog holds facts only. What schemas
// don't say (global services, corrections to list parents, names in use) comes
// from a reviewed overlay, and is compiled in with the rest, so that no code
// asks for a type by name.
package catalog

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:generate go run ./gen -from ../../../shared/data/cloudformation-schemas.zip -to catalog.bin

//go:embed catalog.bin
var embedded []byte

// A Catalog is a compiled archive. It is safe for concurrent use.
type Catalog struct {
	info  Info
	read  func() *index // anew
	index func() *index
	dict  []byte
	blobs []byte

	mu     sync.Mutex
	tables map[string]*Table

	own      map[string]*Table // of WithCloudControl
	with     *Catalog
	withOnce sync.Once
}

// Info says what a catalog was made of.
type Info struct {
	Origin          string `json:"-"` // "embedded" or the file's path
	Archive         string // the archive's name
	Date            string // of its newest schema, YYYY-MM-DD
	Types, Services int
	Digest          string // of the compiled data, 12 hexadecimal digits
	Descriptions    bool

	Index, Dict int // lengths in bytes
}

// An Entry is a type's line in the index.
type Entry struct {
	Type, Service, Plural, Singular                     string
	Readable, Listable, Creatable, Updatable, Deletable bool
}

// Name gives the full name of the plural table: aws.connect.users.
func (e Entry) Name() string { return "aws." + e.Service + "." + e.Plural }

// A Form is the way in which a name spells a table.
type Form uint8

const (
	PluralForm Form = iota // users
	Singular               // user: single resources, by identifier
	ListOnly               // users_list_only: identifier columns alone
	Tags                   // user_tags: a row for each tag
)

func (f Form) String() string { return [...]string{"plural", "singular", "list_only", "tags"}[f] }

type index struct {
	entries  []Entry
	where    []span
	services []string
	byName   map[string]named // service.table in lower case
	byType   map[string]int

	hasService map[string]bool
}

type span struct{ pos, end int }

type named struct {
	entry int
	form  Form
}

const magic = "skyql catalog 1\n"

var openEmbedded = sync.OnceValue(func() *Catalog {
	c, err := open(embedded, false)
	if err != nil {
		panic("catalog: embedded: " + err.Error())
	}
	c.info.Origin = "embedded"
	return c
})

// Embedded is the catalog in the program. Opening it reads a line; the index
// is read with the first name looked up.
func Embedded() *Catalog { return openEmbedded() }

// OpenFile opens a compiled catalog and checks that it is whole.
func OpenFile(path string) (*Catalog, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := open(data, true)
	if err != nil {
		return nil, fmt.Errorf("catalog %s: %w", path, err)
	}
	c.info.Origin = path
	return c, nil
}

func open(data []byte, check bool) (*Catalog, error) {
	rest, ok := bytes.CutPrefix(data, []byte(magic))
	if !ok || len(rest) < 9 {
		return nil, errors.New("not a compiled catalog")
	}
	sum, rest := rest[:8], rest[9:]
	if check {
		if want := fmt.Sprintf("%08x", crc32.ChecksumIEEE(rest)); want != string(sum) {
			return nil, errors.New("broken: its checksum does not fit")
		}
	}
	line, rest, ok := bytes.Cut(rest, []byte("\n"))
	c := &Catalog{tables: map[string]*Table{}}
	if err := json.Unmarshal(line, &c.info); err != nil || !ok || c.info.Index < 0 || c.info.Dict < 0 || c.info.Index > len(rest) || c.info.Dict > len(rest)-c.info.Index {
		return nil, errors.New("broken: its first lines can't be read")
	}
	names := string(rest[:c.info.Index])
	c.dict = rest[c.info.Index : c.info.Index+c.info.Dict]
	c.blobs = rest[c.info.Index+c.info.Dict:]
	size := len(c.blobs)
	c.read = func() *index { return readIndex(names, size) }
	c.index = sync.OnceValue(c.read)
	return c, nil
}

// readIndex reads lines of type, plural, singular, flags, position, length and
// further names, tab-separated. A broken line is left out: its type is then
// not found.
func readIndex(text string, size int) *index {
	lines := strings.Count(text, "\n")
	x := &index{byName: make(map[string]named, 2*lines), byType: make(map[string]int, lines), hasService: map[string]bool{}}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) < 6 {
			continue
		}
		pos, err1 := strconv.Atoi(f[4])
		n, err2 := strconv.Atoi(f[5])
		if err1 != nil || err2 != nil || pos < 0 || n < 0 || n > size || pos > size-n {
			continue
		}
		flag := func(c string) bool { return strings.Contains(f[3], c) }
		_, service, _ := strings.Cut(f[0], "::")
		service, _, _ = strings.Cut(service, "::")
		e := Entry{Type: f[0], Service: strings.ToLower(service), Plural: f[1], Singular: f[2],
			Readable: flag("r"), Listable: flag("l"), Creatable: flag("c"), Updatable: flag("u"), Deletable: flag("d")}
		x.add(e, span{pos, pos + n}, f[6:])
	}
	slices.Sort(x.services)
	return x
}

// add takes a type in, with further names of its table. A name that is taken
// stays with who has it.
func (x *index) add(e Entry, at span, names []string) {
	i := len(x.entries)
	x.entries = append(x.entries, e)
	x.where = append(x.where, at)
	x.byType[e.Type] = i
	if !x.hasService[e.Service] {
		x.hasService[e.Service] = true
		x.services = append(x.services, e.Service)
	}
	add := func(name string, form Form) {
		key := e.Service + "." + name
		if _, taken := x.byName[key]; !taken {
			x.byName[key] = named{i, form}
		}
	}
	add(e.Plural, PluralForm)
	add(e.Singular, Singular)
	for _, a := range names {
		add(a, PluralForm)
	}
}

// Info says what the catalog was made of.
func (c *Catalog) Info() Info { return c.info }

// Services are the services' names, sorted.
func (c *Catalog) Services() []string { return c.index().services }

// Entries are the types of a service, sorted by plural name; of all services,
// by service first, for "".
func (c *Catalog) Entries(service string) []Entry {
	var out []Entry
	for _, e := range c.index().entries {
		if service == "" || strings.EqualFold(e.Service, service) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Entry) int {
		if a.Service != b.Service {
			return strings.Compare(a.Service, b.Service)
		}
		return strings.Compare(a.Plural, b.Plural)
	})
	return out
}

// Lookup finds a table by any name that is accepted for it, in any letter case.
func (c *Catalog) Lookup(service, table string) (Entry, Form, bool) {
	x := c.index()
	find := func(name string) (named, bool) {
		n, ok := x.byName[strings.ToLower(service)+"."+name]
		return n, ok
	}
	name := strings.ToLower(table)
	if n, ok := find(name); ok {
		return x.entries[n.entry], n.form, true
	}
	if base, ok := strings.CutSuffix(name, "_list_only"); ok {
		if n, ok := find(base); ok {
			return x.entries[n.entry], ListOnly, true
		}
	}
	if base, ok := strings.CutSuffix(name, "_tags"); ok {
		if n, ok := find(base); ok {
			return x.entries[n.entry], Tags, true
		}
	}
	return Entry{}, 0, false
}

// ByType finds a type's entry.
func (c *Catalog) ByType(typeName string) (Entry, bool) {
	i, ok := c.index().byType[typeName]
	if !ok {
		return Entry{}, false
	}
	return c.index().entries[i], true
}

// Table decodes a type, once.
func (c *Catalog) Table(typeName string) (*Table, error) {
	if t := c.own[typeName]; t != nil {
		return t, nil
	}
	x := c.index()
	i, ok := x.byType[typeName]
	if !ok {
		return nil, fmt.Errorf("catalog: no type %s", typeName)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.tables[typeName]; t != nil {
		return t, nil
	}
	t, err := decodeTable(c.blobs[x.where[i].pos:x.where[i].end], c.dict)
	if err != nil {
		return nil, fmt.Errorf("catalog: %s: %w", typeName, err)
	}
	c.tables[typeName] = t
	return t, nil
}

// maxBlock bounds what one type unpacks to.
const maxBlock = 8 << 20

func decodeTable(block, dict []byte) (t *Table, err error) {
	r := flate.NewReaderDict(bytes.NewReader(block), dict)
	data, err := io.ReadAll(io.LimitReader(r, maxBlock))
	if err != nil {
		return nil, err
	}
	d, err := newDecoder(data)
	if err != nil {
		return nil, err
	}
	t = &Table{}
	if err := d.table(t); err != nil {
		return nil, err
	}
	if t.Root == nil || len(t.Columns) != len(t.Root.Properties)+3 || len(t.Identifier) == 0 {
		return nil, errShort
	}
	t.byName = map[string]int{}
	for i := range t.Columns {
		if i >= 3 {
			t.Columns[i].Node = t.Root.Properties[i-3].Node
		}
	}
	t.nameColumns()
	return t, nil
}

func (d *decoder) table(t *Table) (err error) {
	defer catch(&err)
	d.value(reflect.ValueOf(t).Elem())
	return nil
}

// write gives tables the form that open reads.
func write(tables []*Table, info Info) []byte {
	var plain [][]byte
	for _, t := range tables {
		plain = append(plain, encode(*t))
	}
	dict := dictionary(plain)
	var names, blobs bytes.Buffer
	services := map[string]bool{}
	for i, t := range tables {
		var block bytes.Buffer
		w, err := flate.NewWriterDict(&block, flate.BestCompression, dict)
		if err != nil {
			panic("catalog: " + err.Error())
		}
		w.Write(plain[i]) // a bytes.Buffer takes everything
		w.Close()
		services[t.Service] = true
		line := []string{t.Type, t.Plural, t.Singular, t.flags(), strconv.Itoa(blobs.Len()), strconv.Itoa(block.Len())}
		names.WriteString(strings.Join(append(line, overlay().Tables[t.Type]...), "\t") + "\n")
		blobs.Write(block.Bytes())
	}
	info.Types, info.Services, info.Index, info.Dict = len(tables), len(services), names.Len(), len(dict)
	sum := sha256.New()
	for _, b := range [][]byte{names.Bytes(), dict, blobs.Bytes()} {
		sum.Write(b)
	}
	info.Digest = hex.EncodeToString(sum.Sum(nil))[:12]
	head, err := json.Marshal(info)
	if err != nil {
		panic("catalog: " + err.Error())
	}
	body := slices.Concat(head, []byte("\n"), names.Bytes(), dict, blobs.Bytes())
	return fmt.Appendf(nil, "%s%08x\n%s", magic, crc32.ChecksumIEEE(body), body)
}

func (t *Table) flags() string {
	out := "-"
	for _, h := range []struct {
		c string
		h *Handler
	}{{"c", t.Create}, {"r", t.Read}, {"u", t.Update}, {"d", t.Delete}, {"l", t.List}} {
		if h.h != nil {
			out += h.c
		}
	}
	return out
}

// dictionary picks what is common to many types: flate looks back 32 KiB, so
// that much of them, taken evenly.
func dictionary(plain [][]byte) []byte {
	const size = 32 << 10
	var out []byte
	step := max(1, len(plain)/40)
	for i := step / 2; i < len(plain) && len(out) < size; i += step {
		out = append(out, plain[i][:min(len(plain[i]), size/40)]...)
	}
	return out
}
