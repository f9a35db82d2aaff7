/*-------------------------------------------------------------------------
 *
 * storage_database.c
 *	  Artifacts in the database: as rows that fill a page each.
 *
 * An artifact (modelreg.artifact) is a sequence of chunks (artifact_chunk
 * lists them), and a chunk is a row of modelreg.chunk and its bytes, cut into
 * pieces (chunk_piece).  Chunks are the unit that artifacts share and codecs
 * apply to; pieces are the unit that PostgreSQL handles best: a piece of
 * PIECE_SIZE bytes leaves no room for a second row in its page, needs no TOAST,
 * and is read straight from the buffer.
 *
 * The tables are written as COPY writes and read as TOAST is read, without SPI
 * or executor.  Hence no trigger fires and no permission is asked for: these
 * tables are granted to nobody, and the callers have checked what the user may
 * do.
 *
 * Writing and removal are here, reading is in storage_database_read.c, and the
 * search for what belongs to nothing in storage_database_orphans.c.
 *
 * LAYER 2
 *
 * IDENTIFICATION
 *	  src/storage_database.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "lib/qunique.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "bulk.h"
#include "compat.h"
#include "digest.h"
#include "storage.h"
#include "storage_database.h"
#include "table.h"
#include "uuid7.h"

/* Every chunk of an artifact but the last has so many pieces. */
#define PIECES_PER_CHUNK 32

/* A chunk that has been written */
typedef struct WrittenChunk
{
	pg_uuid_t	chunk;
	int32		size;
} WrittenChunk;

struct MrStorageWriter
{
	MemoryContext context;		/* holds all of this */
	MrBulk	   *lists;			/* artifact_chunk */
	MrBulk	   *chunks;			/* chunk */
	MrBulk	   *pieces;			/* chunk_piece */

	bytea	   *piece;			/* the piece that is being filled */
	int32		piece_len;		/* bytes in it */
	int32		piece_no;		/* its number, and pieces written before it */
	pg_uuid_t	chunk;			/* the chunk that is being filled */
	int32		chunk_len;		/* bytes in its written pieces */

	/* The artifact's chunks so far; listed at the end, as sha256 comes then */
	WrittenChunk *written;
	int			nwritten;
	int			maxwritten;
};

static MrStorageWriter *write_begin(void);
static void write_bytes(MrStorageWriter *writer, const char *data, Size len);
static void write_end(MrStorageWriter *writer, const uint8 *sha256);
static void write_piece(MrStorageWriter *writer);
static void finish_chunk(MrStorageWriter *writer);

static void remove_artifact(const uint8 *sha256);
static int	delete_list(const uint8 *sha256, pg_uuid_t **found);
static void delete_chunk(MrIndexedTable *table, const pg_uuid_t *chunk,
						 Snapshot snapshot);
static int	compare_uuids(const void *a, const void *b);

const MrStorage mr_storage_database = {
	.name = "database",
	.write_begin = write_begin,
	.write = write_bytes,
	.write_end = write_end,
	.read_begin = mr_database_read_begin,
	.read_next = mr_database_read_next,
	.read_problem = mr_database_read_problem,
	.read_end = mr_database_read_end,
	.remove = remove_artifact,
	.orphans = mr_database_orphans
};

/*
 * Begin to write an artifact.  Everything lives in a memory context of its own,
 * a child of the current one; the locks are kept until the transaction ends.
 */
static MrStorageWriter *
write_begin(void)
{
	MemoryContext context;
	MemoryContext oldcontext;
	MrStorageWriter *writer;

	context = AllocSetContextCreate(CurrentMemoryContext,
									"modelreg artifact writer",
									ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(context);

	writer = palloc0(sizeof(MrStorageWriter));
	writer->context = context;
	writer->lists =
		mr_bulk_begin(mr_table_open("artifact_chunk", RowExclusiveLock), false);
	writer->chunks =
		mr_bulk_begin(mr_table_open("chunk", RowExclusiveLock), false);
	writer->pieces =
		mr_bulk_begin(mr_table_open("chunk_piece", RowExclusiveLock), true);
	writer->piece = palloc(VARHDRSZ + PIECE_SIZE);
	writer->maxwritten = 16;
	writer->written = palloc(writer->maxwritten * sizeof(WrittenChunk));

	MemoryContextSwitchTo(oldcontext);
	return writer;
}

/*
 * Write bytes.  Where pieces and chunks end does not depend on how the bytes
 * are divided among the calls.
 */
static void
write_bytes(MrStorageWriter *writer, const char *data, Size len)
{
	while (len > 0)
	{
		Size		run = Min(len, (Size) (PIECE_SIZE - writer->piece_len));

		memcpy(VARDATA(writer->piece) + writer->piece_len, data, run);
		writer->piece_len += run;
		data += run;
		len -= run;

		if (writer->piece_len == PIECE_SIZE)
			write_piece(writer);
		if (writer->piece_no == PIECES_PER_CHUNK)
			finish_chunk(writer);
	}
}

/*
 * Write what is left, list the chunks, make all visible to the next command,
 * and free the writer.
 */
static void
write_end(MrStorageWriter *writer, const uint8 *sha256)
{
	Datum		values[LIST_COLUMNS];
	int64		byte_offset = 0;
	int			i;

	if (writer->piece_len > 0)
		write_piece(writer);
	if (writer->piece_no > 0)
		finish_chunk(writer);

	values[LIST_SHA256 - 1] = PointerGetDatum(mr_digest_bytea(sha256));
	for (i = 0; i < writer->nwritten; i++)
	{
		WrittenChunk *written = &writer->written[i];

		values[LIST_CHUNK_NO - 1] = Int32GetDatum(i);
		values[LIST_CHUNK - 1] = UUIDPGetDatum(&written->chunk);
		values[LIST_BYTE_OFFSET - 1] = Int64GetDatum(byte_offset);
		mr_bulk_insert(writer->lists, values, LIST_COLUMNS);
		byte_offset += written->size;
	}

	mr_bulk_end(writer->lists);
	mr_bulk_end(writer->chunks);
	mr_bulk_end(writer->pieces);
	MemoryContextDelete(writer->context);

	CommandCounterIncrement();
}

/*
 * Write the piece that is being filled, and make room for the next.
 */
static void
write_piece(MrStorageWriter *writer)
{
	Datum		values[PIECE_COLUMNS];

	CHECK_FOR_INTERRUPTS();

	if (writer->piece_no == 0)
		mr_uuid7(&writer->chunk);

	SET_VARSIZE(writer->piece, VARHDRSZ + writer->piece_len);
	values[PIECE_CHUNK - 1] = UUIDPGetDatum(&writer->chunk);
	values[PIECE_PIECE_NO - 1] = Int32GetDatum(writer->piece_no);
	values[PIECE_DATA - 1] = PointerGetDatum(writer->piece);
	mr_bulk_insert(writer->pieces, values, PIECE_COLUMNS);

	writer->piece_no++;
	writer->chunk_len += writer->piece_len;
	writer->piece_len = 0;
}

/*
 * Write the row of the chunk whose pieces have been written, and remember it
 * for the list.
 */
static void
finish_chunk(MrStorageWriter *writer)
{
	Datum		values[CHUNK_COLUMNS];

	if (writer->nwritten == writer->maxwritten)
	{
		writer->maxwritten *= 2;
		writer->written =
			repalloc_huge(writer->written,
						  writer->maxwritten * sizeof(WrittenChunk));
	}
	writer->written[writer->nwritten].chunk = writer->chunk;
	writer->written[writer->nwritten].size = writer->chunk_len;
	writer->nwritten++;

	values[CHUNK_CHUNK - 1] = UUIDPGetDatum(&writer->chunk);
	values[CHUNK_RAW_SIZE - 1] = Int32GetDatum(writer->chunk_len);
	values[CHUNK_STORED_SIZE - 1] = Int32GetDatum(writer->chunk_len);
	values[CHUNK_CODEC - 1] = Int16GetDatum(CODEC_NONE);
	mr_bulk_insert(writer->chunks, values, CHUNK_COLUMNS);

	writer->piece_no = 0;
	writer->chunk_len = 0;
}

/*
 * Delete an artifact's list of chunks, and the chunks that are on no other
 * list.
 *
 * Rows are looked for with the latest snapshot, not the transaction's: a list
 * that somebody else has committed in the meantime must count.
 */
static void
remove_artifact(const uint8 *sha256)
{
	MemoryContext context;
	MemoryContext per_chunk;
	MemoryContext oldcontext;
	MrIndexedTable lists;
	MrIndexedTable chunks;
	MrIndexedTable pieces;
	Snapshot	snapshot;
	pg_uuid_t  *found;
	int			nfound;
	int			i;

	context = AllocSetContextCreate(CurrentMemoryContext,
									"modelreg artifact removal",
									ALLOCSET_DEFAULT_SIZES);
	per_chunk = AllocSetContextCreate(context, "modelreg chunk removal",
									  ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(context);

	nfound = delete_list(sha256, &found);

	lists = mr_table_open_indexed("artifact_chunk", "artifact_chunk_chunk_idx",
								  RowExclusiveLock);
	chunks = mr_table_open_indexed("chunk", NULL, RowExclusiveLock);
	pieces = mr_table_open_indexed("chunk_piece", NULL, RowExclusiveLock);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	MemoryContextSwitchTo(per_chunk);
	for (i = 0; i < nfound; i++)
	{
		SysScanDesc scan;
		bool		used;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(per_chunk);

		scan = mr_table_scan(&lists, BTEqualStrategyNumber, F_UUID_EQ,
							 UUIDPGetDatum(&found[i]), snapshot);
		used = systable_getnext_ordered(scan, ForwardScanDirection) != NULL;
		systable_endscan_ordered(scan);
		if (used)
			continue;

		delete_chunk(&chunks, &found[i], snapshot);
		delete_chunk(&pieces, &found[i], snapshot);
	}
	UnregisterSnapshot(snapshot);
	mr_table_close_indexed(&pieces);
	mr_table_close_indexed(&chunks);
	mr_table_close_indexed(&lists);

	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);

	CommandCounterIncrement();
}

/*
 * Delete an artifact's list of chunks, visibly to the next snapshot.  Returns
 * how many chunks were on it, and stores them, each once, in found.
 */
static int
delete_list(const uint8 *sha256, pg_uuid_t **found)
{
	MrIndexedTable lists;
	Snapshot	snapshot;
	SysScanDesc scan;
	HeapTuple	tuple;
	int			nfound = 0;
	int			maxfound = 64;

	*found = palloc(maxfound * sizeof(pg_uuid_t));

	lists = mr_table_open_indexed("artifact_chunk", NULL, RowExclusiveLock);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	scan = mr_table_scan(&lists, BTEqualStrategyNumber, F_BYTEAEQ,
						 PointerGetDatum(mr_digest_bytea(sha256)), snapshot);
	while ((tuple = systable_getnext_ordered(scan,
											 ForwardScanDirection)) != NULL)
	{
		bool		isnull;
		Datum		chunk;

		CHECK_FOR_INTERRUPTS();
		chunk = heap_getattr(tuple, LIST_CHUNK, RelationGetDescr(lists.rel),
							 &isnull);
		if (!isnull)
		{
			if (nfound == maxfound)
			{
				maxfound *= 2;
				*found = repalloc_huge(*found, maxfound * sizeof(pg_uuid_t));
			}
			(*found)[nfound++] = *DatumGetUUIDP(chunk);
		}
		simple_table_tuple_delete(lists.rel, &tuple->t_self, snapshot);
	}
	systable_endscan_ordered(scan);
	UnregisterSnapshot(snapshot);
	mr_table_close_indexed(&lists);

	CommandCounterIncrement();

	/* A chunk can be on a list twice; its rows can be deleted only once. */
	qsort(*found, nfound, sizeof(pg_uuid_t), compare_uuids);
	return qunique(*found, nfound, sizeof(pg_uuid_t), compare_uuids);
}

/*
 * Delete the rows of a chunk from chunk or chunk_piece.
 */
static void
delete_chunk(MrIndexedTable *table, const pg_uuid_t *chunk, Snapshot snapshot)
{
	SysScanDesc scan;
	HeapTuple	tuple;

	scan = mr_table_scan(table, BTEqualStrategyNumber, F_UUID_EQ,
						 UUIDPGetDatum(chunk), snapshot);
	while ((tuple = systable_getnext_ordered(scan,
											 ForwardScanDirection)) != NULL)
		simple_table_tuple_delete(table->rel, &tuple->t_self, snapshot);
	systable_endscan_ordered(scan);
}

/*
 * qsort comparator: in the order of the index.
 */
static int
compare_uuids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(pg_uuid_t));
}
