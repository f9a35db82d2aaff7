/*
 * The uploads that this session has open, and their memory, which follows what
 * happens to the transaction.
 *
 * The first append of a transaction, or of a subtransaction, works on a copy;
 * if that is rolled back, the copy is thrown away.  Before the transaction
 * commits what others need of the uploads is saved; after it the copies are
 * kept.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "artifact/upload_list.h"
#include "base/call.h"
#include "base/uuid7.h"
#include "rows/discarded.h"

/* How many uploads that it does not change a session remembers */
#define MAX_REMEMBERED 4

/* The uploads that this session knows, the latest first */
static MrOpenUpload *uploads = NULL;

static MrOpenUpload *copy_upload(MrOpenUpload *upload);
static void replace_upload(MrOpenUpload *old, MrOpenUpload *new);
static void forget_most_uploads(void);
static void free_upload(MrOpenUpload *upload);
static void register_upload_callbacks(void);
static void at_upload_xact_end(XactEvent event, void *arg);
static void save_uploads(void);
static Datum save_uploads_as_owner(FunctionCallInfo fcinfo);
static void save_upload(MrOpenUpload *upload);
static void at_upload_subxact_end(SubXactEvent event, SubTransactionId mine,
								  SubTransactionId parent, void *arg);

MrOpenUpload *
mr_upload_list_find(const pg_uuid_t *upload_id)
{
	MrOpenUpload *upload = uploads;

	while (upload != NULL &&
		   memcmp(&upload->row.upload_id, upload_id, UUID_LEN) != 0)
		upload = upload->next;
	return upload;
}

/*
 * Whether this transaction has changed an upload that is not over: some of its
 * chunks are on no list yet.
 */
bool
mr_upload_list_has_open(void)
{
	MrOpenUpload *upload;

	for (upload = uploads; upload != NULL; upload = upload->next)
		if (upload->is_locked && !upload->is_gone)
			return true;
	return false;
}

/*
 * An upload without writer and digest, on no list.  It is gone at an error
 * until mr_upload_list_add makes it last.
 */
MrOpenUpload *
mr_upload_list_make(const MrUploadRow *row)
{
	MemoryContext context;
	MrOpenUpload *upload;

	context = AllocSetContextCreate(CurrentMemoryContext, "modelreg upload",
									ALLOCSET_SMALL_SIZES);
	upload = MemoryContextAllocZero(context, sizeof(MrOpenUpload));
	upload->context = context;
	upload->row = *row;
	upload->row.created_by = MemoryContextStrdup(context, row->created_by);
	upload->row.storage = MemoryContextStrdup(context, row->storage);
	upload->bytes = row->bytes_held;
	upload->is_saved = true;
	upload->subid = InvalidSubTransactionId;
	return upload;
}

/*
 * Lists an upload, which lives on from now.
 */
void
mr_upload_list_add(MrOpenUpload *upload)
{
	register_upload_callbacks();
	forget_most_uploads();
	MemoryContextSetParent(upload->context, TopMemoryContext);
	upload->next = uploads;
	uploads = upload;
}

/*
 * A copy of an upload for the present subtransaction to change, in its place; a
 * rollback goes back to what it was.
 */
MrOpenUpload *
mr_upload_list_branch(MrOpenUpload *upload)
{
	MrOpenUpload *changed = copy_upload(upload);

	changed->subid = GetCurrentSubTransactionId();
	changed->is_locked = true;
	changed->outer = upload;
	MemoryContextSetParent(changed->context, TopMemoryContext);
	replace_upload(upload, changed);
	return changed;
}

/*
 * Forget an upload, and what it was before.
 */
void
mr_upload_list_forget(MrOpenUpload *upload)
{
	replace_upload(upload, NULL);
	while (upload != NULL)
	{
		MrOpenUpload *outer = upload->outer;

		free_upload(upload);
		upload = outer;
	}
}

static MrOpenUpload *
copy_upload(MrOpenUpload *upload)
{
	MrOpenUpload *result = mr_upload_list_make(&upload->row);
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
replace_upload(MrOpenUpload *old, MrOpenUpload *new)
{
	MrOpenUpload **link = &uploads;

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
 * Forget the uploads that this transaction is not at, but for the latest few.
 */
static void
forget_most_uploads(void)
{
	MrOpenUpload *upload = uploads;
	int			remembered = 0;

	while (upload != NULL)
	{
		MrOpenUpload *next = upload->next;

		if (!upload->is_locked && ++remembered > MAX_REMEMBERED)
			mr_upload_list_forget(upload);
		upload = next;
	}
}

static void
free_upload(MrOpenUpload *upload)
{
	MemoryContextDelete(upload->context);
}

static void
register_upload_callbacks(void)
{
	static bool registered = false;

	if (registered)
		return;
	RegisterXactCallback(at_upload_xact_end, NULL);
	RegisterSubXactCallback(at_upload_subxact_end, NULL);
	registered = true;
}

/*
 * Save before the commit what others will need after it; then what this
 * transaction has changed is what is, or never was.
 */
static void
at_upload_xact_end(XactEvent event, void *arg)
{
	MrOpenUpload *upload = uploads;

	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
	{
		while (upload != NULL && (upload->is_gone || upload->is_saved))
			upload = upload->next;
		if (upload != NULL)
			save_uploads();
		return;
	}
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;

	/* a prepared transaction may still go either way: then it is read anew */
	while (upload != NULL)
	{
		MrOpenUpload *next = upload->next;

		if (event == XACT_EVENT_COMMIT)
		{
			MrOpenUpload *outer = upload->outer;

			upload->outer = NULL;
			while (outer != NULL)
			{
				MrOpenUpload *more = outer->outer;

				free_upload(outer);
				outer = more;
			}
			upload->subid = InvalidSubTransactionId;
			upload->is_locked = false;
			if (upload->is_gone)
				mr_upload_list_forget(upload);
		}
		else
		{
			while (upload->outer != NULL)
			{
				MrOpenUpload *outer = upload->outer;

				replace_upload(upload, outer);
				free_upload(upload);
				upload = outer;
			}
			if (upload->is_locked)
				mr_upload_list_forget(upload);
		}
		upload = next;
	}
	forget_most_uploads();
}

/*
 * Save what has to be saved.  DROP EXTENSION may have gone before; then there
 * is nowhere to save it.
 */
static void
save_uploads(void)
{
	MrOpenUpload *upload;
	bool		read_only = XactReadOnly;

	if (!mr_uploads_table_exists())
	{
		for (upload = uploads; upload != NULL; upload = upload->next)
			upload->is_gone = true;
		return;
	}

	/* the bytes came before the transaction was set to be read only */
	XactReadOnly = false;
	(void) mr_call_with_rights(NULL, save_uploads_as_owner);
	XactReadOnly = read_only;
}

static Datum
save_uploads_as_owner(FunctionCallInfo fcinfo)
{
	MrOpenUpload *upload;

	PushActiveSnapshot(GetTransactionSnapshot());
	for (upload = uploads; upload != NULL; upload = upload->next)
	{
		if (!upload->is_gone && !upload->is_saved)
			save_upload(upload);
	}
	PopActiveSnapshot();
	return (Datum) 0;
}

static void
save_upload(MrOpenUpload *upload)
{
	MrUploadRow row;
	bytea	   *state;

	/*
	 * The row is locked.  So if it is gone, or is that of another registry,
	 * it is this transaction that has deleted it, by plain SQL.
	 */
	if (!mr_uploads_get(&upload->row.upload_id, MR_SIGHT_LATEST, &row) ||
		memcmp(&row.progress, &upload->row.progress, UUID_LEN) != 0)
	{
		upload->storage->write_end(upload->writer);
		mr_discarded_add(&upload->row.upload_id, upload->storage->name);
		upload->is_gone = true;
		return;
	}

	state = upload->storage->write_suspend(upload->writer);
	mr_uuid7(&upload->row.progress);
	upload->row.bytes_held = upload->bytes;
	mr_uploads_save(&upload->row, state);
	upload->is_saved = true;
	pfree(state);
}

/*
 * What a subtransaction has changed is its parent's change, or never was.
 */
static void
at_upload_subxact_end(SubXactEvent event, SubTransactionId mine,
					  SubTransactionId parent, void *arg)
{
	MrOpenUpload *upload = uploads;

	if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (upload != NULL)
	{
		MrOpenUpload *next = upload->next;
		MrOpenUpload *outer = upload->outer;

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
			replace_upload(upload, outer);
			free_upload(upload);
		}
		upload = next;
	}
}
