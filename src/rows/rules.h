/*
 * The tables modelreg.stage_rule and modelreg.metric_direction.
 */
#ifndef MR_RULES_H
#define MR_RULES_H

#include "access/htup.h"
#include "access/tupdesc.h"

#include "base/plan.h"
#include "base/stage.h"

extern bool mr_rule_get(MrStage from, MrStage to, bool *allowed);
extern bool mr_rule_update(MrStage from, MrStage to, bool allowed);
extern void mr_rule_insert(MrStage from, MrStage to, bool allowed,
						   Datum *snapshot);
extern void mr_rule_delete(MrStage from, MrStage to);
extern bool mr_direction_update(const char *metric, bool higher_is_better);
extern void mr_direction_insert(const char *metric, bool higher_is_better,
								Datum *snapshot);
extern void mr_direction_delete(const char *metric);
extern bool mr_setting_column_is_value(const char *column);
extern Datum mr_setting_snapshot(HeapTuple row, TupleDesc desc);

#endif							/* MR_RULES_H */
