/* ------------------------------------------------------------------
 * The indexes and constraints as they were installed, for modelreg_check.  The
 * list is made from the catalog, behind all that makes tables, so that nothing
 * can be forgotten; an update script that changes tables repeats this.
 *
 * It is a function, because a restore and an upgrade of the server then bring
 * it as they bring the others: made anew by CREATE EXTENSION, or as it was.
 * ------------------------------------------------------------------ */

-- Not what may well differ: storage parameters and the tablespace.  (From 18 on
-- NOT NULL is a constraint with a name; it is taken from the column.)
CREATE FUNCTION modelreg.present_definitions()
	RETURNS TABLE (kind text, relation text, name text, definition text, sound boolean)
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET quote_all_identifiers = off
	AS $$
	SELECT 'index', t.relname::text, i.relname::text,
		regexp_replace(pg_get_indexdef(i.oid), ' WITH \([^)]*\)', ''),
		x.indisvalid AND x.indisready AND x.indislive
	FROM pg_index AS x
	JOIN pg_class AS i ON i.oid = x.indexrelid
	JOIN pg_class AS t ON t.oid = x.indrelid
	WHERE t.relnamespace = 'modelreg'::regnamespace AND t.relkind = 'r'
		AND NOT EXISTS (
			SELECT FROM pg_constraint AS c
			WHERE c.conindid = i.oid AND c.conrelid = t.oid AND c.contype IN ('p', 'u', 'x'))
	UNION ALL
	SELECT 'constraint', t.relname::text, c.conname::text,
		regexp_replace(regexp_replace(pg_get_constraintdef(c.oid), ' WITH \([^)]*\)', ''), ' NOT VALID$', ''),
		c.convalidated AND coalesce(x.indisvalid AND x.indisready AND x.indislive, true)
	FROM pg_constraint AS c
	JOIN pg_class AS t ON t.oid = c.conrelid
	LEFT JOIN pg_index AS x ON x.indexrelid = c.conindid
	WHERE t.relnamespace = 'modelreg'::regnamespace AND t.relkind = 'r'
		AND c.contype IN ('c', 'f', 'p', 'u', 'x')
	UNION ALL
	SELECT 'column', t.relname::text, a.attname::text, 'NOT NULL', true
	FROM pg_attribute AS a
	JOIN pg_class AS t ON t.oid = a.attrelid
	WHERE t.relnamespace = 'modelreg'::regnamespace AND t.relkind = 'r'
		AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
$$;
COMMENT ON FUNCTION modelreg.present_definitions() IS
	'The indexes, constraints and NOT NULLs of the tables in schema modelreg as they are now, and whether each is in force.';

DO LANGUAGE plpgsql $definitions$
BEGIN
	EXECUTE (
		SELECT pg_catalog.format($function$
			CREATE FUNCTION modelreg.installed_definitions()
				RETURNS TABLE (kind text, relation text, name text, definition text)
				LANGUAGE sql IMMUTABLE PARALLEL SAFE
				AS %L$function$,
			'VALUES ' OPERATOR(pg_catalog.||) pg_catalog.string_agg(
				pg_catalog.format('(%L::pg_catalog.text, %L::pg_catalog.text, %L::pg_catalog.text, %L::pg_catalog.text)', d.kind, d.relation, d.name, d.definition),
				',
	'::pg_catalog.text ORDER BY d.kind COLLATE pg_catalog."C", d.relation COLLATE pg_catalog."C", d.name COLLATE pg_catalog."C"))
		FROM modelreg.present_definitions() AS d);
END
$definitions$;
COMMENT ON FUNCTION modelreg.installed_definitions() IS
	'The indexes, constraints and NOT NULLs of our tables as the installation made them.';

-- Definitions are compared without blanks and parentheses, with which another
-- major version of the server may be more or less generous.
CREATE FUNCTION modelreg.definition_problems()
	RETURNS TABLE (problem text, repair text)
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT format('%s %s of %s is %s', d.kind, d.name, d.relation, CASE
			WHEN d.kind = 'column' THEN 'not NOT NULL'
			WHEN d.is_missing THEN 'missing'
			WHEN d.is_changed THEN 'not as installed'
			ELSE 'not valid' END),
		CASE
			WHEN d.kind = 'column'
				THEN format('ALTER TABLE modelreg.%I ALTER COLUMN %I SET NOT NULL', d.relation, d.name)
			WHEN d.kind = 'index' AND (d.is_missing OR d.is_changed)
				THEN d.make_room || d.definition
			WHEN d.kind = 'index'
				THEN format('REINDEX INDEX modelreg.%I', d.name)
			WHEN d.is_missing
				THEN d.make_room || format('ALTER TABLE modelreg.%I ADD CONSTRAINT %I %s', d.relation, d.name, d.definition)
			WHEN d.is_changed
				THEN format('ALTER TABLE modelreg.%1$I DROP CONSTRAINT %2$I, ADD CONSTRAINT %2$I %3$s', d.relation, d.name, d.definition)
			WHEN d.definition LIKE 'CHECK%'
				THEN format('ALTER TABLE modelreg.%I VALIDATE CONSTRAINT %I', d.relation, d.name)
			ELSE format('REINDEX INDEX modelreg.%I', d.name)
		END
	FROM (
		SELECT i.kind, i.relation, i.name, i.definition, p.sound,
			p.name IS NULL AS is_missing,
			regexp_replace(p.definition, '[\s()]', '', 'g') <> regexp_replace(i.definition, '[\s()]', '', 'g') AS is_changed,
			-- of the name is something else
			CASE WHEN r.relkind = 'i' THEN format('DROP INDEX modelreg.%I; ', i.name) ELSE '' END AS make_room
		FROM modelreg.installed_definitions() AS i
		LEFT JOIN modelreg.present_definitions() AS p
			ON p.kind = i.kind AND p.relation = i.relation AND p.name = i.name
		LEFT JOIN pg_class AS r ON r.relnamespace = 'modelreg'::regnamespace AND r.relname = i.name
	) AS d
	WHERE d.is_missing OR d.is_changed OR NOT d.sound
$$;
COMMENT ON FUNCTION modelreg.definition_problems() IS
	'Which indexes, constraints and NOT NULLs of our tables are missing, changed or not in force, and the statement that repairs each.';
