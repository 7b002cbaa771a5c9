package change

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/cloudcontrol"
)

// Counts are the numbers of changes by kind.
type Counts struct {
	Create  int `json:"create"`
	Update  int `json:"update"`
	Delete  int `json:"delete"`
	Replace int `json:"replace"`
}

// Counts counts.
func (s *Set) Counts() Counts {
	var n Counts
	for _, c := range s.Changes {
		switch c.Action {
		case Create:
			n.Create++
		case Update:
			n.Update++
		case Delete:
			n.Delete++
		case Replace:
			n.Replace++
		}
	}
	return n
}

// String is as in "2 to create, 1 to delete".
func (n Counts) String() string {
	var out []string
	for _, x := range []struct {
		n    int
		what string
	}{{n.Create, "create"}, {n.Update, "change"}, {n.Replace, "replace"}, {n.Delete, "delete"}} {
		if x.n > 0 {
			out = append(out, fmt.Sprintf("%d to %s", x.n, x.what))
		}
	}
	if len(out) == 0 {
		return "nothing to do"
	}
	return strings.Join(out, ", ")
}

// Permissions are the IAM actions that the set needs, by the catalog: Cloud
// Control's own first, then those of the handlers, sorted.
func (s *Set) Permissions() []string {
	own, theirs := map[string]bool{}, map[string]bool{}
	for _, c := range s.Changes {
		own["cloudformation:GetResource"], own["cloudformation:GetResourceRequestStatus"] = true, true
		for _, op := range c.operations() {
			own["cloudformation:"+calls[op]] = true
			c.handler(op).collect(theirs)
		}
		c.handler("").collect(theirs)
	}
	return slices.Concat(sorted(own), sorted(theirs))
}

var calls = map[cloudcontrol.Operation]string{cloudcontrol.OpCreate: "CreateResource", cloudcontrol.OpUpdate: "UpdateResource", cloudcontrol.OpDelete: "DeleteResource"}

// writePermissions are those that changing needs beyond reading.
func (s *Set) writePermissions() []string {
	writes, reads := map[string]bool{}, map[string]bool{}
	for _, c := range s.Changes {
		c.handler("").collect(reads)
		for _, op := range c.operations() {
			c.handler(op).collect(writes)
		}
	}
	maps.DeleteFunc(writes, func(p string, _ bool) bool { return reads[p] })
	return sorted(writes)
}

// handler gives the type's handler of an operation, the reading one for "". It
// may be nil.
func (c *Change) handler(op cloudcontrol.Operation) permissions {
	h := c.Table.Read
	switch op {
	case cloudcontrol.OpCreate:
		h = c.Table.Create
	case cloudcontrol.OpUpdate:
		h = c.Table.Update
	case cloudcontrol.OpDelete:
		h = c.Table.Delete
	}
	if h == nil {
		return nil
	}
	return h.Permissions
}

type permissions []string

func (p permissions) collect(into map[string]bool) {
	for _, x := range p {
		into[x] = true
	}
}

func sorted(set map[string]bool) []string {
	return slices.SortedFunc(maps.Keys(set), func(a, b string) int {
		return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	})
}

// String names the place: endpoint, account, profile.
func (p Place) String() string {
	out := []string{"AWS"}
	switch {
	case p.Sandbox:
		out[0] = "sandbox"
	case p.Endpoint != "":
		out[0] = p.Endpoint
	}
	if p.Partition != "" && p.Partition != "aws" {
		out[0] += " (" + p.Partition + ")"
	}
	if p.Account != "" {
		out = append(out, "account "+p.Account)
	}
	if p.Profile != "" && !p.Sandbox {
		out = append(out, "profile "+p.Profile)
	}
	return strings.Join(out, " · ")
}

// header names the place and what of it the changes touch.
func (s *Set) header() string {
	accounts, regions := map[string]bool{}, map[string]bool{}
	for _, c := range s.Changes {
		accounts[c.Account], regions[c.Region] = true, true
	}
	at := s.Place
	if len(accounts) == 1 {
		at.Account = slices.Collect(maps.Keys(accounts))[0]
	} else if len(accounts) > 1 {
		at.Account = strings.Join(slices.Sorted(maps.Keys(accounts)), ", ")
	}
	return at.String() + " · " + strings.Join(slices.Sorted(maps.Keys(regions)), ", ")
}

// maxPermissions are shown in the last line of a plan; the JSON form has all.
const maxPermissions = 4

// WriteText writes the plan as a terminal shows it. The same set gives the
// same text.
func (s *Set) WriteText(w io.Writer) error {
	var b strings.Builder
	if len(s.Changes) == 0 {
		b.WriteString("nothing to do\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	b.WriteString(s.header() + "\n\n")
	p := printer{&b, s.widths()}
	for _, c := range s.Changes {
		p.change(c)
	}
	for _, line := range s.Warnings.lines("\n         ") {
		fmt.Fprintf(&b, "warning: %s\n", line)
	}
	if len(s.Warnings) > 0 {
		b.WriteByte('\n')
	}
	b.WriteString(s.Counts().String())
	if theirs := s.writePermissions(); len(theirs) > 0 {
		b.WriteString(" · needs " + strings.Join(theirs[:min(len(theirs), maxPermissions)], ", "))
		if n := len(theirs) - maxPermissions; n > 0 {
			fmt.Fprintf(&b, " and %d more", n)
		}
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

// widths line up names and identifiers.
type widths struct {
	name   int
	places bool // more than one account or region: each line says which
}

func (s *Set) widths() widths {
	var w widths
	for _, c := range s.Changes {
		w.name = max(w.name, len([]rune(c.Table.Name()))+len([]rune(c.Name))+2)
		w.places = w.places || c.Account != s.Changes[0].Account || c.Region != s.Changes[0].Region
	}
	w.name = min(w.name, 60)
	return w
}

type printer struct {
	b *strings.Builder
	w widths
}

func (p printer) change(c *Change) {
	name := strings.TrimSpace(c.Table.Name() + "  " + printable(c.Name))
	line := fmt.Sprintf("%s %-*s  %s", c.Action, p.w.name, name, c.shownIdentifier())
	if p.w.places {
		line = strings.TrimRight(line, " ") + "  " + c.Account + " " + c.Region
	}
	p.b.WriteString(strings.TrimRight(line, " ") + "\n")
	width := 0
	lines := c.lines()
	for _, l := range lines {
		width = max(width, len([]rune(l[0])))
	}
	for _, l := range lines {
		fmt.Fprintf(p.b, "    %-*s   %s\n", min(width, 48), l[0], l[1])
	}
	if c.Action == Replace {
		order := "deleted, then made anew"
		if c.creates {
			order = "made anew, then deleted"
		}
		p.b.WriteString("    " + order + ": it gets a new identity, and what only AWS kept is lost\n")
	}
	if c.Given {
		p.b.WriteString("    by the patch document that was given\n")
	}
	p.b.WriteByte('\n')
}

// shownIdentifier shortens the middle of an ARN, which the name says already.
func (c *Change) shownIdentifier() string {
	id := c.Identifier
	if !c.Known() {
		var chosen bool
		if id, chosen = c.rules.compose(c.after); !chosen {
			return "(known after apply)"
		}
	}
	if id == c.Name {
		return ""
	}
	if !strings.HasPrefix(id, "arn:") || len(id) < 40 {
		return cutText(id, 70)
	}
	last := strings.LastIndexAny(id, "/:")
	if before := strings.LastIndexAny(id[:last], "/:"); before > 0 && strings.Count(id[before+1:], ":") == 0 {
		last = before
	}
	return "arn:…" + cutText(id[last:], 60)
}

// lines are the properties of a change, each with what becomes of it.
func (c *Change) lines() [][2]string {
	var out [][2]string
	if c.Action == Delete {
		return nil
	}
	for i, d := range c.Differences {
		if c.Action == Create {
			out = append(out, [2]string{d.Path, brief(d.New)})
			continue
		}
		out = append(out, c.rules.listLines(c.diffs[i], d)...)
	}
	return out
}

// listLines shows a list that changes by its elements, where that says more.
func (r *rules) listLines(d diff, shown Difference) [][2]string {
	old, ok := d.old.([]any)
	now, too := d.new.([]any)
	if d.old == nil && len(d.at) > 0 {
		old, ok = []any{}, true
	}
	if !ok || !too || shown.Sensitive || string(shown.Old)+string(shown.New) != string(r.plainText(d.old))+string(r.plainText(d.new)) {
		return [][2]string{{shown.Path, arrow(shown.Old, shown.New)}}
	}
	if r.taggedAt(d.at) {
		old, now = without(old, isSystemElement), without(now, isSystemElement)
	}
	if isKeyValue(old) && isKeyValue(now) {
		return pairs(shown.Path, old, now)
	}
	var parts []string
	for _, e := range without(old, func(e any) bool { return contains(now, e) }) {
		parts = append(parts, "- "+brief(encode(e)))
	}
	for _, e := range without(now, func(e any) bool { return contains(old, e) }) {
		parts = append(parts, "+ "+brief(encode(e)))
	}
	if len(parts) == 0 || len(parts) > 6 {
		return [][2]string{{shown.Path, arrow(shown.Old, shown.New)}}
	}
	out := make([][2]string, len(parts))
	for i, p := range parts {
		out[i] = [2]string{shown.Path, p}
	}
	return out
}

func (r *rules) plainText(v any) []byte {
	if v == nil {
		return nil
	}
	return encode(v)
}

func contains(list []any, e any) bool {
	return slices.ContainsFunc(list, func(x any) bool { return sameJSON(x, e) })
}

// pairs shows a key/value list by key.
func pairs(path string, old, now []any) [][2]string {
	byKey := func(list []any) map[string]json.RawMessage {
		out := map[string]json.RawMessage{}
		for _, e := range list {
			k, _ := tagKey(e)
			o := maps.Clone(e.(map[string]any))
			for _, name := range []string{"Key", "TagKey", "key"} {
				delete(o, name)
			}
			out[k] = encode(o)
			for _, name := range []string{"Value", "TagValue", "value"} {
				if v, ok := o[name]; ok && len(o) == 1 {
					out[k] = encode(v)
				}
			}
		}
		return out
	}
	was, is := byKey(old), byKey(now)
	keys := maps.Clone(was)
	maps.Copy(keys, is)
	var out [][2]string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if string(was[k]) != string(is[k]) {
			out = append(out, [2]string{path + "." + k, arrow(was[k], is[k])})
		}
	}
	return out
}

func arrow(old, now json.RawMessage) string {
	a, b := oneLine(old), oneLine(now)
	if len(a) <= mostShown && len(b) <= mostShown {
		return a + " → " + b
	}
	from := 0 // what long values have in common at their start says nothing
	for i := 0; i < min(len(a), len(b)) && a[i] == b[i]; i++ {
		if strings.IndexByte("/:,{[ ", a[i]) >= 0 {
			from = i
		}
	}
	head := ""
	if from > 0 {
		head = "…"
	}
	return head + cutText(a[from:], mostShown) + " → " + head + cutText(b[from:], mostShown)
}

// mostShown is how much of a value stands on a line, in runes.
const mostShown = 100

// brief gives a value for one line, cut if it is long.
func brief(v json.RawMessage) string { return cutText(oneLine(v), mostShown) }

// oneLine gives a value as text without quotes, unless it would be mistaken for
// something else.
func oneLine(v json.RawMessage) string {
	if v == nil {
		return "(absent)"
	}
	x, err := parse(v)
	s, ok := x.(string)
	if err != nil || !ok {
		return printable(string(v))
	}
	plain := strings.ReplaceAll(s, "\n", "⏎")
	if s == "" || strings.TrimSpace(s) != s || isNumber(s) || s == "true" || s == "false" || s == "null" || s == "(absent)" || strings.ContainsAny(s[:1], `"[{`) {
		return printable(string(v))
	}
	return printable(plain)
}

// planJSON is the form for programs. Secrets are masked.
type planJSON struct {
	ID          string       `json:"id,omitempty"`
	Place       Place        `json:"place"`
	Made        time.Time    `json:"made"`
	Counts      Counts       `json:"counts"`
	Changes     []changeJSON `json:"changes"`
	Warnings    Problems     `json:"warnings,omitempty"`
	Permissions []string     `json:"permissions"`
}

type changeJSON struct {
	Number      int             `json:"number"`
	Action      string          `json:"action"` // create, update, delete, replace
	Table       string          `json:"table"`
	Type        string          `json:"type"`
	Account     string          `json:"account"`
	Region      string          `json:"region"`
	Identifier  string          `json:"identifier,omitempty"`
	Name        string          `json:"name,omitempty"`
	Before      json.RawMessage `json:"before,omitempty"`
	After       json.RawMessage `json:"after,omitempty"`
	Differences []Difference    `json:"differences,omitempty"`
	Unknown     []string        `json:"unknown,omitempty"`
	Patch       []Operation     `json:"patch,omitempty"`
	Needs       []int           `json:"needs,omitempty"`
}

// Word names an action as the JSON form and SQL do.
func (a Action) Word() string {
	switch a {
	case Create:
		return "create"
	case Update:
		return "update"
	case Delete:
		return "delete"
	}
	return "replace"
}

// MarshalJSON writes the plan for programs, without secrets.
func (s *Set) MarshalJSON() ([]byte, error) {
	out := planJSON{ID: s.ID, Place: s.Place, Made: s.Made, Counts: s.Counts(), Warnings: s.Warnings, Permissions: s.Permissions(), Changes: []changeJSON{}}
	for _, c := range s.Changes {
		x := changeJSON{Number: c.Number, Action: c.Action.Word(), Table: c.Table.Name(), Type: c.Table.Type, Account: c.Account, Region: c.Region,
			Name: c.Name, Before: c.maskedText(c.before), After: c.maskedText(c.after), Differences: c.Differences, Unknown: c.Unknown, Needs: s.Needs(c)}
		if c.Known() {
			x.Identifier = c.Identifier
		}
		if c.Action == Update {
			x.Patch = c.maskedPatch()
		}
		out.Changes = append(out.Changes, x)
	}
	return json.Marshal(out)
}

func (c *Change) maskedText(model map[string]any) json.RawMessage {
	if model == nil {
		return nil
	}
	m, _ := c.rules.masked(model)
	return encode(m)
}
