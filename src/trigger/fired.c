/*
 * The trigger that a function of ours was called by: 39P01 unless it is one of
 * the right kind on a table of ours.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "utils/rel.h"

#include "trigger/fired.h"

static TriggerData *require_trigger(FunctionCallInfo fcinfo, TriggerEvent when,
									const char *kind);
static void raise_wrong_trigger(const char *kind);

/*
 * One that fires before an UPDATE or DELETE of a row.
 */
TriggerData *
mr_fired_before_row(FunctionCallInfo fcinfo)
{
	return require_trigger(fcinfo, TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_ROW,
						   "BEFORE ROW");
}

/*
 * One that fires before an UPDATE of a row, and not for others.
 */
TriggerData *
mr_fired_before_update(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = mr_fired_before_row(fcinfo);

	if (!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		raise_wrong_trigger("BEFORE ROW");
	return trigger;
}

/*
 * One that fires after an UPDATE or DELETE of a row.
 */
TriggerData *
mr_fired_after_row(FunctionCallInfo fcinfo)
{
	return require_trigger(fcinfo, TRIGGER_EVENT_AFTER | TRIGGER_EVENT_ROW,
						   "AFTER ROW");
}

TriggerData *
mr_fired_before_statement(FunctionCallInfo fcinfo)
{
	return require_trigger(fcinfo, TRIGGER_EVENT_BEFORE, "BEFORE STATEMENT");
}

/*
 * No row trigger of ours fires for an INSERT: a restore is one.
 */
static TriggerData *
require_trigger(FunctionCallInfo fcinfo, TriggerEvent when, const char *kind)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		RelationGetNamespace(trigger->tg_relation) !=
		get_namespace_oid("modelreg", true) ||
		(trigger->tg_event & (TRIGGER_EVENT_TIMINGMASK |
							  TRIGGER_EVENT_ROW)) != when ||
		((when & TRIGGER_EVENT_ROW) &&
		 TRIGGER_FIRED_BY_INSERT(trigger->tg_event)))
		raise_wrong_trigger(kind);
	return trigger;
}

static void
raise_wrong_trigger(const char *kind)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("function was not called by the %s trigger that it belongs to",
					kind)));
}
