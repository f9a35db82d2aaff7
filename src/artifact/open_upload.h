/*
 * Uploads that this session is at.
 */
#ifndef MR_OPEN_UPLOAD_H
#define MR_OPEN_UPLOAD_H

#include "access/xact.h"
#include "fmgr.h"

#include "base/compat.h"
#include "bytes/digest.h"
#include "rows/uploads.h"
#include "store/storage.h"

/* An upload, as far as a (sub)transaction has come with it */
typedef struct MrUpload
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
	struct MrUpload *outer;		/* as it was before that, or NULL */
	struct MrUpload *next;		/* another upload, or NULL */
} MrUpload;

extern MrUpload *mr_upload_hold(const pg_uuid_t *upload_id, const char *deed);
extern const MrUpload *mr_upload_peek(const pg_uuid_t *upload_id);
extern bool mr_upload_is_any_open(void);
extern void mr_upload_add(MrUpload *upload, const char *data, Size len);
extern void mr_upload_finish(MrUpload *upload, uint8 *sha256);
extern void mr_upload_end(MrUpload *upload);
extern void mr_upload_drop(const pg_uuid_t *upload_id, const char *deed,
						   MrUploadRow *row);
extern void mr_upload_require_user(const MrUploadRow *row, const char *deed);

#endif							/* MR_OPEN_UPLOAD_H */
