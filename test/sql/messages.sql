--
-- A message repeats no more of what a caller sent than a name may be long
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
SELECT model_id AS id FROM modelreg_register('bytes', 'm', performance_metrics => '{"f1": 0.5}') \gset
SELECT FROM modelreg_set_alias(:'id', 'a');
SELECT FROM modelreg_set_stage_rule('canary', 'archived', true);
SELECT FROM modelreg_set_metric_direction('f1', true);

-- Runs a statement, takes it back, and tells the length of the longest part of
-- the error, if there was one
CREATE FUNCTION pg_temp.longest(statement text, argument anyelement, OUT state text, OUT bytes int, OUT message text)
	LANGUAGE plpgsql
	AS $$
DECLARE
	detail text;
	hint text;
	context text;
BEGIN
	EXECUTE statement USING argument;
	RAISE SQLSTATE 'P9999';
EXCEPTION
	WHEN SQLSTATE 'P9999' THEN
		RETURN;
	WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
		bytes := greatest(octet_length(message), octet_length(detail), octet_length(hint), octet_length(context));
END
$$;

-- What an argument is while another one is tried
CREATE TEMPORARY TABLE usual (argument text, value text);
INSERT INTO usual VALUES
	('model_id', quote_literal(:'id')), ('before_id', quote_literal(:'id')), ('model_ids', format('ARRAY[%L]', :'id')),
	('model_name', '''m'''), ('model_type', '''m'''), ('new_name', '''n'''), ('new_stage', '''staging'''), ('from_stage', '''canary'''), ('to_stage', '''archived'''),
	('alias', '''a'''), ('metric', '''f1'''), ('paths', '''{p}'''), ('upload_id', 'modelreg_upload_begin()'), ('upload_ids', 'ARRAY[modelreg_upload_begin()]'),
	('artifact', '''\x01'''), ('data', '''\x01'''), ('performance_metrics', '''{"f1": 1}'''), ('anchor', 'modelreg_audit_head()'),
	('instant', 'now()'), ('allowed', 'true'), ('higher_is_better', 'true'), ('event', '''register''');
CREATE TEMPORARY TABLE megabyte AS
	SELECT n, repeat(t, 1048576 / octet_length(t)) AS text FROM (VALUES (1, 'x'), (2, 'é')) AS v (n, t);

-- Every text, list and object that a function of ours takes
CREATE TEMPORARY TABLE tried AS
	SELECT p.proname, p.proargnames[n] AS argument, p.proargtypes[n - 1]::regtype AS type,
		format('SELECT * FROM %s(%s)', p.oid::regproc, (
			SELECT string_agg(CASE WHEN i = n THEN '$1' ELSE format('%s::%s', coalesce(u.value, 'NULL'), format_type(p.proargtypes[i - 1], NULL)) END, ', ' ORDER BY i)
			FROM generate_series(1, p.pronargs) AS i LEFT JOIN usual AS u ON u.argument = p.proargnames[i])) AS statement
	FROM pg_proc AS p
	JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
	CROSS JOIN generate_series(1, p.pronargs) AS n
	WHERE e.extname = 'modelreg' AND p.prokind = 'f' AND p.proargtypes[n - 1] IN ('text'::regtype, 'text[]'::regtype, 'jsonb'::regtype, 'bytea'::regtype);
SELECT type, count(*) > 3 AS many FROM tried GROUP BY type ORDER BY type;
CREATE TEMPORARY TABLE object AS
	SELECT n, replace(o.object, '$', m.text)::jsonb AS object
	FROM (VALUES ('{"$": 1}'), ('{"f1": "$"}'), ('{"format": 1, "heads": {"$": 1}}')) AS o (object), megabyte AS m WHERE n = 1;
CREATE TEMPORARY TABLE said AS
	SELECT t.proname, t.argument, t.type, m.n, s.* FROM tried AS t, megabyte AS m, LATERAL pg_temp.longest(t.statement, m.text) AS s WHERE type = 'text'::regtype
	UNION ALL
	SELECT t.proname, t.argument, t.type, m.n, s.* FROM tried AS t, megabyte AS m, LATERAL pg_temp.longest(t.statement, ARRAY[m.text]) AS s WHERE type = 'text[]'::regtype
	UNION ALL
	SELECT t.proname, t.argument, t.type, m.n, s.* FROM tried AS t, megabyte AS m, LATERAL pg_temp.longest(t.statement, convert_to(m.text, 'UTF8')) AS s WHERE type = 'bytea'::regtype
	UNION ALL
	SELECT t.proname, t.argument, t.type, o.n, s.* FROM tried AS t, object AS o, LATERAL pg_temp.longest(t.statement, o.object) AS s WHERE type = 'jsonb'::regtype;
SELECT proname, argument, n, state, bytes, left(message, 100) AS message FROM said WHERE bytes > 1200 ORDER BY proname, argument, n;
-- an unexpected code would be an error of somebody else's
SELECT state, count(*) > 0 AS some FROM said WHERE state NOT IN ('22023', '42704', '54000') GROUP BY state ORDER BY state;
-- the same for what is longer than a name, but not by far
SELECT DISTINCT replace(replace(message, repeat('x', 256), '<256 times x>'), :'id', '<id>') COLLATE "C" AS message
FROM tried AS t, LATERAL pg_temp.longest(t.statement, repeat('x', 256) || 'yz') AS s WHERE type = 'text'::regtype AND message LIKE '%xxx%' ORDER BY message;

-- Plain SQL, in every column that is a text, a list or an object
SELECT n, s.state, bytes, relname, attname, left(message, 100) AS message
FROM megabyte AS m, pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid,
	LATERAL pg_temp.longest(format('UPDATE modelreg.%I SET %I = %s', relname, attname,
		CASE atttypid WHEN 'text'::regtype THEN '$1' WHEN 'text[]'::regtype THEN 'ARRAY[$1]' ELSE 'jsonb_build_object($1, $1)' END), m.text) AS s
WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND a.atttypid IN ('text'::regtype, 'text[]'::regtype, 'jsonb'::regtype)
	AND bytes > 1200;

\set VERBOSITY terse
CALL modelreg_cleanup(model_name => repeat('x', 1048576)); -- error
\set VERBOSITY default
-- no pg_cron here, and its own error would repeat it
SELECT state, bytes < 1200 AS short FROM pg_temp.longest('SELECT modelreg_schedule_cleanup($1)', repeat('*', 1048576));
SELECT ok, problem FROM modelreg_audit_verify();
