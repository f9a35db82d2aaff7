/* ------------------------------------------------------------------
 * Retention
 * ------------------------------------------------------------------ */

-- Neither SECURITY DEFINER nor SET: with either, a procedure may not commit.
-- So every name and operator is qualified, and the work is done by functions
-- that check the caller themselves.
CREATE PROCEDURE @extschema@.modelreg_cleanup(
	INOUT deleted bigint DEFAULT NULL,
	keep_production boolean DEFAULT true,
	model_name text DEFAULT NULL,
	batch_size integer DEFAULT 100
)
	LANGUAGE plpgsql
	AS $$
DECLARE
	keys pg_catalog.uuid[] := modelreg.cleanup_begin(model_name, batch_size);
	key pg_catalog.uuid;
	removed pg_catalog.int4;
BEGIN
	deleted := 0;
	COMMIT;
	SET TRANSACTION ISOLATION LEVEL READ COMMITTED;

	FOREACH key IN ARRAY keys
	LOOP
		LOOP
			removed := modelreg.cleanup_versions(key, keep_production, batch_size);
			deleted := deleted OPERATOR(pg_catalog.+) removed;
			-- also if nothing went: the model must not stay locked
			COMMIT;
			SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
			EXIT WHEN removed OPERATOR(pg_catalog.=) 0;
		END LOOP;
	END LOOP;

	LOOP
		removed := modelreg.cleanup_artifacts(batch_size);
		EXIT WHEN removed OPERATOR(pg_catalog.=) 0;
		COMMIT;
		SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
	END LOOP;

	LOOP
		removed := modelreg.cleanup_uploads(batch_size);
		EXIT WHEN removed OPERATOR(pg_catalog.=) 0;
		COMMIT;
		SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
	END LOOP;

	key := NULL;
	LOOP
		key := modelreg.cleanup_contents(batch_size, key);
		COMMIT;
		SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
		EXIT WHEN key IS NULL;
	END LOOP;

	PERFORM modelreg.cleanup_end();
END
$$;
COMMENT ON PROCEDURE @extschema@.modelreg_cleanup(bigint, boolean, text, integer) IS
	'Deletes the versions beyond the newest max_versions of each model, or of one, and then the artifacts that no version uses and the uploads without an append for modelreg.upload_expiry; commits after each batch. Versions with an alias are kept, and those in production and canary unless keep_production is false. Needs modelreg_admin; not inside a transaction block (25001). deleted: how many versions went.';

CREATE FUNCTION @extschema@.modelreg_cleanup_preview(
	keep_production boolean DEFAULT true,
	model_name text DEFAULT NULL
) RETURNS TABLE (
	model_name text,
	model_id text,
	version text,
	deployment_stage modelreg.deployment_stage,
	registered_at timestamptz,
	artifact_size bigint,
	reason text
)
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT modelreg.require_model($2);
	SELECT r.model_name, r.model_id, r.version, r.deployment_stage, r.registered_at, r.artifact_size,
		format('beyond the newest %s versions', r.max_versions)
			|| CASE WHEN r.deployment_stage IN ('production', 'canary')
					THEN format('; protection of %s lifted', r.deployment_stage) ELSE '' END
	FROM (
		SELECT m.model_name, v.model_id, v.version, v.version_number, v.deployment_stage,
			v.registered_at, v.artifact_size + v.files_size AS artifact_size,
			EXISTS (SELECT FROM modelreg.model_alias AS a WHERE a.model_id = v.model_id) AS has_alias,
			coalesce(m.max_versions, modelreg.setting_max_versions()) AS max_versions,
			row_number() OVER (PARTITION BY v.model_key ORDER BY v.version_number DESC) AS age
		FROM modelreg.model_version AS v
		JOIN modelreg.model AS m ON m.model_key = v.model_key
		WHERE $2 IS NULL OR m.model_name = $2 COLLATE "C"
	) AS r
	WHERE r.max_versions > 0
		AND r.age > r.max_versions
		AND NOT r.has_alias
		AND (r.deployment_stage NOT IN ('production', 'canary') OR NOT coalesce($1, true))
	ORDER BY r.model_name, r.version_number
$$;
COMMENT ON FUNCTION @extschema@.modelreg_cleanup_preview(boolean, text) IS
	'The versions that modelreg_cleanup would delete now, and why.';

-- pg_cron is looked for among the installed extensions, never by name alone:
-- anybody who may create a schema could call it cron.
CREATE FUNCTION modelreg.cron_function(function_name text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT format('%I.%I', n.nspname, p.proname)
	FROM pg_extension AS e
	JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
		AND d.deptype = 'e' AND d.classid = 'pg_proc'::regclass
	JOIN pg_proc AS p ON p.oid = d.objid
	JOIN pg_namespace AS n ON n.oid = p.pronamespace
	WHERE e.extname = 'pg_cron' AND p.proname = $1 COLLATE "C"
	LIMIT 1
$$;
COMMENT ON FUNCTION modelreg.cron_function(text) IS
	'The qualified name of a function of the pg_cron extension; NULL if it is not installed in this database.';

CREATE FUNCTION modelreg.cron_database_note() RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT CASE WHEN pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')
		THEN coalesce(' (' || nullif(current_setting('cron.database_name', true), '') || ')', '')
		ELSE ''
	END
$$;
COMMENT ON FUNCTION modelreg.cron_database_note() IS
	'The name of the database that pg_cron lives in, in parentheses, for hints; empty if it is not known to the role.';

CREATE FUNCTION @extschema@.modelreg_schedule_cleanup(schedule text DEFAULT '0 3 * * *')
	RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	job text := 'modelreg cleanup of ' || current_database();
	command text := 'CALL @extschema@.modelreg_cleanup()';
	cron text := modelreg.cron_function('schedule_in_database');
	job_id bigint;
BEGIN
	schedule := coalesce(schedule, '0 3 * * *');
	-- pg_cron's error repeats it
	IF length(schedule) > 256 THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'schedule is longer than 256 characters';
	END IF;
	IF NOT pg_has_role(current_user, 'modelreg_admin', 'USAGE') THEN
		RAISE EXCEPTION USING
			ERRCODE = 'insufficient_privilege',
			MESSAGE = 'permission denied to schedule the cleanup',
			HINT = 'Only roles with the rights of modelreg_admin may do this.';
	END IF;
	IF cron IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('pg_cron is not installed in database "%s"', current_database()),
			HINT = format(
				'In the database that pg_cron lives in%s, run: SELECT cron.schedule_in_database(%L, %L, %L, %L);',
				modelreg.cron_database_note(),
				job, schedule, command, current_database());
	END IF;

	EXECUTE format('SELECT %s($1, $2, $3, $4)', cron)
	INTO job_id
	USING job, schedule, command, current_database()::text;
	RETURN job_id;
END
$$;
COMMENT ON FUNCTION @extschema@.modelreg_schedule_cleanup(text) IS
	'Makes a pg_cron job of the calling role that calls modelreg_cleanup(); again with another schedule changes it. Returns the job''s id. Without pg_cron in this database it is an error (55000) whose hint is the call to make where pg_cron lives. Needs modelreg_admin and the rights that pg_cron asks for.';

CREATE FUNCTION @extschema@.modelreg_unschedule_cleanup() RETURNS boolean
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	job text := 'modelreg cleanup of ' || current_database();
	cron text := modelreg.cron_function('unschedule');
	found_job boolean;
	done boolean;
BEGIN
	IF NOT pg_has_role(current_user, 'modelreg_admin', 'USAGE') THEN
		RAISE EXCEPTION USING
			ERRCODE = 'insufficient_privilege',
			MESSAGE = 'permission denied to unschedule the cleanup',
			HINT = 'Only roles with the rights of modelreg_admin may do this.';
	END IF;
	IF cron IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('pg_cron is not installed in database "%s"', current_database()),
			HINT = format(
				'In the database that pg_cron lives in%s, run: SELECT cron.unschedule(%L);',
				modelreg.cron_database_note(),
				job);
	END IF;

	EXECUTE format('SELECT EXISTS (SELECT FROM %s.job WHERE jobname = $1 AND username = current_user)',
				   split_part(cron, '.', 1))
	INTO found_job
	USING job;
	IF NOT found_job THEN
		RETURN false;
	END IF;
	EXECUTE format('SELECT %s($1)', cron) INTO done USING job;
	RETURN done;
END
$$;
COMMENT ON FUNCTION @extschema@.modelreg_unschedule_cleanup() IS
	'Removes the calling role''s pg_cron job of modelreg_schedule_cleanup; false if there is none. Needs modelreg_admin.';

-- Scrubbing
CREATE FUNCTION @extschema@.modelreg_scrub(
	max_bytes bigint DEFAULT 1073741824
) RETURNS TABLE (
	artifacts bigint,
	bytes bigint,
	damaged bigint
)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
	AS 'MODULE_PATHNAME', 'modelreg_scrub';
COMMENT ON FUNCTION @extschema@.modelreg_scrub(bigint) IS
	'Verifies stored artifacts, the least recently verified first, as many as fit into max_bytes, but at least one; each once. Returns how many artifacts and bytes were read and how many artifacts are damaged; a WARNING names each, and the view modelreg.artifact_health keeps the results. Needs modelreg_admin.';
