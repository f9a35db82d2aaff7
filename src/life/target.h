/*
 * The model and version that a call is about.
 */
#ifndef MR_TARGET_H
#define MR_TARGET_H

#include "rows/models.h"
#include "rows/versions.h"

extern void mr_target_lock(const char *model_id, MrModel *model,
						   MrVersion *version);
extern void mr_target_lock_version(const char *model_id, MrVersion *version);
extern void mr_target_lock_model(const char *name, MrModel *model);
extern bool mr_target_lock_model_to_fill(const char *name, MrModel *model);
extern void mr_target_require_known_model(const char *name);
extern void mr_target_require_editor(const MrVersion *version,
									 const char *deed);

#endif							/* MR_TARGET_H */
