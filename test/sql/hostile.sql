--
-- What a hostile session prepares around our functions changes nothing in
-- what they do, and they leave the session as they found it
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set ECHO all

-- A schema with functions, operators, types and tables that our code could
-- reach by name; whichever is reached tells.
CREATE SCHEMA evil;
GRANT ALL ON SCHEMA evil TO PUBLIC;
CREATE FUNCTION evil.caught() RETURNS boolean LANGUAGE plpgsql
	AS $$BEGIN RAISE EXCEPTION 'code of schema evil ran as %', CURRENT_USER; END$$;
DO $$
DECLARE
	item record;
BEGIN
	FOR item IN
		SELECT DISTINCT p.proname, replace(oidvectortypes(p.proargtypes), '"any"', 'VARIADIC text[]') AS arguments
		FROM pg_proc AS p
		WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f'
			AND (oidvectortypes(p.proargtypes) !~ 'any' OR p.provariadic <> 0 AND oidvectortypes(p.proargtypes) !~ ', "any"|anycomp' OR p.proname IN ('to_jsonb', 'unnest', 'cardinality', 'array_length'))
			AND p.proname IN ('now', 'clock_timestamp', 'sha256', 'encode', 'decode', 'lower', 'repeat',
				'to_jsonb', 'jsonb_concat', 'jsonb_build_object', 'jsonb_build_array', 'jsonb_each', 'jsonb_each_text',
				'jsonb_object_keys', 'jsonb_typeof', 'unnest', 'cardinality', 'array_length', 'to_char', 'timezone',
				'convert_to', 'byteacat', 'host', 'inet_client_addr', 'current_database', 'pg_has_role', 'format',
				'octet_length', 'length', 'int4', 'int8', 'text', 'float8', 'numeric', 'generate_series', 'pg_current_xact_id')
	LOOP
		EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS text LANGUAGE sql AS ''SELECT ''''x'''' WHERE evil.caught()''',
			item.proname, item.arguments);
	END LOOP;
	FOR item IN
		SELECT o.oid, o.oprname, o.oprleft::regtype AS l, o.oprright::regtype AS r
		FROM pg_operator AS o
		WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprkind = 'b'
			AND o.oprleft::regtype::text IN ('text', 'uuid', 'jsonb', 'text[]', 'integer', 'bigint', 'bytea', 'timestamp with time zone', 'numeric', 'boolean', 'double precision', 'anyarray')
			AND o.oprright::regtype::text IN ('text', 'uuid', 'jsonb', 'text[]', 'integer', 'bigint', 'bytea', 'timestamp with time zone', 'numeric', 'boolean', 'double precision', 'anyarray')
			AND o.oprname IN ('=', '<>', '<', '<=', '>', '>=', '->', '->>', '?', '||', '+', '-', '*', '@>', '~', '!~')
	LOOP
		EXECUTE format('CREATE FUNCTION evil.%I(%s, %s) RETURNS boolean LANGUAGE sql AS ''SELECT evil.caught()''', 'operator_' || item.oid, item.l, item.r);
		EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.%I)', item.oprname, item.l, item.r, 'operator_' || item.oid);
	END LOOP;
	FOR item IN
		SELECT unnest(ARRAY['text', 'jsonb', 'uuid', 'bytea', 'int4', 'int8', 'timestamptz', 'float8', 'bool', 'name', 'regclass']) AS typname
	LOOP
		EXECUTE format('CREATE DOMAIN evil.%1$I AS pg_catalog.%1$I CHECK (evil.caught())', item.typname);
	END LOOP;
	FOR item IN
		SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind IN ('r', 'v')
		UNION ALL
		SELECT unnest(ARRAY['pg_extension', 'pg_proc', 'pg_class', 'pg_roles', 'pg_settings', 'pg_trigger'])
	LOOP
		EXECUTE format('CREATE TABLE evil.%I ()', item.relname);
		EXECUTE format('CREATE TEMP TABLE %I ()', item.relname);
	END LOOP;
END
$$;
CREATE DOMAIN pg_temp.jsonb AS pg_catalog.jsonb CHECK (evil.caught());
CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (evil.caught());
GRANT ALL ON ALL TABLES IN SCHEMA evil TO PUBLIC;

SELECT model_id AS first FROM modelreg_register('\x6669727374', 'forest', '1.0.0', 'one', '{"f1": 0.5, "loss": 0.2}') \gset

SET search_path = evil, pg_temp, pg_catalog, public;
-- the trap works:
\set VERBOSITY terse
SELECT now(); -- error
SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text; -- error
SELECT 'a'::text; -- error
\set VERBOSITY sqlstate

-- None of it is reached, with the rights of anybody
SET SESSION AUTHORIZATION regress_modelreg_writer;
SELECT version, deployment_stage, registered_by FROM public.modelreg_register('\x736563', 'forest', '1.1.0', 'one', '{"f1": 0.6, "loss": 0.1}', tags => '{a}', parent_ids => ARRAY[:'first']);
SELECT public.modelreg_load(:'first');
SELECT version, artifact FROM public.modelreg_load_latest(model_name => 'one', min_performance => '{"f1": 0.1}', tags => '{a}');
SELECT version FROM public.modelreg_find_latest('forest', 'development', version => '1.0.0', max_performance => '{"loss": 0.3}');
SELECT version FROM public.modelreg_list(max_rows => 5);
SELECT version FROM public.modelreg_info(:'first');
SELECT metric, version, value, rank, delta, is_best FROM public.modelreg_compare(ARRAY[:'first']);
SELECT ok, problem FROM public.modelreg_verify();
SELECT model_name, seq, event FROM public.modelreg_history('one');
SELECT version, deployment_stage FROM public.modelreg_at('infinity', 'one');
SELECT public.modelreg_audit_head() IS NOT NULL AS head;
SELECT * FROM public.modelreg_audit_verify('one', public.modelreg_audit_head());
SELECT version FROM public.modelreg_cleanup_preview();
SELECT item FROM public.modelreg_check() LIMIT 1;
SELECT notes FROM public.modelreg_update(:'first', 'x'); -- error
SELECT deployment_stage FROM public.modelreg_update_stage(:'first', 'staging', 'why');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_modelreg_admin;
SELECT notes FROM public.modelreg_update(:'first', 'x', '{t}', '{"f1": 0.7}', 'why');
SELECT deployment_stage FROM public.modelreg_update_stage(:'first', 'production', 'why');
SELECT deployment_stage FROM public.modelreg_register('\x746869', 'forest', model_name => 'one', performance_metrics => '{"f1": 0.9}', deployment_stage => 'production');
SELECT model_name FROM public.modelreg_create_model('two', max_versions => 1, auto_cleanup => true);
SELECT description FROM public.modelreg_update_model('two', 'x', reset => '{auto_cleanup}');
SELECT model_name FROM public.modelreg_rename_model('two', 'zwei');
SELECT public.modelreg_delete_model('zwei');
SELECT public.modelreg_set_stage_rule('staging', 'canary', false);
SELECT public.modelreg_set_metric_direction('f1', true);
SELECT public.modelreg_delete(:'first', true);
SELECT public.modelreg_schedule_cleanup(); -- error
CALL public.modelreg_cleanup();
RESET SESSION AUTHORIZATION;
-- nor by the triggers when a superuser writes
UPDATE modelreg.model_version SET deployment_stage = 'deprecated', notes = 'x' WHERE deployment_stage OPERATOR(pg_catalog.=) 'production';
UPDATE modelreg.model SET model_name = 'uno';
UPDATE modelreg.stage_rule SET allowed = true;
DELETE FROM modelreg.metric_direction;
DISCARD PLANS;
SELECT version FROM public.modelreg_list();
SELECT metric, value FROM modelreg.model_metric ORDER BY metric USING OPERATOR(pg_catalog.<), value USING OPERATOR(pg_catalog.<);
SELECT version FROM modelreg.production_model;
SELECT versions FROM modelreg.storage_usage;
SELECT stage FROM modelreg.stage_history LIMIT 0;
SELECT versions FROM modelreg.registry_stats;
SELECT model_name, ok FROM public.modelreg_audit_verify();
RESET search_path;
DISCARD TEMP;
SET client_min_messages = warning;
DROP SCHEMA evil CASCADE;
RESET client_min_messages;
\set VERBOSITY terse

-- Nor do a session's settings matter
SET SESSION AUTHORIZATION regress_modelreg_admin;
SET TimeZone = 'Pacific/Chatham';
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
SET bytea_output = 'escape';
SET extra_float_digits = -15;
SET transform_null_equals = on;
SET array_nulls = off;
SET quote_all_identifiers = on;
SET standard_conforming_strings = off;
SET default_transaction_deferrable = on;
SET xmloption = document;
SET "plpgsql.extra_errors" = 'all';
SET plan_cache_mode = force_generic_plan;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SELECT model_id AS odd, created_at = '2026-01-02 03:04:05.678901+00'::timestamptz AS as_said
FROM modelreg_register(E'\\x6f6464', 'forest', '0.1.0', 'three', '{"f1": 0.123456789012345678, "loss": 1e-20}', created_at => '2026-01-02 03:04:05.678901+00') \gset
SELECT :'as_said' AS as_said, performance_metrics, version FROM modelreg_info(:'odd');
SELECT metric, value = CASE metric WHEN 'f1' THEN 0.123456789012345678::float8 ELSE 1e-20::float8 END AS exact, is_best FROM modelreg_compare(ARRAY[:'odd']);
SELECT version, convert_from(artifact, 'UTF8') FROM modelreg_load_latest(model_name => 'three');
SELECT model_name, ok FROM modelreg_audit_verify();
SELECT ok FROM modelreg_verify(:'odd');
CALL modelreg_cleanup();
SELECT attempt('SELECT modelreg_schedule_cleanup()');
RESET ALL;
RESET SESSION AUTHORIZATION;
SELECT model_name, ok FROM modelreg_audit_verify();
SELECT new_values ->> 'created_at' AS created_at FROM modelreg_history(model_id => :'odd');

-- Rights, search_path and reason are the session's own again after each call,
-- also after one that failed in a subtransaction
CREATE FUNCTION state() RETURNS text LANGUAGE sql
	RETURN format('%s of %s, path %s, reason %s, %s', current_user, session_user, current_setting('search_path'),
		current_setting('modelreg.reason'), current_setting('session_replication_role'));
CREATE FUNCTION left_as_found(statements text[]) RETURNS TABLE (statement text, outcome text, as_found boolean)
	LANGUAGE plpgsql
	AS $$
DECLARE
	before text := state();
BEGIN
	FOREACH statement IN ARRAY statements
	LOOP
		BEGIN
			EXECUTE statement;
			outcome := 'done';
		EXCEPTION WHEN others THEN
			outcome := SQLSTATE;
		END;
		statement := mask(statement);
		as_found := state() = before;
		RETURN NEXT;
	END LOOP;
END
$$;
CREATE SCHEMA home;
GRANT USAGE ON SCHEMA home TO PUBLIC;
SELECT model_id AS other FROM modelreg_register('\x01', 'forest', model_name => 'four', performance_metrics => '{"f1": 1}') \gset
SET SESSION AUTHORIZATION regress_modelreg_writer;
SET search_path = home, public;
SET modelreg.reason = 'my own';
BEGIN;
SELECT * FROM left_as_found(ARRAY[
	'SELECT modelreg_register(''\x02'', ''forest'', model_name => ''four'', performance_metrics => ''{"f1": 1}'')',
	'SELECT modelreg_register('''', ''forest'')',
	'SELECT modelreg_register(''\x02'', ''forest'', ''1.x'', ''four'')',
	'SELECT modelreg_register(''\x02'', ''forest'', ''0.1.0'', ''four'', ''{"f1": 1}'')',
	'SELECT modelreg_register(''\x02'', ''forest'', deployment_stage => ''production'')',
	'SELECT modelreg_register(''\x02'', ''forest'', model_name => ''four'', performance_metrics => ''{"f1": 1}'', parent_ids => ''{none}'')',
	'SELECT modelreg_register(''\x02'', ''forest'', model_name => ''four'', performance_metrics => ''{"f1": 1}'', expected_checksum => repeat(''0'', 64))',
	format('SELECT modelreg_update_stage(%L, ''staging'', ''theirs'')', :'other'),
	format('SELECT modelreg_update_stage(%L, ''production'', ''theirs'')', :'other'),
	format('SELECT modelreg_update_stage(%L, ''nowhere'', ''theirs'')', :'other'),
	'SELECT modelreg_update_stage(''none'', ''staging'', ''theirs'')',
	format('SELECT modelreg_update(%L, ''x'', reason => ''theirs'')', :'other'),
	format('SELECT modelreg_delete(%L, reason => ''theirs'')', :'other'),
	'SELECT modelreg_create_model(''x'', reason => ''theirs'')',
	'SELECT modelreg_load(''none'')',
	format('SELECT modelreg_load(%L)', :'other'),
	'SELECT modelreg_list(max_rows => -1)',
	'SELECT modelreg_list(min_performance => ''[]'')',
	'SELECT modelreg_load_latest(deployment_stage => ''nowhere'')',
	'SELECT modelreg_compare(''{none}'')',
	'SELECT modelreg_verify(''none'')',
	'SELECT modelreg_audit_verify()',
	'UPDATE modelreg.model_version SET notes = ''x''']);
SAVEPOINT here;
SELECT FROM modelreg_update_stage('none', 'staging', 'theirs'); -- error
ROLLBACK TO here;
SELECT state();
RELEASE here;
SELECT FROM modelreg_register('\x03', 'forest', model_name => 'four', performance_metrics => '{"f1": 1}');
SELECT state();
COMMIT;
SELECT state();
SELECT FROM modelreg_load('none'); -- error
SELECT state();
SET SESSION AUTHORIZATION regress_modelreg_admin;
SELECT * FROM left_as_found(ARRAY[
	format('SELECT modelreg_update_stage(%L, ''production'', ''theirs'')', :'other'),
	format('SELECT modelreg_delete(%L, reason => ''theirs'')', :'other'),
	format('SELECT modelreg_update(%L, performance_metrics => ''[]'', reason => ''theirs'')', :'other'),
	format('SELECT modelreg_delete(%L, true, reason => ''theirs'')', :'other'),
	'SELECT modelreg_create_model(''x'', reason => ''theirs'')',
	'SELECT modelreg_create_model(''x'', reason => ''theirs'')',
	'SELECT modelreg_update_model(''x'', max_versions => 0, reason => ''theirs'')',
	'SELECT modelreg_rename_model(''x'', ''four'', ''theirs'')',
	'SELECT modelreg_rename_model(''x'', ''y'', ''theirs'')',
	'SELECT modelreg_delete_model(''y'', reason => ''theirs'')',
	'SELECT modelreg_delete_model(''none'', reason => ''theirs'')',
	'SELECT modelreg_set_stage_rule(''staging'', ''canary'', false, ''theirs'')',
	'SELECT modelreg_set_stage_rule(''staging'', ''staging'', false, ''theirs'')',
	'SELECT modelreg_set_metric_direction(''f1'', true, ''theirs'')',
	'SELECT modelreg_set_metric_direction('''', true, ''theirs'')',
	'CALL modelreg_cleanup()',
	'SELECT modelreg.cleanup_artifacts(0)',
	'SELECT modelreg_schedule_cleanup()']);
CALL modelreg_cleanup();
SELECT state();
CALL modelreg_cleanup(batch_size => 0); -- error
SELECT state();
-- a path and a reason of the transaction's own last as long as that
BEGIN;
SET LOCAL search_path = public, home;
SET LOCAL modelreg.reason = 'for now';
SELECT FROM modelreg_register('\x04', 'forest', model_name => 'four', performance_metrics => '{"f1": 1}');
SELECT state();
COMMIT;
SELECT state();
RESET SESSION AUTHORIZATION;
SELECT event, actor, reason FROM modelreg_history('four') ORDER BY seq;
RESET search_path;
RESET modelreg.reason;
DROP SCHEMA home;
DROP FUNCTION left_as_found(text[]), state();

-- Row-level security: what a role may not see, it cannot find or load
SELECT model_id AS shown FROM modelreg_register('\x73686f776e', 'forest', model_name => 'five', performance_metrics => '{"f1": 1}', tags => '{open}') \gset
SELECT model_id AS hidden FROM modelreg_register('\x68696464656e', 'forest', model_name => 'five', performance_metrics => '{"f1": 1}') \gset
SELECT count(*) FROM modelreg_list(model_name => 'five');
ALTER TABLE modelreg.model_version ENABLE ROW LEVEL SECURITY;
CREATE POLICY open_to_readers ON modelreg.model_version TO regress_modelreg_reader USING (tags @> '{open}');
CREATE POLICY all_to_writers ON modelreg.model_version TO regress_modelreg_writer, regress_modelreg_admin USING (true);
SET ROLE regress_modelreg_reader;
SELECT version FROM modelreg_list();
SELECT version FROM modelreg_find_latest(model_name => 'five');
SELECT version, convert_from(artifact, 'UTF8') FROM modelreg_load_latest('forest');
SELECT version FROM modelreg_info(:'hidden');
SELECT attempt(format('SELECT modelreg_load(%L)', :'hidden'));
SELECT convert_from(modelreg_load(:'shown'), 'UTF8');
SELECT attempt(format('SELECT FROM modelreg_compare(ARRAY[%L, %L])', :'shown', :'hidden'));
SELECT attempt(format('SELECT FROM modelreg_list(before_id => %L)', :'hidden'));
SELECT attempt(format('SELECT FROM modelreg_verify(%L)', :'hidden'));
SELECT model_id = :'shown' AS shown, ok, problem FROM modelreg_verify();
SELECT model_id = :'shown' AS shown FROM modelreg.model_metric;
SELECT version FROM modelreg_cleanup_preview();
SET row_security = off;
SELECT attempt('SELECT FROM modelreg_list()');
RESET row_security;
-- another role in the same session
SET ROLE regress_modelreg_writer;
SELECT version FROM modelreg_list(model_name => 'five');
SELECT convert_from(modelreg_load(:'hidden'), 'UTF8');
SET ROLE regress_modelreg_reader;
SELECT version FROM modelreg_list(model_name => 'five');
SELECT attempt(format('SELECT modelreg_load(%L)', :'hidden'));
RESET ROLE;

-- The registry itself sees all rows, even where the owner is made to obey
ALTER TABLE modelreg.model_version FORCE ROW LEVEL SECURITY;
SET ROLE regress_modelreg_admin;
CALL modelreg_cleanup();
SELECT version FROM modelreg_register('\x68696464656e', 'forest', model_name => 'five', performance_metrics => '{"f1": 1}');
SELECT attempt('SELECT FROM modelreg_register(''\x01'', ''forest'', ''0.1.0'', ''five'', ''{"f1": 1}'')');
SELECT convert_from(modelreg_load(:'hidden'), 'UTF8');
SELECT deployment_stage FROM modelreg_update_stage(:'hidden', 'production');
RESET ROLE;
SELECT attempt('DELETE FROM modelreg.model WHERE model_name = ''five''');
SELECT attempt('DELETE FROM modelreg.artifact');
ALTER TABLE modelreg.model_version NO FORCE ROW LEVEL SECURITY;
ALTER TABLE modelreg.model_version DISABLE ROW LEVEL SECURITY;
SELECT count(*) FILTER (WHERE NOT ok) AS bad FROM modelreg_verify();
SELECT model_name, ok, problem FROM modelreg_audit_verify();

\set ECHO none
\i :test_dir/lib/attack_end.sql
