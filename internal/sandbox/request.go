package sandbox

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/catalog"
)

// How long things are remembered.
const (
	tokenLife  = 36 * time.Hour
	recordLife = 7 * 24 * time.Hour
	// maxRequests are remembered at least, however many there were.
	maxRequests = 5000
)

// A request is one write that was accepted. What becomes of it follows from
// what it holds, what exists when it is due, and the clock: there is nothing
// to run in between. Times are nanoseconds since 1970.
type request struct {
	Token       string `json:"token"`
	ClientToken string `json:"client_token,omitempty"`
	Digest      string `json:"digest,omitempty"` // of the parameters
	Operation   string `json:"operation"`        // CREATE, UPDATE, DELETE
	Type        string `json:"type"`
	Account     string `json:"account"`
	Region      string `json:"region"` // of the endpoint
	Kept        string `json:"kept"`   // the region that the resource is kept in
	Identifier  string `json:"identifier"`
	Seed        string `json:"seed,omitempty"` // what generated values came of
	Mint        int    `json:"mint,omitempty"`

	Started int64 `json:"started"`
	Begins  int64 `json:"begins"` // when the handler starts
	Due     int64 `json:"due"`
	Work    Work  `json:"work"`
	Stuck   bool  `json:"stuck,omitempty"`

	// Model is the whole resource as it will be, write-only values included.
	Model map[string]any `json:"model,omitempty"`
	// Chosen says that the identifier follows from what the caller sent.
	Chosen     bool   `json:"chosen,omitempty"`
	Fail       string `json:"fail,omitempty"` // a handler error code
	Message    string `json:"message,omitempty"`
	Half       bool   `json:"half,omitempty"` // it leaves something behind all the same
	Orphans    bool   `json:"orphans,omitempty"`
	References bool   `json:"references,omitempty"`
	Hook       string `json:"hook,omitempty"` // the message of a hook that refuses

	Cancel *cancellation `json:"cancel,omitempty"`

	// What became of it, once it has acted.
	Settled bool   `json:"settled,omitempty"`
	Code    string `json:"code,omitempty"` // of a failure
	Text    string `json:"text,omitempty"`
	Told    string `json:"told,omitempty"` // the model in the last event

	at     int       // its number
	made   *resource // where Told comes from, until it is kept
	table  *catalog.Table
	polled int
}

type cancellation struct {
	At     int64 `json:"at"`
	Due    int64 `json:"due"`
	Leaves bool  `json:"leaves,omitempty"`
	Loses  bool  `json:"loses,omitempty"`
}

// ends is when a request reaches its end, never for one that is stuck.
func (q *request) ends() int64 {
	switch {
	case q.Cancel != nil && !q.Cancel.Loses:
		return q.Cancel.Due
	case q.Stuck:
		return math.MaxInt64
	}
	return q.Due
}

// acts is when a request changes the world, never for one that was stopped.
func (q *request) acts() int64 {
	c := q.Cancel
	switch {
	case q.Work.Early && (c == nil || c.Loses || c.At >= q.Begins):
		return q.Begins
	case c != nil && !c.Loses && c.Leaves && c.At >= q.Begins:
		return c.At
	case c != nil && !c.Loses || q.Stuck:
		return math.MaxInt64
	}
	return q.Due
}

// status is a request's state at a time.
func (q *request) status(now int64) string {
	switch c := q.Cancel; {
	case c != nil && !c.Loses && now >= c.Due:
		return "CANCEL_COMPLETE"
	case c != nil && now >= c.At && (now < q.ends() || q.Stuck):
		return "CANCEL_IN_PROGRESS"
	case now < q.Begins:
		return "PENDING"
	case now < q.Due || q.Stuck:
		return "IN_PROGRESS"
	case q.Code != "":
		return "FAILED"
	}
	return "SUCCESS"
}

// final reports whether a state is an end.
func final(status string) bool {
	return status == "SUCCESS" || status == "FAILED" || status == "CANCEL_COMPLETE"
}

// An event is a ProgressEvent.
type event struct {
	TypeName          string
	Identifier        string `json:",omitempty"`
	RequestToken      string
	HooksRequestToken string `json:",omitempty"`
	Operation         string
	OperationStatus   string
	EventTime         json.Number
	ResourceModel     string      `json:",omitempty"`
	StatusMessage     string      `json:",omitempty"`
	ErrorCode         string      `json:",omitempty"`
	RetryAfter        json.Number `json:",omitempty"`
}

// event is what is said of a request at a time. While the end may not be told
// yet the request seems to go on.
func (q *request) event(now int64, tellEnd bool) event {
	status, at := q.status(now), q.Started
	if final(status) && !tellEnd {
		status = "IN_PROGRESS"
	}
	switch {
	case final(status):
		at = q.ends()
	case status == "CANCEL_IN_PROGRESS":
		at = q.Cancel.At
	case status == "IN_PROGRESS":
		at = q.Begins
	}
	e := event{TypeName: q.Type, RequestToken: q.Token, Operation: q.Operation, OperationStatus: status, EventTime: epoch(at)}
	made := status == "SUCCESS" || q.Half || q.Operation != "CREATE" || q.Cancel != nil && (q.Cancel.Leaves || q.Work.Early)
	if final(status) && (made || q.Chosen) || !final(status) && !q.Work.LateIdentifier {
		e.Identifier = q.Identifier
	}
	switch {
	case status == "FAILED":
		e.ErrorCode, e.StatusMessage = q.Code, cut(q.Text)
	case status == "SUCCESS":
		e.ResourceModel = q.lastModel()
	case !final(status):
		e.RetryAfter = q.retryAfter(now)
	}
	if q.Hook != "" {
		e.HooksRequestToken = q.hookToken()
	}
	return e
}

// lastModel is the model that the last event has.
func (q *request) lastModel() string {
	if q.made != nil {
		return string(q.made.full(q.table))
	}
	return q.Told
}

func (q *request) hookToken() string { return uuidOf(dice("hook", q.Token)) }

func (q *request) retryAfter(now int64) json.Number {
	switch d := q.Work.RetryAfter; {
	case d > 0:
		return epoch(now + int64(d))
	case d < 0 || q.Stuck && q.Cancel == nil:
		return ""
	}
	// Rounded up, so that who asks then gets the end.
	return epoch(max(now, q.ends()) + int64(time.Millisecond) - 1)
}

// epoch is a time as the wire has it: seconds with a fraction.
func epoch(ns int64) json.Number {
	return json.Number(strconv.FormatFloat(float64(ns/int64(time.Millisecond))/1000, 'f', -1, 64))
}

// maxMessage is how long messages may be; longer ones are cut without a mark.
const maxMessage = 1024

func cut(s string) string {
	r := []rune(s)
	return string(r[:min(len(r), maxMessage)])
}

// A ledger is the requests.
type ledger struct {
	byToken map[string]*request
	byUse   map[string]*request // by account, region and client token
	order   []*request          // as they were accepted
	last    int                 // the number of the last one
	busy    map[string]*request // by type, place and identifier
	open    []*request          // those that are to act or to end
	next    int64               // when the first of them does
	minted  map[string]int      // how often a seed was used
}

func newLedger() ledger {
	return ledger{byToken: map[string]*request{}, byUse: map[string]*request{}, busy: map[string]*request{}, next: math.MaxInt64, minted: map[string]int{}}
}

func use(account, region, clientToken string) string {
	return account + " " + region + " " + clientToken
}

func (q *request) resourceKey() string {
	return q.Type + " " + place(q.Account, q.Kept) + " " + q.Identifier
}

// add enters a request.
func (l *ledger) add(q *request) {
	l.byToken[q.Token] = q
	if q.ClientToken != "" {
		l.byUse[use(q.Account, q.Region, q.ClientToken)] = q
	}
	l.last++
	q.at = l.last
	l.order = append(l.order, q)
	if l.last%1024 == 0 {
		l.forget(q.Started)
	}
	if q.Identifier != "" && l.busy[q.resourceKey()] == nil {
		l.busy[q.resourceKey()] = q
	}
	if q.Seed != "" {
		l.minted[q.Seed] = max(l.minted[q.Seed], q.Mint+1)
	}
	l.open = append(l.open, q)
	l.next = min(l.next, q.acts(), q.ends())
}

// settle brings the world up to a time: every request that is due by then has
// acted, in the order in which they were due.
func (s *store) settle(now int64) {
	l := &s.ledger
	if now < l.next {
		return
	}
	var due []*request
	for _, q := range l.open {
		if !q.Settled && q.acts() <= now {
			due = append(due, q)
		}
	}
	sort.SliceStable(due, func(i, j int) bool { return due[i].acts() < due[j].acts() })
	for _, q := range due {
		s.act(q)
		q.Settled = true
	}
	l.next = math.MaxInt64
	l.open = slices.DeleteFunc(l.open, func(q *request) bool {
		ended := q.ends() <= now // it has acted by then, or never will
		if q.ends() <= now && l.busy[q.resourceKey()] == q {
			delete(l.busy, q.resourceKey())
		}
		if !ended {
			if !q.Settled {
				l.next = min(l.next, q.acts())
			}
			l.next = min(l.next, q.ends())
		}
		return ended
	})
}

// act is what a handler does.
func (s *store) act(q *request) {
	t, err := s.catalog.Table(q.Type)
	if err != nil { // of a catalog that is gone
		q.Code, q.Text = "InternalFailure", err.Error()
		return
	}
	sh := s.shelfLocked(t)
	at := place(q.Account, q.Kept)
	i, found := sh.at(at, q.Identifier)
	var old *resource
	if found {
		old = sh.byPlace[at][i]
	}
	q.Code, q.Text = q.Fail, q.Message
	if q.Code == "" || q.Half { // what is half made was possible
		if code, text := s.refusal(t, q, old); code != "" {
			q.Code, q.Text, q.Half = code, text, false
		}
	}
	if q.Code != "" && !q.Half {
		q.Model = nil
		return
	}
	s.dirty(q.Type, q.Account, q.Kept, q.Identifier)
	switch q.Operation {
	case "DELETE":
		sh.drop(at, q.Identifier)
	default:
		r := &resource{account: q.Account, region: q.Kept, properties: q.Model}
		r.identify(t)
		if q.Operation == "CREATE" {
			r.seen = &sightings{since: q.acts()}
		} else if old != nil {
			r.seen = old.seen
		}
		sh.put(r)
		q.made, q.table = r, t
	}
	q.Model = nil // it is the resource's now
}

// refusal is the error that a handler has of its own, if any.
func (s *store) refusal(t *catalog.Table, q *request, old *resource) (code, message string) {
	switch q.Operation {
	case "CREATE":
		if old != nil || s.taken(t, q) {
			return "AlreadyExists", fmt.Sprintf("Resource of type '%s' with identifier '%s' already exists.", t.Type, q.Identifier)
		}
		if missing := s.missingReference(t, q); q.References && missing != "" {
			return "InvalidRequest", missing
		}
		for p, only := range t.ListInput.HomeOnly {
			for _, v := range valuesAt(q.Model, p) {
				if home := catalog.HomeRegion(q.Region); slices.Contains(only, v) && q.Region != home {
					return "InvalidRequest", fmt.Sprintf("The %s %s is only valid in %s.", p[1:], v, home)
				}
			}
		}
		return "", ""
	case "DELETE":
		if old != nil && !q.Orphans {
			if child := s.childOf(t, old); child != "" {
				return "InvalidRequest", fmt.Sprintf("Resource of type '%s' with identifier '%s' has dependent resources: %s", t.Type, q.Identifier, child)
			}
		}
	}
	if old == nil {
		return "NotFound", notFound(t, partsOf(t, q.Identifier))
	}
	return "", ""
}

func partsOf(t *catalog.Table, id string) map[string]string {
	parts, f := parseIdentifier(t, id)
	if f != nil {
		return map[string]string{strings.Join(t.Identifier, "|"): id}
	}
	return parts
}

// notFound is what handlers say of a resource that isn't there.
func notFound(t *catalog.Table, parts map[string]string) string {
	ptrs := map[string]string{}
	for k, v := range parts {
		ptrs["/properties"+k] = v
	}
	return fmt.Sprintf("Resource of type '%s' with identifier '%s' was not found.", t.Type, encode(ptrs))
}

// taken reports whether a name is in use elsewhere: an alternative key that
// the caller chose, or the same name in another region of a type whose lists
// span regions.
func (s *store) taken(t *catalog.Table, q *request) bool {
	sh := s.shelfLocked(t)
	if t.SpansRegions {
		for _, region := range s.world.Regions {
			if _, found := sh.at(place(q.Account, region), q.Identifier); found {
				return true
			}
		}
	}
	for _, set := range t.Additional {
		want := map[string]string{}
		for _, p := range set {
			if v := valuesAt(q.Model, p); len(v) == 1 && !slices.Contains(t.ReadOnly, p) {
				want[p] = v[0]
			}
		}
		if len(want) != len(set) {
			continue
		}
		for _, r := range sh.byPlace[place(q.Account, q.Kept)] {
			same := true
			for p, v := range want {
				same = same && strings.Join(valuesAt(r.properties, p), "") == v
			}
			if same {
				return true
			}
		}
	}
	return false
}

// forget drops the requests that are too old to be asked for, and when there
// are many those that are done.
func (l *ledger) forget(now int64) {
	many := 0
	if len(l.order) > 2*maxRequests {
		many = l.order[len(l.order)-maxRequests].at
	}
	old := func(q *request) bool {
		return now-q.Started >= int64(recordLife) || q.at < many && q.Settled && q.ends() <= now
	}
	if len(l.order) == 0 || many == 0 && !old(l.order[0]) {
		return
	}
	l.order = slices.DeleteFunc(l.order, func(q *request) bool {
		if !old(q) {
			return false
		}
		delete(l.byToken, q.Token)
		if u := use(q.Account, q.Region, q.ClientToken); l.byUse[u] == q {
			delete(l.byUse, u)
		}
		if l.busy[q.resourceKey()] == q {
			delete(l.busy, q.resourceKey())
		}
		return true
	})
	l.open = slices.DeleteFunc(l.open, old)
}
