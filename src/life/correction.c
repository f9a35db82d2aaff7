/*
 * Correcting the times of registrations.
 *
 * The time of a registration is the clock's, and the clock may have been ahead.
 * What is evidently wrong may be lowered, and nothing else: a time that is yet
 * to come, or one that is not before that of the model's next version.  Nothing
 * is lowered by itself: it may be the clock of now that is wrong.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/datetime.h"

#include "base/actor.h"
#include "life/correction.h"
#include "rows/version_times.h"
#include "trail/trail.h"

/*
 * When this software was made, 2026-01-01 in UTC: nothing was registered
 * earlier, and a clock that says so is one that nobody has set.
 */
#define MADE_AT \
	((TimestampTz) (date2j(2026, 1, 1) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)

static bool is_evidently_wrong(const MrVersion *version,
							   TimestampTz next_registered_at,
							   TimestampTz now);
static void lower_earlier(const pg_uuid_t *model_key, int version_number,
						  TimestampTz registered_at);
pg_noreturn static void raise_not_wrong(const MrVersion *version);

/*
 * Lowers the time of a locked version of a locked model, and of earlier ones
 * that would not be before it.  It must lie between what the trail says of the
 * model before the registration and after it (22023).
 */
void
mr_correction_make(MrModel *model, const MrVersion *version,
				   TimestampTz registered_at)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = mr_version_times_next(version);
	TimestampTz earliest;
	TimestampTz latest;

	if (!is_evidently_wrong(version, next, now))
		raise_not_wrong(version);
	earliest = MADE_AT;
	latest = Min(now, version->registered_at - 1);
	latest = Min(latest, next - 1);
	mr_version_times_bounds(version, &earliest, &latest);
	if (registered_at < earliest || registered_at > latest)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("registered_at of model version \"%s\" can only be between %s and %s",
						version->model_id,
						pstrdup(timestamptz_to_str(earliest)),
						pstrdup(timestamptz_to_str(latest))),
				 errdetail("That is what the audit trail and the model's other versions allow.")));

	mr_trail_hold(model);
	mr_version_times_lower(version->model_id, registered_at);
	lower_earlier(&version->model_key, version->version_number,
				  registered_at);
	mr_trail_release(model);
}

/*
 * Lowers the times of the model's versions before that number that are not
 * before the time of that number, from the last one on, each to a microsecond
 * before the next.
 */
static void
lower_earlier(const pg_uuid_t *model_key, int version_number,
			  TimestampTz registered_at)
{
	MrVersion	version;

	while (mr_version_times_before(model_key, version_number, &version) &&
		   version.registered_at >= registered_at)
	{
		CHECK_FOR_INTERRUPTS();
		registered_at--;
		version_number = version.version_number;
		mr_version_times_lower(version.model_id, registered_at);
	}
}

/*
 * Raises an error unless the time of a registration may change so.
 */
void
mr_correction_check(const MrVersion *before, const MrVersion *after)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = mr_version_times_next(before);

	if (!is_evidently_wrong(before, next, now))
		raise_not_wrong(before);
	if (after->registered_at >= before->registered_at ||
		after->registered_at > now || after->registered_at >= next ||
		TIMESTAMP_NOT_FINITE(after->registered_at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("registered_at of model version \"%s\" can only be lowered, to a time that has come and that is before the next version's",
						before->model_id)));
}

static bool
is_evidently_wrong(const MrVersion *version, TimestampTz next_registered_at,
				   TimestampTz now)
{
	return version->registered_at > now ||
		version->registered_at >= next_registered_at;
}

static void
raise_not_wrong(const MrVersion *version)
{
	mr_actor_log_refusal("change registered_at of model version",
						 version->model_id);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("registered_at of model version \"%s\" is not in the future",
					version->model_id),
			 errdetail("It is %s; only a time that is yet to come, or not before that of the model's next version, is evidently wrong.",
					   timestamptz_to_str(version->registered_at))));
}
