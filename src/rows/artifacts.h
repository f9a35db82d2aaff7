/*
 * The table modelreg.artifact.
 */
#ifndef MR_ARTIFACTS_H
#define MR_ARTIFACTS_H

#include "access/htup.h"
#include "access/tupdesc.h"

#include "utils/uuid.h"

#include "base/plan.h"

/* A row of modelreg.artifact */
typedef struct MrArtifactRow
{
	uint8		sha256[32];		/* of the bytes */
	int64		artifact_size;	/* bytes */
	char	   *storage;		/* where they are */
	pg_uuid_t	content;		/* their key there */
} MrArtifactRow;

extern bool mr_artifact_row_share(const uint8 *sha256, MrArtifactRow *row);
extern bool mr_artifact_row_lock(const uint8 *sha256, MrArtifactRow *row);
extern bool mr_artifact_row_insert(const MrArtifactRow *row);
extern bool mr_artifact_row_get(const uint8 *sha256, MrSight sight,
								MrArtifactRow *row);
extern bool mr_artifact_row_is_used(const uint8 *sha256);
extern uint64 mr_artifact_row_lock_unused(int limit, MrArtifactRow **rows);
extern void mr_artifact_row_delete(const uint8 *sha256);
extern void mr_artifact_row_replace(const MrArtifactRow *row);
extern bool mr_artifact_part_is_used(const char *table, HeapTuple row,
									 TupleDesc desc);
extern bool mr_artifact_row_from_tuple(HeapTuple tuple, TupleDesc desc,
									   MrArtifactRow *row);
extern uint64 mr_artifact_row_unused(MrArtifactRow **rows);

#endif							/* MR_ARTIFACTS_H */
