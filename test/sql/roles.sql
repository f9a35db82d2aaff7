--
-- Who may call what, and on whose behalf a call counts
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set ECHO all

-- The grants, function by function
SELECT n.nspname = 'modelreg' AS inner, p.proname,
	has_function_privilege('regress_modelreg_nobody', p.oid, 'EXECUTE') AS nobody,
	has_function_privilege('regress_modelreg_reader', p.oid, 'EXECUTE') AS reader,
	has_function_privilege('regress_modelreg_writer', p.oid, 'EXECUTE') AS writer,
	has_function_privilege('regress_modelreg_admin', p.oid, 'EXECUTE') AS admin
FROM pg_extension AS e
JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE e.extname = 'modelreg'
ORDER BY 1, 2;

-- The same by calling them.  What the statement would do, run by one of our roles:
CREATE FUNCTION trial_as(attacker text, statement text) RETURNS text
	LANGUAGE sql
	RETURN regexp_replace(trial(format('SET LOCAL SESSION AUTHORIZATION regress_modelreg_%s; %s', attacker, statement)), '(?<=^[0-9A-Z]{5}) .*', '');
CREATE FUNCTION trials(statements text[])
	RETURNS TABLE (statement text, nobody text, reader text, writer text, admin text)
	LANGUAGE sql
	BEGIN ATOMIC
		SELECT s.statement, trial_as('nobody', s.statement), trial_as('reader', s.statement),
			trial_as('writer', s.statement), trial_as('admin', s.statement)
		FROM unnest(statements) WITH ORDINALITY AS s (statement, n)
		ORDER BY s.n;
	END;
-- Its instances, by who registered them and where they are.
CREATE FUNCTION the(wanted text) RETURNS text
	LANGUAGE sql STABLE
	RETURN (SELECT v.model_id FROM modelreg.model_version AS v WHERE v.notes = wanted);

SET SESSION AUTHORIZATION regress_modelreg_writer;
SELECT FROM modelreg_register('\x01', 'forest', '1.0.0', 'one', '{"f1": 0.1}', notes => 'mine, development');
SELECT FROM modelreg_register('\x02', 'forest', '2.0.0', 'one', '{"f1": 0.1}', 'staging', notes => 'mine, staging');
SELECT FROM modelreg_register('\x03', 'forest', '3.0.0', 'one', '{"f1": 0.1}', notes => 'mine, production');
SELECT FROM modelreg_register('\x04', 'forest', '4.0.0', 'one', '{"f1": 0.1}', notes => 'mine, canary');
SET SESSION AUTHORIZATION regress_modelreg_other_writer;
SELECT FROM modelreg_register('\x05', 'forest', '5.0.0', 'one', '{"f1": 0.1}', notes => 'other''s, development');
SET SESSION AUTHORIZATION regress_modelreg_admin;
SELECT FROM modelreg_update_stage(the('mine, production'), 'production');
SELECT FROM modelreg_update_stage(the('mine, canary'), 'canary');
RESET SESSION AUTHORIZATION;

SELECT t.*
FROM trials(ARRAY[
	'SELECT FROM modelreg_load((SELECT model_id FROM modelreg_list(max_rows => 1)))',
	'SELECT FROM modelreg_load_latest()',
	'SELECT FROM modelreg_find_latest()',
	'SELECT FROM modelreg_list()',
	'SELECT FROM modelreg_info((SELECT model_id FROM modelreg_find_latest()))',
	'SELECT FROM modelreg_compare(ARRAY(SELECT model_id FROM modelreg_list()))',
	'SELECT FROM modelreg_verify()',
	'SELECT FROM modelreg_history()',
	'SELECT FROM modelreg_at(clock_timestamp())',
	'SELECT FROM modelreg_audit_head()',
	'SELECT FROM modelreg_audit_verify()',
	'SELECT FROM modelreg_audit_verify(anchor => modelreg_audit_head())',
	'SELECT FROM modelreg_cleanup_preview()',
	'SELECT count(*) FROM modelreg_check()',
	'SELECT FROM modelreg_create_model(''x'')',
	'SELECT FROM modelreg_update_model(''one'', ''x'')',
	'SELECT FROM modelreg_rename_model(''one'', ''x'')',
	'SELECT FROM modelreg_delete_model(''one'', true)',
	'SELECT FROM modelreg_set_stage_rule(''staging'', ''canary'', false)',
	'SELECT FROM modelreg_set_metric_direction(''f1'', false)',
	'SELECT FROM modelreg_schedule_cleanup()',
	'SELECT FROM modelreg_unschedule_cleanup()',
	'CALL modelreg_cleanup()',
	'SELECT FROM modelreg.cleanup_begin(NULL, 10)',
	'SELECT FROM modelreg.cleanup_versions((SELECT model_key FROM modelreg.model), true, 10)',
	'SELECT FROM modelreg.cleanup_artifacts(10)',
	'SELECT FROM modelreg.cleanup_end()']) AS t;

-- Registration by stage
SELECT t.*
FROM trials(ARRAY(
	SELECT format('SELECT FROM modelreg_register(''\x09'', ''forest'', performance_metrics => ''{"f1": 1}'', deployment_stage => %L)', s)
	FROM unnest(enum_range(NULL::modelreg.deployment_stage)) AS s)) AS t;

-- Moves: the outcome for the writer and the admin, from stage to stage
SELECT n.notes, s.stage AS move_to,
	trial_as('nobody', call) AS nobody, trial_as('reader', call) AS reader,
	trial_as('writer', call) AS writer, trial_as('admin', call) AS admin
FROM unnest(ARRAY['mine, development', 'mine, staging', 'mine, canary', 'mine, production', 'other''s, development']) WITH ORDINALITY AS n (notes, i),
	unnest(enum_range(NULL::modelreg.deployment_stage)) AS s (stage),
	format('SELECT FROM modelreg_update_stage(%L, %L)', the(n.notes), s.stage) AS f (call)
ORDER BY n.i, s.stage;

-- Metadata and deletion
SELECT n.notes, a.what,
	trial_as('nobody', call) AS nobody, trial_as('reader', call) AS reader,
	trial_as('writer', call) AS writer, trial_as('admin', call) AS admin
FROM unnest(ARRAY['mine, development', 'mine, staging', 'mine, canary', 'mine, production', 'other''s, development']) WITH ORDINALITY AS n (notes, i),
	(VALUES (1, 'edit', 'SELECT FROM modelreg_update(%L, tags => ''{new}'')'),
		(2, 'delete', 'SELECT FROM modelreg_delete(%L)'),
		(3, 'force', 'SELECT FROM modelreg_delete(%L, true)')) AS a (j, what, form),
	format(a.form, the(n.notes)) AS f (call)
ORDER BY a.j, n.i;

-- A grant of EXECUTE alone does not do: the functions ask for the role
GRANT USAGE ON SCHEMA modelreg TO regress_modelreg_nobody;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA public, modelreg TO regress_modelreg_nobody, regress_modelreg_reader;
SELECT mask(t.statement) AS statement, t.nobody, t.reader
FROM trials(ARRAY[
	'SELECT FROM modelreg_register(''\x09'', ''forest'', performance_metrics => ''{"f1": 1}'')',
	format('SELECT FROM modelreg_update_stage(%L, ''development'')', the('mine, staging')),
	format('SELECT FROM modelreg_update(%L, ''x'')', the('mine, staging')),
	format('SELECT FROM modelreg_delete(%L)', the('mine, staging')),
	'SELECT FROM modelreg_create_model(''x'')',
	'SELECT FROM modelreg_update_model(''one'', ''x'')',
	'SELECT FROM modelreg_rename_model(''one'', ''x'')',
	'SELECT FROM modelreg_delete_model(''one'', true)',
	'SELECT FROM modelreg_set_stage_rule(''staging'', ''canary'', false)',
	'SELECT FROM modelreg_set_metric_direction(''f1'', false)',
	'SELECT FROM modelreg_schedule_cleanup()',
	'SELECT FROM modelreg_unschedule_cleanup()',
	'CALL modelreg_cleanup()',
	'SELECT FROM modelreg.cleanup_begin(NULL, 10)',
	'SELECT FROM modelreg.cleanup_versions(gen_random_uuid(), true, 10)',
	'SELECT FROM modelreg.cleanup_artifacts(10)',
	'SELECT FROM modelreg.cleanup_end()',
	format('SELECT FROM modelreg_load(%L)', the('mine, staging')),
	'SELECT FROM modelreg_list()',
	'SELECT FROM modelreg_history()',
	'SELECT FROM modelreg_audit_head()',
	'SELECT FROM modelreg_verify()']) AS t;
-- nor does it let anybody record what never was
SELECT t.recorder, t.recorded, trial_as('reader', format(
		'CREATE TEMP TABLE %1$I AS SELECT * FROM modelreg.%1$I; INSERT INTO pg_temp.%1$I VALUES (%2$s); CREATE TRIGGER t AFTER DELETE ON pg_temp.%1$I FOR EACH ROW EXECUTE FUNCTION modelreg.%3$I(); DELETE FROM pg_temp.%1$I',
		t.recorded, t.contents, t.recorder)) AS reader
FROM (VALUES
	('record_model', 'model', 'DEFAULT'),
	('record_setting', 'metric_direction', '''f1'', false'),
	('record_setting', 'stage_rule', '''archived'', ''production'', true'),
	('record_version', 'model_version', 'DEFAULT')) AS t (recorder, recorded, contents);
REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA public, modelreg FROM regress_modelreg_nobody, regress_modelreg_reader;
REVOKE USAGE ON SCHEMA modelreg FROM regress_modelreg_nobody;

-- The trail names both: who logged in, and the role that acts.  One who does
-- not inherit acts only after SET ROLE, and then as the group.
CREATE ROLE regress_modelreg_pooler LOGIN NOINHERIT;
GRANT regress_modelreg_writer, regress_modelreg_admin, modelreg_writer TO regress_modelreg_pooler;
SET SESSION AUTHORIZATION regress_modelreg_pooler;
SELECT attempt('SELECT FROM modelreg_register(''\x11'', ''forest'', model_name => ''two'', performance_metrics => ''{"f1": 1}'')');
SET ROLE regress_modelreg_writer;
SELECT registered_by FROM modelreg_register('\x11', 'forest', model_name => 'two', performance_metrics => '{"f1": 1}', notes => 'by writer');
SET ROLE modelreg_writer;
SELECT registered_by FROM modelreg_register('\x12', 'forest', model_name => 'two', performance_metrics => '{"f1": 1}', notes => 'by the group');
SELECT left(attempt(format('SELECT FROM modelreg_update(%L, ''x'')', the('by writer'))), 5);
SELECT attempt(format('SELECT FROM modelreg_update(%L, ''x'')', the('by the group')));
SET ROLE regress_modelreg_admin;
SELECT deployment_stage FROM modelreg_update_stage(the('by writer'), 'production', 'tested');
RESET ROLE;
SELECT left(attempt('SELECT FROM modelreg_list()'), 5);
RESET SESSION AUTHORIZATION;
SELECT seq, event, session_user_name, actor, reason, new_values ->> 'registered_by' AS registered_by
FROM modelreg_history('two') ORDER BY seq;

-- A SECURITY DEFINER function lends the rights of its owner, never those of
-- its caller
CREATE SCHEMA lent;
GRANT USAGE, CREATE ON SCHEMA lent TO regress_modelreg_nobody, regress_modelreg_writer, regress_modelreg_admin;
GRANT USAGE ON SCHEMA modelreg TO regress_modelreg_nobody;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA public TO regress_modelreg_nobody;
SELECT format($$
	SET SESSION AUTHORIZATION regress_modelreg_%1$s;
	CREATE FUNCTION lent.promote_by_%1$s(id text) RETURNS text LANGUAGE sql SECURITY DEFINER
		AS 'SELECT deployment_stage FROM public.modelreg_update_stage(id, ''production'')';
	CREATE FUNCTION lent.register_by_%1$s() RETURNS text LANGUAGE sql SECURITY DEFINER
		AS 'SELECT registered_by FROM public.modelreg_register(''\x21'', ''forest'', model_name => ''three'', performance_metrics => ''{"f1": 1}'', notes => ''lent'')';
	CREATE FUNCTION lent.load_by_%1$s(id text) RETURNS bytea LANGUAGE sql SECURITY DEFINER
		AS 'SELECT public.modelreg_load(id)';
	CREATE FUNCTION lent.cleanup_by_%1$s() RETURNS int LANGUAGE sql SECURITY DEFINER
		AS 'SELECT modelreg.cleanup_artifacts(1)';
	RESET SESSION AUTHORIZATION$$, owner)
FROM unnest(ARRAY['nobody', 'writer', 'admin']) AS owner \gexec
SELECT o.owner, c.caller,
	trial_as(c.caller, format('SELECT lent.promote_by_%s(%L)', o.owner, the('mine, staging'))) AS promote,
	trial_as(c.caller, format('SELECT lent.register_by_%s()', o.owner)) AS register,
	trial_as(c.caller, format('SELECT lent.load_by_%s(%L)', o.owner, the('mine, staging'))) AS load,
	trial_as(c.caller, format('SELECT lent.cleanup_by_%s()', o.owner)) AS cleanup
FROM unnest(ARRAY['nobody', 'writer', 'admin']) AS o (owner), unnest(ARRAY['nobody', 'writer', 'admin']) AS c (caller);
GRANT USAGE ON SCHEMA lent TO PUBLIC;
SET SESSION AUTHORIZATION regress_modelreg_reader;
SELECT lent.register_by_writer();
SELECT lent.promote_by_admin((SELECT model_id FROM modelreg_find_latest(model_name => 'three')));
SET SESSION AUTHORIZATION regress_modelreg_admin;
SELECT lent.register_by_writer();
RESET SESSION AUTHORIZATION;
SELECT seq, event, session_user_name, actor, new_values ->> 'registered_by' AS registered_by
FROM modelreg_history('three') ORDER BY seq;

-- Membership counts when it is there: given and taken, in the same session
REVOKE modelreg_writer FROM regress_modelreg_writer;
SELECT trial_as('writer', 'SELECT FROM modelreg_list()') AS list,
	trial_as('writer', format('SELECT FROM modelreg_update(%L, ''x'')', the('mine, staging'))) AS edit;
GRANT modelreg_reader TO regress_modelreg_writer;
SELECT trial_as('writer', 'SELECT FROM modelreg_find_latest()') AS find,
	trial_as('writer', format('SELECT FROM modelreg_update(%L, ''x'')', the('mine, staging'))) AS edit;
GRANT modelreg_writer TO regress_modelreg_writer;
SELECT trial_as('writer', format('SELECT FROM modelreg_update(%L, ''x'')', the('mine, staging'))) AS edit;

-- What is refused says who may
SET SESSION AUTHORIZATION regress_modelreg_writer;
SELECT FROM modelreg_register('\x31', 'forest', deployment_stage => 'production', performance_metrics => '{"f1": 1}'); -- error
SELECT mask(attempt(format('SELECT FROM modelreg_update_stage(%L, ''canary'')', the('mine, staging'))));
SELECT mask(attempt(format('SELECT FROM modelreg_update(%L, ''x'')', the('other''s, development'))));
SELECT mask(attempt(format('SELECT FROM modelreg_delete(%L)', the('other''s, development'))));
SELECT mask(attempt(format('SELECT FROM modelreg_delete(%L, true)', the('mine, staging'))));
SELECT mask(attempt(format('SELECT FROM modelreg_delete(%L)', the('mine, production'))));
SET SESSION AUTHORIZATION regress_modelreg_admin;
SELECT attempt('SELECT modelreg_schedule_cleanup()');
SELECT attempt('SELECT modelreg_unschedule_cleanup()');
CALL modelreg_cleanup();
RESET SESSION AUTHORIZATION;

-- Settings that decide for everybody are not for a session's own choice
SELECT s.setting, trial_as('admin', format('SET modelreg.%s', s.setting)) AS admin
FROM unnest(ARRAY['max_versions = 1', 'auto_cleanup = on', 'require_metadata = off', 'notify = none',
	'verify_checksums = off', 'reason = ''x''', 'nonsense = 1']) AS s (setting);
SELECT setting, attempt('SET LOCAL modelreg.' || setting) AS superuser
FROM unnest(ARRAY['max_versions = 0', 'max_versions = -2', 'max_versions = -1', 'notify = loud', 'nonsense = 1']) AS setting;

SELECT * FROM modelreg_audit_verify();

SET client_min_messages = warning;
DROP SCHEMA lent CASCADE;
DROP FUNCTION the(text), trials(text[]), trial_as(text, text);
\set ECHO none
\i :test_dir/lib/attack_end.sql
