/*
 * Correcting the times of registrations.
 */
#ifndef MR_CORRECTION_H
#define MR_CORRECTION_H

#include "rows/models.h"
#include "rows/versions.h"

extern void mr_correction_make(MrModel *model, const MrVersion *version,
							   TimestampTz registered_at);
extern void mr_correction_check(const MrVersion *before,
								const MrVersion *after);

#endif							/* MR_CORRECTION_H */
