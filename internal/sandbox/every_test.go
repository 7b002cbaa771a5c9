package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/skyql/skyql/internal/catalog"
)

// A direct calls a sandbox's handler without a network.
type direct struct {
	s      *Sandbox
	region string
}

// An answer is one of any operation, or an error.
type answer struct {
	status                         int
	Type                           string `json:"__type"`
	Message                        string
	ProgressEvent                  event
	HooksProgressEvent             []map[string]any
	ResourceDescription            struct{ Identifier, Properties string }
	ResourceDescriptions           []struct{ Identifier, Properties string }
	ResourceRequestStatusSummaries []event
	NextToken                      string
}

func (a answer) code() string { return a.Type[strings.LastIndexByte(a.Type, '#')+1:] }

func (d direct) call(op string, in map[string]any) answer {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(encode(in))))
	r.Header.Set("X-Amz-Target", "CloudApiService."+op)
	sign(r, "cloudcontrolapi", d.region)
	w := httptest.NewRecorder()
	d.s.ServeHTTP(w, r)
	a := answer{status: w.Code}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		a.Message = err.Error() + ": " + w.Body.String()
	}
	return a
}

// end polls a request that was just sent until its end.
func (d direct) end(a answer) answer {
	for range 20 {
		if a.status != http.StatusOK || final(a.ProgressEvent.OperationStatus) {
			return a
		}
		a = d.call("GetResourceRequestStatus", map[string]any{"RequestToken": a.ProgressEvent.RequestToken})
	}
	return a
}

func (a answer) String() string {
	if a.status != http.StatusOK {
		return fmt.Sprintf("%d %s: %s", a.status, a.code(), a.Message)
	}
	e := a.ProgressEvent
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.OperationStatus, e.Identifier, e.ErrorCode, e.StatusMessage))
}

// lacks gives what of a model is not in another; numbers compare by value.
func lacks(part, whole any, at string) []string {
	switch p := part.(type) {
	case map[string]any:
		w, ok := whole.(map[string]any)
		if !ok {
			return []string{at}
		}
		var out []string
		for _, k := range sortedKeys(p) {
			out = append(out, lacks(p[k], w[k], at+"/"+k)...)
		}
		return out
	case []any:
		w, ok := whole.([]any)
		if !ok || len(w) != len(p) {
			return []string{at}
		}
		var out []string
		for i := range p {
			out = append(out, lacks(p[i], w[i], at+"/"+fmt.Sprint(i))...)
		}
		return out
	}
	if !sameValue(part, whole) {
		return []string{fmt.Sprintf("%s: %v is not %v", at, part, whole)}
	}
	return nil
}

const everyRegion = "us-east-1"

// Every type's life, twice: a minimal and a full model are created, read back
// equal (less what is write-only), every property that can be is updated, and
// the resource is deleted.
func TestEveryType(t *testing.T) {
	t.Parallel()
	const parts = 8
	var n tally
	t.Cleanup(func() {
		// What the schemas' alternatives and write-only values leave out is little.
		if u, f := n.updates.Load(), n.refused.Load(); u < 5000 || f > u/20 {
			t.Errorf("%d updates, %d left out", u, f)
		}
		if m, s := n.made.Load(), n.settable.Load(); m < s*95/100 {
			t.Errorf("full models have %d of %d properties", m, s)
		}
	})
	entries := catalog.Embedded().Entries("")
	for part := range parts {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			d := direct{New(Options{World: &World{Accounts: demoAccounts, Regions: demoRegions}}), everyRegion}
			for i, e := range entries {
				if i%parts == part && e.Creatable {
					life{t, d, e.Type, nil, nil, &n}.run()
				}
			}
		})
	}
}

type life struct {
	t     *testing.T
	d     direct
	typ   string
	table *catalog.Table
	root  *rule
	n     *tally
}

// A tally counts what the lives were made of.
type tally struct{ updates, refused, made, settable atomic.Int64 }

func (l life) errorf(format string, args ...any) {
	l.t.Helper()
	l.t.Errorf("%s: %s", l.typ, fmt.Sprintf(format, args...))
}

func (l life) run() {
	table, err := catalog.Embedded().Table(l.typ)
	if err != nil {
		l.t.Fatal(err)
	}
	l.table, l.root = table, rootOf(table)
	for _, full := range []bool{false, true} {
		model, ok := Model(table, demoAccounts[0].ID, everyRegion, full, 1)
		if !ok {
			l.errorf("no model (full: %v)", full)
			continue
		}
		if problems := l.root.check(model); len(problems) > 0 {
			l.errorf("full: %v: the model is invalid: %q", full, problems)
		}
		if full {
			l.n.made.Add(int64(len(model)))
			for _, p := range table.Root.Properties {
				if !slices.Contains(table.ReadOnly, "/"+p.Name) {
					l.n.settable.Add(1)
				}
			}
		}
		l.live(model, full)
	}
}

func (l life) live(model map[string]any, full bool) {
	made := l.d.end(l.d.call("CreateResource", map[string]any{"TypeName": l.typ, "DesiredState": string(encode(model))}))
	if made.ProgressEvent.OperationStatus != "SUCCESS" {
		l.errorf("create: %s\n%s", made, encode(model))
		return
	}
	id := made.ProgressEvent.Identifier
	if strings.Trim(id, "|") == "" || slices.Contains(strings.Split(id, "|"), "") {
		l.errorf("identifier %q", id)
	}
	l.reads(id, model)
	if l.table.Update != nil && full {
		l.updates(id, model)
	}
	if again := l.d.end(l.d.call("DeleteResource", map[string]any{"TypeName": l.typ, "Identifier": id})); again.ProgressEvent.OperationStatus != "SUCCESS" {
		l.errorf("delete: %s", again)
	}
	if gone := l.d.call("GetResource", map[string]any{"TypeName": l.typ, "Identifier": id}); gone.code() != "ResourceNotFoundException" {
		l.errorf("read after delete: %s", gone)
	}
}

// reads compares what a read gives with a model.
func (l life) reads(id string, model map[string]any) map[string]any {
	a := l.d.call("GetResource", map[string]any{"TypeName": l.typ, "Identifier": id})
	if a.status != http.StatusOK || a.ResourceDescription.Identifier != id {
		l.errorf("read: %s", a)
		return nil
	}
	got := decodeValue([]byte(a.ResourceDescription.Properties)).(map[string]any)
	if missing := lacks(readable(l.table, model), got, ""); len(missing) > 0 {
		l.errorf("read gives something else at %q\n%s\n%s", missing, encode(model), encode(got))
	}
	for _, p := range l.table.WriteOnly {
		if !slices.Contains(l.table.ReadOnly, p) && present(got, strings.Split(p[1:], "/")) {
			l.errorf("read gives %s, which is write-only", p)
		}
	}
	for _, p := range l.table.ReadOnly {
		if top := p[1:]; !strings.Contains(top, "/") && l.root.props[top] != nil && got[top] == nil {
			l.errorf("read lacks %s", p)
		}
	}
	if problems := checkBut(l.root, got, l.table); len(problems) > 0 {
		l.errorf("what is read is invalid: %q\n%s", problems, encode(got))
	}
	return got
}

// checkBut checks a model that was read, in which write-only values that are
// required are missing.
func checkBut(root *rule, got map[string]any, t *catalog.Table) []string {
	if len(t.WriteOnly) > 0 {
		return nil
	}
	return root.check(got)
}

// updates changes every property that can be, one at a time, to the value that
// another model has.
func (l life) updates(id string, model map[string]any) {
	other, ok := Model(l.table, demoAccounts[0].ID, everyRegion, true, 2)
	if !ok {
		l.errorf("no second model")
		return
	}
	for _, name := range sortedKeys(other) {
		at := "/" + name
		if l.fixed(at) || l.root.props[name] == nil {
			continue
		}
		changed := maps.Clone(model)
		changed[name] = other[name]
		if !l.root.admits(readable(l.table, changed)) && !l.root.admits(changed) {
			l.n.refused.Add(1)
			continue // it can't stand beside the others
		}
		ops := []any{map[string]any{"op": "add", "path": at, "value": other[name]}}
		for _, w := range l.table.WriteOnly { // the handler gets only what the patch says
			if top := w[1:]; !strings.Contains(top, "/") && !l.fixed(w) && model[top] != nil && top != name {
				ops = append(ops, map[string]any{"op": "add", "path": w, "value": model[top]})
			}
		}
		a := l.d.end(l.d.call("UpdateResource", map[string]any{"TypeName": l.typ, "Identifier": id, "PatchDocument": string(encode(ops))}))
		if a.ProgressEvent.OperationStatus != "SUCCESS" {
			if l.updatable(changed) {
				l.errorf("update %s: %s", at, a)
			}
			l.n.refused.Add(1)
			continue
		}
		l.n.updates.Add(1)
		model = changed
		l.reads(id, model)
	}
}

// fixed reports whether something at or below a pointer can't be changed.
func (l life) fixed(at string) bool {
	for _, list := range [][]string{l.table.ReadOnly, l.table.CreateOnly} {
		for _, p := range list {
			if p == at || strings.HasPrefix(p, at+"/") {
				return true
			}
		}
	}
	return false
}

// updatable reports whether a model is valid as an update's handler gets it:
// without the write-only values that a patch can't or didn't give.
func (l life) updatable(model map[string]any) bool {
	sent := model
	for _, w := range l.table.WriteOnly {
		if strings.Contains(w[1:], "/") || l.fixed(w) {
			sent, _ = without(sent, strings.Split(w[1:], "/")).(map[string]any)
		}
	}
	return l.root.admits(sent)
}
