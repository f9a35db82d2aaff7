--
-- modelreg_check and the indexes and constraints: each is dropped, changed and
-- broken in turn; the finding names it with the statement that repairs it.
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set ECHO all

CREATE FUNCTION said() RETURNS text
	LANGUAGE sql
	AS $$SELECT CASE WHEN c.ok THEN 'ok: ' ELSE '' END || c.detail FROM modelreg_check() AS c WHERE c.item = 'indexes and constraints'$$;
SELECT said();

-- The list is complete: made behind all tables, and nothing is in it twice
SELECT count(*) > 100 AS many, count(*) = count(DISTINCT (kind, relation, name)) AS each_once FROM modelreg.installed_definitions();
SELECT * FROM modelreg.present_definitions() AS p
WHERE NOT p.sound OR NOT EXISTS (
	SELECT FROM modelreg.installed_definitions() AS i
	WHERE (i.kind, i.relation, i.name, i.definition) = (p.kind, p.relation, p.name, p.definition));
SELECT c.oid::regclass FROM pg_class AS c
WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'
	AND NOT EXISTS (SELECT FROM modelreg.installed_definitions() AS i WHERE i.kind = 'constraint' AND i.relation = c.relname)
ORDER BY 1;

-- What is said after the damage; then the repair that it names is made, and all
-- is undone.
CREATE FUNCTION repaired(kind text, relation text, name text, damage text) RETURNS text
	LANGUAGE plpgsql
	AS $$
DECLARE
	told text;
	problems bigint;
	said_then text;
	statement text;
BEGIN
	EXECUTE damage;
	SELECT count(*), min(p.problem), min(p.repair) INTO problems, told, statement FROM modelreg.definition_problems() AS p;
	IF problems <> 1 OR told NOT LIKE format('%s %s of %s is %%', kind, name, relation) THEN
		RAISE EXCEPTION USING ERRCODE = 'P9999', MESSAGE = format('NOT FOUND: %s problems, %s', problems, told);
	END IF;
	said_then := said();
	IF said_then IS DISTINCT FROM told || ': ' || statement THEN
		RAISE EXCEPTION USING ERRCODE = 'P9999', MESSAGE = format('NOT SAID: %s', said_then);
	END IF;
	BEGIN
		EXECUTE statement;
	EXCEPTION WHEN others THEN
		RAISE EXCEPTION USING ERRCODE = 'P9999', MESSAGE = format('NOT REPAIRED by %s: %s', statement, SQLERRM);
	END;
	RAISE EXCEPTION USING ERRCODE = 'P9999', MESSAGE = CASE WHEN EXISTS (SELECT FROM modelreg.definition_problems())
		THEN 'NOT REPAIRED: ' || said() ELSE regexp_replace(told, '.* is ', '') END;
EXCEPTION
	WHEN SQLSTATE 'P9999' THEN
		RETURN SQLERRM;
END
$$;

CREATE TEMP TABLE damage AS
SELECT i.kind, i.relation, i.name, d.what, d.statement
FROM modelreg.installed_definitions() AS i
CROSS JOIN LATERAL (
	SELECT 'dropped', format('ALTER TABLE modelreg.%I ALTER COLUMN %I DROP NOT NULL', i.relation, i.name)
	WHERE i.kind = 'column' AND NOT EXISTS (
		-- what a primary key has is NOT NULL as long as it is there
		SELECT FROM pg_index AS x JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey)
		WHERE x.indisprimary AND x.indrelid = format('modelreg.%I', i.relation)::regclass AND a.attname = i.name)
	UNION ALL
	SELECT 'dropped', CASE i.kind WHEN 'index' THEN format('DROP INDEX modelreg.%I', i.name)
		ELSE format('ALTER TABLE modelreg.%I DROP CONSTRAINT %I', i.relation, i.name) END
	WHERE i.kind IN ('index', 'constraint')
	UNION ALL
	SELECT 'of a part', format('DROP INDEX modelreg.%I; %s', i.name,
		CASE WHEN i.definition ~ ' WHERE ' THEN replace(i.definition, ' WHERE ', ' WHERE false AND ') ELSE i.definition || ' WHERE false' END)
	WHERE i.kind = 'index'
	UNION ALL
	SELECT 'other columns', format('DROP INDEX modelreg.%I; CREATE INDEX %1$I ON modelreg.%I (%I, %I)', i.name, i.relation, a.last, a.first)
	FROM (SELECT min(c.attname), max(c.attname) FROM pg_attribute AS c WHERE c.attrelid = format('modelreg.%I', i.relation)::regclass AND c.attnum > 0 AND NOT c.attisdropped) AS a (first, last)
	WHERE i.kind = 'index'
	UNION ALL
	SELECT 'not unique', format('DROP INDEX modelreg.%I; %s', i.name, replace(i.definition, 'CREATE UNIQUE', 'CREATE'))
	WHERE i.definition LIKE 'CREATE UNIQUE%'
	UNION ALL
	SELECT 'on another table', format('DROP INDEX modelreg.%I; CREATE INDEX %1$I ON modelreg.%I (%I)', i.name, t.relname,
		(SELECT max(a.attname) FROM pg_attribute AS a WHERE a.attrelid = t.oid AND a.attnum > 0))
	FROM (SELECT c.oid, c.relname FROM pg_class AS c WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r' AND c.relname <> i.relation ORDER BY c.relname LIMIT 1) AS t
	WHERE i.kind = 'index'
	UNION ALL
	SELECT s.broken, format('UPDATE pg_index SET %I = false WHERE indexrelid = ''modelreg.%I''::regclass', s.broken, i.name)
	FROM unnest('{indisvalid,indisready}'::text[]) AS s (broken)
	WHERE i.kind = 'index' OR i.definition ~ '^(PRIMARY KEY|UNIQUE)'
	UNION ALL
	SELECT 'deferrable', format('ALTER TABLE modelreg.%I DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %s DEFERRABLE', i.relation, i.name, i.definition)
	WHERE i.kind = 'constraint' AND i.definition ~ '^(PRIMARY KEY|UNIQUE)'
	UNION ALL
	SELECT 'an index only', format('ALTER TABLE modelreg.%I DROP CONSTRAINT %I; CREATE UNIQUE INDEX %2$I ON modelreg.%1$I %3$s', i.relation, i.name, substring(i.definition FROM '\(.*'))
	WHERE i.kind = 'constraint' AND i.definition ~ '^(PRIMARY KEY|UNIQUE)'
	UNION ALL
	SELECT 'weaker', format('ALTER TABLE modelreg.%I DROP CONSTRAINT %I, ADD CONSTRAINT %2$I CHECK (true)', i.relation, i.name)
	WHERE i.definition LIKE 'CHECK%'
	UNION ALL
	SELECT 'not validated', format('ALTER TABLE modelreg.%I DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %s NOT VALID', i.relation, i.name, i.definition)
	WHERE i.definition LIKE 'CHECK%'
) AS d (what, statement);
SELECT d.kind, d.what, repaired(d.kind, d.relation, d.name, d.statement) AS said, count(*) > 0 AS seen
FROM damage AS d
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3;
-- each was damaged
SELECT i.* FROM modelreg.installed_definitions() AS i
WHERE i.kind <> 'column' AND NOT EXISTS (SELECT FROM damage AS d WHERE (d.kind, d.relation, d.name, d.what) = (i.kind, i.relation, i.name, 'dropped'));

-- Several at once
BEGIN;
DROP INDEX modelreg.model_version_one_production, modelreg.audit_event_at_idx;
ALTER TABLE modelreg.stage_rule DROP CONSTRAINT stage_rule_check;
SELECT said();
ROLLBACK;

-- What a database administrator may do
BEGIN;
CREATE INDEX of_a_dashboard ON modelreg.model_version (registered_by);
CREATE INDEX audit_event_at_btree ON modelreg.audit_event (at) INCLUDE (event) WITH (fillfactor = 80);
ALTER INDEX modelreg.model_version_newest_idx SET (fillfactor = 70);
ALTER INDEX modelreg.model_version_pkey SET (fillfactor = 70);
ALTER INDEX modelreg.audit_event_at_idx SET (pages_per_range = 32, autosummarize = on);
ALTER TABLE modelreg.model_version CLUSTER ON model_version_newest_idx, ALTER COLUMN notes SET STORAGE MAIN, SET (fillfactor = 90);
ALTER TABLE modelreg.model REPLICA IDENTITY USING INDEX model_pkey;
REINDEX TABLE modelreg.model_version;
SELECT said();
ROLLBACK;
REINDEX TABLE CONCURRENTLY modelreg.model_version;
SELECT said();
-- whatever the session's settings are
SET search_path = modelreg, public;
SET quote_all_identifiers = on;
SELECT said();
RESET quote_all_identifiers;
RESET search_path;

-- What happened: the index goes, two productions come, and it cannot come back
SELECT model_id AS a FROM modelreg_register('\x01', 'm', performance_metrics => '{"f1": 1}', deployment_stage => 'production') \gset
SELECT model_id AS b FROM modelreg_register('\x02', 'm', performance_metrics => '{"f1": 1}') \gset
DROP INDEX modelreg.model_version_one_production;
UPDATE modelreg.model_version SET deployment_stage = 'production' WHERE model_id = :'b';
SELECT said();
\set VERBOSITY sqlstate
CREATE UNIQUE INDEX CONCURRENTLY model_version_one_production ON modelreg.model_version USING btree (model_key)
	WHERE ((deployment_stage = 'production'::modelreg.deployment_stage) AND exclusive_production); -- error
\set VERBOSITY default
SELECT said();
SELECT deployment_stage FROM modelreg_update_stage(:'a', 'deprecated');
REINDEX INDEX modelreg.model_version_one_production;
SELECT said();

DROP FUNCTION repaired(text, text, text, text), said();
\set ECHO none
\i :test_dir/lib/attack_end.sql
