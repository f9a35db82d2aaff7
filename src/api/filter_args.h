/*
 * The filters that modelreg_find_latest, modelreg_list and modelreg_load_latest
 * share.
 */
#ifndef MR_FILTER_ARGS_H
#define MR_FILTER_ARGS_H

#include "fmgr.h"

#include "rows/version_filter.h"

/* Their arguments */
enum
{
	ARG_MODEL_TYPE,
	ARG_DEPLOYMENT_STAGE,
	ARG_MIN_PERFORMANCE,
	ARG_TAGS,
	ARG_MODEL_NAME,
	ARG_VERSION,
	ARG_MAX_PERFORMANCE,
	FILTER_ARGS
};

extern void mr_filter_args_read(FunctionCallInfo fcinfo, MrFilter *filter);

#endif							/* MR_FILTER_ARGS_H */
