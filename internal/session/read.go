package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/plan"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// read runs a SELECT-like statement: plan, bind on empty tables, fetch, run.
func (s *Session) read(ctx context.Context, st syntax.Statement) (*engine.Rows, error) {
	p, err := s.plan(ctx, st)
	if err != nil {
		return nil, err
	}
	if err := s.helpers(ctx, st); err != nil {
		return nil, err
	}
	c := s.db.Begin()
	text, err := s.fill(ctx, c, p)
	if err == nil {
		var rows *engine.Rows
		if rows, err = s.db.Query(ctx, text.Text, s.options.Params); err == nil {
			rows.OnClose(c.Close)
			return rows, nil
		}
		err = s.here(err, text, st, p)
	} else {
		err = s.here(err, text, st, p)
	}
	if e := c.Close(); e != nil {
		s.log.Error("close copy", "error", e)
	}
	return nil, err
}

// plan parses and plans what a statement reads.
func (s *Session) plan(ctx context.Context, st syntax.Statement) (*plan.Plan, error) {
	tree, err := s.db.Parse(ctx, st.Reading)
	if err != nil {
		return nil, s.parseFailed(ctx, err, st)
	}
	if err := s.permit(tree, st); err != nil {
		return nil, err
	}
	q, err := syntax.Decode(tree)
	if err != nil {
		return nil, err
	}
	if err := s.checkParams(st); err != nil {
		return nil, err
	}
	p, err := plan.Make(q, st.Text, s.env(ctx))
	if err == nil {
		err = together(p, st)
	}
	if err != nil {
		return nil, err
	}
	for _, n := range p.Notices {
		s.notify("%s", n)
	}
	if err := checkRegions(p, st.Text); err != nil {
		return nil, err
	}
	for _, sc := range p.Scans {
		s.checkKeys(sc)
	}
	return p, nil
}

// checkParams says which of a statement's parameters has no value.
func (s *Session) checkParams(st syntax.Statement) error {
	for _, t := range st.Tokens {
		if t.Kind != syntax.Param {
			continue
		}
		name := t.Text[1:]
		if _, ok := s.options.Params[name]; ok {
			continue
		}
		if n, err := strconv.Atoi(name); err == nil && n > 0 && (s.preparing || n <= len(s.values)) {
			continue
		}
		e := sqlerr.New(sqlerr.UndefinedParameter, "parameter %s has no value", t.Text).At(st.Text, t.Pos)
		if t.Text[0] == '$' {
			return e.WithHint("-p %s=value", name)
		}
		return e.WithHint("write $name, and -p name=value")
	}
	return nil
}

func (s *Session) parseFailed(ctx context.Context, err error, st syntax.Statement) error {
	p, ok := asError[*engine.ParseError](err)
	if !ok {
		return err
	}
	first, rest, _ := strings.Cut(strings.TrimSpace(p.Message), "\n")
	e := sqlerr.New(sqlerr.SyntaxError, "%s", strings.TrimRight(first, ".! ")).At(st.Text, p.Position).WithDetail("%s", strings.TrimSpace(rest))
	if p.NotSelect {
		e.Code = sqlerr.FeatureNotSupported
		if strings.HasPrefix(first, "Only SELECT") {
			e.Message = "this kind of query can't be planned"
		}
	} else if word := s.reserved(ctx, st, p.Position); word != "" {
		e = e.WithHint("%s is a reserved word: as a name it is written %s", word, syntax.Quote(word))
	}
	return e
}

// reserved gives the word at or before a syntax error, if that is one which
// SQL reserves and a column or table of the statement has for its name.
func (s *Session) reserved(ctx context.Context, st syntax.Statement, pos int) string {
	at := slices.IndexFunc(st.Tokens, func(t syntax.Token) bool { return t.Pos >= pos })
	for _, i := range []int{at, at - 1} {
		if i < 0 || st.Tokens[i].Kind != syntax.Name || !s.names(st, st.Tokens[i].Text) {
			continue
		}
		got, err := s.db.Strings(ctx, "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved' AND keyword_name = lower($1)", st.Tokens[i].Text)
		if err == nil && len(got) > 0 {
			return st.Tokens[i].Text
		}
	}
	return ""
}

// names reports whether a word names a table of the service in use, or a
// column of a cloud table that a statement mentions.
func (s *Session) names(st syntax.Statement, word string) bool {
	if _, _, ok := s.cloudTable([]syntax.Part{{Text: word}}); ok {
		return true
	}
	return slices.ContainsFunc(st.Tokens, func(t syntax.Token) bool {
		if !t.IsName() {
			return false
		}
		e, _, ok := s.cloudTable(syntax.NameAt(st.Text, t.Pos))
		if !ok {
			return false
		}
		table, err := s.catalog.Table(e.Type)
		if err != nil {
			return false
		}
		_, ok = table.Column(word)
		return ok
	})
}

// checkRegions refuses a comparison with a region that isn't known, before any
// call.
func checkRegions(p *plan.Plan, text string) error {
	for _, u := range p.Regions {
		if u.Name == "" || strings.ContainsAny(u.Name, "*?!") {
			continue
		}
		var e *sqlerr.Error
		if err := checkRegion("", u.Name); errors.As(err, &e) {
			return e.At(text, u.Pos)
		}
	}
	return nil
}

// checkKeys drops the keys of a scan that can never mean anything, and says so.
func (s *Session) checkKeys(sc *plan.Scan) {
	for i := range sc.Boxes {
		b := &sc.Boxes[i]
		b.Regions = s.sensible(b.Regions, func(r string) string {
			switch {
			case r == "all" || r == "" || strings.ContainsAny(r, "*?!"):
				return fmt.Sprintf("region = '%s' matches no row, it is compared as it is written: --regions all or SET regions = 'all' is for every region", r)
			case checkRegion("", r) != nil: // a value that came by other ways than a comparison
				return fmt.Sprintf("region = '%s' matches no row: there is no such region", r)
			}
			return ""
		})
		b.Accounts = s.sensible(b.Accounts, func(a string) string {
			if isAccount(a) {
				return ""
			}
			return fmt.Sprintf("account_id = '%s' matches no row: account ids have twelve digits", a)
		})
	}
	sc.Boxes = slices.DeleteFunc(sc.Boxes, func(b plan.Box) bool {
		return b.Regions != nil && len(b.Regions) == 0 || b.Accounts != nil && len(b.Accounts) == 0
	})
}

// sensible gives the values of a set that nothing speaks against, and says
// what speaks against the others.
func (s *Session) sensible(set plan.Set, against func(string) string) plan.Set {
	if set == nil {
		return nil
	}
	return plan.NewSet(slices.DeleteFunc(slices.Clone(set), func(v string) bool {
		text := against(v)
		if text != "" {
			s.notify("%s", text)
		}
		return text != ""
	})...)
}

// env is what planning may know of the session.
func (s *Session) env(ctx context.Context) *plan.Env {
	parse := func(text string) (*syntax.Query, error) {
		tree, err := s.db.Parse(ctx, text)
		if err != nil {
			return nil, err
		}
		return syntax.Decode(tree)
	}
	text := func(tree []byte) (string, error) {
		text, err := s.db.Deserialize(ctx, tree)
		return strings.TrimSuffix(text, ";"), err
	}
	return &plan.Env{
		Catalog:     s.catalog,
		Service:     s.service,
		Narrow:      s.narrow,
		LocalSchema: s.localSchema,
		Local:       s.localTable,
		Macro: func(name string) (plan.Macro, bool) {
			if !s.macros[name] {
				return plan.Macro{}, false
			}
			m, err := s.db.Macro(ctx, name)
			return plan.Macro{Params: m.Params, Body: m.Body}, err == nil && m.Body != ""
		},
		Parse: parse,
		Param: s.param,
		Text:  text,
		Header: func(e *syntax.Expr) (string, error) {
			text, err := text(e.AsSelect())
			return strings.TrimPrefix(text, "SELECT "), err
		},
		Fold: func(e *syntax.Expr) (string, bool, bool) {
			text, err := text(e.AsSelect())
			if err != nil {
				return "", false, false
			}
			return s.db.Fold(ctx, text, e.Functions())
		},
		Scalar: func(functions []string) bool { return s.db.Scalar(ctx, functions) },
		Pure:   func(functions []string) bool { return s.db.Pure(ctx, functions) },
		Ordered: func() bool {
			got, err := s.db.Strings(ctx, "SELECT current_setting('preserve_insertion_order')::VARCHAR")
			return err == nil && len(got) == 1 && got[0] == "true"
		},
		Inside: func(accounts, regions plan.Set) bool { return s.inside(ctx, accounts, regions) },
		Columns: func(query string) (out []plan.Column, ok bool) {
			if s.collates(query) && s.db.Collates(ctx, query) {
				return nil, false
			}
			cols, err := s.db.Describe(ctx, query, s.options.Params)
			for _, c := range cols {
				out = append(out, plan.Column{Name: c.Name, Type: c.Type})
			}
			return out, err == nil
		},
		Values: func(query string) ([][]string, bool) {
			rows, ok, err := s.db.Texts(ctx, query, s.options.Params, maxKeys)
			return rows, ok && err == nil
		},
		Explain: s.explaining,
		Probe:   s.probe,
	}
}

// collates reports whether a query may give text with a collation of its own,
// as far as the session's statements tell: DuckDB is asked only then.
func (s *Session) collates(query string) bool {
	return s.collated || strings.Contains(strings.ToUpper(query), "COLLATE")
}

// maxKeys is how many values may become keys: a table of which more are wanted
// is fetched whole.
const maxKeys = 200_000

func (s *Session) localSchema(name string) bool {
	if !s.local {
		return false
	}
	ok, err := s.db.HasSchema(context.Background(), name)
	return ok && err == nil
}

func (s *Session) localTable(cat, schema, name string) (plan.Local, bool) {
	if !s.local {
		return plan.Local{}, false
	}
	l, ok, err := s.db.Local(context.Background(), cat, schema, name)
	return plan.Local{Columns: l.Columns, View: l.View}, ok && err == nil
}

// fill puts into a copy what a plan needs, and gives the text to run. The
// statement is bound to the empty tables first, so that what is wrong with it
// is said before any call.
func (s *Session) fill(ctx context.Context, c *engine.Copy, p *plan.Plan) (syntax.Rewritten, error) {
	text := p.Text(nil)
	loaders, err := s.empty(ctx, c, p)
	if err != nil {
		return text, err
	}
	if len(p.Scans) == 0 {
		return text, nil
	}
	if !dynamic(text.Text) {
		if _, err := s.db.Describe(ctx, text.Text, s.options.Params); err != nil {
			return text, err
		}
	}
	if err := s.fetch(ctx, c, p, loaders, nil); err != nil {
		return text, err
	}
	wide, err := s.widePaths(ctx, p)
	return p.Text(wide), err
}

// empty puts the tables of a plan into a copy, with nothing in them.
func (s *Session) empty(ctx context.Context, c *engine.Copy, p *plan.Plan) (map[*catalog.Table]*engine.Loader, error) {
	if len(p.Apart) > 0 {
		if err := c.Settings(ctx, plan.Settings, nil); err != nil {
			return nil, err
		}
	}
	loaders := map[*catalog.Table]*engine.Loader{}
	for _, sc := range p.Scans {
		columns := sc.Columns
		if p.Everything { // who asks which columns there are sees all
			columns = everyColumn(sc.Table)
		}
		l, err := c.Table(ctx, sc.Table, columns)
		if err != nil {
			return nil, err
		}
		loaders[sc.Table] = l
	}
	if p.Everything {
		return loaders, s.declare(ctx, c)
	}
	return loaders, nil
}

// dynamic reports whether a statement's columns depend on rows: a PIVOT that
// finds its own can't be bound to empty tables.
func dynamic(text string) bool {
	return slices.ContainsFunc(syntax.Lex(text), func(t syntax.Token) bool { return t.Is("PIVOT") || t.Is("PIVOT_WIDER") })
}

// widePaths finds the typed paths that hold a value which is not of the type.
func (s *Session) widePaths(ctx context.Context, p *plan.Plan) ([]plan.Path, error) {
	var wide []plan.Path
	for _, path := range p.Paths() {
		if path.Type == catalog.JSON {
			continue
		}
		col := path.Table.Columns[path.Column]
		name := fmt.Sprintf("aws.%s.%s", engine.Quote(path.Table.Service), engine.Quote(path.Table.Plural))
		misfit, err := s.db.Misfit(ctx, name, col.Name, path.Pointer(), path.Type)
		if err != nil {
			return nil, err
		}
		if misfit != "" {
			wide = append(wide, path)
			s.notify("%s.%s of %s holds a value that is no %s, such as %.60s: it is JSON in this result", col.Name, strings.Join(path.Steps, "."), path.Table.Name(), path.Type, misfit)
		}
	}
	return wide, nil
}

// declare makes every table that isn't there yet, empty, for those who ask which
// there are.
func (s *Session) declare(ctx context.Context, c *engine.Copy) error {
	var tables []*catalog.Table
	for _, e := range s.catalog.Entries("") {
		t, err := s.catalog.Table(e.Type)
		if err != nil {
			return err
		}
		tables = append(tables, t)
	}
	return c.Declare(ctx, tables)
}

// here moves an error's place from the text that DuckDB ran to the user's, and
// adds names that are near.
func (s *Session) here(err error, text syntax.Rewritten, st syntax.Statement, p *plan.Plan) error {
	var e *sqlerr.Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Position > 0 && e.Statement != st.Text {
		at := e.Position - 1
		e.Statement, e.Position = st.Text, text.Offset(at)+1
	}
	if e.Position == 0 || e.Position > len(st.Text) {
		return e
	}
	parts := syntax.NameAt(st.Text, e.Position-1)
	if len(parts) == 0 {
		return e
	}
	name := parts[len(parts)-1].Text
	switch e.Code {
	case sqlerr.UndefinedColumn:
		if len(parts) == 1 || s.cloudName(st, parts[len(parts)-2].Text, p) {
			s.nearColumns(e, name, p)
		}
	case sqlerr.UndefinedTable:
		if len(parts) == 1 {
			switch near := s.catalog.NearTables("", name); {
			case len(near) > 0:
				e.Hint = "did you mean " + strings.Join(near, ", ") + "?"
			case strings.Contains(e.Hint, `"sqlite_`) || strings.Contains(e.Hint, `"pg_`) || strings.Contains(e.Hint, `"duckdb_`):
				e.Hint = fmt.Sprintf("SHOW TABLES LIKE '%%%s%%'", name)
			}
		}
	}
	return e
}

// cloudName reports whether a name that qualifies a column is a cloud table's, or
// an alias that the statement gives to one.
func (s *Session) cloudName(st syntax.Statement, name string, p *plan.Plan) bool {
	for _, sc := range p.Scans {
		if strings.EqualFold(name, sc.Table.Plural) || strings.EqualFold(name, sc.Table.Singular) {
			return true
		}
	}
	for i := range st.Tokens {
		parts := syntax.NameAt(st.Text, st.Tokens[i].Pos)
		if _, _, ok := s.cloudTable(parts); !ok {
			continue
		}
		alias := slices.IndexFunc(st.Tokens, func(t syntax.Token) bool { return t.Pos >= parts[len(parts)-1].End && !t.Is("AS") })
		if alias >= 0 && st.Tokens[alias].IsName() && strings.EqualFold(st.Tokens[alias].Text, name) {
			return true
		}
	}
	return false
}

func (s *Session) nearColumns(e *sqlerr.Error, name string, p *plan.Plan) {
	var near, in []string
	for _, sc := range p.Scans {
		if _, ok := sc.Table.Column(name); ok {
			return // it is there; what is wrong is something else, and DuckDB said it
		}
		near = append(near, sc.Table.NearColumns(name)...)
		in = append(in, sc.Table.Name())
	}
	if len(in) == 0 {
		return
	}
	e.Message = fmt.Sprintf("column %q does not exist in %s", name, strings.Join(in, " or "))
	e.Detail, e.Hint = "", ""
	if len(near) > 0 {
		e.Hint = strings.Join(near[:min(3, len(near))], ", ")
	} else if len(in) == 1 {
		e.Hint = "DESCRIBE " + in[0]
	}
}
