package pgwire

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// No file, network, extension, setting or path of the engine can be reached.
func TestConfined(t *testing.T) {
	t.Parallel()
	c := serve(t, nil).client(t)
	for _, sql := range []string{
		"SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_text('/etc/passwd')", "SELECT (SELECT content FROM read_text('/etc/passwd'))",
		"WITH x AS (FROM read_blob('/etc/passwd')) FROM x", "FROM '/etc/passwd'", "FROM parquet_scan('/x')", "FROM glob('/*')", "FROM sniff_csv('/etc/passwd')", "SUMMARIZE FROM read_text('/etc/passwd')",
		"DESCRIBE FROM read_csv('/etc/passwd')", "EXPLAIN ANALYZE FROM read_text('/etc/passwd')", "PIVOT read_csv('/etc/passwd') ON x",
		"ATTACH '/tmp/x.db' AS x", "ATTACH ':memory:' AS x", "DETACH memory", "COPY x FROM '/etc/passwd'", "COPY (SELECT 1) TO '/tmp/x'", "COPY FROM DATABASE a TO b", "EXPORT DATABASE '/tmp/x'", "IMPORT DATABASE '/tmp/x'",
		"INSTALL httpfs", "LOAD httpfs", "SET temp_directory = '/tmp'", "SET enable_external_access = true", "SET lock_configuration = false", "RESET lock_configuration", "SET allowed_configs = ['threads']", "SET threads = 64", "SET memory_limit = '1TB'",
		"PRAGMA database_list", "PRAGMA enable_profiling", "CALL enable_logging()", "FROM enable_logging()", "SELECT write_log('x')", "SELECT getenv('HOME')",
		"FROM duckdb_settings()", "FROM duckdb_logs", "FROM 'duckdb_logs'", `FROM "duckdb_logs"`, "FROM main.duckdb_logs", "TABLE duckdb_logs", "SUMMARIZE duckdb_logs", "FROM duckdb_secrets()", "FROM duckdb_temporary_files()", "FROM duckdb_databases()",
		"SELECT current_setting('temp_directory')", "SELECT system.main.current_setting('temp_directory')", "SELECT main.current_setting('temp_directory')", "SELECT x.current_setting() FROM (VALUES ('temp_directory')) t(x)", "SELECT current_setting('temp_directory') FROM ec2.vpcs",
		"FROM query('SELECT 1')", "FROM query_table('duckdb_logs')", "FROM json_execute_serialized_sql('{}')", "FROM pragma_database_size()", "FROM pragma_show('x')", "SHOW DATABASES", "SHOW ALL TABLES", "DESCRIBE duckdb_settings",
		"CREATE TABLE x (a int)", "CREATE TEMP TABLE x AS SELECT 1", "CREATE VIEW x AS SELECT 1", "CREATE MACRO x() AS 1", "CREATE SECRET x (TYPE s3)", "DROP TABLE x", "ALTER TABLE x ADD y int", "INSERT INTO x VALUES (1)", "VACUUM", "CHECKPOINT", "FORCE CHECKPOINT",
		"UPDATE s3.buckets SET bucket_name = 'x'", "DELETE FROM s3.buckets", "MERGE INTO s3.buckets USING x ON true WHEN MATCHED THEN DELETE", "TRUNCATE s3.buckets",
		"SELECT * FROM pg_catalog.pg_class, read_text('/etc/passwd')", "SELECT version(), (FROM duckdb_settings() SELECT count(*))", "FROM pg_class, query('SELECT 1')", "FROM skyql_tables, duckdb_logs",
	} {
		if rows, err := c.PgConn().Exec(t.Context(), sql).ReadAll(); code(err) == "" {
			t.Errorf("%s: %v %v", sql, rows, err)
		}
	}
	for _, sql := range []string{"SELECT lower('A'), now(), random() < 2, uuid() IS NOT NULL", "FROM range(3)", "SELECT unnest([1, 2])", "SELECT * FROM json_each('[1]')", "SELECT name FROM pg_settings WHERE name = 'temp_directory'", "SELECT 'duckdb_logs'", "SELECT list_transform([1], lambda x: x + 1)"} {
		if _, err := c.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
