/*
 * What follows when stored bytes were damaged and are whole again.
 */
#ifndef MR_REPAIR_H
#define MR_REPAIR_H

#include "rows/models.h"

extern void mr_repair_record(MrModel *model, const char *model_id,
							 const char *checksum, int64 chunks);

#endif							/* MR_REPAIR_H */
