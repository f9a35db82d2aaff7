/* ------------------------------------------------------------------
 * Owner and privileges.  The owner is set before anything is granted, so that
 * what pg_dump takes for the initial privileges is what they are.
 * ------------------------------------------------------------------ */
DO LANGUAGE plpgsql $owner$
DECLARE
	member record;
BEGIN
	FOR member IN
		SELECT d.classid, d.objid, i.type, i.identity
		FROM pg_catalog.pg_depend AS d
		JOIN pg_catalog.pg_extension AS e ON e.oid OPERATOR(pg_catalog.=) d.refobjid,
			pg_catalog.pg_identify_object(d.classid, d.objid, 0) AS i
		WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
			AND e.extname OPERATOR(pg_catalog.=) 'modelreg'::pg_catalog.name
			AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog."char"
			AND i.type IN ('table', 'view', 'type', 'function', 'procedure', 'aggregate')
			-- the row types of tables and views follow these
			AND NOT EXISTS (
				SELECT FROM pg_catalog.pg_type AS t
				WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass
					AND t.oid OPERATOR(pg_catalog.=) d.objid
					AND t.typtype OPERATOR(pg_catalog.<>) 'e'::pg_catalog."char")
	LOOP
		EXECUTE pg_catalog.format('ALTER %s %s OWNER TO modelreg_owner',
								  pg_catalog.upper(member.type), member.identity);
		IF member.type IN ('function', 'procedure', 'aggregate') THEN
			EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', member.identity);
		ELSIF member.type OPERATOR(pg_catalog.=) 'type' THEN
			EXECUTE pg_catalog.format('REVOKE ALL ON TYPE %s FROM PUBLIC', member.identity);
		END IF;
	END LOOP;
END
$owner$;

-- The owner of the extension's schema, not of the functions, decides about that schema.
GRANT USAGE ON SCHEMA modelreg TO modelreg_reader;
GRANT USAGE ON TYPE modelreg.deployment_stage TO modelreg_reader;
GRANT SELECT ON
	modelreg.model, modelreg.model_version, modelreg.artifact, modelreg.stage_rule,
	modelreg.metric_direction, modelreg.audit_event, modelreg.model_metric,
	modelreg.production_model, modelreg.storage_usage, modelreg.stage_history,
	modelreg.registry_stats
	TO modelreg_reader;

GRANT EXECUTE ON FUNCTION
	modelreg.semver_valid(text), modelreg.semver_compare(text, text), modelreg.semver_next_minor(text),
	modelreg.utc_text(timestamptz), modelreg.version_snapshot(modelreg.model_version),
	modelreg.model_snapshot(modelreg.model), modelreg.audit_hash(bytea, smallint, uuid, bigint, timestamptz, text, text, text, text, jsonb, xid8, jsonb, jsonb, text),
	modelreg.setting_max_versions(), modelreg.library_version(), modelreg.higher_is_better(text),
	modelreg.jsonb_merge(jsonb), modelreg.chain_problems(uuid[]), modelreg.trail_problems(uuid[]),
	modelreg.anchor_problems(jsonb), modelreg.cron_function(text),
	@extschema@.modelreg_load(text, boolean),
	@extschema@.modelreg_load_latest(text, text, jsonb, text[], text, text, jsonb, boolean),
	@extschema@.modelreg_find_latest(text, text, jsonb, text[], text, text, jsonb),
	@extschema@.modelreg_list(text, text, jsonb, text[], text, text, jsonb, integer, text),
	@extschema@.modelreg_info(text),
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
	@extschema@.modelreg_register(bytea, text, text, text, jsonb, text, text[], text, jsonb, jsonb, text, text[], timestamptz, text),
	@extschema@.modelreg_update_stage(text, text, text),
	@extschema@.modelreg_update(text, text, text[], jsonb, text),
	@extschema@.modelreg_delete(text, boolean, text)
	TO modelreg_writer;

GRANT EXECUTE ON FUNCTION
	modelreg.cleanup_begin(text, integer), modelreg.cleanup_versions(uuid, boolean, integer),
	modelreg.cleanup_artifacts(integer), modelreg.cleanup_end(bigint, bigint, boolean, text),
	@extschema@.modelreg_create_model(text, text, text, text[], jsonb, boolean, integer, boolean, boolean, text),
	@extschema@.modelreg_update_model(text, text, text[], jsonb, boolean, integer, boolean, boolean, text[], text),
	@extschema@.modelreg_rename_model(text, text, text),
	@extschema@.modelreg_delete_model(text, boolean, text),
	@extschema@.modelreg_set_stage_rule(text, text, boolean, text),
	@extschema@.modelreg_set_metric_direction(text, boolean, text),
	@extschema@.modelreg_schedule_cleanup(text),
	@extschema@.modelreg_unschedule_cleanup()
	TO modelreg_admin;
GRANT EXECUTE ON PROCEDURE @extschema@.modelreg_cleanup(bigint, boolean, text, integer)
	TO modelreg_admin;
