package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// A FaultsFile is faults with the settings that hold for all calls, as they
// stand in a file: TOML, or JSON with the same names.
type FaultsFile struct {
	Faults
	Contract Contract `toml:"contract" json:"contract"`
}

// Names are one or more patterns.
type Names []string

// A Duration is written as Go writes them: 250ms, 1m30s.
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration such as 250ms or 1m30s", text)
	}
	*d = Duration(v)
	return nil
}

// UnmarshalJSON reads a text or a list of texts.
func (ns *Names) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*ns = Names{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(ns))
}

// UnmarshalTOML reads a text or a list of texts.
func (ns *Names) UnmarshalTOML(v any) error {
	switch v := v.(type) {
	case string:
		*ns = Names{v}
		return nil
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return fmt.Errorf("%v is not a text", e)
			}
			*ns = append(*ns, s)
		}
		return nil
	}
	return fmt.Errorf("%v is neither a text nor a list of texts", v)
}

// ReadFaults reads a faults file. What is wrong with it is said with its line,
// its field and what is allowed there.
func ReadFaults(text []byte) (*FaultsFile, error) {
	f := &FaultsFile{}
	var lines []int
	var err error
	if start := bytes.TrimLeft(text, " \t\r\n"); len(start) > 0 && start[0] == '{' {
		lines, err = readJSONFaults(text, f)
	} else {
		lines, err = readTOMLFaults(text, f)
	}
	if err != nil {
		return nil, err
	}
	for i := range f.Rules {
		if err := f.Rules[i].check(); err != nil {
			where := fmt.Sprintf("rule %d", i+1)
			if i < len(lines) {
				where = fmt.Sprintf("line %d, %s", lines[i], where)
			}
			return nil, fmt.Errorf("%s: %w", where, err)
		}
	}
	return f, nil
}

var ruleHead = regexp.MustCompile(`(?m)^[ \t]*\[\[[ \t]*rule[ \t]*\]\]`)

func lineAt(text []byte, offset int) int { return bytes.Count(text[:offset], []byte("\n")) + 1 }

func readTOMLFaults(text []byte, f *FaultsFile) (lines []int, err error) {
	for _, m := range ruleHead.FindAllIndex(text, -1) {
		lines = append(lines, lineAt(text, m[1]))
	}
	meta, err := toml.Decode(string(text), f)
	var pe toml.ParseError
	if errors.As(err, &pe) {
		return nil, fmt.Errorf("line %d: %s", pe.Position.Line, pe.Message)
	}
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "toml: "))
	}
	if left := meta.Undecoded(); len(left) > 0 {
		line := ""
		last := left[0][len(left[0])-1]
		if m := regexp.MustCompile(`(?m)^[ \t\[]*([a-z_]+\.)?` + regexp.QuoteMeta(last) + `\b`).FindIndex(text); m != nil {
			line = fmt.Sprintf("line %d: ", lineAt(text, m[1]))
		}
		return nil, fmt.Errorf("%sno field %s; %s", line, left[0], allowedFields(left[0]))
	}
	return lines, nil
}

// allowedFields lists what could stand where a field isn't known.
func allowedFields(key []string) string {
	t := reflect.TypeFor[Rule]()
	switch {
	case len(key) == 1:
		return "there are seed, contract and rule"
	case key[0] == "contract":
		t = reflect.TypeFor[Contract]()
	}
	var names []string
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("toml"))
	}
	return key[0] + " has " + strings.Join(names, ", ")
}

func readJSONFaults(text []byte, f *FaultsFile) (lines []int, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err = d.Decode(f)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("line %d: %w", lineAt(text, int(min(syntax.Offset, int64(len(text))))), err)
	case errors.As(err, &kind):
		return nil, fmt.Errorf("line %d: field %s: %s is not %s", lineAt(text, int(min(kind.Offset, int64(len(text))))), strings.TrimPrefix(kind.Field, "Faults."), kind.Value, kind.Type)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("line %d: the file ends too early", lineAt(text, len(text)))
	case err != nil:
		message := strings.TrimPrefix(err.Error(), "json: ")
		if name, ok := strings.CutPrefix(message, "unknown field "); ok {
			at := max(bytes.Index(text, []byte(name)), 0)
			return nil, fmt.Errorf("line %d: no field %s; there are seed, contract and rule, %s, %s", lineAt(text, at), name, allowedFields([]string{"contract", ""}), allowedFields([]string{"rule", ""}))
		}
		return nil, errors.New(message)
	}
	return ruleLines(text), nil
}

// ruleLines finds where the rules of a JSON file begin.
func ruleLines(text []byte) (lines []int) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.Token()
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil
		}
		if k != "rule" {
			var skip any
			d.Decode(&skip)
			continue
		}
		d.Token()
		for d.More() {
			var skip json.RawMessage
			d.Decode(&skip)
			lines = append(lines, lineAt(text, int(d.InputOffset())-len(skip)))
		}
		d.Token()
	}
	return lines
}

var operationNames = []string{"CreateResource", "UpdateResource", "DeleteResource", "GetResource", "ListResources", "GetResourceRequestStatus", "ListResourceRequests", "CancelResourceRequest"}

// check refuses what makes no sense.
func (r *Rule) check() error {
	for _, n := range r.Operation {
		if !slices.ContainsFunc(operationNames, func(o string) bool { return fits(n, o) }) {
			return fmt.Errorf("operation: %q is none of %s", n, strings.Join(operationNames, ", "))
		}
	}
	for _, x := range []struct {
		field, value string
		allowed      []string
	}{{"error", r.Error, exceptions}, {"fail", r.Fail, handlerCodes}, {"reset", r.Reset, []string{"before", "after"}}, {"list", r.List, []string{"thin", "partial", "full"}}} {
		if x.value != "" && !slices.Contains(x.allowed, x.value) {
			return fmt.Errorf("%s: %q is none of %s", x.field, x.value, strings.Join(x.allowed, ", "))
		}
	}
	return r.checkNumbers()
}

func (r *Rule) checkNumbers() error {
	deref := func(n *int) int {
		if n == nil {
			return 0
		}
		return *n
	}
	for field, n := range map[string]int{"first": r.First, "after": r.After, "every": r.Every, "page_size": r.PageSize, "polls": deref(r.Polls), "unseen_reads": deref(r.UnseenReads), "unseen_lists": deref(r.UnseenLists)} {
		if n < 0 {
			return fmt.Errorf("%s: %d is negative", field, n)
		}
	}
	for _, n := range r.Calls {
		if n < 1 {
			return fmt.Errorf("calls: %d: they are counted from 1", n)
		}
	}
	for field, d := range map[string]*Duration{"latency": &r.Latency, "jitter": &r.Jitter, "pending": r.Pending, "delay": r.Delay, "unseen_reads_for": r.UnseenReadsFor, "unseen_lists_for": r.UnseenListsFor} {
		if d != nil && *d < 0 {
			return fmt.Errorf("%s: it can't be negative", field)
		}
	}
	switch {
	case r.Probability < 0 || r.Probability > 1:
		return fmt.Errorf("probability: %v is not between 0 and 1", r.Probability)
	case r.Throttle < 0:
		return fmt.Errorf("throttle: %v is negative", r.Throttle)
	case r.Status != 0 && (r.Status < 400 || r.Status > 599):
		return fmt.Errorf("status: %d is not between 400 and 599", r.Status)
	}
	return nil
}
