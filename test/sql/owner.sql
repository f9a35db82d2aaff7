--
-- Who owns versions and uploads: a role, whatever it is called
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_modelreg_a, regress_modelreg_b, regress_modelreg_c, regress_modelreg_chief;
RESET client_min_messages;
\set ECHO all
CREATE ROLE regress_modelreg_a IN ROLE modelreg_writer;
CREATE ROLE regress_modelreg_b IN ROLE modelreg_writer;
CREATE ROLE regress_modelreg_chief IN ROLE modelreg_admin;
\set f1 'performance_metrics => ''{"f1": 0.5}'''

-- Who registers or begins, owns
SET ROLE regress_modelreg_a;
SELECT model_id AS v1, owner, registered_by FROM modelreg_register('one', 'm', :f1) \gset
\echo :owner :registered_by
SELECT modelreg_upload_begin() AS u1 \gset
SELECT modelreg_upload_append(:'u1', 'part');
-- as a dashboard or a policy may ask
SELECT owner = current_user AS mine, owner = 'regress_modelreg_a' AS by_name, owner = 'regress_modelreg_b' AS others,
	owner <> current_user AS not_mine, owner = ANY ('{regress_modelreg_b,regress_modelreg_a}') AS listed,
	owner::regrole, owner::text || '!' AS as_text, pg_has_role(owner::regrole, 'USAGE') AS member
FROM modelreg.model_version;
SELECT owner FROM modelreg.upload;

-- Renamed: the same role owns; who gets the old name owns nothing
RESET ROLE;
ALTER ROLE regress_modelreg_a RENAME TO regress_modelreg_c;
CREATE ROLE regress_modelreg_a IN ROLE modelreg_writer;
SELECT owner, registered_by FROM modelreg.model_version;
SELECT owner, created_by FROM modelreg.upload;
SET ROLE regress_modelreg_a;
SELECT owner = current_user AS mine FROM modelreg.model_version;
SELECT attempt(format('SELECT modelreg_update(%L, notes => ''x'')', :'v1'));
SELECT attempt(format('SELECT modelreg_delete(%L)', :'v1'));
SELECT modelreg_upload_append(:'u1', 'x'); -- error
SELECT modelreg_upload_status(:'u1'); -- error
SELECT modelreg_upload_abort(:'u1'); -- error
SELECT modelreg_register_upload(:'u1', 'm', :f1); -- error
SET ROLE regress_modelreg_c;
SELECT notes FROM modelreg_update(:'v1', notes => 'still mine');
SELECT modelreg_upload_append(:'u1', ' and more', 4);
SELECT model_id AS v2 FROM modelreg_register('two', 'm', :f1) \gset
RESET ROLE;
SELECT ok, problem FROM modelreg_audit_verify();

-- By plain SQL the same holds, and nobody changes the owner
GRANT UPDATE ON modelreg.model_version, modelreg.upload TO modelreg_writer;
SET ROLE regress_modelreg_a;
SELECT attempt('UPDATE modelreg.model_version SET notes = ''x''');
UPDATE modelreg.model_version SET owner = 'regress_modelreg_a'; -- error
UPDATE modelreg.upload SET owner = 'regress_modelreg_a'; -- error
SET ROLE regress_modelreg_c;
UPDATE modelreg.model_version SET notes = 'by hand' WHERE model_id = :'v1';
UPDATE modelreg.model_version SET owner = 'regress_modelreg_a'; -- error
RESET ROLE;
REVOKE UPDATE ON modelreg.model_version, modelreg.upload FROM modelreg_writer;
UPDATE modelreg.model_version SET owner = 'regress_modelreg_a'; -- error
SET session_replication_role = replica;
UPDATE modelreg.model_version SET owner = 'regress_modelreg_a'; -- error
RESET session_replication_role;

-- Given to another, by admins
SET ROLE regress_modelreg_c;
SELECT modelreg_reassign('regress_modelreg_c', 'regress_modelreg_b'); -- error
SET ROLE regress_modelreg_chief;
SELECT modelreg_reassign('regress_modelreg_c', 'nobody'); -- error
SELECT modelreg_reassign('nobody', 'regress_modelreg_b'); -- error
SELECT modelreg_reassign('regress_modelreg_b', 'regress_modelreg_a') AS nothing_there;
SELECT modelreg_reassign(NULL, 'regress_modelreg_b'); -- error
SELECT modelreg_reassign('regress_modelreg_c', NULL); -- error
SELECT modelreg_reassign('regress_modelreg_c', repeat('x', 1000)); -- error
BEGIN;
SELECT modelreg_reassign('regress_modelreg_c', 'regress_modelreg_b', 'C has left');
SELECT owner, registered_by FROM modelreg.model_version ORDER BY model_id;
SELECT owner, created_by FROM modelreg.upload;
SELECT seq, event, old_values - 'owner_source' AS old_values, new_values - 'owner_source' AS new_values, actor, reason
FROM modelreg_history(model_id => :'v1') WHERE event <> 'register';
SELECT ok, problem FROM modelreg_audit_verify();
SET LOCAL ROLE regress_modelreg_b;
SELECT notes FROM modelreg_update(:'v1', notes => 'B''s now');
SELECT modelreg_upload_append(:'u1', '!', 13);
SET LOCAL ROLE regress_modelreg_c;
SELECT attempt(format('SELECT modelreg_update(%L, notes => ''x'')', :'v1'));
ROLLBACK;

-- An upload that the transaction is at: what is undone is undone in memory, too
BEGIN;
SET LOCAL ROLE regress_modelreg_c;
SELECT modelreg_upload_append(:'u1', '1', 13);
SAVEPOINT s;
SET LOCAL ROLE regress_modelreg_chief;
SELECT modelreg_reassign('regress_modelreg_c', 'regress_modelreg_b');
SET LOCAL ROLE regress_modelreg_b;
SELECT modelreg_upload_append(:'u1', '2', 14);
ROLLBACK TO s;
SET LOCAL ROLE regress_modelreg_c;
SELECT modelreg_upload_append(:'u1', '3', 14);
SET LOCAL ROLE regress_modelreg_chief;
SELECT modelreg_reassign('regress_modelreg_c', 'regress_modelreg_b');
SET LOCAL ROLE regress_modelreg_b;
SELECT modelreg_upload_append(:'u1', '4', 15);
COMMIT;
SET ROLE regress_modelreg_b;
SELECT modelreg_upload_append(:'u1', '5', 16);
SELECT version, owner, registered_by FROM modelreg_register_upload(:'u1', 'm', :f1);
SELECT convert_from(modelreg_load(model_id), 'UTF8') FROM modelreg_find_latest();
RESET ROLE;

-- In production, too, though nobody edits it there; the same role again is no change
SELECT owner FROM modelreg_update_stage(:'v2', 'production');
SET ROLE regress_modelreg_chief;
SELECT modelreg_reassign('regress_modelreg_b', 'regress_modelreg_c');
SELECT modelreg_reassign('regress_modelreg_c', 'regress_modelreg_c') AS nothing_to_do;
-- but the trail gets to know that a role was renamed
RESET ROLE;
ALTER ROLE regress_modelreg_c RENAME TO regress_modelreg_d;
SELECT modelreg_reassign('regress_modelreg_d', 'regress_modelreg_d', 'renamed');
SELECT model_name, event, old_values ->> 'owner' AS before, new_values ->> 'owner' AS after, reason FROM modelreg_history(model_id => :'v2') ORDER BY seq DESC LIMIT 1;
ALTER ROLE regress_modelreg_d RENAME TO regress_modelreg_c;

-- Dropped: nobody's, even when the name is somebody's again
DROP ROLE regress_modelreg_c;
SELECT DISTINCT owner, owner::regrole AS role, owner = 'regress_modelreg_d' AS by_name FROM modelreg.model_version;
CREATE ROLE regress_modelreg_d IN ROLE modelreg_writer;
SELECT DISTINCT owner, owner::regrole AS role, owner = 'regress_modelreg_d' AS by_name FROM modelreg.model_version;
SET ROLE regress_modelreg_d;
SELECT attempt(format('SELECT modelreg_update(%L, notes => ''x'')', :'v1'));
RESET ROLE;
SELECT ok, problem FROM modelreg_audit_verify();
-- until an admin says so
SELECT modelreg_reassign('regress_modelreg_d', 'regress_modelreg_d', 'back again');
SET ROLE regress_modelreg_d;
SELECT notes FROM modelreg_update(:'v1', notes => 'D''s');
RESET ROLE;
SELECT ok, problem FROM modelreg_audit_verify();

-- A superuser who gets by the guards is found: another role, the same name of
-- another role, a name
ALTER TABLE modelreg.model_version DISABLE TRIGGER ALL;
BEGIN;
UPDATE modelreg.model_version SET owner = 'regress_modelreg_a' WHERE model_id = :'v1';
SELECT ok, regexp_replace(problem, '_\d{8}_\d{6}(_\d+)?"', '_<time>"') AS problem FROM modelreg_audit_verify();
ROLLBACK;
BEGIN;
ALTER ROLE regress_modelreg_d RENAME TO regress_modelreg_e;
CREATE ROLE regress_modelreg_d;
SELECT ok, problem FROM modelreg_audit_verify();
UPDATE modelreg.model_version SET owner = 'regress_modelreg_d' WHERE model_id = :'v1';
SELECT ok, regexp_replace(problem, '_\d{8}_\d{6}(_\d+)?"', '_<time>"') AS problem FROM modelreg_audit_verify();
ROLLBACK;
BEGIN;
UPDATE modelreg.model_version SET owner = 'nobody' WHERE model_id = :'v1';
SELECT ok, regexp_replace(problem, '_\d{8}_\d{6}(_\d+)?"', '_<time>"') AS problem FROM modelreg_audit_verify();
ROLLBACK;
ALTER TABLE modelreg.model_version ENABLE TRIGGER ALL;

-- An admin whom row-level security hides something from does not reach it
SELECT FROM modelreg_register('three', 'hidden', :f1);
SELECT modelreg_reassign(current_user, 'regress_modelreg_a') AS all;
BEGIN;
ALTER TABLE modelreg.model_version ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON modelreg.model_version USING (model_name <> 'hidden');
SET LOCAL ROLE regress_modelreg_chief;
SELECT modelreg_reassign('regress_modelreg_a', 'regress_modelreg_b'); 
RESET ROLE;
SELECT owner FROM modelreg.model_version WHERE model_name = 'hidden';
ROLLBACK;
-- a policy by owner
BEGIN;
ALTER TABLE modelreg.model_version ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON modelreg.model_version USING (owner = CURRENT_USER);
SET LOCAL ROLE regress_modelreg_a;
SELECT model_name, owner FROM modelreg_list();
SET LOCAL ROLE regress_modelreg_d;
SELECT model_name, owner FROM modelreg_list();
ROLLBACK;

\set ECHO none
SET client_min_messages = error;
DROP ROLE regress_modelreg_a, regress_modelreg_b, regress_modelreg_d, regress_modelreg_chief;
RESET client_min_messages;
\i :test_dir/lib/attack_end.sql
