/*
 * Artifacts in the database: healing of a chunk.
 */
#ifndef MR_DATABASE_REPAIR_H
#define MR_DATABASE_REPAIR_H

#include "utils/uuid.h"

extern void mr_database_repair_chunk(const pg_uuid_t *damaged,
									 const pg_uuid_t *whole);

#endif							/* MR_DATABASE_REPAIR_H */
