/*
 * Uploads: what this session does with one.
 *
 * What an append changes is the state of a digest and the bytes behind the last
 * cut.  To save these with each append would cost more than the append, so they
 * stay in memory and are saved when the transaction commits, which is when
 * another session may need them.  A session that begins, appends and registers
 * in one transaction never saves anything.
 *
 * What was saved is kept in memory, so that the next append need not read
 * anything but the row's "progress": if another session has gone on with the
 * upload, that differs, and the state is made anew, by reading and hashing what
 * is stored.
 *
 * What is read then may be damaged: the row, as its digest tells, or the stored
 * bytes, as the checksums of their chunks do.  That is an error, for nobody
 * could tell it from what was sent once it is part of an artifact.  Its hint
 * names the end of the last chunk before which all is sound.  Who appends from
 * there, with byte_offset, says that he has what is behind it: then that is
 * dropped.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "artifact/open_upload.h"
#include "base/actor.h"
#include "base/uuid7.h"
#include "bytes/digest_thread.h"
#include "heal/inspect.h"
#include "rows/discarded.h"
#include "store/storages.h"

/* What is wrong if it is not what is stored in chunks */
#define ROW_PROBLEM "what was saved of it does not match its digest"

/* Bytes that are being added */
typedef struct Part
{
	MrOpenUpload *upload;
	const char *data;
	Size		len;
} Part;

static void write_part(void *arg);
static MrOpenUpload *resume_upload(const MrUploadRow *row, int64 byte_offset);
static void read_state(MrOpenUpload *upload, bytea *state);
static int64 hash_stored(MrOpenUpload *upload, int64 size,
						 const char **problem);
static void drop_from(MrOpenUpload *upload, int64 byte_offset);
pg_noreturn static void raise_damaged(const MrUploadRow *row, int64 sound,
									  const char *problem);

/*
 * Get an upload, to change it in this subtransaction; its row is locked to the
 * end of the transaction.  42704 if there is none, or none that the actor may
 * see, 42501 if he may not do the deed to it, XX001 if it is damaged.
 */
MrOpenUpload *
mr_open_upload_hold(const pg_uuid_t *upload_id, const char *deed)
{
	return mr_open_upload_hold_from(upload_id, deed, -1);
}

/*
 * The same, but if it is damaged, and sound up to byte_offset, what is behind
 * that is dropped instead.
 */
MrOpenUpload *
mr_open_upload_hold_from(const pg_uuid_t *upload_id, const char *deed,
						 int64 byte_offset)
{
	MrOpenUpload *upload = mr_upload_list_find(upload_id);
	bool		is_new = false;

	if (!mr_uploads_is_visible(upload_id))
		mr_uploads_raise_unknown(upload_id);
	if (upload == NULL || !upload->is_locked)
	{
		MrUploadRow row;

		if (!mr_uploads_lock(upload_id, &row) ||
			!mr_uploads_is_visible(upload_id))
		{
			if (upload != NULL)
				mr_upload_list_forget(upload);
			mr_uploads_raise_unknown(upload_id);
		}
		mr_open_upload_require_user(&row, deed);
		if (upload != NULL &&
			memcmp(&upload->row.progress, &row.progress, UUID_LEN) != 0)
		{
			mr_upload_list_forget(upload);
			upload = NULL;
		}
		if (upload == NULL)
		{
			upload = resume_upload(&row, byte_offset);
			is_new = true;
		}
		upload->row.owner = row.owner;
	}
	else if (upload->is_gone)
		mr_uploads_raise_unknown(upload_id);
	else
		mr_open_upload_require_user(&upload->row, deed);

	if (is_new)
	{
		/* what a rollback goes back to is in the table */
		upload->subid = GetCurrentSubTransactionId();
		upload->is_locked = true;
	}
	else if (upload->subid != GetCurrentSubTransactionId())
		upload = mr_upload_list_branch(upload);
	return upload;
}

/*
 * What this transaction has made of an upload, if it has changed it.
 */
const MrOpenUpload *
mr_open_upload_peek(const pg_uuid_t *upload_id)
{
	MrOpenUpload *upload = mr_upload_list_find(upload_id);

	return upload != NULL && upload->is_locked ? upload : NULL;
}

/*
 * Add bytes to an upload that is held.
 */
void
mr_open_upload_add(MrOpenUpload *upload, const char *data, Size len)
{
	Part		part = {upload, data, len};

	upload->is_saved = false;
	mr_digest_thread_add_while(upload->digest, data, len, write_part, &part);
	upload->bytes += len;
}

/*
 * No more bytes come: store the last ones, and tell the SHA-256 of all.
 */
void
mr_open_upload_finish(MrOpenUpload *upload, uint8 *sha256)
{
	MrDigest   *digest = upload->digest;

	upload->digest = NULL;
	mr_digest_end(digest, sha256);
	upload->storage->write_finish(upload->writer);
}

/*
 * The upload is over.  What becomes of its content is for the caller to say.
 */
void
mr_open_upload_end(MrOpenUpload *upload)
{
	mr_uploads_delete(&upload->row.upload_id);
	upload->is_gone = true;
}

/*
 * The same for an upload whose bytes nobody needs; its row is returned.
 */
void
mr_open_upload_drop(const pg_uuid_t *upload_id, const char *deed,
					MrUploadRow *row)
{
	/* what this transaction has done to it is undone with its rollback */
	if (mr_open_upload_peek(upload_id) != NULL)
	{
		MrOpenUpload *upload = mr_open_upload_hold(upload_id, deed);

		*row = upload->row;
		upload->storage->write_end(upload->writer);
		mr_open_upload_end(upload);
		return;
	}
	if (!mr_uploads_is_visible(upload_id) ||
		!mr_uploads_lock(upload_id, row) ||
		!mr_uploads_is_visible(upload_id))
		mr_uploads_raise_unknown(upload_id);
	mr_open_upload_require_user(row, deed);
	mr_uploads_delete(upload_id);
}

/*
 * Gives an upload to another owner, in the memory of this session too, which
 * follows a rollback.  False if it is his already, or its owner does not show
 * as from any more.
 */
bool
mr_open_upload_reassign(const pg_uuid_t *upload_id, const char *from,
						const MrRoleRef *to)
{
	MrUploadRow row;

	if (!mr_uploads_lock(upload_id, &row) ||
		strcmp(mr_role_ref_name(&row.owner), from) != 0 ||
		mr_role_ref_identical(&row.owner, to))
		return false;
	if (mr_open_upload_peek(upload_id) != NULL)
		mr_open_upload_hold(upload_id, "reassign")->row.owner = *to;
	mr_uploads_set_owner(upload_id, to);
	return true;
}

/*
 * Raises 42501 unless the upload is the actor's, or he is an admin.
 */
void
mr_open_upload_require_user(const MrUploadRow *row, const char *deed)
{
	if (row->owner.role != mr_actor_role())
		mr_actor_require(MR_ROLE_ADMIN,
						 psprintf("%s an upload that belongs to", deed),
						 mr_role_ref_name(&row->owner));
}

static void
write_part(void *arg)
{
	Part	   *part = arg;

	part->upload->storage->write(part->upload->writer, part->data, part->len);
}

/*
 * Raises XX001 unless what the active snapshot shows of an upload is what was
 * saved.  The stored bytes are not read, but to tell how far they are sound.
 */
void
mr_open_upload_require_intact(const MrUploadRow *row)
{
	bytea	   *state = mr_uploads_state(&row->upload_id, MR_SIGHT_ACTIVE);
	MrDigest   *digest;
	int64		sound;
	const char *problem;

	if (mr_uploads_is_intact(row, state))
		return;
	digest = mr_digest_begin();
	(void) mr_inspect_content(mr_storages_or_default(row->storage),
							  &row->upload_id, PG_INT64_MAX,
							  GetActiveSnapshot(), digest, &sound, &problem);
	raise_damaged(row, sound, ROW_PROBLEM);
}

/*
 * Go on with an upload that this session knows nothing of, or not the latest.
 * byte_offset is where the caller would append, or -1.
 */
static MrOpenUpload *
resume_upload(const MrUploadRow *row, int64 byte_offset)
{
	bytea	   *state = mr_uploads_state(&row->upload_id, MR_SIGHT_LATEST);
	bool		is_intact = mr_uploads_is_intact(row, state);
	MrOpenUpload *upload;
	MemoryContext oldcontext;
	int64		size = PG_INT64_MAX;
	int64		sound;
	const char *pending;
	Size		len;
	const char *problem = NULL;

	upload = mr_upload_list_make(row);
	oldcontext = MemoryContextSwitchTo(upload->context);
	upload->digest = mr_digest_begin();
	if (!is_intact)
		upload->storage = mr_storages_or_default(row->storage);
	else
	{
		upload->storage = mr_storages_by_name(row->storage);
		read_state(upload, state);
		(void) upload->storage->write_pending(upload->writer, &size, &len);
	}
	MemoryContextSwitchTo(oldcontext);

	sound = hash_stored(upload, size, &problem);
	if (is_intact && problem == NULL)
	{
		pending = upload->storage->write_pending(upload->writer, &size, &len);
		mr_digest_add(upload->digest, pending, len);
	}
	else if (byte_offset == sound)
	{
		/* what was announced may be what is damaged */
		if (!is_intact)
			upload->row.expected_size = -1;
		drop_from(upload, sound);
	}
	else
		raise_damaged(row, sound, is_intact ? problem : ROW_PROBLEM);
	if (state != NULL)
		pfree(state);

	mr_upload_list_add(upload);
	return upload;
}

/*
 * Make the writer that goes on where the last one was suspended.
 */
static void
read_state(MrOpenUpload *upload, bytea *state)
{
	const MrStorage *storage = upload->storage;
	const pg_uuid_t *content = &upload->row.upload_id;
	int64		stored;
	Size		pending;

	if (state == NULL)
		upload->writer = storage->write_begin(content);
	else
		upload->writer = storage->write_resume(content, state);
	(void) storage->write_pending(upload->writer, &stored, &pending);
	if (stored + (int64) pending != upload->row.bytes_held)
		elog(ERROR, "upload was saved with " INT64_FORMAT " bytes instead of " INT64_FORMAT,
			 stored + (int64) pending, upload->row.bytes_held);
}

/*
 * Hash what is stored already, size bytes or as many as there are.  Returns how
 * many are sound; the problem is what is wrong then, or NULL.
 */
static int64
hash_stored(MrOpenUpload *upload, int64 size, const char **problem)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	int64		sound;
	MrHealth	health;

	health = mr_inspect_content(upload->storage, &upload->row.upload_id, size,
								snapshot, upload->digest, &sound, problem);
	UnregisterSnapshot(snapshot);
	if (health == MR_UNREADABLE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot go on with upload"),
				 errdetail_internal("Its %s.", *problem),
				 errhint("Build modelreg with lz4 and zstd.")));
	return sound;
}

/*
 * Drop what a damaged upload holds from byte_offset on, and go on from there.
 */
static void
drop_from(MrOpenUpload *upload, int64 byte_offset)
{
	const MrStorage *storage = upload->storage;
	MemoryContext oldcontext = MemoryContextSwitchTo(upload->context);
	pg_uuid_t	rest;

	mr_uuid7(&rest);
	upload->writer = storage->write_cut(&upload->row.upload_id, byte_offset,
										&rest);
	upload->row.storage = pstrdup(storage->name);
	MemoryContextSwitchTo(oldcontext);
	mr_discarded_add(&rest, storage->name);
	upload->bytes = byte_offset;
	upload->is_saved = false;
}

/*
 * Raise the error for a damaged upload whose first bytes are sound.
 */
static void
raise_damaged(const MrUploadRow *row, int64 sound, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("upload \"%s\" is damaged",
					mr_uuid7_text(&row->upload_id)),
			 errdetail_internal("Damage found: %s.", problem),
			 errhint("Go on with byte_offset " INT64_FORMAT ", which drops what the upload holds behind that.",
					 sound)));
}
