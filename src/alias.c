/*-------------------------------------------------------------------------
 *
 * alias.c
 *	  Aliases: names of versions within a model, such as champion, that are
 *	  moved from one version to another.
 *
 * An alias always names a version that exists.  Setting one locks the model
 * and then the version, so that a deletion, which locks the version too, comes
 * before or after it as a whole; and a deletion looks for aliases when it has
 * that lock.  The guard holds this for plain SQL.
 *
 * LAYER 3
 *
 * IDENTIFICATION
 *	  src/alias.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "replication/logicalworker.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "args.h"
#include "catalog_alias.h"
#include "guarding.h"
#include "trail.h"
#include "transition.h"
#include "validate.h"

PG_FUNCTION_INFO_V1(modelreg_set_alias);
PG_FUNCTION_INFO_V1(modelreg_drop_alias);
PG_FUNCTION_INFO_V1(modelreg_guard_alias);
PG_FUNCTION_INFO_V1(modelreg_stamp_alias);

static Datum set_alias(FunctionCallInfo fcinfo);
static Datum drop_alias(FunctionCallInfo fcinfo);
static void record_first(MrModel *model, const MrAlias *alias);
static void check_update(FunctionCallInfo fcinfo);
static Datum check_target(FunctionCallInfo fcinfo);
static Datum actor_name(FunctionCallInfo fcinfo);

/*
 * modelreg_set_alias(model_id, alias, reason): see its COMMENT.
 */
Datum
modelreg_set_alias(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_owner(fcinfo, MR_ROLE_ADMIN, "set an alias",
								 set_alias);
}

static Datum
set_alias(FunctionCallInfo fcinfo)
{
	char	   *model_id = mr_arg_required_text(fcinfo, 0, "model_id");
	char	   *name = mr_arg_text(fcinfo, 1);
	MrModel		model;
	MrVersion	version;
	MrAlias		alias;
	char	   *present;

	mr_check_alias("alias", name);
	mr_trail_take_reason(mr_arg_text(fcinfo, 2));
	mr_transition_lock(model_id, &model, &version);

	alias.model_key = model.key;
	alias.alias = name;
	alias.model_id = model_id;
	present = mr_alias_target(&model.key, name);
	mr_trail_hold(&model);
	if (present == NULL)
		record_first(&model, &alias);
	else if (strcmp(present, model_id) != 0)
		mr_alias_move(&alias, mr_actor_name());
	mr_trail_release(&model);
	return mr_alias_row(&model.key, name);
}

/*
 * Moves and deletions are recorded by a trigger; a restore would fire one for
 * insertions.
 */
static void
record_first(MrModel *model, const MrAlias *alias)
{
	MrEvent		event = {0};

	/* only plain SQL can have been quicker, which takes no model's lock */
	if (!mr_alias_insert(alias, mr_actor_name()))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not set the alias because another session did"),
				 errhint("Try again.")));
	event.event = "alias";
	event.model_id = alias->model_id;
	event.alias = alias->alias;
	event.old_values.isnull = true;
	event.new_values.value = mr_alias_values(alias);
	mr_trail_append(model, &event);
}

/*
 * modelreg_drop_alias(model_name, alias, reason): see its COMMENT.
 */
Datum
modelreg_drop_alias(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_owner(fcinfo, MR_ROLE_ADMIN, "drop an alias",
								 drop_alias);
}

static Datum
drop_alias(FunctionCallInfo fcinfo)
{
	char	   *model_name = mr_arg_required_text(fcinfo, 0, "model_name");
	char	   *name = mr_arg_required_text(fcinfo, 1, "alias");
	MrModel		model;
	bool		dropped;

	mr_trail_take_reason(mr_arg_text(fcinfo, 2));
	mr_transition_lock_model(model_name, &model);
	mr_trail_hold(&model);
	dropped = mr_alias_delete(&model.key, name);
	mr_trail_release(&model);
	PG_RETURN_BOOL(dropped);
}

/*
 * Row trigger on modelreg.model_alias.
 */
Datum
modelreg_guard_alias(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = mr_guard_trigger(fcinfo);
	MrAlias		alias;

	mr_alias_from_row(trigger->tg_trigtuple,
					  RelationGetDescr(trigger->tg_relation), &alias);
	if (!mr_guard_trusts(trigger))
		mr_actor_require(MR_ROLE_ADMIN, "change alias", alias.alias);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		check_update(fcinfo);
	return PointerGetDatum(mr_guard_verdict(trigger));
}

static void
check_update(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	bool		moved = false;
	bool		stamped = false;

	for (int attno = 1; attno <= desc->natts; attno++)
	{
		const char *column = NameStr(TupleDescAttr(desc, attno - 1)->attname);

		if (!mr_guard_changed(trigger->tg_trigtuple, trigger->tg_newtuple,
							  desc, attno))
			continue;
		mr_guard_check_not_null(trigger->tg_newtuple, desc, attno);
		switch (mr_alias_column(column))
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
		mr_actor_run_as_owner(fcinfo, MR_ROLE_NONE, NULL, check_target);
}

/*
 * The version must exist, and belong to the model; it is locked.
 */
static Datum
check_target(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MrAlias		alias;
	MrVersion	version;

	mr_alias_from_row(trigger->tg_newtuple,
					  RelationGetDescr(trigger->tg_relation), &alias);
	if (!mr_version_lock(alias.model_id, &version))
		mr_version_raise_unknown(alias.model_id);
	if (memcmp(&version.model_key, &alias.model_key, UUID_LEN) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model version \"%s\" belongs to another model than the alias \"%s\"",
						alias.model_id, alias.alias)));
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
	TriggerData *trigger = mr_guard_trigger(fcinfo);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MrAlias		before;
	MrAlias		after;
	Datum		actor;
	HeapTuple	stamped;

	mr_alias_from_row(trigger->tg_trigtuple, desc, &before);
	mr_alias_from_row(trigger->tg_newtuple, desc, &after);
	if (strcmp(before.model_id, after.model_id) == 0)
		return PointerGetDatum(trigger->tg_newtuple);

	actor = mr_actor_run_as_owner(fcinfo, MR_ROLE_NONE, NULL, actor_name);
	stamped = mr_alias_stamp(trigger->tg_newtuple, desc,
							 TimestampTzGetDatum(GetCurrentTimestamp()),
							 actor);
	return PointerGetDatum(stamped);
}

static Datum
actor_name(FunctionCallInfo fcinfo)
{
	MemoryContext oldcontext;
	Datum		name;

	oldcontext = MemoryContextSwitchTo(mr_actor_result_context());
	name = CStringGetTextDatum(mr_actor_name());
	MemoryContextSwitchTo(oldcontext);
	return name;
}
