package change

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/sqlerr"
)

// saved is a set as a plan file and the journal hold it: without secrets.
type saved struct {
	Format  string        `json:"format"`
	ID      string        `json:"id,omitempty"`
	Place   Place         `json:"place"`
	Made    time.Time     `json:"made"`
	Undoes  string        `json:"undoes,omitempty"` // the set that is taken back
	Changes []savedChange `json:"changes"`
}

const savedFormat = "skyql change set 1"

type savedChange struct {
	Action     string          `json:"action"`
	Type       string          `json:"type"`
	Account    string          `json:"account"`
	Region     string          `json:"region"`
	Identifier string          `json:"identifier,omitempty"`
	Name       string          `json:"name,omitempty"`
	Before     json.RawMessage `json:"before,omitempty"`
	After      json.RawMessage `json:"after,omitempty"`
	Secrets    []string        `json:"secrets,omitempty"` // pointers into After that have to be given again
	Given      json.RawMessage `json:"given,omitempty"`   // the user's patch, secrets masked
	ReadAt     time.Time       `json:"read_at,omitzero"`
	Creates    bool            `json:"creates_first,omitempty"`
	Needs      []int           `json:"needs,omitempty"` // numbers
}

func (s *Set) saved() saved {
	out := saved{Format: savedFormat, ID: s.ID, Place: s.Place, Made: s.Made, Undoes: s.Undoes}
	for _, c := range s.Changes {
		x := savedChange{Action: c.Action.Word(), Type: c.Table.Type, Account: c.Account, Region: c.Region, Identifier: c.Identifier, Name: c.Name,
			Before: c.maskedText(c.before), After: c.maskedText(c.after), ReadAt: c.ReadAt, Creates: c.creates, Needs: s.Needs(c)}
		for _, at := range c.secretsSent() {
			x.Secrets = append(x.Secrets, pointer(at))
		}
		if c.Given {
			x.Given = c.given
			if c.secretGiven() {
				x.Given = mustJSON(c.maskedPatch())
			}
		}
		out.Changes = append(out.Changes, x)
	}
	return out
}

func mustJSON(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic("change: " + err.Error())
	}
	return out
}

// secretsSent gives the paths of the secrets that a change's calls hold.
func (c *Change) secretsSent() [][]string {
	all := slices.Clone(c.missing)
	for _, at := range c.rules.secrets(c.after) {
		if !slices.ContainsFunc(all, func(m []string) bool { return slices.Equal(m, at) }) {
			all = append(all, at)
		}
	}
	slices.SortFunc(all, slices.Compare)
	switch c.Action {
	case Create, Replace:
		return all
	case Update:
		return slices.DeleteFunc(all, func(at []string) bool {
			touches := func(p []string) bool {
				return len(p) <= len(at) && fits(p, at) || len(at) <= len(p) && fits(at, p)
			}
			return !slices.ContainsFunc(c.diffs, func(d diff) bool { return touches(d.at) }) &&
				!(c.Given && slices.ContainsFunc(c.operationsSent(), func(o Operation) bool { return o.Value != nil && touches(steps(o.Path)) }))
		})
	}
	return nil
}

// Save writes a plan file. It holds no secrets: those are given again when it
// is applied.
func (s *Set) Save(w io.Writer) error {
	out, err := json.MarshalIndent(s.saved(), "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(out, '\n'))
	return err
}

// A Catalog gives the tables of types.
type Catalog interface {
	Table(typeName string) (*catalog.Table, error)
}

// Load reads a plan file. Secrets that it left out have to be given before the
// set can be applied, see Missing.
func Load(r io.Reader, c Catalog) (*Set, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return loadText(text, c)
}

func loadText(text []byte, c Catalog) (*Set, error) {
	var in saved
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, refuse("the plan file can't be read: %s", jsonFault(err))
	}
	if in.Format != savedFormat {
		return nil, refuse("this is no plan file of skyql")
	}
	s := &Set{ID: in.ID, Place: in.Place, Made: in.Made, Undoes: in.Undoes, needs: make([][]int, len(in.Changes))}
	book := ruleBook{}
	for i, x := range in.Changes {
		ch, err := x.change(c, book)
		if err != nil {
			return nil, refuse("change %d of the plan: %s", i+1, err)
		}
		ch.Number = i + 1
		s.Changes = append(s.Changes, ch)
		for _, n := range x.Needs {
			if n < 1 || n > i {
				return nil, refuse("change %d of the plan waits for %d, which doesn't come before it", i+1, n)
			}
			s.needs[i] = append(s.needs[i], n-1)
		}
	}
	return s, nil
}

var actions = map[string]Action{"create": Create, "update": Update, "delete": Delete, "replace": Replace}

func (x savedChange) change(cat Catalog, book ruleBook) (*Change, error) {
	t, err := cat.Table(x.Type)
	if err != nil {
		return nil, err
	}
	c := &Change{Action: actions[x.Action], Table: t, Account: x.Account, Region: x.Region, Identifier: x.Identifier, Name: x.Name, ReadAt: x.ReadAt,
		Given: x.Given != nil, given: x.Given, creates: x.Creates, rules: book.of(t)}
	if c.before, err = parseModel(x.Before); err == nil {
		c.after, err = parseModel(x.After)
	}
	switch {
	case err != nil:
		return nil, err
	case c.Action == 0:
		return nil, fmt.Errorf("no such action: %q", x.Action)
	case c.Action != Create && c.before == nil, c.Action != Delete && c.after == nil:
		return nil, fmt.Errorf("%s without the properties that it needs", x.Action)
	case c.Given:
		if _, err := ParsePatch(c.given); err != nil {
			return nil, err
		}
	}
	for _, p := range x.Secrets {
		c.missing = append(c.missing, steps(p))
	}
	c.derive()
	return c, nil
}

// derive finds the differences of a change that was read back.
func (c *Change) derive() {
	if c.Action == Update || c.Action == Replace {
		d := c.rules.differences(c.before, c.after)
		c.diffs, c.Unknown = d.found, nil
		for _, at := range d.unknown {
			c.Unknown = append(c.Unknown, c.rules.path(at))
		}
	}
	name := c.Name
	c.finish()
	if c.Name == "" {
		c.Name = name
	}
}

// A Secret is a value that a change set needs and that nothing has kept.
type Secret struct {
	Change int    // number
	Path   string // "password", or "login_profile.Password"
	// Param is the name by which Give takes it. Where several changes want one
	// of that name, it has the change's number behind it, and the bare name
	// serves all.
	Param string
	at    []string
}

// Missing gives the secrets that have to be given before the set can be
// applied.
func (s *Set) Missing() []Secret {
	var out []Secret
	uses := map[string]int{}
	for _, c := range s.Changes {
		for _, at := range c.missing {
			p := paramOf(c.rules.path(at))
			uses[p]++
			out = append(out, Secret{Change: c.Number, Path: c.rules.path(at), Param: p, at: at})
		}
	}
	for i, x := range out {
		if uses[x.Param] > 1 {
			out[i].Param = fmt.Sprintf("%s_%d", x.Param, x.Change)
		}
	}
	return out
}

func paramOf(path string) string {
	words := strings.FieldsFunc(catalog.Snake(path), func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') })
	return strings.Join(words, "_")
}

// Give fills in secrets by their parameters. What is not named stays missing;
// names that mean nothing here are not minded.
func (s *Set) Give(params map[string]string) error {
	for _, x := range s.Missing() {
		text, ok := params[x.Param]
		if !ok {
			text, ok = params[paramOf(x.Path)]
		}
		if !ok {
			continue
		}
		c := s.Changes[x.Change-1]
		v := any(text)
		if n := c.rules.node(x.at); n == nil || !slices.Contains(n.Types, "string") {
			parsed, err := parse([]byte(text))
			if err != nil && n != nil && len(n.Types) > 0 {
				return refuse("-p %s: %s must be %s, as JSON", x.Param, x.Path, article(n.Types))
			}
			if err == nil {
				v = parsed
			}
		}
		replaceAt(c.after, x.at, v)
		if c.Given {
			c.given = c.refilled()
		}
		c.missing = slices.DeleteFunc(c.missing, func(at []string) bool { return slices.Equal(at, x.at) })
		c.derive()
	}
	return nil
}

// complete refuses a set that misses secrets. Of a set that is gone on with,
// only what was never sent needs them.
func (s *Set) complete(h *History) error {
	missing := slices.DeleteFunc(s.Missing(), func(x Secret) bool { return h != nil && h.Changes[x.Change-1].State != NotSent })
	for i, c := range s.Changes {
		if (h == nil || h.Changes[i].State == NotSent) && len(c.missing) == 0 && c.maskedGiven() {
			return refuse("%s: its patch document holds a secret that it only tests for or takes back, which is kept nowhere and can't be given again", c).
				WithHint("run the statement again")
		}
	}
	if len(missing) == 0 {
		return nil
	}
	var lines, params []string
	for _, x := range missing {
		c := s.Changes[x.Change-1]
		lines = append(lines, fmt.Sprintf("%s: %s", c, x.Path))
		params = append(params, "-p "+x.Param+"=…")
	}
	return sqlerr.New(sqlerr.InvalidParameter, "secrets are kept nowhere and have to be given again").
		WithDetail("%s", strings.Join(lines, "\n")).WithHint("%s", strings.Join(slices.Compact(params), " "))
}
