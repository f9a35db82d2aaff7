--
-- Functions for the tests that attack the registry, which begin with
--
--     \getenv test_dir PG_ABS_SRCDIR
--     \set ECHO none
--     \i :test_dir/lib/attack.sql
--     \set ECHO all
--
-- and end with attack_end.sql in the same way.
--
-- A registry of its own for each of these tests: what they leave in the trail
-- cannot be removed, and what they break must not show in another one.
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg, pg_cron CASCADE;
CREATE EXTENSION modelreg;

-- The text without the instants and the keys in it.
CREATE OR REPLACE FUNCTION mask(said text) RETURNS text
	LANGUAGE sql IMMUTABLE
	RETURN regexp_replace(regexp_replace(regexp_replace(said,
		'_\d{8}_\d{6}(_\d+)?', '_<time>', 'g'),
		'\d{4}-\d\d-\d\dT[\d:.]+Z', '<time>', 'g'),
		'[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}', '<key>', 'g');

-- What the statement does: how many rows, or the error, after which the
-- statement is undone and the caller goes on.
CREATE OR REPLACE FUNCTION attempt(statement text) RETURNS text
	LANGUAGE plpgsql
	AS $$
DECLARE
	touched bigint;
BEGIN
	EXECUTE statement;
	GET DIAGNOSTICS touched = ROW_COUNT;
	RETURN touched || CASE touched WHEN 1 THEN ' row' ELSE ' rows' END;
EXCEPTION WHEN others THEN
	RETURN mask(SQLSTATE || ' ' || SQLERRM);
END
$$;

-- What the statement would do: as attempt, but it is undone in any case.
CREATE OR REPLACE FUNCTION trial(statement text) RETURNS text
	LANGUAGE plpgsql
	AS $$
DECLARE
	touched bigint;
BEGIN
	EXECUTE statement;
	GET DIAGNOSTICS touched = ROW_COUNT;
	RAISE EXCEPTION USING
		ERRCODE = 'P9999',
		MESSAGE = touched || CASE touched WHEN 1 THEN ' row' ELSE ' rows' END;
EXCEPTION
	WHEN SQLSTATE 'P9999' THEN
		RETURN SQLERRM;
	WHEN others THEN
		RETURN mask(SQLSTATE || ' ' || SQLERRM);
END
$$;

-- The roles that attack: one in each group, and one in none.
DO $$
DECLARE
	wanted text;
BEGIN
	FOREACH wanted IN ARRAY ARRAY['reader', 'writer', 'other_writer', 'admin', 'nobody']
	LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'regress_modelreg_' || wanted) THEN
			EXECUTE format('CREATE ROLE regress_modelreg_%s LOGIN', wanted);
		END IF;
	END LOOP;
END
$$;
GRANT modelreg_reader TO regress_modelreg_reader;
GRANT modelreg_writer TO regress_modelreg_writer, regress_modelreg_other_writer;
GRANT modelreg_admin TO regress_modelreg_admin;

RESET client_min_messages;
