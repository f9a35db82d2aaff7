--
-- The limits of what is registered are about its text, which is what is dumped,
-- listed and hashed; they hold for every way in, and what is beyond them
-- already can be deleted all the same
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set ECHO all

SELECT model_id AS id FROM modelreg_register('\x01', 'forest', '1.0.0', 'churn', '{"f1": 0.8}', properties => '{"kept": 1}') \gset
SELECT FROM modelreg_create_model('settings', properties => '{"kept": 1}');
GRANT UPDATE ON modelreg.model_version, modelreg.model TO modelreg_writer;

-- Every way in of a JSON value
CREATE TABLE way (n int, what text, statement text);
INSERT INTO way VALUES
	(1, 'register: model_config', $$SELECT FROM modelreg_register('\x02', 'x', performance_metrics => '{"f1": 1}', model_config => %L)$$),
	(2, 'register: training_metadata', $$SELECT FROM modelreg_register('\x02', 'x', performance_metrics => '{"f1": 1}', training_metadata => %L)$$),
	(3, 'register: properties', $$SELECT FROM modelreg_register('\x02', 'x', performance_metrics => '{"f1": 1}', properties => %L)$$),
	(4, 'register_upload', $$SELECT FROM modelreg_register_upload(modelreg_upload_begin(), 'x', performance_metrics => '{"f1": 1}', model_config => %L)$$),
	(5, 'register_files', $$SELECT FROM modelreg_register_files('{a}', ARRAY[modelreg_upload_begin()], 'x', performance_metrics => '{"f1": 1}', model_config => %L)$$),
	(6, 'update: properties', format($$SELECT FROM modelreg_update(%L, properties => %%L)$$, :'id')),
	(7, 'plain SQL: properties', format($$UPDATE modelreg.model_version SET properties = %%L WHERE model_id = %L$$, :'id')),
	(8, 'create_model: properties', $$SELECT FROM modelreg_create_model('x', properties => %L)$$),
	(9, 'update_model: properties', $$SELECT FROM modelreg_update_model('settings', properties => %L)$$),
	(10, 'plain SQL: properties of a model', $$UPDATE modelreg.model SET properties = %L WHERE model_name = 'settings'$$);
CREATE FUNCTION by_all_ways(value text) RETURNS TABLE (what text, said text)
	LANGUAGE sql
	AS $$SELECT w.what, trial(format(w.statement, $1)) FROM way AS w ORDER BY w.n$$;

-- Numbers that double precision cannot hold
SELECT * FROM by_all_ways('{"a": {"b": [1, 1e400]}}');
SELECT v.number, min(s.said) = max(s.said) AS by_all_alike, min(s.said) AS said
FROM unnest('{1e309,-1e309,1.8e308,1e131071,1e-400,-1e-400,1.7e308,-1.7e308,1e-323,0,-0.0,0e-400}'::text[]) WITH ORDINALITY AS v (number, n),
	by_all_ways(format('{"outer": [{"inner": %s}]}', v.number)) AS b,
	regexp_replace(b.said, 'model_config|training_metadata|properties', 'it') AS s (said)
WHERE b.what <> 'register_upload'
GROUP BY v.number, v.n
ORDER BY v.n;
-- as many digits as there may be are no other number
SELECT min(said) = max(said) AS by_all_alike, min(said) AS said FROM by_all_ways(format('{"pi": 3.%s, "big": 1%s.0}', repeat('14', 8000), repeat('0', 308)))
WHERE what <> 'register_upload';

-- 16 MB of text, whatever jsonb makes of it: few bytes in the first cases
SELECT v.what, pg_column_size(v.value) < 4000000 AS is_small, length(v.value::text) AS text, b.said
FROM (
	SELECT 1, 'numbers', jsonb_build_object('a', jsonb_agg(1e308)) FROM generate_series(1, 54000)
	UNION ALL
	SELECT 2, 'numbers, just fewer', jsonb_build_object('a', jsonb_agg(1e308)) FROM generate_series(1, 53900)
	UNION ALL
	SELECT 3, 'decimals', jsonb_build_object('a', jsonb_agg(round(0.5, 16000))) FROM generate_series(1, 1050)
	UNION ALL
	SELECT 4, 'control characters', jsonb_build_object('a', repeat(E'\x01', 2796202))
	UNION ALL
	SELECT 5, 'the most', jsonb_build_object('a', repeat(E'\x01', 2796201) || 'x')
	UNION ALL
	SELECT 6, 'a key', jsonb_build_object(repeat('"', 8388604) || 'xx', 1)
	UNION ALL
	SELECT 7, 'and the most', jsonb_build_object(repeat('"', 8388604) || 'x', 1)
	UNION ALL
	SELECT 8, 'plain text', jsonb_build_object('a', repeat('x', 16777216 - 9))
	UNION ALL
	SELECT 9, 'jsonb is larger', jsonb_build_object('a', jsonb_agg(0)) FROM generate_series(1, 1400000)
) AS v (n, what, value),
	LATERAL trial(format($$UPDATE modelreg.model_version SET properties = %L WHERE model_id = %L$$, v.value, :'id')) AS b (said)
ORDER BY v.n;
SELECT attempt(format($$SELECT FROM modelreg_register('\x02', 'x', performance_metrics => %L)$$, jsonb_object_agg('m' || n, 1e308))) AS metrics
FROM generate_series(1, 54000) AS n;

-- What a merge gives counts
SELECT attempt(format($$SELECT FROM modelreg_update(%L, properties => jsonb_build_object('a', repeat('x', 9000000)))$$, :'id')) AS once,
	attempt(format($$SELECT FROM modelreg_update(%L, properties => jsonb_build_object('b', repeat('x', 9000000)))$$, :'id')) AS twice;
SELECT attempt(format($$SELECT FROM modelreg_update(%L, properties => jsonb_build_object('a', NULL, 'b', repeat('x', 9000000)))$$, :'id')) AS instead;
SELECT k AS key, length(v::text) FROM modelreg.model_version, jsonb_each(properties) AS p (k, v) WHERE model_id = :'id' ORDER BY k;
-- key by key, and a null of the properties themselves stays
SELECT modelreg.merge_properties('{"a": 1, "b": null, "c": {"d": null}}', '{"a": null, "e": null, "f": [null]}'),
	modelreg.merge_properties('{"a": 1}', '{}'), modelreg.merge_properties('{"a": 1}', '{"a": null}'), modelreg.merge_properties('{"a": 1}', NULL);

-- A version's metadata together: 64 MB
CREATE FUNCTION large(bytes int) RETURNS jsonb
	LANGUAGE sql
	RETURN jsonb_build_object('a', repeat('x', bytes - 100));
SELECT attempt($$SELECT FROM modelreg_register('\x03', 'x', '1.0.0', 'large', jsonb_build_object('m', 1), model_config => large(16777216), training_metadata => large(16777216),
	properties => large(16777216), notes => repeat(E'\x01', 1048576))$$) AS "54 MB",
	attempt($$SELECT FROM modelreg_register('\x03', 'x', '1.0.1', 'large', (SELECT jsonb_object_agg(rpad(n::text, 200, '"'), 1e308) FROM generate_series(1, 17000) AS n),
		model_config => large(16777216), training_metadata => large(16777216), properties => large(16777216), notes => repeat(E'\x01', 1048576))$$) AS "66 MB";
SELECT model_id AS large FROM modelreg_find_latest(model_name => 'large') \gset
SELECT attempt(format($$SELECT FROM modelreg_update(%L, performance_metrics => (SELECT jsonb_object_agg(rpad(n::text, 200, '"'), 1e308) FROM generate_series(1, 17000) AS n))$$, :'large')) AS by_update,
	attempt(format($$UPDATE modelreg.model_version SET performance_metrics = (SELECT jsonb_object_agg(rpad(n::text, 200, '"'), 1e308) FROM generate_series(1, 17000) AS n) WHERE model_id = %L$$, :'large')) AS by_sql,
	attempt(format($$SELECT FROM modelreg_update(%L, notes => 'short', performance_metrics => (SELECT jsonb_object_agg(rpad(n::text, 200, '"'), 1e308) FROM generate_series(1, 15000) AS n))$$, :'large')) AS with_shorter_notes;
SELECT * FROM modelreg_audit_verify();

-- What a superuser put there, beyond all limits, can be changed and deleted:
-- the trail has the SHA-256 of what it cannot hold
SELECT model_id AS huge FROM modelreg_register('\x05', 'forest', '1.0.0', 'huge', '{"f1": 0.8}', properties => '{"p": 1}', notes => 'kept') \gset
ALTER TABLE modelreg.model_version DISABLE TRIGGER USER;
ALTER TABLE modelreg.model DISABLE TRIGGER USER;
UPDATE modelreg.model_version SET training_metadata = jsonb_build_object('ü', (SELECT jsonb_agg(1e131071) FROM generate_series(1, 600))),
	properties = jsonb_build_object('p', (SELECT jsonb_agg(1e131071) FROM generate_series(1, 600)))
WHERE model_id = :'huge';
UPDATE modelreg.model SET properties = jsonb_build_object('p', (SELECT jsonb_agg(1e131071) FROM generate_series(1, 1100))) WHERE model_name = 'huge';
ALTER TABLE modelreg.model_version ENABLE TRIGGER USER;
ALTER TABLE modelreg.model ENABLE TRIGGER USER;
SELECT encode(sha256(convert_to(v.training_metadata::text, 'UTF8')), 'hex') AS training, length(convert_to(v.training_metadata::text, 'UTF8')) AS training_size,
	encode(sha256(convert_to(v.properties::text, 'UTF8')), 'hex') AS properties, encode(sha256(convert_to(m.properties::text, 'UTF8')), 'hex') AS model_properties
FROM modelreg.model_version AS v JOIN modelreg.model AS m USING (model_key) WHERE model_id = :'huge' \gset
SELECT * FROM modelreg_audit_verify('huge');
SELECT FROM modelreg_update_stage(:'huge', 'staging');
SELECT FROM modelreg_update_model('huge', 'a description');
SELECT attempt(format('SELECT FROM modelreg_update(%L, notes => ''other'')', :'huge')) AS edit,
	attempt(format('SELECT FROM modelreg_update(%L, properties => ''{"q": 1}'')', :'huge')) AS merge;
SELECT FROM modelreg_delete(:'huge');
SELECT e.old_values -> 'omitted' = jsonb_build_object('training_metadata', jsonb_build_object('sha256', :'training', 'size', :training_size),
		'properties', jsonb_build_object('sha256', :'properties', 'size', (e.old_values #> '{omitted,properties,size}'))) AS omitted,
	e.old_values ? 'training_metadata' AS training, e.old_values ? 'properties' AS properties, e.old_values ->> 'notes' AS notes, e.old_values ->> 'version' AS version
FROM modelreg_history('huge') AS e WHERE e.event = 'delete';
UPDATE modelreg.model SET properties = '{}' WHERE model_name = 'huge';
SELECT e.old_values #>> '{omitted,properties,sha256}' = :'model_properties' AS omitted, e.old_values ? 'properties' AS old_properties, e.new_values
FROM modelreg_history('huge') AS e WHERE e.event = 'model_update' ORDER BY seq DESC LIMIT 1;
SELECT FROM modelreg_delete_model('huge');
SELECT model_name, ok, problem FROM modelreg_audit_verify();

DROP FUNCTION by_all_ways(text), large(int);
DROP TABLE way;
\set ECHO none
\i :test_dir/lib/attack_end.sql
