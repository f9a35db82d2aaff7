/*
 * The table modelreg.artifact.
 */
#ifndef MR_ARTIFACTS_H
#define MR_ARTIFACTS_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "utils/uuid.h"

#include "base/sql.h"
#include "bytes/digest.h"

/* A row of modelreg.artifact */
typedef struct MrArtifact
{
	uint8		sha256[MR_SHA256_LEN];	/* of the bytes */
	int64		size;			/* bytes */
	char	   *storage;		/* where they are */
	pg_uuid_t	content;		/* their key there */
} MrArtifact;

extern bool mr_artifacts_share(const uint8 *sha256, MrArtifact *artifact);
extern bool mr_artifacts_lock(const uint8 *sha256, MrArtifact *artifact);
extern bool mr_artifacts_get(const uint8 *sha256, MrSight sight,
							 MrArtifact *artifact);
extern bool mr_artifacts_insert(const MrArtifact *artifact);
extern void mr_artifacts_replace(const MrArtifact *artifact);
extern void mr_artifacts_delete(const uint8 *sha256);
extern bool mr_artifacts_is_used(const uint8 *sha256);
extern uint64 mr_artifacts_unused(MrArtifact **artifacts);
extern int64 mr_artifacts_malformed(void);
extern uint64 mr_artifacts_lock_unused(int limit, MrArtifact **artifacts);
extern bool mr_artifacts_from_row(HeapTuple row, TupleDesc desc,
								  MrArtifact *artifact);

#endif							/* MR_ARTIFACTS_H */
