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
	// A secret that comes from elsewhere in the statement.
	check(`MERGE INTO aws.secretsmanager.secrets s USING (VALUES ('a', 'x')) v(n, p) ON s.name = v.n WHEN NOT MATCHED THEN INSERT (name, secret_string) VALUES (v.n, v.p)`,
		`MERGE INTO aws.secretsmanager.secrets s USING (VALUES (<hidden>, <hidden>)) v(n, p) ON s.name = v.n WHEN NOT MATCHED THEN INSERT (name, secret_string) VALUES (v.n, v.p)`)
	check(`WITH w AS (SELECT 'x' AS p) INSERT INTO aws.secretsmanager.secrets (name, secret_string) SELECT 'c', p FROM w`,
		`WITH w AS (SELECT <hidden> AS p) INSERT INTO aws.secretsmanager.secrets (name, secret_string) SELECT <hidden>, p FROM w`)
	check(`UPDATE aws.connect.users u SET password = v.p FROM (VALUES ('a', 'x')) v(n, p) WHERE u.username = v.n`,
		`UPDATE aws.connect.users u SET password = v.p FROM (VALUES (<hidden>, <hidden>)) v(n, p) WHERE u.username = v.n`)
	check(`UPDATE aws.lambda.functions SET environment = {'Variables': {'DB_PASSWORD': v.p}} FROM (SELECT 'x' AS p) v`,
		`UPDATE aws.lambda.functions SET environment = {'Variables': {'DB_PASSWORD': v.p}} FROM (SELECT <hidden> AS p) v`)
	check(`UPDATE aws.connect.users SET password = NULL WHERE username = 'a'`, `UPDATE aws.connect.users SET password = NULL WHERE username = 'a'`)
	// One beside its name.
	check(`UPDATE aws.ecs.task_definitions SET container_definitions = [{'Image': 'i', 'Environment': [{'Value': 'x', 'Name': 'API_TOKEN'}, {'Name': 'HOST', 'Value': 'h'}]}]`,
		`UPDATE aws.ecs.task_definitions SET container_definitions = [{'Image': 'i', 'Environment': [{'Value': <hidden>, 'Name': 'API_TOKEN'}, {'Name': 'HOST', 'Value': 'h'}]}]`)
	check(`UPDATE aws.ssm.parameters SET value = 'x' WHERE name = '/db/password'`, `UPDATE aws.ssm.parameters SET value = <hidden> WHERE name = '/db/password'`)
	check(`INSERT INTO aws.ssm.parameters (name, type, value) VALUES ('/db/password', 'String', 'x')`, `INSERT INTO aws.ssm.parameters (name, type, value) VALUES ('/db/password', 'String', <hidden>)`)
	check(`INSERT INTO t SELECT '[{"Name": "API_TOKEN", "Value": "x"}]'`, `INSERT INTO t SELECT <hidden>`)
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
