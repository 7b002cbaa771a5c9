package change

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/sqlerr"
)

var update = flag.Bool("update", false, "rewrite golden files")

func golden(t testing.TB, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

const instance = "arn:aws:connect:us-east-1:111122223333:instance/6f2b1d0e-0000-4000-8000-000000000001"

// connectUser is a user as read, with more properties behind.
func connectUser(name, more string) string {
	return fmt.Sprintf(`{"InstanceArn":%q,"RoutingProfileArn":"%s/routing-profile/6f2b1d0e-0000-4000-8000-000000000002","SecurityProfileArns":["%s/security-profile/6f2b1d0e-0000-4000-8000-000000000003"],"Username":%q,"UserArn":"%s/agent/%s"%s}`,
		instance, instance, instance, name, instance, name, more)
}

func planSet(t testing.TB) *Set {
	t.Helper()
	at := Place{Sandbox: true, Partition: "aws", Account: "111122223333"}
	u := func(name, before, after string) Intent {
		in := of(t, user, connectUser(name, before), connectUser(name, after))
		in.Identifier = instance + "/agent/" + name
		return in
	}
	made := of(t, user, "", strings.Replace(connectUser("dnew", `,"Password":"hunter2","PhoneConfig":{"PhoneType":"SOFTPHONE"},"Tags":[{"Key":"team","Value":"x"}]`), `"UserArn":"`+instance+`/agent/dnew",`, "", 1))
	gone := of(t, queue, `{"QueueName":"old","QueueUrl":"https://sqs.us-east-1.amazonaws.com/111122223333/old"}`, "")
	gone.Identifier, gone.Region = "https://sqs.us-east-1.amazonaws.com/111122223333/old", "eu-west-1"
	bucket := of(t, "AWS::S3::Bucket", `{"BucketName":"logs"}`, `{"BucketName":"logs","ObjectLockEnabled":true}`)
	bucket.Identifier = "logs"
	fixed := of(t, queue, `{"QueueName":"q","FifoQueue":false,"QueueUrl":"https://sqs.us-east-1.amazonaws.com/111122223333/q"}`, `{"QueueName":"q","FifoQueue":true}`)
	fixed.Identifier = "https://sqs.us-east-1.amazonaws.com/111122223333/q"
	source := of(t, "AWS::Lambda::EventSourceMapping", `{"Id":"m","FunctionName":"f","BatchSize":1,"StartingPositionTimestamp":5}`, `{"Id":"m","FunctionName":"f","BatchSize":2,"StartingPositionTimestamp":5}`)
	source.Identifier = "m"
	s, err := New(at, []Intent{
		u("abara", `,"PhoneConfig":{"PhoneType":"SOFT_PHONE","AutoAccept":false}`, `,"PhoneConfig":{"PhoneType":"SOFT_PHONE","AutoAccept":true}`),
		u("aquinn", `,"PhoneConfig":{"PhoneType":"SOFT_PHONE"},"Tags":[{"Key":"team","Value":"sales"},{"Key":"x","Value":"1"}]`, `,"PhoneConfig":{"PhoneType":"SOFT_PHONE","AutoAccept":true},"Tags":[{"Key":"team","Value":"support"},{"Key":"y","Value":"true"}]`),
		u("bkim", ``, `,"Password":"hunter2"`),
		made, gone, bucket, fixed, source}, Options{Replace: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPlanText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := planSet(t).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.golden", b.String())
	b.Reset()
	if err := (&Set{}).WriteText(&b); err != nil || b.String() != "nothing to do\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestPlanJSON(t *testing.T) {
	t.Parallel()
	s := planSet(t)
	s.Made = time.Time{}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("hunter2")) {
		t.Error("the plan holds a secret")
	}
	golden(t, "plan.json.golden", string(text)+"\n")
}

// A plan file read back is the same plan, once its secrets are given again.
func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	s := planSet(t)
	var file bytes.Buffer
	if err := s.Save(&file); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(file.String(), "hunter2") {
		t.Error("the plan file holds a secret")
	}
	back, err := Load(&file, catalog.Embedded())
	if err != nil {
		t.Fatal(err)
	}
	var params []string
	for _, x := range back.Missing() {
		params = append(params, x.Param+" "+x.Path)
	}
	if diff := cmp.Diff([]string{"password_3 password", "password_4 password"}, params); diff != "" {
		t.Error(diff)
	}
	_, err = (&Applier{}).Apply(t.Context(), back)
	if e := sqlerr.From(err); !strings.Contains(e.Hint, "-p password_3=… -p password_4=…") {
		t.Errorf("%s", e.Format())
	}
	if err := back.Give(map[string]string{"password": "hunter2", "other": "x"}); err != nil || len(back.Missing()) > 0 {
		t.Fatal(err, back.Missing())
	}
	for i, c := range s.Changes {
		for _, op := range c.operations() {
			want, sealed := c.body(op)
			got, again := back.Changes[i].body(op)
			if string(got) != string(want) || sealed != again {
				t.Errorf("%s sends %s, read back %s", c, want, got)
			}
		}
	}
	back.Warnings = s.Warnings
	was, err := json.Marshal(s)
	is, err2 := json.Marshal(back)
	if diff := cmp.Diff(string(was), string(is)); diff != "" || err != nil || err2 != nil {
		t.Error(diff, err, err2)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	check := func(text, want string) {
		t.Helper()
		if _, err := Load(strings.NewReader(text), catalog.Embedded()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	check(``, "can't be read")
	check(`{}`, "no plan file")
	check(`{"format":"skyql change set 1","changes":[{"action":"eat","type":"AWS::S3::Bucket"}]}`, "no such action")
	check(`{"format":"skyql change set 1","changes":[{"action":"create","type":"AWS::S3::Bucket"}]}`, "without the properties")
	check(`{"format":"skyql change set 1","changes":[{"action":"create","type":"AWS::No::Such","after":{}}]}`, "no type")
	check(`{"format":"skyql change set 1","changes":[{"action":"create","type":"AWS::S3::Bucket","after":[]}]}`, "instead of an object")
	check(`{"format":"skyql change set 1","changes":[{"action":"create","type":"AWS::S3::Bucket","after":{},"needs":[1]}]}`, "waits for 1")
	check(`{"format":"skyql change set 1","changes":[{"action":"update","type":"AWS::S3::Bucket","before":{},"after":{},"given":{}}]}`, "instead of an array")
}

// A saved plan is refused once what it was made from has changed.
func TestVerify(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.put(logGroup, "a", `{"LogGroupName":"a","RetentionInDays":7}`)
	f.put(logGroup, "b", `{"LogGroupName":"b"}`)
	s := newSet(t, intent(t, logGroup, "a", `{"LogGroupName":"a","RetentionInDays":7}`, `{"LogGroupName":"a","RetentionInDays":8}`),
		intent(t, logGroup, "b", `{"LogGroupName":"b"}`, ``), intent(t, logGroup, "c", ``, `{"LogGroupName":"c"}`), intent(t, queue, "", ``, `{"QueueName":"q"}`))
	check := func(at Place, want string) {
		t.Helper()
		got := ""
		if err := s.Verify(t.Context(), at, f.clouds, 0); err != nil {
			e := sqlerr.From(err)
			got = strings.TrimSpace(e.Message + "\n" + e.Detail)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	check(s.Place, "")
	check(Place{Sandbox: true, Partition: "aws-cn"}, "")
	check(Place{Endpoint: "http://localhost:1"}, "the plan can't be applied here: it belongs to the sandbox, and this is http://localhost:1")
	f.put(logGroup, "a", `{"LogGroupName":"a","RetentionInDays":7,"KmsKeyId":"k"}`)
	f.put(logGroup, "c", `{"LogGroupName":"c"}`)
	delete(f.world, logGroup+" b")
	check(s.Place, "the plan is out of date, and nothing was sent\naws.logs.log_groups a: kms_key_id was (absent) and is k\naws.logs.log_groups b: is gone\naws.logs.log_groups c: is there already")
}

func TestGuard(t *testing.T) {
	t.Parallel()
	s := planSet(t)
	check := func(g Guards, covers []Coverage, want string) {
		t.Helper()
		got := ""
		if err := s.Guard(g, covers); err != nil {
			e := sqlerr.From(err)
			got = strings.TrimSpace(e.Message + "\n" + e.Detail + "\n" + e.Hint)
		}
		if diff := cmp.Diff(want, strings.TrimSpace(got)); diff != "" {
			t.Error(diff)
		}
	}
	check(Guards{}, nil, "")
	check(Guards{MaxChanges: 7}, nil, "the plan has 8 changes, more than max_changes = 7\n\n--max-changes 8, or SET max_changes = 8")
	check(Guards{MaxChanges: -1}, nil, "")
	all := []Coverage{{Table: "aws.connect.users", Read: 3, Touched: 3, Listed: true}}
	check(Guards{}, all, "this would change all 3 rows of aws.connect.users\n\nSET allow_all_rows = true allows it for this session")
	check(Guards{AllRows: true}, all, "")
	check(Guards{}, []Coverage{{Table: "t", Read: 3, Touched: 2, Listed: true}, {Table: "t", Read: 1, Touched: 1, Listed: true}, {Table: "t", Read: 5, Touched: 5}}, "")
	protect := func(rules ...string) (out []Protection) {
		for _, text := range rules {
			p, err := ParseProtection(text)
			if err != nil || p.String() != text {
				t.Errorf("%s: %v, %v", text, p, err)
			}
			out = append(out, p)
		}
		return out
	}
	check(Guards{Protect: protect("type:AWS::RDS::*", "type:aws.ec2.*", "identifier:logs-*", "tag:env=prod", "tag:keep")}, nil, "")
	check(Guards{Protect: protect("type:AWS::S3::*", "identifier:*/q")}, nil, "1 of the changes would end what is protected, and nothing was sent\n-/+ aws.sqs.queues q: protect = 'identifier:*/q'")
	check(Guards{Protect: protect("identifier:*/old", "type:aws.sqs.*")}, nil,
		"2 of the changes would end what is protected, and nothing was sent\n- aws.sqs.queues old: protect = 'identifier:*/old'\n-/+ aws.sqs.queues q: protect = 'type:aws.sqs.*'")
	for _, bad := range []string{"", "tag", "tag:", "tag:=x", "name:x", "type:"} {
		if _, err := ParseProtection(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	tagged := func(before string) *Set {
		return newSet(t, intent(t, queue, "q", before, ""))
	}
	s = tagged(`{"Tags":[{"Key":"env","Value":"prod"}]}`)
	check(Guards{Protect: protect("tag:env=pr*")}, nil, "1 of the changes would end what is protected, and nothing was sent\n- aws.sqs.queues q: protect = 'tag:env=pr*'")
	check(Guards{Protect: protect("tag:env=dev", "tag:other")}, nil, "")
}

func TestGlob(t *testing.T) {
	t.Parallel()
	check := func(pattern, s string, want bool) {
		t.Helper()
		if glob(pattern, s) != want {
			t.Errorf("%s on %s: %t", pattern, s, !want)
		}
	}
	check("a", "a", true)
	check("a", "ab", false)
	check("*", "", true)
	check("a*", "abc", true)
	check("*c", "abc", true)
	check("a*c", "ac", true)
	check("a*c", "a", false)
	check("ab*ba", "aba", false)
	check("a*b*c", "axbxc", true)
	check("a*b*c", "axcxb", false)
}

// Every error code that a handler, the service or skyql itself may give, as a
// user sees it.
func TestAdvice(t *testing.T) {
	t.Parallel()
	handler := []string{"AlreadyExists", "NotFound", "NotUpdatable", "InvalidRequest", "AccessDenied", "UnauthorizedTaggingOperation", "InvalidCredentials", "ServiceLimitExceeded",
		"NotStabilized", "GeneralServiceException", "InternalFailure", "ResourceConflict", "Throttling", "ServiceInternalError", "ServiceTimeout", "NetworkFailure"}
	service := []string{"AlreadyExistsException", "ClientTokenConflictException", "ConcurrentOperationException", "ConcurrentModificationException", "GeneralServiceException",
		"HandlerFailureException", "HandlerInternalFailureException", "InvalidCredentialsException", "InvalidRequestException", "NetworkFailureException", "NotStabilizedException",
		"NotUpdatableException", "PrivateTypeException", "RequestTokenNotFoundException", "ResourceConflictException", "ResourceNotFoundException", "ServiceInternalErrorException",
		"ServiceLimitExceededException", "ThrottlingException", "TypeNotFoundException", "UnsupportedActionException", "ValidationException", "AccessDeniedException"}
	own := []string{Drifted, NeverArrived, "Cancelled", "NoCredentials", "NoAnswer", "ConnectionLost", "TimedOut", "MalformedAnswer"}
	create := &Change{Action: Create, Table: table(t, logGroup), Name: "a"}
	change := &Change{Action: Update, Table: table(t, logGroup), Name: "a"}
	var b strings.Builder
	for _, list := range [][]string{handler, service, own} {
		for _, code := range list {
			for _, c := range []*Change{create, change} {
				advice := Advice(code, operationOf(c))
				if advice == "" {
					t.Errorf("no advice for %s", code)
				}
				if c == change && advice == Advice(code, cloudcontrol.OpCreate) {
					continue
				}
				r := &Report{Set: &Set{ID: "20261123-7"}, Results: []Result{{Change: c, Outcome: Failed, Code: handlerCode(code), Message: "so it is", Advice: advice, Tries: 1}}}
				fmt.Fprintf(&b, "## %s of %s\n", c.Action.Word(), code)
				if err := r.WriteText(&b); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	golden(t, "advice.golden", b.String())
	if Advice("Nonsense", cloudcontrol.OpCreate) != "" {
		t.Error("advice on a code that nobody knows")
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	s := planSet(t)
	s.ID = "20261123-7"
	r := &Report{Set: s, Results: []Result{
		{Change: s.Changes[0], Outcome: Done, Took: 1200 * time.Millisecond},
		{Change: s.Changes[1], Outcome: Failed, Code: "ResourceConflict", Message: "another operation is in progress on this user", Tries: 3, Took: 9 * time.Second, Advice: Advice("ResourceConflict", cloudcontrol.OpUpdate)},
		{Change: s.Changes[2], Outcome: Failed, Code: "GeneralServiceException", Message: "token", Hooks: []string{"My::Company::Hook: no password may be set"}, Took: time.Second},
		{Change: s.Changes[3], Outcome: Failed, Code: "NotStabilized", Identifier: "half", Message: "never ready", Took: 70 * time.Second},
		{Change: s.Changes[4], Outcome: Skipped, Message: "waits for x, which is failed"},
		{Change: s.Changes[5], Outcome: Uncertain, Message: "the wait was given up"},
		{Change: s.Changes[6], Outcome: Asked, Request: "request-1"},
		{Change: s.Changes[7], Outcome: Failed, Code: Drifted, Message: "changed since it was read: batch_size was 1 and is 3", Advice: Advice(Drifted, cloudcontrol.OpUpdate)},
	}}
	var b bytes.Buffer
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.golden", b.String())
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "1 done, 4 failed, 1 unknown, 1 skipped, 1 asked") {
		t.Error(err)
	}
}

// Results of the same name are told apart.
func TestReportLabels(t *testing.T) {
	t.Parallel()
	role := of(t, "AWS::IAM::Role", "", `{"RoleName":"worker","AssumeRolePolicyDocument":{}}`)
	function := of(t, "AWS::Lambda::Function", "", `{"FunctionName":"worker","Role":"r","Code":{"ZipFile":"x"}}`)
	here, there, other := of(t, queue, "", `{"QueueName":"q"}`), of(t, queue, "", `{"QueueName":"q"}`), of(t, queue, "", `{"QueueName":"other"}`)
	there.Region = "eu-west-1"
	s, err := New(Place{}, []Intent{role, function, here, there, other}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := &Report{Set: s}
	for _, c := range s.Changes {
		r.Results = append(r.Results, Result{Change: c, Outcome: Done})
	}
	if diff := cmp.Diff([]string{"aws.iam.roles worker", "aws.lambda.functions worker", "q  111122223333 us-east-1", "q  111122223333 eu-west-1", "other"}, r.labels()); diff != "" {
		t.Error(diff)
	}
}

// The way back of each kind of change, and what has none.
func TestUndo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		f.put(logGroup, "old", `{"LogGroupName":"old","RetentionInDays":7,"Tags":[{"Key":"a","Value":"1"}]}`)
		f.put(logGroup, "gone", `{"LogGroupName":"gone","RetentionInDays":3,"Arn":"arn:x"}`)
		f.put(queue, "https://q", `{"QueueName":"q","QueueUrl":"https://q"}`)
		f.put(user, "u", connectUser("u", ""))
		before := map[string]string{}
		for k, m := range f.world {
			before[k] = string(encode(m))
		}
		a := &Applier{Clouds: f.clouds, Journal: j}
		s := newSet(t,
			intent(t, logGroup, "~1", "", `{"LogGroupName":"new"}`),
			intent(t, logGroup, "old", before[logGroup+" old"], `{"LogGroupName":"old","RetentionInDays":90,"KmsKeyId":"k","Tags":[{"Key":"a","Value":"2"}]}`),
			intent(t, logGroup, "gone", before[logGroup+" gone"], ""),
			intent(t, queue, "https://q", before[queue+" https://q"], ""),
			intent(t, user, "u", before[user+" u"], connectUser("u", `,"Password":"`+hidden+`","DirectoryUserId":"d"`)))
		r, err := a.Apply(t.Context(), s)
		if err != nil || !r.Complete() {
			t.Fatal(err, outcomes(r))
		}
		f.world[logGroup+" old"]["KmsKeyId"] = "theirs"
		h, err := j.Find(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		back, err := h.Set(catalog.Embedded())
		if err != nil {
			t.Fatal(err)
		}
		intents, notes, err := Undo(t.Context(), h, back, h.Place, f.clouds)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{
			"aws.connect.users u: password is write-only: what it was is not known",
			"aws.sqs.queues q: AWS gives it a new identifier: what refers to the old one has to be changed",
			"aws.logs.log_groups old: kms_key_id was changed by somebody else since, and is left as it is"}, notes); diff != "" {
			t.Error(diff)
		}
		undo, err := New(h.Place, intents, Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, err = a.Apply(t.Context(), undo)
		if err != nil || !r.Complete() {
			t.Fatal(err, outcomes(r))
		}
		want := map[string]string{
			logGroup + " old":     `{"KmsKeyId":"theirs","LogGroupName":"old","RetentionInDays":7,"Tags":[{"Key":"a","Value":"1"}]}`,
			logGroup + " gone":    `{"LogGroupName":"gone","RetentionInDays":3}`,
			queue + " assigned-1": `{"QueueName":"q","QueueUrl":"assigned-1"}`,
			user + " u":           string(encode(mustModel(t, connectUser("u", "")))),
		}
		got := map[string]string{}
		for k, m := range f.world {
			got[k] = string(encode(m))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if _, _, err := Undo(t.Context(), h, back, Place{}, f.clouds); err == nil || !strings.Contains(err.Error(), "it belongs to the sandbox") {
			t.Error(err)
		}
	})
}

func mustModel(t testing.TB, text string) map[string]any {
	t.Helper()
	m, err := parseModel(json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
