package plan

import (
	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/syntax"
)

// A table is fetched once, whatever its references speak of. Where a constant
// key takes one of them outside of the settings, the others must not see what
// that brought: they are written as what of the table lies in the settings.

// Settings names the table of the places that the settings cover, which those
// references are compared with: account_id, region, and own, whether the account
// is one of the settings' rather than named by the statement.
const Settings = "aws.main.skyql_settings"

// A bare is what a reference leaves to the settings.
type bare struct{ accounts, regions bool }

// An Apart is a reference that has to be kept apart from others of its table.
type Apart struct {
	Table *catalog.Table
	Pos   int // of its name in the text; -1 if that is not the user's
	// Accounts are those that the statement names for it; nil: the settings'.
	Accounts Set
	bare     bare
}

// apart finds the references that leave to the settings what another one of
// their table takes outside of them.
func (b *binder) apart() []Apart {
	if b.env.Inside == nil {
		return nil
	}
	outside := map[*catalog.Table]bare{}
	for _, r := range b.refs {
		o := outside[r.table]
		accounts, regions := r.sets[accountColumn], r.sets[regionColumn]
		o.accounts = o.accounts || accounts != nil && !b.env.Inside(accounts, nil)
		o.regions = o.regions || regions != nil && !r.table.Global && !b.env.Inside(nil, regions)
		outside[r.table] = o
	}
	var out []Apart
	for _, r := range b.refs {
		o := outside[r.table]
		left := bare{o.accounts && r.sets[accountColumn] == nil, o.regions && r.sets[regionColumn] == nil}
		if left != (bare{}) && !r.described {
			out = append(out, Apart{r.table, r.loc, r.sets[accountColumn], left})
		}
	}
	return out
}

// within writes a table as what of it lies in the settings.
func (l bare) within(table string) string {
	where := ""
	switch {
	case l.accounts && l.regions:
		where = "(account_id, region) IN (SELECT (account_id, region) FROM " + Settings + " WHERE own)"
	case l.accounts:
		where = "account_id IN (SELECT account_id FROM " + Settings + " WHERE own)"
	case l.regions:
		where = "(account_id, region) IN (SELECT (account_id, region) FROM " + Settings + ")"
	default:
		return table
	}
	return "(SELECT * FROM " + table + " WHERE " + where + ")"
}

// bareAt gives what the reference at a place of the text leaves to the settings.
func (b *binder) bareAt(r *syntax.Ref) bare {
	for _, a := range b.keptApart {
		if a.Pos >= 0 && a.Pos == b.loc(r.Loc) {
			return a.bare
		}
	}
	return bare{}
}
