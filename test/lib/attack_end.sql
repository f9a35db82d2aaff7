--
-- The end of a test that began with attack.sql: an empty registry again, and
-- no trace of the roles.
--
RESET SESSION AUTHORIZATION;
SET client_min_messages = error;
DROP EXTENSION modelreg CASCADE;
CREATE EXTENSION modelreg;

DROP FUNCTION mask(text), attempt(text), trial(text);
DO $$
DECLARE
	attacker name;
BEGIN
	FOR attacker IN SELECT rolname FROM pg_roles WHERE rolname ~ '^regress_modelreg_' ORDER BY rolname
	LOOP
		EXECUTE format('DROP OWNED BY %I CASCADE', attacker);
	END LOOP;
	FOR attacker IN SELECT rolname FROM pg_roles WHERE rolname ~ '^regress_modelreg_' ORDER BY rolname
	LOOP
		EXECUTE format('DROP ROLE %I', attacker);
	END LOOP;
END
$$;
RESET client_min_messages;
