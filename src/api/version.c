/*
 * Changing versions: stage, metadata, deletion.
 *
 * Each locks the model's row first, then the version's.  The functions decide
 * who may do it and check their arguments; the guard triggers hold the rules
 * for whoever comes by plain SQL.
 */
#include "postgres.h"

#include "utils/array.h"
#include "utils/jsonb.h"

#include "base/arg.h"
#include "base/check.h"
#include "base/compat.h"
#include "life/transition.h"
#include "trail/trail.h"

PG_FUNCTION_INFO_V1(modelreg_update_stage);
PG_FUNCTION_INFO_V1(modelreg_update);
PG_FUNCTION_INFO_V1(modelreg_delete);

static Datum update_stage(FunctionCallInfo fcinfo);
static Datum update_metadata(FunctionCallInfo fcinfo);
static Datum delete_version(FunctionCallInfo fcinfo);

/*
 * modelreg_update_stage(model_id, new_stage, reason): see its COMMENT.
 */
Datum
modelreg_update_stage(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_owner(fcinfo, MR_ROLE_WRITER,
								 "move a model version", update_stage);
}

static Datum
update_stage(FunctionCallInfo fcinfo)
{
	char	   *model_id = mr_arg_required_text(fcinfo, 0, "model_id");
	MrStage		stage = mr_stage_parse("new_stage", mr_arg_text(fcinfo, 1));
	MrModel		model;
	MrVersion	version;

	mr_trail_take_reason(mr_arg_text(fcinfo, 2));
	mr_transition_lock(model_id, &model, &version);
	if (version.stage != stage)
	{
		mr_transition_require_mover(&version, stage);
		mr_transition_check(model_id, version.stage, stage);
		mr_trail_hold(&model);
		if (stage == MR_STAGE_PRODUCTION)
			mr_transition_demote_incumbents(&model, model_id);
		mr_version_set_stage(model_id, stage);
		mr_trail_release(&model);
	}
	return mr_version_row(model_id);
}

/*
 * modelreg_update(model_id, notes, tags, performance_metrics, reason,
 * properties): see its COMMENT.
 */
Datum
modelreg_update(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_owner(fcinfo, MR_ROLE_WRITER,
								 "edit a model version", update_metadata);
}

static Datum
update_metadata(FunctionCallInfo fcinfo)
{
	char	   *model_id = mr_arg_required_text(fcinfo, 0, "model_id");
	NullableDatum notes = mr_arg_nullable(fcinfo, 1);
	NullableDatum tags = mr_arg_nullable(fcinfo, 2);
	NullableDatum metrics = mr_arg_nullable(fcinfo, 3);
	NullableDatum properties = mr_arg_nullable(fcinfo, 5);
	MrModel		model;
	MrVersion	version;

	if (!tags.isnull)
		tags.value = PointerGetDatum(mr_check_tags("tags",
												   PG_GETARG_ARRAYTYPE_P(2)));
	if (!notes.isnull)
		mr_check_text_size("notes", mr_arg_text(fcinfo, 1));
	if (!properties.isnull)
		mr_check_object("properties", PG_GETARG_JSONB_P(5));
	mr_trail_take_reason(mr_arg_text(fcinfo, 4));
	mr_transition_lock(model_id, &model, &version);
	mr_transition_require_editor(&version, "edit model version");
	if (!metrics.isnull)
	{
		mr_check_metrics("performance_metrics", PG_GETARG_JSONB_P(3));
		if (model.require_metadata)
			mr_check_metrics_given(PG_GETARG_JSONB_P(3));
	}
	mr_trail_hold(&model);
	mr_version_set_metadata(model_id, notes, tags, metrics, properties);
	mr_trail_release(&model);
	return mr_version_row(model_id);
}

/*
 * modelreg_delete(model_id, force, reason): see its COMMENT.
 */
Datum
modelreg_delete(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_owner(fcinfo, MR_ROLE_WRITER,
								 "delete a model version", delete_version);
}

static Datum
delete_version(FunctionCallInfo fcinfo)
{
	char	   *model_id = mr_arg_required_text(fcinfo, 0, "model_id");
	bool		force = mr_arg_bool(fcinfo, 1, false);
	MrModel		model;
	MrVersion	version;

	mr_trail_take_reason(mr_arg_text(fcinfo, 2));
	mr_transition_lock(model_id, &model, &version);
	if (force)
		mr_actor_require(MR_ROLE_ADMIN, "force the deletion of model version",
						 model_id);
	if (version.stage == MR_STAGE_PRODUCTION && !force)
		mr_transition_raise_protected(model_id);
	mr_transition_require_editor(&version, "delete model version");
	mr_trail_hold(&model);
	mr_transition_remove(model_id, force ? MR_CAUSE_FORCE : MR_CAUSE_REQUEST);
	mr_trail_release(&model);
	PG_RETURN_VOID();
}
