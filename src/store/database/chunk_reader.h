/*
 * Reading the chunks of the database storage.
 */
#ifndef MR_CHUNK_READER_H
#define MR_CHUNK_READER_H

#include "access/htup.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
#include "utils/uuid.h"

#include "store/storage.h"

typedef struct MrChunkReader MrChunkReader;

/* A row of modelreg.chunk */
typedef struct MrChunk
{
	pg_uuid_t	chunk;			/* key */
	int32		raw_size;		/* bytes as registered */
	int32		stored_size;	/* bytes as stored */
	int16		codec;			/* an MrCodec, if it is known */
	pg_uuid_t	xxh3;			/* of the bytes as registered */
} MrChunk;

extern bool mr_chunk_reader_row(Relation rel, HeapTuple tuple, MrChunk *chunk);

extern MrChunkReader *mr_chunk_reader_begin(Snapshot snapshot);
extern void mr_chunk_reader_end(MrChunkReader *reader);
extern bool mr_chunk_reader_find(MrChunkReader *reader, const pg_uuid_t *key,
								 MrChunk *chunk);
extern bool mr_chunk_reader_open(MrChunkReader *reader, const MrChunk *chunk,
								 int32 first_piece);
extern bool mr_chunk_reader_next(MrChunkReader *reader, const char **data,
								 Size *len);
extern bool mr_chunk_reader_whole(MrChunkReader *reader, bool check,
								  const char **data);
extern MrHealth mr_chunk_reader_health(MrChunkReader *reader,
									   const char **problem);
extern MrHealth mr_chunk_reader_check(MrChunkReader *reader,
									  const pg_uuid_t *key,
									  MrChunk *chunk);

#endif							/* MR_CHUNK_READER_H */
