--
-- Arguments of any collation: every function takes them, and does the same
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set ECHO all
CREATE COLLATION alike (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SELECT model_id FROM modelreg_register('1', 'forest', model_name => 'fıxed', performance_metrics => '{"f1": 1, "Loss": 2}') \gset
SELECT model_id AS second FROM modelreg_register('2', 'forest', model_name => 'fıxed', performance_metrics => '{"f1": 2}', parent_ids => ARRAY[:'model_id']) \gset
SELECT alias FROM modelreg_set_alias(:'second', 'champion');
-- another that only differs in case
SELECT count(*) FROM modelreg_register('3', 'forest', model_name => 'FIXED', performance_metrics => '{"F1": 1}');

-- What an argument of that name is given
CREATE TABLE sample (name text PRIMARY KEY, value text);
INSERT INTO sample VALUES
	('model_id', :'model_id'), ('model_ids', :'second'), ('parent_ids', :'model_id'), ('before_id', :'second'),
	('model_name', 'fıxed'), ('model_type', 'forest'), ('new_name', 'renamed'), ('alias', 'champion'),
	('deployment_stage', 'development'), ('new_stage', 'staging'), ('from_stage', 'canary'), ('to_stage', 'staging'), ('from_role', 'modelreg_reader'), ('to_role', 'modelreg_reader'),
	('version', '3.1.4'), ('a', '1.0.0'), ('b', '1.0.0-RC'), ('metric', 'Loss'), ('metrics', 'Loss'), ('reset', 'max_versions'),
	('schedule', '1 3 * * *'), ('function_name', 'schedule'), ('tags', 'I');

-- Each function that takes text, called with such arguments; those that have a
-- default are given all, and none
CREATE VIEW call AS
SELECT p.oid::regprocedure AS function, k.coll, g.all_given,
	format(CASE p.prokind WHEN 'p' THEN 'CALL %s(%s)' ELSE 'SELECT * FROM %s(%s)' END, p.oid::regproc,
		string_agg(format('%I => ', a.name) || CASE
			WHEN a.name IN ('path', 'expected_checksum') THEN 'NULL'
			WHEN a.type = 'text'::regtype THEN format('%L::text', coalesce(s.value, 'x')) || k.coll
			WHEN a.type = 'text[]'::regtype THEN format('%L::text[]', ARRAY[coalesce(s.value, 'x')]) || k.coll
			WHEN a.type = 'bytea'::regtype THEN '''4'''
			WHEN a.name = 'performance_metrics' THEN '''{"f1": 1}'''
			WHEN a.name IN ('client', 'old_values', 'new_values') THEN '''{}'''
			WHEN a.name = 'upload_id' THEN 'modelreg_upload_begin()'
			WHEN a.type = 'boolean'::regtype THEN 'true'
			WHEN a.type IN ('integer'::regtype, 'bigint'::regtype, 'smallint'::regtype) THEN '1::' || a.type::regtype
			WHEN a.name = 'instant' THEN 'now()'
			WHEN a.name = 'upload_ids' THEN 'ARRAY[modelreg_upload_begin()]'
			ELSE format('NULL::%s', a.type::regtype)
		END, ', ' ORDER BY a.n)) AS statement
FROM pg_proc AS p
JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'modelreg'
CROSS JOIN (VALUES (''), (' COLLATE "de-x-icu"'), (' COLLATE alike'), (' COLLATE "C"')) AS k (coll)
CROSS JOIN (VALUES (true), (false)) AS g (all_given)
CROSS JOIN LATERAL (
	SELECT u.n, p.proargnames[u.n] AS name, u.type, u.n > p.pronargs - p.pronargdefaults AS default_given
	FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS u (type, n)) AS a
LEFT JOIN sample AS s USING (name)
WHERE p.prokind <> 'a' AND p.proargtypes::oid[] && ARRAY['text'::regtype, 'text[]'::regtype]::oid[]
	AND (g.all_given OR NOT a.default_given OR a.name IN ('model_name', 'model_id', 'metrics'))
GROUP BY p.oid, p.prokind, k.coll, g.all_given;
-- what it returns, or the error; it is undone
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	EXECUTE format(CASE WHEN statement LIKE 'CALL%' THEN '%s' ELSE 'SELECT string_agg(r::text, chr(10)) FROM (%s) AS r' END, statement) INTO said;
	RAISE EXCEPTION USING ERRCODE = 'TTTTT', MESSAGE = coalesce(said, 'nothing');
EXCEPTION WHEN others THEN
	RETURN mask(regexp_replace(CASE SQLSTATE WHEN 'TTTTT' THEN 'ok' ELSE SQLSTATE END || ' ' || SQLERRM, '\d\d:\d\d:\d\d(\.\d+)?|[0-9a-f]{64}', '<varies>', 'g'));
END
$$;
CREATE TABLE called AS SELECT c.function, c.coll, c.all_given, c.statement, outcome(c.statement) AS said FROM call AS c;
SELECT count(DISTINCT function) > 35 AS functions FROM called;
-- with plain text these do nothing
SELECT DISTINCT said, function FROM called WHERE coll = '' AND said !~ '^ok ' ORDER BY 1, 2;
-- and with another collation these do something else
SELECT p.function, c.coll, p.said, c.said
FROM called AS p JOIN called AS c USING (function, all_given)
WHERE p.coll = '' AND c.said IS DISTINCT FROM p.said;

-- What differs in case is different, whatever the collation of the argument says
SELECT count(*) FROM modelreg_list(model_name => 'FIXED' COLLATE alike);
SELECT count(*) FROM modelreg_info(replace(:'model_id', 'f', 'F') COLLATE alike);
SELECT count(*) FROM modelreg_history('FIXED' COLLATE alike);
SELECT count(*) FROM modelreg_history(model_id => replace(:'model_id', 'f', 'F') COLLATE alike);
SELECT count(*) FROM modelreg_at(now(), 'FIXED' COLLATE alike);
SELECT count(*) FROM modelreg_resolve('FIXED' COLLATE alike, 'champion' COLLATE alike);
SELECT count(*) FROM modelreg_resolve('fıxed' COLLATE alike, 'Champion' COLLATE alike);
SELECT count(*) FROM modelreg_audit_verify('FIXED' COLLATE alike);
SELECT count(*) FROM modelreg_audit_verify('Fixed' COLLATE alike);
SELECT metric, value FROM modelreg_compare(ARRAY[:'model_id'] COLLATE alike, '{LOSS,loss,Loss,F1,f1}'::text[] COLLATE alike);
-- arguments from columns
CREATE TABLE argument (id text COLLATE "de-x-icu", name text COLLATE alike);
INSERT INTO argument VALUES (:'model_id', 'fıxed');
SELECT count(i), count(h), count(c) FROM argument AS a, modelreg_info(a.id) AS i, modelreg_history(a.name, a.id) AS h, modelreg_compare(ARRAY[a.id]) AS c;
SELECT count(v) FROM argument AS a, modelreg_verify(a.id) AS v WHERE v.ok;
SELECT count(u) FROM argument AS a, modelreg_update(a.id, notes => a.name) AS u;

\set ECHO none
SET client_min_messages = warning;
DROP TABLE sample, called, argument CASCADE;
RESET client_min_messages;
DROP FUNCTION outcome;
DROP COLLATION alike;
\i :test_dir/lib/attack_end.sql
