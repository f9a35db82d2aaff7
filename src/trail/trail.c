/*
 * Appending to the audit trail.
 *
 * Each model has a chain of its own, whose head lies in the model's row: who
 * changes a version holds that row's lock anyway, so the chain costs no
 * further contention, and an open transaction on one model holds up no other.
 * What belongs to no model goes to the registry's chain, under an advisory
 * lock.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"

#include "base/call.h"
#include "base/check.h"
#include "base/compat.h"
#include "base/guc.h"
#include "base/lock.h"
#include "base/uuid7.h"
#include "rows/events.h"
#include "trail/trail.h"

static void append_event(const pg_uuid_t *key, const char *model_name,
						 int64 seq,
						 TimestampTz at, uint8 *hash, const MrEvent *event);
static void notify_listeners(const MrEvent *event, int64 seq);

/*
 * Hands a caller's reason to the events that follow in this call, those of
 * the recorder triggers too; without one, what the session set counts.
 */
void
mr_trail_take_reason(const char *reason)
{
	if (reason == NULL || reason[0] == '\0')
		return;
	mr_check_text_size("reason", reason);
	mr_guc_set_reason(reason);
}

/*
 * From now on the events of this model, which the caller has locked and just
 * read, go to the chain with its head in memory, the recorder triggers' too:
 * the row is written once, by mr_trail_release, and not for each of a thousand
 * deletions.  An error forgets the hold.
 */
void
mr_trail_hold(MrModel *model)
{
	mr_call_notes.held = model;
}

/*
 * Ends the hold and writes the model's counters and head back, if they moved.
 */
void
mr_trail_release(MrModel *model)
{
	mr_call_notes.held = NULL;
	if (model->dirty)
		mr_models_advance(model);
}

/*
 * Appends to the chain of a locked model, in memory; the caller writes the row
 * with mr_trail_release or mr_models_advance, unless it is being deleted.  The
 * time is the clock's, which may have been set back: the order is that of seq.
 */
void
mr_trail_append(MrModel *model, const MrEvent *event)
{
	model->audit_at = event->at ? event->at : GetCurrentTimestamp();
	model->audit_seq++;
	append_event(&model->key, model->name, model->audit_seq, model->audit_at,
				 model->audit_hash, event);
	model->dirty = true;
}

/*
 * Appends to the chain of a model: the one on hold, or else its row is locked
 * and written.
 */
void
mr_trail_append_by_key(const pg_uuid_t *model_key, const MrEvent *event)
{
	MrModel    *held = mr_call_notes.held;
	MrModel		model;

	if (held && memcmp(&held->key, model_key, UUID_LEN) == 0)
	{
		mr_trail_append(held, event);
		return;
	}

	if (!mr_models_lock_by_key(model_key, &model))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("model version belongs to no model"),
				 errhint("Run modelreg_verify() and modelreg_audit_verify().")));
	mr_trail_append(&model, event);
	mr_models_advance(&model);
}

/*
 * Appends to the registry's chain.
 */
void
mr_trail_append_registry(const MrEvent *event)
{
	pg_uuid_t	nil = MR_UUID_NIL;
	int64		seq = 0;
	uint8		hash[MR_SHA256_LEN] = {0};

	mr_trail_lock_registry();
	(void) mr_events_registry_head(&seq, hash);
	append_event(&nil, NULL, seq + 1, GetCurrentTimestamp(), hash, event);
}

/*
 * Takes the lock of the registry's chain to the end of the transaction.
 */
void
mr_trail_lock_registry(void)
{
	(void) mr_lock_take(MR_LOCK_REGISTRY, false);
}

/*
 * Inserts the event, replaces its predecessor's hash by its own, sends it to
 * listeners, and makes sure that the commit survives a crash of this server: a
 * session's synchronous_commit = off must not lose what was acknowledged.
 * (Waiting for standbys is still decided by that setting.)
 */
static void
append_event(const pg_uuid_t *key, const char *model_name, int64 seq,
			 TimestampTz at, uint8 *hash, const MrEvent *event)
{
	MrEventRow	row;

	row.model_key = *key;
	row.seq = seq;
	row.at = at;
	row.event = event->event;
	row.model_name = model_name;
	row.model_id = event->model_id;
	row.session_user_name = GetUserNameFromId(GetSessionUserId(), false);
	row.actor = mr_actor_name();
	row.client.value = mr_events_client(application_name);
	row.client.isnull = false;
	row.old_values = event->old_values;
	row.new_values = event->new_values;
	row.reason = mr_guc_reason();
	mr_check_text_size("modelreg.reason", row.reason);
	memcpy(row.previous_hash, hash, MR_SHA256_LEN);

	mr_events_insert(&row, hash);
	notify_listeners(event, seq);
	ForceSyncCommit();
}

/*
 * Tells listeners what changed: a hint to look, never a record.  At the level
 * "stage", that is whatever may change which version a service should load.
 * Anybody can listen, so where row-level security hides versions or models
 * from somebody, the hint says only that something happened.
 */
static void
notify_listeners(const MrEvent *event, int64 seq)
{
	StringInfoData payload;
	bool		is_move = strcmp(event->event, "stage") == 0 ||
		event->alias != NULL;
	bool		is_visible = event->stage != NULL &&
		strcmp(event->stage, mr_stage_name(MR_STAGE_DEVELOPMENT)) != 0 &&
		strcmp(event->event, "update") != 0;

	if (mr_guc_notify == MR_NOTIFY_NONE)
		return;
	if (mr_guc_notify == MR_NOTIFY_STAGE && !is_move && !is_visible)
		return;

	initStringInfo(&payload);
	appendStringInfoString(&payload, "{\"event\": ");
	escape_json(&payload, event->event);
	if (mr_call_has_row_security("model_version") ||
		mr_call_has_row_security("model"))
	{
		appendStringInfoString(&payload,
							   ", \"model_id\": null, \"stage\": null,"
							   " \"seq\": null}");
		Async_Notify("modelreg", payload.data);
		return;
	}
	appendStringInfoString(&payload, ", \"model_id\": ");
	/* an alias that was dropped names nothing any more */
	if (event->model_id &&
		!(event->alias != NULL && event->new_values.isnull))
		escape_json(&payload, event->model_id);
	else
		appendStringInfoString(&payload, "null");
	appendStringInfoString(&payload, ", \"stage\": ");
	if (event->stage)
		escape_json(&payload, event->stage);
	else
		appendStringInfoString(&payload, "null");
	if (event->alias)
	{
		appendStringInfoString(&payload, ", \"alias\": ");
		escape_json(&payload, event->alias);
	}
	appendStringInfo(&payload, ", \"seq\": %lld}", (long long) seq);

	Async_Notify("modelreg", payload.data);
}
