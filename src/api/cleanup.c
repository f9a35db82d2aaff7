/*
 * The steps of modelreg_cleanup, each in a transaction of its own.
 *
 * Versions go under their model's lock; a model that somebody else holds, an
 * open registration say, is passed over until the next time.  Artifacts go
 * then, and in two statements: the first locks what looks unused and passes
 * over what a registration holds, the second looks again with a later
 * snapshot.  In one statement, or under one snapshot, a registration that
 * commits in between would lose its bytes.  The bytes go last, as
 * many in a transaction as the batch allows, however large an artifact is.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "base/arg.h"
#include "base/call.h"
#include "base/check.h"
#include "base/clip.h"
#include "base/guc.h"
#include "base/name.h"
#include "base/uuid7.h"
#include "life/removal.h"
#include "rows/artifacts.h"
#include "rows/discarded.h"
#include "rows/events.h"
#include "rows/uploads.h"
#include "store/storages.h"
#include "trail/trail.h"

/* Rows of a batch, if the caller does not say */
#define MR_BATCH_SIZE	100

/* Bytes of artifacts after which a batch ends, whatever its size */
#define MR_BATCH_BYTES	(INT64CONST(256) * 1024 * 1024)

/* What a cleanup did */
typedef struct CleanupWork
{
	int64		versions;		/* removed */
	int64		artifacts;		/* removed */
	int64		uploads;		/* removed */
	bool		forced;			/* protection was lifted for a version */
} CleanupWork;

/* What the cleanup that runs did so far, for its event: committed, and not */
static CleanupWork done;
static CleanupWork pending;

/* The model that it is about; empty: all */
static char cleanup_model[MR_MAX_NAME + 1];

MR_ADMIN_FUNCTION(modelreg_cleanup_begin, cleanup_begin, "clean up");
MR_ADMIN_FUNCTION(modelreg_cleanup_versions, cleanup_versions, "clean up");
MR_ADMIN_FUNCTION(modelreg_cleanup_artifacts, cleanup_artifacts, "clean up");
MR_ADMIN_FUNCTION(modelreg_cleanup_uploads, cleanup_uploads, "clean up");
MR_ADMIN_FUNCTION(modelreg_cleanup_contents, cleanup_contents, "clean up");
MR_ADMIN_FUNCTION(modelreg_cleanup_end, cleanup_end, "clean up");

static int	read_batch_size(FunctionCallInfo fcinfo, int n);
static void forget_cleanup_work(void);
static void at_cleanup_xact_end(XactEvent event, void *arg);
static void at_cleanup_subxact_end(SubXactEvent event, SubTransactionId mine,
								   SubTransactionId parent, void *arg);
static void require_no_snapshot(void);

static Datum
cleanup_begin(FunctionCallInfo fcinfo)
{
	char	   *model_name = mr_arg_text(fcinfo, 0);
	Datum		keys;

	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(at_cleanup_xact_end, NULL);
		RegisterSubXactCallback(at_cleanup_subxact_end, NULL);
		registered = true;
	}
	forget_cleanup_work();

	(void) read_batch_size(fcinfo, 1);
	if (IsTransactionBlock())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("modelreg_cleanup cannot run inside a transaction block"),
				 errhint("It commits after each batch; CALL it by itself.")));
	if (mr_models_keys(model_name, &keys) == 0 && model_name)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" does not exist",
						mr_clip_text(model_name))));
	if (model_name)
		snprintf(cleanup_model, sizeof(cleanup_model), "%s", model_name);
	return keys;
}

static Datum
cleanup_versions(FunctionCallInfo fcinfo)
{
	bool		keep_production = mr_arg_bool(fcinfo, 1, true);
	int			batch_size = read_batch_size(fcinfo, 2);
	pg_uuid_t  *key;
	MrModel		model;
	MrCause		cause;
	int			removed;

	require_no_snapshot();
	if (PG_ARGISNULL(0))
		PG_RETURN_INT32(0);
	key = PG_GETARG_UUID_P(0);

	/* most have no more versions than they may: do not even lock them */
	if (!mr_models_is_visible_by_key(key) ||
		!mr_models_get_by_key(key, &model) ||
		!mr_removal_may_have_excess(&model) ||
		!mr_models_try_lock_by_key(key, &model))
		PG_RETURN_INT32(0);
	cause = keep_production ? MR_CAUSE_CLEANUP : MR_CAUSE_CLEANUP_FORCED;
	mr_trail_hold(&model);
	removed = mr_removal_delete_excess(&model, keep_production, batch_size,
									   cause);
	mr_trail_release(&model);
	pending.versions += removed;
	if (removed > 0 && !keep_production)
		pending.forced = true;
	PG_RETURN_INT32(removed);
}

static Datum
cleanup_artifacts(FunctionCallInfo fcinfo)
{
	int			batch_size = read_batch_size(fcinfo, 0);
	MrArtifact *artifacts;
	uint64		count;
	int			removed = 0;

	require_no_snapshot();
	count = mr_artifacts_lock_unused(batch_size, &artifacts);
	for (uint64 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (mr_artifacts_is_used(artifacts[i].sha256))
			continue;
		mr_artifacts_delete(artifacts[i].sha256);
		mr_discarded_add(&artifacts[i].content, artifacts[i].storage);
		removed++;
	}
	pending.artifacts += removed;

	/* what turned out to be used is not found again */
	PG_RETURN_INT32(count);
}

static Datum
cleanup_uploads(FunctionCallInfo fcinfo)
{
	int			batch_size = read_batch_size(fcinfo, 0);
	MrUploadRow *rows;
	uint64		count;

	require_no_snapshot();
	if (mr_guc_upload_expiry < 0)
		PG_RETURN_INT32(0);
	count = mr_uploads_lock_expired(mr_guc_upload_expiry, batch_size,
									&rows);
	for (uint64 i = 0; i < count; i++)
	{
		mr_uploads_delete(&rows[i].upload_id);
		mr_discarded_add(&rows[i].upload_id,
						 mr_storages_or_default(rows[i].storage)->name);
	}
	pending.uploads += count;
	PG_RETURN_INT32(count);
}

static Datum
cleanup_contents(FunctionCallInfo fcinfo)
{
	int			batch_size = read_batch_size(fcinfo, 0);
	pg_uuid_t  *after = MemoryContextAllocZero(mr_call_result_context(),
											   sizeof(pg_uuid_t));
	int64		bytes = MR_BATCH_BYTES;
	MrDiscarded *rows;
	uint64		count;

	require_no_snapshot();
	if (!PG_ARGISNULL(1))
		*after = *PG_GETARG_UUID_P(1);
	count = mr_discarded_lock(after, batch_size, &rows);
	for (uint64 i = 0; i < count; i++)
	{
		const MrStorage *storage = mr_storages_find(rows[i].storage);

		CHECK_FOR_INTERRUPTS();
		if (storage == NULL)
			ereport(WARNING,
					(errmsg("content %s is not removed: artifact storage \"%s\" is not supported",
							mr_uuid7_text(&rows[i].content), rows[i].storage)));
		else if (storage->remove(&rows[i].content, &bytes))
			mr_discarded_delete(&rows[i].content);
		/* what is left of this one goes in the next batch */
		if (bytes <= 0)
			return UUIDPGetDatum(after);
		*after = rows[i].content;
	}
	if (count == batch_size)
		return UUIDPGetDatum(after);

	fcinfo->isnull = true;
	return (Datum) 0;
}

static Datum
cleanup_end(FunctionCallInfo fcinfo)
{
	MrEvent		event = {0};
	const char *model_name = cleanup_model[0] ? cleanup_model : NULL;

	if (done.versions > 0 || done.artifacts > 0 || done.uploads > 0)
	{
		event.event = "cleanup";
		event.old_values.isnull = true;
		event.new_values.value =
			mr_events_cleanup_values(done.versions, done.artifacts,
									 done.uploads, done.forced, model_name);
		mr_trail_append_registry(&event);
	}
	forget_cleanup_work();
	PG_RETURN_VOID();
}

static int
read_batch_size(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		return MR_BATCH_SIZE;
	if (PG_GETARG_INT32(n) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch_size must be at least 1")));
	return PG_GETARG_INT32(n);
}

static void
forget_cleanup_work(void)
{
	memset(&done, 0, sizeof(done));
	memset(&pending, 0, sizeof(pending));
	cleanup_model[0] = '\0';
}

/*
 * What was committed counts, and nothing else.
 */
static void
at_cleanup_xact_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT)
	{
		done.versions += pending.versions;
		done.artifacts += pending.artifacts;
		done.uploads += pending.uploads;
		done.forced |= pending.forced;
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		memset(&pending, 0, sizeof(pending));
}

static void
at_cleanup_subxact_end(SubXactEvent event, SubTransactionId mine,
					   SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		memset(&pending, 0, sizeof(pending));
}

/*
 * Under a snapshot of the whole transaction a cleanup cannot see what is
 * registered meanwhile.
 */
static void
require_no_snapshot(void)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("cleanup cannot run under a transaction snapshot"),
				 errhint("Use isolation level READ COMMITTED.")));
}
