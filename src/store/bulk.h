/*
 * Many new rows for a table.
 */
#ifndef MR_BULK_H
#define MR_BULK_H

#include "access/heapam.h"
#include "utils/relcache.h"

typedef struct MrBulk MrBulk;

/*
 * A small ring of buffers that rows which fill a page pass through, so that
 * many of them leave the other buffers alone.  It lasts from one bulk to the
 * next, but not over an error in one.
 */
typedef struct MrBulkRing
{
	MemoryContext context;		/* that it shall live in */
	BulkInsertState state;		/* NULL until it is needed */
} MrBulkRing;

extern MrBulk *mr_bulk_begin(Relation rel, MrBulkRing *ring);
extern void mr_bulk_insert(MrBulk *bulk, const Datum *values, int nvalues);
extern void mr_bulk_end(MrBulk *bulk);

#endif							/* MR_BULK_H */
