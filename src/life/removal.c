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
 * max_versions, oldest first, but not those with an alias and, with spare_live,
 * those in production and canary.  Returns how many.
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
							   limit, &excess);
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
 */
void
mr_removal_check_no_alias(const char *model_id)
{
	char	   *alias = mr_aliases_of_version(model_id);

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
