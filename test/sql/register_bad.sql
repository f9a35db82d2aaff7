--
-- modelreg_register: what it refuses, and that nothing comes of it
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set f1 'performance_metrics => ''{"f1": 0.5}'''
\set counts '(SELECT (SELECT count(*) FROM modelreg.model) || '' '' || (SELECT count(*) FROM modelreg.model_version) || '' '' || (SELECT count(*) FROM modelreg.artifact) || '' '' || (SELECT count(*) FROM modelreg.artifact_chunk) || '' '' || (SELECT count(*) FROM modelreg.chunk) || '' '' || (SELECT count(*) FROM modelreg.chunk_piece) || '' '' || (SELECT count(*) FROM modelreg.stage_rule) || '' '' || (SELECT count(*) FROM modelreg.metric_direction) || '' '' || (SELECT count(*) FROM modelreg.audit_event) || '' '' || (SELECT sum(audit_seq + last_version_number) FROM modelreg.model))'
\set unchanged 'SELECT :counts = :''before'' AS nothing_changed'
SELECT model_id AS present FROM modelreg_register('good', 'good', :f1) \gset
SELECT :counts AS before \gset

-- What must be there
SELECT modelreg_register(NULL, 'm', :f1); -- error
SELECT modelreg_register('', 'm', :f1); -- error
SELECT modelreg_register('x', NULL, :f1); -- error
SELECT modelreg_register('x', NULL, model_name => 'm', :f1); -- error
SELECT modelreg_register('x', '', :f1); -- error
SELECT modelreg_register('x', 'm', model_name => '', :f1); -- error
:unchanged;

-- Names: 256 characters and 1,024 bytes, no control characters, no space at the ends (names.sql has more)
SELECT modelreg_register('x', repeat('m', 257), :f1); -- error
SELECT modelreg_register('x', repeat('é', 257), :f1); -- error
SELECT modelreg_register('x', 'm', model_name => repeat('m', 257), :f1); -- error
SELECT modelreg_register('x', 'm', model_name => repeat('m', 1000000), :f1); -- error
SELECT modelreg_register('x', E'a\nb', :f1); -- error
SELECT modelreg_register('x', 'm', model_name => E'a\tb', :f1); -- error
SELECT modelreg_register('x', 'm', model_name => E'\x7f', :f1); -- error
SELECT modelreg_register('x', 'm', model_name => E'a\u0085b', :f1); -- error
SELECT modelreg_register('x', 'm', model_name => ' m', :f1); -- error
SELECT modelreg_register('x', 'm', model_name => 'm ', :f1); -- error
SELECT modelreg_register('x', ' ', :f1); -- error
SELECT modelreg_register('x', 'm', dataset_version => '', :f1); -- error
SELECT modelreg_register('x', 'm', dataset_version => E'a\nb', :f1); -- error
SELECT modelreg_register('x', 'm', dataset_version => repeat('d', 257), :f1); -- error
:unchanged;

-- Metrics: a flat object of numbers that float8 can hold
SELECT modelreg_register('x', 'm'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => NULL); -- error
SELECT modelreg_register('x', 'm', performance_metrics => 'null'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '[]'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '[{"f1": 1}]'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '1'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '"f1"'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '{"f1": "0.5"}'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '{"f1": true}'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '{"f1": null}'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '{"f1": {"mean": 1}}'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '{"f1": []}'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '{"a": 1, "f1": 1e400}'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '{"a": 1, "f1": -1e309}'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '{"f1": 1e-400}'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '{"": 1}'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '{"a\nb": 1}'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => jsonb_build_object(repeat('k', 257), 1)); -- error
:unchanged;

-- Objects that must be objects
SELECT modelreg_register('x', 'm', model_config => '[]', :f1); -- error
SELECT modelreg_register('x', 'm', model_config => 'null', :f1); -- error
SELECT modelreg_register('x', 'm', training_metadata => '"text"', :f1); -- error
SELECT modelreg_register('x', 'm', training_metadata => '0', :f1); -- error
:unchanged;

-- Tags and parents
SELECT modelreg_register('x', 'm', tags => '{a,NULL}', :f1); -- error
SELECT modelreg_register('x', 'm', tags => '{a,""}', :f1); -- error
SELECT modelreg_register('x', 'm', tags => '{{a,b},{c,d}}', :f1); -- error
SELECT modelreg_register('x', 'm', tags => ARRAY[repeat('t', 257)], :f1); -- error
SELECT modelreg_register('x', 'm', tags => ARRAY[E'a\nb'], :f1); -- error
SELECT modelreg_register('x', 'm', tags => array_fill('t'::text, ARRAY[1001]), :f1); -- error
SELECT modelreg_register('x', 'm', parent_ids => '{nobody_20240101_000000}', :f1); -- error
SELECT modelreg_register('x', 'm', parent_ids => ARRAY[:'present', 'nobody'], :f1); -- error
SELECT modelreg_register('x', 'm', parent_ids => ARRAY[:'present', NULL], :f1); -- error
SELECT modelreg_register('x', 'm', parent_ids => ARRAY[ARRAY[:'present']], :f1); -- error
:unchanged;

-- Versions, stages, times, checksums
SELECT modelreg_register('x', 'm', '1', :f1); -- error
SELECT modelreg_register('x', 'm', 'v1.0.0', :f1); -- error
SELECT modelreg_register('x', 'm', '1.0.0-01', :f1); -- error
SELECT modelreg_register('x', 'm', '', :f1); -- error
SELECT modelreg_register('x', 'm', E'1.0.0\n', :f1); -- error
SELECT modelreg_register('x', 'm', '1.0.0-' || repeat('a', 250), :f1); -- error
SELECT modelreg_register('x', 'm', deployment_stage => 'prod', :f1); -- error
SELECT modelreg_register('x', 'm', deployment_stage => 'Production', :f1); -- error
SELECT modelreg_register('x', 'm', deployment_stage => '', :f1); -- error
SELECT modelreg_register('x', 'm', created_at => 'infinity', :f1); -- error
SELECT modelreg_register('x', 'm', created_at => '-infinity', :f1); -- error
SELECT modelreg_register('x', 'm', expected_checksum => '', :f1); -- error
SELECT modelreg_register('x', 'm', expected_checksum => repeat('0', 63), :f1); -- error
SELECT modelreg_register('x', 'm', expected_checksum => repeat('g', 64), :f1); -- error
SELECT modelreg_register('x', 'm', expected_checksum => repeat('0', 64), :f1); -- error
SELECT modelreg_register('x', 'm', notes => repeat('n', 1024 * 1024 + 1), :f1); -- error
SELECT modelreg_register('x', 'good', '0.1.0', :f1); -- error
:unchanged;

-- All of these are 22023, but for those that the design names
\set VERBOSITY sqlstate
SELECT modelreg_register('', 'm', :f1); -- error
SELECT modelreg_register('x', repeat('m', 257), :f1); -- error
SELECT modelreg_register('x', 'm'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '{"f1": 1e400}'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '{"f1": true}'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => '{"f1": NaN}'); -- error
SELECT modelreg_register('x', 'm', model_config => '[]', :f1); -- error
SELECT modelreg_register('x', 'm', tags => '{{a}}', :f1); -- error
SELECT modelreg_register('x', 'm', parent_ids => '{NULL}', :f1); -- error
SELECT modelreg_register('x', 'm', parent_ids => '{nobody}', :f1); -- error
SELECT modelreg_register('x', 'm', '1.0', :f1); -- error
SELECT modelreg_register('x', 'm', deployment_stage => 'prod', :f1); -- error
SELECT modelreg_register('x', 'm', created_at => 'infinity', :f1); -- error
SELECT modelreg_register('x', 'm', expected_checksum => 'abc', :f1); -- error
SELECT modelreg_register('x', 'm', expected_checksum => repeat('0', 64), :f1); -- error
SELECT modelreg_register('x', 'm', notes => repeat('n', 1024 * 1024 + 1), :f1); -- error
SELECT modelreg_register('x', 'good', '0.1.0', :f1); -- error
\set VERBOSITY default
:unchanged;

-- At the limits all is well
SELECT octet_length(r.model_name) AS name, octet_length(r.dataset_version) AS dataset, array_length(r.tags, 1) AS tags,
	octet_length(r.tags[1]) AS tag, octet_length(r.notes) AS notes, octet_length(r.version) AS version,
	r.performance_metrics ->> repeat('k', 256) AS metric,
	octet_length(r.model_id) AS id
FROM modelreg_register('x', repeat('é', 256), '1.0.0-' || repeat('a', 249), dataset_version => repeat('d', 256),
	tags => array_fill(repeat('t', 256), ARRAY[999]) || '{u}'::text[], notes => repeat('n', 1024 * 1024),
	performance_metrics => jsonb_build_object(repeat('k', 256), 1.5, 'max', 1.7976931348623157e308, 'min', -5e-324, 'zero', 0)) AS r;

-- Names are data: quotes, SQL, format strings, wildcards, unicode, all verbatim
CREATE TEMPORARY TABLE hostile (name text);
INSERT INTO hostile VALUES
	(''''), ('"'), ('''; DROP TABLE modelreg.model; --'), ('") OR ("1"="1'), ('$$; SELECT 1; $$'), ('%s%n%d'), ('%'), ('_'),
	('\'), ('\x41'), ('../../etc/passwd'), ('$(id)'), ('`id`'), ('<script>alert(1)</script>'), ('NULL'), ('null'), ('{}'),
	('a,b'), ('modèle'), ('模型'), ('Модель'), ('مرحبا'), ('🤖'), (U&'\00E9'), ('ﬁ'), ('A'), ('a'), ('a  b'), ('-'), ('--');
SELECT count(*) AS names, bool_and(r.model_name = name AND r.model_type = name AND r.tags = ARRAY[name] AND r.notes = name
	AND r.dataset_version = name AND r.performance_metrics = jsonb_build_object(name, 1)
	AND starts_with(r.model_id, name || '_2')) AS verbatim
FROM hostile, LATERAL modelreg_register(convert_to(name, 'UTF8'), name, tags => ARRAY[name], notes => name,
	dataset_version => name, performance_metrics => jsonb_build_object(name, 1),
	model_config => jsonb_build_object(name, name)) AS r;
SELECT count(*) AS found,
	bool_and(convert_from(modelreg_load(l.model_id), 'UTF8') = name) AS loaded,
	bool_and((SELECT count(*) FROM modelreg_list(name, tags => ARRAY[name], min_performance => jsonb_build_object(name, 1))) = 1) AS filtered,
	bool_and((SELECT count(*) FROM modelreg_compare(ARRAY[l.model_id], ARRAY[name]) WHERE value = 1) = 1) AS compared,
	bool_and((SELECT count(*) FROM modelreg_history(name)) = 2) AS history
FROM hostile, LATERAL modelreg_list(model_name => name) AS l;
SELECT bool_and(u.notes = name || name) AS updated
FROM hostile, LATERAL modelreg_find_latest(model_name => name) AS f, LATERAL modelreg_update(f.model_id, notes => name || name, reason => name) AS u;
SELECT bool_and(m.description = name) AS described FROM hostile, LATERAL modelreg_update_model(name, description => name) AS m;
SELECT bool_and(m.model_name = 'was ' || name) AS renamed FROM hostile, LATERAL modelreg_rename_model(name, 'was ' || name) AS m;
SELECT count(*) AS bad FROM modelreg_verify() WHERE NOT ok;
SELECT count(*) AS bad FROM modelreg_audit_verify() WHERE NOT ok;
SELECT count(modelreg_delete_model('was ' || name)) AS deleted FROM hostile;
SELECT count(*) AS versions FROM modelreg_list();
SELECT count(*) AS bad FROM modelreg_audit_verify() WHERE NOT ok;
