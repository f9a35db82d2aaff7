/*
 * Uploads that this session is at.
 *
 * What an append changes is the state of a digest and the bytes behind the last
 * cut.  To save these with each append would cost more than the append, so they
 * stay in memory and are saved when the transaction commits, which is when
 * another session may need them.  A session that begins, appends and registers
 * in one transaction never saves anything.
 *
 * Memory must then follow what happens to the transaction.  The first append of
 * a transaction, or of a subtransaction, works on a copy; if that is rolled
 * back, the copy is thrown away.  When it has committed, the copy is kept, so
 * that the next append need not read anything but the row's "progress": if
 * another session has gone on with the upload, that differs, and the state is
 * made anew, by reading and hashing what is stored.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "artifact/open_upload.h"
#include "base/actor.h"
#include "base/uuid7.h"
#include "bytes/digest_thread.h"
#include "rows/discarded.h"

/* How many uploads that it is not at a session remembers */
#define MAX_REMEMBERED 4

/* The uploads that this session knows, the latest first */
static MrUpload *uploads = NULL;

/* Bytes that are being added */
typedef struct Part
{
	MrUpload   *upload;
	const char *data;
	Size		len;
} Part;

static void write_part(void *arg);
static MrUpload *find(const pg_uuid_t *upload_id);
static MrUpload *load(const MrUploadRow *row);
static void hash_stored(MrUpload *upload);
static MrUpload *make(const MrUploadRow *row);
static void keep(MrUpload *upload);
static MrUpload *copy(MrUpload *upload);
static void replace(MrUpload *old, MrUpload *new);
static void forget(MrUpload *upload);
static void forget_most(void);
static void free_upload(MrUpload *upload);
static void register_callbacks(void);
static void end_of_transaction(XactEvent event, void *arg);
static void save_all(void);
static Datum save_as_owner(FunctionCallInfo fcinfo);
static void save(MrUpload *upload);
static void end_of_subtransaction(SubXactEvent event, SubTransactionId mine,
								  SubTransactionId parent, void *arg);

/*
 * Get an upload, to change it in this subtransaction; its row is locked to the
 * end of the transaction.  42704 if there is none, 42501 if the actor may not
 * do the deed to it.
 */
MrUpload *
mr_upload_hold(const pg_uuid_t *upload_id, const char *deed)
{
	MrUpload   *upload = find(upload_id);
	bool		is_new = false;

	if (upload == NULL || !upload->is_locked)
	{
		MrUploadRow row;

		if (!mr_upload_row_lock(upload_id, &row))
		{
			if (upload != NULL)
				forget(upload);
			mr_upload_raise_unknown(upload_id);
		}
		mr_upload_require_user(&row, deed);
		if (upload != NULL &&
			memcmp(&upload->row.progress, &row.progress, UUID_LEN) != 0)
		{
			forget(upload);
			upload = NULL;
		}
		if (upload == NULL)
		{
			upload = load(&row);
			is_new = true;
		}
	}
	else if (upload->is_gone)
		mr_upload_raise_unknown(upload_id);
	else
		mr_upload_require_user(&upload->row, deed);

	if (is_new)
	{
		/* what a rollback goes back to is in the table */
		upload->subid = GetCurrentSubTransactionId();
		upload->is_locked = true;
	}
	else if (upload->subid != GetCurrentSubTransactionId())
	{
		MrUpload   *changed = copy(upload);

		changed->subid = GetCurrentSubTransactionId();
		changed->is_locked = true;
		changed->outer = upload;
		keep(changed);
		replace(upload, changed);
		upload = changed;
	}
	return upload;
}

/*
 * What this transaction has made of an upload, if it has changed it.
 */
const MrUpload *
mr_upload_peek(const pg_uuid_t *upload_id)
{
	MrUpload   *upload = find(upload_id);

	return upload != NULL && upload->is_locked ? upload : NULL;
}

/*
 * Whether this transaction has changed an upload that is not over: some of its
 * chunks are on no list yet.
 */
bool
mr_upload_is_any_open(void)
{
	MrUpload   *upload;

	for (upload = uploads; upload != NULL; upload = upload->next)
		if (upload->is_locked && !upload->is_gone)
			return true;
	return false;
}

/*
 * Add bytes to an upload that is held.
 */
void
mr_upload_add(MrUpload *upload, const char *data, Size len)
{
	Part		part = {upload, data, len};

	upload->is_saved = false;
	mr_digest_add_while(upload->digest, data, len, write_part, &part);
	upload->bytes += len;
}

static void
write_part(void *arg)
{
	Part	   *part = arg;

	part->upload->storage->write(part->upload->writer, part->data, part->len);
}

/*
 * No more bytes come: store the last ones, and tell the SHA-256 of all.
 */
void
mr_upload_finish(MrUpload *upload, uint8 *sha256)
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
mr_upload_end(MrUpload *upload)
{
	mr_upload_row_delete(&upload->row.upload_id);
	upload->is_gone = true;
}

/*
 * The same for an upload whose bytes nobody needs; its row is returned.
 */
void
mr_upload_drop(const pg_uuid_t *upload_id, const char *deed, MrUploadRow *row)
{
	/* what this transaction has done to it is undone with its rollback */
	if (mr_upload_peek(upload_id) != NULL)
	{
		MrUpload   *upload = mr_upload_hold(upload_id, deed);

		*row = upload->row;
		upload->storage->write_end(upload->writer);
		mr_upload_end(upload);
		return;
	}
	if (!mr_upload_row_lock(upload_id, row))
		mr_upload_raise_unknown(upload_id);
	mr_upload_require_user(row, deed);
	mr_upload_row_delete(upload_id);
}

/*
 * Raises 42501 unless the actor began the upload, or is an admin.
 */
void
mr_upload_require_user(const MrUploadRow *row, const char *deed)
{
	if (strcmp(row->created_by, mr_actor_name()) != 0)
		mr_actor_require(MR_ROLE_ADMIN,
						 psprintf("%s an upload begun by", deed),
						 row->created_by);
}

static MrUpload *
find(const pg_uuid_t *upload_id)
{
	MrUpload   *upload = uploads;

	while (upload != NULL &&
		   memcmp(&upload->row.upload_id, upload_id, UUID_LEN) != 0)
		upload = upload->next;
	return upload;
}

/*
 * Go on with an upload that this session knows nothing of, or not the latest.
 */
static MrUpload *
load(const MrUploadRow *row)
{
	MrUpload   *upload;
	MemoryContext oldcontext;
	bytea	   *state = mr_upload_row_state(&row->upload_id);

	register_callbacks();
	upload = make(row);
	oldcontext = MemoryContextSwitchTo(upload->context);
	upload->storage = mr_storage_by_name(row->storage);
	if (state == NULL)
		upload->writer = upload->storage->write_begin(&row->upload_id);
	else
		upload->writer = upload->storage->write_resume(&row->upload_id, state);
	upload->digest = mr_digest_begin();
	MemoryContextSwitchTo(oldcontext);
	if (state != NULL)
		pfree(state);
	hash_stored(upload);

	forget_most();
	keep(upload);
	upload->next = uploads;
	uploads = upload;
	return upload;
}

/*
 * Hash what is stored already.  A checksum of each chunk is compared on the
 * way, or damage would become part of the artifact.
 */
static void
hash_stored(MrUpload *upload)
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

/*
 * An upload without writer and digest, on no list.  It is gone at an error
 * until keep makes it last.
 */
static MrUpload *
make(const MrUploadRow *row)
{
	MemoryContext context;
	MrUpload   *upload;

	context = AllocSetContextCreate(CurrentMemoryContext, "modelreg upload",
									ALLOCSET_SMALL_SIZES);
	upload = MemoryContextAllocZero(context, sizeof(MrUpload));
	upload->context = context;
	upload->row = *row;
	upload->row.created_by = MemoryContextStrdup(context, row->created_by);
	upload->row.storage = MemoryContextStrdup(context, row->storage);
	upload->bytes = row->bytes_held;
	upload->is_saved = true;
	upload->subid = InvalidSubTransactionId;
	return upload;
}

static void
keep(MrUpload *upload)
{
	MemoryContextSetParent(upload->context, TopMemoryContext);
}

static MrUpload *
copy(MrUpload *upload)
{
	MrUpload   *result = make(&upload->row);
	MemoryContext oldcontext = MemoryContextSwitchTo(result->context);

	result->bytes = upload->bytes;
	result->is_saved = upload->is_saved;
	result->storage = upload->storage;
	result->writer = upload->storage->write_copy(upload->writer);
	result->digest = mr_digest_copy(upload->digest);
	MemoryContextSwitchTo(oldcontext);
	return result;
}

/*
 * Put an upload in the place of another one in the list; NULL removes it.
 */
static void
replace(MrUpload *old, MrUpload *new)
{
	MrUpload  **link = &uploads;

	while (*link != old)
		link = &(*link)->next;
	if (new == NULL)
		*link = old->next;
	else
	{
		new->next = old->next;
		*link = new;
	}
	old->next = NULL;
}

/*
 * Forget an upload, and what it was before.
 */
static void
forget(MrUpload *upload)
{
	replace(upload, NULL);
	while (upload != NULL)
	{
		MrUpload   *outer = upload->outer;

		free_upload(upload);
		upload = outer;
	}
}

/*
 * Forget the uploads that this transaction is not at, but for the latest few.
 */
static void
forget_most(void)
{
	MrUpload   *upload = uploads;
	int			remembered = 0;

	while (upload != NULL)
	{
		MrUpload   *next = upload->next;

		if (!upload->is_locked && ++remembered > MAX_REMEMBERED)
			forget(upload);
		upload = next;
	}
}

static void
free_upload(MrUpload *upload)
{
	MemoryContextDelete(upload->context);
}

static void
register_callbacks(void)
{
	static bool registered = false;

	if (registered)
		return;
	RegisterXactCallback(end_of_transaction, NULL);
	RegisterSubXactCallback(end_of_subtransaction, NULL);
	registered = true;
}

/*
 * Save before the commit what others will need after it; then what this
 * transaction has changed is what is, or never was.
 */
static void
end_of_transaction(XactEvent event, void *arg)
{
	MrUpload   *upload = uploads;

	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
	{
		while (upload != NULL && (upload->is_gone || upload->is_saved))
			upload = upload->next;
		if (upload != NULL)
			save_all();
		return;
	}
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;

	/* a prepared transaction may still go either way: then it is read anew */
	while (upload != NULL)
	{
		MrUpload   *next = upload->next;

		if (event == XACT_EVENT_COMMIT)
		{
			MrUpload   *outer = upload->outer;

			upload->outer = NULL;
			while (outer != NULL)
			{
				MrUpload   *more = outer->outer;

				free_upload(outer);
				outer = more;
			}
			upload->subid = InvalidSubTransactionId;
			upload->is_locked = false;
			if (upload->is_gone)
				forget(upload);
		}
		else
		{
			while (upload->outer != NULL)
			{
				MrUpload   *outer = upload->outer;

				replace(upload, outer);
				free_upload(upload);
				upload = outer;
			}
			if (upload->is_locked)
				forget(upload);
		}
		upload = next;
	}
	forget_most();
}

/*
 * Save what has to be saved.  DROP EXTENSION may have gone before; then there
 * is nowhere to save it.
 */
static void
save_all(void)
{
	MrUpload   *upload;
	bool		read_only = XactReadOnly;

	if (!mr_upload_table_exists())
	{
		for (upload = uploads; upload != NULL; upload = upload->next)
			upload->is_gone = true;
		return;
	}

	/* the bytes came before the transaction was set to be read only */
	XactReadOnly = false;
	(void) mr_actor_run_as_owner(NULL, MR_ROLE_NONE, NULL, save_as_owner);
	XactReadOnly = read_only;
}

static Datum
save_as_owner(FunctionCallInfo fcinfo)
{
	MrUpload   *upload;

	PushActiveSnapshot(GetTransactionSnapshot());
	for (upload = uploads; upload != NULL; upload = upload->next)
	{
		if (!upload->is_gone && !upload->is_saved)
			save(upload);
	}
	PopActiveSnapshot();
	return (Datum) 0;
}

static void
save(MrUpload *upload)
{
	MrUploadRow row;
	bytea	   *state;

	/*
	 * The row is locked.  So if it is gone, or is that of another registry,
	 * it is this transaction that has deleted it, by plain SQL.
	 */
	if (!mr_upload_row_get(&upload->row.upload_id, MR_SIGHT_LATEST, &row) ||
		memcmp(&row.progress, &upload->row.progress, UUID_LEN) != 0)
	{
		upload->storage->write_end(upload->writer);
		mr_content_discard(&upload->row.upload_id, upload->storage->name);
		upload->is_gone = true;
		return;
	}

	state = upload->storage->write_suspend(upload->writer);
	mr_uuid7(&upload->row.progress);
	mr_upload_row_save(&upload->row.upload_id, upload->bytes,
					   &upload->row.progress, state);
	upload->row.bytes_held = upload->bytes;
	upload->is_saved = true;
	pfree(state);
}

/*
 * What a subtransaction has changed is its parent's change, or never was.
 */
static void
end_of_subtransaction(SubXactEvent event, SubTransactionId mine,
					  SubTransactionId parent, void *arg)
{
	MrUpload   *upload = uploads;

	if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (upload != NULL)
	{
		MrUpload   *next = upload->next;
		MrUpload   *outer = upload->outer;

		if (upload->subid == mine && event == SUBXACT_EVENT_COMMIT_SUB)
		{
			upload->subid = parent;
			if (outer != NULL && outer->subid == parent)
			{
				upload->outer = outer->outer;
				free_upload(outer);
			}
		}
		else if (upload->subid == mine)
		{
			replace(upload, outer);
			free_upload(upload);
		}
		upload = next;
	}
}
