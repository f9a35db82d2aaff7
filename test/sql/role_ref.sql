--
-- The type modelreg.role_ref: its text, binary form, casts and order
--
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS modelreg;
DROP ROLE IF EXISTS regress_modelreg_one, regress_modelreg_two, "regress modelreg ""x"", 'y' \ ü", "regress_modelreg_Ünïcøde_αβγδ_63_bytes_long_xxxxxxxxxxx",
	"16384", "-", "Regress_Modelreg", "regress_modelreg_after";
RESET client_min_messages;
CREATE ROLE regress_modelreg_one;
CREATE ROLE "regress modelreg ""x"", 'y' \ ü";
CREATE ROLE "regress_modelreg_Ünïcøde_αβγδ_63_bytes_long_xxxxxxxxxxx";
CREATE ROLE "16384";
CREATE ROLE "-";
CREATE ROLE "Regress_Modelreg";
-- as psql prints NULL
\pset null '<null>'

-- Text in is text out: no name is a number, a keyword or quoted
CREATE TEMP TABLE ref (n integer, given text, ref modelreg.role_ref);
INSERT INTO ref (n, given) VALUES
	(1, 'regress_modelreg_one'), (2, 'regress modelreg "x", ''y'' \ ü'), (3, 'regress_modelreg_Ünïcøde_αβγδ_63_bytes_long_xxxxxxxxxxx'),
	(4, '16384'), (5, '-'), (6, 'Regress_Modelreg'), (7, 'regress_modelreg'), (8, 'public'), (9, 'none'), (10, 'current_user'), (11, '10'),
	(12, ''), (13, ' '), (14, '"regress_modelreg_one"'), (15, repeat('ü', 40)), (16, E'tab\tline\nend'), (17, NULL);
UPDATE ref SET ref = given::modelreg.role_ref;
SELECT n, ref, ref::text = given AS same, ref::regrole::oid = (SELECT oid FROM pg_roles WHERE rolname = given) AS found, octet_length(ref::text) AS bytes
FROM ref ORDER BY n;
-- the same by whatever way
SELECT count(*) FILTER (WHERE ref = given), count(*) FILTER (WHERE ref = given::varchar), count(*) FILTER (WHERE ref = given::name),
	count(*) FILTER (WHERE ref = CAST(given AS modelreg.role_ref)), count(*) FILTER (WHERE modelreg.role_ref_written(ref) = ref::text)
FROM ref;
SELECT 'x'::modelreg.role_ref = 1; -- error
SELECT 'x'::modelreg.role_ref::oid; -- error
SELECT 1::oid::modelreg.role_ref; -- error

-- Through COPY, as text and as binary
\getenv abs_builddir PG_ABS_BUILDDIR
\set file :abs_builddir '/results/role_ref.copy'
CREATE TEMP TABLE copied (LIKE ref);
COPY ref TO :'file';
COPY copied FROM :'file';
COPY ref TO :'file' (FORMAT csv);
COPY copied FROM :'file' (FORMAT csv);
COPY ref TO :'file' (FORMAT binary);
COPY copied FROM :'file' (FORMAT binary);
SELECT count(*), count(*) FILTER (WHERE c.ref = r.ref AND modelreg.role_ref_written(c.ref) = modelreg.role_ref_written(r.ref)) AS same, count(*) FILTER (WHERE c.ref IS NULL) AS nulls
FROM copied AS c JOIN ref AS r USING (n);
SELECT count(*) FILTER (WHERE j.ref = r.ref) AS by_json, min(jsonb_typeof(to_jsonb(r) -> 'ref')) AS "json type"
FROM ref AS r, jsonb_populate_record(NULL::ref, to_jsonb(r)) AS j WHERE r.ref IS NOT NULL;

-- Order and equality: roles by OID, then names
SELECT count(DISTINCT ref), count(ref) FROM ref;
INSERT INTO ref SELECT n + 100, given, ref FROM ref;
CREATE INDEX ON ref (ref);
CREATE INDEX ON ref USING hash (ref);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS off) SELECT n FROM ref WHERE ref = 'regress_modelreg_one' ORDER BY n;
SELECT n FROM ref WHERE ref = 'regress_modelreg_one' ORDER BY n;
SELECT count(*) FROM ref WHERE ref > 'regress_modelreg_one' OR ref < 'regress_modelreg_one' OR ref = 'regress_modelreg_one';
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT count(*) FROM ref AS a JOIN ref AS b ON a.ref = b.ref;
SET enable_hashjoin = on;
SET enable_mergejoin = off;
SELECT count(*) FROM ref AS a JOIN ref AS b ON a.ref = b.ref;
RESET ALL;
SELECT count(*) FROM (SELECT ref FROM ref GROUP BY ref) AS g;
SELECT a.n, b.n FROM ref AS a, ref AS b
WHERE (a.ref < b.ref) <> (b.ref > a.ref) OR (a.ref <= b.ref) <> (b.ref >= a.ref) OR (a.ref = b.ref) = (a.ref <> b.ref)
	OR (a.ref = b.ref) <> (modelreg.role_ref_cmp(a.ref, b.ref) = 0) OR (a.ref <= b.ref) = (a.ref > b.ref)
	OR (a.ref = b.ref AND modelreg.role_ref_hash(a.ref) <> modelreg.role_ref_hash(b.ref))
	OR (a.ref = b.ref AND modelreg.role_ref_hash_extended(a.ref, 5) <> modelreg.role_ref_hash_extended(b.ref, 5));

-- Renamed, and the name somebody else's
ALTER ROLE regress_modelreg_one RENAME TO regress_modelreg_two;
CREATE ROLE regress_modelreg_one;
SELECT ref, ref::regrole AS role, modelreg.role_ref_written(ref) AS written, ref = 'regress_modelreg_one' AS by_old_name, ref = 'regress_modelreg_two' AS by_new_name
FROM ref WHERE n = 1;
DROP ROLE regress_modelreg_two;
SELECT ref, ref::regrole AS role, ref = 'regress_modelreg_one' AS by_old_name FROM ref WHERE n = 1;
-- a name of nobody stays one
INSERT INTO ref VALUES (200, NULL, 'regress_modelreg_after');
CREATE ROLE regress_modelreg_after;
SELECT ref, ref::regrole AS role, ref = 'regress_modelreg_after' AS by_name FROM ref WHERE n = 200;
-- a view and a default keep the role
CREATE TEMP VIEW by_role AS SELECT ref = 'regress_modelreg_after' AS is FROM ref;
ALTER ROLE regress_modelreg_after RENAME TO regress_modelreg_two;
SELECT pg_get_viewdef('by_role') ~ 'regress_modelreg_two' AS follows;

-- What agrees with what the trail holds: the role where it is known, else the name
SELECT r.ref, modelreg.role_ref_agrees(r.ref, t.written, t.source) AS agrees
FROM (VALUES (1, 'regress_modelreg_two'::modelreg.role_ref), (2, '-'), (3, 'nobody'), (4, NULL)) AS r (n, ref),
	LATERAL (VALUES
		(1, modelreg.role_ref_written(r.ref), modelreg.role_ref_source(r.ref)), (2, 'other', modelreg.role_ref_source(r.ref)),
		(3, modelreg.role_ref_written(r.ref), '1/1'), (4, 'other', '1/1'), (5, modelreg.role_ref_written(r.ref), 'rot'),
		(6, modelreg.role_ref_written(r.ref), replace(modelreg.role_ref_source('-'), '/', 'x')),
		(7, modelreg.role_ref_written(r.ref), modelreg.role_ref_source(current_user)), (8, NULL, NULL)) AS t (n, written, source)
ORDER BY r.n, t.n;

DROP TABLE ref CASCADE;
SET client_min_messages = error;
DROP ROLE regress_modelreg_one, regress_modelreg_two, "regress modelreg ""x"", 'y' \ ü", "regress_modelreg_Ünïcøde_αβγδ_63_bytes_long_xxxxxxxxxxx",
	"16384", "-", "Regress_Modelreg";
