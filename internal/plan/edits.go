package plan

import (
	"errors"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// A pathUse is a dot path into a JSON column, as it stands in the text.
type pathUse struct {
	path     Path
	pos, end int
	column   string // the column before the path, as DuckDB reads it
}

// A Path is a place inside a JSON column of a table, which the schema gives a
// type.
type Path struct {
	Table  *catalog.Table
	Column int
	Steps  []string // as AWS spells them
	Type   catalog.ColumnType
}

// key tells paths apart.
func (p Path) key() string {
	return p.Table.Type + "\x00" + p.Table.Columns[p.Column].Name + "\x00" + strings.Join(p.Steps, "\x00")
}

// Pointer writes the steps as DuckDB's JSON functions take them: $."A"."B".
func (p Path) Pointer() string {
	var s strings.Builder
	s.WriteByte('$')
	for _, step := range p.Steps {
		s.WriteString(`."` + strings.ReplaceAll(step, `"`, `\"`) + `"`)
	}
	return s.String()
}

// Paths are the typed paths of a statement, each once. Their types are the
// schema's: a value that doesn't fit must be known before Text is asked for.
func (p *Plan) Paths() []Path {
	var out []Path
	seen := map[string]bool{}
	for _, u := range p.paths {
		if k := u.path.key(); !seen[k] {
			seen[k] = true
			out = append(out, u.path)
		}
	}
	return out
}

// Text gives the statement that DuckDB runs. The paths in wide stay JSON.
func (p *Plan) Text(wide []Path) syntax.Rewritten {
	keep := map[string]bool{}
	for _, w := range wide {
		keep[w.key()] = true
	}
	edits := slices.Clone(p.names)
	for _, u := range p.paths {
		t := u.path.Type
		if keep[u.path.key()] {
			t = catalog.JSON
		}
		edits = append(edits, syntax.Edit{Pos: u.pos, End: u.end, Text: Extract(u.column, u.path.Pointer(), t)})
	}
	return syntax.Rewrite(p.text, edits)
}

// Extract writes the SQL that takes a place out of a JSON value with a type.
// JSON's null reads as NULL.
func Extract(column, pointer string, t catalog.ColumnType) string {
	at := syntax.Literal(pointer)
	_, list := t.Elem()
	switch {
	case t == catalog.Varchar:
		return "(" + column + " ->> " + at + ")"
	case t == catalog.JSON:
		return "nullif((" + column + " -> " + at + "), 'null'::JSON)"
	case list:
		return "CAST(nullif((" + column + " -> " + at + "), 'null'::JSON) AS " + t.String() + ")"
	}
	return "CAST((" + column + " ->> " + at + ") AS " + t.String() + ")"
}

// path binds the parts of a name that go into a column. A name that is not a
// member of a closed object is an error here: DuckDB would read it as NULL.
func (b *binder) path(e *syntax.Expr, m match, rest []string, at place) origin {
	c := m.column
	for len(c.of) > 0 {
		c = c.of[0]
	}
	from := c.from
	if from.ref == nil || from.column().Type != catalog.JSON {
		b.rename(e, m, nil)
		return origin{}
	}
	b.writeOnly(e, c, at)
	t := from.ref.table
	leaf, err := t.Leaf(from.col, append(slices.Clone(from.path), rest...))
	var unknown *catalog.UnknownMember
	if errors.As(err, &unknown) {
		pos := b.loc(e.Loc)
		for i, p := range syntax.NameAt(b.text, pos) {
			if i > m.skip && strings.EqualFold(p.Text, unknown.Name) {
				pos = p.Pos
				break
			}
		}
		err := sqlerr.New(sqlerr.UndefinedColumn, "%s has no member %q", unknown.Object, unknown.Name).At(b.text, pos)
		if len(unknown.Near) > 0 {
			err = err.WithHint("%s", strings.Join(unknown.Near, ", "))
		}
		b.fail(err)
		return origin{}
	}
	if err != nil || !leaf.Known {
		b.rename(e, m, nil)
		return origin{}
	}
	steps := leaf.Path[len(from.path):]
	b.rename(e, m, &Path{Table: t, Column: from.col, Steps: steps, Type: leaf.Type})
	if leaf.Type != catalog.JSON {
		return origin{}
	}
	return origin{ref: from.ref, col: from.col, path: leaf.Path}
}

// rename writes a name the way DuckDB must read it, where that differs.
func (b *binder) rename(e *syntax.Expr, m match, path *Path) {
	if b.loose > 0 || path == nil && m.canonical == "" && (m.skip < 2 || m.relation == nil || m.relation.ref == nil) {
		return
	}
	parts := syntax.NameAt(b.text, e.Loc)
	if len(parts) < len(e.Names) {
		return // written in a way that is not a plain dotted name: left alone
	}
	parts = parts[:len(e.Names)]
	for i, p := range parts {
		if !strings.EqualFold(p.Text, e.Names[i]) {
			return
		}
	}
	var name string
	switch {
	case m.skip >= 2 && m.relation != nil && m.relation.rename != "":
		name = m.relation.rename + "."
	case m.skip > 0:
		name = b.text[parts[0].Pos:parts[m.skip-1].End] + "."
	}
	col := parts[m.skip]
	if m.canonical != "" {
		name += syntax.Quote(m.canonical)
	} else {
		name += b.text[col.Pos:col.End]
	}
	if path != nil {
		b.plan.paths = append(b.plan.paths, &pathUse{*path, parts[0].Pos, parts[len(parts)-1].End, name})
		return
	}
	edit := syntax.Edit{Pos: parts[0].Pos, End: col.End, Text: name}
	if b.text[edit.Pos:edit.End] != name {
		b.plan.names = append(b.plan.names, edit)
	}
}

// headers keeps the names of result columns: an item without an alias whose
// text was changed gets the name that it would have had.
func (b *binder) headers() {
	if len(b.plan.names) == 0 && len(b.plan.paths) == 0 {
		return
	}
	var lists [][]syntax.Span
	for _, it := range b.items {
		e := it.list[it.at]
		if e.Alias != "" || e.Class == "STAR" {
			continue
		}
		if lists == nil {
			lists = syntax.SelectLists(b.text)
		}
		span, ok := spanOf(lists, it)
		if !ok || !b.edited(span) {
			continue
		}
		name := ""
		if e.Class == "COLUMN_REF" {
			name = e.Names[len(e.Names)-1]
		} else if b.env.Header != nil {
			h, err := b.env.Header(e)
			if err != nil {
				continue
			}
			name = h
		}
		if name != "" {
			b.plan.names = append(b.plan.names, syntax.Edit{Pos: span.End, End: span.End, Text: " AS " + syntax.Quote(name)})
		}
	}
}

func (b *binder) edited(s syntax.Span) bool {
	inside := func(pos, end int) bool { return s.Pos <= pos && end <= s.End && pos < end }
	for _, e := range b.plan.names {
		if inside(e.Pos, e.End) {
			return true
		}
	}
	for _, u := range b.plan.paths {
		if inside(u.pos, u.end) {
			return true
		}
	}
	return false
}

// spanOf finds the text of a select list's item: in the smallest list of as
// many items, each of which holds what the tree says it holds.
func spanOf(lists [][]syntax.Span, it item) (syntax.Span, bool) {
	best := -1
	for i, l := range lists {
		if len(l) != len(it.list) {
			continue
		}
		fits, some := true, false
		for j, e := range it.list {
			if at := firstLoc(e); at >= 0 {
				some = true
				fits = fits && l[j].Pos <= at && at < l[j].End
			}
		}
		if fits && some && (best < 0 || width(l) < width(lists[best])) {
			best = i
		}
	}
	if best < 0 {
		return syntax.Span{}, false
	}
	return lists[best][it.at], true
}

func width(l []syntax.Span) int { return l[len(l)-1].End - l[0].Pos }

func firstLoc(e *syntax.Expr) int {
	at := -1
	e.Walk(func(x *syntax.Expr) bool {
		if x.Loc >= 0 && (at < 0 || x.Loc < at) {
			at = x.Loc
		}
		return true
	})
	return at
}
