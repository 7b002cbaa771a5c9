// Package anytype serves the two tables that are about Cloud Control itself.
//
// Their types are known to skyql alone. What is asked of them is asked of
// Cloud Control in its own terms: a resource of the table of resources is one
// of the type that its identifier begins with, and a request is a record. What
// is asked of all other types passes through.
package anytype

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

// A Client is Cloud Control in one account and region, with the two types added.
type Client struct {
	*cloudcontrol.Client
	catalog *catalog.Catalog
}

// Wrap adds the two types to a client. The catalog tells which types there are.
func Wrap(c *cloudcontrol.Client, cat *catalog.Catalog) *Client { return &Client{c, cat} }

// Join gives the identifier that a resource of a type has in the table of
// resources.
func Join(typ, id string) string { return typ + "|" + id }

// Split takes such an identifier apart. ok is false for what is none.
func Split(id string) (typ, rest string, ok bool) {
	typ, rest, ok = strings.Cut(id, "|")
	return typ, rest, ok && typ != "" && rest != ""
}

// Properties gives the row of a resource in the table of resources, its own
// properties among the others; nil where they aren't known.
func Properties(typ, id string, own json.RawMessage) json.RawMessage {
	row := struct {
		TypeName, Identifier string
		Properties           json.RawMessage `json:",omitempty"`
	}{typ, id, own}
	return encode(row)
}

func encode(v any) json.RawMessage {
	out, err := json.Marshal(v)
	if err != nil {
		panic("anytype: " + err.Error()) // strings, and JSON that was checked when it came
	}
	return out
}

// Get reads one resource, or the record of a request.
func (c *Client) Get(ctx context.Context, typ, id string) (cloudcontrol.Document, error) {
	switch typ {
	case catalog.RequestType:
		e, err := c.Client.RequestStatus(ctx, id)
		if errors.Is(err, cloudcontrol.ErrTokenUnknown) {
			return cloudcontrol.Document{}, cloudcontrol.Fault(cloudcontrol.Error{Op: "GetResourceRequestStatus", Type: typ, Identifier: id, Code: "ResourceNotFoundException", Err: err})
		}
		if err != nil {
			return cloudcontrol.Document{}, err
		}
		return cloudcontrol.Document{Identifier: id, Properties: record(e)}, nil
	case catalog.ResourceType:
	default:
		return c.Client.Get(ctx, typ, id)
	}
	name, rest, ok := Split(id)
	if !ok {
		return cloudcontrol.Document{}, cloudcontrol.Fault(cloudcontrol.Error{Op: "GetResource", Type: typ, Identifier: id,
			Message: "invalid identifier: it is made of type_name and resource_identifier, joined by |"})
	}
	d, err := c.Client.Get(ctx, name, rest)
	if errors.Is(err, cloudcontrol.ErrElsewhere) { // which is asked there, if that is in scope
		return d, cloudcontrol.Fault(cloudcontrol.Error{Op: "GetResource", Type: name, Identifier: rest, Code: "ResourceNotFoundException", Err: err})
	}
	if err != nil {
		return d, c.typed(name, err, func(e catalog.Entry) bool { return e.Readable })
	}
	return cloudcontrol.Document{Identifier: Join(name, d.Identifier), Properties: Properties(name, d.Identifier, d.Properties)}, nil
}

// List gives a page of a type's resources, or of the records of requests.
func (c *Client) List(ctx context.Context, typ string, model json.RawMessage, token string) (cloudcontrol.Page, error) {
	switch typ {
	case catalog.ResourceType:
		return c.resources(ctx, model, token)
	case catalog.RequestType:
		return c.requests(ctx, model, token)
	}
	return c.Client.List(ctx, typ, model, token)
}

// resources lists a type. What a list tells of a resource may be a part, so
// that none of it is told: the properties are all or nothing.
func (c *Client) resources(ctx context.Context, model json.RawMessage, token string) (cloudcontrol.Page, error) {
	var in struct{ TypeName, ResourceModel string }
	if err := json.Unmarshal(model, &in); err != nil {
		return cloudcontrol.Page{}, fmt.Errorf("anytype: a list model: %w", err)
	}
	var keys json.RawMessage
	if in.ResourceModel != "" {
		var o map[string]json.RawMessage
		if err := json.Unmarshal([]byte(in.ResourceModel), &o); err != nil || o == nil {
			return cloudcontrol.Page{}, cloudcontrol.Fault(cloudcontrol.Error{Op: "ListResources", Type: in.TypeName,
				Message: fmt.Sprintf("resource_model is no JSON object: %s", in.ResourceModel)})
		}
		keys = json.RawMessage(in.ResourceModel)
	}
	page, err := c.Client.List(ctx, in.TypeName, keys, token)
	if err != nil {
		return page, c.typed(in.TypeName, err, func(e catalog.Entry) bool { return e.Listable })
	}
	for i, d := range page.Documents {
		page.Documents[i] = cloudcontrol.Document{Identifier: Join(in.TypeName, d.Identifier), Properties: Properties(in.TypeName, d.Identifier, nil)}
	}
	return page, nil
}

// typed words the errors that a table of one type takes for "not offered in
// this region". Of a type that may not be there at all, or that has no such
// handler anywhere, nothing may be concluded.
func (c *Client) typed(name string, err error, has func(catalog.Entry) bool) error {
	var e *cloudcontrol.Error
	if !errors.Is(err, cloudcontrol.ErrNoType) && !errors.Is(err, cloudcontrol.ErrUnsupported) || !errors.As(err, &e) {
		return err
	}
	if entry, ok := c.catalog.ByType(name); ok && has(entry) {
		return err
	}
	return e.Of(cloudcontrol.ErrNoSuch)
}

func (c *Client) requests(ctx context.Context, model json.RawMessage, token string) (cloudcontrol.Page, error) {
	var in struct {
		Operation       cloudcontrol.Operation
		OperationStatus cloudcontrol.Status
	}
	if len(model) > 0 {
		if err := json.Unmarshal(model, &in); err != nil {
			return cloudcontrol.Page{}, fmt.Errorf("anytype: a list model: %w", err)
		}
	}
	var operations []cloudcontrol.Operation
	var states []cloudcontrol.Status
	if in.Operation != "" {
		operations = append(operations, in.Operation)
	}
	if in.OperationStatus != "" {
		states = append(states, in.OperationStatus)
	}
	// No record has a value that the service doesn't know, which it would refuse.
	if len(operations) > 0 && !slices.Contains(cloudcontrol.Operations, in.Operation) || len(states) > 0 && !slices.Contains(cloudcontrol.Statuses, in.OperationStatus) {
		return cloudcontrol.Page{}, nil
	}
	events, next, err := c.Client.RequestPage(ctx, operations, states, token)
	page := cloudcontrol.Page{Next: next}
	for _, e := range events {
		page.Documents = append(page.Documents, cloudcontrol.Document{Identifier: e.Token, Properties: record(e)})
	}
	return page, err
}

// record gives an event as a row: every property is there, NULL where nothing
// is said, so that nothing has to be asked again.
func record(e cloudcontrol.Event) json.RawMessage {
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	at := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	row := map[string]any{
		"RequestToken": text(e.Token), "TypeName": text(e.Type), "Identifier": text(e.Identifier), "Operation": text(string(e.Operation)),
		"OperationStatus": text(string(e.Status)), "StatusMessage": text(e.Message), "ErrorCode": text(e.Code), "EventTime": at(e.Time),
		"RetryAfter": at(e.RetryAfter), "ResourceModel": nil, "HooksRequestToken": text(e.HooksRequest),
	}
	if e.Model != nil {
		row["ResourceModel"] = e.Model
	}
	return encode(row)
}

// canceling marks the token of a cancellation: it is asked for like the end of
// any other change, and its end is that of the request that is canceled.
const canceling = "cancel:"

// Delete asks for a resource's end; of a request, it asks to cancel it.
func (c *Client) Delete(ctx context.Context, typ, id, token string) (cloudcontrol.Event, error) {
	if typ != catalog.RequestType {
		return c.Client.Delete(ctx, typ, id, token)
	}
	e, err := c.Client.Cancel(ctx, id)
	if err != nil {
		return e, err
	}
	return canceled(e, id), nil
}

// RequestStatus asks how far a request has come, or its cancellation.
func (c *Client) RequestStatus(ctx context.Context, request string) (cloudcontrol.Event, error) {
	id, ok := strings.CutPrefix(request, canceling)
	if !ok {
		return c.Client.RequestStatus(ctx, request)
	}
	e, err := c.Client.RequestStatus(ctx, id)
	if err != nil {
		return e, err
	}
	return canceled(e, id), nil
}

// canceled says of a request how its cancellation goes.
func canceled(e cloudcontrol.Event, id string) cloudcontrol.Event {
	out := cloudcontrol.Event{Token: canceling + id, Type: catalog.RequestType, Operation: cloudcontrol.OpDelete, Identifier: id,
		Status: cloudcontrol.InProgress, RetryAfter: e.RetryAfter, Time: e.Time}
	switch e.Status {
	case cloudcontrol.CancelComplete:
		out.Status = cloudcontrol.Success
	case cloudcontrol.Success, cloudcontrol.Failed:
		out.Status, out.Code = cloudcontrol.Failed, "NotCanceled"
		out.Message = fmt.Sprintf("the request had ended: %s", e.Status)
	}
	return out
}
