/*
 * The guard triggers: forbidden changes are rejected, whoever makes them.
 *
 * They judge by content, not by a flag that somebody could set, and they only
 * raise; so they are ENABLE ALWAYS and hold in replica mode and in the apply
 * worker of a subscription as well.  The functions of the API rely on them for
 * which changes are legal; plain SQL is also asked who does it.
 *
 * Here are those that need not look at the rows.
 */
#include "postgres.h"

#include "utils/rel.h"

#include "trigger/fired.h"
#include "trigger/guard.h"

PG_FUNCTION_INFO_V1(modelreg_guard_statement);
PG_FUNCTION_INFO_V1(modelreg_guard_audit);
PG_FUNCTION_INFO_V1(modelreg_guard_internal);

/*
 * BEFORE INSERT OR TRUNCATE trigger for each statement.  A restore is an
 * INSERT by a superuser.
 */
Datum
modelreg_guard_statement(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = mr_fired_before_statement(fcinfo);
	const char *relation = RelationGetRelationName(trigger->tg_relation);

	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		mr_guard_refuse(relation, "truncated");
	if (!mr_guard_trusts(trigger))
		mr_guard_refuse(relation, "inserted into directly");
	return PointerGetDatum(NULL);
}

/*
 * Row trigger on modelreg.audit_event.
 */
Datum
modelreg_guard_audit(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = mr_fired_before_row(fcinfo);

	mr_guard_refuse("audit_event", TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ?
					"deleted from" : "updated");
}

/*
 * Row trigger on tables that only our functions write: a superuser, or the
 * apply worker of a subscription, is trusted as far as with an INSERT.
 */
Datum
modelreg_guard_internal(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = mr_fired_before_row(fcinfo);

	if (!mr_guard_trusts(trigger))
		mr_guard_refuse(RelationGetRelationName(trigger->tg_relation),
						TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ?
						"deleted from directly" : "updated directly");
	return PointerGetDatum(mr_guard_verdict(trigger));
}
