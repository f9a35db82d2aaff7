/*
 * Artifacts in the database: healing what a damaged one shares.
 *
 * Most damaged chunks are found, and replaced in every list, when the same
 * bytes are written again (storage_batch.c).  That looks for them by their
 * XXH3 and size, so it does not find those without a row, or with a wrong one.
 * These are found here, by their place in the damaged content.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/lock.h"
#include "store/database/chunk_list.h"
#include "store/database/chunk_reader.h"
#include "store/database/database.h"
#include "store/table.h"

static bool find_at(MrIndexedTable *lists, const pg_uuid_t *content,
					int64 byte_offset, Snapshot snapshot, pg_uuid_t *chunk);

/*
 * Chunks of the damaged content that are not whole are replaced, in every list,
 * by those of the whole one at the same place.  Returns how many.
 */
int64
mr_database_repair(const pg_uuid_t *damaged, const pg_uuid_t *whole)
{
	pg_uuid_t	content = *damaged;
	MemoryContext context;
	MemoryContext oldcontext;
	MrIndexedTable lists;
	Snapshot	snapshot;
	SysScanDesc scan;
	HeapTuple	tuple;
	MrChunkReader *chunks;
	int64		healed = 0;

	/* before the snapshot, so that nobody changes what it shows */
	(void) mr_lock_take(MR_LOCK_LISTS, false);

	context = AllocSetContextCreate(CurrentMemoryContext, "modelreg repair",
									ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(context);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	lists = mr_table_open_indexed("artifact_chunk", NULL, RowExclusiveLock);
	chunks = mr_chunk_reader_begin(snapshot);
	scan = mr_table_scan(&lists, BTEqualStrategyNumber, F_UUID_EQ,
						 UUIDPGetDatum(&content), snapshot);
	while ((tuple = systable_getnext_ordered(scan,
											 ForwardScanDirection)) != NULL)
	{
		Datum		values[LIST_COLUMNS];
		pg_uuid_t	old_chunk;
		pg_uuid_t	new_chunk;
		MrChunk		row;

		CHECK_FOR_INTERRUPTS();
		if (!mr_table_columns(lists.rel, tuple, LIST_COLUMNS, values))
			continue;
		old_chunk = *DatumGetUUIDP(values[LIST_CHUNK - 1]);
		if (find_at(&lists, whole,
					DatumGetInt64(values[LIST_BYTE_OFFSET - 1]), snapshot,
					&new_chunk) &&
			memcmp(&old_chunk, &new_chunk, UUID_LEN) != 0 &&
			mr_chunk_check(chunks, &old_chunk, &row) == MR_DAMAGED &&
			mr_list_replace(&old_chunk, &new_chunk))
			healed++;
	}
	systable_endscan_ordered(scan);
	mr_chunk_reader_end(chunks);
	mr_table_close_indexed(&lists);
	UnregisterSnapshot(snapshot);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);
	return healed;
}

/*
 * Find the chunk that a content has at byte_offset; false if none begins there.
 */
static bool
find_at(MrIndexedTable *lists, const pg_uuid_t *content, int64 byte_offset,
		Snapshot snapshot, pg_uuid_t *chunk)
{
	pg_uuid_t	key = *content;
	SysScanDesc scan;
	HeapTuple	tuple;
	Datum		values[LIST_COLUMNS];
	bool		found;

	scan = mr_table_scan_from(lists, F_UUID_EQ, UUIDPGetDatum(&key),
							  BTEqualStrategyNumber, F_INT8EQ,
							  Int64GetDatum(byte_offset), snapshot);
	tuple = systable_getnext_ordered(scan, ForwardScanDirection);
	found = tuple != NULL &&
		mr_table_columns(lists->rel, tuple, LIST_COLUMNS, values);
	if (found)
		*chunk = *DatumGetUUIDP(values[LIST_CHUNK - 1]);
	systable_endscan_ordered(scan);
	return found;
}
