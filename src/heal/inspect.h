/*
 * Whether stored artifacts are what was registered.
 */
#ifndef MR_INSPECT_H
#define MR_INSPECT_H

#include "bytes/digest.h"
#include "rows/artifacts.h"
#include "store/storage.h"

extern MrHealth mr_inspect_artifact(const MrArtifact *artifact,
									Snapshot snapshot, uint8 *actual,
									const char **problem);
extern MrHealth mr_inspect_content(const MrStorage *storage,
								   const pg_uuid_t *content, int64 size,
								   Snapshot snapshot, MrDigest *digest,
								   int64 *sound, const char **problem);
extern MrHealth mr_inspect_bytes(const MrArtifact *artifact, const char *data,
								 Size len);

#endif							/* MR_INSPECT_H */
