/* ------------------------------------------------------------------
 * The API: functions in the extension's schema.
 *
 * The writing functions are written in C and run with the rights of the
 * caller until they have checked its role; see src/base/actor.c.
 * ------------------------------------------------------------------ */

-- Registering and loading
CREATE FUNCTION @extschema@.modelreg_register(
	artifact bytea,
	model_type text,
	version text DEFAULT NULL,
	model_name text DEFAULT NULL,
	performance_metrics jsonb DEFAULT '{}',
	deployment_stage text DEFAULT 'development',
	tags text[] DEFAULT '{}',
	notes text DEFAULT '',
	model_config jsonb DEFAULT '{}',
	training_metadata jsonb DEFAULT '{}',
	dataset_version text DEFAULT NULL,
	parent_ids text[] DEFAULT '{}',
	created_at timestamptz DEFAULT NULL,
	expected_checksum text DEFAULT NULL,
	properties jsonb DEFAULT '{}'
) RETURNS modelreg.model_version
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_register';
COMMENT ON FUNCTION @extschema@.modelreg_register(bytea, text, text, text, jsonb, text, text[], text, jsonb, jsonb, text, text[], timestamptz, text, jsonb) IS
	'Registers a model version: bytes, SHA-256, metadata, stage, audit record and event in the caller''s transaction. Needs modelreg_writer; canary, production, deprecated and archived need modelreg_admin. Locks the model''s row to the end of the transaction.';

CREATE FUNCTION @extschema@.modelreg_load(
	model_id text,
	verify_checksum boolean DEFAULT NULL,
	path text DEFAULT NULL
) RETURNS bytea
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_load';
COMMENT ON FUNCTION @extschema@.modelreg_load(text, boolean, text) IS
	'The bytes of a version, or of the file of it that path names, checked against its SHA-256 (XX001 if they differ) unless verify_checksum, or by default modelreg.verify_checksums, is off. 42704 if there is no such version or file. Locks no rows; works on a replica.';

-- Streaming
CREATE FUNCTION @extschema@.modelreg_upload_begin(
	expected_size bigint DEFAULT NULL
) RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_upload_begin';
COMMENT ON FUNCTION @extschema@.modelreg_upload_begin(bigint) IS
	'Begins a streaming upload of an artifact of any size, in one transaction or over many; with expected_size, in bytes, more are refused and fewer cannot be registered. Needs modelreg_writer.';

CREATE FUNCTION @extschema@.modelreg_upload_append(
	upload_id uuid,
	data bytea,
	byte_offset bigint DEFAULT NULL
) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_upload_append';
COMMENT ON FUNCTION @extschema@.modelreg_upload_append(uuid, bytea, bigint) IS
	'Appends to an upload, best in parts of 1 to 4 MB, and returns how many bytes it holds then. byte_offset, if given, must be what it held before (22023, with the right one as hint). XX001 if what is kept of it is damaged; the hint names the byte_offset to append from, which drops what is behind it. For the upload''s owner, and modelreg_admin. Locks the upload to the end of the transaction.';

CREATE FUNCTION @extschema@.modelreg_upload_status(
	upload_id uuid
) RETURNS TABLE (
	bytes_held bigint,
	expected_size bigint,
	created_by text,
	created_at timestamptz,
	last_append_at timestamptz,
	expires_at timestamptz
)
	LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1
	AS 'MODULE_PATHNAME', 'modelreg_upload_status';
COMMENT ON FUNCTION @extschema@.modelreg_upload_status(uuid) IS
	'How far an upload is: bytes_held is the byte_offset to go on from, after a lost connection say. 42704 if there is no such upload, XX001 if its row is damaged. For its owner, and modelreg_admin.';

CREATE FUNCTION @extschema@.modelreg_upload_abort(
	upload_id uuid
) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_upload_abort';
COMMENT ON FUNCTION @extschema@.modelreg_upload_abort(uuid) IS
	'Ends an upload without registering it; the next cleanup removes its bytes. For its owner, and modelreg_admin.';

CREATE FUNCTION @extschema@.modelreg_register_upload(
	upload_id uuid,
	model_type text,
	version text DEFAULT NULL,
	model_name text DEFAULT NULL,
	performance_metrics jsonb DEFAULT '{}',
	deployment_stage text DEFAULT 'development',
	tags text[] DEFAULT '{}',
	notes text DEFAULT '',
	model_config jsonb DEFAULT '{}',
	training_metadata jsonb DEFAULT '{}',
	dataset_version text DEFAULT NULL,
	parent_ids text[] DEFAULT '{}',
	created_at timestamptz DEFAULT NULL,
	expected_checksum text DEFAULT NULL,
	properties jsonb DEFAULT '{}'
) RETURNS modelreg.model_version
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_register_upload';
COMMENT ON FUNCTION @extschema@.modelreg_register_upload(uuid, text, text, text, jsonb, text, text[], text, jsonb, jsonb, text, text[], timestamptz, text, jsonb) IS
	'Registers what was uploaded as a model version, as modelreg_register does, and ends the upload. For its owner, and modelreg_admin.';

CREATE FUNCTION @extschema@.modelreg_check_registration(
	model_type text,
	version text DEFAULT NULL,
	model_name text DEFAULT NULL,
	performance_metrics jsonb DEFAULT '{}',
	deployment_stage text DEFAULT 'development',
	tags text[] DEFAULT '{}',
	notes text DEFAULT '',
	model_config jsonb DEFAULT '{}',
	training_metadata jsonb DEFAULT '{}',
	dataset_version text DEFAULT NULL,
	parent_ids text[] DEFAULT '{}',
	created_at timestamptz DEFAULT NULL,
	expected_checksum text DEFAULT NULL,
	properties jsonb DEFAULT '{}'
) RETURNS void
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'modelreg_check_registration';
COMMENT ON FUNCTION @extschema@.modelreg_check_registration(text, text, text, jsonb, text, text[], text, jsonb, jsonb, text, text[], timestamptz, text, jsonb) IS
	'Raises the error that a registration with these arguments would raise now, before its bytes are sent. Takes no lock and reserves nothing: another registration may still take the version. For modelreg_writer; works on a hot standby.';

CREATE FUNCTION @extschema@.modelreg_register_files(
	paths text[],
	upload_ids uuid[],
	model_type text,
	version text DEFAULT NULL,
	model_name text DEFAULT NULL,
	performance_metrics jsonb DEFAULT '{}',
	deployment_stage text DEFAULT 'development',
	tags text[] DEFAULT '{}',
	notes text DEFAULT '',
	model_config jsonb DEFAULT '{}',
	training_metadata jsonb DEFAULT '{}',
	dataset_version text DEFAULT NULL,
	parent_ids text[] DEFAULT '{}',
	created_at timestamptz DEFAULT NULL,
	expected_checksum text DEFAULT NULL,
	properties jsonb DEFAULT '{}'
) RETURNS modelreg.model_version
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_register_files';
COMMENT ON FUNCTION @extschema@.modelreg_register_files(text[], uuid[], text, text, text, jsonb, text, text[], text, jsonb, jsonb, text, text[], timestamptz, text, jsonb) IS
	'Registers a directory as a model version, as modelreg_register does: each upload becomes the file of the path at its place, and ends. The version''s own artifact is their manifest, JSON with path, size and SHA-256 of each, so that its checksum stands for all. For the role that began the uploads, and modelreg_admin.';

CREATE FUNCTION @extschema@.modelreg_download(
	model_id text,
	byte_offset bigint DEFAULT 0,
	length bigint DEFAULT NULL,
	piece_size integer DEFAULT 1048576,
	path text DEFAULT NULL
) RETURNS SETOF bytea
	LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
	AS 'MODULE_PATHNAME', 'modelreg_download';
COMMENT ON FUNCTION @extschema@.modelreg_download(text, bigint, bigint, integer, text) IS
	'The bytes of a version, or of the file of it that path names, or length of them from byte_offset on, in rows of piece_size bytes (at most 16 MB). Streams in a select list, in COPY (SELECT ...) TO STDOUT and from a cursor; in FROM it would be materialized. The last row of a whole artifact comes only if its SHA-256 is right, a range only if its chunks match their checksums (XX001), unless modelreg.verify_checksums is off. Locks no rows; works on a replica.';

-- Finding
CREATE FUNCTION @extschema@.modelreg_load_latest(
	model_type text DEFAULT NULL,
	deployment_stage text DEFAULT NULL,
	min_performance jsonb DEFAULT '{}',
	tags text[] DEFAULT '{}',
	model_name text DEFAULT NULL,
	version text DEFAULT NULL,
	max_performance jsonb DEFAULT '{}',
	verify_checksum boolean DEFAULT NULL
) RETURNS TABLE (
	model_id text,
	model_name text,
	model_type text,
	version text,
	deployment_stage modelreg.deployment_stage,
	checksum text,
	performance_metrics jsonb,
	artifact bytea
)
	LANGUAGE c STABLE PARALLEL SAFE ROWS 1
	AS 'MODULE_PATHNAME', 'modelreg_load_latest';
COMMENT ON FUNCTION @extschema@.modelreg_load_latest(text, text, jsonb, text[], text, text, jsonb, boolean) IS
	'The newest version that passes all filters, with its verified bytes; no row where nothing matches. Works on a replica.';

CREATE FUNCTION @extschema@.modelreg_find_latest(
	model_type text DEFAULT NULL,
	deployment_stage text DEFAULT NULL,
	min_performance jsonb DEFAULT '{}',
	tags text[] DEFAULT '{}',
	model_name text DEFAULT NULL,
	version text DEFAULT NULL,
	max_performance jsonb DEFAULT '{}'
) RETURNS SETOF modelreg.model_version
	LANGUAGE c STABLE PARALLEL SAFE ROWS 1
	AS 'MODULE_PATHNAME', 'modelreg_find_latest';
COMMENT ON FUNCTION @extschema@.modelreg_find_latest(text, text, jsonb, text[], text, text, jsonb) IS
	'The metadata of the newest version that passes all filters; reads no bytes.';

CREATE FUNCTION @extschema@.modelreg_list(
	model_type text DEFAULT NULL,
	deployment_stage text DEFAULT NULL,
	min_performance jsonb DEFAULT '{}',
	tags text[] DEFAULT '{}',
	model_name text DEFAULT NULL,
	version text DEFAULT NULL,
	max_performance jsonb DEFAULT '{}',
	max_rows integer DEFAULT NULL,
	before_id text DEFAULT NULL
) RETURNS SETOF modelreg.model_version
	LANGUAGE c STABLE PARALLEL SAFE ROWS 100
	AS 'MODULE_PATHNAME', 'modelreg_list';
COMMENT ON FUNCTION @extschema@.modelreg_list(text, text, jsonb, text[], text, text, jsonb, integer, text) IS
	'The versions that pass all filters, newest first; at most max_rows of them, those that follow before_id. Pass the last model_id of a page as before_id to get the next.';

CREATE FUNCTION @extschema@.modelreg_info(model_id text) RETURNS SETOF modelreg.model_version
	LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
	AS $$SELECT v.* FROM modelreg.model_version AS v WHERE v.model_id OPERATOR(pg_catalog.=) $1 COLLATE pg_catalog."C"$$;
COMMENT ON FUNCTION @extschema@.modelreg_info(text) IS
	'The metadata of a version: one row, or none.';

CREATE FUNCTION @extschema@.modelreg_compare(
	model_ids text[],
	metrics text[] DEFAULT NULL
) RETURNS TABLE (
	metric text,
	model_id text,
	version text,
	deployment_stage modelreg.deployment_stage,
	value double precision,
	rank integer,
	delta double precision,
	is_best boolean,
	higher_is_better boolean
)
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
DECLARE
	missing text;
BEGIN
	IF model_ids IS NULL OR cardinality(model_ids) = 0 OR array_position(model_ids, NULL) IS NOT NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'model_ids must name at least one version, and have no nulls';
	END IF;

	SELECT i INTO missing
	FROM unnest(model_ids COLLATE "C") WITH ORDINALITY AS u (i, n)
	WHERE NOT EXISTS (SELECT FROM modelreg.model_version AS v WHERE v.model_id = i)
	ORDER BY n
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_object',
			MESSAGE = format('model version "%s" does not exist', modelreg.clip(missing));
	END IF;

	RETURN QUERY
	WITH chosen AS (
		SELECT DISTINCT ON (v.model_id)
			v.model_id, v.version, v.deployment_stage, v.performance_metrics, u.n
		FROM unnest(model_ids COLLATE "C") WITH ORDINALITY AS u (i, n)
		JOIN modelreg.model_version AS v ON v.model_id = u.i
		ORDER BY v.model_id, u.n
	), measured AS (
		SELECT c.model_id, p.key COLLATE "C" AS metric, p.value::double precision AS value
		FROM chosen AS c, jsonb_each_text(c.performance_metrics) AS p
	), wanted AS (
		SELECT DISTINCT k.metric COLLATE "C" AS metric
		FROM unnest(metrics COLLATE "C") AS k (metric)
		WHERE k.metric IS NOT NULL
		UNION
		SELECT DISTINCT m.metric
		FROM measured AS m
		WHERE metrics IS NULL
	), directed AS (
		SELECT w.metric,
			modelreg.higher_is_better(w.metric) AS higher_is_better
		FROM wanted AS w
	), graded AS (
		SELECT d.metric, c.model_id, c.version, c.deployment_stage, c.n, m.value, d.higher_is_better
		FROM directed AS d
		CROSS JOIN chosen AS c
		LEFT JOIN measured AS m ON m.metric = d.metric AND m.model_id = c.model_id
	), ranked AS (
		SELECT g.*,
			CASE WHEN g.value IS NOT NULL AND g.higher_is_better IS NOT NULL THEN
				rank() OVER (PARTITION BY g.metric
					ORDER BY CASE WHEN g.higher_is_better THEN g.value ELSE -g.value END DESC NULLS LAST)::integer
			END AS rank,
			first_value(g.value) OVER (PARTITION BY g.metric ORDER BY g.n) AS first_value
		FROM graded AS g
	)
	SELECT r.metric, r.model_id, r.version, r.deployment_stage, r.value, r.rank,
		-- the difference of two finite numbers may be none
		CASE
			WHEN abs(r.value / 2 - r.first_value / 2) < 8.98e307 THEN r.value - r.first_value
			WHEN r.value > r.first_value THEN 'Infinity'
			WHEN r.value < r.first_value THEN '-Infinity'
		END::double precision,
		CASE WHEN r.higher_is_better IS NOT NULL THEN coalesce(r.rank = 1, false) END,
		r.higher_is_better
	FROM ranked AS r
	ORDER BY r.metric, r.n;
END
$$;
COMMENT ON FUNCTION @extschema@.modelreg_compare(text[], text[]) IS
	'The metrics of versions side by side, a row for each metric and version: value, rank (1 is best), difference to the first id, and whether higher is better; if that is unknown, rank and is_best are NULL. 42704 for a version that does not exist.';

-- Changing versions
CREATE FUNCTION @extschema@.modelreg_update_stage(
	model_id text,
	new_stage text,
	reason text DEFAULT ''
) RETURNS modelreg.model_version
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_update_stage';
COMMENT ON FUNCTION @extschema@.modelreg_update_stage(text, text, text) IS
	'Moves a version to another stage; into production it first demotes the incumbent to deprecated. 55000 for an illegal move; the same stage again changes nothing. Needs modelreg_writer between development and staging, else modelreg_admin. Locks the model''s row.';

CREATE FUNCTION @extschema@.modelreg_update(
	model_id text,
	notes text DEFAULT NULL,
	tags text[] DEFAULT NULL,
	performance_metrics jsonb DEFAULT NULL,
	reason text DEFAULT '',
	properties jsonb DEFAULT NULL
) RETURNS modelreg.model_version
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_update';
COMMENT ON FUNCTION @extschema@.modelreg_update(text, text, text[], jsonb, text, jsonb) IS
	'Replaces notes, tags or metrics of a version, and merges properties into those it has, where a JSON null removes a key; NULL leaves alone. Writers edit what they registered and is not in production; modelreg_admin edits all.';

CREATE FUNCTION @extschema@.modelreg_delete(
	model_id text,
	force boolean DEFAULT false,
	reason text DEFAULT ''
) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_delete';
COMMENT ON FUNCTION @extschema@.modelreg_delete(text, boolean, text) IS
	'Deletes a version; its bytes go at the next cleanup if nothing else uses them. One that is in production or has an alias is refused (55006) unless force, which needs modelreg_admin, demotes it first and drops its aliases. Writers delete what they registered.';

CREATE FUNCTION @extschema@.modelreg_correct_time(
	model_id text,
	registered_at timestamptz,
	reason text DEFAULT ''
) RETURNS modelreg.model_version
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_correct_time';
COMMENT ON FUNCTION @extschema@.modelreg_correct_time(text, timestamptz, text) IS
	'Lowers registered_at of a version that a clock put into the future (55000 for any other), to a time that fits the model''s other versions and its audit trail (22023, with the bounds); earlier versions that would not be before it are lowered as well. The id stays. Needs modelreg_admin. Locks the model''s row.';

-- Aliases
CREATE FUNCTION @extschema@.modelreg_set_alias(
	model_id text,
	alias text,
	reason text DEFAULT ''
) RETURNS modelreg.model_alias
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_set_alias';
COMMENT ON FUNCTION @extschema@.modelreg_set_alias(text, text, text) IS
	'Lets an alias, such as champion, name the version; it names no other of that model any more. The same again changes nothing. 42704 if there is no such version. Needs modelreg_admin. Locks the model''s row and the version''s.';

CREATE FUNCTION @extschema@.modelreg_drop_alias(
	model_name text,
	alias text,
	reason text DEFAULT ''
) RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_drop_alias';
COMMENT ON FUNCTION @extschema@.modelreg_drop_alias(text, text, text) IS
	'Drops an alias of the model; false if it had none of that name. 42704 if there is no such model. Needs modelreg_admin. Locks the model''s row.';

CREATE FUNCTION @extschema@.modelreg_resolve(
	model_name text,
	alias text
) RETURNS SETOF modelreg.model_version
	LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
	AS $$SELECT v.*
	FROM modelreg.model AS m
	JOIN modelreg.model_alias AS a ON a.model_key OPERATOR(pg_catalog.=) m.model_key
	JOIN modelreg.model_version AS v ON v.model_id OPERATOR(pg_catalog.=) a.model_id
	WHERE m.model_name OPERATOR(pg_catalog.=) $1 COLLATE pg_catalog."C"
		AND a.alias OPERATOR(pg_catalog.=) $2 COLLATE pg_catalog."C"$$;
COMMENT ON FUNCTION @extschema@.modelreg_resolve(text, text) IS
	'The version of the model that the alias names: one row, or none. Locks nothing; works on a replica.';

-- Owners
CREATE FUNCTION @extschema@.modelreg_reassign(
	from_role text,
	to_role text,
	reason text DEFAULT ''
) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_reassign';
COMMENT ON FUNCTION @extschema@.modelreg_reassign(text, text, text) IS
	'Gives the versions and uploads whose owner shows as from_role, be there still such a role or not, to to_role, with an audit record a version; returns how many changed. To the role itself: those of an earlier role of its name. 42704 if there is no such role, or nothing of its. Needs modelreg_admin. Locks the uploads, then the models'' rows, to the end of the transaction.';

-- Models
CREATE FUNCTION @extschema@.modelreg_create_model(
	model_name text,
	model_type text DEFAULT NULL,
	description text DEFAULT '',
	tags text[] DEFAULT '{}',
	properties jsonb DEFAULT '{}',
	exclusive_production boolean DEFAULT true,
	max_versions integer DEFAULT NULL,
	auto_cleanup boolean DEFAULT NULL,
	require_metadata boolean DEFAULT NULL,
	reason text DEFAULT ''
) RETURNS modelreg.model
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_create_model';
COMMENT ON FUNCTION @extschema@.modelreg_create_model(text, text, text, text[], jsonb, boolean, integer, boolean, boolean, text) IS
	'Creates a model with settings of its own before its first version (a registration creates one with the defaults). NULL settings follow the server''s. 42710 if it exists. Needs modelreg_admin.';

CREATE FUNCTION @extschema@.modelreg_update_model(
	model_name text,
	description text DEFAULT NULL,
	tags text[] DEFAULT NULL,
	properties jsonb DEFAULT NULL,
	exclusive_production boolean DEFAULT NULL,
	max_versions integer DEFAULT NULL,
	auto_cleanup boolean DEFAULT NULL,
	require_metadata boolean DEFAULT NULL,
	reset text[] DEFAULT '{}',
	reason text DEFAULT ''
) RETURNS modelreg.model
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_update_model';
COMMENT ON FUNCTION @extschema@.modelreg_update_model(text, text, text[], jsonb, boolean, integer, boolean, boolean, text[], text) IS
	'Changes a model''s settings; NULL leaves alone, properties are merged into those there are (a JSON null removes a key), reset names those of max_versions, auto_cleanup and require_metadata that shall follow the server''s setting again. Needs modelreg_admin.';

CREATE FUNCTION @extschema@.modelreg_rename_model(
	model_name text,
	new_name text,
	reason text DEFAULT ''
) RETURNS modelreg.model
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_rename_model';
COMMENT ON FUNCTION @extschema@.modelreg_rename_model(text, text, text) IS
	'Renames a model; ids already issued keep the old name. 42710 if the new name is taken. Needs modelreg_admin. Updates a row for each version.';

CREATE FUNCTION @extschema@.modelreg_delete_model(
	model_name text,
	force boolean DEFAULT false,
	reason text DEFAULT ''
) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_delete_model';
COMMENT ON FUNCTION @extschema@.modelreg_delete_model(text, boolean, text) IS
	'Deletes a model with all its versions; refused (55006) while one is in production or has an alias, unless force. Its audit chain stays. Needs modelreg_admin.';

CREATE FUNCTION @extschema@.modelreg_set_stage_rule(
	from_stage text,
	to_stage text,
	allowed boolean,
	reason text DEFAULT ''
) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_set_stage_rule';
COMMENT ON FUNCTION @extschema@.modelreg_set_stage_rule(text, text, boolean, text) IS
	'Allows or forbids a stage move; NULL goes back to the built-in rule. Needs modelreg_admin.';

CREATE FUNCTION @extschema@.modelreg_set_metric_direction(
	metric text,
	higher_is_better boolean,
	reason text DEFAULT ''
) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_set_metric_direction';
COMMENT ON FUNCTION @extschema@.modelreg_set_metric_direction(text, boolean, text) IS
	'Says which way is better for a metric in modelreg_compare; NULL goes back to what its name suggests. Needs modelreg_admin.';

-- Verification of the bytes
CREATE FUNCTION @extschema@.modelreg_verify(model_id text DEFAULT NULL)
	RETURNS TABLE (model_id text, ok boolean, expected text, actual text, problem text)
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'modelreg_verify';
COMMENT ON FUNCTION @extschema@.modelreg_verify(text) IS
	'Reads the bytes of one version, or of all, those of their files included, and compares them with their SHA-256; checks references too. Reads each artifact once; what no version refers to is reported with model_id NULL. Works on a replica.';
