--
-- Retention: what cleanup deletes and keeps, and what the trail says of it
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set ECHO all

-- Registers versions 1.0.0 … of a model, each with bytes of its own; stages
-- in the order given.
CREATE FUNCTION fill(model text, stages text[]) RETURNS void
	LANGUAGE sql
	AS $$
		SELECT modelreg_register(convert_to(model || n, 'UTF8'), 'forest', n || '.0.0', model, '{"f1": 0.5}', stage)
		FROM unnest(stages) WITH ORDINALITY AS s (stage, n) ORDER BY n
	$$;
CREATE VIEW kept AS
	SELECT m.model_name, string_agg(v.version_number || ' ' || v.deployment_stage, ', ' ORDER BY v.version_number) AS versions
	FROM modelreg.model AS m LEFT JOIN modelreg.model_version AS v ON v.model_key = m.model_key
	GROUP BY m.model_name;
CREATE VIEW stored AS
	SELECT (SELECT count(*) FROM modelreg.artifact) AS artifacts,
		(SELECT count(*) FROM modelreg.artifact_chunk) AS artifact_chunks,
		(SELECT count(*) FROM modelreg.chunk) AS chunks,
		(SELECT count(*) FROM modelreg.chunk_piece) AS pieces;
GRANT SELECT ON kept, stored TO PUBLIC;

SET SESSION AUTHORIZATION regress_modelreg_admin;
SELECT FROM modelreg_create_model('three', max_versions => 3);
SELECT FROM modelreg_create_model('all', max_versions => -1);
SELECT FROM modelreg_create_model('one', max_versions => 1);
SELECT FROM modelreg_create_model('default');
SELECT fill('three', '{production, canary, development, archived, staging, deprecated, development}');
SELECT fill('all', array_fill('development'::text, ARRAY[12]));
SELECT fill('one', '{development, development, development}');
SELECT fill('default', array_fill('staging'::text, ARRAY[11]));

-- The preview names what will go, and cleanup deletes just that
SELECT model_name, version, deployment_stage, artifact_size, reason FROM modelreg_cleanup_preview();
SELECT model_name, version, reason FROM modelreg_cleanup_preview(false, 'three');
SELECT model_name, version, reason FROM modelreg_cleanup_preview(NULL, 'one');
CREATE TEMP TABLE foretold AS SELECT model_id FROM modelreg_cleanup_preview();
CALL modelreg_cleanup();
SELECT * FROM kept ORDER BY model_name COLLATE "C";
SELECT count(*) AS foretold, count(e.model_id) AS deleted,
	(SELECT count(*) FROM modelreg_history() WHERE event = 'delete') AS deletions
FROM foretold AS f LEFT JOIN modelreg_history() AS e ON e.model_id = f.model_id AND e.event = 'delete';
SELECT * FROM modelreg_cleanup_preview();
SELECT * FROM stored;
SELECT model_name, old_values ->> 'version' AS version, event, actor, new_values, reason
FROM modelreg_history() WHERE event = 'delete' AND model_name IN ('one', 'three');
SELECT seq, event, actor, old_values, new_values FROM modelreg_history() WHERE model_name IS NULL;
-- once more: nothing to do, nothing to record
CALL modelreg_cleanup();
SELECT count(*) AS registry_events FROM modelreg_history() WHERE model_name IS NULL;

-- The protection of production and canary lifted: the trail says forced
CREATE TEMP TABLE foretold_forced AS SELECT model_id FROM modelreg_cleanup_preview(false);
CALL modelreg_cleanup(keep_production => false);
SELECT * FROM kept ORDER BY model_name COLLATE "C";
SELECT (SELECT array_agg(model_id ORDER BY model_id) FROM foretold_forced)
	= (SELECT array_agg(model_id ORDER BY model_id) FROM modelreg_history() WHERE event = 'delete' AND (new_values -> 'forced')::boolean) AS as_foretold;
SELECT seq - min(seq) OVER () AS n, event, old_values ->> 'deployment_stage' AS "from", new_values - 'deployed_at' AS new_values, reason
FROM modelreg_history('three')
WHERE model_id IN (SELECT model_id FROM modelreg_history() WHERE event = 'delete' AND (new_values -> 'forced')::boolean) AND event <> 'register'
ORDER BY seq;
SELECT new_values FROM modelreg_history() WHERE model_name IS NULL ORDER BY seq;

-- One model of several; batches of one; the settings in force
SELECT fill('other', array_fill('development'::text, ARRAY[4]));
SELECT fill('again', array_fill('development'::text, ARRAY[4]));
RESET SESSION AUTHORIZATION;
SET modelreg.max_versions = 2;
SET SESSION AUTHORIZATION regress_modelreg_admin;
CALL modelreg_cleanup(NULL, true, 'other', 1);
SELECT model_name, version FROM modelreg_cleanup_preview(model_name => 'again');
SELECT * FROM kept WHERE model_name IN ('other', 'again', 'default') ORDER BY model_name;
SELECT model_name, max_versions FROM modelreg_update_model('again', max_versions => 1);
CALL modelreg_cleanup(batch_size => 1, model_name => 'again');
SELECT model_name, max_versions FROM modelreg_update_model('again', reset => '{max_versions}');
SELECT * FROM kept WHERE model_name IN ('other', 'again') ORDER BY model_name;
RESET SESSION AUTHORIZATION;
SET modelreg.max_versions = -1;
SELECT count(*) FROM modelreg_cleanup_preview();
RESET modelreg.max_versions;
SELECT new_values FROM modelreg_history() WHERE model_name IS NULL AND event = 'cleanup' ORDER BY seq DESC LIMIT 2;

-- Shared bytes stay as long as one version uses them
SET SESSION AUTHORIZATION regress_modelreg_admin;
SELECT model_id AS shared1 FROM modelreg_register('\x736861726564', 'forest', model_name => 'shared1', performance_metrics => '{"f1": 1}') \gset
SELECT model_id AS shared2 FROM modelreg_register('\x736861726564', 'forest', model_name => 'shared2', performance_metrics => '{"f1": 1}') \gset
SELECT FROM modelreg_delete(:'shared1');
CALL modelreg_cleanup();
SELECT convert_from(modelreg_load(:'shared2'), 'UTF8');
-- nobody uses them, but somebody registers them anew before the cleanup
SELECT FROM modelreg_delete(:'shared2');
SELECT ok, problem FROM modelreg_verify() WHERE model_id IS NULL;
SELECT model_id AS shared3 FROM modelreg_register('\x736861726564', 'forest', model_name => 'shared2', performance_metrics => '{"f1": 1}') \gset
CALL modelreg_cleanup();
SELECT convert_from(modelreg_load(:'shared3'), 'UTF8');
SELECT FROM modelreg_delete(:'shared3');
CALL modelreg_cleanup();
SELECT count(*) FROM modelreg.artifact WHERE sha256 = sha256('shared');
RESET SESSION AUTHORIZATION;

-- auto_cleanup: a registration removes up to ten of the oldest, not those in
-- production and canary, and never itself
SET SESSION AUTHORIZATION regress_modelreg_admin;
SELECT FROM modelreg_create_model('auto', max_versions => 1, auto_cleanup => false);
SELECT fill('auto', ARRAY['production', 'canary'] || array_fill('development'::text, ARRAY[13]));
SELECT FROM modelreg_update_model('auto', auto_cleanup => true);
SELECT fill('manual', '{development, development, development}');
SELECT FROM modelreg_update_model('manual', max_versions => 1);
SET SESSION AUTHORIZATION regress_modelreg_writer;
SELECT version_number FROM modelreg_register('\x0a', 'forest', model_name => 'auto', performance_metrics => '{"f1": 1}');
SELECT * FROM kept WHERE model_name = 'auto';
SELECT version_number FROM modelreg_register('\x0b', 'forest', model_name => 'auto', performance_metrics => '{"f1": 1}');
SELECT * FROM kept WHERE model_name = 'auto';
SELECT version_number FROM modelreg_register('\x0c', 'forest', model_name => 'manual', performance_metrics => '{"f1": 1}');
SELECT * FROM kept WHERE model_name = 'manual';
RESET SESSION AUTHORIZATION;
SELECT actor, new_values, reason, count(*) FROM modelreg_history('auto') WHERE event = 'delete' GROUP BY actor, new_values, reason;
-- the setting counts where the model says nothing
SET modelreg.auto_cleanup = on;
SELECT version_number FROM modelreg_register('\x0d', 'forest', model_name => 'manual', performance_metrics => '{"f1": 1}');
SELECT version_number FROM modelreg_register('\x0e', 'forest', model_name => 'all', performance_metrics => '{"f1": 1}');
SELECT * FROM kept WHERE model_name IN ('manual', 'all') ORDER BY model_name;
RESET modelreg.auto_cleanup;
-- what a registration rolled back had removed is there again
BEGIN;
SELECT version_number FROM modelreg_register('\x0f', 'forest', model_name => 'auto', performance_metrics => '{"f1": 1}');
SELECT * FROM kept WHERE model_name = 'auto';
ROLLBACK;
SELECT * FROM kept WHERE model_name = 'auto';

-- An artifact of many chunks, which is removed with all its pieces
SELECT model_id AS large FROM modelreg_register((SELECT string_agg(sha256(i::text::bytea), '' ORDER BY i) FROM generate_series(1, 40000) AS i),
	'forest', model_name => 'large', performance_metrics => '{"f1": 1}') \gset
SELECT a.artifact_size, count(DISTINCT c.chunk) > 1 AS several_chunks, count(*) > 100 AS many_pieces
FROM modelreg.artifact AS a JOIN modelreg.artifact_chunk AS c USING (content) JOIN modelreg.chunk_piece AS p USING (chunk)
WHERE a.sha256 = (SELECT decode(checksum, 'hex') FROM modelreg_info(:'large')) GROUP BY a.artifact_size;
SELECT count(*) FROM modelreg_verify(:'large') WHERE ok;
SELECT FROM modelreg_delete(:'large');
CALL modelreg_cleanup();
SELECT count(*) FROM modelreg_verify() WHERE NOT ok;

-- Who may, when, and with which arguments
SET SESSION AUTHORIZATION regress_modelreg_writer;
CALL modelreg_cleanup(); -- error
SELECT count(*) FROM modelreg_cleanup_preview(false);
SET SESSION AUTHORIZATION regress_modelreg_nobody;
CALL modelreg_cleanup(); -- error
SELECT count(*) FROM modelreg_cleanup_preview(); -- error
RESET SESSION AUTHORIZATION;
\set VERBOSITY terse
CALL modelreg_cleanup(batch_size => 0); -- error
CALL modelreg_cleanup(batch_size => -5); -- error
CALL modelreg_cleanup(model_name => 'none'); -- error
CALL modelreg_cleanup(model_name => ''); -- error
-- NULL is the default
CALL modelreg_cleanup(7, NULL, NULL, NULL);
SELECT * FROM modelreg_cleanup_preview(model_name => 'none'); -- error
SELECT modelreg_cleanup(); -- error
BEGIN;
CALL modelreg_cleanup(); -- error
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
CALL modelreg_cleanup(); -- error
ROLLBACK;
SELECT attempt('CALL modelreg_cleanup()');
DO $$ DECLARE gone bigint; BEGIN CALL modelreg_cleanup(gone); EXCEPTION WHEN others THEN RAISE NOTICE '%', SQLERRM; END $$;
DO $$ DECLARE gone bigint; BEGIN CALL modelreg_cleanup(gone); RAISE NOTICE 'deleted %', gone; END $$;
CREATE FUNCTION from_function() RETURNS bigint LANGUAGE plpgsql
	AS $$ DECLARE gone bigint; BEGIN CALL modelreg_cleanup(gone); RETURN gone; END $$;
SELECT from_function(); -- error
DROP FUNCTION from_function();
SET default_transaction_read_only = on;
CALL modelreg_cleanup(); -- error
RESET default_transaction_read_only;
-- the session's default isolation does not matter: each batch sets its own
SELECT fill('isolated', array_fill('development'::text, ARRAY[14]));
SET default_transaction_isolation = 'repeatable read';
CALL modelreg_cleanup(model_name => 'isolated', batch_size => 2);
SHOW transaction_isolation;
SELECT fill('serial', array_fill('development'::text, ARRAY[14]));
SET default_transaction_isolation = 'serializable';
CALL modelreg_cleanup(model_name => 'serial', batch_size => 3);
RESET default_transaction_isolation;
SELECT * FROM kept WHERE model_name IN ('isolated', 'serial') ORDER BY model_name;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM modelreg.cleanup_artifacts(10); -- error
ROLLBACK;
\set VERBOSITY default

-- When all models are gone, so are all bytes
SELECT count(modelreg_delete_model(model_name, true)) AS models FROM modelreg.model;
SELECT versions, artifacts > 0 AS artifacts FROM modelreg.registry_stats;
CALL modelreg_cleanup(batch_size => 3);
SELECT * FROM stored;
SELECT * FROM modelreg_verify();
SELECT model_name, problem FROM modelreg_audit_verify() WHERE NOT ok;

DROP VIEW kept, stored;
DROP FUNCTION fill(text, text[]);
\set ECHO none
\i :test_dir/lib/attack_end.sql
