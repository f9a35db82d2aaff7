--
-- modelreg.compression, and what storage_usage says of it
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set f1 'performance_metrics => ''{"f1": 0.5}'''
CREATE FUNCTION pg_temp.random(seed text, kilobytes int) RETURNS bytea LANGUAGE sql
	RETURN (SELECT string_agg(sha256(convert_to(seed || g, 'UTF8')), '' ORDER BY g) FROM generate_series(1, kilobytes * 32) AS g);
CREATE FUNCTION pg_temp.lines(seed text, kilobytes int) RETURNS bytea LANGUAGE sql
	RETURN substring(convert_to((SELECT string_agg(seed || ': weight ' || g || ' of layer ' || g % 7 || E'\n', '' ORDER BY g) FROM generate_series(1, kilobytes * 1024 / 20) AS g), 'UTF8') FOR kilobytes * 1024);
CREATE TEMPORARY TABLE sent (name text, setting text, data bytea, id text);
ALTER TABLE sent ALTER data SET STORAGE EXTERNAL;
INSERT INTO sent SELECT kind || ' ' || setting, setting, CASE kind
		WHEN 'text' THEN pg_temp.lines(setting, 400)
		WHEN 'random' THEN pg_temp.random(setting, 400)
		WHEN 'mixed' THEN pg_temp.lines(setting || ' begins', 300) || pg_temp.random(setting || ' goes on', 300) || pg_temp.lines(setting || ' ends', 300)
		ELSE pg_temp.random(setting || ' before', 1200) || pg_temp.lines(setting || ' after', 800) END
	FROM unnest(ARRAY['none', 'lz4', 'zstd']) AS setting, unnest(ARRAY['text', 'random', 'mixed', 'late']) AS kind;
-- the chunks of an artifact
CREATE VIEW stored AS
	SELECT v.model_name AS name, l.byte_offset, c.*
	FROM modelreg.model_version AS v JOIN modelreg.artifact AS a ON a.sha256 = decode(v.checksum, 'hex')
	JOIN modelreg.artifact_chunk AS l USING (content) JOIN modelreg.chunk AS c USING (chunk);

-- What is there to choose from
SELECT boot_val, vartype, context, enumvals FROM pg_settings WHERE name = 'modelreg.compression';
SET modelreg.compression = 'gzip'; -- error
SET modelreg.compression = ''; -- error
SET modelreg.compression = 'LZ4';
SHOW modelreg.compression;

-- Bytes of all kinds by each codec; the text shrinks, what is random stays as it is
SET modelreg.compression = none;
UPDATE sent SET id = (modelreg_register(data, name, :f1)).model_id WHERE setting = 'none';
SET modelreg.compression = lz4;
UPDATE sent SET id = (modelreg_register(data, name, :f1)).model_id WHERE setting = 'lz4';
SET modelreg.compression = zstd;
UPDATE sent SET id = (modelreg_register(data, name, :f1)).model_id WHERE setting = 'zstd';
SELECT name, array_agg(DISTINCT codec ORDER BY codec) AS codecs, sum(raw_size) = length(data) AS raw_sizes,
	sum(stored_size) < sum(raw_size) AS shrunk, CASE WHEN name LIKE 'text %' THEN sum(stored_size) < sum(raw_size) / 2 END AS to_the_half
FROM stored JOIN sent USING (name) GROUP BY name, setting, data ORDER BY split_part(name, ' ', 1), setting;
SELECT codec, bool_and(CASE codec WHEN 0 THEN stored_size = raw_size ELSE stored_size <= raw_size - raw_size / 8 END) AS sizes,
	bool_and(stored_size = (SELECT sum(length(data)) FROM modelreg.chunk_piece AS p WHERE p.chunk = c.chunk)) AS pieces
FROM modelreg.chunk AS c GROUP BY codec ORDER BY codec;
-- after many chunks that did not shrink, not each is tried: some of the text after them stays as it is
SELECT name, bool_and(codec = 0) FILTER (WHERE byte_offset + raw_size <= 1200 * 1024) AS random_as_it_is, count(*) FILTER (WHERE byte_offset >= 1200 * 1024 AND codec = 0) > 0 AS some_text_as_it_is
FROM stored WHERE name IN ('late lz4', 'late zstd') GROUP BY name ORDER BY name;

-- Reading does not depend on the setting
SET modelreg.compression = none;
SELECT count(*) AS artifacts, bool_and(modelreg_load(id) = data) AS same FROM sent;
SET modelreg.compression = lz4;
SELECT count(*) AS artifacts, bool_and(modelreg_load(id) = data) AS same FROM sent;
SET modelreg.compression = zstd;
SELECT count(*) AS artifacts, bool_and(modelreg_load(id) = data) AS same FROM sent;
-- nor does sharing: the same bytes are found, however they are stored
SELECT count(*) AS before FROM modelreg.chunk \gset
SELECT count(modelreg_register(data, name, :f1)) AS again FROM sent;
SELECT count(*) = :before AS nothing_stored FROM modelreg.chunk;
-- an upload, with another setting for each part
SELECT modelreg_upload_begin() AS id \gset
SELECT modelreg_upload_append(:'id', pg_temp.lines('zstd part', 700));
SET modelreg.compression = lz4;
SELECT modelreg_upload_append(:'id', pg_temp.lines('lz4 part', 700));
SET modelreg.compression = none;
SELECT modelreg_upload_append(:'id', pg_temp.lines('plain part', 700));
SELECT model_id AS parts FROM modelreg_register_upload(:'id', 'parts', :f1) \gset
SELECT array_agg(DISTINCT codec ORDER BY codec) AS codecs FROM stored WHERE name = 'parts';
SELECT modelreg_load(:'parts') = pg_temp.lines('zstd part', 700) || pg_temp.lines('lz4 part', 700) || pg_temp.lines('plain part', 700) AS same;
-- small ones
SET modelreg.compression = lz4;
SELECT count(modelreg_register(decode(repeat('6c', n), 'hex'), 'small lz4', :f1)) AS small FROM generate_series(1, 40) AS n;
SET modelreg.compression = zstd;
SELECT count(modelreg_register(decode(repeat('7a', n), 'hex'), 'small zstd', :f1)) AS small FROM generate_series(1, 40) AS n;
SELECT name, min(raw_size) AS min, max(raw_size) AS max, bool_and(codec = 0) FILTER (WHERE raw_size < 8) AS as_they_are FROM stored WHERE name LIKE 'small %' GROUP BY name ORDER BY name;
SELECT count(*) AS bad FROM modelreg_verify() WHERE NOT ok;

-- storage_usage: a row adds up, and says what the tables say
CREATE VIEW usage_is_right AS
	SELECT count(*) AS rows, bool_and(u.logical_bytes = u.stored_bytes + u.saved_by_sharing + u.saved_by_compression) AS adds_up,
		bool_and(u.logical_bytes = e.logical_bytes AND u.versions = e.versions) AS versions, bool_and(u.artifact_bytes = e.artifact_bytes AND u.artifacts = e.artifacts) AS artifacts,
		bool_and(u.stored_bytes = e.stored_bytes AND u.saved_by_compression = e.raw_bytes - e.stored_bytes) AS stored,
		bool_and(u.saved_by_sharing >= 0 AND u.saved_by_compression >= 0) AS positive
	FROM modelreg.storage_usage AS u, LATERAL (
		SELECT (SELECT sum(artifact_size) FROM modelreg.model_version WHERE model_name = u.model_name OR u.model_name IS NULL) AS logical_bytes,
			(SELECT count(*) FROM modelreg.model_version WHERE model_name = u.model_name OR u.model_name IS NULL) AS versions,
			(SELECT sum(artifact_size) FROM modelreg.artifact WHERE encode(sha256, 'hex') IN (SELECT checksum FROM modelreg.model_version WHERE model_name = u.model_name OR u.model_name IS NULL)) AS artifact_bytes,
			(SELECT count(DISTINCT checksum) FROM modelreg.model_version WHERE model_name = u.model_name OR u.model_name IS NULL) AS artifacts,
			sum(stored_size) AS stored_bytes, sum(raw_size) AS raw_bytes
		FROM (SELECT DISTINCT chunk, stored_size, raw_size FROM stored WHERE name = u.model_name OR u.model_name IS NULL) AS c) AS e;
SELECT * FROM usage_is_right;
SELECT modelreg_delete_model(name) FROM (SELECT DISTINCT model_name AS name FROM modelreg.model_version) AS m \g /dev/null
CALL modelreg_cleanup();
SELECT count(*) AS chunks FROM modelreg.chunk;

-- Two models that share an artifact and chunks; one of zeros, which shares with itself
SET modelreg.compression = lz4;
SELECT model_id AS one FROM modelreg_register(pg_temp.random('shared', 300) || pg_temp.lines('shared', 300), 'one', :f1) \gset
SELECT count(*) FROM modelreg_register(pg_temp.random('shared', 300) || pg_temp.lines('shared', 300), 'two', :f1);
SELECT model_id AS two FROM modelreg_register(pg_temp.random('shared', 300) || pg_temp.random('changed', 300), 'two', :f1) \gset
SELECT count(*) FROM modelreg_register(decode(repeat('00', 1024 * 1024), 'hex'), 'zeros', :f1);
SELECT model_name, versions, artifacts, logical_bytes, artifact_bytes, stored_bytes > 0 AS stored, saved_by_sharing > 0 AS saved_by_sharing, saved_by_compression > 0 AS saved_by_compression
FROM modelreg.storage_usage ORDER BY model_name;
SELECT * FROM usage_is_right;
-- in all, each chunk counts once
SELECT (SELECT stored_bytes FROM modelreg.storage_usage WHERE model_name IS NULL) = sum(stored_size) AS once,
	(SELECT sum(stored_bytes) FROM modelreg.storage_usage WHERE model_name IS NOT NULL) > sum(stored_size) AS more_by_model
FROM modelreg.chunk;
SELECT raw_size, count(*) AS listed, count(DISTINCT chunk) AS stored FROM stored WHERE name = 'zeros' GROUP BY raw_size ORDER BY raw_size;
-- an upload counts when it is registered
SELECT sum(stored_bytes) AS before FROM modelreg.storage_usage \gset
SELECT modelreg_upload_begin() AS id \gset
SELECT modelreg_upload_append(:'id', pg_temp.random('uploaded', 300));
SELECT sum(stored_bytes) = :before AS same FROM modelreg.storage_usage;
SELECT count(*) FROM modelreg_register_upload(:'id', 'uploaded', :f1);
SELECT * FROM usage_is_right;
-- deleted bytes count no more, before cleanup and after it; shared ones do
SELECT stored_bytes AS before FROM modelreg.storage_usage WHERE model_name = 'two' \gset
SELECT modelreg_delete(:'one');
SELECT * FROM usage_is_right;
CALL modelreg_cleanup();
SELECT * FROM usage_is_right;
SELECT stored_bytes = :before AS same FROM modelreg.storage_usage WHERE model_name = 'two';
SELECT modelreg_delete(:'two');
SELECT * FROM usage_is_right;
SELECT sum(stored_size) > (SELECT stored_bytes FROM modelreg.storage_usage WHERE model_name IS NULL) AS some_wait FROM modelreg.chunk;
CALL modelreg_cleanup();
SELECT * FROM usage_is_right;
SELECT sum(stored_size) = (SELECT stored_bytes FROM modelreg.storage_usage WHERE model_name IS NULL) AS none_waits FROM modelreg.chunk;
SELECT model_name, versions, artifacts, logical_bytes FROM modelreg.storage_usage ORDER BY model_name;
SELECT count(*) AS versions, bool_and(ok) AS ok FROM modelreg_verify();
DROP VIEW usage_is_right, stored;
