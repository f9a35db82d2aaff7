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
