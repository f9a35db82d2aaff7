/*
 * Deleting versions.
 */
#ifndef MR_REMOVAL_H
#define MR_REMOVAL_H

#include "base/call.h"
#include "base/compat.h"
#include "rows/models.h"

extern void mr_removal_delete(const char *model_id, MrCause cause);
extern bool mr_removal_may_have_excess(const MrModel *model);
extern int	mr_removal_delete_excess(const MrModel *model, bool spare_live,
									 int limit, MrCause cause);
extern void mr_removal_check_model(const MrModel *model);
extern void mr_removal_check_no_alias(const pg_uuid_t *model_key,
									  const char *model_id);
pg_noreturn extern void mr_removal_raise_protected(const char *model_id);

#endif							/* MR_REMOVAL_H */
