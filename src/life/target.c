/*
 * The model and version that a call is about: they are locked, in that order.
 *
 * What row-level security hides from the actor does not exist for him.  So he
 * must see it before anything is locked, or waiting would tell that it is
 * there; and again when it is, as it may have changed meanwhile.
 */
#include "postgres.h"

#include "base/actor.h"
#include "base/clip.h"
#include "life/target.h"

/*
 * Locks the version's model and then the version; 42704 if it is not there.
 */
void
mr_target_lock(const char *model_id, MrModel *model, MrVersion *version)
{
	if (!mr_versions_is_visible(model_id) ||
		!mr_versions_get(model_id, MR_SIGHT_LATEST, version) ||
		!mr_models_lock_by_key(&version->model_key, model) ||
		!mr_versions_lock(model_id, version) ||
		!mr_versions_is_visible(model_id))
		mr_versions_raise_unknown(model_id);
}

/*
 * Locks the version, whose model's lock the trigger that calls cannot take any
 * more; 42704 if it is not there.
 */
void
mr_target_lock_version(const char *model_id, MrVersion *version)
{
	if (!mr_versions_is_visible(model_id) ||
		!mr_versions_lock(model_id, version) ||
		!mr_versions_is_visible(model_id))
		mr_versions_raise_unknown(model_id);
}

/*
 * Locks the model; 42704 if it is not there.
 */
void
mr_target_lock_model(const char *name, MrModel *model)
{
	if (!mr_models_is_visible(name) ||
		!mr_models_lock_by_name(name, model) ||
		!mr_models_is_visible(name))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" does not exist",
						mr_clip_text(name))));
}

/*
 * Locks the model for a registration; false if there is none of that name.
 */
bool
mr_target_lock_model_to_fill(const char *name, MrModel *model)
{
	if (!mr_models_lock_by_name(name, model))
		return false;
	mr_target_require_known_model(name);
	return true;
}

/*
 * Raises 42501 if there is a model of that name that the actor cannot see: the
 * number, id and version of a registration would tell him about its versions.
 * That the name is taken, he would learn from its uniqueness anyway.
 */
void
mr_target_require_known_model(const char *name)
{
	if (mr_models_is_visible(name) || !mr_models_exists(name))
		return;
	mr_actor_log_refusal("register a version of model", name);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to register a version of model \"%s\"",
					name),
			 errhint("There is a model of that name that row-level security hides from you.")));
}

/*
 * Raises 42501 unless the actor may edit or delete the version: admins all,
 * writers their own that are not in production.
 */
void
mr_target_require_editor(const MrVersion *version, const char *deed)
{
	if (mr_actor_has(MR_ROLE_WRITER) &&
		version->stage != MR_STAGE_PRODUCTION &&
		version->owner.role == mr_actor_role())
		return;
	mr_actor_require(MR_ROLE_ADMIN, deed, version->model_id);
}
