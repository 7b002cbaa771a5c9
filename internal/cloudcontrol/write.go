package cloudcontrol

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cc "github.com/aws/aws-sdk-go-v2/service/cloudcontrol"
	cctypes "github.com/aws/aws-sdk-go-v2/service/cloudcontrol/types"
)

// An Operation is what a request asked for.
type Operation string

// The three operations that make request records.
const (
	OpCreate Operation = "CREATE"
	OpUpdate Operation = "UPDATE"
	OpDelete Operation = "DELETE"
)

// Operations are all of them.
var Operations = []Operation{OpCreate, OpUpdate, OpDelete}

// A Status is how far a request has come.
type Status string

// The states of a request. Success, Failed and CancelComplete are final.
const (
	Pending          Status = "PENDING"
	InProgress       Status = "IN_PROGRESS"
	Success          Status = "SUCCESS"
	Failed           Status = "FAILED"
	CancelInProgress Status = "CANCEL_IN_PROGRESS"
	CancelComplete   Status = "CANCEL_COMPLETE"
)

// Statuses are all of them.
var Statuses = []Status{Pending, InProgress, Success, Failed, CancelInProgress, CancelComplete}

// Final reports whether a request in this state will never change again.
func (s Status) Final() bool { return s == Success || s == Failed || s == CancelComplete }

// An Event says how far a request has come.
type Event struct {
	Token      string // the request's, not the caller's
	Type       string
	Operation  Operation
	Status     Status
	Identifier string          // "" until it is known
	Model      json.RawMessage // often partial; nil for none
	Message    string
	Code       string    // the handler's error code; only with Failed
	RetryAfter time.Time // when to ask next; zero: not said
	Time       time.Time // zero: not said
	// HooksRequest is set where Hooks ran. What they said comes with
	// RequestStatus alone.
	HooksRequest string
	Hooks        []Hook
}

// A Hook is what a CloudFormation Hook said of a request.
type Hook struct {
	Type, Point, Status, Message, FailureMode string
	Time                                      time.Time
}

// Failed reports whether the Hook found fault. With FailureMode WARN the
// request went on all the same.
func (h Hook) Failed() bool { return h.Status == "HOOK_COMPLETE_FAILED" || h.Status == "HOOK_FAILED" }

// Create asks for a resource. desired is sent byte for byte. token is the
// caller's: within 36 hours the same token with the same bytes asks only once.
func (c *Client) Create(ctx context.Context, typ string, desired []byte, token string) (Event, error) {
	call := Error{Op: "CreateResource", Type: typ, Account: c.account, Region: c.region, profile: c.profile}
	out, err := written(c, call, token, func() (*cc.CreateResourceOutput, error) {
		return c.api.CreateResource(ctx, &cc.CreateResourceInput{TypeName: &typ, DesiredState: aws.String(string(desired)), ClientToken: &token})
	})
	if err != nil {
		return Event{}, err
	}
	return event(out.ProgressEvent, call)
}

// Update asks for a change of a resource. patch, an RFC 6902 document of its
// properties, is sent byte for byte; for token see Create.
func (c *Client) Update(ctx context.Context, typ, id string, patch []byte, token string) (Event, error) {
	call := Error{Op: "UpdateResource", Type: typ, Identifier: id, Account: c.account, Region: c.region, profile: c.profile}
	out, err := written(c, call, token, func() (*cc.UpdateResourceOutput, error) {
		return c.api.UpdateResource(ctx, &cc.UpdateResourceInput{TypeName: &typ, Identifier: &id, PatchDocument: aws.String(string(patch)), ClientToken: &token})
	})
	if err != nil {
		return Event{}, err
	}
	return event(out.ProgressEvent, call)
}

// Delete asks for a resource's end; for token see Create.
func (c *Client) Delete(ctx context.Context, typ, id, token string) (Event, error) {
	call := Error{Op: "DeleteResource", Type: typ, Identifier: id, Account: c.account, Region: c.region, profile: c.profile}
	out, err := written(c, call, token, func() (*cc.DeleteResourceOutput, error) {
		return c.api.DeleteResource(ctx, &cc.DeleteResourceInput{TypeName: &typ, Identifier: &id, ClientToken: &token})
	})
	if err != nil {
		return Event{}, err
	}
	return event(out.ProgressEvent, call)
}

// written makes a writing call. Left without a token the SDK would make one up,
// and nobody could ever ask again what became of the request.
func written[T any](c *Client, call Error, token string, f func() (T, error)) (T, error) {
	if token == "" {
		var none T
		return none, fmt.Errorf("%s %s: no client token", call.Op, call.Type)
	}
	out, err := refreshed(c, f)
	if err != nil {
		return out, translate(err, call)
	}
	return out, nil
}

// RequestStatus asks how far a request has come.
func (c *Client) RequestStatus(ctx context.Context, request string) (Event, error) {
	call := Error{Op: "GetResourceRequestStatus", Account: c.account, Region: c.region, profile: c.profile}
	out, err := refreshed(c, func() (*cc.GetResourceRequestStatusOutput, error) {
		return c.api.GetResourceRequestStatus(ctx, &cc.GetResourceRequestStatusInput{RequestToken: &request})
	})
	if err != nil {
		return Event{}, translate(err, call)
	}
	e, err := event(out.ProgressEvent, call)
	for _, h := range out.HooksProgressEvent {
		e.Hooks = append(e.Hooks, Hook{Type: aws.ToString(h.HookTypeName), Point: aws.ToString(h.InvocationPoint), Status: aws.ToString(h.HookStatus),
			Message: aws.ToString(h.HookStatusMessage), FailureMode: aws.ToString(h.FailureMode), Time: aws.ToTime(h.HookEventTime)})
	}
	return e, err
}

// Cancel asks for a request's end. What its handler has done stays done.
func (c *Client) Cancel(ctx context.Context, request string) (Event, error) {
	call := Error{Op: "CancelResourceRequest", Account: c.account, Region: c.region, profile: c.profile}
	out, err := refreshed(c, func() (*cc.CancelResourceRequestOutput, error) {
		return c.api.CancelResourceRequest(ctx, &cc.CancelResourceRequestInput{RequestToken: &request})
	})
	if err != nil {
		return Event{}, translate(err, call)
	}
	return event(out.ProgressEvent, call)
}

// Requests gives the records of the last seven days that match: any operation,
// any state, where none is given. All pages are read; an error ends them.
func (c *Client) Requests(ctx context.Context, operations []Operation, states []Status) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		given := map[string]bool{}
		for token := ""; ; {
			events, next, err := c.RequestPage(ctx, operations, states, token)
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			if given[next] {
				yield(Event{}, c.requestCall().garbage("a page token that it had given before"))
				return
			}
			given[next] = true
			token = next
		}
	}
}

// RequestPage gives a page of those records. token is the last page's next, ""
// for the first page. Whoever asks must watch for a token that comes again.
func (c *Client) RequestPage(ctx context.Context, operations []Operation, states []Status, token string) (events []Event, next string, err error) {
	call := c.requestCall()
	in := &cc.ListResourceRequestsInput{MaxResults: aws.Int32(100), ResourceRequestStatusFilter: requestFilter(operations, states)}
	if token != "" {
		in.NextToken = &token
	}
	out, err := refreshed(c, func() (*cc.ListResourceRequestsOutput, error) { return c.api.ListResourceRequests(ctx, in) })
	if err != nil {
		return nil, "", translate(err, call)
	}
	for _, s := range out.ResourceRequestStatusSummaries {
		e, err := event(&s, call)
		if err != nil {
			return nil, "", err
		}
		events = append(events, e)
	}
	return events, aws.ToString(out.NextToken), nil
}

func (c *Client) requestCall() Error {
	return Error{Op: "ListResourceRequests", Account: c.account, Region: c.region, profile: c.profile}
}

func requestFilter(operations []Operation, states []Status) *cctypes.ResourceRequestStatusFilter {
	if len(operations)+len(states) == 0 {
		return nil
	}
	f := &cctypes.ResourceRequestStatusFilter{}
	for _, o := range operations {
		f.Operations = append(f.Operations, cctypes.Operation(o))
	}
	for _, s := range states {
		f.OperationStatuses = append(f.OperationStatuses, cctypes.OperationStatus(s))
	}
	return f
}

// event checks what an answer says of a request: without token and state it
// can't be followed.
func event(p *cctypes.ProgressEvent, call Error) (Event, error) {
	if p == nil || aws.ToString(p.RequestToken) == "" || p.OperationStatus == "" {
		return Event{}, call.garbage("a progress event without request token or state")
	}
	e := Event{Token: *p.RequestToken, Type: aws.ToString(p.TypeName), Operation: Operation(p.Operation), Status: Status(p.OperationStatus),
		Identifier: aws.ToString(p.Identifier), Message: aws.ToString(p.StatusMessage), Code: string(p.ErrorCode),
		RetryAfter: aws.ToTime(p.RetryAfter), Time: aws.ToTime(p.EventTime), HooksRequest: aws.ToString(p.HooksRequestToken)}
	if m := aws.ToString(p.ResourceModel); isObject([]byte(m)) {
		e.Model = json.RawMessage(m)
	}
	return e, nil
}
