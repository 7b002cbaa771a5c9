package change

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/catalog"
)

// Changes as given, and the order that their references ask for. "a>b" says
// that a waits for b.
func TestOrder(t *testing.T) {
	t.Parallel()
	type in = Intent
	role := func(name string) in {
		return of(t, "AWS::IAM::Role", "", `{"RoleName":"`+name+`","AssumeRolePolicyDocument":{}}`)
	}
	function := func(name, role string) in {
		return of(t, "AWS::Lambda::Function", "", `{"FunctionName":"`+name+`","Role":"`+role+`","Code":{"ZipFile":"x"}}`)
	}
	gone := func(in in, id string) in {
		in.Before, in.After, in.Identifier = in.After, nil, id
		return in
	}
	check := func(want string, intents ...in) {
		t.Helper()
		s, err := New(Place{}, intents, Options{Replace: true})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			var out []string
			for _, c := range s.Changes {
				line := c.Action.String() + c.label()
				for _, n := range s.Needs(c) {
					line += ">" + s.Changes[n-1].label()
				}
				out = append(out, line)
			}
			got = strings.Join(out, " ")
		}
		if got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
	// Nothing refers to anything: as given.
	check("+q +g", of(t, queue, "", `{"QueueName":"q"}`), of(t, logGroup, "", `{"LogGroupName":"g"}`))
	// By ARN, before it is known otherwise; account and region must fit.
	check("+runner +f>runner", function("f", "arn:aws:iam::111122223333:role/runner"), role("runner"))
	check("+f +runner", function("f", "arn:aws:iam::444455556666:role/runner"), role("runner"))
	check("+runner +f>runner", function("f", "arn:aws:iam::111122223333:role/team/runner"), role("runner"))
	// By name, where the property says what it names.
	check("+g +f>g", of(t, "AWS::Logs::SubscriptionFilter", "", `{"LogGroupName":"g","FilterName":"f","DestinationArn":"d","FilterPattern":""}`), of(t, logGroup, "", `{"LogGroupName":"g"}`))
	check("+g +f", of(t, queue, "", `{"QueueName":"g"}`), of(t, "AWS::Logs::SubscriptionFilter", "", `{"LogGroupName":"g","FilterName":"f","DestinationArn":"d","FilterPattern":""}`))
	check("+g-2026-bucket +g-2026-bucket>g-2026-bucket", of(t, "AWS::S3::BucketPolicy", "", `{"Bucket":"g-2026-bucket","PolicyDocument":{}}`), of(t, "AWS::S3::Bucket", "", `{"BucketName":"g-2026-bucket"}`))
	check("-g-2026-bucket -g-2026-bucket>g-2026-bucket", gone(of(t, "AWS::S3::Bucket", "", `{"BucketName":"g-2026-bucket"}`), "g-2026-bucket"), gone(of(t, "AWS::S3::BucketPolicy", "", `{"Bucket":"g-2026-bucket","PolicyDocument":{}}`), "g-2026-bucket"))
	// By identifier, and in a policy's text.
	check("+g +u>g", of(t, "AWS::S3::BucketPolicy", "", `{"Bucket":"u","PolicyDocument":"{\"Statement\":[{\"Resource\":\"arn:aws:s3:::g/*\"}]}"}`), of(t, "AWS::S3::Bucket", "", `{"BucketName":"g"}`))
	// To cancel requests waits for nothing, though their models name one another.
	requests, err := catalog.Embedded().WithCloudControl().Table(catalog.RequestType)
	if err != nil {
		t.Fatal(err)
	}
	cancel := func(token, identifier, topic string) in {
		return in{Table: requests, Identifier: token, Before: json.RawMessage(`{"RequestToken":"` + token + `","Identifier":"` + identifier + `","ResourceModel":{"TopicArn":"` + topic + `"}}`)}
	}
	check("-11111111-aaaa -22222222-bbbb", cancel("11111111-aaaa", "arn:aws:sns:x:1:a", "arn:aws:sns:x:1:b"), cancel("22222222-bbbb", "arn:aws:sns:x:1:b", "arn:aws:sns:x:1:a"))
	// Deletions in reverse.
	check("-f -runner>f", gone(role("runner"), "runner"), gone(function("f", "arn:aws:iam::111122223333:role/runner"), "f"))
	// What refers to something deleted lets it go first.
	letGo := function("f", "arn:aws:iam::111122223333:role/old")
	letGo.Before, letGo.After, letGo.Identifier = letGo.After, []byte(`{"FunctionName":"f","Role":"arn:aws:iam::111122223333:role/new","Code":{"ZipFile":"x"}}`), "f"
	letGo.Before = []byte(`{"FunctionName":"f","Role":"arn:aws:iam::111122223333:role/old"}`)
	check("+new ~f>new -old>f", gone(role("old"), "old"), letGo, role("new"))
	// The same name deleted and made: one after the other.
	check("-g +g>g", of(t, logGroup, "", `{"LogGroupName":"g"}`), gone(of(t, logGroup, "", `{"LogGroupName":"g"}`), "g"))
	// Neighbours that share a parent wait for nobody.
	base := `"InstanceArn":"arn:aws:connect:us-east-1:111122223333:instance/1","RoutingProfileArn":"r","SecurityProfileArns":["s"],"Username":`
	check("+u +u", of(t, user, "", `{`+base+`"u"}`), of(t, user, "", `{`+strings.Replace(base, "instance/1", "instance/2", 1)+`"u"}`))
	check("-a -b", gone(of(t, user, "", `{`+base+`"a","UserArn":"arn:aws:connect:us-east-1:111122223333:instance/1/agent/1"}`), "a"), gone(of(t, user, "", `{`+base+`"b","UserArn":"arn:aws:connect:us-east-1:111122223333:instance/1/agent/2"}`), "b"))
	// A circle.
	a := of(t, "AWS::EC2::SecurityGroup", "", `{"GroupName":"a","GroupDescription":"d","SecurityGroupIngress":[{"IpProtocol":"-1","SourceSecurityGroupName":"b"}]}`)
	b := of(t, "AWS::EC2::SecurityGroup", "", `{"GroupName":"b","GroupDescription":"d","SecurityGroupIngress":[{"IpProtocol":"-1","SourceSecurityGroupName":"a"}]}`)
	check("the changes wait for each other in a circle: aws.ec2.security_groups a → aws.ec2.security_groups b → aws.ec2.security_groups a", a, b)
	// What only AWS will name.
	later := function("f", Placeholder+"new-9")
	named := of(t, "AWS::IAM::Role", "", `{"AssumeRolePolicyDocument":{}}`)
	named.Identifier = Placeholder + "new-9"
	check("aws.lambda.functions f: role refers to a new row of aws.iam.roles, whose identifier AWS will choose when it is made", later, named)
}

// Of every pair of list parent and child: the child waits.
func TestOrderOfParents(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, e := range catalog.Embedded().Entries("") {
		if !e.Creatable || !e.Deletable {
			continue
		}
		child := table(t, e.Type)
		for _, p := range child.ListInput.Parents {
			if p.Type == child.Type || len(p.Give) != 1 || strings.Contains(p.Give[0].From, "*") {
				continue
			}
			parent := table(t, p.Type)
			if parent.Delete == nil {
				continue
			}
			const id = "6f2b1d0e-0000-4000-8000-000000000001"
			from, to := steps(p.Give[0].From), steps(p.Give[0].To)
			if !rulesOf(parent).ownName(from) || rulesOf(child).ownName(to) {
				continue
			}
			seen++
			s, err := New(Place{}, []Intent{
				{Table: parent, Account: "1", Region: "r", Identifier: "p", Before: encode(nest(from, id))},
				{Table: child, Account: "1", Region: "r", Identifier: "c", Before: encode(nest(to, id))}}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if s.Changes[0].Table != child {
				t.Errorf("%s is deleted before its child %s", parent.Type, child.Type)
			}
		}
	}
	if seen < 150 {
		t.Errorf("only %d pairs", seen)
	}
}
