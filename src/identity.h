/*-------------------------------------------------------------------------
 *
 * identity.h
 *	  Ids of versions, and the numbering of a model's versions.
 *
 * LAYER 2
 *
 * IDENTIFICATION
 *	  src/identity.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODELREG_IDENTITY_H
#define MODELREG_IDENTITY_H

#include "catalog_model.h"

extern char *mr_identity_issue(MrModel *model, TimestampTz registered_at);
extern char *mr_identity_version(MrModel *model, const char *version);
extern void mr_identity_adopt(MrModel *model);

#endif							/* MODELREG_IDENTITY_H */
