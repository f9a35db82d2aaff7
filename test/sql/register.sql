--
-- modelreg_register: what a registration makes of its arguments
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set f1 'performance_metrics => ''{"f1": 0.5}'''

-- The least that a registration needs
\pset expanded on
SELECT model_id ~ '^isolation_forest_\d{8}_\d{6}$' AS id_is_plain, model_name, model_type, version, version_number,
	created_at = registered_at AS created_when_registered,
	registered_at BETWEEN now() AND clock_timestamp() AS registered_now,
	registered_by = current_user AS registered_by_me, checksum, artifact_size, model_config, training_metadata,
	dataset_version, parent_ids, deployment_stage, deployed_at, performance_metrics, tags, notes, properties,
	exclusive_production
FROM modelreg_register('\x00ff', 'isolation_forest', :f1);

-- and all that it can take; expected_checksum in upper case
SELECT model_id AS parent FROM modelreg_list() \gset
SELECT model_id ~ '^fraud detection_\d{8}_\d{6}$' AS id_is_plain, model_name, model_type, version, version_number,
	created_at, checksum = encode(sha256('artifact'), 'hex') AS checksum_is_sha256, artifact_size, model_config,
	training_metadata, dataset_version, parent_ids = ARRAY[:'parent'] AS has_parent, deployment_stage, deployed_at,
	performance_metrics, tags, notes
FROM modelreg_register(
	artifact => 'artifact',
	model_type => 'random_forest',
	version => '1.0.0-rc.1+build.5',
	model_name => 'fraud detection',
	performance_metrics => '{"f1": 0.5, "loss": -1.5e-3, "support": 12345678901234567890}',
	deployment_stage => 'staging',
	tags => '{b,a,b,"with, comma"}',
	notes => E'two\nlines',
	model_config => '{"trees": 100, "nested": {"list": [1, null]}}',
	training_metadata => '{"epochs": [1, 2]}',
	dataset_version => 'v2024-01',
	parent_ids => ARRAY[:'parent'],
	created_at => '2024-02-29 23:59:59.123456+00',
	expected_checksum => upper(encode(sha256('artifact'), 'hex')));
\pset expanded off

-- The id is the time of registration in UTC, whatever the session's TimeZone
SET TimeZone = 'Asia/Kathmandu';
SELECT bool_and(model_id = model_name || to_char(registered_at AT TIME ZONE 'UTC', '_YYYYMMDD_HH24MISS')) AS id_is_utc
FROM modelreg_list();
RESET TimeZone;

-- In the same second ids get a suffix, and order is kept
SELECT count(*) FROM generate_series(1, 50) AS g, LATERAL modelreg_register(int4send(g), 'burst', :f1);
WITH counted AS (
	SELECT model_id, version_number, registered_at,
		to_char(registered_at AT TIME ZONE 'UTC', '"burst"_YYYYMMDD_HH24MISS') AS plain,
		row_number() OVER (PARTITION BY date_trunc('second', registered_at) ORDER BY version_number) AS n,
		registered_at > lag(registered_at) OVER (ORDER BY version_number) AS later
	FROM modelreg.model_version
	WHERE model_name = 'burst')
SELECT count(*) AS versions, max(version_number) AS highest_number,
	count(*) FILTER (WHERE model_id <> plain || CASE n WHEN 1 THEN '' ELSE '_' || n END) AS wrong_ids,
	count(*) FILTER (WHERE NOT later) AS out_of_order, max(n) > 1 AS had_suffixes
FROM counted;

-- Equal bytes are stored once, whichever model they belong to
SELECT count(DISTINCT checksum) AS checksums
FROM generate_series(1, 3) AS g, LATERAL modelreg_register('same bytes', 'share' || g, :f1);
SELECT count(*) AS artifacts FROM modelreg.artifact WHERE sha256 = sha256('same bytes');
SELECT artifact_size, storage, modelreg.key_time(content) BETWEEN now() - interval '1 min' AND clock_timestamp() AS stored_now
FROM modelreg.artifact WHERE sha256 = sha256('same bytes');
SELECT count(*) AS chunks, sum(c.raw_size) AS bytes
FROM modelreg.artifact AS a JOIN modelreg.artifact_chunk USING (content) JOIN modelreg.chunk AS c USING (chunk)
WHERE a.sha256 = sha256('same bytes');

-- Versions: 0.1.0 first, then the next minor one after the highest
SELECT version FROM modelreg_register('v', 'versions', :f1);
SELECT version FROM modelreg_register('v', 'versions', :f1);
SELECT version FROM modelreg_register('v', 'versions', '0.9.0', :f1);
SELECT version FROM modelreg_register('v', 'versions', :f1);
-- a lower one does not count, nor does build metadata
SELECT version FROM modelreg_register('v', 'versions', '0.3.7', :f1);
SELECT version FROM modelreg_register('v', 'versions', '0.10.0+build', :f1);
SELECT version FROM modelreg_register('v', 'versions', :f1);
-- a pre-release leads to the minor version after its own
SELECT version FROM modelreg_register('v', 'versions', '1.0.0-alpha', :f1);
SELECT version FROM modelreg_register('v', 'versions', :f1);
SELECT version FROM modelreg_register('v', 'versions', '1.2.3-rc.1', :f1);
SELECT version FROM modelreg_register('v', 'versions', :f1);
SELECT version FROM modelreg_register('v', 'versions', '1.99999999999999999999.0', :f1);
SELECT version FROM modelreg_register('v', 'versions', :f1);
-- no version follows the longest one
SELECT version_number FROM modelreg_register('v', 'longest', '0.' || repeat('9', 251) || '.0', :f1);
SELECT version FROM modelreg_register('v', 'longest', :f1); -- error
SELECT version FROM modelreg_register('v', 'longest', '0.1.0', :f1);

-- A version is there once in a model, though other models may have it
SELECT version FROM modelreg_register('w', 'versions', '0.9.0', :f1); -- error
SELECT version FROM modelreg_register('w', 'other', '0.9.0', model_name => 'versions', :f1); -- error
SELECT version FROM modelreg_register('w', 'versions', '0.9.0', model_name => 'others', :f1);
SELECT version FROM modelreg_register('w', 'versions', '0.9.0+build', :f1);

-- Nothing is left of what failed or was rolled back, and no number is lost
BEGIN;
SELECT version, version_number FROM modelreg_register('gone', 'gapless', :f1);
ROLLBACK;
SELECT version, version_number FROM modelreg_register('1', 'gapless', :f1);
SELECT version FROM modelreg_register('gone', 'gapless', '0.1.0', :f1); -- error
BEGIN;
SELECT version, version_number FROM modelreg_register('2', 'gapless', :f1);
SAVEPOINT s;
SELECT version, version_number FROM modelreg_register('gone', 'gapless', '9.0.0', :f1);
ROLLBACK TO s;
SELECT version, version_number FROM modelreg_register('3', 'gapless', :f1);
COMMIT;
SELECT count(*) AS gone FROM modelreg.artifact WHERE sha256 = sha256('gone');
-- the number and version of a deleted one are not given again
SELECT modelreg_delete(model_id) FROM modelreg_find_latest(model_name => 'gapless');
SELECT version, version_number FROM modelreg_register('4', 'gapless', :f1);
SELECT version, version_number FROM modelreg_register('5', 'gapless', :f1);
SELECT version, version_number FROM modelreg_list(model_name => 'gapless');

-- The client's checksum
SELECT version FROM modelreg_register('bytes', 'checked', expected_checksum => encode(sha256('bytes'), 'hex'), :f1);
SELECT version FROM modelreg_register('bytez', 'checked', expected_checksum => encode(sha256('bytes'), 'hex'), :f1); -- error
SELECT version_number FROM modelreg_list(model_name => 'checked');

-- Parents may be of any model, several, and repeated in their order
SELECT version, parent_ids = ARRAY[v.b, v.a] AS parents
FROM (SELECT min(model_id) AS a, max(model_id) AS b FROM modelreg_list(model_name => 'gapless')) AS v,
	LATERAL modelreg_register('child', 'child', parent_ids => ARRAY[v.b, v.a], :f1);

-- Registered straight into each stage; deployed_at is for moves
SELECT s, r.deployment_stage, r.deployed_at, r.version
FROM unnest(enum_range(NULL::modelreg.deployment_stage)) AS s,
	LATERAL modelreg_register('stages', 'stages', deployment_stage => s::text, :f1) AS r;

-- What the model's row says
SELECT model_name, model_type, exclusive_production, max_versions, auto_cleanup, require_metadata, created_by = current_user AS mine,
	last_version_number, highest_version, audit_seq
FROM modelreg.model WHERE model_name IN ('isolation_forest', 'fraud detection', 'versions', 'gapless') ORDER BY 1;

-- By what the extension itself can tell, all is well
SELECT count(*) FILTER (WHERE NOT ok) AS bad FROM modelreg_verify();
SELECT count(*) AS chains, count(*) FILTER (WHERE NOT ok) AS bad FROM modelreg_audit_verify();

-- The codes of the errors above
\set VERBOSITY sqlstate
SELECT modelreg_register('v', 'longest', :f1); -- error
SELECT modelreg_register('w', 'versions', '0.9.0', :f1); -- error
SELECT modelreg_register('bytez', 'checked', expected_checksum => encode(sha256('bytes'), 'hex'), :f1); -- error
