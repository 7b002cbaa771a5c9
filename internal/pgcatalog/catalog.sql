-- What fills PostgreSQL's relations, and its functions about them. The tables
-- are there already, empty; what there is is in skyql_schemas, _tables, _columns, _types.
CREATE TYPE name AS VARCHAR;
CREATE TYPE xid AS BIGINT;
CREATE TYPE int2vector AS SMALLINT[];
CREATE TYPE oidvector AS UINTEGER[];
CREATE TYPE sql_identifier AS VARCHAR;

CREATE TABLE skyql_type_names AS SELECT oid, coalesce(map {'bool': 'boolean', 'int2': 'smallint', 'int4': 'integer', 'int8': 'bigint', 'float4': 'real', 'float8': 'double precision', 'varchar': 'character varying',
	'bpchar': 'character', 'timestamp': 'timestamp without time zone', 'timestamptz': 'timestamp with time zone', 'time': 'time without time zone', 'timetz': 'time with time zone', 'varbit': 'bit varying', 'char': '"char"'}[name], name) AS name
	FROM skyql_types WHERE NOT (category = 'A' AND elem <> 0);
INSERT INTO skyql_type_names SELECT a.oid, n.name || '[]' FROM skyql_types a JOIN skyql_type_names n ON n.oid = a.elem WHERE a.category = 'A';

INSERT INTO pg_namespace BY NAME SELECT oid, nspname, 10 AS nspowner FROM (VALUES (11::UINTEGER, 'pg_catalog'), (2200, 'public'), (13000, 'information_schema')) v(oid, nspname);
INSERT INTO pg_namespace BY NAME SELECT oid, name AS nspname, 10 AS nspowner FROM skyql_schemas;
INSERT INTO pg_class BY NAME SELECT oid, name AS relname, schema AS relnamespace, 0 AS reltype, 0 AS reloftype, 10 AS relowner, 2 AS relam, oid AS relfilenode, 0 AS reltablespace, 0 AS relpages, -1 AS reltuples, 0 AS relallvisible, 0 AS reltoastrelid,
	true AS relhasindex, false AS relisshared, 'p' AS relpersistence, 'r' AS relkind, columns AS relnatts, 0 AS relchecks, false AS relhasrules, false AS relhastriggers, false AS relhassubclass, false AS relrowsecurity,
	false AS relforcerowsecurity, true AS relispopulated, 'd' AS relreplident, false AS relispartition, 0 AS relrewrite, 0 AS relfrozenxid, 0 AS relminmxid, ['=r/skyql'] AS relacl FROM skyql_tables;
INSERT INTO pg_class BY NAME SELECT oid + 100000 AS oid, name || '_pkey' AS relname, schema AS relnamespace, 0 AS reltype, 0 AS reloftype, 10 AS relowner, 403 AS relam, oid + 100000 AS relfilenode, 0 AS reltablespace, 0 AS relpages, 0 AS reltuples, 0 AS relallvisible,
	0 AS reltoastrelid, false AS relhasindex, false AS relisshared, 'p' AS relpersistence, 'i' AS relkind, 3 AS relnatts, 0 AS relchecks, false AS relhasrules, false AS relhastriggers, false AS relhassubclass, false AS relrowsecurity,
	false AS relforcerowsecurity, true AS relispopulated, 'n' AS relreplident, false AS relispartition, 0 AS relrewrite, 0 AS relfrozenxid, 0 AS relminmxid FROM skyql_tables;
CREATE TABLE skyql_system AS SELECT CASE WHEN schema_name = 'infos' THEN 13000 ELSE 11 END::UINTEGER AS nsp, table_name AS name, table_oid AS engine_oid, column_count AS columns,
	coalesce(map {'pg_type': 1247, 'pg_attribute': 1249, 'pg_proc': 1255, 'pg_class': 1259, 'pg_authid': 1260, 'pg_auth_members': 1261, 'pg_database': 1262, 'pg_tablespace': 1213, 'pg_am': 2601, 'pg_attrdef': 2604, 'pg_cast': 2605, 'pg_constraint': 2606,
		'pg_depend': 2608, 'pg_description': 2609, 'pg_index': 2610, 'pg_language': 2612, 'pg_namespace': 2615, 'pg_opclass': 2616, 'pg_operator': 2617, 'pg_rewrite': 2618, 'pg_trigger': 2620, 'pg_enum': 3501, 'pg_extension': 3079, 'pg_collation': 3456}[table_name],
		14000 + row_number() OVER (ORDER BY schema_name, table_name))::UINTEGER AS oid
	FROM duckdb_tables() WHERE database_name = current_database() AND (schema_name = 'infos' OR table_name LIKE 'pg\_%' ESCAPE '\');
INSERT INTO pg_class BY NAME SELECT oid, name AS relname, nsp AS relnamespace, 0 AS reltype, 0 AS reloftype, 10 AS relowner, 2 AS relam, oid AS relfilenode, 0 AS reltablespace, 0 AS relpages, -1 AS reltuples, 0 AS relallvisible, 0 AS reltoastrelid, false AS relhasindex,
	false AS relisshared, 'p' AS relpersistence, CASE WHEN nsp = 11 THEN 'r' ELSE 'v' END AS relkind, columns AS relnatts, 0 AS relchecks, false AS relhasrules, false AS relhastriggers, false AS relhassubclass, false AS relrowsecurity, false AS relforcerowsecurity,
	true AS relispopulated, 'n' AS relreplident, false AS relispartition, 0 AS relrewrite, 0 AS relfrozenxid, 0 AS relminmxid FROM skyql_system;
INSERT INTO skyql_columns SELECT s.oid, c.column_index, c.column_name, coalesce(map {'BOOLEAN': 16, 'SMALLINT': 21, 'INTEGER': 23, 'BIGINT': 20, 'UINTEGER': 26, 'FLOAT': 700, 'DOUBLE': 701, 'VARCHAR': 25, 'BLOB': 17, 'TIMESTAMP WITH TIME ZONE': 1184, 'INTERVAL': 1186,
	'VARCHAR[]': 1009, 'SMALLINT[]': 1005, 'UINTEGER[]': 1028, 'FLOAT[]': 1021, 'BOOLEAN[]': 1000, 'DOUBLE[]': 1022}[c.data_type], 1700), false, ''
	FROM duckdb_columns() c JOIN skyql_system s ON s.engine_oid = c.table_oid AND s.name = c.table_name WHERE c.database_name = current_database();
INSERT INTO pg_attribute BY NAME SELECT c.rel AS attrelid, c.name AS attname, c.type AS atttypid, -1 AS attstattarget, coalesce(t.len, -1) AS attlen, c.num AS attnum, CASE WHEN t.category = 'A' THEN 1 ELSE 0 END AS attndims, -1 AS attcacheoff, -1 AS atttypmod, false AS attbyval,
	'i' AS attalign, 'x' AS attstorage, '' AS attcompression, c."notnull" AS attnotnull, false AS atthasdef, false AS atthasmissing, '' AS attidentity, '' AS attgenerated, false AS attisdropped, true AS attislocal, 0 AS attinhcount,
	CASE WHEN c.type IN (25, 1009) THEN 100 ELSE 0 END AS attcollation FROM skyql_columns c LEFT JOIN skyql_types t ON t.oid = c.type ORDER BY c.rel, c.num;
INSERT INTO pg_attribute BY NAME SELECT t.oid + 100000 AS attrelid, k.name AS attname, 25 AS atttypid, -1 AS attstattarget, -1 AS attlen, k.num AS attnum, 0 AS attndims, -1 AS attcacheoff, -1 AS atttypmod, false AS attbyval, 'i' AS attalign, 'x' AS attstorage, '' AS attcompression,
	false AS attnotnull, false AS atthasdef, false AS atthasmissing, '' AS attidentity, '' AS attgenerated, false AS attisdropped, true AS attislocal, 0 AS attinhcount, 100 AS attcollation
	FROM skyql_tables t, (VALUES (1::SMALLINT, 'account_id'), (2, 'region'), (3, 'identifier')) k(num, name);
INSERT INTO pg_type BY NAME SELECT oid, name AS typname, 11 AS typnamespace, 10 AS typowner, len AS typlen, len BETWEEN 1 AND 8 AS typbyval, kind AS typtype, category AS typcategory, name IN ('text', 'float8', 'bool', 'timestamptz', 'oid', 'interval') AS typispreferred, true AS typisdefined,
	',' AS typdelim, 0 AS typrelid, CASE WHEN category = 'A' THEN 'array_subscript_handler' ELSE '-' END AS typsubscript, elem AS typelem, arr AS typarray, CASE WHEN category = 'A' THEN 'array_in' ELSE name || 'in' END AS typinput, CASE WHEN category = 'A' THEN 'array_out' ELSE name || 'out' END AS typoutput,
	CASE WHEN category = 'A' THEN 'array_recv' ELSE name || 'recv' END AS typreceive, CASE WHEN category = 'A' THEN 'array_send' ELSE name || 'send' END AS typsend, '-' AS typmodin, '-' AS typmodout, '-' AS typanalyze, 'i' AS typalign, 'x' AS typstorage, false AS typnotnull, 0 AS typbasetype, -1 AS typtypmod,
	0 AS typndims, CASE WHEN category = 'S' OR oid = 1009 THEN 100 ELSE 0 END AS typcollation FROM skyql_types;
INSERT INTO pg_index BY NAME SELECT oid + 100000 AS indexrelid, oid AS indrelid, 3 AS indnatts, 3 AS indnkeyatts, true AS indisunique, false AS indnullsnotdistinct, true AS indisprimary, false AS indisexclusion, true AS indimmediate, false AS indisclustered, true AS indisvalid, false AS indcheckxmin,
	true AS indisready, true AS indislive, false AS indisreplident, [1, 2, 3] AS indkey, [100, 100, 100] AS indcollation, [3126, 3126, 3126] AS indclass, [0, 0, 0] AS indoption FROM skyql_tables;
INSERT INTO pg_constraint BY NAME SELECT oid + 100000 AS oid, name || '_pkey' AS conname, schema AS connamespace, 'p' AS contype, false AS condeferrable, false AS condeferred, true AS convalidated, oid AS conrelid, 0 AS contypid, oid + 100000 AS conindid, 0 AS conparentid, 0 AS confrelid,
	' ' AS confupdtype, ' ' AS confdeltype, ' ' AS confmatchtype, true AS conislocal, 0 AS coninhcount, true AS connoinherit, [1, 2, 3] AS conkey FROM skyql_tables;
INSERT INTO pg_description BY NAME SELECT oid AS objoid, 1259 AS classoid, 0 AS objsubid, comment AS description FROM skyql_tables UNION ALL BY NAME SELECT rel AS objoid, 1259 AS classoid, num AS objsubid, comment AS description FROM skyql_columns WHERE comment <> '';
INSERT INTO pg_database BY NAME SELECT 5 AS oid, 'aws' AS datname, 10 AS datdba, 6 AS encoding, 'c' AS datlocprovider, false AS datistemplate, true AS datallowconn, -1 AS datconnlimit, 0 AS datfrozenxid, 1 AS datminmxid, 1663 AS dattablespace, 'C' AS datcollate, 'C.UTF-8' AS datctype;
INSERT INTO pg_tablespace BY NAME SELECT 1663 AS oid, 'pg_default' AS spcname, 10 AS spcowner;
INSERT INTO pg_am BY NAME SELECT * FROM (VALUES (2::UINTEGER, 'heap', 'heap_tableam_handler', 't'), (403, 'btree', 'bthandler', 'i')) v(oid, amname, amhandler, amtype);
INSERT INTO pg_collation BY NAME SELECT * FROM (VALUES (100::UINTEGER, 'default', 11::UINTEGER, 10::UINTEGER, 'd', true, -1), (950, 'C', 11, 10, 'c', true, -1)) v(oid, collname, collnamespace, collowner, collprovider, collisdeterministic, collencoding);
INSERT INTO pg_language BY NAME SELECT 14 AS oid, 'sql' AS lanname, 10 AS lanowner, false AS lanispl, true AS lanpltrusted;
INSERT INTO pg_opclass BY NAME SELECT 3126 AS oid, 403 AS opcmethod, 'text_ops' AS opcname, 11 AS opcnamespace, 10 AS opcowner, 1994 AS opcfamily, 25 AS opcintype, true AS opcdefault, 0 AS opckeytype;
INSERT INTO pg_proc BY NAME SELECT 60000 + row_number() OVER (ORDER BY function_name) AS oid, function_name AS proname, 11 AS pronamespace, 10 AS proowner, 14 AS prolang, 1 AS procost, 0 AS prorows, 0 AS provariadic, CASE function_type WHEN 'aggregate' THEN 'a' ELSE 'f' END AS prokind,
	false AS prosecdef, false AS proleakproof, false AS proisstrict, false AS proretset, 'i' AS provolatile, 's' AS proparallel, 0 AS pronargs, 0 AS pronargdefaults, 25 AS prorettype, []::UINTEGER[] AS proargtypes, '' AS prosrc
	FROM (SELECT DISTINCT ON (function_name) function_name, function_type FROM duckdb_functions() WHERE internal AND function_type IN ('scalar', 'aggregate') AND stability = 'CONSISTENT' AND regexp_matches(function_name, '^[a-z]') ORDER BY function_name, function_type);
INSERT INTO pg_proc BY NAME SELECT 59999 AS oid, 'tag' AS proname, 2200 AS pronamespace, 10 AS proowner, 14 AS prolang, 1 AS procost, 0 AS prorows, 0 AS provariadic, 'f' AS prokind, false AS prosecdef, false AS proleakproof, false AS proisstrict, false AS proretset, 'i' AS provolatile,
	's' AS proparallel, 2 AS pronargs, 0 AS pronargdefaults, 25 AS prorettype, [114, 25] AS proargtypes, ['tags', 'key'] AS proargnames, '' AS prosrc;
INSERT INTO pg_tables BY NAME SELECT n.nspname AS schemaname, c.relname AS tablename, current_user AS tableowner, c.relhasindex AS hasindexes, false AS hasrules, false AS hastriggers, false AS rowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';
INSERT INTO pg_stat_user_tables BY NAME SELECT t.oid AS relid, n.nspname AS schemaname, t.name AS relname FROM skyql_tables t JOIN pg_namespace n ON n.oid = t.schema;
INSERT INTO pg_stat_all_tables BY NAME SELECT * FROM pg_stat_user_tables;

INSERT INTO infos.schemata BY NAME SELECT 'aws' AS catalog_name, nspname AS schema_name, 'skyql' AS schema_owner FROM pg_namespace;
INSERT INTO infos.tables BY NAME SELECT 'aws' AS table_catalog, n.nspname AS table_schema, c.relname AS table_name, CASE WHEN c.relkind = 'v' THEN 'VIEW' ELSE 'BASE TABLE' END AS table_type, 'NO' AS is_insertable_into, 'NO' AS is_typed
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v');
INSERT INTO infos.columns BY NAME SELECT 'aws' AS table_catalog, n.nspname AS table_schema, c.relname AS table_name, a.attname AS column_name, a.attnum AS ordinal_position, CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END AS is_nullable,
	CASE WHEN t.category = 'A' THEN 'ARRAY' ELSE d.name END AS data_type, CASE a.atttypid WHEN 20 THEN 64 WHEN 23 THEN 32 WHEN 21 THEN 16 WHEN 701 THEN 53 WHEN 700 THEN 24 END AS numeric_precision, CASE WHEN a.atttypid IN (20, 21, 23, 700, 701) THEN 2 END AS numeric_precision_radix,
	CASE WHEN a.atttypid IN (20, 21, 23) THEN 0 END AS numeric_scale, CASE WHEN a.atttypid = 1184 THEN 6 END AS datetime_precision, 'aws' AS udt_catalog, 'pg_catalog' AS udt_schema, t.name AS udt_name, a.attnum::VARCHAR AS dtd_identifier, 'NO' AS is_self_referencing, 'NO' AS is_identity,
	'NO' AS identity_cycle, 'NEVER' AS is_generated, 'NO' AS is_updatable
	FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN skyql_types t ON t.oid = a.atttypid JOIN skyql_type_names d ON d.oid = a.atttypid WHERE c.relkind IN ('r', 'v');
INSERT INTO infos.table_constraints BY NAME SELECT 'aws' AS constraint_catalog, n.nspname AS constraint_schema, t.name || '_pkey' AS constraint_name, 'aws' AS table_catalog, n.nspname AS table_schema, t.name AS table_name, 'PRIMARY KEY' AS constraint_type, 'NO' AS is_deferrable, 'NO' AS initially_deferred,
	'YES' AS enforced FROM skyql_tables t JOIN pg_namespace n ON n.oid = t.schema;
INSERT INTO infos.key_column_usage BY NAME SELECT 'aws' AS constraint_catalog, n.nspname AS constraint_schema, t.name || '_pkey' AS constraint_name, 'aws' AS table_catalog, n.nspname AS table_schema, t.name AS table_name, k.name AS column_name, k.num AS ordinal_position
	FROM skyql_tables t JOIN pg_namespace n ON n.oid = t.schema, (VALUES (1, 'account_id'), (2, 'region'), (3, 'identifier')) k(num, name);
INSERT INTO infos.constraint_column_usage BY NAME SELECT table_catalog, table_schema, table_name, column_name, constraint_catalog, constraint_schema, constraint_name FROM infos.key_column_usage;
INSERT INTO infos.information_schema_catalog_name VALUES ('aws');
INSERT INTO infos.enabled_roles VALUES ('skyql');
INSERT INTO infos.table_privileges BY NAME SELECT 'skyql' AS grantor, 'PUBLIC' AS grantee, 'aws' AS table_catalog, table_schema, table_name, 'SELECT' AS privilege_type, 'NO' AS is_grantable, 'YES' AS with_hierarchy FROM infos.tables;
INSERT INTO infos.role_table_grants BY NAME SELECT * FROM infos.table_privileges;

-- What macros look up. A macro's argument is put into its body as it is, so no
-- name in here may be one that an argument can hold.
CREATE VIEW skyql_l_class AS SELECT c.oid AS l_oid, c.relname AS l_name, c.relnamespace AS l_nsp, n.nspname AS l_schema, c.relkind AS l_kind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace;
CREATE VIEW skyql_l_type AS SELECT t.oid AS l_oid, t.name AS l_name, d.name AS l_display FROM skyql_types t LEFT JOIN skyql_type_names d ON d.oid = t.oid;
CREATE VIEW skyql_l_schema AS SELECT oid AS l_oid, nspname AS l_name FROM pg_namespace;
CREATE VIEW skyql_l_description AS SELECT objoid AS l_oid, objsubid AS l_sub, description AS l_text FROM pg_description;
CREATE VIEW skyql_l_proc AS SELECT oid AS l_oid, proname AS l_name, prorettype AS l_type FROM pg_proc;
CREATE VIEW skyql_l_key AS SELECT t.oid + 100000 AS l_oid, t.name AS l_name, n.nspname AS l_schema FROM skyql_tables t JOIN pg_namespace n ON n.oid = t.schema;

CREATE MACRO skyql_reads(p) AS upper(p) LIKE 'SELECT%';
CREATE MACRO "~*"(a, b) AS regexp_matches(a, b, 'i');
CREATE MACRO "!~*"(a, b) AS NOT regexp_matches(a, b, 'i');
CREATE MACRO regexp_full_match(a, b) AS regexp_matches(a, b);
CREATE MACRO version() AS 'PostgreSQL 15.0 (skyql, AWS through the Cloud Control API)';
CREATE MACRO current_database() AS 'aws';
CREATE MACRO current_catalog() AS 'aws';
CREATE MACRO pg_get_expr(e, r) AS NULL::VARCHAR, (e, r, pretty) AS NULL::VARCHAR;
CREATE MACRO format_type(o, m) AS coalesce((SELECT any_value(l_display) FROM skyql_l_type WHERE l_oid = o) || CASE WHEN o = 1700 AND m > 4 THEN '(' || ((m - 4) >> 16) || ',' || ((m - 4) & 65535) || ')' WHEN o IN (1042, 1043) AND m > 4 THEN '(' || (m - 4) || ')' ELSE '' END, CASE WHEN o IS NOT NULL THEN '???' END);
CREATE MACRO quote_ident(n) AS CASE WHEN regexp_full_match(n, '^[a-z_][a-z0-9_$]*$') THEN n ELSE '"' || replace(n, '"', '""') || '"' END;
CREATE MACRO quote_literal(n) AS '''' || replace(n, '''', '''''') || '''';
CREATE MACRO skyql_unquote(n, i) AS nullif(CASE WHEN regexp_matches(regexp_extract(n, '^("[^"]*"|[^".]+)(?:\.("[^"]*"|[^".]+))?$', i), '^"') THEN replace(regexp_extract(n, '^("[^"]*"|[^".]+)(?:\.("[^"]*"|[^".]+))?$', i), '"', '') ELSE lower(regexp_extract(n, '^("[^"]*"|[^".]+)(?:\.("[^"]*"|[^".]+))?$', i)) END, '');
CREATE MACRO skyql_type_oid(n) AS coalesce(TRY_CAST(n AS UINTEGER), (SELECT min(l_oid) FROM skyql_l_type WHERE l_name = lower(replace(n, 'pg_catalog.', '')) OR l_display = lower(replace(n, 'pg_catalog.', ''))));
CREATE MACRO to_regtype(n) AS skyql_type_oid(n);
CREATE MACRO skyql_type_name(o) AS format_type(o, -1);
CREATE MACRO skyql_namespace_oid(n) AS coalesce(TRY_CAST(n AS UINTEGER), (SELECT any_value(l_oid) FROM skyql_l_schema WHERE l_name = skyql_unquote(n, 1)));
CREATE MACRO to_regnamespace(n) AS skyql_namespace_oid(n);
CREATE MACRO skyql_namespace_name(o) AS (SELECT any_value(quote_ident(l_name)) FROM skyql_l_schema WHERE l_oid = o);
CREATE MACRO skyql_proc_of(n) AS regexp_extract(n, '([^.(]+)(\(|$)', 1);
CREATE MACRO skyql_proc_name(o) AS o::VARCHAR;
CREATE MACRO skyql_role_oid(n) AS 10::UINTEGER;
CREATE MACRO obj_description(o) AS (SELECT any_value(l_text) FROM skyql_l_description WHERE l_oid = o AND l_sub = 0), (o, cat) AS (SELECT any_value(l_text) FROM skyql_l_description WHERE l_oid = o AND l_sub = 0 AND cat = 'pg_class');
CREATE MACRO shobj_description(o, cat) AS CASE WHEN cat = 'pg_database' THEN 'AWS resources: a schema is a service' END;
CREATE MACRO col_description(o, n) AS (SELECT any_value(l_text) FROM skyql_l_description WHERE l_oid = o AND l_sub = n);
CREATE MACRO pg_get_constraintdef(o) AS (SELECT any_value('PRIMARY KEY (account_id, region, identifier)') FROM skyql_l_key WHERE l_oid = o), (o, pretty) AS (SELECT any_value('PRIMARY KEY (account_id, region, identifier)') FROM skyql_l_key WHERE l_oid = o);
CREATE MACRO skyql_indexdef(o) AS (SELECT any_value('CREATE UNIQUE INDEX ' || quote_ident(l_name || '_pkey') || ' ON ' || quote_ident(l_schema) || '.' || quote_ident(l_name) || ' USING btree (account_id, region, identifier)') FROM skyql_l_key WHERE l_oid = o);
CREATE MACRO pg_get_indexdef(o) AS skyql_indexdef(o), (o, n, pretty) AS CASE WHEN n = 0 THEN skyql_indexdef(o) ELSE ['account_id', 'region', 'identifier'][n] END;
CREATE MACRO pg_get_viewdef(o) AS NULL::VARCHAR, (o, pretty) AS NULL::VARCHAR;
CREATE MACRO pg_get_ruledef(o) AS NULL::VARCHAR, (o, pretty) AS NULL::VARCHAR;
CREATE MACRO pg_get_triggerdef(o) AS NULL::VARCHAR, (o, pretty) AS NULL::VARCHAR;
CREATE MACRO pg_get_partkeydef(o) AS NULL::VARCHAR;
CREATE MACRO pg_get_statisticsobjdef_columns(o) AS NULL::VARCHAR;
CREATE MACRO pg_get_serial_sequence(t, c) AS NULL::VARCHAR;
CREATE MACRO pg_get_function_result(o) AS (SELECT any_value(format_type(l_type, -1)) FROM skyql_l_proc WHERE l_oid = o);
CREATE MACRO pg_get_function_arguments(o) AS CASE WHEN o = 59999 THEN 'tags json, key text' ELSE '' END;
CREATE MACRO pg_get_function_identity_arguments(o) AS CASE WHEN o = 59999 THEN 'tags json, key text' ELSE '' END;
CREATE MACRO pg_get_functiondef(o) AS NULL::VARCHAR;
CREATE MACRO pg_get_function_sqlbody(o) AS NULL::VARCHAR;
CREATE MACRO pg_function_is_visible(o) AS o IS NOT NULL;
CREATE MACRO pg_type_is_visible(o) AS o IS NOT NULL;
CREATE MACRO pg_operator_is_visible(o) AS o IS NOT NULL;
CREATE MACRO pg_opclass_is_visible(o) AS o IS NOT NULL;
CREATE MACRO pg_collation_is_visible(o) AS o IS NOT NULL;
CREATE MACRO pg_conversion_is_visible(o) AS o IS NOT NULL;
CREATE MACRO pg_statistics_obj_is_visible(o) AS o IS NOT NULL;
CREATE MACRO pg_ts_config_is_visible(o) AS o IS NOT NULL;
CREATE MACRO pg_ts_dict_is_visible(o) AS o IS NOT NULL;
CREATE MACRO pg_ts_parser_is_visible(o) AS o IS NOT NULL;
CREATE MACRO pg_ts_template_is_visible(o) AS o IS NOT NULL;
CREATE MACRO pg_relation_is_publishable(o) AS false;
CREATE MACRO pg_relation_is_updatable(o, x) AS 0;
CREATE MACRO pg_column_is_updatable(o, n, x) AS false;
CREATE MACRO getdatabaseencoding() AS 'UTF8';
CREATE MACRO pg_client_encoding() AS 'UTF8';
CREATE MACRO pg_encoding_to_char(e) AS CASE WHEN e = 6 THEN 'UTF8' ELSE '' END;
CREATE MACRO pg_char_to_encoding(e) AS CASE WHEN upper(e) = 'UTF8' THEN 6 ELSE -1 END;
CREATE MACRO pg_is_in_recovery() AS false;
CREATE MACRO pg_is_in_backup() AS false;
CREATE MACRO pg_postmaster_start_time() AS current_timestamp;
CREATE MACRO pg_conf_load_time() AS current_timestamp;
CREATE MACRO inet_server_addr() AS NULL::VARCHAR;
CREATE MACRO inet_server_port() AS NULL::INTEGER;
CREATE MACRO inet_client_addr() AS NULL::VARCHAR;
CREATE MACRO inet_client_port() AS NULL::INTEGER;
CREATE MACRO pg_my_temp_schema() AS 0::UINTEGER;
CREATE MACRO pg_is_other_temp_schema(o) AS false;
CREATE MACRO pg_size_pretty(n) AS n::VARCHAR || ' bytes';
CREATE MACRO pg_table_size(o) AS 0::BIGINT;
CREATE MACRO pg_relation_size(o) AS 0::BIGINT, (o, fork) AS 0::BIGINT;
CREATE MACRO pg_total_relation_size(o) AS 0::BIGINT;
CREATE MACRO pg_indexes_size(o) AS 0::BIGINT;
CREATE MACRO pg_database_size(o) AS 0::BIGINT;
CREATE MACRO pg_tablespace_size(o) AS 0::BIGINT;
CREATE MACRO pg_tablespace_location(o) AS '';
CREATE MACRO pg_filenode_relation(a, b) AS NULL::UINTEGER;
CREATE MACRO pg_stat_get_numscans(o) AS 0::BIGINT;
CREATE MACRO pg_has_role(r, p) AS true, (u, r, p) AS true;
CREATE MACRO has_table_privilege(t, p) AS skyql_reads(p), (u, t, p) AS skyql_reads(p);
CREATE MACRO has_any_column_privilege(t, p) AS skyql_reads(p), (u, t, p) AS skyql_reads(p);
CREATE MACRO has_column_privilege(t, c, p) AS skyql_reads(p), (u, t, c, p) AS skyql_reads(p);
CREATE MACRO has_schema_privilege(s, p) AS upper(p) = 'USAGE', (u, s, p) AS upper(p) = 'USAGE';
CREATE MACRO has_database_privilege(d, p) AS upper(p) = 'CONNECT', (u, d, p) AS upper(p) = 'CONNECT';
CREATE MACRO has_function_privilege(f, p) AS upper(p) = 'EXECUTE', (u, f, p) AS upper(p) = 'EXECUTE';
CREATE MACRO has_sequence_privilege(s, p) AS false, (u, s, p) AS false;
CREATE MACRO has_tablespace_privilege(s, p) AS false, (u, s, p) AS false;
CREATE MACRO has_language_privilege(s, p) AS true, (u, s, p) AS true;
CREATE MACRO parse_ident(n) AS CASE WHEN skyql_unquote(n, 2) IS NULL THEN [skyql_unquote(n, 1)] ELSE [skyql_unquote(n, 1), skyql_unquote(n, 2)] END;
CREATE MACRO skyql_format_value(f, a) AS regexp_extract(f, '^([^%]*)%[sIL]', 1) || CASE regexp_extract(f, '^[^%]*%([sIL])', 1) WHEN 'I' THEN quote_ident(a::VARCHAR) WHEN 'L' THEN quote_literal(a::VARCHAR) ELSE coalesce(a::VARCHAR, '') END;
CREATE MACRO skyql_format_rest(f) AS regexp_extract(f, '^[^%]*%[sIL](.*)$', 1);
CREATE MACRO format(f) AS f, (f, a) AS skyql_format_value(f, a) || skyql_format_rest(f), (f, a, b) AS skyql_format_value(f, a) || skyql_format_value(skyql_format_rest(f), b) || skyql_format_rest(skyql_format_rest(f)),
	(f, a, b, c) AS skyql_format_value(f, a) || skyql_format_value(skyql_format_rest(f), b) || skyql_format_value(skyql_format_rest(skyql_format_rest(f)), c) || skyql_format_rest(skyql_format_rest(skyql_format_rest(f)));
CREATE MACRO skyql_any(v, l) AS list_contains(l, v);
CREATE MACRO array_upper(a, d) AS len(a);
CREATE MACRO array_lower(a, d) AS CASE WHEN len(a) > 0 THEN 1 END;
CREATE MACRO array_position(a, v) AS list_position(a, v);
CREATE MACRO array_remove(a, v) AS list_filter(a, lambda x: x IS DISTINCT FROM v);
CREATE MACRO generate_subscripts(a, d) AS unnest(range(1, len(a) + 1));
CREATE MACRO pg_partition_ancestors(o) AS unnest([]::UINTEGER[]);
CREATE MACRO infos._pg_expandarray(a) AS unnest(list_transform(a, lambda x, i: {'x': x, 'n': i}));
CREATE MACRO infos._pg_truetypid(a, t) AS a.atttypid;
CREATE MACRO infos._pg_truetypmod(a, t) AS a.atttypmod;
CREATE MACRO infos._pg_char_max_length(t, m) AS NULL::INTEGER;
CREATE MACRO infos._pg_numeric_precision(t, m) AS NULL::INTEGER;
CREATE MACRO infos._pg_numeric_scale(t, m) AS NULL::INTEGER;
CREATE MACRO infos._pg_datetime_precision(t, m) AS NULL::INTEGER;
CREATE MACRO pg_get_keywords() AS TABLE SELECT keyword_name AS word, CASE keyword_category WHEN 'reserved' THEN 'R' WHEN 'unreserved' THEN 'U' WHEN 'column_name' THEN 'C' ELSE 'T' END AS catcode, true AS barelabel, keyword_category AS catdesc, '' AS baredesc FROM duckdb_keywords();
CREATE MACRO pg_available_extensions() AS TABLE SELECT NULL::VARCHAR AS name, NULL::VARCHAR AS default_version, NULL::VARCHAR AS comment WHERE false;
CREATE MACRO pg_options_to_table(o) AS TABLE SELECT NULL::VARCHAR AS option_name, NULL::VARCHAR AS option_value WHERE false;
CREATE MACRO aclexplode(a) AS TABLE SELECT NULL::UINTEGER AS grantor, NULL::UINTEGER AS grantee, NULL::VARCHAR AS privilege_type, NULL::BOOLEAN AS is_grantable WHERE false;
CREATE MACRO pg_show_all_settings() AS TABLE SELECT NULL::VARCHAR AS name WHERE false;
