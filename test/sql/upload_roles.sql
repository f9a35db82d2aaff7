--
-- Uploads: whose they are, and when cleanup removes them
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set ECHO all
\set f1 'performance_metrics => ''{"f1": 0.5}'''
-- n KiB without a pattern, other ones for each n
CREATE FUNCTION bytes(n int) RETURNS bytea LANGUAGE sql STABLE
	RETURN (SELECT string_agg(sha256(int8send(n * 1000003::bigint + g)), '' ORDER BY g) FROM generate_series(1, n * 32) AS g);
CREATE VIEW stored AS
	SELECT (SELECT count(*) FROM modelreg.upload) AS uploads, (SELECT count(*) FROM modelreg.discarded_content) AS discarded,
		(SELECT count(*) FROM modelreg.artifact_chunk) > 0 AS lists, (SELECT count(*) FROM modelreg.chunk) > 0 AS chunks,
		(SELECT count(*) FROM modelreg.chunk_piece) > 0 AS pieces;

-- Nobody and readers do not begin
SET SESSION AUTHORIZATION regress_modelreg_nobody;
SELECT modelreg_upload_begin(); -- error
SELECT count(*) FROM modelreg.upload; -- error
SET SESSION AUTHORIZATION regress_modelreg_reader;
SELECT modelreg_upload_begin(); -- error
SELECT count(*) FROM modelreg.upload;
SELECT state FROM modelreg.upload; -- error
SET SESSION AUTHORIZATION regress_modelreg_writer;
SELECT modelreg_upload_begin() AS id \gset
SELECT modelreg_upload_append(:'id', '\x01');
SET SESSION AUTHORIZATION regress_modelreg_nobody;
SELECT attempt(format('SELECT modelreg_upload_%s', call)) FROM unnest(ARRAY[format('append(%L, ''x'')', :'id'), format('status(%L)', :'id'), format('abort(%L)', :'id')]) AS call;
SELECT attempt(format('SELECT modelreg_register_upload(%L, ''m'')', :'id'));
SET SESSION AUTHORIZATION regress_modelreg_reader;
SELECT attempt(format('SELECT modelreg_upload_%s', call)) FROM unnest(ARRAY[format('append(%L, ''x'')', :'id'), format('status(%L)', :'id'), format('abort(%L)', :'id')]) AS call;
SELECT attempt(format('SELECT modelreg_register_upload(%L, ''m'')', :'id'));
SELECT created_by, bytes_held FROM modelreg.upload;
-- nor if somebody lets them call the functions
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION modelreg_upload_begin(bigint), modelreg_upload_append(uuid, bytea, bigint), modelreg_upload_status(uuid), modelreg_upload_abort(uuid),
	modelreg_register_upload(uuid, text, text, text, jsonb, text, text[], text, jsonb, jsonb, text, text[], timestamptz, text) TO regress_modelreg_reader;
SET SESSION AUTHORIZATION regress_modelreg_reader;
SELECT modelreg_upload_begin(); -- error
SELECT modelreg_upload_append(:'id', 'x'); -- error
SELECT modelreg_upload_status(:'id'); -- error
SELECT modelreg_upload_abort(:'id'); -- error
SELECT modelreg_register_upload(:'id', 'm', :f1); -- error

-- Another writer does not go on, with what was committed or what was not
SET SESSION AUTHORIZATION regress_modelreg_other_writer;
SELECT modelreg_upload_append(:'id', 'x'); -- error
SELECT modelreg_upload_status(:'id'); -- error
SELECT modelreg_upload_abort(:'id'); -- error
SELECT modelreg_register_upload(:'id', 'm', :f1); -- error
RESET SESSION AUTHORIZATION;
BEGIN;
SET LOCAL ROLE regress_modelreg_writer;
SELECT modelreg_upload_append(:'id', '\x02');
SET LOCAL ROLE regress_modelreg_other_writer;
SELECT attempt(format('SELECT modelreg_upload_%s', call)) FROM unnest(ARRAY[format('append(%L, ''x'')', :'id'), format('status(%L)', :'id'), format('abort(%L)', :'id')]) AS call;
SELECT attempt(format('SELECT modelreg_register_upload(%L, ''m'', performance_metrics => ''{"f1": 1}'')', :'id'));
-- who commits does not matter
SET LOCAL ROLE regress_modelreg_nobody;
COMMIT;
SET SESSION AUTHORIZATION regress_modelreg_writer;
SELECT bytes_held, created_by FROM modelreg_upload_status(:'id');
SELECT modelreg_register_upload(:'id', 'm', deployment_stage => 'production', :f1); -- error
SELECT artifact_size, registered_by FROM modelreg_register_upload(:'id', 'm', :f1);

-- SET ROLE counts: an upload of the group is for all who act as the group
SET ROLE modelreg_writer;
SELECT modelreg_upload_begin() AS id \gset
SELECT modelreg_upload_append(:'id', '\x03');
RESET ROLE;
SELECT modelreg_upload_append(:'id', 'x'); -- error
SET SESSION AUTHORIZATION regress_modelreg_other_writer;
SELECT modelreg_upload_append(:'id', 'x'); -- error
SET ROLE modelreg_writer;
SELECT modelreg_upload_append(:'id', '\x04');
SELECT artifact_size, registered_by FROM modelreg_register_upload(:'id', 'm', :f1);
SELECT actor, session_user_name FROM modelreg_history('m') WHERE event = 'register';
RESET ROLE;

-- An admin, and a superuser, may do it all
SET SESSION AUTHORIZATION regress_modelreg_writer;
SELECT modelreg_upload_begin() AS id \gset
SELECT modelreg_upload_append(:'id', '\x05');
SELECT modelreg_upload_begin() AS other_id \gset
SET SESSION AUTHORIZATION regress_modelreg_admin;
SELECT modelreg_upload_append(:'id', '\x06');
SELECT bytes_held, created_by FROM modelreg_upload_status(:'id');
SELECT modelreg_upload_abort(:'other_id');
RESET SESSION AUTHORIZATION;
SELECT modelreg_upload_append(:'id', '\x07');
SET SESSION AUTHORIZATION regress_modelreg_writer;
SELECT modelreg_upload_append(:'id', '\x08');
SET SESSION AUTHORIZATION regress_modelreg_admin;
SELECT artifact_size, registered_by, deployment_stage FROM modelreg_register_upload(:'id', 'm', deployment_stage => 'production', :f1);
SELECT artifact FROM modelreg_load_latest('m', 'production');
-- a writer no more
RESET SESSION AUTHORIZATION;
SET ROLE regress_modelreg_other_writer;
SELECT modelreg_upload_begin() AS id \gset
RESET ROLE;
REVOKE modelreg_writer FROM regress_modelreg_other_writer;
SET ROLE regress_modelreg_other_writer;
\set VERBOSITY sqlstate
SELECT modelreg_upload_append(:'id', 'x'); -- error
\set VERBOSITY default
RESET ROLE;
SELECT modelreg_upload_abort(:'id');

-- Expiry, which a superuser sets and cleanup follows
SELECT modelreg_delete_model('m', true);
CALL modelreg_cleanup();
SELECT * FROM stored;
SET SESSION AUTHORIZATION regress_modelreg_admin;
SHOW modelreg.upload_expiry;
SET modelreg.upload_expiry = 0; -- error
SET SESSION AUTHORIZATION regress_modelreg_writer;
SELECT modelreg_upload_begin() AS old_id, modelreg_upload_begin() AS young_id, modelreg_upload_begin() AS empty_id \gset
SELECT modelreg_upload_append(:'old_id', bytes(300)) AS old, modelreg_upload_append(:'young_id', bytes(301)) AS young;
CALL modelreg_cleanup(); -- error
RESET SESSION AUTHORIZATION;
UPDATE modelreg.upload SET last_append_at = last_append_at - interval '2 hours', created_at = created_at - interval '2 hours' WHERE upload_id IN (:'old_id', :'empty_id');
SELECT DISTINCT content = :'young_id' AS young FROM modelreg.artifact_chunk ORDER BY 1;
SELECT count(*) AS chunks_of_young FROM modelreg.artifact_chunk WHERE content = :'young_id' \gset
-- neither the default nor -1 removes them
CALL modelreg_cleanup();
SET modelreg.upload_expiry = -1;
CALL modelreg_cleanup();
SELECT bytes_held, expires_at FROM modelreg_upload_status(:'old_id');
SELECT * FROM stored;
\set VERBOSITY sqlstate
SET modelreg.upload_expiry = -2; -- error
\set VERBOSITY default
SET modelreg.upload_expiry = '90min';
SELECT bytes_held, expires_at - last_append_at AS expiry, expires_at < clock_timestamp() AS expired FROM modelreg_upload_status(:'old_id');
-- and one that somebody appends to is young again
BEGIN;
SELECT modelreg_upload_append(:'empty_id', 'x');
COMMIT;
CALL modelreg_cleanup();
SELECT upload_id = :'young_id' AS young, upload_id = :'empty_id' AS empty, bytes_held FROM modelreg.upload ORDER BY bytes_held DESC;
SELECT count(*) = :chunks_of_young AND bool_and(content = :'young_id') AS only_young_lists, (SELECT count(*) FROM modelreg.chunk) = :chunks_of_young AS only_young_chunks,
	(SELECT bool_and(chunk IN (SELECT chunk FROM modelreg.chunk)) FROM modelreg.chunk_piece) AS only_young_pieces
FROM modelreg.artifact_chunk;
SELECT * FROM stored;
\set VERBOSITY sqlstate
SELECT modelreg_upload_append(:'old_id', 'x'); -- error
SELECT modelreg_upload_status(:'old_id'); -- error
\set VERBOSITY default
SELECT new_values, actor FROM modelreg_history() WHERE event = 'cleanup' ORDER BY seq DESC LIMIT 1;
SELECT * FROM modelreg_verify();
SELECT checksum = encode(sha256(bytes(301)), 'hex') AS checksum FROM modelreg_register_upload(:'young_id', 'young', :f1);
-- all of them
SELECT count(*) FROM modelreg_history() WHERE event = 'cleanup' \gset before_
SELECT count(modelreg_upload_append(modelreg_upload_begin(), bytes(i))) AS begun FROM generate_series(1, 5) AS i;
SET modelreg.upload_expiry = 0;
CALL modelreg_cleanup(batch_size => 2);
RESET modelreg.upload_expiry;
SELECT new_values -> 'uploads' AS uploads, (SELECT count(*) - :before_count FROM modelreg_history() WHERE event = 'cleanup') AS new_events
FROM modelreg_history() WHERE event = 'cleanup' ORDER BY seq DESC LIMIT 1;
SELECT modelreg_delete_model('young');
CALL modelreg_cleanup();
SELECT * FROM stored;
SELECT * FROM modelreg_verify();
SELECT count(*) AS bad FROM modelreg_audit_verify() WHERE NOT ok;

\set ECHO none
DROP VIEW stored;
DROP FUNCTION bytes(int);
\i :test_dir/lib/attack_end.sql
