/* ------------------------------------------------------------------
 * Is this installation sound?
 * ------------------------------------------------------------------ */

-- PostgreSQL takes any name with a dot while the library is not loaded, and
-- tells only then that there is no such setting.  The names in force are known
-- where this is called, since modelreg_check has loaded the library.
CREATE FUNCTION modelreg.unknown_settings()
	RETURNS TABLE (name text, place text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY
	SELECT c.setting, concat_ws(' in ',
		CASE WHEN s.setrole <> 0 THEN format('role %I', pg_get_userbyid(s.setrole)) END,
		CASE WHEN s.setdatabase <> 0 THEN format('database %I', d.datname) END)
	FROM pg_db_role_setting AS s
	LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
	CROSS JOIN LATERAL (SELECT split_part(u, '=', 1) FROM unnest(s.setconfig) AS u) AS c (setting)
	WHERE (s.setdatabase = 0 OR d.datname = current_database())
		AND lower(c.setting COLLATE "C") LIKE 'modelreg.%' AND NOT EXISTS (
			SELECT FROM pg_settings AS k WHERE lower(k.name COLLATE "C") = lower(c.setting COLLATE "C"));
	-- the files are for superusers, and whom these let
	IF has_table_privilege('pg_file_settings', 'SELECT')
		AND has_function_privilege('pg_show_all_file_settings()', 'EXECUTE')
	THEN
		RETURN QUERY
		SELECT DISTINCT f.name, f.sourcefile
		FROM pg_file_settings AS f
		WHERE lower(f.name COLLATE "C") LIKE 'modelreg.%' AND NOT EXISTS (
			SELECT FROM pg_settings AS k WHERE lower(k.name COLLATE "C") = lower(f.name COLLATE "C"));
	END IF;
END
$$;
COMMENT ON FUNCTION modelreg.unknown_settings() IS
	'Settings modelreg.… that there are not, of this database, of roles and, where the caller may read these, in the configuration files; and where they are set.';

-- What a clock that was ahead has left; a minute is nothing, on a replica say.
CREATE FUNCTION modelreg.times_ahead()
	RETURNS TABLE (problem text)
	LANGUAGE sql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
	(SELECT format('version %s was registered at %s: call modelreg_correct_time', v.model_id, modelreg.utc_text(v.registered_at))
	FROM modelreg.model_version AS v
	WHERE v.registered_at > statement_timestamp() + interval '1 minute'
	ORDER BY v.registered_at DESC, v.model_id DESC
	LIMIT 5)
	UNION ALL
	-- any event of the present ends this
	(SELECT DISTINCT format('the last event of model %s is of %s: until its next one, it counts as now', m.model_name, modelreg.utc_text(m.audit_at))
	FROM modelreg.audit_event AS e
	JOIN modelreg.model AS m ON m.model_key = e.model_key AND m.audit_at > statement_timestamp() + interval '1 minute'
	WHERE e.at > statement_timestamp() + interval '1 minute'
	ORDER BY 1
	LIMIT 5)
$$;
COMMENT ON FUNCTION modelreg.times_ahead() IS
	'Versions and models whose last time is yet to come, up to five of each, that the caller may see.';

-- pg_cron shows everybody his own jobs only, and its settings to few.
CREATE FUNCTION modelreg.check_cron()
	RETURNS TABLE (item text, ok boolean, detail text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	cron text := modelreg.cron_function('schedule_in_database');
	cron_schema text;
	settings text;
BEGIN
	IF cron IS NULL THEN
		RETURN QUERY VALUES
			('pg_cron', true, 'not in this database: run CALL modelreg_cleanup() by other means, or see the hint of modelreg_schedule_cleanup()'),
			('cleanup job', true, 'not known here: pg_cron is not in this database');
		RETURN;
	END IF;
	SELECT n.nspname INTO cron_schema
	FROM pg_extension AS e
	JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
		AND d.deptype = 'e' AND d.classid = 'pg_class'::regclass
	JOIN pg_class AS c ON c.oid = d.objid AND c.relname = 'job'
	JOIN pg_namespace AS n ON n.oid = c.relnamespace
	WHERE e.extname = 'pg_cron';

	item := 'pg_cron';
	IF NOT pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') THEN
		ok := true;
		detail := 'installed in this database: modelreg_schedule_cleanup() makes the job; its settings are for superusers and pg_read_all_settings';
	ELSE
		SELECT string_agg(format('%s = %s', s.name, s.setting), ', ' ORDER BY s.name COLLATE "C") INTO settings
		FROM pg_settings AS s
		WHERE s.name IN ('cron.database_name', 'cron.host', 'cron.launch_active_jobs', 'cron.log_run', 'cron.timezone', 'cron.use_background_workers');
		ok := settings IS NOT NULL
			AND current_setting('cron.database_name', true) = current_database()
			AND coalesce(current_setting('cron.launch_active_jobs', true), 'on') = 'on';
		detail := CASE
			WHEN settings IS NULL THEN 'not preloaded, so that no job runs: add pg_cron to shared_preload_libraries'
			WHEN current_setting('cron.database_name', true) <> current_database()
				THEN format('jobs of this database do not run, as pg_cron looks into another one (%s)', settings)
			WHEN NOT ok THEN format('no job runs (%s)', settings)
			ELSE format('installed in this database: modelreg_schedule_cleanup() makes the job (%s)', settings)
		END;
	END IF;
	RETURN NEXT;

	item := 'cleanup job';
	IF NOT has_schema_privilege(cron_schema, 'USAGE')
		OR NOT has_table_privilege(format('%I.job', cron_schema), 'SELECT')
		OR NOT has_table_privilege(format('%I.job_run_details', cron_schema), 'SELECT')
	THEN
		RETURN QUERY VALUES (item, true, 'not known: the jobs of pg_cron are for those who may read them');
		RETURN;
	END IF;
	RETURN QUERY EXECUTE format($query$
		SELECT 'cleanup job', coalesce(bool_and(j.ok), true),
			coalesce(string_agg(j.detail, '; ' ORDER BY j.jobid), 'there is none that you may see: modelreg_schedule_cleanup() makes one')
		FROM (
			SELECT r.jobid, r.active AND NOT r.is_late AND r.status IS DISTINCT FROM 'failed' AS ok,
				format('%%s (%%s): ', coalesce(r.jobname, 'job ' || r.jobid), r.schedule)
				|| CASE
					WHEN NOT r.active THEN 'is not active'
					WHEN r.status IS NULL THEN 'no run is recorded'
					ELSE concat_ws(', ',
						CASE r.status WHEN 'failed' THEN 'the last run failed: ' || modelreg.clip(r.return_message) ELSE 'the last run ' || r.status END,
						modelreg.utc_text(r.run_at),
						CASE WHEN r.is_late THEN 'which is long ago' END)
				END AS detail
			FROM (
				SELECT j.*, d.status, d.return_message, d.run_at,
					coalesce(d.run_at < statement_timestamp() - CASE
						WHEN j.schedule ~ '^\s*\S+\s+\S+\s+\*\s+\*\s+\*\s*$' OR j.schedule ~* 'second|^\s*@(daily|midnight|hourly)' THEN interval '2 days'
						WHEN j.schedule ~ '^\s*\S+\s+\S+\s+\*\s+\*\s+\S+\s*$' OR j.schedule ~* '^\s*@weekly' THEN interval '15 days'
						WHEN j.schedule ~ '^\s*\S+\s+\S+\s+\S+\s+\*\s+\S+\s*$' OR j.schedule ~* '^\s*@monthly' THEN interval '63 days'
						ELSE interval '750 days' END, false) AS is_late
				FROM %1$I.job AS j
				LEFT JOIN LATERAL (
					SELECT x.status, x.return_message, coalesce(x.start_time, x.end_time) AS run_at
					FROM %1$I.job_run_details AS x
					WHERE x.jobid = j.jobid
					ORDER BY x.runid DESC
					LIMIT 1
				) AS d ON true
				WHERE j.database = current_database() AND j.command ~ 'modelreg_cleanup'
			) AS r
		) AS j$query$, cron_schema);
END
$$;
COMMENT ON FUNCTION modelreg.check_cron() IS
	'What modelreg_check says of pg_cron: whether it can run jobs, and how the last run of each cleanup job that the caller may see ended.';

CREATE FUNCTION @extschema@.modelreg_check()
	RETURNS TABLE (item text, ok boolean, detail text)
	LANGUAGE sql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT 'version',
		e.extversion = modelreg.library_version(),
		format('extension %s, library %s', e.extversion, modelreg.library_version())
	FROM pg_extension AS e
	WHERE e.extname = 'modelreg'
	UNION ALL
	SELECT 'preload', modelreg.is_preloaded(),
		CASE WHEN modelreg.is_preloaded()
			THEN 'the library is preloaded'
			ELSE format('ALTER DATABASE %I SET session_preload_libraries = modelreg, so that SHOW and ALTER ... SET modelreg.* work in every session', current_database()) END
	UNION ALL
	SELECT 'settings', count(*) = 0,
		coalesce('there is no such setting: ' || string_agg(format('%s (%s)', u.name, u.place), ', ' ORDER BY u.name COLLATE "C", u.place COLLATE "C"),
			'every modelreg.* that is set exists')
	FROM modelreg.unknown_settings() AS u
	UNION ALL
	SELECT 'triggers', count(*) FILTER (WHERE t.tgenabled IS DISTINCT FROM w.mode) = 0,
		coalesce('missing, changed, or not enabled as they should be: '
			|| string_agg(w.tgname, ', ' ORDER BY w.tgname) FILTER (WHERE t.tgenabled IS DISTINCT FROM w.mode),
			'all guards and recorders are in place')
	FROM (
		SELECT k.relname || k.suffix AS tgname, c.oid AS tgrelid, k.function_name,
			k.mode::"char" AS mode, k.events
		FROM (
			-- BEFORE INSERT OR TRUNCATE for each statement
			SELECT r.relname, '_statement_guard' AS suffix, 'guard_statement' AS function_name, 'A' AS mode, 38 AS events
			FROM unnest(ARRAY['model', 'model_version', 'version_file', 'model_alias', 'artifact', 'artifact_chunk', 'chunk',
				'chunk_piece', 'upload', 'discarded_content', 'artifact_check', 'stage_rule',
				'metric_direction', 'audit_event']) AS r (relname)
			UNION ALL
			-- BEFORE or AFTER UPDATE OR DELETE for each row
			VALUES
				('model', '_row_guard', 'guard_model', 'A', 27),
				('model_version', '_row_guard', 'guard_version', 'A', 27),
				('version_file', '_row_guard', 'guard_bytes', 'A', 27),
				('model_alias', '_row_guard', 'guard_alias', 'A', 27),
				('artifact', '_row_guard', 'guard_bytes', 'A', 27),
				('artifact_chunk', '_row_guard', 'guard_bytes', 'A', 27),
				('chunk', '_row_guard', 'guard_bytes', 'A', 27),
				('chunk_piece', '_row_guard', 'guard_bytes', 'A', 27),
				('upload', '_row_guard', 'guard_internal', 'A', 27),
				('discarded_content', '_row_guard', 'guard_bytes', 'A', 27),
				('artifact_check', '_row_guard', 'guard_internal', 'A', 27),
				('stage_rule', '_row_guard', 'guard_setting', 'A', 27),
				('metric_direction', '_row_guard', 'guard_setting', 'A', 27),
				('audit_event', '_row_guard', 'guard_audit', 'A', 27),
				('model', '_recorder', 'record_model', 'O', 25),
				('model_version', '_recorder', 'record_version', 'O', 25),
				('model_alias', '_recorder', 'record_alias', 'O', 25),
				('stage_rule', '_recorder', 'record_setting', 'O', 25),
				('metric_direction', '_recorder', 'record_setting', 'O', 25),
				('model_alias', '_stamp', 'stamp_alias', 'O', 19),
				('model_version', '_stamp', 'stamp_version', 'O', 19)
		) AS k
		LEFT JOIN pg_class AS c ON c.relnamespace = 'modelreg'::regnamespace AND c.relname = k.relname
	) AS w
	LEFT JOIN pg_trigger AS t ON t.tgrelid = w.tgrelid AND t.tgname = w.tgname
		AND t.tgtype = w.events AND t.tgqual IS NULL
		AND EXISTS (
			SELECT FROM pg_proc AS p
			WHERE p.oid = t.tgfoid AND p.pronamespace = 'modelreg'::regnamespace
				AND p.proname = w.function_name
				AND p.prolang = (SELECT l.oid FROM pg_language AS l WHERE l.lanname = 'c'))
	UNION ALL
	-- schema-diff tools propose to drop what they do not know
	SELECT 'indexes and constraints', count(*) = 0,
		coalesce(string_agg(format('%s: %s', d.problem, d.repair), '; ' ORDER BY d.problem COLLATE "C"),
			'all are as installed')
	FROM modelreg.definition_problems() AS d
	UNION ALL
	-- they run inside our functions with the rights of modelreg_owner
	SELECT 'foreign triggers', count(*) = 0,
		coalesce('triggers and rules that are not ours: ' || string_agg(f.identity, ', ' ORDER BY f.identity),
			'there are none')
	FROM (
		SELECT format('%s on %s', t.tgname, c.relname) AS identity
		FROM pg_trigger AS t
		JOIN pg_class AS c ON c.oid = t.tgrelid
		JOIN pg_proc AS p ON p.oid = t.tgfoid
		WHERE c.relnamespace = 'modelreg'::regnamespace
			AND NOT t.tgisinternal
			AND NOT (p.pronamespace = 'modelreg'::regnamespace
				AND p.prolang = (SELECT l.oid FROM pg_language AS l WHERE l.lanname = 'c'))
		UNION ALL
		SELECT format('%s on %s', r.rulename, c.relname)
		FROM pg_rewrite AS r
		JOIN pg_class AS c ON c.oid = r.ev_class
		WHERE c.relnamespace = 'modelreg'::regnamespace
			AND r.rulename <> '_RETURN'
	) AS f
	UNION ALL
	SELECT 'owner', count(*) = 0,
		coalesce('not owned by modelreg_owner: ' || string_agg(o.identity, ', ' ORDER BY o.identity),
			'all objects belong to modelreg_owner')
	FROM (
		SELECT pg_describe_object('pg_class'::regclass, c.oid, 0) AS identity
		FROM pg_class AS c
		WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind IN ('r', 'v')
			AND pg_get_userbyid(c.relowner) <> 'modelreg_owner'
		UNION ALL
		SELECT pg_describe_object('pg_proc'::regclass, p.oid, 0)
		FROM pg_proc AS p
		JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
		JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
		WHERE e.extname = 'modelreg' AND pg_get_userbyid(p.proowner) <> 'modelreg_owner'
		UNION ALL
		SELECT pg_describe_object('pg_namespace'::regclass, n.oid, 0)
		FROM pg_namespace AS n
		WHERE n.nspname = 'modelreg' AND pg_get_userbyid(n.nspowner) <> 'modelreg_owner'
		UNION ALL
		SELECT pg_describe_object('pg_type'::regclass, t.oid, 0)
		FROM pg_type AS t
		WHERE t.typnamespace = 'modelreg'::regnamespace AND t.typtype IN ('e', 'b') AND t.typelem = 0
			AND pg_get_userbyid(t.typowner) <> 'modelreg_owner'
	) AS o
	UNION ALL
	(SELECT 'role ' || w.rolname,
		r.oid IS NOT NULL AND NOT (r.rolcanlogin OR r.rolsuper OR r.rolcreaterole OR r.rolcreatedb
								   OR r.rolreplication OR r.rolbypassrls OR NOT r.rolinherit)
			AND (w.rolname <> 'modelreg_owner' OR members.names IS NULL)
			AND (w.contains IS NULL OR pg_has_role(r.oid, w.contains, 'USAGE')),
		CASE
			WHEN r.oid IS NULL THEN 'is missing'
			WHEN r.rolcanlogin OR r.rolsuper OR r.rolcreaterole OR r.rolcreatedb
				OR r.rolreplication OR r.rolbypassrls OR NOT r.rolinherit
				THEN 'must have neither LOGIN nor attributes, but INHERIT'
			WHEN NOT pg_has_role(r.oid, w.contains, 'USAGE') THEN 'must be a member of ' || w.contains
			ELSE coalesce('members: ' || members.names, 'no members')
		END
	FROM (VALUES (1, 'modelreg_owner', NULL), (2, 'modelreg_reader', NULL),
		(3, 'modelreg_writer', 'modelreg_reader'), (4, 'modelreg_admin', 'modelreg_writer')) AS w (n, rolname, contains)
	LEFT JOIN pg_roles AS r ON r.rolname = w.rolname
	LEFT JOIN LATERAL (
		WITH RECURSIVE member AS (
			SELECT am.member, NULL::name AS through
			FROM pg_auth_members AS am
			JOIN pg_roles AS m ON m.oid = am.member
			WHERE am.roleid = r.oid
				AND (w.rolname, m.rolname) NOT IN (('modelreg_reader', 'modelreg_writer'), ('modelreg_writer', 'modelreg_admin'))
			UNION
			SELECT am.member, coalesce(b.through, g.rolname)
			FROM member AS b
			JOIN pg_roles AS g ON g.oid = b.member
			JOIN pg_auth_members AS am ON am.roleid = b.member
		)
		SELECT string_agg(m.rolname
			|| CASE WHEN m.rolsuper THEN ' (superuser)' WHEN m.rolcreaterole THEN ' (CREATEROLE)' ELSE '' END
			|| coalesce(' through ' || b.through, ''), ', ' ORDER BY m.rolname, b.through) AS names
		FROM member AS b
		JOIN pg_roles AS m ON m.oid = b.member
	) AS members ON true
	ORDER BY w.n)
	UNION ALL
	-- before 16, CREATEROLE lets its holder grant himself any role but a superuser's
	SELECT 'superusers', true,
		'log in and are bound by no rule: ' || coalesce(string_agg(r.rolname, ', ' ORDER BY r.rolname) FILTER (WHERE r.rolsuper), 'nobody')
			|| coalesce('; may grant themselves modelreg_admin: ' || string_agg(r.rolname, ', ' ORDER BY r.rolname) FILTER (WHERE NOT r.rolsuper), '')
	FROM pg_roles AS r
	WHERE r.rolcanlogin
		AND (r.rolsuper OR r.rolcreaterole AND current_setting('server_version_num')::integer < 160000)
	UNION ALL
	-- Who may create triggers or objects of ours could have code run as modelreg_owner.
	SELECT 'grants', coalesce(bool_and(g.ok), true),
		coalesce('granted directly: ' || string_agg(g.what, '; ' ORDER BY g.what),
			'nothing is granted but to the roles above')
	FROM (
		SELECT bool_and(a.privilege_type NOT IN ('TRIGGER', 'CREATE')) AS ok,
			format('%s on %s to %s', string_agg(DISTINCT a.privilege_type, ', ' ORDER BY a.privilege_type), o.identity,
				pg_get_userbyid(a.grantee)) AS what
		FROM (
			SELECT pg_describe_object(d.classid, d.objid, 0) AS identity,
				coalesce(c.relacl, p.proacl, n.nspacl, t.typacl) AS acl,
				coalesce(c.relowner, p.proowner, n.nspowner, t.typowner) AS owner
			FROM pg_depend AS d
			JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
			LEFT JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
			LEFT JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
			LEFT JOIN pg_namespace AS n ON d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
			LEFT JOIN pg_type AS t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
			WHERE e.extname = 'modelreg' AND d.deptype = 'e'
			UNION ALL
			SELECT pg_describe_object('pg_class'::regclass, t.attrelid, t.attnum), t.attacl, c.relowner
			FROM pg_attribute AS t
			JOIN pg_class AS c ON c.oid = t.attrelid
			WHERE c.relnamespace = 'modelreg'::regnamespace
		) AS o,
			aclexplode(o.acl) AS a
		WHERE a.grantee NOT IN (0, o.owner) AND pg_get_userbyid(a.grantee) NOT IN ('modelreg_owner', 'modelreg_reader', 'modelreg_writer', 'modelreg_admin')
		GROUP BY o.identity, a.grantee
	) AS g
	UNION ALL
	SELECT 'public', count(*) = 0,
		coalesce('PUBLIC has rights on: ' || string_agg(x.identity, ', ' ORDER BY x.identity),
			'PUBLIC has no rights')
	FROM (
		SELECT pg_describe_object(d.classid, d.objid, 0) AS identity
		FROM pg_depend AS d
		JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
		LEFT JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
		LEFT JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
		LEFT JOIN pg_namespace AS n ON d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
		WHERE e.extname = 'modelreg' AND d.deptype = 'e'
			AND EXISTS (
				SELECT FROM aclexplode(coalesce(c.relacl, n.nspacl,
					CASE WHEN p.oid IS NOT NULL THEN coalesce(p.proacl, acldefault('f', p.proowner)) END)) AS a
				WHERE a.grantee = 0)
		UNION ALL
		SELECT pg_describe_object('pg_type'::regclass, t.oid, 0)
		FROM pg_type AS t,
			aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) AS a
		WHERE t.typnamespace = 'modelreg'::regnamespace AND t.typtype IN ('e', 'b') AND t.typelem = 0 AND a.grantee = 0
		UNION ALL
		SELECT pg_describe_object('pg_class'::regclass, t.attrelid, t.attnum)
		FROM pg_attribute AS t
		JOIN pg_class AS c ON c.oid = t.attrelid,
			aclexplode(t.attacl) AS a
		WHERE c.relnamespace = 'modelreg'::regnamespace AND a.grantee = 0
	) AS x
	UNION ALL
	-- What tells of a version or a model: a policy on one of them hides nothing.
	SELECT 'row security', count(*) FILTER (WHERE c.relrowsecurity) IN (0, count(*)),
		CASE count(*) FILTER (WHERE c.relrowsecurity)
			WHEN 0 THEN 'not enabled: every reader sees all models'
			WHEN count(*) THEN 'enabled on all tables that tell of versions'
			ELSE 'enabled on some tables only; these tell of what it hides: '
				|| string_agg(c.relname, ', ' ORDER BY c.relname) FILTER (WHERE NOT c.relrowsecurity)
		END
	FROM pg_class AS c
	WHERE c.relnamespace = 'modelreg'::regnamespace
		AND c.relname IN ('model', 'model_version', 'version_file', 'model_alias', 'audit_event',
			'artifact', 'artifact_check', 'artifact_chunk', 'chunk', 'upload')
	UNION ALL
	-- Parameters are logged in full by default: 20 MB of log for an artifact of 5 MB.
	SELECT 'statement log',
		NOT (parameters.logged AND (duration.setting::integer >= 0 OR statements.setting IN ('mod', 'all')
									OR sampled.setting::integer >= 0 OR transactions.setting::float8 > 0)),
		CASE WHEN parameters.logged AND (duration.setting::integer >= 0 OR statements.setting IN ('mod', 'all')
										 OR sampled.setting::integer >= 0 OR transactions.setting::float8 > 0)
			THEN 'statements are logged with whole artifacts in their parameters: set log_parameter_max_length = 1024 or less'
			ELSE 'the statement log takes up no artifacts' END
	FROM (SELECT setting::integer NOT BETWEEN 0 AND 65536 AS logged FROM pg_settings WHERE name = 'log_parameter_max_length') AS parameters,
		(SELECT setting FROM pg_settings WHERE name = 'log_min_duration_statement') AS duration,
		(SELECT setting FROM pg_settings WHERE name = 'log_min_duration_sample') AS sampled,
		(SELECT setting FROM pg_settings WHERE name = 'log_transaction_sample_rate') AS transactions,
		(SELECT setting FROM pg_settings WHERE name = 'log_statement') AS statements
	UNION ALL
	SELECT 'error log', p.setting::integer BETWEEN 0 AND 65536,
		CASE WHEN p.setting::integer BETWEEN 0 AND 65536
			THEN 'errors are logged without artifacts'
			ELSE 'errors are logged with whole artifacts in their parameters: set log_parameter_max_length_on_error = 0' END
	FROM pg_settings AS p
	WHERE p.name = 'log_parameter_max_length_on_error'
	UNION ALL
	SELECT 'auto_explain', NOT e.logged,
		CASE
			WHEN e.threshold IS NULL THEN 'not loaded in this session'
			WHEN e.logged THEN 'auto_explain writes whole artifacts to the log: switch auto_explain.log_verbose off, and from PostgreSQL 16 on set auto_explain.log_parameter_max_length = 1024 or less'
			ELSE 'takes up no artifacts'
		END
	FROM (
		SELECT m.setting AS threshold,
			coalesce(m.setting, '-1') <> '-1'
				AND (coalesce(v.setting, 'off') = 'on'
					OR coalesce(p.setting::integer NOT BETWEEN 0 AND 65536, false)) AS logged
		FROM (SELECT) AS one
		LEFT JOIN pg_settings AS m ON m.name = 'auto_explain.log_min_duration'
		LEFT JOIN pg_settings AS v ON v.name = 'auto_explain.log_verbose'
		LEFT JOIN pg_settings AS p ON p.name = 'auto_explain.log_parameter_max_length'
	) AS e
	UNION ALL
	SELECT 'compression', c.enumvals @> '{lz4,zstd}',
		CASE WHEN c.enumvals @> '{lz4,zstd}'
			THEN 'lz4 and zstd are built in; new artifacts: ' || c.setting
			ELSE 'built without lz4 or zstd: what they compressed cannot be read; built in: ' || array_to_string(c.enumvals, ', ') END
	FROM pg_settings AS c
	WHERE c.name = 'modelreg.compression'
	UNION ALL
	SELECT 'times', count(*) = 0,
		coalesce('a clock was ahead: ' || string_agg(a.problem, '; ' ORDER BY a.problem COLLATE "C"),
			'no version and no model is from the future')
	FROM modelreg.times_ahead() AS a
	UNION ALL
	SELECT c.* FROM modelreg.check_cron() AS c
$$;
COMMENT ON FUNCTION @extschema@.modelreg_check() IS
	'Is this installation sound: versions, preload, settings, triggers in their mode, indexes and constraints, owner, roles and their members, direct grants, rights of PUBLIC, row-level security, logs that would swallow artifacts, compression, times in the future, pg_cron and how the last cleanup ended.';
