/*
 * What a registration says of its version: the arguments that modelreg_register
 * and its siblings share, and their checks.
 */
#ifndef MR_REGISTRATION_ARGS_H
#define MR_REGISTRATION_ARGS_H

#include "fmgr.h"

#include "rows/versions.h"

/* Arguments of modelreg_register, and of its siblings */
enum
{
	ARG_ARTIFACT,
	ARG_UPLOAD_ID = ARG_ARTIFACT,
	ARG_UPLOAD_IDS = ARG_ARTIFACT,
	ARG_MODEL_TYPE,
	ARG_VERSION,
	ARG_MODEL_NAME,
	ARG_PERFORMANCE_METRICS,
	ARG_DEPLOYMENT_STAGE,
	ARG_TAGS,
	ARG_NOTES,
	ARG_MODEL_CONFIG,
	ARG_TRAINING_METADATA,
	ARG_DATASET_VERSION,
	ARG_PARENT_IDS,
	ARG_CREATED_AT,
	ARG_EXPECTED_CHECKSUM,
	ARG_PROPERTIES,
	ARG_COUNT,
	ARG_PATHS = ARG_COUNT		/* of modelreg_register_files, its first */
};

extern void mr_registration_args_read(FunctionCallInfo fcinfo,
									  MrNewVersion *version, MrSight sight);
extern void mr_registration_args_require_metrics(FunctionCallInfo fcinfo);
extern void mr_registration_args_require_new(const char *model_name,
											 const char *version,
											 MrSight sight);

#endif							/* MR_REGISTRATION_ARGS_H */
