package catalog

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"reflect"
	"sort"
)

// The compiled form of a value: varints, with every string written once and
// referred to by number. Structs are a bit mask of the fields that are not
// zero, then those fields in order; so a field added at the end of a struct
// keeps old files readable. Fields tagged `codec:"-"` are left out.

var errShort = errors.New("catalog: compiled data ends too early or is broken")

type encoder struct {
	buf     []byte
	strings map[string]uint64
	table   []string
}

func (e *encoder) uint(v uint64) { e.buf = binary.AppendUvarint(e.buf, v) }

func (e *encoder) string(s string) {
	n, ok := e.strings[s]
	if !ok {
		n = uint64(len(e.table))
		e.strings[s] = n
		e.table = append(e.table, s)
	}
	e.uint(n)
}

func (e *encoder) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		e.string(v.String())
	case reflect.Bool:
		if v.Bool() {
			e.uint(1)
		} else {
			e.uint(0)
		}
	case reflect.Int:
		e.buf = binary.AppendVarint(e.buf, v.Int())
	case reflect.Uint8:
		e.uint(v.Uint())
	case reflect.Pointer:
		e.value(v.Elem())
	case reflect.Slice:
		if v.Type() == rawType {
			e.string(string(v.Bytes()))
			return
		}
		e.uint(uint64(v.Len()))
		for i := range v.Len() {
			e.value(v.Index(i))
		}
	case reflect.Map:
		keys := v.MapKeys()
		sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
		e.uint(uint64(len(keys)))
		for _, k := range keys {
			e.string(k.String())
			e.value(v.MapIndex(k))
		}
	case reflect.Struct:
		fields := fieldsOf(v.Type())
		var mask uint64
		for i, f := range fields {
			if !empty(v.Field(f)) {
				mask |= 1 << i
			}
		}
		e.uint(mask)
		for i, f := range fields {
			if mask&(1<<i) != 0 {
				e.value(v.Field(f))
			}
		}
	default:
		panic("catalog: no code for " + v.Type().String())
	}
}

var rawType = reflect.TypeFor[json.RawMessage]()

func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		for _, f := range fieldsOf(v.Type()) {
			if !empty(v.Field(f)) {
				return false
			}
		}
		return true
	}
	return v.IsZero()
}

func fieldsOf(t reflect.Type) []int {
	var out []int
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("codec") != "-" {
			out = append(out, i)
		}
	}
	return out
}

// encode writes a value with its table of strings in front.
func encode(v any) []byte {
	e := &encoder{strings: map[string]uint64{}}
	e.value(reflect.ValueOf(v))
	out := binary.AppendUvarint(nil, uint64(len(e.table)))
	for _, s := range e.table {
		out = binary.AppendUvarint(out, uint64(len(s)))
		out = append(out, s...)
	}
	return append(out, e.buf...)
}

type decoder struct {
	buf     []byte
	strings []string
	depth   int
}

// maxNesting is far above any schema; data that nests deeper is broken.
const maxNesting = 200

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.buf)
	if n <= 0 {
		panic(errShort)
	}
	d.buf = d.buf[n:]
	return v
}

// count reads a length, which can't be more than the bytes left.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.buf)) {
		panic(errShort)
	}
	return int(n)
}

func (d *decoder) string() string {
	n := d.uint()
	if n >= uint64(len(d.strings)) {
		panic(errShort)
	}
	return d.strings[n]
}

// newDecoder reads the table of strings.
func newDecoder(data []byte) (d *decoder, err error) {
	defer catch(&err)
	d = &decoder{buf: data}
	d.strings = make([]string, d.count())
	for i := range d.strings {
		n := d.count()
		d.strings[i] = string(d.buf[:n])
		d.buf = d.buf[n:]
	}
	return d, nil
}

func catch(err *error) {
	switch p := recover(); p {
	case nil:
	case errShort:
		*err = errShort
	default:
		panic(p)
	}
}

func (d *decoder) strs() []string {
	out := make([]string, d.count())
	for i := range out {
		out[i] = d.string()
	}
	return out
}

func (d *decoder) bool() bool { return d.uint() != 0 }

func (d *decoder) int() int {
	v, n := binary.Varint(d.buf)
	if n <= 0 {
		panic(errShort)
	}
	d.buf = d.buf[n:]
	return int(v)
}

// value reads by reflection; nodes, which are most of the data, have a reader
// of their own.
func (d *decoder) value(v reflect.Value) {
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(d.node()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(d.string())
	case reflect.Bool:
		v.SetBool(d.bool())
	case reflect.Int:
		v.SetInt(int64(d.int()))
	case reflect.Uint8:
		v.SetUint(d.uint())
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(v.Elem())
	case reflect.Slice:
		if v.Type() == rawType {
			v.SetBytes([]byte(d.string()))
			return
		}
		n := d.count()
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			d.value(v.Index(i))
		}
	case reflect.Map:
		n := d.count()
		v.Set(reflect.MakeMapWithSize(v.Type(), n))
		for range n {
			k := reflect.ValueOf(d.string())
			e := reflect.New(v.Type().Elem()).Elem()
			d.value(e)
			v.SetMapIndex(k, e)
		}
	case reflect.Struct:
		mask := d.uint()
		for i, f := range fieldsOf(v.Type()) {
			if mask&(1<<i) != 0 {
				d.value(v.Field(f))
			}
		}
	}
}

var nodeType = reflect.TypeFor[*Node]()

// node reads a Node field by field, in the order of its declaration.
func (d *decoder) node() *Node {
	if d.depth++; d.depth > maxNesting {
		panic(errShort)
	}
	defer func() { d.depth-- }()
	n := &Node{}
	mask := d.uint()
	has := func(bit int) bool { return mask&(1<<bit) != 0 }
	if has(0) {
		n.Ref = d.string()
	}
	if has(1) {
		n.Types = d.strs()
	}
	if has(2) {
		n.Properties = d.properties()
	}
	if has(3) {
		n.PatternProperties = d.properties()
	}
	n.Open = has(4) && d.bool()
	if has(5) {
		n.Required = d.strs()
	}
	if has(6) {
		n.Items = d.node()
	}
	n.MinItems, n.MaxItems = d.intIf(has(7)), d.intIf(has(8))
	n.UniqueItems = has(9) && d.bool()
	if has(10) {
		b := d.bool()
		n.InsertionOrder = &b
	}
	if has(11) {
		n.ArrayType = d.string()
	}
	n.MinProps, n.MaxProps = d.intIf(has(12)), d.intIf(has(13))
	for i, list := range []*[]*Node{&n.OneOf, &n.AnyOf, &n.AllOf} {
		if has(14 + i) {
			*list = make([]*Node, d.count())
			for j := range *list {
				(*list)[j] = d.node()
			}
		}
	}
	v := reflect.ValueOf(n).Elem()
	for i := 17; i < v.NumField(); i++ {
		if has(i) {
			d.value(v.Field(i))
		}
	}
	return n
}

func (d *decoder) intIf(there bool) *int {
	if !there {
		return nil
	}
	v := d.int()
	return &v
}

func (d *decoder) properties() []Property {
	out := make([]Property, d.count())
	for i := range out {
		mask := d.uint()
		if mask&1 != 0 {
			out[i].Name = d.string()
		}
		if mask&2 != 0 {
			out[i].Node = d.node()
		}
	}
	return out
}
