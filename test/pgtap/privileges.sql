-- Owner, roles and rights.
BEGIN;
SELECT plan(16);

-- what belongs to the extension
CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid, x.extnamespace
	FROM pg_depend AS d
	JOIN pg_extension AS x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid
	WHERE x.extname = 'modelreg' AND d.deptype = 'e';

SELECT set_eq($$
	SELECT i.type || ' ' || COALESCE(p.oid::regprocedure::text, i.identity) AS object, g.rolname::text AS role,
		string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) AS privileges
	FROM member AS d
	LEFT JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
	LEFT JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
	LEFT JOIN pg_namespace AS n ON d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
	LEFT JOIN pg_type AS t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
	CROSS JOIN pg_identify_object(d.classid, d.objid, 0) AS i
	CROSS JOIN aclexplode(COALESCE(c.relacl, p.proacl, n.nspacl, t.typacl)) AS a
	LEFT JOIN pg_roles AS g ON g.oid = a.grantee
	WHERE g.rolname IS DISTINCT FROM 'modelreg_owner'
	GROUP BY 1, 2$$, $$
	VALUES
		('aggregate modelreg.jsonb_merge(jsonb)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.alias_snapshot(modelreg.model_alias)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.chain_keys(text,jsonb)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.chain_name(uuid,jsonb)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.different_keys(jsonb,jsonb)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.issue_rank(text,text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.last_before(uuid,timestamp with time zone)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.check_cron()', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.definition_problems()', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.installed_definitions()', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.present_definitions()', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.times_ahead()', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.key_time(uuid)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.unreadable_event(uuid)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.verify_chains(uuid[],jsonb)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.verify_each_chain(text,jsonb)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.verify_trail(text,jsonb)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.anchor_problems(jsonb)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.audit_hash(bytea,smallint,uuid,bigint,timestamp with time zone,text,text,text,text,jsonb,xid8,jsonb,jsonb,text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.chain_problems(uuid[])', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.check_anchor(jsonb)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.cleanup_artifacts(integer)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg.cleanup_begin(text,integer)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg.cleanup_contents(integer,uuid)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg.cleanup_end()', 'modelreg_admin', 'EXECUTE'),
		('function modelreg.cleanup_uploads(integer)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg.cleanup_versions(uuid,boolean,integer)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg.clip(text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.cron_database_note()', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.cron_function(text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.higher_is_better(text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.higher_is_better_by_name(text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.is_preloaded()', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.library_version()', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.model_snapshot(modelreg.model)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.require_model(text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref(name)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref(text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref_role(modelreg.role_ref)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref_written(modelreg.role_ref)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref_source(modelreg.role_ref)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref_agrees(modelreg.role_ref,text,text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref_eq(modelreg.role_ref,modelreg.role_ref)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref_ne(modelreg.role_ref,modelreg.role_ref)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref_lt(modelreg.role_ref,modelreg.role_ref)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref_le(modelreg.role_ref,modelreg.role_ref)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref_gt(modelreg.role_ref,modelreg.role_ref)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref_ge(modelreg.role_ref,modelreg.role_ref)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref_cmp(modelreg.role_ref,modelreg.role_ref)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref_hash(modelreg.role_ref)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.role_ref_hash_extended(modelreg.role_ref,bigint)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.semver_compare(text,text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.semver_next_minor(text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.semver_valid(text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.setting_max_versions()', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.trail_problems(uuid[])', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.unknown_settings()', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.utc_text(timestamp with time zone)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg.version_snapshot(modelreg.model_version)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_at(timestamp with time zone,text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_audit_head()', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_audit_verify(text,jsonb)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_check()', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_cleanup_preview(boolean,text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_compare(text[],text[])', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_create_model(text,text,text,text[],jsonb,boolean,integer,boolean,boolean,text)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg_delete(text,boolean,text)', 'modelreg_writer', 'EXECUTE'),
		('function modelreg_delete_model(text,boolean,text)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg_download(text,bigint,bigint,integer,text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_correct_time(text,timestamp with time zone,text)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg_drop_alias(text,text,text)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg_resolve(text,text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_set_alias(text,text,text)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg_find_latest(text,text,jsonb,text[],text,text,jsonb)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_history(text,text,timestamp with time zone)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_info(text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_list(text,text,jsonb,text[],text,text,jsonb,integer,text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_load(text,boolean,text)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_load_latest(text,text,jsonb,text[],text,text,jsonb,boolean)', 'modelreg_reader', 'EXECUTE'),
		('function modelreg_register(bytea,text,text,text,jsonb,text,text[],text,jsonb,jsonb,text,text[],timestamp with time zone,text,jsonb)', 'modelreg_writer', 'EXECUTE'),
		('function modelreg_register_files(text[],uuid[],text,text,text,jsonb,text,text[],text,jsonb,jsonb,text,text[],timestamp with time zone,text,jsonb)', 'modelreg_writer', 'EXECUTE'),
		('function modelreg_check_registration(text,text,text,jsonb,text,text[],text,jsonb,jsonb,text,text[],timestamp with time zone,text,jsonb)', 'modelreg_writer', 'EXECUTE'),
		('function modelreg_register_upload(uuid,text,text,text,jsonb,text,text[],text,jsonb,jsonb,text,text[],timestamp with time zone,text,jsonb)', 'modelreg_writer', 'EXECUTE'),
		('function modelreg_reassign(text,text,text)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg_rename_model(text,text,text)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg_schedule_cleanup(text)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg_scrub(bigint)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg_set_metric_direction(text,boolean,text)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg_set_stage_rule(text,text,boolean,text)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg_unschedule_cleanup()', 'modelreg_admin', 'EXECUTE'),
		('function modelreg_update(text,text,text[],jsonb,text,jsonb)', 'modelreg_writer', 'EXECUTE'),
		('function modelreg_update_model(text,text,text[],jsonb,boolean,integer,boolean,boolean,text[],text)', 'modelreg_admin', 'EXECUTE'),
		('function modelreg_update_stage(text,text,text)', 'modelreg_writer', 'EXECUTE'),
		('function modelreg_upload_abort(uuid)', 'modelreg_writer', 'EXECUTE'),
		('function modelreg_upload_append(uuid,bytea,bigint)', 'modelreg_writer', 'EXECUTE'),
		('function modelreg_upload_begin(bigint)', 'modelreg_writer', 'EXECUTE'),
		('function modelreg_upload_status(uuid)', 'modelreg_writer', 'EXECUTE'),
		('function modelreg_verify(text)', 'modelreg_reader', 'EXECUTE'),
		('procedure modelreg_cleanup(bigint,boolean,text,integer)', 'modelreg_admin', 'EXECUTE'),
		('schema modelreg', 'modelreg_reader', 'USAGE'),
		('table modelreg.artifact', 'modelreg_reader', 'SELECT'),
		('table modelreg.artifact_check', 'modelreg_reader', 'SELECT'),
		('table modelreg.audit_event', 'modelreg_reader', 'SELECT'),
		('table modelreg.metric_direction', 'modelreg_reader', 'SELECT'),
		('table modelreg.model', 'modelreg_reader', 'SELECT'),
		('table modelreg.model_alias', 'modelreg_reader', 'SELECT'),
		('table modelreg.model_version', 'modelreg_reader', 'SELECT'),
		('table modelreg.version_file', 'modelreg_reader', 'SELECT'),
		('table modelreg.stage_rule', 'modelreg_reader', 'SELECT'),
		('type modelreg.deployment_stage', 'modelreg_reader', 'USAGE'),
		('type modelreg.role_ref', 'modelreg_reader', 'USAGE'),
		('view modelreg.artifact_health', 'modelreg_reader', 'SELECT'),
		('view modelreg.model_metric', 'modelreg_reader', 'SELECT'),
		('view modelreg.production_model', 'modelreg_reader', 'SELECT'),
		('view modelreg.registry_stats', 'modelreg_reader', 'SELECT'),
		('view modelreg.stage_history', 'modelreg_reader', 'SELECT'),
		('view modelreg.storage_usage', 'modelreg_reader', 'SELECT')
	$$, 'what is granted to whom, and nothing else');

SELECT set_eq($$
	SELECT a.attrelid::regclass::text, g.rolname::text, x.privilege_type::text,
		string_agg(a.attname::text, ', ' ORDER BY a.attnum)
	FROM pg_attribute AS a
	JOIN pg_class AS c ON c.oid = a.attrelid
	CROSS JOIN aclexplode(a.attacl) AS x
	LEFT JOIN pg_roles AS g ON g.oid = x.grantee
	WHERE c.relnamespace = 'modelreg'::regnamespace
	GROUP BY 1, 2, 3$$, $$
	VALUES
		('modelreg.artifact_chunk', 'modelreg_reader', 'SELECT', 'content, chunk_no, chunk, byte_offset'),
		('modelreg.chunk', 'modelreg_reader', 'SELECT', 'chunk, raw_size, stored_size, codec'),
		('modelreg.upload', 'modelreg_reader', 'SELECT', 'upload_id, created_by, created_at, last_append_at, expected_size, bytes_held, storage, owner')
	$$, 'what is granted of some columns: the directory of the bytes, never the bytes');

SELECT is_empty($$
	SELECT p.oid::regprocedure
	FROM pg_proc AS p
	JOIN member AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
	WHERE p.proacl IS NULL
	$$, 'no function has the default privileges, which let PUBLIC execute it');

SELECT is_empty($$
	SELECT i.type, i.identity
	FROM member AS d
	CROSS JOIN pg_identify_object(d.classid, d.objid, 0) AS i
	LEFT JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
	LEFT JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
	LEFT JOIN pg_namespace AS n ON d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
	LEFT JOIN pg_type AS t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
	LEFT JOIN pg_operator AS o ON d.classid = 'pg_operator'::regclass AND o.oid = d.objid
	LEFT JOIN pg_opclass AS k ON d.classid = 'pg_opclass'::regclass AND k.oid = d.objid
	LEFT JOIN pg_opfamily AS f ON d.classid = 'pg_opfamily'::regclass AND f.oid = d.objid
	WHERE COALESCE(c.relowner, p.proowner, n.nspowner, t.typowner, o.oprowner, k.opcowner, f.opfowner) <> 'modelreg_owner'::regrole
	$$, 'everything belongs to modelreg_owner');

SELECT set_eq($$
	SELECT r.rolname::text, r.rolinherit, r.rolcanlogin OR r.rolsuper OR r.rolcreaterole
		OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls AS has_attributes
	FROM pg_roles AS r WHERE r.rolname LIKE 'modelreg\_%'$$, $$
	VALUES ('modelreg_owner', true, false), ('modelreg_reader', true, false),
		('modelreg_writer', true, false), ('modelreg_admin', true, false)
	$$, 'the roles are plain group roles');

SELECT set_eq($$
	SELECT m.rolname::text AS member, g.rolname::text AS role
	FROM pg_auth_members AS am
	JOIN pg_roles AS g ON g.oid = am.roleid
	JOIN pg_roles AS m ON m.oid = am.member
	WHERE g.rolname LIKE 'modelreg\_%' AND m.rolname LIKE 'modelreg\_%'$$, $$
	VALUES ('modelreg_writer', 'modelreg_reader'), ('modelreg_admin', 'modelreg_writer')
	$$, 'each role contains the one before, and nobody the owner');

CREATE ROLE regress_modelreg_stranger;
CREATE ROLE regress_modelreg_admin IN ROLE modelreg_admin;

SET ROLE regress_modelreg_stranger;
SELECT throws_ok('SELECT FROM modelreg_list()', '42501', NULL, 'a stranger may not list');
SELECT throws_ok('SELECT modelreg_load(''x'')', '42501', NULL, 'a stranger may not load');
SELECT throws_ok('TABLE modelreg.model_version', '42501', NULL, 'a stranger may not read tables');
SELECT throws_ok('SELECT ''staging''::modelreg.deployment_stage', '42501', NULL, 'a stranger may not use the type');
SELECT throws_ok('SELECT FROM modelreg_check()', '42501', NULL, 'a stranger may not even check');
RESET ROLE;

SET ROLE regress_modelreg_admin;
SELECT lives_ok('SELECT FROM modelreg_register(''x'', ''t'', performance_metrics => ''{"m": 1}'')',
	'an admin has the rights of a writer');
SELECT lives_ok('SELECT FROM modelreg_list()', 'an admin has the rights of a reader');
SELECT throws_ok('TABLE modelreg.chunk_piece', '42501', NULL, 'not even an admin reads the pieces');
SELECT throws_ok('UPDATE modelreg.model_version SET notes = ''x''', '42501', NULL, 'not even an admin writes to tables');
SELECT ok(NOT pg_has_role('modelreg_owner', 'MEMBER'), 'not even an admin may become the owner');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
