/*
 * Scrubbing: the stored bytes are verified bit by bit, all in their turn.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "artifact/artifact.h"
#include "base/actor.h"
#include "base/arg.h"
#include "base/lock.h"
#include "bytes/digest.h"
#include "rows/artifact_checks.h"

/* Bytes that a scrub reads, if the caller does not say */
#define SCRUB_BYTES (INT64CONST(1024) * 1024 * 1024)

/* Columns of modelreg_scrub */
#define SCRUB_COLUMNS 3

/* Artifacts whose turn it is that are looked up at a time */
#define BATCH_ARTIFACTS 10000

PG_FUNCTION_INFO_V1(modelreg_scrub);

static Datum scrub(FunctionCallInfo fcinfo);
static bool check_artifact(const uint8 *sha256);

/*
 * modelreg_scrub(max_bytes): see its COMMENT.
 */
Datum
modelreg_scrub(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	return mr_actor_run_as_owner(fcinfo, MR_ROLE_ADMIN, "scrub", scrub);
}

static Datum
scrub(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int64		max_bytes = PG_ARGISNULL(0) ? SCRUB_BYTES : PG_GETARG_INT64(0);
	TimestampTz begin = GetCurrentTimestamp();
	int64		artifacts = 0;
	int64		bytes = 0;
	int64		damaged = 0;
	bool		full = false;
	MrDue	   *due;
	uint64		count;
	Datum		values[SCRUB_COLUMNS];
	bool		nulls[SCRUB_COLUMNS] = {false};

	if (max_bytes <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_bytes must be positive")));

	/* two at a time would verify the same artifacts */
	(void) mr_lock_take(MR_LOCK_SCRUB, false);
	mr_check_forget_gone();
	do
	{
		count = mr_check_due(begin, BATCH_ARTIFACTS, &due);
		for (uint64 i = 0; i < count && !full; i++)
		{
			/* the first is read whatever its size, or it never would be */
			full = artifacts > 0 && due[i].artifact_size > max_bytes - bytes;
			if (full)
				break;
			if (!check_artifact(due[i].sha256))
				damaged++;
			artifacts++;
			bytes += due[i].artifact_size;
		}
	} while (count == BATCH_ARTIFACTS && !full);

	values[0] = Int64GetDatum(artifacts);
	values[1] = Int64GetDatum(bytes);
	values[2] = Int64GetDatum(damaged);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

/*
 * Verifies an artifact, as it is by now, and notes what was found.  Returns
 * false if it is damaged.
 */
static bool
check_artifact(const uint8 *sha256)
{
	MrArtifactRow row;
	uint8		actual[MR_SHA256_LEN];
	MrHealth	health = MR_WHOLE;
	const char *problem;

	PushActiveSnapshot(GetLatestSnapshot());
	if (mr_artifact_row_get(sha256, MR_SIGHT_ACTIVE, &row))
	{
		health = mr_artifact_check(&row, GetActiveSnapshot(), actual,
								   &problem);
		if (health == MR_DAMAGED)
			ereport(WARNING,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("artifact %s is damaged: %s",
							mr_digest_hex(sha256), problem),
					 errhint("Register its bytes again, which heals them, or restore a backup; see the view modelreg.artifact_health.")));
		mr_check_note(sha256, problem);
	}
	PopActiveSnapshot();
	return health != MR_DAMAGED;
}
