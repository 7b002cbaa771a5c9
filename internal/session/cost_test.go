package session

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/sandbox"
)

// costWorld has 7 queues in us-east-1, of which every second one has no
// VisibilityTimeout, and a few things around.
func costWorld() *sandbox.World {
	w := &sandbox.World{Accounts: []sandbox.Account{{ID: accountA, Name: "a"}, {ID: accountB, Name: "b"}}, Regions: worldRegions}
	for _, reg := range worldRegions {
		for i := range 7 {
			p := map[string]any{"QueueUrl": queueURL(reg, i), "QueueName": fmt.Sprintf("q%d", i), "DelaySeconds": i, "FifoQueue": i >= 4}
			if i%2 == 0 {
				p["VisibilityTimeout"] = 30
			}
			if i < 3 {
				p["QueueUrl"] = strings.Replace(queueURL(reg, i), "/q", "/log-q", 1)
			}
			w.Add(accountA, reg, "AWS::SQS::Queue", p)
		}
		for i := range 2 {
			w.Add(accountA, reg, "AWS::EC2::VPC", map[string]any{"VpcId": fmt.Sprintf("vpc-%s-%d", reg, i), "CidrBlock": "10.0.0.0/16"})
			w.Add(accountA, reg, "AWS::EC2::Subnet", map[string]any{"SubnetId": fmt.Sprintf("subnet-%s-%d", reg, i), "VpcId": fmt.Sprintf("vpc-%s-%d", reg, i), "CidrBlock": "10.0.0.0/24"})
		}
		for i := range 2 {
			inst := fmt.Sprintf("arn:aws:connect:%s:%s:instance/%d", reg, accountA, i)
			w.Add(accountA, reg, "AWS::Connect::Instance", map[string]any{"Arn": inst, "InstanceAlias": fmt.Sprintf("i%d", i), "IdentityManagementType": "SAML", "Attributes": map[string]any{}})
			for j := range 3 {
				w.Add(accountA, reg, "AWS::Connect::RoutingProfile", map[string]any{"RoutingProfileArn": fmt.Sprintf("%s/rp/%d", inst, j), "InstanceArn": inst, "Name": fmt.Sprintf("p%d", j)})
			}
			for j := range 4 {
				w.Add(accountA, reg, "AWS::Connect::User", map[string]any{"UserArn": fmt.Sprintf("%s/agent/%d", inst, j), "InstanceArn": inst, "RoutingProfileArn": fmt.Sprintf("%s/rp/%d", inst, j%2), "Username": fmt.Sprintf("u%d", j)})
			}
		}
		for i := range 2 {
			w.Add(accountA, reg, "AWS::S3::Bucket", map[string]any{"BucketName": fmt.Sprintf("bucket-%s-%d", reg, i)})
			w.Add(accountA, reg, "AWS::ECS::Cluster", map[string]any{"ClusterName": fmt.Sprintf("c%d", i), "Arn": fmt.Sprintf("arn:aws:ecs:%s:%s:cluster/c%d", reg, accountA, i)})
			for j := range 3 {
				w.Add(accountA, reg, "AWS::ECS::Service", map[string]any{"ServiceArn": fmt.Sprintf("s%d%d", i, j), "Cluster": fmt.Sprintf("arn:aws:ecs:%s:%s:cluster/c%d", reg, accountA, i), "DesiredCount": j})
			}
		}
	}
	for _, a := range []string{accountA, accountB} {
		w.Add(a, "us-east-1", "AWS::IAM::Role", map[string]any{"RoleName": "admin", "AssumeRolePolicyDocument": map[string]any{}})
	}
	return w
}

func queueURL(region string, i int) string {
	return fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/q%d", region, accountA, i)
}

// costs are a session in a world of which the lists of queues are of one kind.
type costs struct {
	sess *Session
	box  *sandbox.Server
	t    *testing.T
}

func newCosts(t *testing.T, kind sandbox.ListKind, link *Link) *costs {
	t.Helper()
	lists := map[string]sandbox.ListKind{"AWS::SQS::Queue": kind, "AWS::Connect::User": kind, "AWS::Connect::RoutingProfile": kind, "AWS::EC2::VPC": kind,
		"AWS::EC2::Subnet": kind, "AWS::Connect::Instance": sandbox.Full, "AWS::ECS::Service": kind, "AWS::ECS::Cluster": sandbox.Full, "AWS::IAM::Role": kind}
	box := sandbox.NewServer(sandbox.Options{World: costWorld(), PageSize: 3, Lists: lists})
	t.Cleanup(box.Close)
	s, err := New(t.Context(), Options{
		Cloud: cloudcontrol.Options{Endpoint: box.URL, Region: "us-east-1", RoleName: "sandbox", Static: &cloudcontrol.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "x"}},
		Link:  link,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &costs{s, box, t}
}

// calls runs a script and gives its rows and calls: "2 rows, List 1 Get 2".
func (c *costs) calls(script string) string {
	c.t.Helper()
	c.box.ResetCalls()
	rows := 0
	err := c.sess.Run(c.t.Context(), script, func(_ context.Context, r Result) error {
		for r.Rows != nil && r.Rows.Next() {
			rows++
		}
		return nil
	})
	if err != nil {
		return "error: " + err.Error()
	}
	n := c.box.Calls()
	return fmt.Sprintf("%d rows, List %d Get %d", rows, n["ListResources"], n["GetResource"])
}

var kindNames = map[sandbox.ListKind]string{sandbox.Thin: "thin", sandbox.Partial: "partial", sandbox.Full: "full"}

// TestCost: what each kind of statement costs, on lists that tell nothing but
// the identifier (thin), some properties of some resources (partial), and
// everything (full). There are 7 queues on 3 pages; 3 of them are logs.
func TestCost(t *testing.T) {
	t.Parallel()
	for kind, name := range kindNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCosts(t, kind, nil)
			check := func(query, want string) {
				t.Helper()
				if got := c.calls(query); got != want {
					t.Errorf("%s\n got %s\nwant %s", query, got, want)
				}
			}
			// by what a list tells: thin, partial, full
			each := func(query, thin, partial, full string) {
				t.Helper()
				check(query, map[sandbox.ListKind]string{sandbox.Thin: thin, sandbox.Partial: partial, sandbox.Full: full}[kind])
			}
			q := func(i int) string { return "'" + queueURL("us-east-1", i) + "'" }
			inst := "'arn:aws:connect:us-east-1:" + accountA + ":instance/0'"
			user := "'arn:aws:connect:us-east-1:" + accountA + ":instance/0/agent/1'"
			file := filepath.Join(t.TempDir(), "ids.csv")
			if err := os.WriteFile(file, []byte("id,n\n"+queueURL("us-east-1", 3)+",1\n"+queueURL("us-east-1", 4)+",2\n"+queueURL("us-east-1", 4)+",3\n"), 0o600); err != nil {
				t.Fatal(err)
			}

			check("FROM aws.connect.user WHERE region = 'us-east-1' AND data__Identifier = "+user, "1 rows, List 0 Get 1")
			check("FROM aws.sqs.queues WHERE identifier IN ("+q(4)+", "+q(5)+", "+q(6)+")", "3 rows, List 0 Get 3")
			check("FROM aws.sqs.queues WHERE identifier IN ("+q(4)+", "+q(5)+", 'https://none')", "2 rows, List 0 Get 3")
			check("FROM aws.ecs.services WHERE service_arn = 's01' AND cluster = 'arn:aws:ecs:us-east-1:"+accountA+":cluster/c0'", "1 rows, List 0 Get 1")
			check("FROM aws.ecs.services WHERE cluster IN ('x', 'arn:aws:ecs:us-east-1:"+accountA+":cluster/c0') AND service_arn IN ('s00', 's01', 's99')", "2 rows, List 0 Get 6")
			check("SELECT identifier FROM aws.sqs.queues WHERE region = 'us-east-1'", "7 rows, List 3 Get 0")
			check("SELECT queue_url FROM aws.sqs.queues", "7 rows, List 3 Get 0")
			check("SELECT count(*) FROM aws.sqs.queues", "1 rows, List 3 Get 0")
			check("SELECT * FROM aws.sqs.queues WHERE region = 'eu-west-1'", "7 rows, List 3 Get 7")
			each("SELECT queue_name, delay_seconds FROM aws.sqs.queues", "7 rows, List 3 Get 7", c.partly("QueueName", "DelaySeconds"), "7 rows, List 3 Get 0")
			each("SELECT queue_name, visibility_timeout FROM aws.sqs.queues", "7 rows, List 3 Get 7", c.partly("QueueName", "VisibilityTimeout"), "7 rows, List 3 Get 3")
			check("SELECT * FROM aws.sqs.queues WHERE queue_url LIKE '%log%'", "3 rows, List 3 Get 3")
			check("SELECT * FROM aws.sqs.queues LIMIT 2", "2 rows, List 1 Get 2")
			check("SELECT * FROM aws.sqs.queues LIMIT 2 OFFSET 2", "2 rows, List 2 Get 4")
			check("SELECT * FROM aws.sqs.queues ORDER BY queue_url LIMIT 2", "2 rows, List 3 Get 2")
			check("SELECT * FROM aws.sqs.queues ORDER BY delay_seconds LIMIT 2", "2 rows, List 3 Get 7")
			if kind != sandbox.Partial { // of 7 queues the last 3 are FIFO: in growing batches, an oracle would read 5
				each("SELECT * FROM aws.sqs.queues WHERE fifo_queue LIMIT 1", "1 rows, List 2 Get 6", "", "1 rows, List 2 Get 1")
			}
			check("SELECT EXISTS (FROM aws.sqs.queues)", "1 rows, List 1 Get 0")
			check("SELECT * FROM aws.sqs.queues WHERE false", "0 rows, List 0 Get 0")
			check("SELECT * FROM aws.sqs.queues WHERE region = 'us-east-1' AND region = 'eu-west-1'", "0 rows, List 0 Get 0")
			check("SELECT * FROM aws.sqs.queues WHERE identifier IN (SELECT 'x' WHERE false)", "0 rows, List 0 Get 0")
			check("SELECT * FROM aws.sqs.queues LIMIT 0", "0 rows, List 0 Get 0")
			check("SELECT queue_url FROM aws.sqs.queues WHERE region IN ('us-east-1', 'eu-west-1')", "14 rows, List 6 Get 0")
			check("SET regions = 'all'; SELECT queue_url FROM aws.sqs.queues WHERE region LIKE 'eu%' AND queue_url LIKE '%log%'; RESET regions", "3 rows, List 3 Get 0")
			check("SELECT queue_url FROM aws.sqs.queues WHERE region LIKE 'eu%'", "0 rows, List 0 Get 0")
			check("SELECT queue_url FROM aws.sqs.queues WHERE account_id = '"+accountB+"'", "0 rows, List 1 Get 0")
			check("SET accounts = 'org'; SELECT role_name FROM aws.iam.roles; RESET accounts", "2 rows, List 2 Get 0")
			check("FROM aws.s3.buckets", "2 rows, List 2 Get 4")
			check("SELECT bucket_name FROM aws.s3.buckets", "2 rows, List 2 Get 4")
			// the column of the condition is read as well, where the list doesn't tell it
			each("SELECT user_arn FROM aws.connect.users WHERE instance_arn = "+inst, "4 rows, List 2 Get 4", "4 rows, List 2 Get 0", "4 rows, List 2 Get 0")
			check("SELECT user_arn FROM aws.connect.users", "8 rows, List 5 Get 0")
			check("SELECT u.user_arn, r.tags FROM aws.connect.users u JOIN aws.connect.routing_profiles r ON r.routing_profile_arn = u.routing_profile_arn WHERE u.identifier = "+user, "1 rows, List 0 Get 2")
			check("SELECT u.user_arn, r.identifier FROM aws.connect.users u JOIN aws.connect.instances r ON r.arn = u.instance_arn WHERE u.identifier = "+user, "1 rows, List 0 Get 2")
			each("SELECT u.username, r.name FROM aws.connect.users u JOIN aws.connect.routing_profiles r ON r.routing_profile_arn = u.routing_profile_arn",
				"8 rows, List 5 Get 12", "8 rows, List 5 Get "+fmt.Sprint(c.unknown("AWS::Connect::User", "Username", "RoutingProfileArn")+4), "8 rows, List 5 Get 4")
			check("SELECT v.vpc_id FROM aws.ec2.vpcs v LEFT JOIN (SELECT 1 AS one, 'x' AS id) s ON s.id = v.vpc_id AND v.region = 'eu-west-1'", "2 rows, List 1 Get 0")
			check("SET regions = 'all'; SELECT v.vpc_id, s.subnet_id FROM aws.ec2.vpcs v LEFT JOIN aws.ec2.subnets s ON s.identifier = v.vpc_id AND v.region = 'eu-west-1'; RESET regions", "4 rows, List 4 Get 0")
			check("SELECT v.vpc_id, s.subnet_id FROM aws.ec2.vpcs v LEFT JOIN aws.ec2.subnets s USING (region) WHERE v.region = 'eu-west-1'", "4 rows, List 2 Get 0")
			check("SELECT queue_url FROM aws.sqs.queues WHERE region = 'us-east-1' UNION ALL SELECT queue_url FROM aws.sqs.queues WHERE region = 'eu-west-1'", "14 rows, List 6 Get 0")
			check("SELECT a.queue_url FROM aws.sqs.queues a JOIN aws.sqs.queues b ON a.queue_url = b.identifier", "7 rows, List 3 Get 0")
			check("SELECT q.queue_name, f.n FROM aws.sqs.queues q JOIN '"+file+"' f ON q.identifier = f.id", "3 rows, List 0 Get 2")
			check("SELECT queue_name FROM aws.sqs.queues WHERE queue_url IN (VALUES ("+q(5)+"), ("+q(6)+"))", "2 rows, List 0 Get 2")
			check("SELECT queue_name FROM aws.sqs.queues WHERE queue_url IN (SELECT id FROM '"+file+"' LIMIT 1)", "1 rows, List 0 Get 1")
			check("SELECT queue_name FROM aws.sqs.queues WHERE queue_url IN (VALUES (''), (E'a\nb'))", "0 rows, List 0 Get 0")
			check("SELECT q.queue_name FROM aws.sqs.queues q JOIN (VALUES ("+q(5)+", 1)) v(id, n) ON v.id = q.identifier", "1 rows, List 0 Get 1")
			each("SELECT i.instance_alias, (SELECT count(*) FROM aws.connect.users u WHERE u.instance_arn = i.arn) FROM aws.connect.instances i WHERE i.identifier = "+inst, "1 rows, List 2 Get 5", "1 rows, List 2 Get 1", "1 rows, List 2 Get 1")
			each("SELECT user_arn FROM aws.connect.users WHERE instance_arn IN (SELECT arn FROM aws.connect.instances WHERE instance_alias = 'i0')",
				"4 rows, List 3 Get 4", "4 rows, List 3 Get 0", "4 rows, List 3 Get 0")
			check("EXPLAIN SELECT * FROM aws.sqs.queues", fmt.Sprintf("%d rows, List 0 Get 0", c.explained("SELECT * FROM aws.sqs.queues")))
			check("DESCRIBE SELECT * FROM aws.sqs.queues", "21 rows, List 0 Get 0")
			check("SET cache = '60s'; SELECT * FROM aws.sqs.queues; SELECT * FROM aws.sqs.queues; RESET cache", "14 rows, List 3 Get 7")
		})
	}
}

// partly is the cost of reading some properties of all queues from partial lists.
func (c *costs) partly(properties ...string) string {
	return fmt.Sprintf("7 rows, List 3 Get %d", c.unknown("AWS::SQS::Queue", properties...))
}

// unknown counts the resources of which a list doesn't tell all of some
// properties, as another client sees it.
func (c *costs) unknown(typ string, properties ...string) int {
	return c.box.Untold(accountA, "us-east-1", typ, properties)
}

func (c *costs) explained(query string) int {
	n := 0
	err := c.sess.Run(c.t.Context(), "EXPLAIN "+query, func(_ context.Context, r Result) error {
		for r.Rows.Next() {
			n++
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}
