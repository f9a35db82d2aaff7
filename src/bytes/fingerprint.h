/*
 * XXH3 of chunks, by which equal ones are found.
 */
#ifndef MR_FINGERPRINT_H
#define MR_FINGERPRINT_H

#include "utils/uuid.h"

extern void mr_fingerprint(const void *data, Size len, pg_uuid_t *out);

#endif							/* MR_FINGERPRINT_H */
