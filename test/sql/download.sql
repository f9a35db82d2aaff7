--
-- modelreg_download: the bytes of a version in pieces, all of them or a range
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set f1 'performance_metrics => ''{"f1": 0.5}'''
-- an error's code and message, without the id's time
\set failure 'SELECT :''LAST_ERROR_SQLSTATE'' AS state, regexp_replace(:''LAST_ERROR_MESSAGE'', ''_[0-9]{8}_[0-9]{6}(_[0-9]+)?"'', ''_<time>"'') AS message'

-- Random bytes, stored as they are; text and random bytes by turns, stored in chunks of both kinds
CREATE TEMPORARY TABLE sent (codec text, data bytea, id text);
ALTER TABLE sent ALTER data SET STORAGE EXTERNAL;
INSERT INTO sent SELECT 'none', string_agg(sha256(int8send(g)), '' ORDER BY g) || 'the end' FROM generate_series(1, 16384) AS g;
INSERT INTO sent SELECT codec, string_agg(CASE WHEN g / 100 % 2 = 0 THEN convert_to(repeat(codec || ' line ' || g || E'\n', 100), 'UTF8')
		ELSE (SELECT string_agg(sha256(int8send(g * 100 + h)), '') FROM generate_series(1, 50) AS h) END, '' ORDER BY g)
	FROM (VALUES ('lz4'), ('zstd')) AS c (codec), generate_series(1, 400) AS g GROUP BY codec;
SET modelreg.compression = none;
UPDATE sent SET id = (modelreg_register(data, codec, :f1)).model_id WHERE codec = 'none';
SET modelreg.compression = lz4;
UPDATE sent SET id = (modelreg_register(data, codec, :f1)).model_id WHERE codec = 'lz4';
SET modelreg.compression = zstd;
UPDATE sent SET id = (modelreg_register(data, codec, :f1)).model_id WHERE codec = 'zstd';
RESET modelreg.compression;
CREATE TEMPORARY VIEW cut AS
	SELECT s.codec, l.byte_offset, c.raw_size, c.codec AS chunk_codec, c.chunk
	FROM sent AS s JOIN modelreg.model_version AS v ON v.model_id = s.id JOIN modelreg.artifact AS a ON a.sha256 = decode(v.checksum, 'hex')
	JOIN modelreg.artifact_chunk AS l USING (content) JOIN modelreg.chunk AS c USING (chunk);
SELECT codec, sum(raw_size) = length(data) AS sizes, count(*) > 3 AS several, count(*) FILTER (WHERE chunk_codec = 0) > 0 AS raw,
	count(*) FILTER (WHERE chunk_codec = 1) > 0 AS lz4, count(*) FILTER (WHERE chunk_codec = 2) > 0 AS zstd
FROM cut JOIN sent USING (codec) GROUP BY codec, data ORDER BY codec;
SELECT id AS none_id, length(data) AS none_size FROM sent WHERE codec = 'none' \gset
SELECT id AS lz4_id FROM sent WHERE codec = 'lz4' \gset

-- The whole, in pieces of all sizes
SELECT codec, got = data AS same, got = modelreg_load(id) AS same_as_loaded
FROM (SELECT *, (SELECT string_agg(piece, '') FROM (SELECT modelreg_download(id) AS piece) AS d) AS got FROM sent) AS s ORDER BY codec;
SELECT piece_size, count(*) AS artifacts, bool_and(got = data) AS same, bool_and(pieces = ceil(length(data) / piece_size::numeric)) AS pieces, bool_and(full_pieces = length(data) / piece_size) AS full_pieces
FROM sent, unnest(ARRAY[1000, 8096, 65536, 1048576, 16777216]) AS piece_size, LATERAL (
	SELECT string_agg(piece, '') AS got, count(*) AS pieces, count(*) FILTER (WHERE length(piece) = piece_size) AS full_pieces
	FROM (SELECT modelreg_download(id, piece_size => piece_size) AS piece) AS d) AS g
GROUP BY piece_size ORDER BY piece_size;
SELECT string_agg(piece, '') = substring(data FOR 300) AS same, count(*) AS pieces
FROM (SELECT data, modelreg_download(id, 0, 300, 1) AS piece FROM sent WHERE codec = 'zstd' OFFSET 0) AS d GROUP BY data;
SELECT modelreg_download(:'none_id', piece_size => 0); -- error
SELECT modelreg_download(:'none_id', piece_size => -1); -- error
SELECT modelreg_download(:'none_id', piece_size => 16777217); -- error

-- Ranges: around each cut, each piece of a chunk and both ends; each in one piece and in several
CREATE TEMPORARY TABLE range AS
	SELECT DISTINCT codec, b + d AS byte_offset, length
	FROM (SELECT codec, byte_offset AS b FROM cut
		UNION SELECT codec, byte_offset + 8096 FROM cut WHERE byte_offset < 300000
		UNION SELECT codec, byte_offset + 16192 FROM cut WHERE byte_offset < 100000
		UNION SELECT codec, length(data) FROM sent) AS border,
		(VALUES (-1), (0), (1)) AS delta (d), (VALUES (0::bigint), (1), (2), (8095), (8097), (100000), (NULL)) AS lengths (length)
	WHERE b + d BETWEEN 0 AND (SELECT length(data) FROM sent WHERE sent.codec = border.codec);
SELECT codec, count(*) > 100 AS many, max(byte_offset) = max(length(data)) AS to_the_end,
	count(*) FILTER (WHERE coalesce(got, '') IS DISTINCT FROM CASE WHEN length IS NULL THEN substring(data FROM byte_offset::int + 1) ELSE substring(data FROM byte_offset::int + 1 FOR length::int) END) AS mismatches,
	count(*) FILTER (WHERE got IS NULL AND length > 0 AND byte_offset < length(data)) AS without_rows
FROM (SELECT r.*, data, (SELECT string_agg(piece, '') FROM modelreg_download(id, byte_offset, length, CASE WHEN byte_offset % 2 = 0 THEN 1048576 ELSE 33000 END) AS piece) AS got
	FROM range AS r JOIN sent USING (codec) OFFSET 0) AS d
GROUP BY codec ORDER BY codec;
SET modelreg.verify_checksums = off;
SELECT count(*) FILTER (WHERE coalesce(got, '') IS DISTINCT FROM CASE WHEN length IS NULL THEN substring(data FROM byte_offset::int + 1) ELSE substring(data FROM byte_offset::int + 1 FOR length::int) END) AS mismatches
FROM (SELECT r.*, data, (SELECT string_agg(piece, '') FROM modelreg_download(id, byte_offset, length) AS piece) AS got FROM range AS r JOIN sent USING (codec) OFFSET 0) AS d;
RESET modelreg.verify_checksums;

-- Nothing, less than was asked for, too much, NULL
SELECT modelreg_download(:'none_id', 0, 0);
SELECT modelreg_download(:'none_id', 5, 0);
SELECT modelreg_download(:'none_id', :none_size);
SELECT modelreg_download(:'none_id', :none_size, 10);
SELECT convert_from(modelreg_download(:'none_id', :none_size - 7, 10), 'UTF8') AS piece;
SELECT convert_from(modelreg_download(:'none_id', :none_size - 3, 9223372036854775807), 'UTF8') AS piece;
SELECT count(*) AS pieces, sum(length(piece)) = :none_size AS size FROM modelreg_download(:'none_id', NULL, NULL, NULL) AS piece;
SELECT modelreg_download('nothing'); -- error
SELECT modelreg_download(NULL); -- error
SELECT modelreg_download(:'none_id', -1); -- error
SELECT modelreg_download(:'none_id', 0, -1); -- error
\set VERBOSITY sqlstate
SELECT modelreg_download(:'none_id', :none_size + 1); -- error
:failure;
SELECT modelreg_download(:'none_id', 9223372036854775807, 1); -- error
SELECT modelreg_download('nothing'); -- error
SELECT modelreg_download(NULL); -- error
SELECT modelreg_download(:'none_id', -1); -- error
SELECT modelreg_download(:'none_id', 0, -1); -- error
SELECT modelreg_download(:'none_id', piece_size => 16777217); -- error
\set VERBOSITY default

-- Not to the end: LIMIT, and a cursor that is closed
SELECT modelreg_download(:'none_id', piece_size => 4) = substring(data FOR 4) AS first FROM sent WHERE codec = 'none' LIMIT 1;
SELECT count(*) AS rows FROM (SELECT modelreg_download(:'lz4_id', piece_size => 100000) LIMIT 2) AS d;
BEGIN;
DECLARE pieces CURSOR FOR SELECT length(piece), encode(sha256(piece), 'hex') = encode(sha256(substring(data FROM 200000 * n FOR 200000)), 'hex') AS same
	FROM (SELECT modelreg_download(id, 199999, piece_size => 200000) AS piece, data, generate_series(1, 3) AS n FROM sent WHERE codec = 'lz4' OFFSET 0) AS d WHERE piece IS NOT NULL;
FETCH 1 FROM pieces;
SELECT count(*) AS others FROM modelreg_list();
SAVEPOINT s;
FETCH 1 FROM pieces;
RELEASE s;
FETCH 1 FROM pieces;
CLOSE pieces;
DECLARE pieces CURSOR FOR SELECT modelreg_download(:'none_id', piece_size => 8);
MOVE 10 IN pieces;
-- the cursor's bytes stay, whatever becomes of the version
SELECT modelreg_delete(:'none_id');
FETCH 1 FROM pieces \gset
SELECT :'modelreg_download' = substring(data FROM 81 FOR 8)::text AS same FROM sent WHERE codec = 'none';
MOVE ALL IN pieces;
ROLLBACK;

-- In FROM, LATERAL, twice in a row, and in COPY
SELECT count(*) AS pieces, string_agg(piece, '' ORDER BY ordinality) = (SELECT data FROM sent WHERE codec = 'none') AS same
FROM modelreg_download(:'none_id', piece_size => 100000) WITH ORDINALITY AS d (piece, ordinality);
SELECT codec, count(*) AS pieces, string_agg(d, '' ORDER BY n) = substring(data FROM 11) AS same
FROM sent, LATERAL modelreg_download(id, 10, piece_size => 300000) WITH ORDINALITY AS p (d, n) GROUP BY codec, data ORDER BY codec;
SELECT a, b, convert_from(a, 'UTF8') AS text FROM (SELECT modelreg_download(:'none_id', :none_size - 7, 7, 3) AS a, modelreg_download(:'none_id', :none_size - 7, 4, 2) AS b) AS d;
SELECT model_id AS small FROM modelreg_register('\x6120736d616c6c00617274696661637421', 'small', :f1) \gset
COPY (SELECT modelreg_download(id, 0, 20, 8) FROM (SELECT model_id AS id FROM modelreg_find_latest('small')) AS s) TO STDOUT;
COPY (SELECT encode(modelreg_download(id, piece_size => 7), 'escape') FROM (SELECT model_id AS id FROM modelreg_find_latest('small')) AS s) TO STDOUT;

-- Readers may, others not
CREATE ROLE regress_modelreg_reader;
GRANT modelreg_reader TO regress_modelreg_reader;
CREATE ROLE regress_modelreg_nobody;
SET ROLE regress_modelreg_reader;
SELECT string_agg(piece, '') AS artifact FROM (SELECT modelreg_download(:'small', piece_size => 5) AS piece) AS d;
SET ROLE regress_modelreg_nobody;
SELECT modelreg_download(:'small'); -- error
RESET ROLE;
DROP ROLE regress_modelreg_reader, regress_modelreg_nobody;
BEGIN READ ONLY;
SELECT modelreg_download(:'small', 2, 5);
COMMIT;

-- A flipped bit, by a superuser who switched the guards off
SELECT chunk, byte_offset AS bad_offset, byte_offset + raw_size AS bad_end FROM cut WHERE codec = 'none' ORDER BY byte_offset OFFSET 2 LIMIT 1 \gset
-- how many pieces came before the error
CREATE FUNCTION pg_temp.pieces(id text, byte_offset bigint, length bigint, piece_size int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	pieces refcursor;
	piece bytea;
	n int := 0;
BEGIN
	OPEN pieces FOR SELECT modelreg_download(id, byte_offset, length, piece_size);
	LOOP
		FETCH pieces INTO piece;
		EXIT WHEN NOT FOUND;
		n := n + 1;
	END LOOP;
	RETURN n || ' pieces';
EXCEPTION WHEN data_corrupted THEN
	RETURN n || ' pieces, then ' || SQLSTATE;
END $$;
SELECT pg_temp.pieces(:'none_id', 0, NULL, 100000) AS intact;
BEGIN;
ALTER TABLE modelreg.chunk_piece DISABLE TRIGGER ALL;
UPDATE modelreg.chunk_piece SET data = set_byte(data, 100, get_byte(data, 100) # 4) WHERE chunk = :'chunk' AND piece_no = 1;
SAVEPOINT s;
\set VERBOSITY sqlstate
SELECT length(modelreg_download(:'none_id')); -- error
ROLLBACK TO s;
:failure;
SELECT length(modelreg_download(:'none_id', :bad_offset, 10)); -- error
ROLLBACK TO s;
:failure;
SELECT length(modelreg_download(:'none_id', :bad_end - 1, 10)); -- error
ROLLBACK TO s;
\set VERBOSITY default
SELECT what, pg_temp.pieces(:'none_id', byte_offset, length, piece_size) AS came
FROM (VALUES ('whole', 0, NULL, 100000), ('whole in one', 0, NULL, 1048576), ('whole, its size given', 0, :none_size, 100000),
	('before', 0, :bad_offset, 50000), ('behind', :bad_end, NULL, 1048576), ('nothing of it', :bad_offset, 0, 1),
	('up to its first byte', :bad_offset - 10, 11, 10), ('its last byte', :bad_end - 1, 1, 10), ('all of it', :bad_offset, :bad_end - :bad_offset, 1048576)) AS r (what, byte_offset, length, piece_size);
SELECT string_agg(piece, '') = substring(data FOR :bad_offset) AS same
FROM (SELECT data, modelreg_download(id, 0, :bad_offset) AS piece FROM sent WHERE codec = 'none') AS d GROUP BY data;
-- who asks for no check gets the bytes as they are
SET LOCAL modelreg.verify_checksums = off;
SELECT pg_temp.pieces(:'none_id', 0, NULL, 100000) AS unchecked;
SELECT got = data AS same, set_byte(got, :bad_offset + 8196, get_byte(got, :bad_offset + 8196) # 4) = data AS same_but_for_the_bit
FROM (SELECT data, (SELECT string_agg(piece, '') FROM (SELECT modelreg_download(id, piece_size => 100000) AS piece) AS d) AS got FROM sent WHERE codec = 'none') AS s;
ROLLBACK;
-- in compressed bytes; and a chunk that is missing, which no setting hides
SELECT chunk, byte_offset AS bad_offset, byte_offset + raw_size AS bad_end FROM cut WHERE codec = 'lz4' AND chunk_codec = 1 ORDER BY byte_offset LIMIT 1 \gset
BEGIN;
ALTER TABLE modelreg.chunk_piece DISABLE TRIGGER ALL;
UPDATE modelreg.chunk_piece SET data = set_byte(data, 100, get_byte(data, 100) # 4) WHERE chunk = :'chunk' AND piece_no = 0;
SELECT pg_temp.pieces(:'lz4_id', 0, NULL, 1048576) AS whole, pg_temp.pieces(:'lz4_id', :bad_offset + 1, 1, 1) AS within, pg_temp.pieces(:'lz4_id', :bad_end, 1, 1) AS behind;
ROLLBACK;
BEGIN;
ALTER TABLE modelreg.artifact_chunk DISABLE TRIGGER ALL;
DELETE FROM modelreg.artifact_chunk WHERE chunk = :'chunk';
SET LOCAL modelreg.verify_checksums = off;
SELECT pg_temp.pieces(:'lz4_id', 0, NULL, 1048576) AS whole, pg_temp.pieces(:'lz4_id', :bad_offset + 1, 1, 1) AS within, pg_temp.pieces(:'lz4_id', :bad_end, 1, 1) AS behind;
ROLLBACK;
SELECT count(*) AS versions, bool_and(ok) AS ok FROM modelreg_verify();
