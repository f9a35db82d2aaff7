--
-- modelreg_update_stage, and the rules of which moves are legal
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set f1 'performance_metrics => ''{"f1": 0.5}'''
-- Runs a statement and says how it fails, without an id's time
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
\set stages 'SELECT version, deployment_stage, deployed_at IS NOT NULL AS moved FROM modelreg.model_version ORDER BY model_name, version_number'
\set trail 'SELECT e.seq, e.event, v.version, e.old_values ->> ''deployment_stage'' AS old, e.new_values ->> ''deployment_stage'' AS new, e.reason FROM modelreg.audit_event AS e LEFT JOIN modelreg.model_version AS v USING (model_id)'

-- Every move from every stage, built in: all but archived to production
SELECT f.s AS from_stage, t.s AS to_stage, x.state
FROM unnest(enum_range(NULL::modelreg.deployment_stage)) AS f (s)
CROSS JOIN unnest(enum_range(NULL::modelreg.deployment_stage)) AS t (s)
CROSS JOIN LATERAL modelreg_register('m', 'every', model_name => format('%s to %s', f.s, t.s), deployment_stage => f.s::text, :f1) AS r
CROSS JOIN LATERAL pg_temp.failure(format('SELECT modelreg_update_stage(%L, %L)', r.model_id, t.s)) AS x
ORDER BY f.s, t.s \crosstabview
SELECT count(*) FILTER (WHERE model_name = split_part(model_name, ' to ', 1) || ' to ' || deployment_stage) AS arrived, count(*)
FROM modelreg.model_version;
SELECT count(modelreg_delete_model(model_name, true)) FROM modelreg.model;

-- A promotion demotes the incumbent first, which the trail tells
SELECT model_id AS v1 FROM modelreg_register('1', 'fraud', :f1) \gset
SELECT model_id AS v2 FROM modelreg_register('2', 'fraud', :f1) \gset
SELECT model_id AS v3 FROM modelreg_register('3', 'fraud', :f1) \gset
SELECT model_id AS other FROM modelreg_register('3', 'other', :f1, deployment_stage => 'production') \gset
SELECT model_id = :'v1' AS id, version, deployment_stage, deployed_at BETWEEN now() AND clock_timestamp() AS deployed_now
FROM modelreg_update_stage(:'v1', 'production', 'first release');
SELECT version, deployment_stage FROM modelreg_update_stage(model_id => :'v2', new_stage => 'canary');
SELECT version, deployment_stage FROM modelreg_update_stage(:'v2', 'production', 'better f1');
:stages;
:trail WHERE e.model_name = 'fraud' AND e.event = 'stage' ORDER BY e.seq;
-- the other model's production version stays where it is
SELECT deployment_stage FROM modelreg_info(:'other');
-- back to the one before
SELECT version, deployment_stage FROM modelreg_update_stage(:'v1', 'production', 'rollback');
:stages;
-- registered straight into production: the incumbent goes there, too
SELECT version, deployment_stage, deployed_at FROM modelreg_register('4', 'fraud', deployment_stage => 'production', :f1);
:stages;
-- and from production to nothing in production
SELECT f.version, u.deployment_stage FROM modelreg_find_latest(deployment_stage => 'production', model_name => 'fraud') AS f,
	LATERAL modelreg_update_stage(f.model_id, 'staging') AS u;
SELECT count(*) FROM modelreg.production_model WHERE model_name = 'fraud';

-- The stage that it has already: nothing changes, nothing is recorded
SELECT audit_seq AS seq FROM modelreg.model WHERE model_name = 'other' \gset
SELECT deployed_at AS moved_at, u.deployment_stage FROM modelreg_update_stage(:'other', 'production', 'again') AS u;
SELECT audit_seq - :seq AS events FROM modelreg.model WHERE model_name = 'other';

-- A move that fails changes nothing; its hint names the legal ones
SELECT deployment_stage FROM modelreg_update_stage(:'v3', 'archived');
SELECT * FROM pg_temp.failure(format('SELECT modelreg_update_stage(%L, ''production'')', :'v3'));
:stages;
SELECT deployment_stage FROM modelreg_update_stage(:'v3', 'staging');
SELECT deployment_stage FROM modelreg_update_stage(:'v3', 'production');
:stages;

-- Raw SQL: one production version, legal moves, deployed_at, trail, as well
\set VERBOSITY sqlstate
UPDATE modelreg.model_version SET deployment_stage = 'production' WHERE model_id = :'v1'; -- error
UPDATE modelreg.model_version SET deployment_stage = 'archived', notes = 'by SQL' WHERE model_id = :'v1';
UPDATE modelreg.model_version SET deployment_stage = 'production' WHERE model_id = :'v1'; -- error
SELECT deployment_stage, deployed_at BETWEEN now() - interval '1 min' AND now() AS stamped FROM modelreg_info(:'v1');
\set VERBOSITY default
:trail WHERE e.model_id = :'v1' AND e.event <> 'register' ORDER BY e.seq;

-- What is no move
SELECT modelreg_update_stage('nobody', 'staging'); -- error
SELECT modelreg_update_stage(NULL, 'staging'); -- error
SELECT modelreg_update_stage(:'v1', NULL); -- error
SELECT modelreg_update_stage(:'v1', 'prod'); -- error
SELECT modelreg_update_stage(:'v1', 'PRODUCTION'); -- error
SELECT modelreg_update_stage(:'v1', 'production '); -- error
SELECT modelreg_update_stage(:'v1', ''); -- error
SELECT modelreg_update_stage(:'v1', 'staging', repeat('r', 1024 * 1024 + 1)); -- error
\set VERBOSITY sqlstate
SELECT modelreg_update_stage('nobody', 'staging'); -- error
SELECT modelreg_update_stage(:'v1', NULL); -- error
SELECT modelreg_update_stage(:'v1', 'prod'); -- error
\set VERBOSITY default

-- Rules: forbid a move, allow one, and go back to what is built in
SELECT modelreg_set_stage_rule('development', 'production', false, 'four eyes');
SELECT modelreg_set_stage_rule('archived', 'production', allowed => true);
SELECT * FROM modelreg.stage_rule ORDER BY from_stage, to_stage;
SELECT model_id AS v5 FROM modelreg_register('5', 'fraud', :f1) \gset
SELECT * FROM pg_temp.failure(format('SELECT modelreg_update_stage(%L, ''production'')', :'v5'));
SELECT deployment_stage FROM modelreg_update_stage(:'v1', 'production', 'rule allows it');
SELECT deployment_stage FROM modelreg_update_stage(:'v5', 'staging');
SELECT deployment_stage FROM modelreg_update_stage(:'v5', 'canary');
-- the same rule again is no change, another value is one
SELECT modelreg_set_stage_rule('archived', 'production', true), modelreg_set_stage_rule('development', 'production', true);
SELECT * FROM modelreg.stage_rule ORDER BY from_stage, to_stage;
SELECT modelreg_set_stage_rule('archived', 'production', NULL), modelreg_set_stage_rule('development', 'production', NULL), modelreg_set_stage_rule('canary', 'staging', NULL);
SELECT * FROM modelreg.stage_rule;
SELECT seq, event, old_values, new_values, reason FROM modelreg.audit_event WHERE event = 'stage_rule' ORDER BY seq;

-- A stage that nothing leaves
SELECT count(modelreg_set_stage_rule('archived', s::text, false)) FROM unnest(enum_range(NULL::modelreg.deployment_stage)) AS s WHERE s <> 'archived';
SELECT deployment_stage FROM modelreg_update_stage(:'v3', 'archived');
SELECT * FROM pg_temp.failure(format('SELECT modelreg_update_stage(%L, ''development'')', :'v3'));
-- rules are about moves: a version may still be registered there, or deleted
SELECT deployment_stage FROM modelreg_register('6', 'fraud', deployment_stage => 'archived', :f1);
-- where incumbents may not be demoted, nothing is promoted
-- A rule is about moves that somebody asks for: it does not bind the demotion
-- that a promotion or a forced deletion makes.
BEGIN;
SELECT modelreg_set_stage_rule('production', 'deprecated', false);
SELECT * FROM pg_temp.failure(format('SELECT modelreg_update_stage(%L, ''deprecated'')',
	(SELECT model_id FROM modelreg_find_latest(model_name => 'fraud', deployment_stage => 'production'))));
SELECT version, deployment_stage FROM modelreg_update_stage(:'v5', 'production');
SELECT version, deployment_stage
FROM modelreg_register('7', 'fraud', deployment_stage => 'production', performance_metrics => '{"f1": 1}');
SELECT modelreg_delete(model_id, force => true)
FROM modelreg_find_latest(model_name => 'fraud', deployment_stage => 'production');
SELECT version, deployment_stage FROM modelreg_list(model_name => 'fraud');
ROLLBACK;
SELECT count(modelreg_set_stage_rule(from_stage::text, to_stage::text, NULL)) AS rules_reset FROM modelreg.stage_rule;

-- What is no rule
SELECT modelreg_set_stage_rule('production', 'production', false); -- error
SELECT modelreg_set_stage_rule('prod', 'archived', false); -- error
SELECT modelreg_set_stage_rule('archived', 'prod', false); -- error
SELECT modelreg_set_stage_rule(NULL, 'archived', false); -- error
SELECT modelreg_set_stage_rule('archived', NULL, false); -- error
SELECT * FROM modelreg.stage_rule;

-- Models whose production is not exclusive
SELECT exclusive_production FROM modelreg_create_model('shadow', exclusive_production => false);
SELECT version, deployment_stage, exclusive_production FROM modelreg_register('1', 'shadow', deployment_stage => 'production', :f1);
SELECT version, deployment_stage FROM modelreg_register('2', 'shadow', deployment_stage => 'production', :f1);
SELECT model_id AS s3 FROM modelreg_register('3', 'shadow', :f1) \gset
SELECT version, deployment_stage FROM modelreg_update_stage(:'s3', 'production');
SELECT version FROM modelreg.production_model WHERE model_name = 'shadow' ORDER BY version_number;
-- cannot become exclusive while there are several
SELECT state FROM pg_temp.failure($$SELECT modelreg_update_model('shadow', exclusive_production => true)$$);
SELECT count(*) FROM modelreg.production_model AS p, LATERAL modelreg_update_stage(p.model_id, 'deprecated') WHERE p.model_name = 'shadow' AND p.version_number < 3;
SELECT exclusive_production FROM modelreg_update_model('shadow', exclusive_production => true);
SELECT version, exclusive_production FROM modelreg_list(model_name => 'shadow');
SELECT f.version, u.deployment_stage FROM modelreg_list(model_name => 'shadow', version => '0.1.0') AS f, LATERAL modelreg_update_stage(f.model_id, 'production') AS u;
SELECT version FROM modelreg.production_model WHERE model_name = 'shadow';
-- and the other way round
SELECT exclusive_production FROM modelreg_update_model('fraud', exclusive_production => false);
SELECT deployment_stage FROM modelreg_update_stage(:'v5', 'production');
SELECT version FROM modelreg.production_model WHERE model_name = 'fraud' ORDER BY version_number;

SELECT model_name, ok, problem FROM modelreg_audit_verify() WHERE NOT ok;
