--
-- Settings: who may set them, what they do, and what a model overrides
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set f1 'performance_metrics => ''{"f1": 0.5}'''
\set versions 'SELECT model_name, string_agg(version || CASE WHEN deployment_stage <> ''development'' THEN '' '' || deployment_stage ELSE '''' END, '', '' ORDER BY version_number) AS versions FROM modelreg.model_version GROUP BY model_name ORDER BY model_name'

SELECT name, setting, context, vartype, min_val, max_val, enumvals, boot_val
FROM pg_settings WHERE name LIKE 'modelreg.%' ORDER BY name COLLATE "C";
SELECT name FROM pg_settings WHERE name LIKE 'modelreg.%' AND short_desc !~ '^[A-Z].*\.$';

-- A user decides about the session's own affairs, an admin of ours about no more
CREATE ROLE regress_modelreg_user;
GRANT modelreg_admin TO regress_modelreg_user;
SET ROLE regress_modelreg_user;
SET modelreg.verify_checksums = off;
SET modelreg.reason = 'because';
SET modelreg.max_versions = 1; -- error
SET modelreg.auto_cleanup = on; -- error
SET modelreg.require_metadata = off; -- error
SET modelreg.notify = none; -- error
SELECT set_config('modelreg.notify', 'none', false); -- error
ALTER ROLE regress_modelreg_user SET modelreg.notify = none; -- error
\set VERBOSITY sqlstate
SET modelreg.max_versions = 1; -- error
\set VERBOSITY default
SHOW modelreg.max_versions;
SHOW modelreg.verify_checksums;
RESET ROLE;
RESET modelreg.verify_checksums;
RESET modelreg.reason;
DROP ROLE regress_modelreg_user;

-- Values that are none, and names that are none
SET modelreg.max_versions = 0; -- error
SET modelreg.max_versions = -2; -- error
SET modelreg.max_versions = 'many'; -- error
SET modelreg.notify = 'some'; -- error
SET modelreg.auto_cleanup = 'perhaps'; -- error
SET modelreg.max_version = 3; -- error

-- require_metadata, and the model's own
SELECT modelreg_register('x', 'm'); -- error
SET modelreg.require_metadata = off;
SELECT version, performance_metrics FROM modelreg_register('x', 'm');
SELECT version FROM modelreg_register('x', 'm', performance_metrics => NULL);
SELECT require_metadata FROM modelreg_update_model('m', require_metadata => true);
SELECT modelreg_register('x', 'm'); -- error
RESET modelreg.require_metadata;
SELECT require_metadata FROM modelreg_update_model('m', require_metadata => false);
SELECT version FROM modelreg_register('x', 'm');
SELECT require_metadata IS NULL AS follows FROM modelreg_update_model('m', reset => '{require_metadata}');
SELECT modelreg_register('x', 'm'); -- error
SELECT modelreg_delete_model('m');

-- max_versions, and the model's own: what cleanup would remove
SELECT count(*) FROM generate_series(1, 12) AS g, LATERAL modelreg_register(int4send(g), 'twelve', deployment_stage => CASE g WHEN 1 THEN 'production' WHEN 3 THEN 'canary' ELSE 'development' END, :f1);
SELECT count(*) FROM generate_series(1, 3) AS g, LATERAL modelreg_register(int4send(g), 'three', :f1);
SELECT model_name, version, deployment_stage, reason FROM modelreg_cleanup_preview();
SELECT model_name, version, deployment_stage, reason FROM modelreg_cleanup_preview(false);
SET modelreg.max_versions = 2;
SELECT model_name, count(*), string_agg(DISTINCT reason, '; ') AS reasons FROM modelreg_cleanup_preview() GROUP BY model_name ORDER BY model_name;
SELECT modelreg.setting_max_versions();
SELECT max_versions FROM modelreg_update_model('twelve', max_versions => 9);
SELECT model_name, version, reason FROM modelreg_cleanup_preview();
SELECT max_versions FROM modelreg_update_model('three', max_versions => -1);
SELECT model_name, version, reason FROM modelreg_cleanup_preview();
SET modelreg.max_versions = -1;
SELECT model_name, version, reason FROM modelreg_cleanup_preview(model_name => 'twelve');
SELECT max_versions IS NULL AS follows FROM modelreg_update_model('twelve', reset => '{max_versions}');
SELECT count(*) FROM modelreg_cleanup_preview();
RESET modelreg.max_versions;
CALL modelreg_cleanup();
:versions;

-- auto_cleanup, and the model's own: a registration removes the oldest ones
SET modelreg.max_versions = 3;
SET modelreg.auto_cleanup = on;
SELECT version FROM modelreg_register('new', 'twelve', :f1);
SELECT version FROM modelreg_register('new', 'three', :f1);
:versions;
SELECT auto_cleanup FROM modelreg_update_model('three', max_versions => 3);
SELECT version FROM modelreg_register('newer', 'three', :f1);
SELECT auto_cleanup FROM modelreg_update_model('three', auto_cleanup => false);
SELECT version FROM modelreg_register('newest', 'three', :f1);
RESET modelreg.auto_cleanup;
SELECT auto_cleanup FROM modelreg_update_model('twelve', auto_cleanup => true);
SELECT version FROM modelreg_register('newer', 'twelve', :f1);
:versions;
-- no more than ten at a time
SELECT count(*) FROM generate_series(1, 15) AS g, LATERAL modelreg_register(int4send(g), 'fifteen', :f1);
SELECT auto_cleanup FROM modelreg_update_model('fifteen', auto_cleanup => true, max_versions => 1);
SELECT version FROM modelreg_register('new', 'fifteen', :f1);
SELECT string_agg(version, ', ' ORDER BY version_number) AS versions FROM modelreg_list(model_name => 'fifteen');
SELECT version FROM modelreg_register('newer', 'fifteen', :f1);
SELECT string_agg(version, ', ' ORDER BY version_number) AS versions FROM modelreg_list(model_name => 'fifteen');
RESET modelreg.max_versions;
SELECT model_name, new_values, reason, count(*) FROM modelreg.audit_event WHERE event = 'delete' AND model_name <> 'm' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT count(*) AS bad FROM modelreg_audit_verify() WHERE NOT ok;

-- notify: what may change which version serves, everything, or nothing
LISTEN modelreg;
\o |sed -E -e 's/_[0-9]{8}_[0-9]{6}(_[0-9]+)?/_<time>/g' -e 's/PID [0-9]+/PID <pid>/' -e '/^ *$|^\(1 row\)$|^-+$/d'
SHOW modelreg.notify;
SELECT model_id AS id FROM modelreg_register('1', 'told', :f1) \gset
SELECT notes FROM modelreg_update(:'id', notes => 'not told');
SELECT deployment_stage FROM modelreg_update_stage(:'id', 'staging', 'told');
SELECT deployment_stage FROM modelreg_update_stage(:'id', 'staging', 'not told');
SELECT deployment_stage FROM modelreg_update_stage(:'id', 'production', 'told');
SELECT model_id AS id2 FROM modelreg_register('2', 'told', deployment_stage => 'production', :f1) \gset
SELECT 'registered into production, demoted the incumbent' AS told_of_both;
SELECT notes FROM modelreg_update(:'id2', notes => 'not told');
SELECT modelreg_delete(:'id') AS told;
SELECT modelreg_delete(:'id2', true) AS told_of_both;
SELECT modelreg_set_stage_rule('canary', 'archived', NULL) AS not_told;
\o
SET modelreg.notify = 'all';
\o |sed -E -e 's/_[0-9]{8}_[0-9]{6}(_[0-9]+)?/_<time>/g' -e 's/PID [0-9]+/PID <pid>/' -e '/^ *$|^\(1 row\)$|^-+$/d'
SELECT model_id AS id FROM modelreg_register('1', 'told', :f1) \gset
SELECT 'registered' AS told;
SELECT notes FROM modelreg_update(:'id', notes => 'told');
SELECT notes FROM modelreg_update(:'id', notes => 'told');
SELECT modelreg_set_metric_direction('f1', true) AS told;
SELECT modelreg_set_metric_direction('f1', NULL) AS told;
SELECT modelreg_delete(:'id') AS told;
SELECT modelreg_delete_model('told') AS told;
-- what is rolled back is not sent; names are escaped
BEGIN;
SELECT version AS not_told FROM modelreg_register('1', 'told', :f1);
ROLLBACK;
SELECT version AS told FROM modelreg_register('1', 'a "b" \ ü {}', :f1);
\o
SET modelreg.notify = 'none';
\o |sed -E -e 's/PID [0-9]+/PID <pid>/'
SELECT version AS not_told FROM modelreg_register('1', 'told', deployment_stage => 'production', :f1);
\o
UNLISTEN modelreg;
RESET modelreg.notify;
