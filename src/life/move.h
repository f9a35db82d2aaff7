/*
 * Moving versions from stage to stage.
 */
#ifndef MR_MOVE_H
#define MR_MOVE_H

#include "rows/models.h"
#include "rows/versions.h"

extern void mr_move_version(MrModel *model, const MrVersion *version,
							MrStage to);
extern uint64 mr_move_demote_incumbents(const MrModel *model,
										const char *successor);
extern void mr_move_demote(const char *model_id);
extern void mr_move_check(const char *model_id, MrStage from, MrStage to);
extern void mr_move_require_mover(const MrVersion *version, MrStage to);

#endif							/* MR_MOVE_H */
