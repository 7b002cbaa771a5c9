package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/docgen"
	"github.com/skyql/skyql/internal/render"
	"github.com/skyql/skyql/internal/sandbox"
	"github.com/skyql/skyql/internal/session"
)

// connected opens a session on a sandbox.
func connected(t testing.TB, url string) *session.Session {
	t.Helper()
	s, err := session.New(t.Context(), session.Options{Cloud: cloudcontrol.Options{Endpoint: url, Static: sandboxKeys, Region: "us-east-1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func rowsOf(ctx context.Context, s *session.Session, text, format string) (string, error) {
	var b strings.Builder
	err := s.Run(ctx, text, func(_ context.Context, r session.Result) error {
		if r.Rows == nil {
			return nil
		}
		_, err := render.Write(&b, format, r.Rows, render.Options{})
		return err
	})
	return b.String(), err
}

// The SELECT of every table's page runs as it is printed.
func TestEveryExample(t *testing.T) {
	t.Parallel()
	box := sandbox.NewServer(sandbox.Options{})
	t.Cleanup(box.Close)
	c := catalog.Embedded()
	entries := c.Entries("")
	g, ctx := errgroup.WithContext(t.Context())
	const parts = 4
	for part := range parts {
		s := connected(t, box.URL)
		g.Go(func() error {
			for i := part; i < len(entries); i += parts {
				e := entries[i]
				tb, err := c.Table(e.Type)
				if err != nil {
					return err
				}
				if !e.Readable && !e.Listable {
					continue
				}
				for _, form := range []catalog.Form{catalog.PluralForm, catalog.Singular} {
					text := docgen.Example(tb, form)
					if _, err := rowsOf(ctx, s, text, "ndjson"); err != nil {
						return fmt.Errorf("%s\n%w", text, err)
					}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// The page of aws.connect.user agrees with the known one: fields, datatypes,
// methods and what they need, permissions. Fields that AWS has added come behind.
func TestKnownPage(t *testing.T) {
	t.Parallel()
	shared := filepath.Join("..", "..", "..", "shared")
	known, err := os.ReadFile(filepath.Join(shared, "reference", "aws.connect.user.md"))
	if err != nil {
		t.Skip("no known page beside the checkout")
	}
	dir := t.TempDir()
	if _, err := catalog.Update(filepath.Join(shared, "data", "cloudformation-schemas.zip"), dir, catalog.Embedded()); err != nil {
		t.Fatal(err)
	}
	c, err := catalog.OpenFile(filepath.Join(dir, catalog.FileName))
	if err != nil {
		t.Fatal(err)
	}
	tb, err := c.Table("AWS::Connect::User")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := docgen.Page(&b, tb, catalog.Singular); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	knownField := regexp.MustCompile(`<CopyableCode code="([a-z_]+)" /></td><td><code>([a-z]+)</code></td><td>`)
	field := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| `([a-z]+)` \\|[^|]*\\| ([^|]*) \\|$")
	var want, got []string
	for _, m := range knownField.FindAllStringSubmatch(string(known), -1) {
		if m[1] != "region" {
			want = append(want, m[1]+" "+m[2])
		}
	}
	for _, m := range field.FindAllStringSubmatch(page, -1) {
		got = append(got, m[1]+" "+m[2])
		if m[3] == "" {
			t.Errorf("field %s has no description", m[1])
		}
	}
	if len(want) != 12 || len(got) < len(want) {
		t.Fatalf("%d known fields, %d on the page", len(want), len(got))
	}
	if d := cmp.Diff(want, got[:len(want)]); d != "" {
		t.Errorf("fields (-known +page)\n%s", d)
	}
	knownMethod := regexp.MustCompile(`(?s)<CopyableCode code="(\w+_resource)" /></td>\s*<td><code>(\w+)</code></td>\s*<td><CopyableCode code="([^"]+)"`)
	for _, m := range knownMethod.FindAllStringSubmatch(string(known), -1) {
		if row := fmt.Sprintf("| `%s` | `%s` | `%s` |", m[1], m[2], m[3]); !strings.Contains(page, row) {
			t.Errorf("no method %s", row)
		}
	}
	blocks := regexp.MustCompile("(?s)### (Read|Update)\n```json\n(.*?)\n```")
	pageBlocks := regexp.MustCompile("(?s)### (Read|Update)\n\n```json\n(.*?)\n```")
	actions := func(re *regexp.Regexp, text string) map[string][]string {
		out := map[string][]string{}
		for _, m := range re.FindAllStringSubmatch(text, -1) {
			out[m[1]] = strings.Split(m[2], ",\n")
		}
		return out
	}
	knownActions, pageActions := actions(blocks, string(known)), actions(pageBlocks, page)
	for verb, list := range knownActions {
		for _, a := range list {
			if !strings.Contains(strings.Join(pageActions[verb], " ")+" ", a+" ") {
				t.Errorf("%s: no permission %s on the page", verb, a)
			}
		}
	}
	sql := regexp.MustCompile("(?s)```sql\n(.*?)```")
	words := func(text string) []string {
		return strings.Fields(strings.NewReplacer(",", " , ", ";", " ;").Replace(sql.FindStringSubmatch(text)[1]))
	}
	// The known example is the page's, but for the fields added since.
	pageWords := strings.Join(words(page), " ")
	for _, c := range tb.Columns[15:] {
		pageWords = strings.Replace(pageWords, " , "+c.Name, "", 1)
	}
	if d := cmp.Diff(strings.Join(words(string(known)), " "), pageWords); d != "" {
		t.Errorf("example (-known +page)\n%s", d)
	}
}

// The aws command and skyql give the same properties.
func TestAgreesWithAWSCommand(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("no aws command")
	}
	box := sandbox.NewServer(sandbox.Options{})
	t.Cleanup(box.Close)
	s := connected(t, box.URL)
	types := strings.Fields(`Connect::User Connect::Queue EC2::VPC EC2::Subnet EC2::Instance EC2::Volume EC2::SecurityGroup S3::Bucket SQS::Queue SNS::Topic Lambda::Function
		Logs::LogGroup CloudWatch::Alarm DynamoDB::Table KMS::Key EKS::Cluster ECS::Service RDS::DBInstance IAM::Role SSM::Parameter`)
	dir := t.TempDir()
	fromAWS := make([]map[string]any, len(types))
	ids := make([]string, len(types))
	var g errgroup.Group
	g.SetLimit(2)
	for i, typ := range types {
		ids[i] = box.Identifiers("111122223333", "us-east-1", "AWS::"+typ)[0]
		g.Go(func() error {
			cmd := exec.CommandContext(t.Context(), "aws", "cloudcontrol", "get-resource",
				"--cli-input-json", fmt.Sprintf(`{"TypeName":"AWS::%s","Identifier":%q}`, typ, ids[i]), "--endpoint-url", box.URL, "--output", "json")
			cmd.Env = append(append(os.Environ(), cloud(box.URL, dir)...), "AWS_PAGER=", "AWS_DEFAULT_REGION=us-east-1")
			var errs bytes.Buffer
			cmd.Stderr = &errs
			out, err := cmd.Output()
			if err != nil {
				return fmt.Errorf("aws %s: %w\n%s", typ, err, errs.String())
			}
			var answer struct{ ResourceDescription struct{ Properties string } }
			if err := json.Unmarshal(out, &answer); err != nil {
				return err
			}
			return json.Unmarshal([]byte(answer.ResourceDescription.Properties), &fromAWS[i])
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, typ := range types {
		tb, err := catalog.Embedded().Table("AWS::" + typ)
		if err != nil {
			t.Fatal(err)
		}
		text, err := rowsOf(t.Context(), s, fmt.Sprintf("SELECT * FROM aws.%s.%s WHERE identifier = '%s'", tb.Service, tb.Plural, ids[i]), "ndjson")
		if err != nil {
			t.Fatal(err)
		}
		var row map[string]any
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			t.Fatalf("%s: %v in %s", typ, err, text)
		}
		got := map[string]any{}
		for _, c := range tb.Columns[3:] {
			if v := row[c.Name]; v != nil {
				got[c.Property] = v
			}
		}
		if d := cmp.Diff(fromAWS[i], got); d != "" {
			t.Errorf("%s (-aws +skyql)\n%s", typ, d)
		}
	}
}
