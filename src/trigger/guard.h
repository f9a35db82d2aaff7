/*
 * What the guard triggers have in common.
 */
#ifndef MR_GUARD_H
#define MR_GUARD_H

#include "commands/trigger.h"

#include "base/compat.h"

extern HeapTuple mr_guard_verdict(const TriggerData *trigger);
extern void mr_guard_check_not_null(HeapTuple row, TupleDesc desc, int attno);
extern bool mr_guard_trusts(const TriggerData *trigger);
pg_noreturn extern void mr_guard_refuse(const char *object, const char *what);

#endif							/* MR_GUARD_H */
