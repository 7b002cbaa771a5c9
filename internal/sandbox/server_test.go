package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

func serve(t testing.TB, o Options) *Server {
	t.Helper()
	s := NewServer(o)
	t.Cleanup(s.Close)
	return s
}

// sign fills in the headers of a signed request; the signature itself is dummy.
func sign(r *http.Request, service, region string) {
	now := time.Now().UTC().Format(amzTime)
	r.Header.Set("X-Amz-Date", now)
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE0000000/%s/%s/%s/aws4_request, SignedHeaders=host;x-amz-date, Signature=%s", now[:8], region, service, strings.Repeat("a", 64)))
}

func call(t testing.TB, s *Server, region, op, body string, change ...func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "CloudApiService."+op)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	sign(r, "cloudcontrolapi", region)
	for _, c := range change {
		c(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("x-amzn-RequestId") == "" || resp.Header.Get("Content-Type") != "application/x-amz-json-1.0" {
		t.Errorf("%s: headers %v", op, resp.Header)
	}
	return resp.StatusCode, string(text)
}

// one is a world of a log group and an EKS cluster with two node groups.
func one() *World {
	w := &World{Accounts: demoAccounts, Regions: []string{"us-east-1", "eu-west-1"}, NotOffered: map[string][]string{"eu-west-1": {"AWS::EKS::Cluster"}}}
	w.Add("111122223333", "us-east-1", "AWS::Logs::LogGroup", p{"LogGroupName": "my-log-group", "RetentionInDays": 90, "Arn": "arn:aws:logs:us-east-1:111122223333:log-group:my-log-group:*"})
	w.Add("111122223333", "us-east-1", "AWS::EKS::Nodegroup", p{"ClusterName": "c", "NodegroupName": "n1", "Id": "c|n1"})
	w.Add("111122223333", "us-east-1", "AWS::EKS::Nodegroup", p{"ClusterName": "d", "NodegroupName": "n2", "Id": "d|n2"})
	w.Add("111122223333", "eu-west-1", "AWS::S3::Bucket", p{"BucketName": "far"})
	w.Add("111122223333", "us-east-1", "AWS::SecretsManager::Secret", p{"Id": "arn:s", "Name": "s", "SecretString": "hidden"})
	for i := range 7 {
		w.Add("111122223333", "us-east-1", "AWS::SQS::Queue", p{"QueueUrl": fmt.Sprint("u", i), "QueueName": fmt.Sprint("q", i)})
	}
	for i, c := range []string{"default", "default", "other"} {
		w.Add("111122223333", "us-east-1", "AWS::ECS::Service", p{"ServiceArn": fmt.Sprint("arn:s", i), "Cluster": "arn:aws:ecs:us-east-1:111122223333:cluster/" + c})
	}
	return w
}

var volatile = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|Request ID: [0-9A-F]{8}`)

// The contract's exchanges: an operation and its request, the status and body
// of the answer, with ids of requests left out.
func TestExchanges(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{World: one(), PageSize: 3, Lists: map[string]ListKind{"AWS::EKS::Nodegroup": Full, "AWS::SQS::Queue": Thin, "AWS::ECS::Service": Thin}})
	check := func(region, op, body string, status int, want string) {
		t.Helper()
		code, got := call(t, s, region, op, body)
		if got = volatile.ReplaceAllString(got, "*"); code != status || got != want {
			t.Errorf("%s %s\n got %d %s\nwant %d %s", op, body, code, got, status, want)
		}
	}
	fault := func(code, message string) string {
		return string(encode(map[string]string{"__type": "com.amazon.coral.service#" + code, "Message": message}))
	}
	check("us-east-1", "GetResource", `{"Identifier":"my-log-group","TypeName":"AWS::Logs::LogGroup"}`, 200,
		`{"ResourceDescription":{"Identifier":"my-log-group","Properties":"{\"LogGroupName\":\"my-log-group\",\"RetentionInDays\":90,\"Arn\":\"arn:aws:logs:us-east-1:111122223333:log-group:my-log-group:*\"}"},"TypeName":"AWS::Logs::LogGroup"}`)
	check("us-east-1", "GetResource", `{"Identifier":"{\"LogGroupName\":\"my-log-group\"}","TypeName":"AWS::Logs::LogGroup"}`, 200,
		`{"ResourceDescription":{"Identifier":"my-log-group","Properties":"{\"LogGroupName\":\"my-log-group\",\"RetentionInDays\":90,\"Arn\":\"arn:aws:logs:us-east-1:111122223333:log-group:my-log-group:*\"}"},"TypeName":"AWS::Logs::LogGroup"}`)
	check("us-east-1", "GetResource", `{"Identifier":"x","TypeName":"AWS::Logs::LogGroup"}`, 400,
		fault("ResourceNotFoundException", `AWS::Logs::LogGroup Handler returned status FAILED: Resource of type 'AWS::Logs::LogGroup' with identifier '{"/properties/LogGroupName":"x"}' was not found. (HandlerErrorCode: NotFound, RequestToken: *)`))
	check("eu-west-1", "GetResource", `{"Identifier":"my-log-group","TypeName":"AWS::Logs::LogGroup"}`, 400,
		fault("ResourceNotFoundException", `AWS::Logs::LogGroup Handler returned status FAILED: Resource of type 'AWS::Logs::LogGroup' with identifier '{"/properties/LogGroupName":"my-log-group"}' was not found. (HandlerErrorCode: NotFound, RequestToken: *)`))
	check("us-east-1", "GetResource", `{"Identifier":"arn:s","TypeName":"AWS::SecretsManager::Secret"}`, 200,
		`{"ResourceDescription":{"Identifier":"arn:s","Properties":"{\"Id\":\"arn:s\",\"Name\":\"s\"}"},"TypeName":"AWS::SecretsManager::Secret"}`)
	check("us-east-1", "ListResources", `{"ResourceModel":"{\"ClusterName\":\"c\"}","TypeName":"AWS::EKS::Nodegroup"}`, 200,
		`{"ResourceDescriptions":[{"Identifier":"c|n1","Properties":"{\"ClusterName\":\"c\",\"NodegroupName\":\"n1\",\"Id\":\"c|n1\"}"}],"TypeName":"AWS::EKS::Nodegroup"}`)
	check("us-east-1", "ListResources", `{"TypeName":"AWS::EKS::Nodegroup"}`, 400,
		fault("InvalidRequestException", "Missing or invalid ResourceModel property in AWS::EKS::Nodegroup list handler request input.Required property: (#: required key [ClusterName] not found)"))
	check("us-east-1", "ListResources", `{"TypeName":"AWS::ECS::Service"}`, 200, // the default cluster alone
		`{"ResourceDescriptions":[{"Identifier":"arn:s0|arn:aws:ecs:us-east-1:111122223333:cluster/default","Properties":"{\"ServiceArn\":\"arn:s0\",\"Cluster\":\"arn:aws:ecs:us-east-1:111122223333:cluster/default\"}"},{"Identifier":"arn:s1|arn:aws:ecs:us-east-1:111122223333:cluster/default","Properties":"{\"ServiceArn\":\"arn:s1\",\"Cluster\":\"arn:aws:ecs:us-east-1:111122223333:cluster/default\"}"}],"TypeName":"AWS::ECS::Service"}`)
	check("us-east-1", "ListResources", `{"TypeName":"AWS::S3::Bucket"}`, 200,
		`{"ResourceDescriptions":[{"Identifier":"far","Properties":"{\"BucketName\":\"far\"}"}],"TypeName":"AWS::S3::Bucket"}`)
	check("us-east-1", "GetResource", `{"Identifier":"far","TypeName":"AWS::S3::Bucket"}`, 400,
		fault("GeneralServiceException", "AWS::S3::Bucket Handler returned status FAILED: The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint. (Service: S3, Status Code: 301, *) (HandlerErrorCode: GeneralServiceException, RequestToken: *)"))
	check("us-east-1", "ListResources", `{"TypeName":"AWS::StepFunctions::StateMachine"}`, 400, fault("UnsupportedActionException", "Resource type AWS::StepFunctions::StateMachine does not support LIST action"))
	check("us-east-1", "GetResource", `{"TypeName":"AWS::Route53::RecordSet","Identifier":"x"}`, 400, fault("UnsupportedActionException", "Resource type AWS::Route53::RecordSet does not support READ action"))
	check("us-east-1", "ListResources", `{"TypeName":"AWS::No::Such"}`, 400, fault("TypeNotFoundException", "The type 'AWS::No::Such' cannot be found."))
	check("eu-west-1", "ListResources", `{"TypeName":"AWS::EKS::Cluster"}`, 400, fault("TypeNotFoundException", "The type 'AWS::EKS::Cluster' cannot be found."))
	check("us-west-2", "ListResources", `{"TypeName":"AWS::EKS::Cluster"}`, 400, fault("UnrecognizedClientException", "The security token included in the request is invalid."))
	check("us-east-1", "GetResource", `{"TypeName":"AWS::ECS::Service","Identifier":"a"}`, 400, fault("ValidationException", "Identifier a is not valid for identifier [/ServiceArn, /Cluster]"))
	check("us-east-1", "GetResource", `{"TypeName":"AWS::Logs::LogGroup"}`, 400, fault("ValidationException", "1 validation error detected: Value null at 'identifier' failed to satisfy constraint: Member must not be null"))
	check("us-east-1", "GetResource", `{"TypeName":`, 400, fault("SerializationException", "Unable to parse the request body as JSON"))
	check("us-east-1", "GetResource", `{"TypeName":5}`, 400, fault("SerializationException", "Unexpected value type in payload for member TypeName"))
	check("us-east-1", "GetResourceRequestStatus", `{"RequestToken":"5f40c577"}`, 400, fault("RequestTokenNotFoundException", "Request token 5f40c577 not found"))
	check("us-east-1", "ListResourceRequests", `{}`, 200, `{"ResourceRequestStatusSummaries":[]}`)
	check("us-east-1", "Nonsense", `{}`, 400, fault("UnknownOperationException", ""))
}

// Pages follow each other by tokens that fit one list only.
func TestPages(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{World: one(), PageSize: 3})
	type page struct {
		ResourceDescriptions []struct{ Identifier string }
		NextToken            string
	}
	var ids []string
	token, first := "", ""
	for range 5 {
		_, text := call(t, s, "us-east-1", "ListResources", fmt.Sprintf(`{"TypeName":"AWS::SQS::Queue","NextToken":%q,"MaxResults":1}`, token))
		var pg page
		if err := json.Unmarshal([]byte(text), &pg); err != nil {
			t.Fatal(err)
		}
		for _, r := range pg.ResourceDescriptions {
			ids = append(ids, r.Identifier)
		}
		if token = pg.NextToken; token == "" {
			break
		}
		first = token
	}
	if got := strings.Join(ids, " "); got != "u0 u1 u2 u3 u4 u5 u6" {
		t.Errorf("pages gave %s", got)
	}
	for _, body := range []string{`{"TypeName":"AWS::Logs::LogGroup","NextToken":%q}`, `{"TypeName":"AWS::SQS::Queue","NextToken":%q,"ResourceModel":"{\"A\":1}"}`, `{"TypeName":"AWS::SQS::Queue","NextToken":"x%s"}`} {
		if code, text := call(t, s, "us-east-1", "ListResources", fmt.Sprintf(body, first)); code != 400 || !strings.Contains(text, "NextToken is not valid") {
			t.Errorf("%s: %d %s", body, code, text)
		}
	}
	if code, _ := call(t, s, "eu-west-1", "ListResources", fmt.Sprintf(`{"TypeName":"AWS::SQS::Queue","NextToken":%q}`, first)); code != 400 {
		t.Error("a token of another region was taken")
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{World: one()})
	check := func(want string, change func(*http.Request)) {
		t.Helper()
		if code, text := call(t, s, "us-east-1", "ListResources", `{"TypeName":"AWS::SQS::Queue"}`, change); code != 400 || !strings.Contains(text, want) {
			t.Errorf("got %d %s, want %s", code, text, want)
		}
	}
	auth := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
		}
	}
	check("MissingAuthenticationTokenException", func(r *http.Request) { r.Header.Del("Authorization") })
	check("IncompleteSignatureException", auth("AWS4-HMAC-SHA256", "Basic"))
	check("requires 'Signature' parameter", auth("Signature=", "Sig="))
	check("IncompleteSignatureException", auth("/aws4_request", ""))
	check("Credential should be scoped to correct service: 'cloudcontrolapi'.", auth("/cloudcontrolapi/", "/s3/"))
	check("Date in Credential scope does not match", auth("/20", "/19"))
	check("Signature expired", func(r *http.Request) {
		old := time.Now().UTC().Add(-time.Hour)
		day := r.Header.Get("X-Amz-Date")[:8]
		r.Header.Set("X-Amz-Date", old.Format(amzTime))
		auth("/"+day+"/", "/"+old.Format("20060102")+"/")(r)
	})
	check("UnrecognizedClientException", auth("AKIDEXAMPLE0000000", temporaryKey+"444455556666"))
	check("ExpiredTokenException", func(r *http.Request) {
		auth("AKIDEXAMPLE0000000", temporaryKey+"444455556666")(r)
		r.Header.Set("X-Amz-Security-Token", temporaryToken+"444455556666-5")
	})
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := serve(t, Options{World: one(), Throttle: 2, Clock: func() time.Time { return now }})
	codes := ""
	for range 4 {
		code, text := call(t, s, "us-east-1", "ListResources", `{"TypeName":"AWS::SQS::Queue"}`)
		codes += fmt.Sprint(code, " ")
		if code == 400 && text != `{"Message":"","__type":"com.amazon.coral.service#ThrottlingException"}` {
			t.Error(text)
		}
	}
	if codes != "200 200 400 400 " {
		t.Errorf("got %s", codes)
	}
	if code, _ := call(t, s, "eu-west-1", "ListResources", `{"TypeName":"AWS::SQS::Queue"}`); code != 200 {
		t.Error("another region was throttled")
	}
	resp, err := http.Get(s.URL + "/_sandbox/calls")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if got := strings.TrimSpace(string(text)); got != `{"ListResources":3,"Throttled":2}` {
		t.Errorf("calls: %s", got)
	}
	if r2, err := http.Post(s.URL+"/_sandbox/reset-calls", "", nil); err != nil || len(s.Calls()) != 0 {
		t.Error("calls were not reset")
	} else {
		r2.Body.Close()
	}
}

// awsCommand gives a function that runs the aws command against a sandbox.
func awsCommand(t *testing.T, s *Server) func(args ...string) string {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("no aws command")
	}
	return func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "aws", append(args, "--endpoint-url", s.URL, "--output", "json")...)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=dummy", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_PAGER=",
			"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			return errs.String()
		}
		return out.String()
	}
}

func has(t *testing.T, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("no %q in %s", want, text)
	}
}

// The aws command works as it comes.
func TestAWSCommand(t *testing.T) {
	t.Parallel()
	run := awsCommand(t, serve(t, Options{}))
	has(t, run("cloudcontrol", "list-resources", "--type-name", "AWS::S3::Bucket"), "logs-111-us-east-1")
	has(t, run("cloudcontrol", "get-resource", "--type-name", "AWS::S3::Bucket", "--identifier", "logs-111-us-east-1"), "BucketKeyEnabled")
	has(t, run("sts", "get-caller-identity"), "111122223333")
	has(t, run("organizations", "list-accounts"), "444455556666")
	has(t, run("ec2", "describe-regions"), "ap-southeast-2")
	has(t, run("account", "list-regions"), "ENABLED_BY_DEFAULT")
	has(t, run("sts", "assume-role", "--role-arn", "arn:aws:iam::444455556666:role/r", "--role-session-name", "test"), "ASIASBOX444455556666")
}

// So do its commands that change things.
func TestAWSCommandWrites(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{World: one(), Faults: &Faults{Rules: []Rule{{Type: Names{"AWS::SQS::Queue"}, Stuck: true}}}})
	run := awsCommand(t, s)
	control := func(op string, args ...string) (e event) {
		t.Helper()
		text := run(append([]string{"cloudcontrol", op}, args...)...)
		var out struct{ ProgressEvent event }
		d := json.NewDecoder(strings.NewReader(regexp.MustCompile(`("EventTime"|"RetryAfter"): "[^"]*"`).ReplaceAllString(text, `$1: 0`)))
		if err := d.Decode(&out); err != nil {
			t.Errorf("%s: %v: %s", op, err, text)
		}
		return out.ProgressEvent
	}
	group := []string{"--type-name", logGroup}
	e := control("create-resource", append(group, "--desired-state", `{"LogGroupName":"made","RetentionInDays":7}`)...)
	has(t, e.OperationStatus+" "+e.Identifier, "IN_PROGRESS made")
	if text := run("cloudcontrol", "wait", "resource-request-success", "--request-token", e.RequestToken); text != "" {
		t.Errorf("wait: %s", text)
	}
	e = control("get-resource-request-status", "--request-token", e.RequestToken)
	has(t, e.OperationStatus+" "+e.ResourceModel, `SUCCESS {"LogGroupName":"made"`)
	e = control("update-resource", append(group, "--identifier", "made", "--patch-document", `[{"op":"replace","path":"RetentionInDays","value":30}]`)...)
	has(t, e.Operation, "UPDATE")
	e = control("delete-resource", append(group, "--identifier", "made")...)
	has(t, e.Operation, "DELETE")
	e = control("create-resource", "--type-name", queue, "--desired-state", `{"QueueName":"stuck"}`)
	e = control("cancel-resource-request", "--request-token", e.RequestToken)
	has(t, e.OperationStatus, "CANCEL_IN_PROGRESS")
	has(t, run("cloudcontrol", "list-resource-requests", "--resource-request-status-filter", "Operations=CREATE,OperationStatuses=CANCEL_COMPLETE"), "sqs.us-east-1.amazonaws.com/111122223333/stuck")
	has(t, run(append([]string{"cloudcontrol", "create-resource"}, append(group, "--desired-state", `{"Nope":1}`)...)...), "An error occurred (ValidationException) when calling the CreateResource operation: Model validation failed (#: extraneous key [Nope] is not permitted)")
	if got := s.Calls(); got["CreateResource"] != 3 || got["UpdateResource"] != 1 {
		t.Errorf("calls: %v", got)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("CloudApiService.GetResource", `{"TypeName":"AWS::S3::Bucket","Identifier":"x"}`, "application/x-amz-json-1.0")
	f.Add("CloudApiService.CreateResource", `{"TypeName":"AWS::Logs::LogGroup","DesiredState":"{\"LogGroupName\":\"a\",\"Tags\":[{\"Key\":\"k\",\"Value\":\"v\"}]}","ClientToken":"t"}`, "application/x-amz-json-1.0")
	f.Add("CloudApiService.UpdateResource", `{"TypeName":"AWS::Logs::LogGroup","Identifier":"my-log-group","PatchDocument":"[{\"op\":\"move\",\"from\":\"/Tags/0\",\"path\":\"/Tags/-\"},{\"op\":\"test\",\"path\":\"\",\"value\":1e99}]"}`, "application/x-amz-json-1.0")
	f.Add("CloudApiService.DeleteResource", `{"TypeName":"AWS::EKS::Nodegroup","Identifier":"{\"Id\":\"c|n1\"}"}`, "application/x-amz-json-1.0")
	f.Add("CloudApiService.ListResourceRequests", `{"ResourceRequestStatusFilter":{"Operations":["CREATE"]},"NextToken":"e30="}`, "application/x-amz-json-1.0")
	f.Add("", "Action=AssumeRole&Version=2011-06-15&RoleArn=a", "application/x-www-form-urlencoded")
	f.Add("AWSOrganizationsV20161128.ListAccounts", `{"NextToken":"more"}`, "application/x-amz-json-1.1")
	s := serve(f, Options{World: one()})
	f.Fuzz(func(t *testing.T, target, body, content string) {
		for _, service := range []string{"cloudcontrolapi", "sts", "organizations"} {
			r, err := http.NewRequest(http.MethodPost, s.URL, strings.NewReader(body))
			if err != nil {
				return
			}
			r.Header["X-Amz-Target"], r.Header["Content-Type"] = []string{target}, []string{content}
			sign(r, service, "us-east-1")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				if strings.Contains(err.Error(), "invalid header") {
					return
				}
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}
