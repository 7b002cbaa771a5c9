package change

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/sqlerr"
)

// Changes are ordered by the references found in their values: what another
// change makes has to be there first, and what another change deletes has to
// be let go of first. An edge too many costs a little time, an edge too few a
// failure; but an edge too many can close a circle, so a plain name counts only
// where the property says what it names.

// order sorts the changes and fills in which wait for which.
func (s *Set) order() error {
	n := len(s.Changes)
	needs := make([]map[int]bool, n)
	for i := range needs {
		needs[i] = map[int]bool{}
	}
	wait := func(i, j int) {
		if i != j {
			needs[i][j] = true
		}
	}
	made, gone := newReferents(), newReferents()
	for i, c := range s.Changes {
		if c.Table.Type == catalog.RequestType {
			continue // to cancel one request has nothing to do with what others ask for
		}
		if c.Action == Create || c.Action == Replace {
			made.add(i, c, c.after)
		}
		if c.Action == Delete || c.Action == Replace {
			gone.add(i, c, c.before)
		}
	}
	for i, c := range s.Changes {
		after := made.referred(c, c.after)
		for j := range after {
			wait(i, j)
		}
		stays := gone.referred(c, c.after)
		for j := range gone.referred(c, c.before) {
			if !stays[j] || c.Action == Replace && s.Changes[j].Action == Delete {
				wait(j, i)
			}
		}
		if c.Action == Create {
			for j := range gone.sameAs(c) {
				wait(i, j)
			}
		}
	}
	return s.sort(needs)
}

// sort brings changes into an order that keeps needs, otherwise as they were.
func (s *Set) sort(needs []map[int]bool) error {
	waiters := make([][]int, len(needs))
	open := make([]int, len(needs))
	var ready indices
	for i, set := range needs {
		open[i] = len(set)
		for j := range set {
			waiters[j] = append(waiters[j], i)
		}
		if open[i] == 0 {
			ready = append(ready, i)
		}
	}
	heap.Init(&ready)
	var sorted []int
	for len(ready) > 0 {
		i := heap.Pop(&ready).(int)
		sorted = append(sorted, i)
		for _, w := range waiters[i] {
			if open[w]--; open[w] == 0 {
				heap.Push(&ready, w)
			}
		}
	}
	if len(sorted) < len(needs) {
		return s.circle(needs, open)
	}
	place := make([]int, len(sorted))
	changes := make([]*Change, len(sorted))
	for to, from := range sorted {
		place[from], changes[to] = to, s.Changes[from]
		changes[to].Number = to + 1
	}
	s.Changes, s.needs = changes, make([][]int, len(sorted))
	for from, set := range needs {
		for j := range set {
			s.needs[place[from]] = append(s.needs[place[from]], place[j])
		}
		slices.Sort(s.needs[place[from]])
	}
	return nil
}

// indices is a heap of them, the smallest first.
type indices []int

func (x indices) Len() int           { return len(x) }
func (x indices) Less(i, j int) bool { return x[i] < x[j] }
func (x indices) Swap(i, j int)      { x[i], x[j] = x[j], x[i] }
func (x *indices) Push(v any)        { *x = append(*x, v.(int)) }
func (x *indices) Pop() any {
	last := len(*x) - 1
	v := (*x)[last]
	*x = (*x)[:last]
	return v
}

// circle names changes that wait for each other.
func (s *Set) circle(needs []map[int]bool, open []int) error {
	at := slices.IndexFunc(open, func(n int) bool { return n > 0 })
	var walk []int
	for !slices.Contains(walk, at) {
		walk = append(walk, at)
		next := -1
		for j := range needs[at] {
			if open[j] > 0 && (next < 0 || j < next) {
				next = j
			}
		}
		at = next
	}
	var names []string
	for _, i := range append(walk[slices.Index(walk, at):], at) {
		names = append(names, s.Changes[i].String())
	}
	return sqlerr.New(sqlerr.FeatureNotSupported, "the changes wait for each other in a circle: %s", strings.Join(names, " → ")).
		WithHint("make one of them without the reference first, COMMIT, then UPDATE it")
}

// Needs gives the numbers of the changes that a change waits for.
func (s *Set) Needs(c *Change) []int {
	var out []int
	for _, j := range s.needs[c.Number-1] {
		out = append(out, j+1)
	}
	return out
}

// referents are the values by which resources may be referred to.
type referents struct {
	exact map[string][]int // values that can't be anything else: ARNs, URLs, ids
	names map[string][]int
	of    map[int]*Change
}

func newReferents() *referents {
	return &referents{exact: map[string][]int{}, names: map[string][]int{}, of: map[int]*Change{}}
}

func (x *referents) add(i int, c *Change, model map[string]any) {
	x.of[i] = c
	put := func(v any) {
		s, ok := v.(string)
		switch {
		case !ok || s == "" || strings.HasPrefix(s, Placeholder):
		case distinctive(s):
			x.exact[s] = append(x.exact[s], i)
		default:
			x.names[s] = append(x.names[s], i)
		}
	}
	if c.Known() {
		put(c.Identifier)
	}
	put(c.rules.givenName(model))
	for _, p := range slices.Concat(c.rules.identifier, c.rules.readOnly) {
		if !c.rules.ownName(p) {
			continue
		}
		if v, ok := lookup(model, p); ok {
			put(v)
		}
	}
}

// ownName reports whether a property names the resource itself: not the
// instance it is in, nor the network it happens to use.
func (r *rules) ownName(at []string) bool {
	switch last := folded(at[len(at)-1]); last {
	case "arn", "id", "url", "identifier", "name":
		return len(at) == 1
	default:
		return len(r.identifier) == 1 && r.identifier.covers(at) && r.readOnly.covers(at) || len(at) == 1 && strings.Contains(last, r.resource())
	}
}

// resource is the last part of the type's name, folded.
func (r *rules) resource() string {
	return folded(r.table.Type[strings.LastIndex(r.table.Type, "::")+2:])
}

// distinctive: ARNs, URLs and generated ids are never there by chance.
func distinctive(s string) bool {
	return strings.HasPrefix(s, "arn:") || strings.Contains(s, "://") || strings.Contains(s, "|") ||
		len(s) >= 12 && strings.ContainsAny(s, "0123456789") && strings.ContainsAny(s, "-_")
}

// referred gives the changes whose resources a model refers to.
func (x *referents) referred(c *Change, model map[string]any) map[int]bool {
	out := map[int]bool{}
	if len(x.of) == 0 {
		return out
	}
	var walk func(at []string, v any)
	walk = func(at []string, v any) {
		s, ok := v.(string)
		if !ok || s == "" || c.rules.ownName(at) {
			return // a resource's own name refers to nothing
		}
		if strings.HasPrefix(s, "{") {
			if o, err := parse([]byte(s)); err == nil {
				each(o, at, walk)
				return
			}
		}
		for _, i := range x.exact[s] {
			out[i] = true
		}
		for _, i := range x.byARN(s) {
			out[i] = true
		}
		for _, i := range x.names[s] {
			if x.of[i].reachable(c) && c.rules.namesType(at, x.of[i]) {
				out[i] = true
			}
		}
	}
	each(model, nil, walk)
	return out
}

// byARN finds resources by the name at the end of an ARN.
func (x *referents) byARN(s string) []int {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return nil
	}
	rest := strings.TrimRight(parts[5], ":/*")
	var out []int
	for _, name := range []string{rest, rest[strings.LastIndexAny(rest, ":/")+1:], rest[strings.IndexAny(rest, ":/")+1:]} {
		for _, i := range slices.Concat(x.names[name], x.exact[name]) {
			c := x.of[i]
			if strings.HasPrefix(c.Table.Service, parts[2]) && (parts[4] == "" || parts[4] == c.Account) && (parts[3] == "" || parts[3] == c.Region) {
				out = append(out, i)
			}
		}
	}
	return out
}

// reachable: a plain name means something in its own account and region only.
func (c *Change) reachable(from *Change) bool {
	return c.Account == from.Account && (c.Region == from.Region || c.Table.Global)
}

// namesType reports whether the property at a path is one that names resources
// of a change's type: by the schema, as a list parent, or by its own name.
func (r *rules) namesType(at []string, c *Change) bool {
	if n := r.node(at); n != nil {
		for _, rel := range n.Relationships {
			if rel.Type == c.Table.Type {
				return true
			}
		}
	}
	p := pointer(at)
	for _, parent := range r.table.ListInput.Parents {
		for _, g := range parent.Give {
			if parent.Type == c.Table.Type && g.To == p {
				return true
			}
		}
	}
	for i := len(at) - 1; i >= 0; i-- {
		if strings.Trim(at[i], "0123456789") != "" {
			return strings.Contains(folded(at[i]), c.rules.resource())
		}
	}
	return false
}

// sameAs gives the changes that end a resource with the identity of one to be
// made.
func (x *referents) sameAs(c *Change) map[int]bool {
	out := map[int]bool{}
	for i, d := range x.of {
		if d.Table.Type == c.Table.Type && d.reachable(c) && (c.Known() && c.Identifier == d.Identifier || c.label() != "" && c.label() == d.label()) {
			out[i] = true
		}
	}
	return out
}

// String names a set by its size, for errors.
func (s *Set) String() string { return fmt.Sprintf("%d changes", len(s.Changes)) }
