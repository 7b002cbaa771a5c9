package session

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/plan"
)

type scanLine struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
	Table  string `json:"table"`
	Keys   string `json:"keys"`
	How    string `json:"how"`
}

// placesOf is in how many accounts and regions a scan's first box is.
func (s *Session) placesOf(sc *plan.Scan, x *explanation) int {
	if len(sc.Boxes) == 0 {
		return 1
	}
	b := sc.Boxes[0]
	accounts, regions := len(x.Scope.Accounts), len(x.Scope.Regions)
	if b.Accounts != nil {
		accounts = len(b.Accounts)
	}
	if b.Regions != nil {
		regions = len(b.Regions)
	}
	if sc.Table.Global {
		regions = 1
	}
	return accounts * regions
}

// explainParents adds the lists that a scan's own needs, outermost first, and
// gives the number of the nearest.
func (s *Session) explainParents(sc *plan.Scan, x *explanation, number map[string]int, actions map[string]bool, sum *[]string) int {
	if how, _, _ := howOf(sc); strings.HasPrefix(how, "get") {
		return 0
	}
	given := map[string]bool{}
	for _, b := range sc.Boxes {
		for p := range b.Parents {
			given[p] = true
		}
	}
	for _, b := range sc.Bindings {
		for _, c := range b.Columns {
			given["/"+sc.Table.Columns[c].Property] = true
		}
	}
	return s.parentsOf(sc.Table, given, x, number, actions, sum)
}

func (s *Session) parentsOf(t *catalog.Table, given map[string]bool, x *explanation, number map[string]int, actions map[string]bool, sum *[]string) int {
	in := t.ListInput
	for _, p := range in.Parents {
		missing := ""
		for _, g := range p.Give {
			if !given[g.To] {
				missing = g.To[1:]
			}
		}
		if missing == "" || p.Type == t.Type || in.Fixed["/"+missing] != nil {
			continue
		}
		if n := number[p.Type]; n > 0 {
			return n
		}
		parent, err := s.catalog.Table(p.Type)
		if err != nil {
			continue
		}
		above := s.parentsOf(parent, nil, x, number, actions, sum)
		keys := ""
		if above > 0 {
			keys = fmt.Sprintf("under each of %d", above)
		}
		if c, ok := t.Column(missing); ok {
			missing = t.Columns[c].Name
		}
		x.Scans = append(x.Scans, scanLine{len(x.Scans) + 1, parent.Plural, parent.Name(), join(keys, "parents of "+t.Plural+" ("+missing+")"), "list"})
		number[p.Type] = len(x.Scans)
		*sum = append(*sum, "List "+parent.Plural)
		grant(actions, parent, true, false)
		return number[p.Type]
	}
	return 0
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " · " + b
}

// keysOf says what bounds a scan.
func keysOf(sc *plan.Scan, number map[string]int) string {
	var parts []string
	for _, b := range sc.Boxes {
		var in []string
		add := func(name string, s plan.Set) {
			if s != nil {
				in = append(in, name+" "+few(s))
			}
		}
		add("account", b.Accounts)
		add("region", b.Regions)
		add("identifier", b.Identifiers)
		if b.Identifiers == nil {
			for _, p := range slices.Sorted(maps.Keys(b.Parents)) {
				name := p[1:]
				if c, ok := sc.Table.Column(name); ok {
					name = sc.Table.Columns[c].Name
				}
				add(name, b.Parents[p])
			}
		}
		text := strings.Join(in, " · ")
		if text == "" && len(sc.Boxes) > 1 {
			text = "all" // of the settings, beside what the others ask for
		}
		if text != "" && !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	for _, b := range sc.Bindings {
		var cols []string
		for _, c := range b.Columns {
			cols = append(cols, sc.Table.Columns[c].Name)
		}
		parts = append(parts, fmt.Sprintf("%s from %d", strings.Join(cols, ", "), number[b.From.Table.Type]))
	}
	return strings.Join(parts, "; ")
}

// few shows the first values of a set.
func few(s plan.Set) string {
	if len(s) > 3 {
		return fmt.Sprintf("%s, … (%d)", strings.Join(s[:3], ", "), len(s))
	}
	return strings.Join(s, ", ")
}

// howOf says what a scan does, what that costs, and how many Gets that is in
// one place, -1 if that can't be known.
func howOf(sc *plan.Scan) (how, cost string, gets int) {
	free := true
	for _, c := range sc.Columns {
		free = free && (sc.Table.Free(c) || sc.Table.Columns[c].WriteOnly)
	}
	list, get := false, 0
	for _, b := range sc.Boxes {
		list = list || b.Identifiers == nil
		get += len(b.Identifiers)
	}
	if len(sc.Bindings) > 0 && !list {
		b := sc.Bindings[0]
		whole := slices.ContainsFunc(b.Columns, func(c int) bool {
			return c == 2 || len(sc.Table.Identifier) == 1 && slices.Contains(sc.Table.Identifier, "/"+sc.Table.Columns[c].Property)
		})
		if whole {
			return "get each once", "one Get per distinct " + sc.Table.Columns[b.Columns[0]].Name + " of " + b.From.Table.Plural + ", or List " + sc.Table.Plural + " if that is less", -1
		}
		list = true
	}
	if !list {
		return "get", fmt.Sprintf("Get %d", get), get
	}
	how, cost = "list", "List "+sc.Table.Plural
	filters := sc.Filters()
	switch {
	case free && !sc.Table.SpansRegions:
	case len(filters) > 0:
		how = "list, then get where " + strings.NewReplacer(" ~~ ", " LIKE ", " !~~ ", " NOT LIKE ").Replace(strings.Join(filters, " AND "))
		cost += " + one Get per row of them that the list doesn't tell in full"
	default:
		how = "list, then get what the list doesn't tell"
		cost += " + one Get per row that the list doesn't tell in full"
	}
	if n, order := sc.Limit(); n > 0 && order != "" {
		how += fmt.Sprintf("; only the first %d by %s", n, order)
	} else if n > 0 {
		how += fmt.Sprintf("; stop after %d", n)
	}
	return how, cost, -1
}
