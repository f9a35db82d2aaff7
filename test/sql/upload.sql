--
-- Streaming uploads: what comes in parts is what is registered
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set f1 'performance_metrics => ''{"f1": 0.5}'''
-- n bytes without a pattern, other ones for each n
\set bytes 'substring((SELECT string_agg(sha256(int8send(n * 1000003::bigint + g)), '''' ORDER BY g) FROM generate_series(1, n / 32 + 1) AS g) FOR n)'
-- an error's code and message, without the id
\set failure 'SELECT :''LAST_ERROR_SQLSTATE'' AS state, regexp_replace(:''LAST_ERROR_MESSAGE'', ''[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'', ''<upload>'') AS message'
\set counts '(SELECT (SELECT count(*) FROM modelreg.chunk) || '' '' || (SELECT count(*) FROM modelreg.chunk_piece) || '' '' || (SELECT count(*) FROM modelreg.artifact))'
-- what cannot be the same in two registrations of the same
\set but_for '''{model_id,model_key,model_name,registered_at}''::text[]'
CREATE TEMPORARY TABLE sent AS SELECT n, :bytes AS original FROM unnest(ARRAY[100000, 300000, 1500000]) AS n;
-- the chunks of an artifact, in order
CREATE FUNCTION pg_temp.chunks(id text) RETURNS text LANGUAGE sql
	RETURN (SELECT string_agg(l.chunk_no || ':' || l.byte_offset || ':' || l.chunk, ' ' ORDER BY l.byte_offset)
		FROM modelreg.model_version AS v JOIN modelreg.artifact AS a ON a.sha256 = decode(v.checksum, 'hex')
		JOIN modelreg.artifact_chunk AS l USING (content) WHERE v.model_id = id);

-- In one transaction, in parts of all sizes
BEGIN;
SELECT modelreg_upload_begin() AS id \gset
SELECT modelreg_upload_append(:'id', substring(original FOR 1)) FROM sent WHERE n = 1500000;
SELECT modelreg_upload_append(:'id', '') AS held, modelreg_upload_append(:'id', '', 1) AS at_offset;
SELECT modelreg_upload_append(:'id', substring(original FROM 2 FOR 1048576), 1) FROM sent WHERE n = 1500000;
SELECT count(*) AS parts, max(modelreg_upload_append(:'id', substring(original FROM b + 1 FOR 1), b)) AS held
FROM sent, generate_series(1048577, 1048676) AS b WHERE n = 1500000;
SELECT modelreg_upload_append(:'id', substring(original FROM 1048678), NULL) FROM sent WHERE n = 1500000;
SELECT model_name, version, version_number, artifact_size, checksum = encode(sha256(original), 'hex') AS checksum,
	registered_by = current_user AS by, created_at = registered_at AS created, model_id AS one
FROM sent, modelreg_register_upload(:'id', 'one transaction', :f1) WHERE n = 1500000 \gset
SELECT :'model_name' AS model_name, :'version' AS version, :version_number AS number, :artifact_size AS size, :'checksum' AS checksum, :'by' AS by;
SELECT count(*) AS uploads FROM modelreg.upload;
SELECT modelreg_load(:'one') = original AS same FROM sent WHERE n = 1500000;
COMMIT;
SELECT modelreg_load(:'one') = original AS same FROM sent WHERE n = 1500000;

-- In many transactions; the bytes are there, so nothing is stored but the list
SELECT :counts AS before \gset
SELECT modelreg_upload_begin(1500000) AS id \gset
SELECT modelreg_upload_append(:'id', substring(original FOR 100000), 0) FROM sent WHERE n = 1500000;
SELECT modelreg_upload_append(:'id', substring(original FROM 100001 FOR 700000)) FROM sent WHERE n = 1500000;
SELECT modelreg_upload_append(:'id', '', 800000);
SELECT modelreg_upload_append(:'id', substring(original FROM 800001), 800000) FROM sent WHERE n = 1500000;
SELECT model_id AS many FROM modelreg_register_upload(:'id', 'many transactions', :f1) \gset
SELECT :counts = :'before' AS nothing_stored, pg_temp.chunks(:'one') = pg_temp.chunks(:'many') AS same_chunks,
	modelreg_load(:'many') = original AS same FROM sent WHERE n = 1500000;

-- The row, and the trail's, are those that modelreg_register would write
\set arguments 'model_type => ''forest'', version => ''2.1.0'', performance_metrics => ''{"f1": 0.5, "loss": 0.1}'', deployment_stage => ''staging'', tags => ''{a,b}'', notes => ''n'', model_config => ''{"depth": 3}'', training_metadata => ''{"epochs": 7}'', dataset_version => ''d1'', parent_ids => ARRAY[:''one''], created_at => ''2024-05-06 07:08:09Z'', expected_checksum => (SELECT upper(encode(sha256(original), ''hex'')) FROM sent WHERE n = 300000)'
SELECT modelreg_upload_begin(300000) AS id \gset
SELECT max(modelreg_upload_append(:'id', substring(original FROM b + 1 FOR 7777), b)) AS held FROM sent, generate_series(0, n - 1, 7777) AS b WHERE n = 300000;
SELECT model_id AS parts FROM modelreg_register_upload(:'id', model_name => 'in parts', :arguments) \gset
SELECT pg_temp.chunks(:'parts') AS chunks_in_parts, :counts AS before \gset
SELECT model_id AS whole FROM sent, modelreg_register(original, model_name => 'at once', :arguments) WHERE n = 300000 \gset
SELECT :counts = :'before' AS nothing_stored;
SELECT to_jsonb(p) - :but_for = to_jsonb(w) - :but_for AS same_row, p.version, p.deployment_stage, p.tags, p.created_at = '2024-05-06 07:08:09Z' AS created
FROM modelreg_info(:'parts') AS p, modelreg_info(:'whole') AS w;
SELECT p.event, p.seq = w.seq AS same_seq, p.reason, p.old_values, (p.new_values - :but_for) = (w.new_values - :but_for) AS same_values
FROM modelreg_history(model_id => :'parts') AS p, modelreg_history(model_id => :'whole') AS w;
-- and so are the chunks, if the bytes are stored anew
SELECT modelreg_delete(:'parts'), modelreg_delete(:'whole'), count(*) AS chunks, sum(raw_size) AS bytes,
	string_agg(raw_size::text, ' ' ORDER BY byte_offset) AS sizes_in_parts
FROM modelreg.artifact_chunk JOIN modelreg.chunk USING (chunk) JOIN modelreg.artifact AS a USING (content) WHERE artifact_size = 300000 \gset
CALL modelreg_cleanup();
SELECT count(*) AS artifacts FROM modelreg.artifact WHERE artifact_size = 300000;
SELECT count(*) FROM sent, modelreg_register(original, 'again', :f1) WHERE n = 300000;
SELECT count(*) > 1 AS many, sum(raw_size) AS bytes, string_agg(raw_size::text, ' ' ORDER BY byte_offset) = :'sizes_in_parts' AS same_cuts,
	bool_and(position(chunk::text IN :'chunks_in_parts') = 0) AS new_chunks
FROM modelreg.artifact_chunk JOIN modelreg.chunk USING (chunk) JOIN modelreg.artifact AS a USING (content) WHERE artifact_size = 300000;

-- Several at a time, more than a session remembers
BEGIN;
CREATE TEMPORARY TABLE several AS SELECT i, modelreg_upload_begin(i) AS id FROM generate_series(1, 7) AS i;
SELECT count(*) AS begun, count(DISTINCT id) AS ids FROM several;
COMMIT;
SELECT sum(modelreg_upload_append(id, '\x00')) AS held FROM several;
SELECT sum(modelreg_upload_append(id, decode(repeat('00', i - 1), 'hex'), 1)) AS held FROM several WHERE i > 1;
SELECT bool_and(artifact_size = i) AS sizes, bool_and(checksum = encode(sha256(decode(repeat('00', i), 'hex')), 'hex')) AS checksums
FROM several, modelreg_register_upload(id, 'several ' || i, :f1);

-- expected_size
SELECT FROM modelreg_upload_abort(modelreg_upload_begin(0));
SELECT modelreg_upload_begin(-1); -- error
SELECT modelreg_upload_begin(10) AS id \gset
SELECT modelreg_upload_append(:'id', '\x000102030405');
SELECT modelreg_register_upload(:'id', 'sized', :f1); -- error
SELECT modelreg_upload_append(:'id', '\x060708090a'); -- error
SELECT bytes_held FROM modelreg_upload_status(:'id');
SELECT modelreg_upload_append(:'id', '\x06070809', 6);
SELECT modelreg_upload_append(:'id', '\x0a'); -- error
SELECT modelreg_upload_append(:'id', '') AS held;
SELECT artifact_size FROM modelreg_register_upload(:'id', 'sized', :f1);

-- byte_offset
SELECT modelreg_upload_begin() AS id \gset
SELECT modelreg_upload_append(:'id', 'abc', 0);
SELECT modelreg_upload_append(:'id', 'abc', 0); -- error
SELECT modelreg_upload_append(:'id', 'abc', 4); -- error
SELECT modelreg_upload_append(:'id', 'abc', -1); -- error
SELECT modelreg_upload_append(:'id', '', 0); -- error
SELECT modelreg_upload_append(:'id', 'abc', 3);
BEGIN;
SELECT modelreg_upload_append(:'id', 'def');
SAVEPOINT s;
SELECT modelreg_upload_append(:'id', 'ghi', 6); -- error
ROLLBACK TO s;
SELECT modelreg_upload_append(:'id', 'ghi', 9);
COMMIT;

-- expected_checksum; another version of that number; each leaves the upload as it was
\set sha256 '(SELECT encode(sha256(''abcabcdefghi''), ''hex''))'
SELECT modelreg_register_upload(:'id', 'checked', expected_checksum => repeat('0', 64), :f1); -- error
SELECT modelreg_register_upload(:'id', 'checked', expected_checksum => 'abc', :f1); -- error
SELECT modelreg_register_upload(:'id', 'sized', '0.1.0', :f1); -- error
SELECT modelreg_register_upload(:'id', 'checked'); -- error
BEGIN;
SAVEPOINT s;
SELECT modelreg_register_upload(:'id', 'checked', expected_checksum => repeat('0', 64), :f1); -- error
ROLLBACK TO s;
SELECT modelreg_upload_append(:'id', 'j', 12);
ROLLBACK TO s;
SELECT version, checksum = :sha256 AS checksum FROM modelreg_register_upload(:'id', 'checked', expected_checksum => upper(:sha256), :f1);
\set VERBOSITY sqlstate
SAVEPOINT t;
SELECT modelreg_upload_append(:'id', 'j', 12); -- error
ROLLBACK TO t;
:failure;
SELECT * FROM modelreg_upload_status(:'id'); -- error
ROLLBACK TO t;
SELECT modelreg_register_upload(:'id', 'checked', :f1); -- error
ROLLBACK TO t;
SELECT modelreg_upload_abort(:'id'); -- error
ROLLBACK TO t;
COMMIT;
SELECT modelreg_upload_append(:'id', 'j'); -- error
SELECT * FROM modelreg_upload_status(:'id'); -- error
SELECT modelreg_register_upload(:'id', 'checked', :f1); -- error
:failure;
SELECT modelreg_upload_abort(:'id'); -- error
\set VERBOSITY default
SELECT artifact FROM modelreg_load_latest('checked');

-- Nothing is no artifact
SELECT modelreg_upload_begin() AS id \gset
SELECT modelreg_register_upload(:'id', 'empty', :f1); -- error
SELECT modelreg_upload_append(:'id', '');
SELECT modelreg_register_upload(:'id', 'empty', :f1); -- error

-- Abort
SELECT modelreg_upload_append(:'id', 'abandoned');
SELECT modelreg_upload_abort(:'id');
\set VERBOSITY sqlstate
SELECT modelreg_upload_abort(:'id'); -- error
SELECT modelreg_upload_append(:'id', 'more'); -- error
SELECT modelreg_register_upload(:'id', 'abandoned', :f1); -- error
SELECT * FROM modelreg_upload_status(:'id'); -- error
\set VERBOSITY default
BEGIN;
SELECT modelreg_upload_begin() AS id \gset
SELECT max(modelreg_upload_append(:'id', original)) FROM sent WHERE n = 100000;
SELECT modelreg_upload_abort(:'id');
SELECT * FROM modelreg_verify() WHERE model_id IS NULL AND NOT ok;
COMMIT;
CALL modelreg_cleanup();
SELECT count(*) AS uploads, (SELECT count(*) FROM modelreg.discarded_content) AS discarded,
	(SELECT count(*) FROM modelreg.chunk WHERE chunk NOT IN (SELECT chunk FROM modelreg.artifact_chunk JOIN modelreg.artifact USING (content))) AS orphans
FROM modelreg.upload;

-- An id that is none, and no arguments at all
SELECT modelreg_upload_append('00000000-0000-7000-8000-000000000000', 'x'); -- error
SELECT modelreg_upload_append(NULL, 'x'); -- error
SELECT modelreg_upload_status(NULL); -- error
SELECT modelreg_upload_abort(NULL); -- error
SELECT modelreg_register_upload(NULL, 'm', :f1); -- error
SELECT modelreg_upload_begin(NULL) AS id \gset
SELECT modelreg_upload_append(:'id', NULL); -- error
SELECT modelreg_upload_append(:'id', 'x', NULL);
SELECT modelreg_register_upload(:'id', NULL, :f1); -- error
SELECT modelreg_register_upload(:'id', 'nulls', NULL, NULL, NULL); -- error
SELECT artifact_size, model_type, version, model_name, deployment_stage, tags, notes, model_config, training_metadata, dataset_version, parent_ids
FROM modelreg_register_upload(:'id', 'nulls', NULL, NULL, '{"f1": 1}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
\set VERBOSITY sqlstate
SELECT modelreg_upload_append('00000000-0000-7000-8000-000000000000', 'x'); -- error
SELECT modelreg_upload_status('00000000-0000-7000-8000-000000000000'); -- error
SELECT modelreg_upload_abort('00000000-0000-7000-8000-000000000000'); -- error
SELECT modelreg_register_upload('00000000-0000-7000-8000-000000000000', 'm', :f1); -- error
SELECT modelreg_upload_append(NULL, 'x'); -- error
SELECT modelreg_upload_begin(-1); -- error
SELECT modelreg_upload_begin(1) AS id \gset
SELECT modelreg_upload_append(:'id', NULL); -- error
SELECT modelreg_upload_append(:'id', 'x', 1); -- error
SELECT modelreg_upload_append(:'id', 'xy'); -- error
SELECT modelreg_register_upload(:'id', 'm', :f1); -- error
SELECT modelreg_upload_append(:'id', 'x');
SELECT modelreg_register_upload(:'id', 'm', expected_checksum => repeat('0', 64), :f1); -- error
SELECT modelreg_register_upload(:'id', 'sized', '0.1.0', :f1); -- error
SELECT modelreg_upload_abort(:'id');
\set VERBOSITY default

-- Status: of this transaction, and after it
\set status 'SELECT bytes_held, expected_size, created_by = current_user AS by_me, created_at <= last_append_at AS ordered, created_at < last_append_at AS appended, expires_at - last_append_at AS expiry FROM modelreg_upload_status(:''id'')'
BEGIN;
SELECT modelreg_upload_begin(6) AS id \gset
:status;
SELECT modelreg_upload_append(:'id', 'abc');
:status;
COMMIT;
:status;
BEGIN;
SELECT modelreg_upload_append(:'id', 'def');
:status;
ROLLBACK;
:status;
SET modelreg.upload_expiry = -1;
:status;
RESET modelreg.upload_expiry;
SELECT s.created_at = u.created_at AS created_at, s.last_append_at = u.last_append_at AS last_append_at, s.bytes_held = u.bytes_held AS bytes_held
FROM modelreg.upload AS u, modelreg_upload_status(u.upload_id) AS s;

SELECT count(*) AS versions, bool_and(ok) AS ok FROM modelreg_verify() WHERE model_id IS NOT NULL;
SELECT * FROM modelreg_verify() WHERE model_id IS NULL;
SELECT count(*) AS bad FROM modelreg_audit_verify() WHERE NOT ok;
