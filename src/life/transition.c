/*
 * Locking a model and a version, moving and removing versions.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"

#include "base/guc.h"
#include "life/transition.h"
#include "rows/aliases.h"
#include "rows/rules.h"

static void demote(const char *model_id);
static bool move_is_legal(MrStage from, MrStage to);

/*
 * Locks the version's model and then the version; 42704 if it is not there.
 */
void
mr_transition_lock(const char *model_id, MrModel *model, MrVersion *version)
{
	if (!mr_version_get(model_id, MR_SIGHT_LATEST, version) ||
		!mr_model_lock_by_key(&version->model_key, model) ||
		!mr_version_lock(model_id, version))
		mr_version_raise_unknown(model_id);
}

/*
 * Locks the model; 42704 if it is not there.
 */
void
mr_transition_lock_model(const char *name, MrModel *model)
{
	if (!mr_model_lock_by_name(name, model))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" does not exist", name)));
}

/*
 * Raises 55000 unless a version may move so.
 */
void
mr_transition_check(const char *model_id, MrStage from, MrStage to)
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
 * Moves the model's versions in production, but the successor, to deprecated,
 * if the model allows one only; returns how many.  successor may be NULL.
 */
uint64
mr_transition_demote_incumbents(const MrModel *model, const char *successor)
{
	char	  **incumbents;
	uint64		count;

	if (!model->exclusive_production)
		return 0;

	count = mr_version_in_production(&model->key, successor, &incumbents);
	for (uint64 i = 0; i < count; i++)
		demote(incumbents[i]);
	return count;
}

/*
 * Deletes a version, of which the caller has decided that it may go; one in
 * production is demoted first.  Its aliases go if that is forced; else, if it
 * has any, the guard raises 55006.
 */
void
mr_transition_remove(const char *model_id, MrCause cause)
{
	MrVersion	version;
	MrCause		cause_before;

	if (!mr_version_lock(model_id, &version))
		return;

	cause_before = mr_actor_set_cause(cause);
	if (version.stage == MR_STAGE_PRODUCTION)
		demote(model_id);
	if (cause == MR_CAUSE_FORCE || cause == MR_CAUSE_MODEL_FORCED)
		mr_alias_delete_of_version(model_id);
	mr_version_delete(model_id);
	mr_actor_set_cause(cause_before);
}

/*
 * Raises 55006: the version is in production and nobody forced anything.
 */
void
mr_transition_raise_protected(const char *model_id)
{
	mr_actor_log_refusal("delete the production version", model_id);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("model version \"%s\" is in production", model_id),
			 errhint("Move it to another stage first, or call modelreg_delete with force => true.")));
}

/*
 * Raises 55006 if an alias names the version, which the caller has locked.
 */
void
mr_transition_check_no_alias(const char *model_id)
{
	char	   *alias = mr_alias_of_version(model_id);

	if (alias == NULL)
		return;
	mr_actor_log_refusal("delete a version that has an alias", model_id);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("model version \"%s\" has the alias \"%s\"", model_id,
					alias),
			 errhint("Move or drop its aliases first, or call modelreg_delete with force => true.")));
}

/*
 * Whether the model may have more versions than it keeps.
 */
bool
mr_transition_may_have_excess(const MrModel *model)
{
	return model->max_versions >= 0 &&
		model->last_version_number > model->max_versions;
}

/*
 * Removes up to limit of the locked model's versions beyond its newest
 * max_versions, oldest first, but not those with an alias and, with spare_live,
 * those in production and canary.  Returns how many.
 */
int
mr_transition_remove_excess(const MrModel *model, bool spare_live, int limit,
							MrCause cause)
{
	char	  **excess;
	uint64		count;

	if (!mr_transition_may_have_excess(model))
		return 0;

	count = mr_version_excess(&model->key, model->max_versions, spare_live,
							  limit, &excess);
	if (count > 0)
		mr_guc_set_reason(psprintf("beyond the newest %d versions",
								   model->max_versions));
	for (uint64 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		mr_transition_remove(excess[i], cause);
	}
	return (int) count;
}

/*
 * Raises 42501 unless the actor may edit or delete the version: admins all,
 * writers what they registered and is not in production.
 */
void
mr_transition_require_editor(const MrVersion *version, const char *deed)
{
	if (mr_actor_has(MR_ROLE_WRITER) &&
		version->stage != MR_STAGE_PRODUCTION &&
		strcmp(version->registered_by, mr_actor_name()) == 0)
		return;
	mr_actor_require(MR_ROLE_ADMIN, deed, version->model_id);
}

/*
 * Raises 42501 unless the actor may move the version there: writers between
 * development and staging, admins everywhere.
 */
void
mr_transition_require_mover(const MrVersion *version, MrStage to)
{
	char	   *deed = psprintf("move from %s to %s model version",
								mr_stage_name(version->stage),
								mr_stage_name(to));
	bool		open_move = mr_stage_is_open(version->stage) &&
		mr_stage_is_open(to);

	mr_actor_require(open_move ? MR_ROLE_WRITER : MR_ROLE_ADMIN, deed,
					 version->model_id);
}

/*
 * Moves a version from production to deprecated, whatever the stage rules say:
 * they are about moves that somebody asks for.
 */
static void
demote(const char *model_id)
{
	mr_actor_set_demotes(true);
	mr_version_set_stage(model_id, MR_STAGE_DEPRECATED);
	mr_actor_set_demotes(false);
}

static bool
move_is_legal(MrStage from, MrStage to)
{
	bool		allowed;

	if (mr_rule_get(from, to, &allowed))
		return allowed;
	return mr_stage_move_is_legal(from, to);
}
