package session

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/plan"
	"github.com/skyql/skyql/internal/sandbox"
	"github.com/skyql/skyql/internal/sqlerr"
)

var (
	statements = flag.Int("statements", 3000, "random statements of TestNarrowing")
	seed       = flag.Uint64("seed", 1, "of TestNarrowing")
	say        = flag.Bool("say", false, "write each random statement to standard error before it runs: the last one crashed the engine")
	broken     = flag.String("broken", "", "only the rules of TestBrokenRules that hold this text")
	mutations  = flag.Int("mutations", 0, "random statements to find each broken rule with; 0: TestBrokenRules is skipped")
)

// A column of the random world. Columns of one domain hold values of one kind,
// so that joining them makes sense.
type worldColumn struct{ name, domain string }

// A worldTable is a table that random statements read.
type worldTable struct {
	name    string
	columns []worldColumn
}

var base = []worldColumn{{"account_id", "account"}, {"region", "region"}}

var worldTables = []worldTable{
	{"aws.sqs.queues", []worldColumn{{"queue_url", "url"}, {"queue_name", "name"}, {"kms_master_key_id", "role"}, {"delay_seconds", "int"}, {"visibility_timeout", "int"}}},
	{"aws.ec2.vpcs", []worldColumn{{"vpc_id", "vpc"}, {"cidr_block", "cidr"}, {"instance_tenancy", "word"}}},
	{"aws.ec2.subnets", []worldColumn{{"vpc_id", "vpc"}, {"subnet_id", "subnet"}, {"availability_zone", "word"}, {"cidr_block", "cidr"}}},
	{"aws.connect.instances", []worldColumn{{"arn", "instance"}, {"instance_alias", "name"}}},
	{"aws.connect.users", []worldColumn{{"user_arn", "user"}, {"instance_arn", "instance"}, {"routing_profile_arn", "profile"}, {"username", "name"}}},
	{"aws.connect.routing_profiles", []worldColumn{{"routing_profile_arn", "profile"}, {"instance_arn", "instance"}, {"name", "name"}, {"description", "word"}}},
	{"aws.eks.nodegroups", []worldColumn{{"cluster_name", "name"}, {"id", "nodegroup"}, {"nodegroup_name", "name"}, {"disk_size", "int"}}},
	{"aws.ecs.services", []worldColumn{{"service_arn", "service"}, {"cluster", "cluster"}, {"desired_count", "int"}}},
	{"aws.iam.roles", []worldColumn{{"role_name", "role"}, {"path", "word"}, {"max_session_duration", "int"}}},
	{"aws.s3.buckets", []worldColumn{{"bucket_name", "name"}}},
}

const accountA, accountB = "111122223333", "444455556666"

var worldRegions = []string{"us-east-1", "eu-west-1"}

// randomWorld is small, and full of NULLs and of values that are found twice.
func randomWorld() (*sandbox.World, map[string][]string) {
	r := rand.New(rand.NewPCG(7, 7))
	w := &sandbox.World{Accounts: []sandbox.Account{{ID: accountA, Name: "a"}, {ID: accountB, Name: "b"}}, Regions: append(worldRegions, "us-west-2")}
	pools := map[string][]string{"account": {accountA, accountB}, "region": {"us-east-1", "eu-west-1", "us-west-2"},
		"name": {"alpha", "beta", "gamma", "delta"}, "word": {"default", "/x/", "dedicated", "red"}, "cidr": {"10.0.0.0/16", "10.1.0.0/16"}, "role": {"reader", "writer", "admin"}}
	add := func(domain, value string) string {
		if !slices.Contains(pools[domain], value) {
			pools[domain] = append(pools[domain], value)
		}
		return value
	}
	some := func(domain string) string { return pools[domain][r.IntN(len(pools[domain]))] }
	// props leaves out optional values at random.
	props := func(required map[string]any, optional map[string]any) map[string]any {
		out := maps.Clone(required)
		for _, k := range slices.Sorted(maps.Keys(optional)) {
			if r.IntN(3) > 0 {
				out[k] = optional[k]
			}
		}
		return out
	}
	for _, a := range []string{accountA, accountB} {
		for i, name := range pools["role"][:3] {
			w.Add(a, "us-east-1", "AWS::IAM::Role", props(map[string]any{"RoleName": name, "AssumeRolePolicyDocument": map[string]any{}}, map[string]any{"Path": some("word"), "MaxSessionDuration": 3600 * (i + 1)}))
		}
		for _, reg := range worldRegions {
			arn := func(service, rest string) string { return "arn:aws:" + service + ":" + reg + ":" + a + ":" + rest }
			for i := range 4 {
				name := fmt.Sprintf("%s-%s", []string{"alpha", "beta", "jobs", "dead"}[i], reg)
				w.Add(a, reg, "AWS::SQS::Queue", props(map[string]any{"QueueUrl": add("url", "https://sqs."+reg+".amazonaws.com/"+a+"/"+name), "QueueName": some("name")},
					map[string]any{"DelaySeconds": i, "VisibilityTimeout": 10 * r.IntN(3), "KmsMasterKeyId": some("role")}))
			}
			var vpcs []string
			for i := range 2 {
				id := fmt.Sprintf("vpc-%s%s%d", a[:2], reg[:2], i)
				vpcs = append(vpcs, add("vpc", id))
				w.Add(a, reg, "AWS::EC2::VPC", props(map[string]any{"VpcId": id}, map[string]any{"CidrBlock": some("cidr"), "InstanceTenancy": some("word")}))
			}
			for i := range 4 {
				w.Add(a, reg, "AWS::EC2::Subnet", props(map[string]any{"SubnetId": add("subnet", fmt.Sprintf("subnet-%s%s%d", a[:2], reg[:2], i)), "VpcId": vpcs[r.IntN(2)]},
					map[string]any{"AvailabilityZone": reg + string(rune('a'+i%2)), "CidrBlock": some("cidr")}))
			}
			for i := range 2 {
				inst := add("instance", arn("connect", fmt.Sprintf("instance/%d", i)))
				w.Add(a, reg, "AWS::Connect::Instance", props(map[string]any{"Arn": inst, "IdentityManagementType": "SAML", "Attributes": map[string]any{}}, map[string]any{"InstanceAlias": some("name")}))
				var profiles []string
				for j := range 2 {
					p := add("profile", inst+fmt.Sprintf("/routing-profile/%d", j))
					profiles = append(profiles, p)
					w.Add(a, reg, "AWS::Connect::RoutingProfile", props(map[string]any{"RoutingProfileArn": p, "InstanceArn": inst, "Name": some("name")}, map[string]any{"Description": some("word")}))
				}
				for j := range 3 {
					w.Add(a, reg, "AWS::Connect::User", props(map[string]any{"UserArn": add("user", inst+fmt.Sprintf("/agent/%d", j)), "InstanceArn": inst, "RoutingProfileArn": profiles[r.IntN(2)], "Username": some("name")}, nil))
				}
			}
			for _, c := range []string{"alpha", "beta"} {
				w.Add(a, reg, "AWS::EKS::Cluster", map[string]any{"Name": c})
				for j := range 2 {
					w.Add(a, reg, "AWS::EKS::Nodegroup", props(map[string]any{"Id": add("nodegroup", c+fmt.Sprintf("/n%d", j)), "ClusterName": c}, map[string]any{"NodegroupName": some("name"), "DiskSize": 20 * j}))
				}
				cl := add("cluster", arn("ecs", "cluster/"+c))
				w.Add(a, reg, "AWS::ECS::Cluster", map[string]any{"ClusterName": c, "Arn": cl})
				for j := range 2 {
					w.Add(a, reg, "AWS::ECS::Service", props(map[string]any{"ServiceArn": add("service", arn("ecs", fmt.Sprintf("service/%s/s%d", c, j))), "Cluster": cl}, map[string]any{"DesiredCount": j}))
				}
			}
			w.Add(a, reg, "AWS::S3::Bucket", map[string]any{"BucketName": add("name", "bucket-"+a[:3]+"-"+reg)})
		}
	}
	return w, pools
}

// A differ runs statements twice, narrowed and not.
type differ struct {
	sess  *Session
	pools map[string][]string
	t     testing.TB
	// against is how the statements run that narrowed ones are compared with.
	against plan.Narrow
}

// cover lets the settings cover the whole world, or a part of it. Of a part the
// scope, which is meaning, stays in what is compared with.
func (d *differ) cover(all bool) {
	d.sess.settings.Regions, d.against = worldRegions, plan.Nothing
	if !all {
		d.sess.settings.Regions, d.against = worldRegions[:1], plan.Scope
	}
}

func newDiffer(t testing.TB) *differ {
	t.Helper()
	w, pools := randomWorld()
	srv := sandbox.NewServer(sandbox.Options{World: w, PageSize: 3})
	t.Cleanup(srv.Close)
	s, err := New(t.Context(), Options{
		Settings: Settings{Regions: worldRegions, Accounts: []string{accountA, accountB}, Cache: 12 * time.Hour},
		Cloud: cloudcontrol.Options{Endpoint: srv.URL, Region: "us-east-1", RoleName: "sandbox",
			Static: &cloudcontrol.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "x"}},
		Params: map[string]string{"reg": "eu-west-1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	d := &differ{sess: s, pools: pools, t: t, against: plan.Nothing}
	var rows []string
	r := rand.New(rand.NewPCG(3, 3))
	for _, domain := range []string{"url", "vpc", "instance", "profile", "role", "name", "region", "service", "cluster"} {
		for range 2 {
			rows = append(rows, fmt.Sprintf("('%s', '%s', %d)", domain, pools[domain][r.IntN(len(pools[domain]))], r.IntN(4)))
		}
		rows = append(rows, fmt.Sprintf("('%s', NULL, NULL)", domain))
	}
	d.mustExec("SET threads = 1; SET memory_limit = '1GB'")
	d.mustExec("CREATE TABLE l AS FROM (VALUES " + strings.Join(rows, ", ") + ") AS t(domain, k, n)")
	d.mustExec("CREATE VIEW queue_view AS SELECT queue_url AS url, region AS place, queue_name FROM aws.sqs.queues WHERE account_id = '" + accountA + "'")
	return d
}

func (d *differ) mustExec(text string) {
	d.t.Helper()
	if err := d.sess.Run(d.t.Context(), text, nil); err != nil {
		d.t.Fatal(err)
	}
}

// A statement that is made smaller may lose what joins its tables. What has more
// rows than mostRows, or takes longer than longest, or more memory than there
// is, says nothing.
const (
	mostRows = 200_000
	longest  = time.Minute
)

const outOfMemory = "53200"

var errTooBig = errors.New("too big a statement")

// rows runs a statement and gives its rows as text, sorted unless it orders them.
func (d *differ) rows(text string, narrow plan.Narrow) (out []string, err error) {
	d.sess.narrow = narrow
	ctx, cancel := context.WithTimeoutCause(d.t.Context(), longest, errTooBig)
	defer cancel()
	err = d.sess.Run(ctx, text, func(_ context.Context, r Result) error {
		if r.Rows == nil {
			return nil
		}
		for r.Rows.Next() {
			if len(out) == mostRows {
				return errTooBig
			}
			out = append(out, fmt.Sprint(r.Rows.Values()...))
		}
		return r.Rows.Err()
	})
	if ctx.Err() != nil {
		err = errTooBig
	}
	if !strings.Contains(text, "/* ordered */") {
		slices.Sort(out)
	}
	return out, err
}

// differs says how the two runs of a statement differ; "" if they don't. An
// error of both is none, but is counted: those statements test nothing.
func (d *differ) differs(text string) (difference string, failed bool) {
	if *say {
		fmt.Fprintln(os.Stderr, text)
	}
	d.reset(text)
	want, errWant := d.rows(text, d.against)
	d.reset(text)
	got, errGot := d.rows(text, plan.Keys)
	switch {
	case errWant != nil && errGot != nil, saysNothing(errWant), saysNothing(errGot):
		return "", true
	case errWant != nil:
		return fmt.Sprintf("error without narrowing alone: %v", errWant), true
	case errGot != nil:
		return fmt.Sprintf("error with narrowing alone: %v", errGot), true
	case !slices.Equal(got, want):
		return fmt.Sprintf("%d rows with narrowing, %d without\nwith    %.300s\nwithout %.300s", len(got), len(want), fmt.Sprint(got), fmt.Sprint(want)), false
	}
	return "", false
}

// saysNothing reports whether a statement failed in a way that may be of one side
// alone: it was too big, or a row's text was compared with a number. Which rows
// are cast is DuckDB's choice, by how many there are.
func saysNothing(err error) bool {
	var e *sqlerr.Error
	return errors.Is(err, errTooBig) || errors.As(err, &e) && (e.Code == outOfMemory || e.Code == sqlerr.InvalidText && strings.HasPrefix(e.Message, "could not convert string"))
}

// reset makes a sequence that a statement counts with start anew.
func (d *differ) reset(text string) {
	if strings.Contains(text, "nextval") {
		d.mustExec("DROP SEQUENCE IF EXISTS q; CREATE SEQUENCE q")
	}
}

// shrink looks for a smaller statement that still differs: choices are left
// out or made the first ones.
func (d *differ) shrink(choices []int) string {
	best := (&gen{choices: choices, fixed: true, pools: d.pools}).statement()
	try := func(c []int) bool {
		text := (&gen{choices: c, fixed: true, pools: d.pools}).statement()
		if len(text) >= len(best) {
			return false
		}
		if diff, _ := d.differs(text); diff == "" {
			return false
		}
		best, choices = text, c
		return true
	}
	for tries, better := 0, true; better && tries < 600; {
		better = false
		for size := 16; size >= 1; size /= 2 {
			for i := 0; i+size <= len(choices); i++ {
				tries++
				if try(slices.Concat(choices[:i], choices[i+size:])) {
					better = true
					continue
				}
				zero := slices.Clone(choices)
				clear(zero[i : i+size])
				better = try(zero) || better
			}
		}
	}
	return best
}

// TestNarrowing runs random statements with and without narrowing: the rows
// must be the same.
func TestNarrowing(t *testing.T) {
	t.Parallel()
	met := map[plan.Rule]int{}
	var mu sync.Mutex
	ran, failed, some := 0, 0, 0
	t.Run("workers", func(t *testing.T) {
		const workers = 2
		for k := range workers {
			t.Run(fmt.Sprint(k), func(t *testing.T) {
				t.Parallel()
				d := newDiffer(t)
				d.sess.probe = &plan.Probe{Met: map[plan.Rule]int{}}
				for i := k; i < *statements; i += workers {
					g := &gen{rng: rand.New(rand.NewPCG(*seed, uint64(i))), pools: d.pools}
					text := g.statement()
					d.cover(i/workers%4 > 0)
					diff, bad := d.differs(text)
					mu.Lock()
					ran++
					if bad {
						failed++
						if testing.Verbose() {
							_, err := d.rows(text, plan.Keys)
							t.Logf("%s\n%v", text, err)
						}
					} else if testing.Verbose() {
						if got, _ := d.rows(text, plan.Keys); len(got) > 0 {
							some++
						}
					}
					mu.Unlock()
					if diff != "" {
						again, _ := d.differs(text)
						if again == "" {
							t.Errorf("seed %d, statement %d: %s\n%s\nand not when it ran again", *seed, i, text, diff)
							return
						}
						small := d.shrink(g.made)
						again, _ = d.differs(small)
						t.Errorf("seed %d, statement %d: %s\n%s\nsmallest:\n%s\n%s", *seed, i, text, diff, small, again)
						return
					}
				}
				mu.Lock()
				defer mu.Unlock()
				for r, n := range d.sess.probe.Met {
					met[r] += n
				}
			})
		}
	})
	t.Logf("%d statements, %d of them refused by both, %d with rows", ran, failed, some)
	if failed > ran/10 {
		t.Errorf("%d of %d statements are refused: they test nothing", failed, ran)
	}
	for _, r := range plan.Rules {
		t.Logf("%7d  %s", met[r], r)
		if met[r] == 0 && *statements >= 3000 {
			t.Errorf("no statement meets the rule: %s", r)
		}
	}
}

// TestBrokenRules breaks each rule, and finds that rows differ.
func TestBrokenRules(t *testing.T) {
	t.Parallel()
	if *mutations == 0 {
		t.Skip("-mutations says with how many statements to look")
	}
	d := newDiffer(t)
	for _, rule := range plan.Rules {
		if !strings.Contains(string(rule), *broken) {
			continue
		}
		found := 0
		for i := 0; i < *mutations && found == 0; i++ {
			d.sess.probe = &plan.Probe{Met: map[plan.Rule]int{}, Broken: rule}
			g := &gen{rng: rand.New(rand.NewPCG(*seed, uint64(i))), pools: d.pools}
			text := g.statement()
			if diff, _ := d.differs(text); diff != "" {
				found = i + 1
				d.sess.probe = nil
				if diff, _ := d.differs(text); diff != "" {
					t.Errorf("with no rule broken, too: %s\n%s", text, diff)
				}
				t.Logf("found after %5d statements: %s\n\t%s", found, rule, text)
			}
		}
		if found == 0 {
			t.Errorf("broken, and not found in %d statements: %s", *mutations, rule)
		}
	}
}
