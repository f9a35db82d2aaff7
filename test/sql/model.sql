--
-- Models as such: creation, settings, rename, deletion
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set f1 'performance_metrics => ''{"f1": 0.5}'''
\set settings 'model_name, model_type, description, tags, properties, exclusive_production, max_versions, auto_cleanup, require_metadata'
\set trail 'SELECT model_name, seq, event, old_values - ''{created_at,created_by}''::text[] AS old_values, new_values - ''{created_at,created_by}''::text[] AS new_values, reason FROM modelreg.audit_event WHERE event LIKE ''model%'' ORDER BY at'
\pset format unaligned

-- With the defaults, and with everything
SELECT :settings, created_by = current_user AS mine, created_at BETWEEN now() AND clock_timestamp() AS created_now,
	last_version_number, last_registered_at, highest_version, audit_seq
FROM modelreg_create_model('plain');
SELECT :settings FROM modelreg_create_model('full', 'forest', 'Finds fraud.', '{a,b,a}', '{"team": "risk"}', false, 3, true, false, 'for the pilot');
SELECT :settings FROM modelreg_create_model('nulls', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT version FROM modelreg_register('x', 'another type', model_name => 'full');
SELECT model_type FROM modelreg.model WHERE model_name = 'full';

-- Settings: NULL leaves alone; reset goes back to the server's
SELECT :settings FROM modelreg_update_model('plain', description => 'Plain.');
SELECT :settings FROM modelreg_update_model('plain', tags => '{x}', properties => '{"k": [1]}', exclusive_production => false, max_versions => -1, auto_cleanup => true, require_metadata => false, reason => 'all of them');
SELECT :settings FROM modelreg_update_model('plain');
-- properties are merged key by key; null removes a key
SELECT properties FROM modelreg_update_model('plain', properties => '{"l": 2}');
SELECT properties FROM modelreg_update_model('plain', properties => '{"k": null, "nobody": null, "m": {"n": null}}');
SELECT properties FROM modelreg_update_model('plain', properties => '{"l": null, "m": null}');
SELECT :settings FROM modelreg_update_model('plain', '', '{}', '{}', NULL, NULL, NULL, NULL, NULL, NULL);
SELECT :settings FROM modelreg_update_model('plain', reset => '{max_versions}');
SELECT :settings FROM modelreg_update_model('plain', max_versions => 5, reset => '{auto_cleanup,require_metadata,auto_cleanup}');
-- who gives a value and resets it, resets it
SELECT :settings FROM modelreg_update_model('plain', max_versions => 4, reset => '{max_versions}');
:trail;

-- Rename: ids keep the old name, everything else goes by the new one
SELECT model_id AS v1 FROM modelreg_register('1', 'before', :f1, deployment_stage => 'production') \gset
SELECT :settings FROM modelreg_rename_model('before', 'after', 'merger');
SELECT model_id = :'v1' AS same_id, model_name, model_type FROM modelreg_info(:'v1');
SELECT count(*) FROM modelreg_list(model_name => 'before');
SELECT version FROM modelreg_list(model_name => 'after');
SELECT modelreg_load(:'v1') = '1' AS loads;
SELECT deployment_stage, notes FROM modelreg_update(:'v1', notes => 'renamed');
SELECT version, version_number, model_id ~ '^after_\d{8}_\d{6}' AS new_id FROM modelreg_register('2', 'before', model_name => 'after', :f1);
SELECT event, model_name, reason FROM modelreg_history('after') ORDER BY seq;
-- to the same name: nothing happens
SELECT audit_seq FROM modelreg_rename_model('after', 'after');
-- the old name is free for another model, whose ids are others
SELECT version, version_number, model_id <> :'v1' AS other_id FROM modelreg_register('3', 'before', :f1);
SELECT model_name, last_version_number, audit_seq FROM modelreg.model WHERE model_name IN ('before', 'after') ORDER BY model_name;
-- names can be swapped
BEGIN;
SELECT model_name FROM modelreg_rename_model('before', 'between');
SELECT model_name FROM modelreg_rename_model('after', 'before');
SELECT model_name FROM modelreg_rename_model('between', 'after');
COMMIT;
SELECT model_name, version, artifact FROM modelreg_load_latest(model_name => 'before');
SELECT model_name, version, artifact FROM modelreg_load_latest(model_name => 'after');
SELECT model_name, events, ok, problem FROM modelreg_audit_verify();

-- Deletion: refused while a version is in production
CREATE TEMPORARY TABLE gone AS SELECT model_id, model_key FROM modelreg_list(model_name => 'before');
\set VERBOSITY sqlstate
SELECT modelreg_delete_model('before'); -- error
SELECT regexp_replace(:'LAST_ERROR_MESSAGE', '_[0-9]{8}_[0-9]{6}"', '_<time>"') AS message;
DELETE FROM modelreg.model WHERE model_name = 'before'; -- error
\set VERBOSITY default
DELETE FROM modelreg.model WHERE model_name = 'before'; -- error
SELECT count(*) FROM modelreg_list(model_name => 'before');
SELECT modelreg_delete_model('before', true, 'withdrawn');
SELECT count(*) FROM modelreg_list(model_name => 'before');
SELECT modelreg_delete_model('plain'), modelreg_delete_model(model_name => 'nulls', force => NULL, reason => NULL);
SELECT model_name FROM modelreg.model ORDER BY model_name;
-- the chain stays, and ends with it
SELECT e.seq, e.event, e.old_values ->> 'deployment_stage' AS old_stage, e.new_values - 'deployed_at' AS new_values, e.reason
FROM modelreg.audit_event AS e WHERE e.model_key = (SELECT DISTINCT model_key FROM gone) AND e.seq > 6 ORDER BY e.seq;
SELECT old_values - '{created_at,created_by}'::text[] AS old_values FROM modelreg_history('before') WHERE event = 'model_delete';

-- The name can be used again: numbers begin anew, ids do not
SELECT version, version_number, model_id NOT IN (SELECT model_id FROM gone) AS other_id FROM modelreg_register('4', 'before', :f1);
DO $$
BEGIN
	FOR i IN 1 .. 15 LOOP
		PERFORM modelreg_register('5', 'again', performance_metrics => '{"f1": 1}'), modelreg_register('5', 'again', performance_metrics => '{"f1": 1}');
		IF i % 2 = 0 THEN
			PERFORM modelreg_delete_model('again');
		ELSE
			PERFORM modelreg_rename_model('again', 'again ' || i);
		END IF;
	END LOOP;
END
$$;
SELECT count(*) AS registered, count(DISTINCT model_id) AS ids, count(DISTINCT model_key) AS models, max(new_values ->> 'version_number') AS highest_number
FROM modelreg.audit_event WHERE event = 'register' AND model_id ~ '^again_\d{8}';
SELECT count(*) AS chains, count(*) FILTER (WHERE NOT ok) AS bad FROM modelreg_audit_verify();
SELECT count(*) AS bad FROM modelreg_verify() WHERE NOT ok;

-- What cannot be
SELECT modelreg_create_model('full'); -- error
SELECT modelreg_create_model(NULL); -- error
SELECT modelreg_create_model(''); -- error
SELECT modelreg_create_model(repeat('m', 257)); -- error
SELECT modelreg_create_model('m', ''); -- error
SELECT modelreg_create_model('m', properties => '[]'); -- error
SELECT modelreg_create_model('m', tags => '{NULL}'); -- error
SELECT modelreg_create_model('m', max_versions => 0); -- error
SELECT modelreg_create_model('m', max_versions => -2); -- error
SELECT modelreg_create_model('m', description => repeat('d', 1024 * 1024 + 1)); -- error
SELECT modelreg_update_model('nobody', 'd'); -- error
SELECT modelreg_update_model(NULL, 'd'); -- error
SELECT modelreg_update_model('full', 'd', max_versions => 0); -- error
SELECT modelreg_update_model('full', 'd', properties => 'null'); -- error
SELECT modelreg_update_model('full', 'd', reset => '{description}'); -- error
SELECT modelreg_update_model('full', 'd', reset => '{max_versions,NULL}'); -- error
SELECT modelreg_rename_model('nobody', 'n'); -- error
SELECT modelreg_rename_model('full', 'after'); -- error
SELECT modelreg_rename_model('full', NULL); -- error
SELECT modelreg_rename_model('full', E'a\nb'); -- error
SELECT modelreg_rename_model(NULL, 'n'); -- error
SELECT modelreg_delete_model('nobody'); -- error
SELECT modelreg_delete_model(NULL); -- error
\set VERBOSITY sqlstate
SELECT modelreg_create_model('full'); -- error
SELECT modelreg_create_model('m', max_versions => 0); -- error
SELECT modelreg_update_model('nobody', 'd'); -- error
SELECT modelreg_update_model('full', 'd', reset => '{description}'); -- error
SELECT modelreg_rename_model('full', 'after'); -- error
SELECT modelreg_rename_model('nobody', 'n'); -- error
SELECT modelreg_delete_model('nobody'); -- error
SELECT modelreg_delete_model(NULL); -- error
SELECT :settings FROM modelreg.model WHERE model_name = 'full';
