/*
 * Storing chunks in the database, a batch at a time.
 */
#ifndef MR_CHUNK_BATCH_H
#define MR_CHUNK_BATCH_H

#include "utils/uuid.h"

#include "base/guc.h"

/* A batch is full with so many chunks or bytes: some milliseconds of work. */
#define MR_BATCH_CHUNKS 64
#define MR_BATCH_LEN (4 * 1024 * 1024)

struct MrBulkRing;				/* see bulk.h */

/* A chunk that is being stored */
typedef struct MrRun
{
	const char *raw;			/* its bytes */
	int32		raw_size;
	pg_uuid_t	xxh3;			/* of these */
	pg_uuid_t	chunk;			/* its key, once the batch is stored */
	bool		is_new;			/* it has to be written */
	bool		is_damaged;		/* it replaces the chunk "damaged" */
	pg_uuid_t	damaged;
	const char *stored;			/* as it is written */
	int32		stored_size;
	MrCodec		codec;
} MrRun;

typedef struct MrBatch
{
	int			nruns;
	Size		len;			/* bytes in all of them */
	MrRun		runs[MR_BATCH_CHUNKS];
} MrBatch;

/* How the chunks of an artifact have shrunk so far; zeroes at its beginning */
typedef struct MrShrinkage
{
	int			not_shrunk;		/* chunks tried in a row that did not shrink */
	int			not_tried;		/* how many more to leave alone */
} MrShrinkage;

extern void mr_chunk_batch_clear(MrBatch *batch);
extern bool mr_chunk_batch_add(MrBatch *batch, const char *raw, int32 raw_size);
extern void mr_chunk_batch_store(MrBatch *batch, MrShrinkage *shrinkage,
								 struct MrBulkRing *ring);

#endif							/* MR_CHUNK_BATCH_H */
