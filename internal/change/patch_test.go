package change

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skyql/skyql/internal/catalog"
)

func table(t testing.TB, typ string) *catalog.Table {
	t.Helper()
	tb, err := catalog.Embedded().Table(typ)
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

// of makes an intent of a resource that is there.
func of(t testing.TB, typ, before, after string) Intent {
	t.Helper()
	in := Intent{Table: table(t, typ), Account: "111122223333", Region: "us-east-1", Identifier: "id"}
	if before != "" {
		in.Before = json.RawMessage(before)
	}
	if after != "" {
		in.After = json.RawMessage(after)
	}
	if before == "" {
		in.Identifier = Placeholder + "new-1"
	}
	return in
}

func opsText(t testing.TB, ops []Operation) string {
	t.Helper()
	var lines []string
	for _, op := range ops {
		line := op.Op + " " + op.Path
		if op.From != "" {
			line += " from " + op.From
		}
		if op.Value != nil {
			line += " " + string(op.Value)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

// Before and wanted, and the patch that makes the one of the other.
func TestPatch(t *testing.T) {
	t.Parallel()
	check := func(typ, before, after, want string) {
		t.Helper()
		in := of(t, typ, before, after)
		c, problems := read(ruleBook{}, 0, in, Options{})
		if err := problems.Err(); err != nil {
			t.Errorf("%s %s: %v", typ, after, err)
			return
		}
		if got := opsText(t, c.Patch); got != want {
			t.Errorf("%s %s → %s\n got %s\nwant %s", typ, before, after, got, want)
		}
	}
	const logs, user, queue = "AWS::Logs::LogGroup", "AWS::Connect::User", "AWS::SQS::Queue"
	// Whole properties are added, after a test of what they replace.
	check(logs, `{"LogGroupName":"a","RetentionInDays":7}`, `{"LogGroupName":"a","RetentionInDays":90}`, `test /RetentionInDays 7; add /RetentionInDays 90`)
	check(logs, `{"LogGroupName":"a"}`, `{"LogGroupName":"a","RetentionInDays":90}`, `add /RetentionInDays 90`)
	check(logs, `{"LogGroupName":"a","RetentionInDays":7}`, `{"LogGroupName":"a","RetentionInDays":null}`, `test /RetentionInDays 7; remove /RetentionInDays`)
	check(logs, `{"LogGroupName":"a","RetentionInDays":7}`, `{"LogGroupName":"a","RetentionInDays":7}`, ``)
	// A number by its value, and as text.
	check(logs, `{"LogGroupName":"a","RetentionInDays":7}`, `{"LogGroupName":"a","RetentionInDays":7.0}`, ``)
	check(logs, `{"LogGroupName":"a","RetentionInDays":"7"}`, `{"LogGroupName":"a","RetentionInDays":7}`, ``)
	// The smallest path.
	base := `"InstanceArn":"i","RoutingProfileArn":"r","SecurityProfileArns":["s"],"Username":"u"`
	check(user, `{`+base+`,"PhoneConfig":{"PhoneType":"SOFT_PHONE","AutoAccept":false}}`, `{`+base+`,"PhoneConfig":{"PhoneType":"SOFT_PHONE","AutoAccept":true}}`,
		`test /PhoneConfig/AutoAccept false; replace /PhoneConfig/AutoAccept true`)
	check(user, `{`+base+`,"PhoneConfig":{"PhoneType":"SOFT_PHONE"}}`, `{`+base+`,"PhoneConfig":{"PhoneType":"SOFT_PHONE","AutoAccept":true}}`, `add /PhoneConfig/AutoAccept true`)
	check(user, `{`+base+`,"PhoneConfig":{"PhoneType":"SOFT_PHONE","AutoAccept":true}}`, `{`+base+`,"PhoneConfig":{"PhoneType":"SOFT_PHONE"}}`, `test /PhoneConfig/AutoAccept true; remove /PhoneConfig/AutoAccept`)
	check(user, `{`+base+`}`, `{`+base+`,"PhoneConfig":{"PhoneType":"DESK_PHONE"}}`, `add /PhoneConfig {"PhoneType":"DESK_PHONE"}`)
	// Write-only values are added, never tested; what is read-only stays.
	check(user, `{`+base+`,"UserArn":"x"}`, `{`+base+`,"Password":"hunter2"}`, `add /Password "hunter2"`)
	// Sets in another order are the same, and sent whole when they differ.
	check(user, `{`+strings.Replace(base, `["s"]`, `["s","t"]`, 1)+`}`, `{`+strings.Replace(base, `["s"]`, `["t","s"]`, 1)+`}`, ``)
	check(user, `{`+base+`}`, `{`+strings.Replace(base, `["s"]`, `["t","s"]`, 1)+`}`, `add /SecurityProfileArns ["t","s"]`)
	// Key/value lists likewise; AWS's own tags are left alone.
	check(queue, `{"Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":"2"}]}`, `{"Tags":[{"Value":"2","Key":"b"},{"Key":"a","Value":"1"}]}`, ``)
	check(queue, `{"Tags":[{"Key":"aws:cloudformation:stack-name","Value":"s"},{"Key":"a","Value":"1"}]}`, `{"Tags":[{"Key":"a","Value":"1"}]}`, ``)
	check(queue, `{"Tags":[{"Key":"aws:cloudformation:stack-name","Value":"s"},{"Key":"a","Value":"1"}]}`, `{"Tags":[{"Key":"a","Value":"2"}]}`,
		`add /Tags [{"Key":"a","Value":"2"},{"Key":"aws:cloudformation:stack-name","Value":"s"}]`)
	// An ordered set by the schema; and an array of which it says nothing.
	check("AWS::Lambda::EventSourceMapping", `{"FunctionName":"f","Queues":["a","b"]}`, `{"FunctionName":"f","Queues":["b","a"]}`, `add /Queues ["b","a"]`)
	check("AWS::CloudWatch::Alarm", `{"AlarmActions":["a","b"]}`, `{"AlarmActions":["b","a"]}`, ``)
	// Empty and absent are the same.
	check(queue, `{"Tags":[]}`, `{}`, ``)
	check(queue, `{}`, `{"Tags":[]}`, ``)
	// Policies parsed: text or object, one or a list of one.
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":"*","Principal":{"AWS":["a","b"]}}]}`
	again := `{"Statement":[{"Principal":{"AWS":["b","a"]},"Effect":"Allow","Action":"s3:GetObject","Resource":["*"]}],"Version":"2012-10-17"}`
	text, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	check("AWS::S3::BucketPolicy", `{"Bucket":"b","PolicyDocument":`+string(text)+`}`, `{"Bucket":"b","PolicyDocument":`+again+`}`, ``)
	check("AWS::S3::BucketPolicy", `{"Bucket":"b","PolicyDocument":{"Version":"2012-10-17","Statement":[]}}`, `{"Bucket":"b","PolicyDocument":`+again+`}`,
		`add /PolicyDocument {"Statement":[{"Action":"s3:GetObject","Effect":"Allow","Principal":{"AWS":["b","a"]},"Resource":["*"]}],"Version":"2012-10-17"}`)
	check("AWS::S3::BucketPolicy", `{"Bucket":"b","PolicyDocument":"{\"Statement\":[]}"}`, `{"Bucket":"b","PolicyDocument":{"Statement":{"Action":"a"}}}`, `add /PolicyDocument {"Statement":{"Action":"a"}}`)
	// Upper and lower case where the schema says so.
	check("AWS::DocDB::GlobalCluster", `{"GlobalClusterIdentifier":"abc","DeletionProtection":false}`, `{"GlobalClusterIdentifier":"ABC","DeletionProtection":true}`, `test /DeletionProtection false; add /DeletionProtection true`)
	check("AWS::RDS::DBCluster", `{"DBClusterIdentifier":"abc","Port":1}`, `{"DBClusterIdentifier":"ABC","Port":2}`, `test /Port 1; add /Port 2`)
	// Members with a slash or a tilde.
	check("AWS::Lambda::Function", `{"Role":"r","Environment":{"Variables":{"a/b":"1"}}}`, `{"Role":"r","Environment":{"Variables":{"a/b":"2","c~d":"3"}}}`,
		`test /Environment/Variables/a~1b "1"; replace /Environment/Variables/a~1b "2"; add /Environment/Variables/c~0d "3"`)
	// What may be a secret is not tested.
	check("AWS::Lambda::Function", `{"Role":"r","Environment":{"Variables":{"DB_PASSWORD":"1"}}}`, `{"Role":"r","Environment":{"Variables":{"DB_PASSWORD":"2"}}}`, `replace /Environment/Variables/DB_PASSWORD "2"`)
}

func TestApplyPatch(t *testing.T) {
	t.Parallel()
	check := func(doc, patch, want string) {
		t.Helper()
		model, err := parse([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		ops, err := ParsePatch([]byte(patch))
		if err == nil {
			var v any
			if v, err = Apply(model, ops); err == nil {
				got = string(encode(v))
			}
		}
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s %s\n got %s\nwant %s", doc, patch, got, want)
		}
		if string(encode(model)) != doc {
			t.Errorf("the model became %s", encode(model))
		}
	}
	check(`{"A":1}`, `[]`, `{"A":1}`)
	check(`{"A":1}`, `[{"op":"add","path":"/B","value":null}]`, `{"A":1,"B":null}`)
	check(`{"A":1}`, `[{"op":"add","path":"B","value":2}]`, `{"A":1,"B":2}`)
	check(`{"A":[1,2]}`, `[{"op":"add","path":"/A/1","value":9}]`, `{"A":[1,9,2]}`)
	check(`{"A":[1,2]}`, `[{"op":"add","path":"/A/-","value":9}]`, `{"A":[1,2,9]}`)
	check(`{"A":[1,2]}`, `[{"op":"remove","path":"/A/0"}]`, `{"A":[2]}`)
	check(`{"A":{"b/c":1}}`, `[{"op":"replace","path":"/A/b~1c","value":2}]`, `{"A":{"b/c":2}}`)
	check(`{"A":1,"B":{}}`, `[{"op":"move","from":"/A","path":"/B/C"}]`, `{"B":{"C":1}}`)
	check(`{"A":{"B":1}}`, `[{"op":"copy","from":"/A","path":"/C"},{"op":"remove","path":"/A/B"}]`, `{"A":{},"C":{"B":1}}`)
	check(`{"A":1}`, `[{"op":"test","path":"/A","value":1.0},{"op":"replace","path":"/A","value":2}]`, `{"A":2}`)
	check(`{"A":1}`, `[{"op":"test","path":"/A","value":"1"}]`, `operation 1 of the patch, test /A: the value is another one`)
	check(`{"A":1}`, `[{"op":"add","path":"/B","value":1},{"op":"replace","path":"/C","value":2}]`, `operation 2 of the patch, replace /C: there is nothing at this path`)
	check(`{"A":1}`, `[{"op":"remove","path":"/B"}]`, `operation 1 of the patch, remove /B: there is nothing at this path`)
	check(`{"A":[1]}`, `[{"op":"add","path":"/A/2","value":1}]`, `operation 1 of the patch, add /A/2: there is nothing at this path`)
	check(`{"A":[1]}`, `[{"op":"add","path":"/A/01","value":1}]`, `operation 1 of the patch, add /A/01: there is nothing at this path`)
	check(`{"A":{"B":{}}}`, `[{"op":"move","from":"/A","path":"/A/B/C"}]`, `operation 1 of the patch, move /A/B/C: a value can't be moved into itself`)
	check(`{}`, `{"op":"add"}`, `patch document: object instead of an array of operations`)
	check(`{}`, `null`, `patch document: null instead of an array of operations`)
	check(`{}`, `[{"op":"add","path":"/A"}]`, `operation 1 of the patch, add /A: no "value"`)
	check(`{}`, `[{"op":"delete","path":"/A"}]`, `operation 1 of the patch, delete /A: no operation of RFC 6902: those are add, remove, replace, move, copy and test`)
	check(`{}`, `[{"op":"move","path":"/A"}]`, `operation 1 of the patch, move /A: no "from"`)
	check(`{}`, `[{"path":"/A"}]`, `operation 1 of the patch,  /A: no "op"`)
	check(`{}`, `[{"op":"remove"}]`, `operation 1 of the patch, remove : no "path"`)
}

func TestMerge(t *testing.T) {
	t.Parallel()
	got, err := Merge(json.RawMessage(`{"A":1,"B":{"c":2},"D":12345678901234567890}`), map[string]json.RawMessage{"A": json.RawMessage(`null`), "B": json.RawMessage(`[1]`), "C": nil, "E": json.RawMessage(`"<"`)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"B":[1],"D":12345678901234567890,"E":"<"}`, string(got)); diff != "" {
		t.Error(diff)
	}
}
