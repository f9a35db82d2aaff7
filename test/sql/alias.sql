--
-- Aliases: set, moved, resolved, dropped; none names what does not exist
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
DROP ROLE IF EXISTS regress_modelreg_writer, regress_modelreg_admin, regress_modelreg_reader;
CREATE ROLE regress_modelreg_reader IN ROLE modelreg_reader;
CREATE ROLE regress_modelreg_writer IN ROLE modelreg_writer;
CREATE ROLE regress_modelreg_admin IN ROLE modelreg_admin;
RESET client_min_messages;
\set SHOW_CONTEXT never
CREATE FUNCTION said(statement text, OUT message text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
END $$;
\set aliases 'SELECT m.model_name, a.alias, v.version, a.set_by, a.set_at > v.registered_at AS set_later FROM modelreg.model_alias AS a JOIN modelreg.model AS m USING (model_key) LEFT JOIN modelreg.model_version AS v USING (model_id) ORDER BY 1, 2'
SELECT model_id AS v1 FROM modelreg_register('one', 'churn', performance_metrics => '{"f1": 0.5}') \gset
SELECT model_id AS v2 FROM modelreg_register('two', 'churn', performance_metrics => '{"f1": 0.6}') \gset
SELECT model_id AS other FROM modelreg_register('other', 'fraud', performance_metrics => '{"f1": 0.6}') \gset

-- Set, several a version, the same name in another model
SELECT alias, model_id = :'v1' AS names_v1, set_by FROM modelreg_set_alias(:'v1', 'champion', reason => 'best so far');
SELECT alias FROM modelreg_set_alias(:'v1', 'stable');
SELECT alias FROM modelreg_set_alias(:'v2', 'challenger');
SELECT alias FROM modelreg_set_alias(:'other', 'champion');
:aliases;

-- Resolve: a row, or none
SELECT version, performance_metrics FROM modelreg_resolve('churn', 'champion');
SELECT version FROM modelreg_resolve(model_name => 'fraud', alias => 'champion');
SELECT count(*) FROM modelreg_resolve('churn', 'nobody');
SELECT count(*) FROM modelreg_resolve('nobody', 'champion');
SELECT count(*) FROM modelreg_resolve(NULL, NULL);
SELECT count(*) FROM modelreg_resolve('fraud', 'challenger');

-- Move; the same again changes nothing
SELECT model_id = :'v2' AS names_v2 FROM modelreg_set_alias(:'v2', 'champion', 'beats it');
SELECT audit_seq AS seq FROM modelreg.model WHERE model_name = 'churn' \gset
SELECT set_at FROM modelreg.model_alias WHERE model_id = :'v2' AND alias = 'champion' \gset
SELECT set_at = :'set_at' AS same FROM modelreg_set_alias(:'v2', 'champion', 'again');
SELECT audit_seq - :seq AS events FROM modelreg.model WHERE model_name = 'churn';
:aliases;

-- Drop
SELECT modelreg_drop_alias('churn', 'stable', 'not used');
SELECT modelreg_drop_alias('churn', 'stable');
SELECT modelreg_drop_alias('churn', NULL); -- error
SELECT modelreg_drop_alias(NULL, 'champion'); -- error
SELECT modelreg_drop_alias('nobody', 'champion'); -- error

-- All of it is in the trail
SELECT event, model_id = :'v2' AS v2, old_values ->> 'alias' AS old_alias, old_values ->> 'model_id' = :'v1' AS old_v1,
	new_values ->> 'alias' AS new_alias, reason
FROM modelreg_history('churn') WHERE event = 'alias';
SELECT * FROM modelreg_audit_verify();

-- A rename does not touch them
SELECT FROM modelreg_rename_model('fraud', 'theft');
SELECT version FROM modelreg_resolve('theft', 'champion');
SELECT count(*) FROM modelreg_resolve('fraud', 'champion');

-- What cannot be
SELECT modelreg_set_alias('nobody', 'champion'); -- error
SELECT modelreg_set_alias(NULL, 'champion'); -- error
SELECT modelreg_set_alias(:'v1', NULL); -- error
SELECT modelreg_set_alias(:'v1', ''); -- error
SELECT modelreg_set_alias(:'v1', repeat('a', 257)); -- error
SELECT modelreg_set_alias(:'v1', E'a\nb'); -- error
SELECT modelreg_set_alias(:'v1', 'a@b'); -- error
SELECT modelreg_set_alias(:'v1', 'a/b'); -- error
SELECT modelreg_set_alias(:'v1', 'a:b'); -- error
SELECT modelreg_set_alias(:'v1', 'Latest'); -- error
SELECT modelreg_set_alias(:'v1', 'v12'); -- error
SELECT modelreg_set_alias(:'v1', 'a', repeat('r', 1024 * 1024 + 1)); -- error
\set VERBOSITY sqlstate
SELECT modelreg_set_alias('nobody', 'champion'); -- error
SELECT modelreg_set_alias(:'v1', NULL); -- error
SELECT modelreg_set_alias(:'v1', 'latest'); -- error
\set VERBOSITY default
-- these are all right
SELECT alias FROM unnest(ARRAY['v', 'v1.0', 'version', 'a b', '"quoted"', $$it's$$, 'latest-but-one']) AS a (name), modelreg_set_alias(:'v1', name);
SELECT count(*) FROM unnest(ARRAY['v', 'v1.0', 'version', 'a b', '"quoted"', $$it's$$, 'latest-but-one']) AS a (name), modelreg_drop_alias('churn', name) AS dropped WHERE dropped;

-- Only admins set and drop; readers resolve and list
SET ROLE regress_modelreg_writer;
SELECT modelreg_set_alias(:'v1', 'champion'); -- error
SELECT modelreg_drop_alias('churn', 'champion'); -- error
SET ROLE regress_modelreg_reader;
SELECT modelreg_set_alias(:'v1', 'champion'); -- error
SELECT version FROM modelreg_resolve('churn', 'champion');
SELECT count(*) FROM modelreg.model_alias;
SET ROLE regress_modelreg_admin;
SELECT alias, set_by FROM modelreg_set_alias(:'v1', 'shadow');
SELECT modelreg_drop_alias('churn', 'shadow');
RESET ROLE;

-- A version with an alias is not deleted, by whatever means, unless forced
\set VERBOSITY sqlstate
SELECT modelreg_delete(:'v2'); -- error
DELETE FROM modelreg.model_version WHERE model_id = :'v2'; -- error
SET session_replication_role = replica;
DELETE FROM modelreg.model_version WHERE model_id = :'v2'; -- error
RESET session_replication_role;
BEGIN ISOLATION LEVEL SERIALIZABLE;
DELETE FROM modelreg.model_version WHERE model_id = :'v2'; -- error
ROLLBACK;
\set VERBOSITY default
SELECT replace(message, :'v2', 'v2') AS message, hint FROM said('SELECT modelreg_delete(' || quote_literal(:'v2') || ')');
BEGIN;
DELETE FROM modelreg.model_alias WHERE model_id = :'v2';
DELETE FROM modelreg.model_version WHERE model_id = :'v2';
SELECT count(*) FROM modelreg.model_alias WHERE model_id = :'v2';
SELECT * FROM modelreg_audit_verify('churn');
ROLLBACK;
BEGIN;
SELECT modelreg_delete(:'v2', force => true, reason => 'broken');
SELECT event, reason FROM modelreg_history(model_id => :'v2') WHERE event IN ('alias', 'delete');
:aliases;
SELECT * FROM modelreg_audit_verify('churn');
ROLLBACK;

-- Plain SQL may move an alias to what exists in the model, and drop it
UPDATE modelreg.model_alias SET model_id = 'nobody' WHERE alias = 'champion'; -- error
\set VERBOSITY sqlstate
UPDATE modelreg.model_alias SET model_id = :'other' WHERE alias = 'challenger'; -- error
\set VERBOSITY default
UPDATE modelreg.model_alias SET model_id = NULL; -- error
UPDATE modelreg.model_alias SET alias = 'champ'; -- error
UPDATE modelreg.model_alias SET model_key = gen_random_uuid(); -- error
UPDATE modelreg.model_alias SET set_by = 'me'; -- error
SET session_replication_role = replica;
UPDATE modelreg.model_alias SET model_id = 'nobody' WHERE alias = 'champion'; -- error
RESET session_replication_role;
TRUNCATE modelreg.model_alias; -- error
BEGIN;
SET LOCAL modelreg.reason = 'by hand';
UPDATE modelreg.model_alias SET model_id = :'v1', set_at = '1999-01-01', set_by = 'nobody' WHERE alias = 'challenger';
SELECT set_by, set_at > '2000-01-01' AS stamped FROM modelreg.model_alias WHERE alias = 'challenger';
DELETE FROM modelreg.model_alias WHERE alias = 'challenger';
SELECT event, model_id = :'v1' AS v1, new_values ->> 'alias' AS alias, reason FROM modelreg_history('churn') WHERE reason = 'by hand';
SELECT * FROM modelreg_audit_verify('churn');
ROLLBACK;

-- What a superuser forges is found
BEGIN;
INSERT INTO modelreg.model_alias SELECT model_key, 'forged', 'nobody', now(), 'me' FROM modelreg.model WHERE model_name = 'churn';
SELECT * FROM modelreg_audit_verify('churn');
ROLLBACK;
BEGIN;
ALTER TABLE modelreg.model_alias DISABLE TRIGGER USER;
UPDATE modelreg.model_alias SET model_id = :'v1' WHERE alias = 'challenger';
SELECT * FROM modelreg_audit_verify('churn');
DELETE FROM modelreg.model_alias WHERE alias = 'challenger';
SELECT * FROM modelreg_audit_verify('churn');
ROLLBACK;

-- Cleanup keeps what has an alias, whatever protection is lifted
SELECT FROM modelreg_update_model('churn', max_versions => 1);
SELECT FROM modelreg_register('three', 'churn', performance_metrics => '{"f1": 0.7}');
SELECT version, reason FROM modelreg_cleanup_preview(model_name => 'churn');
SELECT version, reason FROM modelreg_cleanup_preview(false, 'churn');
CALL modelreg_cleanup(model_name => 'churn');
SELECT version FROM modelreg_list(model_name => 'churn');
CALL modelreg_cleanup(keep_production => false, model_name => 'churn');
SELECT version FROM modelreg_list(model_name => 'churn');
:aliases;

-- A model that has one is not deleted unless forced
SELECT modelreg_delete_model('theft'); -- error
SELECT modelreg_delete_model('theft', force => true);
:aliases;
SELECT * FROM modelreg_audit_verify();
DROP FUNCTION said;
DROP ROLE regress_modelreg_writer, regress_modelreg_admin, regress_modelreg_reader;
