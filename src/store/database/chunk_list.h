/*
 * The table modelreg.artifact_chunk: lists of chunks.
 */
#ifndef MR_CHUNK_LIST_H
#define MR_CHUNK_LIST_H

#include "utils/uuid.h"

extern bool mr_list_replace(const pg_uuid_t *damaged, const pg_uuid_t *whole);

#endif							/* MR_CHUNK_LIST_H */
