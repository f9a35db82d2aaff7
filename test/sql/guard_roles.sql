--
-- Raw SQL of roles that no DBA granted anything else: nobody writes to the
-- tables, PUBLIC sees nothing, readers see all but the bytes
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set ECHO all

SELECT model_id AS id FROM modelreg_register('\x01', 'forest', performance_metrics => '{"f1": 0.8}') \gset
SELECT FROM modelreg_set_alias(:'id', 'champion');
SELECT FROM modelreg_register_files('{a/b}', ARRAY[modelreg_upload_begin()], 'forest', model_name => 'files', performance_metrics => '{"f1": 0.1}');
SELECT FROM modelreg_set_stage_rule('archived', 'staging', false);
SELECT FROM modelreg_set_metric_direction('f1', true);
-- an upload that goes on, one that was given up, and what a scrub has found
SELECT modelreg_upload_append(modelreg_upload_begin(), 'to be continued');
SELECT modelreg_upload_begin() AS aborted \gset
SELECT modelreg_upload_append(:'aborted', convert_to(repeat('0', 300000), 'UTF8'));
SELECT FROM modelreg_upload_abort(:'aborted');
SELECT artifacts > 0 AS scrubbed, damaged FROM modelreg_scrub();

-- What the statement would do, run by one of our roles.
CREATE FUNCTION trial_as(attacker text, statement text) RETURNS text
	LANGUAGE sql
	RETURN trial(format('SET LOCAL SESSION AUTHORIZATION regress_modelreg_%s; %s', attacker, statement));

-- Who may read what
SELECT c.relname AS "table or view", r.*
FROM pg_class AS c,
	LATERAL (
		SELECT max(left(s.said, 5)) FILTER (WHERE s.attacker = 'nobody') AS nobody,
			max(left(s.said, 5)) FILTER (WHERE s.attacker = 'reader') AS reader,
			max(left(s.said, 5)) FILTER (WHERE s.attacker = 'writer') AS writer,
			max(left(s.said, 5)) FILTER (WHERE s.attacker = 'admin') AS admin
		FROM (
			SELECT a.attacker, trial_as(a.attacker, format('SELECT FROM modelreg.%I LIMIT 1', c.relname)) AS said
			FROM unnest(ARRAY['nobody', 'reader', 'writer', 'admin']) AS a (attacker)
		) AS s
	) AS r
WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind IN ('r', 'v')
ORDER BY c.relkind, c.relname;

-- Who may write: the outcomes of INSERT, UPDATE, DELETE, TRUNCATE and of
-- locks for every table and role
SELECT said, count(*)
FROM pg_class AS c,
	unnest(ARRAY['nobody', 'reader', 'writer', 'admin']) AS a (attacker),
	unnest(ARRAY[
		'INSERT INTO modelreg.%I DEFAULT VALUES',
		'DELETE FROM modelreg.%I',
		'TRUNCATE modelreg.%I',
		'LOCK TABLE modelreg.%I IN ACCESS EXCLUSIVE MODE',
		'LOCK TABLE modelreg.%I IN SHARE MODE',
		'SELECT FROM modelreg.%I FOR UPDATE']) AS f (form),
	LATERAL trial_as(a.attacker, format(f.form, c.relname)) AS t (result),
	LATERAL (SELECT regexp_replace(t.result, ' (table|view) \w+$', ' ...')) AS m (said)
WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'
GROUP BY said
ORDER BY said;
SELECT said, count(*)
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0,
	unnest(ARRAY['nobody', 'reader', 'writer', 'admin']) AS r (attacker),
	LATERAL trial_as(r.attacker, format('UPDATE modelreg.%1$I SET %2$I = %2$I', c.relname, a.attname)) AS t (result),
	LATERAL (SELECT regexp_replace(t.result, ' (table|view) \w+$', ' ...')) AS m (said)
WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'
GROUP BY said
ORDER BY said;

-- COPY goes the same way (\copy: what psql does with lines for a COPY that was
-- refused differs from one of its minor versions to the next)
SET SESSION AUTHORIZATION regress_modelreg_admin;
\copy modelreg.audit_event FROM /dev/null
COPY modelreg.chunk_piece TO stdout; -- error
RESET SESSION AUTHORIZATION;

-- Nor does anybody own, alter or drop anything, or put something of his own there
SELECT s.statement, left(trial_as('admin', s.statement), 5) AS said
FROM unnest(ARRAY[
	'ALTER TABLE modelreg.audit_event DISABLE TRIGGER ALL',
	'ALTER TABLE modelreg.audit_event DISABLE TRIGGER audit_event_row_guard',
	'DROP TRIGGER audit_event_row_guard ON modelreg.audit_event',
	'CREATE TRIGGER mine BEFORE UPDATE ON modelreg.model_version FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
	'CREATE RULE mine AS ON UPDATE TO modelreg.model_version DO INSTEAD NOTHING',
	'CREATE POLICY mine ON modelreg.model_version USING (false)',
	'ALTER TABLE modelreg.model_version ADD COLUMN mine int',
	'ALTER TABLE modelreg.model_version OWNER TO regress_modelreg_admin',
	'DROP TABLE modelreg.audit_event',
	'CREATE INDEX ON modelreg.model_version (notes)',
	'CREATE TABLE modelreg.mine ()',
	'CREATE FUNCTION modelreg.lower(text) RETURNS text LANGUAGE sql RETURN $1',
	'CREATE OR REPLACE FUNCTION modelreg.higher_is_better(metric text) RETURNS boolean LANGUAGE sql RETURN true',
	'ALTER FUNCTION modelreg_register SET search_path = mine',
	'ALTER TYPE modelreg.deployment_stage ADD VALUE ''mine''',
	'DROP SCHEMA modelreg CASCADE',
	'DROP EXTENSION modelreg CASCADE',
	'ALTER EXTENSION modelreg DROP TABLE modelreg.audit_event',
	'COMMENT ON TABLE modelreg.model IS ''mine''',
	'SET ROLE modelreg_owner',
	'SET session_replication_role = replica']) AS s (statement);

-- Trigger functions cannot be attached elsewhere: they would record what never was
SELECT p.proname, trial_as('admin', format('CREATE TEMP TABLE mine (LIKE modelreg.model_version); CREATE TRIGGER t %s ON mine FOR EACH ROW EXECUTE FUNCTION modelreg.%I()',
		CASE WHEN p.proname LIKE 'record%' THEN 'AFTER UPDATE' ELSE 'BEFORE UPDATE' END, p.proname)) AS said
FROM pg_proc AS p
WHERE p.pronamespace = 'modelreg'::regnamespace AND p.prorettype = 'trigger'::regtype
ORDER BY p.proname;
-- and a superuser who attaches them wrongly gets an error
CREATE TEMP TABLE mine (model_id text);
INSERT INTO mine VALUES ('x');
SELECT p.proname, t.timing, t.level, trial(format('CREATE TRIGGER t %s ON pg_temp.mine FOR EACH %s EXECUTE FUNCTION modelreg.%I(); UPDATE mine SET model_id = ''y''',
		t.timing || ' UPDATE', t.level, p.proname)) AS said
FROM (VALUES ('AFTER', 'STATEMENT'), ('BEFORE', 'ROW'), ('AFTER', 'ROW')) AS t (timing, level),
	pg_proc AS p
WHERE p.pronamespace = 'modelreg'::regnamespace AND p.prorettype = 'trigger'::regtype
	AND NOT (t.timing = 'BEFORE' AND p.proname NOT LIKE 'record%' AND p.proname <> 'guard_statement')
	AND NOT (t.timing = 'AFTER' AND t.level = 'ROW' AND p.proname LIKE 'record%')
ORDER BY p.proname COLLATE "C", t.timing, t.level;
SELECT * FROM modelreg_audit_verify();

DROP FUNCTION trial_as(text, text);
\set ECHO none
\i :test_dir/lib/attack_end.sql
