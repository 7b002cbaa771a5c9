package change

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
)

// A patch document of the user's own: checked, shown, and sent byte for byte.
func TestGivenPatch(t *testing.T) {
	t.Parallel()
	const before = `{"LogGroupName":"g","RetentionInDays":7,"Arn":"arn:x"}`
	given := func(patch string) Intent {
		in := intent(t, logGroup, "g", before, "")
		in.Patch = json.RawMessage(patch)
		return in
	}
	check := func(patch, want string) {
		t.Helper()
		got := ""
		s, err := New(Place{}, []Intent{given(patch)}, Options{})
		if err != nil {
			got = err.Error()
			var ps Problems
			if errors.As(err, &ps) && ps[0].Fix != "" {
				got += " (" + ps[0].Fix + ")"
			}
		} else {
			var b bytes.Buffer
			for _, c := range s.Changes {
				for _, d := range c.Differences {
					b.WriteString(d.Path + " " + brief(d.Old) + " → " + brief(d.New) + "; ")
				}
				body, _ := c.body(cloudcontrol.OpUpdate)
				b.WriteString(string(body))
			}
			got = b.String()
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", patch, got, want)
		}
	}
	const odd = "[ {\"op\":\"replace\", \"path\":\"RetentionInDays\",\"value\":90} ]"
	check(odd, "retention_in_days 7 → 90; "+odd)
	check(`[]`, `[]`)
	check(`[{"op":"test","path":"/RetentionInDays","value":8}]`, "aws.logs.log_groups g: operation 1 of the patch, test /RetentionInDays: the value is another one")
	check(`[{"op":"replace","path":"/KmsKeyId","value":"k"}]`, `aws.logs.log_groups g: operation 1 of the patch, replace /KmsKeyId: there is nothing at this path ({"op":"add","path":"/KmsKeyId",…})`)
	check(`[{"op":"add","path":"/LogGroupName","value":"h"}]`, `aws.logs.log_groups g: log_group_name = "h" can be set only when the resource is made (SET replace = 'allow' deletes the resource and makes it anew)`)
	check(`[{"op":"add","path":"/Arn","value":"h"}]`, `aws.logs.log_groups g: arn is read-only: AWS sets it (leave arn out)`)
	check(`[{"op":"add","path":"/Retention","value":1}]`, `aws.logs.log_groups g: retention is no property of AWS::Logs::LogGroup (did you mean RetentionInDays?)`)
	check(`[{"op":"add","path":"/RetentionInDays","value":"x"}]`, `aws.logs.log_groups g: retention_in_days = "x" must be an integer, not a string`)
	check(`[{"op":"add"`, "aws.logs.log_groups g: patch document: at byte 13: it ends too early")
	check("[{\"op\":\"\xff\"}]", "aws.logs.log_groups g: patch document: not UTF-8")
	check(`[{"op":"replace","path":"","value":[]}]`, "aws.logs.log_groups g: the patch leaves array instead of an object")
	in := given(`[]`)
	in.Before = nil
	if _, err := New(Place{}, []Intent{in}, Options{}); err == nil || !strings.Contains(err.Error(), "a patch needs a resource that is there") {
		t.Error(err)
	}
	in = of(t, user, connectUser("u", ""), "")
	in.Patch = json.RawMessage(`[{"op":"replace","path":"/Password","value":"x"}]`)
	if ps := Check([]Intent{in}, Options{}); len(ps) != 1 || !strings.Contains(ps[0].Fix, "write-only") {
		t.Error(ps)
	}
}

// A patch with a secret is saved without it, and whole once it is given again.
func TestGivenPatchWithSecret(t *testing.T) {
	t.Parallel()
	in := of(t, user, connectUser("u", ""), "")
	in.Patch = json.RawMessage(`[{"op":"add","path":"/Password","value":"` + hidden + `"},{"op":"add","path":"/DirectoryUserId","value":"d"}]`)
	s := newSet(t, in)
	var file bytes.Buffer
	if err := s.Save(&file); err != nil || bytes.Contains(file.Bytes(), []byte(hidden)) {
		t.Fatal(err, file.String())
	}
	back, err := Load(&file, catalog.Embedded())
	if err != nil {
		t.Fatal(err)
	}
	if err := back.Give(map[string]string{"password": hidden}); err != nil {
		t.Fatal(err)
	}
	body, sealed := back.Changes[0].body(cloudcontrol.OpUpdate)
	if diff := cmp.Diff(string(in.Patch), string(body)); diff != "" || !sealed || len(back.Missing()) > 0 {
		t.Error(diff)
	}
}

// Secrets that are no text are given as JSON.
func TestGiveJSON(t *testing.T) {
	t.Parallel()
	s := newSet(t, of(t, "AWS::Lambda::Function", "", `{"FunctionName":"f","Role":"r","Code":{"ZipFile":"x"}}`),
		of(t, "AWS::EC2::LaunchTemplate", "", `{"LaunchTemplateName":"l","LaunchTemplateData":{"ImageId":"ami-1"}}`))
	var file bytes.Buffer
	if err := s.Save(&file); err != nil {
		t.Fatal(err)
	}
	back, err := Load(&file, catalog.Embedded())
	if err != nil {
		t.Fatal(err)
	}
	if err := back.Give(map[string]string{"launch_template_data": "ami-1"}); err == nil || !strings.Contains(err.Error(), "must be an object, as JSON") {
		t.Error(err, back.Missing())
	}
	if err := back.Give(map[string]string{"launch_template_data": `{"ImageId":"ami-1"}`, "code": "x", "code_zip_file": "x"}); err != nil || len(back.Missing()) > 0 {
		t.Error(err, back.Missing())
	}
	for i, c := range s.Changes {
		if diff := cmp.Diff(string(c.After), string(back.Changes[i].After)); diff != "" {
			t.Error(diff)
		}
	}
}

// AlreadyExists after a lost answer: what is there decides.
func TestExistsAfterLostAnswer(t *testing.T) {
	t.Parallel()
	check := func(there, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			f, j := newFake(t), journal(t)
			defer j.Close()
			f.put(logGroup, "g", there)
			n := 0
			f.before = func(op string) error {
				if n++; op == "Create" && n == 1 {
					return lost()
				}
				return nil
			}
			r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, intent(t, logGroup, "", "", `{"LogGroupName":"g","RetentionInDays":7}`)))
			wantOutcomes(t, r, err, want)
		})
	}
	check(`{"LogGroupName":"g","RetentionInDays":7,"Arn":"a"}`, "+ g: done")
	check(`{"LogGroupName":"g","RetentionInDays":9}`, "+ g: failed AlreadyExists: Resource of type 'AWS::Logs::LogGroup' with identifier 'g' already exists.; what is there is not what was wanted")
}

// An update that failed half-way goes on from where it is; one that somebody
// else got between does not.
func TestRebase(t *testing.T) {
	t.Parallel()
	check := func(now, want, end string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			f, j := newFake(t), journal(t)
			defer j.Close()
			f.put(logGroup, "g", `{"LogGroupName":"g","RetentionInDays":7,"KmsKeyId":"a"}`)
			failed := false
			f.fail = func(r *fakeRequest) *cloudcontrol.Event {
				if failed {
					return nil
				}
				failed = true
				f.put(logGroup, "g", now)
				return &cloudcontrol.Event{Code: "ServiceTimeout", Message: "slow"}
			}
			r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t,
				intent(t, logGroup, "g", `{"LogGroupName":"g","RetentionInDays":7,"KmsKeyId":"a"}`, `{"LogGroupName":"g","RetentionInDays":8,"KmsKeyId":"b"}`)))
			wantOutcomes(t, r, err, want)
			if diff := cmp.Diff(mustModel(t, end), f.world[logGroup+" g"]); diff != "" {
				t.Error(diff)
			}
		})
	}
	const whole = `{"LogGroupName":"g","RetentionInDays":8,"KmsKeyId":"b"}`
	check(`{"LogGroupName":"g","RetentionInDays":8,"KmsKeyId":"a"}`, "~ g: done (2 tries)", whole)
	check(`{"LogGroupName":"g","RetentionInDays":7,"KmsKeyId":"a"}`, "~ g: done (2 tries)", whole)
	check(whole, "~ g: done", whole)
	const theirs = `{"LogGroupName":"g","RetentionInDays":99,"KmsKeyId":"a"}`
	check(theirs, "~ g: failed Drifted: changed since it was read: retention_in_days was 7 and is 99", theirs)
}

// A create that is throttled is repeated for a type whose resources AWS names
// only if nothing like it is there.
func TestAbsent(t *testing.T) {
	t.Parallel()
	check := func(there, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			f, j := newFake(t), journal(t)
			defer j.Close()
			failed := false
			f.fail = func(r *fakeRequest) *cloudcontrol.Event {
				if failed {
					return nil
				}
				failed = true
				if there != "" {
					f.put(queue, "https://q", there)
				}
				return &cloudcontrol.Event{Code: "Throttling", Message: "slow"}
			}
			r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, intent(t, queue, "", "", `{"QueueName":"q"}`)))
			wantOutcomes(t, r, err, want)
		})
	}
	check("", "+ q: done (2 tries)")
	check(`{"QueueName":"other"}`, "+ q: done (2 tries)")
	check(`{"QueueName":"q"}`, "+ q: unknown Throttling: slow; it may have been made: see https://q")
}

// What was made a moment ago may not be found by an update at first.
func TestUpdateOfYoung(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		a := &Applier{Clouds: f.clouds, Journal: j}
		r, err := a.Apply(t.Context(), newSet(t, intent(t, logGroup, "", "", `{"LogGroupName":"g"}`)))
		wantOutcomes(t, r, err, "+ g: done")
		left := 2
		f.before = func(op string) error {
			if left--; op == "Update" && left >= 0 {
				return apiError("ResourceNotFoundException", "not there")
			}
			return nil
		}
		r, err = a.Apply(t.Context(), newSet(t, intent(t, logGroup, "g", `{"LogGroupName":"g"}`, `{"LogGroupName":"g","RetentionInDays":7}`)))
		wantOutcomes(t, r, err, "~ g: done (2 tries)")
	})
}

// Some types are made anew before the old one is deleted.
func TestReplaceCreatesFirst(t *testing.T) {
	t.Parallel()
	tb := *table(t, queue)
	tb.ReplacementStrategy = "create_then_delete"
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		const before = `{"QueueName":"q","FifoQueue":false,"QueueUrl":"https://q"}`
		f.put(queue, "https://q", before)
		in := Intent{Table: &tb, Account: "1", Region: "r", Identifier: "https://q", Before: json.RawMessage(before), After: json.RawMessage(strings.Replace(before, "false", "true", 1)), ReadAt: time.Now()}
		s, err := New(Place{}, []Intent{in}, Options{Replace: true})
		if err != nil {
			t.Fatal(err)
		}
		r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), s)
		wantOutcomes(t, r, err, "-/+ q: done")
		if f.all[0].op != cloudcontrol.OpCreate || f.all[1].op != cloudcontrol.OpDelete || r.Results[0].Identifier != "assigned-1" || len(f.world) != 1 {
			t.Errorf("%v %+v", f.world, r.Results[0])
		}
	})
}

// Rules below the top level, and numbers.
func TestCheckBelow(t *testing.T) {
	t.Parallel()
	check := func(typ, before, after string, want ...string) {
		t.Helper()
		var got []string
		for _, p := range Check([]Intent{of(t, typ, before, after)}, Options{}) {
			line := p.Path + " " + p.Rule
			if p.Warning {
				line = "warning: " + line
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s → %s\n%s", typ, before, after, diff)
		}
	}
	check(queue, "", `{"Tags":[{"Key":"a"}],"DelaySeconds":1.5}`, "delay_seconds must be an integer, not a number", "tags[0].Value is required")
	check("AWS::EC2::Volume", "", `{"AvailabilityZone":"a","Size":"x"}`, "size must be an integer, not a string")
	check(user, "", connectUserWith(`,"PhoneConfig":{"PhoneType":"SOFT_PHONE","AfterContactWorkTimeLimit":-1}`), "warning: phone_config.AfterContactWorkTimeLimit must be at least 0")
	check(user, "", connectUserWith(`,"Username":""`), "warning: username must have at least 1 characters, not 0", `warning: username does not match [a-zA-Z0-9\_\-\.\@]+`)
	check("AWS::KMS::Key", "", `{"PendingWindowInDays":31}`, "warning: pending_window_in_days must be at most 30")
	// A create-only value below the top level that was not there.
	check("AWS::Lambda::Function", `{"FunctionName":"f","Role":"r"}`, `{"FunctionName":"f","Role":"r","TenancyConfig":{"TenantIsolationMode":"PER_TENANT"}}`,
		"tenancy_config can be set only when the resource is made")
}

func connectUserWith(more string) string {
	return strings.Replace(connectUser("u", more), `"UserArn":"`+instance+`/agent/u"`, `"DirectoryUserId":"d"`, 1)
}

// What Hooks said of a request whose first answer was its last.
func TestHooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		f.time = 0
		f.fail = func(r *fakeRequest) *cloudcontrol.Event {
			r.event.HooksRequest = "h"
			return &cloudcontrol.Event{Code: "GeneralServiceException", Message: "token", Hooks: []cloudcontrol.Hook{
				{Type: "My::Good", Status: "HOOK_COMPLETE_SUCCEEDED", Message: "fine"}, {Type: "My::Bad", Status: "HOOK_COMPLETE_FAILED", Message: "no public queues"}}}
		}
		r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, intent(t, queue, "", "", `{"QueueName":"q"}`)))
		wantOutcomes(t, r, err, "+ q: failed GeneralServiceException: token")
		if diff := cmp.Diff([]string{"My::Bad: no public queues"}, r.Results[0].Hooks); diff != "" {
			t.Error(diff)
		}
	})
}

// How changes of lists are shown, and values that could be mistaken.
func TestLines(t *testing.T) {
	t.Parallel()
	check := func(typ, before, after string, want ...string) {
		t.Helper()
		c, ps := read(ruleBook{}, 0, of(t, typ, before, after), Options{})
		if err := ps.Err(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range c.lines() {
			got = append(got, l[0]+" "+l[1])
		}
		for _, u := range c.Unknown {
			got = append(got, "unknown "+u)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	check(user, connectUser("u", ""), strings.Replace(connectUser("u", ""), `["`+instance+`/security-profile/6f2b1d0e-0000-4000-8000-000000000003"]`, `["x"]`, 1),
		"security_profile_arns - "+cutText(instance+"/security-profile/6f2b1d0e-0000-4000-8000-000000000003", 100), "security_profile_arns + x")
	check(logGroup, `{"LogGroupName":"g","KmsKeyId":"a"}`, `{"LogGroupName":"g","KmsKeyId":"7"}`, `kms_key_id a → "7"`)
	check(logGroup, `{"LogGroupName":"g","KmsKeyId":"a"}`, `{"LogGroupName":"g","KmsKeyId":"x\u001b[2Jy"}`, "kms_key_id a → x·[2Jy")
	check(logGroup, `{"LogGroupName":"g"}`, `{"LogGroupName":"g","Tags":[{"Key":"a","Value":""}]}`, `tags.a (absent) → ""`)
	check("AWS::Lambda::EventSourceMapping", `{"Id":"m","FunctionName":"f","FilterCriteria":{"Filters":[]},"BatchSize":1}`, `{"Id":"m","FunctionName":"g","BatchSize":2}`,
		"function_name f → g", "batch_size 1 → 2")
	check("AWS::GameLift::Fleet", `{"Name":"f","AnywhereConfiguration":{"Cost":"1"}}`, `{"Name":"f","AnywhereConfiguration":{"Cost":"2"}}`, "unknown anywhere_configuration.Cost")
}

// Text that is no journal is never one, and what is read is whole.
func FuzzJournal(f *testing.F) {
	plan := saved{Format: savedFormat, Changes: []savedChange{{Action: "replace", Type: queue}}}
	var text []byte
	for _, r := range []record{{Kind: "set", Set: "a", Plan: &plan}, {Kind: "call", Set: "a", Change: 1, Op: "CREATE"}, {Kind: "event", Set: "a", Change: 1, Identifier: "x"}, {Kind: "end", Set: "a", Change: 1, Part: 1, Outcome: "done"}, {Kind: "close", Set: "a"}} {
		text = append(text, encodeRecord(r)...)
	}
	f.Add(text, 3)
	f.Add([]byte("00000000 {}\n"), 0)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		sets, whole, err := readJournal(text)
		if err != nil {
			return
		}
		again, same, err := readJournal(text[:whole])
		if err != nil || same != whole || len(again) != len(sets) {
			t.Errorf("%d sets in %d bytes, read again %d in %d: %v", len(sets), whole, len(again), same, err)
		}
	})
}
