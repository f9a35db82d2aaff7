/*
 * Deleting versions.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/guc.h"
#include "life/move.h"
#include "life/removal.h"
#include "rows/aliases.h"
#include "rows/versions.h"

static const char *describe_alias(const pg_uuid_t *model_key,
								  const char *alias);

/*
 * Deletes a version, of which the caller has decided that it may go; one in
 * production is demoted first.  Its aliases go if that is forced; else, if it
 * has any, the guard raises 55006.
 */
void
mr_removal_delete(const char *model_id, MrCause cause)
{
	MrVersion	version;
	MrCause		cause_before = mr_call_notes.cause;

	if (!mr_versions_lock(model_id, &version))
		return;

	mr_call_notes.cause = cause;
	if (version.stage == MR_STAGE_PRODUCTION)
		mr_move_demote(model_id);
	if (cause == MR_CAUSE_FORCE || cause == MR_CAUSE_MODEL_FORCED)
		mr_aliases_delete_of_version(model_id);
	mr_versions_delete(model_id);
	mr_call_notes.cause = cause_before;
}

/*
 * Whether the model may have more versions than it keeps.
 */
bool
mr_removal_may_have_excess(const MrModel *model)
{
	return model->max_versions >= 0 &&
		model->last_version_number > model->max_versions;
}

/*
 * Removes up to limit of the locked model's versions beyond its newest
 * max_versions, oldest first, but not those with an alias, with spare_live
 * those in production and canary, and those that are hidden from whoever asks
 * for it; a model's own auto_cleanup removes these as well.  Returns how many.
 */
int
mr_removal_delete_excess(const MrModel *model, bool spare_live, int limit,
						 MrCause cause)
{
	char	  **excess;
	uint64		count;

	if (!mr_removal_may_have_excess(model))
		return 0;

	count = mr_versions_excess(&model->key, model->max_versions, spare_live,
							   cause != MR_CAUSE_AUTO, limit, &excess);
	if (count > 0)
		mr_guc_set_reason(psprintf("beyond the newest %d versions",
								   model->max_versions));
	for (uint64 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		mr_removal_delete(excess[i], cause);
	}
	return (int) count;
}

/*
 * Raises 55006 if an alias names the version, which the caller has locked.
 * What the actor cannot see is not named.
 */
void
mr_removal_check_no_alias(const pg_uuid_t *model_key, const char *model_id)
{
	char	   *alias = mr_aliases_of_version(model_id);
	const char *held_by;

	if (alias == NULL)
		return;
	held_by = describe_alias(model_key, alias);
	mr_actor_log_refusal("delete a version that has an alias", model_id);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("model version \"%s\" has %s", model_id, held_by),
			 errhint("Move or drop its aliases first, or call modelreg_delete with force => true.")));
}

/*
 * Raises 55006: the version is in production and nobody forced anything.
 */
void
mr_removal_raise_protected(const char *model_id)
{
	mr_actor_log_refusal("delete the production version", model_id);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("model version \"%s\" is in production", model_id),
			 errhint("Move it to another stage first, or call modelreg_delete with force => true.")));
}

/*
 * Raises 55006 if a version of the model, which the caller has locked, is in
 * production, or an alias of it is there: a name that somebody serves by does
 * not vanish by the way.  What the actor cannot see is not named.
 */
void
mr_removal_check_model(const MrModel *model)
{
	char	  **versions;
	char	   *alias;
	const char *held_by;

	if (mr_versions_in_production(&model->key, NULL, &versions) > 0)
	{
		if (mr_versions_is_visible(versions[0]))
			mr_removal_raise_protected(versions[0]);
		mr_actor_log_refusal("delete the model of a production version",
							 model->name);
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("model \"%s\" has a version in production",
						model->name),
				 errhint("Move it to another stage first, or call modelreg_delete_model with force => true.")));
	}

	alias = mr_aliases_of_model(&model->key);
	if (alias == NULL)
		return;
	held_by = describe_alias(&model->key, alias);
	mr_actor_log_refusal("delete a model that has an alias", model->name);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("model \"%s\" has %s", model->name, held_by),
			 errhint("Drop its aliases first, or call modelreg_delete_model with force => true.")));
}

/*
 * An alias for a message, which names it if the actor may see it.
 */
static const char *
describe_alias(const pg_uuid_t *model_key, const char *alias)
{
	return mr_aliases_is_visible(model_key, alias) ?
		psprintf("the alias \"%s\"", alias) : "an alias";
}
