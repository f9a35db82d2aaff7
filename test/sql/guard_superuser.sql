--
-- The guards against raw SQL of a superuser, who is stopped by them like
-- anybody else, in replica mode too
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set ECHO all

SELECT model_id AS live FROM modelreg_register('\x6c697665', 'forest', '1.0.0', 'churn',
	'{"f1": 0.8}', 'production', ARRAY['nightly'], 'the first', dataset_version => '2026-01') \gset
SELECT model_id AS next FROM modelreg_register('\x6e657874', 'forest', '1.1.0', 'churn',
	'{"f1": 0.9}', parent_ids => ARRAY[:'live']) \gset
SELECT FROM modelreg_set_alias(:'live', 'champion');
SELECT FROM modelreg_register_files('{a/b}', ARRAY[modelreg_upload_begin()], 'forest', model_name => 'files', performance_metrics => '{"f1": 0.1}');
SELECT FROM modelreg_set_stage_rule('archived', 'staging', false);
SELECT FROM modelreg_set_metric_direction('f1', true);
-- an upload that goes on, one that was given up, and what a scrub has found
SELECT modelreg_upload_append(modelreg_upload_begin(), 'to be continued');
SELECT modelreg_upload_begin() AS aborted \gset
SELECT modelreg_upload_append(:'aborted', convert_to(repeat('0', 300000), 'UTF8'));
SELECT FROM modelreg_upload_abort(:'aborted');
SELECT artifacts > 0 AS scrubbed, damaged FROM modelreg_scrub();

-- What the statement would do, in replica mode.
CREATE FUNCTION replica_trial(statement text) RETURNS text
	LANGUAGE sql
	RETURN trial('SET LOCAL session_replication_role = replica; ' || statement);

-- Every column of every table, set to another value and to NULL
SELECT c.relname AS "table", a.attname AS "column",
	left(trial(u.change), 5) AS changed,
	left(replica_trial(u.change), 5) AS "in replica mode",
	CASE WHEN left(trial(u.removal), 5) IN ('42501', '23502')
			AND left(replica_trial(u.removal), 5) IN ('42501', '23502') THEN 'refused'
		ELSE left(trial(u.removal), 5) END AS "to NULL"
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0,
	LATERAL (
		SELECT CASE format_type(a.atttypid, NULL)
				WHEN 'uuid' THEN 'gen_random_uuid()'
				WHEN 'text' THEN format($$coalesce(%I, '') || 'x'$$, a.attname)
				WHEN 'text[]' THEN format($$%I || 'x'::text$$, a.attname)
				WHEN 'jsonb' THEN $$'{"x": 1}'$$
				WHEN 'bytea' THEN format('sha256(%I)', a.attname)
				WHEN 'boolean' THEN format('NOT coalesce(%I, false)', a.attname)
				WHEN 'timestamp with time zone' THEN format($$coalesce(%I, now()) + interval '1 s'$$, a.attname)
				WHEN 'modelreg.deployment_stage' THEN $$'canary'$$
				WHEN 'modelreg.role_ref' THEN $$'modelreg_reader'$$
				WHEN 'xid8' THEN $$'7'$$
				ELSE format('coalesce(%I, 0) + 1', a.attname)
			END AS value
	) AS v,
	LATERAL (
		SELECT format('UPDATE modelreg.%1$I SET %2$I = %3$s WHERE ctid = (SELECT ctid FROM modelreg.%1$I LIMIT 1)',
				c.relname, a.attname, v.value) AS change,
			format('UPDATE modelreg.%1$I SET %2$I = NULL WHERE ctid = (SELECT ctid FROM modelreg.%1$I LIMIT 1)',
				c.relname, a.attname) AS removal
	) AS u
WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'
ORDER BY c.relname, a.attnum;

-- DELETE and TRUNCATE, of one table and of several
SELECT s.statement, trial(s.statement) AS said,
	CASE WHEN trial(s.statement) = replica_trial(s.statement) THEN 'the same' ELSE replica_trial(s.statement) END AS "in replica mode"
FROM (
	SELECT format(f.form, c.relname) AS statement, f.n, c.relname
	FROM pg_class AS c, (VALUES (1, 'DELETE FROM modelreg.%I'), (2, 'TRUNCATE modelreg.%I')) AS f (n, form)
	WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'
	UNION ALL
	SELECT u.statement, 3, u.statement
	FROM unnest(ARRAY[
		'TRUNCATE modelreg.model_version, modelreg.model, modelreg.audit_event CASCADE',
		'TRUNCATE modelreg.audit_event RESTART IDENTITY CASCADE',
		'TRUNCATE ONLY modelreg.chunk_piece, modelreg.chunk',
		'WITH gone AS (DELETE FROM modelreg.audit_event RETURNING *) SELECT count(*) FROM gone']) AS u (statement)
) AS s
ORDER BY s.n, s.relname COLLATE "C";

SELECT FROM modelreg_delete_model('files');

-- Statements that insert and update, or delete, in one
SELECT s.statement, trial(s.statement) AS said,
	CASE WHEN trial(s.statement) = replica_trial(s.statement) THEN 'the same' ELSE replica_trial(s.statement) END AS "in replica mode"
FROM unnest(ARRAY[
	'INSERT INTO modelreg.model_version SELECT * FROM modelreg.model_version ON CONFLICT (model_id) DO UPDATE SET checksum = repeat(''0'', 64)',
	'INSERT INTO modelreg.audit_event SELECT * FROM modelreg.audit_event ON CONFLICT (model_key, seq) DO UPDATE SET actor = ''nobody''',
	'INSERT INTO modelreg.chunk_piece SELECT * FROM modelreg.chunk_piece ON CONFLICT (chunk, piece_no) DO UPDATE SET data = ''\x00''',
	'INSERT INTO modelreg.model SELECT * FROM modelreg.model ON CONFLICT (model_key) DO UPDATE SET audit_seq = 1',
	'INSERT INTO modelreg.artifact SELECT * FROM modelreg.artifact ON CONFLICT (sha256) DO UPDATE SET artifact_size = 1',
	'MERGE INTO modelreg.model_version AS v USING modelreg.model AS m ON v.model_key = m.model_key WHEN MATCHED THEN UPDATE SET version = ''9.9.9''',
	'MERGE INTO modelreg.model_version AS v USING modelreg.model AS m ON v.model_key = m.model_key WHEN MATCHED AND v.version = ''1.0.0'' THEN DELETE',
	'MERGE INTO modelreg.audit_event AS e USING modelreg.model AS m ON e.model_key = m.model_key WHEN MATCHED THEN DELETE',
	'MERGE INTO modelreg.chunk AS c USING modelreg.artifact_chunk AS a ON a.chunk = c.chunk WHEN MATCHED THEN UPDATE SET codec = 1']) AS s (statement);

-- One production version; one that is live stays; legal moves only
SELECT attempt(format('UPDATE modelreg.model_version SET deployment_stage = ''production'' WHERE model_id = %L', :'next'));
SELECT attempt('UPDATE modelreg.model_version SET deployment_stage = ''production''');
SELECT attempt(format('DELETE FROM modelreg.model_version WHERE model_id = %L', :'live'));
SELECT attempt(format('UPDATE modelreg.model_version SET deployment_stage = ''archived'' WHERE model_id = %L', :'next'));
SELECT attempt(format('UPDATE modelreg.model_version SET deployment_stage = ''production'' WHERE model_id = %L', :'next'));
SELECT attempt(format('UPDATE modelreg.model_version SET deployment_stage = ''staging'' WHERE model_id = %L', :'next'));
SELECT replica_trial(format('UPDATE modelreg.model_version SET deployment_stage = ''staging'' WHERE model_id = %L', :'next'));
SELECT attempt(format('UPDATE modelreg.model_version SET deployment_stage = ''canary'' WHERE model_id = %L', :'next'));

-- deployed_at tells of the last move and of nothing else
SELECT attempt('UPDATE modelreg.model_version SET deployed_at = ''2020-01-01''');
SELECT attempt('UPDATE modelreg.model_version SET deployed_at = NULL WHERE deployed_at IS NOT NULL');
SELECT version, deployment_stage, deployed_at IS NOT NULL AS stamped FROM modelreg.model_version ORDER BY version_number;

-- Metadata is held to the same rules as in the functions
SELECT change, attempt(format('UPDATE modelreg.model_version SET %s WHERE model_id = %L', change, :'next')) AS said
FROM unnest(ARRAY[
	'performance_metrics = ''[]''', 'performance_metrics = ''{"f1": "high"}''', 'performance_metrics = ''{"f1": {"macro": 1}}''',
	'performance_metrics = ''{"f1": null}''', 'performance_metrics = ''{"f1": 1e400}''', 'performance_metrics = ''{"": 1}''',
	'performance_metrics = ''null''', 'performance_metrics = ''{"a\u0007b": 1}''',
	'tags = ARRAY[NULL::text]', 'tags = ARRAY[ARRAY[''a''], ARRAY[''b'']]', 'tags = ARRAY[''a'', '''']',
	'tags = ARRAY[repeat(''x'', 257)]', 'tags = ARRAY(SELECT i::text FROM generate_series(1, 1001) AS i)',
	'notes = repeat(''x'', 1024 * 1024 + 1)']) AS change;

-- What is legal is recorded, with the reason that the session set
SET modelreg.reason = 'by hand';
SELECT attempt(format('UPDATE modelreg.model_version SET notes = ''better'', tags = ''{a,b}'', performance_metrics = ''{"f1": 0.95}'' WHERE model_id = %L', :'next'));
SELECT attempt(format('UPDATE modelreg.model_version SET notes = notes, deployment_stage = deployment_stage WHERE model_id = %L', :'next'));
RESET modelreg.reason;
-- the two change places in one statement
SELECT attempt('UPDATE modelreg.model_version SET deployment_stage = CASE version WHEN ''1.0.0'' THEN ''deprecated'' ELSE ''production'' END::modelreg.deployment_stage');
SELECT seq, event, actor, reason, mask(old_values::text) AS old_values, mask(new_values::text) AS new_values
FROM modelreg_history('churn') WHERE seq > 3 ORDER BY seq;
SELECT * FROM modelreg_audit_verify();

-- A model: the new name and exclusive_production spread to the versions
SET modelreg.reason = 'a better name';
SELECT attempt('UPDATE modelreg.model SET model_name = ''attrition'', exclusive_production = false, tags = ''{core}'', max_versions = 3');
RESET modelreg.reason;
SELECT model_name, version, exclusive_production, model_id = :'next' AS same_id FROM modelreg.model_version WHERE version = '1.1.0';
SELECT change, attempt('UPDATE modelreg.model SET ' || change) AS said
FROM unnest(ARRAY['model_name = ''''', 'model_name = E''a\tb''', 'model_name = repeat(''x'', 257)', 'max_versions = 0', 'properties = ''[]''']) AS change;
SELECT change, attempt('UPDATE modelreg.model_version SET ' || change) AS said
FROM unnest(ARRAY['model_name = ''churn''', 'exclusive_production = true']) AS change;
-- two versions in production now: exclusive no more until one has left
SELECT attempt('UPDATE modelreg.model_version SET deployment_stage = ''production''');
SELECT attempt('UPDATE modelreg.model SET exclusive_production = true');
SELECT attempt(format('UPDATE modelreg.model_version SET deployment_stage = ''deprecated'' WHERE model_id = %L', :'live'));
SELECT attempt('UPDATE modelreg.model SET exclusive_production = true');
SELECT seq, event, actor, reason, mask(old_values::text) AS old_values, mask(new_values::text) AS new_values
FROM modelreg_history('attrition') WHERE seq > 8 ORDER BY seq;

-- Settings of the registry: recorded when a row changes, or goes
SET modelreg.reason = 'by hand';
SELECT attempt('UPDATE modelreg.stage_rule SET allowed = NOT allowed');
SELECT attempt('UPDATE modelreg.metric_direction SET higher_is_better = NOT higher_is_better');
SELECT attempt('DELETE FROM modelreg.stage_rule');
RESET modelreg.reason;
SELECT seq, event, actor, reason, old_values, new_values
FROM modelreg_history() WHERE model_name IS NULL ORDER BY seq;
SELECT * FROM modelreg_audit_verify();

-- Counters cannot go back
SELECT change, trial('UPDATE modelreg.model SET ' || change) AS said
FROM unnest(ARRAY['last_version_number = 1', 'last_version_number = 0, last_registered_at = NULL', 'last_registered_at = ''2020-01-01''',
	'last_id_suffix = 0', 'highest_version = ''1.0.0''', 'highest_version = ''1.1.0-rc.1''', 'highest_version = NULL',
	'audit_seq = 1', 'audit_at = ''2020-01-01''', 'audit_seq = 0, audit_at = NULL, audit_hash = sha256('''')']) AS change;

-- Stored bytes: what is in use stays; what is not goes from the top down
SELECT attempt(format('DELETE FROM modelreg.model_version WHERE model_id = %L', :'live'));
SELECT chunk AS live_chunk, content AS live_content FROM modelreg.artifact_chunk JOIN modelreg.artifact USING (content) WHERE sha256 = sha256('live') \gset
SELECT mask(statement) AS statement, attempt(statement) AS said
FROM unnest(ARRAY[
	format('DELETE FROM modelreg.chunk_piece WHERE chunk = %L', :'live_chunk'),
	format('DELETE FROM modelreg.chunk WHERE chunk = %L', :'live_chunk'),
	format('DELETE FROM modelreg.artifact_chunk WHERE content = %L', :'live_content'),
	'DELETE FROM modelreg.artifact WHERE sha256 = sha256(''next'')',
	'DELETE FROM modelreg.artifact WHERE sha256 = sha256(''live'')',
	format('DELETE FROM modelreg.artifact_chunk WHERE content = %L', :'live_content'),
	format('DELETE FROM modelreg.chunk_piece WHERE chunk = %L', :'live_chunk'),
	format('DELETE FROM modelreg.chunk WHERE chunk = %L', :'live_chunk'),
	format('DELETE FROM modelreg.chunk_piece WHERE chunk = %L', :'live_chunk')]) AS statement;
SELECT convert_from(modelreg_load(:'next'), 'UTF8');
SELECT ok, problem FROM modelreg_verify();
SELECT * FROM modelreg_audit_verify();

-- What a superuser can do is found: rows put in, changes that replica mode
-- does not record, counters set forward
BEGIN;
INSERT INTO modelreg.model_version
	SELECT (jsonb_populate_record(v, '{"model_id": "forged", "version": "7.0.0", "version_number": 3, "deployment_stage": "staging"}')).*
	FROM modelreg.model_version AS v WHERE model_id = :'next';
SELECT * FROM modelreg_audit_verify();
ROLLBACK;
BEGIN;
COPY modelreg.stage_rule FROM stdin;
staging	production	f
\.
SELECT * FROM modelreg_audit_verify();
ROLLBACK;
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE modelreg.model_version SET deployment_stage = 'staging', notes = 'nobody saw it' WHERE model_id = :'next';
SELECT model_name, events, ok, first_bad_seq, mask(problem) AS problem FROM modelreg_audit_verify();
ROLLBACK;
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE modelreg.model SET model_name = 'unseen';
SELECT model_name, events, ok, first_bad_seq, mask(problem) AS problem FROM modelreg_audit_verify();
ROLLBACK;
BEGIN;
UPDATE modelreg.model SET audit_seq = audit_seq + 1, last_version_number = 7;
SELECT model_name, events, ok, first_bad_seq, mask(problem) AS problem FROM modelreg_audit_verify();
ROLLBACK;

-- A rule is what it is about: its key stays
SELECT FROM modelreg_set_stage_rule('archived', 'staging', false);
SELECT attempt('UPDATE modelreg.metric_direction SET metric = ''accuracy''');
SELECT attempt('UPDATE modelreg.stage_rule SET from_stage = ''canary''');
SELECT * FROM modelreg_audit_verify();

-- What stamps updates stamps nothing else
SELECT attempt('CREATE TRIGGER aaa BEFORE DELETE ON modelreg.model_version FOR EACH ROW EXECUTE FUNCTION modelreg.stamp_version();
	DELETE FROM modelreg.model_version');
SELECT attempt('CREATE TRIGGER aaa BEFORE DELETE ON modelreg.model_alias FOR EACH ROW EXECUTE FUNCTION modelreg.stamp_alias();
	DELETE FROM modelreg.model_alias');

DROP FUNCTION replica_trial(text);
\set ECHO none
\i :test_dir/lib/attack_end.sql
