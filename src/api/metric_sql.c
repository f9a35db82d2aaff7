/*
 * What the name of a metric says, for the functions that are written in SQL.
 */
#include "postgres.h"

#include "fmgr.h"

#include "base/compat.h"
#include "base/metric.h"

PG_FUNCTION_INFO_V1(modelreg_higher_is_better_by_name);

/*
 * modelreg.higher_is_better_by_name(metric text) RETURNS boolean
 *
 * NULL if the name does not tell.
 */
Datum
modelreg_higher_is_better_by_name(PG_FUNCTION_ARGS)
{
	text	   *metric = PG_GETARG_TEXT_PP(0);
	MrDirection direction = mr_metric_direction(VARDATA_ANY(metric),
												VARSIZE_ANY_EXHDR(metric));

	if (direction == MR_DIRECTION_UNKNOWN)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(direction == MR_DIRECTION_HIGHER);
}
