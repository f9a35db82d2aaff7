--
-- Row-level security: what it hides exists for no function, reading or writing
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set policies :test_dir '/../docs/row-security.sql'
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_modelreg_blue, regress_modelreg_red, regress_modelreg_blue_admin, regress_modelreg_blue_writer, regress_modelreg_red_admin;
RESET client_min_messages;
\set ECHO all
CREATE ROLE regress_modelreg_blue;
CREATE ROLE regress_modelreg_red;
CREATE ROLE regress_modelreg_blue_admin IN ROLE regress_modelreg_blue, modelreg_admin;
CREATE ROLE regress_modelreg_blue_writer IN ROLE regress_modelreg_blue, modelreg_writer;
CREATE ROLE regress_modelreg_red_admin IN ROLE regress_modelreg_red, modelreg_admin;
GRANT CREATE ON SCHEMA public TO regress_modelreg_blue_admin;
\set f1 'performance_metrics => ''{"f1": 0.5}'''

-- The policies that we ship
\i :policies
SELECT relname, relrowsecurity, has_any_column_privilege('modelreg_reader', oid, 'SELECT') AS readable
FROM pg_class WHERE relnamespace = 'modelreg'::regnamespace AND relkind = 'r' ORDER BY relname COLLATE "C";

SET ROLE regress_modelreg_blue_admin;
SELECT model_id AS mine FROM modelreg_register('blue one', 'forest', model_name => 'regress_modelreg_blue/a', :f1) \gset
SELECT deployment_stage FROM modelreg_update_stage(:'mine', 'production');
SELECT alias FROM modelreg_set_alias(:'mine', 'champion');
SELECT modelreg_upload_begin() AS mine_too \gset
SELECT artifacts FROM modelreg_scrub();
-- All that a role can read: tables, views, and functions without arguments that must be given
CREATE FUNCTION seen() RETURNS TABLE (source text, content text) LANGUAGE plpgsql AS $$
DECLARE
	item record;
BEGIN
	FOR item IN
		SELECT c.oid::regclass::text AS name,
			(SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
			 WHERE attrelid = c.oid AND attnum > 0 AND has_column_privilege(c.oid, attnum, 'SELECT')) AS columns
		FROM pg_class AS c
		WHERE relnamespace = 'modelreg'::regnamespace AND relkind IN ('r', 'v')
			AND has_any_column_privilege(c.oid, 'SELECT')
		UNION ALL
		SELECT format('%s()', p.oid::regproc), '*'
		FROM pg_proc AS p
		JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
		JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'modelreg'
		WHERE p.pronargs = p.pronargdefaults AND p.provolatile <> 'v' AND p.prorettype <> 'trigger'::regtype
		ORDER BY 1
	LOOP
		source := item.name;
		EXECUTE format('SELECT string_agg(r::text, chr(10) ORDER BY r::text COLLATE "C") FROM (SELECT %s FROM %s) AS r', item.columns, item.name) INTO content;
		-- when it was asked
		IF source = 'modelreg_audit_head()' THEN
			content := regexp_replace(content, '""at"": ""[^"]*""', '');
		END IF;
		RETURN NEXT;
	END LOOP;
END
$$;
CREATE TABLE blue_before AS SELECT * FROM seen();
RESET ROLE;

-- The other team does what it can
SET ROLE regress_modelreg_red_admin;
SELECT model_id AS hidden FROM modelreg_register('red one', 'forest', model_name => 'regress_modelreg_red/b', :f1) \gset
SELECT deployment_stage FROM modelreg_update_stage(:'hidden', 'production');
SELECT alias FROM modelreg_set_alias(:'hidden', 'champion');
SELECT modelreg_upload_begin() AS u1, modelreg_upload_begin() AS u2 \gset
SELECT modelreg_upload_append(:'u1', 'a file'), modelreg_upload_append(:'u2', 'an upload');
SELECT file_count FROM modelreg_register_files('{f}', ARRAY[:'u1'::uuid], 'forest', model_name => 'regress_modelreg_red/c', :f1);
SELECT modelreg_update_model('regress_modelreg_red/c', max_versions => 1) \g /dev/null
SELECT model_id AS deleted FROM modelreg_register('gone', 'forest', model_name => 'regress_modelreg_red/b', :f1) \gset
SELECT modelreg_delete(:'deleted');
SELECT modelreg_update(:'hidden', notes => 'secret') \g /dev/null
SELECT modelreg_rename_model('regress_modelreg_red/c', 'regress_modelreg_red/d') \g /dev/null
SELECT artifacts FROM modelreg_scrub();
-- equal bytes are stored once
SELECT count(*) FROM modelreg_register('blue one', 'forest', model_name => 'regress_modelreg_red/b', :f1);
CALL modelreg_cleanup();
SELECT count(*) FROM modelreg_list();
RESET ROLE;
SELECT model_key AS hidden_key FROM modelreg.model_version WHERE model_id = :'hidden' \gset

-- and the first sees no difference
SET ROLE regress_modelreg_blue_admin;
SELECT count(*) > 20 AS sources, count(*) FILTER (WHERE b.content <> '') > 15 AS filled FROM blue_before AS b;
SELECT source, b.content, s.content FROM blue_before AS b FULL JOIN seen() AS s USING (source) WHERE b.content IS DISTINCT FROM s.content;
SELECT model_id = :'mine' AS mine, ok, problem FROM modelreg_verify();
SELECT model_name, ok, problem FROM modelreg_audit_verify();
SELECT count(*) FROM modelreg_history(model_id => :'hidden');
SELECT artifacts, bytes FROM modelreg_scrub();

-- Whatever is asked of what it cannot see, the answer is that of what does not exist
CREATE TABLE question (statement text);
INSERT INTO question VALUES
	('SELECT modelreg_load(VERSION)'), ('SELECT modelreg_load(VERSION, path => ''f'')'),
	('SELECT modelreg_download(VERSION)'), ('SELECT FROM modelreg_info(VERSION)'),
	('SELECT FROM modelreg_compare(ARRAY[VERSION])'), ('SELECT FROM modelreg_verify(VERSION)'),
	('SELECT FROM modelreg_list(before_id => VERSION)'),
	('SELECT FROM modelreg_list(model_name => MODEL)'),
	('SELECT FROM modelreg_find_latest(model_name => MODEL)'), ('SELECT FROM modelreg_load_latest(model_name => MODEL)'),
	('SELECT FROM modelreg_history(model_id => VERSION)'), ('SELECT FROM modelreg_history(MODEL)'),
	('SELECT FROM modelreg_at(now(), MODEL)'), ('SELECT FROM modelreg_audit_verify(MODEL)'),
	('SELECT FROM modelreg_resolve(MODEL, ''champion'')'), ('SELECT FROM modelreg_cleanup_preview(model_name => MODEL)'),
	('SELECT modelreg.require_model(MODEL)'),
	('SELECT modelreg.cleanup_versions(KEY, false, 1)'),
	('SELECT FROM modelreg.chain_problems(ARRAY[KEY])'), ('SELECT FROM modelreg.trail_problems(ARRAY[KEY])'),
	('SELECT FROM modelreg.verify_chains(ARRAY[KEY], NULL)'), ('SELECT modelreg.chain_name(KEY, NULL)'),
	('SELECT modelreg.chain_keys(MODEL, NULL)'), ('SELECT modelreg.unreadable_event(KEY)'),
	('SELECT FROM modelreg.verify_each_chain(MODEL, NULL)'), ('SELECT FROM modelreg.verify_trail(MODEL, NULL)'),
	('SELECT modelreg_check_registration(''forest'', model_name => ''regress_modelreg_blue/a'', parent_ids => ARRAY[VERSION], performance_metrics => ''{"f1": 1}'')'),
	('SELECT modelreg_update_stage(VERSION, ''production'')'), ('SELECT modelreg_update_stage(VERSION, ''staging'')'),
	('SELECT modelreg_update(VERSION, notes => ''x'')'), ('SELECT modelreg_update(VERSION)'),
	('SELECT modelreg_delete(VERSION)'), ('SELECT modelreg_delete(VERSION, true)'),
	('SELECT modelreg_correct_time(VERSION, now())'),
	('SELECT modelreg_set_alias(VERSION, ''champion'')'), ('SELECT modelreg_drop_alias(MODEL, ''champion'')'),
	('SELECT modelreg_update_model(MODEL, max_versions => 1)'), ('SELECT modelreg_rename_model(MODEL, ''regress_modelreg_blue/x'')'),
	('SELECT modelreg_delete_model(MODEL)'), ('SELECT modelreg_delete_model(MODEL, true)'),
	('SELECT modelreg_register(''x'', ''forest'', model_name => ''regress_modelreg_blue/a'', parent_ids => ARRAY[VERSION], performance_metrics => ''{"f1": 1}'')'),
	('SELECT FROM modelreg_upload_status(UPLOAD)'), ('SELECT modelreg_upload_append(UPLOAD, ''x'')'), ('SELECT modelreg_upload_abort(UPLOAD)'),
	('SELECT modelreg_register_upload(UPLOAD, ''forest'', model_name => ''regress_modelreg_blue/a'', performance_metrics => ''{"f1": 1}'')'),
	('SELECT modelreg_register_files(''{f}'', ARRAY[UPLOAD], ''forest'', model_name => ''regress_modelreg_blue/a'', performance_metrics => ''{"f1": 1}'')');
-- those that are not asked: they read nothing, or only what the caller gives; the others follow below
SELECT p.oid::regproc
FROM pg_proc AS p
JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'modelreg'
WHERE p.proargnames && '{model_id,model_ids,model_name,model_key,keys,upload_id,upload_ids,before_id,parent_ids}'
	AND NOT EXISTS (SELECT FROM question AS q WHERE q.statement LIKE '%' || p.oid::regproc || '(%')
ORDER BY 1;
CREATE FUNCTION answer(statement text, version text, model text, key uuid, upload uuid) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	statement := replace(replace(replace(replace(statement, 'VERSION', quote_literal(version)), 'MODEL', quote_literal(model)),
		'KEY', quote_literal(key) || '::uuid'), 'UPLOAD', quote_literal(upload) || '::uuid');
	RETURN replace(replace(replace(replace(attempt(statement), mask(version), '<version>'), model, '<model>'), key::text, '<key>'), upload::text, '<key>');
END
$$;
CREATE FUNCTION answers(hidden text, hidden_key uuid, hidden_upload uuid) RETURNS TABLE (statement text, said text, differs text) LANGUAGE sql AS $$
	SELECT q.statement, n.said, nullif(h.said, n.said)
	FROM question AS q,
		answer(q.statement, hidden, 'regress_modelreg_red/b', hidden_key, hidden_upload) AS h (said),
		answer(q.statement, replace(hidden, 'red/b', 'blue/none'), 'regress_modelreg_blue/none', '0190a000-0000-7000-8000-000000000000', '0190a000-0000-7000-8000-000000000000') AS n (said)
$$;
SELECT said, count(*) FROM answers(:'hidden', :'hidden_key', :'u2') GROUP BY said ORDER BY said COLLATE "C";
SELECT * FROM answers(:'hidden', :'hidden_key', :'u2') WHERE differs IS NOT NULL;
SELECT statement, said FROM answers(:'hidden', :'hidden_key', :'u2') WHERE said !~ '^42704' ORDER BY statement COLLATE "C";
-- writers as well
RESET ROLE;
GRANT SELECT ON question TO PUBLIC;
SET ROLE regress_modelreg_blue_writer;
SELECT * FROM answers(:'hidden', :'hidden_key', :'u2') WHERE differs IS NOT NULL;
-- even to one who began the upload in another role of the same session
RESET ROLE;
SELECT modelreg_upload_append(:'u2', 'more');
SET ROLE regress_modelreg_blue_admin;
SELECT attempt(format('SELECT modelreg_upload_append(%L, ''x'')', :'u2'));
SET row_security = off;
SELECT attempt(format('SELECT modelreg_update_stage(%L, ''staging'')', :'hidden'));
SELECT attempt('SELECT modelreg_update_stage(''none'', ''staging'')');
RESET row_security;
RESET ROLE;
-- nothing of it was changed
SELECT notes, deployment_stage FROM modelreg_info(:'hidden');
SELECT count(*) FROM modelreg.model_version;

-- What is unique tells that it is taken, but no more than that
SET ROLE regress_modelreg_blue_admin;
SELECT attempt('SELECT modelreg_create_model(''regress_modelreg_red/b'')');
SELECT attempt('SELECT modelreg_rename_model(''regress_modelreg_blue/a'', ''regress_modelreg_red/b'')');
SELECT attempt('SELECT modelreg_register(''x'', ''forest'', model_name => ''regress_modelreg_red/b'')');
SELECT attempt('SELECT modelreg_register(''x'', ''forest'', ''0.1.0'', ''regress_modelreg_red/b'')');
-- what one registers oneself is returned, whether it can be seen afterwards or not
SELECT model_name, version, version_number FROM modelreg_register('blue two', 'forest', model_name => 'nobody/a', :f1);
SELECT count(*) FROM modelreg_list(model_name => 'nobody/a');
SELECT name FROM modelreg_create_model('nobody/b') AS m (key, name);
RESET ROLE;

-- Policies that hide some versions of a model
CREATE POLICY secret ON modelreg.model_version AS RESTRICTIVE TO modelreg_reader USING (NOT tags @> '{secret}');
CREATE POLICY secret ON modelreg.model_alias AS RESTRICTIVE TO modelreg_reader USING (alias <> 'secret');
SELECT model_id AS secret FROM modelreg_register('secret', 'forest', '2.0.0', 'regress_modelreg_blue/m', :f1, deployment_stage => 'production', tags => '{secret}') \gset
SELECT alias FROM modelreg_set_alias(:'secret', 'secret');
SET ROLE regress_modelreg_blue_admin;
SELECT version FROM modelreg_register('public', 'forest', '1.0.0', 'regress_modelreg_blue/m', :f1);
SELECT model_id AS shown FROM modelreg_list(model_name => 'regress_modelreg_blue/m') \gset
SELECT attempt('SELECT modelreg_register(''x'', ''forest'', ''2.0.0'', ''regress_modelreg_blue/m'')');
SELECT attempt(format('SELECT modelreg_update_stage(%L, ''production'')', :'secret'));
SELECT attempt(format('SELECT modelreg_set_alias(%L, ''champion'')', :'secret'));
-- names that it cannot see are in no error
SELECT attempt('SELECT modelreg_delete_model(''regress_modelreg_blue/m'')');
SELECT modelreg_drop_alias('regress_modelreg_blue/m', 'secret');
-- one is in production
SELECT deployment_stage FROM modelreg_update_stage(:'shown', 'production');
RESET ROLE;
SELECT deployment_stage FROM modelreg_info(:'secret');
SELECT alias FROM modelreg_set_alias(:'shown', 'secret') \g /dev/null
SET ROLE regress_modelreg_blue_admin;
SELECT deployment_stage FROM modelreg_update_stage(:'shown', 'staging');
SELECT attempt(format('SELECT modelreg_delete(%L)', :'shown'));
SELECT attempt('SELECT modelreg_delete_model(''regress_modelreg_blue/m'')');
-- what one hides oneself is returned once more
SELECT tags FROM modelreg_update(:'shown', tags => '{secret}');
SELECT attempt(format('SELECT modelreg_update(%L, tags => ''{}'')', :'shown'));
-- a cleanup passes over what is hidden from whoever calls it
SELECT version FROM modelreg_register('public 3', 'forest', NULL, 'regress_modelreg_blue/m', :f1);
SELECT version FROM modelreg_register('public 4', 'forest', NULL, 'regress_modelreg_blue/m', :f1);
SELECT max_versions FROM modelreg_update_model('regress_modelreg_blue/m', max_versions => 1);
CALL modelreg_cleanup(model_name => 'regress_modelreg_blue/m');
\set SHOW_CONTEXT never
CALL modelreg_cleanup(model_name => 'regress_modelreg_red/b'); -- error
\set SHOW_CONTEXT errors
RESET ROLE;
SELECT version, tags FROM modelreg_list(model_name => 'regress_modelreg_blue/m');
CALL modelreg_cleanup(model_name => 'regress_modelreg_blue/m');

-- Plain SQL: the guards tell no more
DROP POLICY secret ON modelreg.model_alias;
GRANT UPDATE ON modelreg.model_alias TO regress_modelreg_blue_admin;
SELECT alias FROM modelreg_set_alias((SELECT model_id FROM modelreg_list(model_name => 'regress_modelreg_blue/m', tags => '{}', max_rows => 1)), 'plain');
SET ROLE regress_modelreg_blue_admin;
SELECT attempt(format('UPDATE modelreg.model_alias SET model_id = %L WHERE alias = ''plain''', :'hidden'));
SELECT attempt(format('UPDATE modelreg.model_alias SET model_id = %L WHERE alias = ''plain''', replace(:'hidden', 'red', 'rod')));
RESET ROLE;
REVOKE UPDATE ON modelreg.model_alias FROM regress_modelreg_blue_admin;

-- The trail and the bytes are as they should be
SELECT count(*) FILTER (WHERE NOT ok) AS bad FROM modelreg_verify();
SELECT count(*) FILTER (WHERE NOT ok) AS bad FROM modelreg_audit_verify();
DROP FUNCTION seen, answers, answer;
DROP TABLE blue_before, question;
REVOKE CREATE ON SCHEMA public FROM regress_modelreg_blue_admin;
\set ECHO none
\i :test_dir/lib/attack_end.sql
