--
-- modelreg_update: notes, tags and metrics of a version, and nothing else
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set SHOW_CONTEXT never
SELECT model_id AS id FROM modelreg_register('bytes', 'm', performance_metrics => '{"f1": 0.5, "loss": 2}', tags => '{a,b}', notes => 'first') \gset
\set shown 'notes, tags, performance_metrics'
\set events 'SELECT seq, event, old_values, new_values, reason FROM modelreg.audit_event WHERE seq > 2 ORDER BY seq'
SELECT to_jsonb(v) - '{notes,tags,performance_metrics}'::text[] AS rest FROM modelreg_info(:'id') AS v \gset

-- Each alone, all together; NULL leaves alone
SELECT :shown FROM modelreg_update(:'id', notes => 'second');
SELECT :shown FROM modelreg_update(:'id', tags => '{c}');
SELECT :shown FROM modelreg_update(:'id', performance_metrics => '{"auc": 0.75}');
SELECT :shown FROM modelreg_update(:'id', 'third', '{c,a}', '{"f1": 1e-3}', 'all at once');
SELECT :shown FROM modelreg_update(:'id');
SELECT :shown FROM modelreg_update(:'id', NULL, NULL, NULL, NULL);
-- metrics are replaced, not merged; tags lose what is there twice, not their order
SELECT :shown FROM modelreg_update(:'id', tags => '{z,a,z,a,m}', performance_metrics => '{"loss": 1}');
-- empty is a value
SELECT :shown FROM modelreg_update(:'id', notes => '', tags => '{}');
-- nothing else has changed, and the row returned is the row of the table
SELECT to_jsonb(v) - '{notes,tags,performance_metrics}'::text[] = :'rest' AS rest_is_same FROM modelreg_info(:'id') AS v;
SELECT u IS NOT DISTINCT FROM i AS same FROM modelreg_update(:'id', notes => 'fourth') AS u, LATERAL modelreg_update(u.model_id) AS i;
SELECT modelreg_load(:'id') = 'bytes' AS bytes_are_same;

-- Properties are merged key by key; null removes a key, and NULL leaves alone
SELECT properties FROM modelreg_register('p', 'p', performance_metrics => '{"f1": 1}', properties => '{"a": 1, "b": {"c": null}}');
SELECT model_id AS p FROM modelreg_find_latest(model_name => 'p') \gset
SELECT properties FROM modelreg_update(:'p', properties => '{"d": "x", "a": [2]}');
SELECT properties FROM modelreg_update(:'p', properties => '{"a": null, "nobody": null}');
SELECT properties FROM modelreg_update(:'p', notes => 'n', properties => NULL);
SELECT properties FROM modelreg_update(:'p', properties => '{}');
SELECT v.properties, u.properties AS updated FROM modelreg_register('q', 'q', performance_metrics => '{"f1": 1}', properties => '{"a": null}') AS v, modelreg_update(v.model_id, properties => '{"b": 1}') AS u;
SELECT properties FROM modelreg_update(:'p', properties => '{"b": null, "d": null}');
SELECT event, old_values -> 'properties' AS old, new_values -> 'properties' AS new FROM modelreg_history('p') WHERE event = 'update' AND new_values ? 'properties';
UPDATE modelreg.model_version SET properties = '{"raw": 1}' WHERE model_id = :'p';
UPDATE modelreg.model_version SET properties = '[]' WHERE model_id = :'p'; -- error
UPDATE modelreg.model_version SET properties = NULL WHERE model_id = :'p'; -- error
SELECT modelreg_update(:'p', properties => '[]'); -- error
SELECT modelreg_update(:'p', properties => 'null'); -- error
SELECT modelreg_register('p', 'p', performance_metrics => '{"f1": 1}', properties => '"x"'); -- error
SELECT properties, notes FROM modelreg_info(:'p');
SELECT * FROM modelreg_audit_verify('p');

-- The trail has what changed, from what, to what; without a change nothing
:events;
SELECT audit_seq AS seq FROM modelreg.model \gset
SELECT notes FROM modelreg_update(:'id', notes => 'fourth', reason => 'the same again');
SELECT audit_seq - :seq AS events FROM modelreg.model;

-- In production too
SELECT deployment_stage FROM modelreg_update_stage(:'id', 'production');
SELECT deployment_stage, notes FROM modelreg_update(:'id', notes => 'live');

-- What cannot be, and leaves everything as it was
SELECT to_jsonb(v) AS before FROM modelreg_info(:'id') AS v \gset
SELECT modelreg_update('nobody', 'n'); -- error
SELECT modelreg_update(NULL, 'n'); -- error
SELECT modelreg_update(:'id', performance_metrics => '{}'); -- error
SELECT modelreg_update(:'id', 'n', performance_metrics => '[]'); -- error
SELECT modelreg_update(:'id', 'n', performance_metrics => 'null'); -- error
SELECT modelreg_update(:'id', 'n', performance_metrics => '{"f1": "1"}'); -- error
SELECT modelreg_update(:'id', 'n', performance_metrics => '{"f1": {"a": 1}}'); -- error
SELECT modelreg_update(:'id', 'n', performance_metrics => '{"f1": 1e309}'); -- error
SELECT modelreg_update(:'id', 'n', '{NULL}'); -- error
SELECT modelreg_update(:'id', 'n', '{""}'); -- error
SELECT modelreg_update(:'id', 'n', '{{a},{b}}'); -- error
SELECT modelreg_update(:'id', 'n', ARRAY[repeat('t', 257)]); -- error
SELECT modelreg_update(:'id', repeat('n', 1024 * 1024 + 1)); -- error
SELECT modelreg_update(:'id', 'n', reason => repeat('r', 1024 * 1024 + 1)); -- error
\set VERBOSITY sqlstate
SELECT modelreg_update('nobody', 'n'); -- error
SELECT modelreg_update(NULL, 'n'); -- error
SELECT modelreg_update(:'id', performance_metrics => '{}'); -- error
SELECT modelreg_update(:'id', performance_metrics => '{"f1": 1e309}'); -- error
SELECT modelreg_update(:'id', tags => '{{a},{b}}'); -- error
SELECT modelreg_update(:'id', repeat('n', 1024 * 1024 + 1)); -- error
\set VERBOSITY default
SELECT to_jsonb(v) = :'before' AS unchanged FROM modelreg_info(:'id') AS v;

-- Without metrics where the model does not require them
SELECT require_metadata FROM modelreg_update_model('m', require_metadata => false);
SELECT performance_metrics FROM modelreg_update(:'id', performance_metrics => '{}');

-- The reason of a call holds for that call, that of the session for plain SQL
SET modelreg.reason = 'of the session';
SELECT notes FROM modelreg_update(:'id', notes => 'a', reason => 'of the call');
SELECT notes FROM modelreg_update(:'id', notes => 'b');
UPDATE modelreg.model_version SET notes = 'c';
SHOW modelreg.reason;
RESET modelreg.reason;
UPDATE modelreg.model_version SET notes = 'd', tags = '{by,sql}';
UPDATE modelreg.model_version SET notes = 'd';
SELECT seq - :seq AS seq, event, old_values, new_values, reason FROM modelreg.audit_event WHERE seq > :seq + 4 ORDER BY modelreg.audit_event.seq;

-- Plain SQL can change no more than the function, not even as superuser
\set VERBOSITY sqlstate
UPDATE modelreg.model_version SET version = '9.9.9'; -- error
UPDATE modelreg.model_version SET checksum = encode(sha256('other'), 'hex'); -- error
UPDATE modelreg.model_version SET performance_metrics = '{"f1": [1]}'; -- error
UPDATE modelreg.model_version SET tags = '{{a},{b}}'; -- error
UPDATE modelreg.model_version SET deployed_at = now(); -- error
UPDATE modelreg.model_version SET model_name = 'n'; -- error
SELECT notes, tags, version, performance_metrics FROM modelreg_list();
SELECT ok, problem FROM modelreg_audit_verify();
