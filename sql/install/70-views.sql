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

CREATE VIEW modelreg.storage_usage WITH (security_invoker = true) AS
	SELECT u.model_name,
		pg_catalog.sum(u.versions)::bigint AS versions,
		pg_catalog.count(DISTINCT u.checksum) AS artifacts,
		pg_catalog.sum(u.versions OPERATOR(pg_catalog.*) u.artifact_size)::bigint AS logical_bytes,
		COALESCE(pg_catalog.sum(u.artifact_size) FILTER (WHERE u.first_use), 0)::bigint AS artifact_bytes
	FROM (
		SELECT v.model_name, v.checksum, pg_catalog.max(v.artifact_size) AS artifact_size,
			pg_catalog.count(*) AS versions, true AS first_use
		FROM modelreg.model_version AS v
		GROUP BY v.model_name, v.checksum
		UNION ALL
		SELECT NULL, v.checksum, v.artifact_size, 1,
			pg_catalog.row_number() OVER (PARTITION BY v.checksum) OPERATOR(pg_catalog.=) 1
		FROM modelreg.model_version AS v
	) AS u
	GROUP BY u.model_name;
COMMENT ON VIEW modelreg.storage_usage IS 'Bytes for each model, and in all (model_name NULL): as registered, and with equal artifacts counted once.';
COMMENT ON COLUMN modelreg.storage_usage.model_name IS 'The model; NULL: all together.';
COMMENT ON COLUMN modelreg.storage_usage.versions IS 'How many versions there are.';
COMMENT ON COLUMN modelreg.storage_usage.artifacts IS 'How many different artifacts they use.';
COMMENT ON COLUMN modelreg.storage_usage.logical_bytes IS 'Sum of the versions'' sizes.';
COMMENT ON COLUMN modelreg.storage_usage.artifact_bytes IS 'Sum of the sizes of the different artifacts.';

CREATE VIEW modelreg.stage_history WITH (security_invoker = true) AS
	SELECT s.model_name, s.model_id, s.stage, s.entered_at, s.left_at,
		s.actor, s.reason
	FROM (
		SELECT e.model_name, e.model_id, e.event,
			(e.new_values OPERATOR(pg_catalog.->>) 'deployment_stage'::text)::modelreg.deployment_stage AS stage,
			e.at AS entered_at,
			pg_catalog.lead(e.at) OVER (PARTITION BY e.model_key, e.model_id ORDER BY e.seq) AS left_at,
			e.actor, e.reason
		FROM modelreg.audit_event AS e
		WHERE e.event IN ('register', 'stage', 'delete')
	) AS s
	WHERE s.event OPERATOR(pg_catalog.<>) 'delete'::text;
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
		COALESCE(pg_catalog.sum(v.artifact_size), 0)::bigint AS logical_bytes,
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
COMMENT ON COLUMN modelreg.registry_stats.logical_bytes IS 'Sum of the versions'' sizes.';
COMMENT ON COLUMN modelreg.registry_stats.artifacts IS 'How many artifacts are stored, those that wait for cleanup included.';
COMMENT ON COLUMN modelreg.registry_stats.artifact_bytes IS 'Sum of the stored artifacts'' sizes.';
COMMENT ON COLUMN modelreg.registry_stats.audit_events IS 'How many events the audit trail has.';
COMMENT ON COLUMN modelreg.registry_stats.last_registered_at IS 'When the newest version was registered.';
