--
-- Raw SQL of roles to which a DBA granted everything on the tables: the
-- guards ask for the same roles as the functions do
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set ECHO all

-- A role that may write wherever PostgreSQL asks for a grant.
CREATE ROLE regress_modelreg_data;
GRANT pg_read_all_data, pg_write_all_data TO regress_modelreg_data;
GRANT USAGE ON SCHEMA modelreg TO regress_modelreg_nobody;
GRANT ALL ON ALL TABLES IN SCHEMA modelreg TO regress_modelreg_nobody, regress_modelreg_reader,
	regress_modelreg_writer, regress_modelreg_other_writer, regress_modelreg_admin;

-- The versions are named after who registered them and the stage they are in.
SET SESSION AUTHORIZATION regress_modelreg_writer;
SELECT FROM modelreg_register('\x01', 'forest', '1.0.0', 'one', '{"f1": 0.1}', notes => 'mine, development');
SELECT FROM modelreg_register('\x02', 'forest', '2.0.0', 'one', '{"f1": 0.1}', 'staging', notes => 'mine, staging');
SELECT model_id AS live FROM modelreg_register('\x03', 'forest', '3.0.0', 'one', '{"f1": 0.1}', notes => 'mine, production') \gset
SELECT model_id AS canary FROM modelreg_register('\x04', 'forest', '4.0.0', 'one', '{"f1": 0.1}', notes => 'mine, canary') \gset
SET SESSION AUTHORIZATION regress_modelreg_other_writer;
SELECT FROM modelreg_register('\x05', 'forest', '5.0.0', 'one', '{"f1": 0.1}', notes => 'other''s, development');
SET SESSION AUTHORIZATION regress_modelreg_admin;
SELECT FROM modelreg_update_stage(:'live', 'production');
SELECT FROM modelreg_update_stage(:'canary', 'canary');
SELECT FROM modelreg_set_alias(:'live', 'champion');
SELECT FROM modelreg_register_files('{a/b}', ARRAY[modelreg_upload_begin()], 'forest', model_name => 'files', performance_metrics => '{"f1": 0.1}');
SELECT FROM modelreg_create_model('empty');
SELECT model_id AS gone FROM modelreg_register('\x06', 'forest', '6.0.0', 'one', '{"f1": 0.1}') \gset
SELECT FROM modelreg_delete(:'gone');
SELECT FROM modelreg_set_stage_rule('archived', 'staging', false);
SELECT FROM modelreg_set_metric_direction('f1', true);
-- an upload that goes on, one that was given up, and what a scrub has found
SELECT modelreg_upload_append(modelreg_upload_begin(), 'to be continued');
SELECT modelreg_upload_begin() AS aborted \gset
SELECT modelreg_upload_append(:'aborted', convert_to(repeat('0', 300000), 'UTF8'));
SELECT FROM modelreg_upload_abort(:'aborted');
SELECT artifacts > 0 AS scrubbed, damaged FROM modelreg_scrub();
RESET SESSION AUTHORIZATION;

-- What the statement would do, run by one of our roles: how many rows, or the
-- SQLSTATE.
CREATE FUNCTION trial_as(attacker text, statement text) RETURNS text
	LANGUAGE sql
	RETURN regexp_replace(trial(format('SET LOCAL SESSION AUTHORIZATION regress_modelreg_%s; %s', attacker, statement)), '(?<=^[0-9A-Z]{5}) .*', '');
CREATE FUNCTION trials(statements text[])
	RETURNS TABLE (statement text, nobody text, data text, reader text, writer text, admin text)
	LANGUAGE sql
	BEGIN ATOMIC
		SELECT s.statement, trial_as('nobody', s.statement), trial_as('data', s.statement),
			trial_as('reader', s.statement), trial_as('writer', s.statement), trial_as('admin', s.statement)
		FROM unnest(statements) WITH ORDINALITY AS s (statement, n)
		ORDER BY s.n;
	END;

-- Nobody puts rows in: what was never registered is not in the trail
SELECT t.*
FROM trials(ARRAY(
	SELECT format('INSERT INTO modelreg.%1$I SELECT * FROM modelreg.%1$I', c.relname)
	FROM pg_class AS c WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'
	ORDER BY c.relname)) AS t;
SELECT t.*
FROM trials(ARRAY[
	'INSERT INTO modelreg.model_version SELECT * FROM modelreg.model_version ON CONFLICT DO NOTHING',
	'INSERT INTO modelreg.model_version SELECT * FROM modelreg.model_version ON CONFLICT (model_id) DO UPDATE SET notes = ''x''',
	'INSERT INTO modelreg.model_version SELECT * FROM modelreg.model_version WHERE false',
	'MERGE INTO modelreg.stage_rule USING (SELECT) AS x ON false WHEN NOT MATCHED THEN INSERT VALUES (''archived'', ''production'', true)']) AS t;
SET SESSION AUTHORIZATION regress_modelreg_admin;
\copy modelreg.stage_rule FROM PROGRAM 'echo "archived	production	t"'
RESET SESSION AUTHORIZATION;

-- Nobody changes or removes bytes that are in use, or any of the trail
SELECT t.*
FROM trials(ARRAY(
	SELECT format(f.form, c.relname)
	FROM pg_class AS c, unnest(ARRAY['DELETE FROM modelreg.%I', 'TRUNCATE modelreg.%I']) WITH ORDINALITY AS f (form, n)
	WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'
	ORDER BY f.n, c.relname)) AS t;
SELECT count(*) AS columns, s.nobody, s.data, s.reader, s.writer, s.admin
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0,
	LATERAL trials(ARRAY[format('UPDATE modelreg.%1$I SET %2$I = %2$I', c.relname, a.attname)]) AS s
WHERE c.oid IN ('modelreg.audit_event'::regclass, 'modelreg.artifact'::regclass, 'modelreg.artifact_chunk'::regclass,
	'modelreg.chunk'::regclass, 'modelreg.chunk_piece'::regclass)
GROUP BY s.nobody, s.data, s.reader, s.writer, s.admin;
-- what is not in use, the admin may remove, as cleanup would
SELECT t.*
FROM trials(ARRAY['DELETE FROM modelreg.artifact WHERE sha256 = sha256(''\x06'')', 'DELETE FROM modelreg.model_version WHERE false']) AS t;

-- Moves: writers between development and staging, whoever registered it
SELECT regexp_replace(t.statement, '^.*SET deployment_stage = ''(\w+)'' WHERE notes = (.*)$', '\2 to \1') AS move,
	t.nobody, t.data, t.reader, t.writer, t.admin
FROM trials(ARRAY(
	SELECT format('UPDATE modelreg.model_version SET deployment_stage = %L WHERE notes = %L', s.stage, n.notes)
	FROM unnest(ARRAY['mine, development', 'mine, staging', 'mine, canary', 'mine, production', 'other''s, development']) WITH ORDINALITY AS n (notes, i),
		unnest(ARRAY['development', 'staging', 'canary', 'deprecated', 'production', 'archived']) WITH ORDINALITY AS s (stage, j)
	WHERE n.notes NOT LIKE '%' || s.stage
	ORDER BY n.i, s.j)) AS t;

-- Metadata and deletion: writers what they registered and is not in production
SELECT t.statement, t.nobody, t.data, t.reader, t.writer, t.admin
FROM trials(ARRAY(
	SELECT format(f.form, n.notes)
	FROM unnest(ARRAY['mine, development', 'mine, staging', 'mine, canary', 'mine, production', 'other''s, development']) WITH ORDINALITY AS n (notes, i),
		unnest(ARRAY['UPDATE modelreg.model_version SET tags = ''{new}'' WHERE notes = %L', 'DELETE FROM modelreg.model_version WHERE notes = %L']) WITH ORDINALITY AS f (form, j)
	ORDER BY f.j, n.i)) AS t;

-- Several things at once are as good as the worst of them
SELECT t.*
FROM trials(ARRAY[
	'UPDATE modelreg.model_version SET notes = ''x''',
	'UPDATE modelreg.model_version SET notes = ''x'', deployment_stage = ''staging'' WHERE notes = ''other''''s, development''',
	'UPDATE modelreg.model_version SET notes = ''x'', deployment_stage = ''staging'' WHERE notes = ''mine, development''',
	'UPDATE modelreg.model_version SET notes = ''x'', checksum = repeat(''0'', 64) WHERE notes = ''mine, development''',
	'UPDATE modelreg.model_version SET registered_by = current_user',
	'UPDATE modelreg.model_version SET owner = current_user',
	'UPDATE modelreg.model_version SET deployed_at = now() WHERE notes = ''mine, development''',
	'UPDATE modelreg.model_version SET model_name = ''x''',
	'UPDATE modelreg.model_version SET model_key = gen_random_uuid()',
	'UPDATE modelreg.model_version SET performance_metrics = ''{"f1": "x"}'' WHERE notes = ''mine, development''',
	'MERGE INTO modelreg.model_version AS v USING (SELECT) AS x ON v.notes = ''other''''s, development'' WHEN MATCHED THEN UPDATE SET tags = ''{x}''',
	'MERGE INTO modelreg.model_version AS v USING (SELECT) AS x ON v.notes = ''mine, production'' WHEN MATCHED THEN DELETE',
	'WITH moved AS (UPDATE modelreg.model_version SET deployment_stage = ''canary'' WHERE notes LIKE ''%development'' RETURNING 1) SELECT count(*) FROM moved']) AS t;

-- Models, counters and heads, and the rules
SELECT t.*
FROM trials(ARRAY[
	'UPDATE modelreg.model SET description = ''x''',
	'UPDATE modelreg.model SET model_name = ''x'' WHERE model_name = ''one''',
	'UPDATE modelreg.model SET max_versions = 1',
	'UPDATE modelreg.model SET exclusive_production = false',
	'UPDATE modelreg.model SET last_version_number = last_version_number + 1',
	'UPDATE modelreg.model SET last_registered_at = now()',
	'UPDATE modelreg.model SET last_id_suffix = last_id_suffix + 1',
	'UPDATE modelreg.model SET highest_version = ''99.0.0''',
	'UPDATE modelreg.model SET audit_seq = audit_seq + 1, audit_at = now(), audit_hash = sha256('''')',
	'UPDATE modelreg.model SET audit_at = now()',
	'UPDATE modelreg.model SET description = ''x'', audit_seq = audit_seq + 1',
	'UPDATE modelreg.model SET created_by = current_user',
	'DELETE FROM modelreg.model WHERE model_name = ''empty''',
	'DELETE FROM modelreg.model WHERE model_name = ''one''',
	'UPDATE modelreg.model_alias SET model_id = (SELECT model_id FROM modelreg.model_version WHERE notes = ''mine, canary'')',
	'UPDATE modelreg.model_alias SET model_id = ''nobody''',
	'UPDATE modelreg.stage_rule SET allowed = true',
	'DELETE FROM modelreg.stage_rule',
	'UPDATE modelreg.metric_direction SET higher_is_better = false',
	'DELETE FROM modelreg.metric_direction']) AS t;

-- The trail tells who did it, and why
SET SESSION AUTHORIZATION regress_modelreg_writer;
SET modelreg.reason = 'by hand';
UPDATE modelreg.model_version SET deployment_stage = 'staging' WHERE notes = 'other''s, development';
UPDATE modelreg.model_version SET tags = '{new}', notes = 'mine, still' WHERE notes = 'mine, development';
DELETE FROM modelreg.model_version WHERE notes = 'mine, staging';
SET SESSION AUTHORIZATION regress_modelreg_admin;
UPDATE modelreg.model SET description = 'nothing in it' WHERE model_name = 'empty';
DELETE FROM modelreg.model WHERE model_name = 'empty';
UPDATE modelreg.model SET model_name = 'uno' WHERE model_name = 'one';
DELETE FROM modelreg.stage_rule;
RESET modelreg.reason;
RESET SESSION AUTHORIZATION;
SELECT model_name, seq, event, session_user_name, actor, reason, mask(old_values::text) AS old_values, mask(new_values::text) AS new_values
FROM modelreg_history() WHERE reason = 'by hand' AND event NOT IN ('delete', 'model_delete');
SELECT model_name, seq, event, session_user_name, actor, reason, old_values ->> 'version' AS version, new_values
FROM modelreg_history() WHERE reason = 'by hand' AND event IN ('delete', 'model_delete');
SELECT model_name, version, deployment_stage, deployed_at IS NOT NULL AS stamped, tags, notes FROM modelreg_list();
SELECT * FROM modelreg_audit_verify();

DROP FUNCTION trials(text[]), trial_as(text, text);
\set ECHO none
\i :test_dir/lib/attack_end.sql
