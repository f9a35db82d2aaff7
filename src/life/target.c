/*
 * The model and version that a call is about: they are locked, in that order.
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
	if (!mr_versions_get(model_id, MR_SIGHT_LATEST, version) ||
		!mr_models_lock_by_key(&version->model_key, model) ||
		!mr_versions_lock(model_id, version))
		mr_versions_raise_unknown(model_id);
}

/*
 * Locks the model; 42704 if it is not there.
 */
void
mr_target_lock_model(const char *name, MrModel *model)
{
	if (!mr_models_lock_by_name(name, model))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" does not exist",
						mr_clip_text(name))));
}

/*
 * Raises 42501 unless the actor may edit or delete the version: admins all,
 * writers what they registered and is not in production.
 */
void
mr_target_require_editor(const MrVersion *version, const char *deed)
{
	if (mr_actor_has(MR_ROLE_WRITER) &&
		version->stage != MR_STAGE_PRODUCTION &&
		strcmp(version->registered_by, mr_actor_name()) == 0)
		return;
	mr_actor_require(MR_ROLE_ADMIN, deed, version->model_id);
}
