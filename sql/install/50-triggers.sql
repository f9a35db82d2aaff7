/* ------------------------------------------------------------------
 * Triggers.  The guards only raise, so they are ENABLE ALWAYS and hold in
 * replica mode as well, and in the apply worker of a subscription.  The
 * recorders write, so they stay in origin mode: on a subscriber the trail
 * arrives as rows.  A restore fires none of them but the statement guard.
 * ------------------------------------------------------------------ */
CREATE TRIGGER model_statement_guard
	BEFORE INSERT OR TRUNCATE ON modelreg.model
	FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement();
CREATE TRIGGER model_version_statement_guard
	BEFORE INSERT OR TRUNCATE ON modelreg.model_version
	FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement();
CREATE TRIGGER version_file_statement_guard
	BEFORE INSERT OR TRUNCATE ON modelreg.version_file
	FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement();
CREATE TRIGGER model_alias_statement_guard
	BEFORE INSERT OR TRUNCATE ON modelreg.model_alias
	FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement();
CREATE TRIGGER artifact_statement_guard
	BEFORE INSERT OR TRUNCATE ON modelreg.artifact
	FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement();
CREATE TRIGGER artifact_chunk_statement_guard
	BEFORE INSERT OR TRUNCATE ON modelreg.artifact_chunk
	FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement();
CREATE TRIGGER chunk_statement_guard
	BEFORE INSERT OR TRUNCATE ON modelreg.chunk
	FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement();
CREATE TRIGGER chunk_piece_statement_guard
	BEFORE INSERT OR TRUNCATE ON modelreg.chunk_piece
	FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement();
CREATE TRIGGER upload_statement_guard
	BEFORE INSERT OR TRUNCATE ON modelreg.upload
	FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement();
CREATE TRIGGER discarded_content_statement_guard
	BEFORE INSERT OR TRUNCATE ON modelreg.discarded_content
	FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement();
CREATE TRIGGER artifact_check_statement_guard
	BEFORE INSERT OR TRUNCATE ON modelreg.artifact_check
	FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement();
CREATE TRIGGER stage_rule_statement_guard
	BEFORE INSERT OR TRUNCATE ON modelreg.stage_rule
	FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement();
CREATE TRIGGER metric_direction_statement_guard
	BEFORE INSERT OR TRUNCATE ON modelreg.metric_direction
	FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement();
CREATE TRIGGER audit_event_statement_guard
	BEFORE INSERT OR TRUNCATE ON modelreg.audit_event
	FOR EACH STATEMENT EXECUTE FUNCTION modelreg.guard_statement();

CREATE TRIGGER model_row_guard
	BEFORE UPDATE OR DELETE ON modelreg.model
	FOR EACH ROW EXECUTE FUNCTION modelreg.guard_model();
CREATE TRIGGER model_version_row_guard
	BEFORE UPDATE OR DELETE ON modelreg.model_version
	FOR EACH ROW EXECUTE FUNCTION modelreg.guard_version();
CREATE TRIGGER version_file_row_guard
	BEFORE UPDATE OR DELETE ON modelreg.version_file
	FOR EACH ROW EXECUTE FUNCTION modelreg.guard_bytes();
CREATE TRIGGER model_alias_row_guard
	BEFORE UPDATE OR DELETE ON modelreg.model_alias
	FOR EACH ROW EXECUTE FUNCTION modelreg.guard_alias();
CREATE TRIGGER artifact_row_guard
	BEFORE UPDATE OR DELETE ON modelreg.artifact
	FOR EACH ROW EXECUTE FUNCTION modelreg.guard_bytes();
CREATE TRIGGER artifact_chunk_row_guard
	BEFORE UPDATE OR DELETE ON modelreg.artifact_chunk
	FOR EACH ROW EXECUTE FUNCTION modelreg.guard_bytes();
CREATE TRIGGER chunk_row_guard
	BEFORE UPDATE OR DELETE ON modelreg.chunk
	FOR EACH ROW EXECUTE FUNCTION modelreg.guard_bytes();
CREATE TRIGGER chunk_piece_row_guard
	BEFORE UPDATE OR DELETE ON modelreg.chunk_piece
	FOR EACH ROW EXECUTE FUNCTION modelreg.guard_bytes();
CREATE TRIGGER upload_row_guard
	BEFORE UPDATE OR DELETE ON modelreg.upload
	FOR EACH ROW EXECUTE FUNCTION modelreg.guard_internal();
CREATE TRIGGER discarded_content_row_guard
	BEFORE UPDATE OR DELETE ON modelreg.discarded_content
	FOR EACH ROW EXECUTE FUNCTION modelreg.guard_bytes();
CREATE TRIGGER artifact_check_row_guard
	BEFORE UPDATE OR DELETE ON modelreg.artifact_check
	FOR EACH ROW EXECUTE FUNCTION modelreg.guard_internal();
CREATE TRIGGER stage_rule_row_guard
	BEFORE UPDATE OR DELETE ON modelreg.stage_rule
	FOR EACH ROW EXECUTE FUNCTION modelreg.guard_setting();
CREATE TRIGGER metric_direction_row_guard
	BEFORE UPDATE OR DELETE ON modelreg.metric_direction
	FOR EACH ROW EXECUTE FUNCTION modelreg.guard_setting();
CREATE TRIGGER audit_event_row_guard
	BEFORE UPDATE OR DELETE ON modelreg.audit_event
	FOR EACH ROW EXECUTE FUNCTION modelreg.guard_audit();

CREATE TRIGGER model_alias_stamp
	BEFORE UPDATE OF model_id ON modelreg.model_alias
	FOR EACH ROW EXECUTE FUNCTION modelreg.stamp_alias();
CREATE TRIGGER model_version_stamp
	BEFORE UPDATE OF deployment_stage ON modelreg.model_version
	FOR EACH ROW EXECUTE FUNCTION modelreg.stamp_version();

-- not for the counters, which every registration moves
CREATE TRIGGER model_recorder
	AFTER UPDATE OF model_name, model_type, description, tags, properties,
		exclusive_production, max_versions, auto_cleanup, require_metadata
		OR DELETE ON modelreg.model
	FOR EACH ROW EXECUTE FUNCTION modelreg.record_model();
CREATE TRIGGER model_version_recorder
	AFTER UPDATE OR DELETE ON modelreg.model_version
	FOR EACH ROW EXECUTE FUNCTION modelreg.record_version();
CREATE TRIGGER model_alias_recorder
	AFTER UPDATE OR DELETE ON modelreg.model_alias
	FOR EACH ROW EXECUTE FUNCTION modelreg.record_alias();
CREATE TRIGGER stage_rule_recorder
	AFTER UPDATE OR DELETE ON modelreg.stage_rule
	FOR EACH ROW EXECUTE FUNCTION modelreg.record_setting();
CREATE TRIGGER metric_direction_recorder
	AFTER UPDATE OR DELETE ON modelreg.metric_direction
	FOR EACH ROW EXECUTE FUNCTION modelreg.record_setting();

ALTER TABLE modelreg.model ENABLE ALWAYS TRIGGER model_statement_guard;
ALTER TABLE modelreg.model ENABLE ALWAYS TRIGGER model_row_guard;
ALTER TABLE modelreg.model_version ENABLE ALWAYS TRIGGER model_version_statement_guard;
ALTER TABLE modelreg.model_version ENABLE ALWAYS TRIGGER model_version_row_guard;
ALTER TABLE modelreg.version_file ENABLE ALWAYS TRIGGER version_file_statement_guard;
ALTER TABLE modelreg.version_file ENABLE ALWAYS TRIGGER version_file_row_guard;
ALTER TABLE modelreg.model_alias ENABLE ALWAYS TRIGGER model_alias_statement_guard;
ALTER TABLE modelreg.model_alias ENABLE ALWAYS TRIGGER model_alias_row_guard;
ALTER TABLE modelreg.artifact ENABLE ALWAYS TRIGGER artifact_statement_guard;
ALTER TABLE modelreg.artifact ENABLE ALWAYS TRIGGER artifact_row_guard;
ALTER TABLE modelreg.artifact_chunk ENABLE ALWAYS TRIGGER artifact_chunk_statement_guard;
ALTER TABLE modelreg.artifact_chunk ENABLE ALWAYS TRIGGER artifact_chunk_row_guard;
ALTER TABLE modelreg.chunk ENABLE ALWAYS TRIGGER chunk_statement_guard;
ALTER TABLE modelreg.chunk ENABLE ALWAYS TRIGGER chunk_row_guard;
ALTER TABLE modelreg.chunk_piece ENABLE ALWAYS TRIGGER chunk_piece_statement_guard;
ALTER TABLE modelreg.chunk_piece ENABLE ALWAYS TRIGGER chunk_piece_row_guard;
ALTER TABLE modelreg.upload ENABLE ALWAYS TRIGGER upload_statement_guard;
ALTER TABLE modelreg.upload ENABLE ALWAYS TRIGGER upload_row_guard;
ALTER TABLE modelreg.discarded_content ENABLE ALWAYS TRIGGER discarded_content_statement_guard;
ALTER TABLE modelreg.discarded_content ENABLE ALWAYS TRIGGER discarded_content_row_guard;
ALTER TABLE modelreg.artifact_check ENABLE ALWAYS TRIGGER artifact_check_statement_guard;
ALTER TABLE modelreg.artifact_check ENABLE ALWAYS TRIGGER artifact_check_row_guard;
ALTER TABLE modelreg.stage_rule ENABLE ALWAYS TRIGGER stage_rule_statement_guard;
ALTER TABLE modelreg.stage_rule ENABLE ALWAYS TRIGGER stage_rule_row_guard;
ALTER TABLE modelreg.metric_direction ENABLE ALWAYS TRIGGER metric_direction_statement_guard;
ALTER TABLE modelreg.metric_direction ENABLE ALWAYS TRIGGER metric_direction_row_guard;
ALTER TABLE modelreg.audit_event ENABLE ALWAYS TRIGGER audit_event_statement_guard;
ALTER TABLE modelreg.audit_event ENABLE ALWAYS TRIGGER audit_event_row_guard;
