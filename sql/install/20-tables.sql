/* ------------------------------------------------------------------
 * Tables.  What shapes them is what survives pg_dump, a parallel pg_restore,
 * logical replication and crashes: no foreign keys among them, no sequences,
 * no rows of our own, columns only ever added, no trigger that a COPY fires.
 * Integrity is kept by the functions, by row locks and by the guard triggers,
 * and checked by modelreg_verify and modelreg_audit_verify.
 *
 * There are no CHECKs where a registration writes: the executor parses and
 * compiles each of them anew for every statement, which took an eighth of a
 * registration's time.  The functions and guards check the same and more.
 * ------------------------------------------------------------------ */
CREATE TABLE modelreg.model (
	model_key uuid NOT NULL
		CONSTRAINT model_pkey PRIMARY KEY,
	model_name text COLLATE "C" NOT NULL
		CONSTRAINT model_model_name_key UNIQUE,
	model_type text COLLATE "C" NOT NULL,
	description text NOT NULL DEFAULT '',
	tags text[] COLLATE "C" NOT NULL DEFAULT '{}',
	properties jsonb NOT NULL DEFAULT '{}',
	exclusive_production boolean NOT NULL DEFAULT true,
	max_versions integer,
	auto_cleanup boolean,
	require_metadata boolean,
	created_at timestamptz NOT NULL,
	created_by text COLLATE "C" NOT NULL,
	last_version_number integer NOT NULL DEFAULT 0,
	last_registered_at timestamptz,
	last_id_suffix integer NOT NULL DEFAULT 0,
	highest_version text COLLATE "C",
	audit_seq bigint NOT NULL DEFAULT 0,
	audit_at timestamptz,
	audit_hash bytea NOT NULL
		DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000'
) WITH (fillfactor = 50);	-- every write to a model updates its counters: leave room for HOT

COMMENT ON TABLE modelreg.model IS 'The models: named groups of versions, with their settings and counters.';
COMMENT ON COLUMN modelreg.model.model_key IS 'Immutable identity (UUID version 7); versions and the audit chain refer to it, so a rename touches neither.';
COMMENT ON COLUMN modelreg.model.model_name IS 'Unique name, 1 to 256 characters; modelreg_rename_model changes it.';
COMMENT ON COLUMN modelreg.model.model_type IS 'Type the model was created with, such as isolation_forest; each version states its own.';
COMMENT ON COLUMN modelreg.model.description IS 'Free text for people.';
COMMENT ON COLUMN modelreg.model.tags IS 'Labels of the model as a whole.';
COMMENT ON COLUMN modelreg.model.properties IS 'Key/value metadata of the model, a JSON object.';
COMMENT ON COLUMN modelreg.model.exclusive_production IS 'Whether at most one version may be in production (the default).';
COMMENT ON COLUMN modelreg.model.max_versions IS 'Versions that cleanup keeps; -1: all; NULL: as modelreg.max_versions says.';
COMMENT ON COLUMN modelreg.model.auto_cleanup IS 'Whether a registration removes versions beyond max_versions; NULL: as modelreg.auto_cleanup says.';
COMMENT ON COLUMN modelreg.model.require_metadata IS 'Whether a registration needs at least one metric; NULL: as modelreg.require_metadata says.';
COMMENT ON COLUMN modelreg.model.created_at IS 'When the model was created.';
COMMENT ON COLUMN modelreg.model.created_by IS 'Role that created the model.';
COMMENT ON COLUMN modelreg.model.last_version_number IS 'Counter: the number of the newest version ever registered.';
COMMENT ON COLUMN modelreg.model.last_registered_at IS 'Counter: the latest time of a registration so far, or of the last id of a name that the model took; ids are issued in its second.';
COMMENT ON COLUMN modelreg.model.last_id_suffix IS 'Counter: how many ids were issued in the second of last_registered_at.';
COMMENT ON COLUMN modelreg.model.highest_version IS 'Counter: the highest version ever registered, by SemVer precedence.';
COMMENT ON COLUMN modelreg.model.audit_seq IS 'Head of the audit chain: number of its last event.';
COMMENT ON COLUMN modelreg.model.audit_at IS 'Head of the audit chain: time of its last event.';
COMMENT ON COLUMN modelreg.model.audit_hash IS 'Head of the audit chain: hash of its last event (32 bytes).';

CREATE TABLE modelreg.model_version (
	model_id text COLLATE "C" NOT NULL
		CONSTRAINT model_version_pkey PRIMARY KEY,
	model_key uuid NOT NULL,
	model_name text COLLATE "C" NOT NULL,
	model_type text COLLATE "C" NOT NULL,
	version text COLLATE "C" NOT NULL,
	version_number integer NOT NULL,
	created_at timestamptz NOT NULL,
	registered_at timestamptz NOT NULL,
	registered_by text COLLATE "C" NOT NULL,
	checksum text COLLATE "C" NOT NULL,
	artifact_size bigint NOT NULL,
	model_config jsonb NOT NULL DEFAULT '{}',
	training_metadata jsonb NOT NULL DEFAULT '{}',
	dataset_version text,
	parent_ids text[] COLLATE "C" NOT NULL DEFAULT '{}',
	deployment_stage modelreg.deployment_stage NOT NULL DEFAULT 'development',
	deployed_at timestamptz,
	performance_metrics jsonb NOT NULL DEFAULT '{}',
	tags text[] COLLATE "C" NOT NULL DEFAULT '{}',
	notes text NOT NULL DEFAULT '',
	properties jsonb NOT NULL DEFAULT '{}',
	exclusive_production boolean NOT NULL DEFAULT true,
	file_count integer NOT NULL DEFAULT 0,
	files_size bigint NOT NULL DEFAULT 0,
	owner modelreg.role_ref NOT NULL,
	CONSTRAINT model_version_version_key UNIQUE (model_key, version),
	CONSTRAINT model_version_version_number_key UNIQUE (model_key, version_number)
);

CREATE UNIQUE INDEX model_version_one_production ON modelreg.model_version (model_key)
	WHERE deployment_stage OPERATOR(pg_catalog.=) 'production'::modelreg.deployment_stage
		AND exclusive_production;
CREATE INDEX model_version_checksum_idx ON modelreg.model_version (checksum);
CREATE INDEX model_version_newest_idx ON modelreg.model_version (registered_at, model_id);
CREATE INDEX model_version_newest_by_type_idx
	ON modelreg.model_version (model_type, registered_at, model_id);
CREATE INDEX model_version_newest_by_stage_idx
	ON modelreg.model_version (deployment_stage, registered_at, model_id);
CREATE INDEX model_version_newest_by_type_stage_idx
	ON modelreg.model_version (model_type, deployment_stage, registered_at, model_id);
CREATE INDEX model_version_stage_of_model_idx
	ON modelreg.model_version (model_key, deployment_stage, version_number);
CREATE INDEX model_version_tags_idx ON modelreg.model_version USING gin (tags);

COMMENT ON TABLE modelreg.model_version IS 'The registered versions: metadata, stage and the SHA-256 of the bytes.';
COMMENT ON COLUMN modelreg.model_version.model_id IS 'Identifier: <model_name>_<YYYYMMDD>_<HHMMSS> of its registration in UTC, or the second of the model''s last id if the clock was set back, with _2, _3 ... in the same second; never re-issued.';
COMMENT ON COLUMN modelreg.model_version.model_key IS 'The model that the version belongs to (modelreg.model.model_key).';
COMMENT ON COLUMN modelreg.model_version.model_name IS 'Copy of the model''s present name, kept by modelreg_rename_model; the id keeps the old one.';
COMMENT ON COLUMN modelreg.model_version.model_type IS 'Type of the model, such as isolation_forest.';
COMMENT ON COLUMN modelreg.model_version.version IS 'Semantic Versioning 2.0.0 version, unique within the model.';
COMMENT ON COLUMN modelreg.model_version.version_number IS 'Counts 1, 2, 3 ... within the model, without gaps; the newest version has the highest.';
COMMENT ON COLUMN modelreg.model_version.created_at IS 'When the model was trained, as the registering client says.';
COMMENT ON COLUMN modelreg.model_version.registered_at IS 'When it was registered, by the clock, which may have been set back since: the order within a model is that of version_number. modelreg_correct_time lowers it where the clock was ahead.';
COMMENT ON COLUMN modelreg.model_version.registered_by IS 'What the role that registered it was called then; owner says whose it is.';
COMMENT ON COLUMN modelreg.model_version.checksum IS 'SHA-256 of the artifact, 64 lower-case hexadecimal digits; the artifact of a version with files is the manifest of these.';
COMMENT ON COLUMN modelreg.model_version.artifact_size IS 'Size of the artifact in bytes; of a version with files, of the manifest.';
COMMENT ON COLUMN modelreg.model_version.model_config IS 'Training configuration (hyperparameters), a JSON object.';
COMMENT ON COLUMN modelreg.model_version.training_metadata IS 'Training history, a JSON object.';
COMMENT ON COLUMN modelreg.model_version.dataset_version IS 'Version of the data set that it was trained on.';
COMMENT ON COLUMN modelreg.model_version.parent_ids IS 'Lineage: model_ids that this version was derived from; a parent may have been deleted since.';
COMMENT ON COLUMN modelreg.model_version.deployment_stage IS 'Present deployment stage.';
COMMENT ON COLUMN modelreg.model_version.deployed_at IS 'When it last moved to another stage; NULL if it never did.';
COMMENT ON COLUMN modelreg.model_version.performance_metrics IS 'Metrics: a flat JSON object of finite numbers.';
COMMENT ON COLUMN modelreg.model_version.tags IS 'Labels to filter by.';
COMMENT ON COLUMN modelreg.model_version.notes IS 'Free text for people.';
COMMENT ON COLUMN modelreg.model_version.properties IS 'Key/value metadata for clients, a JSON object; modelreg_update merges into it.';
COMMENT ON COLUMN modelreg.model_version.exclusive_production IS 'Copy of the model''s exclusive_production, for the index that allows one production version.';
COMMENT ON COLUMN modelreg.model_version.file_count IS 'How many files it has in modelreg.version_file; 0: it is one artifact.';
COMMENT ON COLUMN modelreg.model_version.files_size IS 'Size of its files together in bytes.';
COMMENT ON COLUMN modelreg.model_version.owner IS 'Role whose it is, which may edit and delete it outside production: the one that registered it, unless modelreg_reassign gave it to another.';

CREATE TABLE modelreg.version_file (
	model_id text COLLATE "C" NOT NULL,
	path text COLLATE "C" NOT NULL,
	sha256 bytea NOT NULL,
	artifact_size bigint NOT NULL,
	CONSTRAINT version_file_pkey PRIMARY KEY (model_id, path)
);
CREATE INDEX version_file_sha256_idx ON modelreg.version_file (sha256);
COMMENT ON TABLE modelreg.version_file IS 'The files of versions that are directories, each an artifact; fixed by the registration.';
COMMENT ON COLUMN modelreg.version_file.model_id IS 'The version (modelreg.model_version.model_id).';
COMMENT ON COLUMN modelreg.version_file.path IS 'Relative path of the file, with / between its components.';
COMMENT ON COLUMN modelreg.version_file.sha256 IS 'SHA-256 of its bytes (modelreg.artifact.sha256).';
COMMENT ON COLUMN modelreg.version_file.artifact_size IS 'Size of the file in bytes.';

CREATE TABLE modelreg.model_alias (
	model_key uuid NOT NULL,
	alias text COLLATE "C" NOT NULL,
	model_id text COLLATE "C" NOT NULL,
	set_at timestamptz NOT NULL,
	set_by text COLLATE "C" NOT NULL,
	CONSTRAINT model_alias_pkey PRIMARY KEY (model_key, alias)
);
CREATE INDEX model_alias_model_id_idx ON modelreg.model_alias (model_id);
COMMENT ON TABLE modelreg.model_alias IS 'Aliases: names within a model, such as champion, each of one version that exists; modelreg_set_alias moves them.';
COMMENT ON COLUMN modelreg.model_alias.model_key IS 'The model (modelreg.model.model_key).';
COMMENT ON COLUMN modelreg.model_alias.alias IS 'The alias, unique within the model.';
COMMENT ON COLUMN modelreg.model_alias.model_id IS 'The version that it names (modelreg.model_version.model_id).';
COMMENT ON COLUMN modelreg.model_alias.set_at IS 'Since when it names that version.';
COMMENT ON COLUMN modelreg.model_alias.set_by IS 'Role that set it so.';

CREATE TABLE modelreg.artifact (
	sha256 bytea NOT NULL
		CONSTRAINT artifact_pkey PRIMARY KEY,
	artifact_size bigint NOT NULL,
	storage text COLLATE "C" NOT NULL DEFAULT 'database',
	content uuid NOT NULL
		CONSTRAINT artifact_content_key UNIQUE
);
COMMENT ON TABLE modelreg.artifact IS 'The stored artifacts, each once however many versions share it; cleanup removes what no version uses.';
COMMENT ON COLUMN modelreg.artifact.sha256 IS 'SHA-256 of the bytes (32 bytes); model_version.checksum is its hexadecimal form.';
COMMENT ON COLUMN modelreg.artifact.artifact_size IS 'Size in bytes.';
COMMENT ON COLUMN modelreg.artifact.storage IS 'Where the bytes are: database.';
COMMENT ON COLUMN modelreg.artifact.content IS 'Key of the bytes in that storage (UUID version 7, which says when they came); another one if the list of chunks itself had to be replaced.';

CREATE TABLE modelreg.artifact_chunk (
	content uuid NOT NULL,
	chunk_no integer NOT NULL,
	chunk uuid NOT NULL,
	byte_offset bigint NOT NULL,
	CONSTRAINT artifact_chunk_pkey PRIMARY KEY (content, byte_offset)
);
CREATE INDEX artifact_chunk_chunk_idx ON modelreg.artifact_chunk (chunk);
COMMENT ON TABLE modelreg.artifact_chunk IS 'Which chunks an artifact in the database consists of, in order; those of unfinished uploads and discarded contents included.';
COMMENT ON COLUMN modelreg.artifact_chunk.content IS 'The bytes (modelreg.artifact.content, modelreg.upload.upload_id or modelreg.discarded_content.content).';
COMMENT ON COLUMN modelreg.artifact_chunk.chunk_no IS 'Position of the chunk in the artifact, from 0.';
COMMENT ON COLUMN modelreg.artifact_chunk.chunk IS 'The chunk (modelreg.chunk.chunk); artifacts share chunks.';
COMMENT ON COLUMN modelreg.artifact_chunk.byte_offset IS 'Offset of the chunk''s first byte in the artifact.';

CREATE TABLE modelreg.chunk (
	chunk uuid NOT NULL
		CONSTRAINT chunk_pkey PRIMARY KEY,
	raw_size integer NOT NULL
		CONSTRAINT chunk_raw_size_check CHECK (raw_size OPERATOR(pg_catalog.>) 0),
	stored_size integer NOT NULL
		CONSTRAINT chunk_stored_size_check CHECK (stored_size OPERATOR(pg_catalog.>) 0),
	codec smallint NOT NULL DEFAULT 0,
	xxh3 uuid NOT NULL
);
-- not unique: bytes are compared before a chunk is shared
CREATE INDEX chunk_xxh3_idx ON modelreg.chunk (xxh3);
COMMENT ON TABLE modelreg.chunk IS 'Runs of artifact bytes, cut by content, each stored once and held in rows of chunk_piece.';
COMMENT ON COLUMN modelreg.chunk.chunk IS 'Identity (UUID version 7).';
COMMENT ON COLUMN modelreg.chunk.raw_size IS 'Size of the bytes as registered.';
COMMENT ON COLUMN modelreg.chunk.stored_size IS 'Size of the bytes as stored.';
COMMENT ON COLUMN modelreg.chunk.codec IS 'How the bytes are stored: 0 = as they are, 1 = lz4 (a block), 2 = zstd (a frame).';
COMMENT ON COLUMN modelreg.chunk.xxh3 IS 'XXH3 (128 bits, canonical) of the bytes as registered, by which equal chunks are found.';

-- A row of 8,096 bytes fills a page.  The table must never gain a column: a
-- wider row would no longer fit.
CREATE TABLE modelreg.chunk_piece (
	chunk uuid NOT NULL,
	piece_no integer NOT NULL,
	data bytea NOT NULL,
	CONSTRAINT chunk_piece_pkey PRIMARY KEY (chunk, piece_no)
) USING heap;
ALTER TABLE modelreg.chunk_piece ALTER COLUMN data SET STORAGE PLAIN;
COMMENT ON TABLE modelreg.chunk_piece IS 'The bytes of the chunks in rows that fill a page each, but for the last ones of a chunk; granted to nobody, read and written in C.';
COMMENT ON COLUMN modelreg.chunk_piece.chunk IS 'The chunk (modelreg.chunk.chunk).';
COMMENT ON COLUMN modelreg.chunk_piece.piece_no IS 'Position of the piece in the chunk, from 0.';
COMMENT ON COLUMN modelreg.chunk_piece.data IS 'Up to 8,096 bytes; every piece but a chunk''s last has exactly as many.';

CREATE TABLE modelreg.upload (
	upload_id uuid NOT NULL
		CONSTRAINT upload_pkey PRIMARY KEY,
	created_by text COLLATE "C" NOT NULL,
	created_at timestamptz NOT NULL,
	last_append_at timestamptz NOT NULL,
	expected_size bigint,
	bytes_held bigint NOT NULL DEFAULT 0,
	storage text COLLATE "C" NOT NULL DEFAULT 'database',
	progress uuid NOT NULL,
	state bytea,
	digest bytea NOT NULL,
	owner modelreg.role_ref NOT NULL
);
ALTER TABLE modelreg.upload ALTER COLUMN state SET STORAGE EXTERNAL;
COMMENT ON TABLE modelreg.upload IS 'Unfinished streaming uploads; cleanup removes those without an append for modelreg.upload_expiry.';
COMMENT ON COLUMN modelreg.upload.upload_id IS 'Identity (UUID version 7), and key of the bytes stored so far.';
COMMENT ON COLUMN modelreg.upload.created_by IS 'What the role that began it was called then; owner says whose it is.';
COMMENT ON COLUMN modelreg.upload.created_at IS 'When it was begun.';
COMMENT ON COLUMN modelreg.upload.last_append_at IS 'When bytes were last committed; when it was begun, if none were.';
COMMENT ON COLUMN modelreg.upload.expected_size IS 'Size in bytes that it was announced with; NULL: not announced.';
COMMENT ON COLUMN modelreg.upload.bytes_held IS 'Bytes committed so far: the byte_offset to go on from.';
COMMENT ON COLUMN modelreg.upload.storage IS 'Where the bytes are: database.';
COMMENT ON COLUMN modelreg.upload.progress IS 'Changes with each commit of bytes, so that a session knows whether another one went on.';
COMMENT ON COLUMN modelreg.upload.state IS 'What the storage needs to go on, the bytes of the last, incomplete chunk included.';
COMMENT ON COLUMN modelreg.upload.digest IS 'SHA-256 of upload_id, expected_size, bytes_held, storage, progress and state (32 bytes): whoever goes on with the upload checks it.';
COMMENT ON COLUMN modelreg.upload.owner IS 'Role whose it is: it and admins may go on with it.';

CREATE TABLE modelreg.discarded_content (
	content uuid NOT NULL
		CONSTRAINT discarded_content_pkey PRIMARY KEY,
	storage text COLLATE "C" NOT NULL DEFAULT 'database',
	discarded_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE modelreg.discarded_content IS 'Bytes that nothing refers to any more; cleanup removes them.';
COMMENT ON COLUMN modelreg.discarded_content.content IS 'Key of the bytes in the storage.';
COMMENT ON COLUMN modelreg.discarded_content.storage IS 'Where the bytes are: database.';
COMMENT ON COLUMN modelreg.discarded_content.discarded_at IS 'Since when.';

CREATE TABLE modelreg.artifact_check (
	sha256 bytea NOT NULL
		CONSTRAINT artifact_check_pkey PRIMARY KEY,
	verified_at timestamptz NOT NULL,
	problem text
);
COMMENT ON TABLE modelreg.artifact_check IS 'When modelreg_scrub last read each artifact, and what it found; see the view artifact_health.';
COMMENT ON COLUMN modelreg.artifact_check.sha256 IS 'The artifact (modelreg.artifact.sha256).';
COMMENT ON COLUMN modelreg.artifact_check.verified_at IS 'When its bytes were last read and compared with their SHA-256.';
COMMENT ON COLUMN modelreg.artifact_check.problem IS 'What was wrong; NULL: nothing.';

CREATE TABLE modelreg.stage_rule (
	from_stage modelreg.deployment_stage NOT NULL,
	to_stage modelreg.deployment_stage NOT NULL,
	allowed boolean NOT NULL,
	CONSTRAINT stage_rule_pkey PRIMARY KEY (from_stage, to_stage),
	CONSTRAINT stage_rule_check CHECK (from_stage OPERATOR(pg_catalog.<>) to_stage)
);
COMMENT ON TABLE modelreg.stage_rule IS 'Deviations from the built-in legal stage moves (all but archived to production); empty at first.';
COMMENT ON COLUMN modelreg.stage_rule.from_stage IS 'Stage that the move leaves.';
COMMENT ON COLUMN modelreg.stage_rule.to_stage IS 'Stage that the move enters.';
COMMENT ON COLUMN modelreg.stage_rule.allowed IS 'Whether the move is legal.';

CREATE TABLE modelreg.metric_direction (
	metric text COLLATE "C" NOT NULL
		CONSTRAINT metric_direction_pkey PRIMARY KEY,
	higher_is_better boolean NOT NULL
);
COMMENT ON TABLE modelreg.metric_direction IS 'Metrics whose better direction differs from what their name suggests; empty at first.';
COMMENT ON COLUMN modelreg.metric_direction.metric IS 'Name of the metric.';
COMMENT ON COLUMN modelreg.metric_direction.higher_is_better IS 'Whether a higher value is better.';

CREATE TABLE modelreg.audit_event (
	model_key uuid NOT NULL,
	seq bigint NOT NULL,
	at timestamptz NOT NULL,
	event text COLLATE "C" NOT NULL,
	model_name text COLLATE "C",
	model_id text COLLATE "C",
	session_user_name text COLLATE "C" NOT NULL,
	actor text COLLATE "C" NOT NULL,
	client jsonb NOT NULL,
	xid xid8 NOT NULL,
	old_values jsonb,
	new_values jsonb,
	reason text NOT NULL,
	format smallint NOT NULL,
	hash bytea NOT NULL,
	CONSTRAINT audit_event_pkey PRIMARY KEY (model_key, seq)
);
CREATE INDEX audit_event_model_id_idx ON modelreg.audit_event (model_id, seq);
-- by name, and in it by the order of ids
CREATE FUNCTION modelreg.issue_rank(model_name text, model_id text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_issue_rank';
COMMENT ON FUNCTION modelreg.issue_rank(text, text) IS
	'Second (YYYYMMDD_HHMMSS) and number of an id as a text that orders as the ids of the name were issued; NULL for what is no id of that name.';
CREATE INDEX audit_event_issue_idx
	ON modelreg.audit_event (model_name, modelreg.issue_rank(model_name, model_id));
CREATE INDEX audit_event_at_idx ON modelreg.audit_event USING brin (at);
COMMENT ON TABLE modelreg.audit_event IS 'The append-only audit trail: a hash chain for each model, and one (nil model_key) for what belongs to no model.';
COMMENT ON COLUMN modelreg.audit_event.model_key IS 'The chain: the model''s key, or the nil UUID for events of the registry as a whole.';
COMMENT ON COLUMN modelreg.audit_event.seq IS 'Number of the event in its chain, from 1 without gaps.';
COMMENT ON COLUMN modelreg.audit_event.at IS 'When it happened, by the clock, which may have been set back since: the order is that of seq.';
COMMENT ON COLUMN modelreg.audit_event.event IS 'What happened: register, stage, update, delete, alias, model_create, model_update, model_rename, model_delete, stage_rule, metric_direction, cleanup, repair.';
COMMENT ON COLUMN modelreg.audit_event.model_name IS 'Name of the model at that time (checked against the chain by modelreg_audit_verify); NULL in the registry chain.';
COMMENT ON COLUMN modelreg.audit_event.model_id IS 'The version concerned, if one was.';
COMMENT ON COLUMN modelreg.audit_event.session_user_name IS 'Role that the session logged in as.';
COMMENT ON COLUMN modelreg.audit_event.actor IS 'Role that acted (after SET ROLE).';
COMMENT ON COLUMN modelreg.audit_event.client IS 'Client address, and application_name as the client''s claim.';
COMMENT ON COLUMN modelreg.audit_event.xid IS 'Transaction that recorded it.';
COMMENT ON COLUMN modelreg.audit_event.old_values IS 'What was there before: the changed fields, or the whole row of what was deleted.';
COMMENT ON COLUMN modelreg.audit_event.new_values IS 'What is there since: the changed fields, the whole row of a registration, the cause of a deletion, or what a cleanup or repair did.';
COMMENT ON COLUMN modelreg.audit_event.reason IS 'Why, as the caller said.';
COMMENT ON COLUMN modelreg.audit_event.format IS 'Layout of what is hashed: 1.';
COMMENT ON COLUMN modelreg.audit_event.hash IS 'SHA-256 of the previous event''s hash and this event (32 bytes).';

SELECT pg_catalog.pg_extension_config_dump('modelreg.model'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('modelreg.model_version'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('modelreg.version_file'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('modelreg.model_alias'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('modelreg.artifact'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('modelreg.artifact_chunk'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('modelreg.chunk'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('modelreg.chunk_piece'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('modelreg.upload'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('modelreg.discarded_content'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('modelreg.artifact_check'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('modelreg.stage_rule'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('modelreg.metric_direction'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('modelreg.audit_event'::pg_catalog.regclass, ''::pg_catalog.text);
