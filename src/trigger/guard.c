/*
 * What the guard triggers have in common.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "base/actor.h"
#include "base/compat.h"
#include "trigger/guard.h"

/*
 * What a guard that has not raised returns: go on.
 */
HeapTuple
mr_guard_verdict(const TriggerData *trigger)
{
	return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ?
		trigger->tg_newtuple : trigger->tg_trigtuple;
}

/*
 * Constraints are checked after BEFORE triggers, which want to look at the
 * row before.
 */
void
mr_guard_check_not_null(HeapTuple row, TupleDesc desc, int attno)
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
bool
mr_guard_trusts(const TriggerData *trigger)
{
	return GetUserId() == trigger->tg_relation->rd_rel->relowner ||
		superuser();
}

/*
 * Raises 42501: object cannot be what, "changed" or the like.
 */
void
mr_guard_refuse(const char *object, const char *what)
{
	mr_actor_log_refusal("change", object);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("%s cannot be %s", object, what)));
}
