package anytype_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/anytype"
	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/sandbox"
)

// client is one of a sandbox in which topics are never ready.
func client(t *testing.T) *anytype.Client {
	t.Helper()
	faults, err := sandbox.ReadFaults([]byte("[[rule]]\noperation = \"CreateResource\"\ntype = \"AWS::SNS::Topic\"\nstuck = true\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := sandbox.NewServer(sandbox.Options{Faults: &faults.Faults})
	t.Cleanup(s.Close)
	cloud, err := cloudcontrol.Open(t.Context(), cloudcontrol.Options{Endpoint: s.URL, Region: "us-east-1", Static: &cloudcontrol.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := cloud.Client(t.Context(), "111122223333", "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	return anytype.Wrap(c, catalog.Embedded())
}

// What can't be told is an error; what isn't there is no row.
func TestResources(t *testing.T) {
	t.Parallel()
	c := client(t)
	page, err := c.List(t.Context(), catalog.ResourceType, json.RawMessage(`{"TypeName":"AWS::SQS::Queue"}`), "")
	if err != nil || len(page.Documents) == 0 {
		t.Fatalf("%v, %v", page, err)
	}
	d := page.Documents[0]
	if strings.Contains(string(d.Properties), `"Properties"`) {
		t.Errorf("a list tells the properties: %s", d.Properties)
	}
	got, err := c.Get(t.Context(), catalog.ResourceType, d.Identifier)
	var row struct {
		TypeName, Identifier string
		Properties           struct{ QueueUrl string }
	}
	if err != nil || got.Identifier != d.Identifier || json.Unmarshal(got.Properties, &row) != nil || row.TypeName != "AWS::SQS::Queue" || row.Identifier != row.Properties.QueueUrl {
		t.Errorf("%s %s, %v", got.Identifier, got.Properties, err)
	}
	if other, err := c.Get(t.Context(), "AWS::SQS::Queue", row.Identifier); err != nil || other.Identifier != row.Identifier {
		t.Errorf("other types pass through: %v, %v", other, err)
	}
	for id, want := range map[string]error{"AWS::SQS::Queue|none": cloudcontrol.ErrNotFound, "Acme::Own::Widget|x": cloudcontrol.ErrNoSuch, "queue": cloudcontrol.ErrBadID, "|x": cloudcontrol.ErrBadID} {
		if _, err := c.Get(t.Context(), catalog.ResourceType, id); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
	}
	for model, want := range map[string]error{
		`{"TypeName":"AWS::SQS::Queues"}`:                                 cloudcontrol.ErrNoSuch,
		`{"TypeName":"AWS::Connect::User"}`:                               cloudcontrol.ErrMissingKey,
		`{"TypeName":"AWS::Connect::User","ResourceModel":"InstanceArn"}`: nil,
	} {
		_, err := c.List(t.Context(), catalog.ResourceType, json.RawMessage(model), "")
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", model, err, want)
		}
	}
}

// A request is a record; to delete it is to cancel it, which ends as a deletion does.
func TestRequests(t *testing.T) {
	t.Parallel()
	c := client(t)
	done, err := c.Create(t.Context(), "AWS::SQS::Queue", []byte(`{"QueueName":"a"}`), "t1")
	if err != nil {
		t.Fatal(err)
	}
	for !done.Status.Final() {
		if done, err = c.RequestStatus(t.Context(), done.Token); err != nil {
			t.Fatal(err)
		}
	}
	stuck, err := c.Create(t.Context(), "AWS::SNS::Topic", []byte(`{"TopicName":"a"}`), "t2")
	if err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]int{`{}`: 2, `{"Operation":"CREATE"}`: 2, `{"OperationStatus":"SUCCESS"}`: 1, `{"Operation":"DELETE"}`: 0, `{"OperationStatus":"success"}`: 0} {
		page, err := c.List(t.Context(), catalog.RequestType, json.RawMessage(model), "")
		if err != nil || len(page.Documents) != want {
			t.Errorf("%s: %d records, %v", model, len(page.Documents), err)
		}
	}
	if d, err := c.Get(t.Context(), catalog.RequestType, stuck.Token); err != nil || !strings.Contains(string(d.Properties), `"ErrorCode":null`) {
		t.Errorf("%s, %v", d.Properties, err)
	}
	if _, err := c.Get(t.Context(), catalog.RequestType, "none"); !errors.Is(err, cloudcontrol.ErrNotFound) {
		t.Error(err)
	}
	e, err := c.Delete(t.Context(), catalog.RequestType, stuck.Token, "t3")
	for ; err == nil && !e.Status.Final(); e, err = c.RequestStatus(t.Context(), e.Token) {
	}
	if err != nil || e.Status != cloudcontrol.Success || e.Operation != cloudcontrol.OpDelete || e.Identifier != stuck.Token {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err := c.Delete(t.Context(), catalog.RequestType, done.Token, "t4"); err == nil && e.Status != cloudcontrol.Failed {
		t.Errorf("a request that had ended: %+v", e)
	}
}
