package change

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
)

// A fake is a Cloud Control service by its documented contract: client tokens,
// one operation per resource, requests that take time, write-only values that
// never come back, identifiers by the schema.
type fake struct {
	t      testing.TB
	world  map[string]map[string]any // type and identifier → model
	tokens map[string]*fakeRequest   // by client token
	all    []*fakeRequest
	busy   map[string]*fakeRequest
	made   int // for names

	// Time is how long handlers take.
	time    time.Duration
	latency time.Duration // of every call
	// early: a new resource's identifier is told with the first event.
	early bool
	// sync: handlers' refusals come instead of a request.
	sync bool
	// replay gives the first event for a token that comes again.
	replay bool
	// fail makes a call's handler fail, or nil.
	fail func(r *fakeRequest) *cloudcontrol.Event
	// before and after may break a call: an error before is one that never
	// arrives, one after is an answer that is lost.
	before, after func(op string) error
	// odd writes what an update reads another way than Get does.
	odd func(model map[string]any)
	// hidden are how many reads of a new resource give NotFound.
	hidden int
	reads  map[string]int

	mu    sync.Mutex
	calls map[string]int
}

type fakeRequest struct {
	op             cloudcontrol.Operation
	typ, id        string
	client, params string
	token          string
	first, event   cloudcontrol.Event
	model          map[string]any
	ends           time.Time
	at             time.Time
	handled        bool
}

func newFake(t testing.TB) *fake {
	return &fake{t: t, world: map[string]map[string]any{}, tokens: map[string]*fakeRequest{}, busy: map[string]*fakeRequest{}, calls: map[string]int{}, reads: map[string]int{}, time: time.Second}
}

func (f *fake) clouds(context.Context, string, string) (Cloud, error) { return f, nil }

// put puts a resource into the world.
func (f *fake) put(typ, id, model string) {
	f.t.Helper()
	m, err := parseModel(json.RawMessage(model))
	if err != nil {
		f.t.Fatal(err)
	}
	f.world[typ+" "+id] = m
}

func apiError(code, message string) error { return cloudcontrol.NewError("call", code, message) }

func lost() error { return cloudcontrol.NewError("call", "ConnectionLost", "the answer broke off") }

func (f *fake) enter(op string) (func(*error), error) {
	time.Sleep(f.latency) // fake time
	f.mu.Lock()
	f.calls[op]++
	if f.before != nil {
		if err := f.before(op); err != nil {
			f.mu.Unlock()
			return nil, err
		}
	}
	f.settle()
	return func(err *error) {
		if f.after != nil {
			if e := f.after(op); e != nil {
				*err = e
			}
		}
		f.mu.Unlock()
	}, nil
}

// settle ends the requests whose time has come.
func (f *fake) settle() {
	for _, r := range f.all {
		if !r.handled && !time.Now().Before(r.ends) {
			r.handled = true
			f.handle(r)
			delete(f.busy, r.typ+" "+r.id)
		}
	}
}

func (f *fake) handle(r *fakeRequest) {
	r.event.Time = r.ends
	if f.fail != nil {
		if e := f.fail(r); e != nil {
			r.event.Status, r.event.Code, r.event.Message, r.event.Hooks = cloudcontrol.Failed, e.Code, e.Message, e.Hooks
			if e.Identifier != "" {
				r.event.Identifier = e.Identifier
			}
			return
		}
	}
	r.event.Status = cloudcontrol.Success
	key := r.typ + " " + r.id
	_, there := f.world[key]
	failed := func(code, message string) {
		r.event.Status, r.event.Code, r.event.Message = cloudcontrol.Failed, code, message
	}
	switch {
	case r.op == cloudcontrol.OpCreate && there:
		failed("AlreadyExists", fmt.Sprintf("Resource of type '%s' with identifier '%s' already exists.", r.typ, r.id))
	case r.op != cloudcontrol.OpCreate && !there:
		failed("NotFound", "not found")
	case r.op == cloudcontrol.OpDelete:
		delete(f.world, key)
	default:
		f.world[key] = r.model
		r.event.Identifier = r.id
	}
}

// request answers a writing call.
func (f *fake) request(op cloudcontrol.Operation, typ, id, params, client string, model func() (map[string]any, error)) (cloudcontrol.Event, error) {
	if r := f.tokens[client]; r != nil {
		if r.params != params || r.op != op || r.typ != typ {
			return cloudcontrol.Event{}, apiError("ClientTokenConflictException", "")
		}
		if f.replay {
			return r.first, nil
		}
		return r.event, nil
	}
	m, err := model()
	if err != nil {
		return cloudcontrol.Event{}, err
	}
	if op != cloudcontrol.OpCreate && f.busy[typ+" "+id] != nil {
		return cloudcontrol.Event{}, apiError("ConcurrentOperationException", "another request")
	}
	r := &fakeRequest{op: op, typ: typ, id: id, client: client, params: params, model: m, at: time.Now(), ends: time.Now().Add(f.time), token: fmt.Sprintf("request-%d", len(f.all)+1)}
	if op == cloudcontrol.OpCreate {
		f.name(r)
	}
	r.event = cloudcontrol.Event{Token: r.token, Type: typ, Operation: op, Status: cloudcontrol.InProgress, Identifier: r.id, Time: r.at}
	if op == cloudcontrol.OpCreate && !f.early {
		r.event.Identifier = ""
	}
	f.tokens[client] = r
	if f.time == 0 {
		r.handled = true
		f.handle(r)
		if f.sync && r.event.Status == cloudcontrol.Failed {
			delete(f.tokens, client)
			return cloudcontrol.Event{}, apiError(map[string]string{"NotFound": "ResourceNotFoundException", "InternalFailure": "HandlerInternalFailureException"}[r.event.Code], r.event.Message)
		}
	} else {
		f.busy[typ+" "+r.id] = r
	}
	f.all = append(f.all, r)
	r.first = r.event
	return r.event, nil
}

// name gives a created resource its identifier and the values that AWS sets.
func (f *fake) name(r *fakeRequest) {
	t, err := catalog.Embedded().Table(r.typ)
	if err != nil {
		f.t.Fatal(err)
	}
	rules := rulesOf(t)
	if id, ok := rules.compose(r.model); ok {
		r.id = id
		return
	}
	f.made++
	for _, p := range rules.identifier {
		if _, ok := lookup(r.model, p); !ok {
			r.model[p[0]] = fmt.Sprintf("assigned-%d", f.made)
		}
	}
	var parts []string
	for _, p := range rules.identifier {
		v, _ := lookup(r.model, p)
		parts = append(parts, fmt.Sprint(v))
	}
	r.id = t.JoinIdentifier(parts)
}

// stored is what a read gives back of a model.
func (f *fake) stored(typ string, m map[string]any) map[string]any {
	t, err := catalog.Embedded().Table(typ)
	if err != nil {
		f.t.Fatal(err)
	}
	rules := rulesOf(t)
	out := cloneModel(m)
	var strip func(v any, at []string)
	strip = func(v any, at []string) {
		if o, ok := v.(map[string]any); ok {
			for k, x := range o {
				if rules.writeOnly.covers(extend(at, k)) {
					delete(o, k)
					continue
				}
				strip(x, extend(at, k))
			}
		}
	}
	strip(out, nil)
	return out
}

func (f *fake) Create(_ context.Context, typ string, desired []byte, token string) (e cloudcontrol.Event, err error) {
	leave, err := f.enter("Create")
	if err != nil {
		return e, err
	}
	defer leave(&err)
	return f.request(cloudcontrol.OpCreate, typ, "", string(desired), token, func() (map[string]any, error) { return parseModel(desired) })
}

func (f *fake) Update(_ context.Context, typ, id string, patch []byte, token string) (e cloudcontrol.Event, err error) {
	leave, err := f.enter("Update")
	if err != nil {
		return e, err
	}
	defer leave(&err)
	return f.request(cloudcontrol.OpUpdate, typ, id, id+string(patch), token, func() (map[string]any, error) {
		ops, err := ParsePatch(patch)
		if err != nil {
			return nil, apiError("ValidationException", err.Error())
		}
		m, ok := f.world[typ+" "+id]
		if !ok {
			return nil, apiError("ResourceNotFoundException", "not found")
		}
		read := f.stored(typ, m)
		if f.odd != nil {
			f.odd(read)
		}
		v, err := Apply(read, ops)
		if err != nil {
			return nil, apiError("ValidationException", err.Error())
		}
		return v.(map[string]any), nil
	})
}

func (f *fake) Delete(_ context.Context, typ, id, token string) (e cloudcontrol.Event, err error) {
	leave, err := f.enter("Delete")
	if err != nil {
		return e, err
	}
	defer leave(&err)
	return f.request(cloudcontrol.OpDelete, typ, id, id, token, func() (map[string]any, error) { return nil, nil })
}

func (f *fake) RequestStatus(_ context.Context, request string) (e cloudcontrol.Event, err error) {
	leave, err := f.enter("RequestStatus")
	if err != nil {
		return e, err
	}
	defer leave(&err)
	i := slices.IndexFunc(f.all, func(r *fakeRequest) bool { return r.token == request })
	if i < 0 || time.Since(f.all[i].at) > recordLife {
		return e, apiError("RequestTokenNotFoundException", "")
	}
	return f.all[i].event, nil
}

func (f *fake) Requests(_ context.Context, ops []cloudcontrol.Operation, _ []cloudcontrol.Status) iter.Seq2[cloudcontrol.Event, error] {
	var out []cloudcontrol.Event
	leave, err := f.enter("Requests")
	if err == nil {
		for _, r := range f.all {
			if slices.Contains(ops, r.op) && time.Since(r.at) <= recordLife {
				out = append(out, r.event)
			}
		}
		leave(&err)
	}
	return func(yield func(cloudcontrol.Event, error) bool) {
		if err != nil {
			yield(cloudcontrol.Event{}, err)
			return
		}
		for _, e := range out {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (f *fake) Get(_ context.Context, typ, id string) (d cloudcontrol.Document, err error) {
	leave, err := f.enter("Get")
	if err != nil {
		return d, err
	}
	defer leave(&err)
	m, ok := f.world[typ+" "+id]
	f.reads[typ+" "+id]++
	if !ok || f.reads[typ+" "+id] <= f.hidden {
		return d, apiError("ResourceNotFoundException", "not found")
	}
	return cloudcontrol.Document{Identifier: id, Properties: encode(f.stored(typ, m))}, nil
}

func (f *fake) List(_ context.Context, typ string, _ json.RawMessage, _ string) (p cloudcontrol.Page, err error) {
	leave, err := f.enter("List")
	if err != nil {
		return p, err
	}
	defer leave(&err)
	for _, k := range sortedKeys(anyMap(f.world)) {
		if id, ok := cutPrefix(k, typ+" "); ok {
			p.Documents = append(p.Documents, cloudcontrol.Document{Identifier: id, Properties: json.RawMessage(`{}`)})
		}
	}
	return p, nil
}

func cutPrefix(s, p string) (string, bool) {
	if len(s) >= len(p) && s[:len(p)] == p {
		return s[len(p):], true
	}
	return "", false
}

func anyMap(m map[string]map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}
