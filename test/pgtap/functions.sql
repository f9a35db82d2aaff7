-- The functions: signatures, and how they are declared; the settings.
BEGIN;
SELECT plan(6);

-- what belongs to the extension
CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid, x.extnamespace
	FROM pg_depend AS d
	JOIN pg_extension AS x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid
	WHERE x.extname = 'modelreg' AND d.deptype = 'e';

SELECT set_eq($$
	SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ')' AS signature,
		COALESCE(pg_get_function_result(p.oid), 'procedure') AS result,
		l.lanname
			|| CASE p.provolatile WHEN 'i' THEN ' immutable' WHEN 's' THEN ' stable' ELSE ' volatile' END
			|| CASE WHEN p.proisstrict THEN ' strict' ELSE '' END
			|| CASE p.proparallel WHEN 's' THEN ' safe' WHEN 'r' THEN ' restricted' ELSE ' unsafe' END AS properties
	FROM pg_proc AS p
	JOIN pg_language AS l ON l.oid = p.prolang
	JOIN member AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
	WHERE p.pronamespace = d.extnamespace$$, $$
	VALUES
		('modelreg_at(instant timestamp with time zone, model_name text DEFAULT NULL::text)', 'TABLE(model_name text, model_id text, version text, deployment_stage modelreg.deployment_stage)', 'sql stable safe'),
		('modelreg_audit_head()', 'jsonb', 'sql stable safe'),
		('modelreg_audit_verify(model_name text DEFAULT NULL::text, anchor jsonb DEFAULT NULL::jsonb)', 'TABLE(model_name text, events bigint, ok boolean, first_bad_seq bigint, problem text)', 'sql stable unsafe'),
		('modelreg_check()', 'TABLE(item text, ok boolean, detail text)', 'sql stable restricted'),
		('modelreg_check_registration(model_type text, version text DEFAULT NULL::text, model_name text DEFAULT NULL::text, performance_metrics jsonb DEFAULT ''{}''::jsonb, deployment_stage text DEFAULT ''development''::text, tags text[] DEFAULT ''{}''::text[], notes text DEFAULT ''''::text, model_config jsonb DEFAULT ''{}''::jsonb, training_metadata jsonb DEFAULT ''{}''::jsonb, dataset_version text DEFAULT NULL::text, parent_ids text[] DEFAULT ''{}''::text[], created_at timestamp with time zone DEFAULT NULL::timestamp with time zone, expected_checksum text DEFAULT NULL::text, properties jsonb DEFAULT ''{}''::jsonb)', 'void', 'c stable restricted'),
		('modelreg_cleanup(INOUT deleted bigint DEFAULT NULL::bigint, IN keep_production boolean DEFAULT true, IN model_name text DEFAULT NULL::text, IN batch_size integer DEFAULT 100)', 'procedure', 'plpgsql volatile unsafe'),
		('modelreg_cleanup_preview(keep_production boolean DEFAULT true, model_name text DEFAULT NULL::text)', 'TABLE(model_name text, model_id text, version text, deployment_stage modelreg.deployment_stage, registered_at timestamp with time zone, artifact_size bigint, reason text)', 'sql stable safe'),
		('modelreg_compare(model_ids text[], metrics text[] DEFAULT NULL::text[])', 'TABLE(metric text, model_id text, version text, deployment_stage modelreg.deployment_stage, value double precision, rank integer, delta double precision, is_best boolean, higher_is_better boolean)', 'plpgsql stable safe'),
		('modelreg_create_model(model_name text, model_type text DEFAULT NULL::text, description text DEFAULT ''''::text, tags text[] DEFAULT ''{}''::text[], properties jsonb DEFAULT ''{}''::jsonb, exclusive_production boolean DEFAULT true, max_versions integer DEFAULT NULL::integer, auto_cleanup boolean DEFAULT NULL::boolean, require_metadata boolean DEFAULT NULL::boolean, reason text DEFAULT ''''::text)', 'modelreg.model', 'c volatile unsafe'),
		('modelreg_correct_time(model_id text, registered_at timestamp with time zone, reason text DEFAULT ''''::text)', 'modelreg.model_version', 'c volatile unsafe'),
		('modelreg_delete(model_id text, force boolean DEFAULT false, reason text DEFAULT ''''::text)', 'void', 'c volatile unsafe'),
		('modelreg_delete_model(model_name text, force boolean DEFAULT false, reason text DEFAULT ''''::text)', 'void', 'c volatile unsafe'),
		('modelreg_download(model_id text, byte_offset bigint DEFAULT 0, length bigint DEFAULT NULL::bigint, piece_size integer DEFAULT 1048576, path text DEFAULT NULL::text)', 'SETOF bytea', 'c stable restricted'),
		('modelreg_drop_alias(model_name text, alias text, reason text DEFAULT ''''::text)', 'boolean', 'c volatile unsafe'),
		('modelreg_find_latest(model_type text DEFAULT NULL::text, deployment_stage text DEFAULT NULL::text, min_performance jsonb DEFAULT ''{}''::jsonb, tags text[] DEFAULT ''{}''::text[], model_name text DEFAULT NULL::text, version text DEFAULT NULL::text, max_performance jsonb DEFAULT ''{}''::jsonb)', 'SETOF modelreg.model_version', 'c stable safe'),
		('modelreg_history(model_name text DEFAULT NULL::text, model_id text DEFAULT NULL::text, since timestamp with time zone DEFAULT NULL::timestamp with time zone)', 'SETOF modelreg.audit_event', 'plpgsql stable safe'),
		('modelreg_info(model_id text)', 'SETOF modelreg.model_version', 'sql stable safe'),
		('modelreg_list(model_type text DEFAULT NULL::text, deployment_stage text DEFAULT NULL::text, min_performance jsonb DEFAULT ''{}''::jsonb, tags text[] DEFAULT ''{}''::text[], model_name text DEFAULT NULL::text, version text DEFAULT NULL::text, max_performance jsonb DEFAULT ''{}''::jsonb, max_rows integer DEFAULT NULL::integer, before_id text DEFAULT NULL::text)', 'SETOF modelreg.model_version', 'c stable safe'),
		('modelreg_load(model_id text, verify_checksum boolean DEFAULT NULL::boolean, path text DEFAULT NULL::text)', 'bytea', 'c stable safe'),
		('modelreg_load_latest(model_type text DEFAULT NULL::text, deployment_stage text DEFAULT NULL::text, min_performance jsonb DEFAULT ''{}''::jsonb, tags text[] DEFAULT ''{}''::text[], model_name text DEFAULT NULL::text, version text DEFAULT NULL::text, max_performance jsonb DEFAULT ''{}''::jsonb, verify_checksum boolean DEFAULT NULL::boolean)', 'TABLE(model_id text, model_name text, model_type text, version text, deployment_stage modelreg.deployment_stage, checksum text, performance_metrics jsonb, artifact bytea)', 'c stable safe'),
		('modelreg_register(artifact bytea, model_type text, version text DEFAULT NULL::text, model_name text DEFAULT NULL::text, performance_metrics jsonb DEFAULT ''{}''::jsonb, deployment_stage text DEFAULT ''development''::text, tags text[] DEFAULT ''{}''::text[], notes text DEFAULT ''''::text, model_config jsonb DEFAULT ''{}''::jsonb, training_metadata jsonb DEFAULT ''{}''::jsonb, dataset_version text DEFAULT NULL::text, parent_ids text[] DEFAULT ''{}''::text[], created_at timestamp with time zone DEFAULT NULL::timestamp with time zone, expected_checksum text DEFAULT NULL::text, properties jsonb DEFAULT ''{}''::jsonb)', 'modelreg.model_version', 'c volatile unsafe'),
		('modelreg_register_files(paths text[], upload_ids uuid[], model_type text, version text DEFAULT NULL::text, model_name text DEFAULT NULL::text, performance_metrics jsonb DEFAULT ''{}''::jsonb, deployment_stage text DEFAULT ''development''::text, tags text[] DEFAULT ''{}''::text[], notes text DEFAULT ''''::text, model_config jsonb DEFAULT ''{}''::jsonb, training_metadata jsonb DEFAULT ''{}''::jsonb, dataset_version text DEFAULT NULL::text, parent_ids text[] DEFAULT ''{}''::text[], created_at timestamp with time zone DEFAULT NULL::timestamp with time zone, expected_checksum text DEFAULT NULL::text, properties jsonb DEFAULT ''{}''::jsonb)', 'modelreg.model_version', 'c volatile unsafe'),
		('modelreg_register_upload(upload_id uuid, model_type text, version text DEFAULT NULL::text, model_name text DEFAULT NULL::text, performance_metrics jsonb DEFAULT ''{}''::jsonb, deployment_stage text DEFAULT ''development''::text, tags text[] DEFAULT ''{}''::text[], notes text DEFAULT ''''::text, model_config jsonb DEFAULT ''{}''::jsonb, training_metadata jsonb DEFAULT ''{}''::jsonb, dataset_version text DEFAULT NULL::text, parent_ids text[] DEFAULT ''{}''::text[], created_at timestamp with time zone DEFAULT NULL::timestamp with time zone, expected_checksum text DEFAULT NULL::text, properties jsonb DEFAULT ''{}''::jsonb)', 'modelreg.model_version', 'c volatile unsafe'),
		('modelreg_reassign(from_role text, to_role text, reason text DEFAULT ''''::text)', 'bigint', 'c volatile unsafe'),
		('modelreg_rename_model(model_name text, new_name text, reason text DEFAULT ''''::text)', 'modelreg.model', 'c volatile unsafe'),
		('modelreg_resolve(model_name text, alias text)', 'SETOF modelreg.model_version', 'sql stable safe'),
		('modelreg_schedule_cleanup(schedule text DEFAULT ''0 3 * * *''::text)', 'bigint', 'plpgsql volatile unsafe'),
		('modelreg_scrub(max_bytes bigint DEFAULT 1073741824)', 'TABLE(artifacts bigint, bytes bigint, damaged bigint)', 'c volatile unsafe'),
		('modelreg_set_alias(model_id text, alias text, reason text DEFAULT ''''::text)', 'modelreg.model_alias', 'c volatile unsafe'),
		('modelreg_set_metric_direction(metric text, higher_is_better boolean, reason text DEFAULT ''''::text)', 'void', 'c volatile unsafe'),
		('modelreg_set_stage_rule(from_stage text, to_stage text, allowed boolean, reason text DEFAULT ''''::text)', 'void', 'c volatile unsafe'),
		('modelreg_unschedule_cleanup()', 'boolean', 'plpgsql volatile unsafe'),
		('modelreg_update(model_id text, notes text DEFAULT NULL::text, tags text[] DEFAULT NULL::text[], performance_metrics jsonb DEFAULT NULL::jsonb, reason text DEFAULT ''''::text, properties jsonb DEFAULT NULL::jsonb)', 'modelreg.model_version', 'c volatile unsafe'),
		('modelreg_update_model(model_name text, description text DEFAULT NULL::text, tags text[] DEFAULT NULL::text[], properties jsonb DEFAULT NULL::jsonb, exclusive_production boolean DEFAULT NULL::boolean, max_versions integer DEFAULT NULL::integer, auto_cleanup boolean DEFAULT NULL::boolean, require_metadata boolean DEFAULT NULL::boolean, reset text[] DEFAULT ''{}''::text[], reason text DEFAULT ''''::text)', 'modelreg.model', 'c volatile unsafe'),
		('modelreg_update_stage(model_id text, new_stage text, reason text DEFAULT ''''::text)', 'modelreg.model_version', 'c volatile unsafe'),
		('modelreg_upload_abort(upload_id uuid)', 'void', 'c volatile unsafe'),
		('modelreg_upload_append(upload_id uuid, data bytea, byte_offset bigint DEFAULT NULL::bigint)', 'bigint', 'c volatile unsafe'),
		('modelreg_upload_begin(expected_size bigint DEFAULT NULL::bigint)', 'uuid', 'c volatile unsafe'),
		('modelreg_upload_status(upload_id uuid)', 'TABLE(bytes_held bigint, expected_size bigint, created_by text, created_at timestamp with time zone, last_append_at timestamp with time zone, expires_at timestamp with time zone)', 'c stable restricted'),
		('modelreg_verify(model_id text DEFAULT NULL::text)', 'TABLE(model_id text, ok boolean, expected text, actual text, problem text)', 'c stable restricted')
	$$, 'the public functions: arguments with defaults, result, language, volatility, parallel safety');

SELECT set_eq($$
	SELECT p.proname || '(' || oidvectortypes(p.proargtypes) || ')' AS signature,
		COALESCE(pg_get_function_result(p.oid), 'procedure') AS result,
		l.lanname
			|| CASE p.provolatile WHEN 'i' THEN ' immutable' WHEN 's' THEN ' stable' ELSE ' volatile' END
			|| CASE WHEN p.proisstrict THEN ' strict' ELSE '' END
			|| CASE p.proparallel WHEN 's' THEN ' safe' WHEN 'r' THEN ' restricted' ELSE ' unsafe' END AS properties
	FROM pg_proc AS p
	JOIN pg_language AS l ON l.oid = p.prolang
	JOIN member AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
	WHERE p.pronamespace = 'modelreg'::regnamespace$$, $$
	VALUES
		('alias_snapshot(modelreg.model_alias)', 'jsonb', 'sql stable safe'),
		('anchor_problems(jsonb)', 'TABLE(model_key uuid, seq bigint, problem text)', 'sql stable safe'),
		('audit_hash(bytea, smallint, uuid, bigint, timestamp with time zone, text, text, text, text, jsonb, xid8, jsonb, jsonb, text)', 'bytea', 'c immutable safe'),
		('chain_keys(text, jsonb)', 'uuid[]', 'sql stable safe'),
		('chain_name(uuid, jsonb)', 'text', 'sql stable safe'),
		('chain_problems(uuid[])', 'TABLE(model_key uuid, seq bigint, problem text)', 'sql stable safe'),
		('check_anchor(jsonb)', 'void', 'plpgsql stable safe'),
		('check_cron()', 'TABLE(item text, ok boolean, detail text)', 'plpgsql stable restricted'),
		('cleanup_artifacts(integer)', 'integer', 'c volatile unsafe'),
		('cleanup_begin(text, integer)', 'uuid[]', 'c volatile unsafe'),
		('cleanup_contents(integer, uuid)', 'uuid', 'c volatile unsafe'),
		('cleanup_end()', 'void', 'c volatile unsafe'),
		('cleanup_uploads(integer)', 'integer', 'c volatile unsafe'),
		('cleanup_versions(uuid, boolean, integer)', 'integer', 'c volatile unsafe'),
		('clip(text)', 'text', 'c immutable strict safe'),
		('cron_database_note()', 'text', 'sql stable safe'),
		('cron_function(text)', 'text', 'sql stable safe'),
		('definition_problems()', 'TABLE(problem text, repair text)', 'sql stable safe'),
		('installed_definitions()', 'TABLE(kind text, relation text, name text, definition text)', 'sql immutable safe'),
		('present_definitions()', 'TABLE(kind text, relation text, name text, definition text, sound boolean)', 'sql stable safe'),
		('times_ahead()', 'TABLE(problem text)', 'sql stable restricted'),
		('different_keys(jsonb, jsonb)', 'text', 'sql immutable safe'),
		('guard_alias()', 'trigger', 'c volatile unsafe'),
		('guard_audit()', 'trigger', 'c volatile unsafe'),
		('merge_properties(jsonb, jsonb)', 'jsonb', 'c immutable safe'),
		('stamp_alias()', 'trigger', 'c volatile unsafe'),
		('record_alias()', 'trigger', 'c volatile unsafe'),
		('guard_bytes()', 'trigger', 'c volatile unsafe'),
		('guard_internal()', 'trigger', 'c volatile unsafe'),
		('guard_model()', 'trigger', 'c volatile unsafe'),
		('guard_setting()', 'trigger', 'c volatile unsafe'),
		('guard_statement()', 'trigger', 'c volatile unsafe'),
		('guard_version()', 'trigger', 'c volatile unsafe'),
		('higher_is_better(text)', 'boolean', 'sql stable strict safe'),
		('higher_is_better_by_name(text)', 'boolean', 'c immutable strict safe'),
		('is_preloaded()', 'boolean', 'c stable safe'),
		('issue_rank(text, text)', 'text', 'c immutable strict safe'),
		('last_before(uuid, timestamp with time zone)', 'bigint', 'sql stable safe'),
		('key_time(uuid)', 'timestamp with time zone', 'sql immutable strict safe'),
		('jsonb_merge(jsonb)', 'jsonb', 'internal immutable safe'),
		('library_version()', 'text', 'c stable safe'),
		('model_snapshot(modelreg.model)', 'jsonb', 'sql stable safe'),
		('record_model()', 'trigger', 'c volatile unsafe'),
		('record_setting()', 'trigger', 'c volatile unsafe'),
		('record_version()', 'trigger', 'c volatile unsafe'),
		('require_model(text)', 'void', 'plpgsql stable safe'),
		('role_ref_in(cstring)', 'modelreg.role_ref', 'c stable strict safe'),
		('role_ref_out(modelreg.role_ref)', 'cstring', 'c stable strict safe'),
		('role_ref_recv(internal)', 'modelreg.role_ref', 'c stable strict safe'),
		('role_ref_send(modelreg.role_ref)', 'bytea', 'c stable strict safe'),
		('role_ref(text)', 'modelreg.role_ref', 'c stable strict safe'),
		('role_ref(name)', 'modelreg.role_ref', 'c stable strict safe'),
		('role_ref_role(modelreg.role_ref)', 'regrole', 'c stable strict safe'),
		('role_ref_written(modelreg.role_ref)', 'text', 'c immutable strict safe'),
		('role_ref_source(modelreg.role_ref)', 'text', 'c stable strict safe'),
		('role_ref_agrees(modelreg.role_ref, text, text)', 'boolean', 'c stable safe'),
		('role_ref_eq(modelreg.role_ref, modelreg.role_ref)', 'boolean', 'c immutable strict safe'),
		('role_ref_ne(modelreg.role_ref, modelreg.role_ref)', 'boolean', 'c immutable strict safe'),
		('role_ref_lt(modelreg.role_ref, modelreg.role_ref)', 'boolean', 'c immutable strict safe'),
		('role_ref_le(modelreg.role_ref, modelreg.role_ref)', 'boolean', 'c immutable strict safe'),
		('role_ref_gt(modelreg.role_ref, modelreg.role_ref)', 'boolean', 'c immutable strict safe'),
		('role_ref_ge(modelreg.role_ref, modelreg.role_ref)', 'boolean', 'c immutable strict safe'),
		('role_ref_cmp(modelreg.role_ref, modelreg.role_ref)', 'integer', 'c immutable strict safe'),
		('role_ref_hash(modelreg.role_ref)', 'integer', 'c immutable strict safe'),
		('role_ref_hash_extended(modelreg.role_ref, bigint)', 'bigint', 'c immutable strict safe'),
		('semver_compare(text, text)', 'integer', 'c immutable strict safe'),
		('semver_next_minor(text)', 'text', 'c immutable strict safe'),
		('semver_valid(text)', 'boolean', 'c immutable strict safe'),
		('setting_max_versions()', 'integer', 'c stable safe'),
		('stamp_version()', 'trigger', 'c volatile unsafe'),
		('unreadable_event(uuid)', 'bigint', 'plpgsql stable unsafe'),
		('verify_chains(uuid[], jsonb)', 'TABLE(model_name text, events bigint, ok boolean, first_bad_seq bigint, problem text)', 'sql stable safe'),
		('verify_each_chain(text, jsonb)', 'TABLE(model_name text, events bigint, ok boolean, first_bad_seq bigint, problem text)', 'plpgsql stable unsafe'),
		('verify_trail(text, jsonb)', 'TABLE(model_name text, events bigint, ok boolean, first_bad_seq bigint, problem text)', 'plpgsql stable unsafe'),
		('trail_problems(uuid[])', 'TABLE(model_key uuid, seq bigint, problem text)', 'sql stable safe'),
		('unknown_settings()', 'TABLE(name text, place text)', 'plpgsql stable restricted'),
		('utc_text(timestamp with time zone)', 'text', 'sql stable safe'),
		('version_snapshot(modelreg.model_version)', 'jsonb', 'sql stable safe')
	$$, 'the inner functions');

SELECT is_empty($$
	SELECT p.oid::regprocedure
	FROM pg_proc AS p
	JOIN member AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
	WHERE p.prosecdef
	$$, 'no SECURITY DEFINER function');

SELECT is_empty($$
	SELECT p.oid::regprocedure
	FROM pg_proc AS p
	JOIN pg_language AS l ON l.oid = p.prolang
	JOIN member AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
	WHERE l.lanname = 'plpgsql' AND p.prokind = 'f'
		AND ('search_path=pg_catalog, pg_temp' = ANY (p.proconfig)) IS NOT TRUE
	$$, 'every PL/pgSQL function pins its search_path');

SELECT is((SELECT p.proconfig FROM pg_proc AS p WHERE p.proname = 'modelreg_cleanup'), NULL,
	'modelreg_cleanup has no SET, with which it could not commit');

SELECT set_eq($$
	SELECT s.name, s.vartype, s.boot_val, s.context, s.enumvals::text
	FROM pg_settings AS s WHERE s.name LIKE 'modelreg.%'$$, $$
	VALUES
		('modelreg.auto_cleanup', 'bool', 'off', 'superuser', NULL),
		('modelreg.compression', 'enum', 'lz4', 'user', '{none,lz4,zstd}'),
		('modelreg.hash_in_thread', 'bool', 'on', 'user', NULL),
		('modelreg.max_versions', 'integer', '10', 'superuser', NULL),
		('modelreg.notify', 'enum', 'stage', 'superuser', '{none,stage,all}'),
		('modelreg.reason', 'string', '', 'user', NULL),
		('modelreg.require_metadata', 'bool', 'on', 'superuser', NULL),
		('modelreg.upload_expiry', 'integer', '86400', 'superuser', NULL),
		('modelreg.verify_checksums', 'bool', 'on', 'user', NULL)
	$$, 'the settings: type, default, who may set them');

SELECT * FROM finish();
ROLLBACK;
