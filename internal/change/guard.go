package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/sqlerr"
)

// Guards are what keeps a slip from becoming a disaster. Agreeing to a plan
// lifts none of them.
type Guards struct {
	// MaxChanges is the most changes that a set may have; 0 is
	// DefaultMaxChanges, negative is no bound.
	MaxChanges int
	// AllRows allows to delete or update every row of a table that was listed.
	AllRows bool
	Protect []Protection
}

// DefaultMaxChanges holds where nothing is set.
const DefaultMaxChanges = 50

// Coverage says how much of what was read of a table a statement touches. It is
// counted in rows, because words prove nothing: WHERE true is no WHERE.
type Coverage struct {
	Table string
	// Read are the rows that the statement's scan gave; Listed says that they
	// were listed and not named by their identifiers.
	Read   int
	Listed bool
	// Touched are those of them that the statement updates or deletes.
	Touched int
}

// Guard refuses a set that goes too far.
func (s *Set) Guard(g Guards, covers []Coverage) error {
	if err := s.protected(g.Protect); err != nil {
		return err
	}
	for _, c := range covers {
		if !g.AllRows && c.Listed && c.Read >= 2 && c.Touched >= c.Read {
			return sqlerr.New(sqlerr.InvalidParameter, "this would change all %d rows of %s", c.Touched, c.Table).
				WithHint("SET allow_all_rows = true allows it for this session")
		}
	}
	limit := g.MaxChanges
	if limit == 0 {
		limit = DefaultMaxChanges
	}
	if n := len(s.Changes); limit > 0 && n > limit {
		return sqlerr.New(sqlerr.ProgramLimit, "the plan has %d changes, more than max_changes = %d", n, limit).
			WithHint("--max-changes %d, or SET max_changes = %d", n, n)
	}
	return nil
}

// A Protection is a rule for resources that must not be deleted or replaced.
type Protection struct {
	By      string // tag, type or identifier
	Key     string // the tag's key
	Pattern string // "*" stands for anything; of a tag "" for any value
}

// ParseProtection reads a rule: tag:env=prod, tag:keep, type:AWS::RDS::*,
// type:aws.rds.*, identifier:prod-*.
func ParseProtection(text string) (Protection, error) {
	by, rest, ok := strings.Cut(strings.TrimSpace(text), ":")
	p := Protection{By: strings.ToLower(by), Pattern: rest}
	switch {
	case !ok || rest == "":
	case p.By == "tag":
		p.Key, p.Pattern, _ = strings.Cut(rest, "=")
		if p.Key != "" {
			return p, nil
		}
	case p.By == "type", p.By == "identifier":
		return p, nil
	}
	return Protection{}, sqlerr.New(sqlerr.InvalidParameter, "%q is no protect rule", text).
		WithHint("tag:env=prod, tag:keep, type:AWS::RDS::*, type:aws.rds.*, identifier:prod-*")
}

func (p Protection) String() string {
	switch {
	case p.By == "tag" && p.Pattern == "":
		return "tag:" + p.Key
	case p.By == "tag":
		return "tag:" + p.Key + "=" + p.Pattern
	}
	return p.By + ":" + p.Pattern
}

// matches reports whether the rule holds for what a change would end.
func (p Protection) matches(c *Change) bool {
	switch p.By {
	case "type":
		return glob(p.Pattern, c.Table.Type) || glob(strings.ToLower(p.Pattern), c.Table.Name())
	case "identifier":
		return glob(p.Pattern, c.Identifier) || c.Name != "" && glob(p.Pattern, c.Name)
	}
	v, ok := c.tag(p.Key)
	return ok && (p.Pattern == "" || glob(p.Pattern, v))
}

// tag gives a tag of the resource as it was.
func (c *Change) tag(key string) (string, bool) {
	if c.rules.tags == nil {
		return "", false
	}
	switch tags, _ := lookup(c.before, c.rules.tags); tags := tags.(type) {
	case map[string]any:
		v, ok := tags[key]
		return fmt.Sprint(v), ok
	case []any:
		for _, e := range tags {
			o, _ := e.(map[string]any)
			if k, ok := tagKey(e); ok && k == key {
				for _, name := range []string{"Value", "TagValue", "value"} {
					if v, ok := o[name]; ok {
						return fmt.Sprint(v), true
					}
				}
				return "", true
			}
		}
	}
	return "", false
}

// glob matches all of s, "*" standing for any text.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, last)
}

// ends names the resource that a deletion or a replacement ends.
func (c *Change) ends() string {
	if name := c.rules.name(c.before); name != "" {
		return printable(name)
	}
	return printable(c.Identifier)
}

func (s *Set) protected(rules []Protection) error {
	var lines []string
	for _, c := range s.Changes {
		if c.Action != Delete && c.Action != Replace {
			continue
		}
		if i := slices.IndexFunc(rules, func(p Protection) bool { return p.matches(c) }); i >= 0 {
			lines = append(lines, fmt.Sprintf("%s %s %s: protect = '%s'", c.Action, c.Table.Name(), c.ends(), rules[i]))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return sqlerr.New(sqlerr.InsufficientPriv, "%d of the changes would end what is protected, and nothing was sent", len(lines)).WithDetail("%s", strings.Join(lines, "\n"))
}
