package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// faulty gives a script on a sandbox with the faults of a file.
func faulty(t *testing.T, file string) *script {
	t.Helper()
	f, err := ReadFaults([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return play(t, Options{Faults: &f.Faults, Contract: f.Contract})
}

// What each kind of rule does to calls.
func TestFaults(t *testing.T) {
	t.Parallel()
	create := func(s *script) { s.create(logGroup, group("a")).ended() }
	get := func(s *script) {
		s.last = s.call("GetResource", members(nil, "TypeName", logGroup, "Identifier", "my-log-group"))
		s.last.ProgressEvent.Identifier = s.last.ResourceDescription.Properties
	}
	list := func(s *script) {
		s.last = answer{status: 200}
		s.last.ProgressEvent.Identifier = strings.Join(s.list(queue, nil), " ")
	}
	check := func(file string, do func(*script), want string) {
		t.Helper()
		s := faulty(t, "[[rule]]\n"+strings.ReplaceAll(file, "; ", "\n"))
		do(s)
		s.want(want)
	}
	const whole = `{"LogGroupName":"my-log-group","RetentionInDays":90,"Arn":"arn:aws:logs:us-east-1:111122223333:log-group:my-log-group:*"}`
	check(`operation = "UpdateResource"; error = "ThrottlingException"`, get, whole) // another operation's
	check(`type = ["AWS::SQS::*", "AWS::SNS::*"]; error = "ThrottlingException"`, get, whole)
	check(`region = "eu-*"; error = "ThrottlingException"`, get, whole)
	check(`error = "ThrottlingException"`, get, "400 ThrottlingException: ")
	check(`type = "AWS::Logs::*"; identifier = "my-*"; error = "AccessDeniedException"; message = "no"`, get, "400 AccessDeniedException: no")
	check(`error = "HandlerInternalFailureException"`, get, "500 HandlerInternalFailureException: AWS::Logs::LogGroup Handler returned status FAILED: null (HandlerErrorCode: InternalFailure, RequestToken: *)")
	check(`status = 503`, get, "503 : invalid character '<' looking for beginning of value: <html><body><h1>Service Unavailable</h1></body></html>\n")
	check(`operation = "CreateResource"; region = "us-*"; error = "UnsupportedActionException"; message = "not here"`, create, "400 UnsupportedActionException: not here")
	check(`type = "AWS::Logs::*"; operation = "GetResourceRequestStatus"; error = "ThrottlingException"`, create, "400 ThrottlingException: ")
	check(`error = "ConcurrentOperationException"`, create, "400 ConcurrentOperationException: Refused by a rule of the sandbox's faults")
	check(`stuck = true; early = true`, func(s *script) {
		create(s)
		s.last.ProgressEvent = event{Identifier: s.get(logGroup, "a")[:5]}
	}, `{"Log`)
	for _, code := range exceptions {
		status := 400
		if slices.Contains(serverFaults, code) {
			status = 500
		}
		check(fmt.Sprintf(`error = %q; message = "why"`, code), get, fmt.Sprint(status, " ", code, ": why"))
	}
	for _, code := range handlerCodes {
		check(fmt.Sprintf(`fail = %q; message = "why"`, code), create, "FAILED a "+code+" why")
	}
	check(`fail = "NotStabilized"; half_made = true`, create, "FAILED a NotStabilized")
	check(`half_made = true`, func(s *script) { create(s); create(s) }, "FAILED a AlreadyExists Resource of type 'AWS::Logs::LogGroup' with identifier 'a' already exists.")
	check(`half_made = true; first = 1`, func(s *script) { create(s); create(s) }, "FAILED a AlreadyExists Resource of type 'AWS::Logs::LogGroup' with identifier 'a' already exists.")
	check(`hook = "encrypt it"`, create, "FAILED a GeneralServiceException Hook failed")
	check(`hook = "encrypt it"`, func(s *script) {
		create(s)
		h := s.last.HooksProgressEvent[0]
		s.last.ProgressEvent = event{Identifier: fmt.Sprint(h["HookStatus"], " ", h["HookStatusMessage"], " ", s.last.ProgressEvent.HooksRequestToken != "")}
	}, "HOOK_COMPLETE_FAILED encrypt it true")
	check(`half_made = true`, func(s *script) {
		s.create(logGroup, `{"LogGroupName":"my-log-group"}`).ended()
		s.last.ProgressEvent = event{Identifier: s.last.ProgressEvent.ErrorCode + s.get(logGroup, "my-log-group")}
	}, "AlreadyExists"+whole)
	check(`stuck = true`, func(s *script) { s.create(logGroup, group("a")).poll().poll() }, "IN_PROGRESS a")
	check(`at_once = true`, func(s *script) { s.create(logGroup, group("a")) }, "SUCCESS a")
	check(`polls = 2; late_identifier = true; retry_after = "-1s"`, func(s *script) { s.create(logGroup, group("a")).poll() }, "IN_PROGRESS")
	check(`operation = "GetResource"; vanish = true`, get, `400 ResourceNotFoundException: AWS::Logs::LogGroup Handler returned status FAILED: Resource of type 'AWS::Logs::LogGroup' with identifier '{"/properties/LogGroupName":"my-log-group"}' was not found. (HandlerErrorCode: NotFound, RequestToken: *)`)
	check(`operation = "ListResources"; vanish = true; page_size = 7`, func(s *script) { list(s); list(s) }, "u0 u1 u2 u3 u4 u5")
	check(`page_size = 2; empty_pages = true`, list, "u0 u1 u2 u3 u4 u5 u6")
	check(`unseen_reads = 2; operation = "GetResource"`, func(s *script) {
		create(s)
		s.last.ProgressEvent = event{Identifier: s.get(logGroup, "a") + " " + s.get(logGroup, "a") + " " + s.get(logGroup, "a")[:4]}
	}, `ResourceNotFoundException ResourceNotFoundException {"Lo`)
	check(`unseen_lists = 2; operation = "ListResources"`, func(s *script) {
		create(s)
		var seen []string
		for range 3 {
			seen = append(seen, strings.Join(s.list(logGroup, nil), "+"))
		}
		s.last.ProgressEvent = event{Identifier: strings.Join(seen, " ")}
	}, "my-log-group my-log-group a+my-log-group")
	check(`list = "full"`, func(s *script) {
		s.last = s.call("ListResources", members(nil, "TypeName", logGroup))
		s.last.ProgressEvent.Identifier = s.last.ResourceDescriptions[0].Properties
	}, whole)
}

// Calls are counted for the rules that they fit.
func TestFaultsByCount(t *testing.T) {
	t.Parallel()
	check := func(file, want string) {
		t.Helper()
		s := faulty(t, "seed = 7\n[[rule]]\nerror = \"ThrottlingException\"\n"+file)
		got := ""
		for range 12 {
			got += map[bool]string{true: "x", false: "."}[s.get(logGroup, "my-log-group") == "ThrottlingException"]
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", file, got, want)
		}
	}
	check(`calls = [1, 3]`, "x.x.........")
	check(`first = 2`, "xx..........")
	check(`after = 9`, ".........xxx")
	check(`every = 4`, "...x...x...x")
	check("every = 2\nafter = 4\nfirst = 8", ".....x.x....")
	check(`probability = 1.0`, "xxxxxxxxxxxx")
	s, again := "", ""
	for _, to := range []*string{&s, &again} {
		x := faulty(t, "[[rule]]\nerror = \"ThrottlingException\"\nprobability = 0.5")
		for range 200 {
			*to += x.get(logGroup, "my-log-group")[:1]
		}
	}
	if n := strings.Count(s, "T"); s != again || n < 60 || n > 140 {
		t.Errorf("%d of 200 by half a chance, the same twice: %v", n, s == again)
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		pattern, name string
		want          bool
	}{{"", "", true}, {"a", "", false}, {"", "a", false}, {"*", "", true}, {"*", "a/b", true}, {"a*", "a", true}, {"*c", "abc", true}, {"*b", "abc", false}, {"a?c", "abc", true}, {"a?", "a", false},
		{"AWS::*::Queue", "AWS::SQS::Queue", true}, {"*a*b*", "xxaxxbxx", true}, {"*a*b*", "xxbxxaxx", false}, {"arn:*:queue/*", "arn:aws:sqs:us-east-1:1:queue/x/y", true}, {"[", "[", true}} {
		if got := fits(x.pattern, x.name); got != x.want {
			t.Errorf("%q %q: %v", x.pattern, x.name, got)
		}
	}
}

// A broken connection before the handler, and after it.
func TestFaultsReset(t *testing.T) {
	t.Parallel()
	for when, made := range map[string]bool{"before": false, "after": true} {
		s := serve(t, Options{World: one(), Faults: &Faults{Rules: []Rule{{Operation: Names{"CreateResource"}, Reset: when}}}})
		r, err := http.NewRequest(http.MethodPost, s.URL, strings.NewReader(string(encode(members(nil, "TypeName", logGroup, "DesiredState", group("a"))))))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "CloudApiService.CreateResource")
		sign(r, "cloudcontrolapi", "us-east-1")
		if resp, err := http.DefaultClient.Do(r); err == nil {
			resp.Body.Close()
			t.Errorf("%s: an answer came: %s", when, resp.Status)
		}
		if got := len(s.Identifiers("111122223333", "us-east-1", logGroup)) == 2; got != made || s.Calls()["CreateResource"] != 1 {
			t.Errorf("%s: made %v, calls %v", when, got, s.Calls())
		}
	}
}

func TestFaultsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := faulty(t, "[[rule]]\nlatency = \"3s\"\noperation = \"GetResource\"\n[[rule]]\npending = \"1s\"\ndelay = \"10s\"\n[[rule]]\nthrottle = 1.0\noperation = \"ListResources\"\n"+
			"[[rule]]\nunseen_reads_for = \"1m\"\nunseen_lists_for = \"2m\"\n[contract]\ncancel_delay = \"4s\"")
		start := time.Now()
		s.get(logGroup, "my-log-group")
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("a read took %v", d)
		}
		s.create(logGroup, group("a")).want("PENDING a")
		time.Sleep(2 * time.Second)
		s.poll().want("IN_PROGRESS a")
		time.Sleep(9 * time.Second)
		s.poll().want("SUCCESS a")
		time.Sleep(30 * time.Second)
		if got := s.get(logGroup, "a"); got != "ResourceNotFoundException" {
			t.Errorf("after half a minute: %s", got)
		}
		time.Sleep(30 * time.Second)
		if got := s.get(logGroup, "a"); got == "ResourceNotFoundException" {
			t.Error("not there after a minute")
		}
		if got := s.list(logGroup, nil); len(got) != 1 {
			t.Errorf("the list has %v", got)
		}
		if got := s.list(logGroup, nil); !strings.Contains(got[0], "ThrottlingException") {
			t.Errorf("a second list in a second: %v", got)
		}
		time.Sleep(2 * time.Minute)
		if got := s.list(logGroup, nil); len(got) != 2 {
			t.Errorf("the list has %v", got)
		}
	})
}

// Reads that differ from what was written, and updates that begin with them.
func TestFaultyReads(t *testing.T) {
	t.Parallel()
	check := func(how, typ, desired, want string) *script {
		t.Helper()
		s := faulty(t, "[[rule]]\n"+how+" = true")
		if s.create(typ, desired).ended(); s.last.ProgressEvent.OperationStatus != "SUCCESS" {
			t.Fatalf("%s: %s", how, s.last)
		}
		if got := s.get(typ, s.last.ProgressEvent.Identifier); !strings.Contains(got, want) {
			t.Errorf("%s: no %s in %s", how, want, got)
		}
		return s
	}
	check("reorder", logGroup, `{"Tags":[{"Key":"b","Value":"1"},{"Key":"a","Value":"2"}]}`, `"Tags":[{"Key":"a","Value":"2"},{"Key":"b","Value":"1"}]`)
	check("system_tags", logGroup, `{"Tags":[{"Key":"b","Value":"1"}]}`, `{"Key":"aws:cloudformation:stack-name","Value":"sandbox"}`)
	check("system_tags", "AWS::SSM::Parameter", `{"Type":"String","Value":"v"}`, `"Tags":{"aws:cloudformation:stack-name":"sandbox"}`)
	check("policy_text", "AWS::IAM::Role", `{"RoleName":"r","AssumeRolePolicyDocument":{"Version":"2012-10-17"}}`, `"AssumeRolePolicyDocument":"{\"Version\":\"2012-10-17\"}"`)
	check("inject_defaults", "AWS::EC2::Subnet", `{"VpcId":"v"}`, `"SubnetId"`)
	check("transform", "AWS::RDS::DBCluster", `{"DBClusterIdentifier":"UPPER","Engine":"aurora-mysql"}`, `"DBClusterIdentifier":"upper"`)
	tagged := check("system_tags", logGroup, `{"LogGroupName":"t","Tags":[{"Key":"b","Value":"1"}]}`, `"aws:`)
	tagged.update(logGroup, "t", `[{"op":"add","path":"/RetentionInDays","value":3}]`).ended().want("SUCCESS t")
	if got := tagged.get(logGroup, "t"); strings.Count(got, "aws:cloudformation") != 1 {
		t.Errorf("after an update: %s", got)
	}
	tagged.update(logGroup, "t", `[{"op":"add","path":"/Tags/-","value":{"Key":"aws:mine","Value":"1"}}]`).ended().want("FAILED t InvalidRequest Tag key aws:mine: keys with the prefix aws: are reserved for system use")
	s := check("inject_empty_arrays", "AWS::EC2::SecurityGroup", `{"GroupDescription":"d"}`, `"SecurityGroupIngress":[]`)
	s.update("AWS::EC2::SecurityGroup", s.last.ProgressEvent.Identifier, `[{"op":"remove","path":"/SecurityGroupIngress/0"}]`).want(invalidA + "[REMOVE Operation] noSuchPath in source, path provided: //SecurityGroupIngress/0")
	// What a read injects is part of what every update hands over.
	s = check("inject_empty_arrays", "AWS::BedrockAgentCore::Gateway", `{"AuthorizerType":"NONE","Name":"g","ProtocolType":"MCP","RoleArn":"arn:aws:iam::111122223333:role/r"}`, `"InterceptorConfigurations":[]`)
	s.update("AWS::BedrockAgentCore::Gateway", s.last.ProgressEvent.Identifier, `[{"op":"add","path":"/Description","value":"d"}]`).
		want(invalidA + "Model validation failed (#/InterceptorConfigurations: expected minimum item count: 1, found: 0)")
}

// A file that is not as it should be is refused, with where and what is allowed.
func TestReadFaults(t *testing.T) {
	t.Parallel()
	refuse := func(file, want string) {
		t.Helper()
		if _, err := ReadFaults([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", file, err, want)
		}
	}
	refuse("seed = 1\n[[rule]]\noperation = \"Get\"", `line 2, rule 1: operation: "Get" is none of CreateResource, UpdateResource,`)
	refuse("[[rule]]\n[[rule]]\nfail = \"Nope\"", `line 2, rule 2: fail: "Nope" is none of AccessDenied, AlreadyExists,`)
	refuse("[[rule]]\nerror = \"Nope\"", `line 1, rule 1: error: "Nope" is none of AccessDeniedException,`)
	refuse("[[rule]]\nreset = \"during\"", `reset: "during" is none of before, after`)
	refuse("[[rule]]\nlist = \"all\"", `list: "all" is none of thin, partial, full`)
	refuse("[[rule]]\nprobability = 2.0", "probability: 2 is not between 0 and 1")
	refuse("[[rule]]\nstatus = 200", "status: 200 is not between 400 and 599")
	refuse("[[rule]]\npolls = -1", "polls: -1 is negative")
	refuse("[[rule]]\ncalls = [0]", "calls: 0: they are counted from 1")
	refuse("[[rule]]\ndelay = \"-1s\"", "delay: it can't be negative")
	refuse("[[rule]]\ndelay = \"soon\"", `"soon" is no duration such as 250ms or 1m30s`)
	refuse("[[rule]]\n\ndelai = \"1s\"", "line 3: no field rule.delai; rule has operation, type,")
	refuse("[contract]\nreplay = true", "line 2: no field contract.replay; contract has replay_current,")
	refuse("rules = 1", "line 1: no field rules; there are seed, contract and rule")
	refuse("[[rule]]\nstatus = \"x\"", "line 2")
	refuse("seed = 1\n[[rule\n", "line 3: expected")
	refuse("{\n \"rule\": [\n {\"fail\": \"Nope\"}]}", `line 3, rule 1: fail: "Nope" is none of`)
	refuse("{\n \"rule\": [\n {\"delai\": \"1s\"}]}", `line 3: no field "delai"; there are seed, contract and rule, contract has`)
	refuse("{\n\"rule\": [{\"status\": \"x\"}]}", "line 2: field rule.status: string is not int")
	refuse("{\"rule\": [", "line 1: the file ends too early")
	toml, err := ReadFaults([]byte("seed = 3\n[contract]\nreplay_current = true\n[[rule]]\noperation = [\"Get*\"]\ndelay = \"1s\"\npolls = 0"))
	if err != nil {
		t.Fatal(err)
	}
	json, err := ReadFaults([]byte(`{"seed": 3, "contract": {"replay_current": true}, "rule": [{"operation": "Get*", "delay": "1s", "polls": 0}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := fmt.Sprint(encode(toml)), fmt.Sprint(encode(json)); a != b || !toml.Contract.ReplayCurrent || toml.Rules[0].Polls == nil {
		t.Errorf("TOML and JSON differ:\n%s\n%s", encode(toml), encode(json))
	}
}
