package change

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/sandbox"
)

// Models of every type that the sandbox makes and takes: the check has nothing
// against them, and a creation sends them as they are.
func TestCheckOfEveryType(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, e := range catalog.Embedded().Entries("") {
		if !e.Creatable {
			continue
		}
		tb := table(t, e.Type)
		for _, full := range []bool{false, true} {
			model, ok := sandbox.Model(tb, "111122223333", "us-east-1", full, 1)
			if !ok {
				continue
			}
			seen++
			text, err := json.Marshal(model)
			if err != nil {
				t.Fatal(err)
			}
			in := Intent{Table: tb, Account: "111122223333", Region: "us-east-1", Identifier: Placeholder + "new-1", After: text}
			for _, p := range Check([]Intent{in}, Options{}) {
				t.Errorf("%s (full %t, warning %t): %s (%s)", tb.Type, full, p.Warning, p, p.Fix)
			}
		}
	}
	if seen < 2800 {
		t.Errorf("only %d models", seen)
	}
}

// real gives the clients of a sandbox: the SDK over HTTP.
func real(t testing.TB, o sandbox.Options) (*sandbox.Server, Clouds) {
	t.Helper()
	if o.World == nil {
		o.World = &sandbox.World{Accounts: []sandbox.Account{{ID: "111122223333", Name: "a", Email: "a@example.com"}}, Regions: []string{"us-east-1"}}
		o.World.Add("111122223333", "us-east-1", logGroup, map[string]any{"LogGroupName": "old", "RetentionInDays": 7, "Arn": "arn:aws:logs:us-east-1:111122223333:log-group:old",
			"Tags": []any{map[string]any{"Key": "a", "Value": "1"}, map[string]any{"Key": "b", "Value": "2"}}})
		o.World.Add("111122223333", "us-east-1", logGroup, map[string]any{"LogGroupName": "gone", "Arn": "arn:aws:logs:us-east-1:111122223333:log-group:gone"})
	}
	s := sandbox.NewServer(o)
	t.Cleanup(s.Close)
	cloud, err := cloudcontrol.Open(t.Context(), cloudcontrol.Options{Endpoint: s.URL, Region: "us-east-1", Static: &cloudcontrol.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "dummy"}})
	if err != nil {
		t.Fatal(err)
	}
	return s, func(ctx context.Context, account, region string) (Cloud, error) {
		return cloud.Client(ctx, account, region)
	}
}

// as reads a resource, for an intent.
func as(t testing.TB, clouds Clouds, typ, id string, set map[string]json.RawMessage) Intent {
	t.Helper()
	c, err := clouds(t.Context(), "111122223333", "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Get(t.Context(), typ, id)
	if err != nil {
		t.Fatal(err)
	}
	in := Intent{Table: table(t, typ), Account: "111122223333", Region: "us-east-1", Identifier: d.Identifier, Before: d.Properties, ReadAt: time.Now()}
	if set != nil {
		if in.After, err = Merge(d.Properties, set); err != nil {
			t.Fatal(err)
		}
	}
	return in
}

const roleText = `{"RoleName":"runner","AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}]}}`

// The whole life of changes against the sandbox, whichever way it takes what
// the contract leaves open, however it reads back, and with answers that break
// off: the same end, and nothing made twice.
func TestAgainstSandbox(t *testing.T) {
	t.Parallel()
	queueGroup := sandbox.Names{"CreateResource", "UpdateResource", "DeleteResource"}
	for name, o := range map[string]sandbox.Options{
		"plain":       {},
		"slow":        {Work: sandbox.Work{Delay: 20 * time.Millisecond, Polls: 1, LateIdentifier: true}},
		"replay":      {Contract: sandbox.Contract{ReplayCurrent: true}, Work: sandbox.Work{AtOnce: true}},
		"late":        {Contract: sandbox.Contract{SchemaFaultsLate: true, PatchFaultsLate: true, MissingUpdateLate: true, CreatesOverlap: true}},
		"at once":     {Contract: sandbox.Contract{ExistsAtOnce: true, MissingDeleteSync: true, TokenConflictsPass: true}},
		"odd reads":   {Reads: sandbox.Reads{Reorder: true, Defaults: true, EmptyArrays: true, Transform: true, PolicyText: true, SystemTags: true}},
		"lost before": {Faults: &sandbox.Faults{Rules: []sandbox.Rule{{Operation: queueGroup, First: 3, Reset: "before"}}}},
		"lost after":  {Faults: &sandbox.Faults{Rules: []sandbox.Rule{{Operation: queueGroup, First: 3, Reset: "after"}}}},
		"throttled":   {Faults: &sandbox.Faults{Rules: []sandbox.Rule{{Operation: queueGroup, Every: 2, Error: "ThrottlingException"}}}},
		"lag":         {Lag: sandbox.Lag{Reads: 2, Lists: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, clouds := real(t, o)
			made := func(typ, text string) Intent { return intent(t, typ, "", "", text) }
			s := newSet(t,
				made("AWS::Lambda::Function", `{"FunctionName":"worker","Role":"arn:aws:iam::111122223333:role/runner","Code":{"ZipFile":"x"},"Handler":"a.b","Runtime":"python3.13"}`),
				made("AWS::IAM::Role", roleText), made(queue, `{"QueueName":"jobs","VisibilityTimeout":30}`),
				as(t, clouds, logGroup, "old", map[string]json.RawMessage{"RetentionInDays": json.RawMessage(`90`), "Tags": json.RawMessage(`[{"Key":"b","Value":"2"},{"Key":"c","Value":"3"}]`)}),
				as(t, clouds, logGroup, "gone", nil))
			j := journal(t)
			defer j.Close()
			r, err := (&Applier{Clouds: clouds, Journal: j, ReadBack: true, Asked: true}).Apply(t.Context(), s)
			if err != nil || !r.Complete() {
				t.Fatal(err, outcomes(r))
			}
			for typ, want := range map[string]int{"AWS::Lambda::Function": 1, "AWS::IAM::Role": 1, queue: 1, logGroup: 1} {
				if got := srv.Identifiers("111122223333", "us-east-1", typ); len(got) != want {
					t.Errorf("%s: %v", typ, got)
				}
			}
			// The same wishes again change nothing.
			var again []Intent
			for _, x := range r.Results {
				if x.Change.Action == Delete {
					continue
				}
				set := map[string]json.RawMessage{}
				for k, v := range x.Change.after {
					if !x.Change.rules.writeOnly.covers([]string{k}) && !x.Change.rules.writeOnly.below([]string{k}) && !x.Change.rules.readOnly.covers([]string{k}) {
						set[k] = encode(v)
					}
				}
				again = append(again, as(t, clouds, x.Change.Table.Type, x.Identifier, set))
			}
			next := newSet(t, again...)
			for _, c := range next.Changes {
				t.Errorf("%s changes again: %s", c, opsText(t, c.Patch))
			}
		})
	}
}

// A conflict: somebody else at work between plan and apply.
func TestConflictInSandbox(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		srv, clouds := real(t, sandbox.Options{Contract: sandbox.Contract{PatchFaultsLate: late}})
		s := newSet(t, as(t, clouds, logGroup, "old", map[string]json.RawMessage{"RetentionInDays": json.RawMessage(`90`)}))
		if err := srv.Put(sandbox.Resource{Type: logGroup, Account: "111122223333", Region: "us-east-1",
			Properties: map[string]any{"LogGroupName": "old", "RetentionInDays": 30}}); err != nil {
			t.Fatal(err)
		}
		j := journal(t)
		r, err := (&Applier{Clouds: clouds, Journal: j}).Apply(t.Context(), s)
		j.Close()
		wantOutcomes(t, r, err, "~ old: failed Drifted: changed since it was read: retention_in_days was 7 and is 30")
	}
}

// An update of every type that has something to update: the sandbox, which
// holds patches to the schema, takes the patch, and the next read is as wanted.
func TestUpdateInSandbox(t *testing.T) {
	t.Parallel()
	world := &sandbox.World{Accounts: []sandbox.Account{{ID: "111122223333", Name: "a", Email: "a@example.com"}}, Regions: []string{"us-east-1"}}
	srv, clouds := real(t, sandbox.Options{World: world, Populate: 2, Work: sandbox.Work{AtOnce: true}})
	var intents []Intent
	entries := catalog.Embedded().Entries("")
	for i := 0; i < len(entries); i += 12 {
		e := entries[i]
		ids := srv.Identifiers("111122223333", "us-east-1", e.Type)
		if !e.Updatable || len(ids) < 2 {
			continue
		}
		// One takes over what may be changed of the other.
		one, other := as(t, clouds, e.Type, ids[0], nil), as(t, clouds, e.Type, ids[1], nil)
		if in, ok := takeOver(t, one, other); ok {
			intents = append(intents, in)
		}
	}
	s, err := New(Place{}, intents, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Changes) < 40 {
		t.Errorf("only %d updates", len(s.Changes))
	}
	j := journal(t)
	defer j.Close()
	r, err := (&Applier{Clouds: clouds, Journal: j, ReadBack: true}).Apply(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Results {
		if x.Outcome != Done {
			t.Errorf("%s: %s %s: %s\n%s", x.Change, x.Outcome, x.Code, x.Message, opsText(t, x.Change.Patch))
			continue
		}
		for _, d := range x.Change.rules.differences(mustModel(t, string(x.Properties)), x.Change.after).found {
			if !x.Change.rules.readOnly.covers(d.at) {
				t.Errorf("%s: %s is %v and not %v", x.Change, pointer(d.at), d.old, d.new)
			}
		}
	}
}

// takeOver makes an intent that gives one resource what another has, as far as
// the schema lets it.
func takeOver(t testing.TB, one, other Intent) (Intent, bool) {
	r := rulesOf(one.Table)
	set := map[string]json.RawMessage{}
	for k, v := range mustModel(t, string(other.Before)) {
		at := []string{k}
		if !slices.ContainsFunc([]pattern{r.readOnly, r.createOnly, r.writeOnly, r.patternOf(one.Table.ConditionalCreateOnly)}, func(p pattern) bool { return p.covers(at) || p.below(at) }) {
			set[k] = encode(v)
		}
	}
	after, err := Merge(one.Before, set)
	if err != nil {
		t.Fatal(err)
	}
	one.After = after
	// The sandbox holds the whole model to the schema, what was there too.
	v := &validator{rules: r}
	v.value(r.table.Root, nil, mustModel(t, string(after)), 0)
	return one, len(v.found) == 0 && len(Check([]Intent{one}, Options{})) == 0
}
