-- The triggers, and their modes.
BEGIN;
SELECT plan(7);

SELECT set_eq($$
	SELECT g.tgname::text, g.tgenabled::text,
		regexp_replace(pg_get_triggerdef(g.oid), '^CREATE TRIGGER \S+ ', '')
	FROM pg_trigger AS g
	JOIN pg_class AS c ON c.oid = g.tgrelid
	WHERE c.relnamespace = 'modelreg'::regnamespace AND NOT g.tgisinternal$$, $$
	VALUES
		('artifact_check_row_guard', 'A', 'BEFORE DELETE OR UPDATE ON modelreg.artifact_check FOR EACH ROW EXECUTE FUNCTION modelreg.guard_internal()'),
		('artifact_check_statement_guard', 'A', 'BEFORE INSERT OR TRUNCATE ON modelreg.artifact_check FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement()'),
		('artifact_chunk_row_guard', 'A', 'BEFORE DELETE OR UPDATE ON modelreg.artifact_chunk FOR EACH ROW EXECUTE FUNCTION modelreg.guard_bytes()'),
		('artifact_chunk_statement_guard', 'A', 'BEFORE INSERT OR TRUNCATE ON modelreg.artifact_chunk FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement()'),
		('artifact_row_guard', 'A', 'BEFORE DELETE OR UPDATE ON modelreg.artifact FOR EACH ROW EXECUTE FUNCTION modelreg.guard_bytes()'),
		('artifact_statement_guard', 'A', 'BEFORE INSERT OR TRUNCATE ON modelreg.artifact FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement()'),
		('audit_event_row_guard', 'A', 'BEFORE DELETE OR UPDATE ON modelreg.audit_event FOR EACH ROW EXECUTE FUNCTION modelreg.guard_audit()'),
		('audit_event_statement_guard', 'A', 'BEFORE INSERT OR TRUNCATE ON modelreg.audit_event FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement()'),
		('chunk_piece_row_guard', 'A', 'BEFORE DELETE OR UPDATE ON modelreg.chunk_piece FOR EACH ROW EXECUTE FUNCTION modelreg.guard_bytes()'),
		('chunk_piece_statement_guard', 'A', 'BEFORE INSERT OR TRUNCATE ON modelreg.chunk_piece FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement()'),
		('chunk_row_guard', 'A', 'BEFORE DELETE OR UPDATE ON modelreg.chunk FOR EACH ROW EXECUTE FUNCTION modelreg.guard_bytes()'),
		('chunk_statement_guard', 'A', 'BEFORE INSERT OR TRUNCATE ON modelreg.chunk FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement()'),
		('discarded_content_row_guard', 'A', 'BEFORE DELETE OR UPDATE ON modelreg.discarded_content FOR EACH ROW EXECUTE FUNCTION modelreg.guard_bytes()'),
		('discarded_content_statement_guard', 'A', 'BEFORE INSERT OR TRUNCATE ON modelreg.discarded_content FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement()'),
		('metric_direction_recorder', 'O', 'AFTER DELETE OR UPDATE ON modelreg.metric_direction FOR EACH ROW EXECUTE FUNCTION modelreg.record_setting()'),
		('metric_direction_row_guard', 'A', 'BEFORE DELETE OR UPDATE ON modelreg.metric_direction FOR EACH ROW EXECUTE FUNCTION modelreg.guard_setting()'),
		('metric_direction_statement_guard', 'A', 'BEFORE INSERT OR TRUNCATE ON modelreg.metric_direction FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement()'),
		('model_alias_recorder', 'O', 'AFTER DELETE OR UPDATE ON modelreg.model_alias FOR EACH ROW EXECUTE FUNCTION modelreg.record_alias()'),
		('model_alias_row_guard', 'A', 'BEFORE DELETE OR UPDATE ON modelreg.model_alias FOR EACH ROW EXECUTE FUNCTION modelreg.guard_alias()'),
		('model_alias_stamp', 'O', 'BEFORE UPDATE OF model_id ON modelreg.model_alias FOR EACH ROW EXECUTE FUNCTION modelreg.stamp_alias()'),
		('model_alias_statement_guard', 'A', 'BEFORE INSERT OR TRUNCATE ON modelreg.model_alias FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement()'),
		('model_recorder', 'O', 'AFTER DELETE OR UPDATE OF model_name, model_type, description, tags, properties, exclusive_production, max_versions, auto_cleanup, require_metadata ON modelreg.model FOR EACH ROW EXECUTE FUNCTION modelreg.record_model()'),
		('model_row_guard', 'A', 'BEFORE DELETE OR UPDATE ON modelreg.model FOR EACH ROW EXECUTE FUNCTION modelreg.guard_model()'),
		('model_statement_guard', 'A', 'BEFORE INSERT OR TRUNCATE ON modelreg.model FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement()'),
		('model_version_recorder', 'O', 'AFTER DELETE OR UPDATE ON modelreg.model_version FOR EACH ROW EXECUTE FUNCTION modelreg.record_version()'),
		('model_version_row_guard', 'A', 'BEFORE DELETE OR UPDATE ON modelreg.model_version FOR EACH ROW EXECUTE FUNCTION modelreg.guard_version()'),
		('model_version_stamp', 'O', 'BEFORE UPDATE OF deployment_stage ON modelreg.model_version FOR EACH ROW EXECUTE FUNCTION modelreg.stamp_version()'),
		('model_version_statement_guard', 'A', 'BEFORE INSERT OR TRUNCATE ON modelreg.model_version FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement()'),
		('stage_rule_recorder', 'O', 'AFTER DELETE OR UPDATE ON modelreg.stage_rule FOR EACH ROW EXECUTE FUNCTION modelreg.record_setting()'),
		('stage_rule_row_guard', 'A', 'BEFORE DELETE OR UPDATE ON modelreg.stage_rule FOR EACH ROW EXECUTE FUNCTION modelreg.guard_setting()'),
		('stage_rule_statement_guard', 'A', 'BEFORE INSERT OR TRUNCATE ON modelreg.stage_rule FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement()'),
		('version_file_row_guard', 'A', 'BEFORE DELETE OR UPDATE ON modelreg.version_file FOR EACH ROW EXECUTE FUNCTION modelreg.guard_bytes()'),
		('version_file_statement_guard', 'A', 'BEFORE INSERT OR TRUNCATE ON modelreg.version_file FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement()'),
		('upload_row_guard', 'A', 'BEFORE DELETE OR UPDATE ON modelreg.upload FOR EACH ROW EXECUTE FUNCTION modelreg.guard_internal()'),
		('upload_statement_guard', 'A', 'BEFORE INSERT OR TRUNCATE ON modelreg.upload FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement()')
	$$, 'the triggers: when, on what, in which mode (A: always, O: origin)');

SELECT is_empty($$
	SELECT g.tgname FROM pg_trigger AS g
	JOIN pg_class AS c ON c.oid = g.tgrelid
	WHERE c.relnamespace = 'modelreg'::regnamespace AND NOT g.tgisinternal
		AND g.tgtype::integer & 5 = 5
	$$, 'no row trigger on INSERT: a restore would fire it');

SELECT is_empty($$
	SELECT c.relname FROM pg_class AS c
	WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'
		AND (SELECT count(*) FROM pg_trigger AS g
			WHERE g.tgrelid = c.oid AND g.tgenabled = 'A'
				AND g.tgname IN (c.relname || '_statement_guard', c.relname || '_row_guard')) <> 2
	$$, 'every table has both guards, always enabled');

SELECT ok(c.ok, c.item || ' is as it should be: ' || c.detail)
FROM modelreg_check() AS c
WHERE c.item IN ('triggers', 'foreign triggers', 'owner', 'public') ORDER BY c.item;

SELECT * FROM finish();
ROLLBACK;
