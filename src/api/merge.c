/*
 * Merging of properties, for the statements that change them.
 */
#include "postgres.h"

#include "fmgr.h"

#include "base/object.h"

PG_FUNCTION_INFO_V1(modelreg_merge_properties);

/*
 * modelreg.merge_properties(properties, changes): see its COMMENT.
 */
Datum
modelreg_merge_properties(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(1))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	PG_RETURN_JSONB_P(mr_object_merge(PG_GETARG_JSONB_P(0),
									  PG_GETARG_JSONB_P(1)));
}
