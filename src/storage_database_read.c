/*-------------------------------------------------------------------------
 *
 * storage_database_read.c
 *	  Artifacts in the database: reading.
 *
 * Nothing is believed: each list entry, chunk and piece is compared with what
 * must be at its place, and the first that differs ends the reading.  Whether
 * the bytes themselves are right is for the caller's digest to tell.
 *
 * LAYER 2
 *
 * IDENTIFICATION
 *	  src/storage_database_read.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "compat.h"
#include "digest.h"
#include "storage.h"
#include "storage_database.h"
#include "table.h"

struct MrStorageReader
{
	MemoryContext parent;		/* where problem lives */
	MemoryContext context;		/* holds the rest of this */
	MemoryContext per_chunk;	/* reset for each chunk */
	Snapshot	snapshot;
	uint64		expected_size;	/* of the artifact */
	MrIndexedTable lists;		/* artifact_chunk */
	MrIndexedTable chunks;		/* chunk */
	MrIndexedTable pieces;		/* chunk_piece */
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

static bool read_chunk(MrStorageReader *reader);
static bool find_chunk(MrStorageReader *reader, Datum chunk);
static bool read_piece(MrStorageReader *reader, const char **data, Size *len);
static bool damaged(MrStorageReader *reader, const char *what);

/*
 * Begin to read an artifact, in a child of the current memory context.
 */
MrStorageReader *
mr_database_read_begin(const uint8 *sha256, uint64 expected_size,
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
	reader->lists = mr_table_open_indexed("artifact_chunk", NULL,
										  AccessShareLock);
	reader->chunks = mr_table_open_indexed("chunk", NULL, AccessShareLock);
	reader->pieces = mr_table_open_indexed("chunk_piece", NULL,
										   AccessShareLock);
	reader->list_scan = mr_table_scan(&reader->lists, BTEqualStrategyNumber,
									  F_BYTEAEQ,
									  PointerGetDatum(mr_digest_bytea(sha256)),
									  snapshot);

	MemoryContextSwitchTo(parent);
	return reader;
}

/*
 * Get the next piece, right from its page, which stays pinned until the next
 * call.
 */
bool
mr_database_read_next(MrStorageReader *reader, const char **data, Size *len)
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
const char *
mr_database_read_problem(MrStorageReader *reader)
{
	return reader->problem;
}

/*
 * Free the reader, at the end or anywhere before.
 */
void
mr_database_read_end(MrStorageReader *reader)
{
	if (reader->piece_scan != NULL)
		systable_endscan_ordered(reader->piece_scan);
	systable_endscan_ordered(reader->list_scan);
	mr_table_close_indexed(&reader->pieces);
	mr_table_close_indexed(&reader->chunks);
	mr_table_close_indexed(&reader->lists);
	MemoryContextDelete(reader->context);
}

/*
 * Go to the next chunk of the artifact.  Returns false at the end or at damage.
 */
static bool
read_chunk(MrStorageReader *reader)
{
	HeapTuple	tuple;
	Datum		values[LIST_COLUMNS];
	int32		chunk_no;
	int64		byte_offset;
	Datum		chunk;

	/* What the index remembers between calls must outlive the chunk. */
	MemoryContextSwitchTo(reader->context);
	tuple = systable_getnext_ordered(reader->list_scan, ForwardScanDirection);
	MemoryContextSwitchTo(reader->per_chunk);
	if (tuple == NULL)
	{
		if (reader->chunk_offset != reader->expected_size)
			return damaged(reader, "is missing");
		reader->finished = true;
		return false;
	}

	if (!mr_table_columns(reader->lists.rel, tuple, LIST_COLUMNS, values))
		return damaged(reader, "is listed with a null column");
	chunk_no = DatumGetInt32(values[LIST_CHUNK_NO - 1]);
	chunk = values[LIST_CHUNK - 1];
	byte_offset = DatumGetInt64(values[LIST_BYTE_OFFSET - 1]);

	if (chunk_no != reader->chunk_no)
		return damaged(reader,
					   psprintf("is missing: an entry numbered %d is in its place",
								chunk_no));
	if (byte_offset != (int64) reader->chunk_offset)
		return damaged(reader,
					   psprintf("is listed at byte offset " INT64_FORMAT,
								byte_offset));
	if (!find_chunk(reader, chunk))
		return false;

	reader->chunk_len = 0;
	reader->piece_no = 0;
	reader->piece_scan = mr_table_scan(&reader->pieces, BTEqualStrategyNumber,
									   F_UUID_EQ, chunk, reader->snapshot);
	return true;
}

/*
 * Look up the chunk that is next and set chunk_size.  Returns false at damage.
 */
static bool
find_chunk(MrStorageReader *reader, Datum chunk)
{
	SysScanDesc scan;
	HeapTuple	tuple;
	Datum		values[CHUNK_COLUMNS];
	bool		found;
	bool		complete;
	bool		twice;
	int32		raw_size;
	int32		stored_size;
	int16		codec;

	scan = mr_table_scan(&reader->chunks, BTEqualStrategyNumber, F_UUID_EQ,
						 chunk, reader->snapshot);
	tuple = systable_getnext_ordered(scan, ForwardScanDirection);
	found = tuple != NULL;
	complete = found && mr_table_columns(reader->chunks.rel, tuple,
										 CHUNK_COLUMNS, values);
	twice = found &&
		systable_getnext_ordered(scan, ForwardScanDirection) != NULL;
	systable_endscan_ordered(scan);

	if (!found)
		return damaged(reader, "has no row in modelreg.chunk");
	if (!complete)
		return damaged(reader, "has a null column in modelreg.chunk");

	/* Sizes and codec are passed by value: they outlive the scan. */
	raw_size = DatumGetInt32(values[CHUNK_RAW_SIZE - 1]);
	stored_size = DatumGetInt32(values[CHUNK_STORED_SIZE - 1]);
	codec = DatumGetInt16(values[CHUNK_CODEC - 1]);

	if (codec != CODEC_NONE)
		return damaged(reader,
					   psprintf("is stored with codec %d, which is not supported",
								codec));
	if (raw_size <= 0 || stored_size != raw_size)
		return damaged(reader,
					   psprintf("cannot have %d bytes, and %d as stored",
								raw_size, stored_size));
	if (raw_size > reader->expected_size - reader->chunk_offset)
		return damaged(reader,
					   psprintf("goes beyond the artifact's " UINT64_FORMAT " bytes",
								reader->expected_size));
	if (twice)
		return damaged(reader, "has two rows in modelreg.chunk");

	reader->chunk_size = raw_size;
	return true;
}

/*
 * Get the next piece of the chunk.  Returns false at the chunk's end or at
 * damage.
 */
static bool
read_piece(MrStorageReader *reader, const char **data, Size *len)
{
	HeapTuple	tuple;
	Datum		values[PIECE_COLUMNS];
	int32		left = reader->chunk_size - reader->chunk_len;
	int32		expected_len = Min(left, PIECE_SIZE);
	int32		piece_no;
	struct varlena *piece;

	tuple = systable_getnext_ordered(reader->piece_scan, ForwardScanDirection);
	if (tuple == NULL)
	{
		if (left > 0)
			return damaged(reader, psprintf("lacks piece %d",
											reader->piece_no));
		systable_endscan_ordered(reader->piece_scan);
		reader->piece_scan = NULL;
		MemoryContextReset(reader->per_chunk);
		reader->chunk_no++;
		reader->chunk_offset += reader->chunk_size;
		return false;
	}

	if (!mr_table_columns(reader->pieces.rel, tuple, PIECE_COLUMNS, values))
		return damaged(reader, psprintf("has a null column in piece %d",
										reader->piece_no));
	piece_no = DatumGetInt32(values[PIECE_PIECE_NO - 1]);
	piece = (struct varlena *) DatumGetPointer(values[PIECE_DATA - 1]);

	if (piece_no < reader->piece_no)
		return damaged(reader, psprintf("has an extra piece %d", piece_no));
	if (left == 0)
		return damaged(reader, psprintf("has a piece %d beyond its %d bytes",
										piece_no, reader->chunk_size));
	if (piece_no > reader->piece_no)
		return damaged(reader, psprintf("lacks piece %d", reader->piece_no));
	if (VARATT_IS_EXTERNAL(piece) || VARATT_IS_COMPRESSED(piece))
		return damaged(reader,
					   psprintf("has piece %d compressed or out of line",
								piece_no));
	if (VARSIZE_ANY_EXHDR(piece) != expected_len)
		return damaged(reader,
					   psprintf("has %zu bytes in piece %d instead of %d",
								(Size) VARSIZE_ANY_EXHDR(piece), piece_no,
								expected_len));

	reader->chunk_len += expected_len;
	reader->piece_no++;
	*data = VARDATA_ANY(piece);
	*len = expected_len;
	return true;
}

/*
 * Stop reading because of what is wrong with the current chunk.  Returns false.
 */
static bool
damaged(MrStorageReader *reader, const char *what)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(reader->parent);

	reader->problem = psprintf("chunk %d at byte offset " UINT64_FORMAT " %s",
							   reader->chunk_no, reader->chunk_offset, what);
	reader->finished = true;
	MemoryContextSwitchTo(oldcontext);
	return false;
}
