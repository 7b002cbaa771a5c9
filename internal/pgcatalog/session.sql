-- What is different for every client, in temporary objects of its connection.
CREATE TEMP TABLE skyql_settings (name VARCHAR, setting VARCHAR);
CREATE TEMP TABLE skyql_path (oid UINTEGER, name VARCHAR);
CREATE TEMP MACRO current_user() AS {user};
CREATE TEMP MACRO session_user() AS {user};
CREATE TEMP MACRO current_role() AS {user};
CREATE TEMP MACRO pg_backend_pid() AS {process}::INTEGER;
CREATE TEMP MACRO pg_get_userbyid(o) AS {user};
CREATE TEMP MACRO skyql_role_name(o) AS {user};
CREATE TEMP VIEW skyql_l_path AS SELECT oid AS l_oid, name AS l_name FROM temp.skyql_path;
CREATE TEMP MACRO pg_table_is_visible(o) AS (SELECT bool_or(l_nsp IN (SELECT l_oid FROM skyql_l_path)) FROM skyql_l_class WHERE l_oid = o);
CREATE TEMP MACRO skyql_class_oid(n) AS coalesce(TRY_CAST(n::VARCHAR AS UINTEGER), (SELECT min(l_oid) FROM skyql_l_class
	WHERE l_kind <> 'i' AND CASE WHEN skyql_unquote(n::VARCHAR, 2) IS NULL THEN l_name = skyql_unquote(n::VARCHAR, 1) AND l_nsp IN (SELECT l_oid FROM skyql_l_path) ELSE l_name = skyql_unquote(n::VARCHAR, 2) AND l_schema = skyql_unquote(n::VARCHAR, 1) END));
CREATE TEMP MACRO to_regclass(n) AS skyql_class_oid(n);
CREATE TEMP MACRO skyql_class_name(o) AS (SELECT any_value(CASE WHEN l_nsp IN (SELECT l_oid FROM skyql_l_path) THEN quote_ident(l_name) ELSE quote_ident(l_schema) || '.' || quote_ident(l_name) END) FROM skyql_l_class WHERE l_oid = o);
CREATE TEMP VIEW pg_settings AS SELECT name, setting, NULL::VARCHAR AS unit, 'Client' AS category, '' AS short_desc, NULL::VARCHAR AS extra_desc, 'user' AS context, 'string' AS vartype, 'session' AS source, NULL::VARCHAR AS min_val, NULL::VARCHAR AS max_val, NULL::VARCHAR[] AS enumvals, setting AS boot_val, setting AS reset_val, NULL::VARCHAR AS sourcefile, NULL::INTEGER AS sourceline, false AS pending_restart FROM temp.skyql_settings;
CREATE TEMP VIEW pg_roles AS SELECT {user} AS rolname, false AS rolsuper, true AS rolinherit, false AS rolcreaterole, false AS rolcreatedb, true AS rolcanlogin, false AS rolreplication, -1 AS rolconnlimit, '********' AS rolpassword, NULL::TIMESTAMPTZ AS rolvaliduntil, false AS rolbypassrls, NULL::VARCHAR[] AS rolconfig, 10::UINTEGER AS oid;
CREATE TEMP VIEW pg_user AS SELECT {user} AS usename, 10::UINTEGER AS usesysid, false AS usecreatedb, false AS usesuper, false AS userepl, false AS usebypassrls, '********' AS passwd, NULL::TIMESTAMPTZ AS valuntil, NULL::VARCHAR[] AS useconfig;
