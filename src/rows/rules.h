/*
 * The tables modelreg.stage_rule and modelreg.metric_direction.
 */
#ifndef MR_RULES_H
#define MR_RULES_H

#include "access/htup.h"
#include "access/tupdesc.h"

#include "base/stage.h"

extern bool mr_rules_get_move(MrStage from, MrStage to, bool *allowed);
extern bool mr_rules_update_move(MrStage from, MrStage to, bool allowed);
extern Datum mr_rules_insert_move(MrStage from, MrStage to, bool allowed);
extern void mr_rules_delete_move(MrStage from, MrStage to);
extern bool mr_rules_update_direction(const char *metric,
									  bool higher_is_better);
extern Datum mr_rules_insert_direction(const char *metric,
									   bool higher_is_better);
extern void mr_rules_delete_direction(const char *metric);
extern bool mr_rules_column_is_value(const char *column);
extern Datum mr_rules_snapshot(HeapTuple row, TupleDesc desc);

#endif							/* MR_RULES_H */
