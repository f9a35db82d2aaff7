--
-- Every column of every table, changed behind the back of the guards: that is
-- found by modelreg_audit_verify or modelreg_verify, or the column is named
-- below as one that nothing covers.  Columns are taken from the catalog, so a
-- new one has to be covered, or named.  And whatever is in a column, the
-- verification of the others goes on.
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set ECHO all

-- Something of everything
SELECT model_id AS v1 FROM modelreg_register(convert_to(repeat('x', 9000), 'UTF8'), 'forest', '1.0.0', 'churn', '{"f1": 0.8}',
	'production', '{live}', 'first', '{"depth": 3}', '{"s": 1}', '2026-01', properties => '{"p": 1}') \gset
SELECT model_id AS v2 FROM modelreg_register('\x02', 'forest', '1.10.0', 'churn', '{"f1": 0.9}', parent_ids => ARRAY[:'v1']) \gset
SELECT FROM modelreg_register('\x03', 'forest', '1.9.0', 'churn', '{"f1": 0.7}', tags => '{old}');
SELECT FROM modelreg_update_stage(:'v2', 'canary');
SELECT FROM modelreg_update_model('churn', 'who leaves', '{a}', '{"k": 1}', max_versions => 50, auto_cleanup => false, require_metadata => true);
SELECT FROM modelreg_set_alias(:'v1', 'champion');
SELECT FROM modelreg_register_files('{a/b}', ARRAY[modelreg_upload_begin()], 'forest', model_name => 'files', performance_metrics => '{"f1": 0.1}');
SELECT FROM modelreg_register('\x04', 'x', model_name => 'whole', performance_metrics => '{"f1": 1}');
SELECT FROM modelreg_set_stage_rule('archived', 'staging', false);
SELECT FROM modelreg_set_metric_direction('f1', true);
SELECT FROM modelreg_upload_append(modelreg_upload_begin(10), 'continued');
SELECT modelreg_upload_begin() AS aborted \gset
SELECT FROM modelreg_upload_append(:'aborted', convert_to(repeat('0', 300000), 'UTF8'));
SELECT FROM modelreg_upload_abort(:'aborted');
SELECT FROM modelreg_scrub();

-- Columns that no verification covers (nor are bytes that belong to no
-- artifact, an upload's and discarded ones, which have rows in the byte tables)
CREATE TEMP TABLE uncovered ("table" text, "column" text, reason text);
INSERT INTO uncovered
SELECT 'upload', c, 'what was never registered is not verified; the upload itself is, when it goes on'
FROM unnest('{upload_id,created_by,created_at,last_append_at,expected_size,bytes_held,storage,progress,state,digest,owner}'::text[]) AS c
UNION ALL
SELECT 'discarded_content', c, 'nothing depends on what waits for cleanup'
FROM unnest('{storage,discarded_at}'::text[]) AS c
UNION ALL
SELECT 'artifact_check', c, 'a note of the last scrub, which the next one makes anew from the bytes'
FROM unnest('{sha256,verified_at,problem}'::text[]) AS c;

-- What the statement leads both verifications to say, after which it is undone
CREATE FUNCTION found_after(statement text) RETURNS text
	LANGUAGE plpgsql
	AS $$
DECLARE
	said text;
	guarded record;
	touched bigint;
BEGIN
	SET LOCAL session_replication_role = replica;
	FOR guarded IN SELECT c.oid::regclass AS name FROM pg_class AS c WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'
	LOOP
		EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', guarded.name);
	END LOOP;
	ALTER TABLE modelreg.chunk DROP CONSTRAINT chunk_raw_size_check, DROP CONSTRAINT chunk_stored_size_check;
	ALTER TABLE modelreg.stage_rule DROP CONSTRAINT stage_rule_check;
	EXECUTE statement;
	GET DIAGNOSTICS touched = ROW_COUNT;
	SELECT string_agg(v.problem, '; ') INTO said
	FROM (
		SELECT a.problem FROM modelreg_audit_verify() AS a WHERE NOT a.ok
		UNION ALL
		SELECT b.problem FROM modelreg_verify() AS b WHERE NOT b.ok
	) AS v;
	RAISE EXCEPTION USING ERRCODE = 'P9999', MESSAGE = coalesce('found: ' || said, CASE touched WHEN 0 THEN 'no change' ELSE 'nothing found' END);
EXCEPTION
	WHEN SQLSTATE 'P9999' THEN
		RETURN SQLERRM;
	WHEN others THEN
		RETURN 'error ' || SQLSTATE || ': ' || SQLERRM;
END
$$;
SELECT found_after('SELECT');

-- The column's values to be, by type; the first is a small change of what is there
CREATE FUNCTION values_for(type text) RETURNS text[]
	LANGUAGE sql
	RETURN CASE type
		WHEN 'uuid' THEN ARRAY[$$overlay(%1$I::text PLACING CASE left(%1$I::text, 1) WHEN '0' THEN '1' ELSE '0' END FROM 1 FOR 1)::uuid$$]
		WHEN 'text' THEN ARRAY[$$coalesce(%1$I, '') || 'x'$$, $$''$$, $$'1.9.0'$$, $$repeat('ü', 10000)$$]
		WHEN 'text[]' THEN ARRAY[$$%1$I || 'x'::text$$, $$'{}'$$, $$'{{NULL,a},{b,NULL}}'$$]
		WHEN 'jsonb' THEN ARRAY[$$coalesce(%1$I, '{}') || '{"x": 1}'$$, $$'"s"'$$, $$'null'$$, $$'17'$$, $$'[]'$$, $$'[1, {"model_name": 2}]'$$, $$'{}'$$,
			$$'{"alias": [], "model_name": {}, "version": 3, "deployment_stage": "x"}'$$, $$jsonb_build_object('x', 1e131071)$$]
		WHEN 'bytea' THEN ARRAY[$$CASE WHEN length(%1$I) > 0 THEN set_byte(%1$I, 0, get_byte(%1$I, 0) # 1) ELSE '\x00' END$$, $$''$$, $$'\x00'$$, $$repeat('x', 5000)::bytea$$]
		WHEN 'boolean' THEN ARRAY[$$NOT coalesce(%1$I, false)$$]
		WHEN 'timestamp with time zone' THEN ARRAY[$$coalesce(%1$I, now()) + interval '1 us'$$, $$%1$I - interval '1 us'$$, $$'infinity'$$, $$'-infinity'$$,
			$$'4713-01-01 00:00:00+00 BC'$$, $$'290000-01-01 00:00:00+00'$$]
		WHEN 'modelreg.deployment_stage' THEN ARRAY[$$CASE %1$I WHEN 'deprecated' THEN 'archived' ELSE 'deprecated' END::modelreg.deployment_stage$$]
		WHEN 'modelreg.role_ref' THEN ARRAY[$$'modelreg_reader'$$, $$'nobody'$$, $$''$$]
		WHEN 'xid8' THEN ARRAY[$$(%1$I::text::bigint + 1)::text::xid8$$]
		WHEN 'smallint' THEN ARRAY[$$coalesce(%1$I, 0) + 1$$, '-32768', '32767']
		WHEN 'integer' THEN ARRAY[$$coalesce(%1$I, 0) + 1$$, $$coalesce(%1$I, 0) - 1$$, '-2147483648', '2147483647', '0']
		WHEN 'bigint' THEN ARRAY[$$coalesce(%1$I, 0) + 1$$, $$coalesce(%1$I, 0) - 1$$, '-9223372036854775808', '9223372036854775807', '0']
	END;
CREATE TEMP TABLE attempted AS
SELECT c.relname AS "table", a.attname AS "column", v.n, r.which,
	found_after(format('UPDATE modelreg.%1$I SET %2$I = %3$s WHERE ctid = (SELECT %4$s(ctid) FROM modelreg.%1$I) AND %2$I IS DISTINCT FROM %3$s',
		c.relname, a.attname, format(v.value, a.attname), r.which)) AS said
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN LATERAL unnest(values_for(format_type(a.atttypid, NULL))) WITH ORDINALITY AS v (value, n) ON true
JOIN (VALUES ('min'), ('max')) AS r (which)
	ON r.which = 'min' OR (v.n = 1 AND c.relname NOT IN ('chunk', 'chunk_piece', 'artifact_chunk'))
WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r';
-- Types that this test has no values for, tables without a row
SELECT "table", "column" FROM attempted WHERE n IS NULL;
SELECT c.relname FROM pg_class AS c
WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'
	AND query_to_xml(format('SELECT FROM modelreg.%I LIMIT 1', c.relname), false, false, '')::text !~ '<row';
-- Small changes that nothing found, of columns that are not named above
SELECT "table", "column", n, which, left(said, 200) AS said
FROM attempted AS t
WHERE n = 1 AND said NOT LIKE 'found: %' AND said NOT LIKE 'error 23505%' AND ("table", "column") NOT IN (SELECT u."table", u."column" FROM uncovered AS u)
ORDER BY 1, 2, 3, 4;
-- Columns of which no small change was found
SELECT "table", "column"
FROM attempted AS t
WHERE ("table", "column") NOT IN (SELECT u."table", u."column" FROM uncovered AS u)
GROUP BY "table", "column"
HAVING bool_or(n = 1 AND said LIKE 'found: %') IS NOT TRUE
ORDER BY 1, 2;
-- Columns that are named above, and yet covered, or are no more
SELECT u."table", u."column", bool_and(t.said LIKE 'found: %') AS covered
FROM uncovered AS u
LEFT JOIN attempted AS t ON t."table" = u."table" AND t."column" = u."column" AND t.n = 1
GROUP BY u."table", u."column"
HAVING bool_and(t.said LIKE 'found: %') IS NOT FALSE
ORDER BY 1, 2;
SELECT "table", string_agg("column", ', ' ORDER BY "column") AS "covered by nothing", reason
FROM uncovered
GROUP BY "table", reason
ORDER BY 1;
-- Values, however absurd, by which a verification did not go on (what a unique
-- key does not allow, a table cannot hold)
SELECT "table", "column", n, which, left(said, 200) AS said
FROM attempted
WHERE (said LIKE 'error %' AND said NOT LIKE 'error 23505%') OR said ~ 'cannot be (read|verified)'
ORDER BY 1, 2, 3, 4;
-- Other values that nothing found
SELECT "table", "column", n, which
FROM attempted AS t
WHERE n > 1 AND said = 'nothing found' AND ("table", "column") NOT IN (SELECT u."table", u."column" FROM uncovered AS u)
ORDER BY 1, 2, 3, 4;

DROP FUNCTION found_after(text), values_for(text);
\set ECHO none
\i :test_dir/lib/attack_end.sql
