/*
 * Finding chunks that the database storage has already.
 *
 * A chunk is looked up by the XXH3 of its bytes, and then compared with them
 * byte by byte: a collision costs a comparison and nothing else.
 *
 * What is found is locked KEY SHARE at once, to the end of the transaction,
 * which also writes the entry that refers to it.  Cleanup locks FOR UPDATE
 * before it looks for such entries a last time.  Neither waits for the other: a
 * chunk that cleanup has locked is written anew, and one that a registration
 * has locked stays until the next cleanup.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "bytes/codec.h"
#include "store/database/chunk_reader.h"
#include "store/database/chunk_share.h"
#include "store/table.h"

/* How a stored chunk compares with bytes of the same XXH3 */
typedef enum Comparison
{
	IS_EQUAL,
	IS_OTHER,					/* a collision, or unreadable here */
	IS_DAMAGED					/* it does not match its own XXH3 */
} Comparison;

struct MrShare
{
	MemoryContext context;		/* holds all of this */
	MemoryContext per_chunk;	/* reset for each chunk */
	Snapshot	snapshot;
	MrIndexedTable by_xxh3;		/* chunk */
	TupleTableSlot *slot;		/* for its locked rows */
	MrChunkReader *reader;
};

static Comparison compare_chunk(MrShare *share, const MrChunk *chunk,
								const char *raw);
static bool chunk_equals(MrShare *share, const MrChunk *chunk, const char *raw);
static bool share_chunk(MrShare *share, HeapTuple tuple);

/*
 * Begin to look for chunks, as of now; what the transaction has written is
 * found too, up to the present command.
 *
 * Under a transaction snapshot only what that shows is shared, or the
 * transaction could not read what it registers.
 */
MrShare *
mr_chunk_share_begin(void)
{
	MemoryContext context;
	MemoryContext oldcontext;
	MrShare    *share;

	context = AllocSetContextCreate(CurrentMemoryContext, "modelreg share",
									ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(context);
	share = palloc0(sizeof(MrShare));
	share->context = context;
	share->per_chunk = AllocSetContextCreate(context, "modelreg candidates",
											 ALLOCSET_SMALL_SIZES);
	if (IsolationUsesXactSnapshot())
		share->snapshot = RegisterSnapshot(GetTransactionSnapshot());
	else
		share->snapshot = RegisterSnapshot(GetLatestSnapshot());
	share->by_xxh3 = mr_table_open_indexed("chunk", "chunk_xxh3_idx",
										   RowShareLock);
	share->slot = table_slot_create(share->by_xxh3.rel, NULL);
	share->reader = mr_chunk_reader_begin(share->snapshot);
	MemoryContextSwitchTo(oldcontext);
	return share;
}

/*
 * Look for a chunk with these bytes and this XXH3.
 */
void
mr_chunk_share_find(MrShare *share, const pg_uuid_t *xxh3, const char *raw,
					int32 raw_size, MrShared *shared)
{
	MemoryContext oldcontext;
	pg_uuid_t	key = *xxh3;
	SysScanDesc scan;
	HeapTuple	tuple;

	shared->found = false;
	shared->is_damaged = false;

	oldcontext = MemoryContextSwitchTo(share->per_chunk);
	scan = mr_table_scan(&share->by_xxh3, BTEqualStrategyNumber, F_UUID_EQ,
						 UUIDPGetDatum(&key), share->snapshot);
	while (!shared->found &&
		   (tuple = systable_getnext_ordered(scan,
											 ForwardScanDirection)) != NULL)
	{
		MrChunk		chunk;

		if (!mr_chunk_reader_row(share->by_xxh3.rel, tuple, &chunk) ||
			chunk.raw_size != raw_size)
			continue;
		switch (compare_chunk(share, &chunk, raw))
		{
			case IS_EQUAL:
				shared->found = share_chunk(share, tuple);
				shared->chunk = chunk.chunk;
				break;
			case IS_DAMAGED:
				shared->is_damaged = true;
				shared->damaged = chunk.chunk;
				break;
			case IS_OTHER:
				break;
		}
	}
	systable_endscan_ordered(scan);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(share->per_chunk);
}

/*
 * Free everything but the locks.
 */
void
mr_chunk_share_end(MrShare *share)
{
	mr_chunk_reader_end(share->reader);
	ExecDropSingleTupleTableSlot(share->slot);
	mr_table_close_indexed(&share->by_xxh3);
	UnregisterSnapshot(share->snapshot);
	MemoryContextDelete(share->context);
}

static Comparison
compare_chunk(MrShare *share, const MrChunk *chunk, const char *raw)
{
	const char *data;
	const char *problem;

	if (chunk_equals(share, chunk, raw))
		return IS_EQUAL;
	if (mr_chunk_reader_open(share->reader, chunk, 0) &&
		mr_chunk_reader_whole(share->reader, true, &data))
		return IS_OTHER;
	return mr_chunk_reader_health(share->reader, &problem) == MR_DAMAGED ?
		IS_DAMAGED : IS_OTHER;
}

static bool
chunk_equals(MrShare *share, const MrChunk *chunk, const char *raw)
{
	const char *data;
	const char *problem;
	Size		len;

	if (!mr_chunk_reader_open(share->reader, chunk, 0))
		return false;
	if (chunk->codec != MR_CODEC_NONE)
		return mr_chunk_reader_whole(share->reader, false, &data) &&
			memcmp(data, raw, chunk->raw_size) == 0;

	while (mr_chunk_reader_next(share->reader, &data, &len))
	{
		if (memcmp(data, raw, len) != 0)
			return false;
		raw += len;
	}
	return mr_chunk_reader_health(share->reader, &problem) == MR_WHOLE;
}

/*
 * Lock a chunk's row, unless somebody is deleting it.  What this transaction
 * has written itself needs no lock.
 */
static bool
share_chunk(MrShare *share, HeapTuple tuple)
{
	TransactionId writer = HeapTupleHeaderGetXmin(tuple->t_data);
	TM_FailureData failure;
	TM_Result	result;

	if (TransactionIdIsCurrentTransactionId(writer))
		return true;
	result = table_tuple_lock(share->by_xxh3.rel, &tuple->t_self,
							  share->snapshot, share->slot,
							  GetCurrentCommandId(true), LockTupleKeyShare,
							  LockWaitSkip, 0, &failure);
	ExecClearTuple(share->slot);
	return result == TM_Ok;
}
