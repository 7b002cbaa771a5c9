package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/sqlerr"
)

// A Kind is the rule that a value breaks.
type Kind uint8

// Rules. Those up to KnownLater are errors always; the others are warnings,
// because published limits are sometimes wrong, and errors with Options.Strict.
const (
	Malformed   Kind = iota // not the JSON that it has to be
	Required                // a property is missing
	Unknown                 // no such property
	WrongType               //
	ReadOnly                // AWS alone writes it
	CreateOnly              // can't be changed once made
	WriteOnly               // wanted with every update and not given
	NoHandler               // the type has no such operation
	SystemTag               // a tag of AWS's own
	NothingFits             // none of several forms
	KnownLater              // refers to what only AWS will name
	Enum                    //
	Pattern                 //
	Length                  // of text
	Range                   // of a number
	Count                   // of elements or members
	Combination             // properties that want or exclude one another
	Unguarded               // may be refused, is tried
)

var kindNames = [...]string{"malformed", "required", "unknown property", "wrong type", "read-only", "create-only", "write-only", "no handler", "system tag",
	"no form fits", "known later", "enum", "pattern", "length", "range", "count", "combination", "may be refused"}

func (k Kind) String() string { return kindNames[k] }

// MarshalText writes the kind's name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// A Problem is one rule that one value breaks.
type Problem struct {
	Intent   int    `json:"intent"` // its index
	Kind     Kind   `json:"kind"`
	Warning  bool   `json:"warning,omitempty"`
	Table    string `json:"table"`              // aws.connect.users
	Resource string `json:"resource,omitempty"` // its name or identifier
	Column   string `json:"column,omitempty"`   // phone_config
	Path     string `json:"path,omitempty"`     // phone_config.PhoneType
	Pointer  string `json:"pointer,omitempty"`  // /PhoneConfig/PhoneType
	Value    string `json:"value,omitempty"`    // as JSON, secrets masked, cut if long; "" for none
	Rule     string `json:"rule"`               // "must be one of …"
	Fix      string `json:"fix,omitempty"`      // what to do instead
}

// String gives the problem without its fix.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Table)
	if p.Resource != "" {
		b.WriteString(" " + p.Resource)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path)
		if p.Value != "" {
			b.WriteString(" = " + p.Value)
		}
		b.WriteString(" ")
	}
	b.WriteString(p.Rule)
	return b.String()
}

// Problems are all that a check has found.
type Problems []Problem

// Error gives the errors among them, one a line.
func (ps Problems) Error() string {
	var out []string
	for _, p := range ps.Errors() {
		out = append(out, p.String())
	}
	return strings.Join(out, "\n")
}

// Errors leaves out the warnings.
func (ps Problems) Errors() Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return p.Warning })
}

var kindCodes = map[Kind]string{Malformed: sqlerr.InvalidText, Required: "23502", Unknown: sqlerr.UndefinedColumn, WrongType: sqlerr.DatatypeMismatch,
	ReadOnly: "428C9", CreateOnly: sqlerr.FeatureNotSupported, WriteOnly: "23502", NoHandler: sqlerr.FeatureNotSupported, KnownLater: sqlerr.FeatureNotSupported}

// Err makes one error of all errors, or nil. Its cause is the Problems.
func (ps Problems) Err() error {
	errs := ps.Errors()
	if len(errs) == 0 {
		return nil
	}
	first := errs[0]
	code, ok := kindCodes[first.Kind]
	if !ok {
		code = "23514" // check_violation
	}
	e := sqlerr.New(code, "%s", first).Wrap(ps)
	e.Hint = first.Fix
	if len(errs) == 1 {
		return e
	}
	e.Message = fmt.Sprintf("%d values can't be sent to AWS, and nothing was", len(errs))
	e.Hint = ""
	return e.WithDetail("%s", strings.Join(errs.lines("; "), "\n"))
}

// lines gives the problems, each with what to do behind a separator. Resources
// of the same name that have the same problem share a line.
func (ps Problems) lines(separator string) []string {
	var lines []string
	times := map[string]int{}
	for _, p := range ps {
		times[p.String()]++
	}
	for _, p := range ps {
		line, n := p.String(), times[p.String()]
		if n == 0 {
			continue // it was said
		}
		times[line] = 0
		if n > 1 {
			line += fmt.Sprintf(" (%d times)", n)
		}
		if p.Fix != "" {
			line += separator + p.Fix
		}
		lines = append(lines, line)
	}
	return lines
}
