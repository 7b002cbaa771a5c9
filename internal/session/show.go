package session

import (
	"context"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// showForms is what SHOW takes, for hints.
const showForms = "SHOW SERVICES, SHOW TABLES IN aws.ec2, SHOW METHODS IN aws.ec2.vpcs, SHOW SETTINGS"

// show is SHOW in this program's forms: PROVIDERS, SERVICES, TABLES and
// RESOURCES [IN service] [LIKE pattern], METHODS IN table, SETTINGS, a setting's
// name. Anything else is DuckDB's.
func (s *Session) show(ctx context.Context, st syntax.Statement) (*engine.Rows, error) {
	toks := st.Tokens[1:]
	if toks[0].Is("EXTENDED") {
		toks = toks[1:]
	}
	if !toks[0].IsName() {
		return nil, sqlerr.New(sqlerr.SyntaxError, "SHOW what?").At(st.Text, st.Tokens[0].Pos).WithHint(showForms)
	}
	what := strings.ToUpper(toks[0].Text)
	if isShowPlan(st) {
		return s.showPlan(ctx)
	}
	var in []syntax.Part
	var like string
	if slices.Contains(shown, what) {
		var err error
		if in, like, err = showParts(st, toks[1:]); err != nil {
			return nil, err
		}
	}
	switch what {
	case "PROVIDERS":
		return s.listed(ctx, like, engineColumns("name", "tables"), [][]any{{"aws", int64(len(s.catalog.Entries("")))}})
	case "SERVICES":
		var rows [][]any
		for _, name := range s.catalog.Services() {
			rows = append(rows, []any{name, "aws." + name, int64(len(s.catalog.Entries(name)))})
		}
		return s.listed(ctx, like, engineColumns("name", "id", "tables"), rows)
	case "TABLES", "RESOURCES":
		return s.showTables(ctx, st, in, like)
	case "METHODS":
		return s.showMethods(st, in)
	case "SETTINGS":
		var rows [][]any
		for _, x := range settings {
			rows = append(rows, []any{x.name, x.get(s.settings), x.hint})
		}
		return s.listed(ctx, like, engineColumns("name", "value", "takes"), rows)
	}
	if v, ok := s.value(what); ok && len(toks) == 2 {
		return engine.Static(engineColumns(strings.ToLower(what)), [][]any{{v}}), nil
	}
	if s.options.Confine != nil {
		return nil, sqlerr.New(sqlerr.UndefinedObject, "unrecognized configuration parameter %q", strings.ToLower(what)).At(st.Text, toks[0].Pos).
			WithHint(showForms)
	}
	rows, err := s.db.Plain(ctx, st.Text, nil)
	return rows, showHint(err, what)
}

// shown are the words behind SHOW that take IN and LIKE.
var shown = []string{"PROVIDERS", "SERVICES", "TABLES", "RESOURCES", "METHODS", "SETTINGS"}

// showHint tells somebody who wrote SHOW and a word that DuckDB took for a table
// what it may have been.
func showHint(err error, what string) error {
	e, ok := asError[*sqlerr.Error](err)
	if !ok || e.Code != sqlerr.UndefinedTable && e.Code != sqlerr.SyntaxError {
		return err
	}
	if what == "COLUMNS" || what == "CREATE" {
		return e.WithHint("DESCRIBE aws.s3.buckets")
	}
	names := append(slices.Clone(shown), "PLAN", "DATABASES", "SCHEMAS")
	if near := catalog.Nearest(what, append(names, SettingNames()...)); len(near) > 0 {
		return e.WithHint("SHOW %s", near[0])
	}
	return e.WithHint(showForms)
}

// isShowPlan reports whether a statement is SHOW PLAN.
func isShowPlan(st syntax.Statement) bool {
	return st.Word == "SHOW" && len(st.Tokens) == 3 && st.Tokens[1].Is("PLAN")
}

// engineColumns are text columns; names that count are numbers.
func engineColumns(names ...string) []engine.Column {
	var out []engine.Column
	for _, n := range names {
		c := engine.Column{Name: n, Type: "VARCHAR", Kind: engine.Text}
		if n == "tables" {
			c.Type, c.Kind = "BIGINT", engine.Integer
		}
		out = append(out, c)
	}
	return out
}

// showParts reads [IN|FROM name] [LIKE 'pattern'].
func showParts(st syntax.Statement, toks []syntax.Token) (in []syntax.Part, like string, err error) {
	for i := 0; i < len(toks)-1; i++ {
		switch t := toks[i]; {
		case t.Is("IN") || t.Is("FROM"):
			in = syntax.NameAt(st.Text, toks[i+1].Pos)
			for len(in) > 0 && toks[i+1].Pos < in[len(in)-1].End {
				i++
			}
		case t.Is("LIKE") || t.Is("ILIKE"):
			if toks[i+1].Kind != syntax.String {
				return nil, "", sqlerr.New(sqlerr.SyntaxError, "LIKE takes a pattern in quotes").At(st.Text, toks[i+1].Pos).WithHint("LIKE '%%bucket%%'")
			}
			i++
			like = toks[i].Text
		default:
			return nil, "", sqlerr.New(sqlerr.SyntaxError, "SHOW takes no %s", t.Text).At(st.Text, t.Pos).WithHint("SHOW TABLES IN aws.ec2 LIKE '%%vpc%%'")
		}
	}
	return in, like, nil
}

// listed keeps the rows whose first column is like a pattern.
func (s *Session) listed(ctx context.Context, like string, cols []engine.Column, rows [][]any) (*engine.Rows, error) {
	if like == "" {
		return engine.Static(cols, rows), nil
	}
	var out [][]any
	for _, r := range rows {
		hit := false
		for _, v := range r[:min(2, len(r))] {
			text, _ := v.(string)
			hit = hit || matches(like, text) || matches(like, text[strings.LastIndexByte(text, '.')+1:])
		}
		if hit {
			out = append(out, r)
		}
	}
	return engine.Static(cols, out), nil
}

// matches is SQL's LIKE without regard to case.
func matches(pattern, text string) bool {
	p, t := []rune(strings.ToLower(pattern)), []rune(strings.ToLower(text))
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && (p[i] == '_' || p[i] == t[j]) && p[i] != '%':
			i, j = i+1, j+1
		case i < len(p) && p[i] == '%':
			star, mark = i, j
			i++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '%' {
		i++
	}
	return i == len(p)
}

func (s *Session) showTables(ctx context.Context, st syntax.Statement, in []syntax.Part, like string) (*engine.Rows, error) {
	service := s.service
	if len(in) > 0 && isProvider(in[0].Text) {
		service = ""
		in = in[1:]
	}
	if len(in) > 0 {
		service = strings.ToLower(in[0].Text)
	}
	entries := s.catalog.Entries(service)
	if len(entries) == 0 {
		err := sqlerr.New(sqlerr.UndefinedObject, "service aws.%s does not exist", service)
		if len(in) > 0 {
			err = err.At(st.Text, in[0].Pos)
		}
		if near := s.catalog.NearServices(service); len(near) > 0 {
			return nil, err.WithHint("SHOW TABLES IN aws.%s", near[0])
		}
		return nil, err.WithHint("SHOW SERVICES")
	}
	var rows [][]any
	for _, e := range entries {
		reads := "list and get"
		switch {
		case !e.Readable && !e.Listable:
			reads = "nothing: Cloud Control has no handlers for it"
		case !e.Listable:
			reads = "get, by identifier"
		}
		rows = append(rows, []any{e.Name(), "aws." + e.Service + "." + e.Singular, e.Type, reads})
	}
	return s.listed(ctx, like, engineColumns("name", "singular", "type", "reads"), rows)
}

// tableOf finds the table that a statement names.
func (s *Session) tableOf(st syntax.Statement, parts []syntax.Part) (*catalog.Table, catalog.Form, error) {
	if len(parts) == 0 {
		return nil, 0, sqlerr.New(sqlerr.SyntaxError, "%s needs a table", st.Word).At(st.Text, 0).WithHint("%s aws.s3.buckets", st.Word)
	}
	e, form, ok := s.cloudTable(parts)
	if !ok {
		last := parts[len(parts)-1].Text
		service := ""
		if len(parts) > 1 {
			service = parts[len(parts)-2].Text
		}
		var names []string
		for _, p := range parts {
			names = append(names, p.Text)
		}
		err := sqlerr.New(sqlerr.UndefinedTable, "table %s does not exist", strings.Join(names, ".")).At(st.Text, parts[0].Pos)
		if len(parts) < 3 && (service == "" || isProvider(service)) && len(s.catalog.Entries(strings.ToLower(last))) > 0 {
			return nil, 0, err.WithHint("SHOW TABLES IN aws.%s", strings.ToLower(last))
		}
		if near := s.catalog.NearTables(service, last); len(near) > 0 {
			return nil, 0, err.WithHint("did you mean %s?", strings.Join(near, ", "))
		}
		return nil, 0, err.WithHint("SHOW TABLES")
	}
	t, err := s.catalog.Table(e.Type)
	return t, form, err
}

func (s *Session) showMethods(st syntax.Statement, in []syntax.Part) (*engine.Rows, error) {
	t, form, err := s.tableOf(st, in)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, m := range t.Methods(form == catalog.Singular) {
		rows = append(rows, []any{m.Name, strings.Join(m.Required, ", "), m.Verb})
	}
	return engine.Static(engineColumns("MethodName", "RequiredParams", "SQLVerb"), rows), nil
}

// describe is DESCRIBE [EXTENDED] of a table.
func (s *Session) describe(ctx context.Context, st syntax.Statement) (*engine.Rows, error) {
	toks := st.Tokens[1:]
	extended := toks[0].Is("EXTENDED")
	if extended {
		toks = toks[1:]
	}
	if toks[0].Is("TABLE") && len(toks) > 2 {
		toks = toks[1:]
	}
	parts := syntax.NameAt(st.Text, toks[0].Pos)
	if _, _, ok := s.cloudTable(parts); !ok && len(parts) > 0 {
		if _, local := s.localTable("", "", parts[len(parts)-1].Text); local || schemaOf(parts) != "" {
			return s.db.Plain(ctx, st.Text, nil)
		}
	}
	t, form, err := s.tableOf(st, parts)
	if err != nil {
		return nil, err
	}
	cols := engineColumns("column_name", "column_type", "datatype", "notes")
	if extended {
		cols = append(cols, engineColumns("description")...)
	}
	var rows [][]any
	for i, c := range t.Columns {
		if form == catalog.ListOnly && !t.Free(i) {
			continue
		}
		row := []any{c.Name, c.Type.String(), c.Datatype, Notes(t, c)}
		if extended {
			row = append(row, c.Description)
		}
		rows = append(rows, row)
	}
	return engine.Static(cols, rows), nil
}

func schemaOf(parts []syntax.Part) string {
	if len(parts) > 1 && (strings.EqualFold(parts[0].Text, "information_schema") || strings.EqualFold(parts[0].Text, "pg_catalog")) {
		return parts[0].Text
	}
	return ""
}

// Notes are the marks of a column, as \d and DESCRIBE show them.
func Notes(t *catalog.Table, c catalog.Column) string {
	var out []string
	add := func(on bool, text string) {
		if on {
			out = append(out, text)
		}
	}
	add(c.Property == "", "key")
	add(c.Required, "required")
	if c.Name == "identifier" {
		var parts []string
		for _, i := range t.IdentifierColumns() {
			parts = append(parts, t.Columns[i].Name)
		}
		add(len(parts) > 0, strings.Join(parts, " | "))
	} else {
		add(c.IdentifierPart, "identifier")
	}
	add(c.ReadOnly, "read-only")
	add(c.WriteOnly, "write-only")
	add(c.CreateOnly, "create-only")
	add(c.Deprecated, "deprecated")
	for _, p := range t.ListInput.Parents {
		for _, g := range p.Give {
			add("/"+c.Property == g.To, "refers to "+p.Type)
		}
	}
	return strings.Join(out, " · ")
}
