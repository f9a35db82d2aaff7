/*
 * Tables of schema modelreg, read without SPI.
 */
#ifndef MR_TABLE_H
#define MR_TABLE_H

#include "access/genam.h"
#include "access/stratnum.h"
#include "storage/lockdefs.h"
#include "utils/rel.h"

/* A table and the index by which it is read */
typedef struct MrIndexedTable
{
	Relation	rel;
	Relation	index;
} MrIndexedTable;

extern Relation mr_table_open(const char *name, LOCKMODE lockmode);
extern MrIndexedTable mr_table_open_indexed(const char *name,
											const char *index_name,
											LOCKMODE lockmode);
extern void mr_table_close_indexed(MrIndexedTable *table);
extern SysScanDesc mr_table_scan(MrIndexedTable *table, StrategyNumber strategy,
								 RegProcedure procedure, Datum key,
								 Snapshot snapshot);
extern SysScanDesc mr_table_scan_from(MrIndexedTable *table,
									  RegProcedure procedure, Datum key,
									  StrategyNumber strategy2,
									  RegProcedure procedure2, Datum key2,
									  Snapshot snapshot);
extern bool mr_table_columns(Relation rel, HeapTuple tuple, int ncolumns,
							 Datum *values);

#endif							/* MR_TABLE_H */
