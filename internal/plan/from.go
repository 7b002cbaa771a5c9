package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// ref binds a FROM item and adds what it shows to the scope.
func (b *binder) ref(r *syntax.Ref, sc *scope, bl *block) *node {
	if r == nil || b.err != nil {
		return &node{relation: &relation{}}
	}
	n := b.item(r, sc, bl)
	n.barrier = n.barrier || r.Sample
	if r.Sample {
		b.unstable++
	}
	return n
}

func (b *binder) item(r *syntax.Ref, sc *scope, bl *block) *node {
	for _, e := range r.Exprs {
		b.expr(e, sc, elsewhere, bl)
	}
	for _, q := range r.Inner {
		bl.subs = append(bl.subs, b.query(q, sc))
	}
	switch r.Kind {
	case syntax.Empty:
		return &node{relation: &relation{}}
	case syntax.Base:
		return b.table(r, sc, false)
	case syntax.Derived:
		inner := b.query(r.Sub, sc)
		return b.derived(r, inner, sc, nil, false)
	case syntax.Join:
		return b.join(r, sc, bl)
	case syntax.TableFunc:
		return b.tableFunction(r, sc, bl)
	case syntax.Pivot:
		inner := &scope{outer: sc}
		source := b.ref(r.Source, inner, bl)
		for _, rel := range inner.relations {
			b.wantAll(rel) // what is not named in a PIVOT groups it
		}
		for _, e := range r.Exprs {
			b.expr(e, inner, elsewhere, bl)
		}
		n := b.open(r, sc)
		n.left, n.right, n.form = source, &node{relation: &relation{}}, "POSITIONAL"
		n.barrier = true
		return n
	case syntax.ShowRef:
		b.show(r, sc, bl)
	}
	return b.open(r, sc)
}

// open is a FROM item whose columns are not known.
func (b *binder) open(r *syntax.Ref, sc *scope) *node {
	rel := &relation{name: r.Alias, open: true}
	for _, c := range r.Columns {
		rel.columns = append(rel.columns, &column{name: c})
	}
	sc.relations = append(sc.relations, rel)
	return &node{relation: rel}
}

// show binds DESCRIBE and SUMMARIZE of a query. Describing reads no rows.
func (b *binder) show(r *syntax.Ref, sc *scope, bl *block) {
	if r.Sub == nil {
		b.plan.Everything = true
		return
	}
	before := len(b.refs)
	inner := b.query(r.Sub, sc)
	if r.Show == "SUMMARY" {
		bl.subs = append(bl.subs, inner)
		return
	}
	for _, ref := range b.refs[before:] {
		ref.never, ref.described = true, true
	}
}

func (b *binder) derived(r *syntax.Ref, inner *block, sc *scope, names []string, cte bool) *node {
	rel := &relation{name: r.Alias, open: inner.open}
	if rel.name == "" {
		rel.name = r.Table
	}
	for _, o := range inner.renamed(r.Columns) {
		c := &column{name: o.name, from: o.from, varchar: o.text()}
		c.item = c // no other column's
		if o.column != nil {
			c.local, c.item = o.column.local, o.column.item
			if cte {
				c.item = used{rel, c.item}
			}
		}
		rel.columns = append(rel.columns, c)
	}
	if inner.refs[0] == inner.refs[1] {
		b.values(rel, r, inner)
		if len(r.Columns) == 0 { // the text that was described doesn't name them
			for i, n := range names {
				if i < len(rel.columns) {
					rel.columns[i].name = n
				}
			}
		}
	}
	sc.relations = append(sc.relations, rel)
	return &node{relation: rel, block: inner}
}

// values makes the columns of a FROM item that reads no cloud table ones whose
// values can be had beforehand, if its functions always give the same.
func (b *binder) values(rel *relation, r *syntax.Ref, inner *block) {
	if b.env.Columns == nil || b.macro > 0 || r.Sample || inner != nil && (b.borrows(inner) || inner.unstable) {
		return
	}
	tree, functions := r.AsTree(), r.Functions()
	if inner != nil && r.Sub == nil { // the name of a CTE means nothing outside its statement
		tree, functions = inner.query.AsTree(), inner.query.Functions()
	}
	if tree == nil || !b.pure(functions) {
		return
	}
	text, err := b.env.Text(tree)
	if err != nil {
		return
	}
	cols, ok := b.env.Columns(text)
	if !ok {
		return
	}
	if rel.open || len(rel.columns) != len(cols) {
		rel.columns, rel.open = nil, false
		for _, c := range cols {
			rel.columns = append(rel.columns, &column{name: c.Name})
		}
		for i, n := range r.Columns {
			if i < len(rel.columns) {
				rel.columns[i].name = n
			}
		}
	}
	for i, c := range rel.columns {
		if c.local == nil && cols[i].Type == "VARCHAR" {
			c.varchar = true
			if b.env.Narrow != Keys {
				continue
			}
			c.local, c.item = &localColumn{from: "(" + text + ")", name: cols[i].Name}, rel
		}
	}
}

func (b *binder) tableFunction(r *syntax.Ref, sc *scope, bl *block) *node {
	b.expr(r.Func, sc, elsewhere, bl)
	n := b.open(r, sc)
	if n.relation.name == "" && r.Func != nil {
		n.relation.name = r.Func.Func
	}
	if r.Func != nil && b.closedArgs(r.Func) {
		b.values(n.relation, r, nil)
	}
	return n
}

// closedArgs reports whether a table function is given constants alone.
func (b *binder) closedArgs(f *syntax.Expr) bool {
	for _, a := range f.Args {
		if a.Class == "COMPARISON" && len(a.Args) == 2 { // name = value
			a = a.Args[1]
		}
		if !closed(a) {
			return false
		}
	}
	return true
}

// table binds a name in FROM: a CTE, a table or view of DuckDB's own, or a
// cloud table.
func (b *binder) table(r *syntax.Ref, sc *scope, bare bool) *node {
	if r.At != nil {
		b.fail(sqlerr.New(sqlerr.FeatureNotSupported, "AT (time travel) is not supported").At(b.text, b.loc(r.Loc)))
	}
	if r.Catalog == "" && r.Schema == "" {
		if c := sc.cte(r.Table); c != nil {
			b.uses = append(b.uses, c)
			n := b.derived(r, c.block, sc, c.names, true)
			n.block, n.cte = nil, c
			return n
		}
	}
	if schemas[strings.ToLower(r.Schema)] || strings.EqualFold(r.Catalog, "system") {
		b.plan.Everything = true
		b.unstable++ // the statement makes tables of its own
		n := b.open(r, sc)
		n.relation.name = firstOf(r.Alias, r.Table)
		return n
	}
	e, form, cloud, err := b.resolve(r)
	if err != nil {
		b.fail(err)
		return &node{relation: &relation{open: true}}
	}
	if !cloud {
		return b.local(r, sc)
	}
	t, err := b.env.Catalog.Table(e.Type)
	if err != nil {
		b.fail(err)
		return &node{relation: &relation{open: true}}
	}
	if !e.Readable && !e.Listable {
		b.fail(sqlerr.New(sqlerr.FeatureNotSupported, "%s can't be read: %s has no handlers, Cloud Control doesn't offer it", t.Name(), t.Type).At(b.text, b.loc(r.Loc)))
	}
	return b.cloud(r, t, form, sc)
}

// schemas describe the list of tables.
var schemas = map[string]bool{"information_schema": true, "pg_catalog": true}

func firstOf(names ...string) string {
	for _, n := range names {
		if n != "" {
			return n
		}
	}
	return ""
}

// resolve finds a name among the cloud tables. Local names win where a name
// doesn't say aws or awscc.
func (b *binder) resolve(r *syntax.Ref) (e catalog.Entry, form catalog.Form, cloud bool, err error) {
	c := b.env.Catalog
	local := func() bool {
		if b.env.Local == nil {
			return false
		}
		_, ok := b.env.Local(r.Catalog, r.Schema, r.Table)
		return ok
	}
	service := r.Schema
	switch {
	case strings.EqualFold(r.Catalog, "aws"), strings.EqualFold(r.Catalog, "awscc"):
	case r.Catalog != "":
		return e, 0, false, nil
	case strings.EqualFold(r.Schema, "aws"), strings.EqualFold(r.Schema, "awscc"):
		if local() {
			return e, 0, false, nil
		}
		near := c.NearTables("", r.Table)
		return e, 0, false, b.noTable(r, r.Schema+"."+r.Table, near)
	case r.Schema != "":
		if b.env.LocalSchema != nil && b.env.LocalSchema(r.Schema) || !hasService(c, r.Schema) {
			return e, 0, false, nil
		}
	default:
		if local() || b.env.Service == "" {
			return e, 0, false, nil
		}
		service = b.env.Service
	}
	e, form, ok := c.Lookup(service, r.Table)
	if ok {
		return e, form, true, nil
	}
	if r.Schema == "" {
		return e, 0, false, nil // USE: the name may still be a file or a local table made later
	}
	if !hasService(c, service) {
		err := sqlerr.New(sqlerr.UndefinedTable, "service aws.%s does not exist", service).At(b.text, b.loc(r.Loc))
		if near := c.NearServices(service); len(near) > 0 {
			return e, 0, false, err.WithHint("did you mean aws.%s? SHOW SERVICES lists them all", near[0])
		}
		return e, 0, false, err.WithHint("SHOW SERVICES")
	}
	return e, 0, false, b.noTable(r, "aws."+service+"."+r.Table, c.NearTables(service, r.Table))
}

func hasService(c *catalog.Catalog, service string) bool {
	_, ok := slices.BinarySearch(c.Services(), strings.ToLower(service))
	return ok
}

func (b *binder) noTable(r *syntax.Ref, name string, near []string) error {
	err := sqlerr.New(sqlerr.UndefinedTable, "table %s does not exist", name).At(b.text, b.loc(r.Loc))
	switch {
	case len(near) > 0:
		return err.WithHint("did you mean %s?", strings.Join(near, ", "))
	case r.Catalog != "":
		return err.WithHint("SHOW TABLES IN aws.%s", r.Schema)
	}
	return err.WithHint("SHOW SERVICES")
}

// local binds a table or view of DuckDB's own, or a name that only DuckDB can
// tell the meaning of, such as a file's.
func (b *binder) local(r *syntax.Ref, sc *scope) *node {
	var l Local
	known := false
	if b.env.Local != nil {
		l, known = b.env.Local(r.Catalog, r.Schema, r.Table)
	}
	if known && l.View != "" {
		if b.loose >= maxDepth {
			b.fail(sqlerr.New(sqlerr.FeatureNotSupported, "views use each other more than %d deep", maxDepth).At(b.text, b.loc(r.Loc)))
			return &node{relation: &relation{open: true}}
		}
		q, err := b.env.Parse(l.View)
		if err != nil {
			b.fail(err)
			return &node{relation: &relation{open: true}}
		}
		b.loose++
		inner := b.query(q, nil)
		b.loose--
		if !b.pure(q.Functions()) {
			b.unstable++
		}
		inner.outs = inner.renamed(l.Columns)
		return b.derived(r, inner, sc, l.Columns, false)
	}
	rel := &relation{name: firstOf(r.Alias, r.Table), open: !known}
	for _, c := range l.Columns {
		rel.columns = append(rel.columns, &column{name: c})
	}
	for i, c := range r.Columns {
		if i < len(rel.columns) {
			rel.columns[i].name = c
		}
	}
	if strings.EqualFold(r.Schema, "skyql") {
		b.unstable++ // skyql.missing is another one once the statement has read
	} else {
		b.values(rel, r, nil)
	}
	sc.relations = append(sc.relations, rel)
	return &node{relation: rel}
}

// cloud binds a cloud table, and writes its canonical name into the text.
func (b *binder) cloud(r *syntax.Ref, t *catalog.Table, form catalog.Form, sc *scope) *node {
	ref := b.addReference(t, form, r.Loc)
	rel := &relation{name: firstOf(r.Alias, r.Table), ref: ref}
	ref.name = rel.name
	for i, c := range t.Columns {
		if form == catalog.ListOnly && !t.Free(i) {
			continue
		}
		rel.columns = append(rel.columns, &column{name: c.Name, from: origin{ref: ref, col: i}, item: rel})
	}
	if form == catalog.Tags {
		b.tagColumns(rel, t, ref)
	}
	for i, c := range r.Columns { // t(a, b, c) goes by position
		if i < len(rel.columns) {
			rel.columns[i].name = c
		}
	}
	if len(r.Columns) > 0 {
		ref.all = true
	}
	if r.Alias == "" {
		rel.qualifier = []string{"aws", t.Service}
		for _, w := range []string{r.Catalog, r.Schema} {
			if w != "" {
				rel.written = append(rel.written, w)
			}
		}
	}
	sc.relations = append(sc.relations, rel)
	b.writeTable(r, t, form, rel)
	return &node{relation: rel}
}

// tagColumns are what the _tags form of a table adds: tag_key and tag_value,
// with a row for each tag.
func (b *binder) tagColumns(rel *relation, t *catalog.Table, ref *reference) {
	c, ok := t.Column(strings.TrimPrefix(t.Tagging.Property, "/"))
	if !ok {
		b.fail(sqlerr.New(sqlerr.UndefinedTable, "%s has no tags", t.Name()).At(b.text, ref.loc).WithHint("%s", t.Name()))
		return
	}
	ref.want(c)
	rel.columns = append(rel.columns, &column{name: "tag_key"}, &column{name: "tag_value"})
}

func (b *binder) writeTable(r *syntax.Ref, t *catalog.Table, form catalog.Form, rel *relation) {
	if b.loose > 0 {
		return
	}
	parts := syntax.NameAt(b.text, r.Loc)
	n := 1
	for _, w := range []string{r.Catalog, r.Schema} {
		if w != "" {
			n++
		}
	}
	if len(parts) < n || !strings.EqualFold(parts[n-1].Text, r.Table) {
		b.fail(fmt.Errorf("plan: no name %q at %d", r.Table, r.Loc))
		return
	}
	name := "aws." + syntax.Quote(t.Service) + "." + syntax.Quote(t.Plural)
	source := b.bareAt(r).within(name)
	edit := syntax.Edit{Pos: parts[0].Pos, End: parts[n-1].End, Text: source}
	rel.rename = name
	switch form {
	case catalog.ListOnly:
		var cols []string
		for _, c := range rel.columns {
			cols = append(cols, syntax.Quote(c.from.column().Name))
		}
		edit.Text = "(SELECT " + strings.Join(cols, ", ") + " FROM " + source + ")"
	case catalog.Tags:
		c, _ := t.Column(strings.TrimPrefix(t.Tagging.Property, "/"))
		edit.Text = tagRows(source, t.Columns[c].Name)
	}
	if r.Alias == "" && (edit.Text != name || !strings.EqualFold(r.Table, t.Plural)) && b.takesAlias(parts[0].Pos) {
		rel.rename = syntax.Quote(r.Table)
		edit.Text += " AS " + rel.rename
	}
	b.plan.names = append(b.plan.names, edit)
}

// tagRows gives a table a row for each tag, whatever shape its tags have.
func tagRows(table, tags string) string {
	c := "skyql_t." + syntax.Quote(tags)
	return "(SELECT skyql_t.*, skyql_tag.tag_key, skyql_tag.tag_value FROM " + table + " AS skyql_t, LATERAL (" +
		"SELECT coalesce(skyql_e.value->>'Key', skyql_e.value->>'TagKey', skyql_e.key) AS tag_key, " +
		"CASE WHEN json_type(skyql_e.value) = 'OBJECT' THEN coalesce(skyql_e.value->>'Value', skyql_e.value->>'TagValue') ELSE skyql_e.value->>'$' END AS tag_value " +
		"FROM json_each(" + c + ") AS skyql_e) AS skyql_tag)"
}

// takesAlias reports whether an alias may follow the name at pos: TABLE t and
// DESCRIBE t take none.
func (b *binder) takesAlias(pos int) bool {
	toks := syntax.Lex(b.text[:pos])
	if len(toks) < 2 {
		return true
	}
	last := toks[len(toks)-2]
	return !last.Is("TABLE") && !last.Is("DESCRIBE") && !last.Is("SUMMARIZE") && !last.Is("DESC")
}
