-- Constraints and indexes.
BEGIN;
SELECT plan(4);

SELECT set_eq($$
	SELECT c.conrelid::regclass::text, c.conname::text, pg_get_constraintdef(c.oid)
	FROM pg_constraint AS c
	WHERE c.connamespace = 'modelreg'::regnamespace AND c.contype <> 'n'$$, $$
	VALUES
		('modelreg.artifact', 'artifact_content_key', 'UNIQUE (content)'),
		('modelreg.artifact', 'artifact_pkey', 'PRIMARY KEY (sha256)'),
		('modelreg.artifact_check', 'artifact_check_pkey', 'PRIMARY KEY (sha256)'),
		('modelreg.artifact_chunk', 'artifact_chunk_pkey', 'PRIMARY KEY (content, byte_offset)'),
		('modelreg.audit_event', 'audit_event_pkey', 'PRIMARY KEY (model_key, seq)'),
		('modelreg.chunk', 'chunk_pkey', 'PRIMARY KEY (chunk)'),
		('modelreg.chunk', 'chunk_raw_size_check', 'CHECK ((raw_size > 0))'),
		('modelreg.chunk', 'chunk_stored_size_check', 'CHECK ((stored_size > 0))'),
		('modelreg.chunk_piece', 'chunk_piece_pkey', 'PRIMARY KEY (chunk, piece_no)'),
		('modelreg.discarded_content', 'discarded_content_pkey', 'PRIMARY KEY (content)'),
		('modelreg.metric_direction', 'metric_direction_pkey', 'PRIMARY KEY (metric)'),
		('modelreg.model', 'model_model_name_key', 'UNIQUE (model_name)'),
		('modelreg.model', 'model_pkey', 'PRIMARY KEY (model_key)'),
		('modelreg.model_alias', 'model_alias_pkey', 'PRIMARY KEY (model_key, alias)'),
		('modelreg.model_version', 'model_version_pkey', 'PRIMARY KEY (model_id)'),
		('modelreg.model_version', 'model_version_version_key', 'UNIQUE (model_key, version)'),
		('modelreg.model_version', 'model_version_version_number_key', 'UNIQUE (model_key, version_number)'),
		('modelreg.stage_rule', 'stage_rule_check', 'CHECK ((from_stage <> to_stage))'),
		('modelreg.stage_rule', 'stage_rule_pkey', 'PRIMARY KEY (from_stage, to_stage)'),
		('modelreg.upload', 'upload_pkey', 'PRIMARY KEY (upload_id)'),
		('modelreg.version_file', 'version_file_pkey', 'PRIMARY KEY (model_id, path)')
	$$, 'the constraints');

SELECT set_eq($$
	SELECT i.indexname::text, i.indexdef
	FROM pg_indexes AS i
	WHERE i.schemaname = 'modelreg' AND NOT EXISTS (
		SELECT FROM pg_constraint AS c
		WHERE c.connamespace = 'modelreg'::regnamespace AND c.conname = i.indexname)$$, $$
	VALUES
		('artifact_chunk_chunk_idx', 'CREATE INDEX artifact_chunk_chunk_idx ON modelreg.artifact_chunk USING btree (chunk)'),
		('audit_event_at_idx', 'CREATE INDEX audit_event_at_idx ON modelreg.audit_event USING brin (at)'),
		('audit_event_model_id_idx', 'CREATE INDEX audit_event_model_id_idx ON modelreg.audit_event USING btree (model_id, seq)'),
		('audit_event_issue_idx', 'CREATE INDEX audit_event_issue_idx ON modelreg.audit_event USING btree (model_name, modelreg.issue_rank(model_name, model_id))'),
		('chunk_xxh3_idx', 'CREATE INDEX chunk_xxh3_idx ON modelreg.chunk USING btree (xxh3)'),
		('model_alias_model_id_idx', 'CREATE INDEX model_alias_model_id_idx ON modelreg.model_alias USING btree (model_id)'),
		('version_file_sha256_idx', 'CREATE INDEX version_file_sha256_idx ON modelreg.version_file USING btree (sha256)'),
		('model_version_checksum_idx', 'CREATE INDEX model_version_checksum_idx ON modelreg.model_version USING btree (checksum)'),
		('model_version_newest_by_stage_idx', 'CREATE INDEX model_version_newest_by_stage_idx ON modelreg.model_version USING btree (deployment_stage, registered_at, model_id)'),
		('model_version_newest_by_type_idx', 'CREATE INDEX model_version_newest_by_type_idx ON modelreg.model_version USING btree (model_type, registered_at, model_id)'),
		('model_version_newest_by_type_stage_idx', 'CREATE INDEX model_version_newest_by_type_stage_idx ON modelreg.model_version USING btree (model_type, deployment_stage, registered_at, model_id)'),
		('model_version_newest_idx', 'CREATE INDEX model_version_newest_idx ON modelreg.model_version USING btree (registered_at, model_id)'),
		('model_version_one_production', 'CREATE UNIQUE INDEX model_version_one_production ON modelreg.model_version USING btree (model_key) WHERE ((deployment_stage = ''production''::modelreg.deployment_stage) AND exclusive_production)'),
		('model_version_stage_of_model_idx', 'CREATE INDEX model_version_stage_of_model_idx ON modelreg.model_version USING btree (model_key, deployment_stage, version_number)'),
		('model_version_tags_idx', 'CREATE INDEX model_version_tags_idx ON modelreg.model_version USING gin (tags)')
	$$, 'the indexes that belong to no constraint');

SELECT is_empty($$
	SELECT c.conrelid::regclass FROM pg_constraint AS c
	WHERE c.contype = 'f' AND c.connamespace = 'modelreg'::regnamespace
	$$, 'no foreign keys: a parallel restore would trip over them');

SELECT is_empty($$
	SELECT c.relname FROM pg_class AS c
	WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'
		AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)
	$$, 'every table has a primary key, which logical replication needs');

SELECT * FROM finish();
ROLLBACK;
