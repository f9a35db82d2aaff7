/*
 * Reading the chunks of the database storage.
 *
 * Nothing is believed: row and pieces of a chunk are compared with what must be
 * there, and the first that differs ends the reading.
 */
#include "postgres.h"

#include "utils/fmgroids.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "bytes/codec.h"
#include "bytes/fingerprint.h"
#include "store/database/chunk_reader.h"
#include "store/database/database.h"
#include "store/table.h"

/* No version of modelreg has made larger chunks; limits what is allocated. */
#define CHUNK_SIZE_LIMIT (16 * 1024 * 1024)

struct MrChunkReader
{
	MemoryContext context;		/* holds all of this */
	MemoryContext per_chunk;	/* reset for each chunk */
	Snapshot	snapshot;
	MrIndexedTable chunks;		/* chunk */
	MrIndexedTable pieces;		/* chunk_piece */

	MrChunk		chunk;			/* the one that is open */
	SysScanDesc scan;			/* over its pieces; NULL: none is open */
	int32		piece_no;		/* the piece that is next */
	int32		len;			/* stored bytes read */
	MrHealth	health;			/* as far as it has been read */
	const char *problem;		/* what is wrong with it, if anything */

	char	   *stored;			/* buffers for what is put together */
	Size		stored_size;
	char	   *raw;
	Size		raw_size;
};

static bool check_chunk(MrChunkReader *reader, const MrChunk *chunk);
static bool read_piece(MrChunkReader *reader, HeapTuple tuple,
					   const char **data, Size *len);
static bool read_pieces(MrChunkReader *reader, char *buffer);
static char *reserve_buffer(MrChunkReader *reader, char **buffer, Size *size,
							Size wanted);
static void close_chunk(MrChunkReader *reader);
static bool bad_chunk(MrChunkReader *reader, const char *what);

/*
 * Read a row of modelreg.chunk.  Returns false if a column is null.
 */
bool
mr_chunk_reader_row(Relation rel, HeapTuple tuple, MrChunk *chunk)
{
	Datum		values[CHUNK_COLUMNS];

	if (!mr_table_columns(rel, tuple, CHUNK_COLUMNS, values))
		return false;
	chunk->chunk = *DatumGetUUIDP(values[CHUNK_CHUNK - 1]);
	chunk->raw_size = DatumGetInt32(values[CHUNK_RAW_SIZE - 1]);
	chunk->stored_size = DatumGetInt32(values[CHUNK_STORED_SIZE - 1]);
	chunk->codec = DatumGetInt16(values[CHUNK_CODEC - 1]);
	chunk->xxh3 = *DatumGetUUIDP(values[CHUNK_XXH3 - 1]);
	return true;
}

/*
 * Begin to read chunks as of the snapshot, in a child of the current memory
 * context.
 */
MrChunkReader *
mr_chunk_reader_begin(Snapshot snapshot)
{
	MemoryContext context;
	MemoryContext oldcontext;
	MrChunkReader *reader;

	context = AllocSetContextCreate(CurrentMemoryContext,
									"modelreg chunk reader",
									ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(context);
	reader = palloc0(sizeof(MrChunkReader));
	reader->context = context;
	reader->per_chunk = AllocSetContextCreate(context, "modelreg chunk",
											  ALLOCSET_DEFAULT_SIZES);
	reader->snapshot = snapshot;
	reader->chunks = mr_table_open_indexed("chunk", NULL, AccessShareLock);
	reader->pieces = mr_table_open_indexed("chunk_piece", NULL,
										   AccessShareLock);
	MemoryContextSwitchTo(oldcontext);
	return reader;
}

/*
 * Free the reader, wherever it is.
 */
void
mr_chunk_reader_end(MrChunkReader *reader)
{
	close_chunk(reader);
	mr_table_close_indexed(&reader->pieces);
	mr_table_close_indexed(&reader->chunks);
	MemoryContextDelete(reader->context);
}

/*
 * Look up a chunk by its key.  Returns false at damage.
 */
bool
mr_chunk_reader_find(MrChunkReader *reader, const pg_uuid_t *key,
					 MrChunk *chunk)
{
	MemoryContext oldcontext;
	pg_uuid_t	wanted = *key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;
	bool		complete;
	bool		twice;

	close_chunk(reader);
	oldcontext = MemoryContextSwitchTo(reader->per_chunk);
	scan = mr_table_scan(&reader->chunks, BTEqualStrategyNumber, F_UUID_EQ,
						 UUIDPGetDatum(&wanted), reader->snapshot);
	tuple = systable_getnext_ordered(scan, ForwardScanDirection);
	found = tuple != NULL;
	complete = found && mr_chunk_reader_row(reader->chunks.rel, tuple, chunk);
	twice = found &&
		systable_getnext_ordered(scan, ForwardScanDirection) != NULL;
	systable_endscan_ordered(scan);
	MemoryContextSwitchTo(oldcontext);

	if (!found)
		return bad_chunk(reader, "has no row in modelreg.chunk");
	if (!complete)
		return bad_chunk(reader, "has a null column in modelreg.chunk");
	if (twice)
		return bad_chunk(reader, "has two rows in modelreg.chunk");
	return true;
}

/*
 * Begin to read the pieces of a chunk whose row has been found, from the given
 * one on, which the chunk must have.  Returns false at damage.
 */
bool
mr_chunk_reader_open(MrChunkReader *reader, const MrChunk *chunk,
					 int32 first_piece)
{
	MemoryContext oldcontext;

	close_chunk(reader);
	if (!check_chunk(reader, chunk))
		return false;

	reader->chunk = *chunk;
	reader->piece_no = first_piece;
	reader->len = first_piece * PIECE_SIZE;
	oldcontext = MemoryContextSwitchTo(reader->per_chunk);
	if (first_piece == 0)
		reader->scan = mr_table_scan(&reader->pieces, BTEqualStrategyNumber,
									 F_UUID_EQ,
									 UUIDPGetDatum(&reader->chunk.chunk),
									 reader->snapshot);
	else
		reader->scan = mr_table_scan_from(&reader->pieces, F_UUID_EQ,
										  UUIDPGetDatum(&reader->chunk.chunk),
										  BTGreaterEqualStrategyNumber,
										  F_INT4GE, Int32GetDatum(first_piece),
										  reader->snapshot);
	MemoryContextSwitchTo(oldcontext);
	return true;
}

/*
 * Get the next piece of the chunk as it is stored, right from its page, which
 * stays pinned until the next call.  Returns false at the end, or at damage.
 */
bool
mr_chunk_reader_next(MrChunkReader *reader, const char **data, Size *len)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(reader->per_chunk);
	HeapTuple	tuple;
	bool		found;

	tuple = systable_getnext_ordered(reader->scan, ForwardScanDirection);
	if (tuple != NULL)
		found = read_piece(reader, tuple, data, len);
	else
	{
		found = false;
		if (reader->len < reader->chunk.stored_size)
			bad_chunk(reader, psprintf("lacks piece %d", reader->piece_no));
	}
	MemoryContextSwitchTo(oldcontext);
	return found;
}

/*
 * Get the whole chunk, decompressed: data points at its raw_size bytes, which
 * stay valid until the next chunk.  With check they are compared with the
 * chunk's XXH3.  Returns false at damage.
 */
bool
mr_chunk_reader_whole(MrChunkReader *reader, bool check, const char **data)
{
	MrChunk    *chunk = &reader->chunk;
	char	   *raw = reserve_buffer(reader, &reader->raw, &reader->raw_size,
									 chunk->raw_size);

	if (chunk->codec == MR_CODEC_NONE)
	{
		if (!read_pieces(reader, raw))
			return false;
	}
	else
	{
		char	   *stored = reserve_buffer(reader, &reader->stored,
											&reader->stored_size,
											chunk->stored_size);

		if (!read_pieces(reader, stored))
			return false;
		if (!mr_codec_decompress(chunk->codec, stored, chunk->stored_size, raw,
								 chunk->raw_size))
			return bad_chunk(reader,
							 psprintf("cannot be decompressed with %s",
									  mr_codec_name(chunk->codec)));
	}

	if (check)
	{
		pg_uuid_t	xxh3;

		mr_fingerprint(raw, chunk->raw_size, &xxh3);
		if (memcmp(&xxh3, &chunk->xxh3, UUID_LEN) != 0)
			return bad_chunk(reader, "does not match its checksum");
	}
	*data = raw;
	return true;
}

/*
 * What became of the chunk that was found or opened last, as far as it has been
 * read; the problem is valid until the next, and NULL if there is none.
 */
MrHealth
mr_chunk_reader_health(MrChunkReader *reader, const char **problem)
{
	*problem = reader->problem;
	return reader->health;
}

/*
 * Read a whole chunk and compare it with its XXH3.  Its row is stored in chunk,
 * unless it is damaged.
 */
MrHealth
mr_chunk_reader_check(MrChunkReader *reader, const pg_uuid_t *key,
					  MrChunk *chunk)
{
	const char *data;

	(void) (mr_chunk_reader_find(reader, key, chunk) &&
			mr_chunk_reader_open(reader, chunk, 0) &&
			mr_chunk_reader_whole(reader, true, &data));
	return reader->health;
}

/*
 * Whether the row makes sense.
 */
static bool
check_chunk(MrChunkReader *reader, const MrChunk *chunk)
{
	if (!mr_codec_is_known(chunk->codec))
		return bad_chunk(reader,
						 psprintf("is stored with codec %d, which is not supported",
								  chunk->codec));
	if (!mr_codec_is_built_in(chunk->codec))
	{
		bad_chunk(reader,
				  psprintf("is compressed with %s, which this build of modelreg has not",
						   mr_codec_name(chunk->codec)));
		reader->health = MR_UNREADABLE;
		return false;
	}
	if (chunk->raw_size <= 0 || chunk->raw_size > CHUNK_SIZE_LIMIT ||
		chunk->stored_size <= 0 || chunk->stored_size > chunk->raw_size ||
		(chunk->codec == MR_CODEC_NONE &&
		 chunk->stored_size != chunk->raw_size))
		return bad_chunk(reader,
						 psprintf("cannot have %d bytes, and %d as stored",
								  chunk->raw_size, chunk->stored_size));
	return true;
}

static bool
read_piece(MrChunkReader *reader, HeapTuple tuple, const char **data,
		   Size *len)
{
	Datum		values[PIECE_COLUMNS];
	int32		left = reader->chunk.stored_size - reader->len;
	int32		expected_len = Min(left, PIECE_SIZE);
	int32		piece_no;
	struct varlena *piece;

	if (!mr_table_columns(reader->pieces.rel, tuple, PIECE_COLUMNS, values))
		return bad_chunk(reader, psprintf("has a null column in piece %d",
										  reader->piece_no));
	piece_no = DatumGetInt32(values[PIECE_PIECE_NO - 1]);
	piece = (struct varlena *) DatumGetPointer(values[PIECE_DATA - 1]);

	if (piece_no < reader->piece_no)
		return bad_chunk(reader, psprintf("has an extra piece %d", piece_no));
	if (left == 0)
		return bad_chunk(reader, psprintf("has a piece %d beyond its %d bytes",
										  piece_no, reader->chunk.stored_size));
	if (piece_no > reader->piece_no)
		return bad_chunk(reader, psprintf("lacks piece %d", reader->piece_no));
	if (VARATT_IS_EXTERNAL(piece) || VARATT_IS_COMPRESSED(piece))
		return bad_chunk(reader,
						 psprintf("has piece %d compressed or out of line",
								  piece_no));
	if (VARSIZE_ANY_EXHDR(piece) != expected_len)
		return bad_chunk(reader,
						 psprintf("has %zu bytes in piece %d instead of %d",
								  (Size) VARSIZE_ANY_EXHDR(piece), piece_no,
								  expected_len));

	reader->len += expected_len;
	reader->piece_no++;
	*data = VARDATA_ANY(piece);
	*len = expected_len;
	return true;
}

/*
 * Put the pieces together in a buffer of stored_size bytes.
 */
static bool
read_pieces(MrChunkReader *reader, char *buffer)
{
	const char *data;
	Size		len;

	while (mr_chunk_reader_next(reader, &data, &len))
	{
		memcpy(buffer, data, len);
		buffer += len;
	}
	return reader->problem == NULL;
}

/*
 * See that a buffer is large enough.
 */
static char *
reserve_buffer(MrChunkReader *reader, char **buffer, Size *size, Size wanted)
{
	if (*size < wanted)
	{
		if (*buffer != NULL)
			pfree(*buffer);
		*buffer = MemoryContextAlloc(reader->context, wanted);
		*size = wanted;
	}
	return *buffer;
}

static void
close_chunk(MrChunkReader *reader)
{
	if (reader->scan != NULL)
		systable_endscan_ordered(reader->scan);
	reader->scan = NULL;
	reader->health = MR_WHOLE;
	reader->problem = NULL;
	MemoryContextReset(reader->per_chunk);
}

/*
 * Remember what is wrong with the chunk.  Returns false.
 */
static bool
bad_chunk(MrChunkReader *reader, const char *what)
{
	reader->health = MR_DAMAGED;
	reader->problem = MemoryContextStrdup(reader->per_chunk, what);
	return false;
}
