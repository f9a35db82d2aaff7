/* ------------------------------------------------------------------
 * Views for dashboards; they show what the caller may see in the tables.
 * ------------------------------------------------------------------ */
CREATE VIEW modelreg.model_metric WITH (security_invoker = true) AS
	SELECT v.model_id, v.model_name, v.model_type, v.version, v.version_number,
		v.deployment_stage, v.registered_at,
		p.key AS metric, p.value::double precision AS value
	FROM modelreg.model_version AS v,
		pg_catalog.jsonb_each_text(v.performance_metrics) AS p (key, value);
COMMENT ON VIEW modelreg.model_metric IS 'The metrics of all versions, one row a metric.';
COMMENT ON COLUMN modelreg.model_metric.model_id IS 'The version.';
COMMENT ON COLUMN modelreg.model_metric.model_name IS 'Name of its model.';
COMMENT ON COLUMN modelreg.model_metric.model_type IS 'Its type.';
COMMENT ON COLUMN modelreg.model_metric.version IS 'Its SemVer version.';
COMMENT ON COLUMN modelreg.model_metric.version_number IS 'Its number within the model.';
COMMENT ON COLUMN modelreg.model_metric.deployment_stage IS 'Its present stage.';
COMMENT ON COLUMN modelreg.model_metric.registered_at IS 'When it was registered.';
COMMENT ON COLUMN modelreg.model_metric.metric IS 'Name of the metric.';
COMMENT ON COLUMN modelreg.model_metric.value IS 'Value of the metric.';

CREATE VIEW modelreg.production_model WITH (security_invoker = true) AS
	SELECT v.model_name, v.model_id, v.model_type, v.version, v.version_number,
		v.deployed_at, v.registered_at, v.registered_by, v.checksum, v.artifact_size,
		v.performance_metrics, v.tags, v.notes
	FROM modelreg.model_version AS v
	WHERE v.deployment_stage OPERATOR(pg_catalog.=) 'production'::modelreg.deployment_stage;
COMMENT ON VIEW modelreg.production_model IS 'The versions in production.';
COMMENT ON COLUMN modelreg.production_model.model_name IS 'Name of the model.';
COMMENT ON COLUMN modelreg.production_model.model_id IS 'The version in production.';
COMMENT ON COLUMN modelreg.production_model.model_type IS 'Its type.';
COMMENT ON COLUMN modelreg.production_model.version IS 'Its SemVer version.';
COMMENT ON COLUMN modelreg.production_model.version_number IS 'Its number within the model.';
COMMENT ON COLUMN modelreg.production_model.deployed_at IS 'When it moved into production; NULL if it was registered there.';
COMMENT ON COLUMN modelreg.production_model.registered_at IS 'When it was registered.';
COMMENT ON COLUMN modelreg.production_model.registered_by IS 'Role that registered it.';
COMMENT ON COLUMN modelreg.production_model.checksum IS 'SHA-256 of its bytes.';
COMMENT ON COLUMN modelreg.production_model.artifact_size IS 'Size of its bytes.';
COMMENT ON COLUMN modelreg.production_model.performance_metrics IS 'Its metrics.';
COMMENT ON COLUMN modelreg.production_model.tags IS 'Its labels.';
COMMENT ON COLUMN modelreg.production_model.notes IS 'Its notes.';

-- Sharing is counted within each model, and in the last row over all of them:
-- the models' stored bytes add up to more than the whole if they share chunks.
CREATE VIEW modelreg.storage_usage WITH (security_invoker = true) AS
	WITH referenced AS (
		SELECT v.model_name, v.checksum, v.artifact_size, 1 AS versions
		FROM modelreg.model_version AS v
		UNION ALL
		SELECT v.model_name, pg_catalog.encode(f.sha256, 'hex'::pg_catalog.text), f.artifact_size, 0
		FROM modelreg.version_file AS f
		JOIN modelreg.model_version AS v ON v.model_id OPERATOR(pg_catalog.=) f.model_id
	), used AS (
		SELECT r.model_name, r.checksum, pg_catalog.sum(r.versions) AS versions,
			pg_catalog.sum(r.artifact_size) AS logical_bytes,
			pg_catalog.max(r.artifact_size) AS artifact_bytes
		FROM referenced AS r
		GROUP BY GROUPING SETS ((r.model_name, r.checksum), (r.checksum))
	), stored AS (
		SELECT d.model_name, pg_catalog.sum(c.raw_size) AS raw_bytes,
			pg_catalog.sum(c.stored_size) AS stored_bytes
		FROM (
			SELECT DISTINCT u.model_name, l.chunk
			FROM used AS u
			JOIN modelreg.artifact AS a
				ON a.sha256 OPERATOR(pg_catalog.=) pg_catalog.decode(u.checksum, 'hex'::pg_catalog.text)
			JOIN modelreg.artifact_chunk AS l ON l.content OPERATOR(pg_catalog.=) a.content
		) AS d
		JOIN modelreg.chunk AS c ON c.chunk OPERATOR(pg_catalog.=) d.chunk
		GROUP BY d.model_name
	), summed AS (
		SELECT u.model_name, pg_catalog.sum(u.versions) AS versions,
			pg_catalog.count(*) AS artifacts,
			pg_catalog.sum(u.logical_bytes) AS logical_bytes,
			pg_catalog.sum(u.artifact_bytes) AS artifact_bytes
		FROM used AS u
		GROUP BY u.model_name
	)
	SELECT t.model_name, t.versions::bigint AS versions, t.artifacts,
		t.logical_bytes::bigint AS logical_bytes,
		t.artifact_bytes::bigint AS artifact_bytes,
		COALESCE(s.stored_bytes, 0)::bigint AS stored_bytes,
		(t.logical_bytes OPERATOR(pg_catalog.-) COALESCE(s.raw_bytes, 0))::bigint AS saved_by_sharing,
		COALESCE(s.raw_bytes OPERATOR(pg_catalog.-) s.stored_bytes, 0)::bigint AS saved_by_compression
	FROM summed AS t
	-- no name is empty, and IS NOT DISTINCT FROM could not be hashed
	LEFT JOIN stored AS s
		ON COALESCE(s.model_name, ''::pg_catalog.text) OPERATOR(pg_catalog.=) COALESCE(t.model_name, ''::pg_catalog.text);
COMMENT ON VIEW modelreg.storage_usage IS 'Bytes for each model, and in all (model_name NULL): as registered, as stored, and what sharing and compression save. Reads the whole directory of chunks.';
COMMENT ON COLUMN modelreg.storage_usage.model_name IS 'The model; NULL: all together.';
COMMENT ON COLUMN modelreg.storage_usage.versions IS 'How many versions there are.';
COMMENT ON COLUMN modelreg.storage_usage.artifacts IS 'How many different artifacts they use.';
COMMENT ON COLUMN modelreg.storage_usage.logical_bytes IS 'Sum of the versions'' sizes, those of their files included.';
COMMENT ON COLUMN modelreg.storage_usage.artifact_bytes IS 'Sum of the sizes of the different artifacts.';
COMMENT ON COLUMN modelreg.storage_usage.stored_bytes IS 'Bytes of the different chunks of these, as stored.';
COMMENT ON COLUMN modelreg.storage_usage.saved_by_sharing IS 'What is saved by storing equal artifacts, and equal chunks of different ones, once.';
COMMENT ON COLUMN modelreg.storage_usage.saved_by_compression IS 'What is saved by compressing chunks; logical_bytes is stored_bytes and both savings.';

CREATE VIEW modelreg.artifact_health WITH (security_invoker = true) AS
	SELECT pg_catalog.encode(a.sha256, 'hex'::pg_catalog.text) AS checksum, a.artifact_size, modelreg.key_time(a.content) AS stored_at,
		c.verified_at, c.verified_at IS NOT NULL AND c.problem IS NULL AS ok, c.problem,
		ARRAY(SELECT v.model_id FROM modelreg.model_version AS v
			WHERE v.checksum OPERATOR(pg_catalog.=) pg_catalog.encode(a.sha256, 'hex'::pg_catalog.text)
			UNION
			SELECT v.model_id FROM modelreg.version_file AS f
			JOIN modelreg.model_version AS v ON v.model_id OPERATOR(pg_catalog.=) f.model_id
			WHERE f.sha256 OPERATOR(pg_catalog.=) a.sha256
			ORDER BY 1) AS model_ids
	FROM modelreg.artifact AS a
	LEFT JOIN modelreg.artifact_check AS c ON c.sha256 OPERATOR(pg_catalog.=) a.sha256;
COMMENT ON VIEW modelreg.artifact_health IS 'The stored artifacts, and what modelreg_scrub found when it last verified each.';
COMMENT ON COLUMN modelreg.artifact_health.checksum IS 'SHA-256 of the artifact, hexadecimal.';
COMMENT ON COLUMN modelreg.artifact_health.artifact_size IS 'Its size in bytes.';
COMMENT ON COLUMN modelreg.artifact_health.stored_at IS 'When its bytes began to be stored; where their list had to be replaced, when that was.';
COMMENT ON COLUMN modelreg.artifact_health.verified_at IS 'When it was last verified; NULL: not yet.';
COMMENT ON COLUMN modelreg.artifact_health.ok IS 'Whether it was verified and is whole.';
COMMENT ON COLUMN modelreg.artifact_health.problem IS 'What was wrong; NULL: nothing, or not yet verified.';
COMMENT ON COLUMN modelreg.artifact_health.model_ids IS 'The versions that it belongs to.';

CREATE VIEW modelreg.stage_history WITH (security_invoker = true) AS
	SELECT s.model_name, s.model_id, s.stage, s.entered_at, s.left_at,
		s.actor, s.reason
	FROM (
		SELECT t.*,
			pg_catalog.lead(t.entered_at) OVER (PARTITION BY t.model_key, t.model_id ORDER BY t.seq) AS left_at
		FROM (
			SELECT e.model_key, e.seq, e.model_name, e.model_id, e.event,
				(e.new_values OPERATOR(pg_catalog.->>) 'deployment_stage'::pg_catalog.text)::modelreg.deployment_stage AS stage,
				-- not later than it left, if the clock was set back
				pg_catalog.min(e.at) OVER (PARTITION BY e.model_key, e.model_id ORDER BY e.seq DESC) AS entered_at,
				e.actor, e.reason
			FROM modelreg.audit_event AS e
			WHERE e.event OPERATOR(pg_catalog.=) ANY (ARRAY['register', 'stage', 'delete']::pg_catalog.text[])
		) AS t
	) AS s
	WHERE s.event OPERATOR(pg_catalog.<>) 'delete'::pg_catalog.text;
COMMENT ON VIEW modelreg.stage_history IS 'How long each version was in which stage, from the audit trail; deleted versions included.';
COMMENT ON COLUMN modelreg.stage_history.model_name IS 'Name of the model at that time.';
COMMENT ON COLUMN modelreg.stage_history.model_id IS 'The version.';
COMMENT ON COLUMN modelreg.stage_history.stage IS 'The stage that it entered.';
COMMENT ON COLUMN modelreg.stage_history.entered_at IS 'When it entered the stage.';
COMMENT ON COLUMN modelreg.stage_history.left_at IS 'When it left the stage or was deleted; NULL: still there.';
COMMENT ON COLUMN modelreg.stage_history.actor IS 'Role that moved it there.';
COMMENT ON COLUMN modelreg.stage_history.reason IS 'Why, as the mover said.';

CREATE VIEW modelreg.registry_stats WITH (security_invoker = true) AS
	SELECT
		(SELECT pg_catalog.count(*) FROM modelreg.model) AS models,
		pg_catalog.count(*) AS versions,
		pg_catalog.count(*) FILTER (WHERE v.deployment_stage OPERATOR(pg_catalog.=) 'development'::modelreg.deployment_stage) AS development,
		pg_catalog.count(*) FILTER (WHERE v.deployment_stage OPERATOR(pg_catalog.=) 'staging'::modelreg.deployment_stage) AS staging,
		pg_catalog.count(*) FILTER (WHERE v.deployment_stage OPERATOR(pg_catalog.=) 'canary'::modelreg.deployment_stage) AS canary,
		pg_catalog.count(*) FILTER (WHERE v.deployment_stage OPERATOR(pg_catalog.=) 'production'::modelreg.deployment_stage) AS production,
		pg_catalog.count(*) FILTER (WHERE v.deployment_stage OPERATOR(pg_catalog.=) 'deprecated'::modelreg.deployment_stage) AS deprecated,
		pg_catalog.count(*) FILTER (WHERE v.deployment_stage OPERATOR(pg_catalog.=) 'archived'::modelreg.deployment_stage) AS archived,
		COALESCE(pg_catalog.sum(v.artifact_size OPERATOR(pg_catalog.+) v.files_size), 0)::bigint AS logical_bytes,
		(SELECT pg_catalog.count(*) FROM modelreg.artifact) AS artifacts,
		(SELECT COALESCE(pg_catalog.sum(a.artifact_size), 0)::bigint FROM modelreg.artifact AS a) AS artifact_bytes,
		(SELECT pg_catalog.count(*) FROM modelreg.audit_event) AS audit_events,
		pg_catalog.max(v.registered_at) AS last_registered_at
	FROM modelreg.model_version AS v;
COMMENT ON VIEW modelreg.registry_stats IS 'The registry in one row: counts by stage, bytes, events.';
COMMENT ON COLUMN modelreg.registry_stats.models IS 'How many models there are.';
COMMENT ON COLUMN modelreg.registry_stats.versions IS 'How many versions there are.';
COMMENT ON COLUMN modelreg.registry_stats.development IS 'How many of them are in development.';
COMMENT ON COLUMN modelreg.registry_stats.staging IS 'How many of them are in staging.';
COMMENT ON COLUMN modelreg.registry_stats.canary IS 'How many of them are in canary.';
COMMENT ON COLUMN modelreg.registry_stats.production IS 'How many of them are in production.';
COMMENT ON COLUMN modelreg.registry_stats.deprecated IS 'How many of them are deprecated.';
COMMENT ON COLUMN modelreg.registry_stats.archived IS 'How many of them are archived.';
COMMENT ON COLUMN modelreg.registry_stats.logical_bytes IS 'Sum of the versions'' sizes, those of their files included.';
COMMENT ON COLUMN modelreg.registry_stats.artifacts IS 'How many artifacts are stored, those that wait for cleanup included.';
COMMENT ON COLUMN modelreg.registry_stats.artifact_bytes IS 'Sum of the artifacts'' sizes as registered, each once; storage_usage tells what they take.';
COMMENT ON COLUMN modelreg.registry_stats.audit_events IS 'How many events the audit trail has.';
COMMENT ON COLUMN modelreg.registry_stats.last_registered_at IS 'When the newest version was registered.';
