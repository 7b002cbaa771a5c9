package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/skyql/skyql/internal/catalog"
)

// create answers CreateResource.
func (s *Sandbox) create(c caller, in input, fx *effects) (any, *fault) {
	t, f := s.writable(c, in, "CREATE")
	if f != nil {
		return nil, f
	}
	if in.DesiredState == "" {
		return nil, missingMember("desiredState")
	}
	v, err := readValue([]byte(in.DesiredState))
	desired, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, bad("ValidationException", "DesiredState is not a JSON object"+because(err))
	}
	q := s.request(t, c, in, "CREATE", fx)
	if e, f := s.replay(q); e != nil || f != nil {
		return e, f
	}
	if problems := createProblems(t, desired); len(problems) > 0 {
		if f := s.late(q, s.o.Contract.SchemaFaultsLate, "InvalidRequest", invalid(problems)); f != nil {
			return nil, f
		}
		q.Model = desired
		return s.submit(q, fx)
	}
	if key := systemKey(t, desired, nil); key != "" && q.Fail == "" {
		q.Fail, q.Message = "InvalidRequest", systemTagRefused(key)
	}
	q.References = s.o.Contract.ReferencesRequired
	return s.submitNew(t, q, desired, fx)
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + strings.TrimPrefix(err.Error(), "json: ")
}

func missingMember(name string) *fault {
	return bad("ValidationException", fmt.Sprintf("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", name))
}

// late makes a fault one of the request, to be told by an event, if it is to
// be late; else it gives it.
func (s *Sandbox) late(q *request, late bool, code, message string) *fault {
	if late {
		q.Fail, q.Message, q.Half = code, message, false
		return nil
	}
	return bad(map[string]string{"InvalidRequest": "ValidationException", "NotFound": "ResourceNotFoundException", "NotUpdatable": "NotUpdatableException", "AlreadyExists": "AlreadyExistsException"}[code], message)
}

// writable finds the type of a write and checks the members that all have.
func (s *Sandbox) writable(c caller, in input, action string) (*catalog.Table, *fault) {
	t, f := s.typeOf(c, in.TypeName)
	if f != nil {
		return nil, f
	}
	for _, x := range []struct {
		member, value string
		form          func() *regexp.Regexp
	}{{"clientToken", in.ClientToken, tokenForm}, {"roleArn", in.RoleArn, roleForm}, {"typeVersionId", in.TypeVersionId, versionForm}} {
		if x.value != "" {
			if f := constraint(x.member, x.value, x.form); f != nil {
				return nil, f
			}
		}
	}
	for member, value := range map[string]string{"desiredState": in.DesiredState, "patchDocument": in.PatchDocument} {
		if len(value) > maxDocument {
			return nil, bad("ValidationException", fmt.Sprintf("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", member, maxDocument))
		}
	}
	if map[string]*catalog.Handler{"CREATE": t.Create, "UPDATE": t.Update, "DELETE": t.Delete}[action] == nil {
		return nil, unsupported(t, action)
	}
	return t, nil
}

// request begins one.
func (s *Sandbox) request(t *catalog.Table, c caller, in input, operation string, fx *effects) *request {
	now := s.clock().UnixNano()
	sum := sha256.Sum256(encode([]string{operation, in.TypeName, in.Identifier, in.DesiredState, in.PatchDocument, in.RoleArn, in.TypeVersionId}))
	q := &request{Token: uuid.NewString(), ClientToken: in.ClientToken, Digest: hex.EncodeToString(sum[:12]), Operation: operation, Type: t.Type,
		Account: c.account, Region: c.region, Kept: regionOf(t, c), Started: now, Work: fx.Work, Stuck: fx.stuck, Fail: fx.fail, Message: fx.failMessage, Half: fx.half, Hook: fx.hook,
		Orphans: s.o.Contract.OrphansAllowed}
	q.Begins = now + int64(fx.Pending)
	q.Due = q.Begins + int64(fx.Delay)
	return q
}

// replay answers a request whose client token was used before, if it was.
func (s *Sandbox) replay(q *request) (any, *fault) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.settle(q.Started)
	return s.replayLocked(q)
}

func (s *Sandbox) replayLocked(q *request) (any, *fault) {
	first := s.store.ledger.byUse[use(q.Account, q.Region, q.ClientToken)]
	if q.ClientToken == "" || first == nil || q.Started-first.Started >= int64(tokenLife) {
		return nil, nil
	}
	if first.Digest != q.Digest && !s.o.Contract.TokenConflictsPass {
		return nil, bad("ClientTokenConflictException", fmt.Sprintf("Client token %s was already used by another request", q.ClientToken))
	}
	if s.o.Contract.ReplayCurrent {
		return progress(first.event(q.Started, first.polled >= first.Work.Polls || first.Work.AtOnce)), nil
	}
	return progress(first.event(first.Started, first.Work.AtOnce)), nil
}

func progress(e event) any { return map[string]any{"ProgressEvent": e} }

// createProblems are what is wrong with a desired state.
func createProblems(t *catalog.Table, desired map[string]any) []string {
	root := rootOf(t)
	problems := root.check(desired)
	var given []string
	for _, p := range t.ReadOnly {
		if present(desired, strings.Split(p[1:], "/")) && !needed(root, strings.Split(p[1:], "/")) {
			given = append(given, "/properties"+p)
		}
	}
	if len(given) > 0 {
		problems = append(problems, fmt.Sprintf("#: readOnlyProperties [%s] cannot be specified", strings.Join(given, ", ")))
	}
	return problems
}

// invalid words problems as the service does.
func invalid(problems []string) string {
	return "Model validation failed (" + strings.Join(problems, "\n") + ")"
}

// present reports whether there is something at a pointer's steps.
func present(v any, path []string) bool { return len(allAt(v, path)) > 0 }

// allAt gives the values at a pointer's steps; '*' stands for every element of
// an array or value of a map, and may be left out for arrays.
func allAt(v any, path []string) []any {
	if len(path) == 0 {
		return []any{v}
	}
	var out []any
	switch v := v.(type) {
	case map[string]any:
		if path[0] == "*" {
			for _, k := range sortedKeys(v) {
				out = append(out, allAt(v[k], path[1:])...)
			}
		} else if x, ok := v[path[0]]; ok {
			return allAt(x, path[1:])
		}
	case []any:
		if path[0] == "*" {
			path = path[1:]
		}
		for _, e := range v {
			out = append(out, allAt(e, path)...)
		}
	}
	return out
}

// submitNew makes the resource that a create asks for, and enters the request.
// Where the identifier is the service's to choose, another is made until one
// is free.
func (s *Sandbox) submitNew(t *catalog.Table, q *request, desired map[string]any, fx *effects) (any, *fault) {
	q.Seed = seedOf(q, desired)
	s.store.mu.RLock()
	q.Mint = s.store.ledger.minted[q.Seed]
	s.store.mu.RUnlock()
	make := func(n int) (map[string]any, string) {
		m := assign(t, rootOf(t), desired, q.Account, q.Kept, s.clock(), q.Seed, n, !s.o.Contract.NoDefaults)
		r := resource{properties: m}
		r.identify(t)
		return m, r.id
	}
	given := resource{properties: desired}
	given.identify(t)
	q.Model, q.Identifier = make(q.Mint)
	q.Chosen = given.id == q.Identifier
	if !q.Chosen && templated(t) { // it may be made of what the caller gave
		_, other := make(q.Mint + 1)
		q.Chosen = other == q.Identifier
	}
	for try := 0; !q.Chosen && try < 100; try++ {
		if !s.store.known(t, q) {
			return s.submit(q, fx)
		}
		before := q.Identifier
		q.Mint++
		q.Model, q.Identifier = make(q.Mint)
		q.Chosen = before == q.Identifier
	}
	return s.submit(q, fx)
}

// templated reports whether shapes are known for a part of the identifier.
func templated(t *catalog.Table) bool {
	return slices.ContainsFunc(shapes().Types[t.Type], func(x shape) bool { return slices.Contains(t.Identifier, x.pointer) })
}

func seedOf(q *request, desired map[string]any) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{q.Type, q.Account, q.Kept, canonical(desired)}, "\x00")))
	return hex.EncodeToString(sum[:9])
}

// known reports whether a request's identifier is in use, or will be.
func (s *store) known(t *catalog.Table, q *request) bool {
	sh := s.shelf(t)
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, found := sh.at(place(q.Account, q.Kept), q.Identifier)
	return found || s.ledger.busy[q.resourceKey()] != nil
}

// submit enters a request, unless the same or another one is under way.
func (s *Sandbox) submit(q *request, fx *effects) (any, *fault) {
	var out any
	f := s.store.write(s.clock, func(now int64) *fault {
		waited := now - q.Started // for the lock
		q.Started, q.Begins, q.Due = now, q.Begins+waited, q.Due+waited
		e, f := s.replayLocked(q)
		if e != nil || f != nil {
			out = e
			return f
		}
		takesPart := q.Operation != "CREATE" || q.Identifier != "" && !s.o.Contract.CreatesOverlap
		if other := s.store.ledger.busy[q.resourceKey()]; takesPart && other != nil {
			return bad("ConcurrentOperationException", fmt.Sprintf("Another operation on resource of type '%s' with identifier '%s' is in progress, request token %s", q.Type, q.Identifier, other.Token))
		}
		if q.Operation == "CREATE" && s.o.Contract.ExistsAtOnce && q.Fail == "" {
			if t, err := s.catalog.Table(q.Type); err == nil {
				if _, found := s.store.shelfLocked(t).at(place(q.Account, q.Kept), q.Identifier); found {
					return handler(t, "AlreadyExistsException", "AlreadyExists", fmt.Sprintf("Resource of type '%s' with identifier '%s' already exists.", t.Type, q.Identifier))
				}
			}
		}
		if f := s.store.enter(record{Request: q}); f != nil {
			return f
		}
		s.store.settle(now)
		out = progress(q.event(now, q.Work.AtOnce))
		return nil
	})
	return out, f
}

// update answers UpdateResource: read, patch, check, and hand the whole model
// to the handler.
func (s *Sandbox) update(c caller, in input, fx *effects) (any, *fault) {
	t, f := s.writable(c, in, "UPDATE")
	if f != nil {
		return nil, f
	}
	want, f := identifierOf(t, in.Identifier)
	if f != nil {
		return nil, f
	}
	if in.PatchDocument == "" {
		return nil, missingMember("patchDocument")
	}
	ops, err := readPatch(in.PatchDocument)
	if err != nil {
		return nil, bad("ValidationException", "Invalid patch document: "+err.Error())
	}
	q := s.request(t, c, in, "UPDATE", fx)
	if e, f := s.replay(q); e != nil || f != nil {
		return e, f
	}
	res, f := s.visible(t, c, want, fx)
	if f != nil {
		return nil, f
	}
	if res == nil {
		q.Identifier = joined(t, want)
		if !s.o.Contract.MissingUpdateLate {
			return nil, handler(t, "ResourceNotFoundException", "NotFound", notFound(t, want))
		}
		q.Fail, q.Message = "NotFound", notFound(t, want)
		return s.submit(q, fx)
	}
	q.Identifier = res.id
	code, message := s.patched(t, q, res, ops, fx)
	if code != "" {
		if f := s.late(q, s.o.Contract.PatchFaultsLate || code == "InvalidRequest" && s.o.Contract.SchemaFaultsLate, code, message); f != nil {
			return nil, f
		}
		q.Model = res.properties
	}
	return s.submit(q, fx)
}

// joined is the text form of a primary identifier, "" for another key.
func joined(t *catalog.Table, parts map[string]string) string {
	var out []string
	for _, p := range t.Identifier {
		v, ok := parts[p]
		if !ok {
			return ""
		}
		out = append(out, v)
	}
	return strings.Join(out, "|")
}

// patched makes the model that a patch of a resource leads to, or says why it
// is refused, as a handler error code and a message.
func (s *Sandbox) patched(t *catalog.Table, q *request, res *resource, ops []patchOp, fx *effects) (code, message string) {
	root := rootOf(t)
	before, _ := normal(json.RawMessage(res.read(t, fx.Reads))).(map[string]any)
	doc, err := applyPatch(before, ops)
	var pe *patchError
	if errors.As(err, &pe) {
		return "InvalidRequest", err.Error()
	}
	after, ok := doc.(map[string]any)
	if !ok {
		return "InvalidRequest", "Invalid patch update: the patched model is not a JSON object"
	}
	if ps := changedPointers(t.ReadOnly, before, after); len(ps) > 0 {
		return "InvalidRequest", fmt.Sprintf("Invalid patch update: readOnlyProperties [%s] cannot be updated", strings.Join(ps, ", "))
	}
	if ps := changedPointers(t.CreateOnly, before, after); len(ps) > 0 {
		return "NotUpdatable", fmt.Sprintf("Invalid patch update: createOnlyProperties [%s] cannot be updated", strings.Join(ps, ", "))
	}
	if problems := root.check(after); len(problems) > 0 {
		return "InvalidRequest", invalid(problems)
	}
	if key := systemKey(t, after, before); key != "" && q.Fail == "" {
		q.Fail, q.Message = "InvalidRequest", systemTagRefused(key)
	}
	if ps := changedPointers(t.ConditionalCreateOnly, before, after); len(ps) > 0 && s.o.Contract.ConditionalRefused && q.Fail == "" {
		q.Fail, q.Message = "NotUpdatable", fmt.Sprintf("conditionalCreateOnlyProperties [%s] cannot be updated in place", strings.Join(ps, ", "))
	}
	after = cloneObject(after)
	if !s.o.Contract.WriteOnlyReset {
		keepWriteOnly(t, after, normal(res.properties).(map[string]any))
	}
	q.Model = touch(t, root, after, s.clock())
	return "", ""
}

// systemKey is a tag that only AWS may set and that wasn't there before.
func systemKey(t *catalog.Table, model, before map[string]any) string {
	old := tagKeys(t, before)
	for _, k := range tagKeys(t, model) {
		if strings.HasPrefix(k, "aws:") && !slices.Contains(old, k) {
			return k
		}
	}
	return ""
}

func systemTagRefused(key string) string {
	return fmt.Sprintf("Tag key %s: keys with the prefix aws: are reserved for system use", key)
}

// changedPointers are those pointers of a list where two models differ. Below
// arrays and maps the order doesn't count, nor do elements that are gone.
func changedPointers(list []string, before, after map[string]any) []string {
	var out []string
	for _, p := range list {
		path := strings.Split(p[1:], "/")
		a, b := allAt(before, path), allAt(after, path)
		changed := !slices.EqualFunc(a, b, sameValue)
		if changed && slices.Contains(path, "*") {
			changed = slices.ContainsFunc(b, func(v any) bool { return !slices.ContainsFunc(a, func(w any) bool { return sameValue(v, w) }) })
		}
		if changed {
			out = append(out, "/properties"+p)
		}
	}
	return out
}

// keepWriteOnly puts write-only values back that a patch didn't give.
func keepWriteOnly(t *catalog.Table, after, kept map[string]any) {
	for _, p := range t.WriteOnly {
		if slices.Contains(t.ReadOnly, p) {
			continue
		}
		keep(after, kept, strings.Split(p[1:], "/"))
	}
}

func keep(to, from any, path []string) {
	switch from := from.(type) {
	case map[string]any:
		to, ok := to.(map[string]any)
		if !ok {
			return
		}
		if path[0] == "*" {
			for k, v := range from {
				if len(path) > 1 {
					keep(to[k], v, path[1:])
				}
			}
			return
		}
		v, ok := from[path[0]]
		if !ok {
			return
		}
		if len(path) > 1 {
			keep(to[path[0]], v, path[1:])
		} else if _, there := to[path[0]]; !there {
			to[path[0]] = v
		}
	case []any: // element by element, while there are as many
		to, ok := to.([]any)
		if path[0] == "*" {
			path = path[1:]
		}
		if !ok || len(to) != len(from) || len(path) == 0 {
			return
		}
		for i := range from {
			keep(to[i], from[i], path)
		}
	}
}

// delete answers DeleteResource.
func (s *Sandbox) delete(c caller, in input, fx *effects) (any, *fault) {
	t, f := s.writable(c, in, "DELETE")
	if f != nil {
		return nil, f
	}
	want, f := identifierOf(t, in.Identifier)
	if f != nil {
		return nil, f
	}
	q := s.request(t, c, in, "DELETE", fx)
	if e, f := s.replay(q); e != nil || f != nil {
		return e, f
	}
	res, elsewhere := s.store.find(t, c, want)
	switch {
	case elsewhere:
		return nil, otherRegion(t)
	case res != nil:
		q.Identifier = res.id
	default:
		if q.Identifier = joined(t, want); q.Identifier == "" { // an alternative key
			q.Fail, q.Message = "NotFound", notFound(t, want)
		}
		if s.o.Contract.MissingDeleteSync && !s.store.known(t, q) {
			return nil, handler(t, "ResourceNotFoundException", "NotFound", notFound(t, want))
		}
	}
	return s.submit(q, fx)
}
