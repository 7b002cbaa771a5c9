package shell

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// table shows rows that the shell made itself, under a title if there is one.
func (s *Shell) table(title string, names []string, rows [][]any) error {
	var cols []engine.Column
	for i, n := range names {
		c := engine.Column{Name: n, Type: "VARCHAR", Kind: engine.Text}
		if len(rows) > 0 {
			if _, ok := rows[0][i].(int64); ok {
				c.Type, c.Kind = "BIGINT", engine.Integer
			}
		}
		cols = append(cols, c)
	}
	return s.out.show(func(w io.Writer, width int) error {
		if title != "" {
			if _, err := fmt.Fprintln(w, title); err != nil {
				return err
			}
		}
		return s.out.plainly(w, engine.Static(cols, rows), width)
	})
}

// describe is \d.
func (s *Shell) describe(ctx context.Context, c call) error {
	name, _ := word(c.args)
	if name == "" || strings.ContainsAny(name, "*?") {
		if name == "" {
			locals, err := s.session.Locals(ctx)
			if err != nil {
				return err
			}
			if s.session.Service() == "" && len(locals) == 0 {
				s.say(`\d TABLE describes a table, \dn lists services, \dt PATTERN tables`)
				return nil
			}
		}
		return s.listTables(ctx, c)
	}
	t, form, ok := s.names.lookup(nameParts(name))
	if !ok {
		return s.run(ctx, "DESCRIBE "+name) // a local table, or the error with the nearest names
	}
	var rows [][]any
	for i, col := range t.Columns {
		if form == catalog.ListOnly && !t.Free(i) {
			continue
		}
		rows = append(rows, []any{col.Name, col.Type.String(), s.notes(t, col)})
	}
	return s.table(s.tableTitle(t, form), []string{"column", "type", "notes"}, rows)
}

// nameParts cuts a dotted name.
func nameParts(name string) []string { return partTexts(syntax.NameAt(name, 0)) }

// tableTitle says what a table is, and how it can be read.
func (s *Shell) tableTitle(t *catalog.Table, form catalog.Form) string {
	name, how := t.Name(), "list, then get"
	if form == catalog.Singular {
		name, how = "aws."+t.Service+"."+t.Singular, "get, by identifier"
	}
	in := t.ListInput
	var need []string
	for _, p := range in.Required {
		if i, ok := t.Column(strings.TrimPrefix(p, "/")); ok {
			need = append(need, t.Columns[i].Name)
		}
	}
	switch {
	case t.Read == nil && t.List == nil:
		how = "can't be read: Cloud Control has no handlers for it"
	case form == catalog.Singular:
	case t.List == nil:
		how = "no list: needs an identifier"
	case in.Unknown != "" && len(need) > 0:
		how = "list needs " + strings.Join(need, ", ")
	case len(need) > 0:
		how = "list needs " + strings.Join(need, ", ") + " (found by itself)"
	}
	if t.Global {
		how += " · global"
	}
	return fmt.Sprintf("%s   %s   %s", name, t.Type, how)
}

// notes are a column's marks, with tables for types.
func (s *Shell) notes(t *catalog.Table, c catalog.Column) string {
	words := strings.Split(session.Notes(t, c), " · ")
	for i, w := range words {
		if typ, ok := strings.CutPrefix(w, "refers to "); ok {
			if e, ok := s.session.Catalog().ByType(typ); ok {
				words[i] = "refers to " + e.Name()
			}
		}
	}
	return strings.Join(words, " · ")
}

// listTables is \dt: cloud tables and local ones that fit a pattern.
func (s *Shell) listTables(ctx context.Context, c call) error {
	pattern, _ := word(c.args)
	match := tablePattern(pattern, s.session.Service())
	var rows [][]any
	locals, err := s.session.Locals(ctx)
	if err != nil {
		return err
	}
	for name := range locals {
		if pattern == "" || glob(pattern, name) {
			rows = append(rows, []any{name, "local", ""})
		}
	}
	slices.SortFunc(rows, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
	for _, e := range s.session.Catalog().Entries("") {
		if match(e) {
			rows = append(rows, []any{e.Name(), e.Type, reads(e)})
		}
	}
	if len(rows) == 0 {
		err := sqlerr.New(sqlerr.UndefinedTable, "no table is like %s", pattern)
		if near := s.session.Catalog().NearTables("", strings.Trim(pattern, "*?")); len(near) > 0 {
			return err.WithHint(`\d %s`, strings.Join(near, `, \d `))
		}
		return err.WithHint(`\dn`)
	}
	return s.table("", []string{"table", "type", "reads"}, rows)
}

func reads(e catalog.Entry) string {
	switch {
	case e.Listable:
		return "list and get"
	case e.Readable:
		return "get, by identifier"
	}
	return "nothing"
}

// tablePattern gives the test of a pattern: with dots for service and table,
// without for any part of a table's name; none is all of the service in use.
func tablePattern(pattern, service string) func(catalog.Entry) bool {
	if pattern == "" {
		return func(e catalog.Entry) bool { return service == "" || e.Service == service }
	}
	parts := strings.Split(strings.ToLower(pattern), ".")
	if len(parts) > 1 && (parts[0] == "aws" || parts[0] == "awscc") {
		parts = parts[1:]
	}
	return func(e catalog.Entry) bool {
		if len(parts) == 1 {
			return glob(parts[0], e.Plural) || glob(parts[0], e.Singular) || glob(parts[0], e.Service)
		}
		return glob(parts[0], e.Service) && (parts[1] == "" || glob(parts[1], e.Plural) || glob(parts[1], e.Singular))
	}
}

// glob matches names by * and ?, in any letter case.
func glob(pattern, name string) bool {
	ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(name))
	return ok && err == nil
}

// listServices is \dn.
func (s *Shell) listServices(_ context.Context, c call) error {
	pattern, _ := word(c.args)
	var rows [][]any
	for _, name := range s.session.Catalog().Services() {
		if pattern == "" || glob(strings.TrimPrefix(pattern, "aws."), name) {
			rows = append(rows, []any{"aws." + name, int64(len(s.session.Catalog().Entries(name)))})
		}
	}
	if len(rows) == 0 {
		return sqlerr.New(sqlerr.UndefinedObject, "no service is like %s", pattern).WithHint(`\dn`)
	}
	return s.table("", []string{"service", "tables"}, rows)
}

// listDatabases is \l.
func (s *Shell) listDatabases(ctx context.Context, _ call) error {
	locals, err := s.session.Locals(ctx)
	if err != nil {
		return err
	}
	return s.table("", []string{"name", "tables", "what"}, [][]any{
		{"aws", int64(len(s.session.Catalog().Entries(""))), "AWS resources, through Cloud Control"},
		{"memory", int64(len(locals)), "tables of your own, gone when the shell ends"},
	})
}
