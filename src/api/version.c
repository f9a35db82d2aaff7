/*
 * Changing versions: stage, metadata, deletion, time.
 *
 * Each locks the model's row first, then the version's.  The functions decide
 * who may do it and check their arguments; the guard triggers hold the rules
 * for whoever comes by plain SQL.
 */
#include "postgres.h"

#include "utils/array.h"
#include "utils/jsonb.h"

#include "base/arg.h"
#include "base/call.h"
#include "base/check.h"
#include "base/compat.h"
#include "life/correction.h"
#include "life/move.h"
#include "life/removal.h"
#include "life/target.h"
#include "trail/trail.h"

MR_WRITER_FUNCTION(modelreg_update_stage, update_stage, "move a model version");
MR_WRITER_FUNCTION(modelreg_update, update_metadata, "edit a model version");
MR_WRITER_FUNCTION(modelreg_delete, delete_version, "delete a model version");
MR_ADMIN_FUNCTION(modelreg_correct_time, correct_time,
				  "correct the time of a model version");


static Datum
update_stage(FunctionCallInfo fcinfo)
{
	char	   *model_id = mr_arg_required_text(fcinfo, 0, "model_id");
	MrStage		stage = mr_stage_parse("new_stage", mr_arg_text(fcinfo, 1));
	MrModel		model;
	MrVersion	version;

	mr_trail_take_reason(mr_arg_text(fcinfo, 2));
	mr_target_lock(model_id, &model, &version);
	mr_move_version(&model, &version, stage);
	return mr_versions_row(model_id);
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
	mr_target_lock(model_id, &model, &version);
	mr_target_require_editor(&version, "edit model version");
	if (!metrics.isnull)
	{
		mr_check_metrics("performance_metrics", PG_GETARG_JSONB_P(3));
		if (model.require_metadata)
			mr_check_metrics_given(PG_GETARG_JSONB_P(3));
	}
	mr_trail_hold(&model);
	mr_versions_set_metadata(model_id, notes, tags, metrics, properties);
	mr_trail_release(&model);
	return mr_versions_row(model_id);
}

static Datum
delete_version(FunctionCallInfo fcinfo)
{
	char	   *model_id = mr_arg_required_text(fcinfo, 0, "model_id");
	bool		force = mr_arg_bool(fcinfo, 1, false);
	MrModel		model;
	MrVersion	version;

	mr_trail_take_reason(mr_arg_text(fcinfo, 2));
	mr_target_lock(model_id, &model, &version);
	if (force)
		mr_actor_require(MR_ROLE_ADMIN, "force the deletion of model version",
						 model_id);
	if (version.stage == MR_STAGE_PRODUCTION && !force)
		mr_removal_raise_protected(model_id);
	mr_target_require_editor(&version, "delete model version");
	mr_trail_hold(&model);
	mr_removal_delete(model_id, force ? MR_CAUSE_FORCE : MR_CAUSE_REQUEST);
	mr_trail_release(&model);
	PG_RETURN_VOID();
}

static Datum
correct_time(FunctionCallInfo fcinfo)
{
	char	   *model_id = mr_arg_required_text(fcinfo, 0, "model_id");
	TimestampTz registered_at;
	MrModel		model;
	MrVersion	version;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("registered_at must not be null")));
	registered_at = PG_GETARG_TIMESTAMPTZ(1);
	mr_trail_take_reason(mr_arg_text(fcinfo, 2));
	mr_target_lock(model_id, &model, &version);
	mr_correction_make(&model, &version, registered_at);
	return mr_versions_row(model_id);
}
