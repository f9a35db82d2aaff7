-- The tables: columns, types, defaults; no rows, no sequences; all dumped.
BEGIN;
SELECT plan(34);

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
	WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'$$,
	ARRAY['artifact', 'artifact_check', 'artifact_chunk', 'audit_event', 'chunk', 'chunk_piece', 'discarded_content',
		'metric_direction', 'model', 'model_alias', 'model_version', 'stage_rule', 'upload', 'version_file'],
	'the tables of schema modelreg');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.artifact'')', $$
	VALUES
		(1, 'sha256', 'bytea NOT NULL'),
		(2, 'artifact_size', 'bigint NOT NULL'),
		(3, 'storage', 'text NOT NULL DEFAULT ''database''::text'),
		(4, 'content', 'uuid NOT NULL')
	$$, 'columns of modelreg.artifact');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.artifact_check'')', $$
	VALUES
		(1, 'sha256', 'bytea NOT NULL'),
		(2, 'verified_at', 'timestamp with time zone NOT NULL'),
		(3, 'problem', 'text')
	$$, 'columns of modelreg.artifact_check');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.artifact_chunk'')', $$
	VALUES
		(1, 'content', 'uuid NOT NULL'),
		(2, 'chunk_no', 'integer NOT NULL'),
		(3, 'chunk', 'uuid NOT NULL'),
		(4, 'byte_offset', 'bigint NOT NULL')
	$$, 'columns of modelreg.artifact_chunk');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.audit_event'')', $$
	VALUES
		(1, 'model_key', 'uuid NOT NULL'),
		(2, 'seq', 'bigint NOT NULL'),
		(3, 'at', 'timestamp with time zone NOT NULL'),
		(4, 'event', 'text NOT NULL'),
		(5, 'model_name', 'text'),
		(6, 'model_id', 'text'),
		(7, 'session_user_name', 'text NOT NULL'),
		(8, 'actor', 'text NOT NULL'),
		(9, 'client', 'jsonb NOT NULL'),
		(10, 'xid', 'xid8 NOT NULL'),
		(11, 'old_values', 'jsonb'),
		(12, 'new_values', 'jsonb'),
		(13, 'reason', 'text NOT NULL'),
		(14, 'format', 'smallint NOT NULL'),
		(15, 'hash', 'bytea NOT NULL')
	$$, 'columns of modelreg.audit_event');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.chunk'')', $$
	VALUES
		(1, 'chunk', 'uuid NOT NULL'),
		(2, 'raw_size', 'integer NOT NULL'),
		(3, 'stored_size', 'integer NOT NULL'),
		(4, 'codec', 'smallint NOT NULL DEFAULT 0'),
		(5, 'xxh3', 'uuid NOT NULL')
	$$, 'columns of modelreg.chunk');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.chunk_piece'')', $$
	VALUES
		(1, 'chunk', 'uuid NOT NULL'),
		(2, 'piece_no', 'integer NOT NULL'),
		(3, 'data', 'bytea NOT NULL')
	$$, 'columns of modelreg.chunk_piece');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.discarded_content'')', $$
	VALUES
		(1, 'content', 'uuid NOT NULL'),
		(2, 'storage', 'text NOT NULL DEFAULT ''database''::text'),
		(3, 'discarded_at', 'timestamp with time zone NOT NULL DEFAULT now()')
	$$, 'columns of modelreg.discarded_content');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.metric_direction'')', $$
	VALUES
		(1, 'metric', 'text NOT NULL'),
		(2, 'higher_is_better', 'boolean NOT NULL')
	$$, 'columns of modelreg.metric_direction');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.model'')', $$
	VALUES
		(1, 'model_key', 'uuid NOT NULL'),
		(2, 'model_name', 'text NOT NULL'),
		(3, 'model_type', 'text NOT NULL'),
		(4, 'description', 'text NOT NULL DEFAULT ''''::text'),
		(5, 'tags', 'text[] NOT NULL DEFAULT ''{}''::text[]'),
		(6, 'properties', 'jsonb NOT NULL DEFAULT ''{}''::jsonb'),
		(7, 'exclusive_production', 'boolean NOT NULL DEFAULT true'),
		(8, 'max_versions', 'integer'),
		(9, 'auto_cleanup', 'boolean'),
		(10, 'require_metadata', 'boolean'),
		(11, 'created_at', 'timestamp with time zone NOT NULL'),
		(12, 'created_by', 'text NOT NULL'),
		(13, 'last_version_number', 'integer NOT NULL DEFAULT 0'),
		(14, 'last_registered_at', 'timestamp with time zone'),
		(15, 'last_id_suffix', 'integer NOT NULL DEFAULT 0'),
		(16, 'highest_version', 'text'),
		(17, 'audit_seq', 'bigint NOT NULL DEFAULT 0'),
		(18, 'audit_at', 'timestamp with time zone'),
		(19, 'audit_hash', E'bytea NOT NULL DEFAULT ''\\x0000000000000000000000000000000000000000000000000000000000000000''::bytea')
	$$, 'columns of modelreg.model');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.model_alias'')', $$
	VALUES
		(1, 'model_key', 'uuid NOT NULL'),
		(2, 'alias', 'text NOT NULL'),
		(3, 'model_id', 'text NOT NULL'),
		(4, 'set_at', 'timestamp with time zone NOT NULL'),
		(5, 'set_by', 'text NOT NULL')
	$$, 'columns of modelreg.model_alias');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.model_version'')', $$
	VALUES
		(1, 'model_id', 'text NOT NULL'),
		(2, 'model_key', 'uuid NOT NULL'),
		(3, 'model_name', 'text NOT NULL'),
		(4, 'model_type', 'text NOT NULL'),
		(5, 'version', 'text NOT NULL'),
		(6, 'version_number', 'integer NOT NULL'),
		(7, 'created_at', 'timestamp with time zone NOT NULL'),
		(8, 'registered_at', 'timestamp with time zone NOT NULL'),
		(9, 'registered_by', 'text NOT NULL'),
		(10, 'checksum', 'text NOT NULL'),
		(11, 'artifact_size', 'bigint NOT NULL'),
		(12, 'model_config', 'jsonb NOT NULL DEFAULT ''{}''::jsonb'),
		(13, 'training_metadata', 'jsonb NOT NULL DEFAULT ''{}''::jsonb'),
		(14, 'dataset_version', 'text'),
		(15, 'parent_ids', 'text[] NOT NULL DEFAULT ''{}''::text[]'),
		(16, 'deployment_stage', 'modelreg.deployment_stage NOT NULL DEFAULT ''development''::modelreg.deployment_stage'),
		(17, 'deployed_at', 'timestamp with time zone'),
		(18, 'performance_metrics', 'jsonb NOT NULL DEFAULT ''{}''::jsonb'),
		(19, 'tags', 'text[] NOT NULL DEFAULT ''{}''::text[]'),
		(20, 'notes', 'text NOT NULL DEFAULT ''''::text'),
		(21, 'properties', 'jsonb NOT NULL DEFAULT ''{}''::jsonb'),
		(22, 'exclusive_production', 'boolean NOT NULL DEFAULT true'),
		(23, 'file_count', 'integer NOT NULL DEFAULT 0'),
		(24, 'files_size', 'bigint NOT NULL DEFAULT 0'),
		(25, 'owner', 'modelreg.role_ref NOT NULL')
	$$, 'columns of modelreg.model_version');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.stage_rule'')', $$
	VALUES
		(1, 'from_stage', 'modelreg.deployment_stage NOT NULL'),
		(2, 'to_stage', 'modelreg.deployment_stage NOT NULL'),
		(3, 'allowed', 'boolean NOT NULL')
	$$, 'columns of modelreg.stage_rule');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.version_file'')', $$
	VALUES
		(1, 'model_id', 'text NOT NULL'),
		(2, 'path', 'text NOT NULL'),
		(3, 'sha256', 'bytea NOT NULL'),
		(4, 'artifact_size', 'bigint NOT NULL')
	$$, 'columns of modelreg.version_file');

SELECT set_eq('SELECT * FROM pg_temp.columns_of(''modelreg.upload'')', $$
	VALUES
		(1, 'upload_id', 'uuid NOT NULL'),
		(2, 'created_by', 'text NOT NULL'),
		(3, 'created_at', 'timestamp with time zone NOT NULL'),
		(4, 'last_append_at', 'timestamp with time zone NOT NULL'),
		(5, 'expected_size', 'bigint'),
		(6, 'bytes_held', 'bigint NOT NULL DEFAULT 0'),
		(7, 'storage', 'text NOT NULL DEFAULT ''database''::text'),
		(8, 'progress', 'uuid NOT NULL'),
		(9, 'state', 'bytea'),
		(10, 'digest', 'bytea NOT NULL'),
		(11, 'owner', 'modelreg.role_ref NOT NULL')
	$$, 'columns of modelreg.upload');

SELECT is_empty($$
	SELECT c.relname, a.attname
	FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
	WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
		AND a.attcollation <> 0 AND a.attcollation <> 'pg_catalog."C"'::regcollation
		AND (c.relname::text, a.attname::text) NOT IN (
			VALUES ('model', 'description'), ('model_version', 'notes'),
				('model_version', 'dataset_version'), ('audit_event', 'reason'),
				('artifact_check', 'problem'))
	$$, 'text columns but those for people sort by bytes');

SELECT is((SELECT attstorage::text FROM pg_attribute WHERE attrelid = 'modelreg.chunk_piece'::regclass AND attname = 'data'),
	'p', 'pieces are never moved out of their page');

SELECT enum_has_labels('modelreg', 'deployment_stage',
	ARRAY['development', 'staging', 'canary', 'production', 'deprecated', 'archived'],
	'the deployment stages, in order');

SELECT is_empty($$
	SELECT c.relname FROM pg_class AS c
	WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind NOT IN ('r', 'v', 'i', 'c', 't')
	$$, 'no sequences, nor other kinds of relations');

SELECT set_eq($$
	SELECT c.relname::text, f.condition
	FROM pg_extension AS x, unnest(x.extconfig, x.extcondition) AS f (relation, condition)
	JOIN pg_class AS c ON c.oid = f.relation
	WHERE x.extname = 'modelreg'$$, $$
	SELECT c.relname::text, ''
	FROM pg_class AS c
	WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'
	$$, 'pg_dump takes the rows of every table, all of them');

SELECT is_empty('TABLE modelreg.artifact', 'modelreg.artifact is empty at first');

SELECT is_empty('TABLE modelreg.artifact_check', 'modelreg.artifact_check is empty at first');

SELECT is_empty('TABLE modelreg.artifact_chunk', 'modelreg.artifact_chunk is empty at first');

SELECT is_empty('TABLE modelreg.audit_event', 'modelreg.audit_event is empty at first');

SELECT is_empty('TABLE modelreg.chunk', 'modelreg.chunk is empty at first');

SELECT is_empty('TABLE modelreg.chunk_piece', 'modelreg.chunk_piece is empty at first');

SELECT is_empty('TABLE modelreg.discarded_content', 'modelreg.discarded_content is empty at first');

SELECT is_empty('TABLE modelreg.metric_direction', 'modelreg.metric_direction is empty at first');

SELECT is_empty('TABLE modelreg.model', 'modelreg.model is empty at first');

SELECT is_empty('TABLE modelreg.model_alias', 'modelreg.model_alias is empty at first');

SELECT is_empty('TABLE modelreg.model_version', 'modelreg.model_version is empty at first');

SELECT is_empty('TABLE modelreg.stage_rule', 'modelreg.stage_rule is empty at first');

SELECT is_empty('TABLE modelreg.version_file', 'modelreg.version_file is empty at first');

SELECT is_empty('TABLE modelreg.upload', 'modelreg.upload is empty at first');

SELECT * FROM finish();
ROLLBACK;
