package change

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skyql/skyql/internal/sqlerr"
)

// Intents, and all that the schema has against them.
func TestCheck(t *testing.T) {
	t.Parallel()
	check := func(typ, before, after string, o Options, want ...string) {
		t.Helper()
		var got []string
		for _, p := range Check([]Intent{of(t, typ, before, after)}, o) {
			line := p.String()
			if p.Warning {
				line = "warning: " + line
			}
			if p.Fix != "" {
				line += " (" + p.Fix + ")"
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s → %s\n%s", typ, before, after, diff)
		}
	}
	const user, bucket, queue = "AWS::Connect::User", "AWS::S3::Bucket", "AWS::SQS::Queue"
	base := `"InstanceArn":"arn:aws:connect:us-east-1:111122223333:instance/6f2b1d0e-0000-4000-8000-000000000001","RoutingProfileArn":"arn:aws:connect:us-east-1:111122223333:instance/6f2b1d0e-0000-4000-8000-000000000001/routing-profile/6f2b1d0e-0000-4000-8000-000000000002","SecurityProfileArns":["arn:aws:connect:us-east-1:111122223333:instance/6f2b1d0e-0000-4000-8000-000000000001/security-profile/6f2b1d0e-0000-4000-8000-000000000003"],"Username":"abara"`
	phone := `,"PhoneConfig":{"PhoneType":"SOFT_PHONE"}`
	check(user, "", `{`+base+phone+`}`, Options{})
	// All at once.
	check(user, "", `{"Username":"abara","PhoneConfig":{"PhoneType":7,"AutoAcept":true},"UserArn":"x"}`, Options{},
		`aws.connect.users abara: user_arn is read-only: AWS sets it (leave user_arn out)`,
		`aws.connect.users abara: instance_arn is required (give instance_arn a value)`,
		`aws.connect.users abara: routing_profile_arn is required (give routing_profile_arn a value)`,
		`aws.connect.users abara: security_profile_arns is required (give security_profile_arns a value)`,
		`aws.connect.users abara: phone_config.AutoAcept is no property of phone_config (did you mean AutoAccept?)`,
		`aws.connect.users abara: phone_config.PhoneType = 7 must be a string, not an integer`)
	check(user, "", `{`+base+`,"PhoneConfig":{"PhoneType":"SOFTPHONE"}}`, Options{},
		`warning: aws.connect.users abara: phone_config.PhoneType = "SOFTPHONE" must be one of SOFT_PHONE, DESK_PHONE (did you mean SOFT_PHONE?)`)
	check(user, "", `{`+base+`,"PhoneConfig":{"PhoneType":"SOFTPHONE"}}`, Options{Strict: true},
		`aws.connect.users abara: phone_config.PhoneType = "SOFTPHONE" must be one of SOFT_PHONE, DESK_PHONE (did you mean SOFT_PHONE?)`)
	// A secret is never shown.
	check(user, "", `{`+base+phone+`,"Password":7}`, Options{}, `aws.connect.users abara: password = "(sensitive)" must be a string, not an integer`)
	// Create-only, and what can be done instead.
	check(bucket, `{"BucketName":"a-bucket"}`, `{"BucketName":"b-bucket"}`, Options{},
		`aws.s3.buckets a-bucket: bucket_name = "b-bucket" can be set only when the resource is made (SET replace = 'allow' deletes the resource and makes it anew)`)
	// What a replacement is made without: no read gives it.
	const without = " a-bucket: is made anew without what is write-only and not given, whatever it was: access_control (SET what it needs in the same statement)"
	check(bucket, `{"BucketName":"a-bucket"}`, `{"BucketName":"b-bucket"}`, Options{Replace: true}, "warning: aws.s3.buckets"+without)
	check("AWS::Lambda::Function", `{"FunctionName":"f","Role":"arn:aws:iam::111122223333:role/r","Code":{}}`, `{"FunctionName":"g","Role":"arn:aws:iam::111122223333:role/r","Code":{}}`, Options{Replace: true},
		"aws.lambda.functions f: code is required, and write-only: what it was is not known (SET code in the same statement)",
		"warning: aws.lambda.functions f: is made anew without what is write-only and not given, whatever it was: snap_start, publish_to_latest_published (SET what it needs in the same statement)")
	check("AWS::Lambda::Function", `{"FunctionName":"f","Role":"arn:aws:iam::111122223333:role/r","Code":{}}`, `{"FunctionName":"g","Role":"arn:aws:iam::111122223333:role/r","Code":{"ZipFile":"x"},"SnapStart":{"ApplyOn":"None"},"PublishToLatestPublished":true}`, Options{Replace: true})
	// Two tags of one key.
	check(queue, "", `{"QueueName":"q","Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":"1"},{"Key":"a","Value":"2"}]}`, Options{},
		"warning: aws.sqs.queues q: tags has two tags with the key a")
	// No update handler.
	check("AWS::Lambda::LayerVersion", `{"Description":"a"}`, `{"Description":"b"}`, Options{},
		`aws.lambda.layer_versions id: AWS offers no update of this type through Cloud Control (SET replace = 'allow' deletes the resource and makes it anew)`)
	// Wanted with every update.
	check("AWS::MSK::Configuration", `{"Name":"c","Arn":"x"}`, `{"Name":"c","Description":"d","Arn":"x"}`, Options{},
		`aws.msk.configurations c: server_properties is wanted by AWS with every update and never given back by it (SET server_properties too)`)
	check("AWS::MSK::Configuration", `{"Name":"c","Arn":"x"}`, `{"Name":"c","Description":"d","ServerProperties":"a=b","Arn":"x"}`, Options{})
	// What may be no difference is said.
	check("AWS::CloudWatch::Alarm", `{"AlarmName":"a","AlarmActions":["a","b"]}`, `{"AlarmName":"a","AlarmActions":["b","a"]}`, Options{},
		`warning: aws.cloudwatch.alarms a: alarm_actions is wanted in another order than AWS has it: nothing says that its order counts, and it isn't sent (SET data__PatchDocument = '[…]' sends it all the same)`)
	check("AWS::GameLift::Fleet", `{"Name":"f","AnywhereConfiguration":{"Cost":"1"}}`, `{"Name":"f","AnywhereConfiguration":{"Cost":"2"}}`, Options{},
		`warning: aws.gamelift.fleets f: anywhere_configuration.Cost is rewritten by AWS, by a rule that is not evaluated here: it may be as wanted already, and isn't sent (SET data__PatchDocument = '[…]' sends it all the same)`)
	// What only AWS can tell is tried.
	check("AWS::RDS::DBInstance", `{"DBInstanceIdentifier":"d","AvailabilityZone":"a"}`, `{"DBInstanceIdentifier":"d","AvailabilityZone":"b"}`, Options{},
		`warning: aws.rds.db_instances id: availability_zone can in some cases be set only when the resource is made: AWS decides`)
	// Required, but what AWS has already is not the statement's fault.
	check(user, `{`+base+`}`, `{`+strings.Replace(base, `"Username":"abara"`, `"Username":null`, 1)+`}`, Options{},
		`aws.connect.users abara: username is required (give username a value)`)
	check(queue, `{"QueueName":"q","Tags":[{"Key":"a","Value":3}]}`, `{"QueueName":"q","Tags":[{"Key":"a","Value":3}],"DelaySeconds":1}`, Options{})
	// AWS's own tags.
	check(queue, "", `{"Tags":[{"Key":"aws:x","Value":"y"}]}`, Options{}, `aws.sqs.queues: tags = "aws:x" has a tag with AWS's own prefix, which nobody else can write (leave the tag aws:x out)`)
	// One of several.
	check("AWS::EC2::Volume", "", `{"AvailabilityZone":"us-east-1a"}`, Options{}, `aws.ec2.volumes: needs availability_zone_id and size, or availability_zone_id and snapshot_id, or size, or snapshot_id, or source_volume_id`)
	check("AWS::S3::Bucket", "", `[]`, Options{}, `aws.s3.buckets: the properties after are not a JSON object: array instead of an object`)
	check("AWS::S3::Bucket", "", `{"BucketName":`, Options{}, `aws.s3.buckets: the properties after are not a JSON object: at byte 15: it ends too early`)
	check("AWS::Route53::RecordSet", "", `{"Name":"a","Type":"A"}`, Options{}, `aws.route53.record_sets a: AWS offers no creation of this type through Cloud Control`)
}

func TestNew(t *testing.T) {
	t.Parallel()
	_, err := New(Place{}, []Intent{of(t, "AWS::Connect::User", "", `{"Username":"abara"}`)}, Options{})
	var e *sqlerr.Error
	var ps Problems
	if !errors.As(err, &e) || !errors.As(err, &ps) || e.Code != "23502" || len(ps) < 3 {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(e.Format(), "aws.connect.users abara: instance_arn is required") {
		t.Error(e.Format())
	}
	same := of(t, "AWS::S3::Bucket", `{"BucketName":"a-bucket"}`, `{"BucketName":"a-bucket"}`)
	s, err := New(Place{}, []Intent{same}, Options{})
	if err != nil || len(s.Changes) != 0 {
		t.Errorf("got %v, %v", s, err)
	}
	// A name twice is doubtful, where AWS gives identifiers; a Name tag is not.
	named, tagged := of(t, queue, "", `{"QueueName":"q"}`), of(t, "AWS::EC2::VPC", "", `{"CidrBlock":"10.0.0.0/16","Tags":[{"Key":"Name","Value":"v"}]}`)
	elsewhere := named
	elsewhere.Region = "eu-west-1"
	s, err = New(Place{}, []Intent{same, named, tagged, elsewhere, tagged, named}, Options{Strict: true})
	if err != nil || len(s.Warnings) != 1 || s.Warnings[0].Intent != 5 || s.Warnings[0].String() != "aws.sqs.queues q: is the name of more than one of the new resources" {
		t.Errorf("got %v, %v", s, err)
	}
}

func TestSetsOfOneResource(t *testing.T) {
	t.Parallel()
	const before, after = `{"LogGroupName":"a","RetentionInDays":7}`, `{"LogGroupName":"a","RetentionInDays":8}`
	check := func(want string, intents ...Intent) {
		t.Helper()
		got := ""
		if _, err := New(Place{}, intents, Options{}); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	changed, gone := of(t, logGroup, before, after), of(t, logGroup, before, "")
	made, other := of(t, logGroup, "", after), of(t, logGroup, before, after)
	other.Region = "eu-west-1"
	check("", changed, other)
	check("aws.logs.log_groups a is changed twice", changed, changed)
	check("aws.logs.log_groups a is changed twice", changed, gone)
	check("aws.logs.log_groups a is made twice", made, made)
	check("", made, of(t, queue, "", `{}`), of(t, queue, "", `{}`))
	in := of(t, user, connectUser("u", ""), connectUser("u", ""))
	in.Set = []string{"Password", "Username"}
	ps := Check([]Intent{in}, Options{})
	if len(ps) != 1 || !ps[0].Warning || ps[0].Path != "password" {
		t.Errorf("%v", ps)
	}
}

// Resources of one name that have the same problem share its line.
func TestProblemLines(t *testing.T) {
	t.Parallel()
	p := Problem{Table: "aws.connect.users", Resource: "abara", Path: "password", Rule: "is required", Fix: "give it"}
	q := p
	q.Resource = "bkim"
	got := Problems{p, q, p}.lines("; ")
	if want := []string{"aws.connect.users abara: password is required (2 times); give it", "aws.connect.users bkim: password is required; give it"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
