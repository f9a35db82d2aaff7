--
-- modelreg_verify: finds each kind of damage to the stored bytes
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set f1 'performance_metrics => ''{"f1": 0.5}'''
\set bytes 'substring((SELECT string_agg(sha256(int8send(n * 1000003::bigint + g)), '''' ORDER BY g) FROM generate_series(1, n / 32 + 1) AS g) FOR n)'
-- what is wrong, without what differs from run to run
\set verify 'SELECT model, ok, same, regexp_replace(problem, ''[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'', ''<chunk>'') AS problem FROM (SELECT *, regexp_replace(model_id, ''_[0-9]{8}_[0-9]{6}(_[0-9]+)?$'', '''') AS model, actual = expected AS same FROM modelreg_verify()) AS v WHERE NOT ok OR model_id IS NULL ORDER BY model COLLATE "C", problem COLLATE "C"'
\set chunk_of '(SELECT chunk FROM modelreg.artifact_chunk AS a JOIN modelreg.artifact AS r USING (content) JOIN modelreg.model_version AS v ON r.sha256 = decode(v.checksum, ''hex'') WHERE v.model_name = ''large'' AND a.chunk_no = '

-- An empty registry, then two versions of small bytes, one of several chunks
SELECT * FROM modelreg_verify();
SELECT count(*) FROM modelreg_register('small', 'small', :f1);
SELECT count(*) FROM modelreg_register('small', 'small again', :f1);
SELECT model_id AS large FROM (VALUES (600000)) AS size (n), LATERAL modelreg_register(:bytes, 'large', :f1) \gset
SELECT model_id AS child FROM modelreg_register('child', 'child', parent_ids => ARRAY[:'large'], :f1) \gset
SELECT count(*) AS versions, bool_and(ok) AS ok, bool_and(actual = expected) AS same, count(problem) AS problems FROM modelreg_verify();
SELECT v.ok, v.expected = f.checksum AS expected, v.actual = f.checksum AS actual, v.problem, v.model_id = f.model_id AS id
FROM modelreg_find_latest('large') AS f, LATERAL modelreg_verify(f.model_id) AS v;
SELECT * FROM modelreg_verify('nobody'); -- error
:verify;

-- A superuser switches the guards off
BEGIN;
ALTER TABLE modelreg.chunk_piece DISABLE TRIGGER ALL;
ALTER TABLE modelreg.chunk DISABLE TRIGGER ALL;
ALTER TABLE modelreg.artifact_chunk DISABLE TRIGGER ALL;
ALTER TABLE modelreg.artifact DISABLE TRIGGER ALL;
ALTER TABLE modelreg.model_version DISABLE TRIGGER ALL;
ALTER TABLE modelreg.model DISABLE TRIGGER ALL;
SAVEPOINT intact;

-- a flipped bit in the last byte of the last piece
UPDATE modelreg.chunk_piece AS p SET data = set_byte(data, length(data) - 1, get_byte(data, length(data) - 1) # 1)
WHERE chunk = :chunk_of 2) AND piece_no = (SELECT max(piece_no) FROM modelreg.chunk_piece AS l WHERE l.chunk = p.chunk);
:verify;
SELECT ok FROM modelreg_verify(:'large');
SELECT ok FROM modelreg_verify(:'child');
ROLLBACK TO intact;

-- in an artifact that two versions share
UPDATE modelreg.chunk_piece SET data = 'smell' WHERE data = 'small';
:verify;
ROLLBACK TO intact;

-- a missing piece, and a missing last piece
DELETE FROM modelreg.chunk_piece WHERE chunk = :chunk_of 1) AND piece_no = 7;
:verify;
ROLLBACK TO intact;
DELETE FROM modelreg.chunk_piece AS p WHERE chunk = :chunk_of 1) AND piece_no = (SELECT max(piece_no) FROM modelreg.chunk_piece AS l WHERE l.chunk = p.chunk);
:verify;
ROLLBACK TO intact;

-- swapped pieces
UPDATE modelreg.chunk_piece SET piece_no = piece_no + 100 WHERE chunk = :chunk_of 0) AND piece_no IN (3, 4);
UPDATE modelreg.chunk_piece SET piece_no = 207 - piece_no - 100 WHERE chunk = :chunk_of 0) AND piece_no > 99;
:verify;
ROLLBACK TO intact;

-- swapped chunks: only their numbers, and then altogether
UPDATE modelreg.artifact_chunk SET chunk_no = 1 - chunk_no WHERE chunk IN (:chunk_of 0), :chunk_of 1));
:verify;
ROLLBACK TO intact;
UPDATE modelreg.artifact_chunk SET chunk = CASE chunk_no WHEN 0 THEN :chunk_of 1) ELSE :chunk_of 0) END
WHERE chunk IN (:chunk_of 0), :chunk_of 1));
:verify;
ROLLBACK TO intact;

-- an extra piece behind the last, before the first, and an empty one
INSERT INTO modelreg.chunk_piece SELECT chunk, max(piece_no) + 1, 'x' FROM modelreg.chunk_piece WHERE chunk = :chunk_of 0) GROUP BY chunk;
:verify;
ROLLBACK TO intact;
INSERT INTO modelreg.chunk_piece SELECT chunk, -1, data FROM modelreg.chunk_piece WHERE chunk = :chunk_of 0) AND piece_no = 0;
:verify;
ROLLBACK TO intact;
INSERT INTO modelreg.chunk_piece VALUES (:chunk_of 2), 1000, '');
:verify;
ROLLBACK TO intact;

-- a piece cut short, and one too long
UPDATE modelreg.chunk_piece SET data = substring(data FOR 8095) WHERE chunk = :chunk_of 0) AND piece_no = 0;
:verify;
ROLLBACK TO intact;
UPDATE modelreg.chunk_piece SET data = data || '\x00'::bytea WHERE data = 'small';
:verify;
ROLLBACK TO intact;

-- a missing chunk, in one table or the other
DELETE FROM modelreg.artifact_chunk WHERE chunk = :chunk_of 1);
:verify;
ROLLBACK TO intact;
DELETE FROM modelreg.chunk WHERE chunk = :chunk_of 1);
:verify;
ROLLBACK TO intact;
-- the pieces of a chunk whose row says otherwise
UPDATE modelreg.chunk SET raw_size = raw_size - 1, stored_size = stored_size - 1 WHERE chunk = :chunk_of 0);
:verify;
ROLLBACK TO intact;
UPDATE modelreg.chunk SET codec = 99 WHERE chunk = :chunk_of 0);
:verify;
ROLLBACK TO intact;
-- a chunk in the list twice
INSERT INTO modelreg.artifact_chunk SELECT content, 99, chunk, 600000 FROM modelreg.artifact_chunk WHERE chunk = :chunk_of 0);
:verify;
ROLLBACK TO intact;

-- a missing artifact row, an artifact of another size, of an unheard-of storage
DELETE FROM modelreg.artifact WHERE sha256 = sha256('small');
:verify;
ROLLBACK TO intact;
UPDATE modelreg.artifact SET artifact_size = artifact_size + 1 WHERE sha256 = sha256('small');
:verify;
ROLLBACK TO intact;
UPDATE modelreg.artifact SET artifact_size = 4 WHERE sha256 = sha256('small');
:verify;
ROLLBACK TO intact;
UPDATE modelreg.artifact SET storage = 'floppy' WHERE sha256 = sha256('child');
:verify;
ROLLBACK TO intact;
-- a version of another size or checksum than its artifact, or without a model
UPDATE modelreg.model_version SET artifact_size = 6 WHERE model_name = 'small';
:verify;
ROLLBACK TO intact;
UPDATE modelreg.model_version SET checksum = encode(sha256('other'), 'hex') WHERE model_name = 'small';
:verify;
ROLLBACK TO intact;
DELETE FROM modelreg.model WHERE model_name = 'child';
:verify;
ROLLBACK TO intact;
-- a parent that never was
UPDATE modelreg.model_version SET parent_ids = '{nobody,no_one}' WHERE model_name = 'child';
:verify;
ROLLBACK TO intact;

-- orphans: chunk, pieces, list entry
INSERT INTO modelreg.chunk VALUES ('00000000-0000-7000-8000-000000000001', 1, 1, 0, '00000000-0000-0000-0000-000000000000');
:verify;
ROLLBACK TO intact;
INSERT INTO modelreg.chunk_piece VALUES ('00000000-0000-7000-8000-000000000001', 0, 'x');
:verify;
ROLLBACK TO intact;
INSERT INTO modelreg.artifact_chunk VALUES ('00000000-0000-7000-8000-000000000001', 0, :chunk_of 0), 0);
:verify;
ROLLBACK TO intact;
ROLLBACK;

-- Bytes that wait for cleanup are no damage, nor is a parent that was deleted
SELECT modelreg_delete(:'large');
:verify;
SELECT ok, problem FROM modelreg_verify(:'child');
CALL modelreg_cleanup();
:verify;
SELECT count(*) AS chunks FROM modelreg.chunk;
