package change

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/skyql/skyql/internal/catalog"
)

// A checker holds one intent against its table's rules.
type checker struct {
	*rules
	intent   int
	in       Intent
	options  Options
	problems Problems
	resource string
}

// soft kinds are warnings unless checks are strict.
func (k Kind) soft() bool { return k >= Enum }

func (k *checker) report(kind Kind, at []string, value any, rule, fix string) {
	if k.resource == "" && !strings.HasPrefix(k.in.Identifier, Placeholder) {
		k.resource = k.in.Identifier
	}
	p := Problem{Intent: k.intent, Kind: kind, Table: k.table.Name(), Resource: k.resource, Rule: rule, Fix: fix,
		Warning: kind == Unguarded || kind.soft() && !k.options.Strict}
	if len(at) > 0 {
		p.Column, p.Path, p.Pointer = k.column(at[0]), k.path(at), pointer(at)
	}
	if value != nil {
		p.Value = k.excerpt(at, value)
	}
	if !slices.Contains(k.problems, p) {
		k.problems = append(k.problems, p)
	}
}

// excerpt gives a value as it may be shown.
func (k *checker) excerpt(at []string, v any) string {
	return cutText(string(encode(k.maskedAt(at, v, nil))), 60)
}

// cutText makes text fit into a line: n characters at most, and none that would
// do something to a terminal.
func cutText(s string, n int) string {
	r := []rune(printable(s))
	if len(r) <= n {
		return string(r)
	}
	return string(r[:n-1]) + "…"
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '·'
	}, s)
}

func (k *checker) parsed(what string, text json.RawMessage) map[string]any {
	m, err := parseModel(text)
	if err != nil {
		k.report(Malformed, nil, nil, "the properties "+what+" are not a JSON object: "+jsonFault(err), "")
	}
	if k.resource == "" {
		k.resource = k.name(m)
	}
	return m
}

// jsonFault says where JSON text is wrong.
func jsonFault(err error) string {
	var s *json.SyntaxError
	if errors.As(err, &s) {
		return (&SyntaxError{max(int(s.Offset)-1, 0), s.Error()}).Error()
	}
	return err.Error()
}

// patched gives what the user's own patch makes of the model.
func (k *checker) patched(before map[string]any) map[string]any {
	ops, err := ParsePatch(k.in.Patch)
	if err != nil {
		k.report(Malformed, nil, nil, jsonFault(err), "")
		return nil
	}
	if before == nil {
		k.report(Malformed, nil, nil, "a patch needs a resource that is there", "")
		return nil
	}
	v, err := Apply(before, ops)
	after, ok := v.(map[string]any)
	switch {
	case err != nil:
		k.report(Malformed, nil, nil, err.Error(), k.patchFix(err))
	case !ok:
		k.report(Malformed, nil, nil, "the patch leaves "+kindOf(v)+" instead of an object", "")
	}
	return after
}

func (k *checker) patchFix(err error) string {
	var e *PatchError
	if errors.As(err, &e) && e.Reason == noSuchPath && (e.Op.Op == "replace" || e.Op.Op == "test") {
		if k.writeOnly.covers(steps(e.Op.Path)) {
			return fmt.Sprintf(`it is write-only, so AWS never finds it there: {"op":"add","path":%q,…}`, e.Op.Path)
		}
		return fmt.Sprintf(`{"op":"add","path":%q,…}`, e.Op.Path)
	}
	return ""
}

// create checks a model to be made.
func (k *checker) create(after map[string]any) {
	if k.table.Create == nil {
		k.report(NoHandler, nil, nil, "AWS offers no creation of this type through Cloud Control", "")
		return
	}
	each(after, nil, func(at []string, v any) {
		if k.readOnly.covers(at) {
			k.report(ReadOnly, k.top(at), nil, "is read-only: AWS sets it", "leave "+k.path(k.top(at))+" out")
		}
	})
	k.systemTags(nil, after)
	v := &validator{rules: k.rules, creating: true}
	v.value(k.table.Root, nil, after, 0)
	k.take(v.found)
}

// top cuts a path to the pointer of the list that covers it.
func (k *checker) top(at []string) []string {
	for i := range at {
		if k.readOnly.covers(at[:i+1]) {
			return at[:i+1]
		}
	}
	return at
}

func (k *checker) delete() {
	if k.table.Delete == nil {
		k.report(NoHandler, nil, nil, "AWS offers no deletion of this type through Cloud Control", "")
	}
}

// update checks what changes of a model, and says whether the resource is to be
// deleted and made anew instead.
func (k *checker) update(before, after map[string]any, ds []diff) (replace bool) {
	fixed := false
	refuse := func(kind Kind, at []string, v any, rule string) {
		fixed = true
		if !k.options.Replace {
			k.report(kind, at, v, rule, k.replaceFix())
		}
	}
	if k.table.Update == nil {
		refuse(NoHandler, nil, nil, "AWS offers no update of this type through Cloud Control")
		if !k.options.Replace {
			return false
		}
	}
	for _, d := range ds {
		k.readOnlyDiff(d)
		if k.conditional.covers(d.at) {
			k.report(Unguarded, d.at, nil, "can in some cases be set only when the resource is made: AWS decides", "")
		}
		for _, at := range k.createOnlyDiff(d) {
			v, _ := lookup(after, at)
			refuse(CreateOnly, at, v, "can be set only when the resource is made")
		}
	}
	k.systemTags(before, after)
	if fixed && k.options.Replace {
		return true
	}
	v := &validator{rules: k.rules}
	v.value(k.table.Root, nil, after, 0)
	was := &validator{rules: k.rules}
	was.value(k.table.Root, nil, before, 0)
	for _, f := range v.found {
		if f.kind == CreateOnly { // wanted with every update and refused there
			refuse(f.kind, f.at, nil, f.rule)
		}
	}
	if fixed && k.options.Replace {
		return true
	}
	k.take(newFindings(v.found, was.found))
	return false
}

// notSent tells of differences that may be none.
func (k *checker) notSent(d *differ) {
	const all = "SET data__PatchDocument = '[…]' sends it all the same"
	for _, at := range d.unknown {
		k.report(Unguarded, at, nil, "is rewritten by AWS, by a rule that is not evaluated here: it may be as wanted already, and isn't sent", all)
	}
	for _, at := range d.moved {
		k.report(Unguarded, at, nil, "is wanted in another order than AWS has it: nothing says that its order counts, and it isn't sent", all)
	}
}

// unset warns of write-only values that are set to NULL: there is nothing to
// remove that a read gives.
func (k *checker) unset(after map[string]any) {
	for _, name := range k.in.Set {
		if at := []string{name}; after[name] == nil && k.writeOnly.covers(at) {
			k.report(Unguarded, at, nil, "is write-only: NULL leaves it out of the update, and AWS may keep it or reset it", "")
		}
	}
}

func (k *checker) replaceFix() string {
	if k.table.Create == nil || k.table.Delete == nil {
		return ""
	}
	return "SET replace = 'allow' deletes the resource and makes it anew"
}

// lost tells which values a replacement is made without, because no read gives
// them. Where nothing of a required property is left, it can't be made.
func (k *checker) lost(after map[string]any) {
	const most = 6
	given := map[string]bool{} // columns of which the statement gives what no read does
	each(after, nil, func(at []string, v any) {
		if k.writeOnly.covers(at) {
			given[at[0]] = true
		}
	})
	var paths []string
	for _, at := range k.writeOnly {
		column := at[0]
		if given[column] || slices.Contains(at, "*") {
			continue
		}
		if o, ok := after[column].(map[string]any); ok && len(o) == 0 && slices.Contains(k.table.Root.Required, column) {
			k.report(Required, at[:1], nil, "is required, and write-only: what it was is not known", "SET "+k.column(column)+" in the same statement")
		} else if _, holds := lookup(after, at[:len(at)-1]); holds {
			paths = append(paths, k.path(at))
		}
	}
	slices.SortStableFunc(paths, func(a, b string) int { // secrets first: they are missed most
		switch x, y := secretName(a), secretName(b); {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	if len(paths) == 0 {
		return
	}
	names := strings.Join(paths[:min(len(paths), most)], ", ")
	if n := len(paths) - most; n > 0 {
		names += fmt.Sprintf(" and %d more", n)
	}
	k.report(Unguarded, nil, nil, "is made anew without what is write-only and not given, whatever it was: "+names, "SET what it needs in the same statement")
}

// readOnlyDiff refuses values for what AWS alone writes.
func (k *checker) readOnlyDiff(d diff) {
	if d.new == nil {
		return
	}
	was := map[string]bool{}
	each(d.old, d.at, func(at []string, v any) { was[string(encode(v))] = true })
	each(d.new, d.at, func(at []string, v any) {
		if k.readOnly.covers(at) && (k.readOnly.covers(d.at) || !was[string(encode(v))]) {
			k.report(ReadOnly, k.top(at), nil, "is read-only: AWS sets it", "leave "+k.path(k.top(at))+" out")
		}
	})
}

// createOnlyDiff gives the paths of a difference that no update can make. In
// the elements of an array AWS's judgement is asked for.
func (k *checker) createOnlyDiff(d diff) [][]string {
	if k.createOnly.covers(d.at) {
		return [][]string{d.at}
	}
	if !k.createOnly.below(d.at) {
		return nil
	}
	was := map[string]bool{}
	each(d.old, d.at, func(at []string, v any) { was[string(encode(v))] = true })
	var out [][]string
	each(d.new, d.at, func(at []string, v any) {
		switch {
		case !k.createOnly.covers(at), was[string(encode(v))]:
		case d.old != nil && hasArray(d.new):
			k.report(Unguarded, at, v, "can be set only when its element is made: AWS may refuse this", "")
		default:
			out = append(out, at)
		}
	})
	return out
}

// systemTags refuses new tags whose prefix is AWS's.
func (k *checker) systemTags(before, after map[string]any) {
	if k.tags == nil {
		return
	}
	old, _ := lookup(before, k.tags)
	tags, _ := lookup(after, k.tags)
	had := map[string]bool{}
	for _, t := range tagKeys(old) {
		had[t] = true
	}
	seen := map[string]bool{}
	for _, t := range tagKeys(tags) {
		if seen[t] {
			k.report(Combination, k.tags, nil, "has two tags with the key "+printable(t), "")
		}
		seen[t] = true
		if isSystemTag(t) && !had[t] {
			k.report(SystemTag, k.tags, t, "has a tag with AWS's own prefix, which nobody else can write", "leave the tag "+t+" out")
		}
	}
}

func tagKeys(tags any) []string {
	var out []string
	switch tags := tags.(type) {
	case map[string]any:
		for k := range tags {
			out = append(out, k)
		}
		slices.Sort(out)
	case []any:
		for _, e := range tags {
			if k, ok := tagKey(e); ok {
				out = append(out, k)
			}
		}
	}
	return out
}

func (k *checker) take(found []finding) {
	for _, f := range found {
		k.report(f.kind, f.at, f.value, f.rule, f.fix)
	}
}

// newFindings leaves out what was so before: AWS gave it, and the statement
// doesn't touch it. An array below its minimum stays, as a warning: reads
// inject empty ones, and AWS then refuses every update.
func newFindings(now, was []finding) []finding {
	old := map[string]bool{}
	for _, f := range was {
		old[f.key()] = true
	}
	var out []finding
	for _, f := range now {
		switch {
		case f.kind == WriteOnly, !old[f.key()]:
			out = append(out, f)
		case f.kind == Count && f.below:
			f.kind, f.rule = Unguarded, f.rule+", and is so in AWS already: the update may be refused for it"
			out = append(out, f)
		}
	}
	return out
}

// knownLater finds references to what only AWS will name.
func knownLater(book ruleBook, intents []Intent) Problems {
	coming := map[string]int{}
	for i, in := range intents {
		if strings.HasPrefix(in.Identifier, Placeholder) {
			coming[in.Identifier] = i
		}
	}
	if len(coming) == 0 {
		return nil
	}
	var out Problems
	for i, in := range intents {
		after, err := parseModel(in.After)
		if err != nil {
			continue
		}
		k := &checker{intent: i, in: in, rules: book.of(in.Table)}
		k.resource = k.name(after)
		each(after, nil, func(at []string, v any) {
			s, _ := v.(string)
			j, ok := coming[s]
			if !ok || j == i {
				return
			}
			other := intents[j]
			k.report(KnownLater, at, nil, fmt.Sprintf("refers to a new row of %s, whose identifier AWS will choose when it is made", other.Table.Name()),
				twoSteps(other.Table, in.Table, k.path(at)))
		})
		out = append(out, k.problems...)
	}
	return out
}

// twoSteps shows how to make one thing after another.
func twoSteps(first, then *catalog.Table, path string) string {
	return fmt.Sprintf("two steps: INSERT INTO %s … RETURNING identifier; then INSERT INTO %s with that value in %s", first.Name(), then.Name(), path)
}
