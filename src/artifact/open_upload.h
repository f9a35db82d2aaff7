/*
 * Uploads: what this session does with one.
 */
#ifndef MR_OPEN_UPLOAD_H
#define MR_OPEN_UPLOAD_H

#include "artifact/upload_list.h"

extern MrOpenUpload *mr_open_upload_hold(const pg_uuid_t *upload_id,
										 const char *deed);
extern MrOpenUpload *mr_open_upload_hold_from(const pg_uuid_t *upload_id,
											  const char *deed,
											  int64 byte_offset);
extern const MrOpenUpload *mr_open_upload_peek(const pg_uuid_t *upload_id);
extern void mr_open_upload_add(MrOpenUpload *upload, const char *data,
							   Size len);
extern void mr_open_upload_finish(MrOpenUpload *upload, uint8 *sha256);
extern void mr_open_upload_end(MrOpenUpload *upload);
extern void mr_open_upload_drop(const pg_uuid_t *upload_id, const char *deed,
								MrUploadRow *row);
extern bool mr_open_upload_reassign(const pg_uuid_t *upload_id,
									const char *from, const MrRoleRef *to);
extern void mr_open_upload_require_user(const MrUploadRow *row,
										const char *deed);
extern void mr_open_upload_require_intact(const MrUploadRow *row);

#endif							/* MR_OPEN_UPLOAD_H */
