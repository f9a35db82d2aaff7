/*
 * Scrubbing: the stored bytes are verified bit by bit, all in their turn.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/arg.h"
#include "base/call.h"
#include "base/lock.h"
#include "base/result.h"
#include "heal/inspect.h"
#include "rows/artifact_checks.h"

/* Bytes that a scrub reads, if the caller does not say */
#define SCRUB_BYTES (INT64CONST(1024) * 1024 * 1024)

/* Artifacts whose turn it is that are looked up at a time */
#define BATCH_ARTIFACTS 10000

MR_ADMIN_FUNCTION(modelreg_scrub, scrub_artifacts, "scrub");

static bool scrub_artifact(const uint8 *sha256);

static Datum
scrub_artifacts(FunctionCallInfo fcinfo)
{
	int64		max_bytes = PG_ARGISNULL(0) ? SCRUB_BYTES : PG_GETARG_INT64(0);
	TimestampTz begin = GetCurrentTimestamp();
	int64		artifacts = 0;
	int64		bytes = 0;
	int64		damaged = 0;
	bool		full = false;
	MrDue	   *due;
	uint64		count;

	if (max_bytes <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_bytes must be positive")));

	/* two at a time would verify the same artifacts */
	(void) mr_lock_take(MR_LOCK_SCRUB, false);
	mr_artifact_checks_forget_gone();
	do
	{
		count = mr_artifact_checks_due(begin, BATCH_ARTIFACTS, &due);
		for (uint64 i = 0; i < count && !full; i++)
		{
			/* the first is read whatever its size, or it never would be */
			full = artifacts > 0 && due[i].artifact_size > max_bytes - bytes;
			if (full)
				break;
			if (!scrub_artifact(due[i].sha256))
				damaged++;
			artifacts++;
			bytes += due[i].artifact_size;
		}
	} while (count == BATCH_ARTIFACTS && !full);

	mr_result_begin(fcinfo);
	mr_result_add(fcinfo,
				  MR_VALUES(mr_value_int8(artifacts), mr_value_int8(bytes),
							mr_value_int8(damaged)));
	return (Datum) 0;
}

/*
 * Verifies an artifact, as it is by now, and notes what was found.  Returns
 * false if it is damaged.
 */
static bool
scrub_artifact(const uint8 *sha256)
{
	MrArtifact	artifact;
	uint8		actual[MR_SHA256_LEN];
	MrHealth	health = MR_WHOLE;
	const char *problem;

	PushActiveSnapshot(GetLatestSnapshot());
	if (mr_artifacts_get(sha256, MR_SIGHT_ACTIVE, &artifact))
	{
		health = mr_inspect_artifact(&artifact, GetActiveSnapshot(),
									 actual, &problem);
		if (health == MR_DAMAGED)
			ereport(WARNING,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("artifact %s is damaged: %s",
							mr_digest_hex(sha256), problem),
					 errhint("Register its bytes again, which heals them, or restore a backup; see the view modelreg.artifact_health.")));
		mr_artifact_checks_note(sha256, problem);
	}
	PopActiveSnapshot();
	return health != MR_DAMAGED;
}
