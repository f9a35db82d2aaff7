--
-- Uploads, and what becomes of the transactions that append to them
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set f1 'performance_metrics => ''{"f1": 0.5}'''
-- three pieces of several chunks each; not temporary: DISCARD ALL comes by
CREATE TABLE piece AS
	SELECT name, (SELECT string_agg(sha256(int8send(n * 1000003::bigint + g)), '' ORDER BY g) FROM generate_series(1, n) AS g) || name::bytea AS data
	FROM (VALUES ('a', 6001), ('b', 6002), ('c', 6003)) AS p (name, n);
CREATE FUNCTION pieces(names text) RETURNS bytea LANGUAGE sql STABLE
	RETURN (SELECT string_agg(data, '' ORDER BY n) FROM string_to_table(names, NULL) WITH ORDINALITY AS t (name, n) JOIN piece USING (name));
SELECT name, length(data) AS bytes FROM piece ORDER BY name;
-- as :append 'a')); and, with \set expected a, :register;
\set append 'SELECT modelreg_upload_append(:''id'', pieces('
\set held 'SELECT bytes_held FROM modelreg_upload_status(:''id'')'
\set register 'SELECT artifact_size, checksum = encode(sha256(pieces(:''expected'')), ''hex'') AS checksum FROM modelreg_register_upload(:''id'', ''pieces'', :f1)'
\set problems 'SELECT regexp_replace(problem, ''[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'', ''<key>'') AS problem FROM modelreg_verify() WHERE problem IS NOT NULL'
\set failure 'SELECT :''LAST_ERROR_SQLSTATE'' AS state, regexp_replace(:''LAST_ERROR_MESSAGE'', ''[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'', ''<upload>'') AS message'

-- Savepoints: rolled back, released, released and then rolled back with the outer one
BEGIN;
SELECT modelreg_upload_begin() AS id \gset
:append 'a'));
SAVEPOINT one;
:append 'b'));
:held;
ROLLBACK TO one;
:held;
:append 'c'));
SAVEPOINT two;
:append 'a'));
SAVEPOINT three;
:append 'b'));
RELEASE three;
:held;
ROLLBACK TO two;
:append 'b'));
RELEASE two;
SAVEPOINT empty;
RELEASE empty;
:append 'a'));
COMMIT;
:held;
BEGIN;
SAVEPOINT outer_one;
SAVEPOINT inner_one;
:append 'a'));
RELEASE inner_one;
:append 'b'));
ROLLBACK TO outer_one;
:append 'c'), 768228);
COMMIT;
\set expected acbac
:register;
SELECT modelreg_load(model_id) = pieces(:'expected') AS same FROM modelreg_find_latest('pieces');

-- A block that catches errors: of the append itself, and of what comes after it
CREATE FUNCTION append_or_not(id uuid, data bytea, byte_offset bigint, fail boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM modelreg_upload_append(id, data, byte_offset);
	IF fail THEN
		RAISE division_by_zero;
	END IF;
	RETURN 'appended';
EXCEPTION WHEN division_by_zero OR invalid_parameter_value THEN
	RETURN SQLSTATE || ', and it holds ' || (SELECT bytes_held FROM modelreg_upload_status(id));
END $$;
BEGIN;
SELECT modelreg_upload_begin() AS id \gset
SELECT append_or_not(:'id', pieces('a'), 0, true);
SELECT append_or_not(:'id', pieces('b'), 1, false);
SELECT append_or_not(:'id', pieces('c'), 0, false);
SELECT append_or_not(:'id', pieces('a'), NULL, true);
SELECT append_or_not(:'id', pieces('b'), NULL, false);
COMMIT;
SELECT string_agg(append_or_not(:'id', pieces('a'), NULL, i % 2 = 0), '; ') FROM generate_series(1, 4) AS i;
SELECT modelreg_upload_append(:'id', pieces('c')), 1 / 0; -- error
\set expected cbaa
:register;
-- a procedure that commits and rolls back
CREATE PROCEDURE append_and_commit(id uuid) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM modelreg_upload_append(id, pieces('a'));
	COMMIT;
	PERFORM modelreg_upload_append(id, pieces('b'));
	ROLLBACK;
	PERFORM modelreg_upload_append(id, pieces('c'));
	PERFORM append_or_not(id, pieces('a'), NULL, true);
	COMMIT;
END $$;
SELECT modelreg_upload_begin() AS id \gset
CALL append_and_commit(:'id');
\set expected ac
:register;

-- All is rolled back: a part, a registration, an abort, the beginning
SELECT modelreg_upload_begin() AS id \gset
:append 'a'));
BEGIN;
:append 'b'));
\set expected ab
:register;
ROLLBACK;
BEGIN;
:append 'b'));
SELECT modelreg_upload_abort(:'id');
ROLLBACK;
:held;
:append 'c'));
BEGIN;
SAVEPOINT s;
\set expected ac
:register;
ROLLBACK TO s;
:register;
ROLLBACK TO s;
:append 'b'));
SAVEPOINT s;
SELECT modelreg_upload_abort(:'id');
ROLLBACK TO s;
:append 'a'));
COMMIT;
\set expected acba
:register;
BEGIN;
SELECT modelreg_upload_begin() AS id \gset
:append 'a'));
ROLLBACK;
\set VERBOSITY sqlstate
:append 'a')); -- error
:failure;
BEGIN;
SAVEPOINT s;
SELECT modelreg_upload_begin() AS id \gset
:append 'a'));
ROLLBACK TO s;
:append 'b')); -- error
ROLLBACK TO s;
:held; -- error
ROLLBACK;
\set VERBOSITY default

-- Under a snapshot of the transaction, which began before
SELECT modelreg_upload_begin() AS id \gset
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) AS uploads FROM modelreg.upload;
:append 'a'));
SAVEPOINT s;
:append 'b'));
ROLLBACK TO s;
:append 'c'));
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
:append 'b'));
:held;
\set expected acb
:register;
SELECT modelreg_load(model_id) = pieces(:'expected') AS same FROM modelreg_find_latest('pieces');
COMMIT;

-- Read only: only the status
SELECT modelreg_upload_begin() AS id \gset
:append 'a'));
BEGIN READ ONLY;
:held;
SAVEPOINT s;
:append 'b')); -- error
ROLLBACK TO s;
SELECT modelreg_upload_append(:'id', ''); -- error
ROLLBACK TO s;
\set VERBOSITY sqlstate
:append 'b')); -- error
ROLLBACK TO s;
SELECT modelreg_upload_begin(); -- error
ROLLBACK TO s;
SELECT modelreg_upload_abort(:'id'); -- error
ROLLBACK TO s;
:register; -- error
ROLLBACK TO s;
:held;
COMMIT;
\set VERBOSITY default

-- What a pooler does between two clients
DISCARD ALL;
:append 'b'));
\c -
:held;
:append 'c'));
DISCARD ALL;
\set expected abc
:register;
SELECT modelreg_load(model_id) = pieces(:'expected') AS same FROM modelreg_find_latest('pieces');

-- What is unfinished is no damage, in its transaction and after it
SELECT count(*) AS versions, bool_and(ok) AS ok FROM modelreg_verify() WHERE model_id IS NOT NULL;
CALL modelreg_cleanup();
:problems;
BEGIN;
SELECT modelreg_upload_begin() AS id \gset
:append 'abc') || '\x00'::bytea);
:problems;
SAVEPOINT s;
:append 'abc'));
ROLLBACK TO s;
:problems;
COMMIT;
:problems;
BEGIN;
:problems;
SAVEPOINT s;
:append 'a'));
ROLLBACK TO s;
:problems;
SELECT modelreg_upload_abort(:'id');
:problems;
COMMIT;
CALL modelreg_cleanup();
:problems;

-- A superuser deletes the row: the session forgets the upload, and its bytes are found
SELECT modelreg_upload_begin() AS id \gset
BEGIN;
:append 'a'));
DELETE FROM modelreg.upload;
COMMIT;
\set VERBOSITY sqlstate
:append 'b')); -- error
:failure;
:problems;

-- Another registry, in which the upload is none; not if that is rolled back
SELECT modelreg_upload_begin() AS id \gset
BEGIN;
:append 'a'));
SET LOCAL client_min_messages = error;
DROP EXTENSION modelreg CASCADE;
ROLLBACK;
:append 'b'));
:append 'c'));
SET client_min_messages = error;
DROP EXTENSION modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
:append 'b')); -- error
:failure;
SELECT modelreg_upload_begin() AS id \gset
:append 'b'));
\set expected b
:register;
:problems;
DROP PROCEDURE append_and_commit(uuid);
DROP FUNCTION append_or_not(uuid, bytea, bigint, boolean), pieces(text);
DROP TABLE piece;

-- An upload whose extension is dropped in the same transaction is forgotten with it
SELECT modelreg_upload_begin() AS id \gset
BEGIN;
SELECT modelreg_upload_append(:'id', convert_to(repeat('0', 300000), 'UTF8'));
DROP EXTENSION modelreg;
COMMIT;
CREATE EXTENSION modelreg;
SELECT modelreg_upload_begin() AS id \gset
BEGIN;
SELECT modelreg_upload_append(:'id', convert_to(repeat('0', 300000), 'UTF8'));
DROP EXTENSION modelreg;
CREATE EXTENSION modelreg;
COMMIT;
SELECT ok, problem FROM modelreg_verify();
CALL modelreg_cleanup();
SELECT ok, problem FROM modelreg_verify();
SELECT (SELECT count(*) FROM modelreg.artifact_chunk) AS entries, (SELECT count(*) FROM modelreg.discarded_content) AS discarded;

-- A transaction that becomes read only keeps what was appended before
SELECT modelreg_upload_begin() AS id \gset
BEGIN;
SELECT modelreg_upload_append(:'id', 'abc');
SET TRANSACTION READ ONLY;
COMMIT;
SELECT bytes_held FROM modelreg_upload_status(:'id');
-- What is no state is said to be none
ALTER TABLE modelreg.upload DISABLE TRIGGER ALL;
UPDATE modelreg.upload SET state = '\x01', progress = gen_random_uuid();
SELECT modelreg_upload_append(:'id', 'def'); -- error
