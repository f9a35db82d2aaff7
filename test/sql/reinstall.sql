--
-- DROP EXTENSION, CREATE EXTENSION again, and what stops it
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set SHOW_CONTEXT never

-- Use every kind of function, so that this session has its plans cached
\set register 'SELECT model_id AS id FROM modelreg_register(''\\x0102'', ''reinstalled'', performance_metrics => ''{"f1": 0.5}'')'
\set use 'SELECT s.version, s.deployment_stage, modelreg_load(s.model_id) AS bytes, (SELECT count(*) FROM modelreg_list()) AS listed FROM modelreg_update_stage(:''id'', ''production'') AS s'
:register \gset
:use;
:register \gset
:use;
SELECT count(*) FROM modelreg_verify() WHERE ok;

-- Nothing but the roles is left behind
DROP EXTENSION modelreg;
SELECT to_regnamespace('modelreg') AS schema, to_regtype('modelreg.deployment_stage') AS type,
	(SELECT count(*) FROM pg_proc WHERE proname LIKE 'modelreg%') AS functions,
	(SELECT count(*) FROM pg_roles WHERE rolname LIKE 'modelreg\_%') AS roles;

-- A schema that is there already may be somebody's trap
CREATE SCHEMA modelreg;
CREATE EXTENSION modelreg; -- error
CREATE EXTENSION modelreg SCHEMA modelreg; -- error
DROP SCHEMA modelreg;

-- So may a role be that can log in or has attributes
\set roles 'SELECT rolname, rolcanlogin, rolcreatedb FROM pg_roles WHERE rolname LIKE ''modelreg\\_%'' AND (rolcanlogin OR rolcreatedb)'
ALTER ROLE modelreg_reader LOGIN;
CREATE EXTENSION modelreg; -- error
ALTER ROLE modelreg_reader NOLOGIN;
ALTER ROLE modelreg_owner CREATEDB;
CREATE EXTENSION modelreg; -- error
ALTER ROLE modelreg_owner NOCREATEDB;
ALTER ROLE modelreg_writer NOINHERIT;
CREATE EXTENSION modelreg; -- error
ALTER ROLE modelreg_writer INHERIT;
:roles;

-- or a member of the owner; members of the others are reported
CREATE ROLE regress_modelreg_guest;
GRANT modelreg_owner TO regress_modelreg_guest;
CREATE EXTENSION modelreg; -- error
REVOKE modelreg_owner FROM regress_modelreg_guest;
GRANT modelreg_owner TO modelreg_reader;
CREATE EXTENSION modelreg; -- error
REVOKE modelreg_owner FROM modelreg_reader;
GRANT modelreg_admin TO regress_modelreg_guest;
CREATE EXTENSION modelreg;
SELECT item, ok, detail FROM modelreg_check() WHERE item LIKE 'role%' ORDER BY item;
DROP EXTENSION modelreg;
DROP ROLE regress_modelreg_guest;

-- Not inside a schema that does not exist, not by others than a superuser
CREATE EXTENSION modelreg SCHEMA regress_modelreg_nowhere; -- error
CREATE ROLE regress_modelreg_creator;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_modelreg_creator', current_database()) \gexec
SET ROLE regress_modelreg_creator;
CREATE EXTENSION modelreg; -- error
RESET ROLE;
SELECT format('REVOKE CREATE ON DATABASE %I FROM regress_modelreg_creator', current_database()) \gexec
DROP ROLE regress_modelreg_creator;

-- The session that used the dropped extension can use the new one
CREATE EXTENSION modelreg;
SELECT count(*) AS versions FROM modelreg_list();
:register \gset
:use;
:register \gset
:use;
SELECT count(*) FROM modelreg_verify() WHERE ok;
SELECT model_name, events, ok, problem FROM modelreg_audit_verify();

-- The functions can live in another schema; the tables stay where they are
DROP EXTENSION modelreg;
CREATE SCHEMA regress_modelreg_ml;
CREATE EXTENSION modelreg SCHEMA regress_modelreg_ml;
SELECT count(*) FILTER (WHERE p.pronamespace = 'regress_modelreg_ml'::regnamespace) > 0 AS functions_there,
	count(*) FILTER (WHERE p.pronamespace = 'public'::regnamespace) AS in_public
FROM pg_proc AS p WHERE p.proname LIKE 'modelreg\_%';
ALTER EXTENSION modelreg SET SCHEMA public; -- error
SET search_path = regress_modelreg_ml;
:register \gset
:use;
SELECT model_name, events, ok, problem FROM modelreg_audit_verify();
CALL modelreg_cleanup();
RESET search_path;
DROP EXTENSION modelreg;
DROP SCHEMA regress_modelreg_ml;
CREATE EXTENSION modelreg;

-- A search_path full of traps changes nothing: each of these functions and
-- operators would raise an error if one of ours called it
CREATE SCHEMA regress_modelreg_trap;
CREATE FUNCTION regress_modelreg_trap.spring(anyelement, anyelement) RETURNS boolean
	LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE OPERATOR regress_modelreg_trap.= (FUNCTION = regress_modelreg_trap.spring, LEFTARG = anyelement, RIGHTARG = anyelement);
CREATE OPERATOR regress_modelreg_trap.<> (FUNCTION = regress_modelreg_trap.spring, LEFTARG = anyelement, RIGHTARG = anyelement);
CREATE OPERATOR regress_modelreg_trap.> (FUNCTION = regress_modelreg_trap.spring, LEFTARG = anyelement, RIGHTARG = anyelement);
CREATE FUNCTION regress_modelreg_trap.spring(text, text) RETURNS boolean
	LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE OPERATOR regress_modelreg_trap.= (FUNCTION = regress_modelreg_trap.spring, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR regress_modelreg_trap.~ (FUNCTION = regress_modelreg_trap.spring, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR regress_modelreg_trap.!~ (FUNCTION = regress_modelreg_trap.spring, LEFTARG = text, RIGHTARG = text);
CREATE FUNCTION regress_modelreg_trap.lower(text) RETURNS text
	LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION regress_modelreg_trap.octet_length(text) RETURNS integer
	LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION regress_modelreg_trap.jsonb_typeof(jsonb) RETURNS text
	LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION regress_modelreg_trap.to_jsonb(anyelement) RETURNS jsonb
	LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION regress_modelreg_trap.format(text, text) RETURNS text
	LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
SET search_path = regress_modelreg_trap, pg_catalog, public;
SELECT 'a' = 'a'::text; -- error
SELECT lower('A'); -- error
:register \gset
:use;
SELECT metric, rank FROM modelreg_compare(ARRAY(SELECT model_id FROM modelreg_list()));
SELECT count(*) FROM modelreg_list('reinstalled', 'production', '{"f1": 0.1}', '{}', 'reinstalled', '0.1.0', '{"f1": 1}');
SELECT i.version FROM modelreg_find_latest('reinstalled') AS f, LATERAL modelreg_info(f.model_id) AS i;
SELECT tags, notes FROM modelreg_update(:'id', 'noted', '{tagged}', '{"f1": 0.6}');
SELECT count(*) FROM modelreg_verify();
SELECT count(*) FROM modelreg_history('reinstalled');
SELECT count(*) FROM modelreg_at(now() + '1 h');
SELECT ok, problem FROM modelreg_audit_verify(anchor => modelreg_audit_head());
SELECT count(*) FROM modelreg_cleanup_preview();
SELECT model_name FROM modelreg_update_model('reinstalled', max_versions => 1);
SELECT modelreg_set_stage_rule('canary', 'archived', false), modelreg_set_metric_direction('f1', true);
:register \gset
:use;
CALL modelreg_cleanup(keep_production => false);
SELECT model_name FROM modelreg_rename_model('reinstalled', 'renamed');
SELECT modelreg_delete_model('renamed', true);
SELECT count(*) FROM modelreg_check();
RESET search_path;
\set VERBOSITY terse
DROP SCHEMA regress_modelreg_trap CASCADE;
