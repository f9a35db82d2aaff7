/*
 * The guard of modelreg.model_alias: where an alias moves, and the stamp of
 * who moved it when.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "replication/logicalworker.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/call.h"
#include "base/clip.h"
#include "base/tuple.h"
#include "life/target.h"
#include "rows/aliases.h"
#include "trigger/fired.h"
#include "trigger/guard.h"

PG_FUNCTION_INFO_V1(modelreg_guard_alias);
PG_FUNCTION_INFO_V1(modelreg_stamp_alias);

static void check_alias_update(FunctionCallInfo fcinfo);
static Datum check_alias_target(FunctionCallInfo fcinfo);
static Datum actor_name(FunctionCallInfo fcinfo);

/*
 * Row trigger on modelreg.model_alias.
 */
Datum
modelreg_guard_alias(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = mr_fired_before_row(fcinfo);
	MrAlias		alias;

	mr_aliases_from_row(trigger->tg_trigtuple,
						RelationGetDescr(trigger->tg_relation), &alias);
	if (!mr_guard_trusts(trigger))
		mr_actor_require(MR_ROLE_ADMIN, "change alias", alias.alias);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		check_alias_update(fcinfo);
	return PointerGetDatum(mr_guard_verdict(trigger));
}

static void
check_alias_update(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	bool		moved = false;
	bool		stamped = false;

	for (int attno = 1; attno <= desc->natts; attno++)
	{
		const char *column = NameStr(TupleDescAttr(desc, attno - 1)->attname);

		if (!mr_tuple_changed(trigger->tg_trigtuple, trigger->tg_newtuple,
							  desc, attno))
			continue;
		mr_guard_check_not_null(trigger->tg_newtuple, desc, attno);
		switch (mr_aliases_column(column))
		{
			case MR_ALIAS_KEY:
				mr_guard_refuse(psprintf("%s of an alias", column), "changed");
			case MR_ALIAS_TARGET:
				moved = true;
				break;
			case MR_ALIAS_STAMP:
				stamped = true;
				break;
		}
	}
	if (stamped && !moved)
		mr_guard_refuse("set_at and set_by of an alias",
						"changed without a move");

	/* a subscriber may get the rows of the tables in another order */
	if (moved && !IsLogicalWorker())
		mr_call_with_rights(fcinfo, check_alias_target);
}

/*
 * The version must exist, and belong to the model; it is locked.
 */
static Datum
check_alias_target(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MrAlias		alias;
	MrVersion	version;

	mr_aliases_from_row(trigger->tg_newtuple,
						RelationGetDescr(trigger->tg_relation), &alias);
	mr_target_lock_version(alias.model_id, &version);
	if (memcmp(&version.model_key, &alias.model_key, UUID_LEN) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model version \"%s\" belongs to another model than the alias \"%s\"",
						mr_clip_text(alias.model_id),
						mr_clip_text(alias.alias))));
	return (Datum) 0;
}

/*
 * BEFORE UPDATE trigger on modelreg.model_alias that says since when an alias
 * names its version, and who set it so, whoever moves it and whatever he says.
 * It does more than to raise, so it is in origin mode.
 */
Datum
modelreg_stamp_alias(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = mr_fired_before_update(fcinfo);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MrAlias		before;
	MrAlias		after;
	Datum		actor;
	HeapTuple	stamped;

	mr_aliases_from_row(trigger->tg_trigtuple, desc, &before);
	mr_aliases_from_row(trigger->tg_newtuple, desc, &after);
	if (strcmp(before.model_id, after.model_id) == 0)
		return PointerGetDatum(trigger->tg_newtuple);

	actor = mr_call_with_rights(fcinfo, actor_name);
	stamped = mr_aliases_stamp(trigger->tg_newtuple, desc,
							   TimestampTzGetDatum(GetCurrentTimestamp()),
							   actor);
	return PointerGetDatum(stamped);
}

static Datum
actor_name(FunctionCallInfo fcinfo)
{
	return mr_call_copy_out(CStringGetTextDatum(mr_actor_name()), TEXTOID);
}
