package sandbox

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skyql/skyql/internal/catalog"
)

// A script is a series of calls and what came of each, as text: the operation,
// its parameters, and the answer with tokens left out.
type script struct {
	t *testing.T
	direct
	last answer
}

func play(t *testing.T, o Options) *script {
	if o.World == nil {
		o.World = one()
	}
	return &script{t: t, direct: direct{New(o), "us-east-1"}}
}

var tokens = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}`)

func (s *script) want(want string) {
	s.t.Helper()
	if got := tokens.ReplaceAllString(s.last.String(), "*"); got != want {
		s.t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func (s *script) create(typ, desired string, more ...string) *script {
	s.last = s.call("CreateResource", members(more, "TypeName", typ, "DesiredState", desired))
	return s
}

func (s *script) update(typ, id, patch string, more ...string) *script {
	s.last = s.call("UpdateResource", members(more, "TypeName", typ, "Identifier", id, "PatchDocument", patch))
	return s
}

func (s *script) delete(typ, id string, more ...string) *script {
	s.last = s.call("DeleteResource", members(more, "TypeName", typ, "Identifier", id))
	return s
}

func (s *script) poll() *script {
	s.last = s.call("GetResourceRequestStatus", members(nil, "RequestToken", s.last.ProgressEvent.RequestToken))
	return s
}

func (s *script) ended() *script {
	s.last = s.end(s.last)
	return s
}

func (s *script) cancel() *script {
	s.last = s.call("CancelResourceRequest", members(nil, "RequestToken", s.last.ProgressEvent.RequestToken))
	return s
}

// get gives a resource's properties as they are read, or the error.
func (s *script) get(typ, id string) string {
	a := s.call("GetResource", members(nil, "TypeName", typ, "Identifier", id))
	if a.status != http.StatusOK {
		return a.code()
	}
	return a.ResourceDescription.Properties
}

func members(more []string, kv ...string) map[string]any {
	out := map[string]any{}
	kv = append(kv, more...)
	for i := 0; i < len(kv); i += 2 {
		out[kv[i]] = kv[i+1]
	}
	return out
}

const (
	logGroup = "AWS::Logs::LogGroup"
	secret   = "AWS::SecretsManager::Secret"
	queue    = "AWS::SQS::Queue"
	invalidA = "400 ValidationException: "
)

func TestCreate(t *testing.T) {
	t.Parallel()
	s := play(t, Options{})
	s.create(logGroup, `{"LogGroupName":"a","RetentionInDays":7}`).want("IN_PROGRESS a")
	s.poll().want("SUCCESS a")
	if got := s.get(logGroup, "a"); got != `{"LogGroupName":"a","LogGroupClass":"STANDARD","RetentionInDays":7,"Arn":"arn:aws:logs:us-east-1:111122223333:log-group:a:*"}` {
		t.Errorf("read: %s", got)
	}
	s.create(logGroup, `{"LogGroupName":"a"}`).ended().want("FAILED a AlreadyExists Resource of type 'AWS::Logs::LogGroup' with identifier 'a' already exists.")
	s.create(queue, `{"QueueName":"orders-in"}`).ended().want("SUCCESS https://sqs.us-east-1.amazonaws.com/111122223333/orders-in")
	s.create(queue, `{"QueueName":"orders-in"}`).ended().want("FAILED https://sqs.us-east-1.amazonaws.com/111122223333/orders-in AlreadyExists Resource of type 'AWS::SQS::Queue' with identifier 'https://sqs.us-east-1.amazonaws.com/111122223333/orders-in' already exists.")
	s.create(queue, `{}`).ended()
	if id := s.last.ProgressEvent.Identifier; !strings.HasPrefix(id, "https://sqs.us-east-1.amazonaws.com/111122223333/") || len(id) < 55 {
		t.Errorf("a queue without a name is %s", id)
	}
	s.create("AWS::EC2::VPC", `{"CidrBlock":"10.0.0.0/16"}`).ended()
	first := s.last.ProgressEvent.Identifier
	s.create("AWS::EC2::VPC", `{"CidrBlock":"10.0.0.0/16"}`).ended()
	if second := s.last.ProgressEvent.Identifier; first == second || !regexp.MustCompile(`^vpc-[0-9a-f]{17}$`).MatchString(second) {
		t.Errorf("two VPCs are %s and %s", first, second)
	}
	s.create("AWS::EKS::Nodegroup", `{"ClusterName":"c","NodegroupName":"n9","NodeRole":"r","Subnets":["s"]}`).ended().want("SUCCESS c/n9")
}

// All that is wrong with a model is said at once, a line each.
func TestCreateInvalid(t *testing.T) {
	t.Parallel()
	s := play(t, Options{})
	s.create(logGroup, `{"LogGroupName":5,"RetentionInDays":"x","Nope":1,"Arn":"a"}`).want(invalidA + `Model validation failed (#/LogGroupName: expected type: String, found: Integer
#: extraneous key [Nope] is not permitted
#/RetentionInDays: expected type: Integer, found: String
#: readOnlyProperties [/properties/Arn] cannot be specified)`)
	s.create(logGroup, `{"RetentionInDays":8,"Tags":[{"Key":""}]}`).want(invalidA + `Model validation failed (#/RetentionInDays: 8 is not a valid enum value
#/Tags/0: required key [Value] not found
#/Tags/0/Key: expected minLength: 1, actual: 0)`)
	s.create("AWS::EKS::Nodegroup", `{}`).want(invalidA + `Model validation failed (#: required key [ClusterName] not found
#: required key [NodeRole] not found
#: required key [Subnets] not found)`)
	s.create("AWS::EC2::Volume", `{"AvailabilityZone":"us-east-1a"}`).want(invalidA + `Model validation failed (#: #: no subschema matched out of the total 5 subschemas)`)
	s.create(logGroup, `[]`).want(invalidA + `DesiredState is not a JSON object`)
	s.create(logGroup, `{"a":x}`).want(invalidA + `DesiredState is not a JSON object: invalid character 'x' looking for beginning of value at byte 6`)
	s.create(logGroup, `{} {}`).want(invalidA + `DesiredState is not a JSON object: something follows the value at byte 2`)
	s.create(logGroup, `{"a":`).want(invalidA + `DesiredState is not a JSON object: unexpected EOF at byte 5`)
	s.create(logGroup, ``).want(invalidA + `1 validation error detected: Value null at 'desiredState' failed to satisfy constraint: Member must not be null`)
	s.create("AWS::Route53::RecordSet", `{}`).want("400 UnsupportedActionException: Resource type AWS::Route53::RecordSet does not support CREATE action")
	s.create("AWS::No::Such", `{}`).want("400 TypeNotFoundException: The type 'AWS::No::Such' cannot be found.")
	s.create(logGroup, `{"LogGroupName":"`+strings.Repeat("x", maxDocument)+`"}`).want(invalidA + "1 validation error detected: Value at 'desiredState' failed to satisfy constraint: Member must have length less than or equal to 262144")
	s.create(logGroup, `{}`, "RoleArn", "r").want(invalidA + "1 validation error detected: Value 'r' at 'roleArn' failed to satisfy constraint: Member must satisfy regular expression pattern: " + roleForm().String())
	s.create(logGroup, `{}`, "ClientToken", "a b").want(invalidA + "1 validation error detected: Value 'a b' at 'clientToken' failed to satisfy constraint: Member must satisfy regular expression pattern: " + tokenForm().String())

	late := play(t, Options{Contract: Contract{SchemaFaultsLate: true}})
	late.create(logGroup, `{"Nope":1}`).ended().want("FAILED  InvalidRequest Model validation failed (#: extraneous key [Nope] is not permitted)")
	s.create(logGroup, `{"LogGroupName":"x","Tags":[{"Key":"aws:x","Value":"y"}]}`).ended().want("FAILED x InvalidRequest Tag key aws:x: keys with the prefix aws: are reserved for system use")
	once := play(t, Options{Contract: Contract{ExistsAtOnce: true}})
	once.create(logGroup, `{"LogGroupName":"my-log-group"}`).want("400 AlreadyExistsException: AWS::Logs::LogGroup Handler returned status FAILED: Resource of type 'AWS::Logs::LogGroup' with identifier 'my-log-group' already exists. (HandlerErrorCode: AlreadyExists, RequestToken: *)")
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	s := play(t, Options{})
	s.update(logGroup, "my-log-group", `[{"op":"replace","path":"/RetentionInDays","value":30}]`).ended().want("SUCCESS my-log-group")
	s.update(logGroup, "my-log-group", `[{"op":"test","path":"/RetentionInDays","value":30},{"op":"replace","path":"RetentionInDays","value":7}]`).ended().want("SUCCESS my-log-group") // no leading slash
	if got := s.get(logGroup, "my-log-group"); !strings.Contains(got, `"RetentionInDays":7`) {
		t.Errorf("read: %s", got)
	}
	s.update(logGroup, "my-log-group", `[]`).ended().want("SUCCESS my-log-group")
	refuse := func(typ, id, patch, want string) {
		t.Helper()
		s.update(typ, id, patch).want(want)
	}
	refuse(logGroup, "my-log-group", `[{"op":"test","path":"/RetentionInDays","value":9},{"op":"remove","path":"/RetentionInDays"}]`, invalidA+"[TEST Operation] value differs from expectations, path provided: //RetentionInDays")
	refuse(logGroup, "my-log-group", `[{"op":"replace","path":"/LogGroupName","value":"b"}]`, "400 NotUpdatableException: Invalid patch update: createOnlyProperties [/properties/LogGroupName] cannot be updated")
	refuse(logGroup, "my-log-group", `[{"op":"replace","path":"/Arn","value":"b"}]`, invalidA+"Invalid patch update: readOnlyProperties [/properties/Arn] cannot be updated")
	refuse(logGroup, "my-log-group", `[{"op":"add","path":"/RetentionInDays","value":8}]`, invalidA+"Model validation failed (#/RetentionInDays: 8 is not a valid enum value)")
	refuse(logGroup, "my-log-group", `null`, invalidA+"Invalid patch document: it is not a JSON array of operations")
	refuse(logGroup, "my-log-group", `[{"op":"swap","path":"/A"}]`, invalidA+`Invalid patch document: operation 0: op "swap" is none of add, remove, replace, move, copy, test`)
	refuse(logGroup, "my-log-group", `[{"op":"add","path":"/A"`, invalidA+"Invalid patch document: not valid JSON: unexpected EOF at byte 24")
	refuse(logGroup, "nope", `[]`, `400 ResourceNotFoundException: AWS::Logs::LogGroup Handler returned status FAILED: Resource of type 'AWS::Logs::LogGroup' with identifier '{"/properties/LogGroupName":"nope"}' was not found. (HandlerErrorCode: NotFound, RequestToken: *)`)
	refuse("AWS::EC2::KeyPair", "x", `[]`, "400 UnsupportedActionException: Resource type AWS::EC2::KeyPair does not support UPDATE action")
	if got := s.get(logGroup, "my-log-group"); !strings.Contains(got, `"RetentionInDays":7`) {
		t.Errorf("a refused update left %s", got)
	}
	late := play(t, Options{Contract: Contract{PatchFaultsLate: true, MissingUpdateLate: true}})
	late.update(logGroup, "my-log-group", `[{"op":"replace","path":"/LogGroupName","value":"b"}]`).ended().want("FAILED my-log-group NotUpdatable Invalid patch update: createOnlyProperties [/properties/LogGroupName] cannot be updated")
	late.update(logGroup, "nope", `[]`).ended().want(`FAILED nope NotFound Resource of type 'AWS::Logs::LogGroup' with identifier '{"/properties/LogGroupName":"nope"}' was not found.`)
}

// Write-only values are kept and never read, so a patch can't find them, and
// what it doesn't give is absent for the handler.
func TestWriteOnly(t *testing.T) {
	t.Parallel()
	kept := func(s *script) any {
		return s.s.Properties("111122223333", "us-east-1", secret, "arn:s")["SecretString"]
	}
	s := play(t, Options{})
	s.update(secret, "arn:s", `[{"op":"replace","path":"/SecretString","value":"x"}]`).want(invalidA + "[REPLACE Operation] noSuchPath in source, path provided: //SecretString")
	s.update(secret, "arn:s", `[{"op":"replace","path":"/GenerateSecretString/ExcludeLowercase","value":true}]`).want(invalidA + "[REPLACE Operation] noSuchPath in source, path provided: //GenerateSecretString/ExcludeLowercase")
	s.update(secret, "arn:s", `[{"op":"add","path":"/Description","value":"d"}]`).ended().want("SUCCESS arn:s")
	if kept(s) != "hidden" {
		t.Errorf("the secret is %v", kept(s))
	}
	s.update(secret, "arn:s", `[{"op":"add","path":"/SecretString","value":"new"}]`).ended().want("SUCCESS arn:s")
	if got := s.get(secret, "arn:s"); kept(s) != "new" || strings.Contains(got, "new") || strings.Contains(s.last.ProgressEvent.ResourceModel, "new") {
		t.Errorf("the secret is %v, read %s, event %v", kept(s), got, s.last.ProgressEvent)
	}
	reset := play(t, Options{Contract: Contract{WriteOnlyReset: true}})
	reset.update(secret, "arn:s", `[{"op":"add","path":"/Description","value":"d"}]`).ended().want("SUCCESS arn:s")
	if kept(reset) != nil {
		t.Errorf("the secret is %v", kept(reset))
	}
	// Required and write-only: must come with every update.
	s.create("AWS::EC2::LaunchTemplate", `{"LaunchTemplateName":"l","LaunchTemplateData":{"ImageId":"ami-1"}}`).ended()
	id := s.last.ProgressEvent.Identifier
	s.update("AWS::EC2::LaunchTemplate", id, `[{"op":"add","path":"/VersionDescription","value":"v"}]`).want(invalidA + "Model validation failed (#: required key [LaunchTemplateData] not found)")
	s.update("AWS::EC2::LaunchTemplate", id, `[{"op":"add","path":"/VersionDescription","value":"v"},{"op":"add","path":"/LaunchTemplateData","value":{"ImageId":"ami-2"}}]`).ended().want("SUCCESS " + id)
	// Write-only and create-only: never to be sent again.
	s.create("AWS::RDS::DBInstance", `{"DBInstanceIdentifier":"db","CharacterSetName":"c","DBSnapshotIdentifier":"snap"}`).ended().want("SUCCESS db")
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := play(t, Options{})
	s.delete(logGroup, "my-log-group").ended().want("SUCCESS my-log-group")
	s.delete(logGroup, "my-log-group").ended().want(`FAILED my-log-group NotFound Resource of type 'AWS::Logs::LogGroup' with identifier '{"/properties/LogGroupName":"my-log-group"}' was not found.`)
	s.create("AWS::EKS::Cluster", `{"Name":"c","RoleArn":"arn:r","ResourcesVpcConfig":{"SubnetIds":["s"]}}`).ended().want("SUCCESS c")
	s.delete("AWS::EKS::Cluster", "c").ended().want("FAILED c InvalidRequest Resource of type 'AWS::EKS::Cluster' with identifier 'c' has dependent resources: AWS::EKS::Nodegroup c|n1")
	s.delete("AWS::EKS::Nodegroup", `{"Id":"c|n1"}`).ended().want("SUCCESS c|n1")
	s.delete("AWS::EKS::Cluster", "c").ended().want("SUCCESS c")
	s.delete("AWS::S3::Bucket", "far")
	if s.last.code() != "GeneralServiceException" || !strings.Contains(s.last.Message, "Status Code: 301") {
		t.Errorf("a bucket of another region: %s", s.last)
	}

	s.delete("AWS::KMS::Key", "k").ended().want(`FAILED k NotFound Resource of type 'AWS::KMS::Key' with identifier '{"/properties/KeyId":"k"}' was not found.`)
	const app, byName = "AWS::AppConfig::Application", `{"Name":"n"}` // an alternative key
	s.create(app, `{"Name":"n"}`).ended()
	id := s.last.ProgressEvent.Identifier
	s.create(app, `{"Name":"n"}`).ended()
	if e := s.last.ProgressEvent; e.ErrorCode != "AlreadyExists" {
		t.Errorf("the same name twice: %s", s.last)
	}
	s.update(app, byName, `[{"op":"add","path":"/Description","value":"d"}]`).ended().want("SUCCESS *")
	s.delete(app, byName).ended().want("SUCCESS *")
	if s.last.ProgressEvent.Identifier != id {
		t.Errorf("deleted %s, not %s", s.last.ProgressEvent.Identifier, id)
	}
	s.delete(app, byName).ended().want(`FAILED  NotFound Resource of type 'AWS::AppConfig::Application' with identifier '{"/properties/Name":"n"}' was not found.`)

	free := play(t, Options{Contract: Contract{OrphansAllowed: true, MissingDeleteSync: true}})
	free.create("AWS::EKS::Cluster", `{"Name":"c","RoleArn":"arn:r","ResourcesVpcConfig":{"SubnetIds":["s"]}}`).ended().want("SUCCESS c")
	free.delete("AWS::EKS::Cluster", "c").ended().want("SUCCESS c")
	free.delete("AWS::EKS::Cluster", "c").want(`400 ResourceNotFoundException: AWS::EKS::Cluster Handler returned status FAILED: Resource of type 'AWS::EKS::Cluster' with identifier '{"/properties/Name":"c"}' was not found. (HandlerErrorCode: NotFound, RequestToken: *)`)
}

// What a create refers to need not exist, unless that is asked for.
func TestReferences(t *testing.T) {
	t.Parallel()
	s := play(t, Options{Contract: Contract{ReferencesRequired: true}})
	node := `{"ClusterName":"%s","NodegroupName":"n","NodeRole":"arn:aws:iam::111122223333:role/r","Subnets":["subnet-0123456789abcdef0"]}`
	s.create("AWS::EKS::Nodegroup", fmt.Sprintf(node, "none")).ended().want("FAILED none/n InvalidRequest The AWS::EKS::Cluster none does not exist.")
	s.create("AWS::IAM::Role", `{"RoleName":"r","AssumeRolePolicyDocument":{}}`).ended().want("SUCCESS r")
	s.create("AWS::EKS::Cluster", `{"Name":"k","RoleArn":"arn:aws:iam::111122223333:role/none","ResourcesVpcConfig":{"SubnetIds":[]}}`).ended().want("FAILED k InvalidRequest arn:aws:iam::111122223333:role/none does not exist.")
	s.create("AWS::EKS::Cluster", `{"Name":"k","RoleArn":"arn:aws:iam::111122223333:role/r","ResourcesVpcConfig":{"SubnetIds":[]}}`).ended().want("SUCCESS k")
	s.create("AWS::EKS::Nodegroup", fmt.Sprintf(node, "k")).ended().want("FAILED k/n InvalidRequest subnet-0123456789abcdef0 does not exist.")
	s.create("AWS::Lambda::Function", `{"FunctionName":"f","Role":"arn:aws:iam::999999999999:role/service","Code":{}}`).ended().want("SUCCESS f")
}

// The switches that no other test turns.
func TestContract(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, e := range catalog.Embedded().Entries("") {
		table, err := catalog.Embedded().Table(e.Type)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(table.ConditionalCreateOnly, func(p string) bool {
			return !strings.Contains(p[1:], "/") && !slices.Contains(table.CreateOnly, p) && !slices.Contains(table.Root.Required, p[1:])
		})
		if i < 0 || table.Update == nil || len(table.WriteOnly) > 0 {
			continue
		}
		at := table.ConditionalCreateOnly[i]
		m, _ := Model(table, "111122223333", "us-east-1", false, 1)
		other, _ := Model(table, "111122223333", "us-east-1", true, 1)
		m[at[1:]] = other[at[1:]]
		if rootOf(table).check(m) != nil || other[at[1:]] == nil {
			continue
		}
		if delete(m, at[1:]); rootOf(table).check(m) != nil {
			continue
		}
		tried++
		for _, refused := range []bool{false, true} {
			s := play(t, Options{Contract: Contract{ConditionalRefused: refused, NoDefaults: true}})
			s.create(e.Type, string(encode(m))).ended()
			id := s.last.ProgressEvent.Identifier
			got := s.update(e.Type, id, string(encode([]any{map[string]any{"op": "add", "path": at, "value": other[at[1:]]}}))).ended().last.ProgressEvent
			if refused && (got.ErrorCode != "NotUpdatable" || !strings.HasPrefix(got.StatusMessage, "conditionalCreateOnlyProperties [/properties"+at)) || !refused && got.OperationStatus != "SUCCESS" {
				t.Errorf("%s: refused: %v: %s", e.Type, refused, s.last)
			}
		}
	}
	if tried < 10 {
		t.Errorf("%d types", tried)
	}
	synctest.Test(t, func(t *testing.T) {
		s := play(t, Options{Work: Work{Delay: time.Minute}, Contract: Contract{CreatesOverlap: true, NoDefaults: true}})
		s.create(logGroup, group("a"))
		first := s.last
		s.create(logGroup, `{"LogGroupName":"a","RetentionInDays":1}`).want("IN_PROGRESS a")
		time.Sleep(time.Minute)
		s.poll().want("FAILED a AlreadyExists Resource of type 'AWS::Logs::LogGroup' with identifier 'a' already exists.")
		s.last = first
		s.poll().want("SUCCESS a")
		if got := s.get(logGroup, "a"); strings.Contains(got, "LogGroupClass") {
			t.Errorf("defaults in %s", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := play(t, Options{Work: Work{Pending: time.Second, Delay: time.Minute, Early: true}})
		s.create(logGroup, group("a")).want("PENDING a")
		if got := s.get(logGroup, "a"); got != "ResourceNotFoundException" {
			t.Errorf("while it waits: %s", got)
		}
		time.Sleep(time.Second)
		if got := s.get(logGroup, "a"); got == "ResourceNotFoundException" {
			t.Error("it can't be read while it is made")
		}
		s.poll().want("IN_PROGRESS a")
		s.cancel().poll().want("CANCEL_COMPLETE a")
		if got := s.get(logGroup, "a"); got == "ResourceNotFoundException" {
			t.Error("cancelled, it is gone")
		}
	})
}

// Time passes at the clock's pace and nothing runs meanwhile.
func TestWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := play(t, Options{Work: Work{Pending: time.Second, Delay: 10 * time.Second, Polls: 2}})
		s.create(logGroup, `{"LogGroupName":"a"}`).want("PENDING a")
		if got := s.get(logGroup, "a"); got != "ResourceNotFoundException" {
			t.Errorf("before the end: %s", got)
		}
		at := s.last.ProgressEvent.RetryAfter
		time.Sleep(2 * time.Second)
		s.poll().want("IN_PROGRESS a")
		if s.last.ProgressEvent.RetryAfter != at {
			t.Errorf("RetryAfter went from %s to %s", at, s.last.ProgressEvent.RetryAfter)
		}
		s.update(logGroup, "a", `[]`).want(`400 ResourceNotFoundException: AWS::Logs::LogGroup Handler returned status FAILED: Resource of type 'AWS::Logs::LogGroup' with identifier '{"/properties/LogGroupName":"a"}' was not found. (HandlerErrorCode: NotFound, RequestToken: *)`)
		s.create(logGroup, `{"LogGroupName":"a","RetentionInDays":1}`).want("400 ConcurrentOperationException: Another operation on resource of type 'AWS::Logs::LogGroup' with identifier 'a' is in progress, request token *")
		time.Sleep(9 * time.Second)
		if got := s.get(logGroup, "a"); got == "ResourceNotFoundException" {
			t.Error("the resource isn't there at the end")
		}
		s.update(logGroup, "a", `[]`).want("PENDING a") // over, though not told yet
		s.poll().want("PENDING a")
		s.delete(logGroup, "a").want("400 ConcurrentOperationException: Another operation on resource of type 'AWS::Logs::LogGroup' with identifier 'a' is in progress, request token *")
	})
	synctest.Test(t, func(t *testing.T) {
		s := play(t, Options{Work: Work{AtOnce: true}})
		s.create(logGroup, `{"LogGroupName":"a"}`).want("SUCCESS a")
		s = play(t, Options{Work: Work{LateIdentifier: true, Polls: 1, RetryAfter: 3 * time.Second}})
		s.create("AWS::EC2::VPC", `{"CidrBlock":"10.0.0.0/16"}`).want("IN_PROGRESS")
		if e := s.last.ProgressEvent; string(e.RetryAfter) != string(epoch(time.Now().Add(3*time.Second).UnixNano())) {
			t.Errorf("RetryAfter %s, at %s", e.RetryAfter, e.EventTime)
		}
		s.poll().want("IN_PROGRESS")
		s.poll()
		if s.last.ProgressEvent.OperationStatus != "SUCCESS" || s.last.ProgressEvent.Identifier == "" {
			t.Errorf("at the end: %s", s.last)
		}
	})
}

func TestClientTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const group, again = `{"LogGroupName":"a"}`, `{"LogGroupName":"b"}`
		s := play(t, Options{})
		s.create(logGroup, group, "ClientToken", "t1").want("IN_PROGRESS a")
		first := s.last.ProgressEvent
		s.poll().want("SUCCESS a")
		s.create(logGroup, group, "ClientToken", "t1").want("IN_PROGRESS a") // the first event, and no second operation
		if s.last.ProgressEvent != first {
			t.Errorf("a replay gives %v, not %v", s.last.ProgressEvent, first)
		}
		s.create(logGroup, again, "ClientToken", "t1").want("400 ClientTokenConflictException: Client token t1 was already used by another request")
		s.delete(logGroup, "a", "ClientToken", "t1").want("400 ClientTokenConflictException: Client token t1 was already used by another request")
		elsewhere := s.direct
		elsewhere.region = "eu-west-1"
		if a := elsewhere.call("CreateResource", members(nil, "TypeName", logGroup, "DesiredState", again, "ClientToken", "t1")); a.status != http.StatusOK {
			t.Errorf("the token in another region: %s", a)
		}
		time.Sleep(tokenLife)
		s.create(logGroup, again, "ClientToken", "t1").ended().want("SUCCESS b") // a new request
		s.create(logGroup, `{"Nope":1}`, "ClientToken", "t2")
		s.create(logGroup, `{"LogGroupName":"c"}`, "ClientToken", "t2").want("IN_PROGRESS c") // a refused request used no token

		s = play(t, Options{Contract: Contract{ReplayCurrent: true, TokenConflictsPass: true}})
		s.create(logGroup, group, "ClientToken", "t1").poll().want("SUCCESS a")
		s.create(logGroup, group, "ClientToken", "t1").want("SUCCESS a")
		s.create(logGroup, again, "ClientToken", "t1").want("SUCCESS a")
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	const group = `{"LogGroupName":"a"}`
	synctest.Test(t, func(t *testing.T) {
		s := play(t, Options{Work: Work{Delay: time.Minute}, Contract: Contract{CancelDelay: Duration(5 * time.Second)}})
		s.create(logGroup, group).cancel().want("CANCEL_IN_PROGRESS a")
		s.cancel().want("CANCEL_IN_PROGRESS a") // once more is no harm
		s.create(logGroup, group)
		if s.last.code() != "ConcurrentOperationException" {
			t.Errorf("while it is cancelled: %s", s.last)
		}
		time.Sleep(5 * time.Second)
		s.create(logGroup, group).want("IN_PROGRESS a")
		time.Sleep(time.Minute)
		s.poll().want("SUCCESS a")
		s.cancel().want("SUCCESS a")
	})
	end := func(c Contract, want string, there bool) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			s := play(t, Options{Work: Work{Delay: time.Minute}, Contract: c})
			s.create(logGroup, group).cancel().want("CANCEL_IN_PROGRESS a")
			time.Sleep(time.Hour)
			s.poll().want(want)
			if got := s.get(logGroup, "a") != "ResourceNotFoundException"; got != there {
				t.Errorf("%+v: there: %v", c, got)
			}
		})
	}
	end(Contract{}, "CANCEL_COMPLETE a", false)
	end(Contract{CancelLeaves: true}, "CANCEL_COMPLETE a", true)
	end(Contract{CancelLoses: true}, "SUCCESS a", true)
}

func TestRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := play(t, Options{})
		for i := range 25 {
			s.create(logGroup, fmt.Sprintf(`{"LogGroupName":"g%02d"}`, i)).ended()
		}
		s.delete(logGroup, "g00").ended().delete(logGroup, "g00").ended()
		list := func(in map[string]any) string {
			var ids []string
			for {
				a := s.call("ListResourceRequests", in)
				if a.status != http.StatusOK {
					return a.String()
				}
				for _, e := range a.ResourceRequestStatusSummaries {
					ids = append(ids, e.Operation[:1]+e.OperationStatus[:1]+e.Identifier)
				}
				if a.NextToken == "" {
					return strings.Join(ids, " ")
				}
				in["NextToken"] = a.NextToken
				ids = append(ids, "/")
			}
		}
		filter := func(kv ...any) map[string]any {
			return map[string]any{"ResourceRequestStatusFilter": map[string]any{kv[0].(string): kv[1]}}
		}
		check := func(got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		}
		check(list(filter("OperationStatuses", []string{"FAILED"})), "DFg00")
		check(list(filter("Operations", []string{"DELETE"})), "DFg00 DSg00")
		all := list(map[string]any{})
		if n := strings.Count(all, " ") + 1; n != 28 || !strings.Contains(all, "CSg07 / CSg06") {
			t.Errorf("%d: %s", n, all)
		}
		check(list(map[string]any{"MaxResults": 101}), invalidA+"1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and 100")
		check(list(filter("Operations", []string{"READ"})), invalidA+"1 validation error detected: Value '[READ]' at 'resourceRequestStatusFilter.operations' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [CREATE, DELETE, UPDATE]]")
		time.Sleep(recordLife)
		check(list(map[string]any{}), "")
		s.poll()
		check(s.last.code(), "RequestTokenNotFoundException")
	})
}

// What is told to have ended has acted, however the clock goes on amid a call.
func TestToldWhenDone(t *testing.T) {
	t.Parallel()
	for delay := range 40 {
		now := time.Now()
		s := play(t, Options{Work: Work{Delay: time.Duration(delay) * time.Second / 4}, Clock: func() time.Time {
			now = now.Add(time.Second / 4)
			return now
		}})
		s.create(logGroup, `{"LogGroupName":"a"}`).ended().want("SUCCESS a")
		s.create(logGroup, `{"LogGroupName":"a"}`).ended().want("FAILED a AlreadyExists Resource of type 'AWS::Logs::LogGroup' with identifier 'a' already exists.")
		s.create(logGroup, `{"LogGroupName":"a"}`)
		s.last = s.call("ListResourceRequests", map[string]any{})
		for _, e := range s.last.ResourceRequestStatusSummaries[:2] {
			if e.OperationStatus == "SUCCESS" {
				t.Errorf("after %d quarters of a second the list says %+v", delay, e)
			}
		}
	}
}
