/*-------------------------------------------------------------------------
 *
 * artifact.h
 *	  The bytes of artifacts, in and out, whatever storage holds them.
 *
 * LAYER 2
 *
 * IDENTIFICATION
 *	  src/artifact.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MR_ARTIFACT_H
#define MR_ARTIFACT_H

#include "storage.h"

extern const MrStorage *mr_storage_by_name(const char *name);

extern void mr_artifact_write(const char *data, Size len, const uint8 *sha256);
extern bytea *mr_artifact_read(const uint8 *sha256, int64 size,
							   const char *storage, bool verify,
							   const char *model_id);
extern const char *mr_artifact_check(const uint8 *sha256, int64 size,
									 const char *storage, uint8 *actual);
extern void mr_artifact_remove(const uint8 *sha256, const char *storage);

#endif							/* MR_ARTIFACT_H */
