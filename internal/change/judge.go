package change

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/cloudcontrol"
)

// judge says what an answer means for the change.
func (w *work) judge(a answer, try int) end {
	e := a.event
	switch {
	case a.left:
		return end{outcome: Uncertain, identifier: e.Identifier, message: "the wait was given up", open: true}
	case a.asked:
		return end{outcome: Asked, identifier: e.Identifier, open: true}
	case a.late:
		return end{outcome: Uncertain, identifier: e.Identifier, message: "AWS is still at work on it after " + w.a.timeout(w.c).Round(time.Second).String(), open: true}
	case a.err != nil && errors.Is(a.err, cloudcontrol.ErrTokenUnknown) && e.Token != "":
		return w.look("AWS has forgotten the request")
	case a.err != nil:
		return w.refused(a, try)
	}
	switch e.Status {
	case cloudcontrol.Success:
		return end{outcome: Done, identifier: w.identifierOf(e)}
	case cloudcontrol.CancelComplete:
		return end{outcome: Failed, identifier: e.Identifier, code: "Cancelled", message: "the request was cancelled; what its handler had done by then stays done"}
	}
	f := end{outcome: Failed, identifier: e.Identifier, code: e.Code, message: e.Message}
	for _, h := range e.Hooks {
		if h.Failed() {
			f.hooks = append(f.hooks, strings.TrimSpace(h.Type+": "+h.Message))
		}
	}
	if f.code == "" {
		f.code = "HandlerFailure"
	}
	return w.failed(f, a.lost, try)
}

func (w *work) identifierOf(e cloudcontrol.Event) string {
	if e.Identifier != "" || w.op != cloudcontrol.OpCreate {
		return e.Identifier
	}
	id, _ := w.c.rules.compose(w.c.after)
	return id
}

// compose gives the identifier that a model will have, where the caller chooses
// all parts of it.
func (r *rules) compose(model map[string]any) (string, bool) {
	if len(r.identifier) == 0 {
		return "", false
	}
	parts := make([]string, 0, len(r.identifier))
	for _, p := range r.identifier {
		v, ok := lookup(model, p)
		s, scalar := scalarText(v)
		if !ok || !scalar || r.readOnly.covers(p) {
			return "", false
		}
		parts = append(parts, s)
	}
	return r.table.JoinIdentifier(parts), true
}

// refused judges a call that ended in an error and not in a request.
func (w *work) refused(a answer, try int) end {
	code := codeOf(a.err)
	message := a.err.Error()
	var e *cloudcontrol.Error
	if errors.As(a.err, &e) && e.Message != "" {
		message = e.Message
	}
	f := end{outcome: Failed, code: code, message: message}
	if !a.lost {
		if errors.Is(a.err, cloudcontrol.ErrThrottled) && w.op == cloudcontrol.OpCreate {
			return f // it was asked for as long as is right, with one token
		}
		return w.failed(f, false, try)
	}
	switch {
	case errors.Is(a.err, cloudcontrol.ErrUnreachable), cloudcontrol.RetryOf(a.err) != cloudcontrol.Never:
		return end{outcome: Uncertain, code: code, message: "no answer came: " + message, open: true}
	case errors.Is(a.err, cloudcontrol.ErrAlreadyExists) && w.op == cloudcontrol.OpCreate,
		errors.Is(a.err, cloudcontrol.ErrNotFound) && w.op == cloudcontrol.OpDelete,
		errors.Is(a.err, cloudcontrol.ErrNotFound) && w.op == cloudcontrol.OpUpdate:
		return w.failed(f, true, try)
	case w.request != "":
		return end{outcome: Uncertain, code: code, message: "its end can't be asked after: " + message, open: true}
	}
	// The first call may have arrived, whatever the second was told.
	return w.look(message)
}

// tries are how often a failure is tried again, by its code.
var tries = map[string]int{
	"Throttling": 8, "ResourceConflict": 8, "ConcurrentOperation": 8,
	"ServiceInternalError": 4, "NetworkFailure": 4, "ServiceTimeout": 4, "HandlerFailure": 4,
	"InternalFailure": 2, "InvalidCredentials": 2,
}

// failed judges a failure that AWS has named, by an event or instead of a
// request.
func (w *work) failed(f end, lost bool, try int) end {
	f.message = unexplained(f.code, f.message)
	switch w.op {
	case cloudcontrol.OpCreate:
		return w.failedCreate(f, lost, try)
	case cloudcontrol.OpDelete:
		if f.code == "NotFound" {
			return end{outcome: Done}
		}
	default:
		if f.code == "NotFound" && try < freshTries && w.young() {
			f.again = min(backoff(try), longestFresh)
			return f
		}
		if drift, ok := w.conflict(f.code); ok {
			return drift
		}
		if w.testRefused(f) {
			w.bare = true
			f.again = time.Millisecond
			return f
		}
	}
	if try < tries[f.code] {
		f.again = backoff(try)
	}
	return f
}

// failedCreate is careful: what failed may have made something. It is tried
// again only after a busy signal, with nothing made that has a name.
func (w *work) failedCreate(f end, lost bool, try int) end {
	id, chosen := w.c.rules.compose(w.c.after)
	if f.code == "AlreadyExists" && (lost || try > 1) && chosen {
		return w.compare(id, f)
	}
	if f.code != "Throttling" && f.code != "ResourceConflict" || f.identifier != "" || w.made() != "" || try >= tries[f.code] {
		return f
	}
	if !chosen {
		if why := w.absent(); why != "" {
			return end{outcome: Uncertain, code: f.code, message: f.message + "; " + why}
		}
	}
	f.again = backoff(try)
	return f
}

// compare reads what is there under the name of what was to be made. Asked for
// more than once, it may well be the change's own.
func (w *work) compare(id string, f end) end {
	d, err := w.get(id, true)
	if err != nil {
		return w.cantTell("it exists already, perhaps by this very change", err)
	}
	if w.isWanted(d) {
		return end{outcome: Done, identifier: d.Identifier}
	}
	f.message += "; what is there is not what was wanted"
	return f
}

// isWanted reports whether a resource is what a creation asked for.
func (w *work) isWanted(d cloudcontrol.Document) bool {
	have, err := parseModel(d.Properties)
	return err == nil && comparison{rules: w.c.rules, subset: true}.models(w.c.after, have) != different
}

// young reports whether the journal says that a resource was made a moment ago.
func (w *work) young() bool {
	for _, p := range Recent(w.a.Journal.Sets(), w.set.Place, time.Now().Add(-2*time.Minute)) {
		if p.Type == w.c.Table.Type && p.Identifier == w.c.Identifier && p.Account == w.c.Account && p.Region == w.c.Region {
			return true
		}
	}
	return false
}

// conflict finds out whether an update was refused because its test operations
// found other values: then somebody else was at work.
func (w *work) conflict(code string) (end, bool) {
	if code != "InvalidRequest" && code != "Validation" && code != "GeneralServiceException" {
		return end{}, false
	}
	d, err := w.get(w.c.Identifier, false)
	if err != nil {
		return end{}, false
	}
	if why := w.c.drift(d); why != "" {
		return drifted(why), true
	}
	return end{}, false
}

var (
	aboutTest = regexp.MustCompile(`(?i)\btest\b`)
	aboutElse = regexp.MustCompile(`(?i)model validation failed|cannot be updated|noSuchPath`)
)

// testRefused reports whether an update may have been refused by a test of its
// own patch though nobody has changed the resource: what the service reads for
// an update need not be written as what it gave us. Such a one is made once
// more without tests, right after the resource was read again.
func (w *work) testRefused(f end) bool {
	if w.bare || w.c.Given || f.code != "Validation" && f.code != "InvalidRequest" && f.code != "GeneralServiceException" {
		return false
	}
	if !slices.ContainsFunc(w.c.Patch, func(o Operation) bool { return o.Op == "test" }) {
		return false
	}
	// A request has a patch behind it, so its message has to speak of a test.
	return aboutTest.MatchString(f.message) || w.request == "" && !aboutElse.MatchString(f.message)
}

// Drifted is the code of a change that was not made because somebody else
// changed the resource since it was read.
const Drifted = "Drifted"

// ErrDrifted is the cause of an error that says the same.
var ErrDrifted = errors.New("changed since it was read")

func drifted(why string) end {
	return end{outcome: Failed, code: Drifted, message: "changed since it was read: " + why}
}

// reread looks at a resource right before a call that could end or overwrite
// what nobody has agreed to. Done, or refused, where ok.
func (w *work) reread() (end, bool) {
	if taken, ok := w.taken(); ok {
		return taken, true
	}
	if w.op == cloudcontrol.OpCreate || w.op == cloudcontrol.OpUpdate && w.c.guarded() {
		return end{}, false
	}
	if !w.a.Asked && time.Since(w.c.ReadAt) <= staleAfter {
		return end{}, false
	}
	d, err := w.get(w.c.Identifier, false)
	switch {
	case errors.Is(err, cloudcontrol.ErrNotFound) && w.op == cloudcontrol.OpDelete:
		return end{outcome: Done}, true
	case err != nil:
		return end{outcome: Failed, code: codeOf(err), message: "it can't be read again before it is changed: " + err.Error()}, true
	}
	if why := w.c.drift(d); why != "" {
		return drifted(why), true
	}
	return end{}, false
}

// taken refuses a replacement whose new identifier is another resource's: it
// would end the old one, and then not be able to make the new one.
func (w *work) taken() (end, bool) {
	if w.c.Action != Replace || w.part > 0 {
		return end{}, false
	}
	id, chosen := w.c.rules.compose(w.c.after)
	if !chosen || id == w.c.Identifier {
		return end{}, false
	}
	switch _, err := w.get(id, false); {
	case err == nil:
		return end{outcome: Failed, code: "AlreadyExists", message: id + " is there already, so the old one was left as it is"}, true
	case !errors.Is(err, cloudcontrol.ErrNotFound):
		return end{outcome: Failed, code: codeOf(err), message: "whether " + id + " is there can't be read before the old one is deleted: " + err.Error()}, true
	}
	return end{}, false
}

// staleAfter is how old what was read may be.
const staleAfter = 30 * time.Second

// guarded reports whether the patch itself refuses to overwrite what it doesn't
// know.
func (c *Change) guarded() bool {
	for _, d := range c.diffs {
		if c.Given || d.old == nil || !c.rules.guards(d) {
			return false
		}
	}
	return true
}

// drift says what of a resource is not as it was read: for an update the
// properties that it changes, otherwise all but what AWS alone writes. Secrets
// are never said, and compared only where they are known.
func (c *Change) drift(d cloudcontrol.Document) string {
	now, err := parseModel(d.Properties)
	if err != nil {
		return "it is no object any more"
	}
	if c.Action == Update {
		for _, x := range c.diffs {
			v, _ := lookup(now, x.at)
			if why := c.driftAt(x.at, x.old, v, now); why != "" {
				return why
			}
		}
		return ""
	}
	return c.wholeDrift(now)
}

func (c *Change) driftAt(at []string, was, is any, now map[string]any) string {
	if c.rules.writeOnly.covers(at) || !c.rules.plain(at, was) && !c.known(was) {
		return ""
	}
	if (comparison{rules: c.rules}).values(c.rules.node(at), at, was, is, now) == same {
		return ""
	}
	d := c.rules.shown(diff{at, was, is}, c.before, now)
	return fmt.Sprintf("%s was %s and is %s", d.Path, brief(d.Old), brief(d.New))
}

// known reports whether a value isn't masked: in a change that was saved,
// secrets are.
func (c *Change) known(v any) bool {
	out := true
	each(v, nil, func(_ []string, v any) { out = out && v != Sensitive })
	return out
}

// wholeDrift compares everything but what AWS alone writes.
func (c *Change) wholeDrift(now map[string]any) string {
	before, _ := c.rules.masked(c.before)
	masked, _ := c.rules.masked(now)
	for _, k := range sortedKeys(union(before, masked)) {
		if c.rules.readOnly.covers([]string{k}) {
			continue
		}
		d := &differ{comparison: comparison{rules: c.rules}}
		d.objects(nil, map[string]any{k: before[k]}, map[string]any{k: masked[k]})
		for _, x := range d.found {
			if !c.rules.readOnly.covers(x.at) {
				s := c.rules.shown(x, c.before, now)
				return fmt.Sprintf("%s was %s and is %s", s.Path, brief(s.Old), brief(s.New))
			}
		}
	}
	return ""
}

func union(a, b map[string]any) map[string]any {
	out := make(map[string]any, len(a)+len(b))
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		out[k] = v
	}
	return out
}

// rebase brings an update that failed half-way up to what is there now, before
// it is tried again: what is as wanted is done, what is as it was is still to
// do, and anything else was somebody else.
func (w *work) rebase(f end) (end, bool) {
	if w.op != cloudcontrol.OpUpdate || f.code == "ConcurrentOperation" {
		return end{}, false
	}
	d, err := w.get(w.c.Identifier, false)
	if err != nil {
		return end{}, false // the next try will say
	}
	now, err := parseModel(d.Properties)
	if err != nil {
		return end{}, false
	}
	left, why := w.c.remaining(now)
	switch {
	case why != "":
		return drifted(why), true
	case len(left) == 0:
		return end{outcome: Done, identifier: w.c.Identifier}, true
	case !w.c.Given:
		ops := w.c.rules.patch(now, left)
		if w.bare {
			ops = slices.DeleteFunc(ops, func(o Operation) bool { return o.Op == "test" })
		}
		w.body = mustPatch(ops)
	case len(left) < len(w.c.diffs):
		f.again, f.message = 0, f.message+"; a part of the patch has been made"
		return f, true
	}
	return end{}, false
}

// remaining gives the differences that are still to be made of a model, or why
// none may be.
func (c *Change) remaining(now map[string]any) (left []diff, why string) {
	cmp := comparison{rules: c.rules}
	for _, d := range c.diffs {
		v, _ := lookup(now, d.at)
		n := c.rules.node(d.at)
		switch {
		case d.new != nil && !c.rules.writeOnly.covers(d.at) && cmp.values(n, d.at, d.new, v, c.after) != different,
			d.new == nil && isEmpty(v):
		case c.rules.writeOnly.covers(d.at):
			left = append(left, d)
		case cmp.values(n, d.at, d.old, v, c.before) == same:
			left = append(left, diff{d.at, v, d.new})
		default:
			return nil, c.driftAt(d.at, d.old, v, now)
		}
	}
	return left, ""
}
