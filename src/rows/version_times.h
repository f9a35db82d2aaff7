/*
 * When the versions of modelreg.model_version were registered.
 */
#ifndef MR_VERSION_TIMES_H
#define MR_VERSION_TIMES_H

#include "rows/versions.h"

extern void mr_version_times_lower(const char *model_id,
								   TimestampTz registered_at);
extern TimestampTz mr_version_times_next(const MrVersion *version);
extern bool mr_version_times_before(const pg_uuid_t *model_key,
									int version_number, MrVersion *version);
extern void mr_version_times_bounds(const MrVersion *version,
									TimestampTz *earliest,
									TimestampTz *latest);

#endif							/* MR_VERSION_TIMES_H */
