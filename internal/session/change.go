package session

import (
	"context"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/plan"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// change runs what makes or changes tables of DuckDB's own, fed by whatever
// it reads, and hands on what writes to a cloud table.
func (s *Session) change(ctx context.Context, st syntax.Statement) (*engine.Rows, error) {
	if e, form, ok := s.cloudTable(st.Target); ok {
		if st.Verb != syntax.Write {
			return nil, readOnly(st, st.Word, e.Name()).At(st.Text, st.Target[0].Pos)
		}
		return s.write(ctx, st, e, form)
	}
	if len(st.Target) == 2 && strings.EqualFold(st.Target[0].Text, "skyql") {
		return nil, sqlerr.New(sqlerr.FeatureNotSupported, "the tables of skyql can only be read").At(st.Text, st.Target[0].Pos)
	}
	if s.misnamed(st) {
		_, _, err := s.tableOf(st, st.Target)
		return nil, err
	}
	if s.tx != nil {
		return nil, sqlerr.New(sqlerr.FeatureNotSupported, "a transaction is for the tables of AWS alone: %s would be done at once", st.Word).At(st.Text, 0).WithHint("COMMIT or ROLLBACK first")
	}
	if st.Verb == syntax.Make {
		if err := s.made(st); err != nil {
			return nil, err
		}
	}
	s.local = true
	if st.Reading == "" {
		if at, name := s.mentions(st); at >= 0 {
			return nil, sqlerr.New(sqlerr.FeatureNotSupported, "%s can't read %s here", strings.ToLower(st.Word), name).At(st.Text, at).
				WithHint("CREATE TABLE t AS FROM %s, then use t", name)
		}
		return nil, s.db.Exec(ctx, st.Text, s.options.Params)
	}
	p, err := s.plan(ctx, st)
	if err != nil {
		return nil, err
	}
	c := s.db.Begin()
	defer c.Close()
	text, err := s.fillUnbound(ctx, c, p, st)
	if err == nil {
		err = s.db.Exec(ctx, text.Text, s.options.Params)
	}
	if err != nil {
		return nil, s.here(err, text, st, p)
	}
	return nil, nil
}

// misnamed reports whether a statement changes a table of a service that has none
// of the name.
func (s *Session) misnamed(st syntax.Statement) bool {
	t := st.Target
	if _, _, ok := s.cloudTable(t); ok || st.Verb != syntax.Write {
		return false
	}
	return len(t) > 2 && isProvider(t[0].Text) || len(t) == 2 && len(s.catalog.Entries(t[0].Text)) > 0 && !s.localSchema(t[0].Text)
}

// Changing reports whether a script has a statement that changes the cloud.
func (s *Session) Changing(sql string) bool {
	return slices.ContainsFunc(syntax.Split(sql), func(st syntax.Statement) bool {
		_, _, cloud := s.cloudTable(st.Target)
		return cloud && st.Verb == syntax.Write
	})
}

// fillUnbound fills a copy for a statement that is not a query. A view or
// macro reads nothing yet: its tables need only be there.
func (s *Session) fillUnbound(ctx context.Context, c *engine.Copy, p *plan.Plan, st syntax.Statement) (syntax.Rewritten, error) {
	text := p.Text(nil)
	later := st.Verb == syntax.Make && s.kindOf(st) != "TABLE"
	loaders := map[*catalog.Table]*engine.Loader{}
	for _, sc := range p.Scans {
		columns := sc.Columns
		if later {
			columns = everyColumn(sc.Table)
		}
		l, err := c.Table(ctx, sc.Table, columns)
		if err != nil {
			return text, err
		}
		loaders[sc.Table] = l
	}
	if later || len(p.Scans) == 0 {
		return text, nil
	}
	if !dynamic(text.Text) { // what is wrong with it costs no call
		if err := s.db.Bind(ctx, text.Text); err != nil {
			return text, err
		}
	}
	if err := s.fetch(ctx, c, p, loaders, nil); err != nil {
		return text, err
	}
	wide, err := s.widePaths(ctx, p)
	return p.Text(wide), err
}

func everyColumn(t *catalog.Table) []int {
	out := make([]int, len(t.Columns))
	for i := range out {
		out[i] = i
	}
	return out
}

// kindOf gives what a CREATE makes: TABLE, VIEW, MACRO …
func (s *Session) kindOf(st syntax.Statement) string {
	for _, t := range st.Tokens[1:] {
		switch w := strings.ToUpper(t.Text); w {
		case "OR", "REPLACE", "TEMP", "TEMPORARY", "LOCAL", "PERSISTENT", "RECURSIVE":
		default:
			return w
		}
	}
	return ""
}

// made notes what a CREATE makes, and refuses a cloud table's name.
func (s *Session) made(st syntax.Statement) error {
	for i, t := range st.Tokens {
		if !t.Is(s.kindOf(st)) || i == 0 {
			continue
		}
		at := i + 1
		for at < len(st.Tokens) && (st.Tokens[at].Is("IF") || st.Tokens[at].Is("NOT") || st.Tokens[at].Is("EXISTS")) {
			at++
		}
		parts := syntax.NameAt(st.Text, st.Tokens[at].Pos)
		if len(parts) > 0 && (len(parts) > 2 || s.kindOf(st) == "SCHEMA") && isProvider(parts[0].Text) {
			return sqlerr.New(sqlerr.FeatureNotSupported, "nothing can be created in %s: its tables are AWS's", strings.ToLower(parts[0].Text)).At(st.Text, parts[0].Pos)
		}
		if k := s.kindOf(st); (k == "MACRO" || k == "FUNCTION") && len(parts) > 0 {
			s.macros[strings.ToLower(parts[len(parts)-1].Text)] = true
		}
		return nil
	}
	return nil
}
