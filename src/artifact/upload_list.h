/*
 * The uploads that this session has open.
 */
#ifndef MR_UPLOAD_LIST_H
#define MR_UPLOAD_LIST_H

#include "bytes/digest.h"
#include "rows/uploads.h"
#include "store/storage.h"

/* An upload, as far as a (sub)transaction has come with it */
typedef struct MrOpenUpload
{
	MemoryContext context;		/* holds all of this */
	MrUploadRow row;			/* as it was saved last */
	int64		bytes;			/* held, those not yet saved included */
	const MrStorage *storage;
	MrStorageWriter *writer;
	MrDigest   *digest;			/* of all bytes; NULL when finished */

	bool		is_locked;		/* this (sub)transaction has the row's lock */
	bool		is_saved;		/* nothing happened since it was saved */
	bool		is_gone;		/* registered or aborted */
	SubTransactionId subid;		/* what changed it last; invalid: committed */
	struct MrOpenUpload *outer; /* as it was before that, or NULL */
	struct MrOpenUpload *next;	/* another upload, or NULL */
} MrOpenUpload;

extern MrOpenUpload *mr_upload_list_find(const pg_uuid_t *upload_id);
extern bool mr_upload_list_has_open(void);
extern MrOpenUpload *mr_upload_list_make(const MrUploadRow *row);
extern void mr_upload_list_add(MrOpenUpload *upload);
extern MrOpenUpload *mr_upload_list_branch(MrOpenUpload *upload);
extern void mr_upload_list_forget(MrOpenUpload *upload);

#endif							/* MR_UPLOAD_LIST_H */
