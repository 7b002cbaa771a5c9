package catalog

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed overlay.json
var overlayText []byte

// An overlayFile is what schemas don't say, reviewed by hand.
type overlayFile struct {
	// Tables and Columns are names in use elsewhere: type to table names,
	// property to column name.
	Tables  map[string][]string
	Columns map[string]string
	// Global are services whose types live in the home region; Regional are
	// types of theirs that don't.
	Global       []string
	Regional     []string
	SpansRegions []string
	// Lists correct or complete what can be inferred of list parents.
	Lists map[string]listOverlay
}

type listOverlay struct {
	Unknown           string
	Fixed             map[string][]string
	HomeOnly          map[string][]string
	Parents           []overlayParent
	DefaultParentOnly bool
}

type overlayParent struct {
	Type string
	Give map[string]string // child's pointer to parent's pointer
}

var overlay = sync.OnceValue(func() overlayFile {
	var o overlayFile
	if err := json.Unmarshal(overlayText, &o); err != nil {
		panic("catalog: overlay.json: " + err.Error())
	}
	return o
})

// finish adds to tables what needs their siblings and the overlay, and fails
// on names that collide.
func finish(tables []*Table) error {
	o := overlay()
	names := map[string]string{}
	for _, t := range tables {
		for _, n := range slices.Concat([]string{t.Plural}, o.Tables[t.Type]) {
			key := t.Service + "." + n
			if other, ok := names[key]; ok && other != t.Type {
				return fmt.Errorf("%s and %s would both be table aws.%s", other, t.Type, key)
			}
			names[key] = t.Type
		}
	}
	for _, t := range tables {
		if other, ok := names[t.Service+"."+t.Singular]; ok && other != t.Type {
			return fmt.Errorf("%s and %s would both be table aws.%s.%s", other, t.Type, t.Service, t.Singular)
		}
	}
	byType := map[string]*Table{}
	for _, t := range tables {
		if byType[t.Type] != nil {
			return fmt.Errorf("%s is there twice", t.Type)
		}
		byType[t.Type] = t
	}
	for _, t := range tables {
		t.Global = slices.Contains(o.Global, t.Service) && !slices.Contains(o.Regional, t.Type)
		t.SpansRegions = slices.Contains(o.SpansRegions, t.Type)
		t.aliases(o.Columns)
		if t.List != nil {
			t.inferParents(tables, byType)
			t.correctParents(o.Lists[t.Type])
		}
	}
	return nil
}

func (t *Table) aliases(columns map[string]string) {
	taken := map[string]bool{}
	for _, c := range t.Columns {
		taken[c.Name] = true
	}
	for _, c := range t.Columns {
		if a := columns[c.Property]; a != "" && !taken[a] {
			if t.Aliases == nil {
				t.Aliases = map[string]string{}
			}
			t.Aliases[c.Name] = a
		}
	}
}

// accountKeys take the caller's account id.
var accountKeys = []string{"/AwsAccountId", "/CatalogId", "/AccountId"}

// inferParents finds where the values that a list needs come from: an enum's
// members, the account, or the rows of another type.
func (t *Table) inferParents(tables []*Table, byType map[string]*Table) {
	in := &t.ListInput
	keys := slices.Clone(in.Required)
	if len(keys) == 0 && len(in.OneOf) > 0 {
		keys = in.OneOf[0]
	}
	var open []string
	for _, k := range keys {
		n := t.Resolve(t.Root.property(k[1:]))
		switch {
		case n != nil && (len(n.Enum) > 0 || slices.Equal(n.Types, []string{"boolean"})):
			in.fix(k, n)
		case slices.Contains(accountKeys, k):
			in.Account = append(in.Account, k)
		default:
			open = append(open, k)
		}
	}
	if len(open) == 0 {
		return
	}
	candidates := map[string]*Table{}
	for _, k := range open {
		if p := bestParent(t, k, tables); p != nil {
			candidates[k] = p
		}
	}
	var best *Parent
	depth := -1
	for _, k := range open {
		p := candidates[k]
		if p == nil {
			continue
		}
		give, ok := gifts(p, open, candidates)
		if d := len(p.ListInput.Required) + len(p.Identifier); ok && d > depth {
			best, depth = &Parent{p.Type, give}, d
		}
	}
	if best == nil {
		in.Unknown = "no type is known whose rows have " + strings.Join(trimSlash(open), " and ")
		return
	}
	in.Parents = []Parent{*best}
}

func trimSlash(ps []string) []string {
	var out []string
	for _, p := range ps {
		out = append(out, p[1:])
	}
	return out
}

func (in *ListInput) fix(key string, n *Node) {
	if in.Fixed == nil {
		in.Fixed = map[string][]string{}
	}
	in.Fixed[key] = []string{"true", "false"}
	if len(n.Enum) > 0 {
		var values []string
		for _, e := range n.Enum {
			var s any
			if json.Unmarshal(e, &s) == nil {
				values = append(values, fmt.Sprint(s))
			}
		}
		in.Fixed[key] = values
	}
}

// gifts finds every key in one parent's rows.
func gifts(p *Table, keys []string, candidates map[string]*Table) ([]Gift, bool) {
	var out []Gift
	for _, k := range keys {
		from := ""
		switch {
		case candidates[k] == p:
			from = supplies(p, k[1:])
		default:
			from = p.readable(k[1:], strings.Replace(k[1:], "Identifier", "Id", 1))
		}
		if from == "" {
			return nil, false
		}
		out = append(out, Gift{To: k, From: from})
	}
	return out, true
}

// readable gives the first of some properties that a read gives back.
func (t *Table) readable(names ...string) string {
	for _, n := range names {
		for _, p := range t.Root.Properties {
			if at := "/" + p.Name; strings.EqualFold(p.Name, n) && (!slices.Contains(t.WriteOnly, at) || slices.Contains(t.ReadOnly, at)) {
				return at
			}
		}
	}
	return ""
}

var keySuffixes = []string{"Identifier", "Arns", "Names", "Arn", "ARN", "Ids", "Name", "Id", "ID"}

// stem cuts what kind of name a key is off it.
func stem(key string) string {
	for _, s := range keySuffixes {
		if rest, ok := strings.CutSuffix(key, s); ok && rest != "" {
			return rest
		}
	}
	return key
}

func resourceName(typeName string) string { return typeName[strings.LastIndex(typeName, ":")+1:] }

// bestParent scores the types of the child's service by how well their names
// fit a key, and other services' by equality.
func bestParent(child *Table, key string, tables []*Table) *Table {
	k := key[1:]
	s := strings.ToLower(stem(k))
	var best *Table
	top := 0.0
	for _, p := range tables {
		if p == child || p.Read == nil {
			continue
		}
		r := strings.ToLower(resourceName(p.Type))
		score := 0.0
		if p.Service == child.Service {
			score = fit(p, r, s, k)
		} else if len(s) >= 4 && (r == s || p.Service+r == s) {
			score = 20
		}
		if score == 0 {
			continue
		}
		if p.Root.property(k) != nil {
			score += 4
		}
		if len(p.Identifier) == 1 {
			score += 3
		}
		if p.List != nil {
			score += 2
		}
		if score > top || score == top && len(p.Type) < len(best.Type) {
			best, top = p, score
		}
	}
	return best
}

func fit(p *Table, r, s, k string) float64 {
	switch {
	case r == s:
		return 100
	case len(p.Identifier) == 1 && p.Identifier[0] == "/"+k:
		return 90
	case strings.HasSuffix(r, s):
		return 70 - 0.2*float64(len(r)-len(s))
	case strings.HasSuffix(s, r):
		return 65 - 0.2*float64(len(s)-len(r))
	case strings.HasPrefix(r, s):
		return 45 - 0.2*float64(len(r)-len(s))
	}
	return 0
}

// supplies gives the property of a parent that a key's value is.
func supplies(p *Table, k string) string {
	has := p.readable
	r := resourceName(p.Type)
	from := has(k)
	if from == "" {
		switch lower := strings.ToLower(k); {
		case strings.HasSuffix(lower, "arn"), strings.HasSuffix(lower, "arns"):
			from = has("Arn", r+"Arn")
		case strings.HasSuffix(lower, "identifier"), strings.HasSuffix(lower, "id"), strings.HasSuffix(lower, "ids"):
			from = has("Id", r+"Id", "Identifier")
		case strings.HasSuffix(lower, "name"), strings.HasSuffix(lower, "names"):
			from = has("Name", r+"Name")
		}
	}
	if from == "" {
		from = p.Identifier[len(p.Identifier)-1]
	}
	return from
}

func (t *Table) correctParents(o listOverlay) {
	in := &t.ListInput
	if o.Unknown != "" {
		in.Parents, in.Unknown = nil, o.Unknown
	}
	for k, v := range o.Fixed {
		if in.Fixed == nil {
			in.Fixed = map[string][]string{}
		}
		in.Fixed[k] = v
		in.Unknown = o.Unknown
	}
	in.HomeOnly = o.HomeOnly
	in.DefaultParentOnly = o.DefaultParentOnly
	if len(o.Parents) == 0 {
		return
	}
	in.Unknown, in.Parents = o.Unknown, nil
	for _, p := range o.Parents {
		parent := Parent{Type: p.Type}
		for _, to := range slices.Sorted(maps.Keys(p.Give)) {
			parent.Give = append(parent.Give, Gift{To: to, From: p.Give[to]})
			if o.DefaultParentOnly && !slices.Contains(in.Optional, to) {
				in.Optional = append(in.Optional, to)
			}
		}
		in.Parents = append(in.Parents, parent)
	}
}
