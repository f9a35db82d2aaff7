/*
 * Ids of versions, and the numbering of a model's versions.
 *
 * The second in an id is the clock's, or that of the model's last id if the
 * clock was set back since: no second is gone back to, or its suffixes would
 * begin anew.
 *
 * All counters lie in the model's row, which the caller has locked, and only
 * grow, so nothing is ever issued twice and an issue costs the same however
 * many versions there are.
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "pgtime.h"
#include "utils/timestamp.h"

#include "base/semver.h"
#include "life/identity.h"

static bool same_second(TimestampTz a, TimestampTz b);

/*
 * Issues the next id and version number of a locked model, and moves its
 * counters; the caller writes them back.
 */
char *
mr_identity_issue(MrModel *model, TimestampTz registered_at)
{
	TimestampTz issued_at = Max(registered_at, model->last_registered_at);
	struct pg_tm tm;
	fsec_t		fsec;

	if (model->last_version_number < 0 ||
		model->last_version_number == PG_INT32_MAX)
		mr_models_raise_damaged(model, "last_version_number");
	if (model->last_id_suffix < 0 || model->last_id_suffix == PG_INT32_MAX)
		mr_models_raise_damaged(model, "last_id_suffix");

	/* without a zone, the stored value is taken for what it is: UTC */
	if (timestamp2tm(issued_at, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));

	if (same_second(issued_at, model->last_registered_at))
		model->last_id_suffix++;
	else
		model->last_id_suffix = 1;
	model->last_registered_at = issued_at;
	model->last_version_number++;

	if (model->last_id_suffix == 1)
		return psprintf("%s_%04d%02d%02d_%02d%02d%02d", model->name,
						tm.tm_year, tm.tm_mon, tm.tm_mday,
						tm.tm_hour, tm.tm_min, tm.tm_sec);
	return psprintf("%s_%04d%02d%02d_%02d%02d%02d_%d", model->name,
					tm.tm_year, tm.tm_mon, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec,
					model->last_id_suffix);
}

/*
 * The version that a registration gets: the one asked for, or the next minor
 * one after the model's highest.  Moves the highest.
 */
char *
mr_identity_version(MrModel *model, const char *version)
{
	char	   *issued;

	if (model->highest_version && !mr_semver_valid(model->highest_version))
		mr_models_raise_damaged(model, "highest_version");
	if (version)
		issued = pstrdup(version);
	else if (model->highest_version == NULL)
		issued = pstrdup("0.1.0");
	else
	{
		issued = mr_semver_next_minor(model->highest_version);
		if (issued == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("next version of model \"%s\" would be too long",
							model->name),
					 errhint("Give a version.")));
	}

	if (model->highest_version == NULL ||
		mr_semver_compare(issued, model->highest_version) > 0)
		model->highest_version = issued;
	return issued;
}

/*
 * Called when a model takes its name, by creation or by rename: an earlier
 * model of that name may have issued ids in this very second, or in one that
 * the clock has yet to reach.
 */
void
mr_identity_adopt(MrModel *model)
{
	TimestampTz issued_at;
	int			suffix;

	if (!mr_models_last_issued(model, &issued_at, &suffix))
		return;
	if (same_second(issued_at, model->last_registered_at))
		model->last_id_suffix = Max(model->last_id_suffix, suffix);
	else if (issued_at > model->last_registered_at)
		model->last_id_suffix = suffix;
	model->last_registered_at = Max(model->last_registered_at, issued_at);
}

static bool
same_second(TimestampTz a, TimestampTz b)
{
	if (TIMESTAMP_NOT_FINITE(a) || TIMESTAMP_NOT_FINITE(b))
		return false;
	return a / USECS_PER_SEC == b / USECS_PER_SEC;
}
