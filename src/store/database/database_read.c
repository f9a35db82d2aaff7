/*
 * Artifacts in the database: reading.
 *
 * Nothing is believed: each entry of the list of chunks is compared with what
 * must be at its place, and the first that differs ends the reading.  Whether
 * the bytes themselves are right is for the caller's digest to tell, or, where
 * that does not see them all, for the chunks' checksums.
 */
#include "postgres.h"

#include "utils/fmgroids.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/guc.h"
#include "store/database/chunk_reader.h"
#include "store/database/database.h"
#include "store/table.h"

struct MrStorageReader
{
	MemoryContext parent;		/* where problem lives */
	MemoryContext context;		/* holds the rest of this */
	MemoryContext per_entry;	/* reset for each entry of the list */
	pg_uuid_t	content;		/* key of the scan */
	uint64		expected_size;	/* of the artifact */
	bool		check;			/* compare chunks with their checksums */
	MrIndexedTable lists;		/* artifact_chunk */
	SysScanDesc scan;			/* over the artifact's chunks */
	MrChunkReader *chunks;

	bool		finished;		/* at the end, or at a problem */
	MrHealth	health;			/* of what has been read */
	const char *problem;		/* what is wrong, if anything */
	bool		in_chunk;		/* more pieces of the chunk are to come */
	int32		chunk_no;		/* the chunk that is being read, or is next */
	uint64		chunk_offset;	/* where it begins in the artifact */
	int32		chunk_size;		/* its size */
	int32		skip;			/* bytes at its beginning not asked for */
};

static void seek_chunk(MrStorageReader *reader, uint64 byte_offset,
					   Snapshot snapshot);
static bool read_list(MrStorageReader *reader, pg_uuid_t *chunk);
static bool begin_chunk(MrStorageReader *reader, const pg_uuid_t *key,
						const char **data, Size *len);
static bool read_piece_of_chunk(MrStorageReader *reader, const char **data,
								Size *len);
static void finish_chunk(MrStorageReader *reader);
static bool chunk_damaged(MrStorageReader *reader);
static bool bad_content(MrStorageReader *reader, const char *what);

/*
 * Begin to read a content at byte_offset, in a child of the current memory
 * context.
 */
MrStorageReader *
mr_database_read_begin(const pg_uuid_t *content, uint64 expected_size,
					   uint64 byte_offset, bool check, Snapshot snapshot)
{
	MemoryContext parent = CurrentMemoryContext;
	MemoryContext context;
	MrStorageReader *reader;
	int64		first_offset;

	context = AllocSetContextCreate(parent, "modelreg artifact reader",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);

	reader = palloc0(sizeof(MrStorageReader));
	reader->parent = parent;
	reader->context = context;
	reader->per_entry = AllocSetContextCreate(context, "modelreg list entry",
											  ALLOCSET_SMALL_SIZES);
	reader->content = *content;
	reader->expected_size = expected_size;
	reader->check = check;
	reader->lists = mr_table_open_indexed("artifact_chunk", NULL,
										  AccessShareLock);
	reader->chunks = mr_chunk_reader_begin(snapshot);
	if (byte_offset > 0)
		seek_chunk(reader, byte_offset, snapshot);
	/* from the start means from the first entry, wherever that says it is */
	first_offset = reader->chunk_offset;
	if (first_offset == 0)
		first_offset = PG_INT64_MIN;
	reader->scan = mr_table_scan_from(&reader->lists, F_UUID_EQ,
									  UUIDPGetDatum(&reader->content),
									  BTGreaterEqualStrategyNumber, F_INT8GE,
									  Int64GetDatum(first_offset), snapshot);

	MemoryContextSwitchTo(parent);
	return reader;
}

/*
 * Get the next run: a piece, right from its page, which stays pinned until the
 * next call, or a chunk, if it is compressed or has to be checked.
 */
bool
mr_database_read_next(MrStorageReader *reader, const char **data, Size *len)
{
	while (!reader->finished)
	{
		pg_uuid_t	chunk;

		if (reader->in_chunk)
		{
			if (read_piece_of_chunk(reader, data, len))
				return true;
		}
		else if (read_list(reader, &chunk) &&
				 begin_chunk(reader, &chunk, data, len))
			return true;
	}
	return false;
}

/*
 * Tell what became of what has been read so far.
 */
MrHealth
mr_database_read_health(MrStorageReader *reader, const char **problem)
{
	*problem = reader->problem;
	return reader->health;
}

/*
 * Free the reader, at the end or anywhere before.
 */
void
mr_database_read_end(MrStorageReader *reader)
{
	systable_endscan_ordered(reader->scan);
	mr_chunk_reader_end(reader->chunks);
	mr_table_close_indexed(&reader->lists);
	MemoryContextDelete(reader->context);
}

/*
 * Find the chunk that byte_offset lies in.  If its entry is missing, the one
 * before is found, and reading will tell.
 */
static void
seek_chunk(MrStorageReader *reader, uint64 byte_offset, Snapshot snapshot)
{
	SysScanDesc scan;
	HeapTuple	tuple;
	Datum		values[LIST_COLUMNS];

	scan = mr_table_scan_from(&reader->lists, F_UUID_EQ,
							  UUIDPGetDatum(&reader->content),
							  BTLessEqualStrategyNumber, F_INT8LE,
							  Int64GetDatum(byte_offset), snapshot);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	if (tuple != NULL &&
		mr_table_columns(reader->lists.rel, tuple, LIST_COLUMNS, values) &&
		DatumGetInt64(values[LIST_BYTE_OFFSET - 1]) >= 0)
	{
		reader->chunk_no = DatumGetInt32(values[LIST_CHUNK_NO - 1]);
		reader->chunk_offset = DatumGetInt64(values[LIST_BYTE_OFFSET - 1]);
	}
	systable_endscan_ordered(scan);
	reader->skip = Min(byte_offset - reader->chunk_offset, PG_INT32_MAX);
}

/*
 * Go to the next entry of the list.  Returns false at the end or at damage.
 */
static bool
read_list(MrStorageReader *reader, pg_uuid_t *chunk)
{
	HeapTuple	tuple;
	Datum		values[LIST_COLUMNS];
	int32		chunk_no;
	int64		byte_offset;

	tuple = systable_getnext_ordered(reader->scan, ForwardScanDirection);
	MemoryContextReset(reader->per_entry);
	if (tuple == NULL)
	{
		if (reader->chunk_offset != reader->expected_size)
			return bad_content(reader, "is missing");
		reader->finished = true;
		return false;
	}

	if (!mr_table_columns(reader->lists.rel, tuple, LIST_COLUMNS, values))
		return bad_content(reader, "is listed with a null column");
	chunk_no = DatumGetInt32(values[LIST_CHUNK_NO - 1]);
	*chunk = *DatumGetUUIDP(values[LIST_CHUNK - 1]);
	byte_offset = DatumGetInt64(values[LIST_BYTE_OFFSET - 1]);

	if (byte_offset != (int64) reader->chunk_offset)
		return bad_content(reader,
						   psprintf("is missing: one at byte offset " INT64_FORMAT " is in its place",
									byte_offset));
	if (chunk_no != reader->chunk_no)
		return bad_content(reader, psprintf("is numbered %d", chunk_no));
	return true;
}

/*
 * Begin to read a chunk; get it, or its first piece that was asked for.
 * Returns false at damage.
 */
static bool
begin_chunk(MrStorageReader *reader, const pg_uuid_t *key, const char **data,
			Size *len)
{
	MrChunk		chunk;
	bool		whole;

	if (!mr_chunk_reader_find(reader->chunks, key, &chunk))
		return chunk_damaged(reader);
	whole = reader->check || chunk.codec != MR_CODEC_NONE;
	if (!mr_chunk_reader_open(reader->chunks, &chunk,
							  whole ? 0 : reader->skip / PIECE_SIZE))
		return chunk_damaged(reader);
	if (chunk.raw_size > reader->expected_size - reader->chunk_offset)
		return bad_content(reader,
						   psprintf("goes beyond the artifact's " UINT64_FORMAT " bytes",
									reader->expected_size));
	if (chunk.raw_size <= reader->skip)
		return bad_content(reader,
						   psprintf("has %d bytes, and no chunk follows",
									chunk.raw_size));
	reader->chunk_size = chunk.raw_size;

	if (!whole)
	{
		reader->in_chunk = true;
		reader->skip %= PIECE_SIZE;
		return read_piece_of_chunk(reader, data, len);
	}

	if (!mr_chunk_reader_whole(reader->chunks, reader->check, data))
		return chunk_damaged(reader);
	*data += reader->skip;
	*len = chunk.raw_size - reader->skip;
	finish_chunk(reader);
	return true;
}

/*
 * Get the next piece of the chunk.  Returns false at its end, or at damage.
 */
static bool
read_piece_of_chunk(MrStorageReader *reader, const char **data, Size *len)
{
	const char *problem;

	if (mr_chunk_reader_next(reader->chunks, data, len))
	{
		*data += reader->skip;
		*len -= reader->skip;
		reader->skip = 0;
		return true;
	}
	if (mr_chunk_reader_health(reader->chunks, &problem) != MR_WHOLE)
		return chunk_damaged(reader);

	finish_chunk(reader);
	return false;
}

static void
finish_chunk(MrStorageReader *reader)
{
	reader->in_chunk = false;
	reader->skip = 0;
	reader->chunk_no++;
	reader->chunk_offset += reader->chunk_size;
}

/*
 * Stop reading because the reader of chunks did.  Returns false.
 */
static bool
chunk_damaged(MrStorageReader *reader)
{
	const char *problem;
	MrHealth	health = mr_chunk_reader_health(reader->chunks, &problem);

	bad_content(reader, problem);
	reader->health = health;
	return false;
}

/*
 * Stop reading because of what is wrong with the current chunk.  Returns false.
 */
static bool
bad_content(MrStorageReader *reader, const char *what)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(reader->parent);

	reader->problem = psprintf("chunk %d at byte offset " UINT64_FORMAT " %s",
							   reader->chunk_no, reader->chunk_offset, what);
	reader->health = MR_DAMAGED;
	reader->finished = true;
	MemoryContextSwitchTo(oldcontext);
	return false;
}
