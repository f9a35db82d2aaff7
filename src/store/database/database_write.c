/*
 * Artifacts in the database: writing.
 *
 * The bytes are cut into chunks as they come, and these are stored in batches.
 * The list of chunks is kept in memory until the transaction ends, or it is
 * long, so that an artifact which turns out to be stored already has written
 * neither bytes nor list.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/lock.h"
#include "bytes/chunker.h"
#include "store/bulk.h"
#include "store/database/chunk_batch.h"
#include "store/database/database.h"
#include "store/table.h"

/* So many entries of the list are kept in memory: 1.3 MB, for some GB. */
#define LIST_LIMIT 65536

/* A copy keeps no more of them. */
#define COPY_LIMIT 256

/* First byte of what write_suspend returns */
#define STATE_FORMAT 1

/* Bytes before those that are pending: format, listed, listed_len */
#define STATE_HEADER (1 + 4 + 8)

/* An entry of the list of chunks */
typedef struct ListEntry
{
	pg_uuid_t	chunk;
	int32		raw_size;
} ListEntry;

struct MrStorageWriter
{
	MemoryContext context;		/* holds all of this */
	pg_uuid_t	content;		/* what is written */
	MrChunker	chunker;		/* where it will cut next */
	char	   *pending;		/* the bytes since the last cut */
	int32		pending_len;
	int32		pending_size;	/* allocated */

	int32		listed;			/* entries in the table */
	int64		listed_len;		/* bytes that they stand for */
	ListEntry  *list;			/* the entries after these */
	int			nlist;
	int			maxlist;
	int64		list_len;		/* bytes that these stand for */

	MrShrinkage shrinkage;
	MrBulkRing	ring;
};

static void add_pending(MrStorageWriter *writer, const char *data, int32 len);
static void store_run(MrStorageWriter *writer, MrBatch *batch,
					  const char *raw, int32 raw_size);
static void store_batch(MrStorageWriter *writer, MrBatch *batch);
static void list_batch(MrStorageWriter *writer, const MrBatch *batch);
static void write_list(MrStorageWriter *writer);
static bool next_entry(SysScanDesc scan, Relation rel, int32 chunk_no,
					   int64 *byte_offset, pg_uuid_t *chunk);
static bool next_is(SysScanDesc scan, Relation rel, int32 chunk_no,
					int64 byte_offset, const pg_uuid_t *chunk);

/*
 * Begin to write a content.  Everything lives in a child of the current memory
 * context.
 */
MrStorageWriter *
mr_database_write_begin(const pg_uuid_t *content)
{
	MemoryContext context;
	MrStorageWriter *writer;

	context = AllocSetContextCreate(CurrentMemoryContext,
									"modelreg artifact writer",
									ALLOCSET_SMALL_SIZES);
	writer = MemoryContextAllocZero(context, sizeof(MrStorageWriter));
	writer->context = context;
	writer->content = *content;
	writer->ring.context = context;
	mr_chunker_reset(&writer->chunker);
	return writer;
}

/*
 * Write bytes.  Where chunks end does not depend on how the bytes are divided
 * among the calls.
 */
void
mr_database_write(MrStorageWriter *writer, const char *data, Size len)
{
	MrBatch    *batch = palloc(sizeof(MrBatch));
	const char *begin = data;	/* of the chunk, unless it is pending */

	mr_chunk_batch_clear(batch);
	while (len > 0)
	{
		bool		cut;
		Size		run = mr_chunker_next(&writer->chunker, data, len, &cut);

		data += run;
		len -= run;
		if (writer->pending_len > 0)
		{
			add_pending(writer, begin, data - begin);
			begin = data;
			if (cut)
			{
				store_run(writer, batch, writer->pending, writer->pending_len);
				/* data may have to wait there while the batch is not stored */
				store_batch(writer, batch);
				writer->pending_len = 0;
			}
		}
		else if (cut)
		{
			store_run(writer, batch, begin, data - begin);
			begin = data;
		}
	}
	store_batch(writer, batch);
	pfree(batch);

	if (data > begin)
		add_pending(writer, begin, data - begin);
}

/*
 * No more bytes come: store the last chunk.
 */
void
mr_database_write_finish(MrStorageWriter *writer)
{
	if (writer->pending_len > 0)
	{
		MrBatch    *batch = palloc(sizeof(MrBatch));

		mr_chunk_batch_clear(batch);
		store_run(writer, batch, writer->pending, writer->pending_len);
		store_batch(writer, batch);
		pfree(batch);
		writer->pending_len = 0;
		mr_chunker_reset(&writer->chunker);
	}
	if (writer->pending != NULL)
		pfree(writer->pending);
	writer->pending = NULL;
	writer->pending_size = 0;
}

/*
 * Whether what was written consists of the same chunks as another content.
 */
bool
mr_database_write_matches(MrStorageWriter *writer, const pg_uuid_t *content)
{
	pg_uuid_t	other_content = *content;
	MrIndexedTable lists;
	Snapshot	snapshot;
	SysScanDesc own;
	SysScanDesc other;
	pg_uuid_t	chunk;
	int64		byte_offset = 0;
	bool		matches = true;
	int32		chunk_no;

	lists = mr_table_open_indexed("artifact_chunk", NULL, AccessShareLock);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	own = mr_table_scan(&lists, BTEqualStrategyNumber, F_UUID_EQ,
						UUIDPGetDatum(&writer->content), snapshot);
	other = mr_table_scan(&lists, BTEqualStrategyNumber, F_UUID_EQ,
						  UUIDPGetDatum(&other_content), snapshot);
	for (chunk_no = 0; matches && chunk_no < writer->listed; chunk_no++)
	{
		CHECK_FOR_INTERRUPTS();
		matches = next_entry(own, lists.rel, chunk_no, &byte_offset, &chunk) &&
			next_is(other, lists.rel, chunk_no, byte_offset, &chunk);
	}
	byte_offset = writer->listed_len;
	for (int i = 0; matches && i < writer->nlist; i++)
	{
		CHECK_FOR_INTERRUPTS();
		matches = next_is(other, lists.rel, chunk_no + i, byte_offset,
						  &writer->list[i].chunk);
		byte_offset += writer->list[i].raw_size;
	}
	if (matches)
		matches = systable_getnext_ordered(other, ForwardScanDirection) == NULL;
	systable_endscan_ordered(other);
	systable_endscan_ordered(own);
	UnregisterSnapshot(snapshot);
	mr_table_close_indexed(&lists);
	return matches;
}

/*
 * List the chunks, so that the content can be read by the next command.
 */
void
mr_database_write_end(MrStorageWriter *writer)
{
	write_list(writer);
}

void
mr_database_write_free(MrStorageWriter *writer)
{
	MemoryContextDelete(writer->context);
}

/*
 * Copy the writer, with what it holds in memory.
 */
MrStorageWriter *
mr_database_write_copy(MrStorageWriter *writer)
{
	MrStorageWriter *copy = mr_database_write_begin(&writer->content);
	MemoryContext context = copy->context;

	*copy = *writer;
	copy->context = context;
	copy->ring.context = context;
	copy->ring.state = NULL;
	copy->pending = NULL;
	copy->pending_len = 0;
	copy->pending_size = 0;
	add_pending(copy, writer->pending, writer->pending_len);
	copy->maxlist = writer->nlist;
	copy->list = NULL;
	if (writer->nlist > 0)
	{
		copy->list = MemoryContextAllocHuge(context, writer->nlist *
											sizeof(ListEntry));
		memcpy(copy->list, writer->list, writer->nlist * sizeof(ListEntry));
	}

	/* many savepoints shall not hold many long lists */
	if (copy->nlist > COPY_LIMIT)
		write_list(copy);
	return copy;
}

/*
 * List the chunks, and return the rest of what there is to know.
 */
bytea *
mr_database_write_suspend(MrStorageWriter *writer)
{
	StringInfoData state;

	write_list(writer);

	/* in network byte order: a dump may go to another machine */
	pq_begintypsend(&state);
	pq_sendbyte(&state, STATE_FORMAT);
	pq_sendint32(&state, writer->listed);
	pq_sendint64(&state, writer->listed_len);
	pq_sendbytes(&state, writer->pending, writer->pending_len);
	return pq_endtypsend(&state);
}

/*
 * Make a writer that goes on where another one was suspended.
 */
MrStorageWriter *
mr_database_write_resume(const pg_uuid_t *content, bytea *state)
{
	MrStorageWriter *writer = mr_database_write_begin(content);
	StringInfoData buffer;
	int32		seen = 0;

	initStringInfo(&buffer);
	appendBinaryStringInfo(&buffer, VARDATA_ANY(state),
						   VARSIZE_ANY_EXHDR(state));
	if (buffer.len < STATE_HEADER || pq_getmsgbyte(&buffer) != STATE_FORMAT)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("state of an upload has an unknown format"),
				 errhint("Abort it and begin another.")));
	writer->listed = pq_getmsgint(&buffer, 4);
	writer->listed_len = pq_getmsgint64(&buffer);

	add_pending(writer, buffer.data + buffer.cursor,
				buffer.len - buffer.cursor);
	pfree(buffer.data);

	/*
	 * go as far with the chunker: there was no cut, or it would not be
	 * pending
	 */
	while (seen < writer->pending_len)
	{
		bool		cut;

		seen += mr_chunker_next(&writer->chunker, writer->pending + seen,
								writer->pending_len - seen, &cut);
		if (cut)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("upload was begun by a build of modelreg with other chunk sizes"),
					 errhint("Abort it and begin another.")));
	}
	return writer;
}

/*
 * The bytes that are in no chunk yet, and so only in memory.
 */
const char *
mr_database_write_pending(MrStorageWriter *writer, int64 *byte_offset,
						  Size *len)
{
	*byte_offset = writer->listed_len + writer->list_len;
	*len = writer->pending_len;
	return writer->pending;
}

/*
 * Make a writer that goes on behind the entries up to byte_offset.  All others
 * go to another list, or nobody would remove their chunks.
 */
MrStorageWriter *
mr_database_write_cut(const pg_uuid_t *content, int64 byte_offset,
					  const pg_uuid_t *rest)
{
	MrStorageWriter *writer = mr_database_write_begin(content);
	MrBulk	   *moved;
	MrIndexedTable lists;
	Snapshot	snapshot;
	SysScanDesc scan;
	HeapTuple	tuple;

	/* before the snapshot, so that no repair changes what it shows */
	(void) mr_lock_take(MR_LOCK_LISTS, false);

	snapshot = RegisterSnapshot(GetLatestSnapshot());
	lists = mr_table_open_indexed("artifact_chunk", NULL, RowExclusiveLock);
	moved = mr_bulk_begin(mr_table_open("artifact_chunk", RowExclusiveLock),
						  NULL);
	scan = mr_table_scan(&lists, BTEqualStrategyNumber, F_UUID_EQ,
						 UUIDPGetDatum(&writer->content), snapshot);
	while ((tuple = systable_getnext_ordered(scan,
											 ForwardScanDirection)) != NULL)
	{
		Datum		values[LIST_COLUMNS];
		int64		entry_offset;

		CHECK_FOR_INTERRUPTS();
		if (!mr_table_columns(lists.rel, tuple, LIST_COLUMNS, values))
			elog(ERROR, "null column in modelreg.artifact_chunk");
		entry_offset = DatumGetInt64(values[LIST_BYTE_OFFSET - 1]);
		if (entry_offset >= 0 && entry_offset < byte_offset)
		{
			writer->listed++;
			continue;
		}
		values[LIST_CONTENT - 1] = UUIDPGetDatum(rest);
		mr_bulk_insert(moved, values, LIST_COLUMNS);
		simple_table_tuple_delete(lists.rel, &tuple->t_self, snapshot);
	}
	systable_endscan_ordered(scan);
	mr_bulk_end(moved);
	mr_table_close_indexed(&lists);
	UnregisterSnapshot(snapshot);
	CommandCounterIncrement();

	writer->listed_len = byte_offset;
	return writer;
}

/*
 * Keep bytes until the chunk that they belong to is complete.
 */
static void
add_pending(MrStorageWriter *writer, const char *data, int32 len)
{
	if (len == 0)
		return;
	if (writer->pending_len + len > writer->pending_size)
	{
		/* few chunks are much larger than the average */
		int32		size = Max(writer->pending_len + len,
							   2 * writer->pending_size);

		if (writer->pending == NULL)
			writer->pending = MemoryContextAlloc(writer->context, size);
		else
			writer->pending = repalloc(writer->pending, size);
		writer->pending_size = size;
	}
	memcpy(writer->pending + writer->pending_len, data, len);
	writer->pending_len += len;
}

/*
 * Add a chunk to the batch, which is stored once it is full; the bytes must
 * stay until then.
 */
static void
store_run(MrStorageWriter *writer, MrBatch *batch, const char *raw,
		  int32 raw_size)
{
	if (mr_chunk_batch_add(batch, raw, raw_size))
		store_batch(writer, batch);
}

/*
 * Store the chunks of a batch, and begin another.
 */
static void
store_batch(MrStorageWriter *writer, MrBatch *batch)
{
	if (batch->nruns == 0)
		return;
	mr_chunk_batch_store(batch, &writer->shrinkage, &writer->ring);
	list_batch(writer, batch);
	mr_chunk_batch_clear(batch);
}

/*
 * Add the chunks of a batch to the list.
 */
static void
list_batch(MrStorageWriter *writer, const MrBatch *batch)
{
	int			i;

	if (writer->nlist + batch->nruns > writer->maxlist)
	{
		Size		size;

		writer->maxlist = Max(2 * writer->maxlist,
							  writer->nlist + batch->nruns);
		size = writer->maxlist * sizeof(ListEntry);
		if (writer->list == NULL)
			writer->list = MemoryContextAlloc(writer->context, size);
		else
			writer->list = repalloc_huge(writer->list, size);
	}
	Assert(writer->nlist + batch->nruns <= writer->maxlist);
	for (i = 0; i < batch->nruns; i++)
	{
		writer->list[writer->nlist].chunk = batch->runs[i].chunk;
		writer->list[writer->nlist].raw_size = batch->runs[i].raw_size;
		writer->nlist++;
		writer->list_len += batch->runs[i].raw_size;
	}
	if (writer->nlist >= LIST_LIMIT)
		write_list(writer);
}

/*
 * Write the list of chunks as far as it is in memory, visibly to the next
 * command.
 */
static void
write_list(MrStorageWriter *writer)
{
	MrBulk	   *lists;
	Datum		values[LIST_COLUMNS];
	int			i;

	if (writer->nlist == 0)
		return;
	lists = mr_bulk_begin(mr_table_open("artifact_chunk", RowExclusiveLock),
						  NULL);
	values[LIST_CONTENT - 1] = UUIDPGetDatum(&writer->content);
	for (i = 0; i < writer->nlist; i++)
	{
		values[LIST_CHUNK_NO - 1] = Int32GetDatum(writer->listed);
		values[LIST_CHUNK - 1] = UUIDPGetDatum(&writer->list[i].chunk);
		values[LIST_BYTE_OFFSET - 1] = Int64GetDatum(writer->listed_len);
		mr_bulk_insert(lists, values, LIST_COLUMNS);
		writer->listed++;
		writer->listed_len += writer->list[i].raw_size;
	}
	mr_bulk_end(lists);
	writer->nlist = 0;
	writer->list_len = 0;

	CommandCounterIncrement();
}

/*
 * Get the next entry of a list; false at the end, or if it makes no sense.
 */
static bool
next_entry(SysScanDesc scan, Relation rel, int32 chunk_no, int64 *byte_offset,
		   pg_uuid_t *chunk)
{
	HeapTuple	tuple = systable_getnext_ordered(scan, ForwardScanDirection);
	Datum		values[LIST_COLUMNS];

	if (tuple == NULL || !mr_table_columns(rel, tuple, LIST_COLUMNS, values))
		return false;
	*byte_offset = DatumGetInt64(values[LIST_BYTE_OFFSET - 1]);
	*chunk = *DatumGetUUIDP(values[LIST_CHUNK - 1]);
	return DatumGetInt32(values[LIST_CHUNK_NO - 1]) == chunk_no;
}

/*
 * Whether the next entry of a list is this one.
 */
static bool
next_is(SysScanDesc scan, Relation rel, int32 chunk_no, int64 byte_offset,
		const pg_uuid_t *chunk)
{
	int64		other_offset;
	pg_uuid_t	other_chunk;

	return next_entry(scan, rel, chunk_no, &other_offset, &other_chunk) &&
		other_offset == byte_offset &&
		memcmp(&other_chunk, chunk, UUID_LEN) == 0;
}
