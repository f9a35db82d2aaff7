/*
 * Finding chunks that the database storage has already.
 */
#ifndef MR_CHUNK_SHARE_H
#define MR_CHUNK_SHARE_H

#include "utils/uuid.h"

typedef struct MrShare MrShare;

/* What was found of a chunk that is about to be written */
typedef struct MrShared
{
	bool		found;			/* it is stored, and locked against cleanup */
	pg_uuid_t	chunk;			/* as this chunk */
	bool		is_damaged;		/* what should be it is stored, but damaged */
	pg_uuid_t	damaged;		/* as this chunk */
} MrShared;

extern MrShare *mr_chunk_share_begin(void);
extern void mr_chunk_share_find(MrShare *share, const pg_uuid_t *xxh3,
								const char *raw, int32 raw_size,
								MrShared *shared);
extern void mr_chunk_share_end(MrShare *share);

#endif							/* MR_CHUNK_SHARE_H */
