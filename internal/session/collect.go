package session

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/plan"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// onlyOne refuses a statement that has several values for one row: which of
// them DuckDB would take is chance.
func (w *writing) onlyOne(ctx context.Context, text syntax.Rewritten) error {
	query := w.w.Several(text.Part)
	if query == "" {
		return nil
	}
	rows, _, err := w.db.Texts(ctx, query, w.options.Params, 1)
	if err != nil || len(rows) == 0 {
		return err
	}
	return w.several(rows[0])
}

// several is about a row's account, region and identifier.
func (w *writing) several(key []string) error {
	return sqlerr.New("21000", "%s %s has several matches with different values", w.table.Name(), key[2]).
		WithDetail("account %s, region %s: which of them would count is left to chance", key[0], key[1]).
		WithHint("make the source unique, for example with SELECT DISTINCT ON")
}

// collect turns the rows that differ into what is wanted.
func (w *writing) collect(changes []engine.Changed, want *pending) ([]*wanted, error) {
	var out []*wanted
	touched := 0
	for _, c := range changes {
		key := keyOf(w.table, c.Account, c.Region, c.Identifier)
		x := &wanted{table: w.table, key: key, read: w.looked}
		var base json.RawMessage
		if c.Before {
			touched++
			doc, read := w.docs[key]
			x.before, x.read, base = doc.properties, doc.read, doc.properties
			if p := want.rows[key]; p != nil {
				base = p.after
			} else if !read {
				return nil, sqlerr.New(sqlerr.Internal, "%s %s was not read", w.table.Name(), key.identifier)
			}
		}
		set := map[string]json.RawMessage{}
		for i, v := range c.Values {
			set[w.table.Columns[i].Property] = v
		}
		if w.table.Type == catalog.ResourceType {
			var err error
			if set, err = w.retype(x, c, set, base); err != nil {
				return nil, err
			}
		}
		x.set = slices.Sorted(maps.Keys(set))
		if c.After {
			after, err := change.Merge(base, set)
			if err != nil {
				return nil, err
			}
			x.after = after
			if !c.Before {
				if err := w.place(x, want); err != nil {
					return nil, err
				}
			}
		}
		if err := want.rename(x); err != nil {
			return nil, err
		}
		want.want(x)
		out = append(out, x)
	}
	w.cover(touched, want)
	return out, nil
}

// place finds where a new resource goes and what it is called.
func (w *writing) place(x *wanted, want *pending) error {
	k := &x.key
	given := k.identifier
	home := w.region
	if x.table.Global && !w.table.Global && cmp.Or(k.region, w.region) != "" { // said of the table of any type
		home = catalog.HomeRegion(cmp.Or(k.region, w.region))
		k.region = cmp.Or(k.region, home)
	}
	switch {
	case k.account == "" && w.account == "":
		return sqlerr.New(sqlerr.InvalidParameter, "a new row of %s needs account_id: the setting accounts has several", w.table.Name()).WithHint("INSERT INTO %s (account_id, …)", w.table.Name())
	case k.region == "" && w.region == "":
		return sqlerr.New(sqlerr.InvalidParameter, "a new row of %s needs region: the setting regions is not one region", w.table.Name()).WithHint("INSERT INTO %s (region, …)", w.table.Name())
	case x.table.Global && k.region != "" && k.region != home:
		return sqlerr.New(sqlerr.InvalidParameter, "%s is global: its rows are in %s, not in %s", x.table.Name(), home, k.region).WithHint("leave out region")
	}
	k.account, k.region = cmp.Or(k.account, w.account), cmp.Or(k.region, w.region)
	if !isAccount(k.account) {
		return sqlerr.New(sqlerr.InvalidText, "%q is not an account id", k.account).WithHint("twelve digits such as 111122223333")
	}
	if err := checkRegion("", k.region); err != nil {
		return err
	}
	if id, ok := composed(x.table, x.after); ok {
		k.identifier = id
	} else {
		want.made++
		k.identifier = fmt.Sprintf("%snew-%d", change.Placeholder, want.made)
	}
	if given != "" && !strings.HasPrefix(given, change.Placeholder) && given != k.identifier {
		var parts []string
		for _, c := range x.table.IdentifierColumns() {
			parts = append(parts, x.table.Columns[c].Name)
		}
		return sqlerr.New(sqlerr.InvalidParameter, "identifier %q: that of a new row of %s comes from %s", given, w.table.Name(), strings.Join(parts, ", ")).WithHint("leave out identifier")
	}
	old := want.rows[*k]
	if old != nil && old.after != nil {
		return sqlerr.New(sqlerr.UniqueViolation, "%s %s would be made twice", w.table.Name(), k.identifier)
	}
	if _, read := w.docs[*k]; read && old == nil {
		return sqlerr.New(sqlerr.UniqueViolation, "%s %s exists already", w.table.Name(), k.identifier).
			WithDetail("account %s, region %s", k.account, k.region).WithHint("UPDATE %s, or MERGE INTO %s for both", w.table.Name(), w.table.Name())
	}
	return nil
}

// cover notes how much of what was read is touched.
func (w *writing) cover(touched int, want *pending) {
	c := change.Coverage{Table: w.table.Name(), Touched: touched}
	for _, sc := range w.plan.Scans {
		if sc.Table == w.table {
			c.Listed = slices.ContainsFunc(sc.Boxes, func(b plan.Box) bool { return b.Identifiers == nil || b.Bound })
		}
	}
	for _, st := range w.report.Stats {
		if st.Table == w.table {
			c.Read += st.Rows + st.Avoided
		}
	}
	if touched > 0 {
		want.covers = append(want.covers, c)
	}
}
