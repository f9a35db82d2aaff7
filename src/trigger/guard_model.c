/*
 * The guard triggers: what nobody may do to the tables, by whatever means.
 *
 * They judge by content, not by a flag that somebody could set, and they only
 * raise; so they are ENABLE ALWAYS and hold in replica mode and in the apply
 * worker of a subscription as well.  The functions of the API rely on them for
 * which changes are legal; plain SQL is also asked who does it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/rel.h"

#include "base/actor.h"
#include "base/arg.h"
#include "base/check.h"
#include "base/compat.h"
#include "base/semver.h"
#include "bytes/digest.h"
#include "rows/models.h"
#include "rows/rules.h"
#include "trigger/guard.h"

PG_FUNCTION_INFO_V1(modelreg_guard_statement);
PG_FUNCTION_INFO_V1(modelreg_guard_model);
PG_FUNCTION_INFO_V1(modelreg_guard_audit);
PG_FUNCTION_INFO_V1(modelreg_guard_setting);

static void check_model_delete(FunctionCallInfo fcinfo);
static Datum model_has_versions(FunctionCallInfo fcinfo);
static void check_model_update(TriggerData *trigger);
static void check_settings(TriggerData *trigger, TupleDesc desc);
static void check_counters(const MrModel *before, const MrModel *after);

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
		mr_guard_refuse(RelationGetRelationName(trigger->tg_relation), "truncated");
	if (!mr_guard_trusts(trigger))
		mr_guard_refuse(RelationGetRelationName(trigger->tg_relation),
						"inserted into directly");
	return PointerGetDatum(NULL);
}

/*
 * Row trigger on modelreg.model.
 */
Datum
modelreg_guard_model(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = mr_guard_trigger(fcinfo);

	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		check_model_delete(fcinfo);
	else
		check_model_update(trigger);
	return PointerGetDatum(mr_guard_verdict(trigger));
}

static void
check_model_delete(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MrModel		model;

	mr_model_from_row(trigger->tg_trigtuple,
					  RelationGetDescr(trigger->tg_relation), &model);
	if (!mr_guard_trusts(trigger))
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

		if (!mr_guard_changed(trigger->tg_trigtuple, trigger->tg_newtuple,
							  desc, attno))
			continue;
		mr_guard_check_not_null(trigger->tg_newtuple, desc, attno);
		if (mr_model_column_is_counter(column))
			counters = true;
		else if (mr_model_column_is_setting(column))
			settings = true;
		else
			mr_guard_refuse(psprintf("%s of a model", column), "changed");
	}

	mr_model_from_row(trigger->tg_trigtuple, desc, &before);
	mr_model_from_row(trigger->tg_newtuple, desc, &after);
	if (counters)
	{
		if (!mr_guard_trusts(trigger))
			mr_guard_refuse("counters of a model", "changed by plain SQL");
		check_counters(&before, &after);
	}
	if (settings)
	{
		if (!mr_guard_trusts(trigger))
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
		mr_guard_refuse("counters of a model", "set back");
}

/*
 * Row trigger on modelreg.audit_event.
 */
Datum
modelreg_guard_audit(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = mr_guard_trigger(fcinfo);

	mr_guard_refuse("audit_event", TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ?
					"deleted from" : "updated");
}

/*
 * Row trigger on modelreg.stage_rule and modelreg.metric_direction: what a
 * rule is about does not change, or the trail would lose it.
 */
Datum
modelreg_guard_setting(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = mr_guard_trigger(fcinfo);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	if (!mr_guard_trusts(trigger))
		mr_actor_require(MR_ROLE_ADMIN, "change",
						 RelationGetRelationName(trigger->tg_relation));
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		return PointerGetDatum(trigger->tg_trigtuple);

	for (int attno = 1; attno <= desc->natts; attno++)
	{
		const char *column = NameStr(TupleDescAttr(desc, attno - 1)->attname);

		if (mr_guard_changed(trigger->tg_trigtuple, trigger->tg_newtuple,
							 desc, attno) &&
			!mr_setting_column_is_value(column))
			mr_guard_refuse(column, "changed");
	}
	return PointerGetDatum(trigger->tg_newtuple);
}
