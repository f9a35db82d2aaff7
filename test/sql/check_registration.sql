--
-- modelreg_check_registration raises what a registration would, and does nothing
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;

SELECT model_id AS parent FROM modelreg_register('bytes', 'm', '1.0.0', performance_metrics => '{"f1": 0.5}') \gset
SELECT modelreg_create_model('lax', require_metadata => false) IS NOT NULL AS created;

-- Runs a registration and its check with the same arguments in subtransactions
-- that are rolled back; says what the registration did, and whether the check
-- agrees.
CREATE FUNCTION attempt(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	statement text;
	state text;
	message text;
	hint text;
	results text[];
BEGIN
	FOREACH statement IN ARRAY ARRAY[
		format('SELECT modelreg_register(%L::bytea, %s)', 'other bytes', call),
		format('SELECT modelreg_check_registration(%s)', call)]
	LOOP
		BEGIN
			EXECUTE statement;
			RAISE EXCEPTION USING ERRCODE = 'P0999', MESSAGE = 'ok';
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
			results := results || concat_ws(' ', nullif(state, 'P0999'), message, hint);
		END;
	END LOOP;
	RETURN results[1] || CASE WHEN results[1] = results[2] THEN '' ELSE ' BUT THE CHECK SAYS: ' || results[2] END;
END
$$;

SELECT attempt(call) FROM unnest(ARRAY[
	$$'m', performance_metrics => '{"f1": 0.5}'$$,
	$$'m', '1.0.1', performance_metrics => '{"f1": 0.5}'$$,
	$$'n', NULL, NULL, '{"f1": 0.5}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL$$,
	$$'m', model_name => 'lax'$$,
	$$'m', '1.0.0', performance_metrics => '{"f1": 0.5}'$$,
	$$'m', 'first', performance_metrics => '{"f1": 0.5}'$$,
	$$'m'$$,
	$$'new model'$$,
	$$NULL$$,
	$$'m', model_name => E'a\nb'$$,
	$$'m', performance_metrics => '[1]'$$,
	$$'m', performance_metrics => '{"f1": "x"}'$$,
	$$'m', performance_metrics => '{"f1": 0.5}', deployment_stage => 'live'$$,
	$$'m', performance_metrics => '{"f1": 0.5}', tags => ARRAY[NULL]$$,
	$$'m', performance_metrics => '{"f1": 0.5}', notes => repeat('x', 1048577)$$,
	$$'m', performance_metrics => '{"f1": 0.5}', model_config => '[]'$$,
	$$'m', performance_metrics => '{"f1": 0.5}', training_metadata => '1'$$,
	$$'m', performance_metrics => '{"f1": 0.5}', dataset_version => ''$$,
	$$'m', performance_metrics => '{"f1": 0.5}', parent_ids => ARRAY['nobody']$$,
	$$'m', performance_metrics => '{"f1": 0.5}', created_at => 'infinity'$$,
	$$'m', performance_metrics => '{"f1": 0.5}', expected_checksum => 'abc'$$,
	$$'m', performance_metrics => '{"f1": 0.5}', properties => '"x"'$$
]) AS call;

-- The bytes are not there yet, so no checksum can be wrong.
SELECT modelreg_check_registration('m', performance_metrics => '{"f1": 0.5}', expected_checksum => repeat('0', 64));

-- Parents that are there; and nothing was done, nor can be.
SELECT modelreg_check_registration('m', performance_metrics => '{"f1": 0.5}', parent_ids => ARRAY[:'parent']);
SELECT count(*) AS versions, (SELECT count(*) FROM modelreg.audit_event) AS events FROM modelreg.model_version;
BEGIN TRANSACTION READ ONLY;
SELECT modelreg_check_registration('another', performance_metrics => '{"f1": 0.5}');
SELECT count(*) AS locks FROM pg_locks WHERE relation IS NOT NULL AND mode NOT IN ('AccessShareLock') AND pid = pg_backend_pid();
COMMIT;

-- Who may register may check, and only that.
CREATE ROLE regress_modelreg_writer;
CREATE ROLE regress_modelreg_reader;
GRANT modelreg_writer TO regress_modelreg_writer;
GRANT modelreg_reader TO regress_modelreg_reader;
SET ROLE regress_modelreg_writer;
SELECT modelreg_check_registration('m', performance_metrics => '{"f1": 0.5}');
SELECT modelreg_check_registration('m', performance_metrics => '{"f1": 0.5}', deployment_stage => 'production'); -- error
SET ROLE regress_modelreg_reader;
SELECT modelreg_check_registration('m', performance_metrics => '{"f1": 0.5}'); -- error
RESET ROLE;
DROP ROLE regress_modelreg_writer, regress_modelreg_reader;
DROP FUNCTION attempt;
