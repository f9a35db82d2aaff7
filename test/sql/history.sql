--
-- The trail as it is read: modelreg_history, modelreg_at, and the views
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set f1 'performance_metrics => ''{"f1": 0.5}'''
\set told 'model_name, seq, event, coalesce(new_values ->> ''version'', '''') AS version, coalesce(new_values ->> ''deployment_stage'', '''') AS stage, reason'
-- the time of the last event
\set last 'SELECT max(at) AS'

-- An empty registry
SELECT * FROM modelreg_history();
SELECT * FROM modelreg_at(now());
SELECT * FROM modelreg.stage_history;
SELECT * FROM modelreg.production_model;
SELECT * FROM modelreg.model_metric;
SELECT * FROM modelreg.storage_usage;
SELECT * FROM modelreg.registry_stats;

-- A life in instants t0 to t6
SET application_name = 'history test';
SELECT clock_timestamp() AS t0 \gset
SELECT model_id AS v1 FROM modelreg_register('one', 'fraud', performance_metrics => '{"f1": 0.5, "loss": 2}', deployment_stage => 'production') \gset
:last t1 FROM modelreg.audit_event \gset
SELECT model_id AS v2 FROM modelreg_register('two!', 'fraud', :f1, parent_ids => ARRAY[:'v1']) \gset
SELECT model_id AS c1 FROM modelreg_register('one', 'churn', :f1) \gset
SELECT count(*) FROM modelreg_update_stage(:'v2', 'production', 'better');
:last t2 FROM modelreg.audit_event \gset
SELECT count(*) FROM modelreg_rename_model('fraud', 'fraud detection', 'clearer');
:last t3 FROM modelreg.audit_event \gset
SELECT modelreg_delete(:'v1', reason => 'old');
SELECT count(*) FROM modelreg_update(:'v2', notes => 'alone');
:last t4 FROM modelreg.audit_event \gset
SELECT modelreg_delete_model('fraud detection', true, 'closed');
:last t5 FROM modelreg.audit_event \gset
SELECT model_id AS n1 FROM modelreg_register('three', 'fraud', deployment_stage => 'canary', :f1) \gset
SELECT modelreg_set_stage_rule('canary', 'archived', false, 'no short cuts');
:last t6 FROM modelreg.audit_event \gset

-- All of it, oldest first
SELECT :told FROM modelreg_history();
SELECT bool_and(at > lag) AS in_order FROM (SELECT at, lag(at) OVER (PARTITION BY model_key ORDER BY n) FROM modelreg_history() WITH ORDINALITY AS h (model_key, seq, at, event, model_name, model_id, session_user_name, actor, client, xid, old_values, new_values, reason, format, hash, n)) AS h;
-- of a model under any of its names, another model of the same name included
SELECT :told FROM modelreg_history('fraud');
SELECT :told FROM modelreg_history('fraud detection');
SELECT :told FROM modelreg_history('churn');
SELECT count(*) FROM modelreg_history('nobody');
-- of a version, deleted or not
SELECT :told FROM modelreg_history(model_id => :'v1');
SELECT :told FROM modelreg_history(model_id => :'n1');
SELECT count(*) FROM modelreg_history('churn', :'v1');
SELECT count(*) FROM modelreg_history('fraud detection', :'v1');
SELECT count(*) FROM modelreg_history(model_id => 'nobody');
-- since an instant, itself included
SELECT :told FROM modelreg_history(since => :'t5');
SELECT :told FROM modelreg_history('fraud', :'v2', :'t4');
SELECT count(*) FROM modelreg_history(since => 'infinity');
-- who and how
SELECT DISTINCT session_user_name = session_user AS session_user, actor = current_user AS actor, client ->> 'application_name' AS application, format, octet_length(hash) AS hash, xid < pg_snapshot_xmax(pg_current_snapshot()) AS xid
FROM modelreg_history();
SELECT array_agg(k ORDER BY k) AS client FROM (SELECT DISTINCT jsonb_object_keys(client) AS k FROM modelreg_history()) AS c;
-- an event of a registration holds the whole row
SELECT e.new_values = modelreg.version_snapshot(v) AS whole_row FROM modelreg.model_version AS v JOIN modelreg.audit_event AS e USING (model_id) WHERE e.event = 'register';

-- What there was at each instant, under the names of that time
SELECT 't' || n - 1 AS t, a.model_name, a.version, a.deployment_stage
FROM unnest(ARRAY[:'t0', :'t1', :'t2', :'t3', :'t4', :'t5', :'t6']::timestamptz[]) WITH ORDINALITY AS i (instant, n), LATERAL modelreg_at(instant) AS a
ORDER BY n, a.model_name COLLATE "C", a.version;
SELECT model_name, model_id = :'v2' AS id, version, deployment_stage FROM modelreg_at(:'t2', 'fraud') WHERE deployment_stage = 'production';
SELECT count(*) FROM modelreg_at(:'t3', 'fraud');
SELECT count(*) FROM modelreg_at(:'t3', 'fraud detection');
-- a microsecond before an event it had not happened
SELECT model_name, version, deployment_stage FROM modelreg_at(:'t2'::timestamptz - interval '1 us', 'fraud');
SELECT count(*) FROM modelreg_at(:'t1'::timestamptz - interval '1 us');
SELECT count(*) FROM modelreg_at('-infinity');
SELECT count(*) FROM modelreg_at(NULL);
-- now is what the tables say
SELECT count(*) FROM (
	SELECT model_name, model_id, version, deployment_stage FROM modelreg_at('infinity')
	EXCEPT SELECT model_name, model_id, version, deployment_stage FROM modelreg.model_version) AS differences;
SELECT count(*) FROM modelreg_at('infinity');

-- How long each version was in which stage
SELECT s.model_name, CASE s.model_id WHEN :'v1' THEN 'v1' WHEN :'v2' THEN 'v2' WHEN :'c1' THEN 'c1' WHEN :'n1' THEN 'n1' END AS version, s.stage,
	s.entered_at < s.left_at AS ended, s.actor = current_user AS by_me, s.reason
FROM modelreg.stage_history AS s ORDER BY s.entered_at;
SELECT count(*) AS gaps FROM (SELECT left_at <> lead(entered_at) OVER (PARTITION BY model_id ORDER BY entered_at) AS gap FROM modelreg.stage_history) AS s WHERE gap;

-- The present, for dashboards
SELECT count(*) FROM modelreg_update_stage(:'c1', 'production');
SELECT model_id AS c2 FROM modelreg_register('four', 'churn', performance_metrics => '{"f1": 0.25, "auc": 1}') \gset
SELECT model_name, model_type, version, version_number, deployment_stage, metric, value, model_id IN (:'c1', :'c2', :'n1') AS id, registered_at <= now() AS registered
FROM modelreg.model_metric ORDER BY model_name, version_number, metric;
SELECT model_name, model_id = :'c1' AS id, model_type, version, version_number, deployed_at BETWEEN registered_at AND now() AS deployed, registered_by = current_user AS by_me,
	checksum = encode(sha256('one'), 'hex') AS checksum, artifact_size, performance_metrics, tags, notes
FROM modelreg.production_model;
SELECT version FROM modelreg_register('three', 'churn', :f1);
SELECT * FROM modelreg.storage_usage ORDER BY model_name NULLS LAST;
SELECT models, versions, development, staging, canary, production, deprecated, archived, logical_bytes, artifacts, artifact_bytes, audit_events,
	last_registered_at = (SELECT max(registered_at) FROM modelreg.model_version) AS last
FROM modelreg.registry_stats;
CALL modelreg_cleanup();
SELECT artifacts, artifact_bytes FROM modelreg.registry_stats;

-- Metric names that need quoting, values that need all their digits
SELECT version FROM modelreg_register('m', 'metrics', performance_metrics => '{"a \"b\" ü": 0.1, "tiny": 5e-324, "huge": 1.7976931348623157e308, "long": 0.1234567890123456789}');
SELECT metric, value FROM modelreg.model_metric WHERE model_name = 'metrics' ORDER BY metric COLLATE "C";

-- The trail of a chain does not depend on how a session shows times
SET TimeZone = 'Asia/Kathmandu';
SET DateStyle = 'German';
SET extra_float_digits = -3;
SET bytea_output = 'escape';
SET IntervalStyle = 'sql_standard';
SELECT count(*) FROM modelreg_update(:'c2', notes => 'from Kathmandu');
SELECT count(*) FILTER (WHERE NOT ok) AS bad FROM modelreg_audit_verify();
RESET TimeZone;
RESET DateStyle;
RESET extra_float_digits;
RESET bytea_output;
RESET IntervalStyle;
SELECT model_name, events, ok, first_bad_seq, problem FROM modelreg_audit_verify();
