/*
 * The trigger that a function of ours was called by.
 */
#ifndef MR_FIRED_H
#define MR_FIRED_H

#include "commands/trigger.h"
#include "fmgr.h"

extern TriggerData *mr_fired_before_row(FunctionCallInfo fcinfo);
extern TriggerData *mr_fired_before_update(FunctionCallInfo fcinfo);
extern TriggerData *mr_fired_after_row(FunctionCallInfo fcinfo);
extern TriggerData *mr_fired_before_statement(FunctionCallInfo fcinfo);

#endif							/* MR_FIRED_H */
