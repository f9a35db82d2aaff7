/*
 * What the files of the database storage share.
 */
#ifndef MR_DATABASE_H
#define MR_DATABASE_H

#include "store/storage.h"

/* Every piece of a chunk but the last has this size; see chunk_piece. */
#define PIECE_SIZE 8096

/* Columns of modelreg.artifact_chunk */
enum
{
	LIST_CONTENT = 1,
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
	CHUNK_XXH3,
	CHUNK_COLUMNS = CHUNK_XXH3
};

/* Columns of modelreg.chunk_piece */
enum
{
	PIECE_CHUNK = 1,
	PIECE_PIECE_NO,
	PIECE_DATA,
	PIECE_COLUMNS = PIECE_DATA
};

extern const MrStorage mr_storage_database;

/* The callbacks of storage.h, each in the file that its name begins with */
extern MrStorageWriter *mr_database_write_begin(const pg_uuid_t *content);
extern void mr_database_write(MrStorageWriter *writer, const char *data,
							  Size len);
extern void mr_database_write_finish(MrStorageWriter *writer);
extern bool mr_database_write_matches(MrStorageWriter *writer,
									  const pg_uuid_t *content);
extern void mr_database_write_end(MrStorageWriter *writer);
extern void mr_database_write_free(MrStorageWriter *writer);
extern MrStorageWriter *mr_database_write_copy(MrStorageWriter *writer);
extern bytea *mr_database_write_suspend(MrStorageWriter *writer);
extern MrStorageWriter *mr_database_write_resume(const pg_uuid_t *content,
												 bytea *state);
extern const char *mr_database_write_pending(MrStorageWriter *writer,
											 int64 *byte_offset, Size *len);
extern MrStorageWriter *mr_database_write_cut(const pg_uuid_t *content,
											  int64 byte_offset,
											  const pg_uuid_t *rest);

extern MrStorageReader *mr_database_read_begin(const pg_uuid_t *content,
											   uint64 expected_size,
											   uint64 byte_offset,
											   bool check, Snapshot snapshot);
extern bool mr_database_read_next(MrStorageReader *reader, const char **data,
								  Size *len);
extern MrHealth mr_database_read_health(MrStorageReader *reader,
										const char **problem);
extern void mr_database_read_end(MrStorageReader *reader);

extern void mr_database_repair_content(const pg_uuid_t *damaged,
									   const pg_uuid_t *whole);
extern bool mr_database_remove(const pg_uuid_t *content, int64 *bytes);

extern void mr_database_orphans(MrStorageReport report, void *arg);

#endif							/* MR_DATABASE_H */
