--
-- modelreg_check: what it looks at, and that it sees each thing that is wrong
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set ECHO all

-- All is well here, but for what the server's configuration says
SET log_parameter_max_length = 0;
SET log_parameter_max_length_on_error = 0;
SELECT item, ok, CASE WHEN item NOT IN ('preload', 'superusers', 'version') THEN detail END AS detail FROM modelreg_check() WHERE item <> 'auto_explain' ORDER BY item COLLATE "C";

-- What the check says otherwise after the statements, which are undone
CREATE FUNCTION checked(VARIADIC statements text[]) RETURNS text
	LANGUAGE plpgsql
	AS $$
DECLARE
	statement text;
	before jsonb;
	said text;
BEGIN
	SELECT jsonb_object_agg(c.item, c.detail) INTO before FROM modelreg_check() AS c;
	BEGIN
		FOREACH statement IN ARRAY statements
		LOOP
			EXECUTE statement;
		END LOOP;
		SELECT string_agg(format('%s %s: %s', c.item, CASE WHEN c.ok THEN 'ok' ELSE 'NOT OK' END, c.detail), '; ' ORDER BY c.item COLLATE "C")
		INTO said
		FROM modelreg_check() AS c
		WHERE c.detail IS DISTINCT FROM before ->> c.item;
		RAISE EXCEPTION USING ERRCODE = 'P9999', MESSAGE = coalesce(said, 'no change');
	EXCEPTION
		WHEN SQLSTATE 'P9999' THEN
			RETURN SQLERRM;
	END;
END
$$;
SELECT checked('SELECT');

-- Row-level security: on all tables that tell of versions, or on none
SELECT checked('ALTER TABLE modelreg.model_version ENABLE ROW LEVEL SECURITY');
SELECT checked('ALTER TABLE modelreg.model_version ENABLE ROW LEVEL SECURITY', 'ALTER TABLE modelreg.model ENABLE ROW LEVEL SECURITY',
	'ALTER TABLE modelreg.version_file ENABLE ROW LEVEL SECURITY', 'ALTER TABLE modelreg.model_alias ENABLE ROW LEVEL SECURITY',
	'ALTER TABLE modelreg.audit_event ENABLE ROW LEVEL SECURITY', 'ALTER TABLE modelreg.artifact ENABLE ROW LEVEL SECURITY',
	'ALTER TABLE modelreg.artifact_check ENABLE ROW LEVEL SECURITY', 'ALTER TABLE modelreg.artifact_chunk ENABLE ROW LEVEL SECURITY',
	'ALTER TABLE modelreg.chunk ENABLE ROW LEVEL SECURITY', 'ALTER TABLE modelreg.upload ENABLE ROW LEVEL SECURITY');

-- Triggers
SELECT checked('ALTER TABLE modelreg.audit_event DISABLE TRIGGER audit_event_row_guard');
-- each of them is missed
SELECT count(*) AS triggers,
	count(*) FILTER (WHERE checked(format('ALTER TABLE %s DISABLE TRIGGER %I', g.tgrelid::regclass, g.tgname)) !~ g.tgname) AS unnoticed
FROM pg_trigger AS g
WHERE g.tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'modelreg'::regnamespace) AND NOT g.tgisinternal;
SELECT checked('ALTER TABLE modelreg.model_version DISABLE TRIGGER ALL');
SELECT checked('ALTER TABLE modelreg.model_version ENABLE TRIGGER ALL');
SELECT checked('ALTER TABLE modelreg.chunk_piece ENABLE TRIGGER chunk_piece_row_guard');
SELECT checked('ALTER TABLE modelreg.chunk ENABLE REPLICA TRIGGER chunk_statement_guard');
SELECT checked('ALTER TABLE modelreg.model ENABLE ALWAYS TRIGGER model_recorder');
SELECT checked('ALTER TABLE modelreg.model_version ENABLE REPLICA TRIGGER model_version_stamp');
SELECT checked('DROP TRIGGER stage_rule_recorder ON modelreg.stage_rule');
SELECT checked('ALTER TRIGGER model_row_guard ON modelreg.model RENAME TO x');
SELECT checked('CREATE OR REPLACE TRIGGER artifact_row_guard BEFORE UPDATE ON modelreg.artifact FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()');
SELECT checked('CREATE OR REPLACE FUNCTION modelreg.guard_audit() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NEW; END''');
SELECT checked('CREATE FUNCTION let_pass() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN OLD; END''',
	'DROP TRIGGER audit_event_row_guard ON modelreg.audit_event',
	'CREATE TRIGGER audit_event_row_guard BEFORE UPDATE OR DELETE ON modelreg.audit_event FOR EACH ROW EXECUTE FUNCTION let_pass()',
	'ALTER TABLE modelreg.audit_event ENABLE ALWAYS TRIGGER audit_event_row_guard');
SELECT checked('CREATE FUNCTION let_pass() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NEW; END''',
	'CREATE TRIGGER a_stranger BEFORE INSERT ON modelreg.model_version FOR EACH ROW EXECUTE FUNCTION let_pass()');
SELECT checked('DROP TRIGGER audit_event_row_guard ON modelreg.audit_event',
	'CREATE TRIGGER audit_event_row_guard BEFORE UPDATE ON modelreg.audit_event FOR EACH ROW EXECUTE FUNCTION modelreg.guard_audit()',
	'ALTER TABLE modelreg.audit_event ENABLE ALWAYS TRIGGER audit_event_row_guard') LIKE '%triggers NOT OK%' AS seen;
SELECT checked('DROP TRIGGER audit_event_row_guard ON modelreg.audit_event',
	'CREATE TRIGGER audit_event_row_guard BEFORE UPDATE OR DELETE ON modelreg.audit_event FOR EACH ROW WHEN (false) EXECUTE FUNCTION modelreg.guard_audit()',
	'ALTER TABLE modelreg.audit_event ENABLE ALWAYS TRIGGER audit_event_row_guard') LIKE '%triggers NOT OK%' AS seen;

SELECT checked('DROP TRIGGER audit_event_row_guard ON modelreg.audit_event',
	'CREATE TRIGGER audit_event_row_guard BEFORE UPDATE OR DELETE ON modelreg.audit_event FOR EACH ROW EXECUTE FUNCTION modelreg.guard_setting()',
	'ALTER TABLE modelreg.audit_event ENABLE ALWAYS TRIGGER audit_event_row_guard') LIKE '%triggers NOT OK%' AS seen;
SELECT checked('CREATE RULE a_stranger AS ON UPDATE TO modelreg.model_version DO INSTEAD NOTHING') LIKE '%triggers NOT OK%' AS seen;

-- Owner
SELECT checked('ALTER TABLE modelreg.audit_event OWNER TO regress_modelreg_admin');
SELECT checked('ALTER VIEW modelreg.model_metric OWNER TO regress_modelreg_admin', 'ALTER FUNCTION modelreg_list OWNER TO regress_modelreg_admin');
SELECT checked('ALTER FUNCTION modelreg.guard_audit OWNER TO regress_modelreg_admin');
SELECT checked('ALTER PROCEDURE modelreg_cleanup OWNER TO regress_modelreg_admin');
SELECT checked('ALTER TYPE modelreg.deployment_stage OWNER TO regress_modelreg_admin') LIKE '%owner NOT OK%' AS seen;
SELECT checked('ALTER SCHEMA modelreg OWNER TO regress_modelreg_admin') LIKE '%owner NOT OK%' AS seen;

-- Roles
SELECT checked('ALTER ROLE modelreg_owner LOGIN');
SELECT checked('ALTER ROLE modelreg_writer CREATEDB');
SELECT checked('ALTER ROLE modelreg_reader BYPASSRLS');
SELECT checked('ALTER ROLE modelreg_admin SUPERUSER');
SELECT checked('GRANT modelreg_owner TO regress_modelreg_admin');
SELECT checked('GRANT modelreg_admin TO regress_modelreg_writer');
-- members of members, and what they may besides
SELECT checked('CREATE ROLE regress_modelreg_team IN ROLE modelreg_admin', 'GRANT regress_modelreg_team TO regress_modelreg_reader, regress_modelreg_nobody',
	'ALTER ROLE regress_modelreg_reader SUPERUSER', 'GRANT regress_modelreg_nobody TO regress_modelreg_writer') LIKE
	'%role modelreg_admin ok: members: regress_modelreg_admin, regress_modelreg_nobody through regress_modelreg_team, regress_modelreg_reader (superuser) through regress_modelreg_team, regress_modelreg_team, regress_modelreg_writer through regress_modelreg_team;%superusers ok: %regress_modelreg_reader%' AS seen;
SELECT checked('ALTER ROLE regress_modelreg_nobody CREATEROLE') ~ CASE WHEN current_setting('server_version_num')::integer < 160000
	THEN '^superusers ok: .*; may grant themselves modelreg_admin: regress_modelreg_nobody$' ELSE '^no change$' END AS seen;
SELECT checked('REVOKE modelreg_reader FROM regress_modelreg_reader');
SELECT checked('ALTER ROLE modelreg_admin NOINHERIT') LIKE '%role modelreg_admin NOT OK%' AS seen;
SELECT checked('REVOKE modelreg_reader FROM modelreg_writer') LIKE '%role modelreg_writer NOT OK%' AS seen;

-- Rights of PUBLIC
SELECT checked('GRANT SELECT ON modelreg.model_version TO PUBLIC', 'GRANT SELECT ON modelreg.model_metric TO PUBLIC');
SELECT checked('GRANT SELECT (notes) ON modelreg.model_version TO PUBLIC') LIKE '%public NOT OK%' AS seen;
SELECT checked('GRANT USAGE ON SCHEMA modelreg TO PUBLIC');
SELECT checked('GRANT EXECUTE ON FUNCTION modelreg_update_stage TO PUBLIC', 'GRANT EXECUTE ON PROCEDURE modelreg_cleanup TO PUBLIC');
SELECT checked('GRANT EXECUTE ON FUNCTION modelreg.record_version TO PUBLIC');

-- Rights that did not come by the roles
SELECT checked('GRANT SELECT ON modelreg.model_version TO regress_modelreg_nobody');
SELECT checked('GRANT SELECT (model_id), UPDATE (notes) ON modelreg.model_version TO regress_modelreg_nobody', 'GRANT EXECUTE ON FUNCTION modelreg_list TO regress_modelreg_nobody',
	'GRANT USAGE ON SCHEMA modelreg TO regress_modelreg_nobody', 'GRANT USAGE ON TYPE modelreg.deployment_stage TO regress_modelreg_nobody');
SELECT checked('GRANT TRIGGER ON modelreg.model TO regress_modelreg_nobody');
SELECT checked('GRANT CREATE ON SCHEMA modelreg TO regress_modelreg_nobody');

-- Logs that would take up artifacts
SELECT checked('SET LOCAL log_parameter_max_length = -1');
SELECT checked('SET LOCAL log_parameter_max_length = -1', 'SET LOCAL log_statement = ''all''');
SELECT checked('SET LOCAL log_parameter_max_length = -1', 'SET LOCAL log_statement = ''mod''');
SELECT checked('SET LOCAL log_parameter_max_length = -1', 'SET LOCAL log_statement = ''ddl''');
SELECT checked('SET LOCAL log_parameter_max_length = -1', 'SET LOCAL log_min_duration_statement = 0');
SELECT checked('SET LOCAL log_parameter_max_length = -1', 'SET LOCAL log_min_duration_sample = 10');
SELECT checked('SET LOCAL log_parameter_max_length = -1', 'SET LOCAL log_transaction_sample_rate = 0.5') LIKE '%statement log NOT OK%' AS seen;
SELECT checked('SET LOCAL log_parameter_max_length = ''16MB''', 'SET LOCAL log_statement = ''all''');
SELECT checked('SET LOCAL log_parameter_max_length = 1024', 'SET LOCAL log_statement = ''all''', 'SET LOCAL log_min_duration_statement = 0');
SELECT checked('SET LOCAL log_parameter_max_length_on_error = -1');
SELECT checked('SET LOCAL log_parameter_max_length_on_error = ''16MB''');
SELECT checked('SET LOCAL log_parameter_max_length_on_error = 64');
LOAD 'auto_explain';
SELECT detail, ok FROM modelreg_check() WHERE item = 'auto_explain';
-- from 16 on it logs parameters as well, in full unless told otherwise
SELECT current_setting('server_version_num')::integer >= 160000 AS logs_parameters,
	CASE WHEN current_setting('server_version_num')::integer >= 160000
		THEN 'SET LOCAL auto_explain.log_parameter_max_length = 1024' ELSE 'SELECT' END AS shorten \gset
SELECT (checked('SET LOCAL auto_explain.log_min_duration = 0') LIKE 'auto_explain NOT OK%') = :'logs_parameters' AS as_the_version_does;
SELECT checked('SET LOCAL auto_explain.log_min_duration = 0', :'shorten');
SELECT checked('SET LOCAL auto_explain.log_min_duration = 0', 'SET LOCAL auto_explain.log_verbose = on');

-- An update that was forgotten
SELECT checked('UPDATE pg_extension SET extversion = ''0.9'' WHERE extname = ''modelreg''') = format('version NOT OK: extension 0.9, library %s', extversion) AS seen
FROM pg_extension WHERE extname = 'modelreg';

-- Every reader may ask
SET SESSION AUTHORIZATION regress_modelreg_reader;
SELECT count(*) > 10 AS items, bool_and(ok) FILTER (WHERE item <> 'preload') AS ok FROM modelreg_check();
SET SESSION AUTHORIZATION regress_modelreg_nobody;
SELECT count(*) FROM modelreg_check(); -- error
RESET SESSION AUTHORIZATION;

DROP FUNCTION checked(text[]);
\set ECHO none
\i :test_dir/lib/attack_end.sql
