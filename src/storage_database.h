/*-------------------------------------------------------------------------
 *
 * storage_database.h
 *	  What the files of the database storage share.
 *
 * LAYER 1
 *
 * IDENTIFICATION
 *	  src/storage_database.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MR_STORAGE_DATABASE_H
#define MR_STORAGE_DATABASE_H

#include "utils/snapshot.h"

/* Every piece of a chunk but the last has this size; see chunk_piece. */
#define PIECE_SIZE 8096

/* chunk.codec: the bytes are stored as they are. */
#define CODEC_NONE 0

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
	LIST_BYTE_OFFSET,
	LIST_COLUMNS = LIST_BYTE_OFFSET
};

/* Columns of modelreg.chunk */
enum
{
	CHUNK_CHUNK = 1,
	CHUNK_RAW_SIZE,
	CHUNK_STORED_SIZE,
	CHUNK_CODEC,
	CHUNK_COLUMNS = CHUNK_CODEC
};

/* Columns of modelreg.chunk_piece */
enum
{
	PIECE_CHUNK = 1,
	PIECE_PIECE_NO,
	PIECE_DATA,
	PIECE_COLUMNS = PIECE_DATA
};

/* The callbacks of storage.h that storage_database.c does not define itself */
struct MrStorageReader;

extern struct MrStorageReader *mr_database_read_begin(const uint8 *sha256,
													  uint64 expected_size,
													  Snapshot snapshot);
extern bool mr_database_read_next(struct MrStorageReader *reader,
								  const char **data, Size *len);
extern const char *mr_database_read_problem(struct MrStorageReader *reader);
extern void mr_database_read_end(struct MrStorageReader *reader);

extern void mr_database_orphans(Snapshot snapshot,
								void (*report) (void *arg, const char *problem),
								void *arg);

#endif							/* MR_STORAGE_DATABASE_H */
