--
-- Versions that are directories: files, manifest, loading, guards, cleanup
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
DROP ROLE IF EXISTS regress_modelreg_writer, regress_modelreg_other, regress_modelreg_reader;
CREATE ROLE regress_modelreg_reader IN ROLE modelreg_reader;
CREATE ROLE regress_modelreg_writer IN ROLE modelreg_writer;
CREATE ROLE regress_modelreg_other IN ROLE modelreg_writer;
RESET client_min_messages;
\set SHOW_CONTEXT never
\set f1 'performance_metrics => ''{"f1": 0.5}'''
-- an upload of these bytes
CREATE FUNCTION up(bytes bytea) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
	id uuid := modelreg_upload_begin();
BEGIN
	IF length(bytes) > 0 THEN
		PERFORM modelreg_upload_append(id, bytes);
	END IF;
	RETURN id;
END $$;
GRANT EXECUTE ON FUNCTION up TO PUBLIC;
-- 300,000 bytes that no codec shrinks and no chunk repeats
SELECT string_agg(sha256(int4send(i)), '' ORDER BY i) AS weights FROM generate_series(1, 9375) AS i \gset

-- A registration, the files in any order, one of them empty
SELECT model_id AS id, checksum, artifact_size, file_count, files_size FROM modelreg_register_files(
	paths => ARRAY['weights/model.bin', 'MLmodel', 'weights-old', '__init__.py'],
	upload_ids => ARRAY[up(:'weights'), up('flavors: {}'), up('w'), up('')],
	model_type => 'sklearn', model_name => 'net', :f1, tags => '{t}', properties => '{"k": "v"}') \gset
SELECT :file_count AS file_count, :files_size AS files_size, :artifact_size AS artifact_size;
SELECT count(*) AS uploads FROM modelreg.upload;
SELECT path, artifact_size, sha256 = sha256(modelreg_load(model_id, path => path)) AS right FROM modelreg.version_file ORDER BY path;
-- the manifest is the artifact, and its SHA-256 the checksum
SELECT convert_from(modelreg_load(:'id'), 'UTF8') AS manifest \gset
SELECT f.path, f.size, left(f.sha256, 8) AS sha256 FROM jsonb_to_recordset(:'manifest'::jsonb -> 'files') AS f (path text, size bigint, sha256 text);
SELECT :'manifest' = '{"format":"modelreg-files-1","files":[' || string_agg(format('{"path":%s,"size":%s,"sha256":"%s"}', to_json(path), artifact_size, encode(sha256, 'hex')), ',' ORDER BY path) || ']}' AS canonical,
	encode(sha256(convert_to(:'manifest', 'UTF8')), 'hex') = :'checksum' AS checksum
FROM modelreg.version_file;

-- Loading and downloading a file
SELECT modelreg_load(:'id', path => 'MLmodel') AS "MLmodel", modelreg_load(:'id', path => '__init__.py') AS empty,
	modelreg_load(:'id', path => 'weights/model.bin') = :'weights' AS weights;
SELECT string_agg(piece, '' ORDER BY n) = :'weights' AS streamed FROM modelreg_download(:'id', path => 'weights/model.bin', piece_size => 1000) WITH ORDINALITY AS d (piece, n);
SELECT modelreg_download(:'id', 100000, 5, path => 'weights/model.bin') = substr(:'weights'::bytea, 100001, 5) AS range;
SELECT count(*) FROM modelreg_download(:'id', path => '__init__.py');
SELECT count(*) FROM modelreg_download(:'id', 0, 0, path => 'MLmodel');
\set VERBOSITY sqlstate
SELECT modelreg_load(:'id', path => 'weights'); -- error
SELECT modelreg_load(:'id', path => ''); -- error
SELECT modelreg_load(:'id', path => '../MLmodel'); -- error
SELECT modelreg_load('nobody', path => 'MLmodel'); -- error
SELECT modelreg_download(:'id', path => 'nobody'); -- error
SELECT modelreg_download(:'id', 1, path => '__init__.py'); -- error
\set VERBOSITY default

-- The same again shares everything; a version of one artifact has no files
SELECT checksum = :'checksum' AS same_checksum, version FROM modelreg_register_files(ARRAY['MLmodel', '__init__.py', 'weights-old', 'weights/model.bin'],
	ARRAY[up('flavors: {}'), up(''), up('w'), up(:'weights')], 'sklearn', model_name => 'net', :f1);
SELECT file_count, files_size FROM modelreg_register('one', 'single', :f1);
\set VERBOSITY sqlstate
SELECT modelreg_load(model_id, path => 'MLmodel') FROM modelreg_find_latest('single'); -- error
\set VERBOSITY default
SELECT versions, artifacts, logical_bytes, artifact_bytes, saved_by_sharing FROM modelreg.storage_usage WHERE model_name = 'net';
SELECT logical_bytes FROM modelreg.registry_stats;
SELECT cardinality(model_ids) FROM modelreg.artifact_health ORDER BY artifact_size;

-- expected_checksum is that of the manifest
SELECT modelreg_register_files('{a}', ARRAY[up('a')], 'm', :f1, expected_checksum => repeat('0', 64)); -- error
SELECT version FROM modelreg_register_files('{a}', ARRAY[up('a')], 'm', :f1, expected_checksum => encode(sha256('{"format":"modelreg-files-1","files":[{"path":"a","size":1,"sha256":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}]}'), 'hex'));
-- names that JSON has to escape
SELECT version FROM modelreg_register_files(ARRAY['a"b', 'a b/''c'], ARRAY[up('1'), up('2')], 'm', :f1);
SELECT convert_from(modelreg_load(model_id), 'UTF8')::json -> 'files' -> 1 -> 'path' AS path FROM modelreg_find_latest('m');

-- What cannot be, and leaves nothing behind
\set many 'ARRAY(SELECT i::text FROM generate_series(1, 10001) AS i)'
SELECT modelreg_register_files(NULL, '{}', 'm', :f1); -- error
SELECT modelreg_register_files('{a}', NULL, 'm', :f1); -- error
SELECT modelreg_register_files('{}', '{}', 'm', :f1); -- error
SELECT modelreg_register_files('{a,NULL}', ARRAY[up('1'), up('2')], 'm', :f1); -- error
SELECT modelreg_register_files('{a,b}', ARRAY[up('1'), NULL], 'm', :f1); -- error
SELECT modelreg_register_files('{a,b}', ARRAY[up('1')], 'm', :f1); -- error
SELECT modelreg_register_files('{{a,b}}', ARRAY[up('1'), up('2')], 'm', :f1); -- error
SELECT modelreg_register_files(:many, array_fill(gen_random_uuid(), ARRAY[10001]), 'm', :f1); -- error
SELECT modelreg_register_files('{a,b,a}', ARRAY[up('1'), up('2'), up('3')], 'm', :f1); -- error
SELECT modelreg_register_files('{a/b/c,a-b,a}', ARRAY[up('1'), up('2'), up('3')], 'm', :f1); -- error
SELECT modelreg_register_files('{a/b,a/b/c}', ARRAY[up('1'), up('2')], 'm', :f1); -- error
\set VERBOSITY terse
SELECT modelreg_register_files('{a,b}', array_fill(up('1'), ARRAY[2]), 'm', :f1); -- error
\set VERBOSITY default
SELECT modelreg_register_files('{a}', ARRAY['00000000-0000-0000-0000-000000000000'::uuid], 'm', :f1); -- error
SELECT modelreg_register_files('{a}', ARRAY[up('a')], NULL, :f1); -- error
SELECT modelreg_register_files('{a}', ARRAY[up('a')], 'm'); -- error
SELECT modelreg_register_files('{a}', ARRAY[modelreg_upload_begin(5)], 'm', :f1); -- error
-- a refusal inside a transaction undoes nothing but itself, and leaves no memory behind
BEGIN;
SELECT up('again') AS again, modelreg_upload_begin(0) AS empty \gset
SAVEPOINT s;
SELECT modelreg_register_files('{a,b}', ARRAY[:'again', :'empty']::uuid[], 'again'); -- error
ROLLBACK TO s;
SELECT file_count, files_size FROM modelreg_register_files('{a,b}', ARRAY[:'again', :'empty']::uuid[], 'again', :f1);
ROLLBACK;
CREATE TEMPORARY TABLE begun AS SELECT i, modelreg_upload_begin() AS id FROM generate_series(1, 50) AS i;
DO $$
BEGIN
	PERFORM modelreg_upload_append(id, 'x') FROM begun;
END $$;
SELECT modelreg_register_files(ARRAY(SELECT i::text FROM begun ORDER BY i), ARRAY(SELECT id FROM begun ORDER BY i), 'many'); -- error
SELECT count(*) <= 5 AS few_uploads_remembered FROM pg_backend_memory_contexts WHERE name = 'modelreg upload';
SELECT file_count FROM modelreg_register_files(ARRAY(SELECT i::text FROM begun ORDER BY i), ARRAY(SELECT id FROM begun ORDER BY i), 'many', :f1);
SELECT count(*) <= 5 AS few_uploads_remembered FROM pg_backend_memory_contexts WHERE name = 'modelreg upload';
SELECT modelreg_delete_model('many');
CREATE FUNCTION attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT left(path, 20) AS path, attempt(format('SELECT modelreg_register_files(ARRAY[%L], ARRAY[up(''x'')], ''bad'', performance_metrics => ''{"f1": 1}'')', path))
FROM unnest(ARRAY['', '/', '/etc/passwd', 'a/', 'a//b', '.', '..', './a', '../a', 'a/../b', 'a/..', 'a\b', E'a\nb', 'C:/Windows/x', repeat('p', 1025)]) AS path;
SELECT left(path, 20) AS path, attempt(format('SELECT modelreg_register_files(ARRAY[%L], ARRAY[up(''x'')], ''good'', performance_metrics => ''{"f1": 1}'')', path))
FROM unnest(ARRAY['...', '.hidden', 'a..b/c', '-', '~', 'con', ' a ', 'a:b', 'b/c:d', repeat('p', 1024)]) AS path;
SELECT model_name, count(*) FROM modelreg_list() GROUP BY model_name ORDER BY model_name;

-- Roles: uploads of one's own; readers read
SET ROLE regress_modelreg_writer;
SELECT up('mine') AS mine \gset
SELECT file_count FROM modelreg_register_files('{f}', ARRAY[up('own')], 'own', :f1);
SET ROLE regress_modelreg_other;
SELECT modelreg_register_files('{f}', ARRAY[:'mine'::uuid], 'own', :f1); -- error
SET ROLE regress_modelreg_reader;
SELECT modelreg_register_files('{f}', ARRAY[:'mine'::uuid], 'own', :f1); -- error
SELECT modelreg_load(model_id, path => 'f') FROM modelreg_find_latest('own');
SELECT count(*) FROM modelreg.version_file WHERE path = 'f';
RESET ROLE;
SELECT modelreg_upload_abort(:'mine');

-- Nobody changes files, and they go with their version alone
\set VERBOSITY sqlstate
UPDATE modelreg.version_file SET path = 'x' WHERE path = 'f'; -- error
UPDATE modelreg.version_file SET sha256 = sha256('w') WHERE path = 'f'; -- error
DELETE FROM modelreg.version_file WHERE path = 'f'; -- error
SET session_replication_role = replica;
UPDATE modelreg.version_file SET artifact_size = 7 WHERE path = 'f'; -- error
DELETE FROM modelreg.version_file WHERE path = 'f'; -- error
RESET session_replication_role;
TRUNCATE modelreg.version_file; -- error
DELETE FROM modelreg.artifact WHERE sha256 IN (SELECT sha256 FROM modelreg.version_file); -- error
SET ROLE regress_modelreg_writer;
INSERT INTO modelreg.version_file SELECT 'x', 'y', sha256(''), 0; -- error
RESET ROLE;
\set VERBOSITY default
BEGIN;
DELETE FROM modelreg.model_version WHERE model_name = 'own';
SELECT count(*) FROM modelreg.version_file WHERE path = 'f';
ROLLBACK;

-- Forged files, and damaged ones, are found
SELECT bool_and(ok) AS sound FROM modelreg_verify() WHERE model_id IS NOT NULL;
CREATE FUNCTION found() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT DISTINCT coalesce(regexp_replace(model_id, '_\d{8}_.*', ''), '-') || ': ' || problem FROM modelreg_verify() WHERE NOT ok
$$;
BEGIN;
INSERT INTO modelreg.version_file SELECT model_id, 'backdoor.py', sha256('w'), 1 FROM modelreg.model_version WHERE model_name IN ('own', 'single');
INSERT INTO modelreg.version_file VALUES ('nobody', 'a', sha256('w'), 1);
SELECT * FROM found() ORDER BY 1;
ROLLBACK;
-- rows that no registration would have made are findings, not errors
BEGIN;
INSERT INTO modelreg.version_file SELECT model_id, path || '/z', sha256, artifact_size FROM modelreg.version_file WHERE path = 'f';
INSERT INTO modelreg.version_file SELECT model_id, 'short', '\x00', 0 FROM modelreg.version_file WHERE path = 'a"b';
INSERT INTO modelreg.version_file SELECT model_id, '../../etc/passwd', sha256, -1 FROM modelreg.version_file WHERE path = 'MLmodel';
SELECT * FROM found() ORDER BY 1;
SAVEPOINT s;
SELECT modelreg_load(model_id, path => path) FROM modelreg.version_file WHERE path = 'short'; -- error
ROLLBACK;
-- of many damaged files some are named
BEGIN;
INSERT INTO modelreg.version_file SELECT f.model_id, 'file ' || to_char(i, 'FM000'), sha256(int4send(i)), 1 FROM modelreg.version_file AS f, generate_series(1, 200) AS i WHERE f.path = 'f';
SELECT * FROM found() ORDER BY 1;
ROLLBACK;
BEGIN;
ALTER TABLE modelreg.version_file DISABLE TRIGGER USER;
UPDATE modelreg.version_file SET sha256 = sha256('flavors: {}') WHERE path = 'f';
SELECT * FROM found() ORDER BY 1;
DELETE FROM modelreg.version_file WHERE path = 'f';
SELECT * FROM found() ORDER BY 1;
ROLLBACK;
BEGIN;
ALTER TABLE modelreg.chunk_piece DISABLE TRIGGER USER;
UPDATE modelreg.chunk_piece SET data = overlay(data PLACING 'X' FROM 10) FROM modelreg.artifact AS a JOIN modelreg.artifact_chunk USING (content)
WHERE a.sha256 = sha256(:'weights') AND chunk_piece.chunk = artifact_chunk.chunk AND chunk_no = 1 AND piece_no = 2;
SELECT count(*), regexp_replace(min(problem), '[0-9a-f]{8}-[-0-9a-f]*', '<chunk>') AS problem FROM modelreg_verify() WHERE NOT ok;
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT modelreg_load(:'id', path => 'weights/model.bin'); -- error
ROLLBACK TO s;
SELECT count(*) FROM modelreg_download(:'id', path => 'weights/model.bin'); -- error
ROLLBACK TO s;
SELECT modelreg_load(:'id', path => 'MLmodel');
\set VERBOSITY default
-- registering the right bytes heals
ALTER TABLE modelreg.chunk_piece ENABLE ALWAYS TRIGGER chunk_piece_row_guard;
ALTER TABLE modelreg.chunk_piece ENABLE ALWAYS TRIGGER chunk_piece_statement_guard;
SELECT file_count FROM modelreg_register_files('{w}', ARRAY[up(:'weights')], 'healer', :f1);
SELECT modelreg_load(:'id', path => 'weights/model.bin') = :'weights' AS whole;
SELECT count(*) FROM modelreg_verify() WHERE NOT ok;
ROLLBACK;

-- What row-level security hides is in no view
BEGIN;
ALTER TABLE modelreg.model_version ENABLE ROW LEVEL SECURITY;
CREATE POLICY but_net ON modelreg.model_version FOR SELECT TO modelreg_reader USING (model_name <> 'net');
SET LOCAL ROLE regress_modelreg_reader;
SELECT count(*) FILTER (WHERE m LIKE 'net%') AS hidden, count(*) > 0 AS others FROM modelreg.artifact_health, unnest(model_ids) AS m;
SELECT count(*) FROM modelreg.storage_usage WHERE model_name = 'net';
SAVEPOINT s;
\set VERBOSITY sqlstate
SELECT modelreg_load(:'id', path => 'MLmodel'); -- error
\set VERBOSITY default
ROLLBACK;

-- Cleanup keeps what a file uses, and takes it when the version is gone
CALL modelreg_cleanup();
SELECT count(*) AS artifacts FROM modelreg.artifact AS a WHERE EXISTS (SELECT FROM modelreg.version_file AS f WHERE f.sha256 = a.sha256);
SELECT modelreg_load(:'id', path => 'weights/model.bin') = :'weights' AS whole;
SELECT modelreg_delete_model(model_name) FROM modelreg.model \g /dev/null
SELECT count(*) AS files FROM modelreg.version_file;
CALL modelreg_cleanup();
SELECT (SELECT count(*) FROM modelreg.artifact) AS artifacts, (SELECT count(*) FROM modelreg.chunk) AS chunks, (SELECT count(*) FROM modelreg_verify()) AS problems;
SELECT bool_and(ok) AS sound FROM modelreg_audit_verify();
DROP FUNCTION up, attempt, found;
DROP ROLE regress_modelreg_writer, regress_modelreg_other, regress_modelreg_reader;
