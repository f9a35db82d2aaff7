/*
 * Semantic Versioning 2.0.0 for SQL.
 *
 * Who writes queries of his own orders versions by the same rules that a
 * registration goes by.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/semver.h"

PG_FUNCTION_INFO_V1(modelreg_semver_valid);
PG_FUNCTION_INFO_V1(modelreg_semver_compare);
PG_FUNCTION_INFO_V1(modelreg_semver_next_minor);

static char *version_argument(const text *argument);

/*
 * modelreg.semver_valid(version text) RETURNS boolean
 */
Datum
modelreg_semver_valid(PG_FUNCTION_ARGS)
{
	char	   *version = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_BOOL(mr_semver_valid(version));
}

/*
 * modelreg.semver_compare(a text, b text) RETURNS integer
 */
Datum
modelreg_semver_compare(PG_FUNCTION_ARGS)
{
	char	   *a = version_argument(PG_GETARG_TEXT_PP(0));
	char	   *b = version_argument(PG_GETARG_TEXT_PP(1));

	PG_RETURN_INT32(mr_semver_compare(a, b));
}

/*
 * modelreg.semver_next_minor(version text) RETURNS text
 *
 * NULL if the next minor version would be longer than a version may be.
 */
Datum
modelreg_semver_next_minor(PG_FUNCTION_ARGS)
{
	char	   *version = version_argument(PG_GETARG_TEXT_PP(0));
	char	   *next = mr_semver_next_minor(version);

	if (next == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(next));
}

/*
 * Returns the argument as a C string; reports an error unless it is a version.
 */
static char *
version_argument(const text *argument)
{
	char	   *version = text_to_cstring(argument);

	mr_semver_check(version);
	return version;
}
