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
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "artifact/open_upload.h"
#include "base/actor.h"
#include "bytes/digest_thread.h"
#include "store/storages.h"

/* Bytes that are being added */
typedef struct Part
{
	MrOpenUpload *upload;
	const char *data;
	Size		len;
} Part;

static void write_part(void *arg);
static MrOpenUpload *resume_upload(const MrUploadRow *row);
static void hash_stored(MrOpenUpload *upload);

/*
 * Get an upload, to change it in this subtransaction; its row is locked to the
 * end of the transaction.  42704 if there is none, 42501 if the actor may not
 * do the deed to it.
 */
MrOpenUpload *
mr_open_upload_hold(const pg_uuid_t *upload_id, const char *deed)
{
	MrOpenUpload *upload = mr_upload_list_find(upload_id);
	bool		is_new = false;

	if (upload == NULL || !upload->is_locked)
	{
		MrUploadRow row;

		if (!mr_uploads_lock(upload_id, &row))
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
			upload = resume_upload(&row);
			is_new = true;
		}
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
	if (!mr_uploads_lock(upload_id, row))
		mr_uploads_raise_unknown(upload_id);
	mr_open_upload_require_user(row, deed);
	mr_uploads_delete(upload_id);
}

/*
 * Raises 42501 unless the actor began the upload, or is an admin.
 */
void
mr_open_upload_require_user(const MrUploadRow *row, const char *deed)
{
	if (strcmp(row->created_by, mr_actor_name()) != 0)
		mr_actor_require(MR_ROLE_ADMIN,
						 psprintf("%s an upload begun by", deed),
						 row->created_by);
}

static void
write_part(void *arg)
{
	Part	   *part = arg;

	part->upload->storage->write(part->upload->writer, part->data, part->len);
}

/*
 * Go on with an upload that this session knows nothing of, or not the latest.
 */
static MrOpenUpload *
resume_upload(const MrUploadRow *row)
{
	MrOpenUpload *upload;
	MemoryContext oldcontext;
	bytea	   *state = mr_uploads_state(&row->upload_id);

	upload = mr_upload_list_make(row);
	oldcontext = MemoryContextSwitchTo(upload->context);
	upload->storage = mr_storages_by_name(row->storage);
	if (state == NULL)
		upload->writer = upload->storage->write_begin(&row->upload_id);
	else
		upload->writer = upload->storage->write_resume(&row->upload_id, state);
	upload->digest = mr_digest_begin();
	MemoryContextSwitchTo(oldcontext);
	if (state != NULL)
		pfree(state);
	hash_stored(upload);

	mr_upload_list_add(upload);
	return upload;
}

/*
 * Hash what is stored already.  A checksum of each chunk is compared on the
 * way, or damage would become part of the artifact.
 */
static void
hash_stored(MrOpenUpload *upload)
{
	const MrStorage *storage = upload->storage;
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	MrStorageReader *reader;
	const char *pending;
	const char *run;
	Size		len;
	int64		stored;
	const char *problem;

	pending = storage->write_pending(upload->writer, &stored, &len);
	if (stored + (int64) len != upload->row.bytes_held)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("upload holds " INT64_FORMAT " bytes instead of " INT64_FORMAT,
						stored + (int64) len, upload->row.bytes_held),
				 errhint("Abort it and begin another.")));

	reader = storage->read_begin(&upload->row.upload_id, stored, 0, true,
								 snapshot);
	while (storage->read_next(reader, &run, &len))
	{
		CHECK_FOR_INTERRUPTS();
		mr_digest_add(upload->digest, run, len);
	}
	switch (storage->read_health(reader, &problem))
	{
		case MR_WHOLE:
			break;
		case MR_DAMAGED:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("stored bytes of upload are damaged"),
					 errdetail_internal("Damage found: %s.", problem),
					 errhint("Abort it and begin another.")));
			break;
		case MR_UNREADABLE:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot go on with upload"),
					 errdetail_internal("Its %s.", problem),
					 errhint("Build modelreg with lz4 and zstd.")));
			break;
	}
	storage->read_end(reader);
	UnregisterSnapshot(snapshot);

	pending = storage->write_pending(upload->writer, &stored, &len);
	mr_digest_add(upload->digest, pending, len);
}
