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
 * LAYER 2
 *
 * IDENTIFICATION
 *	  src/storage_database.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "digest.h"
#include "storage.h"
#include "uuid7.h"

/* Every piece of a chunk but the last has this size; see chunk_piece. */
#define PIECE_SIZE 8096

/* Every chunk of an artifact but the last has so many pieces. */
#define PIECES_PER_CHUNK 32

/* chunk.codec: the bytes are stored as they are. */
#define CODEC_NONE 0

/* How many rows are inserted at a time: 512 kB of pieces. */
#define BATCH_ROWS 64

/* Columns of modelreg.artifact */
enum
{
	ARTIFACT_SHA256 = 1
};

/* Columns of modelreg.artifact_chunk */
enum
{
	LIST_SHA256 = 1,
	LIST_CHUNK_NO,
	LIST_CHUNK,
	LIST_BYTE_OFFSET
};

/* Columns of modelreg.chunk */
enum
{
	CHUNK_CHUNK = 1,
	CHUNK_RAW_SIZE,
	CHUNK_STORED_SIZE,
	CHUNK_CODEC
};

/* Columns of modelreg.chunk_piece */
enum
{
	PIECE_CHUNK = 1,
	PIECE_PIECE_NO,
	PIECE_DATA
};

/* The most columns that any of the tables has here */
#define MAX_COLUMNS 4

/* A table and the index by which it is read */
typedef struct IndexedTable
{
	Relation	rel;
	Relation	index;
} IndexedTable;

/* A table that rows are being written to */
typedef struct BulkTable
{
	Relation	rel;
	ResultRelInfo *result_rel;	/* rel and its open indexes */
	BulkInsertState bistate;	/* NULL for the tables of small rows */
	int			nslots;			/* rows in the batch */
	TupleTableSlot *slots[BATCH_ROWS];	/* the rows */
	MemoryContext batch;		/* what the batch needs */
} BulkTable;

/* A chunk that has been written */
typedef struct WrittenChunk
{
	pg_uuid_t	chunk;
	int32		size;
} WrittenChunk;

struct MrStorageWriter
{
	MemoryContext context;		/* holds all of this */
	EState	   *estate;			/* for the index entries */
	CommandId	cid;			/* the command that writes */
	BulkTable	lists;			/* artifact_chunk */
	BulkTable	chunks;			/* chunk */
	BulkTable	pieces;			/* chunk_piece */

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

struct MrStorageReader
{
	MemoryContext parent;		/* where problem lives */
	MemoryContext context;		/* holds the rest of this */
	MemoryContext per_chunk;	/* reset for each chunk */
	Snapshot	snapshot;
	uint64		expected_size;	/* of the artifact */
	IndexedTable lists;			/* artifact_chunk */
	IndexedTable chunks;		/* chunk */
	IndexedTable pieces;		/* chunk_piece */
	SysScanDesc list_scan;		/* over the artifact's chunks */
	SysScanDesc piece_scan;		/* over the chunk's pieces; NULL between */

	bool		finished;		/* at the end, or at a problem */
	const char *problem;		/* what is wrong, if anything */
	int32		chunk_no;		/* the chunk that is being read, or is next */
	uint64		chunk_offset;	/* where it begins in the artifact */
	int32		chunk_size;		/* its size */
	int32		chunk_len;		/* bytes of it read */
	int32		piece_no;		/* the piece that is next */
};

/* What orphans are found by: the chunks, as seen from both sides */
typedef struct ChunkSeen
{
	pg_uuid_t	chunk;			/* hash key */
	bool		listed;			/* an artifact_chunk refers to it */
	bool		stored;			/* it has a row in modelreg.chunk */
} ChunkSeen;

/* ... and the artifacts */
typedef struct ArtifactSeen
{
	uint8		sha256[MR_SHA256_LEN];	/* hash key */
} ArtifactSeen;

/* A whole table that is being read */
typedef struct FullScan
{
	Relation	rel;
	TupleTableSlot *slot;		/* the row */
	TableScanDesc scan;
} FullScan;

static MrStorageWriter *database_write_begin(void);
static void database_write(MrStorageWriter *writer, const char *data, Size len);
static void database_write_end(MrStorageWriter *writer, const uint8 *sha256);
static MrStorageReader *database_read_begin(const uint8 *sha256,
											uint64 expected_size,
											Snapshot snapshot);
static bool database_read_next(MrStorageReader *reader, const char **data,
							   Size *len);
static const char *database_read_problem(MrStorageReader *reader);
static void database_read_end(MrStorageReader *reader);
static void database_remove(const uint8 *sha256);
static void database_orphans(Snapshot snapshot, MrStorageReport report,
							 void *arg);

static void write_piece(MrStorageWriter *writer);
static void finish_chunk(MrStorageWriter *writer);
static void bulk_open(MrStorageWriter *writer, BulkTable *table,
					  const char *name, bool large_rows);
static void bulk_insert(MrStorageWriter *writer, BulkTable *table,
						const Datum *values, int nvalues);
static void bulk_flush(MrStorageWriter *writer, BulkTable *table);
static void bulk_close(MrStorageWriter *writer, BulkTable *table);

static bool read_chunk(MrStorageReader *reader);
static const char *find_chunk(MrStorageReader *reader, const pg_uuid_t *chunk);
static bool read_piece(MrStorageReader *reader, const char **data, Size *len);
static void read_damage(MrStorageReader *reader, const char *what);

static void delete_chunk_rows(IndexedTable *table, const pg_uuid_t *chunk,
							  Snapshot snapshot);
static int	compare_uuids(const void *a, const void *b);

static HTAB *collect_artifacts(Snapshot snapshot);
static HTAB *collect_chunks(Snapshot snapshot, HTAB *artifacts,
							MrStorageReport report, void *arg);
static void report_stray_pieces(Snapshot snapshot, HTAB *chunks,
								MrStorageReport report, void *arg);
static ChunkSeen *enter_chunk(HTAB *chunks, const pg_uuid_t *chunk);
static bool is_sha256(Datum datum);
static const char *uuid_string(const pg_uuid_t *uuid);
static void full_scan_begin(FullScan *scan, const char *name,
							Snapshot snapshot);
static bool full_scan_next(FullScan *scan);
static void full_scan_end(FullScan *scan);

static Oid	table_oid(const char *name);
static IndexedTable open_indexed(const char *name, const char *index_name,
								 LOCKMODE lockmode);
static void close_indexed(IndexedTable *table);
static SysScanDesc begin_chunk_scan(IndexedTable *table,
									const pg_uuid_t *chunk, Snapshot snapshot);
static SysScanDesc begin_list_scan(IndexedTable *table, const uint8 *sha256,
								   Snapshot snapshot);
static bytea *make_bytea(const uint8 *sha256);
static bool get_columns(IndexedTable *table, HeapTuple tuple, int ncolumns,
						Datum *values);

const MrStorage mr_storage_database = {
	.name = "database",
	.write_begin = database_write_begin,
	.write = database_write,
	.write_end = database_write_end,
	.read_begin = database_read_begin,
	.read_next = database_read_next,
	.read_problem = database_read_problem,
	.read_end = database_read_end,
	.remove = database_remove,
	.orphans = database_orphans
};

/*
 * Begin to write an artifact.  Everything lives in a memory context of its own,
 * a child of the current one; the locks are kept until the transaction ends.
 */
static MrStorageWriter *
database_write_begin(void)
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
	writer->estate = CreateExecutorState();
	writer->cid = GetCurrentCommandId(true);
	bulk_open(writer, &writer->lists, "artifact_chunk", false);
	bulk_open(writer, &writer->chunks, "chunk", false);
	bulk_open(writer, &writer->pieces, "chunk_piece", true);
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
database_write(MrStorageWriter *writer, const char *data, Size len)
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
database_write_end(MrStorageWriter *writer, const uint8 *sha256)
{
	int64		byte_offset = 0;
	bytea	   *key;
	int			i;

	if (writer->piece_len > 0)
		write_piece(writer);
	if (writer->piece_no > 0)
		finish_chunk(writer);

	key = make_bytea(sha256);
	for (i = 0; i < writer->nwritten; i++)
	{
		WrittenChunk *written = &writer->written[i];
		Datum		values[MAX_COLUMNS];

		values[LIST_SHA256 - 1] = PointerGetDatum(key);
		values[LIST_CHUNK_NO - 1] = Int32GetDatum(i);
		values[LIST_CHUNK - 1] = UUIDPGetDatum(&written->chunk);
		values[LIST_BYTE_OFFSET - 1] = Int64GetDatum(byte_offset);
		bulk_insert(writer, &writer->lists, values, LIST_BYTE_OFFSET);
		byte_offset += written->size;
	}
	pfree(key);

	bulk_close(writer, &writer->lists);
	bulk_close(writer, &writer->chunks);
	bulk_close(writer, &writer->pieces);
	FreeExecutorState(writer->estate);
	MemoryContextDelete(writer->context);

	CommandCounterIncrement();
}

/*
 * Write the piece that is being filled, and make room for the next.
 */
static void
write_piece(MrStorageWriter *writer)
{
	Datum		values[MAX_COLUMNS];

	CHECK_FOR_INTERRUPTS();

	if (writer->piece_no == 0)
		mr_uuid7(&writer->chunk);

	SET_VARSIZE(writer->piece, VARHDRSZ + writer->piece_len);
	values[PIECE_CHUNK - 1] = UUIDPGetDatum(&writer->chunk);
	values[PIECE_PIECE_NO - 1] = Int32GetDatum(writer->piece_no);
	values[PIECE_DATA - 1] = PointerGetDatum(writer->piece);
	bulk_insert(writer, &writer->pieces, values, PIECE_DATA);

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
	Datum		values[MAX_COLUMNS];

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
	bulk_insert(writer, &writer->chunks, values, CHUNK_CODEC);

	writer->piece_no = 0;
	writer->chunk_len = 0;
}

/*
 * Open a table for writing, in the writer's memory context.
 */
static void
bulk_open(MrStorageWriter *writer, BulkTable *table, const char *name,
		  bool large_rows)
{
	table->rel = table_open(table_oid(name), RowExclusiveLock);
	table->result_rel = makeNode(ResultRelInfo);
	InitResultRelInfo(table->result_rel, table->rel, 0, NULL, 0);
	ExecOpenIndices(table->result_rel, false);
	table->bistate = large_rows ? GetBulkInsertState() : NULL;
	table->batch = AllocSetContextCreate(writer->context,
										 "modelreg rows to insert",
										 ALLOCSET_DEFAULT_SIZES);
}

/*
 * Add a row to the batch.  Columns beyond the given ones, which a later version
 * of the extension may have added, are NULL.
 */
static void
bulk_insert(MrStorageWriter *writer, BulkTable *table, const Datum *values,
			int nvalues)
{
	TupleDesc	desc = RelationGetDescr(table->rel);
	TupleTableSlot **slot = &table->slots[table->nslots];
	MemoryContext oldcontext;
	Datum	   *row;
	bool	   *isnull;

	if (*slot == NULL)
	{
		oldcontext = MemoryContextSwitchTo(writer->context);
		*slot = MakeSingleTupleTableSlot(desc, &TTSOpsHeapTuple);
		MemoryContextSwitchTo(oldcontext);
	}

	/* A slot that owns its tuple: the insertion takes no copy of its own. */
	oldcontext = MemoryContextSwitchTo(table->batch);
	row = palloc0(desc->natts * sizeof(Datum));
	isnull = palloc(desc->natts * sizeof(bool));
	memcpy(row, values, nvalues * sizeof(Datum));
	memset(isnull, false, nvalues * sizeof(bool));
	memset(isnull + nvalues, true, (desc->natts - nvalues) * sizeof(bool));
	ExecStoreHeapTuple(heap_form_tuple(desc, row, isnull), *slot, true);
	MemoryContextSwitchTo(oldcontext);

	if (++table->nslots == BATCH_ROWS)
		bulk_flush(writer, table);
}

/*
 * Insert the batch and its index entries.
 */
static void
bulk_flush(MrStorageWriter *writer, BulkTable *table)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(table->batch);
	int			i;

	if (table->nslots > 0)
		table_multi_insert(table->rel, table->slots, table->nslots,
						   writer->cid, 0, table->bistate);
	for (i = 0; i < table->nslots; i++)
	{
		mr_compat_insert_index_tuples(table->result_rel, table->slots[i],
									  writer->estate);
		ExecClearTuple(table->slots[i]);
		ResetPerTupleExprContext(writer->estate);
	}
	table->nslots = 0;

	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(table->batch);
}

/*
 * Insert what is left and close the table; its lock is kept.
 */
static void
bulk_close(MrStorageWriter *writer, BulkTable *table)
{
	int			i;

	bulk_flush(writer, table);
	for (i = 0; i < BATCH_ROWS && table->slots[i] != NULL; i++)
		ExecDropSingleTupleTableSlot(table->slots[i]);
	if (table->bistate != NULL)
		FreeBulkInsertState(table->bistate);
	table_finish_bulk_insert(table->rel, 0);
	ExecCloseIndices(table->result_rel);
	table_close(table->rel, NoLock);
}

/*
 * Begin to read an artifact, in a child of the current memory context.
 */
static MrStorageReader *
database_read_begin(const uint8 *sha256, uint64 expected_size,
					Snapshot snapshot)
{
	MemoryContext parent = CurrentMemoryContext;
	MemoryContext context;
	MrStorageReader *reader;

	context = AllocSetContextCreate(parent, "modelreg artifact reader",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);

	reader = palloc0(sizeof(MrStorageReader));
	reader->parent = parent;
	reader->context = context;
	reader->per_chunk = AllocSetContextCreate(context, "modelreg chunk reader",
											  ALLOCSET_DEFAULT_SIZES);
	reader->snapshot = snapshot;
	reader->expected_size = expected_size;
	reader->lists = open_indexed("artifact_chunk", NULL, AccessShareLock);
	reader->chunks = open_indexed("chunk", NULL, AccessShareLock);
	reader->pieces = open_indexed("chunk_piece", NULL, AccessShareLock);
	reader->list_scan = begin_list_scan(&reader->lists, sha256, snapshot);

	MemoryContextSwitchTo(parent);
	return reader;
}

/*
 * Get the next piece, right from its page, which stays pinned until the next
 * call.
 */
static bool
database_read_next(MrStorageReader *reader, const char **data, Size *len)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(reader->per_chunk);
	bool		found = false;

	while (!found && !reader->finished)
	{
		if (reader->piece_scan != NULL || read_chunk(reader))
			found = read_piece(reader, data, len);
	}

	MemoryContextSwitchTo(oldcontext);
	return found;
}

/*
 * Tell what is wrong with what has been read so far, or NULL.
 */
static const char *
database_read_problem(MrStorageReader *reader)
{
	return reader->problem;
}

/*
 * Free the reader, at the end or anywhere before.
 */
static void
database_read_end(MrStorageReader *reader)
{
	if (reader->piece_scan != NULL)
		systable_endscan_ordered(reader->piece_scan);
	systable_endscan_ordered(reader->list_scan);
	close_indexed(&reader->pieces);
	close_indexed(&reader->chunks);
	close_indexed(&reader->lists);
	MemoryContextDelete(reader->context);
}

/*
 * Go to the next chunk of the artifact.  Returns false at the end or at damage.
 */
static bool
read_chunk(MrStorageReader *reader)
{
	HeapTuple	tuple;
	Datum		values[MAX_COLUMNS];
	int32		chunk_no;
	int64		byte_offset;
	const char *problem;
	pg_uuid_t  *chunk;

	/* What the index remembers between calls must outlive the chunk. */
	MemoryContextSwitchTo(reader->context);
	tuple = systable_getnext_ordered(reader->list_scan, ForwardScanDirection);
	MemoryContextSwitchTo(reader->per_chunk);
	if (tuple == NULL)
	{
		reader->finished = true;
		if (reader->chunk_offset != reader->expected_size)
			read_damage(reader, "is missing");
		return false;
	}

	if (!get_columns(&reader->lists, tuple, LIST_BYTE_OFFSET, values))
	{
		read_damage(reader, "is listed with a null column");
		return false;
	}
	chunk_no = DatumGetInt32(values[LIST_CHUNK_NO - 1]);
	chunk = DatumGetUUIDP(values[LIST_CHUNK - 1]);
	byte_offset = DatumGetInt64(values[LIST_BYTE_OFFSET - 1]);

	if (chunk_no != reader->chunk_no)
		problem = psprintf("is missing: an entry numbered %d is in its place",
						   chunk_no);
	else if (byte_offset != (int64) reader->chunk_offset)
		problem = psprintf("is listed at byte offset " INT64_FORMAT,
						   byte_offset);
	else
		problem = find_chunk(reader, chunk);
	if (problem != NULL)
	{
		read_damage(reader, problem);
		return false;
	}

	reader->chunk_len = 0;
	reader->piece_no = 0;
	reader->piece_scan = begin_chunk_scan(&reader->pieces, chunk,
										  reader->snapshot);
	return true;
}

/*
 * Look up the chunk that is next and set chunk_size.  Returns what is wrong
 * with it, or NULL.
 */
static const char *
find_chunk(MrStorageReader *reader, const pg_uuid_t *chunk)
{
	SysScanDesc scan;
	HeapTuple	tuple;
	const char *problem = NULL;

	scan = begin_chunk_scan(&reader->chunks, chunk, reader->snapshot);
	tuple = systable_getnext_ordered(scan, ForwardScanDirection);
	if (tuple == NULL)
		problem = "has no row in modelreg.chunk";
	else
	{
		Datum		values[MAX_COLUMNS];

		if (!get_columns(&reader->chunks, tuple, CHUNK_CODEC, values))
			problem = "has a null column in modelreg.chunk";
		else
		{
			int32		raw_size;
			int32		stored_size;
			int16		codec;

			raw_size = DatumGetInt32(values[CHUNK_RAW_SIZE - 1]);
			stored_size = DatumGetInt32(values[CHUNK_STORED_SIZE - 1]);
			codec = DatumGetInt16(values[CHUNK_CODEC - 1]);
			if (codec != CODEC_NONE)
				problem = psprintf("is stored with codec %d, which is not supported",
								   codec);
			else if (raw_size <= 0 || stored_size != raw_size)
				problem = psprintf("cannot have %d bytes, and %d as stored",
								   raw_size, stored_size);
			else if (raw_size > reader->expected_size - reader->chunk_offset)
				problem = psprintf("goes beyond the artifact's " UINT64_FORMAT " bytes",
								   reader->expected_size);
			reader->chunk_size = stored_size;
		}
		if (problem == NULL &&
			systable_getnext_ordered(scan, ForwardScanDirection) != NULL)
			problem = "has two rows in modelreg.chunk";
	}
	systable_endscan_ordered(scan);

	return problem;
}

/*
 * Get the next piece of the chunk.  Returns false at the chunk's end or at
 * damage.
 */
static bool
read_piece(MrStorageReader *reader, const char **data, Size *len)
{
	HeapTuple	tuple;
	Datum		values[MAX_COLUMNS];
	int32		left = reader->chunk_size - reader->chunk_len;
	int32		expected_len = Min(left, PIECE_SIZE);
	int32		piece_no;
	struct varlena *piece;
	const char *problem = NULL;

	tuple = systable_getnext_ordered(reader->piece_scan, ForwardScanDirection);
	if (tuple == NULL)
	{
		if (left > 0)
		{
			read_damage(reader, psprintf("lacks piece %d", reader->piece_no));
			return false;
		}
		systable_endscan_ordered(reader->piece_scan);
		reader->piece_scan = NULL;
		MemoryContextReset(reader->per_chunk);
		reader->chunk_no++;
		reader->chunk_offset += reader->chunk_size;
		return false;
	}

	if (!get_columns(&reader->pieces, tuple, PIECE_DATA, values))
	{
		read_damage(reader, psprintf("has a null column in piece %d",
									 reader->piece_no));
		return false;
	}
	piece_no = DatumGetInt32(values[PIECE_PIECE_NO - 1]);
	piece = (struct varlena *) DatumGetPointer(values[PIECE_DATA - 1]);

	if (piece_no < reader->piece_no)
		problem = psprintf("has an extra piece %d", piece_no);
	else if (left == 0)
		problem = psprintf("has a piece %d beyond its %d bytes", piece_no,
						   reader->chunk_size);
	else if (piece_no > reader->piece_no)
		problem = psprintf("lacks piece %d", reader->piece_no);
	else if (VARATT_IS_EXTERNAL(piece) || VARATT_IS_COMPRESSED(piece))
		problem = psprintf("has piece %d compressed or out of line", piece_no);
	else if (VARSIZE_ANY_EXHDR(piece) != expected_len)
		problem = psprintf("has %zu bytes in piece %d instead of %d",
						   (Size) VARSIZE_ANY_EXHDR(piece), piece_no,
						   expected_len);
	if (problem != NULL)
	{
		read_damage(reader, problem);
		return false;
	}

	reader->chunk_len += expected_len;
	reader->piece_no++;
	*data = VARDATA_ANY(piece);
	*len = expected_len;
	return true;
}

/*
 * Stop reading because of what is wrong with the current chunk.
 */
static void
read_damage(MrStorageReader *reader, const char *what)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(reader->parent);

	reader->problem = psprintf("chunk %d at byte offset " UINT64_FORMAT " %s",
							   reader->chunk_no, reader->chunk_offset, what);
	reader->finished = true;
	MemoryContextSwitchTo(oldcontext);
}

/*
 * Delete an artifact's list of chunks, and the chunks that are on no other
 * list.
 *
 * Rows are looked for with the latest snapshot, not the transaction's: a list
 * that somebody else has committed in the meantime must count.
 */
static void
database_remove(const uint8 *sha256)
{
	MemoryContext context;
	MemoryContext per_chunk;
	MemoryContext oldcontext;
	IndexedTable lists;
	IndexedTable lists_by_chunk;
	IndexedTable chunks;
	IndexedTable pieces;
	Snapshot	snapshot;
	SysScanDesc scan;
	HeapTuple	tuple;
	pg_uuid_t  *found;
	int			nfound = 0;
	int			maxfound = 64;
	int			i;

	context = AllocSetContextCreate(CurrentMemoryContext,
									"modelreg artifact removal",
									ALLOCSET_DEFAULT_SIZES);
	per_chunk = AllocSetContextCreate(context, "modelreg chunk removal",
									  ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(context);

	lists = open_indexed("artifact_chunk", NULL, RowExclusiveLock);
	lists_by_chunk = open_indexed("artifact_chunk", "artifact_chunk_chunk_idx",
								  RowExclusiveLock);
	chunks = open_indexed("chunk", NULL, RowExclusiveLock);
	pieces = open_indexed("chunk_piece", NULL, RowExclusiveLock);

	found = palloc(maxfound * sizeof(pg_uuid_t));
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	scan = begin_list_scan(&lists, sha256, snapshot);
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
				found = repalloc_huge(found, maxfound * sizeof(pg_uuid_t));
			}
			found[nfound++] = *DatumGetUUIDP(chunk);
		}
		simple_table_tuple_delete(lists.rel, &tuple->t_self, snapshot);
	}
	systable_endscan_ordered(scan);
	UnregisterSnapshot(snapshot);

	/* A chunk can be on a list twice; its rows can be deleted only once. */
	qsort(found, nfound, sizeof(pg_uuid_t), compare_uuids);

	CommandCounterIncrement();
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	MemoryContextSwitchTo(per_chunk);
	for (i = 0; i < nfound; i++)
	{
		bool		used;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(per_chunk);
		if (i > 0 && compare_uuids(&found[i], &found[i - 1]) == 0)
			continue;

		scan = begin_chunk_scan(&lists_by_chunk, &found[i], snapshot);
		used = systable_getnext_ordered(scan, ForwardScanDirection) != NULL;
		systable_endscan_ordered(scan);
		if (used)
			continue;

		delete_chunk_rows(&chunks, &found[i], snapshot);
		delete_chunk_rows(&pieces, &found[i], snapshot);
	}
	UnregisterSnapshot(snapshot);

	close_indexed(&pieces);
	close_indexed(&chunks);
	close_indexed(&lists_by_chunk);
	close_indexed(&lists);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);

	CommandCounterIncrement();
}

/*
 * Delete the rows of a chunk from chunk or chunk_piece.
 */
static void
delete_chunk_rows(IndexedTable *table, const pg_uuid_t *chunk,
				  Snapshot snapshot)
{
	SysScanDesc scan;
	HeapTuple	tuple;

	scan = begin_chunk_scan(table, chunk, snapshot);
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

/*
 * Report what belongs to nothing.  Holds some 50 bytes for each chunk.
 *
 * What is missing is not reported here: reading the artifact tells.
 */
static void
database_orphans(Snapshot snapshot, MrStorageReport report, void *arg)
{
	MemoryContext context;
	MemoryContext oldcontext;
	HTAB	   *artifacts;
	HTAB	   *chunks;

	context = AllocSetContextCreate(CurrentMemoryContext, "modelreg orphans",
									ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(context);

	artifacts = collect_artifacts(snapshot);
	chunks = collect_chunks(snapshot, artifacts, report, arg);
	report_stray_pieces(snapshot, chunks, report, arg);

	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);
}

/*
 * Collect the artifacts that exist.
 */
static HTAB *
collect_artifacts(Snapshot snapshot)
{
	HASHCTL		ctl = {0};
	HTAB	   *artifacts;
	FullScan	scan;

	ctl.keysize = MR_SHA256_LEN;
	ctl.entrysize = sizeof(ArtifactSeen);
	ctl.hcxt = CurrentMemoryContext;
	artifacts = hash_create("modelreg artifacts", 1024, &ctl,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	full_scan_begin(&scan, "artifact", snapshot);
	while (full_scan_next(&scan))
	{
		bool		isnull;
		Datum		sha256 = slot_getattr(scan.slot, ARTIFACT_SHA256, &isnull);

		if (!isnull && is_sha256(sha256))
			hash_search(artifacts, VARDATA_ANY(DatumGetPointer(sha256)),
						HASH_ENTER, NULL);
	}
	full_scan_end(&scan);

	return artifacts;
}

/*
 * Collect the chunks that are listed or stored.  Reports lists of artifacts
 * that do not exist, and chunks that are on no list.
 */
static HTAB *
collect_chunks(Snapshot snapshot, HTAB *artifacts, MrStorageReport report,
			   void *arg)
{
	HASHCTL		ctl = {0};
	HTAB	   *chunks;
	FullScan	scan;

	ctl.keysize = sizeof(pg_uuid_t);
	ctl.entrysize = sizeof(ChunkSeen);
	ctl.hcxt = CurrentMemoryContext;
	chunks = hash_create("modelreg chunks", 1024, &ctl,
						 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	full_scan_begin(&scan, "artifact_chunk", snapshot);
	while (full_scan_next(&scan))
	{
		bool		isnull;
		bool		found;
		Datum		sha256 = slot_getattr(scan.slot, LIST_SHA256, &isnull);
		Datum		chunk;

		if (isnull || !is_sha256(sha256))
			report(arg, "modelreg.artifact_chunk has a row without a SHA-256");
		else
		{
			const char *bytes = VARDATA_ANY(DatumGetPointer(sha256));

			/* Once reported, an artifact is entered and so not repeated. */
			hash_search(artifacts, bytes, HASH_ENTER, &found);
			if (!found)
				report(arg,
					   psprintf("artifact %s has chunks but no row in modelreg.artifact",
								mr_digest_hex((const uint8 *) bytes)));
		}

		chunk = slot_getattr(scan.slot, LIST_CHUNK, &isnull);
		if (!isnull)
			enter_chunk(chunks, DatumGetUUIDP(chunk))->listed = true;
	}
	full_scan_end(&scan);

	full_scan_begin(&scan, "chunk", snapshot);
	while (full_scan_next(&scan))
	{
		bool		isnull;
		Datum		chunk = slot_getattr(scan.slot, CHUNK_CHUNK, &isnull);
		ChunkSeen  *seen;

		if (isnull)
			continue;
		seen = enter_chunk(chunks, DatumGetUUIDP(chunk));
		if (!seen->listed && !seen->stored)
			report(arg, psprintf("chunk %s is part of no artifact",
								 uuid_string(DatumGetUUIDP(chunk))));
		seen->stored = true;
	}
	full_scan_end(&scan);

	return chunks;
}

/*
 * Report pieces of chunks that have no row.  The pieces are all the bytes that
 * there are, so look only at the first of each chunk, jumping from chunk to
 * chunk in the index.
 */
static void
report_stray_pieces(Snapshot snapshot, HTAB *chunks, MrStorageReport report,
					void *arg)
{
	IndexedTable pieces = open_indexed("chunk_piece", NULL, AccessShareLock);
	pg_uuid_t	last = MR_UUID_NIL;
	bool		first = true;
	bool		found;

	do
	{
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	tuple;

		CHECK_FOR_INTERRUPTS();
		if (first)
			ScanKeyInit(&key, PIECE_CHUNK, BTGreaterEqualStrategyNumber,
						F_UUID_GE, UUIDPGetDatum(&last));
		else
			ScanKeyInit(&key, PIECE_CHUNK, BTGreaterStrategyNumber,
						F_UUID_GT, UUIDPGetDatum(&last));
		first = false;

		scan = systable_beginscan_ordered(pieces.rel, pieces.index, snapshot,
										  1, &key);
		tuple = systable_getnext_ordered(scan, ForwardScanDirection);
		found = tuple != NULL;
		if (found)
		{
			bool		isnull;
			pg_uuid_t  *chunk;
			ChunkSeen  *seen;

			chunk = DatumGetUUIDP(heap_getattr(tuple, PIECE_CHUNK,
											   RelationGetDescr(pieces.rel),
											   &isnull));
			last = *chunk;
			seen = hash_search(chunks, &last, HASH_FIND, NULL);
			if (seen == NULL || !seen->stored)
				report(arg, psprintf("chunk %s has pieces but no row in modelreg.chunk",
									 uuid_string(&last)));
		}
		systable_endscan_ordered(scan);
	} while (found);

	close_indexed(&pieces);
}

/*
 * Find or enter a chunk.
 */
static ChunkSeen *
enter_chunk(HTAB *chunks, const pg_uuid_t *chunk)
{
	bool		found;
	ChunkSeen  *seen = hash_search(chunks, chunk, HASH_ENTER, &found);

	if (!found)
	{
		seen->listed = false;
		seen->stored = false;
	}
	return seen;
}

/*
 * Does this bytea, which came right from a table, have the length of a SHA-256?
 */
static bool
is_sha256(Datum datum)
{
	struct varlena *bytes = (struct varlena *) DatumGetPointer(datum);

	return !VARATT_IS_EXTERNAL(bytes) && !VARATT_IS_COMPRESSED(bytes) &&
		VARSIZE_ANY_EXHDR(bytes) == MR_SHA256_LEN;
}

/*
 * A UUID as text, palloc'd.
 */
static const char *
uuid_string(const pg_uuid_t *uuid)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(uuid)));
}

/*
 * Begin to read a whole table.
 */
static void
full_scan_begin(FullScan *scan, const char *name, Snapshot snapshot)
{
	scan->rel = table_open(table_oid(name), AccessShareLock);
	scan->slot = table_slot_create(scan->rel, NULL);
	scan->scan = table_beginscan(scan->rel, snapshot, 0, NULL);
}

/*
 * Get the next row into the scan's slot.
 */
static bool
full_scan_next(FullScan *scan)
{
	CHECK_FOR_INTERRUPTS();
	return table_scan_getnextslot(scan->scan, ForwardScanDirection, scan->slot);
}

/*
 * Close the table.
 */
static void
full_scan_end(FullScan *scan)
{
	table_endscan(scan->scan);
	ExecDropSingleTupleTableSlot(scan->slot);
	table_close(scan->rel, AccessShareLock);
}

/*
 * Find a table or index of schema modelreg, whatever search_path says.
 */
static Oid
table_oid(const char *name)
{
	Oid			oid = get_relname_relid(name,
										get_namespace_oid("modelreg", false));

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"modelreg.%s\" does not exist", name)));
	return oid;
}

/*
 * Open a table with one of its indexes, by default that of its primary key.
 */
static IndexedTable
open_indexed(const char *name, const char *index_name, LOCKMODE lockmode)
{
	IndexedTable table;
	Oid			index;

	table.rel = table_open(table_oid(name), lockmode);
	if (index_name != NULL)
		index = table_oid(index_name);
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
 * Close what open_indexed opened; the table's lock is kept.
 */
static void
close_indexed(IndexedTable *table)
{
	index_close(table->index, AccessShareLock);
	table_close(table->rel, NoLock);
}

/*
 * Scan the rows of a chunk: of chunk or chunk_piece in the order of the primary
 * key, or of artifact_chunk with its index on the chunk.
 */
static SysScanDesc
begin_chunk_scan(IndexedTable *table, const pg_uuid_t *chunk, Snapshot snapshot)
{
	ScanKeyData key;

	/* The chunk is the first column of the index; which is it of the table? */
	ScanKeyInit(&key, table->index->rd_index->indkey.values[0],
				BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(chunk));
	return systable_beginscan_ordered(table->rel, table->index, snapshot, 1,
									  &key);
}

/*
 * Scan the chunks of an artifact in order.
 */
static SysScanDesc
begin_list_scan(IndexedTable *table, const uint8 *sha256, Snapshot snapshot)
{
	ScanKeyData key;

	/* The key's value must last as long as the scan: it is not freed here. */
	ScanKeyInit(&key, LIST_SHA256, BTEqualStrategyNumber, F_BYTEAEQ,
				PointerGetDatum(make_bytea(sha256)));
	return systable_beginscan_ordered(table->rel, table->index, snapshot, 1,
									  &key);
}

/*
 * A SHA-256 as bytea, palloc'd.
 */
static bytea *
make_bytea(const uint8 *sha256)
{
	bytea	   *result = palloc(VARHDRSZ + MR_SHA256_LEN);

	SET_VARSIZE(result, VARHDRSZ + MR_SHA256_LEN);
	memcpy(VARDATA(result), sha256, MR_SHA256_LEN);
	return result;
}

/*
 * Get the first columns of a row.  Returns false if one is null, which the
 * tables do not allow.
 */
static bool
get_columns(IndexedTable *table, HeapTuple tuple, int ncolumns, Datum *values)
{
	int			i;

	for (i = 0; i < ncolumns; i++)
	{
		bool		isnull;

		values[i] = heap_getattr(tuple, i + 1, RelationGetDescr(table->rel),
								 &isnull);
		if (isnull)
			return false;
	}
	return true;
}
