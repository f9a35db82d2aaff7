/*
 * The guard of modelreg.stage_rule and modelreg.metric_direction.
 */
#include "postgres.h"

#include "utils/rel.h"

#include "base/actor.h"
#include "base/tuple.h"
#include "rows/rules.h"
#include "trigger/fired.h"
#include "trigger/guard.h"

PG_FUNCTION_INFO_V1(modelreg_guard_setting);

/*
 * Row trigger: what a rule is about does not change, or the trail would lose
 * it.
 */
Datum
modelreg_guard_setting(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = mr_fired_before_row(fcinfo);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	if (!mr_guard_trusts(trigger))
		mr_actor_require(MR_ROLE_ADMIN, "change",
						 RelationGetRelationName(trigger->tg_relation));
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		return PointerGetDatum(trigger->tg_trigtuple);

	for (int attno = 1; attno <= desc->natts; attno++)
	{
		const char *column = NameStr(TupleDescAttr(desc, attno - 1)->attname);

		if (mr_tuple_changed(trigger->tg_trigtuple, trigger->tg_newtuple,
							 desc, attno) &&
			!mr_rules_column_is_value(column))
			mr_guard_refuse(column, "changed");
	}
	return PointerGetDatum(trigger->tg_newtuple);
}
