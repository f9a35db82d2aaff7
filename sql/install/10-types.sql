/* ------------------------------------------------------------------
 * Types
 * ------------------------------------------------------------------ */
CREATE TYPE modelreg.deployment_stage AS ENUM (
	'development',
	'staging',
	'canary',
	'production',
	'deprecated',
	'archived'
);
COMMENT ON TYPE modelreg.deployment_stage IS
	'Where a model version stands on its way: development, staging, canary, production, deprecated, archived.';

-- Who owns something.  The functions that look at the roles are STABLE; the
-- order does not look, so it serves an index.
CREATE TYPE modelreg.role_ref;

CREATE FUNCTION modelreg.role_ref_in(cstring) RETURNS modelreg.role_ref
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_in';
COMMENT ON FUNCTION modelreg.role_ref_in(cstring) IS
	'A reference to the role of that name; a name that is no role''s is kept.';

CREATE FUNCTION modelreg.role_ref_out(modelreg.role_ref) RETURNS cstring
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_out';
COMMENT ON FUNCTION modelreg.role_ref_out(modelreg.role_ref) IS
	'The role''s present name; of a role that is gone the name that it had when the reference was made.';

CREATE FUNCTION modelreg.role_ref_recv(internal) RETURNS modelreg.role_ref
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_recv';
COMMENT ON FUNCTION modelreg.role_ref_recv(internal) IS
	'As role_ref_in: the binary form is the name, too.';

CREATE FUNCTION modelreg.role_ref_send(modelreg.role_ref) RETURNS bytea
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_send';
COMMENT ON FUNCTION modelreg.role_ref_send(modelreg.role_ref) IS
	'As role_ref_out: the binary form is the name, too.';

CREATE TYPE modelreg.role_ref (
	INPUT = modelreg.role_ref_in,
	OUTPUT = modelreg.role_ref_out,
	RECEIVE = modelreg.role_ref_recv,
	SEND = modelreg.role_ref_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = main
);
COMMENT ON TYPE modelreg.role_ref IS
	'A role, which stays the same when it is renamed; as text its present name. A name that no role has is allowed, and stays nobody''s.';

CREATE FUNCTION modelreg.role_ref(name text) RETURNS modelreg.role_ref
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_from_text';
COMMENT ON FUNCTION modelreg.role_ref(text) IS
	'A reference to the role of that name; a name that is no role''s is kept.';

CREATE FUNCTION modelreg.role_ref(name name) RETURNS modelreg.role_ref
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_from_name';
COMMENT ON FUNCTION modelreg.role_ref(name) IS
	'A reference to the role of that name; a name that is no role''s is kept.';

CREATE FUNCTION modelreg.role_ref_role(ref modelreg.role_ref) RETURNS regrole
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_role';
COMMENT ON FUNCTION modelreg.role_ref_role(modelreg.role_ref) IS
	'The role; NULL if there is none.';

CREATE FUNCTION modelreg.role_ref_written(ref modelreg.role_ref) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_written';
COMMENT ON FUNCTION modelreg.role_ref_written(modelreg.role_ref) IS
	'The name that the role had when the reference was made.';

CREATE FUNCTION modelreg.role_ref_source(ref modelreg.role_ref) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_source';
COMMENT ON FUNCTION modelreg.role_ref_source(modelreg.role_ref) IS
	'The cluster''s system identifier and the role''s OID; NULL if it was no role.';

CREATE FUNCTION modelreg.role_ref_agrees(ref modelreg.role_ref, written text, source text) RETURNS boolean
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_agrees';
COMMENT ON FUNCTION modelreg.role_ref_agrees(modelreg.role_ref, text, text) IS
	'Whether the reference is the one of which role_ref_written and role_ref_source said that: in the cluster where they did, while the role exists, the same role; else a role of the same name.';

CREATE FUNCTION modelreg.role_ref_eq(a modelreg.role_ref, b modelreg.role_ref) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_eq';
COMMENT ON FUNCTION modelreg.role_ref_eq(modelreg.role_ref, modelreg.role_ref) IS
	'Whether both are the same role, or the same name that is no role''s.';

CREATE FUNCTION modelreg.role_ref_ne(a modelreg.role_ref, b modelreg.role_ref) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_ne';
COMMENT ON FUNCTION modelreg.role_ref_ne(modelreg.role_ref, modelreg.role_ref) IS
	'Whether they are different roles or names.';

CREATE FUNCTION modelreg.role_ref_lt(a modelreg.role_ref, b modelreg.role_ref) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_lt';
COMMENT ON FUNCTION modelreg.role_ref_lt(modelreg.role_ref, modelreg.role_ref) IS
	'Whether a is less than b in an order that renaming does not change.';

CREATE FUNCTION modelreg.role_ref_le(a modelreg.role_ref, b modelreg.role_ref) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_le';
COMMENT ON FUNCTION modelreg.role_ref_le(modelreg.role_ref, modelreg.role_ref) IS
	'Whether a is less or equal in an order that renaming does not change.';

CREATE FUNCTION modelreg.role_ref_gt(a modelreg.role_ref, b modelreg.role_ref) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_gt';
COMMENT ON FUNCTION modelreg.role_ref_gt(modelreg.role_ref, modelreg.role_ref) IS
	'Whether a is greater than b in an order that renaming does not change.';

CREATE FUNCTION modelreg.role_ref_ge(a modelreg.role_ref, b modelreg.role_ref) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_ge';
COMMENT ON FUNCTION modelreg.role_ref_ge(modelreg.role_ref, modelreg.role_ref) IS
	'Whether a is greater or equal in an order that renaming does not change.';

CREATE FUNCTION modelreg.role_ref_cmp(a modelreg.role_ref, b modelreg.role_ref) RETURNS integer
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_cmp';
COMMENT ON FUNCTION modelreg.role_ref_cmp(modelreg.role_ref, modelreg.role_ref) IS
	'-1, 0 or 1 as a is less, equal or greater: roles by OID, then names that are no role''s.';

CREATE FUNCTION modelreg.role_ref_hash(ref modelreg.role_ref) RETURNS integer
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_hash';
COMMENT ON FUNCTION modelreg.role_ref_hash(modelreg.role_ref) IS
	'Hash of the role, or of the name if it is no role.';

CREATE FUNCTION modelreg.role_ref_hash_extended(ref modelreg.role_ref, seed bigint) RETURNS bigint
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modelreg_role_ref_hash_extended';
COMMENT ON FUNCTION modelreg.role_ref_hash_extended(modelreg.role_ref, bigint) IS
	'Hash of the role, or of the name if it is no role, with a seed.';

-- In the extension's schema, where a search_path finds them
CREATE OPERATOR @extschema@.= (
	LEFTARG = modelreg.role_ref, RIGHTARG = modelreg.role_ref, FUNCTION = modelreg.role_ref_eq,
	COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
	RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR @extschema@.<> (
	LEFTARG = modelreg.role_ref, RIGHTARG = modelreg.role_ref, FUNCTION = modelreg.role_ref_ne,
	COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
	RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
CREATE OPERATOR @extschema@.< (
	LEFTARG = modelreg.role_ref, RIGHTARG = modelreg.role_ref, FUNCTION = modelreg.role_ref_lt,
	COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
	RESTRICT = pg_catalog.scalarltsel, JOIN = pg_catalog.scalarltjoinsel
);
CREATE OPERATOR @extschema@.<= (
	LEFTARG = modelreg.role_ref, RIGHTARG = modelreg.role_ref, FUNCTION = modelreg.role_ref_le,
	COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
	RESTRICT = pg_catalog.scalarlesel, JOIN = pg_catalog.scalarlejoinsel
);
CREATE OPERATOR @extschema@.> (
	LEFTARG = modelreg.role_ref, RIGHTARG = modelreg.role_ref, FUNCTION = modelreg.role_ref_gt,
	COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
	RESTRICT = pg_catalog.scalargtsel, JOIN = pg_catalog.scalargtjoinsel
);
CREATE OPERATOR @extschema@.>= (
	LEFTARG = modelreg.role_ref, RIGHTARG = modelreg.role_ref, FUNCTION = modelreg.role_ref_ge,
	COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
	RESTRICT = pg_catalog.scalargesel, JOIN = pg_catalog.scalargejoinsel
);
COMMENT ON OPERATOR @extschema@.= (modelreg.role_ref, modelreg.role_ref) IS 'the same role';
COMMENT ON OPERATOR @extschema@.<> (modelreg.role_ref, modelreg.role_ref) IS 'another role';
COMMENT ON OPERATOR @extschema@.< (modelreg.role_ref, modelreg.role_ref) IS 'less';
COMMENT ON OPERATOR @extschema@.<= (modelreg.role_ref, modelreg.role_ref) IS 'less or equal';
COMMENT ON OPERATOR @extschema@.> (modelreg.role_ref, modelreg.role_ref) IS 'greater';
COMMENT ON OPERATOR @extschema@.>= (modelreg.role_ref, modelreg.role_ref) IS 'greater or equal';

CREATE OPERATOR FAMILY modelreg.role_ref_ops USING btree;
COMMENT ON OPERATOR FAMILY modelreg.role_ref_ops USING btree IS 'Order of role references, which renaming does not change.';
CREATE OPERATOR CLASS modelreg.role_ref_ops DEFAULT FOR TYPE modelreg.role_ref USING btree FAMILY modelreg.role_ref_ops AS
	OPERATOR 1 @extschema@.< (modelreg.role_ref, modelreg.role_ref),
	OPERATOR 2 @extschema@.<= (modelreg.role_ref, modelreg.role_ref),
	OPERATOR 3 @extschema@.= (modelreg.role_ref, modelreg.role_ref),
	OPERATOR 4 @extschema@.>= (modelreg.role_ref, modelreg.role_ref),
	OPERATOR 5 @extschema@.> (modelreg.role_ref, modelreg.role_ref),
	FUNCTION 1 modelreg.role_ref_cmp(modelreg.role_ref, modelreg.role_ref);
COMMENT ON OPERATOR CLASS modelreg.role_ref_ops USING btree IS 'Order of role references, which renaming does not change.';
CREATE OPERATOR FAMILY modelreg.role_ref_ops USING hash;
COMMENT ON OPERATOR FAMILY modelreg.role_ref_ops USING hash IS 'Equality of role references.';
CREATE OPERATOR CLASS modelreg.role_ref_ops DEFAULT FOR TYPE modelreg.role_ref USING hash FAMILY modelreg.role_ref_ops AS
	OPERATOR 1 @extschema@.= (modelreg.role_ref, modelreg.role_ref),
	FUNCTION 1 modelreg.role_ref_hash(modelreg.role_ref),
	FUNCTION 2 modelreg.role_ref_hash_extended(modelreg.role_ref, bigint);
COMMENT ON OPERATOR CLASS modelreg.role_ref_ops USING hash IS 'Equality of role references.';

-- Implicit, as from text to regclass: owner = CURRENT_USER, owner = $1
CREATE CAST (text AS modelreg.role_ref) WITH FUNCTION modelreg.role_ref(text) AS IMPLICIT;
COMMENT ON CAST (text AS modelreg.role_ref) IS 'The role of that name.';
CREATE CAST (varchar AS modelreg.role_ref) WITH FUNCTION modelreg.role_ref(text) AS IMPLICIT;
COMMENT ON CAST (varchar AS modelreg.role_ref) IS 'The role of that name.';
CREATE CAST (name AS modelreg.role_ref) WITH FUNCTION modelreg.role_ref(name) AS IMPLICIT;
COMMENT ON CAST (name AS modelreg.role_ref) IS 'The role of that name.';
CREATE CAST (modelreg.role_ref AS regrole) WITH FUNCTION modelreg.role_ref_role(modelreg.role_ref);
COMMENT ON CAST (modelreg.role_ref AS regrole) IS 'The role; NULL if there is none.';
