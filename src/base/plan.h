/*
 * Prepared statements that live as long as the session.
 */
#ifndef MR_PLAN_H
#define MR_PLAN_H

#include "executor/spi.h"

#define MR_PLAN_MAX_ARGS 23

typedef struct MrPlan
{
	const char *sql;			/* statement text */
	int			nargs;			/* number of its parameters */
	Oid			types[MR_PLAN_MAX_ARGS];	/* their types */
	SPIPlanPtr	plan;			/* NULL until first run */
} MrPlan;

/* How a statement sees the database */
typedef enum MrSight
{
	MR_SIGHT_ACTIVE,			/* read only, by the active snapshot */
	MR_SIGHT_LATEST,			/* by a new snapshot, the transaction's above
								 * READ COMMITTED; may write */
	MR_SIGHT_PRESENT			/* by a new snapshot whatever the isolation
								 * level; reads only */
} MrSight;

extern uint64 mr_plan_run(MrPlan *plan, MrSight sight, const Datum *values,
						  const char *nulls);
extern uint64 mr_plan_run_on_rows(MrPlan *plan, HeapTuple first,
								  HeapTuple second, TupleDesc desc);

extern Datum mr_plan_datum(uint64 row, int column, bool *isnull);
extern char *mr_plan_text(uint64 row, int column);
extern Datum mr_plan_copy_out(uint64 row, int column);
extern void mr_plan_free_rows(void);

#endif							/* MR_PLAN_H */
