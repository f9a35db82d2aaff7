/*
 * What the trail holds of rows, however large they are.
 */
#ifndef MR_OMISSION_H
#define MR_OMISSION_H

#include "access/htup.h"
#include "access/tupdesc.h"

#include "base/sql.h"

/*
 * statement gives the snapshot of a row, its one parameter: a JSON object with
 * the columns as keys.
 */
extern Datum mr_omission_snapshot(MrStatement *statement, HeapTuple row,
								  TupleDesc desc);
extern bool mr_omission_changes(MrStatement *statement, HeapTuple old_row,
								HeapTuple new_row, TupleDesc desc,
								const char *const *apart,
								Datum *old_values, Datum *new_values);

#endif							/* MR_OMISSION_H */
