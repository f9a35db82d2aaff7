--
-- What CREATE EXTENSION makes, and what it does not
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;

SELECT e.extnamespace::regnamespace, e.extrelocatable, e.extversion = modelreg.library_version() AS library_matches,
	obj_description(e.oid, 'pg_extension') <> '' AS commented
FROM pg_extension AS e
WHERE e.extname = 'modelreg';
-- it needs no other extension
SELECT r.extname FROM pg_depend AS d
JOIN pg_extension AS e ON d.classid = 'pg_extension'::regclass AND e.oid = d.objid
JOIN pg_extension AS r ON d.refclassid = 'pg_extension'::regclass AND r.oid = d.refobjid
WHERE e.extname = 'modelreg';

-- The members; the row and array types of tables and views follow these
CREATE TEMPORARY VIEW member AS
	SELECT d.classid, d.objid, i.type, i.identity
	FROM pg_depend AS d
	JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
	CROSS JOIN pg_identify_object(d.classid, d.objid, 0) AS i
	LEFT JOIN pg_type AS t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
	WHERE e.extname = 'modelreg' AND d.deptype = 'e'
		AND (t.oid IS NULL OR (t.typtype IN ('e', 'b') AND t.typelem = 0));
\pset format unaligned
SELECT type, identity FROM member
WHERE type NOT IN ('function', 'procedure')
ORDER BY type COLLATE "C", identity COLLATE "C";
SELECT unnest(enum_range(NULL::modelreg.deployment_stage)) AS stage;

-- The API: names, arguments, defaults and results are what callers rely on
SELECT p.proname, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result
FROM member AS m
JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
WHERE p.pronamespace = 'public'::regnamespace
ORDER BY p.proname COLLATE "C";

-- How each function behaves, and which roles may call it
SELECT m.identity, l.lanname AS language,
	CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatility,
	CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END AS parallel,
	p.proisstrict AS strict, p.proconfig AS settings,
	CASE WHEN has_function_privilege('modelreg_reader', p.oid, 'EXECUTE') THEN 'reader'
		WHEN has_function_privilege('modelreg_writer', p.oid, 'EXECUTE') THEN 'writer'
		WHEN has_function_privilege('modelreg_admin', p.oid, 'EXECUTE') THEN 'admin'
		ELSE 'nobody' END AS granted_to
FROM member AS m
JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
JOIN pg_language AS l ON l.oid = p.prolang
ORDER BY m.identity COLLATE "C";
\pset format aligned

-- Nothing runs with other rights than the caller's; nothing is leakproof
SELECT count(*) AS functions, count(*) FILTER (WHERE p.prosecdef) AS security_definer,
	count(*) FILTER (WHERE p.proleakproof) AS leakproof
FROM member AS m
JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid;

-- What is not written in C pins search_path to the same; the others qualify
-- each name: the procedure could not commit, the rest could not be inlined
SELECT p.proname, p.proconfig
FROM member AS m
JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
JOIN pg_language AS l ON l.oid = p.prolang
WHERE l.lanname IN ('sql', 'plpgsql')
	AND p.proconfig IS DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp']
ORDER BY p.proname COLLATE "C";

-- Everything has a comment: members, columns, roles
SELECT m.type, m.identity FROM member AS m
WHERE coalesce(obj_description(m.objid, m.classid::regclass::name), '') = '';
SELECT m.identity, a.attname
FROM member AS m
JOIN pg_attribute AS a ON m.classid = 'pg_class'::regclass AND a.attrelid = m.objid
WHERE a.attnum > 0 AND NOT a.attisdropped
	AND coalesce(col_description(a.attrelid, a.attnum), '') = '';
SELECT rolname FROM pg_roles
WHERE rolname LIKE 'modelreg\_%' AND coalesce(shobj_description(oid, 'pg_authid'), '') = '';

-- Everything belongs to modelreg_owner
SELECT DISTINCT m.type, pg_get_userbyid(coalesce(c.relowner, p.proowner, t.typowner, n.nspowner, o.oprowner, k.opcowner, f.opfowner)) AS owner
FROM member AS m
LEFT JOIN pg_class AS c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
LEFT JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
LEFT JOIN pg_type AS t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
LEFT JOIN pg_namespace AS n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
LEFT JOIN pg_operator AS o ON m.classid = 'pg_operator'::regclass AND o.oid = m.objid
LEFT JOIN pg_opclass AS k ON m.classid = 'pg_opclass'::regclass AND k.oid = m.objid
LEFT JOIN pg_opfamily AS f ON m.classid = 'pg_opfamily'::regclass AND f.oid = m.objid
ORDER BY m.type;

-- and PUBLIC has no right on any of it
SELECT m.type, m.identity, a.privilege_type
FROM member AS m
LEFT JOIN pg_class AS c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
LEFT JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
LEFT JOIN pg_type AS t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
LEFT JOIN pg_namespace AS n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
CROSS JOIN aclexplode(CASE m.classid
	WHEN 'pg_class'::regclass THEN coalesce(c.relacl, acldefault('r', c.relowner))
	WHEN 'pg_proc'::regclass THEN coalesce(p.proacl, acldefault('f', p.proowner))
	WHEN 'pg_type'::regclass THEN coalesce(t.typacl, acldefault('T', t.typowner))
	WHEN 'pg_namespace'::regclass THEN coalesce(n.nspacl, acldefault('n', n.nspowner))
	END) AS a
WHERE a.grantee = 0;

-- Who may do what with tables and views: nobody but the owner writes
SELECT c.relname, a.grantee::regrole, string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) AS privileges
FROM member AS m
JOIN pg_class AS c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
CROSS JOIN aclexplode(c.relacl) AS a
WHERE a.grantee <> c.relowner
GROUP BY c.relname, a.grantee
ORDER BY c.relname COLLATE "C", a.grantee::regrole::text;
SELECT a.grantee::regrole, a.privilege_type
FROM pg_namespace AS n CROSS JOIN aclexplode(n.nspacl) AS a
WHERE n.nspname = 'modelreg'
ORDER BY a.grantee::regrole::text COLLATE "C", a.privilege_type;

-- Roles without any attribute, each in the one before
SELECT rolname, rolcanlogin, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
FROM pg_roles WHERE rolname LIKE 'modelreg\_%' ORDER BY rolname;
SELECT member::regrole, roleid::regrole, admin_option
FROM pg_auth_members WHERE roleid::regrole::text LIKE 'modelreg\_%' ORDER BY 1, 2;

-- pg_dump takes every table whole
SELECT c.relname, e.extcondition[u.n] AS condition
FROM pg_extension AS e
CROSS JOIN unnest(e.extconfig) WITH ORDINALITY AS u (relid, n)
JOIN pg_class AS c ON c.oid = u.relid
WHERE e.extname = 'modelreg'
ORDER BY c.relname COLLATE "C";
SELECT count(*) AS tables_not_dumped
FROM pg_class AS c, pg_extension AS e
WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind IN ('r', 'p') AND e.extname = 'modelreg'
	AND c.oid <> ALL (e.extconfig);

-- What would not survive a dump, a replica or a crash: there is none of it
SELECT c.relname, c.relkind, c.relpersistence FROM pg_class AS c
WHERE c.relnamespace = 'modelreg'::regnamespace
	AND (c.relkind NOT IN ('r', 'v', 'i') OR c.relpersistence <> 'p');
SELECT conrelid::regclass, conname FROM pg_constraint
WHERE connamespace = 'modelreg'::regnamespace AND contype NOT IN ('p', 'u', 'c', 'n');
SELECT c.relname FROM pg_class AS c
WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'
	AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary);
SELECT c.relname, a.attname, co.collname
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indrelid
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
JOIN pg_collation AS co ON co.oid = a.attcollation
WHERE c.relnamespace = 'modelreg'::regnamespace AND co.collname <> 'C';

-- Every table starts empty
SELECT c.relname, (xpath('//count/text()', query_to_xml(
	format('SELECT count(*) FROM %s', c.oid::regclass), true, false, '')))[1] AS rows
FROM pg_class AS c
WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind = 'r'
ORDER BY c.relname COLLATE "C";

-- Triggers: guards hold in replica mode too, recorders only at the origin
SELECT c.relname, t.tgname, t.tgenabled,
	concat_ws(' ', CASE WHEN t.tgtype & 2 > 0 THEN 'before' ELSE 'after' END,
		CASE WHEN t.tgtype & 4 > 0 THEN 'insert' END, CASE WHEN t.tgtype & 16 > 0 THEN 'update' END,
		CASE WHEN t.tgtype & 8 > 0 THEN 'delete' END, CASE WHEN t.tgtype & 32 > 0 THEN 'truncate' END,
		CASE WHEN t.tgtype & 1 > 0 THEN 'row' ELSE 'statement' END) AS fires
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'modelreg'::regnamespace
ORDER BY c.relname COLLATE "C", t.tgname COLLATE "C";

-- A page a piece: the table of the bytes is stored plain and gains no column
SELECT c.relnatts, am.amname, a.attstorage
FROM pg_class AS c
JOIN pg_am AS am ON am.oid = c.relam
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'data'
WHERE c.oid = 'modelreg.chunk_piece'::regclass;
