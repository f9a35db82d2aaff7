/*
 * The guard of modelreg.model: what changes and goes.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/rel.h"

#include "base/call.h"
#include "base/check.h"
#include "base/semver.h"
#include "base/tuple.h"
#include "bytes/digest.h"
#include "rows/models.h"
#include "trigger/fired.h"
#include "trigger/guard.h"

PG_FUNCTION_INFO_V1(modelreg_guard_model);

static void check_model_delete(FunctionCallInfo fcinfo);
static Datum model_has_versions(FunctionCallInfo fcinfo);
static void check_model_update(TriggerData *trigger);
static void check_model_settings(TriggerData *trigger, TupleDesc desc);
static void check_model_counters(const MrModel *before, const MrModel *after);

/*
 * Row trigger on modelreg.model.
 */
Datum
modelreg_guard_model(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = mr_fired_before_row(fcinfo);

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

	mr_models_from_row(trigger->tg_trigtuple,
					   RelationGetDescr(trigger->tg_relation), &model);
	if (!mr_guard_trusts(trigger))
		mr_actor_require(MR_ROLE_ADMIN, "delete model", model.name);
	if (DatumGetBool(mr_call_with_rights(fcinfo, model_has_versions)))
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

	mr_models_from_row(trigger->tg_trigtuple,
					   RelationGetDescr(trigger->tg_relation), &model);
	return BoolGetDatum(mr_models_has_versions(&model.key));
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

		if (!mr_tuple_changed(trigger->tg_trigtuple, trigger->tg_newtuple,
							  desc, attno))
			continue;
		mr_guard_check_not_null(trigger->tg_newtuple, desc, attno);
		if (mr_models_column_is_counter(column))
			counters = true;
		else if (mr_models_column_is_setting(column))
			settings = true;
		else
			mr_guard_refuse(psprintf("%s of a model", column), "changed");
	}

	mr_models_from_row(trigger->tg_trigtuple, desc, &before);
	mr_models_from_row(trigger->tg_newtuple, desc, &after);
	if (counters)
	{
		if (!mr_guard_trusts(trigger))
			mr_guard_refuse("counters of a model", "changed by plain SQL");
		check_model_counters(&before, &after);
	}
	if (settings)
	{
		if (!mr_guard_trusts(trigger))
			mr_actor_require(MR_ROLE_ADMIN, "change the settings of model",
							 before.name);
		check_model_settings(trigger, desc);
	}
}

/*
 * Settings by plain SQL obey the rules of the functions.
 */
static void
check_model_settings(TriggerData *trigger, TupleDesc desc)
{
	for (int attno = 1; attno <= desc->natts; attno++)
	{
		const char *column = NameStr(TupleDescAttr(desc, attno - 1)->attname);
		bool		isnull;
		Datum		value = heap_getattr(trigger->tg_newtuple, attno, desc,
										 &isnull);

		if (isnull || !mr_tuple_changed(trigger->tg_trigtuple,
										trigger->tg_newtuple, desc, attno))
			continue;
		switch (mr_models_column_kind(column))
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
check_model_counters(const MrModel *before, const MrModel *after)
{
	bool		same_hash = memcmp(before->audit_hash, after->audit_hash,
								   MR_SHA256_LEN) == 0;

	bool		same_highest = before->highest_version != NULL &&
		after->highest_version != NULL &&
		strcmp(before->highest_version, after->highest_version) == 0;

	if (after->highest_version != NULL && !same_highest)
		mr_semver_check(after->highest_version);
	if (after->last_version_number < before->last_version_number ||
		after->last_registered_at < before->last_registered_at ||
		(after->last_registered_at == before->last_registered_at &&
		 after->last_id_suffix < before->last_id_suffix) ||
		after->audit_seq < before->audit_seq ||
		(after->audit_seq == before->audit_seq &&
		 (!same_hash || after->audit_at != before->audit_at)) ||
		(before->highest_version != NULL && !same_highest &&
		 (after->highest_version == NULL ||
		  !mr_semver_valid(before->highest_version) ||
		  mr_semver_compare(after->highest_version,
							before->highest_version) < 0)))
		mr_guard_refuse("counters of a model", "set back");
}
