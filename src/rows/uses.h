/*
 * What refers to a row of the tables of bytes.
 */
#ifndef MR_USES_H
#define MR_USES_H

#include "access/htup.h"
#include "access/tupdesc.h"

extern bool mr_uses_found(const char *table, HeapTuple row, TupleDesc desc);

#endif							/* MR_USES_H */
