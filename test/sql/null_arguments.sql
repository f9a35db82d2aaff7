--
-- NULL for each argument of each function: its default, or an error of ours
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set SHOW_CONTEXT never
SELECT model_id AS id FROM modelreg_register('bytes', 'm', performance_metrics => '{"f1": 0.5}') \gset

-- A call of each function that succeeds, as a list of its arguments
CREATE TEMPORARY TABLE call (function regproc, arguments text[]);
INSERT INTO call VALUES
	('modelreg_register', ARRAY['''\x01''', '''m''', '''7.0.0''', '''m''', '''{"f1": 1}''', '''staging''', '''{t}''', '''n''', '''{}''', '''{}''', '''d''', '''{}''', 'now()',
		format('%L', encode(sha256('\x01'), 'hex')), '''{"p": 1}''']),
	('modelreg_check_registration', ARRAY['''m''', '''7.0.0''', '''m''', '''{"f1": 1}''', '''staging''', '''{t}''', '''n''', '''{}''', '''{}''', '''d''', '''{}''', 'now()',
		format('%L', encode(sha256('\x01'), 'hex')), '''{"p": 1}''']),
	('modelreg_load', ARRAY['$id', 'true', '''p''']),
	('modelreg_register_files', ARRAY['''{p}''', 'ARRAY[modelreg_upload_begin()]', '''m''', '''7.0.0''', '''m''', '''{"f1": 1}''', '''staging''', '''{t}''', '''n''', '''{}''', '''{}''', '''d''', '''{}''', 'now()', 'NULL', '''{}''']),
	('modelreg_load_latest', ARRAY['''m''', '''development''', '''{}''', '''{}''', '''m''', '''0.1.0''', '''{}''', 'true']),
	('modelreg_find_latest', ARRAY['''m''', '''development''', '''{}''', '''{}''', '''m''', '''0.1.0''', '''{}''']),
	('modelreg_list', ARRAY['''m''', '''development''', '''{}''', '''{}''', '''m''', '''0.1.0''', '''{}''', '5', '$id']),
	('modelreg_info', ARRAY['$id']),
	('modelreg_compare', ARRAY['ARRAY[$id]', '''{f1}''']),
	('modelreg_update_stage', ARRAY['$id', '''staging''', '''r''']),
	('modelreg_update', ARRAY['$id', '''n''', '''{t}''', '''{"f1": 1}''', '''r''', '''{"p": 1}''']),
	('modelreg_reassign', ARRAY['current_user::text', 'current_user::text', '''r''']),
	('modelreg.role_ref_agrees', ARRAY['''x''', '''x''', '''1/2''']),
	('modelreg_correct_time', ARRAY['$id', 'now()', '''r''']),
	('modelreg_set_alias', ARRAY['$id', '''a''', '''r''']),
	('modelreg_drop_alias', ARRAY['''m''', '''a''', '''r''']),
	('modelreg_resolve', ARRAY['''m''', '''a''']),
	('modelreg.merge_properties', ARRAY['''{}''', '''{}''']),
	('modelreg_delete', ARRAY['$id', 'true', '''r''']),
	('modelreg_create_model', ARRAY['''n''', '''n''', '''d''', '''{}''', '''{}''', 'true', '1', 'true', 'true', '''r''']),
	('modelreg_update_model', ARRAY['''m''', '''d''', '''{}''', '''{}''', 'true', '1', 'true', 'true', '''{}''', '''r''']),
	('modelreg_rename_model', ARRAY['''m''', '''n''', '''r''']),
	('modelreg_delete_model', ARRAY['''m''', 'true', '''r''']),
	('modelreg_set_stage_rule', ARRAY['''canary''', '''archived''', 'true', '''r''']),
	('modelreg_set_metric_direction', ARRAY['''f1''', 'true', '''r''']),
	('modelreg_verify', ARRAY['$id']),
	('modelreg_history', ARRAY['''m''', '$id', 'now()']),
	('modelreg_at', ARRAY['now()', '''m''']),
	('modelreg_audit_verify', ARRAY['''m''', 'modelreg_audit_head()']),
	('modelreg_cleanup_preview', ARRAY['true', '''m''']),
	('modelreg.semver_valid', ARRAY['''1.0.0''']),
	('modelreg.semver_compare', ARRAY['''1.0.0''', '''1.0.0''']),
	('modelreg.semver_next_minor', ARRAY['''1.0.0''']),
	('modelreg.utc_text', ARRAY['now()']),
	('modelreg.version_snapshot', ARRAY['(SELECT v FROM modelreg.model_version AS v)']),
	('modelreg.model_snapshot', ARRAY['(SELECT m FROM modelreg.model AS m)']),
	('modelreg.higher_is_better', ARRAY['''f1''']),
	('modelreg.higher_is_better_by_name', ARRAY['''f1''']),
	('modelreg.chain_problems', ARRAY['''{}''']),
	('modelreg.trail_problems', ARRAY['''{}''']),
	('modelreg.anchor_problems', ARRAY['modelreg_audit_head()']),
	('modelreg.cron_function', ARRAY['''schedule''']),
	('modelreg.cleanup_versions', ARRAY['''00000000-0000-0000-0000-000000000000''', 'true', '1']),
	('modelreg.clip', ARRAY['''x''']),
	('modelreg.cleanup_artifacts', ARRAY['1']);
UPDATE call SET arguments = ARRAY(SELECT replace(a, '$id', quote_literal(:'id')) FROM unnest(arguments) WITH ORDINALITY AS u (a, n) ORDER BY n);

-- Makes a call, takes it back, and says what came of it
CREATE FUNCTION pg_temp.outcome(statement text) RETURNS text
	LANGUAGE plpgsql AS $$
DECLARE
	rows bigint;
BEGIN
	EXECUTE statement;
	GET DIAGNOSTICS rows = ROW_COUNT;
	RAISE EXCEPTION USING ERRCODE = 'P0009', MESSAGE = rows || CASE rows WHEN 1 THEN ' row' ELSE ' rows' END;
EXCEPTION
	WHEN SQLSTATE 'P0009' THEN
		RETURN SQLERRM;
	WHEN OTHERS THEN
		RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, '_[0-9]{8}_[0-9]{6}(_[0-9]+)?"', '_<time>"');
END
$$;
CREATE TEMPORARY VIEW made_call AS
	SELECT c.function, p.proname, p.proargnames[n] AS null_argument, n,
		format('SELECT * FROM %s(%s)', c.function, (
			SELECT string_agg(CASE WHEN a.i = n THEN 'NULL' ELSE a.value END || '::' || format_type(p.proargtypes[a.i - 1], NULL), ', ' ORDER BY a.i)
			FROM unnest(c.arguments) WITH ORDINALITY AS a (value, i))) AS statement
	FROM call AS c
	JOIN pg_proc AS p ON p.oid = c.function
	CROSS JOIN generate_series(0, p.pronargs) AS n;
\pset format unaligned
-- as they are
SELECT proname, pg_temp.outcome(statement) AS outcome FROM made_call WHERE n = 0 ORDER BY proname COLLATE "C";
-- with one NULL each
SELECT proname, null_argument, pg_temp.outcome(statement) AS outcome FROM made_call WHERE n > 0 ORDER BY proname COLLATE "C", n;
-- with nothing but NULL
SELECT p.proname, pg_temp.outcome(format('SELECT * FROM %s(%s)', c.function,
	(SELECT string_agg('NULL::' || format_type(t, NULL), ', ') FROM unnest(p.proargtypes) AS t))) AS outcome
FROM call AS c JOIN pg_proc AS p ON p.oid = c.function ORDER BY p.proname COLLATE "C";
\pset format aligned

-- Every function of ours with arguments was called, but for those below
SELECT p.proname FROM pg_proc AS p
JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
WHERE e.extname = 'modelreg' AND p.pronargs > 0 AND p.oid NOT IN (SELECT function::oid FROM call)
ORDER BY p.proname COLLATE "C";
CALL modelreg_cleanup(NULL, NULL, NULL, NULL);
\set VERBOSITY sqlstate
SELECT modelreg_schedule_cleanup(NULL); -- error: there is no pg_cron here
\set VERBOSITY default
SELECT modelreg.cleanup_begin(NULL, 1) = ARRAY(SELECT model_key FROM modelreg.model) AS all_models;
SELECT modelreg.jsonb_merge(NULL) FROM generate_series(1, 2);
SELECT modelreg.jsonb_merge(j) FROM (VALUES ('{"a": 1}'::jsonb), (NULL), ('{"a": 2}')) AS v (j);
SELECT octet_length(modelreg.audit_hash('\x00', 1::smallint, '00000000-0000-0000-0000-000000000000', 1, now(), NULL, NULL, NULL, NULL, NULL, '1', NULL, NULL, NULL));
SELECT modelreg.audit_hash(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
-- rows that are all NULL, or no row at all
SELECT modelreg.version_snapshot(NULL) -> 'model_id' AS version, modelreg.model_snapshot(NULL) -> 'model_name' AS model;

-- Trigger functions are for triggers, each for its own
SELECT modelreg.guard_model(); -- error
SELECT modelreg.record_version(); -- error

-- Nothing is left of it all
SELECT version, deployment_stage, notes, performance_metrics FROM modelreg_list();
SELECT count(*) FROM modelreg.audit_event;
SELECT ok, problem FROM modelreg_audit_verify();
