/*
 * Moving versions from stage to stage.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "base/call.h"
#include "life/move.h"
#include "rows/rules.h"
#include "trail/trail.h"

static bool move_is_legal(MrStage from, MrStage to);

/*
 * Moves a locked version of a locked model, if the actor may (42501) and the
 * move is legal (55000); who is in production makes room.
 */
void
mr_move_version(MrModel *model, const MrVersion *version, MrStage to)
{
	if (version->stage == to)
		return;
	mr_move_require_mover(version, to);
	mr_move_check(version->model_id, version->stage, to);
	mr_trail_hold(model);
	if (to == MR_STAGE_PRODUCTION)
		mr_move_demote_incumbents(model, version->model_id);
	mr_versions_set_stage(version->model_id, to);
	mr_trail_release(model);
}

/*
 * Moves the model's versions in production, but the successor, to deprecated,
 * if the model allows one only; returns how many.  successor may be NULL.
 */
uint64
mr_move_demote_incumbents(const MrModel *model, const char *successor)
{
	char	  **incumbents;
	uint64		count;

	if (!model->exclusive_production)
		return 0;

	count = mr_versions_in_production(&model->key, successor, &incumbents);
	for (uint64 i = 0; i < count; i++)
		mr_move_demote(incumbents[i]);
	return count;
}

/*
 * Moves a version from production to deprecated, whatever the stage rules say:
 * they are about moves that somebody asks for.
 */
void
mr_move_demote(const char *model_id)
{
	mr_call_notes.demotes = true;
	mr_versions_set_stage(model_id, MR_STAGE_DEPRECATED);
	mr_call_notes.demotes = false;
}

/*
 * Raises 55000 unless a version may move so.
 */
void
mr_move_check(const char *model_id, MrStage from, MrStage to)
{
	StringInfoData legal;

	if (move_is_legal(from, to))
		return;

	initStringInfo(&legal);
	for (int i = 0; i < MR_STAGE_COUNT; i++)
	{
		if (i != from && move_is_legal(from, (MrStage) i))
			appendStringInfo(&legal, "%s%s", legal.len > 0 ? ", " : "",
							 mr_stage_name((MrStage) i));
	}

	mr_actor_log_refusal("move model version", model_id);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("model version \"%s\" cannot move from %s to %s",
					model_id, mr_stage_name(from), mr_stage_name(to)),
			 errhint("Legal moves from %s are to: %s.", mr_stage_name(from),
					 legal.len > 0 ? legal.data : "no other stage")));
}

/*
 * Raises 42501 unless the actor may move the version there: writers between
 * development and staging, admins everywhere.
 */
void
mr_move_require_mover(const MrVersion *version, MrStage to)
{
	char	   *deed = psprintf("move from %s to %s model version",
								mr_stage_name(version->stage),
								mr_stage_name(to));
	bool		open_move = mr_stage_is_open(version->stage) &&
		mr_stage_is_open(to);

	mr_actor_require(open_move ? MR_ROLE_WRITER : MR_ROLE_ADMIN, deed,
					 version->model_id);
}

static bool
move_is_legal(MrStage from, MrStage to)
{
	bool		allowed;

	if (mr_rules_get_move(from, to, &allowed))
		return allowed;
	return mr_stage_move_is_legal(from, to);
}
