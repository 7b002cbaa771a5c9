package change

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
)

// A client token lives 36 hours; a call is repeated while surely one is left.
const (
	tokenLife = 35 * time.Hour
	// clockSlack is how far clocks may differ.
	clockSlack = 5 * time.Minute
	recordLife = 7 * 24 * time.Hour
)

// Recover finds out what became of what a set of the journal has asked of AWS.
// It sends nothing that was never sent, but finishes what was begun: a call
// that wasn't answered is made again with the same token, and a replacement
// whose old resource is gone gets its new one. Secrets that aren't given again
// keep a call from being repeated, no more. at is the place that is called now.
func (a *Applier) Recover(ctx context.Context, h *History, s *Set, at Place) (*Report, error) {
	if err := resumable(h, at); err != nil {
		return nil, err
	}
	return a.run(ctx, s, h, true)
}

// settle finds out what became of a call that was made.
func (w *work) settle(last pastCall) end {
	w.called, w.request = last.time, last.request
	if last.request != "" {
		w.own(last.request)
		w.noteTries()
		return w.judge(w.await(cloudcontrol.Event{Token: last.request, Operation: w.op, Status: cloudcontrol.InProgress, Identifier: last.created,
			RetryAfter: time.Now().Add(time.Millisecond)}), w.tries)
	}
	w.noteTries()
	age := time.Since(last.time)
	switch {
	case age > tokenLife:
		return w.look("asked longer ago than its token lives")
	case age < -clockSlack:
		return w.look("the clock has gone back")
	case last.body == nil && w.c.lacks(w.op):
		return w.look("its secrets are not given")
	case age > staleAfter && w.overtaken():
		return w.look("the resource has changed since")
	}
	if last.body != nil {
		w.body = []byte(*last.body)
	}
	return w.judge(w.ask(last.token, true), w.tries)
}

// overtaken reports whether somebody else has changed a resource that a call
// made once more would end or overwrite.
func (w *work) overtaken() bool {
	if w.op == cloudcontrol.OpCreate || w.op == cloudcontrol.OpUpdate && w.c.guarded() {
		return false
	}
	d, err := w.get(w.c.Identifier, false)
	if err != nil {
		return false // the call itself will say
	}
	if w.op == cloudcontrol.OpDelete {
		return w.c.drift(d) != ""
	}
	now, err := parseModel(d.Properties)
	if err != nil {
		return false
	}
	_, why := w.c.remaining(now)
	return why != ""
}

func (w *work) noteTries() { w.tries = len(w.pastPart().calls) }

// look decides by what is there what became of a call that can't be asked
// after: by AWS's records of requests, by the resource itself, or not at all.
func (w *work) look(why string) end {
	if e, ok := w.recorded(); ok {
		return e
	}
	switch w.op {
	case cloudcontrol.OpDelete:
		return w.lookDeleted(why)
	case cloudcontrol.OpUpdate:
		return w.lookUpdated(why)
	}
	id, chosen := w.c.rules.compose(w.c.after)
	if !chosen {
		return w.lookMade(why)
	}
	d, err := w.get(id, true)
	switch {
	case errors.Is(err, cloudcontrol.ErrNotFound):
		return neverArrived(why)
	case err != nil:
		return w.cantTell(why, err)
	case w.isWanted(d):
		return end{outcome: Done, identifier: d.Identifier}
	}
	return end{outcome: Uncertain, identifier: d.Identifier, message: fmt.Sprintf("%s; %s exists, and is not what was wanted", why, d.Identifier)}
}

// NeverArrived is the code of a call of which nothing came.
const NeverArrived = "NeverArrived"

func neverArrived(why string) end {
	return end{outcome: Failed, code: NeverArrived, message: "it never arrived (" + why + ")"}
}

// cantTell leaves the change open where another day may tell.
func (w *work) cantTell(why string, err error) end {
	var e *cloudcontrol.Error
	return end{outcome: Uncertain, code: codeOf(err), message: why + ", and what became of it can't be read: " + err.Error(), open: w.calls.Err() != nil || errors.As(err, &e)}
}

func (w *work) lookDeleted(why string) end {
	d, err := w.get(w.c.Identifier, false)
	switch {
	case errors.Is(err, cloudcontrol.ErrNotFound):
		return end{outcome: Done}
	case err != nil:
		return w.cantTell(why, err)
	case w.c.drift(d) == "":
		return neverArrived(why)
	}
	return end{outcome: Uncertain, message: why + "; it is there, and not as it was"}
}

func (w *work) lookUpdated(why string) end {
	d, err := w.get(w.c.Identifier, false)
	if err != nil {
		return w.cantTell(why, err)
	}
	now, err := parseModel(d.Properties)
	if err != nil {
		return w.cantTell(why, err)
	}
	left, drift := w.c.remaining(now)
	switch {
	case drift != "":
		return end{outcome: Uncertain, message: why + "; " + drift}
	case len(left) == 0:
		return end{outcome: Done, identifier: w.c.Identifier}
	case slices.ContainsFunc(left, func(d diff) bool { return w.c.rules.writeOnly.covers(d.at) }):
		return end{outcome: Uncertain, message: why + "; write-only values can't be read back"}
	case len(left) == len(w.c.diffs):
		return neverArrived(why)
	}
	return end{outcome: Uncertain, message: fmt.Sprintf("%s; %d of its %d differences have been made", why, len(w.c.diffs)-len(left), len(w.c.diffs))}
}

// recorded finds the request among AWS's records, if it can only be one.
func (w *work) recorded() (end, bool) {
	id := w.c.Identifier
	if w.op == cloudcontrol.OpCreate {
		var chosen bool
		if id, chosen = w.c.rules.compose(w.c.after); !chosen {
			return end{}, false
		}
	}
	found, err := w.records(func(e cloudcontrol.Event) bool { return e.Identifier == id })
	if errors.Is(err, errRecords) || errors.Is(err, cloudcontrol.ErrDenied) {
		return end{}, false // the resource itself has to do
	}
	if err != nil {
		return w.cantTell("what was asked is not known", err), true
	}
	if len(found) != 1 || !w.own(found[0].Token) {
		return end{}, false
	}
	w.request = found[0].Token
	w.journalEvent(found[0], true)
	e := w.judge(w.await(found[0]), 1)
	e.again = 0
	return e, true
}

var errRecords = errors.New("AWS keeps its records of requests for seven days")

// records gives AWS's records of requests like ours since the call, without
// those that are known to be another change's.
func (w *work) records(fits func(cloudcontrol.Event) bool) ([]cloudcontrol.Event, error) {
	if time.Since(w.called) > recordLife {
		return nil, errRecords
	}
	known := map[string]bool{}
	for _, h := range w.a.Journal.Sets() {
		for _, c := range h.Changes {
			for _, p := range c.parts {
				for _, call := range p.calls {
					known[call.request] = true
				}
			}
		}
	}
	var out []cloudcontrol.Event
	all, err := w.requests()
	for _, e := range all {
		if e.Type == w.c.Table.Type && !known[e.Token] && (e.Time.IsZero() || e.Time.After(w.called.Add(-clockSlack))) && fits(e) {
			out = append(out, e)
		}
	}
	return out, err
}

// requests reads all records of the operation, from the start again where a
// page failed for the moment.
func (w *work) requests() ([]cloudcontrol.Event, error) {
	for n := 1; ; n++ {
		var out []cloudcontrol.Event
		var failed error
		for e, err := range w.cloud.Requests(w.calls, []cloudcontrol.Operation{w.op}, nil) {
			if failed = err; err != nil {
				break
			}
			out = append(out, e)
		}
		if failed == nil || cloudcontrol.RetryOf(failed) == cloudcontrol.Never || n >= 8 || !sleep(w.calls, backoff(n)) {
			return out, failed
		}
	}
}

// lookMade looks for a resource that AWS has named: its request among the
// records, then, if nothing there can be it, nowhere.
func (w *work) lookMade(why string) end {
	found, err := w.records(func(e cloudcontrol.Event) bool { return true })
	if err != nil {
		return w.cantTell(why, err)
	}
	var like []string
	for _, e := range found {
		a := w.await(e)
		if a.err != nil || a.left || a.late {
			return end{outcome: Uncertain, message: why + "; see the request " + e.Token, open: a.left}
		}
		if a.event.Status != cloudcontrol.Success {
			continue
		}
		d, err := w.get(a.event.Identifier, true)
		if err == nil && w.isWanted(d) {
			like = append(like, d.Identifier)
		}
	}
	switch {
	case len(like) == 1 && w.own(like[0]):
		return end{outcome: Done, identifier: like[0]}
	case len(like) > 0:
		return end{outcome: Uncertain, message: fmt.Sprintf("%s; it may be one of %s", why, strings.Join(like, ", "))}
	case len(found) > 0:
		return end{outcome: Uncertain, message: fmt.Sprintf("%s; AWS has %d requests of this kind since, and none can be told to be this one", why, len(found))}
	}
	return neverArrived(why)
}

// maxLooks bounds how many resources are read to find one.
const maxLooks = 200

// absent looks whether a creation that failed has left something like what was
// wanted, and says why that isn't sure, or "".
func (w *work) absent() string {
	t := w.c.Table
	if t.List == nil {
		return "whether something was made can't be told, because the type can't be listed"
	}
	found, err := w.records(func(e cloudcontrol.Event) bool { return e.Identifier != "" && !e.Status.Final() })
	if err != nil || len(found) > 0 {
		return "whether something was made can't be told"
	}
	var ids []string
	token, given := "", map[string]bool{}
	for {
		page, err := w.cloud.List(w.calls, t.Type, listModel(t, w.c.after), token)
		if err != nil {
			return "whether something was made can't be told: " + err.Error()
		}
		for _, d := range page.Documents {
			ids = append(ids, d.Identifier)
		}
		token = page.Next
		if token == "" {
			break
		}
		if given[token] || len(ids) > maxLooks {
			return fmt.Sprintf("whether something was made can't be told: there are more than %d to look at", maxLooks)
		}
		given[token] = true
	}
	for _, id := range ids {
		d, err := w.get(id, false)
		if errors.Is(err, cloudcontrol.ErrNotFound) {
			continue
		}
		if err != nil || w.isWanted(d) {
			return "it may have been made: see " + id
		}
	}
	return ""
}

// listModel gives what a list of a resource's siblings needs.
func listModel(t *catalog.Table, after map[string]any) json.RawMessage {
	in := slices.Concat(t.ListInput.Required, t.ListInput.Optional)
	for _, set := range t.ListInput.OneOf {
		in = append(in, set...)
	}
	model := map[string]any{}
	for _, p := range in {
		at := steps(p)
		if v, ok := lookup(after, at); ok && len(at) == 1 {
			model[at[0]] = v
		}
	}
	if len(model) == 0 {
		return nil
	}
	return encode(model)
}
