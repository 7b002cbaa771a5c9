package sandbox

import (
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
)

// p is an object of properties.
type p = map[string]any

// The demo world's places.
var (
	demoAccounts = []Account{
		{"111122223333", "example-prod", "aws-prod@example.com"},
		{"444455556666", "example-dev", "aws-dev@example.com"},
	}
	demoRegions = []string{"us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2"}
	demoTeams   = []string{"support", "sales", "payments", "search", "platform"}
	demoStages  = []string{"prod", "staging", "dev"}
)

// DemoRegions are those of the demo world.
func DemoRegions() []string { return slices.Clone(demoRegions) }

// DemoWorld is a small company: a contact centre, networks, buckets, queues,
// functions, clusters. It is the same every time. Things refer to each other
// as they should, and have the flaws that people look for: public and
// unencrypted buckets, volumes that nobody uses, things without tags, a policy
// that allows everything, keys that don't rotate, logs that are kept for ever.
func DemoWorld() *World {
	d := &demo{World: &World{Accounts: demoAccounts, Regions: demoRegions,
		NotOffered: map[string][]string{"ap-southeast-2": {"AWS::IVS::Channel", "AWS::AppStream::Fleet"}, "eu-west-1": {"AWS::Honeycode::Table"}}}}
	d.organization()
	for _, a := range d.Accounts {
		d.identities(a.ID)
		for i, r := range d.Regions {
			s := site{d, a.ID, r, i}
			s.network()
			s.storage()
			s.compute()
			s.services()
		}
	}
	d.connect("111122223333", "us-east-1", "emea", 24)
	d.connect("111122223333", "us-east-1", "sales", 10)
	d.connect("111122223333", "eu-west-1", "support", 16)
	d.connect("444455556666", "us-west-2", "test", 4)
	for i := range 1000 {
		app, stage := demoTeams[i%5], demoStages[i%3]
		v := p{"Name": fmt.Sprintf("/%s/%s/setting-%04d", app, stage, i), "Type": "String", "Value": fmt.Sprint(i * 7 % 100), "DataType": "text", "Tier": "Standard"}
		if i%4 != 0 {
			v["Description"] = "setting " + fmt.Sprint(i) + " of " + app
		}
		if i%10 != 0 {
			v["Tags"] = p{"team": app, "env": stage}
		}
		d.Add("111122223333", "us-east-1", "AWS::SSM::Parameter", v)
	}
	return d.World
}

type demo struct {
	*World
	n uint32 // names made so far
}

// A site is one account and region of the demo.
type site struct {
	*demo
	account, region string
	at              int // the region's place in the list
}

// hex gives n lower-case hexadecimal digits that no other name of the world has.
func (d *demo) hex(n int) string {
	d.n++
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%08x", hash("demo", fmt.Sprint(d.n), fmt.Sprint(i)))
	}
	return b.String()[:n]
}

func (d *demo) uuid() string {
	h := d.hex(32)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// upper gives n capital letters and digits.
func (d *demo) upper(n int) string {
	return strings.ReplaceAll(base32.StdEncoding.EncodeToString([]byte(d.hex(n*2))), "=", "")[:n]
}

// pick chooses by name, so that adding a thing doesn't change the others.
func pick[T any](list []T, name ...string) T { return list[hash(name...)%uint32(len(list))] }

func tags(kv ...string) []any {
	var out []any
	for i := 0; i < len(kv); i += 2 {
		out = append(out, p{"Key": kv[i], "Value": kv[i+1]})
	}
	return out
}

func (s site) add(typ string, v p) { s.Add(s.account, s.region, "AWS::"+typ, v) }

func (s site) arn(service, rest string) string {
	return "arn:aws:" + service + ":" + s.region + ":" + s.account + ":" + rest
}

func (d *demo) organization() {
	const org, root = "o-demo000001", "r-demo"
	m := d.Accounts[0]
	home := site{d, m.ID, "us-east-1", 0}
	prefix := "arn:aws:organizations::" + m.ID + ":"
	home.add("Organizations::Organization", p{"Id": org, "Arn": prefix + "organization/" + org, "FeatureSet": "ALL", "RootId": root,
		"ManagementAccountId": m.ID, "ManagementAccountEmail": m.Email, "ManagementAccountArn": prefix + "account/" + org + "/" + m.ID})
	unit := func(id, name, parent string) {
		home.add("Organizations::OrganizationalUnit", p{"Id": id, "Name": name, "ParentId": parent, "Arn": prefix + "ou/" + org + "/" + id, "Tags": tags("owner", "platform")})
	}
	unit("ou-demo-workload1", "workloads", root)
	unit("ou-demo-prod0001", "prod", "ou-demo-workload1")
	unit("ou-demo-dev00001", "dev", "ou-demo-workload1")
	for i, a := range d.Accounts {
		home.add("Organizations::Account", p{"AccountId": a.ID, "AccountName": a.Name, "Email": a.Email, "Status": "ACTIVE", "State": "ACTIVE", "JoinedMethod": "CREATED",
			"JoinedTimestamp": "2024-01-15T09:00:00Z", "Arn": prefix + "account/" + org + "/" + a.ID, "ParentIds": []any{[]string{root, "ou-demo-dev00001"}[i]}})
	}
}

func trust(service string) p {
	return p{"Version": "2012-10-17", "Statement": []any{p{"Effect": "Allow", "Principal": p{"Service": service}, "Action": "sts:AssumeRole"}}}
}

// identities are the global things of an account, all in its home region.
func (d *demo) identities(account string) {
	s := site{d, account, "us-east-1", 0}
	iam := "arn:aws:iam::" + account + ":"
	for _, r := range []struct{ name, service string }{{"lambda-basic", "lambda.amazonaws.com"}, {"lambda-orders", "lambda.amazonaws.com"}, {"ec2-web", "ec2.amazonaws.com"},
		{"eks-cluster", "eks.amazonaws.com"}, {"eks-node", "ec2.amazonaws.com"}, {"ecs-task", "ecs-tasks.amazonaws.com"}, {"states-orders", "states.amazonaws.com"}, {"ci-deploy", "codebuild.amazonaws.com"}} {
		v := p{"RoleName": r.name, "Arn": iam + "role/" + r.name, "RoleId": "AROA" + d.upper(17), "AssumeRolePolicyDocument": trust(r.service), "Path": "/", "MaxSessionDuration": 3600,
			"ManagedPolicyArns": []any{iam + "policy/read-logs"}}
		if r.name == "ci-deploy" {
			v["ManagedPolicyArns"] = []any{iam + "policy/allow-everything"}
		} else {
			v["Tags"] = tags("team", pick(demoTeams, r.name))
		}
		s.add("IAM::Role", v)
	}
	policy := func(name string, statement p, used int) {
		s.add("IAM::ManagedPolicy", p{"ManagedPolicyName": name, "PolicyArn": iam + "policy/" + name, "Path": "/", "PolicyDocument": p{"Version": "2012-10-17", "Statement": []any{statement}},
			"AttachmentCount": used, "CreateDate": "2024-03-01T10:00:00Z", "UpdateDate": "2025-06-01T10:00:00Z", "DefaultVersionId": "v1", "IsAttachable": true, "PermissionsBoundaryUsageCount": 0, "PolicyId": "ANPA" + d.upper(17)})
	}
	policy("read-logs", p{"Effect": "Allow", "Action": []any{"logs:Get*", "logs:Describe*"}, "Resource": "*"}, 7)
	policy("allow-everything", p{"Effect": "Allow", "Action": "*", "Resource": "*"}, 1)
	for _, g := range []string{"admins", "developers", "auditors"} {
		s.add("IAM::Group", p{"GroupName": g, "Arn": iam + "group/" + g, "Path": "/"})
	}
	for i, u := range []string{"ana", "bo", "carol", "deploy-bot", "legacy-export"} {
		v := p{"UserName": u, "Arn": iam + "user/" + u, "Path": "/", "Groups": []any{[]string{"admins", "developers", "auditors"}[i%3]}}
		if u != "legacy-export" {
			v["Tags"] = tags("team", demoTeams[i])
		}
		s.add("IAM::User", v)
	}
	s.add("IAM::InstanceProfile", p{"InstanceProfileName": "ec2-web", "Arn": iam + "instance-profile/ec2-web", "Path": "/", "Roles": []any{"ec2-web"}})
	zone := "Z" + d.upper(13)
	s.add("Route53::HostedZone", p{"Id": zone, "Name": "example-" + account[:3] + ".com.", "NameServers": []any{"ns-1.example.net", "ns-2.example.org"}, "HostedZoneTags": tags("team", "platform")})
	id := "E" + d.upper(13)
	s.add("CloudFront::Distribution", p{"Id": id, "DomainName": "d" + d.hex(13) + ".cloudfront.net", "Tags": tags("team", "search"), "DistributionConfig": p{"Enabled": true, "Comment": "site",
		"Origins":              []any{p{"Id": "site", "DomainName": "site-" + account[:3] + ".s3.amazonaws.com", "S3OriginConfig": p{"OriginAccessIdentity": ""}}},
		"DefaultCacheBehavior": p{"TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all"}}})
	s.acl("CLOUDFRONT")
}

func (s site) acl(scope string) {
	id := s.uuid()
	name := strings.ToLower(scope) + "-default"
	s.add("WAFv2::WebACL", p{"Name": name, "Id": id, "Scope": scope, "Arn": s.arn("wafv2", strings.ToLower(scope)+"/webacl/"+name+"/"+id), "Capacity": 2, "DefaultAction": p{"Allow": p{}},
		"VisibilityConfig": p{"SampledRequestsEnabled": true, "CloudWatchMetricsEnabled": true, "MetricName": name}, "LabelNamespace": "awswaf:" + s.account + ":webacl:" + name + ":"})
}

// ids of what a site's parts refer to each other by.
func (s site) vpc(i int) string {
	return fmt.Sprintf("vpc-%017x", hash(s.account, s.region, "vpc", fmt.Sprint(i)))
}
func (s site) subnet(i int) string {
	return fmt.Sprintf("subnet-%017x", hash(s.account, s.region, "subnet", fmt.Sprint(i)))
}
func (s site) group(i int) string {
	return fmt.Sprintf("sg-%017x", hash(s.account, s.region, "sg", fmt.Sprint(i)))
}
func (s site) key(i int) string {
	h := fmt.Sprintf("%08x%08x%08x%08x", hash(s.account, s.region, "k", fmt.Sprint(i)), hash("k2", s.region, fmt.Sprint(i)), hash("k3", s.account, fmt.Sprint(i)), hash("k4", s.region, s.account))
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
func (s site) role(name string) string { return "arn:aws:iam::" + s.account + ":role/" + name }

func (s site) network() {
	for i := range 2 {
		v := p{"VpcId": s.vpc(i), "CidrBlock": fmt.Sprintf("10.%d.0.0/16", s.at*2+i), "InstanceTenancy": "default", "EnableDnsSupport": true, "EnableDnsHostnames": i == 0,
			"DefaultSecurityGroup": s.group(i * 3), "DefaultNetworkAcl": "acl-" + s.hex(17), "CidrBlockAssociations": []any{"vpc-cidr-assoc-" + s.hex(17)}}
		if i == 0 {
			v["Tags"] = tags("Name", "main", "team", "platform")
		}
		s.add("EC2::VPC", v)
		s.add("EC2::InternetGateway", p{"InternetGatewayId": "igw-" + s.hex(17), "Tags": tags("Name", fmt.Sprint("igw-", i))})
		s.add("EC2::RouteTable", p{"RouteTableId": "rtb-" + s.hex(17), "VpcId": s.vpc(i), "Tags": tags("Name", fmt.Sprint("main-", i))})
		for j := range 3 {
			n := i*3 + j
			s.add("EC2::Subnet", p{"SubnetId": s.subnet(n), "VpcId": s.vpc(i), "CidrBlock": fmt.Sprintf("10.%d.%d.0/24", s.at*2+i, j), "AvailabilityZone": s.region + string("abc"[j]),
				"MapPublicIpOnLaunch": j == 0, "AssignIpv6AddressOnCreation": false, "Tags": tags("Name", fmt.Sprintf("%s-%d", []string{"public", "app", "data"}[j], i), "tier", []string{"public", "app", "data"}[j])})
			open := p{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0", "Description": "https"}
			if n == 4 {
				open = p{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0", "Description": "temporary"}
			}
			s.add("EC2::SecurityGroup", p{"Id": s.group(n), "GroupId": s.group(n), "GroupName": fmt.Sprint("sg-", n), "GroupDescription": fmt.Sprint("group ", n), "VpcId": s.vpc(i),
				"SecurityGroupIngress": []any{open}, "SecurityGroupEgress": []any{p{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}}})
		}
	}
	alloc := "eipalloc-" + s.hex(17)
	s.add("EC2::EIP", p{"PublicIp": fmt.Sprintf("203.0.113.%d", 10+s.at), "AllocationId": alloc, "Domain": "vpc", "NetworkBorderGroup": s.region})
	s.add("EC2::EIP", p{"PublicIp": fmt.Sprintf("198.51.100.%d", 10+s.at), "AllocationId": "eipalloc-" + s.hex(17), "Domain": "vpc", "NetworkBorderGroup": s.region, "Tags": tags("state", "unused")})
	s.add("EC2::NatGateway", p{"NatGatewayId": "nat-" + s.hex(17), "SubnetId": s.subnet(0), "AllocationId": alloc, "ConnectivityType": "public", "EniId": "eni-" + s.hex(17), "Tags": tags("Name", "nat")})
	lb := s.arn("elasticloadbalancing", "loadbalancer/app/web/"+s.hex(16))
	tg := s.arn("elasticloadbalancing", "targetgroup/web/"+s.hex(16))
	s.add("ElasticLoadBalancingV2::LoadBalancer", p{"LoadBalancerArn": lb, "LoadBalancerName": "web", "LoadBalancerFullName": strings.SplitN(lb, "loadbalancer/", 2)[1], "Name": "web", "Type": "application",
		"Scheme": "internet-facing", "IpAddressType": "ipv4", "DNSName": "web-" + s.hex(9) + "." + s.region + ".elb.amazonaws.com", "CanonicalHostedZoneID": "Z" + s.upper(13),
		"Subnets": []any{s.subnet(0), s.subnet(1)}, "SecurityGroups": []any{s.group(0)}, "Tags": tags("team", "search")})
	s.add("ElasticLoadBalancingV2::TargetGroup", p{"TargetGroupArn": tg, "TargetGroupName": "web", "TargetGroupFullName": strings.SplitN(tg, ":targetgroup/", 2)[1], "Name": "web", "Port": 80, "Protocol": "HTTP",
		"TargetType": "instance", "VpcId": s.vpc(0), "LoadBalancerArns": []any{lb}})
	for _, port := range []int{80, 443} {
		s.add("ElasticLoadBalancingV2::Listener", p{"ListenerArn": strings.Replace(lb, ":loadbalancer/", ":listener/", 1) + "/" + s.hex(16), "LoadBalancerArn": lb, "Port": port,
			"Protocol": map[int]string{80: "HTTP", 443: "HTTPS"}[port], "DefaultActions": []any{p{"Type": "forward", "TargetGroupArn": tg}}})
	}
	s.acl("REGIONAL")
}

func (s site) storage() {
	for i, name := range []string{"logs", "assets", "exports", "backups", "public-site"} {
		bucket := fmt.Sprintf("%s-%s-%s", name, s.account[:3], s.region)
		v := p{"BucketName": bucket, "Arn": "arn:aws:s3:::" + bucket, "DomainName": bucket + ".s3.amazonaws.com", "RegionalDomainName": bucket + ".s3." + s.region + ".amazonaws.com",
			"DualStackDomainName": bucket + ".s3.dualstack." + s.region + ".amazonaws.com", "WebsiteURL": "http://" + bucket + ".s3-website-" + s.region + ".amazonaws.com",
			"OwnershipControls": p{"Rules": []any{p{"ObjectOwnership": "BucketOwnerEnforced"}}}}
		block := i != 4
		v["PublicAccessBlockConfiguration"] = p{"BlockPublicAcls": block, "BlockPublicPolicy": block, "IgnorePublicAcls": block, "RestrictPublicBuckets": block}
		if i != 2 {
			v["BucketEncryption"] = p{"ServerSideEncryptionConfiguration": []any{p{"BucketKeyEnabled": true, "ServerSideEncryptionByDefault": p{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": s.arn("kms", "key/"+s.key(0))}}}}
		}
		if i%2 == 1 {
			v["VersioningConfiguration"] = p{"Status": "Enabled"}
		}
		if i != 3 {
			v["Tags"] = tags("team", demoTeams[i], "env", demoStages[s.at%3])
		}
		s.add("S3::Bucket", v)
	}
	for i := range 3 {
		v := p{"KeyId": s.key(i), "Arn": s.arn("kms", "key/"+s.key(i)), "Enabled": i != 2, "EnableKeyRotation": i == 0, "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT", "MultiRegion": false,
			"Description": []string{"data", "secrets", "retired"}[i], "KeyPolicy": p{"Version": "2012-10-17", "Statement": []any{p{"Effect": "Allow", "Principal": p{"AWS": "arn:aws:iam::" + s.account + ":root"}, "Action": "kms:*", "Resource": "*"}}}}
		s.add("KMS::Key", v)
		if i < 2 {
			s.add("KMS::Alias", p{"AliasName": "alias/" + []string{"data", "secrets"}[i], "TargetKeyId": s.key(i)})
		}
	}
	for i, name := range []string{"orders", "sessions", "inventory"} {
		v := p{"TableName": name, "Arn": s.arn("dynamodb", "table/"+name), "BillingMode": "PAY_PER_REQUEST", "KeySchema": []any{p{"AttributeName": "pk", "KeyType": "HASH"}},
			"AttributeDefinitions": []any{p{"AttributeName": "pk", "AttributeType": "S"}}, "DeletionProtectionEnabled": i == 0,
			"PointInTimeRecoverySpecification": p{"PointInTimeRecoveryEnabled": i != 1}}
		if i < 2 {
			v["Tags"] = tags("team", "payments")
		}
		s.add("DynamoDB::Table", v)
	}
	fs := "fs-" + s.hex(17)
	s.add("EFS::FileSystem", p{"FileSystemId": fs, "Arn": s.arn("elasticfilesystem", "file-system/"+fs), "Encrypted": s.at%2 == 0, "PerformanceMode": "generalPurpose", "ThroughputMode": "bursting", "FileSystemTags": tags("Name", "shared")})
	s.add("EFS::MountTarget", p{"Id": "fsmt-" + s.hex(17), "FileSystemId": fs, "SubnetId": s.subnet(1), "SecurityGroups": []any{s.group(1)}})
	s.add("RDS::DBSubnetGroup", p{"DBSubnetGroupName": "data", "DBSubnetGroupDescription": "data subnets", "SubnetIds": []any{s.subnet(2), s.subnet(5)}, "DBSubnetGroupArn": s.arn("rds", "subgrp:data")})
	for i, name := range []string{"orders-db", "reports-db"} {
		s.add("RDS::DBInstance", p{"DBInstanceIdentifier": name, "DBInstanceArn": s.arn("rds", "db:"+name), "DBInstanceClass": "db.t4g.medium", "Engine": "postgres", "EngineVersion": []string{"16.4", "12.9"}[i], "AllocatedStorage": "100",
			"StorageEncrypted": i == 0, "PubliclyAccessible": i == 1, "MultiAZ": i == 0, "DBSubnetGroupName": "data", "VPCSecurityGroups": []any{s.group(2)}, "MasterUsername": "admin_user", "MasterUserPassword": "never-shown-1",
			"Endpoint": p{"Address": name + "." + s.hex(12) + "." + s.region + ".rds.amazonaws.com", "Port": "5432", "HostedZoneId": "Z" + s.upper(13)}, "DbiResourceId": "db-" + s.upper(26), "DBInstanceStatus": "available",
			"BackupRetentionPeriod": []int{7, 0}[i], "DeletionProtection": i == 0, "Tags": tags("team", "payments")})
	}
	s.add("Backup::BackupVault", p{"BackupVaultName": "daily", "BackupVaultArn": s.arn("backup", "backup-vault:daily"), "EncryptionKeyArn": s.arn("kms", "key/"+s.key(0)), "BackupVaultTags": p{"team": "platform"}})
}

func (s site) compute() {
	for i := range 6 {
		app := demoTeams[i%5]
		id := "i-" + s.hex(17)
		root := "vol-" + s.hex(17)
		v := p{"InstanceId": id, "InstanceType": []string{"t3.micro", "m6i.large", "c7g.xlarge"}[i%3], "ImageId": "ami-" + s.hex(17), "SubnetId": s.subnet(i % 6), "VpcId": s.vpc(i % 6 / 3),
			"SecurityGroupIds": []any{s.group(i % 6)}, "PrivateIp": fmt.Sprintf("10.%d.%d.%d", s.at*2+i%6/3, i%3, 10+i), "PrivateDnsName": fmt.Sprintf("ip-10-%d-%d-%d.ec2.internal", s.at*2+i%6/3, i%3, 10+i),
			"State": p{"Code": []string{"16", "80"}[min(1, i/5)], "Name": []string{"running", "stopped"}[min(1, i/5)]}, "Monitoring": i%2 == 0, "EbsOptimized": true, "IamInstanceProfile": "ec2-web",
			"Volumes": []any{p{"Device": "/dev/sda1", "VolumeId": root}}}
		if i != 3 {
			v["Tags"] = tags("Name", fmt.Sprintf("%s-%d", app, i), "team", app, "env", demoStages[i%3])
		}
		s.add("EC2::Instance", v)
		s.volume(root, 20, "gp3", i != 1, "team", app)
	}
	for i := range 3 { // attached to nothing
		s.volume("vol-"+s.hex(17), 100*(i+1), []string{"gp2", "gp3", "io1"}[i], false)
	}
	s.add("EC2::KeyPair", p{"KeyName": "ops", "KeyPairId": "key-" + s.hex(17), "KeyFingerprint": "1f:51:ae:28", "KeyType": "ed25519"})
	lt := "lt-" + s.hex(17)
	s.add("EC2::LaunchTemplate", p{"LaunchTemplateId": lt, "LaunchTemplateName": "web", "LatestVersionNumber": "3", "DefaultVersionNumber": "1", "LaunchTemplateData": p{"InstanceType": "t3.micro"}})
	s.add("AutoScaling::AutoScalingGroup", p{"AutoScalingGroupName": "web", "MinSize": "1", "MaxSize": "4", "DesiredCapacity": "2", "LaunchTemplate": p{"LaunchTemplateId": lt, "Version": "1"},
		"VPCZoneIdentifier": []any{s.subnet(0), s.subnet(1)}, "AutoScalingGroupARN": s.arn("autoscaling", "autoScalingGroup:"+s.uuid()+":autoScalingGroupName/web"), "Tags": []any{p{"Key": "team", "Value": "search", "PropagateAtLaunch": true}}})
	for i, name := range []string{"orders-create", "orders-notify", "search-index", "report-nightly", "image-resize"} {
		v := p{"FunctionName": name, "Arn": s.arn("lambda", "function:"+name), "Role": s.role([]string{"lambda-orders", "lambda-basic"}[min(1, i/2)]), "Handler": "main.handler",
			"Runtime": []string{"python3.12", "nodejs20.x", "provided.al2023", "python3.8", "nodejs16.x"}[i], "MemorySize": 128 << (i % 3), "Timeout": 30, "Architectures": []any{[]string{"arm64", "x86_64"}[i%2]},
			"PackageType": "Zip", "Code": p{"S3Bucket": "assets-" + s.account[:3] + "-" + s.region, "S3Key": name + ".zip"}, "TracingConfig": p{"Mode": "PassThrough"}, "EphemeralStorage": p{"Size": 512},
			"Environment": p{"Variables": p{"STAGE": demoStages[s.at%3]}}}
		if i < 2 {
			v["DeadLetterConfig"] = p{"TargetArn": s.arn("sqs", "dead-letters")}
			v["Tags"] = tags("team", "payments")
		}
		s.add("Lambda::Function", v)
		group := p{"LogGroupName": "/aws/lambda/" + name, "Arn": s.arn("logs", "log-group:/aws/lambda/"+name+":*"), "LogGroupClass": "STANDARD"}
		if i%2 == 0 {
			group["RetentionInDays"] = 30
		}
		s.add("Logs::LogGroup", group)
	}
	s.add("Lambda::Alias", p{"AliasArn": s.arn("lambda", "function:orders-create:live"), "FunctionName": "orders-create", "FunctionVersion": "$LATEST", "Name": "live"})
	s.containers()
}

func (s site) volume(id string, size int, kind string, encrypted bool, kv ...string) {
	v := p{"VolumeId": id, "Size": size, "VolumeType": kind, "Encrypted": encrypted, "AvailabilityZone": s.region + "a", "MultiAttachEnabled": false}
	if kind == "io1" {
		v["Iops"] = 1000
	}
	if len(kv) > 0 {
		v["Tags"] = tags(kv...)
	}
	s.add("EC2::Volume", v)
}

func (s site) containers() {
	cluster := "apps"
	s.add("EKS::Cluster", p{"Name": cluster, "Arn": s.arn("eks", "cluster/"+cluster), "Id": s.uuid(), "Version": []string{"1.33", "1.29"}[s.at%2], "RoleArn": s.role("eks-cluster"), "Endpoint": "https://" + s.upper(32) + ".gr7." + s.region + ".eks.amazonaws.com",
		"ResourcesVpcConfig": p{"SubnetIds": []any{s.subnet(0), s.subnet(1)}, "SecurityGroupIds": []any{s.group(1)}, "EndpointPublicAccess": true, "EndpointPrivateAccess": false}, "Tags": tags("team", "platform")})
	for i, name := range []string{"general", "batch"} {
		s.add("EKS::Nodegroup", p{"Id": cluster + "/" + name, "ClusterName": cluster, "NodegroupName": name, "NodeRole": s.role("eks-node"), "Subnets": []any{s.subnet(1)}, "Arn": s.arn("eks", "nodegroup/"+cluster+"/"+name+"/"+s.uuid()),
			"ScalingConfig": p{"MinSize": 1, "DesiredSize": 2 + i, "MaxSize": 5}, "InstanceTypes": []any{"m6i.large"}, "CapacityType": []string{"ON_DEMAND", "SPOT"}[i], "AmiType": "AL2023_x86_64_STANDARD", "Tags": p{"team": "platform"}})
	}
	task := s.arn("ecs", "task-definition/api:7")
	s.add("ECS::TaskDefinition", p{"TaskDefinitionArn": task, "Family": "api", "Cpu": "256", "Memory": "512", "NetworkMode": "awsvpc", "RequiresCompatibilities": []any{"FARGATE"}, "TaskRoleArn": s.role("ecs-task"),
		"ContainerDefinitions": []any{p{"Name": "api", "Image": s.account + ".dkr.ecr." + s.region + ".amazonaws.com/api:latest", "Essential": true}}})
	for i, c := range []string{"default", "jobs"} {
		s.add("ECS::Cluster", p{"ClusterName": c, "Arn": s.arn("ecs", "cluster/"+c), "ClusterSettings": []any{p{"Name": "containerInsights", "Value": "disabled"}}})
		for j := range 2 {
			name := fmt.Sprintf("%s-%d", []string{"api", "worker"}[i], j)
			s.add("ECS::Service", p{"ServiceArn": s.arn("ecs", "service/"+c+"/"+name), "Cluster": s.arn("ecs", "cluster/"+c), "ServiceName": name, "Name": name, "TaskDefinition": task, "DesiredCount": 1 + j, "LaunchType": "FARGATE",
				"NetworkConfiguration": p{"AwsvpcConfiguration": p{"Subnets": []any{s.subnet(1)}, "SecurityGroups": []any{s.group(1)}, "AssignPublicIp": "DISABLED"}}})
		}
	}
	for i, name := range []string{"api", "worker"} {
		s.add("ECR::Repository", p{"RepositoryName": name, "Arn": s.arn("ecr", "repository/"+name), "RepositoryUri": s.account + ".dkr.ecr." + s.region + ".amazonaws.com/" + name,
			"ImageTagMutability": []string{"IMMUTABLE", "MUTABLE"}[i], "ImageScanningConfiguration": p{"ScanOnPush": i == 0}})
	}
}

func (s site) services() {
	for i, name := range []string{"orders", "notifications", "app-log-queue", "dead-letters", "orders.fifo"} {
		v := p{"QueueName": name, "QueueUrl": "https://sqs." + s.region + ".amazonaws.com/" + s.account + "/" + name, "Arn": s.arn("sqs", name), "DelaySeconds": i * 5, "MessageRetentionPeriod": 345600, "VisibilityTimeout": 30,
			"MaximumMessageSize": 262144, "ReceiveMessageWaitTimeSeconds": 0, "SqsManagedSseEnabled": i != 2}
		if strings.HasSuffix(name, ".fifo") {
			v["FifoQueue"], v["ContentBasedDeduplication"] = true, true
		}
		if i == 0 {
			v["RedrivePolicy"] = p{"deadLetterTargetArn": s.arn("sqs", "dead-letters"), "maxReceiveCount": 5}
		}
		if i != 2 {
			v["Tags"] = tags("team", demoTeams[i%5], "env", demoStages[s.at%3])
		}
		s.add("SQS::Queue", v)
	}
	for _, name := range []string{"orders-events", "alerts"} {
		arn := s.arn("sns", name)
		s.add("SNS::Topic", p{"TopicArn": arn, "TopicName": name, "Tags": tags("team", "payments")})
		s.add("SNS::Subscription", p{"Arn": arn + ":" + s.uuid(), "TopicArn": arn, "Protocol": "sqs", "Endpoint": s.arn("sqs", "notifications"), "RawMessageDelivery": true})
	}
	for i, name := range []string{"orders-backlog", "lambda-errors", "cpu-high"} {
		v := p{"AlarmName": name, "Arn": s.arn("cloudwatch", "alarm:"+name), "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 3, "Threshold": []float64{100, 0.5, 80}[i], "Period": 60, "Statistic": "Average",
			"MetricName": []string{"ApproximateNumberOfMessagesVisible", "Errors", "CPUUtilization"}[i], "Namespace": []string{"AWS/SQS", "AWS/Lambda", "AWS/EC2"}[i], "ActionsEnabled": i != 2}
		if i != 2 {
			v["AlarmActions"] = []any{s.arn("sns", "alerts")}
		}
		s.add("CloudWatch::Alarm", v)
	}
	for i, name := range []string{"db-password", "api-token"} {
		v := p{"Id": s.arn("secretsmanager", "secret:"+name+"-"+s.upper(6)), "Name": name, "Description": "used by orders", "SecretString": "never-shown", "KmsKeyId": s.arn("kms", "key/"+s.key(1))}
		if i == 0 {
			v["Tags"] = tags("team", "payments")
		}
		s.add("SecretsManager::Secret", v)
	}
	api, root := s.hex(10), s.hex(10)
	s.add("ApiGateway::RestApi", p{"RestApiId": api, "RootResourceId": root, "Name": "orders", "Description": "orders of customers", "EndpointConfiguration": p{"Types": []any{"REGIONAL"}}})
	deployment := s.hex(6)
	s.add("ApiGateway::Deployment", p{"DeploymentId": deployment, "RestApiId": api, "Description": "first"})
	s.add("ApiGateway::Stage", p{"RestApiId": api, "StageName": "live", "DeploymentId": deployment, "TracingEnabled": false, "Tags": tags("team", "payments")})
	for _, part := range []string{"orders", "health"} {
		s.add("ApiGateway::Resource", p{"RestApiId": api, "ResourceId": s.hex(6), "ParentId": root, "PathPart": part})
	}
	pool := s.region + "_" + s.upper(9)
	s.add("Cognito::UserPool", p{"UserPoolId": pool, "UserPoolName": "customers", "Arn": s.arn("cognito-idp", "userpool/"+pool), "ProviderName": "cognito-idp." + s.region + ".amazonaws.com/" + pool,
		"ProviderURL": "https://cognito-idp." + s.region + ".amazonaws.com/" + pool, "MfaConfiguration": []string{"OFF", "OPTIONAL"}[s.at%2], "UserPoolTags": p{"team": "platform"}})
	s.add("Cognito::UserPoolClient", p{"UserPoolId": pool, "ClientId": s.hex(26), "ClientName": "web", "Name": "web", "ExplicitAuthFlows": []any{"ALLOW_REFRESH_TOKEN_AUTH"}})
	s.add("Events::EventBus", p{"Name": "default", "Arn": s.arn("events", "event-bus/default")})
	s.add("Events::EventBus", p{"Name": "orders", "Arn": s.arn("events", "event-bus/orders"), "Tags": tags("team", "payments")})
	s.add("Events::Rule", p{"Arn": s.arn("events", "rule/nightly"), "Name": "nightly", "ScheduleExpression": "rate(1 day)", "State": "ENABLED", "EventBusName": "default",
		"Targets": []any{p{"Id": "report", "Arn": s.arn("lambda", "function:report-nightly")}}})
	s.add("StepFunctions::StateMachine", p{"Arn": s.arn("states", "stateMachine:orders"), "Name": "orders", "StateMachineName": "orders", "RoleArn": s.role("states-orders"), "StateMachineType": "STANDARD",
		"DefinitionString": `{"StartAt":"Done","States":{"Done":{"Type":"Succeed"}}}`})
	s.add("CertificateManager::Certificate", p{"CertificateArn": s.arn("acm", "certificate/"+s.uuid()), "DomainName": "www.example-" + s.account[:3] + ".com", "ValidationMethod": "DNS"})
	s.add("Kinesis::Stream", p{"Name": "clicks", "Arn": s.arn("kinesis", "stream/clicks"), "RetentionPeriodHours": 24, "ShardCount": 2, "StreamModeDetails": p{"StreamMode": "PROVISIONED"}, "Tags": tags("team", "search")})
	s.add("CloudTrail::Trail", p{"TrailName": "audit", "Arn": s.arn("cloudtrail", "trail/audit"), "S3BucketName": "logs-" + s.account[:3] + "-" + s.region, "IsLogging": s.at != 3, "IsMultiRegionTrail": false, "EnableLogFileValidation": s.at%2 == 0})
	s.add("Athena::WorkGroup", p{"Name": "primary", "State": "ENABLED", "CreationTime": "1704067200.0"})
	s.add("Glue::Database", p{"DatabaseName": "events", "CatalogId": s.account, "DatabaseInput": p{"Name": "events", "Description": "clicks and orders"}})
	s.add("Scheduler::ScheduleGroup", p{"Name": "default", "Arn": s.arn("scheduler", "schedule-group/default"), "State": "ACTIVE", "CreationDate": "2024-01-01T00:00:00Z", "LastModificationDate": "2024-01-01T00:00:00Z"})
	s.add("AppConfig::Application", p{"ApplicationId": s.hex(7), "Name": "flags", "Description": "feature flags"})
}

var demoPeople = []string{"abara", "bkim", "cmoreno", "dsilva", "eokafor", "fnovak", "gtanaka", "hlarsen", "irossi", "jpatel", "kmeyer", "lcosta",
	"mhassan", "nivanova", "oquinn", "pdubois", "qzhang", "rfischer", "sgarcia", "tjensen", "uyilmaz", "vpopov", "wsato", "xlopez"}

// connect is one contact centre with its people.
func (d *demo) connect(account, region, alias string, people int) {
	s := site{d, account, region, 0}
	id := d.uuid()
	arn := s.arn("connect", "instance/"+id)
	s.add("Connect::Instance", p{"Id": id, "Arn": arn, "InstanceAlias": alias, "IdentityManagementType": "CONNECT_MANAGED", "InstanceStatus": "ACTIVE", "CreatedTime": "2024-02-01T08:00:00Z", "ServiceRole": s.role("aws-service-role/connect.amazonaws.com/AWSServiceRoleForAmazonConnect_" + s.upper(20)),
		"Attributes": p{"InboundCalls": true, "OutboundCalls": true, "ContactflowLogs": alias != "test"}, "Tags": tags("team", "support")})
	child := func(kind string) string { return arn + "/" + kind + "/" + d.uuid() }
	hours := child("operating-hours")
	var days []any
	for _, day := range []string{"MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"} {
		days = append(days, p{"Day": day, "StartTime": p{"Hours": 8, "Minutes": 0}, "EndTime": p{"Hours": 18, "Minutes": 0}})
	}
	s.add("Connect::HoursOfOperation", p{"HoursOfOperationArn": hours, "InstanceArn": arn, "Name": "weekdays", "TimeZone": "UTC", "Config": days})
	var queues, profiles, security, groups []string
	for _, n := range []string{"general", "billing", "returns"} {
		q := child("queue")
		queues = append(queues, q)
		s.add("Connect::Queue", p{"QueueArn": q, "InstanceArn": arn, "Name": n, "HoursOfOperationArn": hours, "Status": "ENABLED", "Type": "STANDARD", "MaxContacts": 50})
	}
	for i, n := range []string{"basic", "billing", "senior"} {
		r := child("routing-profile")
		profiles = append(profiles, r)
		s.add("Connect::RoutingProfile", p{"RoutingProfileArn": r, "InstanceArn": arn, "Name": n, "Description": n + " agents", "DefaultOutboundQueueArn": queues[i], "MediaConcurrencies": []any{p{"Channel": "VOICE", "Concurrency": 1}},
			"QueueConfigs": []any{p{"Delay": 0, "Priority": 1, "QueueReference": p{"Channel": "VOICE", "QueueArn": queues[i]}}}})
	}
	for _, n := range []string{"Agent", "QualityAnalyst", "Admin"} {
		x := child("security-profile")
		security = append(security, x)
		s.add("Connect::SecurityProfile", p{"SecurityProfileArn": x, "InstanceArn": arn, "SecurityProfileName": n, "Description": n + " rights", "Permissions": []any{"BasicAgentAccess"}, "LastModifiedRegion": region, "LastModifiedTime": 1714550400})
	}
	for i, n := range []string{"company", "europe", "north", "team-a", "team-b"} { // company > europe > north > teams
		g := child("agent-group")
		v := p{"UserHierarchyGroupArn": g, "InstanceArn": arn, "Name": n}
		if i > 0 {
			v["ParentGroupArn"] = groups[min(i-1, 2)]
		}
		groups = append(groups, g)
		s.add("Connect::UserHierarchyGroup", v)
	}
	s.add("Connect::ContactFlow", p{"ContactFlowArn": child("contact-flow"), "InstanceArn": arn, "Name": "welcome", "Type": "CONTACT_FLOW", "State": "ACTIVE", "Content": `{"Version":"2019-10-30","StartAction":"a","Actions":[]}`})
	for i, who := range demoPeople[:people] {
		phone := p{"PhoneType": "SOFT_PHONE", "AutoAccept": i%3 == 0, "AfterContactWorkTimeLimit": i % 4 * 15}
		if i%4 == 1 {
			phone = p{"PhoneType": "DESK_PHONE", "AutoAccept": false, "AfterContactWorkTimeLimit": 0, "DeskPhoneNumber": fmt.Sprintf("+1555010%04d", i)}
		}
		v := p{"UserArn": child("agent"), "InstanceArn": arn, "Username": who, "Password": "Never-shown-1", "RoutingProfileArn": profiles[i%3], "PhoneConfig": phone,
			"IdentityInfo":        p{"FirstName": strings.ToUpper(who[:1]), "LastName": strings.ToUpper(who[1:2]) + who[2:], "Email": who + "@example.com"},
			"SecurityProfileArns": []any{security[0]}, "UserProficiencies": []any{p{"AttributeName": "language", "AttributeValue": "english", "Level": float64(i%5 + 1)}}}
		if i%5 == 0 {
			v["SecurityProfileArns"] = []any{security[0], security[i%2+1]}
		}
		if i%3 != 2 {
			v["HierarchyGroupArn"] = groups[3+i%2]
		}
		if i%3 != 2 || i%2 == 0 {
			v["Tags"] = tags("team", []string{"support", "sales"}[i%2])
		}
		s.add("Connect::User", v)
	}
}
