/*
 * Tables of schema modelreg, read without SPI.
 *
 * The bytes of artifacts are read as TOAST is read, without SPI or executor:
 * a row of a page's size is used where it lies in the buffer.  No permission
 * is asked for; the callers have checked what the user may do.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "store/table.h"

static Oid	relation_oid(const char *name);

/*
 * Open a table of schema modelreg, whatever search_path says.
 */
Relation
mr_table_open(const char *name, LOCKMODE lockmode)
{
	return table_open(relation_oid(name), lockmode);
}

/*
 * Open a table with one of its indexes, by default that of its primary key.
 */
MrIndexedTable
mr_table_open_indexed(const char *name, const char *index_name,
					  LOCKMODE lockmode)
{
	MrIndexedTable table;
	Oid			index;

	table.rel = mr_table_open(name, lockmode);
	if (index_name != NULL)
		index = relation_oid(index_name);
	else
		index = mr_compat_primary_key_index(table.rel);
	if (!OidIsValid(index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"modelreg.%s\" has no primary key", name)));
	table.index = index_open(index, AccessShareLock);
	return table;
}

/*
 * Close what mr_table_open_indexed opened; the table's lock is kept.
 */
void
mr_table_close_indexed(MrIndexedTable *table)
{
	index_close(table->index, AccessShareLock);
	table_close(table->rel, NoLock);
}

/*
 * Scan, in the order of the index, the rows whose first indexed column compares
 * with the key as strategy and procedure say (BTEqualStrategyNumber and
 * F_UUID_EQ).  A key that is passed by reference must last as long as the scan.
 */
SysScanDesc
mr_table_scan(MrIndexedTable *table, StrategyNumber strategy,
			  RegProcedure procedure, Datum key, Snapshot snapshot)
{
	ScanKeyData scan_key;

	/* A scan key names the column by its number in the table. */
	ScanKeyInit(&scan_key, table->index->rd_index->indkey.values[0], strategy,
				procedure, key);
	return systable_beginscan_ordered(table->rel, table->index, snapshot, 1,
									  &scan_key);
}

/*
 * The same for rows whose first indexed column equals the key, and whose second
 * compares with key2 as strategy2 and procedure2 say.
 */
SysScanDesc
mr_table_scan_from(MrIndexedTable *table, RegProcedure procedure, Datum key,
				   StrategyNumber strategy2, RegProcedure procedure2,
				   Datum key2, Snapshot snapshot)
{
	int2vector *columns = &table->index->rd_index->indkey;
	ScanKeyData scan_keys[2];

	ScanKeyInit(&scan_keys[0], columns->values[0], BTEqualStrategyNumber,
				procedure, key);
	ScanKeyInit(&scan_keys[1], columns->values[1], strategy2, procedure2, key2);
	return systable_beginscan_ordered(table->rel, table->index, snapshot, 2,
									  scan_keys);
}

/*
 * Get the first columns of a row.  Returns false if one is null.
 */
bool
mr_table_columns(Relation rel, HeapTuple tuple, int ncolumns, Datum *values)
{
	int			i;

	for (i = 0; i < ncolumns; i++)
	{
		bool		isnull;

		values[i] = heap_getattr(tuple, i + 1, RelationGetDescr(rel), &isnull);
		if (isnull)
			return false;
	}
	return true;
}

/*
 * Find a table or index of schema modelreg.
 */
static Oid
relation_oid(const char *name)
{
	Oid			oid = get_relname_relid(name,
										get_namespace_oid("modelreg", false));

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"modelreg.%s\" does not exist", name)));
	return oid;
}
