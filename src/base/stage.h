/*
 * Deployment stages: names, and the built-in legal moves.
 */
#ifndef MR_STAGE_H
#define MR_STAGE_H

/* In the order of the enum modelreg.deployment_stage */
typedef enum MrStage
{
	MR_STAGE_DEVELOPMENT,
	MR_STAGE_STAGING,
	MR_STAGE_CANARY,
	MR_STAGE_PRODUCTION,
	MR_STAGE_DEPRECATED,
	MR_STAGE_ARCHIVED
} MrStage;

#define MR_STAGE_COUNT (MR_STAGE_ARCHIVED + 1)

extern const char *mr_stage_name(MrStage stage);
extern bool mr_stage_lookup(const char *name, MrStage *stage);
extern MrStage mr_stage_parse(const char *what, const char *name);
extern bool mr_stage_move_is_legal(MrStage from, MrStage to);
extern bool mr_stage_is_open(MrStage stage);

#endif							/* MR_STAGE_H */
