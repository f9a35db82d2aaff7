\echo Use "CREATE EXTENSION modelreg" to load this file. \quit

/* ------------------------------------------------------------------
 * The four group roles.  Roles are shared by all databases of a cluster, so
 * they may be here already: from another database, from pg_dumpall -g, or
 * made by somebody who hopes to own what we create.  A role that can log in,
 * has attributes or, in the owner's case, members, is refused; members of the
 * others are reported.
 * ------------------------------------------------------------------ */
DO LANGUAGE plpgsql $roles$
DECLARE
	wanted pg_catalog.text;
	existing pg_catalog.pg_authid;
	others pg_catalog.text;
BEGIN
	FOREACH wanted IN ARRAY ARRAY['modelreg_owner', 'modelreg_reader',
								  'modelreg_writer', 'modelreg_admin']::pg_catalog.text[]
	LOOP
		SELECT a.* INTO existing
		FROM pg_catalog.pg_authid AS a
		WHERE a.rolname OPERATOR(pg_catalog.=) wanted::pg_catalog.name;

		IF NOT FOUND THEN
			EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted);
			EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', wanted,
				CASE
					WHEN wanted OPERATOR(pg_catalog.=) 'modelreg_owner'::pg_catalog.text THEN 'Owns the objects of modelreg; nobody is a member.'
					WHEN wanted OPERATOR(pg_catalog.=) 'modelreg_reader'::pg_catalog.text THEN 'May list, load and compare model versions and read the audit trail.'
					WHEN wanted OPERATOR(pg_catalog.=) 'modelreg_writer'::pg_catalog.text THEN 'May register model versions and move them between development and staging; contains modelreg_reader.'
					ELSE 'May do everything in the model registry; contains modelreg_writer.'
				END);
			CONTINUE;
		END IF;

		IF existing.rolcanlogin OR existing.rolsuper OR existing.rolcreaterole
			OR existing.rolcreatedb OR existing.rolreplication OR existing.rolbypassrls
			OR NOT existing.rolinherit
		THEN
			RAISE EXCEPTION USING
				ERRCODE = 'invalid_role_specification',
				MESSAGE = pg_catalog.format('role "%s" exists and is no plain group role', wanted),
				HINT = pg_catalog.format(
					'ALTER ROLE %I NOLOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS INHERIT, or drop it.',
					wanted);
		END IF;

		SELECT pg_catalog.string_agg(m.rolname::pg_catalog.text, ', ' ORDER BY m.rolname)
		INTO others
		FROM pg_catalog.pg_auth_members AS am
		JOIN pg_catalog.pg_authid AS m ON m.oid OPERATOR(pg_catalog.=) am.member
		WHERE am.roleid OPERATOR(pg_catalog.=) existing.oid
			AND m.rolname OPERATOR(pg_catalog.<>) ALL (ARRAY['modelreg_writer', 'modelreg_admin']::pg_catalog.name[]);
		IF others IS NOT NULL AND wanted OPERATOR(pg_catalog.=) 'modelreg_owner'::pg_catalog.text THEN
			RAISE EXCEPTION USING
				ERRCODE = 'invalid_role_specification',
				MESSAGE = pg_catalog.format('role "modelreg_owner" has members: %s', others),
				DETAIL = 'Its members could change every artifact and the audit trail.',
				HINT = 'REVOKE modelreg_owner from them first.';
		ELSIF others IS NOT NULL THEN
			RAISE WARNING USING
				MESSAGE = pg_catalog.format('role "%s" exists and has members: %s', wanted, others),
				HINT = 'They have its rights in this database from now on; see modelreg_check().';
		END IF;

		SELECT pg_catalog.string_agg(g.rolname::pg_catalog.text, ', ' ORDER BY g.rolname)
		INTO others
		FROM pg_catalog.pg_auth_members AS am
		JOIN pg_catalog.pg_authid AS g ON g.oid OPERATOR(pg_catalog.=) am.roleid
		WHERE am.member OPERATOR(pg_catalog.=) existing.oid
			AND g.rolname OPERATOR(pg_catalog.=) ANY (ARRAY['modelreg_owner', 'modelreg_reader',
				'modelreg_writer', 'modelreg_admin']::pg_catalog.name[])
			-- each may contain the one before
			AND pg_catalog.concat(wanted, ' ', g.rolname) OPERATOR(pg_catalog.<>) ALL (ARRAY[
				'modelreg_writer modelreg_reader', 'modelreg_admin modelreg_writer']::pg_catalog.text[]);
		IF others IS NOT NULL THEN
			RAISE EXCEPTION USING
				ERRCODE = 'invalid_role_specification',
				MESSAGE = pg_catalog.format('role "%s" exists and is a member of: %s', wanted, others),
				HINT = pg_catalog.format('REVOKE these from %I first.', wanted);
		END IF;
	END LOOP;

	-- each role contains the one before
	IF NOT pg_catalog.pg_has_role('modelreg_writer'::pg_catalog.name, 'modelreg_reader'::pg_catalog.name, 'USAGE'::pg_catalog.text) THEN
		GRANT modelreg_reader TO modelreg_writer;
	END IF;
	IF NOT pg_catalog.pg_has_role('modelreg_admin'::pg_catalog.name, 'modelreg_writer'::pg_catalog.name, 'USAGE'::pg_catalog.text) THEN
		GRANT modelreg_writer TO modelreg_admin;
	END IF;
END
$roles$;

-- Not IF NOT EXISTS: a schema that somebody else made, and could drop with all
-- that is in it, must stop the installation.
CREATE SCHEMA modelreg;
COMMENT ON SCHEMA modelreg IS 'The tables, views and inner functions of the modelreg model registry.';
ALTER SCHEMA modelreg OWNER TO modelreg_owner;
