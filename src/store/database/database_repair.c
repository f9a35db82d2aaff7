/*
 * Artifacts in the database: healing what a damaged one shares.
 *
 * Most damaged chunks are found when the same bytes are written again
 * (chunk_batch.c).  That looks for them by their XXH3 and size, so it does not
 * find those without a row, or with a wrong one.  These are found by their
 * place in the damaged content.
 *
 * Lists are written, read and removed without SQL.  But their repair is so rare
 * that it may take its time, and so delicate that the guards shall see it.  Who
 * changes or deletes entries, repairs and cleanups, holds MR_LOCK_LISTS; to add
 * entries needs no lock.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/call.h"
#include "base/lock.h"
#include "base/sql.h"
#include "base/uuid7.h"
#include "rows/discarded.h"
#include "store/database/chunk_reader.h"
#include "store/database/database.h"
#include "store/database/database_repair.h"
#include "store/table.h"

static bool find_chunk_at(MrIndexedTable *lists, const pg_uuid_t *content,
						  int64 byte_offset, Snapshot snapshot,
						  pg_uuid_t *chunk);

/*
 * Puts a whole chunk in the place of a damaged one, in every list of what is
 * not discarded, and leaves the latter to cleanup.  Lists that an upload has in
 * memory alone do not change: there the damage is found, and healed, by the
 * next registration.
 */
void
mr_database_repair_chunk(const pg_uuid_t *damaged, const pg_uuid_t *whole)
{
	static MrStatement look = {
		"SELECT WHERE EXISTS (SELECT FROM modelreg.artifact_chunk AS l"
		" WHERE l.chunk = $1 AND NOT EXISTS"
		" (SELECT FROM modelreg.discarded_content AS d"
		" WHERE d.content = l.content)) OR NOT EXISTS"
		" (SELECT FROM modelreg.artifact_chunk AS l WHERE l.chunk = $1)"
	};
	static MrStatement update = {
		"UPDATE modelreg.artifact_chunk AS l SET chunk = $2 WHERE chunk = $1"
		" AND NOT EXISTS (SELECT FROM modelreg.discarded_content AS d"
		" WHERE d.content = l.content)"
	};
	static MrStatement insert = {
		"INSERT INTO modelreg.artifact_chunk"
		" (content, chunk_no, chunk, byte_offset)"
		" SELECT $1, 0, $2, 0 WHERE NOT EXISTS"
		" (SELECT FROM modelreg.artifact_chunk AS l WHERE l.chunk = $2)"
	};
	pg_uuid_t	discarded;

	/* somebody may have done it before, and cleanup not yet been there */
	if (mr_sql_run(&look, MR_SIGHT_LATEST,
				   MR_VALUES(mr_value_uuid(damaged))) == 0)
		return;

	(void) mr_lock_take(MR_LOCK_LISTS, false);
	if (mr_sql_run(&update, MR_SIGHT_LATEST,
				   MR_VALUES(mr_value_uuid(damaged),
							 mr_value_uuid(whole))) > 0)
		mr_call_notes.healed++;

	/* it may be on the list of something discarded already */
	mr_uuid7(&discarded);
	if (mr_sql_run(&insert, MR_SIGHT_LATEST,
				   MR_VALUES(mr_value_uuid(&discarded),
							 mr_value_uuid(damaged))) > 0)
		mr_discarded_add(&discarded, mr_storage_database.name);
}

/*
 * Chunks of the damaged content that are not whole are replaced, in every list,
 * by those of the whole one at the same place.
 */
void
mr_database_repair_content(const pg_uuid_t *damaged, const pg_uuid_t *whole)
{
	pg_uuid_t	content = *damaged;
	MemoryContext context;
	MemoryContext oldcontext;
	MrIndexedTable lists;
	Snapshot	snapshot;
	SysScanDesc scan;
	HeapTuple	tuple;
	MrChunkReader *chunks;

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
		if (find_chunk_at(&lists, whole,
						  DatumGetInt64(values[LIST_BYTE_OFFSET - 1]), snapshot,
						  &new_chunk) &&
			memcmp(&old_chunk, &new_chunk, UUID_LEN) != 0 &&
			mr_chunk_reader_check(chunks, &old_chunk, &row) == MR_DAMAGED)
			mr_database_repair_chunk(&old_chunk, &new_chunk);
	}
	systable_endscan_ordered(scan);
	mr_chunk_reader_end(chunks);
	mr_table_close_indexed(&lists);
	UnregisterSnapshot(snapshot);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);
}

/*
 * Find the chunk that a content has at byte_offset; false if none begins there.
 */
static bool
find_chunk_at(MrIndexedTable *lists, const pg_uuid_t *content,
			  int64 byte_offset,
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
