--
-- modelreg_delete: what may go, what is left, and what the trail says
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set f1 'performance_metrics => ''{"f1": 0.5}'''
CREATE FUNCTION pg_temp.failure(statement text) RETURNS TABLE (state text, message text, hint text)
	LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	state := 'ok';
	RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	message := regexp_replace(message, '_[0-9]{8}_[0-9]{6}(_[0-9]+)?"', '_<time>"');
	RETURN NEXT;
END
$$;
\set versions 'SELECT model_name, version, version_number, deployment_stage FROM modelreg.model_version ORDER BY model_name, version_number'
\set bytes 'SELECT (SELECT count(*) FROM modelreg.artifact) AS artifacts, (SELECT count(*) FROM modelreg.artifact_chunk) AS chunks_listed, (SELECT count(*) FROM modelreg.chunk) AS chunks, (SELECT count(*) FROM modelreg.chunk_piece) AS pieces'
SELECT model_id AS v1 FROM modelreg_register('1', 'm', :f1) \gset
SELECT model_id AS v2 FROM modelreg_register('2', 'm', deployment_stage => 'production', :f1) \gset
SELECT model_id AS v3 FROM modelreg_register('3', 'm', parent_ids => ARRAY[:'v1'], :f1) \gset
SELECT model_id AS twin FROM modelreg_register('1', 'twin', :f1) \gset

-- A version goes, its bytes stay for the one that shares them
SELECT modelreg_delete(:'v1', reason => 'superseded');
:versions;
SELECT * FROM modelreg_info(:'v1');
SELECT modelreg_load(:'twin') = '1' AS twin_loads;
SELECT parent_ids = ARRAY[:'v1'] AS lineage_stays FROM modelreg_info(:'v3');
:bytes;
-- once
SELECT * FROM pg_temp.failure(format('SELECT modelreg_delete(%L)', :'v1'));
SELECT * FROM pg_temp.failure(format('SELECT modelreg_load(%L)', :'v1'));
SELECT * FROM pg_temp.failure(format('SELECT modelreg_update(%L, ''notes'')', :'v1'));
SELECT * FROM pg_temp.failure(format('SELECT modelreg_update_stage(%L, ''staging'')', :'v1'));
SELECT * FROM pg_temp.failure(format('SELECT modelreg_verify(%L)', :'v1'));

-- Production is protected, against plain SQL as well
SELECT * FROM pg_temp.failure(format('SELECT modelreg_delete(%L)', :'v2'));
SELECT * FROM pg_temp.failure(format('SELECT modelreg_delete(%L, NULL)', :'v2'));
SELECT * FROM pg_temp.failure(format('DELETE FROM modelreg.model_version WHERE model_id = %L', :'v2'));
SELECT * FROM pg_temp.failure('DELETE FROM modelreg.model_version');
SET session_replication_role = replica;
SELECT * FROM pg_temp.failure('DELETE FROM modelreg.model_version');
RESET session_replication_role;
:versions;
-- until it leaves, or by force
BEGIN;
SELECT deployment_stage FROM modelreg_update_stage(:'v2', 'archived');
SELECT modelreg_delete(:'v2');
:versions;
ROLLBACK;
SELECT modelreg_delete(:'v2', force => true, reason => 'leaked training data');
:versions;
-- force is no need, and no harm, for others
SELECT modelreg_delete(:'v3', true);
-- plain SQL deletes what is not in production
DELETE FROM modelreg.model_version WHERE model_id = :'twin';
:versions;

-- The trail keeps the whole row, who, why and how
SELECT e.model_name, e.seq, e.event, e.old_values ->> 'version' AS version, e.old_values ->> 'deployment_stage' AS old_stage, e.new_values - 'deployed_at' AS new_values, e.reason
FROM modelreg.audit_event AS e WHERE e.event IN ('stage', 'delete') ORDER BY e.model_name, e.seq;
SELECT e.event, e.old_values = r.new_values || jsonb_build_object('deployment_stage', e.old_values -> 'deployment_stage', 'deployed_at', e.old_values -> 'deployed_at') AS whole_row
FROM modelreg.audit_event AS e JOIN modelreg.audit_event AS r USING (model_id)
WHERE e.event = 'delete' AND r.event = 'register' ORDER BY e.model_name, e.seq;

-- What nothing uses goes at the next cleanup
:bytes;
CALL modelreg_cleanup();
:bytes;
SELECT event, new_values FROM modelreg.audit_event WHERE event = 'cleanup';

-- Numbers go on; the model is there without versions
SELECT version, version_number FROM modelreg_register('4', 'm', :f1);
SELECT model_name, last_version_number FROM modelreg.model ORDER BY model_name;
-- bytes that were removed can come back
SELECT model_id AS v5 FROM modelreg_register('1', 'm', :f1) \gset
SELECT modelreg_load(:'v5') = '1' AS loads;
-- registered again before the cleanup came: they stay
SELECT modelreg_delete(:'v5');
SELECT model_id AS v6 FROM modelreg_register('1', 'm', :f1) \gset
CALL modelreg_cleanup();
SELECT modelreg_load(:'v6') = '1' AS loads;
-- and where the deletion is rolled back, all is as before
BEGIN;
SELECT modelreg_delete(:'v6');
ROLLBACK;
SELECT modelreg_load(:'v6') = '1' AS loads;

-- In each other stage a version may be deleted
SELECT s, x.state
FROM unnest(enum_range(NULL::modelreg.deployment_stage)) AS s,
	LATERAL modelreg_register('s', 'stages', deployment_stage => s::text, :f1) AS r,
	LATERAL pg_temp.failure(format('SELECT modelreg_delete(%L)', r.model_id)) AS x;

-- Many at once, newest first, the production version apart
SELECT count(*) FROM generate_series(1, 20) AS g, LATERAL modelreg_register(int4send(g), 'stages', :f1);
SELECT count(*) FROM (SELECT modelreg_delete(model_id) FROM modelreg_list(model_name => 'stages', deployment_stage => 'development')) AS deleted;
SELECT version, deployment_stage FROM modelreg_list(model_name => 'stages');

-- What is no deletion
SELECT modelreg_delete('nobody'); -- error
SELECT modelreg_delete(NULL); -- error
SELECT modelreg_delete(''); -- error
SELECT modelreg_delete(:'v6', reason => repeat('r', 1024 * 1024 + 1)); -- error
\set VERBOSITY sqlstate
SELECT modelreg_delete('nobody'); -- error
SELECT modelreg_delete(NULL); -- error
SELECT count(*) AS bad FROM modelreg_verify() WHERE NOT ok;
SELECT model_name, ok, problem FROM modelreg_audit_verify();
