package change

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/skyql/skyql/internal/cloudcontrol"
)

// A run is one set on its way.
type run struct {
	a     *Applier
	set   *Set
	past  *History // of a set that is gone on with; nil: it is new
	new   context.Context
	calls context.Context
	log   *slog.Logger
	// openOnly finds out about what was asked, and sends nothing that wasn't.
	openOnly  bool
	waitedFor func(i int) bool
	results   []Result // owned by run.all
	failed    atomic.Bool

	mu      sync.Mutex // guards err and claimed
	err     error
	claimed map[string]bool // identifiers and requests known to be a change's own
}

// work is one change on its way.
type work struct {
	*run
	i        int
	c        *Change
	cloud    Cloud
	deadline time.Time

	part    int
	op      cloudcontrol.Operation
	body    []byte    // of what is sent now
	sealed  bool      // the body holds a secret
	called  time.Time // when the first call of this token was made
	last    bool      // no other part follows
	bare    bool      // an update goes without the tests of its patch
	tries   int
	request string
	secrets []string // of the resource, the longest first; nil: not looked for yet
}

// An end is how a part of a change ended.
type end struct {
	outcome    Outcome
	identifier string
	code       string
	message    string
	hooks      []string
	open       bool          // not known for good: no end is journaled
	again      time.Duration // > 0: to be tried again after a pause
}

// operations are the calls that a change takes.
func (c *Change) operations() []cloudcontrol.Operation {
	switch {
	case c.Action == Create:
		return []cloudcontrol.Operation{cloudcontrol.OpCreate}
	case c.Action == Update:
		return []cloudcontrol.Operation{cloudcontrol.OpUpdate}
	case c.Action == Delete:
		return []cloudcontrol.Operation{cloudcontrol.OpDelete}
	case c.creates:
		return []cloudcontrol.Operation{cloudcontrol.OpCreate, cloudcontrol.OpDelete}
	}
	return []cloudcontrol.Operation{cloudcontrol.OpDelete, cloudcontrol.OpCreate}
}

// operationOf is the operation that a change's errors are about.
func operationOf(c *Change) cloudcontrol.Operation { return c.operations()[0] }

// change makes one change.
func (r *run) change(i int) Result {
	c := r.set.Changes[i]
	began := time.Now()
	w := &work{run: r, i: i, c: c, deadline: began.Add(r.a.timeout(c))}
	w.tell(Progress{Step: Started})
	e := w.parts()
	res := Result{Change: c, Outcome: e.outcome, Identifier: e.identifier, Request: w.request, Code: e.code, Message: w.scrubbed(e.message),
		Tries: w.tries, Took: time.Since(began)}
	for _, h := range e.hooks {
		res.Hooks = append(res.Hooks, w.scrubbed(h))
	}
	if e.outcome == Failed || e.outcome == Uncertain {
		res.Advice = Advice(e.code, w.op)
		if w.part > 0 {
			res.Half = c.halfway(r.set.ID)
		}
	}
	if e.outcome == Done && r.a.ReadBack && c.Action != Delete {
		if d, err := w.get(e.identifier, true); err == nil {
			res.Properties = d.Properties
		}
	}
	return res
}

// halfway says how things are after the first of a replacement's two calls.
func (c *Change) halfway(set string) string {
	if c.creates {
		return "the new one is made, and the old one is still there: skyql undo " + set + " takes the new one away"
	}
	return "the old one is deleted already: skyql undo " + set + " makes it anew"
}

// parts makes the calls of a change, one after the other.
func (w *work) parts() end {
	cloud, err := w.a.Clouds(w.calls, w.c.Account, w.c.Region)
	if err != nil {
		if w.past != nil && w.past.Changes[w.i].State == Open {
			return end{outcome: Uncertain, code: codeOf(err), message: err.Error(), open: true}
		}
		return w.ended(end{outcome: Failed, code: codeOf(err), message: err.Error()})
	}
	w.cloud = cloud
	id := ""
	if w.c.Known() {
		id = w.c.Identifier
	}
	ops := w.c.operations()
	for part, op := range ops {
		w.part, w.op, w.last, w.tries = part, op, part == len(ops)-1, 0
		past := w.pastPart()
		if past.outcome == Done {
			if op == cloudcontrol.OpCreate {
				id = w.past.Changes[w.i].Identifier
			}
			continue
		}
		e := w.ended(w.one(past))
		if op == cloudcontrol.OpCreate && e.identifier != "" {
			id = e.identifier
		}
		e.identifier = id
		if op == cloudcontrol.OpCreate && e.outcome == Failed {
			e.identifier = ""
			if e.code != "AlreadyExists" {
				e.identifier = w.made()
			}
		}
		if e.outcome != Done || w.last {
			return e
		}
	}
	return end{outcome: Done, identifier: id}
}

func (w *work) pastPart() pastPart {
	if w.past == nil {
		return pastPart{}
	}
	return w.past.Changes[w.i].parts[w.part]
}

// ended journals the end of a part.
func (w *work) ended(e end) end {
	if !e.open {
		rec := record{lazy: true, Kind: "end", Change: w.c.Number, Part: w.part, Outcome: string(e.outcome), Identifier: e.identifier, Code: e.code, Message: w.scrubbed(e.message)}
		for _, h := range e.hooks {
			rec.Hooks = append(rec.Hooks, w.scrubbed(h))
		}
		w.journal(rec)
	}
	return e
}

// one makes one call, again where that is right, until its end is known.
func (w *work) one(past pastPart) end {
	w.body, w.sealed = w.c.body(w.op)
	var e end
	if n := len(past.calls); n > 0 {
		e = w.settle(past.calls[n-1])
		if w.part > 0 && e.code == NeverArrived { // half a replacement is no end
			e.again = time.Millisecond
			if w.c.lacks(w.op) {
				e = w.withheld()
			}
		}
	} else if done, ok := w.reread(); ok {
		return done
	} else {
		e = w.send(1)
	}
	for try := 2; e.again > 0; try++ {
		w.tell(Progress{Step: Retrying, Code: e.code, Wait: e.again})
		if w.c.lacks(w.op) || time.Now().Add(e.again).After(w.deadline) || !sleep(w.new, e.again) || w.calls.Err() != nil || w.failure() != nil {
			e.again = 0
			return e // as it is: it has failed, and nothing is under way
		}
		if done, ok := w.rebase(e); ok {
			return done
		}
		e = w.send(try)
	}
	return e
}

// send journals a call, makes it, and waits for its end.
func (w *work) send(try int) end {
	if w.c.lacks(w.op) {
		return w.withheld()
	}
	token := uuid.NewString()
	w.called = time.Now()
	rec := record{Kind: "call", Change: w.c.Number, Part: w.part, Op: string(w.op), Token: token, Sealed: w.sealed}
	if w.op != cloudcontrol.OpCreate {
		rec.Identifier = w.c.Identifier
	}
	if !w.sealed && w.op != cloudcontrol.OpDelete {
		text := string(w.body)
		rec.Body = &text
	}
	if err := w.journal(rec); err != nil {
		return end{outcome: Failed, code: "Journal", message: err.Error(), open: true}
	}
	w.tries++
	return w.judge(w.ask(token, false), try)
}

// lacks reports whether what an operation sends holds secrets that nobody has
// given again.
func (c *Change) lacks(op cloudcontrol.Operation) bool {
	return op != cloudcontrol.OpDelete && (len(c.missing) > 0 || c.maskedGiven())
}

// withheld is a call that isn't made for want of its secrets: what stands for
// them is no value. It is still to be made.
func (w *work) withheld() end {
	what := "it is not sent"
	if w.part > 0 {
		what = "the old one is deleted, and the new one is not made"
	}
	var params []string
	for _, x := range w.set.Missing() {
		if x.Change == w.c.Number {
			params = append(params, "-p "+x.Param+"=…")
		}
	}
	if len(params) == 0 {
		return end{outcome: Failed, code: NeverArrived, message: what + ": its patch document held a secret that can't be given again"}
	}
	return end{outcome: Uncertain, message: what + ": its secrets are kept nowhere and have to be given again, skyql recover " + strings.Join(params, " "), open: true}
}

// ask makes a call until it is answered, always with the same bytes and token,
// and waits for its end. lost says that an earlier call was not answered.
func (w *work) ask(token string, lost bool) answer {
	began := time.Now()
	for n := 1; ; n++ {
		e, err := w.call(token)
		switch {
		case err == nil:
			w.request = e.Token
			w.own(e.Token)
			w.journalEvent(e, true)
			w.tell(Progress{Step: Requested, Request: e.Token})
			a := w.await(e)
			a.lost = a.lost || lost
			return a
		case w.calls.Err() != nil:
			return answer{err: err, lost: true, left: true}
		case errors.Is(err, cloudcontrol.ErrUnreachable):
			if !lost && neverSent(err) {
				return answer{err: err}
			}
			lost = true
		case errors.Is(err, cloudcontrol.ErrThrottled) && (lost || w.new.Err() == nil):
		case lost && cloudcontrol.RetryOf(err) != cloudcontrol.Never:
		default:
			return answer{err: err, lost: lost}
		}
		if pause := backoff(n); time.Since(began)+pause > askBudget || !sleep(w.calls, pause) {
			return answer{err: err, lost: lost}
		}
	}
}

// neverSent: nobody was there to take the call.
func neverSent(err error) bool {
	var e *cloudcontrol.Error
	return errors.As(err, &e) && e.Code == "NoAnswer" && cloudcontrol.RetryOf(err) == cloudcontrol.Never
}

func (w *work) call(token string) (cloudcontrol.Event, error) {
	release, err := w.admit()
	if err != nil {
		return cloudcontrol.Event{}, err
	}
	var e cloudcontrol.Event
	switch w.op {
	case cloudcontrol.OpCreate:
		e, err = w.cloud.Create(w.calls, w.c.Table.Type, w.body, token)
	case cloudcontrol.OpUpdate:
		e, err = w.cloud.Update(w.calls, w.c.Table.Type, w.c.Identifier, w.body, token)
	default:
		e, err = w.cloud.Delete(w.calls, w.c.Table.Type, w.c.Identifier, token)
	}
	release(errors.Is(err, cloudcontrol.ErrThrottled))
	w.log.Debug("request", "op", w.op, "table", w.c.Table.Name(), "account", w.c.Account, "region", w.c.Region, "try", w.tries, "code", codeOf(err))
	return e, err
}

func (w *work) admit() (func(throttled bool), error) {
	if w.a.Admit == nil {
		return func(bool) {}, nil
	}
	return w.a.Admit(w.calls, w.c.Account, w.c.Region, w.c.Table.Service)
}

// body gives what an operation sends, and whether it holds a secret.
func (c *Change) body(op cloudcontrol.Operation) (body []byte, sealed bool) {
	switch op {
	case cloudcontrol.OpCreate:
		return encode(c.after), len(c.rules.secrets(c.after)) > 0
	case cloudcontrol.OpUpdate:
		if c.Given {
			return c.given, c.secretGiven() || c.maskedGiven()
		}
		return mustPatch(c.Patch), len(c.secretsSent()) > 0
	}
	return nil, false
}

func mustPatch(ops []Operation) []byte {
	plain := make([]any, len(ops))
	for i, op := range ops {
		v, err := parse(mustJSON(op))
		if err != nil {
			panic("change: " + err.Error())
		}
		plain[i] = v
	}
	return encode(plain)
}

// journalEvent journals how far a request has come. The first event has to
// last: it names the request.
func (w *work) journalEvent(e cloudcontrol.Event, first bool) {
	w.journal(record{lazy: !first, Kind: "event", Change: w.c.Number, Part: w.part, Request: e.Token, Status: string(e.Status), Identifier: e.Identifier, Code: e.Code, Message: w.scrubbed(e.Message)})
}

// made is the identifier that AWS has named for what is being created.
func (w *work) made() string {
	h, err := w.a.Journal.Find(w.set.ID)
	if err != nil {
		return ""
	}
	calls := h.Changes[w.i].parts[w.part].calls
	if len(calls) == 0 {
		return ""
	}
	return calls[len(calls)-1].created
}

func (w *work) tell(p Progress) {
	if w.a.Progress != nil {
		p.Change, p.Total = w.c, len(w.set.Changes)
		w.a.Progress(p)
	}
}

// noWait: nobody and nothing waits for the end of this call.
func (w *work) noWait() bool { return w.a.NoWait && w.last && !w.waitedFor(w.i) }

// own remembers that a request or an identifier belongs to a change of the set.
func (r *run) own(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.claimed[name] {
		return false
	}
	r.claimed[name] = true
	return true
}

// scrubbed takes the resource's secrets, old and new, out of a message: handlers
// like to repeat what they refuse.
func (w *work) scrubbed(text string) string {
	if text == "" {
		return ""
	}
	if w.secrets == nil {
		w.secrets = []string{}
		for _, model := range []map[string]any{w.c.before, w.c.after} {
			for _, at := range w.c.rules.secrets(model) {
				v, _ := lookup(model, at)
				each(v, at, func(_ []string, v any) {
					if s, ok := v.(string); ok && len(s) >= 3 && s != Sensitive {
						w.secrets = append(w.secrets, s)
					}
				})
			}
		}
		slices.SortFunc(w.secrets, func(a, b string) int { return len(b) - len(a) })
	}
	for _, s := range w.secrets {
		text = strings.ReplaceAll(text, s, Sensitive)
	}
	return text
}

// codeOf gives an error's code in the handlers' spelling: NotFound rather than
// ResourceNotFoundException.
func codeOf(err error) string {
	var e *cloudcontrol.Error
	if !errors.As(err, &e) {
		return ""
	}
	return handlerCode(e.Code)
}

var handlerNames = map[string]string{"ResourceNotFound": "NotFound", "HandlerInternalFailure": "InternalFailure", "GeneralService": "GeneralServiceException"}

func handlerCode(code string) string {
	code = strings.TrimSuffix(code, "Exception")
	if n, ok := handlerNames[code]; ok {
		return n
	}
	return code
}

// get reads a resource, again where the read failed for the moment. With fresh
// it may have been made just now, and is asked for again if it isn't there yet.
func (w *work) get(id string, fresh bool) (cloudcontrol.Document, error) {
	for n := 1; ; n++ {
		release, err := w.admit()
		if err != nil {
			return cloudcontrol.Document{}, err
		}
		d, err := w.cloud.Get(w.calls, w.c.Table.Type, id)
		release(errors.Is(err, cloudcontrol.ErrThrottled))
		again := cloudcontrol.RetryOf(err) != cloudcontrol.Never && n < 8 || fresh && errors.Is(err, cloudcontrol.ErrNotFound) && n < freshTries
		if err == nil || !again || !sleep(w.calls, min(backoff(n), longestFresh)) {
			return d, err
		}
	}
}

// Reads of what was just made: tries, and the longest pause between them.
const (
	freshTries   = 5
	longestFresh = 5 * time.Second
)

// unexplained words an error without a message.
func unexplained(code, message string) string {
	if strings.TrimSpace(message) == "" {
		return noReason + code
	}
	return message
}

const noReason = "AWS gave no reason but "
