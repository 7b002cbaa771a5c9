package shell

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// offered gives what completion offers at the | of an input: what is typed and
// all candidates, those that only repeat what is typed in front shortened.
func offered(s *Shell, input string) (prefix string, out []string) {
	cursor := strings.IndexByte(input, '|')
	prefix, found := s.complete(strings.Replace(input, "|", "", 1), cursor)
	for _, c := range found {
		out = append(out, strings.TrimPrefix(c.text, " "))
	}
	return prefix, out
}

func TestComplete(t *testing.T) {
	t.Parallel()
	s := testShell(t)
	for _, sql := range []string{"CREATE TABLE wanted (name VARCHAR, size BIGINT)", "CREATE VIEW small AS FROM wanted"} {
		if err := s.session.Run(t.Context(), sql, nil); err != nil {
			t.Fatal(err)
		}
	}
	s.o.Params["team"] = "support"
	// all: exactly these are offered.
	all := func(input string, want ...string) {
		t.Helper()
		if _, got := offered(s, input); !slices.Equal(got, want) {
			t.Errorf("%s\n got %q\nwant %q", input, got, want)
		}
	}
	// some: these are offered, and what begins with ! isn't.
	some := func(input string, want ...string) {
		t.Helper()
		_, got := offered(s, input)
		for _, w := range want {
			name, not := strings.CutPrefix(w, "!")
			if slices.Contains(got, name) == not {
				t.Errorf("%s\n got %.600q\nwant %q", input, got, w)
			}
		}
	}

	// How a statement begins.
	all(`SEL|`, `SELECT`)
	all(`sel|`, `select`)
	some(`|`, `SELECT`, `INSERT`, `!WHERE`)
	some(`SELECT 1; |`, `SELECT`)
	some(`EXPLAIN |`, `SELECT`, `ANALYZE`)
	// Services and tables.
	all(`SELECT * FROM aws.conn|`, `aws.connect.`, `aws.connectcampaigns.`, `aws.connectcampaignsv2.`)
	all(`SELECT * FROM aws.kms.al|`, `aws.kms.aliases`, `aws.kms.alias`)
	all(`SELECT * FROM kms.al|`, `kms.aliases`, `kms.alias`)
	all(`SELECT * FROM awscc.kms.al|`, `awscc.kms.aliases`, `awscc.kms.alias`)
	all(`SELECT * FROM AWS.KMS.AL|`, `AWS.KMS.aliases`, `AWS.KMS.alias`)
	some(`SELECT * FROM |`, `aws.`, `wanted`, `small`, `!username`, `!SELECT`)
	some(`SELECT * FROM wanted, |`, `aws.`, `wanted`)
	some(`SELECT * FROM wanted w JOIN |`, `aws.`, `wanted`)
	all(`UPDATE wan|`, `wanted`)
	all(`INSERT INTO wan|`, `wanted`)
	all(`DELETE FROM wan|`, `wanted`)
	all(`MERGE INTO aws.sqs.queues q USING wan|`, `wanted`)
	all(`WITH mine AS (SELECT 1) SELECT * FROM min|`, `mine`)
	some(`SELECT (SELECT max(size) FROM wan|)`, `wanted`)
	// Columns: of the tables in the statement, wherever those stand.
	all(`SELECT * FROM aws.connect.users WHERE usern|`, `username`)
	all(`SELECT usern| FROM aws.connect.users`, `username`)
	all(`SELECT u.usern| FROM aws.connect.users u`, `u.username`)
	all(`SELECT u.usern| FROM aws.connect.users AS u JOIN wanted w ON true`, `u.username`)
	all(`SELECT w.| FROM aws.connect.users AS u JOIN wanted w ON true`, `w.name`, `w.size`)
	all(`SELECT users.usern| FROM aws.connect.users`, `users.username`)
	all(`SELECT * FROM aws.connect.users u JOIN aws.connect.routing_profiles p ON p.routing_profile_a| = u.routing_profile_arn`, `p.routing_profile_arn`)
	all(`SELECT * FROM aws.connect.users GROUP BY usern|`, `username`)
	all(`SELECT * FROM aws.connect.users ORDER BY region, usern|`, `username`)
	all(`UPDATE aws.connect.users SET usern|`, `username`)
	all(`UPDATE aws.connect.users SET region = 'x', usern|`, `username`)
	all(`INSERT INTO aws.connect.users (region, usern|`, `username`)
	all(`SELECT * FROM wanted WHERE size > 1 AND na|`, `name`, `nanosecond(`)
	some(`SELECT | FROM wanted`, `name`, `size`, `!abs(`, `!SELECT`)
	some(`SELECT * FROM aws.ec2.volumes v WHERE v|`, `v.`, `volume_id`)
	// A reserved word needs its quotes.
	some(`SELECT | FROM aws.cloudfront.functions`, `name`)
	// Members, as AWS spells them and in snake case.
	all(`SELECT phone_config.Ph| FROM aws.connect.users`, `phone_config.PhoneType`, `phone_config.phone_type`)
	all(`SELECT u.phone_config.auto| FROM aws.connect.users u`, `u.phone_config.AutoAccept`, `u.phone_config.auto_accept`)
	some(`SELECT bucket_encryption.| FROM aws.s3.buckets`, `bucket_encryption.ServerSideEncryptionConfiguration`)
	// Functions, keywords, parameters.
	some(`SELECT json_ext| FROM aws.connect.users`, `json_extract(`, `json_extract_string(`)
	some(`SELECT ta| FROM aws.connect.users`, `tag(`, `tags`)
	all(`SELECT * FROM wanted WHER|`, `WHERE`)
	some(`SELECT * FROM wanted |`, `WHERE`, `JOIN`, `!name`, `!abs(`)
	some(`SELECT * FROM wanted WHERE size = 1 |`, `AND`, `ORDER`, `!name`)
	all(`SELECT $t|`, `$team`)
	all(`SELECT 1|`)
	all(`SELECT 'a'|`)
	some(`SELECT * FROM aws.s3.buckets WHERE |`, `bucket_name`)
	// Regions, enums, settings and their values.
	all(`SELECT * FROM aws.s3.buckets WHERE region = 'eu-w|`, `'eu-west-1'`, `'eu-west-2'`, `'eu-west-3'`)
	all(`SELECT * FROM aws.s3.buckets b WHERE b.region = 'eu-west-1|'`, `'eu-west-1`)
	some(`SELECT * FROM aws.s3.buckets WHERE region IN ('us-east-1', '|`, `'eu-west-1'`)
	some(`SELECT * FROM aws.s3.buckets WHERE region NOT IN ('|`, `'eu-west-1'`)
	some(`SELECT 1 FROM t WHERE region = '|`, `'eu-west-1'`)
	all(`SELECT * FROM aws.connect.users WHERE phone_config.PhoneType = '|`, `'SOFT_PHONE'`, `'DESK_PHONE'`)
	all(`SELECT * FROM aws.connect.users u WHERE u.phone_config.phone_type <> 'S|`, `'SOFT_PHONE'`)
	all(`SET reg|`, `regions`)
	some(`SET |`, `regions`, `cache`, `threads`)
	all(`SET regions |`, `=`)
	all(`SET regions = 'al|`, `'all'`)
	all(`SET on_error = |`, `'fail'`, `'warn'`)
	all(`RESET reg|`, `regions`)
	all(`SHOW reg|`, `regions`)
	all(`SHOW TABLES IN aws.km|`, `aws.kms`)
	all(`USE aws.km|`, `aws.kms`)
	all(`SHOW METHODS IN aws.kms.al|`, `aws.kms.aliases`, `aws.kms.alias`)
	all(`DESCRIBE aws.kms.al|`, `aws.kms.aliases`, `aws.kms.alias`)
	// Meta commands and their arguments.
	all(`\d aws.kms.al|`, `aws.kms.aliases`, `aws.kms.alias`)
	all(`\tim|`, `\timing`)
	all(`.tim|`, `.timing`)
	all(`\mode c|`, `csv`)
	all(`\timing |`, `on`, `off`)
	// Where nothing can be known, nothing is.
	all(`SELECT 'eu|`)
	all(`SELECT 1 -- sel|`)
	all(`SELECT 1 AS |`)
	all(`SELECT "us| FROM aws.connect.users`)
	all(`SELECT $$ sel|`)
	all(`SELECT nope.x| FROM wanted`)
	all(`SELECT x.y.z.| FROM wanted`)
	all(`SELECT .|`)
}

func TestCompleteService(t *testing.T) {
	t.Parallel()
	s := testShell(t)
	if err := s.session.Run(t.Context(), "USE aws.kms", nil); err != nil {
		t.Fatal(err)
	}
	if _, got := offered(s, `SELECT * FROM alia|`); !slices.Equal(got, []string{"aliases", "alias"}) {
		t.Errorf("got %q", got)
	}
	if _, got := offered(s, `SELECT target| FROM aliases`); !slices.Equal(got, []string{"target_key_id"}) {
		t.Errorf("got %q", got)
	}
}

func TestCompleteFiles(t *testing.T) {
	t.Parallel()
	s := testShell(t)
	dir := t.TempDir()
	for _, name := range []string{"wanted.csv", "wanted.parquet", ".hidden"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		input string
		want  []string
	}{
		{`SELECT * FROM 'DIR/|`, []string{`'DIR/sub/`, `'DIR/wanted.csv'`, `'DIR/wanted.parquet'`}},
		{`SELECT * FROM 'DIR/wanted.c|'`, []string{`'DIR/wanted.csv`}},
		{`SELECT * FROM read_csv('DIR/wanted.c|`, []string{`'DIR/wanted.csv'`}},
		{`SELECT * FROM wanted w JOIN 'DIR/wanted.c|`, []string{`'DIR/wanted.csv'`}},
		{`COPY t TO 'DIR/su|`, []string{`'DIR/sub/`}},
		{`SELECT * FROM 'DIR/.|`, []string{`'DIR/.hidden'`}},
		{`\i DIR/wanted.c|`, []string{`DIR/wanted.csv`}},
		{`SELECT * FROM 'nowhere/|`, nil},
	} {
		_, got := offered(s, strings.ReplaceAll(c.input, "DIR", dir))
		for i := range got {
			got[i] = strings.ReplaceAll(got[i], dir, "DIR")
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s\n got %q\nwant %q", c.input, got, c.want)
		}
	}
}

// The editor takes the text in front of the cursor as what candidates begin
// with, and an empty one for something else.
func TestCompletePrefix(t *testing.T) {
	t.Parallel()
	s := testShell(t)
	for input, want := range map[string]string{
		`SELECT * FROM |`:                      " ",
		`SELECT * FROM aws.kms.|`:              "aws.kms.",
		`SELECT abs(|) FROM aws.connect.users`: "(",
		`SELECT * FROM t WHERE region = 'e|`:   "'e",
		"SELECT 1 FROM t WHERE\n|":             "\n",
		`\d |`:                                 " ",
	} {
		prefix, found := offered(s, input)
		if prefix != want || len(found) == 0 {
			t.Errorf("%q: prefix %q, want %q; %d candidates", input, prefix, want, len(found))
		}
	}
}

// However an input is cut, completing it ends, and gives what fits.
func FuzzComplete(f *testing.F) {
	for _, seed := range []string{`SELECT u.phone_config.x, 'a' FROM aws.connect.users u WHERE region IN ('eu', "q`, `\d aws.`, `SET regions = 'a`, `INSERT INTO a (b, c`, "é 'ü", `UPDATE`, `,`, `((([`, `FROM a,`} {
		f.Add(seed, len(seed))
	}
	s := testShell(f)
	f.Fuzz(func(t *testing.T, text string, cursor int) {
		for cursor = max(0, min(cursor, len(text))); cursor > 0 && cursor < len(text) && text[cursor]&0xC0 == 0x80; {
			cursor--
		}
		prefix, found := s.complete(text, cursor)
		if !strings.HasSuffix(text[:cursor], prefix) {
			t.Errorf("%q at %d: prefix %q", text, cursor, prefix)
		}
		for _, c := range found {
			if len(c.text) < len(prefix) || !strings.EqualFold(c.text[:len(prefix)], prefix) {
				t.Errorf("%q at %d: candidate %q does not begin with %q", text, cursor, c.text, prefix)
			}
		}
		s.highlight(text)
		s.scrub(text)
		if whole(text) {
			parts(text)
		}
	})
}
