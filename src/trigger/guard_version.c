/*
 * The guard of modelreg.model_version: what changes, moves and goes.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "replication/logicalworker.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/call.h"
#include "base/check.h"
#include "base/compat.h"
#include "base/tuple.h"
#include "life/correction.h"
#include "life/move.h"
#include "life/removal.h"
#include "life/target.h"
#include "rows/models.h"
#include "rows/versions.h"
#include "trigger/fired.h"
#include "trigger/guard.h"

PG_FUNCTION_INFO_V1(modelreg_guard_version);
PG_FUNCTION_INFO_V1(modelreg_stamp_version);

static void check_version_delete(FunctionCallInfo fcinfo);
static Datum check_version_alias(FunctionCallInfo fcinfo);
static void check_version_update(FunctionCallInfo fcinfo);
static bool check_version_column(MrVersionColumn kind, const char *column,
								 HeapTuple row, TupleDesc desc, int attno);
static Datum check_version_metrics(FunctionCallInfo fcinfo);
static void check_version_author(TriggerData *trigger, bool stage_changed,
								 bool metadata_changed, bool times_changed);
static Datum check_version_move(FunctionCallInfo fcinfo);
static Datum check_version_copies(FunctionCallInfo fcinfo);
static Datum check_version_times(FunctionCallInfo fcinfo);

/*
 * Row trigger on modelreg.model_version.
 */
Datum
modelreg_guard_version(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = mr_fired_before_row(fcinfo);

	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		check_version_delete(fcinfo);
	else
		check_version_update(fcinfo);
	return PointerGetDatum(mr_guard_verdict(trigger));
}

static void
check_version_delete(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MrVersion	version;

	mr_versions_from_row(trigger->tg_trigtuple,
						 RelationGetDescr(trigger->tg_relation), &version);
	if (version.stage == MR_STAGE_PRODUCTION)
		mr_removal_raise_protected(version.model_id);
	if (!mr_guard_trusts(trigger))
		mr_target_require_editor(&version, "delete model version");

	/* a subscriber may get the rows of the tables in another order */
	if (!IsLogicalWorker())
		mr_call_with_rights(fcinfo, check_version_alias);
}

static Datum
check_version_alias(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MrVersion	version;

	mr_versions_from_row(trigger->tg_trigtuple,
						 RelationGetDescr(trigger->tg_relation), &version);
	mr_removal_check_no_alias(&version.model_key, version.model_id);
	return (Datum) 0;
}

static void
check_version_update(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple	old_row = trigger->tg_trigtuple;
	HeapTuple	new_row = trigger->tg_newtuple;
	bool		stage_changed = false;
	bool		deployed_at_changed = false;
	bool		copies_changed = false;
	bool		times_changed = false;
	bool		metadata_changed = false;
	bool		metrics_emptied = false;

	for (int attno = 1; attno <= desc->natts; attno++)
	{
		const char *column = NameStr(TupleDescAttr(desc, attno - 1)->attname);

		if (!mr_tuple_changed(old_row, new_row, desc, attno))
			continue;
		mr_guard_check_not_null(new_row, desc, attno);

		switch (mr_versions_column(column))
		{
			case MR_COLUMN_FIXED:
				mr_guard_refuse(psprintf("%s of a model version", column), "changed");
			case MR_COLUMN_OWNER:
				if (!mr_call_notes.reassigns && !IsLogicalWorker())
					mr_guard_refuse("owner of a model version",
									"changed other than by modelreg_reassign");
				break;
			case MR_COLUMN_STAGE:
				stage_changed = true;
				break;
			case MR_COLUMN_DEPLOYED_AT:
				deployed_at_changed = true;
				break;
			case MR_COLUMN_COPY:
				copies_changed = true;
				break;
			case MR_COLUMN_TIME:
				times_changed = true;
				break;
			default:
				if (check_version_column(mr_versions_column(column), column,
										 new_row,
										 desc, attno))
					metrics_emptied = true;
				metadata_changed = true;
				break;
		}
	}

	if (metadata_changed)
		mr_versions_check_size(new_row, desc);
	if (deployed_at_changed && !stage_changed)
		mr_guard_refuse("deployed_at of a model version",
						"changed without a stage move");
	if (!mr_guard_trusts(trigger) &&
		(stage_changed || metadata_changed || times_changed))
		check_version_author(trigger, stage_changed, metadata_changed,
							 times_changed);

	/*
	 * A subscriber does not judge again what the publisher let pass: changes
	 * of stage rules and moves may reach it in another order.
	 */
	if (IsLogicalWorker())
		return;
	if (stage_changed)
		mr_call_with_rights(fcinfo, check_version_move);
	if (copies_changed)
		mr_call_with_rights(fcinfo, check_version_copies);
	if (times_changed)
		mr_call_with_rights(fcinfo, check_version_times);
	if (metrics_emptied)
		mr_call_with_rights(fcinfo, check_version_metrics);
}

/*
 * Metadata by plain SQL obeys the rules of modelreg_update.  Tells whether
 * these are metrics, and none.
 */
static bool
check_version_column(MrVersionColumn kind, const char *column, HeapTuple row,
					 TupleDesc desc, int attno)
{
	bool		isnull;
	Datum		value = heap_getattr(row, attno, desc, &isnull);

	if (isnull)
		elog(ERROR, "column \"%s\" of a model version is null", column);
	if (kind == MR_COLUMN_METRICS)
	{
		mr_check_metrics(column, DatumGetJsonbP(value));
		return mr_check_metrics_empty(DatumGetJsonbP(value));
	}
	if (kind == MR_COLUMN_PROPERTIES)
		mr_check_object(column, DatumGetJsonbP(value));
	else if (kind == MR_COLUMN_TAGS)
		(void) mr_check_tags(column, DatumGetArrayTypeP(value));
	else
		mr_check_text_size(column, TextDatumGetCString(value));
	return false;
}

/*
 * A version whose model requires metadata keeps a metric.
 */
static Datum
check_version_metrics(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MrVersion	after;
	MrModel		model;

	mr_versions_from_row(trigger->tg_newtuple,
						 RelationGetDescr(trigger->tg_relation), &after);
	if (mr_models_get_by_key(&after.model_key, &model) &&
		model.require_metadata)
		mr_check_metrics_given(NULL);
	return (Datum) 0;
}

/*
 * Who may change a version by plain SQL: as with the functions.
 */
static void
check_version_author(TriggerData *trigger, bool stage_changed,
					 bool metadata_changed, bool times_changed)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MrVersion	before;
	MrVersion	after;

	mr_versions_from_row(trigger->tg_trigtuple, desc, &before);
	mr_versions_from_row(trigger->tg_newtuple, desc, &after);
	if (metadata_changed)
		mr_target_require_editor(&before, "edit model version");
	if (stage_changed)
		mr_move_require_mover(&before, after.stage);
	if (times_changed)
		mr_actor_require(MR_ROLE_ADMIN, "correct the time of model version",
						 before.model_id);
}

static Datum
check_version_move(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MrVersion	before;
	MrVersion	after;

	mr_versions_from_row(trigger->tg_trigtuple, desc, &before);
	mr_versions_from_row(trigger->tg_newtuple, desc, &after);
	if (!mr_call_notes.demotes)
		mr_move_check(before.model_id, before.stage, after.stage);
	return (Datum) 0;
}

/*
 * A version's copies of the model's columns may change to what the model
 * says, and to nothing else.
 */
static Datum
check_version_copies(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MrVersion	after;
	MrModel		model;

	mr_versions_from_row(trigger->tg_newtuple,
						 RelationGetDescr(trigger->tg_relation), &after);
	if (!mr_models_get_by_key(&after.model_key, &model) ||
		strcmp(model.name, after.model_name) != 0 ||
		model.exclusive_production != after.exclusive_production)
		mr_guard_refuse("copies of the model's columns in a model version",
						"changed to what the model does not say");
	return (Datum) 0;
}

/*
 * The time of a registration is corrected where it is evidently wrong, and
 * with it created_at, if that was the same.
 */
static Datum
check_version_times(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MrVersion	before;
	MrVersion	after;

	mr_versions_from_row(trigger->tg_trigtuple, desc, &before);
	mr_versions_from_row(trigger->tg_newtuple, desc, &after);
	if (before.created_at != after.created_at &&
		(before.created_at != before.registered_at ||
		 after.created_at != after.registered_at))
		mr_guard_refuse("created_at of a model version", "changed");
	mr_correction_check(&before, &after);
	return (Datum) 0;
}

/*
 * BEFORE UPDATE trigger on modelreg.model_version that sets deployed_at when
 * a version moves, whoever moves it and whatever he says.  It does more than
 * to raise, so it is in origin mode.
 */
Datum
modelreg_stamp_version(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = mr_fired_before_update(fcinfo);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	int			deployed_at = mr_versions_deployed_at_column(desc);
	MrVersion	before;
	MrVersion	after;
	Datum		now;
	bool		isnull = false;

	for (int attno = 1; attno <= desc->natts; attno++)
		mr_guard_check_not_null(trigger->tg_newtuple, desc, attno);
	mr_versions_from_row(trigger->tg_trigtuple, desc, &before);
	mr_versions_from_row(trigger->tg_newtuple, desc, &after);
	if (before.stage == after.stage)
		return PointerGetDatum(trigger->tg_newtuple);

	now = TimestampTzGetDatum(GetCurrentTimestamp());
	return PointerGetDatum(heap_modify_tuple_by_cols(trigger->tg_newtuple,
													 desc, 1, &deployed_at,
													 &now, &isnull));
}
