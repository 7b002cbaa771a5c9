package syntax

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Decode reads the tree that DuckDB's json_serialize_sql gives for one
// SELECT-like statement. What the tree holds in a place that is not known here
// is not dropped: expressions and queries found there are kept in Other,
// Exprs, Inner or Args.
func Decode(tree []byte) (*Query, error) { return DecodeAt(tree, nil) }

// DecodeAt is Decode for the tree of a text that was composed of another one:
// at turns its places into those of the other.
func DecodeAt(tree []byte, at func(int) int) (*Query, error) {
	d := json.NewDecoder(bytes.NewReader(tree))
	d.UseNumber()
	var doc struct {
		Error      bool   `json:"error"`
		Message    string `json:"error_message"`
		Statements []struct {
			Node map[string]any `json:"node"`
		} `json:"statements"`
	}
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("syntax: tree: %w", err)
	}
	if doc.Error || len(doc.Statements) != 1 || doc.Statements[0].Node == nil {
		return nil, fmt.Errorf("syntax: tree of %d statements: %s", len(doc.Statements), doc.Message)
	}
	if at != nil {
		relocate(doc.Statements[0].Node, at)
	}
	return query(doc.Statements[0].Node), nil
}

// relocate moves every place in a tree.
func relocate(v any, at func(int) int) {
	switch v := v.(type) {
	case object:
		for _, x := range v {
			relocate(x, at)
		}
		if i := loc(v); i >= 0 {
			v["query_location"] = noLocation
			if to := at(i); to >= 0 {
				v["query_location"] = json.Number(strconv.Itoa(to))
			}
		}
	case []any:
		for _, x := range v {
			relocate(x, at)
		}
	}
}

type object = map[string]any

func str(o object, k string) string { s, _ := o[k].(string); return s }
func obj(o object, k string) object { m, _ := o[k].(object); return m }
func arr(o object, k string) []any  { a, _ := o[k].([]any); return a }
func yes(o object, k string) bool   { b, _ := o[k].(bool); return b }

func strs(o object, k string) []string {
	var out []string
	for _, v := range arr(o, k) {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// loc reads query_location, where DuckDB writes 2⁶⁴-1 for none.
func loc(o object) int {
	n, ok := o["query_location"].(json.Number)
	if !ok {
		return -1
	}
	i, err := n.Int64()
	if err != nil {
		return -1
	}
	return int(i)
}

func query(o object) *Query {
	q := &Query{raw: o}
	known := map[string]bool{"type": true, "modifiers": true, "cte_map": true}
	take := func(k string) object { known[k] = true; return obj(o, k) }
	for _, m := range arr(obj(o, "cte_map"), "map") {
		m, _ := m.(object)
		v := obj(m, "value")
		c := &CTE{Name: str(m, "key"), Aliases: strs(v, "aliases"), Keys: exprs(arr(v, "key_targets"))}
		c.Query = query(obj(obj(v, "query"), "node"))
		q.CTEs = append(q.CTEs, c)
	}
	for _, m := range arr(o, "modifiers") {
		q.modifier(m.(object))
	}
	switch str(o, "type") {
	case "SELECT_NODE":
		known["select_list"], known["group_expressions"], known["group_sets"] = true, true, true
		q.List, q.GroupBy = exprs(arr(o, "select_list")), exprs(arr(o, "group_expressions"))
		q.GroupingSets = len(arr(o, "group_sets"))
		q.GroupAll = str(o, "aggregate_handling") == "FORCE_AGGREGATES"
		q.From = ref(take("from_table"))
		q.Where, q.Having, q.Qualify = expr(take("where_clause")), expr(take("having")), expr(take("qualify"))
		q.Sample = take("sample") != nil
	case "SET_OPERATION_NODE":
		q.Kind, q.Op = SetOp, str(o, "setop_type")
		q.ByName = strings.HasSuffix(q.Op, "_BY_NAME")
		q.Op = strings.TrimSuffix(q.Op, "_BY_NAME")
		q.All = yes(o, "setop_all")
		q.Arms = q.arms(o, known)
	case "RECURSIVE_CTE_NODE":
		known["key_targets"] = true
		q.Kind = Recursive
		q.All = yes(o, "union_all")
		q.Arms = q.arms(o, known)
	default:
		q.Kind = SetOp // nothing passes through it, everything below is found
		q.Op = str(o, "type")
	}
	for _, k := range slices.Sorted(maps.Keys(o)) {
		if !known[k] {
			es, qs := strays(o[k])
			q.Other = append(q.Other, es...)
			for _, s := range qs {
				q.Other = append(q.Other, &Expr{Class: "SUBQUERY", Loc: -1, Sub: s, SubType: "SCALAR"})
			}
		}
	}
	return q
}

// arms gives the two sides of a set operation; newer trees keep them in
// "children".
func (q *Query) arms(o object, known map[string]bool) []*Query {
	known["left"], known["right"], known["children"] = true, true, true
	var out []*Query
	for _, k := range []string{"left", "right"} {
		if a := obj(o, k); a != nil {
			out = append(out, query(a))
		}
	}
	for _, c := range arr(o, "children") {
		if a, ok := c.(object); ok {
			out = append(out, query(a))
		}
	}
	return out
}

func (q *Query) modifier(m object) {
	switch str(m, "type") {
	case "DISTINCT_MODIFIER":
		q.Distinct = true
		q.DistinctOn = exprs(arr(m, "distinct_on_targets"))
	case "ORDER_MODIFIER":
		for _, o := range orders(arr(m, "orders")) {
			q.OrderBy, q.Orders = append(q.OrderBy, o.Expr), append(q.Orders, o)
		}
	case "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER":
		q.Limited = true
		q.Limit, q.Offset = expr(obj(m, "limit")), expr(obj(m, "offset"))
		q.Percent = q.Percent || str(m, "type") == "LIMIT_PERCENT_MODIFIER"
		for _, k := range []string{"limit", "offset"} {
			if e := expr(obj(m, k)); e != nil {
				q.Limits = append(q.Limits, e)
			}
		}
	default:
		q.Limited = true // unknown: nothing passes
		es, _ := strays(m)
		q.Other = append(q.Other, es...)
	}
}

func orders(list []any) []Order {
	var out []Order
	for _, o := range list {
		m, _ := o.(object)
		e := expr(obj(m, "expression"))
		if e == nil {
			continue
		}
		suffix := map[string]string{"ASCENDING": " ASC", "DESCENDING": " DESC"}[str(m, "type")]
		switch str(m, "null_order") {
		case "NULLS_FIRST", "NULLS FIRST":
			suffix += " NULLS FIRST"
		case "NULLS_LAST", "NULLS LAST":
			suffix += " NULLS LAST"
		}
		out = append(out, Order{e, suffix})
	}
	return out
}

func ref(o object) *Ref {
	if o == nil {
		return nil
	}
	r := &Ref{raw: o, Loc: loc(o), Alias: str(o, "alias"), Columns: strs(o, "column_name_alias"), Sample: o["sample"] != nil}
	switch str(o, "type") {
	case "EMPTY":
		r.Kind = Empty
	case "BASE_TABLE":
		r.Kind = Base
		r.Catalog, r.Schema, r.Table = str(o, "catalog_name"), str(o, "schema_name"), str(o, "table_name")
		if at := obj(o, "at_clause"); at != nil {
			r.At = &Expr{Class: "AT", Loc: r.Loc}
			r.Exprs, _ = strays(at)
		}
	case "SUBQUERY":
		r.Kind = Derived
		r.Sub = query(obj(obj(o, "subquery"), "node"))
	case "JOIN":
		r.Kind = Join
		r.Left, r.Right = ref(obj(o, "left")), ref(obj(o, "right"))
		r.Type, r.Form = str(o, "join_type"), str(o, "ref_type")
		r.Cond, r.Using = expr(obj(o, "condition")), strs(o, "using_columns")
		r.Exprs = exprs(arr(o, "duplicate_eliminated_columns"))
	case "TABLE_FUNCTION":
		r.Kind = TableFunc
		r.Func = expr(obj(o, "function"))
		if sub := obj(obj(o, "subquery"), "node"); sub != nil {
			r.Inner = append(r.Inner, query(sub))
		}
	case "EXPRESSION_LIST":
		r.Kind = Values
		r.Exprs, r.Inner = strays(o["values"])
	case "PIVOT":
		r.Kind = Pivot
		r.Source = ref(obj(o, "source"))
		r.Exprs = exprs(arr(o, "aggregates"))
		es, qs := strays(o["pivots"])
		r.Exprs, r.Inner = append(r.Exprs, es...), qs
	case "SHOW_REF":
		r.Kind, r.Show = ShowRef, str(o, "show_type")
		r.Catalog, r.Schema, r.Table = str(o, "catalog_name"), str(o, "schema_name"), str(o, "table_name")
		if q := obj(o, "query"); q != nil {
			r.Sub = query(q)
		}
	default:
		r.Kind = OtherRef
		r.Exprs, r.Inner = strays(o)
	}
	return r
}

func exprs(list []any) []*Expr {
	var out []*Expr
	for _, v := range list {
		if o, ok := v.(object); ok {
			if e := expr(o); e != nil {
				out = append(out, e)
			}
		}
	}
	return out
}

// exprFields are the members of an expression that are read by name; whatever
// else holds expressions is found by strays.
var exprFields = map[string]bool{
	"class": true, "type": true, "alias": true, "query_location": true, "children": true, "left": true, "right": true,
	"child": true, "subquery": true, "partitions": true, "case_checks": true, "else_expr": true, "lhs": true, "expr": true,
	"input": true, "lower": true, "upper": true, "value": true, "cast_type": true, "replace_list": true,
}

func expr(o object) *Expr {
	class := str(o, "class")
	if class == "" {
		return nil
	}
	e := &Expr{Class: class, Type: str(o, "type"), Loc: loc(o), Alias: str(o, "alias"), raw: o,
		Func: strings.ToLower(str(o, "function_name")), Names: strs(o, "column_names")}
	for _, k := range []string{"left", "right", "child", "lhs", "expr", "input", "lower", "upper"} {
		if c := obj(o, k); c != nil {
			if x := expr(c); x != nil {
				e.Args = append(e.Args, x)
			}
		}
	}
	e.Args = append(e.Args, exprs(arr(o, "children"))...)
	for _, c := range arr(o, "case_checks") {
		if m, ok := c.(object); ok {
			e.Args = append(e.Args, exprs([]any{m["when_expr"], m["then_expr"]})...)
		}
	}
	if x := expr(obj(o, "else_expr")); x != nil {
		e.Args = append(e.Args, x)
	}
	e.Partition = exprs(arr(o, "partitions"))
	e.Args = append(e.Args, e.Partition...)
	switch class {
	case "CONSTANT":
		e.Value = constant(obj(o, "value"))
	case "PARAMETER":
		e.Param = str(o, "identifier")
	case "SUBQUERY":
		e.SubType, e.Compare = str(o, "subquery_type"), str(o, "comparison_type")
		if n := obj(obj(o, "subquery"), "node"); n != nil {
			e.Sub = query(n)
		}
	case "STAR":
		e.star(o)
	}
	for _, k := range slices.Sorted(maps.Keys(o)) {
		if !exprFields[k] {
			es, qs := strays(o[k])
			e.Args = append(e.Args, es...)
			for _, q := range qs {
				e.Args = append(e.Args, &Expr{Class: "SUBQUERY", Loc: -1, Sub: q, SubType: "SCALAR"})
			}
		}
	}
	return e
}

func (e *Expr) star(o object) {
	e.Star = Star{Relation: str(o, "relation_name"), Columns: yes(o, "columns"), Exclude: strs(o, "exclude_list")}
	for _, q := range arr(o, "qualified_exclude_list") {
		if m, ok := q.(object); ok {
			e.Star.Exclude = append(e.Star.Exclude, str(m, "column"))
		}
	}
	for _, r := range arr(o, "replace_list") {
		if m, ok := r.(object); ok {
			e.Star.Replace = append(e.Star.Replace, str(m, "key"))
			if x := expr(obj(m, "value")); x != nil {
				e.Args = append(e.Args, x)
			}
		}
	}
	for range arr(o, "rename_list") {
		e.Star.Rename = append(e.Star.Rename, "")
	}
}

func constant(o object) Constant {
	c := Constant{Type: str(obj(o, "type"), "id"), Null: yes(o, "is_null")}
	switch v := o["value"].(type) {
	case string:
		c.Text = v
	case json.Number:
		c.Text = v.String()
	case bool:
		c.Text = fmt.Sprint(v)
	}
	return c
}

// strays finds the expressions and queries in a part of a tree whose layout is
// not known, outermost ones only, in the order of their keys.
func strays(v any) (es []*Expr, qs []*Query) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			e, q := strays(x)
			es, qs = append(es, e...), append(qs, q...)
		}
	case object:
		if str(v, "class") != "" {
			if e := expr(v); e != nil {
				return []*Expr{e}, nil
			}
		}
		if t := str(v, "type"); strings.HasSuffix(t, "_NODE") {
			return nil, []*Query{query(v)}
		} else if t == "BASE_TABLE" || t == "JOIN" || t == "SUBQUERY" || t == "TABLE_FUNCTION" {
			// a FROM item on its own is read as a query over it
			return nil, []*Query{{Kind: Select, From: ref(v), List: []*Expr{{Class: "STAR", Loc: -1}}}}
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			e, q := strays(v[k])
			es, qs = append(es, e...), append(qs, q...)
		}
	}
	return es, qs
}

// AsSelect writes a tree for json_deserialize_sql: SELECT with e as its only
// item, without e's alias. It is how DuckDB itself would head e's column.
func (e *Expr) AsSelect() []byte { return tree(selectOf(e.item(), emptyFrom)) }

// Renamed is AsSelect with other column names: names has a dotted name's parts,
// joined by a NUL byte, and what to write for it.
func (e *Expr) Renamed(names map[string]string) []byte {
	return tree(selectOf(renamedTree(e.item(), names).(object), emptyFrom))
}

func (e *Expr) item() object {
	o := maps.Clone(e.raw)
	o["alias"] = ""
	return o
}

func renamedTree(v any, names map[string]string) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = renamedTree(x, names)
		}
		return out
	case object:
		out := make(object, len(v))
		for k, x := range v {
			out[k] = renamedTree(x, names)
		}
		if str(v, "class") == "COLUMN_REF" {
			if to, ok := names[strings.Join(strs(v, "column_names"), "\x00")]; ok {
				out["column_names"] = []any{to}
			}
		}
		return out
	}
	return v
}

// AsTree writes a query's own tree for json_deserialize_sql; nil for a query
// that stands for something that is none.
func (q *Query) AsTree() []byte {
	if q.raw == nil || !strings.HasSuffix(str(q.raw, "type"), "_NODE") {
		return nil
	}
	return tree(q.raw)
}

// AsTree writes SELECT * over a FROM item.
func (r *Ref) AsTree() []byte {
	if r.raw == nil {
		return nil
	}
	star := object{"class": "STAR", "type": "STAR", "alias": "", "query_location": noLocation, "relation_name": "", "exclude_list": []any{},
		"replace_list": []any{}, "columns": false, "expr": nil, "unpacked": false, "qualified_exclude_list": []any{}, "rename_list": []any{}}
	return tree(selectOf(star, r.raw))
}

// First gives the first place in the text that a FROM item's tree tells, -1 for none.
func (r *Ref) First() int { return first(r.raw) }

func first(v any) int {
	at := -1
	least := func(i int) {
		if i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			least(first(x))
		}
	case object:
		if str(v, "class") != "STAR" || loc(v) > 0 { // the star that FROM alone means has the place 0
			least(loc(v))
		}
		for _, x := range v {
			least(first(x))
		}
	}
	return at
}

// Functions gives the names of all functions in a query, sub-selects included,
// and in a FROM item.
func (q *Query) Functions() []string { return functionsIn(q.raw, nil) }

// Functions is the same of a FROM item.
func (r *Ref) Functions() []string { return functionsIn(r.raw, nil) }

// Functions is the same of an expression.
func (e *Expr) Functions() []string { return functionsIn(e.raw, nil) }

func functionsIn(v any, out []string) []string {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			out = functionsIn(x, out)
		}
	case object:
		if name := str(v, "function_name"); name != "" && !slices.Contains(out, strings.ToLower(name)) {
			out = append(out, strings.ToLower(name))
		}
		for _, x := range v {
			out = functionsIn(x, out)
		}
	}
	return out
}

const noLocation = json.Number("18446744073709551615")

var emptyFrom = object{"type": "EMPTY", "alias": "", "sample": nil, "query_location": noLocation}

func selectOf(item, from object) object {
	return object{
		"type": "SELECT_NODE", "modifiers": []any{}, "cte_map": object{"map": []any{}}, "select_list": []any{item},
		"from_table": from, "where_clause": nil, "group_expressions": []any{}, "group_sets": []any{}, "aggregate_handling": "STANDARD_HANDLING",
		"having": nil, "sample": nil, "qualify": nil,
	}
}

func tree(node object) []byte {
	out, err := json.Marshal(object{"error": false, "statements": []any{object{"node": node, "named_param_map": []any{}}}})
	if err != nil {
		panic("syntax: a decoded tree does not encode: " + err.Error())
	}
	return out
}
