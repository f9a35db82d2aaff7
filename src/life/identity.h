/*
 * Ids of versions, and the numbering of a model's versions.
 */
#ifndef MR_IDENTITY_H
#define MR_IDENTITY_H

#include "rows/models.h"

extern char *mr_identity_issue(MrModel *model, TimestampTz registered_at);
extern char *mr_identity_version(MrModel *model, const char *version);
extern void mr_identity_adopt(MrModel *model);

#endif							/* MR_IDENTITY_H */
