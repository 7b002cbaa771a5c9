package shell

import "testing"

func TestScrub(t *testing.T) {
	t.Parallel()
	s := testShell(t)
	check := func(input, want string) {
		t.Helper()
		if got := s.scrub(input); got != want {
			t.Errorf("%s\n got %s\nwant %s", input, got, want)
		}
	}
	same := func(input string) { t.Helper(); check(input, input) }

	// Write-only properties, wherever they are set.
	check(`UPDATE aws.connect.users SET password = 'S3cret!' WHERE username = 'a'`, `UPDATE aws.connect.users SET password = <hidden> WHERE username = 'a'`)
	check(`UPDATE aws.connect.users SET username = 'a', password = 'S3' || 'cret' || 1`, `UPDATE aws.connect.users SET username = 'a', password = <hidden> || <hidden> || <hidden>`)
	check(`INSERT INTO aws.connect.users (region, username, password) VALUES ('us-east-1', 'a', 'x'), ('us-east-1', 'b', upper('y'))`,
		`INSERT INTO aws.connect.users (region, username, password) VALUES ('us-east-1', 'a', <hidden>), ('us-east-1', 'b', upper(<hidden>))`)
	check(`INSERT INTO aws.connect.users (username, password) SELECT 'a', 'x'`, `INSERT INTO aws.connect.users (username, password) SELECT <hidden>, <hidden>`)
	check(`INSERT INTO aws.connect.users VALUES ('a', 'x')`, `INSERT INTO aws.connect.users VALUES (<hidden>, <hidden>)`)
	check(`INSERT INTO aws.rds.db_instances (master_username, master_user_password) VALUES ('root', $$pw$$)`,
		`INSERT INTO aws.rds.db_instances (master_username, master_user_password) VALUES ('root', <hidden>)`)
	// Names that say so, of any table, setting or parameter.
	check(`SET s3_secret_access_key = 'abc'; SELECT 1`, `SET s3_secret_access_key = <hidden>; SELECT 1`)
	check(`SET s3_session_token TO abc`, `SET s3_session_token TO <hidden>`)
	check("SELECT 1 -- password = 'x'\n, 2", "SELECT 1 /* hidden */ , 2")
	check("-- token: abc\nSELECT 1;", " /* hidden */ SELECT 1;")
	check(`CREATE SECRET s (TYPE s3, KEY_ID 'AKIA', SECRET 'abc', SESSION_TOKEN 'def')`, `CREATE SECRET s (TYPE s3, KEY_ID 'AKIA', SECRET <hidden>, SESSION_TOKEN <hidden>)`)
	check(`SELECT * FROM t WHERE api_key = 'abc' AND name = 'x'`, `SELECT * FROM t WHERE api_key = <hidden> AND name = 'x'`)
	check(`SELECT * FROM t WHERE "Password" IN ('a', 'b')`, `SELECT * FROM t WHERE "Password" IN (<hidden>, <hidden>)`)
	check(`INSERT INTO wanted SELECT 'a' AS username, 'x' AS password`, `INSERT INTO wanted SELECT 'a' AS username, <hidden> AS password`)
	check(`\set db_password hunter2`, `\set db_password <hidden>`)
	// Inside other values.
	check(`UPDATE aws.connect.users SET x = {'Name': 'a', 'Password': 'x'}`, `UPDATE aws.connect.users SET x = {'Name': 'a', 'Password': <hidden>}`)
	check(`INSERT INTO t SELECT '{"MasterUserPassword": "x"}'`, `INSERT INTO t SELECT <hidden>`)
	check(`UPDATE aws.connect.user SET data__PatchDocument = '[{"op":"replace","path":"/Password","value":"x"}]' WHERE region = 'us-east-1'`,
		`UPDATE aws.connect.user SET data__PatchDocument = <hidden> WHERE region = 'us-east-1'`)
	check(`ATTACH 'postgres://me:pw@host/db'`, `ATTACH <hidden>`)
	check(`ATTACH 'host=h password=pw'`, `ATTACH <hidden>`)
	// What an unfinished quote holds is a value too.
	check(`UPDATE aws.connect.users SET password = 'never closed`, `UPDATE aws.connect.users SET password = <hidden>`)
	// Everything else stays as it is.
	same(`SELECT name, description FROM aws.secretsmanager.secrets WHERE region = 'us-east-1' AND secret_name = 'prod'`)
	same(`SELECT * FROM aws.connect.users WHERE username = 'a' -- password?`)
	same(`INSERT INTO aws.s3.buckets (bucket_name) VALUES ('logs')`)
	same(`\d aws.connect.users`)
	same(``)
}
