/*
 * Locking a model and a version, moving and removing versions.
 */
#ifndef MR_TRANSITION_H
#define MR_TRANSITION_H

#include "base/actor.h"
#include "base/compat.h"
#include "rows/models.h"
#include "rows/versions.h"

extern void mr_transition_lock(const char *model_id, MrModel *model,
							   MrVersion *version);
extern void mr_transition_lock_model(const char *name, MrModel *model);
extern void mr_transition_check(const char *model_id, MrStage from,
								MrStage to);
extern uint64 mr_transition_demote_incumbents(const MrModel *model,
											  const char *successor);
extern void mr_transition_remove(const char *model_id, MrCause cause);
pg_noreturn extern void mr_transition_raise_protected(const char *model_id);
extern void mr_transition_check_no_alias(const char *model_id);
extern bool mr_transition_may_have_excess(const MrModel *model);
extern int	mr_transition_remove_excess(const MrModel *model, bool spare_live,
										int limit, MrCause cause);
extern void mr_transition_require_mover(const MrVersion *version, MrStage to);
extern void mr_transition_require_editor(const MrVersion *version,
										 const char *deed);

#endif							/* MR_TRANSITION_H */
