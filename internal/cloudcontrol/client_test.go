package cloudcontrol_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/sandbox"
)

const (
	mine      = "111122223333"
	other     = "444455556666"
	requestID = "795eddad-cfdf-4c87-a31d-7d23fb938291"
)

// keys are dummies: the sandbox gives them the first account.
var keys = &cloudcontrol.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "dummy"}

type p = map[string]any

// world has log groups in both accounts, seven queues, two node groups, and a
// bucket in one of its two regions.
func world() *sandbox.World {
	w := &sandbox.World{
		Accounts: []sandbox.Account{{ID: mine, Name: "prod", Email: "prod@example.com"}, {ID: other, Name: "dev", Email: "dev@example.com"}},
		Regions:  []string{"eu-west-1", "us-east-1"}, NotOffered: map[string][]string{"eu-west-1": {"AWS::EKS::Cluster"}},
	}
	w.Add(mine, "us-east-1", "AWS::Logs::LogGroup", p{"LogGroupName": "mine", "RetentionInDays": 90})
	w.Add(other, "eu-west-1", "AWS::Logs::LogGroup", p{"LogGroupName": "theirs", "RetentionInDays": 7})
	w.Add(mine, "eu-west-1", "AWS::S3::Bucket", p{"BucketName": "far"})
	for i := range 7 {
		w.Add(mine, "us-east-1", "AWS::SQS::Queue", p{"QueueUrl": fmt.Sprint("https://example.com/q", i), "QueueName": fmt.Sprint("q", i)})
	}
	for _, c := range []string{"blue", "green"} {
		w.Add(mine, "us-east-1", "AWS::EKS::Nodegroup", p{"ClusterName": c, "NodegroupName": "n", "Id": c + "|n"})
	}
	return w
}

func serveWorld(t testing.TB, o sandbox.Options) *sandbox.Server {
	t.Helper()
	if o.World == nil {
		o.World = world()
	}
	s := sandbox.NewServer(o)
	t.Cleanup(s.Close)
	return s
}

func open(t testing.TB, o cloudcontrol.Options) *cloudcontrol.Cloud {
	t.Helper()
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	c, err := cloudcontrol.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func client(t testing.TB, c *cloudcontrol.Cloud, account, region string) *cloudcontrol.Client {
	t.Helper()
	cl, err := c.Client(t.Context(), account, region)
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// sentinels are all that an error can be.
var sentinels = []error{cloudcontrol.ErrNotFound, cloudcontrol.ErrDenied, cloudcontrol.ErrThrottled, cloudcontrol.ErrUnsupported, cloudcontrol.ErrNoType, cloudcontrol.ErrMissingKey,
	cloudcontrol.ErrElsewhere, cloudcontrol.ErrBadID, cloudcontrol.ErrCredentials, cloudcontrol.ErrRegion, cloudcontrol.ErrUnreachable, cloudcontrol.ErrNoRole,
	cloudcontrol.ErrAlreadyExists, cloudcontrol.ErrConcurrent, cloudcontrol.ErrConflict, cloudcontrol.ErrNotUpdatable, cloudcontrol.ErrTokenConflict, cloudcontrol.ErrTokenUnknown, cloudcontrol.ErrInvalid, cloudcontrol.ErrLimit}

// is fails the test unless err is an *Error that matches kind and no other
// sentinel; a nil kind is an error that matches none.
func is(t testing.TB, err, kind error) *cloudcontrol.Error {
	t.Helper()
	var e *cloudcontrol.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error that says %v", err, kind)
	}
	for _, s := range sentinels {
		if errors.Is(err, s) != (s == kind) {
			t.Errorf("%v: is it %q? %t, and it should say %v", err, s, errors.Is(err, s), kind)
		}
	}
	return e
}

// says fails the test unless a text has all words.
func says(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in %s", w, text)
		}
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	check := func(region string, want cloudcontrol.Identity) {
		t.Helper()
		srv := serveWorld(t, sandbox.Options{})
		c := open(t, cloudcontrol.Options{Endpoint: srv.URL, Region: region, Static: keys})
		for range 2 {
			got, err := c.Identity(t.Context())
			if err != nil || got != want {
				t.Errorf("%s: got %v, %v, want %v", region, got, err, want)
			}
		}
		if diff := cmp.Diff(map[string]int{"GetCallerIdentity": 1}, srv.Calls()); diff != "" {
			t.Errorf("%s: calls: %s", region, diff)
		}
		if c.Region() != region || c.Endpoint() != srv.URL {
			t.Errorf("region %s, endpoint %s", c.Region(), c.Endpoint())
		}
	}
	check("us-east-1", cloudcontrol.Identity{Account: mine, ARN: "arn:aws:iam::111122223333:user/sandbox", Partition: "aws"})
	check("us-gov-west-1", cloudcontrol.Identity{Account: mine, ARN: "arn:aws-us-gov:iam::111122223333:user/sandbox", Partition: "aws-us-gov"})
	check("cn-north-1", cloudcontrol.Identity{Account: mine, ARN: "arn:aws-cn:iam::111122223333:user/sandbox", Partition: "aws-cn"})
}

// Clients of any number of regions need the caller's identity once.
func TestIdentityIsShared(t *testing.T) {
	t.Parallel()
	srv := serveWorld(t, sandbox.Options{})
	c := open(t, cloudcontrol.Options{Endpoint: srv.URL, Static: keys})
	var wg sync.WaitGroup
	made := make([]*cloudcontrol.Client, 24)
	for i := range made {
		wg.Go(func() {
			cl, err := c.Client(t.Context(), mine, fmt.Sprint("region-", i%6))
			if err != nil {
				t.Error(err)
			}
			made[i] = cl
		})
	}
	wg.Wait()
	if diff := cmp.Diff(map[string]int{"GetCallerIdentity": 1}, srv.Calls()); diff != "" {
		t.Error(diff)
	}
	for i, cl := range made {
		if cl != made[i%6] {
			t.Errorf("region-%d has two clients", i%6)
		}
	}
}

func TestEnabledRegions(t *testing.T) {
	t.Parallel()
	srv := serveWorld(t, sandbox.Options{})
	c := open(t, cloudcontrol.Options{Endpoint: srv.URL, Static: keys, RoleName: "reader"})
	for range 2 { // the second time from memory
		for _, account := range []string{mine, other} {
			got, err := c.EnabledRegions(t.Context(), account)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(got)
			if diff := cmp.Diff(world().Regions, got); diff != "" {
				t.Errorf("%s: %s", account, diff)
			}
		}
	}
	if diff := cmp.Diff([]sandbox.Call{
		{Operation: "GetCallerIdentity", Account: mine, Region: "us-east-1"},
		{Operation: "ListRegions", Account: mine, Region: "us-east-1"},
		{Operation: "AssumeRole", Account: mine, Region: "us-east-1"},
		{Operation: "ListRegions", Account: other, Region: "us-east-1"},
	}, srv.Log()); diff != "" {
		t.Error(diff)
	}
}

// The accounts come although the first page is empty.
func TestAccounts(t *testing.T) {
	t.Parallel()
	srv := serveWorld(t, sandbox.Options{})
	got, err := open(t, cloudcontrol.Options{Endpoint: srv.URL, Static: keys}).Accounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]cloudcontrol.AccountInfo{{ID: mine, Name: "prod", Status: "ACTIVE"}, {ID: other, Name: "dev", Status: "ACTIVE"}}, got); diff != "" {
		t.Error(diff)
	}
	if n := srv.Calls()["ListAccounts"]; n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	srv := serveWorld(t, sandbox.Options{})
	c := open(t, cloudcontrol.Options{Endpoint: srv.URL, Static: keys, RoleName: "reader"})
	check := func(account, region, id, want string) {
		t.Helper()
		d, err := client(t, c, account, region).Get(t.Context(), "AWS::Logs::LogGroup", id)
		if err != nil || d.Identifier != id || string(d.Properties) != want {
			t.Errorf("got %s %s, %v, want %s", d.Identifier, d.Properties, err, want)
		}
		log := srv.Log()
		if got, want := log[len(log)-1], (sandbox.Call{Operation: "GetResource", Type: "AWS::Logs::LogGroup", Identifier: id, Account: account, Region: region}); got != want {
			t.Errorf("the server saw %v, want %v", got, want)
		}
	}
	check(mine, "us-east-1", "mine", `{"LogGroupName":"mine","RetentionInDays":90}`)
	check(other, "eu-west-1", "theirs", `{"LogGroupName":"theirs","RetentionInDays":7}`)
}

// All pages of a list are together what exists, whatever the size of a page.
func TestListPages(t *testing.T) {
	t.Parallel()
	check := func(o sandbox.Options, typ string, pages int) {
		t.Helper()
		srv := serveWorld(t, o)
		c := client(t, open(t, cloudcontrol.Options{Endpoint: srv.URL, Static: keys}), mine, "us-east-1")
		var got []string
		n, token := 0, ""
		for {
			page, err := c.List(t.Context(), typ, nil, token)
			if err != nil {
				t.Fatal(err)
			}
			n++
			for _, d := range page.Documents {
				got = append(got, d.Identifier)
			}
			if token = page.Next; token == "" {
				break
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(srv.Identifiers(mine, "us-east-1", typ), got); diff != "" {
			t.Errorf("%s in pages of %d: %s", typ, o.PageSize, diff)
		}
		if n != pages || srv.Calls()["ListResources"] != pages {
			t.Errorf("%s in pages of %d: %d pages and %d calls, want %d", typ, o.PageSize, n, srv.Calls()["ListResources"], pages)
		}
	}
	check(sandbox.Options{PageSize: 1}, "AWS::SQS::Queue", 7)
	check(sandbox.Options{PageSize: 3}, "AWS::SQS::Queue", 3)
	check(sandbox.Options{PageSize: 7}, "AWS::SQS::Queue", 1)
	check(sandbox.Options{PageSize: 100}, "AWS::SQS::Queue", 1)
	check(sandbox.Options{PageSize: 3}, "AWS::SNS::Topic", 1) // none
	check(sandbox.Options{World: sandbox.DemoWorld(), PageSize: 150}, "AWS::SSM::Parameter", 7)
}

// A list that needs a parent says which key it wants, and takes it.
func TestListNeedsParent(t *testing.T) {
	t.Parallel()
	srv := serveWorld(t, sandbox.Options{})
	c := client(t, open(t, cloudcontrol.Options{Endpoint: srv.URL, Static: keys}), mine, "us-east-1")
	_, err := c.List(t.Context(), "AWS::EKS::Nodegroup", nil, "")
	if e := is(t, err, cloudcontrol.ErrMissingKey); e.MissingKey != "ClusterName" || cloudcontrol.RetryOf(err) != cloudcontrol.Never {
		t.Errorf("key %q, retry %d", e.MissingKey, cloudcontrol.RetryOf(err))
	}
	page, err := c.List(t.Context(), "AWS::EKS::Nodegroup", json.RawMessage(`{"ClusterName":"green"}`), "")
	if err != nil || len(page.Documents) != 1 || page.Documents[0].Identifier != "green|n" || page.Next != "" {
		t.Errorf("got %v, %v", page, err)
	}
}

// What Cloud Control refuses, and what the refusal is.
func TestRefusals(t *testing.T) {
	t.Parallel()
	srv := serveWorld(t, sandbox.Options{})
	c := open(t, cloudcontrol.Options{Endpoint: srv.URL, Static: keys, RoleName: "reader"})
	get := func(account, region, typ, id string, kind error) {
		t.Helper()
		_, err := client(t, c, account, region).Get(t.Context(), typ, id)
		if e := is(t, err, kind); e.Type != typ || e.Identifier != id || e.Account != account || e.Region != region || e.RequestID == "" {
			t.Errorf("%+v", e)
		}
		says(t, err.Error(), "GetResource "+typ+" "+id+", account "+account+", region "+region+": ")
	}
	list := func(account, region, typ string, kind error) {
		t.Helper()
		_, err := client(t, c, account, region).List(t.Context(), typ, nil, "")
		is(t, err, kind)
		says(t, err.Error(), "ListResources "+typ+", account "+account+", region "+region+": ")
	}
	get(mine, "us-east-1", "AWS::Logs::LogGroup", "absent", cloudcontrol.ErrNotFound)
	get(other, "us-east-1", "AWS::Logs::LogGroup", "mine", cloudcontrol.ErrNotFound)
	get(mine, "us-east-1", "AWS::S3::Bucket", "far", cloudcontrol.ErrElsewhere)
	get(mine, "us-east-1", "AWS::ECS::Service", "blue", cloudcontrol.ErrBadID)
	get(mine, "us-east-1", "AWS::No::Such", "x", cloudcontrol.ErrNoType)
	get(mine, "us-east-1", "AWS::Route53::RecordSet", "x", cloudcontrol.ErrUnsupported)
	get(mine, "us-west-2", "AWS::Logs::LogGroup", "mine", cloudcontrol.ErrRegion)
	list(mine, "us-east-1", "AWS::StepFunctions::StateMachine", cloudcontrol.ErrUnsupported)
	list(mine, "us-east-1", "AWS::No::Such", cloudcontrol.ErrNoType)
	list(mine, "eu-west-1", "AWS::EKS::Cluster", cloudcontrol.ErrNoType)
	list(mine, "us-west-2", "AWS::Logs::LogGroup", cloudcontrol.ErrRegion)
}

func TestThrottled(t *testing.T) {
	t.Parallel()
	now := time.Now()
	srv := serveWorld(t, sandbox.Options{Throttle: 1, Clock: func() time.Time { return now }})
	c := client(t, open(t, cloudcontrol.Options{Endpoint: srv.URL, Static: keys}), mine, "us-east-1")
	if _, err := c.List(t.Context(), "AWS::SQS::Queue", nil, ""); err != nil {
		t.Fatal(err)
	}
	_, err := c.List(t.Context(), "AWS::SQS::Queue", nil, "")
	is(t, err, cloudcontrol.ErrThrottled)
	if got := cloudcontrol.RetryOf(err); got != cloudcontrol.Throttled {
		t.Errorf("retry %d", got)
	}
	if n := srv.Calls()["Throttled"]; n != 1 { // not tried again by the SDK
		t.Errorf("%d calls were refused, want 1", n)
	}
}

// Another account can't be reached without a role, and nobody is asked for it.
func TestNoRole(t *testing.T) {
	t.Parallel()
	srv := serveWorld(t, sandbox.Options{})
	c := open(t, cloudcontrol.Options{Endpoint: srv.URL, Static: keys})
	const want = "AssumeRole, account 444455556666, region us-east-1: NoRole: the credentials are for account 111122223333, and no role is set to assume in 444455556666"
	_, err := c.Client(t.Context(), other, "eu-west-1")
	if is(t, err, cloudcontrol.ErrNoRole); err.Error() != want {
		t.Errorf("got %s", err)
	}
	_, err = c.EnabledRegions(t.Context(), other)
	if is(t, err, cloudcontrol.ErrNoRole); err.Error() != want {
		t.Errorf("got %s", err)
	}
	if diff := cmp.Diff(map[string]int{"GetCallerIdentity": 1}, srv.Calls()); diff != "" {
		t.Error(diff)
	}
}

// A role that may not be assumed is told by the call that needed it.
func TestRoleDenied(t *testing.T) {
	t.Parallel()
	srv := serveWorld(t, sandbox.Options{})
	c := open(t, cloudcontrol.Options{Endpoint: srv.URL, Static: keys, RoleName: "reader"})
	_, err := client(t, c, "777788889999", "eu-west-1").Get(t.Context(), "AWS::Logs::LogGroup", "x")
	if e := is(t, err, cloudcontrol.ErrDenied); e.Action != "sts:AssumeRole" || e.Account != "777788889999" {
		t.Errorf("action %q, account %s", e.Action, e.Account)
	}
	says(t, err.Error(), "arn:aws:iam::777788889999:role/reader")
	if diff := cmp.Diff(map[string]int{"GetCallerIdentity": 1, "AssumeRole": 1}, srv.Calls()); diff != "" {
		t.Error(diff)
	}
}

// A service answers STS as it should and Cloud Control as a test says.
type service struct {
	URL string
	*httptest.Server

	mu    sync.Mutex
	calls int          // of anything but STS
	keys  []string     // access keys that signed them
	roles []url.Values // AssumeRole's forms
}

// serve starts a service. answer finds a request id in the header that it may
// remove.
func serve(t testing.TB, answer http.HandlerFunc) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			form, _ := url.ParseQuery(string(body))
			s.sts(w, form)
			return
		}
		_, key, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		key, _, _ = strings.Cut(key, "/")
		s.mu.Lock()
		s.calls++
		s.keys = append(s.keys, key)
		s.mu.Unlock()
		w.Header().Set("x-amzn-RequestId", requestID)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		answer(w, r)
	}))
	s.URL = s.Server.URL
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// sts gives every role a key of its own: ASIA1, ASIA2...
func (s *service) sts(w http.ResponseWriter, form url.Values) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Connection", "close")
	if form.Get("Action") == "GetCallerIdentity" {
		fmt.Fprintf(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws-us-gov:iam::%s:user/me</Arn><UserId>AIDAEXAMPLE</UserId><Account>%s</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, mine, mine)
		return
	}
	s.mu.Lock()
	s.roles = append(s.roles, form)
	n := len(s.roles)
	s.mu.Unlock()
	fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIA%d</AccessKeyId><SecretAccessKey>dummy</SecretAccessKey><SessionToken>dummy</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`, n)
}

func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// reply answers with a status and a body.
func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// fault answers with an error in the form that Cloud Control has.
func fault(code, message string) http.HandlerFunc {
	text, err := json.Marshal(map[string]string{"__type": "com.amazon.coral.service#" + code, "Message": message})
	if err != nil {
		panic(err)
	}
	return reply(http.StatusBadRequest, string(text))
}

// The role is of the caller's partition, and is asked for as the options say.
func TestAssumeRole(t *testing.T) {
	t.Parallel()
	check := func(o cloudcontrol.Options, want url.Values) {
		t.Helper()
		s := serve(t, reply(200, `{"ResourceDescription":{"Identifier":"x"}}`))
		o.Endpoint, o.Static = s.URL, keys
		if _, err := client(t, open(t, o), other, "us-east-1").Get(t.Context(), "AWS::Logs::LogGroup", "x"); err != nil {
			t.Fatal(err)
		}
		for _, form := range s.roles {
			form.Del("DurationSeconds")
		}
		want.Set("Action", "AssumeRole")
		want.Set("Version", "2011-06-15")
		if diff := cmp.Diff([]url.Values{want}, s.roles); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"ASIA1"}, s.keys); diff != "" {
			t.Error(diff)
		}
	}
	check(cloudcontrol.Options{RoleName: "reader"},
		url.Values{"RoleArn": {"arn:aws-us-gov:iam::444455556666:role/reader"}, "RoleSessionName": {"skyql"}})
	check(cloudcontrol.Options{RoleName: "audit/reader", ExternalID: "e-1", SessionName: "nightly"},
		url.Values{"RoleArn": {"arn:aws-us-gov:iam::444455556666:role/audit/reader"}, "RoleSessionName": {"nightly"}, "ExternalId": {"e-1"}})
}

// A call is one that a hostile endpoint answers.
type call func(context.Context, *cloudcontrol.Client) error

func get(ctx context.Context, c *cloudcontrol.Client) error {
	_, err := c.Get(ctx, "AWS::Logs::LogGroup", "my-log-group")
	return err
}

func list(ctx context.Context, c *cloudcontrol.Client) error {
	_, err := c.List(ctx, "AWS::Logs::LogGroup", nil, "")
	return err
}

const (
	getText  = "GetResource AWS::Logs::LogGroup my-log-group, account 111122223333, region eu-west-1: "
	listText = "ListResources AWS::Logs::LogGroup, account 111122223333, region eu-west-1: "
)

// hostile makes a call to an endpoint that answers as given: what comes of it is
// an error of the kind, after one request, and it tells where it is from.
func hostile(t testing.TB, answer http.HandlerFunc, do call, kind error, retry cloudcontrol.Retry) *cloudcontrol.Error {
	t.Helper()
	s := serve(t, answer)
	c := client(t, open(t, cloudcontrol.Options{Endpoint: s.URL, Static: keys}), mine, "eu-west-1")
	err := do(t.Context(), c)
	e := is(t, err, kind)
	if got := cloudcontrol.RetryOf(err); got != retry {
		t.Errorf("%v: retry %d, want %d", err, got, retry)
	}
	if n := s.count(); n != 1 {
		t.Errorf("%v: %d requests, want 1", err, n)
	}
	return e
}

// hijack ends a connection after an answer's first part, as broken networks do.
func hijack(first string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		io.WriteString(c, first)
		c.Close()
	}
}

// Whatever an endpoint answers, it is rows or one error, after one request: who
// asks decides whether to ask again.
func TestHostile(t *testing.T) {
	t.Parallel()
	check := func(answer http.HandlerFunc, kind error, retry cloudcontrol.Retry, words ...string) {
		t.Helper()
		for text, do := range map[string]call{getText: get, listText: list} {
			e := hostile(t, answer, do, kind, retry)
			says(t, e.Error(), append(words, text)...)
		}
	}
	const page = "<html>busy</html>"
	nowhere := cloudcontrol.ErrUnreachable
	check(reply(200, page), nowhere, cloudcontrol.Never, "MalformedAnswer", "not AWS's")
	check(reply(404, page), nowhere, cloudcontrol.Never, "MalformedAnswer", "not AWS's")
	check(reply(502, page), nowhere, cloudcontrol.Bounded, "MalformedAnswer", "request "+requestID)
	check(reply(503, ""), nowhere, cloudcontrol.Bounded, "MalformedAnswer")
	check(reply(400, ""), nowhere, cloudcontrol.Never, "MalformedAnswer")
	check(reply(200, ""), nowhere, cloudcontrol.Never, "MalformedAnswer")
	check(reply(200, "null"), nowhere, cloudcontrol.Never, "MalformedAnswer")
	check(reply(200, "[]"), nowhere, cloudcontrol.Never, "MalformedAnswer")
	check(reply(200, `{"error":"no such path"}`), nowhere, cloudcontrol.Never, "MalformedAnswer", "the endpoint answered with n")
	check(reply(404, `{"error":"no such path"}`), nowhere, cloudcontrol.Never, "MalformedAnswer")
	check(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/login")
		w.WriteHeader(http.StatusFound)
	}, nowhere, cloudcontrol.Never, "MalformedAnswer")
	for _, properties := range []string{"[]", "null", "1", "{"} {
		one := fmt.Sprintf(`{"Identifier":"a","Properties":%q}`, properties)
		check(reply(200, `{"ResourceDescription":`+one+`,"ResourceDescriptions":[`+one+`]}`), nowhere, cloudcontrol.Never, "MalformedAnswer", "properties of a that are no JSON object")
	}
	check(reply(200, `{"ResourceDescription":{},"ResourceDescriptions":[{}]}`), nowhere, cloudcontrol.Never, "a resource without identifier")
	check(reply(200, `{"ResourceDescription":{"Iden`), nowhere, cloudcontrol.Broken, "ConnectionLost")
	check(hijack(""), nowhere, cloudcontrol.Broken, "ConnectionLost", "broke off")
	check(hijack("HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 100\r\n\r\n{\"TypeName\":"), nowhere, cloudcontrol.Broken, "ConnectionLost", "broke off")
}

// An error's code decides, wherever the answer has it and whatever the status
// is.
func TestCodes(t *testing.T) {
	t.Parallel()
	check := func(code string, kind error, retry cloudcontrol.Retry) {
		t.Helper()
		for _, answer := range []http.HandlerFunc{
			fault(code, "why"),
			reply(http.StatusInternalServerError, fmt.Sprintf(`{"__type":%q,"message":"why"}`, code)),
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Amzn-ErrorType", code+":http://internal.example.com/")
				w.WriteHeader(http.StatusBadRequest)
				io.WriteString(w, `{"message":"why"}`)
			},
		} {
			e := hostile(t, answer, get, kind, retry)
			if e.Code != code || e.Message != "why" || e.RequestID != requestID {
				t.Errorf("got %q, %q, %q", e.Code, e.Message, e.RequestID)
			}
		}
		// A message may be missing: it isn't what decides.
		hostile(t, reply(http.StatusBadRequest, fmt.Sprintf(`{"__type":%q}`, code)), list, kind, retry)
	}
	check("ResourceNotFoundException", cloudcontrol.ErrNotFound, cloudcontrol.Never)
	check("NotFoundException", cloudcontrol.ErrNotFound, cloudcontrol.Never)
	check("AccessDeniedException", cloudcontrol.ErrDenied, cloudcontrol.Never)
	check("UnauthorizedOperation", cloudcontrol.ErrDenied, cloudcontrol.Never)
	check("ThrottlingException", cloudcontrol.ErrThrottled, cloudcontrol.Throttled)
	check("Throttling", cloudcontrol.ErrThrottled, cloudcontrol.Throttled)
	check("TooManyRequestsException", cloudcontrol.ErrThrottled, cloudcontrol.Throttled)
	check("RequestLimitExceeded", cloudcontrol.ErrThrottled, cloudcontrol.Throttled)
	check("UnsupportedActionException", cloudcontrol.ErrUnsupported, cloudcontrol.Never)
	check("TypeNotFoundException", cloudcontrol.ErrNoType, cloudcontrol.Never)
	check("UnrecognizedClientException", cloudcontrol.ErrRegion, cloudcontrol.Never)
	check("InvalidSignatureException", cloudcontrol.ErrCredentials, cloudcontrol.Never)
	check("InvalidCredentialsException", cloudcontrol.ErrCredentials, cloudcontrol.Never)
	check("HandlerInternalFailureException", nil, cloudcontrol.Bounded)
	check("GeneralServiceException", nil, cloudcontrol.Once)
	check("ServiceInternalErrorException", nil, cloudcontrol.Transient)
	check("NetworkFailureException", nil, cloudcontrol.Transient)
	check("HandlerFailureException", nil, cloudcontrol.Transient)
	check("ConcurrentOperationException", cloudcontrol.ErrConcurrent, cloudcontrol.Transient)
	check("ConcurrentModificationException", cloudcontrol.ErrConcurrent, cloudcontrol.Transient)
	check("ResourceConflictException", cloudcontrol.ErrConflict, cloudcontrol.Transient)
	check("AlreadyExistsException", cloudcontrol.ErrAlreadyExists, cloudcontrol.Never)
	check("ClientTokenConflictException", cloudcontrol.ErrTokenConflict, cloudcontrol.Never)
	check("RequestTokenNotFoundException", cloudcontrol.ErrTokenUnknown, cloudcontrol.Never)
	check("ServiceLimitExceededException", cloudcontrol.ErrLimit, cloudcontrol.Never)
	check("ValidationException", cloudcontrol.ErrInvalid, cloudcontrol.Never)
	check("InvalidRequestException", cloudcontrol.ErrInvalid, cloudcontrol.Never)
	check("NotUpdatableException", cloudcontrol.ErrNotUpdatable, cloudcontrol.Never)
	check("SomethingNewException", nil, cloudcontrol.Never)
}

// What a refusal's text says beyond its code.
func TestMessages(t *testing.T) {
	t.Parallel()
	e := hostile(t, fault("AccessDeniedException", "User: arn:aws:iam::111122223333:user/me is not authorized to perform: logs:DescribeLogGroups on resource: *"), list, cloudcontrol.ErrDenied, cloudcontrol.Never)
	if e.Action != "logs:DescribeLogGroups" {
		t.Errorf("action %q", e.Action)
	}
	e = hostile(t, fault("InvalidRequestException", "Missing Or Invalid ResourceModel property in AWS::EKS::Nodegroup list handler request input.Required property: [#: required key [ClusterName] not found]"), list, cloudcontrol.ErrMissingKey, cloudcontrol.Never)
	if e.MissingKey != "ClusterName" {
		t.Errorf("key %q", e.MissingKey)
	}
	hostile(t, fault("GeneralServiceException", "The bucket is in this region: us-west-2. Please use this region to retry the request (Service: S3, Status Code: 301, Request ID: null)"), get, cloudcontrol.ErrElsewhere, cloudcontrol.Never)
	hostile(t, fault("ValidationException", "Identifier my-log-group is not valid for identifier [/properties/LogGroupName]"), get, cloudcontrol.ErrBadID, cloudcontrol.Never)
	hostile(t, fault("InvalidRequestException", `Invalid id: "x" (expecting "vpc-...") (Service: Ec2, Status Code: 400, Request ID: null)`), get, cloudcontrol.ErrBadID, cloudcontrol.Never)
}

// Credentials that expired are replaced once, not again and again.
func TestExpired(t *testing.T) {
	t.Parallel()
	check := func(refused int, want error, calls, roles int) {
		t.Helper()
		var s *service
		s = serve(t, func(w http.ResponseWriter, r *http.Request) {
			if s.count() <= refused {
				fault("ExpiredTokenException", "The security token included in the request is expired")(w, r)
				return
			}
			reply(200, `{"ResourceDescription":{"Identifier":"my-log-group"}}`)(w, r)
		})
		c := client(t, open(t, cloudcontrol.Options{Endpoint: s.URL, Static: keys, RoleName: "reader"}), other, "eu-west-1")
		err := get(t.Context(), c)
		if want == nil && err != nil {
			t.Error(err)
		} else if want != nil {
			is(t, err, want)
		}
		if s.count() != calls || len(s.roles) != roles {
			t.Errorf("%d refused: %d calls with %d roles, want %d with %d", refused, s.count(), len(s.roles), calls, roles)
		}
	}
	check(0, nil, 1, 1)
	check(1, nil, 2, 2)
	check(5, cloudcontrol.ErrCredentials, 2, 2)
}

// A call is given up after its time, and at once when nobody wants it any more.
func TestTime(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c := client(t, open(t, cloudcontrol.Options{Endpoint: s.URL, Static: keys, Call: 50 * time.Millisecond}), mine, "eu-west-1")
	for _, do := range []call{get, list} {
		err := do(t.Context(), c)
		if e := is(t, err, cloudcontrol.ErrUnreachable); e.Code != "TimedOut" || cloudcontrol.RetryOf(err) != cloudcontrol.Once {
			t.Errorf("%v: retry %d", err, cloudcontrol.RetryOf(err))
		}
	}
	c = client(t, open(t, cloudcontrol.Options{Endpoint: s.URL, Static: keys}), mine, "eu-west-1")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- get(ctx, c) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || cloudcontrol.RetryOf(err) != cloudcontrol.Never {
		t.Errorf("got %v", err)
	}
}

// Nobody listens there: no attempt helps.
func TestClosedPort(t *testing.T) {
	t.Parallel()
	s := serve(t, reply(200, "{}"))
	c := client(t, open(t, cloudcontrol.Options{Endpoint: s.URL, Static: keys}), mine, "eu-west-1")
	s.Close()
	err := get(t.Context(), c)
	is(t, err, cloudcontrol.ErrUnreachable)
	if cloudcontrol.RetryOf(err) != cloudcontrol.Never {
		t.Errorf("%v: retry %d", err, cloudcontrol.RetryOf(err))
	}
	says(t, strings.ToLower(err.Error()), strings.ToLower(getText), "refused")
}
