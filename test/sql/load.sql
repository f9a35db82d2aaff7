--
-- modelreg_load and modelreg_load_latest: what was registered, or an error
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set f1 'performance_metrics => ''{"f1": 0.5}'''
-- n bytes without a pattern, other ones for each n
\set bytes 'substring((SELECT string_agg(sha256(int8send(n * 1000003::bigint + g)), '''' ORDER BY g) FROM generate_series(1, n / 32 + 1) AS g) FOR n)'
-- an error's code and message, without the id's time
\set failure 'SELECT :''LAST_ERROR_SQLSTATE'' AS state, regexp_replace(:''LAST_ERROR_MESSAGE'', ''_[0-9]{8}_[0-9]{6}(_[0-9]+)?"'', ''_<time>"'') AS message'

-- Sizes about those of a piece (8,096 bytes) and of a chunk (32 pieces)
CREATE TEMPORARY TABLE size AS
	SELECT n, :bytes AS original
	FROM unnest(ARRAY[1, 2, 8095, 8096, 8097, 16192, 259071, 259072, 259073, 518144, 1048576]) AS n;
SELECT count(*) AS registered, bool_and(r.artifact_size = n AND r.checksum = encode(sha256(original), 'hex')) AS described
FROM size, LATERAL modelreg_register(original, 'size ' || n, :f1) AS r;
SELECT n, length(b) AS loaded, md5(b) = md5(original) AS same_md5, b = original AS same,
	(SELECT count(*) FROM modelreg.artifact_chunk AS a JOIN modelreg.artifact AS r USING (content) WHERE r.sha256 = sha256(original)) AS chunks,
	(SELECT count(*) FROM modelreg.artifact_chunk AS a JOIN modelreg.chunk_piece AS p USING (chunk)
	 JOIN modelreg.artifact AS r USING (content) WHERE r.sha256 = sha256(original)) AS pieces
FROM size, LATERAL modelreg_find_latest('size ' || n) AS f, LATERAL modelreg_load(f.model_id) AS b
ORDER BY n;
SELECT bool_and(modelreg_load(f.model_id, false) = original) AS same_unverified
FROM size, LATERAL modelreg_find_latest('size ' || n) AS f;
SELECT bool_and(l.artifact = original) AS same_latest
FROM size, LATERAL modelreg_load_latest('size ' || n) AS l;
-- bytes of every value
SELECT count(*) FROM modelreg_register((SELECT string_agg(set_byte('\x00', 0, i), '' ORDER BY i) FROM generate_series(0, 255) AS i), 'every byte', :f1);
SELECT md5(artifact) = 'e2c865db4162bed963bfaa9ef6ac18f0' AS same FROM modelreg_load_latest('every byte');
-- bytes that compress well, in TOAST or out of it
SELECT count(*) FROM modelreg_register(convert_to(repeat('a', 300000), 'UTF8'), 'one letter', :f1);
SELECT convert_from(artifact, 'UTF8') = repeat('a', 300000) AS same FROM modelreg_load_latest('one letter');

-- Bytes of this very transaction
BEGIN;
SELECT count(*) FROM modelreg_register('uncommitted', 'uncommitted', :f1);
SELECT artifact FROM modelreg_load_latest('uncommitted');
ROLLBACK;

-- What comes with the bytes
SELECT count(*) FROM modelreg_register('\x01', 'latest', tags => '{old}', :f1);
SELECT count(*) FROM modelreg_register('\x02', 'latest', deployment_stage => 'staging', performance_metrics => '{"f1": 0.9}');
SELECT model_id ~ '^latest_\d{8}_\d{6}(_\d+)?$' AS id, model_name, model_type, version, deployment_stage,
	checksum = encode(sha256(artifact), 'hex') AS checksum, performance_metrics, artifact
FROM modelreg_load_latest('latest');
SELECT version, artifact FROM modelreg_load_latest('latest', 'development');
SELECT version, artifact FROM modelreg_load_latest('latest', tags => '{old}');
SELECT version, artifact FROM modelreg_load_latest(model_name => 'latest', min_performance => '{"f1": 0.8}');
SELECT version, artifact FROM modelreg_load_latest(model_name => 'latest', max_performance => '{"f1": 0.8}');
SELECT version, artifact FROM modelreg_load_latest(model_name => 'latest', version => '0.1.0', verify_checksum => true);
-- no row where nothing matches
SELECT * FROM modelreg_load_latest('latest', 'production');
SELECT * FROM modelreg_load_latest('nothing');

-- An id that is none
SELECT modelreg_load('nothing'); -- error
SELECT modelreg_load(''); -- error
SELECT modelreg_load(NULL); -- error
SELECT modelreg_load_latest(deployment_stage => 'prod'); -- error
\set VERBOSITY sqlstate
SELECT modelreg_load('nothing'); -- error
SELECT modelreg_load(NULL); -- error

-- A flipped bit, by a superuser who switched the guards off
SELECT model_id AS id FROM modelreg_find_latest('size 8097') \gset
\set chunk '(SELECT chunk FROM modelreg.artifact_chunk AS a JOIN modelreg.artifact AS r USING (content) JOIN modelreg.model_version AS v ON r.sha256 = decode(v.checksum, ''hex'') WHERE v.model_id = :''id'' AND a.chunk_no = 0)'
ALTER TABLE modelreg.chunk_piece DISABLE TRIGGER ALL;
UPDATE modelreg.chunk_piece SET data = set_byte(data, 100, get_byte(data, 100) # 4) WHERE chunk = :chunk AND piece_no = 0;
SELECT modelreg_load(:'id'); -- error
:failure;
SELECT modelreg_load(:'id', true); -- error
SELECT * FROM modelreg_load_latest('size 8097'); -- error
:failure;
-- who asks for them without a check gets the bytes as they are
SELECT length(b) AS bytes, b = original AS same, set_byte(b, 100, get_byte(b, 100) # 4) = original AS same_but_for_the_bit
FROM size, modelreg_load(:'id', false) AS b WHERE n = 8097;
SELECT length(artifact) AS bytes FROM modelreg_load_latest('size 8097', verify_checksum => false);
-- and the setting is the default of that
SHOW modelreg.verify_checksums;
SET modelreg.verify_checksums = off;
SELECT length(modelreg_load(:'id')) AS bytes;
SELECT length(artifact) AS bytes FROM modelreg_load_latest('size 8097');
SELECT length(modelreg_load(:'id', true)) AS bytes; -- error
SELECT length(artifact) AS bytes FROM modelreg_load_latest('size 8097', verify_checksum => true); -- error
RESET modelreg.verify_checksums;
SELECT length(modelreg_load(:'id')) AS bytes; -- error
-- put right again
UPDATE modelreg.chunk_piece SET data = set_byte(data, 100, get_byte(data, 100) # 4) WHERE chunk = :chunk AND piece_no = 0;
SELECT length(modelreg_load(:'id')) AS bytes;

-- Structural damage is an error even without a check
BEGIN;
DELETE FROM modelreg.chunk_piece WHERE chunk = :chunk AND piece_no = 1;
SAVEPOINT s;
SELECT modelreg_load(:'id'); -- error
ROLLBACK TO s;
:failure;
SELECT modelreg_load(:'id', false); -- error
ROLLBACK;
BEGIN;
UPDATE modelreg.chunk_piece SET data = substring(data FOR 1000) WHERE chunk = :chunk AND piece_no = 0;
SAVEPOINT s;
SELECT modelreg_load(:'id', false); -- error
ROLLBACK;
BEGIN;
UPDATE modelreg.chunk_piece SET data = data || data WHERE chunk = :chunk AND piece_no = 1;
SAVEPOINT s;
SELECT modelreg_load(:'id', false); -- error
ROLLBACK;
ALTER TABLE modelreg.chunk_piece ENABLE ALWAYS TRIGGER chunk_piece_row_guard;
ALTER TABLE modelreg.chunk_piece ENABLE ALWAYS TRIGGER chunk_piece_statement_guard;
BEGIN;
ALTER TABLE modelreg.artifact_chunk DISABLE TRIGGER ALL;
DELETE FROM modelreg.artifact_chunk WHERE chunk = :chunk;
SAVEPOINT s;
SELECT modelreg_load(:'id', false); -- error
ROLLBACK;
BEGIN;
ALTER TABLE modelreg.chunk DISABLE TRIGGER ALL;
DELETE FROM modelreg.chunk WHERE chunk = :chunk;
SAVEPOINT s;
SELECT modelreg_load(:'id', false); -- error
ROLLBACK;
BEGIN;
ALTER TABLE modelreg.artifact DISABLE TRIGGER ALL;
DELETE FROM modelreg.artifact WHERE artifact_size = 8097;
SAVEPOINT s;
SELECT modelreg_load(:'id', false); -- error
ROLLBACK;
:failure;
BEGIN;
ALTER TABLE modelreg.artifact DISABLE TRIGGER ALL;
UPDATE modelreg.artifact SET storage = 'floppy' WHERE artifact_size = 8097;
SAVEPOINT s;
SELECT modelreg_load(:'id'); -- error
ROLLBACK;
:failure;
SELECT length(modelreg_load(:'id')) AS bytes;
SELECT item, ok FROM modelreg_check() WHERE item = 'triggers';

-- A result in text holds half as much as one in binary.  (The size is forged, by
-- a superuser, so what is read at all is damaged.)
SELECT model_id AS small FROM modelreg_register('small', 'large', performance_metrics => '{"f1": 0.5}') \gset
BEGIN;
ALTER TABLE modelreg.artifact DISABLE TRIGGER ALL;
UPDATE modelreg.artifact SET artifact_size = 536870908 WHERE sha256 = sha256('small');
INSERT INTO modelreg.model_version
	SELECT (jsonb_populate_record(v, '{"model_id": "huge", "version": "9.0.0", "version_number": 9, "artifact_size": 536870908}')).*
	FROM modelreg.model_version AS v WHERE model_id = :'small';
SAVEPOINT s;
\set VERBOSITY default
SELECT modelreg_load('huge'); -- error
ROLLBACK TO s;
SELECT 1 AS one, modelreg_load('huge') AS bytes; -- error
\set VERBOSITY sqlstate
ROLLBACK TO s;
SELECT octet_length(modelreg_load('huge')); -- error, another
ROLLBACK TO s;
COPY (SELECT modelreg_load('huge')) TO STDOUT (FORMAT binary); -- error, another
ROLLBACK TO s;
DO $$ BEGIN PERFORM modelreg_load('huge'); END $$; -- error, another
\set VERBOSITY default
ROLLBACK;
