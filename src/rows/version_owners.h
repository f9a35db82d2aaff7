/*
 * Who owns the versions of modelreg.model_version.
 */
#ifndef MR_VERSION_OWNERS_H
#define MR_VERSION_OWNERS_H

#include "utils/uuid.h"

#include "base/role_ref.h"

extern void mr_version_owners_set(const char *model_id,
								  const MrRoleRef *owner);
extern uint64 mr_version_owners_models(const char *owner,
									   pg_uuid_t **model_keys);
extern uint64 mr_version_owners_ids(const pg_uuid_t *model_key,
									const char *owner, char ***model_ids);

#endif							/* MR_VERSION_OWNERS_H */
