/*
 * Artifacts in the database: removal of what nothing refers to.
 *
 * A chunk goes when the last list that it is on does.  Between the look at the
 * lists and the deletion somebody may register the same bytes; see
 * chunk_share.c for how the two keep out of each other's way.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/lock.h"
#include "store/database/chunk_reader.h"
#include "store/database/database.h"
#include "store/table.h"

/* Entries of a list that are dealt with at a time: some 64 MB. */
#define BATCH_ENTRIES 1024

/* What an entry counts for: its row, and those of its indexes */
#define ENTRY_BYTES 200

/* What becomes of the chunk of an entry */
typedef enum Fate
{
	KEEP,						/* another list has it, too */
	DELETE,						/* it is locked, and may go */
	WAIT						/* somebody is using it: the entry stays, too */
} Fate;

/* An entry of the list that is being removed */
typedef struct Entry
{
	pg_uuid_t	chunk;
	ItemPointerData tid;
	Fate		fate;
} Entry;

/* The tables, and the memory that is used for a chunk */
typedef struct Removal
{
	MrIndexedTable lists;		/* artifact_chunk, by content */
	MrIndexedTable uses;		/* artifact_chunk, by chunk */
	MrIndexedTable chunks;
	MrIndexedTable pieces;
	TupleTableSlot *slot;		/* for locked rows of chunks */
	Snapshot	snapshot;
	MemoryContext per_chunk;
} Removal;

static int	read_entries(Removal *removal, const pg_uuid_t *content,
						 int64 *byte_offset, Entry *entries);
static int64 remove_entries(Removal *removal, const pg_uuid_t *content,
							Entry *entries, int nentries, bool *waits);
static void look_again(Removal *removal);
static bool is_listed(Removal *removal, const pg_uuid_t *chunk,
					  const pg_uuid_t *except);
static bool lock_chunk(Removal *removal, const pg_uuid_t *chunk);
static int64 delete_chunk(Removal *removal, const pg_uuid_t *chunk);
static int	compare_entries(const void *a, const void *b);

/*
 * Delete the list of a content that nothing refers to, and the chunks that are
 * on no other list, until the bytes are used up; bytes is counted down.
 * Returns whether nothing is left.
 *
 * Rows are looked for with the latest snapshot, not the transaction's: a list
 * that somebody else has committed in the meantime must count.
 */
bool
mr_database_remove(const pg_uuid_t *content, int64 *bytes)
{
	MemoryContext context;
	MemoryContext oldcontext;
	Removal		removal;
	Entry	   *entries;
	int64		byte_offset = PG_INT64_MIN;
	int			nentries;
	bool		waits = false;

	/* a repair, which may last as long as a transaction, goes first */
	if (!mr_lock_take(MR_LOCK_LISTS, true))
		return false;

	context = AllocSetContextCreate(CurrentMemoryContext,
									"modelreg artifact removal",
									ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(context);
	removal.per_chunk = AllocSetContextCreate(context, "modelreg chunk removal",
											  ALLOCSET_DEFAULT_SIZES);
	removal.lists = mr_table_open_indexed("artifact_chunk", NULL,
										  RowExclusiveLock);
	removal.uses = mr_table_open_indexed("artifact_chunk",
										 "artifact_chunk_chunk_idx",
										 RowExclusiveLock);
	removal.chunks = mr_table_open_indexed("chunk", NULL, RowExclusiveLock);
	removal.pieces = mr_table_open_indexed("chunk_piece", NULL,
										   RowExclusiveLock);
	removal.slot = table_slot_create(removal.chunks.rel, NULL);
	entries = palloc(BATCH_ENTRIES * sizeof(Entry));

	do
	{
		removal.snapshot = RegisterSnapshot(GetLatestSnapshot());
		nentries = read_entries(&removal, content, &byte_offset, entries);
		*bytes -= remove_entries(&removal, content, entries, nentries, &waits);
		UnregisterSnapshot(removal.snapshot);
	} while (nentries == BATCH_ENTRIES && *bytes > 0);

	ExecDropSingleTupleTableSlot(removal.slot);
	mr_table_close_indexed(&removal.pieces);
	mr_table_close_indexed(&removal.chunks);
	mr_table_close_indexed(&removal.uses);
	mr_table_close_indexed(&removal.lists);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);

	CommandCounterIncrement();
	return nentries < BATCH_ENTRIES && !waits;
}

/*
 * Read entries of the list from byte_offset on, and move that behind them.
 * Returns how many.
 */
static int
read_entries(Removal *removal, const pg_uuid_t *content, int64 *byte_offset,
			 Entry *entries)
{
	SysScanDesc scan;
	HeapTuple	tuple;
	int			nentries = 0;

	scan = mr_table_scan_from(&removal->lists, F_UUID_EQ,
							  UUIDPGetDatum(content),
							  BTGreaterEqualStrategyNumber, F_INT8GE,
							  Int64GetDatum(*byte_offset), removal->snapshot);
	while (nentries < BATCH_ENTRIES &&
		   (tuple = systable_getnext_ordered(scan,
											 ForwardScanDirection)) != NULL)
	{
		Entry	   *entry = &entries[nentries++];
		Datum		values[LIST_COLUMNS];

		if (!mr_table_columns(removal->lists.rel, tuple, LIST_COLUMNS, values))
			elog(ERROR, "null column in modelreg.artifact_chunk");
		entry->chunk = *DatumGetUUIDP(values[LIST_CHUNK - 1]);
		entry->tid = tuple->t_self;
		*byte_offset = DatumGetInt64(values[LIST_BYTE_OFFSET - 1]) + 1;
	}
	systable_endscan_ordered(scan);
	return nentries;
}

/*
 * Remove entries with their chunks, as far as these may go.  Returns how many
 * bytes that was; waits is set if some entries stay for another time.
 */
static int64
remove_entries(Removal *removal, const pg_uuid_t *content, Entry *entries,
			   int nentries, bool *waits)
{
	int64		deleted = 0;
	int			i;

	/* a chunk can be listed more than once */
	qsort(entries, nentries, sizeof(Entry), compare_entries);
	for (i = 0; i < nentries; i++)
	{
		Entry	   *entry = &entries[i];

		CHECK_FOR_INTERRUPTS();
		if (i > 0 && compare_entries(&entries[i - 1], entry) == 0)
			entry->fate = entries[i - 1].fate;
		else if (is_listed(removal, &entry->chunk, content))
			entry->fate = KEEP;
		else if (lock_chunk(removal, &entry->chunk))
			entry->fate = DELETE;
		else
			entry->fate = WAIT;
	}

	for (i = 0; i < nentries; i++)
	{
		if (entries[i].fate == WAIT)
			*waits = true;
		else
		{
			simple_table_tuple_delete(removal->lists.rel, &entries[i].tid,
									  removal->snapshot);
			deleted += ENTRY_BYTES;
		}
	}

	/* now nobody can come to use what is locked, but somebody may have */
	look_again(removal);
	for (i = 0; i < nentries; i++)
	{
		Entry	   *entry = &entries[i];

		CHECK_FOR_INTERRUPTS();
		if (entry->fate == DELETE &&
			(i == 0 || compare_entries(&entries[i - 1], entry) != 0) &&
			!is_listed(removal, &entry->chunk, NULL))
			deleted += delete_chunk(removal, &entry->chunk);
	}
	return deleted;
}

/*
 * Take the latest snapshot, which shows what we have done ourselves, too.
 */
static void
look_again(Removal *removal)
{
	CommandCounterIncrement();
	UnregisterSnapshot(removal->snapshot);
	removal->snapshot = RegisterSnapshot(GetLatestSnapshot());
}

/*
 * Whether a chunk is on a list, but for that of one content.
 */
static bool
is_listed(Removal *removal, const pg_uuid_t *chunk, const pg_uuid_t *except)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(removal->per_chunk);
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	scan = mr_table_scan(&removal->uses, BTEqualStrategyNumber, F_UUID_EQ,
						 UUIDPGetDatum(chunk), removal->snapshot);
	while (!found &&
		   (tuple = systable_getnext_ordered(scan,
											 ForwardScanDirection)) != NULL)
	{
		Datum		values[LIST_COLUMNS];

		CHECK_FOR_INTERRUPTS();
		if (except == NULL)
			found = true;
		else if (mr_table_columns(removal->uses.rel, tuple, LIST_COLUMNS,
								  values))
			found = memcmp(DatumGetUUIDP(values[LIST_CONTENT - 1]), except,
						   UUID_LEN) != 0;
	}
	systable_endscan_ordered(scan);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(removal->per_chunk);
	return found;
}

/*
 * Lock the rows of a chunk, if there are any, against those who might share
 * it.  Returns false if one of them is about to.
 */
static bool
lock_chunk(Removal *removal, const pg_uuid_t *chunk)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(removal->per_chunk);
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		locked = true;

	scan = mr_table_scan(&removal->chunks, BTEqualStrategyNumber, F_UUID_EQ,
						 UUIDPGetDatum(chunk), removal->snapshot);
	while (locked &&
		   (tuple = systable_getnext_ordered(scan,
											 ForwardScanDirection)) != NULL)
	{
		TM_FailureData failure;

		locked = table_tuple_lock(removal->chunks.rel, &tuple->t_self,
								  removal->snapshot, removal->slot,
								  GetCurrentCommandId(true),
								  LockTupleExclusive, LockWaitSkip, 0,
								  &failure) == TM_Ok;
		ExecClearTuple(removal->slot);
	}
	systable_endscan_ordered(scan);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(removal->per_chunk);
	return locked;
}

/*
 * Delete a chunk with its pieces.  Returns how many bytes that was.
 */
static int64
delete_chunk(Removal *removal, const pg_uuid_t *chunk)
{
	MrIndexedTable *tables[] = {&removal->chunks, &removal->pieces};
	MemoryContext oldcontext = MemoryContextSwitchTo(removal->per_chunk);
	int64		deleted = 0;
	int			i;

	for (i = 0; i < lengthof(tables); i++)
	{
		SysScanDesc scan;
		HeapTuple	tuple;

		scan = mr_table_scan(tables[i], BTEqualStrategyNumber, F_UUID_EQ,
							 UUIDPGetDatum(chunk), removal->snapshot);
		while ((tuple = systable_getnext_ordered(scan,
												 ForwardScanDirection)) != NULL)
		{
			deleted += tuple->t_len;
			simple_table_tuple_delete(tables[i]->rel, &tuple->t_self,
									  removal->snapshot);
		}
		systable_endscan_ordered(scan);
	}
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(removal->per_chunk);
	return deleted;
}

/*
 * qsort comparator: by chunk.
 */
static int
compare_entries(const void *a, const void *b)
{
	return memcmp(&((const Entry *) a)->chunk, &((const Entry *) b)->chunk,
				  UUID_LEN);
}
