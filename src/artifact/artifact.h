/*
 * The bytes of artifacts, in and out, whatever storage holds them.
 */
#ifndef MR_ARTIFACT_H
#define MR_ARTIFACT_H

#include "base/compat.h"
#include "rows/artifacts.h"
#include "rows/versions.h"
#include "store/storage.h"

extern int64 mr_artifact_store(const char *data, Size len,
							   const uint8 *sha256);
extern int64 mr_artifact_adopt(const MrStorage *storage,
							   MrStorageWriter *writer,
							   const pg_uuid_t *content, int64 size,
							   const uint8 *sha256);

/* Where bytes are that a version, or a file of one, holds */
typedef struct MrHolding
{
	char	   *name;			/* model_id, or model_id/path, for messages */
	int64		size;			/* bytes, as the version or file says */
	MrArtifactRow row;
} MrHolding;

extern void mr_artifact_find(const char *model_id, const char *path,
							 MrHolding *holding);
extern void mr_artifact_of_version(const MrVersion *version,
								   MrHolding *holding);
extern bytea *mr_artifact_read(const MrArtifactRow *row, int64 size,
							   bool verify, const char *model_id);
extern MrHealth mr_artifact_check(const MrArtifactRow *row, Snapshot snapshot,
								  uint8 *actual, const char **problem);
extern void mr_artifact_require_whole(const MrStorage *storage,
									  MrStorageReader *reader,
									  const char *model_id);
pg_noreturn extern void mr_artifact_raise_missing(const char *model_id);
pg_noreturn extern void mr_artifact_raise_damaged(const char *model_id,
												  const char *detail);
pg_noreturn extern void mr_artifact_raise_mismatch(const MrArtifactRow *row,
												   const char *model_id,
												   const uint8 *actual);

#endif							/* MR_ARTIFACT_H */
