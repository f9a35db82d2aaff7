/*
 * Giving what one role owns to another, as REASSIGN OWNED does.
 *
 * Lock order: the uploads, then each model's row and its versions.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "artifact/open_upload.h"
#include "base/arg.h"
#include "base/call.h"
#include "base/clip.h"
#include "rows/models.h"
#include "rows/version_owners.h"
#include "rows/versions.h"
#include "trail/trail.h"

MR_ADMIN_FUNCTION(modelreg_reassign, reassign_owned,
				  "give versions to another owner");

static int64 reassign_versions(const pg_uuid_t *model_key, const char *from,
							   const MrRoleRef *to);
static void require_role(const MrRoleRef *ref, const char *name);

/*
 * The first role is a name as owners show: of a role, or of one that is gone.
 */
static Datum
reassign_owned(FunctionCallInfo fcinfo)
{
	char	   *from_name = mr_arg_required_text(fcinfo, 0, "from_role");
	char	   *to_name = mr_arg_required_text(fcinfo, 1, "to_role");
	MrRoleRef	from;
	MrRoleRef	to;
	pg_uuid_t  *uploads;
	pg_uuid_t  *models;
	uint64		upload_count;
	uint64		model_count;
	int64		changed = 0;

	mr_role_ref_from_name(from_name, &from);
	mr_role_ref_from_name(to_name, &to);
	require_role(&to, to_name);
	mr_trail_take_reason(mr_arg_text(fcinfo, 2));

	upload_count = mr_uploads_of_owner(from.name, &uploads);
	for (uint64 i = 0; i < upload_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (mr_open_upload_reassign(&uploads[i], from.name, &to))
			changed++;
	}
	model_count = mr_version_owners_models(from.name, &models);
	for (uint64 i = 0; i < model_count; i++)
		changed += reassign_versions(&models[i], from.name, &to);

	if (upload_count + model_count == 0)
		require_role(&from, from_name);
	PG_RETURN_INT64(changed);
}

/*
 * The model's versions; returns how many changed.
 */
static int64
reassign_versions(const pg_uuid_t *model_key, const char *from,
				  const MrRoleRef *to)
{
	MrModel		model;
	char	  **model_ids;
	uint64		count;
	int64		changed = 0;

	if (!mr_models_lock_by_key(model_key, &model))
		return 0;
	mr_trail_hold(&model);
	count = mr_version_owners_ids(model_key, from, &model_ids);
	for (uint64 i = 0; i < count; i++)
	{
		MrVersion	version;

		CHECK_FOR_INTERRUPTS();
		if (!mr_versions_lock(model_ids[i], &version) ||
			mr_role_ref_identical(&version.owner, to))
			continue;
		mr_version_owners_set(model_ids[i], to);
		changed++;
	}
	mr_trail_release(&model);
	return changed;
}

/*
 * Raises 42704 if that was made of a name that is no role's.
 */
static void
require_role(const MrRoleRef *ref, const char *name)
{
	if (!OidIsValid(ref->role))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" does not exist", mr_clip_text(name))));
}
