package cloudcontrol_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/sandbox"
)

const logGroup = "AWS::Logs::LogGroup"

// A resource's life over HTTP, and the records that its requests leave.
func TestWrites(t *testing.T) {
	t.Parallel()
	srv := serveWorld(t, sandbox.Options{Work: sandbox.Work{Delay: time.Millisecond}})
	c := client(t, open(t, cloudcontrol.Options{Endpoint: srv.URL, Static: keys}), mine, "us-east-1")
	end := func(e cloudcontrol.Event, err error) cloudcontrol.Event {
		t.Helper()
		for err == nil && !e.Status.Final() {
			e, err = c.RequestStatus(t.Context(), e.Token)
		}
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	desired := []byte(`{"LogGroupName":"new", "RetentionInDays":7}`)
	first, err := c.Create(t.Context(), logGroup, desired, "token-1")
	if err != nil || first.Operation != cloudcontrol.OpCreate || first.Type != logGroup || first.Time.IsZero() {
		t.Fatalf("%+v, %v", first, err)
	}
	e := end(first, nil)
	if e.Status != cloudcontrol.Success || e.Identifier != "new" || e.Token != first.Token {
		t.Errorf("%+v", e)
	}
	// The same token asks for nothing new.
	again, err := c.Create(t.Context(), logGroup, desired, "token-1")
	if err != nil || again.Token != first.Token {
		t.Errorf("%+v, %v", again, err)
	}
	_, err = c.Create(t.Context(), logGroup, []byte(`{"LogGroupName":"other"}`), "token-1")
	is(t, err, cloudcontrol.ErrTokenConflict)
	e = end(c.Update(t.Context(), logGroup, "new", []byte(`[{"op":"replace","path":"/RetentionInDays","value":90}]`), "token-2"))
	d, err := c.Get(t.Context(), logGroup, "new")
	if err != nil || e.Operation != cloudcontrol.OpUpdate || e.Status != cloudcontrol.Success || !strings.Contains(string(d.Properties), `"RetentionInDays":90`) {
		t.Errorf("%+v, %s, %v", e, d.Properties, err)
	}
	e = end(c.Create(t.Context(), logGroup, desired, "token-3"))
	if e.Status != cloudcontrol.Failed || e.Code != "AlreadyExists" || e.Message == "" {
		t.Errorf("%+v", e)
	}
	_, err = c.Update(t.Context(), logGroup, "new", []byte(`[{"op":"add","path":"/LogGroupName","value":"x"}]`), "token-4")
	is(t, err, cloudcontrol.ErrNotUpdatable)
	_, err = c.Update(t.Context(), logGroup, "new", []byte(`[{"op":"replace","path":"/KmsKeyId","value":"x"}]`), "token-5")
	is(t, err, cloudcontrol.ErrInvalid)
	_, err = c.RequestStatus(t.Context(), "6f2b1d0e-0000-4000-8000-000000000001")
	is(t, err, cloudcontrol.ErrTokenUnknown)
	_, err = c.Cancel(t.Context(), "6f2b1d0e-0000-4000-8000-000000000001")
	is(t, err, cloudcontrol.ErrTokenUnknown)
	e = end(c.Delete(t.Context(), logGroup, "new", "token-6"))
	if e.Status != cloudcontrol.Success || e.Operation != cloudcontrol.OpDelete {
		t.Errorf("%+v", e)
	}
	records := func(ops []cloudcontrol.Operation, states []cloudcontrol.Status) (out []string) {
		for e, err := range c.Requests(t.Context(), ops, states) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, fmt.Sprint(e.Operation, " ", e.Status))
		}
		slices.Sort(out)
		return out
	}
	if diff := cmp.Diff([]string{"CREATE FAILED", "CREATE SUCCESS", "DELETE SUCCESS", "UPDATE SUCCESS"}, records(nil, nil)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"CREATE FAILED"}, records([]cloudcontrol.Operation{cloudcontrol.OpCreate}, []cloudcontrol.Status{cloudcontrol.Failed})); diff != "" {
		t.Error(diff)
	}
}

func TestCancelRequest(t *testing.T) {
	t.Parallel()
	srv := serveWorld(t, sandbox.Options{Work: sandbox.Work{Delay: time.Hour}})
	c := client(t, open(t, cloudcontrol.Options{Endpoint: srv.URL, Static: keys}), mine, "us-east-1")
	e, err := c.Delete(t.Context(), logGroup, "mine", "token")
	if err != nil || e.Status.Final() || e.RetryAfter.IsZero() {
		t.Fatalf("%+v, %v", e, err)
	}
	_, err = c.Update(t.Context(), logGroup, "mine", []byte(`[]`), "other")
	is(t, err, cloudcontrol.ErrConcurrent)
	cancelled, err := c.Cancel(t.Context(), e.Token)
	for err == nil && !cancelled.Status.Final() {
		cancelled, err = c.RequestStatus(t.Context(), e.Token)
	}
	if err != nil || cancelled.Status != cloudcontrol.CancelComplete || cancelled.Token != e.Token {
		t.Errorf("%+v, %v", cancelled, err)
	}
}

// What a call holds goes out byte for byte, with the caller's token, once.
func TestWritesAreSentOnce(t *testing.T) {
	t.Parallel()
	var bodies []map[string]any
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("X-Amz-Target"), "Resource") {
			io.WriteString(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/me</Arn><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
			return
		}
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		bodies = append(bodies, body)
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, `{"__type":"ServiceInternalErrorException"}`)
	}))
	t.Cleanup(s.Close)
	c := client(t, open(t, cloudcontrol.Options{Endpoint: s.URL, Static: keys}), mine, "us-east-1")
	const odd = "{ \"B\":1.50,\t\"A\":\"\\u003c<é\" }"
	do := []func(ctx context.Context) error{
		func(ctx context.Context) error { _, err := c.Create(ctx, logGroup, []byte(odd), "t1"); return err },
		func(ctx context.Context) error {
			_, err := c.Update(ctx, logGroup, "a|b", []byte(odd), "t2")
			return err
		},
		func(ctx context.Context) error { _, err := c.Delete(ctx, logGroup, "a", "t3"); return err },
	}
	for _, f := range do {
		if err := f(t.Context()); cloudcontrol.RetryOf(err) != cloudcontrol.Transient {
			t.Error(err)
		}
	}
	want := []map[string]any{
		{"TypeName": logGroup, "DesiredState": odd, "ClientToken": "t1"},
		{"TypeName": logGroup, "Identifier": "a|b", "PatchDocument": odd, "ClientToken": "t2"},
		{"TypeName": logGroup, "Identifier": "a", "ClientToken": "t3"},
	}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Error(diff)
	}
	if _, err := c.Create(t.Context(), logGroup, []byte(odd), ""); err == nil || len(bodies) != 3 {
		t.Error("a call without a token was sent")
	}
}

// Events as they may come, and what is none.
func TestEvents(t *testing.T) {
	t.Parallel()
	status := func(body string) (cloudcontrol.Event, error) {
		s := serve(t, reply(http.StatusOK, body))
		return client(t, open(t, cloudcontrol.Options{Endpoint: s.URL, Static: keys}), mine, "us-east-1").RequestStatus(t.Context(), "r")
	}
	e, err := status(`{"ProgressEvent":{"TypeName":"AWS::Logs::LogGroup","RequestToken":"r","Operation":"CREATE","OperationStatus":"FAILED","EventTime":1660323600.219,"RetryAfter":1660323601.5,
		"Identifier":"a","ResourceModel":"{\"A\":1}","StatusMessage":"why","ErrorCode":"GeneralServiceException","HooksRequestToken":"h"},
		"HooksProgressEvent":[{"HookTypeName":"My::H","InvocationPoint":"CREATE_PRE_PROVISION","HookStatus":"HOOK_COMPLETE_FAILED","HookStatusMessage":"no","FailureMode":"FAIL","HookEventTime":1660323600}]}`)
	want := cloudcontrol.Event{Token: "r", Type: logGroup, Operation: cloudcontrol.OpCreate, Status: cloudcontrol.Failed, Identifier: "a", Model: json.RawMessage(`{"A":1}`), Message: "why",
		Code: "GeneralServiceException", HooksRequest: "h", RetryAfter: time.UnixMilli(1660323601500).UTC(), Time: time.UnixMilli(1660323600219).UTC(),
		Hooks: []cloudcontrol.Hook{{Type: "My::H", Point: "CREATE_PRE_PROVISION", Status: "HOOK_COMPLETE_FAILED", Message: "no", FailureMode: "FAIL", Time: time.Unix(1660323600, 0).UTC()}}}
	if diff := cmp.Diff(want, e); diff != "" || err != nil || !e.Hooks[0].Failed() {
		t.Error(diff, err)
	}
	for _, body := range []string{`{}`, `{"ProgressEvent":{}}`, `{"ProgressEvent":{"RequestToken":"r"}}`, `{"ProgressEvent":{"OperationStatus":"SUCCESS"}}`, `[]`, `<html>`} {
		_, err := status(body)
		is(t, err, cloudcontrol.ErrUnreachable)
	}
	if e, err := status(`{"ProgressEvent":{"RequestToken":"r","OperationStatus":"SUCCESS","ResourceModel":"oops"}}`); err != nil || e.Model != nil {
		t.Error(e, err)
	}
	// A page token that comes again would go on for ever.
	s := serve(t, reply(http.StatusOK, `{"ResourceRequestStatusSummaries":[],"NextToken":"x"}`))
	for _, err := range client(t, open(t, cloudcontrol.Options{Endpoint: s.URL, Static: keys}), mine, "us-east-1").Requests(t.Context(), nil, nil) {
		is(t, err, cloudcontrol.ErrUnreachable)
	}
}
