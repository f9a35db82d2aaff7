/*
 * The table modelreg.upload.
 */
#ifndef MR_UPLOADS_H
#define MR_UPLOADS_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "base/role_ref.h"
#include "base/sql.h"
#include "bytes/digest.h"

/* A row of modelreg.upload, its state apart */
typedef struct MrUploadRow
{
	pg_uuid_t	upload_id;		/* key, also of the content */
	char	   *created_by;		/* role, as it was called then */
	MrRoleRef	owner;			/* whose it is */
	TimestampTz created_at;
	TimestampTz last_append_at;
	int64		expected_size;	/* bytes; -1: not announced */
	int64		bytes_held;		/* committed, or saved in this transaction */
	char	   *storage;		/* where the bytes are */
	pg_uuid_t	progress;		/* of the last save */
	uint8		digest[MR_SHA256_LEN];	/* of what decides about its bytes;
										 * see mr_uploads_is_intact */
} MrUploadRow;

pg_noreturn extern void mr_uploads_raise_unknown(const pg_uuid_t *upload_id);
extern void mr_uploads_insert(MrUploadRow *row);
extern bool mr_uploads_get(const pg_uuid_t *upload_id, MrSight sight,
						   MrUploadRow *row);
extern bool mr_uploads_is_visible(const pg_uuid_t *upload_id);
extern bool mr_uploads_lock(const pg_uuid_t *upload_id, MrUploadRow *row);
extern bytea *mr_uploads_state(const pg_uuid_t *upload_id, MrSight sight);
extern bool mr_uploads_is_intact(const MrUploadRow *row, bytea *state);
extern bool mr_uploads_table_exists(void);
extern void mr_uploads_save(MrUploadRow *row, bytea *state);
extern void mr_uploads_set_owner(const pg_uuid_t *upload_id,
								 const MrRoleRef *owner);
extern uint64 mr_uploads_of_owner(const char *owner, pg_uuid_t **upload_ids);
extern void mr_uploads_delete(const pg_uuid_t *upload_id);
extern uint64 mr_uploads_lock_expired(int seconds, int limit,
									  MrUploadRow **uploads);

#endif							/* MR_UPLOADS_H */
