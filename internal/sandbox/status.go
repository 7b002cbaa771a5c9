package sandbox

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// status answers GetResourceRequestStatus.
func (s *Sandbox) status(c caller, in input) (any, *fault) {
	if f := constraint("requestToken", in.RequestToken, tokenForm); f != nil {
		return nil, f
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	now := s.clock().UnixNano()
	s.store.settle(now) // what is told to have ended has acted
	q, f := s.requestOf(c, in.RequestToken, now)
	if f != nil {
		return nil, f
	}
	q.polled++
	out := map[string]any{"ProgressEvent": q.event(now, q.tellable())}
	if q.Hook != "" {
		out["HooksProgressEvent"] = []any{q.hookEvent(now)}
	}
	return out, nil
}

// about gives a call the type and identifier of the request that it asks for.
func (s *store) about(c Call, token string) Call {
	if token != "" {
		s.mu.RLock()
		defer s.mu.RUnlock()
		if q := s.ledger.byToken[token]; q != nil {
			c.Type, c.Identifier = q.Type, q.Identifier
		}
	}
	return c
}

// tellable reports whether enough polls went by.
func (q *request) tellable() bool { return q.Work.AtOnce || q.polled > q.Work.Polls }

func (q *request) hookEvent(now int64) any {
	h := map[string]any{"HookTypeName": "Sandbox::Guard::Hook", "HookTypeVersionId": "00000001", "InvocationPoint": "PRE_PROVISION", "FailureMode": "FAIL",
		"HookTypeArn": "arn:aws:cloudformation:" + q.Region + ":" + q.Account + ":type/hook/Sandbox-Guard-Hook", "HookStatus": "HOOK_IN_PROGRESS", "HookEventTime": epoch(q.Started)}
	if final(q.status(now)) {
		h["HookStatus"], h["HookStatusMessage"], h["HookEventTime"] = "HOOK_COMPLETE_FAILED", q.Hook, epoch(q.ends())
	}
	return h
}

func (s *Sandbox) requestOf(c caller, token string, now int64) (*request, *fault) {
	q := s.store.ledger.byToken[token]
	if q == nil || q.Account != c.account || q.Region != c.region || now-q.Started >= int64(recordLife) {
		return nil, bad("RequestTokenNotFoundException", fmt.Sprintf("Request token %s not found", token))
	}
	return q, nil
}

// cancel answers CancelResourceRequest. One that has ended stays as it is.
func (s *Sandbox) cancel(c caller, in input) (any, *fault) {
	if f := constraint("requestToken", in.RequestToken, tokenForm); f != nil {
		return nil, f
	}
	var out any
	f := s.store.write(s.clock, func(now int64) *fault {
		q, f := s.requestOf(c, in.RequestToken, now)
		if f != nil {
			return f
		}
		if q.Cancel == nil && !final(q.status(now)) {
			how := &cancellation{At: now, Due: now + int64(s.o.Contract.CancelDelay), Leaves: s.o.Contract.CancelLeaves, Loses: s.o.Contract.CancelLoses}
			if f := s.store.enter(record{Time: now, Cancel: how, Token: q.Token}); f != nil {
				return f
			}
			e := q.event(now, false)
			if e.OperationStatus != "CANCEL_IN_PROGRESS" { // it was cancelled at once: the end is for the next who asks
				e.OperationStatus, e.EventTime = "CANCEL_IN_PROGRESS", epoch(now)
			}
			out = progress(e)
			s.store.settle(now)
			return nil
		}
		out = progress(q.event(now, q.tellable() || q.polled >= q.Work.Polls))
		return nil
	})
	return out, f
}

var (
	operations = []string{"CREATE", "DELETE", "UPDATE"}
	statuses   = []string{"PENDING", "IN_PROGRESS", "SUCCESS", "FAILED", "CANCEL_IN_PROGRESS", "CANCEL_COMPLETE"}
)

// listRequests answers ListResourceRequests, newest first.
func (s *Sandbox) listRequests(c caller, in input) (any, *fault) {
	size := 20
	if in.MaxResults != nil {
		if size = *in.MaxResults; size < 1 || size > 100 {
			return nil, outOfRange("maxResults", size)
		}
	}
	var wantOps, wantStatuses []string
	if w := in.ResourceRequestStatusFilter; w != nil {
		wantOps, wantStatuses = w.Operations, w.OperationStatuses
	}
	for _, x := range []struct {
		member       string
		given, known []string
	}{{"operations", wantOps, operations}, {"operationStatuses", wantStatuses, statuses}} {
		for _, v := range x.given {
			if !slices.Contains(x.known, v) {
				return nil, bad("ValidationException", fmt.Sprintf("1 validation error detected: Value '[%s]' at 'resourceRequestStatusFilter.%s' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [%s]]",
					v, x.member, strings.Join(x.known, ", ")))
			}
		}
	}
	at := cursor{Type: "requests", Model: string(encode([][]string{wantOps, wantStatuses})), Account: c.account, Region: c.region, Offset: math.MaxInt}
	if in.NextToken != "" {
		got, ok := readCursor(in.NextToken)
		at.Offset, got.Offset = got.Offset, at.Offset
		if !ok || got != at && got != (cursor{at.Type, at.Model, at.Account, at.Region, math.MaxInt, false}) || at.Offset < 0 {
			return nil, bad("ValidationException", "NextToken is not valid for this request")
		}
	}
	return s.requestPage(c, at, size, wantOps, wantStatuses), nil
}

// requestPage goes through the requests from a number down.
func (s *Sandbox) requestPage(c caller, at cursor, size int, wantOps, wantStatuses []string) any {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	now := s.clock().UnixNano()
	s.store.settle(now)
	page := []event{}
	out := map[string]any{}
	for _, q := range slices.Backward(s.store.ledger.order) {
		if q.at >= at.Offset || q.Account != c.account || q.Region != c.region || now-q.Started >= int64(recordLife) || len(wantOps) > 0 && !slices.Contains(wantOps, q.Operation) {
			continue
		}
		e := q.event(now, q.Work.AtOnce || q.polled >= q.Work.Polls)
		if len(wantStatuses) > 0 && !slices.Contains(wantStatuses, e.OperationStatus) {
			continue
		}
		if len(page) == size {
			at.Offset = q.at + 1
			out["NextToken"] = at.token()
			break
		}
		page = append(page, e)
	}
	out["ResourceRequestStatusSummaries"] = page
	return out
}
