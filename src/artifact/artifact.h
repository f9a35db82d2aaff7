/*
 * Bytes become artifacts.
 */
#ifndef MR_ARTIFACT_H
#define MR_ARTIFACT_H

#include "store/storage.h"

extern void mr_artifact_store(const char *data, Size len,
							  const uint8 *sha256);
extern void mr_artifact_adopt(const MrStorage *storage,
							  MrStorageWriter *writer,
							  const pg_uuid_t *content, int64 size,
							  const uint8 *sha256);

#endif							/* MR_ARTIFACT_H */
