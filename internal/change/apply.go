package change

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/sqlerr"
)

// A Reader reads resources. *cloudcontrol.Client is one.
type Reader interface {
	Get(ctx context.Context, typ, id string) (cloudcontrol.Document, error)
	List(ctx context.Context, typ string, model json.RawMessage, token string) (cloudcontrol.Page, error)
}

// A Writer changes resources and follows what becomes of it.
// *cloudcontrol.Client is one.
type Writer interface {
	Create(ctx context.Context, typ string, desired []byte, token string) (cloudcontrol.Event, error)
	Update(ctx context.Context, typ, id string, patch []byte, token string) (cloudcontrol.Event, error)
	Delete(ctx context.Context, typ, id, token string) (cloudcontrol.Event, error)
	RequestStatus(ctx context.Context, request string) (cloudcontrol.Event, error)
}

// A Cloud is what change asks of Cloud Control in one account and region.
type Cloud interface {
	Reader
	Writer
	Requests(ctx context.Context, operations []cloudcontrol.Operation, states []cloudcontrol.Status) iter.Seq2[cloudcontrol.Event, error]
}

// Clouds gives the Cloud of an account and region.
type Clouds func(ctx context.Context, account, region string) (Cloud, error)

// An Applier makes change sets come true. Its fields but the first two may be
// left out.
type Applier struct {
	Clouds  Clouds
	Journal *Journal

	// Parallel is how many changes are under way at once; 0: 16.
	Parallel int
	// Asked says that a person was asked first, so that time has passed:
	// resources are read again right before what could overwrite or end them.
	Asked bool
	// NoWait doesn't wait for the end of requests that nothing else waits for.
	NoWait bool
	// Timeout bounds each change; 0: as long as its handler may take.
	Timeout time.Duration
	// StopOnError makes no new calls after the first failure
	// (on_change_error = 'stop'); otherwise only what waits for it is skipped.
	StopOnError bool
	// ReadBack reads what was made or changed, for RETURNING.
	ReadBack bool
	// Leave, once closed, ends the wait for what is in flight too: a second
	// Ctrl-C. Cancelling the context (the first) only ends new calls.
	Leave <-chan struct{}
	// Admit waits for a turn to call a service, and is told whether it
	// throttled; nil: no limit but Parallel.
	Admit func(ctx context.Context, account, region, service string) (release func(throttled bool), err error)
	// Progress is told of each step, by several goroutines at once.
	Progress func(Progress)
	Logger   *slog.Logger // nil: discards
}

// Progress is one step of a change. Result is nil until it has ended.
type Progress struct {
	Change  *Change
	Step    Step
	Request string        // with Requested
	Code    string        // with Retrying: why
	Wait    time.Duration // with Retrying: until when
	Result  *Result       // with Ended
	Ended   int           // changes that have ended
	Total   int
}

// A Step is what happened to a change.
type Step string

// Steps in their order.
const (
	Started   Step = "started"
	Requested Step = "requested" // AWS has taken the request
	Retrying  Step = "retrying"
	Ended     Step = "ended"
)

// An Outcome is how a change ended.
type Outcome string

// Outcomes. Asked is for NoWait alone: AWS works on it.
const (
	Done      Outcome = "done"
	Failed    Outcome = "failed"
	Uncertain Outcome = "unknown"
	Skipped   Outcome = "skipped"
	Asked     Outcome = "asked"
)

// A Result is what became of a change.
type Result struct {
	Change  *Change
	Outcome Outcome
	// Identifier is the resource's, as AWS named it. After a failed creation it
	// is that of what may have been left half made.
	Identifier string
	Request    string // the last request token; "" for none
	Code       string // the handler's or the service's code; "" for none
	Message    string // as AWS said it, or why skyql gave up
	Hooks      []string
	Half       string // of a replacement of which only the first call was made: how things are
	Advice     string // plain words on what to do; "" for none
	Tries      int    // calls made with a token of their own
	Took       time.Duration
	// Properties are the resource's now, with ReadBack; nil if unread.
	Properties json.RawMessage
}

// HalfMade reports whether a failed creation may have left a resource.
func (r Result) HalfMade() bool {
	return r.Outcome == Failed && r.Identifier != "" && r.Code != "AlreadyExists" && (r.Change.Action == Create || r.Change.Action == Replace)
}

// A Report says what became of a whole set, in its order.
type Report struct {
	Set         *Set
	Results     []Result
	Interrupted bool // the context ended first
	// Unsent are changes of a recovered set that were never asked for: Resume
	// goes on with them.
	Unsent int
}

// Count gives the number of changes with an outcome.
func (r *Report) Count(o Outcome) int {
	n := 0
	for _, x := range r.Results {
		if x.Outcome == o {
			n++
		}
	}
	return n
}

// Complete reports whether all is done.
func (r *Report) Complete() bool { return r.Count(Done) == len(r.Results) }

// Apply journals a set and makes its changes. Every change ends in the report;
// the error is for what kept the set from being begun, or the journal from
// being written.
func (a *Applier) Apply(ctx context.Context, s *Set) (*Report, error) {
	if err := s.complete(nil); err != nil {
		return nil, err
	}
	if len(s.Changes) == 0 {
		return &Report{Set: s}, nil
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if err := a.Journal.begun(s); err != nil {
		return nil, err
	}
	if err := a.Journal.overtaken(s); err != nil {
		return nil, err
	}
	if err := a.Journal.begin(s); err != nil {
		return nil, err
	}
	return a.run(ctx, s, nil, false)
}

// Resume goes on with a set of the journal: it finds out what became of what
// was asked, and makes the changes that were never sent. What has failed stays
// so. at is the place that is called now.
func (a *Applier) Resume(ctx context.Context, h *History, s *Set, at Place) (*Report, error) {
	if err := resumable(h, at); err != nil {
		return nil, err
	}
	if err := s.complete(h); err != nil {
		return nil, err
	}
	return a.run(ctx, s, h, false)
}

func resumable(h *History, at Place) error {
	switch why := h.Place.Differs(at); {
	case h.Dropped:
		return refuse("change set %s was dropped", h.ID)
	case why != "":
		return sqlerr.New(sqlerr.InvalidParameter, "change set %s can't be gone on with here: %s", h.ID, why)
	}
	return nil
}

// run makes changes in their order, several at once. With openOnly only what
// was begun.
func (a *Applier) run(ctx context.Context, s *Set, h *History, openOnly bool) (*Report, error) {
	calls, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	if a.Leave != nil {
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			select {
			case <-a.Leave:
				leave()
			case <-stop:
			}
		}()
	}
	r := &run{a: a, set: s, past: h, new: ctx, calls: calls, log: a.Logger, openOnly: openOnly, results: make([]Result, len(s.Changes)), claimed: map[string]bool{}}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.all()
	report := &Report{Set: s, Results: r.results, Interrupted: ctx.Err() != nil}
	if openOnly {
		report.Unsent = h.Count(NotSent)
	}
	err := r.failure()
	if err == nil && r.settled() {
		err = a.Journal.append(record{Kind: "close", Set: s.ID, Time: time.Now()})
	}
	return report, err
}

// ended is a change that came to its end.
type ended struct {
	i      int
	result Result
}

// all runs a change as soon as those before it are done.
func (r *run) all() {
	limit := r.a.Parallel
	if limit <= 0 {
		limit = 16
	}
	n := len(r.set.Changes)
	waiting, waiters := make([]int, n), make([][]int, n)
	var ready []int
	for i, needs := range r.set.needs {
		waiting[i] = len(needs)
		for _, j := range needs {
			waiters[j] = append(waiters[j], i)
		}
		if len(needs) == 0 {
			ready = append(ready, i)
		}
	}
	r.waitedFor = func(i int) bool { return len(waiters[i]) > 0 }
	out := make(chan ended)
	running, left := 0, n
	finish := func(i int, res Result) {
		r.finish(i, res, n-left+1, n)
		left--
		for _, w := range waiters[i] {
			if waiting[w]--; waiting[w] == 0 {
				ready = append(ready, w)
			}
		}
		slices.Sort(ready)
	}
	for left > 0 {
		if len(ready) > 0 && running < limit {
			i := ready[0]
			ready = ready[1:]
			if res, ok := r.foregone(i); ok {
				finish(i, res)
				continue
			}
			running++
			go func() { out <- ended{i, r.change(i)} }()
			continue
		}
		e := <-out
		running--
		finish(e.i, e.result)
	}
}

// foregone gives the result of a change that is not made (now).
func (r *run) foregone(i int) (Result, bool) {
	c := r.set.Changes[i]
	res := Result{Change: c, Outcome: Skipped}
	if r.past != nil {
		switch p := r.past.Changes[i]; p.State {
		case StateDone, StateFailed, StateUnknown, StateSkipped:
			res = Result{Change: c, Outcome: Outcome(p.State), Identifier: p.Identifier, Request: p.Request, Code: p.Code, Message: p.Message, Advice: Advice(p.Code, operationOf(c))}
			if p.half() {
				res.Half = c.halfway(r.set.ID)
			}
			return res, true
		case Open:
			return Result{}, false // what was asked has to be found out
		}
		if r.openOnly {
			res.Message = neverSentText
			return res, true
		}
	}
	for _, j := range r.set.needs[i] {
		if r.results[j].Outcome != Done {
			res.Message = fmt.Sprintf("waits for %s, which is %s", r.set.Changes[j], r.results[j].Outcome)
			return res, true
		}
	}
	switch {
	case r.new.Err() != nil:
		res.Message = "interrupted before it was sent"
	case r.failure() != nil:
		res.Message = "the journal can't be written"
	case r.a.StopOnError && r.failed.Load():
		res.Message = "not sent, because another change failed"
	default:
		return Result{}, false
	}
	return res, true
}

const neverSentText = "was never sent"

// finish keeps a result and tells of it.
func (r *run) finish(i int, res Result, n, total int) {
	c := r.set.Changes[i]
	r.results[i] = res
	if res.Outcome == Failed || res.Outcome == Uncertain {
		r.failed.Store(true)
	}
	if res.Outcome == Skipped && r.new.Err() == nil && r.failure() == nil && !r.openOnly && r.state(i) == NotSent {
		// Never to be sent by itself: what it waited for has failed.
		r.journal(record{lazy: true, Kind: "end", Change: c.Number, Outcome: string(Skipped), Message: res.Message})
	}
	r.log.Debug("change ended", "set", r.set.ID, "change", c.Number, "table", c.Table.Name(), "account", c.Account, "region", c.Region,
		"outcome", res.Outcome, "code", res.Code, "tries", res.Tries, "took", res.Took)
	if r.a.Progress != nil {
		r.a.Progress(Progress{Change: c, Step: Ended, Result: &res, Ended: n, Total: total})
	}
}

func (r *run) state(i int) State {
	if r.past == nil {
		return NotSent
	}
	return r.past.Changes[i].State
}

// settled reports whether nothing is left to be found out or gone on with.
func (r *run) settled() bool {
	for _, res := range r.results {
		if res.Outcome == Asked || res.Outcome == Skipped && (r.new.Err() != nil || r.openOnly) {
			return false
		}
	}
	h, err := r.a.Journal.Find(r.set.ID)
	return err == nil && h.Count(Open) == 0 && h.Count(NotSent) == 0
}

// journal writes a record of the set. The first failure ends all new calls.
func (r *run) journal(rec record) error {
	rec.Set, rec.Time = r.set.ID, time.Now()
	err := r.a.Journal.append(rec)
	if err != nil {
		r.mu.Lock()
		r.err = errors.Join(r.err, err)
		r.mu.Unlock()
	}
	return err
}

func (r *run) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}
