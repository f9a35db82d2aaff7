/*
 * Deployment stages: names, and the built-in legal moves.
 */
#include "postgres.h"

#include "base/clip.h"
#include "base/stage.h"

static const char *const stage_names[MR_STAGE_COUNT] = {
	"development", "staging", "canary", "production", "deprecated", "archived"
};

const char *
mr_stage_name(MrStage stage)
{
	return stage_names[stage];
}

bool
mr_stage_lookup(const char *name, MrStage *stage)
{
	for (int i = 0; i < MR_STAGE_COUNT; i++)
	{
		if (strcmp(name, stage_names[i]) == 0)
		{
			*stage = (MrStage) i;
			return true;
		}
	}
	return false;
}

/*
 * The stage of that name; 22023 if there is none.  what names the argument.
 */
MrStage
mr_stage_parse(const char *what, const char *name)
{
	MrStage		stage;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be null", what)));
	if (!mr_stage_lookup(name, &stage))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s \"%s\" is no deployment stage", what,
						mr_clip_text(name)),
				 errhint("The stages are development, staging, canary, production, deprecated and archived.")));
	return stage;
}

/*
 * Whether the move is legal unless a row of modelreg.stage_rule says
 * otherwise: what was archived goes back to work before it goes live.
 */
bool
mr_stage_move_is_legal(MrStage from, MrStage to)
{
	return !(from == MR_STAGE_ARCHIVED && to == MR_STAGE_PRODUCTION);
}

/*
 * Whether writers may move versions into and out of the stage; the others
 * are for admins.
 */
bool
mr_stage_is_open(MrStage stage)
{
	return stage == MR_STAGE_DEVELOPMENT || stage == MR_STAGE_STAGING;
}
