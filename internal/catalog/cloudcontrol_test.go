package catalog_test

import (
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/catalog"
)

// The tables about Cloud Control stand beside the archive's, which stays as it is.
func TestWithCloudControl(t *testing.T) {
	plain := catalog.Embedded()
	c := plain.WithCloudControl()
	if c != plain.WithCloudControl() || c != c.WithCloudControl() {
		t.Error("made anew each time")
	}
	if _, _, ok := plain.Lookup("cloud_control", "resources"); ok {
		t.Error("the archive has it")
	}
	if c.Info() != plain.Info() || len(c.Entries("")) != len(plain.Entries(""))+2 || len(c.Services()) != len(plain.Services())+1 {
		t.Error("counts")
	}
	for name, want := range map[string]string{"resources": "plural", "resource": "singular", "resources_list_only": "list_only", "requests": "plural", "REQUEST": "singular"} {
		if _, form, ok := c.Lookup("cloud_control", name); !ok || form.String() != want {
			t.Errorf("%s: %s, %v", name, form, ok)
		}
	}
	if e, ok := c.ByType("AWS::SQS::Queue"); !ok || e.Name() != "aws.sqs.queues" {
		t.Errorf("%v", e)
	}
}

// The identifier of a resource may hold the bar that joins it with its type.
func TestAnyIdentifier(t *testing.T) {
	table, err := catalog.Embedded().WithCloudControl().Table(catalog.ResourceType)
	if err != nil {
		t.Fatal(err)
	}
	for _, parts := range [][]string{{"AWS::SQS::Queue", "https://x/y"}, {"AWS::ApiGateway::Deployment", "d1|a1"}} {
		id := table.JoinIdentifier(parts)
		back, err := table.SplitIdentifier(id)
		if want := strings.Join(parts, "|"); id != want || err != nil || strings.Join(back, " ") != strings.Join(parts, " ") {
			t.Errorf("%q: %q, %v, %v", parts, id, back, err)
		}
	}
	if _, err := table.SplitIdentifier("AWS::SQS::Queue"); err == nil {
		t.Error("one part is taken")
	}
	for name, want := range map[string]string{"type_name": "type_name", "TypeName": "type_name", "data__TypeName": "type_name", "data__Identifier": "resource_identifier", "Identifier": "identifier"} {
		if i, ok := table.Column(name); !ok || table.Columns[i].Name != want {
			t.Errorf("%s is not %s", name, want)
		}
	}
}

// Of a type that is in no archive nothing is known, but that it may be there.
func TestAny(t *testing.T) {
	c := catalog.Embedded().WithCloudControl()
	known, err := c.Any("AWS::SQS::Queue")
	if err != nil || len(known.Columns) < 4 {
		t.Errorf("%v", err)
	}
	own, err := c.Any("Acme::Widgets::Widget")
	if err != nil || own.Name() != "aws.cloud_control.resources (Acme::Widgets::Widget)" || own.Create == nil || len(own.Columns) != 3 {
		t.Errorf("%v, %v", own, err)
	}
	for _, name := range []string{"", "queue", "AWS::SQS", "AWS::SQS::Queue::Module", "AWS::S-Q-S::Queue", "A::B::C", "AWS::SQS::Queue\n"} {
		if table, err := c.Any(name); err == nil {
			t.Errorf("%q: %v", name, table)
		}
	}
	for name, want := range map[string]string{"aws::sqs::queue": "AWS::SQS::Queue", "AWS::SQS::Queu": "AWS::SQS::Queue", "nothing like it": ""} {
		if near := strings.Join(c.NearTypes(name), " "); !strings.HasPrefix(near, want) || want == "" && near != "" {
			t.Errorf("%s: %s", name, near)
		}
	}
}
