--
-- Damaged bytes are healed when the right ones are registered again, also for
-- the other artifacts that share them; scrub finds them, and its view tells
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set f1 'performance_metrics => ''{"f1": 0.5}'''

-- The bytes of a model, of a variant that shares all but the first chunk with
-- it, and of one that stands alone
CREATE TABLE bytes AS
	SELECT 'model' AS name, string_agg(sha256(int8send(g)), '' ORDER BY g) AS data FROM generate_series(1, 16000) AS g;
INSERT INTO bytes SELECT 'variant', overlay(data PLACING 'changed' FROM 1000) FROM bytes;
INSERT INTO bytes VALUES ('alone', 'alone');
SELECT count(*) FROM bytes AS b, LATERAL modelreg_register(b.data, b.name, :f1);
SELECT count(*) AS entries, count(DISTINCT chunk) AS chunks FROM modelreg.artifact_chunk;
CREATE VIEW entry AS
	SELECT v.model_name, l.*
	FROM modelreg.model_version AS v
	JOIN modelreg.artifact AS a ON a.sha256 = decode(v.checksum, 'hex')
	JOIN modelreg.artifact_chunk AS l USING (content)
	WHERE v.version = '0.1.0';

-- What a superuser does who switches the guards off, and on again.
CREATE FUNCTION damage(statement text) RETURNS void
	LANGUAGE plpgsql
	AS $$
DECLARE
	relation text;
BEGIN
	FOREACH relation IN ARRAY ARRAY['artifact', 'artifact_chunk', 'chunk', 'chunk_piece']
	LOOP
		EXECUTE format('ALTER TABLE modelreg.%I DISABLE TRIGGER ALL', relation);
	END LOOP;
	EXECUTE statement;
	FOREACH relation IN ARRAY ARRAY['artifact', 'artifact_chunk', 'chunk', 'chunk_piece']
	LOOP
		EXECUTE format('ALTER TABLE modelreg.%I ENABLE ALWAYS TRIGGER %I', relation, relation || '_statement_guard');
		EXECUTE format('ALTER TABLE modelreg.%I ENABLE ALWAYS TRIGGER %I', relation, relation || '_row_guard');
	END LOOP;
END
$$;

CREATE FUNCTION register_again(model text, by_upload boolean) RETURNS void
	LANGUAGE plpgsql
	AS $$
DECLARE
	bytes bytea := (SELECT b.data FROM bytes AS b WHERE b.name = model);
	upload uuid;
BEGIN
	IF by_upload THEN
		upload := modelreg_upload_begin();
		PERFORM modelreg_upload_append(upload, substring(bytes FOR 100000));
		PERFORM modelreg_upload_append(upload, substring(bytes FROM 100001));
		PERFORM modelreg_register_upload(upload, model, performance_metrics => '{"f1": 0.5}');
	ELSE
		PERFORM modelreg_register(bytes, model, performance_metrics => '{"f1": 0.5}');
	END IF;
END
$$;

CREATE FUNCTION damaged_models() RETURNS text
	LANGUAGE sql
	RETURN (SELECT string_agg(DISTINCT split_part(v.model_id, '_', 1), ', ') FROM modelreg_verify() AS v WHERE NOT v.ok AND v.model_id IS NOT NULL);

-- Damages, lets the model be registered again, and tells what was damaged before
-- and is after; undone in the end.
CREATE FUNCTION trial(statement text, by_upload boolean,
	OUT before text, OUT "after" text, OUT repairs text, OUT loads boolean)
	LANGUAGE plpgsql
	AS $$
BEGIN
	PERFORM damage(statement);
	before := damaged_models();
	PERFORM register_again('model', by_upload);
	"after" := damaged_models();
	SELECT string_agg(h.new_values ->> 'chunks', ' + ') INTO repairs FROM modelreg_history() AS h WHERE h.event = 'repair';
	SELECT bool_and(modelreg_load(v.model_id) = b.data) INTO loads
	FROM modelreg.model_version AS v JOIN bytes AS b ON b.name = v.model_name
	WHERE v.model_name <> 'variant' OR "after" IS NULL;
	RAISE SQLSTATE 'P9999';
EXCEPTION WHEN SQLSTATE 'P9999' THEN
	RETURN;
END
$$;

\set second '(SELECT chunk FROM entry WHERE model_name = ''model'' AND chunk_no = 2)'
\set third '(SELECT chunk FROM entry WHERE model_name = ''model'' AND chunk_no = 3)'
CREATE TABLE damages AS
	SELECT n, what, statement
	FROM (VALUES
		(1, 'nothing', 'SELECT'),
		(2, 'a flipped bit', 'UPDATE modelreg.chunk_piece SET data = set_byte(data, 9, get_byte(data, 9) # 1) WHERE piece_no = 1 AND chunk = $2'),
		(3, 'a missing piece', 'DELETE FROM modelreg.chunk_piece WHERE piece_no = 1 AND chunk = $2'),
		(4, 'all pieces missing', 'DELETE FROM modelreg.chunk_piece WHERE chunk = $2'),
		(5, 'swapped pieces', 'UPDATE modelreg.chunk_piece SET piece_no = -1 WHERE chunk = $2 AND piece_no = 0;
			UPDATE modelreg.chunk_piece SET piece_no = 0 WHERE chunk = $2 AND piece_no = 1;
			UPDATE modelreg.chunk_piece SET piece_no = 1 WHERE chunk = $2 AND piece_no = -1'),
		(6, 'an extra piece', 'INSERT INTO modelreg.chunk_piece VALUES ($2, 999, ''x'')'),
		(7, 'a chunk without row', 'DELETE FROM modelreg.chunk WHERE chunk = $2'),
		(8, 'a wrong codec', 'UPDATE modelreg.chunk SET codec = 2 WHERE chunk = $2'),
		(9, 'an unheard-of codec', 'UPDATE modelreg.chunk SET codec = 9 WHERE chunk = $2'),
		(10, 'a wrong size', 'UPDATE modelreg.chunk SET raw_size = raw_size - 1, stored_size = stored_size - 1 WHERE chunk = $2'),
		(11, 'a wrong XXH3', 'UPDATE modelreg.chunk SET xxh3 = gen_random_uuid() WHERE chunk = $2'),
		(12, 'all chunks damaged', 'UPDATE modelreg.chunk_piece SET data = set_byte(data, 0, get_byte(data, 0) # 255)
			WHERE chunk IN (SELECT chunk FROM entry WHERE model_name = ''model'')'),
		(13, 'an entry missing', 'DELETE FROM modelreg.artifact_chunk USING entry AS e
			WHERE e.model_name = ''model'' AND e.chunk_no = 2 AND (artifact_chunk.content, artifact_chunk.chunk_no) = (e.content, e.chunk_no)'),
		(14, 'an entry before the first', 'INSERT INTO modelreg.artifact_chunk SELECT content, -1, chunk, -5 FROM entry WHERE model_name = ''model'' AND chunk_no = 0'),
		(15, 'an entry too many', 'INSERT INTO modelreg.artifact_chunk SELECT content, 99, chunk, 512000 FROM entry WHERE model_name = ''model'' AND chunk_no = 0'),
		(16, 'a misnumbered entry', 'UPDATE modelreg.artifact_chunk SET chunk_no = 77 FROM entry AS e
			WHERE e.model_name = ''model'' AND e.chunk_no = 2 AND (artifact_chunk.content, artifact_chunk.chunk_no) = (e.content, e.chunk_no)'),
		(17, 'swapped chunks', 'UPDATE modelreg.artifact_chunk SET chunk = CASE e.chunk_no WHEN 2 THEN $3 ELSE $2 END FROM entry AS e
			WHERE e.model_name = ''model'' AND e.chunk_no IN (2, 3) AND (artifact_chunk.content, artifact_chunk.chunk_no) = (e.content, e.chunk_no)'),
		(18, 'no entries', 'DELETE FROM modelreg.artifact_chunk WHERE content = (SELECT content FROM entry WHERE model_name = ''model'' LIMIT 1)'),
		(19, 'another content', 'UPDATE modelreg.artifact SET content = gen_random_uuid() WHERE content = (SELECT content FROM entry WHERE model_name = ''model'' LIMIT 1)'),
		(20, 'a wrong artifact size', 'UPDATE modelreg.artifact SET artifact_size = 5 WHERE content = (SELECT content FROM entry WHERE model_name = ''model'' LIMIT 1)'),
		(21, 'an unheard-of storage', 'UPDATE modelreg.artifact SET storage = ''floppy'' WHERE content = (SELECT content FROM entry WHERE model_name = ''model'' LIMIT 1)'),
		(22, 'a bit and a size at once', 'UPDATE modelreg.chunk_piece SET data = set_byte(data, 9, get_byte(data, 9) # 1) WHERE piece_no = 1 AND chunk = $2;
			UPDATE modelreg.artifact SET artifact_size = 5 WHERE content = (SELECT content FROM entry WHERE model_name = ''model'' LIMIT 1)')
	) AS d (n, what, statement);
UPDATE damages SET statement = replace(replace(statement, '$2', :'second'), '$3', :'third');

SELECT d.what, t.* FROM damages AS d, LATERAL trial(d.statement, false) AS t ORDER BY d.n;
SELECT d.what, t.* FROM damages AS d, LATERAL trial(d.statement, true) AS t ORDER BY d.n;
SELECT damaged_models();

-- Once for good: scrub finds it, in the order of its turns
SELECT * FROM modelreg_scrub(1);
SELECT * FROM modelreg_scrub();
SELECT artifact_size, verified_at > now() - interval '1 min' AS verified, ok, problem, array_length(model_ids, 1) AS versions
FROM modelreg.artifact_health ORDER BY artifact_size, checksum;
SELECT damage((SELECT statement FROM damages WHERE n = 2));
SET client_min_messages = error;
SELECT * FROM modelreg_scrub();
SELECT artifacts, damaged FROM modelreg_scrub(NULL);
RESET client_min_messages;
SELECT artifact_size, ok, problem FROM modelreg.artifact_health ORDER BY artifact_size, checksum;
SELECT FROM modelreg_scrub(0); -- error
SELECT FROM modelreg_scrub(-1); -- error
SELECT register_again('variant', false);
-- whoever shares the bytes is healed, too; one event, and none for those who come later
SELECT damaged_models();
SELECT register_again(name, upload) FROM bytes, unnest(ARRAY[true, false]) AS upload;
SELECT model_name, split_part(model_id, '_', 1) AS model, new_values ->> 'chunks' AS chunks,
	new_values ->> 'checksum' = encode(sha256((SELECT data FROM bytes WHERE name = 'variant')), 'hex') AS checksum
FROM modelreg_history() WHERE event = 'repair';
SELECT artifact_size, verified_at IS NULL AS not_yet_verified, ok, problem FROM modelreg.artifact_health ORDER BY artifact_size, checksum;
SELECT damaged FROM modelreg_scrub();
SELECT bool_and(ok) FROM modelreg.artifact_health;
SELECT * FROM modelreg_audit_verify();

-- What was replaced goes with the next cleanup, and nothing is left behind
SELECT count(*) > 0 AS waiting FROM modelreg.discarded_content;
CALL modelreg_cleanup();
SELECT count(*) FROM modelreg.discarded_content;
SELECT ok, problem FROM modelreg_verify() WHERE NOT ok OR model_id IS NULL;
SELECT count(*) AS entries, count(DISTINCT chunk) AS chunks FROM modelreg.artifact_chunk;
SELECT count(*) AS chunks FROM modelreg.chunk;

-- Each damage in turn, healed this way or that, and cleaned up; but for those
-- that leave entries or pieces which nothing refers to
DO $$
DECLARE
	d damages;
BEGIN
	FOR d IN SELECT * FROM damages WHERE n NOT IN (1, 18, 19) ORDER BY n
	LOOP
		PERFORM damage(d.statement);
		IF damaged_models() IS NULL THEN
			RAISE '% did no damage', d.what;
		END IF;
		PERFORM register_again('model', d.n % 2 = 0);
		IF damaged_models() IS NOT NULL THEN
			RAISE '% is not healed', d.what;
		END IF;
	END LOOP;
END
$$;
CALL modelreg_cleanup();
SELECT ok, problem FROM modelreg_verify() WHERE NOT ok OR model_id IS NULL;
SELECT count(*) AS chunks FROM modelreg.chunk;

-- A discarded content that is in use is said to be, and kept
BEGIN;
INSERT INTO modelreg.discarded_content SELECT content FROM modelreg.artifact;
SELECT ok, problem FROM modelreg_verify() WHERE NOT ok OR model_id IS NULL;
SELECT modelreg.cleanup_contents(100, NULL);
SELECT count(*) FROM modelreg_verify() WHERE ok AND model_id IS NOT NULL;
ROLLBACK;
-- so is one of a storage that this version does not know
INSERT INTO modelreg.discarded_content VALUES ('00000000-0000-7000-8000-000000000001', 'floppy');
CALL modelreg_cleanup();
