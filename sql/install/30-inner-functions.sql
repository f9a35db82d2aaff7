/* ------------------------------------------------------------------
 * Inner functions.  They are called by the functions of the API, by the
 * triggers and by the views; all of them run with the rights of the caller.
 * ------------------------------------------------------------------ */

-- Semantic Versioning 2.0.0
CREATE FUNCTION modelreg.semver_valid(version text) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_semver_valid';
COMMENT ON FUNCTION modelreg.semver_valid(text) IS
	'Whether the text is a Semantic Versioning 2.0.0 version of at most 255 bytes.';

CREATE FUNCTION modelreg.semver_compare(a text, b text) RETURNS integer
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_semver_compare';
COMMENT ON FUNCTION modelreg.semver_compare(text, text) IS
	'-1, 0 or 1 as version a precedes, equals or follows version b by SemVer precedence (build metadata does not count); 22023 for anything else than SemVer.';

CREATE FUNCTION modelreg.semver_next_minor(version text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_semver_next_minor';
COMMENT ON FUNCTION modelreg.semver_next_minor(text) IS
	'The next minor version: 1.4.2-rc.1 gives 1.5.0.';

-- What the trail holds of a row: jsonb in which nothing depends on a setting.
-- Not STRICT, or no query could inline it: a CASE is not.
CREATE FUNCTION modelreg.utc_text(instant timestamptz) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
	AS $$SELECT CASE
		WHEN instant OPERATOR(pg_catalog.=) 'infinity'::pg_catalog.timestamptz THEN 'infinity'
		WHEN instant OPERATOR(pg_catalog.=) '-infinity'::pg_catalog.timestamptz THEN '-infinity'
		ELSE pg_catalog.to_char(pg_catalog.timezone('UTC'::pg_catalog.text, instant), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'::pg_catalog.text)
			OPERATOR(pg_catalog.||) CASE WHEN instant OPERATOR(pg_catalog.<) '0001-01-01 00:00:00+00'::pg_catalog.timestamptz
				THEN ' BC' ELSE '' END
		END$$;
COMMENT ON FUNCTION modelreg.utc_text(timestamptz) IS
	'The instant in UTC as ISO 8601 with microseconds, whatever the session''s TimeZone; another text for each instant.';

CREATE FUNCTION modelreg.version_snapshot(v modelreg.model_version) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
	AS $$SELECT pg_catalog.jsonb_concat(pg_catalog.to_jsonb(v), pg_catalog.jsonb_build_object(
		'created_at', modelreg.utc_text(v.created_at),
		'registered_at', modelreg.utc_text(v.registered_at),
		'deployed_at', modelreg.utc_text(v.deployed_at),
		'owner', modelreg.role_ref_written(v.owner),
		'owner_source', modelreg.role_ref_source(v.owner)))$$;
COMMENT ON FUNCTION modelreg.version_snapshot(modelreg.model_version) IS
	'The version as the audit trail records it: all columns, timestamps in UTC, the owner by what it was called then and by OID.';

CREATE FUNCTION modelreg.model_snapshot(m modelreg.model) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
	AS $$SELECT pg_catalog.jsonb_build_object(
		'model_name', m.model_name,
		'model_type', m.model_type,
		'description', m.description,
		'tags', m.tags,
		'properties', m.properties,
		'exclusive_production', m.exclusive_production,
		'max_versions', m.max_versions,
		'auto_cleanup', m.auto_cleanup,
		'require_metadata', m.require_metadata,
		'created_at', modelreg.utc_text(m.created_at),
		'created_by', m.created_by)$$;
COMMENT ON FUNCTION modelreg.model_snapshot(modelreg.model) IS
	'The model as the audit trail records it: name and settings, without the counters.';

CREATE FUNCTION modelreg.alias_snapshot(a modelreg.model_alias) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
	AS $$SELECT pg_catalog.jsonb_build_object(
		'alias', a.alias,
		'model_id', a.model_id,
		'set_at', modelreg.utc_text(a.set_at),
		'set_by', a.set_by)$$;
COMMENT ON FUNCTION modelreg.alias_snapshot(modelreg.model_alias) IS
	'The alias as the audit trail records it.';

-- When a key (UUID version 7) was made; PostgreSQL tells it itself from 17 on.
CREATE FUNCTION modelreg.key_time(key uuid) RETURNS timestamptz
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	AS $$SELECT pg_catalog.to_timestamp((('x' OPERATOR(pg_catalog.||) pg_catalog.translate(
		pg_catalog."left"(key::pg_catalog.text, 13), '-', ''))::pg_catalog."bit"(48)::pg_catalog.int8)
		OPERATOR(pg_catalog./) 1000.0::pg_catalog.float8)$$;
COMMENT ON FUNCTION modelreg.key_time(uuid) IS
	'When the key, a UUID of version 7, was made, to the millisecond.';

-- Key by key, so that two clients that set different keys do not undo each other.
CREATE FUNCTION modelreg.merge_properties(properties jsonb, changes jsonb) RETURNS jsonb
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_merge_properties';
COMMENT ON FUNCTION modelreg.merge_properties(jsonb, jsonb) IS
	'The properties with the changes merged in key by key, where a JSON null removes a key; changes NULL: as they are.';

CREATE FUNCTION modelreg.audit_hash(
	previous bytea,
	format smallint,
	model_key uuid,
	seq bigint,
	at timestamptz,
	event text,
	model_id text,
	session_user_name text,
	actor text,
	client jsonb,
	xid xid8,
	old_values jsonb,
	new_values jsonb,
	reason text
) RETURNS bytea
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_audit_hash';
COMMENT ON FUNCTION modelreg.audit_hash(bytea, smallint, uuid, bigint, timestamptz, text, text, text, text, jsonb, xid8, jsonb, jsonb, text) IS
	'The hash of an event: SHA-256 of the previous hash and the UTF-8 of the event as a JSON array (format 1); of damaged values as well.';

-- Settings are read in C only; these let SQL ask for the value in force.
CREATE FUNCTION modelreg.setting_max_versions() RETURNS integer
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_setting_max_versions';
COMMENT ON FUNCTION modelreg.setting_max_versions() IS
	'The value of modelreg.max_versions in this session.';

CREATE FUNCTION modelreg.library_version() RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_library_version';
COMMENT ON FUNCTION modelreg.library_version() IS
	'The version of the loaded shared library.';

CREATE FUNCTION modelreg.is_preloaded() RETURNS boolean
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_is_preloaded';
COMMENT ON FUNCTION modelreg.is_preloaded() IS
	'Whether a setting preloads the library in this session.';

CREATE FUNCTION modelreg.clip(message text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_clip';
COMMENT ON FUNCTION modelreg.clip(text) IS
	'As much of a text as a message repeats of what a caller sent: 256 characters, and dots for the rest.';

CREATE FUNCTION modelreg.require_model(model_name text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	IF $1 IS NOT NULL AND NOT EXISTS (SELECT FROM modelreg.model AS m WHERE m.model_name = $1 COLLATE "C") THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_object',
			MESSAGE = format('model "%s" does not exist', modelreg.clip($1));
	END IF;
END
$$;
COMMENT ON FUNCTION modelreg.require_model(text) IS
	'Raises 42704 unless there is a model of that name; NULL is all right.';

-- Triggers
CREATE FUNCTION modelreg.guard_statement() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'modelreg_guard_statement';
COMMENT ON FUNCTION modelreg.guard_statement() IS
	'Refuses direct INSERT by others than owner and superuser, and TRUNCATE by anybody.';

CREATE FUNCTION modelreg.guard_model() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'modelreg_guard_model';
COMMENT ON FUNCTION modelreg.guard_model() IS
	'Refuses changes of a model''s identity, counters that shrink, and deletion while it has versions.';

CREATE FUNCTION modelreg.guard_version() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'modelreg_guard_version';
COMMENT ON FUNCTION modelreg.guard_version() IS
	'Refuses changes of what a registration fixed, moves that are not legal, and deletion in production or with an alias.';

CREATE FUNCTION modelreg.guard_alias() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'modelreg_guard_alias';
COMMENT ON FUNCTION modelreg.guard_alias() IS
	'Refuses changes of what an alias is called, and that it names a version that does not exist or is another model''s.';

CREATE FUNCTION modelreg.stamp_alias() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'modelreg_stamp_alias';
COMMENT ON FUNCTION modelreg.stamp_alias() IS
	'Sets set_at and set_by when an alias moves, whoever moves it.';

CREATE FUNCTION modelreg.stamp_version() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'modelreg_stamp_version';
COMMENT ON FUNCTION modelreg.stamp_version() IS
	'Sets deployed_at when a version moves to another stage, whoever moves it.';

CREATE FUNCTION modelreg.guard_internal() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'modelreg_guard_internal';
COMMENT ON FUNCTION modelreg.guard_internal() IS
	'Row guard of modelreg.upload and modelreg.artifact_check, which only our functions write.';

CREATE FUNCTION modelreg.guard_bytes() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'modelreg_guard_bytes';
COMMENT ON FUNCTION modelreg.guard_bytes() IS
	'Refuses changes of stored bytes, except that what is damaged may give way to what is whole, and deletion of what something refers to.';

CREATE FUNCTION modelreg.guard_audit() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'modelreg_guard_audit';
COMMENT ON FUNCTION modelreg.guard_audit() IS
	'Refuses every change and deletion in the audit trail.';

CREATE FUNCTION modelreg.guard_setting() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'modelreg_guard_setting';
COMMENT ON FUNCTION modelreg.guard_setting() IS
	'Refuses changes of stage rules and metric directions by others than admins.';

CREATE FUNCTION modelreg.record_version() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'modelreg_record_version';
COMMENT ON FUNCTION modelreg.record_version() IS
	'Appends stage moves, metadata changes and deletions to the audit trail; with a version its files go.';

CREATE FUNCTION modelreg.record_model() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'modelreg_record_model';
COMMENT ON FUNCTION modelreg.record_model() IS
	'Appends changes of a model''s settings and its deletion to the audit trail, and keeps the versions'' copies of its name.';

CREATE FUNCTION modelreg.record_alias() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'modelreg_record_alias';
COMMENT ON FUNCTION modelreg.record_alias() IS
	'Records that an alias moved or went in the audit trail.';

CREATE FUNCTION modelreg.record_setting() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'modelreg_record_setting';
COMMENT ON FUNCTION modelreg.record_setting() IS
	'Appends changes of stage rules and metric directions to the audit trail.';

-- Retention: the steps of modelreg_cleanup, each a transaction of its own
CREATE FUNCTION modelreg.cleanup_begin(model_name text, batch_size integer) RETURNS uuid[]
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_cleanup_begin';
COMMENT ON FUNCTION modelreg.cleanup_begin(text, integer) IS
	'Checks the caller, the arguments and the transaction of a cleanup; returns the keys of the models to look at.';

CREATE FUNCTION modelreg.cleanup_versions(model_key uuid, keep_production boolean, batch_size integer) RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_cleanup_versions';
COMMENT ON FUNCTION modelreg.cleanup_versions(uuid, boolean, integer) IS
	'Deletes up to batch_size of the model''s oldest versions beyond its max_versions; returns how many it deleted. Locks the model''s row; 0 if somebody else has.';

CREATE FUNCTION modelreg.cleanup_artifacts(batch_size integer) RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_cleanup_artifacts';
COMMENT ON FUNCTION modelreg.cleanup_artifacts(integer) IS
	'Step of modelreg_cleanup: removes up to batch_size artifacts that no version uses, and leaves their bytes to cleanup_contents; returns how many it looked at.';

CREATE FUNCTION modelreg.cleanup_uploads(batch_size integer) RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_cleanup_uploads';
COMMENT ON FUNCTION modelreg.cleanup_uploads(integer) IS
	'Step of modelreg_cleanup: removes a batch of abandoned uploads and returns how many.';

CREATE FUNCTION modelreg.cleanup_contents(batch_size integer, after uuid) RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_cleanup_contents';
COMMENT ON FUNCTION modelreg.cleanup_contents(integer, uuid) IS
	'Step of modelreg_cleanup: removes the bytes of up to batch_size discarded contents that follow the content after, as far as 256 MB go; returns the content to go on after, NULL at the end.';

CREATE FUNCTION modelreg.cleanup_end() RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'modelreg_cleanup_end';
COMMENT ON FUNCTION modelreg.cleanup_end() IS
	'Records in the registry''s audit chain how many versions, artifacts and uploads the session removed since cleanup_begin, if any.';

-- Which way is up for a metric
CREATE FUNCTION modelreg.higher_is_better_by_name(metric text) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_higher_is_better_by_name';
COMMENT ON FUNCTION modelreg.higher_is_better_by_name(text) IS
	'Whether a higher value of the metric is better, as far as its name tells; NULL if it does not.';

CREATE FUNCTION modelreg.higher_is_better(metric text) RETURNS boolean
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
	AS $$SELECT COALESCE(
		(SELECT d.higher_is_better FROM modelreg.metric_direction AS d
		 WHERE d.metric OPERATOR(pg_catalog.=) $1 COLLATE pg_catalog."C"),
		modelreg.higher_is_better_by_name($1))$$;
COMMENT ON FUNCTION modelreg.higher_is_better(text) IS
	'Whether a higher value of the metric is better: as modelreg_set_metric_direction said, else by its name; NULL if neither tells.';
