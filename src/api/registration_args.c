/*
 * What a registration says of its version: the arguments that modelreg_register
 * and its siblings share, and their checks.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/jsonb.h"

#include "api/registration_args.h"
#include "base/actor.h"
#include "base/arg.h"
#include "base/check.h"
#include "base/compat.h"
#include "base/json.h"
#include "base/semver.h"
#include "life/target.h"

/* 0001-01-01: the trail writes dates without an era */
#define MR_YEAR_ONE \
	((TimestampTz) (1721426 - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)

static void check_metadata(FunctionCallInfo fcinfo, MrNewVersion *version);
static Datum check_parents(FunctionCallInfo fcinfo);

/*
 * Checks all that needs no lock and no bytes, and puts it into version.
 */
void
mr_registration_args_read(FunctionCallInfo fcinfo, MrNewVersion *version,
						  MrSight sight)
{
	char	   *wanted_version = mr_arg_text(fcinfo, ARG_VERSION);

	check_metadata(fcinfo, version);
	mr_target_require_known_model(version->model_name);
	if (wanted_version)
	{
		mr_semver_check(wanted_version);
		mr_registration_args_require_new(version->model_name, wanted_version,
										 sight);
	}
	version->parent_ids = check_parents(fcinfo);
}

/*
 * Checks all arguments that need no look at the tables and puts them into
 * version.
 */
static void
check_metadata(FunctionCallInfo fcinfo, MrNewVersion *version)
{
	char	   *stage = mr_arg_text(fcinfo, ARG_DEPLOYMENT_STAGE);
	char	   *dataset_version = mr_arg_text(fcinfo, ARG_DATASET_VERSION);
	char	   *notes = mr_arg_text(fcinfo, ARG_NOTES);
	MrValue		tags;
	MrValue		notes_value;
	int64		size = 0;

	version->model_type = mr_arg_text(fcinfo, ARG_MODEL_TYPE);
	mr_check_name("model_type", version->model_type);
	version->model_name = mr_arg_text(fcinfo, ARG_MODEL_NAME);
	if (version->model_name == NULL)
		version->model_name = version->model_type;
	mr_check_name("model_name", version->model_name);

	version->stage = MR_STAGE_DEVELOPMENT;
	if (stage)
		version->stage = mr_stage_parse("deployment_stage", stage);
	if (!mr_stage_is_open(version->stage))
		mr_actor_require(MR_ROLE_ADMIN,
						 psprintf("register in %s a version of model",
								  mr_stage_name(version->stage)),
						 version->model_name);

	version->performance_metrics = mr_arg_nullable(fcinfo,
												   ARG_PERFORMANCE_METRICS);
	if (!version->performance_metrics.isnull)
		size += mr_check_metrics("performance_metrics",
								 PG_GETARG_JSONB_P(ARG_PERFORMANCE_METRICS));
	version->model_config = mr_arg_nullable(fcinfo, ARG_MODEL_CONFIG);
	if (!version->model_config.isnull)
		size += mr_check_object("model_config",
								PG_GETARG_JSONB_P(ARG_MODEL_CONFIG));
	version->training_metadata = mr_arg_nullable(fcinfo,
												 ARG_TRAINING_METADATA);
	if (!version->training_metadata.isnull)
		size += mr_check_object("training_metadata",
								PG_GETARG_JSONB_P(ARG_TRAINING_METADATA));
	version->properties = mr_arg_nullable(fcinfo, ARG_PROPERTIES);
	if (!version->properties.isnull)
		size += mr_check_object("properties",
								PG_GETARG_JSONB_P(ARG_PROPERTIES));
	version->tags =
		PointerGetDatum(mr_check_tags("tags", mr_arg_array(fcinfo, ARG_TAGS)));
	if (notes)
		mr_check_text_size("notes", notes);
	version->notes = mr_arg_nullable(fcinfo, ARG_NOTES);
	if (dataset_version)
		mr_check_name("dataset_version", dataset_version);
	version->dataset_version = mr_arg_nullable(fcinfo, ARG_DATASET_VERSION);

	version->created_at = mr_arg_nullable(fcinfo, ARG_CREATED_AT);
	if (!version->created_at.isnull &&
		(TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(ARG_CREATED_AT)) ||
		 PG_GETARG_TIMESTAMPTZ(ARG_CREATED_AT) < MR_YEAR_ONE))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("created_at must be finite and not before the year 1")));

	tags = mr_value_of(TEXTARRAYOID, version->tags);
	notes_value = mr_value_nullable(TEXTOID, version->notes);
	size += mr_json_size(&tags, MR_MAX_VERSION_ROW);
	size += mr_json_size(&notes_value, MR_MAX_VERSION_ROW);
	mr_check_version_size(size);
}

/*
 * The parents, each of which must exist; they are not locked, since lineage
 * may point at what is deleted later.
 */
static Datum
check_parents(FunctionCallInfo fcinfo)
{
	ArrayType  *parents = mr_check_ids("parent_ids",
									   mr_arg_array(fcinfo, ARG_PARENT_IDS));
	char	   *missing;

	if (ARR_NDIM(parents) > 0)
	{
		missing = mr_versions_missing(PointerGetDatum(parents));
		if (missing)
			mr_versions_raise_unknown(missing);
	}
	return PointerGetDatum(parents);
}

/*
 * Raises 22023 if there is no metric, where the model requires one.
 */
void
mr_registration_args_require_metrics(FunctionCallInfo fcinfo)
{
	Jsonb	   *metrics = NULL;

	if (!PG_ARGISNULL(ARG_PERFORMANCE_METRICS))
		metrics = PG_GETARG_JSONB_P(ARG_PERFORMANCE_METRICS);
	mr_check_metrics_given(metrics);
}

/*
 * Raises 23505 if the model has that version already.
 */
void
mr_registration_args_require_new(const char *model_name, const char *version,
								 MrSight sight)
{
	if (mr_versions_exists(model_name, version, sight))
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("version \"%s\" of model \"%s\" exists already",
						version, model_name),
				 errhint("Leave version out to get the next minor version.")));
}
