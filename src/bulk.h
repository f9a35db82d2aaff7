/*-------------------------------------------------------------------------
 *
 * bulk.h
 *	  Many new rows for a table.
 *
 * LAYER 1
 *
 * IDENTIFICATION
 *	  src/bulk.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MR_BULK_H
#define MR_BULK_H

#include "utils/relcache.h"

typedef struct MrBulk MrBulk;

extern MrBulk *mr_bulk_begin(Relation rel, bool large_rows);
extern void mr_bulk_insert(MrBulk *bulk, const Datum *values, int nvalues);
extern void mr_bulk_end(MrBulk *bulk);

#endif							/* MR_BULK_H */
