package catalog

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// shared gives the path of a file beside the checkout, or skips the test.
func shared(t testing.TB, name string) string {
	t.Helper()
	p := filepath.Join("..", "..", "..", "shared", "data", name)
	if _, err := os.Stat(p); err != nil {
		t.Skip("no archive beside the checkout")
	}
	return p
}

func TestCounts(t *testing.T) {
	t.Parallel()
	var types, handlers, listable, byID, none int
	for _, e := range Embedded().Entries("") {
		types++
		switch {
		case e.Listable:
			handlers, listable = handlers+1, listable+1
		case e.Readable:
			handlers, byID = handlers+1, byID+1
		default:
			none++
		}
	}
	if got, want := fmt.Sprint(types, handlers, listable, byID, none), "1489 1479 1406 73 10"; got != want {
		t.Errorf("types, with handlers, listable, by identifier, with none: %s, want %s", got, want)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"UserArn": "user_arn", "TargetGroupARNs": "target_group_arns", "OAuthScopes": "oauth_scopes", "DBInstance": "db_instance",
		"EBSVolumeIds": "ebs_volume_ids", "Ipv6CidrBlock": "ipv6_cidr_block", "VPCs": "vpcs",
	} {
		if got := Snake(in); got != want {
			t.Errorf("Snake(%s) = %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"user": "users", "search_index": "search_indices", "analysis": "analyses", "table_metadata": "table_metadata", "policy": "policies",
		"gateway": "gateways", "alias": "aliases", "address": "addresses", "settings": "settings", "prefix": "prefixes", "branch": "branches", "status": "statuses",
	} {
		if got := Plural(in); got != want {
			t.Errorf("Plural(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	check := func(service, table, want string) {
		t.Helper()
		got := "none"
		if e, form, ok := Embedded().Lookup(service, table); ok {
			got = e.Type + " " + form.String()
		}
		if got != want {
			t.Errorf("%s.%s: got %s, want %s", service, table, got, want)
		}
	}
	check("connect", "users", "AWS::Connect::User plural")
	check("Connect", "USER", "AWS::Connect::User singular")
	check("connect", "users_list_only", "AWS::Connect::User list_only")
	check("connect", "user_tags", "AWS::Connect::User tags")
	check("iam", "virtualmfa_devices", "AWS::IAM::VirtualMFADevice plural")
	check("kinesis", "kinesis_stream", "AWS::Kinesis::Stream plural")
	check("s3", "bukets", "none")
	if d := cmp.Diff([]string{"aws.s3.buckets"}, Embedded().NearTables("s3", "bukets")[:1]); d != "" {
		t.Error(d)
	}
	near := func(service, table, want string) {
		t.Helper()
		if got := strings.Join(Embedded().NearTables(service, table), " "); got != want {
			t.Errorf("near %s.%s: %s, want %s", service, table, got, want)
		}
	}
	near("", "aws_ec2_instance", "aws.ec2.instances")
	near("", "ec2_instance", "aws.ec2.instances")
	near("", "aws_s3_bucket", "aws.s3.buckets")
	near("", "aws_ssm_parameter", "aws.ssm.parameters")
	near("", "users", "aws.connect.users aws.elasticache.users aws.iam.users aws.memorydb.users aws.transfer.users")
	near("", "instance", "aws.connect.instances aws.ec2.instances aws.lightsail.instances aws.sso.instances")
	near("cloudwatch", "log_groups", "aws.logs.log_groups")
	near("rds", "instances", "aws.rds.db_instances aws.rds.db_instance")
	near("ec2", "vms", "")
	if got := Embedded().NearServices("conect"); len(got) == 0 || got[0] != "connect" {
		t.Errorf("near conect: %v", got)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	u, err := Embedded().Table("AWS::Connect::User")
	if err != nil {
		t.Fatal(err)
	}
	var cols []string
	for _, c := range u.Columns {
		mark := ""
		for _, m := range []struct {
			on   bool
			mark string
		}{{c.Required, "r"}, {c.IdentifierPart, "i"}, {c.ReadOnly, "o"}, {c.WriteOnly, "w"}, {c.CreateOnly, "c"}} {
			if m.on {
				mark += m.mark
			}
		}
		cols = append(cols, strings.TrimSpace(c.Name+" "+c.Type.String()+" "+c.Datatype+" "+mark))
	}
	want := []string{
		"account_id VARCHAR string", "region VARCHAR string", "identifier VARCHAR string i", "instance_arn VARCHAR string r",
		"directory_user_id VARCHAR string", "hierarchy_group_arn VARCHAR string", "username VARCHAR string r", "password VARCHAR string w",
		"routing_profile_arn VARCHAR string r", "identity_info JSON object", "phone_config JSON object", "security_profile_arns VARCHAR[] array r",
		"user_arn VARCHAR string io", "tags JSON array", "user_proficiencies JSON array",
	}
	if d := cmp.Diff(want, cols[:len(want)]); d != "" {
		t.Errorf("columns (-want +got)\n%s", d)
	}
	if c, ok := u.Column("UserArn"); !ok || u.Columns[c].Name != "user_arn" || !u.Free(c) {
		t.Errorf("UserArn is column %d", c)
	}
	if c, ok := u.Column("data__Identifier"); !ok || c != 2 {
		t.Errorf("data__Identifier is column %d", c)
	}
	if got := u.NearColumns("user_name"); len(got) == 0 || got[0] != "username" {
		t.Errorf("near user_name: %v", got)
	}
	if d := cmp.Diff([]Parent{{"AWS::Connect::Instance", []Gift{{"/InstanceArn", "/Arn"}}}}, u.ListInput.Parents); d != "" {
		t.Error(d)
	}
	if u.Description != "" || u.Columns[3].Description != "" {
		t.Error("the embedded catalog has descriptions")
	}
}

func TestLeaf(t *testing.T) {
	t.Parallel()
	check := func(typeName, column, path, want string) {
		t.Helper()
		tb, err := Embedded().Table(typeName)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := tb.Column(column)
		leaf, err := tb.Leaf(c, strings.Split(path, "."))
		got := fmt.Sprint(strings.Join(leaf.Path, "."), " ", leaf.Type, " ", leaf.Known)
		var unknown *UnknownMember
		if errors.As(err, &unknown) {
			got = fmt.Sprint(unknown, " ", unknown.Near)
		}
		if got != want {
			t.Errorf("%s %s.%s\n got %s\nwant %s", typeName, column, path, got, want)
		}
	}
	check("AWS::Connect::User", "phone_config", "PhoneType", "PhoneType VARCHAR true")
	check("AWS::Connect::User", "phone_config", "after_contact_work_time_limit", "AfterContactWorkTimeLimit BIGINT true")
	check("AWS::Connect::User", "phone_config", "autoaccept", "AutoAccept BOOLEAN true")
	check("AWS::Connect::User", "phone_config", "PhoneTyp", `phone_config has no member "PhoneTyp" [PhoneType]`)
	check("AWS::Connect::User", "phone_config", "PhoneType.Foo", `phone_config.PhoneType, a string, has no member "Foo" []`)
	check("AWS::SQS::Queue", "tags", "env", `tags, a list, has no member "env" [tag(tags, 'env')]`)
	check("AWS::EC2::Instance", "volumes", "VolumeId", `volumes, a list, has no member "VolumeId" [json_each(volumes) x in FROM, and x.value->>'VolumeId']`)
	check("AWS::S3::Bucket", "versioning_configuration", "Status", "Status VARCHAR true")
	check("AWS::S3::Bucket", "bucket_encryption", "ServerSideEncryptionConfiguration", "ServerSideEncryptionConfiguration JSON true")
	check("AWS::IAM::Role", "assume_role_policy_document", "Statement", "Statement JSON false")
}

func TestIdentifiers(t *testing.T) {
	t.Parallel()
	tb, err := Embedded().Table("AWS::EKS::Nodegroup")
	if err != nil {
		t.Fatal(err)
	}
	var two *Table
	for _, typ := range []string{"AWS::ECS::Service"} {
		if two, err = Embedded().Table(typ); err != nil {
			t.Fatal(err)
		}
	}
	if parts, err := tb.SplitIdentifier("a|b"); err != nil || len(parts) != len(tb.Identifier) {
		if len(tb.Identifier) == 2 {
			t.Errorf("a|b: %v %v", parts, err)
		}
	}
	if parts, err := two.SplitIdentifier("arn|c"); err != nil || !slices.Equal(parts, []string{"arn", "c"}) {
		t.Errorf("arn|c: %v %v", parts, err)
	}
	if _, err := two.SplitIdentifier("a|b|c"); err == nil {
		t.Error("a|b|c was split into two")
	}
	joined := two.JoinIdentifier([]string{"a|b", "c"})
	if joined != `{"Cluster":"c","ServiceArn":"a|b"}` {
		t.Errorf("joined %s", joined)
	}
	if parts, err := two.SplitIdentifier(joined); err != nil || !slices.Equal(parts, []string{"a|b", "c"}) {
		t.Errorf("%s: %v %v", joined, parts, err)
	}
}

// Every list that needs input says where it comes from, and the answer can work.
func TestParents(t *testing.T) {
	t.Parallel()
	c := Embedded()
	var out strings.Builder
	need := 0
	for _, e := range c.Entries("") {
		tb, err := c.Table(e.Type)
		if err != nil {
			t.Fatal(err)
		}
		in := tb.ListInput
		if len(in.Required)+len(in.OneOf) > 0 {
			need++
		}
		if len(in.Required)+len(in.OneOf) == 0 && len(in.Parents) == 0 {
			continue
		}
		checkParents(t, c, tb)
		fmt.Fprintf(&out, "%s\t%s\n", e.Type, describeInput(in))
	}
	if need != 312 {
		t.Errorf("%d types need input to list, want 312", need)
	}
	golden(t, "parents.golden", out.String())
}

func describeInput(in ListInput) string {
	var parts []string
	for _, k := range slices.Sorted(keys(in.Fixed)) {
		parts = append(parts, k+" one of "+strings.Join(in.Fixed[k], ","))
	}
	for _, a := range in.Account {
		parts = append(parts, a+" the account")
	}
	for _, p := range in.Parents {
		for _, g := range p.Give {
			parts = append(parts, g.To+" from "+p.Type+g.From)
		}
	}
	if in.DefaultParentOnly {
		parts = append(parts, "(else only a default's)")
	}
	if in.Unknown != "" {
		parts = append(parts, "not known: "+in.Unknown)
	}
	return strings.Join(parts, "; ")
}

func checkParents(t *testing.T, c *Catalog, tb *Table) {
	t.Helper()
	in := tb.ListInput
	if in.Unknown != "" {
		return
	}
	given := map[string]bool{}
	for k := range in.Fixed {
		given[k] = true
	}
	for _, a := range in.Account {
		given[a] = true
	}
	for _, p := range in.Parents {
		parent, err := c.Table(p.Type)
		if err != nil || parent.List == nil {
			t.Errorf("%s: parent %s can't be listed (%v)", tb.Type, p.Type, err)
			continue
		}
		for _, g := range p.Give {
			given[g.To] = true
			if _, ok := parent.Column(strings.Split(g.From, "/")[1]); !ok {
				t.Errorf("%s: %s has no %s", tb.Type, p.Type, g.From)
			}
		}
	}
	for _, r := range in.Required {
		ok := given[r]
		for g := range given {
			ok = ok || strings.HasPrefix(g, r+"/")
		}
		if !ok {
			t.Errorf("%s: nothing gives %s", tb.Type, r)
		}
	}
	seen := map[string]bool{}
	var climb func(typ string, depth int)
	climb = func(typ string, depth int) {
		if depth > 6 {
			t.Errorf("%s: parents go round in a circle", tb.Type)
			return
		}
		x, err := c.Table(typ)
		if err != nil {
			return
		}
		for _, p := range x.ListInput.Parents {
			if p.Type != typ {
				climb(p.Type, depth+1)
			}
		}
		seen[typ] = true
	}
	climb(tb.Type, 0)
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got)\n%s", name, d)
	}
}

func TestGenerated(t *testing.T) {
	t.Parallel()
	data := compile(t, shared(t, "cloudformation-schemas.zip"), CompileOptions{Name: "cloudformation-schemas.zip"})
	if !bytes.Equal(data, embedded) {
		t.Error("catalog.bin is not what the archive compiles to: run go generate ./internal/catalog")
	}
}

func compile(t testing.TB, path string, o CompileOptions) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := Compile(bytes.NewReader(text), int64(len(text)), o)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func rows(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open(shared(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.FieldsPerRecord, r.LazyQuotes = '\t', -1, true
	all, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[1:]
}

func TestKnownNames(t *testing.T) {
	t.Parallel()
	c := Embedded()
	unclear := map[string]bool{"cidrs": true, "map": true} // in use for four and five types of one service at once
	for _, r := range rows(t, "known-names.tsv") {
		e, ok := c.ByType(r[0])
		if !ok {
			continue
		}
		names := strings.Fields(r[3])
		if r[2] != "" {
			names = append(names, r[2])
		}
		for _, n := range names {
			if got, _, ok := c.Lookup(e.Service, n); !unclear[n] && (!ok || got.Type != e.Type) {
				t.Errorf("%s.%s is %s, want %s", e.Service, n, got.Type, e.Type)
			}
		}
	}
}

func TestKnownColumns(t *testing.T) {
	t.Parallel()
	c := Embedded()
	known := map[string]string{}
	for _, r := range rows(t, "known-columns.tsv") {
		known[r[0]] = r[1]
	}
	for _, e := range c.Entries("") {
		tb, err := c.Table(e.Type)
		if err != nil {
			t.Fatal(err)
		}
		for i, col := range tb.Columns {
			name := known[col.Property]
			if name == "" || leading[name] || name == "group_id" { // a type may have Group and GroupId
				continue
			}
			if got, ok := tb.Column(name); !ok || got != i {
				t.Errorf("%s: %s is not column %s", e.Type, name, col.Name)
			}
		}
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	archive := shared(t, "cloudformation-schemas.zip")
	changes, err := Update(archive, dir, Embedded())
	if err != nil {
		t.Fatal(err)
	}
	if len(changes.New)+len(changes.Changed)+len(changes.Gone) != 0 {
		t.Errorf("the same archive changed %+v", changes)
	}
	c, err := OpenFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	u, err := c.Table("AWS::Connect::User")
	if err != nil || u.Description == "" || u.Columns[3].Description == "" {
		t.Errorf("descriptions are missing: %v", err)
	}
}

// A broken archive leaves the old catalog in place and says why.
func TestUpdateBroken(t *testing.T) {
	t.Parallel()
	zipped := func(files ...string) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for i := 0; i < len(files); i += 2 {
			f, err := w.Create(files[i])
			if err != nil {
				t.Fatal(err)
			}
			f.Write([]byte(files[i+1]))
		}
		w.Close()
		return b.Bytes()
	}
	const ok = `{"typeName":"AWS::A::B","properties":{"Name":{"type":"string"}},"primaryIdentifier":["/properties/Name"]}`
	whole := zipped("aws-a-b.json", ok)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":     {nil, "not a whole zip archive"},
		"truncated": {whole[:len(whole)-10], "not a whole zip archive"},
		"nothing":   {zipped("read.me", "x"), "holds no resource schemas"},
		"broken":    {zipped("aws-a-b.json", ok, "aws-a-c.json", "{"), "aws-a-c.json: not JSON"},
		"other":     {zipped("x.json", `{"a":1}`), `typeName "" is not like AWS::S3::Bucket`},
		"twice":     {zipped("1.json", ok, "2.json", ok), "AWS::A::B is there twice"},
		"collision": {zipped("1.json", ok, "2.json", strings.Replace(ok, "A::B", "A::Bs", 1)), "would both be table aws.a.bs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			in := filepath.Join(dir, "in.zip")
			if err := os.WriteFile(in, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			keep := filepath.Join(dir, FileName)
			if err := os.WriteFile(keep, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Update(in, dir, Embedded())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			if old, _ := os.ReadFile(keep); string(old) != "old" {
				t.Error("the old catalog was replaced")
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(magic), 0)
	f.Add(embedded[:200], 5)
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		if c, err := open(data, false); err == nil {
			for _, e := range c.Entries("") {
				c.Table(e.Type)
			}
		}
		if len(data) > 0 { // damage to the real thing
			whole := bytes.Clone(embedded)
			at = ((at % len(whole)) + len(whole)) % len(whole)
			copy(whole[at:], data)
			if c, err := open(whole, false); err == nil {
				for i, e := range c.Entries("") {
					if i%50 == at%50 {
						c.Table(e.Type)
					}
				}
			}
		}
	})
}

func BenchmarkTable(b *testing.B) {
	for _, typ := range []string{"AWS::Connect::User", "AWS::ECS::TaskDefinition", "AWS::S3::Bucket", "AWS::WAFv2::WebACL", "AWS::QuickSight::Analysis"} {
		b.Run(typ, func(b *testing.B) {
			x := Embedded().index()
			s := x.where[x.byType[typ]]
			for b.Loop() {
				if _, err := decodeTable(Embedded().blobs[s.pos:s.end], Embedded().dict); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkIndex(b *testing.B) {
	for b.Loop() {
		c, err := open(embedded, false)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, ok := c.Lookup("connect", "users"); !ok {
			b.Fatal("not found")
		}
	}
}
