/*
 * Columns of a row by their names.
 */
#ifndef MR_TUPLE_H
#define MR_TUPLE_H

#include "access/htup_details.h"

extern Datum mr_tuple_nullable(HeapTuple row, TupleDesc desc,
							   const char *column, bool *isnull);
extern Datum mr_tuple_datum(HeapTuple row, TupleDesc desc, const char *column);
extern char *mr_tuple_text(HeapTuple row, TupleDesc desc, const char *column);
extern bool mr_tuple_changed(HeapTuple before, HeapTuple after,
							 TupleDesc desc, int attno);

#endif							/* MR_TUPLE_H */
