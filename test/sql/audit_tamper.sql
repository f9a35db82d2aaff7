--
-- The audit trail under the hands of a superuser who has disabled the guards:
-- what was done to it, or past it, is found and named
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set ECHO all

-- Two models and the registry's own chain, each with some history
SET ROLE regress_modelreg_admin;
SELECT model_id AS v1 FROM modelreg_register('\x01', 'forest', '1.0.0', 'churn', '{"f1": 0.8}', notes => 'first') \gset
SELECT model_id AS v2 FROM modelreg_register('\x02', 'forest', '2.0.0', 'churn', '{"f1": 0.9}', parent_ids => ARRAY[:'v1']) \gset
SELECT model_id AS v3 FROM modelreg_register('\x03', 'forest', '3.0.0', 'churn', '{"f1": 0.7}') \gset
SELECT FROM modelreg_update_stage(:'v1', 'production', 'tested');
SELECT FROM modelreg_update_stage(:'v2', 'production', 'better');
SELECT FROM modelreg_update(:'v2', notes => 'second', tags => '{live}', reason => 'names');
SELECT FROM modelreg_delete(:'v3', reason => 'never good');
SELECT FROM modelreg_update_model('churn', 'who leaves', max_versions => 5);
SELECT FROM modelreg_register('\x04', 'linear', '1.0.0', 'price', '{"mae": 3}');
SELECT FROM modelreg_rename_model('price', 'cost', 'as finance says');
SELECT FROM modelreg_set_stage_rule('archived', 'staging', false);
SELECT FROM modelreg_set_stage_rule('archived', 'staging', true, 'after all');
SELECT FROM modelreg_set_metric_direction('f1', true);
SELECT FROM modelreg_set_metric_direction('f1', NULL);
CALL modelreg_cleanup();
RESET ROLE;
SELECT * FROM modelreg_audit_verify();
SELECT modelreg_audit_head() AS anchor \gset
SELECT jsonb_object_agg(coalesce(h.value ->> 'model_name', '(registry)'), h.value -> 'seq') AS heads,
	bool_and(h.value ->> 'hash' ~ '^[0-9a-f]{64}$') AS hashes
FROM jsonb_each(:'anchor'::jsonb -> 'heads') AS h;
SELECT model_key AS churn FROM modelreg.model WHERE model_name = 'churn' \gset

-- The documented hash, computed by other means: the array's text is put
-- together by hand, under any settings
CREATE VIEW recomputed AS
	SELECT e.model_key, e.seq, e.hash, sha256(
		coalesce(lag(e.hash) OVER (PARTITION BY e.model_key ORDER BY e.seq), decode(repeat('00', 32), 'hex'))
		|| convert_to('[' || concat_ws(', ', e.format::text, to_json(e.model_key::text)::text, e.seq::text,
			(extract(epoch FROM e.at) * 1000000)::bigint::text, to_json(e.event)::text,
			coalesce(to_json(e.model_id)::text, 'null'), to_json(e.session_user_name)::text, to_json(e.actor)::text,
			e.client::text, to_json(e.xid::text)::text, coalesce(e.old_values::text, 'null'),
			coalesce(e.new_values::text, 'null'), to_json(e.reason)::text) || ']', 'UTF8')) AS recomputed
	FROM modelreg.audit_event AS e;
CREATE FUNCTION under(settings text[]) RETURNS TABLE (setting text, events bigint, different bigint, verified boolean)
	LANGUAGE plpgsql
	AS $$
BEGIN
	FOREACH setting IN ARRAY settings
	LOOP
		EXECUTE 'SET LOCAL ' || setting;
		SELECT count(*), count(*) FILTER (WHERE r.hash <> r.recomputed) INTO events, different FROM recomputed AS r;
		SELECT bool_and(v.ok) INTO verified FROM modelreg_audit_verify(anchor => modelreg_audit_head()) AS v;
		RETURN NEXT;
	END LOOP;
END
$$;
SELECT * FROM under(ARRAY['TimeZone = ''UTC''', 'TimeZone = ''Pacific/Chatham''', 'TimeZone = ''America/St_Johns''',
	'DateStyle = ''ISO, MDY''', 'DateStyle = ''German, DMY''', 'DateStyle = ''SQL, YMD''', 'extra_float_digits = -15',
	'extra_float_digits = 3', 'bytea_output = escape', 'IntervalStyle = iso_8601']);
-- events that are written under other settings are no different
SET TimeZone = 'Asia/Kathmandu';
SET DateStyle = 'German';
SET bytea_output = escape;
SET extra_float_digits = -10;
SET application_name = E'"quoted" \\ and \U0001F333';
SELECT model_id AS v4 FROM modelreg_register(E'\\x05', 'forest', '4.0.0-rc.1+b', 'churn', '{"f1": 0.123456789012345678901}',
	tags => ARRAY['a "b"', 'ü\n'], notes => E'line\nline \U0001F333', created_at => '1.2.2026 3:04:05.678901') \gset
SELECT FROM modelreg_update(:'v4', performance_metrics => '{"f1": 1e30, "n": -0.0}', reason => E'"why" \\');
RESET ALL;
SELECT count(*) AS events, count(*) FILTER (WHERE hash <> recomputed) AS different FROM recomputed;
SELECT model_name, ok FROM modelreg_audit_verify();
SELECT modelreg_audit_head() AS anchor \gset

-- What verification says after the statement, which is undone
CREATE FUNCTION tampered(statement text, anchor jsonb DEFAULT NULL) RETURNS text
	LANGUAGE plpgsql
	AS $$
DECLARE
	said text;
BEGIN
	SET LOCAL session_replication_role = replica;
	ALTER TABLE modelreg.audit_event DISABLE TRIGGER ALL;
	ALTER TABLE modelreg.model DISABLE TRIGGER ALL;
	ALTER TABLE modelreg.model_version DISABLE TRIGGER ALL;
	ALTER TABLE modelreg.stage_rule DISABLE TRIGGER ALL;
	EXECUTE statement;
	SELECT string_agg(format('%s, event %s: %s', coalesce(v.model_name, '(registry)'), v.first_bad_seq, v.problem), '; ')
	INTO said
	FROM modelreg_audit_verify(anchor => anchor) AS v
	WHERE NOT v.ok;
	RAISE EXCEPTION USING ERRCODE = 'P9999', MESSAGE = coalesce(said, 'nothing found');
EXCEPTION
	WHEN SQLSTATE 'P9999' THEN
		RETURN mask(SQLERRM);
END
$$;
SELECT tampered('SELECT');

-- One field of an event in the middle
SELECT a.attname, tampered(format('UPDATE modelreg.audit_event SET %I = %s WHERE model_key = %L AND seq = 5', a.attname,
		CASE a.attname
			WHEN 'model_key' THEN '''ffffffff-ffff-7fff-bfff-ffffffffffff'''
			WHEN 'seq' THEN '99'
			WHEN 'at' THEN 'at + interval ''1 us'''
			WHEN 'event' THEN '''update'''
			WHEN 'client' THEN 'client || ''{"address": "10.0.0.1"}'''
			WHEN 'xid' THEN '''7'''
			WHEN 'old_values' THEN 'NULL'
			WHEN 'new_values' THEN 'new_values || ''{"deployment_stage": "canary"}'''
			WHEN 'format' THEN '2'
			WHEN 'hash' THEN 'sha256(hash)'
			ELSE format('%I || ''x''', a.attname)
		END, :'churn')) AS said
FROM pg_attribute AS a
WHERE a.attrelid = 'modelreg.audit_event'::regclass AND a.attnum > 0
ORDER BY a.attnum;

-- Events taken out, put in and exchanged
SELECT what, tampered(replace(statement, ':churn', quote_literal(:'churn'))) AS said
FROM (VALUES
	('one in the middle', 'DELETE FROM modelreg.audit_event WHERE model_key = :churn AND seq = 5'),
	('the first', 'DELETE FROM modelreg.audit_event WHERE model_key = :churn AND seq = 1'),
	('the last', 'DELETE FROM modelreg.audit_event WHERE model_key = :churn AND seq = 12'),
	('the tail', 'DELETE FROM modelreg.audit_event WHERE model_key = :churn AND seq > 7'),
	('the tail of the registry''s', 'DELETE FROM modelreg.audit_event WHERE model_name IS NULL AND seq > 1'),
	('all of it', 'DELETE FROM modelreg.audit_event WHERE model_key = :churn'),
	('everything', 'DELETE FROM modelreg.audit_event'),
	('a gap closed', 'DELETE FROM modelreg.audit_event WHERE model_key = :churn AND seq = 8; UPDATE modelreg.audit_event SET seq = seq - 1 WHERE model_key = :churn AND seq > 8'),
	('two exchanged', 'UPDATE modelreg.audit_event SET seq = 11 - seq + 100 WHERE model_key = :churn AND seq IN (5, 6); UPDATE modelreg.audit_event SET seq = seq - 100 WHERE model_key = :churn AND seq > 100'),
	('one copied to the end', 'INSERT INTO modelreg.audit_event SELECT (jsonb_populate_record(e, ''{"seq": 13}'')).* FROM modelreg.audit_event AS e WHERE e.model_key = :churn AND e.seq = 6'),
	('one copied to another chain', 'INSERT INTO modelreg.audit_event SELECT (jsonb_populate_record(e, jsonb_build_object(''seq'', 4, ''model_key'', (SELECT model_key FROM modelreg.model WHERE model_name = ''cost'')))).* FROM modelreg.audit_event AS e WHERE e.model_key = :churn AND e.seq = 6'),
	('a chain of no model', 'INSERT INTO modelreg.audit_event SELECT (jsonb_populate_record(e, ''{"seq": 1, "model_key": "00000000-0000-0000-0000-000000000001"}'')).* FROM modelreg.audit_event AS e WHERE e.model_key = :churn AND e.seq = 6')
) AS t (what, statement);

-- Tables that say something else than the trail
SELECT what, tampered(replace(replace(statement, ':v2', quote_literal(:'v2')), ':churn', quote_literal(:'churn'))) AS said
FROM (VALUES
	('an unseen move', 'UPDATE modelreg.model_version SET deployment_stage = ''canary'' WHERE model_id = :v2'),
	('unseen metrics', 'UPDATE modelreg.model_version SET performance_metrics = ''{"f1": 0.99}'' WHERE model_id = :v2'),
	('another artifact', 'UPDATE modelreg.model_version SET checksum = repeat(''0'', 64), artifact_size = 7 WHERE model_id = :v2'),
	('another author', 'UPDATE modelreg.model_version SET registered_by = ''somebody'' WHERE model_id = :v2'),
	('another date', 'UPDATE modelreg.model_version SET registered_at = registered_at - interval ''1 day'' WHERE model_id = :v2'),
	('other parents', 'UPDATE modelreg.model_version SET parent_ids = ''{}'' WHERE model_id = :v2'),
	('a new id', 'UPDATE modelreg.model_version SET model_id = ''new'' WHERE model_id = :v2'),
	('another model''s', 'UPDATE modelreg.model_version SET model_key = (SELECT model_key FROM modelreg.model WHERE model_name = ''cost'') WHERE model_id = :v2'),
	('another model''s name', 'UPDATE modelreg.model_version SET model_name = ''cost'' WHERE model_id = :v2'),
	('no exclusive production', 'UPDATE modelreg.model_version SET exclusive_production = false WHERE model_id = :v2'),
	('a version gone', 'DELETE FROM modelreg.model_version WHERE model_id = :v2'),
	('all versions gone', 'DELETE FROM modelreg.model_version'),
	('a forged version', 'INSERT INTO modelreg.model_version SELECT (jsonb_populate_record(v, ''{"model_id": "forged", "version": "9.0.0", "version_number": 9, "deployment_stage": "staging"}'')).* FROM modelreg.model_version AS v WHERE v.model_id = :v2'),
	('a version of no model', 'INSERT INTO modelreg.model_version SELECT (jsonb_populate_record(v, ''{"model_id": "forged", "model_key": "00000000-0000-0000-0000-000000000001"}'')).* FROM modelreg.model_version AS v WHERE v.model_id = :v2'),
	('other settings', 'UPDATE modelreg.model SET max_versions = 1 WHERE model_key = :churn'),
	('another name', 'UPDATE modelreg.model SET model_name = ''x'' WHERE model_key = :churn'),
	('another creator', 'UPDATE modelreg.model SET created_by = ''x'' WHERE model_key = :churn'),
	('the head elsewhere', 'UPDATE modelreg.model SET audit_hash = sha256('''') WHERE model_key = :churn'),
	('the head set back', 'UPDATE modelreg.model SET audit_seq = 3 WHERE model_key = :churn'),
	('the counter set back', 'UPDATE modelreg.model SET last_version_number = 3 WHERE model_key = :churn'),
	('the clock put ahead', 'UPDATE modelreg.model SET audit_at = ''3000-01-01'', last_registered_at = ''3000-01-01'' WHERE model_key = :churn'),
	('the highest version raised', 'UPDATE modelreg.model SET highest_version = ''99.0.0'' WHERE model_key = :churn'),
	('the model gone', 'DELETE FROM modelreg.model WHERE model_key = :churn'),
	('a model put in', 'INSERT INTO modelreg.model (model_key, model_name, model_type, created_at, created_by) VALUES (gen_random_uuid(), ''x'', ''x'', now(), ''x'')'),
	('an unseen rule', 'INSERT INTO modelreg.stage_rule VALUES (''archived'', ''production'', true)'),
	('a rule turned', 'UPDATE modelreg.stage_rule SET allowed = NOT allowed'),
	('a rule gone', 'DELETE FROM modelreg.stage_rule'),
	('an unseen direction', 'INSERT INTO modelreg.metric_direction VALUES (''f1'', false)')
) AS t (what, statement);

-- What cannot be read hides no other chain: a version in a stage that is none,
-- an event that raises an error
SELECT regexp_replace(tampered(format('UPDATE modelreg.model_version SET deployment_stage = ''canary'' WHERE model_id = %L;
	DELETE FROM pg_enum WHERE enumtypid = ''modelreg.deployment_stage''::regtype AND enumlabel = ''canary''', :'v2')), '\d{4,}', '<oid>') AS said;
SELECT tampered(format($$
	UPDATE modelreg.model SET description = 'tampered too' WHERE model_name = 'cost';
	CREATE OR REPLACE FUNCTION modelreg.audit_hash(previous bytea, format smallint, model_key uuid, seq bigint, at timestamptz, event text, model_id text,
		session_user_name text, actor text, client jsonb, xid xid8, old_values jsonb, new_values jsonb, reason text) RETURNS bytea
		LANGUAGE plpgsql AS $f$
	BEGIN
		IF model_key = %L AND seq = 5 THEN
			RAISE data_corrupted USING MESSAGE = 'missing chunk number 0 for toast value 1';
		END IF;
		RETURN (SELECT e.hash FROM modelreg.audit_event AS e WHERE e.model_key = $3 AND e.seq = $4);
	END
	$f$ $$, :'churn')) AS said;
-- but what is no damage is an error of the verification
SELECT attempt(format('SELECT tampered(%L)', $$
	CREATE OR REPLACE FUNCTION modelreg.semver_valid(version text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT AS $f$
	BEGIN
		RAISE disk_full USING MESSAGE = 'disk full';
	END
	$f$ $$)) AS said;

-- What is consistent in itself only an anchor finds
CREATE FUNCTION rewrite_chain(chain uuid) RETURNS void
	LANGUAGE plpgsql
	AS $$
DECLARE
	e modelreg.audit_event;
	previous bytea := decode(repeat('00', 32), 'hex');
BEGIN
	FOR e IN SELECT * FROM modelreg.audit_event AS x WHERE x.model_key = chain ORDER BY x.seq
	LOOP
		previous := modelreg.audit_hash(previous, e.format, e.model_key, e.seq, e.at, e.event, e.model_id, e.session_user_name,
			e.actor, e.client, e.xid, e.old_values, e.new_values, e.reason);
		UPDATE modelreg.audit_event SET hash = previous WHERE model_key = chain AND seq = e.seq;
	END LOOP;
	UPDATE modelreg.model SET audit_hash = previous, audit_seq = e.seq, audit_at = e.at WHERE model_key = chain;
END
$$;
CREATE TEMP TABLE rewriting (n int, what text, statement text);
INSERT INTO rewriting VALUES
	(1, 'a reason', 'UPDATE modelreg.audit_event SET reason = ''x'' WHERE model_key = :churn AND seq = 5; SELECT rewrite_chain(:churn)'),
	(2, 'an actor of the last event', 'UPDATE modelreg.audit_event SET actor = ''x'' WHERE model_key = :churn AND seq = 12; SELECT rewrite_chain(:churn)'),
	(3, 'an actor of the registry''s', 'UPDATE modelreg.audit_event SET actor = ''x'' WHERE model_name IS NULL AND seq = 2; SELECT rewrite_chain(''00000000-0000-0000-0000-000000000000'')'),
	(4, 'the tail cut, head and row set back', 'DELETE FROM modelreg.audit_event WHERE model_key = :churn AND seq = 12; SELECT rewrite_chain(:churn); UPDATE modelreg.model_version SET performance_metrics = ''{"f1": 0.123456789012345678901}'' WHERE model_id = :v4'),
	(5, 'the tail of the registry''s cut', 'DELETE FROM modelreg.audit_event WHERE model_name IS NULL AND seq = 5'),
	(6, 'a model that never was', 'DELETE FROM modelreg.model_version WHERE model_key = :churn; DELETE FROM modelreg.model WHERE model_key = :churn; DELETE FROM modelreg.audit_event WHERE model_key = :churn');
SELECT r.what, tampered(s.statement) AS without_anchor, tampered(s.statement, :'anchor') AS with_anchor
FROM rewriting AS r, replace(replace(r.statement, ':v4', quote_literal(:'v4')), ':churn', quote_literal(:'churn')) AS s (statement)
ORDER BY r.n;

-- An anchor stays good while the registry goes on, and names what it is about
SELECT FROM modelreg_update_stage(:'v1', 'archived');
SELECT FROM modelreg_register('\x06', 'forest', model_name => 'young', performance_metrics => '{"f1": 1}');
SELECT * FROM modelreg_audit_verify(anchor => :'anchor');
SELECT * FROM modelreg_audit_verify('churn', :'anchor');
SELECT * FROM modelreg_audit_verify('price', :'anchor');
SELECT * FROM modelreg_audit_verify('none', :'anchor');
SELECT model_name, ok, first_bad_seq, problem
FROM modelreg_audit_verify('churn', jsonb_set(:'anchor', ARRAY['heads', :'churn', 'seq'], '99'));
SELECT model_name, events, ok, first_bad_seq, problem
FROM modelreg_audit_verify(NULL, ('{"format": 1, "heads": {"01a20000-0000-7000-8000-000000000000": {"model_name": "lost", "seq": 3, "hash": "' || repeat('ab', 32) || '"}}}')::jsonb)
WHERE NOT ok;
SELECT anchor, attempt(format('SELECT FROM modelreg_audit_verify(anchor => %L)', anchor)) AS said
FROM unnest(ARRAY['{}', '[]', 'null', '"x"', '{"format": 2, "heads": {}}', '{"format": 1}', '{"format": 1, "heads": []}',
	'{"format": 1, "heads": {}}', '{"format": 1, "heads": {"x": {}}}',
	'{"format": 1, "heads": {"00000000-0000-0000-0000-000000000000": {"seq": "1"}}}',
	'{"format": 1, "heads": {"00000000-0000-0000-0000-000000000000": {"seq": 1.5, "hash": ""}}}',
	'{"format": 1, "heads": {"00000000-0000-0000-0000-000000000000": null}}']) AS anchor;

-- A deleted model's chain stays, ends with its deletion, and is verified
SELECT FROM modelreg_delete_model('churn', true, 'gone for good');
SELECT model_name, ok, problem FROM modelreg_audit_verify(anchor => :'anchor');
SELECT tampered(format('UPDATE modelreg.audit_event SET reason = ''x'' WHERE model_key = %L AND event = ''model_delete''', :'churn'));
SELECT tampered(format('DELETE FROM modelreg.audit_event WHERE model_key = %L AND event = ''model_delete''', :'churn'));
SELECT tampered(format('DELETE FROM modelreg.audit_event WHERE model_key = %L', :'churn')) AS without_anchor,
	tampered(format('DELETE FROM modelreg.audit_event WHERE model_key = %L', :'churn'), :'anchor') AS with_anchor;
SELECT event, new_values FROM modelreg_history('churn') WHERE event IN ('delete', 'model_delete') ORDER BY seq;
SELECT count(*) FILTER (WHERE NOT ok) AS bad FROM modelreg_audit_verify();
SELECT item, ok FROM modelreg_check() WHERE item = 'triggers';

DROP VIEW recomputed;
DROP FUNCTION rewrite_chain(uuid), tampered(text, jsonb), under(text[]);
\set ECHO none
\i :test_dir/lib/attack_end.sql
