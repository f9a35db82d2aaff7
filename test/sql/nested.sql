-- Calls inside others, and what is rolled back around them.
\set VERBOSITY terse
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS modelreg;
CREATE EXTENSION modelreg;
SELECT model_id AS v1 FROM modelreg_register('1', 'm', performance_metrics => '{"f1": 1}') \gset
SELECT version FROM modelreg_register('2', 'm', performance_metrics => '{"f1": 2}');
SELECT version FROM modelreg_register('3', 'm', performance_metrics => '{"f1": 3}', deployment_stage => 'production');

-- A trigger of somebody else's cannot call modelreg for the model that is being changed ...
CREATE FUNCTION pg_temp.edit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
$$BEGIN PERFORM public.modelreg_update(NEW.model_id, 'edited by a trigger'); RETURN NULL; END$$;
CREATE TRIGGER stranger AFTER UPDATE OF deployment_stage ON modelreg.model_version
	FOR EACH ROW EXECUTE FUNCTION pg_temp.edit();
DO $$
BEGIN
	PERFORM modelreg_update_stage((SELECT model_id FROM modelreg_list(model_name => 'm', version => '0.1.0')), 'staging');
EXCEPTION WHEN object_in_use THEN
	RAISE WARNING '% %', SQLSTATE, SQLERRM;
END
$$;
DROP TRIGGER stranger ON modelreg.model_version;
-- ... and nothing of it stays, neither in the tables nor in the session.
SELECT version, deployment_stage, notes FROM modelreg_list('m');
SELECT version, deployment_stage FROM modelreg_update_stage(:'v1', 'staging');

-- An error in a function leaves the session as it was before.
DO $$
BEGIN
	BEGIN
		PERFORM modelreg_update_stage((SELECT model_id FROM modelreg_find_latest('m')), 'nowhere', 'a reason');
	EXCEPTION WHEN invalid_parameter_value THEN
		RAISE WARNING 'user %, search_path %, reason "%"', current_user = session_user,
			current_setting('search_path'), current_setting('modelreg.reason');
	END;
END
$$;

-- Plain SQL does not take a version its last metric either.
UPDATE modelreg.model_version SET performance_metrics = '{}'; -- error
SELECT count(*) FROM modelreg_update_model('m', require_metadata => false);
UPDATE modelreg.model_version SET performance_metrics = '{}' WHERE model_id = :'v1';

-- What a cleanup did and was rolled back is in no event.
SELECT count(*) FROM modelreg_update_model('m', max_versions => 1);
SELECT cardinality(modelreg.cleanup_begin('m', 100)) AS models;
BEGIN;
SELECT modelreg.cleanup_versions(model_key, false, 100) FROM modelreg.model;
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT modelreg.cleanup_versions(model_key, false, 100) FROM modelreg.model;
ROLLBACK TO s;
COMMIT;
SELECT modelreg.cleanup_end();
SELECT count(*) FROM modelreg_history() WHERE event = 'cleanup';
CALL modelreg_cleanup();
SELECT new_values FROM modelreg_history() WHERE event = 'cleanup';
SELECT modelreg.cleanup_end();
SELECT count(*) FROM modelreg_history() WHERE event = 'cleanup';

SELECT model_name, ok, problem FROM modelreg_audit_verify();
DROP EXTENSION modelreg;
