package session

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
)

// What a prompt shows and offers: where a session stands, and the names and
// values that a statement may hold. Nothing here makes a call to AWS but
// Link.Account, and all of it but Link's methods is the session's own: not
// while a statement runs.

// Catalog is the types that the session works with.
func (s *Session) Catalog() *catalog.Catalog { return s.catalog }

// Service is the one that USE chose, or "".
func (s *Session) Service() string { return s.service }

// Settings are those in force.
func (s *Session) Settings() Settings { return s.settings }

// Link loads credentials and endpoints, once, and gives what the session talks
// through. It makes no call.
func (s *Session) Link(ctx context.Context) (*Link, error) {
	link, err := s.connect(ctx)
	if err != nil {
		return nil, s.word(ctx, err)
	}
	return link, nil
}

// Account asks whose the credentials are, once. It is safe for concurrent use.
// The error is worded as that of a statement.
func (l *Link) Account(ctx context.Context) (string, error) {
	me, err := l.cloud.Identity(ctx)
	if err != nil {
		return "", (&Session{catalog: l.catalog}).word(ctx, err)
	}
	return me.Account, nil
}

// Region is the profile's region, or "".
func (l *Link) Region() string { return l.cloud.Region() }

// Endpoint is what is talked to instead of AWS, or "".
func (l *Link) Endpoint() string { return l.cloud.Endpoint() }

// SettingHint says what values a setting takes: names or examples.
func SettingHint(name string) string {
	if own := settingOf(name); own != nil {
		return own.hint
	}
	return ""
}

// Functions are DuckDB's and the session's own, sorted.
func (s *Session) Functions(ctx context.Context) ([]string, error) {
	if err := s.db.Helpers(ctx); err != nil {
		return nil, err
	}
	return s.db.Strings(ctx, `SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_name SIMILAR TO '[a-z][a-z0-9_]*' ORDER BY 1`)
}

// Keywords are DuckDB's, in upper case, sorted: those that can't be a name
// without quotes, and the others.
func (s *Session) Keywords(ctx context.Context) (reserved, others []string, err error) {
	if reserved, err = s.db.Strings(ctx, `SELECT upper(keyword_name) FROM duckdb_keywords() WHERE keyword_category = 'reserved' ORDER BY 1`); err != nil {
		return nil, nil, err
	}
	others, err = s.db.Strings(ctx, `SELECT upper(keyword_name) FROM duckdb_keywords() WHERE keyword_category <> 'reserved' ORDER BY 1`)
	return reserved, others, err
}

// EngineSettings are the names of DuckDB's settings, sorted.
func (s *Session) EngineSettings(ctx context.Context) ([]string, error) {
	return s.db.Strings(ctx, `SELECT name FROM duckdb_settings() ORDER BY 1`)
}

// Locals are the tables and views that the user made, by name, with their
// columns.
func (s *Session) Locals(ctx context.Context) (map[string][]string, error) {
	out := map[string][]string{}
	if !s.local {
		return out, nil
	}
	rows, err := s.db.Strings(ctx, `SELECT CASE schema_name WHEN 'main' THEN '' ELSE schema_name || '.' END || table_name || chr(10) || column_name
		FROM duckdb_columns() WHERE NOT internal AND database_name <> 'aws' ORDER BY database_name, table_name, column_index`)
	for _, r := range rows {
		table, column, _ := strings.Cut(r, "\n")
		out[table] = append(out[table], column)
	}
	return out, err
}

// Known are values of a column that were read before and are still kept,
// sorted: of the table itself, and of the parents that its list takes them
// from. There are at most most of them.
func (s *Session) Known(t *catalog.Table, column, most int) []string {
	if s.link == nil {
		return nil
	}
	c := t.Columns[column]
	found := map[string]bool{}
	add := func(v string) bool {
		if v != "" {
			found[v] = true
		}
		return len(found) < most
	}
	s.link.fetcher.Known(t.Type, func(account, region string, d cloudcontrol.Document) bool {
		switch {
		case column == 0:
			return add(account)
		case column == 1:
			return add(region)
		case column == 2:
			return add(d.Identifier)
		}
		return add(scalarAt(d.Properties, "/"+c.Property))
	})
	for _, p := range t.ListInput.Parents {
		for _, g := range p.Give {
			if c.Property == "" || g.To != "/"+c.Property {
				continue
			}
			s.link.fetcher.Known(p.Type, func(_, _ string, d cloudcontrol.Document) bool { return add(scalarAt(d.Properties, g.From)) })
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// scalarAt reads a text or number at a pointer, "" for anything else.
func scalarAt(doc json.RawMessage, pointer string) string {
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		var o map[string]json.RawMessage
		if json.Unmarshal(doc, &o) != nil {
			return ""
		}
		doc = o[step]
	}
	var text string
	if json.Unmarshal(doc, &text) == nil {
		return text
	}
	var n json.Number
	if json.Unmarshal(doc, &n) == nil {
		return n.String()
	}
	return ""
}
