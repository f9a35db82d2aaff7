-- Everything is commented.
BEGIN;
SELECT plan(4);

-- what belongs to the extension
CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid, x.extnamespace
	FROM pg_depend AS d
	JOIN pg_extension AS x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid
	WHERE x.extname = 'modelreg' AND d.deptype = 'e';

SELECT is_empty($$
	SELECT i.type, i.identity
	FROM member AS d
	CROSS JOIN pg_identify_object(d.classid, d.objid, 0) AS i
	WHERE COALESCE(obj_description(d.objid, d.classid::regclass::text::name), '') = ''
		-- row types and array types have the comment of what they belong to
		AND NOT EXISTS (SELECT FROM pg_type AS t
			WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid AND (t.typtype = 'c' OR t.typelem <> 0))
	$$, 'every table, view, type, function, operator, cast and the schema has a comment');

SELECT is_empty($$
	SELECT c.relname, a.attname
	FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
	WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind IN ('r', 'v')
		AND a.attnum > 0 AND NOT a.attisdropped
		AND COALESCE(col_description(c.oid, a.attnum), '') = ''
	$$, 'every column has a comment');

SELECT isnt((SELECT obj_description(x.oid, 'pg_extension') FROM pg_extension AS x WHERE x.extname = 'modelreg'), NULL,
	'the extension has a comment');

SELECT is_empty($$
	SELECT s.name FROM pg_settings AS s
	WHERE s.name LIKE 'modelreg.%' AND s.short_desc !~ '\.$'
	$$, 'every setting has a description that is a sentence');

SELECT * FROM finish();
ROLLBACK;
