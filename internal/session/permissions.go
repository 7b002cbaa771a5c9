package session

import (
	"slices"

	"github.com/skyql/skyql/internal/anytype"
	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/plan"
	"github.com/skyql/skyql/internal/syntax"
)

// A policy is an IAM policy document.
type policy struct {
	Version   string          `json:"Version"`
	Statement []policyGranted `json:"Statement"`
}

type policyGranted struct {
	Effect   string   `json:"Effect"`
	Action   []string `json:"Action"`
	Resource string   `json:"Resource"`
}

// typesOf are the types that a scan reads, as far as it is known beforehand.
func (s *Session) typesOf(sc *plan.Scan) []*catalog.Table {
	out := []*catalog.Table{sc.Table}
	if sc.Table.Type != catalog.ResourceType {
		return out
	}
	for _, b := range sc.Boxes {
		names := slices.Clone(b.Parents["/TypeName"])
		for _, id := range b.Identifiers {
			name, _, _ := anytype.Split(id)
			names = append(names, name)
		}
		for _, name := range names {
			if t, err := s.catalog.Table(name); err == nil && !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

// types are the types that a statement writes to: of the table of any type,
// those that its text names.
func (w *writing) types() []*catalog.Table {
	out := []*catalog.Table{w.table}
	if w.table.Type != catalog.ResourceType {
		return out
	}
	for _, t := range w.st.Tokens {
		if t.Kind != syntax.String {
			continue
		}
		if named, err := w.catalog.Table(t.Text); err == nil && !slices.Contains(out, named) {
			out = append(out, named)
		}
	}
	return out
}

// grantWrite adds the actions of a writing call on a type: updating reads
// first, and making looks at what was made.
func grantWrite(actions map[string]bool, t *catalog.Table, op string) {
	h := map[string]*catalog.Handler{"CreateResource": t.Create, "UpdateResource": t.Update, "DeleteResource": t.Delete}[op]
	if h == nil {
		return
	}
	actions["cloudformation:GetResourceRequestStatus"] = true
	if !t.Records {
		actions["cloudformation:"+op] = true
	}
	for _, p := range h.Permissions {
		actions[p] = true
	}
	grant(actions, t, false, op != "DeleteResource")
}

// grant adds the actions of a table's calls.
func grant(actions map[string]bool, t *catalog.Table, list, get bool) {
	add := func(op string, h *catalog.Handler) {
		if h == nil {
			return
		}
		if !t.Records {
			actions["cloudformation:"+op] = true
		}
		for _, p := range h.Permissions {
			actions[p] = true
		}
	}
	if list {
		add("ListResources", t.List)
	}
	if get {
		add("GetResource", t.Read)
	}
}
