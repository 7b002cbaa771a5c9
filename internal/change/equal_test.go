package change

import (
	"encoding/json"
	"testing"
)

func TestNumbers(t *testing.T) {
	t.Parallel()
	check := func(a, b string, equal, less bool) {
		t.Helper()
		x, y := json.Number(a), json.Number(b)
		if sameNumber(x, y) != equal || lessNumber(x, y) != less {
			t.Errorf("%s and %s: same %t, less %t", a, b, sameNumber(x, y), lessNumber(x, y))
		}
	}
	check("1", "1.0", true, false)
	check("10", "1e1", true, false)
	check("0", "-0.0", true, false)
	check("0.001", "1E-3", true, false)
	check("9007199254740993", "9007199254740992", false, false)
	check("9007199254740992", "9007199254740993", false, true)
	check("-2", "-1", false, true)
	check("-1", "0", false, true)
	check("0", "0.0001", false, true)
	check("9", "10", false, true)
	check("99", "9.9e1", true, false)
	check("1e999999999", "1e999999998", false, false)
	check("1e99999999999999999999", "1", false, false)
	for n, want := range map[string]bool{"1": true, "1.0": true, "1e2": true, "1.5": false, "1e-1": false, "0": true, "10": true} {
		if isInteger(json.Number(n)) != want {
			t.Errorf("%s is an integer: %t", n, !want)
		}
	}
}

// What was sent and what a read gave back: the same, different, or not to be
// told.
func TestTransforms(t *testing.T) {
	t.Parallel()
	names := map[verdict]string{same: "same", different: "different", unknown: "unknown"}
	check := func(expression, want, have, verdict string) {
		t.Helper()
		holder := map[string]any{"X": want, "Owner": "me"}
		if got := names[transformed(expression, []string{"A", "X"}, want, have, holder)]; got != verdict {
			t.Errorf("%s of %q, read %q: %s, want %s", expression, want, have, got, verdict)
		}
	}
	check(`$uppercase(X)`, "active", "ACTIVE", "same")
	check(`$uppercase(A.X)`, "active", "ACTIVE", "same")
	check(`$uppercase(X)`, "a.b", "A_B", "different")
	check(`$lowercase(X)`, "ABC", "abc", "same")
	check(`$lowercase(X)`, "ABC", "abd", "different")
	check(`$join(["arn:aws[-a-z]*:kms:[a-z0-9-]+:[0-9]{12}:key\/", X])`, "k.1", "arn:aws:kms:us-east-1:111122223333:key/k.1", "same")
	check(`$join(["arn:aws[-a-z]*:kms:[a-z0-9-]+:[0-9]{12}:key\/", X])`, "k.1", "arn:aws:kms:us-east-1:111122223333:key/kx1", "different")
	check(`X $OR $join(["arn:(aws)[-]{0,1}[a-z]{0,3}:ecs:[a-z0-9-]+:[0-9]{12}:cluster/", X])`, "c", "arn:aws:ecs:us-east-1:111122223333:cluster/c", "same")
	check(`X $OR $join(["x", X])`, "c", "c", "same")
	check(`$split(X, "/")[-1]`, "a/b/c", "c", "same")
	check(`$split(X, "/")[-1]`, "a/b/c", "b", "different")
	check(`$lowercase($substringAfter(X, "/"))`, "A/B", "b", "same")
	check(`$replace(X, '-', '_')`, "a-b-c", "a_b_c", "same")
	check(`'custom:' & '' & X`, "n", "custom:n", "same")
	check(`"^[a-zA-Z0-9-]+$"`, "EqDC2", "Eq-DC2", "same")
	check(`"vpc"`, "standard", "vpc", "same")
	check(`$join([Owner, "/", X])`, "n", "me/n", "same")
	// Not evaluated: it may be the same.
	check(`X * 1000`, "1", "1000", "unknown")
	check(`$lookup({'1': 'icmp'}, X)`, "1", "icmp", "unknown")
	check(`X ~> function($x){$x}`, "1", "2", "unknown")
	check(`$split(X, ":")[-1] $OR $match(X, /a/)`, "a:b", "c", "unknown")
	for _, broken := range []string{"", "$", "$uppercase(", "$join([", `"`, "[", "X[", "X[9]", "$join(X)", "&", "(", "$OR", `$join(["(", X])`} {
		check(broken, "a", "b", map[bool]string{true: "unknown", false: "different"}[broken != `$join(["(", X])`])
	}
}

// Models that say the same, and some that don't.
func TestEqual(t *testing.T) {
	t.Parallel()
	check := func(typ, want, have string, subset, equal bool) {
		t.Helper()
		w, err := parseModel(json.RawMessage(want))
		h, err2 := parseModel(json.RawMessage(have))
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if got := (comparison{rules: rulesOf(table(t, typ)), subset: subset}).models(w, h) == same; got != equal {
			t.Errorf("%s wanted %s, read %s: same %t", typ, want, have, got)
		}
	}
	const bucket, function = "AWS::S3::Bucket", "AWS::Lambda::Function"
	// A resource just made has defaults, and never its write-only values.
	check(user, `{"Username":"u","Password":"x"}`, `{"Username":"u","UserArn":"a","Tags":[]}`, true, true)
	check(user, `{"Username":"u"}`, `{"Username":"v"}`, true, false)
	check(user, `{"Username":"u","PhoneConfig":{"PhoneType":"SOFT_PHONE"}}`, `{"Username":"u","PhoneConfig":{"PhoneType":"SOFT_PHONE","AutoAccept":false}}`, true, true)
	check(user, `{"Username":"u","PhoneConfig":{"PhoneType":"SOFT_PHONE"}}`, `{"Username":"u"}`, true, false)
	check(user, `{"Username":"u"}`, `{"Username":"u","PhoneConfig":{"PhoneType":"SOFT_PHONE"}}`, false, false)
	check(function, `{"Code":{"ZipFile":"x"},"MemorySize":128}`, `{"MemorySize":"128"}`, true, true)
	// Policies.
	check("AWS::IAM::Role", `{"AssumeRolePolicyDocument":{"Statement":{"Action":"a","Principal":{"Service":"x"}}}}`, `{"AssumeRolePolicyDocument":"%7B%22Statement%22%3A%5B%7B%22Action%22%3A%5B%22a%22%5D%2C%22Principal%22%3A%7B%22Service%22%3A%22x%22%7D%7D%5D%7D"}`, false, true)
	check("AWS::IAM::Role", `{"AssumeRolePolicyDocument":{"Statement":[{"Action":"a"}]}}`, `{"AssumeRolePolicyDocument":{"Statement":[{"Action":"b"}]}}`, false, false)
	check("AWS::IAM::Role", `{"AssumeRolePolicyDocument":{"Statement":[{"Action":"a"}]}}`, `{"AssumeRolePolicyDocument":{"Statement":[{"Action":"a","Resource":"*"}]}}`, false, false)
	// Sets, multisets, ordered sets.
	check(function, `{"Architectures":["arm64","x86_64"]}`, `{"Architectures":["x86_64","arm64"]}`, false, false)
	check(user, `{"SecurityProfileArns":["a","a","b"]}`, `{"SecurityProfileArns":["b","a"]}`, false, true)
	check(bucket, `{"Tags":[{"Key":"a","Value":"1"},{"Key":"aws:x","Value":"y"}]}`, `{"Tags":[{"Key":"a","Value":"1"}]}`, false, true)
	check(bucket, `{"Tags":[{"Key":"a","Value":"1"},{"Key":"a","Value":"1"}]}`, `{"Tags":[{"Key":"a","Value":"1"}]}`, false, false)
	// Only what is named counts in an attribute list.
	const lb = "AWS::ElasticLoadBalancingV2::LoadBalancer"
	check(lb, `{"LoadBalancerAttributes":[{"Key":"a","Value":"1"}]}`, `{"LoadBalancerAttributes":[{"Key":"b","Value":"2"},{"Key":"a","Value":"1"}]}`, false, true)
	check(lb, `{"LoadBalancerAttributes":[{"Key":"a","Value":"1"}]}`, `{"LoadBalancerAttributes":[{"Key":"b","Value":"2"},{"Key":"a","Value":"2"}]}`, false, false)
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	check := func(typ, model, want string) {
		t.Helper()
		m, err := parseModel(json.RawMessage(model))
		if err != nil {
			t.Fatal(err)
		}
		masked, _ := rulesOf(table(t, typ)).masked(m)
		if got := string(encode(masked)); got != want {
			t.Errorf("%s\n got %s\nwant %s", model, got, want)
		}
		if string(encode(m)) != model {
			t.Errorf("the model became %s", encode(m))
		}
	}
	check(user, `{"Password":"x","Username":"u"}`, `{"Password":"(sensitive)","Username":"u"}`)
	check("AWS::IAM::SAMLProvider", `{"AddPrivateKey":"k","Name":"n","PrivateKeyList":[{"KeyId":"i","Timestamp":"t"}]}`, `{"AddPrivateKey":"(sensitive)","Name":"n","PrivateKeyList":[{"KeyId":"i","Timestamp":"(sensitive)"}]}`)
	check("AWS::Lambda::Function", `{"Environment":{"Variables":{"API_TOKEN":"x","DB_HOST":"h","DB_PASSWORD":"y","SECRET_ARN":"arn:x"}}}`,
		`{"Environment":{"Variables":{"API_TOKEN":"(sensitive)","DB_HOST":"h","DB_PASSWORD":"(sensitive)","SECRET_ARN":"arn:x"}}}`)
	check("AWS::ECS::TaskDefinition", `{"ContainerDefinitions":[{"Environment":[{"Name":"DB_PASSWORD","Value":"x"},{"Name":"HOST","Value":"h"}],"Secrets":[{"Name":"S","ValueFrom":"arn:s"}]}]}`,
		`{"ContainerDefinitions":[{"Environment":[{"Name":"DB_PASSWORD","Value":"(sensitive)"},{"Name":"HOST","Value":"h"}],"Secrets":[{"Name":"S","ValueFrom":"arn:s"}]}]}`)
	check("AWS::Lambda::Function", `{"Environment":{"Variables":{"AT":"https://h:8080/a@b","DB_URL":"postgres://app:x@h/db","USER_URL":"https://u@h"}}}`,
		`{"Environment":{"Variables":{"AT":"https://h:8080/a@b","DB_URL":"(sensitive)","USER_URL":"https://u@h"}}}`)
	check("AWS::RDS::DBInstance", `{"DBInstanceIdentifier":"d","ManageMasterUserPassword":true,"MasterUserPassword":"p","MasterUserSecret":{"KmsKeyId":"k","SecretArn":"arn:s"}}`,
		`{"DBInstanceIdentifier":"d","ManageMasterUserPassword":true,"MasterUserPassword":"(sensitive)","MasterUserSecret":{"KmsKeyId":"k","SecretArn":"arn:s"}}`)
	check("AWS::SecretsManager::Secret", `{"Id":"arn:aws:secretsmanager:us-east-1:111122223333:secret:x","Name":"x","SecretString":"s"}`, `{"Id":"arn:aws:secretsmanager:us-east-1:111122223333:secret:x","Name":"x","SecretString":"(sensitive)"}`)
}
