/*
 * Storing chunks in the database, a batch at a time.
 *
 * Of a batch, the chunks that are stored already are found, and the others are
 * compressed, if that helps, and written.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/uuid7.h"
#include "bytes/codec.h"
#include "bytes/fingerprint.h"
#include "store/bulk.h"
#include "store/database/chunk_batch.h"
#include "store/database/chunk_share.h"
#include "store/database/database.h"
#include "store/database/database_repair.h"
#include "store/table.h"

/* After chunks that did not shrink, at most so many are not tried. */
#define COMPRESS_MAX_SKIP 64

/* The last piece of a chunk, which does not fill its page */
typedef struct Rest
{
	const MrRun *run;
	int32		piece_no;
	int32		len;
} Rest;

static bool find_chunks(MrBatch *batch);
static void compress_run(MrRun *run, MrShrinkage *shrinkage);
static void write_chunks(MrBatch *batch, MrBulkRing *ring);
static void write_piece(MrBulk *pieces, bytea *buffer, const MrRun *run,
						int32 piece_no, int32 len);
static void write_rests(MrBulk *pieces, bytea *buffer, Rest *rests,
						int nrests);
static int	compare_rests(const void *a, const void *b);

void
mr_chunk_batch_clear(MrBatch *batch)
{
	batch->nruns = 0;
	batch->len = 0;
}

/*
 * Add a chunk, whose bytes must stay until the batch is stored.  Returns
 * whether the batch is full now.
 */
bool
mr_chunk_batch_add(MrBatch *batch, const char *raw, int32 raw_size)
{
	MrRun	   *run = &batch->runs[batch->nruns++];

	run->raw = raw;
	run->raw_size = raw_size;
	batch->len += raw_size;
	return batch->nruns == MR_BATCH_CHUNKS || batch->len >= MR_BATCH_LEN;
}

/*
 * Store the chunks, which the next command can read then: runs have their keys.
 * Where a chunk was found damaged, the new one takes its place for everybody.
 */
void
mr_chunk_batch_store(MrBatch *batch, MrShrinkage *shrinkage, MrBulkRing *ring)
{
	MemoryContext context;
	MemoryContext oldcontext;
	int			i;

	CHECK_FOR_INTERRUPTS();
	context = AllocSetContextCreate(CurrentMemoryContext, "modelreg batch",
									ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(context);
	if (find_chunks(batch))
	{
		for (i = 0; i < batch->nruns; i++)
			if (batch->runs[i].is_new)
				compress_run(&batch->runs[i], shrinkage);
		write_chunks(batch, ring);
		CommandCounterIncrement();
	}
	for (i = 0; i < batch->nruns; i++)
		if (batch->runs[i].is_damaged)
			mr_database_repair_chunk(&batch->runs[i].damaged,
									 &batch->runs[i].chunk);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);
}

/*
 * Look for the chunks of a batch in the storage, and in the batch itself.  The
 * others are given a key.  Returns whether there are any of these.
 */
static bool
find_chunks(MrBatch *batch)
{
	MrShare    *share = mr_chunk_share_begin();
	bool		any_new = false;
	int			i;
	int			j;

	for (i = 0; i < batch->nruns; i++)
	{
		MrRun	   *run = &batch->runs[i];
		MrShared	shared;

		run->is_damaged = false;
		mr_fingerprint(run->raw, run->raw_size, &run->xxh3);
		for (j = 0; j < i; j++)
		{
			MrRun	   *twin = &batch->runs[j];

			if (memcmp(&twin->xxh3, &run->xxh3, UUID_LEN) == 0 &&
				twin->raw_size == run->raw_size &&
				memcmp(twin->raw, run->raw, run->raw_size) == 0)
				break;
		}
		if (j < i)
		{
			run->is_new = false;
			run->chunk = batch->runs[j].chunk;
			continue;
		}

		mr_chunk_share_find(share, &run->xxh3, run->raw, run->raw_size,
							&shared);
		run->is_new = !shared.found;
		run->is_damaged = shared.is_damaged;
		run->damaged = shared.damaged;
		if (shared.found)
			run->chunk = shared.chunk;
		else
		{
			mr_uuid7(&run->chunk);
			any_new = true;
		}
	}
	mr_chunk_share_end(share);
	return any_new;
}

/*
 * Compress a chunk, if that takes an eighth off it.  After chunks that did not
 * shrink, more and more are left alone between two attempts: weights rarely
 * shrink, and an attempt costs a good part of the time of writing.
 */
static void
compress_run(MrRun *run, MrShrinkage *shrinkage)
{
	run->stored = run->raw;
	run->stored_size = run->raw_size;
	run->codec = MR_CODEC_NONE;
	if (mr_guc_compression == MR_CODEC_NONE)
		return;
	if (shrinkage->not_tried > 0)
		shrinkage->not_tried--;
	else
	{
		Size		limit = run->raw_size - (run->raw_size + 7) / 8;
		char	   *out = palloc(limit + 1);
		Size		size = mr_codec_compress(mr_guc_compression, run->raw,
											 run->raw_size, out, limit);

		if (size > 0)
		{
			run->stored = out;
			run->stored_size = size;
			run->codec = mr_guc_compression;
			shrinkage->not_shrunk = 0;
		}
		else
		{
			pfree(out);
			shrinkage->not_tried = Min(1 << Min(shrinkage->not_shrunk, 16),
									   COMPRESS_MAX_SKIP);
			shrinkage->not_shrunk++;
		}
	}
}

/*
 * Write the new chunks of a batch: first the pieces that fill their page, then
 * those that have to share one, and the rows of the chunks.
 */
static void
write_chunks(MrBatch *batch, MrBulkRing *ring)
{
	MrBulk	   *chunks = mr_bulk_begin(mr_table_open("chunk", RowExclusiveLock),
									   NULL);
	MrBulk	   *pieces = mr_bulk_begin(mr_table_open("chunk_piece",
													 RowExclusiveLock), ring);
	bytea	   *buffer = palloc(VARHDRSZ + PIECE_SIZE);
	Rest	   *rests = palloc(MR_BATCH_CHUNKS * sizeof(Rest));
	int			nrests = 0;
	int			i;

	for (i = 0; i < batch->nruns; i++)
	{
		MrRun	   *run = &batch->runs[i];
		int32		npieces = run->stored_size / PIECE_SIZE;
		int32		piece_no;
		Datum		values[CHUNK_COLUMNS];

		if (!run->is_new)
			continue;
		for (piece_no = 0; piece_no < npieces; piece_no++)
			write_piece(pieces, buffer, run, piece_no, PIECE_SIZE);
		if (run->stored_size % PIECE_SIZE > 0)
		{
			rests[nrests].run = run;
			rests[nrests].piece_no = npieces;
			rests[nrests].len = run->stored_size % PIECE_SIZE;
			nrests++;
		}

		values[CHUNK_CHUNK - 1] = UUIDPGetDatum(&run->chunk);
		values[CHUNK_RAW_SIZE - 1] = Int32GetDatum(run->raw_size);
		values[CHUNK_STORED_SIZE - 1] = Int32GetDatum(run->stored_size);
		values[CHUNK_CODEC - 1] = Int16GetDatum(run->codec);
		values[CHUNK_XXH3 - 1] = UUIDPGetDatum(&run->xxh3);
		mr_bulk_insert(chunks, values, CHUNK_COLUMNS);
	}
	write_rests(pieces, buffer, rests, nrests);
	mr_bulk_end(pieces);
	mr_bulk_end(chunks);
}

static void
write_piece(MrBulk *pieces, bytea *buffer, const MrRun *run, int32 piece_no,
			int32 len)
{
	Datum		values[PIECE_COLUMNS];

	SET_VARSIZE(buffer, VARHDRSZ + len);
	memcpy(VARDATA(buffer), run->stored + piece_no * PIECE_SIZE, len);
	values[PIECE_CHUNK - 1] = UUIDPGetDatum(&run->chunk);
	values[PIECE_PIECE_NO - 1] = Int32GetDatum(piece_no);
	values[PIECE_DATA - 1] = PointerGetDatum(buffer);
	mr_bulk_insert(pieces, values, PIECE_COLUMNS);
}

/*
 * Write the last pieces so that they fill pages together: after each of the
 * longest come the shortest that fit beside it.
 */
static void
write_rests(MrBulk *pieces, bytea *buffer, Rest *rests, int nrests)
{
	int			first = 0;
	int			last = nrests - 1;

	qsort(rests, nrests, sizeof(Rest), compare_rests);
	while (first <= last)
	{
		int32		left = PIECE_SIZE - rests[first].len;

		write_piece(pieces, buffer, rests[first].run, rests[first].piece_no,
					rests[first].len);
		first++;
		/* a row costs some 64 bytes besides */
		while (first <= last && rests[last].len + 64 <= left)
		{
			left -= rests[last].len + 64;
			write_piece(pieces, buffer, rests[last].run, rests[last].piece_no,
						rests[last].len);
			last--;
		}
	}
}

/*
 * qsort comparator: longest first.
 */
static int
compare_rests(const void *a, const void *b)
{
	return ((const Rest *) b)->len - ((const Rest *) a)->len;
}
