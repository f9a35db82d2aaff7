/*
 * Inner keys: UUIDs of version 7.
 */
#ifndef MR_UUID7_H
#define MR_UUID7_H

#include "datatype/timestamp.h"
#include "utils/uuid.h"

/* Initializer of the nil UUID, the key of the registry's own audit chain. */
#define MR_UUID_NIL {{0}}

/* Microseconds from the Unix epoch to PostgreSQL's. */
#define MR_EPOCH_DIFFERENCE \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

extern void mr_uuid7(pg_uuid_t *out);
extern char *mr_uuid7_text(const pg_uuid_t *uuid);

#endif							/* MR_UUID7_H */
