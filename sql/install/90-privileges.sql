/* ------------------------------------------------------------------
 * Owner and privileges.  The owner is set before anything is granted, so that
 * what pg_dump takes for the initial privileges is what they are.
 * ------------------------------------------------------------------ */
DO LANGUAGE plpgsql $owner$
DECLARE
	member record;
	stranger record;
BEGIN
	FOR member IN
		SELECT d.classid, d.objid, i.type, i.identity
		FROM pg_catalog.pg_depend AS d
		JOIN pg_catalog.pg_extension AS e ON e.oid OPERATOR(pg_catalog.=) d.refobjid,
			pg_catalog.pg_identify_object(d.classid, d.objid, 0) AS i
		WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
			AND e.extname OPERATOR(pg_catalog.=) 'modelreg'::pg_catalog.name
			AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog."char"
			AND i.type OPERATOR(pg_catalog.=) ANY (ARRAY['schema', 'table', 'view', 'type', 'function', 'procedure', 'aggregate', 'operator', 'operator class', 'operator family']::pg_catalog.text[])
			-- row types and array types follow what they belong to
			AND NOT EXISTS (
				SELECT FROM pg_catalog.pg_type AS t
				WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass
					AND t.oid OPERATOR(pg_catalog.=) d.objid
					AND (t.typtype OPERATOR(pg_catalog.=) 'c'::pg_catalog."char"
						 OR t.typelem OPERATOR(pg_catalog.<>) 0::pg_catalog.oid))
	LOOP
		EXECUTE pg_catalog.format('ALTER %s %s OWNER TO modelreg_owner',
								  pg_catalog.upper(member.type COLLATE pg_catalog."C"), member.identity);

		-- PUBLIC's rights on functions and types, and whatever the installing
		-- superuser's default privileges gave to whomever
		FOR stranger IN
			SELECT DISTINCT a.grantee
			FROM (
				SELECT c.relacl AS acl, c.relowner AS owner FROM pg_catalog.pg_class AS c
				WHERE member.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
					AND c.oid OPERATOR(pg_catalog.=) member.objid
				UNION ALL
				SELECT COALESCE(p.proacl, pg_catalog.acldefault('f'::pg_catalog."char", p.proowner)), p.proowner
				FROM pg_catalog.pg_proc AS p
				WHERE member.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
					AND p.oid OPERATOR(pg_catalog.=) member.objid
				UNION ALL
				SELECT COALESCE(t.typacl, pg_catalog.acldefault('T'::pg_catalog."char", t.typowner)), t.typowner
				FROM pg_catalog.pg_type AS t
				WHERE member.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass
					AND t.oid OPERATOR(pg_catalog.=) member.objid
				UNION ALL
				SELECT n.nspacl, n.nspowner FROM pg_catalog.pg_namespace AS n
				WHERE member.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
					AND n.oid OPERATOR(pg_catalog.=) member.objid
			) AS o,
				pg_catalog.aclexplode(o.acl) AS a
			WHERE a.grantee OPERATOR(pg_catalog.<>) o.owner
		LOOP
			EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %s CASCADE',
				CASE
					WHEN member.type OPERATOR(pg_catalog.=) ANY (ARRAY['table', 'view']::pg_catalog.text[]) THEN 'TABLE'
					WHEN member.type OPERATOR(pg_catalog.=) ANY (ARRAY['function', 'procedure', 'aggregate']::pg_catalog.text[]) THEN 'ROUTINE'
					ELSE pg_catalog.upper(member.type COLLATE pg_catalog."C")
				END,
				member.identity,
				CASE
					WHEN stranger.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN 'PUBLIC'
					ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(stranger.grantee)::pg_catalog.text)
				END);
		END LOOP;
	END LOOP;
END
$owner$;

-- The owner of the extension's schema, not of the functions, decides about that schema.
GRANT USAGE ON SCHEMA modelreg TO modelreg_reader;
GRANT USAGE ON TYPE modelreg.deployment_stage, modelreg.role_ref TO modelreg_reader;
GRANT SELECT ON
	modelreg.model, modelreg.model_version, modelreg.version_file, modelreg.model_alias, modelreg.artifact, modelreg.stage_rule,
	modelreg.metric_direction, modelreg.audit_event, modelreg.model_metric,
	modelreg.production_model, modelreg.storage_usage, modelreg.stage_history,
	modelreg.registry_stats, modelreg.artifact_check, modelreg.artifact_health
	TO modelreg_reader;
-- the directory of the bytes, for storage_usage; not the bytes
GRANT SELECT (content, chunk_no, chunk, byte_offset) ON modelreg.artifact_chunk TO modelreg_reader;
GRANT SELECT (chunk, raw_size, stored_size, codec) ON modelreg.chunk TO modelreg_reader;
GRANT SELECT (upload_id, created_by, created_at, last_append_at, expected_size, bytes_held, storage, owner)
	ON modelreg.upload TO modelreg_reader;

GRANT EXECUTE ON FUNCTION
	modelreg.role_ref(text), modelreg.role_ref(name), modelreg.role_ref_role(modelreg.role_ref),
	modelreg.role_ref_written(modelreg.role_ref), modelreg.role_ref_source(modelreg.role_ref),
	modelreg.role_ref_agrees(modelreg.role_ref, text, text),
	modelreg.role_ref_eq(modelreg.role_ref, modelreg.role_ref), modelreg.role_ref_ne(modelreg.role_ref, modelreg.role_ref),
	modelreg.role_ref_lt(modelreg.role_ref, modelreg.role_ref), modelreg.role_ref_le(modelreg.role_ref, modelreg.role_ref),
	modelreg.role_ref_gt(modelreg.role_ref, modelreg.role_ref), modelreg.role_ref_ge(modelreg.role_ref, modelreg.role_ref),
	modelreg.role_ref_cmp(modelreg.role_ref, modelreg.role_ref),
	modelreg.role_ref_hash(modelreg.role_ref), modelreg.role_ref_hash_extended(modelreg.role_ref, bigint),
	modelreg.semver_valid(text), modelreg.semver_compare(text, text), modelreg.semver_next_minor(text),
	modelreg.utc_text(timestamptz), modelreg.version_snapshot(modelreg.model_version),
	modelreg.model_snapshot(modelreg.model), modelreg.audit_hash(bytea, smallint, uuid, bigint, timestamptz, text, text, text, text, jsonb, xid8, jsonb, jsonb, text),
	modelreg.setting_max_versions(), modelreg.library_version(), modelreg.is_preloaded(), modelreg.unknown_settings(),
	modelreg.installed_definitions(), modelreg.present_definitions(), modelreg.definition_problems(),
	modelreg.times_ahead(), modelreg.check_cron(),
	modelreg.clip(text), modelreg.require_model(text), modelreg.check_anchor(jsonb), modelreg.higher_is_better(text),
	modelreg.higher_is_better_by_name(text), modelreg.alias_snapshot(modelreg.model_alias), modelreg.key_time(uuid),
	modelreg.jsonb_merge(jsonb), modelreg.chain_problems(uuid[]), modelreg.trail_problems(uuid[]),
	modelreg.anchor_problems(jsonb), modelreg.issue_rank(text, text), modelreg.last_before(uuid, timestamptz), modelreg.different_keys(jsonb, jsonb),
	modelreg.chain_name(uuid, jsonb), modelreg.chain_keys(text, jsonb), modelreg.verify_chains(uuid[], jsonb),
	modelreg.unreadable_event(uuid), modelreg.verify_each_chain(text, jsonb), modelreg.verify_trail(text, jsonb),
	modelreg.cron_function(text), modelreg.cron_database_note(),
	@extschema@.modelreg_load(text, boolean, text),
	@extschema@.modelreg_download(text, bigint, bigint, integer, text),
	@extschema@.modelreg_load_latest(text, text, jsonb, text[], text, text, jsonb, boolean),
	@extschema@.modelreg_find_latest(text, text, jsonb, text[], text, text, jsonb),
	@extschema@.modelreg_list(text, text, jsonb, text[], text, text, jsonb, integer, text),
	@extschema@.modelreg_info(text),
	@extschema@.modelreg_resolve(text, text),
	@extschema@.modelreg_compare(text[], text[]),
	@extschema@.modelreg_verify(text),
	@extschema@.modelreg_history(text, text, timestamptz),
	@extschema@.modelreg_at(timestamptz, text),
	@extschema@.modelreg_audit_head(),
	@extschema@.modelreg_audit_verify(text, jsonb),
	@extschema@.modelreg_cleanup_preview(boolean, text),
	@extschema@.modelreg_check()
	TO modelreg_reader;

GRANT EXECUTE ON FUNCTION
	@extschema@.modelreg_register(bytea, text, text, text, jsonb, text, text[], text, jsonb, jsonb, text, text[], timestamptz, text, jsonb),
	@extschema@.modelreg_check_registration(text, text, text, jsonb, text, text[], text, jsonb, jsonb, text, text[], timestamptz, text, jsonb),
	@extschema@.modelreg_register_upload(uuid, text, text, text, jsonb, text, text[], text, jsonb, jsonb, text, text[], timestamptz, text, jsonb),
	@extschema@.modelreg_register_files(text[], uuid[], text, text, text, jsonb, text, text[], text, jsonb, jsonb, text, text[], timestamptz, text, jsonb),
	@extschema@.modelreg_upload_begin(bigint),
	@extschema@.modelreg_upload_append(uuid, bytea, bigint),
	@extschema@.modelreg_upload_status(uuid),
	@extschema@.modelreg_upload_abort(uuid),
	@extschema@.modelreg_update_stage(text, text, text),
	@extschema@.modelreg_update(text, text, text[], jsonb, text, jsonb),
	@extschema@.modelreg_delete(text, boolean, text)
	TO modelreg_writer;

GRANT EXECUTE ON FUNCTION
	modelreg.cleanup_begin(text, integer), modelreg.cleanup_versions(uuid, boolean, integer),
	modelreg.cleanup_artifacts(integer), modelreg.cleanup_end(),
	modelreg.cleanup_uploads(integer), modelreg.cleanup_contents(integer, uuid),
	@extschema@.modelreg_scrub(bigint),
	@extschema@.modelreg_create_model(text, text, text, text[], jsonb, boolean, integer, boolean, boolean, text),
	@extschema@.modelreg_update_model(text, text, text[], jsonb, boolean, integer, boolean, boolean, text[], text),
	@extschema@.modelreg_rename_model(text, text, text),
	@extschema@.modelreg_delete_model(text, boolean, text),
	@extschema@.modelreg_reassign(text, text, text),
	@extschema@.modelreg_correct_time(text, timestamptz, text),
	@extschema@.modelreg_set_alias(text, text, text),
	@extschema@.modelreg_drop_alias(text, text, text),
	@extschema@.modelreg_set_stage_rule(text, text, boolean, text),
	@extschema@.modelreg_set_metric_direction(text, boolean, text),
	@extschema@.modelreg_schedule_cleanup(text),
	@extschema@.modelreg_unschedule_cleanup()
	TO modelreg_admin;
GRANT EXECUTE ON PROCEDURE @extschema@.modelreg_cleanup(bigint, boolean, text, integer)
	TO modelreg_admin;
