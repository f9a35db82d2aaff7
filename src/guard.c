/*-------------------------------------------------------------------------
 *
 * guard.c
 *	  The guard triggers: what nobody may do to the tables, by whatever means.
 *
 * They judge by content, not by a flag that somebody could set, and they only
 * raise; so they are ENABLE ALWAYS and hold in replica mode and in the apply
 * worker of a subscription as well.  The functions of the API rely on them for
 * which changes are legal; plain SQL is also asked who does it.
 *
 * LAYER 3
 *
 * IDENTIFICATION
 *	  src/guard.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/jsonb.h"
#include "utils/rel.h"

#include "actor.h"
#include "args.h"
#include "catalog_artifact.h"
#include "catalog_setting.h"
#include "compat.h"
#include "semver.h"
#include "transition.h"
#include "validate.h"

PG_FUNCTION_INFO_V1(modelreg_guard_statement);
PG_FUNCTION_INFO_V1(modelreg_guard_model);
PG_FUNCTION_INFO_V1(modelreg_guard_version);
PG_FUNCTION_INFO_V1(modelreg_stamp_version);
PG_FUNCTION_INFO_V1(modelreg_guard_bytes);
PG_FUNCTION_INFO_V1(modelreg_guard_audit);
PG_FUNCTION_INFO_V1(modelreg_guard_setting);

static void check_model_delete(FunctionCallInfo fcinfo);
static Datum model_has_versions(FunctionCallInfo fcinfo);
static void check_model_update(TriggerData *trigger);
static void check_settings(TriggerData *trigger, TupleDesc desc);
static void check_counters(const MrModel *before, const MrModel *after);
static void check_version_delete(TriggerData *trigger);
static void check_version_update(FunctionCallInfo fcinfo);
static void check_metadata(MrVersionColumn kind, const char *column,
						   HeapTuple row, TupleDesc desc, int attno);
static void check_author(TriggerData *trigger, bool stage_changed,
						 bool metadata_changed);
static Datum check_move(FunctionCallInfo fcinfo);
static Datum check_copies(FunctionCallInfo fcinfo);
static Datum bytes_are_used(FunctionCallInfo fcinfo);
static TriggerData *row_trigger(FunctionCallInfo fcinfo);
static HeapTuple verdict(const TriggerData *trigger);
static bool attribute_changed(HeapTuple before, HeapTuple after,
							  TupleDesc desc, int attno);
static void check_not_null(HeapTuple row, TupleDesc desc, int attno);
static bool is_trusted(const TriggerData *trigger);
pg_noreturn static void refuse(const char *relation, const char *what);

/*
 * BEFORE INSERT OR TRUNCATE trigger for each statement.  A restore is an
 * INSERT by a superuser.
 */
Datum
modelreg_guard_statement(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!mr_arg_trigger_is_ours(fcinfo) ||
		!TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function was not called by the BEFORE STATEMENT trigger that it belongs to")));

	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		refuse(RelationGetRelationName(trigger->tg_relation), "truncated");
	if (!is_trusted(trigger))
		refuse(RelationGetRelationName(trigger->tg_relation),
			   "inserted into directly");
	return PointerGetDatum(NULL);
}

/*
 * Row trigger on modelreg.model.
 */
Datum
modelreg_guard_model(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = row_trigger(fcinfo);

	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		check_model_delete(fcinfo);
	else
		check_model_update(trigger);
	return PointerGetDatum(verdict(trigger));
}

static void
check_model_delete(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MrModel		model;

	mr_model_from_row(trigger->tg_trigtuple,
					  RelationGetDescr(trigger->tg_relation), &model);
	if (!is_trusted(trigger))
		mr_actor_require(MR_ROLE_ADMIN, "delete model", model.name);
	if (DatumGetBool(mr_actor_run_as_owner(fcinfo, MR_ROLE_NONE, NULL,
										   model_has_versions)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("model \"%s\" has versions", model.name),
				 errhint("Call modelreg_delete_model.")));
}

static Datum
model_has_versions(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MrModel		model;

	mr_model_from_row(trigger->tg_trigtuple,
					  RelationGetDescr(trigger->tg_relation), &model);
	return BoolGetDatum(mr_model_has_versions(&model.key));
}

static void
check_model_update(TriggerData *trigger)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MrModel		before;
	MrModel		after;
	bool		counters = false;
	bool		settings = false;

	for (int attno = 1; attno <= desc->natts; attno++)
	{
		const char *column = NameStr(TupleDescAttr(desc, attno - 1)->attname);

		if (!attribute_changed(trigger->tg_trigtuple, trigger->tg_newtuple,
							   desc, attno))
			continue;
		check_not_null(trigger->tg_newtuple, desc, attno);
		if (mr_model_column_is_counter(column))
			counters = true;
		else if (mr_model_column_is_setting(column))
			settings = true;
		else
			refuse(psprintf("%s of a model", column), "changed");
	}

	mr_model_from_row(trigger->tg_trigtuple, desc, &before);
	mr_model_from_row(trigger->tg_newtuple, desc, &after);
	if (counters)
	{
		if (!is_trusted(trigger))
			refuse("counters of a model", "changed by plain SQL");
		check_counters(&before, &after);
	}
	if (settings)
	{
		if (!is_trusted(trigger))
			mr_actor_require(MR_ROLE_ADMIN, "change the settings of model",
							 before.name);
		check_settings(trigger, desc);
	}
}

/*
 * Settings by plain SQL obey the rules of the functions.
 */
static void
check_settings(TriggerData *trigger, TupleDesc desc)
{
	for (int attno = 1; attno <= desc->natts; attno++)
	{
		const char *column = NameStr(TupleDescAttr(desc, attno - 1)->attname);
		bool		isnull;
		Datum		value = heap_getattr(trigger->tg_newtuple, attno, desc,
										 &isnull);

		if (isnull)
			continue;
		switch (mr_model_column_kind(column))
		{
			case MR_KIND_NAME:
				mr_check_name(column, TextDatumGetCString(value));
				break;
			case MR_KIND_TEXT:
				mr_check_text_size(column, TextDatumGetCString(value));
				break;
			case MR_KIND_TAGS:
				(void) mr_check_tags(column, DatumGetArrayTypeP(value));
				break;
			case MR_KIND_OBJECT:
				mr_check_object(column, DatumGetJsonbP(value));
				break;
			case MR_KIND_MAX_VERSIONS:
				mr_check_max_versions(column, DatumGetInt32(value));
				break;
			case MR_KIND_OTHER:
				break;
		}
	}
}

/*
 * Counters only grow: what was issued once is never issued again.
 */
static void
check_counters(const MrModel *before, const MrModel *after)
{
	bool		same_hash = memcmp(before->audit_hash, after->audit_hash,
								   MR_SHA256_LEN) == 0;

	if (after->highest_version != NULL)
		mr_semver_check(after->highest_version);
	if (after->last_version_number < before->last_version_number ||
		after->last_registered_at < before->last_registered_at ||
		(after->last_registered_at == before->last_registered_at &&
		 after->last_id_suffix < before->last_id_suffix) ||
		after->audit_seq < before->audit_seq ||
		after->audit_at < before->audit_at ||
		(after->audit_seq == before->audit_seq && !same_hash) ||
		(before->highest_version != NULL &&
		 (after->highest_version == NULL ||
		  mr_semver_compare(after->highest_version,
							before->highest_version) < 0)))
		refuse("counters of a model", "set back");
}

/*
 * Row trigger on modelreg.model_version.
 */
Datum
modelreg_guard_version(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = row_trigger(fcinfo);

	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		check_version_delete(trigger);
	else
		check_version_update(fcinfo);
	return PointerGetDatum(verdict(trigger));
}

static void
check_version_delete(TriggerData *trigger)
{
	MrVersion	version;

	mr_version_from_row(trigger->tg_trigtuple,
						RelationGetDescr(trigger->tg_relation), &version);
	if (version.stage == MR_STAGE_PRODUCTION)
		mr_transition_raise_protected(version.model_id);
	if (!is_trusted(trigger))
		mr_transition_require_editor(&version, "delete model version");
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
	bool		metadata_changed = false;

	for (int attno = 1; attno <= desc->natts; attno++)
	{
		const char *column = NameStr(TupleDescAttr(desc, attno - 1)->attname);

		if (!attribute_changed(old_row, new_row, desc, attno))
			continue;
		check_not_null(new_row, desc, attno);

		switch (mr_version_column(column))
		{
			case MR_COLUMN_FIXED:
				refuse(psprintf("%s of a model version", column), "changed");
			case MR_COLUMN_STAGE:
				stage_changed = true;
				break;
			case MR_COLUMN_DEPLOYED_AT:
				deployed_at_changed = true;
				break;
			case MR_COLUMN_COPY:
				copies_changed = true;
				break;
			default:
				check_metadata(mr_version_column(column), column, new_row,
							   desc, attno);
				metadata_changed = true;
				break;
		}
	}

	if (deployed_at_changed && !stage_changed)
		refuse("deployed_at of a model version",
			   "changed without a stage move");
	if (!is_trusted(trigger) && (stage_changed || metadata_changed))
		check_author(trigger, stage_changed, metadata_changed);

	/*
	 * A subscriber does not judge again what the publisher let pass: changes
	 * of stage rules and moves may reach it in another order.
	 */
	if (IsLogicalWorker())
		return;
	if (stage_changed)
		mr_actor_run_as_owner(fcinfo, MR_ROLE_NONE, NULL, check_move);
	if (copies_changed)
		mr_actor_run_as_owner(fcinfo, MR_ROLE_NONE, NULL, check_copies);
}

/*
 * Metadata by plain SQL obeys the rules of modelreg_update.
 */
static void
check_metadata(MrVersionColumn kind, const char *column, HeapTuple row,
			   TupleDesc desc, int attno)
{
	bool		isnull;
	Datum		value = heap_getattr(row, attno, desc, &isnull);

	if (isnull)
		elog(ERROR, "column \"%s\" of a model version is null", column);
	if (kind == MR_COLUMN_METRICS)
		mr_check_metrics(column, DatumGetJsonbP(value));
	else if (kind == MR_COLUMN_TAGS)
		(void) mr_check_tags(column, DatumGetArrayTypeP(value));
	else
		mr_check_text_size(column, TextDatumGetCString(value));
}

/*
 * Who may change a version by plain SQL: as with the functions.
 */
static void
check_author(TriggerData *trigger, bool stage_changed, bool metadata_changed)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MrVersion	before;
	MrVersion	after;

	mr_version_from_row(trigger->tg_trigtuple, desc, &before);
	mr_version_from_row(trigger->tg_newtuple, desc, &after);
	if (metadata_changed)
		mr_transition_require_editor(&before, "edit model version");
	if (stage_changed)
		mr_transition_require_mover(&before, after.stage);
}

static Datum
check_move(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MrVersion	before;
	MrVersion	after;

	mr_version_from_row(trigger->tg_trigtuple, desc, &before);
	mr_version_from_row(trigger->tg_newtuple, desc, &after);
	mr_transition_check(before.model_id, before.stage, after.stage);
	return (Datum) 0;
}

/*
 * A version's copies of the model's columns may change to what the model
 * says, and to nothing else.
 */
static Datum
check_copies(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MrVersion	after;
	MrModel		model;

	mr_version_from_row(trigger->tg_newtuple,
						RelationGetDescr(trigger->tg_relation), &after);
	if (!mr_model_get_by_key(&after.model_key, &model) ||
		strcmp(model.name, after.model_name) != 0 ||
		model.exclusive_production != after.exclusive_production)
		refuse("copies of the model's columns in a model version",
			   "changed to what the model does not say");
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
	TriggerData *trigger = row_trigger(fcinfo);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	int			deployed_at = mr_version_deployed_at_column(desc);
	MrVersion	before;
	MrVersion	after;
	Datum		now;
	bool		isnull = false;

	for (int attno = 1; attno <= desc->natts; attno++)
		check_not_null(trigger->tg_newtuple, desc, attno);
	mr_version_from_row(trigger->tg_trigtuple, desc, &before);
	mr_version_from_row(trigger->tg_newtuple, desc, &after);
	if (before.stage == after.stage)
		return PointerGetDatum(trigger->tg_newtuple);

	now = TimestampTzGetDatum(GetCurrentTimestamp());
	return PointerGetDatum(heap_modify_tuple_by_cols(trigger->tg_newtuple,
													 desc, 1, &deployed_at,
													 &now, &isnull));
}

/*
 * Row trigger on the byte tables.  An artifact goes when no version refers to
 * it, its chunks when it is gone.
 */
Datum
modelreg_guard_bytes(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = row_trigger(fcinfo);
	const char *relation = RelationGetRelationName(trigger->tg_relation);

	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		refuse(relation, "updated");
	if (!is_trusted(trigger))
		mr_actor_require(MR_ROLE_ADMIN, "delete from", relation);
	if (DatumGetBool(mr_actor_run_as_owner(fcinfo, MR_ROLE_NONE, NULL,
										   bytes_are_used)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("row of %s is in use", relation),
				 errhint("Delete the versions that use it, then call modelreg_cleanup.")));
	return PointerGetDatum(verdict(trigger));
}

static Datum
bytes_are_used(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Relation	relation = trigger->tg_relation;
	bool		used;

	used = mr_artifact_part_is_used(RelationGetRelationName(relation),
									trigger->tg_trigtuple,
									RelationGetDescr(relation));
	return BoolGetDatum(used);
}

/*
 * Row trigger on modelreg.audit_event.
 */
Datum
modelreg_guard_audit(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = row_trigger(fcinfo);

	refuse("audit_event", TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ?
		   "deleted from" : "updated");
}

/*
 * Row trigger on modelreg.stage_rule and modelreg.metric_direction: what a
 * rule is about does not change, or the trail would lose it.
 */
Datum
modelreg_guard_setting(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = row_trigger(fcinfo);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	if (!is_trusted(trigger))
		mr_actor_require(MR_ROLE_ADMIN, "change",
						 RelationGetRelationName(trigger->tg_relation));
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		return PointerGetDatum(trigger->tg_trigtuple);

	for (int attno = 1; attno <= desc->natts; attno++)
	{
		const char *column = NameStr(TupleDescAttr(desc, attno - 1)->attname);

		if (attribute_changed(trigger->tg_trigtuple, trigger->tg_newtuple,
							  desc, attno) &&
			!mr_setting_column_is_value(column))
			refuse(column, "changed");
	}
	return PointerGetDatum(trigger->tg_newtuple);
}

static TriggerData *
row_trigger(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!mr_arg_trigger_is_ours(fcinfo) ||
		!TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function was not called by the BEFORE ROW trigger that it belongs to")));
	return trigger;
}

/*
 * What a guard that has not raised returns: go on.
 */
static HeapTuple
verdict(const TriggerData *trigger)
{
	return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ?
		trigger->tg_newtuple : trigger->tg_trigtuple;
}

static bool
attribute_changed(HeapTuple before, HeapTuple after, TupleDesc desc,
				  int attno)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, attno - 1);
	Datum		old_value;
	Datum		new_value;
	bool		old_null;
	bool		new_null;

	if (attribute->attisdropped)
		return false;
	old_value = heap_getattr(before, attno, desc, &old_null);
	new_value = heap_getattr(after, attno, desc, &new_null);
	if (old_null || new_null)
		return old_null != new_null;
	return !datum_image_eq(old_value, new_value, attribute->attbyval,
						   attribute->attlen);
}

/*
 * Constraints are checked after BEFORE triggers, which want to look at the
 * row before.
 */
static void
check_not_null(HeapTuple row, TupleDesc desc, int attno)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, attno - 1);

	if (attribute->attnotnull && heap_attisnull(row, attno, desc))
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("%s must not be null", NameStr(attribute->attname))));
}

/*
 * Whether the present role may do all that the content rules allow: a
 * superuser, or the owner, as which the functions of the API and the recorder
 * triggers run, and the apply worker of a subscription may.
 */
static bool
is_trusted(const TriggerData *trigger)
{
	return GetUserId() == trigger->tg_relation->rd_rel->relowner ||
		superuser();
}

static void
refuse(const char *object, const char *what)
{
	mr_actor_log_refusal("change", object);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("%s cannot be %s", object, what)));
}
