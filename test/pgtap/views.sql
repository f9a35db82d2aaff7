-- The views: columns and types, and whose rights count.
BEGIN;
SELECT plan(9);

-- name and definition of the columns of a table or view, numbered
CREATE FUNCTION pg_temp.columns_of(relation regclass)
	RETURNS TABLE (n integer, name text, definition text) LANGUAGE sql AS $$
	SELECT a.attnum::integer, a.attname::text, format_type(a.atttypid, a.atttypmod)
		|| CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
		|| COALESCE(' DEFAULT ' || pg_get_expr(f.adbin, f.adrelid), '')
	FROM pg_attribute AS a
	LEFT JOIN pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
	WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
$$;

SELECT set_eq($$
	SELECT c.relname::text FROM pg_class AS c
	WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'v'$$,
	ARRAY['artifact_health', 'model_metric', 'production_model', 'registry_stats', 'stage_history', 'storage_usage'],
	'the views of schema modelreg');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.artifact_health'')', $$
	VALUES
		(1, 'checksum', 'text'),
		(2, 'artifact_size', 'bigint'),
		(3, 'stored_at', 'timestamp with time zone'),
		(4, 'verified_at', 'timestamp with time zone'),
		(5, 'ok', 'boolean'),
		(6, 'problem', 'text'),
		(7, 'model_ids', 'text[]')
	$$, 'columns of modelreg.artifact_health');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.model_metric'')', $$
	VALUES
		(1, 'model_id', 'text'),
		(2, 'model_name', 'text'),
		(3, 'model_type', 'text'),
		(4, 'version', 'text'),
		(5, 'version_number', 'integer'),
		(6, 'deployment_stage', 'modelreg.deployment_stage'),
		(7, 'registered_at', 'timestamp with time zone'),
		(8, 'metric', 'text'),
		(9, 'value', 'double precision')
	$$, 'columns of modelreg.model_metric');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.production_model'')', $$
	VALUES
		(1, 'model_name', 'text'),
		(2, 'model_id', 'text'),
		(3, 'model_type', 'text'),
		(4, 'version', 'text'),
		(5, 'version_number', 'integer'),
		(6, 'deployed_at', 'timestamp with time zone'),
		(7, 'registered_at', 'timestamp with time zone'),
		(8, 'registered_by', 'text'),
		(9, 'checksum', 'text'),
		(10, 'artifact_size', 'bigint'),
		(11, 'performance_metrics', 'jsonb'),
		(12, 'tags', 'text[]'),
		(13, 'notes', 'text')
	$$, 'columns of modelreg.production_model');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.registry_stats'')', $$
	VALUES
		(1, 'models', 'bigint'),
		(2, 'versions', 'bigint'),
		(3, 'development', 'bigint'),
		(4, 'staging', 'bigint'),
		(5, 'canary', 'bigint'),
		(6, 'production', 'bigint'),
		(7, 'deprecated', 'bigint'),
		(8, 'archived', 'bigint'),
		(9, 'logical_bytes', 'bigint'),
		(10, 'artifacts', 'bigint'),
		(11, 'artifact_bytes', 'bigint'),
		(12, 'audit_events', 'bigint'),
		(13, 'last_registered_at', 'timestamp with time zone')
	$$, 'columns of modelreg.registry_stats');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.stage_history'')', $$
	VALUES
		(1, 'model_name', 'text'),
		(2, 'model_id', 'text'),
		(3, 'stage', 'modelreg.deployment_stage'),
		(4, 'entered_at', 'timestamp with time zone'),
		(5, 'left_at', 'timestamp with time zone'),
		(6, 'actor', 'text'),
		(7, 'reason', 'text')
	$$, 'columns of modelreg.stage_history');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.storage_usage'')', $$
	VALUES
		(1, 'model_name', 'text'),
		(2, 'versions', 'bigint'),
		(3, 'artifacts', 'bigint'),
		(4, 'logical_bytes', 'bigint'),
		(5, 'artifact_bytes', 'bigint'),
		(6, 'stored_bytes', 'bigint'),
		(7, 'saved_by_sharing', 'bigint'),
		(8, 'saved_by_compression', 'bigint')
	$$, 'columns of modelreg.storage_usage');

SELECT is_empty($$
	SELECT c.relname FROM pg_class AS c
	WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'v'
		AND NOT COALESCE(c.reloptions, '{}') @> '{security_invoker=true}'
	$$, 'views show what the caller may see');

SELECT results_eq('SELECT models, versions, artifacts, audit_events FROM modelreg.registry_stats',
	'VALUES (0::bigint, 0::bigint, 0::bigint, 0::bigint)', 'an empty registry has one row of statistics');

SELECT * FROM finish();
ROLLBACK;
