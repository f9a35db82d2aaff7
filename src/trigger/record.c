/*
 * The recorder triggers: what changed goes to the audit trail, whoever
 * changed it by whatever means.
 *
 * AFTER ROW triggers on UPDATE and DELETE.  There is none on INSERT, because a
 * restore would fire it; registrations are recorded by the function.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"

#include "base/call.h"
#include "life/identity.h"
#include "rows/aliases.h"
#include "rows/events.h"
#include "rows/files.h"
#include "rows/rules.h"
#include "rows/versions.h"
#include "trail/trail.h"
#include "trigger/fired.h"

MR_TRIGGER_FUNCTION(modelreg_record_version, record_version);
MR_TRIGGER_FUNCTION(modelreg_record_alias, record_alias);
MR_TRIGGER_FUNCTION(modelreg_record_model, record_model);
MR_TRIGGER_FUNCTION(modelreg_record_setting, record_setting);

static Datum deletion_values(void);

/* Name of each MrCause in the trail */
static const char *const cause_names[] = {
	"sql", "request", "request", "cleanup", "cleanup", "auto", "model", "model"
};

/*
 * Trigger on modelreg.model_version: records a stage move, a change of
 * metadata or a deletion, with which the version's files go.
 */
static Datum
record_version(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = mr_fired_after_row(fcinfo);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MrVersion	before;
	MrVersion	after;
	MrEvent		event = {0};

	mr_versions_from_row(trigger->tg_trigtuple, desc, &before);
	event.model_id = before.model_id;

	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
	{
		event.event = "delete";
		event.stage = mr_stage_name(before.stage);
		event.old_values.value = mr_versions_snapshot(trigger->tg_trigtuple,
													  desc);
		event.new_values.value = deletion_values();
		if (before.file_count > 0)
			mr_files_delete_of_version(before.model_id);
	}
	else
	{
		if (!mr_versions_changes(trigger->tg_trigtuple, trigger->tg_newtuple,
								 desc, &event.old_values.value,
								 &event.new_values.value))
			return PointerGetDatum(NULL);
		mr_versions_from_row(trigger->tg_newtuple, desc, &after);
		if (before.stage != after.stage)
			event.event = "stage";
		else if (before.registered_at != after.registered_at)
			event.event = "correct_time";
		else
			event.event = "update";
		event.stage = mr_stage_name(after.stage);
	}
	mr_trail_append_by_key(&before.model_key, &event);
	return PointerGetDatum(NULL);
}

/*
 * Trigger on modelreg.model_alias: records that an alias moved or went.
 */
static Datum
record_alias(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = mr_fired_after_row(fcinfo);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MrAlias		before;
	MrAlias		after;
	MrEvent		event = {0};

	mr_aliases_from_row(trigger->tg_trigtuple, desc, &before);
	event.event = "alias";
	event.alias = before.alias;
	event.old_values.value = mr_aliases_snapshot(trigger->tg_trigtuple, desc);
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
	{
		event.model_id = before.model_id;
		event.new_values.isnull = true;
	}
	else
	{
		mr_aliases_from_row(trigger->tg_newtuple, desc, &after);
		if (strcmp(before.model_id, after.model_id) == 0)
			return PointerGetDatum(NULL);
		event.model_id = after.model_id;
		event.new_values.value = mr_aliases_snapshot(trigger->tg_newtuple,
													 desc);
	}
	mr_trail_append_by_key(&before.model_key, &event);
	return PointerGetDatum(NULL);
}

/*
 * Trigger on modelreg.model: records a change of settings, a rename or a
 * deletion, and keeps the copies in the versions.
 */
static Datum
record_model(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = mr_fired_after_row(fcinfo);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MrModel		before;
	MrModel		model;
	MrEvent		event = {0};
	bool		renamed;

	mr_models_from_row(trigger->tg_trigtuple, desc, &before);

	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
	{
		event.event = "model_delete";
		event.old_values.value = mr_models_snapshot(trigger->tg_trigtuple,
													desc);
		event.new_values.isnull = true;
		mr_trail_append(&before, &event);
		return PointerGetDatum(NULL);
	}

	if (!mr_models_changes(trigger->tg_trigtuple, trigger->tg_newtuple, desc,
						   &event.old_values.value, &event.new_values.value))
		return PointerGetDatum(NULL);

	if (!mr_models_lock_by_key(&before.key, &model))
		elog(ERROR, "model vanished while it was recorded");
	renamed = strcmp(before.name, model.name) != 0;
	if (renamed)
		mr_identity_adopt(&model);
	event.event = renamed ? "model_rename" : "model_update";
	mr_trail_append(&model, &event);
	mr_models_advance(&model);

	if (renamed || before.exclusive_production != model.exclusive_production)
		mr_models_spread(&model.key);
	return PointerGetDatum(NULL);
}

/*
 * Trigger on modelreg.stage_rule and modelreg.metric_direction.
 */
static Datum
record_setting(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = mr_fired_after_row(fcinfo);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MrEvent		event = {0};

	event.event = RelationGetRelationName(trigger->tg_relation);
	event.old_values.value = mr_rules_snapshot(trigger->tg_trigtuple, desc);
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		event.new_values.isnull = true;
	else
	{
		event.new_values.value = mr_rules_snapshot(trigger->tg_newtuple,
												   desc);
		if (DatumGetBool(DirectFunctionCall2(jsonb_eq,
											 event.old_values.value,
											 event.new_values.value)))
			return PointerGetDatum(NULL);
	}
	mr_trail_append_registry(&event);
	return PointerGetDatum(NULL);
}

static Datum
deletion_values(void)
{
	MrCause		cause = mr_call_notes.cause;

	return mr_events_deletion_values(cause_names[cause],
									 cause == MR_CAUSE_FORCE ||
									 cause == MR_CAUSE_CLEANUP_FORCED ||
									 cause == MR_CAUSE_MODEL_FORCED);
}
