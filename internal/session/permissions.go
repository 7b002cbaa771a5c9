package session

import (
	"slices"

	"github.com/skyql/skyql/internal/anytype"
	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/plan"
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
