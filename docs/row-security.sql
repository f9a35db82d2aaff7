-- row-security.sql: teams that see their own models, and nothing of the others'.
--
-- The part of a model's name before the first slash is the role whose members
-- see it: members of role "risk" see "risk/fraud".  A model "modelreg_reader/x"
-- is seen by every reader.  All that belongs to a model follows it, so a policy of
-- your own needs to change that of modelreg.model only.
--
-- Run it as a superuser, in the database of the registry; once more after a restore
-- from a dump.  Superusers and roles with BYPASSRLS see everything, others only
-- what a policy shows them.  See docs/security.md.
BEGIN;

CREATE POLICY team ON modelreg.model TO modelreg_reader
	USING (pg_catalog.pg_has_role(
		pg_catalog.to_regrole(pg_catalog.quote_ident(pg_catalog.split_part(model_name, '/', 1))), 'USAGE'));

-- the array is made once for a statement, not for each row
CREATE POLICY team ON modelreg.model_version TO modelreg_reader
	USING (model_key = ANY (ARRAY(SELECT m.model_key FROM modelreg.model AS m)));
CREATE POLICY team ON modelreg.model_alias TO modelreg_reader
	USING (model_key = ANY (ARRAY(SELECT m.model_key FROM modelreg.model AS m)));
CREATE POLICY team ON modelreg.audit_event TO modelreg_reader
	USING (model_key = ANY (ARRAY(SELECT m.model_key FROM modelreg.model AS m)));
CREATE POLICY team ON modelreg.version_file TO modelreg_reader
	USING (EXISTS (SELECT FROM modelreg.model_version AS v WHERE v.model_id = version_file.model_id));

-- the bytes: those of the versions and files that the role sees
CREATE POLICY team ON modelreg.artifact TO modelreg_reader
	USING (EXISTS (SELECT FROM modelreg.model_version AS v WHERE v.checksum = pg_catalog.encode(artifact.sha256, 'hex'))
		OR EXISTS (SELECT FROM modelreg.version_file AS f WHERE f.sha256 = artifact.sha256));
CREATE POLICY team ON modelreg.artifact_check TO modelreg_reader
	USING (EXISTS (SELECT FROM modelreg.artifact AS a WHERE a.sha256 = artifact_check.sha256));
CREATE POLICY team ON modelreg.artifact_chunk TO modelreg_reader
	USING (EXISTS (SELECT FROM modelreg.artifact AS a WHERE a.content = artifact_chunk.content));
CREATE POLICY team ON modelreg.chunk TO modelreg_reader
	USING (EXISTS (SELECT FROM modelreg.artifact_chunk AS c WHERE c.chunk = chunk.chunk));

-- an upload belongs to no model yet
CREATE POLICY own ON modelreg.upload TO modelreg_reader
	USING (owner::pg_catalog.regrole = pg_catalog.to_regrole(pg_catalog.quote_ident(CURRENT_USER)));

ALTER TABLE modelreg.model ENABLE ROW LEVEL SECURITY;
ALTER TABLE modelreg.model_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE modelreg.model_alias ENABLE ROW LEVEL SECURITY;
ALTER TABLE modelreg.audit_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE modelreg.version_file ENABLE ROW LEVEL SECURITY;
ALTER TABLE modelreg.artifact ENABLE ROW LEVEL SECURITY;
ALTER TABLE modelreg.artifact_check ENABLE ROW LEVEL SECURITY;
ALTER TABLE modelreg.artifact_chunk ENABLE ROW LEVEL SECURITY;
ALTER TABLE modelreg.chunk ENABLE ROW LEVEL SECURITY;
ALTER TABLE modelreg.upload ENABLE ROW LEVEL SECURITY;

COMMIT;
