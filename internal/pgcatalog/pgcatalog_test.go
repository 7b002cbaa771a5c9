package pgcatalog

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/syntax"
)

// shared is filled once for all tests.
var shared = New(nil, func(_ *catalog.Table, c catalog.Column) string {
	if c.Required {
		return "required"
	}
	return ""
})

func connect(t testing.TB) *Conn {
	t.Helper()
	c := shared.Connect(Client{User: "someone", Process: 7, Settings: func() map[string]string {
		return map[string]string{"search_path": `"$user", public`, "server_version_num": "150000", "TimeZone": "UTC"}
	}})
	t.Cleanup(func() { c.Close() })
	return c
}

// answer runs a query and writes its rows: values by |, rows by commas.
func answer(ctx context.Context, c *Conn, sql string) string {
	st := syntax.Split(sql)[0]
	if !c.Mentions(st) {
		return "nothing of a catalog's"
	}
	rows, err := c.Query(ctx, st, nil)
	if err != nil {
		return "error: " + err.Error()
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var values []string
		for _, v := range rows.Values() {
			values = append(values, fmt.Sprint(v))
		}
		lines = append(lines, strings.Join(values, "|"))
	}
	if err := rows.Err(); err != nil {
		return "error: " + err.Error()
	}
	return strings.Join(lines, ", ")
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	check := func(sql, want string) {
		t.Helper()
		got := rewrite(syntax.Split(sql)[0])
		if text := strings.Join(strings.Fields(got.Text), " "); text != want {
			t.Errorf("%s\n got %s\nwant %s", sql, text, want)
		}
	}
	check("SELECT * FROM pg_catalog.pg_class c", "SELECT * FROM pg_class c")
	check(`SELECT * FROM aws."pg_catalog".pg_class`, "SELECT * FROM pg_class")
	check("SELECT 1 FROM information_schema.tables", "SELECT 1 FROM infos.tables")
	check("a OPERATOR(pg_catalog.~) 'x' COLLATE pg_catalog.default", "a ~ 'x'")
	check(`a = 'x' COLLATE "C"`, "a = 'x'")
	check("SELECT 'a.b'::regclass", "SELECT skyql_class_oid('a.b')")
	check("SELECT $1::pg_catalog.regclass::oid", "SELECT skyql_class_oid($1)::oid")
	check("SELECT c.oid::pg_catalog.regclass::pg_catalog.text", "SELECT skyql_class_name(c.oid)::text")
	check("SELECT (a || b)::regclass::oid", "SELECT skyql_class_oid((a || b))::oid")
	check("SELECT f(x, (y))::regtype", "SELECT skyql_type_name(f(x, (y)))")
	check("SELECT CAST(CAST(x AS REGCLASS) AS OID)", "SELECT CAST(skyql_class_oid(x ) AS OID)")
	check("SELECT CAST('x' AS regtype)", "SELECT skyql_type_oid('x' )")
	check("FROM generate_series(1, f(2)) s WHERE a[s] > 1", `FROM generate_series(1, f(2)) s("s") WHERE a[s] > 1`)
	check("FROM generate_series(1, 2) AS s(i)", "FROM generate_series(1, 2) AS s(i)")
	check("FROM unnest(a) WHERE true", "FROM unnest(a) WHERE true")
	check("SELECT unnest(a) x, unnest(b) y FROM t", "SELECT unnest(a) x, unnest(b) y FROM t")
	check("FROM t, string_to_array('a', ',') s", `FROM t, (SELECT string_to_array('a', ',') AS "s") s`)
	check("a.attnum = ANY (i.indkey) AND b = ANY ((SELECT 1))", "skyql_any(a.attnum ,i.indkey) AND skyql_any(b ,(SELECT 1))")
	check("x = ANY (SELECT 1)", "x = ANY (SELECT 1)")
	check("SELECT '{a,b}'::text[], '{a}', '{}'::_text", "SELECT '[a,b]'::text[], '{a}', '[]'::_text")
	check("FROM pg_language l JOIN pg_description d ON d.classoid = l.tableoid", "FROM pg_language l JOIN pg_description d ON d.classoid = skyql_class_oid('pg_catalog.pg_language')")
	check("SELECT json_build_object('a', 1)", "SELECT json_object('a', 1)")
	check("SELECT regclass, 'pg_catalog.x', oid", "SELECT regclass, 'pg_catalog.x', oid")
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	c := connect(t)
	check := func(sql, want string) {
		t.Helper()
		if got := answer(t.Context(), c, sql); got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
	check("SELECT count(*) > 2900, count(DISTINCT relnamespace) > 250 FROM pg_class WHERE relkind = 'r' AND relnamespace >= 16384", "true|true")
	check("SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'kms' AND c.relname ~ '^alias' AND relkind = 'r' ORDER BY 1", "alias|AWS::KMS::Alias, aliases|AWS::KMS::Alias")
	check("SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, col_description(a.attrelid, a.attnum) FROM pg_attribute a WHERE a.attrelid = 'kms.aliases'::regclass AND a.attnum > 3 ORDER BY attnum",
		"target_key_id|text|false|required, alias_name|text|false|required")
	check("SELECT 'kms.aliases'::regclass::oid::regclass::text, 'nope'::regclass IS NULL, 'bigint'::regtype::oid, 20::regtype::text, 1700::regtype, '\"kms\".\"aliases\"'::regclass = 'KMS.Aliases'::regclass", "kms.aliases|true|20|bigint|numeric|true")
	check("SELECT pg_get_constraintdef(oid), pg_get_indexdef(conindid), conkey FROM pg_constraint WHERE conrelid = 'kms.aliases'::regclass", "PRIMARY KEY (account_id, region, identifier)|CREATE UNIQUE INDEX aliases_pkey ON kms.aliases USING btree (account_id, region, identifier)|[1,2,3]")
	check("SELECT pg_table_is_visible(c.oid), pg_table_is_visible('pg_class'::regclass) FROM pg_class c WHERE c.oid = 'kms.aliases'::regclass", "false|true")
	check("SELECT column_name, data_type, udt_name, is_nullable FROM information_schema.columns WHERE table_schema = 'connect' AND table_name = 'users' AND column_name IN ('region', 'tags', 'security_profile_arns') ORDER BY 1", "region|text|text|NO, security_profile_arns|ARRAY|_text|YES, tags|json|json|YES")
	check("SELECT table_type, count(*) FROM information_schema.tables WHERE table_schema = 'kms' GROUP BY ALL", "BASE TABLE|6")
	check("SELECT current_database(), current_user, session_user, current_schema(), current_schemas(true), pg_backend_pid()", `aws|someone|someone|public|["pg_catalog","public"]|7`)
	check("SELECT pg_catalog.format('%I.%s %L', 'a b', '100%', 'it''s'), quote_ident('a'), quote_ident('A'), parse_ident('a.b')", `"a b".100% 'it''s'|a|"A"|["a","b"]`)
	check("SELECT 'users' OPERATOR(pg_catalog.~) 'ser', 'users' !~ '^ser', 'USERS' ~* 'ser', 'users' !~* 'SER', 'a' OPERATOR(pg_catalog.=) 'a'", "true|true|true|false|true")
	check("SELECT has_table_privilege('kms.aliases', 'SELECT'), has_table_privilege(current_user, 'kms.aliases', 'DELETE'), has_schema_privilege('kms', 'USAGE')", "true|false|true")
	check("SELECT typname, typarray::regtype FROM pg_type WHERE typname IN ('text', 'timestamptz') ORDER BY 1", "text|text[], timestamptz|timestamp with time zone[]")
	check("SELECT current_setting('server_version_num')::int / 100, current_setting('nope', true)", "1500|<nil>")
	check("SELECT (information_schema._pg_expandarray(i.indkey)).n FROM pg_index i WHERE i.indrelid = 'kms.aliases'::regclass ORDER BY 1", "1, 2, 3")
	check("SELECT count(*) FROM pg_trigger, pg_policy, pg_inherits, pg_enum, pg_extension, pg_stat_activity, information_schema.routines", "0")
	check("SELECT 1", "nothing of a catalog's")
	check("SELECT current_user, format('{}', username) FROM connect.users", "nothing of a catalog's")
	check("SELECT format('{}', 1)", "nothing of a catalog's")
	check("SELECT version FROM range(1) t(version)", "nothing of a catalog's")
	if got := answer(t.Context(), c, "SELECT current_setting('nope')"); !strings.Contains(got, `unrecognized configuration parameter "nope"`) {
		t.Error(got)
	}
}

// What programs ask when they start, in their own words' shape.
func TestPrograms(t *testing.T) {
	t.Parallel()
	c := connect(t)
	check := func(what, sql, want string) {
		t.Helper()
		if got := answer(t.Context(), c, sql); got != want {
			t.Errorf("%s\n got %s\nwant %s", what, got, want)
		}
	}
	path := `(SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i, string_to_array(current_setting('search_path'), ',') s)`
	check("Grafana, tables", `SELECT CASE WHEN quote_ident(table_schema) IN `+path+` THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table" FROM information_schema.tables
		WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog') AND table_schema = 'kms' AND table_type = 'BASE TABLE' ORDER BY 1 LIMIT 2`, "kms.alias, kms.aliases")
	check("Grafana, columns", `SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns WHERE CASE WHEN array_length(parse_ident('kms.aliases'), 1) = 2
		THEN quote_ident(table_schema) = (parse_ident('kms.aliases'))[1] AND quote_ident(table_name) = (parse_ident('kms.aliases'))[2] ELSE quote_ident(table_name) = 'kms.aliases' AND quote_ident(table_schema) IN `+path+` END AND data_type = 'text' ORDER BY ordinal_position LIMIT 2`, "account_id|text, region|text")
	check("Grafana, extensions", "SELECT extname FROM pg_extension WHERE extname = 'timescaledb'", "")
	check("Metabase, fields", `SELECT c.column_name AS name, CASE WHEN c.udt_schema IN ('public', 'pg_catalog') THEN FORMAT('%s', c.udt_name) ELSE FORMAT('"%s"."%s"', c.udt_schema, c.udt_name) END AS "database-type", c.ordinal_position - 1 AS "database-position",
		pk.column_name IS NOT NULL AS "pk?", COL_DESCRIPTION(CAST(CAST(FORMAT('%I.%I', CAST(c.table_schema AS TEXT), CAST(c.table_name AS TEXT)) AS REGCLASS) AS OID), c.ordinal_position) AS "field-comment", column_default LIKE '%nextval(%' AS "auto"
		FROM information_schema.columns AS c LEFT JOIN (SELECT tc.table_schema, tc.table_name, kc.column_name FROM information_schema.table_constraints AS tc INNER JOIN information_schema.key_column_usage AS kc ON tc.constraint_name = kc.constraint_name AND tc.table_schema = kc.table_schema
		AND tc.table_name = kc.table_name WHERE tc.constraint_type = 'PRIMARY KEY') AS pk ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name
		WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_schema = 'kms' AND c.table_name = 'alias' ORDER BY c.ordinal_position OFFSET 2`, "identifier|text|2|true|<nil>|<nil>, target_key_id|text|3|false|required|<nil>, alias_name|text|4|false|required|<nil>")
	check("Metabase, privileges", `WITH table_privileges AS (SELECT NULL AS role, t.schemaname AS schema, t.objectname AS table,
		pg_catalog.has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'update') AS update, pg_catalog.has_any_column_privilege(current_user, '"' || t.schemaname || '"."' || t.objectname || '"', 'select') AS select
		FROM (SELECT schemaname, tablename AS objectname FROM pg_catalog.pg_tables UNION SELECT schemaname, viewname AS objectname FROM pg_catalog.pg_views UNION SELECT schemaname, matviewname AS objectname FROM pg_catalog.pg_matviews) t
		WHERE t.schemaname !~ '^pg_' AND t.schemaname <> 'information_schema' AND pg_catalog.has_schema_privilege(current_user, t.schemaname, 'usage')) SELECT t.* FROM table_privileges t WHERE t.schema = 'kms' ORDER BY 3 LIMIT 1`, "<nil>|kms|alias|false|true")
	check("node-postgres and drivers, enums", "SELECT n.nspname, t.typname FROM pg_type t JOIN pg_enum e ON t.oid = e.enumtypid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace", "")
	check("pgx, a type", "SELECT oid, typtype, typelem, typarray, typrelid FROM pg_type WHERE typname = 'text'", "25|b|0|1009|0")
	check("psql 17, \\d", `SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(aliases)$' COLLATE pg_catalog.default AND n.nspname OPERATOR(pg_catalog.~) '^(kms)$' COLLATE pg_catalog.default AND c.relkind = 'r' ORDER BY 2, 3`,
		strings.Split(answer(t.Context(), c, "SELECT 'kms.aliases'::regclass::oid"), "|")[0]+"|kms|aliases")
	check("psql 18, \\d, who refers to it", `SELECT conname, conrelid::pg_catalog.regclass AS ontable FROM pg_catalog.pg_constraint c WHERE confrelid IN (SELECT pg_catalog.pg_partition_ancestors('11') UNION ALL VALUES ('11'::pg_catalog.regclass)) AND contype = 'f' AND conparentid = 0`, "")
	check("psql 18, \\dx", "SELECT e.extname, ae.default_version FROM pg_catalog.pg_extension e LEFT JOIN pg_catalog.pg_available_extensions() AS ae(name, default_version, comment) ON ae.name = e.extname", "")
	check("psql, completion", `SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND (c.relname) LIKE 'user_hierarchy_s%' AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
		UNION ALL SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'user_hierarchy_s%' AND n.nspname NOT LIKE E'pg\\_%' LIMIT 1000`, "user_hierarchy_structures|<nil>, user_hierarchy_structure|<nil>")
	check("DBeaver, databases", "SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datname = 'aws' AND datallowconn AND NOT datistemplate", answer(t.Context(), c, "SELECT oid, * FROM pg_database"))
	check("DataGrip, schemas", "SELECT N.oid::bigint AS id, datname AS name, D.description, datistemplate AS is_template, datallowconn AS allow_connections, pg_catalog.pg_get_userbyid(N.datdba) AS owner FROM pg_catalog.pg_database N LEFT JOIN pg_catalog.pg_shdescription D ON N.oid = D.objoid ORDER BY CASE WHEN datname = pg_catalog.current_database() THEN -1::bigint ELSE N.oid::bigint END",
		"5|aws|<nil>|false|true|someone")
}
