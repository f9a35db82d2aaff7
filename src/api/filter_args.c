/*
 * The filters that modelreg_find_latest, modelreg_list and modelreg_load_latest
 * share.
 */
#include "postgres.h"

#include "utils/array.h"
#include "utils/jsonb.h"

#include "api/filter_args.h"
#include "base/arg.h"
#include "base/check.h"
#include "base/stage.h"

static NullableDatum read_bounds(FunctionCallInfo fcinfo, int n,
								 const char *what);

/*
 * Checks and collects them.
 */
void
mr_filter_args_read(FunctionCallInfo fcinfo, MrFilter *filter)
{
	char	   *stage = mr_arg_text(fcinfo, ARG_DEPLOYMENT_STAGE);

	filter->model_type = mr_arg_nullable(fcinfo, ARG_MODEL_TYPE);
	filter->deployment_stage = mr_arg_nullable(fcinfo, ARG_DEPLOYMENT_STAGE);
	if (stage)
		(void) mr_stage_parse("deployment_stage", stage);
	filter->min_performance = read_bounds(fcinfo, ARG_MIN_PERFORMANCE,
										  "min_performance");
	filter->max_performance = read_bounds(fcinfo, ARG_MAX_PERFORMANCE,
										  "max_performance");

	filter->tags.isnull = true;
	if (!PG_ARGISNULL(ARG_TAGS))
	{
		ArrayType  *tags = mr_check_tags("tags",
										 PG_GETARG_ARRAYTYPE_P(ARG_TAGS));

		filter->tags.value = PointerGetDatum(tags);
		filter->tags.isnull = ARR_NDIM(tags) == 0;
	}
	filter->model_name = mr_arg_nullable(fcinfo, ARG_MODEL_NAME);
	filter->version = mr_arg_nullable(fcinfo, ARG_VERSION);
	filter->before_id.isnull = true;
	filter->max_rows.isnull = true;
}

static NullableDatum
read_bounds(FunctionCallInfo fcinfo, int n, const char *what)
{
	NullableDatum bounds = mr_arg_nullable(fcinfo, n);

	if (!bounds.isnull)
	{
		mr_check_metrics(what, PG_GETARG_JSONB_P(n));
		bounds.isnull = mr_check_metrics_empty(PG_GETARG_JSONB_P(n));
	}
	return bounds;
}
