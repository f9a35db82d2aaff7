--
-- Uploads that were damaged between two sessions: nothing goes on with them
-- unawares, and who appends from where they are sound ends with the right bytes
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;

CREATE TABLE sent (name text, expected_size bigint, data bytea, held int, upload uuid);
INSERT INTO sent VALUES
	('none', NULL, convert_to(repeat('nothing yet', 3), 'UTF8'), 0),
	('small', 100, convert_to(repeat('0123456789', 10), 'UTF8'), 20);
INSERT INTO sent SELECT 'large', n * 32, string_agg(sha256(int8send(g)), '' ORDER BY g), 700000 FROM generate_series(1, 30000) AS g, (VALUES (30000)) AS v (n) GROUP BY n;
UPDATE sent SET upload = modelreg_upload_begin(expected_size);
SELECT name, modelreg_upload_append(upload, substring(data FOR held), 0) AS held FROM sent WHERE held > 0;

-- a session that remembers nothing of them
\c -
CREATE VIEW held AS
	SELECT s.name, s.data, u.*
	FROM sent AS s JOIN modelreg.upload AS u ON u.upload_id = s.upload;
CREATE VIEW entry AS
	SELECT s.name, l.*, c.raw_size
	FROM sent AS s JOIN modelreg.artifact_chunk AS l ON l.content = s.upload JOIN modelreg.chunk AS c USING (chunk);
SELECT name, length(state) AS state, bytes_held, length(digest) AS digest FROM held ORDER BY bytes_held;
SELECT count(*) > 5 AS many, max(byte_offset + raw_size) AS listed FROM entry WHERE name = 'large' \gset
SELECT :'many' AS many_chunks, bytes_held - :listed > 0 AS some_pending FROM held WHERE name = 'large';

-- Damages, lets another session go on, and tells what it is told; then goes on
-- as the hint says, registers, and tells whether all is well.  All is undone.
CREATE FUNCTION damage_trial(upload_name text, statement text, OUT state text, OUT message text, OUT detail text, OUT sound bigint,
	OUT registration text, OUT status text, OUT appended bigint, OUT loads boolean, OUT verified boolean)
	LANGUAGE plpgsql
	AS $$
DECLARE
	bytes bytea;
	id uuid;
	hint text;
	model text;
BEGIN
	SELECT s.data, s.upload INTO bytes, id FROM sent AS s WHERE s.name = upload_name;
	SET LOCAL session_replication_role = replica;
	ALTER TABLE modelreg.upload DISABLE TRIGGER upload_row_guard;
	ALTER TABLE modelreg.artifact_chunk DISABLE TRIGGER artifact_chunk_row_guard;
	ALTER TABLE modelreg.artifact_chunk DISABLE TRIGGER artifact_chunk_statement_guard;
	ALTER TABLE modelreg.chunk DISABLE TRIGGER chunk_row_guard;
	ALTER TABLE modelreg.chunk_piece DISABLE TRIGGER chunk_piece_row_guard;
	EXECUTE statement USING id;
	SET LOCAL session_replication_role = origin;
	ALTER TABLE modelreg.upload ENABLE ALWAYS TRIGGER upload_row_guard;
	ALTER TABLE modelreg.artifact_chunk ENABLE ALWAYS TRIGGER artifact_chunk_row_guard;
	ALTER TABLE modelreg.artifact_chunk ENABLE ALWAYS TRIGGER artifact_chunk_statement_guard;
	ALTER TABLE modelreg.chunk ENABLE ALWAYS TRIGGER chunk_row_guard;
	ALTER TABLE modelreg.chunk_piece ENABLE ALWAYS TRIGGER chunk_piece_row_guard;
	BEGIN
		PERFORM modelreg_upload_append(id, 'x');
	EXCEPTION WHEN others THEN
		GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	END;
	message := replace(message, id::text, '<upload>');
	detail := regexp_replace(detail, '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', '<key>');
	sound := substring(hint FROM '^Go on with byte_offset (\d+), which drops what the upload holds behind that\.$')::bigint;
	-- nothing else goes on
	BEGIN
		PERFORM modelreg_upload_append(id, 'x', sound + 1);
	EXCEPTION WHEN data_corrupted THEN
		NULL;
	END;
	BEGIN
		PERFORM modelreg_register_upload(id, 'early', performance_metrics => '{"f1": 0.5}');
	EXCEPTION WHEN others THEN
		registration := SQLSTATE;
	END;
	BEGIN
		SELECT bytes_held INTO status FROM modelreg_upload_status(id);
	EXCEPTION WHEN others THEN
		status := SQLSTATE;
	END;
	appended := modelreg_upload_append(id, substring(bytes FROM sound::int + 1), sound);
	SELECT model_id INTO model FROM modelreg_register_upload(id, upload_name, performance_metrics => '{"f1": 0.5}');
	loads := modelreg_load(model) = bytes;
	SELECT bool_and(ok) INTO verified FROM modelreg_verify();
	RAISE SQLSTATE 'P9999';
EXCEPTION WHEN SQLSTATE 'P9999' THEN
	RETURN;
END
$$;

CREATE TABLE damage (n serial, kind text, name text, what text, statement text);
CREATE VIEW outcome AS SELECT d.n, d.kind, d.name, d.what, t.* FROM damage AS d, LATERAL damage_trial(d.name, d.statement) AS t;
\set set '''UPDATE modelreg.upload SET %s WHERE upload_id = $1'''
\set flip '''UPDATE modelreg.upload SET state = set_bit(state, %s, 1 - get_bit(state, %1$s)) WHERE upload_id = $1'''

-- Every bit of a small state
INSERT INTO damage (kind, name, what, statement)
	SELECT 'state', 'small', bit, format(:flip, bit) FROM held AS h, generate_series(0, 8 * length(h.state) - 1) AS bit WHERE h.name = 'small';
-- Random ones of a large state: the stored chunks are kept
SELECT setseed(0.5);
INSERT INTO damage (kind, name, what, statement)
	SELECT 'state', 'large', bit, format(:flip, bit)
	FROM (SELECT trunc(random() * 8 * length(h.state))::bigint AS bit FROM held AS h, generate_series(1, 40) WHERE h.name = 'large') AS r;
SELECT name, count(*) AS flips, count(DISTINCT what) > 30 AS bits, state, message, detail, sound = CASE name WHEN 'large' THEN :listed ELSE 0 END AS sound,
	registration, status, appended, loads, verified
FROM outcome GROUP BY name, state, message, detail, sound, registration, status, appended, loads, verified ORDER BY name;

-- Bits of every other column that decides about the bytes
TRUNCATE damage;
\set each '(VALUES (''none''), (''small''), (''large'')) AS u (u)'
INSERT INTO damage (kind, name, what, statement)
	SELECT 'progress', u, bit, format(:set, format('progress = encode(set_bit(uuid_send(progress), %s, 1 - get_bit(uuid_send(progress), %1$s)), ''hex'')::uuid', bit))
	FROM :each, generate_series(0, 127, 9) AS bit;
INSERT INTO damage (kind, name, what, statement)
	SELECT c, u, bit, format(:set, format('%s = %1$s # (1::bigint << %s)', c, bit))
	FROM (VALUES ('bytes_held'), ('expected_size')) AS c (c), :each, generate_series(0, 63, 3) AS bit
	WHERE NOT (u = 'none' AND c = 'expected_size');
INSERT INTO damage (kind, name, what, statement)
	SELECT 'digest', u, bit, format(:set, format('digest = set_bit(digest, %s, 1 - get_bit(digest, %1$s))', bit))
	FROM :each, generate_series(0, 255, 17) AS bit;
INSERT INTO damage (kind, name, what, statement)
	SELECT split_part(c, ' ', 1), u, c, format(:set, c)
	FROM :each, (VALUES ('storage = ''databare'''), ('storage = '''''), ('state = '''''), ('digest = '''''), ('expected_size = 0')) AS c (c)
	UNION ALL
	SELECT split_part(c, ' ', 1), u, c, format(:set, c)
	FROM :each, (VALUES ('state = NULL'), ('state = state || ''\x00'''), ('state = substring(state FOR length(state) - 1)'), ('expected_size = NULL')) AS c (c)
	WHERE u <> 'none';
SELECT name, kind, count(*) AS damages, state, message, detail, sound = CASE name WHEN 'large' THEN :listed ELSE 0 END AS sound, registration, status, appended, loads, verified
FROM outcome GROUP BY name, kind, state, message, detail, sound, registration, status, appended, loads, verified ORDER BY name, kind;

-- What is stored already: the hint names the end of the chunk before
TRUNCATE damage;
INSERT INTO damage (kind, name, what, statement)
	SELECT e.byte_offset, 'large', what, format(statement, e.chunk)
	FROM entry AS e, (VALUES
		('a flipped bit', 'UPDATE modelreg.chunk_piece SET data = set_byte(data, 9, get_byte(data, 9) # 1) WHERE piece_no = 1 AND chunk = ''%s'''),
		('a missing piece', 'DELETE FROM modelreg.chunk_piece WHERE piece_no = 1 AND chunk = ''%s'''),
		('a chunk without row', 'DELETE FROM modelreg.chunk WHERE chunk = ''%s'''),
		('a wrong XXH3', 'UPDATE modelreg.chunk SET xxh3 = gen_random_uuid() WHERE chunk = ''%s'''),
		('an entry missing', 'DELETE FROM modelreg.artifact_chunk WHERE chunk = ''%s'''),
		('an entry elsewhere', 'UPDATE modelreg.artifact_chunk SET byte_offset = byte_offset + (1::bigint << 40) WHERE chunk = ''%s'''),
		('an entry misnumbered', 'UPDATE modelreg.artifact_chunk SET chunk_no = chunk_no # 64 WHERE chunk = ''%s''')
	) AS d (what, statement)
	WHERE e.name = 'large' AND e.chunk_no = 3;
INSERT INTO damage (kind, name, what, statement)
	SELECT 0, 'large', 'an entry before the first', format('INSERT INTO modelreg.artifact_chunk VALUES (%L, -1, %L, -5)', content, chunk) FROM entry WHERE name = 'large' AND chunk_no = 0;
INSERT INTO damage (kind, name, what, statement)
	SELECT byte_offset, 'large', 'row and bytes', format('UPDATE modelreg.chunk_piece SET data = ''\x00'' WHERE piece_no = 0 AND chunk = %L; UPDATE modelreg.upload SET bytes_held = 1 WHERE bytes_held = 700000', chunk)
	FROM entry WHERE name = 'large' AND chunk_no = 5;
SELECT what, state, message, detail, sound = kind::bigint AS before_it, registration, status, appended, loads, verified FROM outcome ORDER BY n;

-- Once for good: a damaged upload can be aborted, too, and cleanup removes all
ALTER TABLE modelreg.upload DISABLE TRIGGER upload_row_guard;
UPDATE modelreg.upload SET storage = 'floppy';
ALTER TABLE modelreg.upload ENABLE ALWAYS TRIGGER upload_row_guard;
BEGIN;
SELECT modelreg_upload_append(upload, substring(data FROM :listed + 1 FOR 100000), :listed) - :listed AS added FROM sent WHERE name = 'large';
SAVEPOINT s;
SELECT modelreg_upload_append(upload, substring(data FROM :listed + 100001), :listed + 100000) AS held FROM sent WHERE name = 'large';
ROLLBACK TO s;
SELECT bytes_held - :listed AS added FROM sent, modelreg_upload_status(upload) WHERE name = 'large';
ROLLBACK;
SELECT modelreg_upload_append(upload, substring(data FROM :listed + 1 FOR 100000), :listed) - :listed AS added FROM sent WHERE name = 'large';
SELECT storage, expected_size, bytes_held - :listed AS added, (SELECT count(*) FROM modelreg.discarded_content) AS discarded FROM held WHERE name = 'large';
\c -
SELECT modelreg_upload_append(upload, substring(data FROM :listed + 100001), :listed + 100000) AS held FROM sent WHERE name = 'large';
SELECT model_id FROM sent, modelreg_register_upload(upload, 'large', performance_metrics => '{"f1": 0.5}') WHERE name = 'large' \gset
SELECT modelreg_load(:'model_id') = data AS same FROM sent WHERE name = 'large';
SELECT modelreg_upload_abort(upload) FROM sent WHERE name = 'none';
SET modelreg.upload_expiry = 0;
CALL modelreg_cleanup();
SELECT (SELECT count(*) FROM modelreg.upload) AS uploads, (SELECT count(*) FROM modelreg.discarded_content) AS discarded,
	(SELECT count(*) FROM modelreg.chunk WHERE chunk NOT IN (SELECT chunk FROM modelreg.artifact_chunk JOIN modelreg.artifact USING (content))) AS orphans;
SELECT ok, problem FROM modelreg_verify();
SELECT count(*) AS bad FROM modelreg_audit_verify() WHERE NOT ok;
DROP VIEW held, entry, outcome;
DROP TABLE sent, damage;
DROP FUNCTION damage_trial;
