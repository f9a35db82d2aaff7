/*
 * Streaming uploads: bytes of any size in parts, in one transaction or in
 * many, by one session or by one after the other.
 *
 * modelreg_register_upload, which ends an upload, is in register.c.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "artifact/open_upload.h"
#include "base/arg.h"
#include "base/call.h"
#include "base/compat.h"
#include "base/guc.h"
#include "base/result.h"
#include "base/uuid7.h"
#include "heal/heal.h"
#include "rows/discarded.h"
#include "store/storages.h"

MR_WRITER_FUNCTION(modelreg_upload_begin, begin_upload, "begin an upload");
MR_WRITER_FUNCTION(modelreg_upload_append, append_to_upload,
				   "append to an upload");
MR_WRITER_FUNCTION(modelreg_upload_status, upload_status,
				   "see the status of an upload");
MR_WRITER_FUNCTION(modelreg_upload_abort, abort_upload, "abort an upload");


static Datum
begin_upload(FunctionCallInfo fcinfo)
{
	MrUploadRow row = {0};

	row.expected_size = PG_ARGISNULL(0) ? -1 : PG_GETARG_INT64(0);
	if (!PG_ARGISNULL(0) && row.expected_size < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expected_size must not be negative")));
	mr_uuid7(&row.upload_id);
	mr_uuid7(&row.progress);
	row.created_by = pstrdup(mr_actor_name());
	mr_role_ref_from_role(mr_actor_role(), &row.owner);
	row.created_at = GetCurrentTimestamp();
	row.storage = pstrdup(mr_storages_default()->name);
	mr_uploads_insert(&row);

	return mr_call_copy_out(UUIDPGetDatum(&row.upload_id), UUIDOID);
}

static Datum
append_to_upload(FunctionCallInfo fcinfo)
{
	pg_uuid_t  *upload_id = mr_arg_required_uuid(fcinfo, 0, "upload_id");
	MrOpenUpload *upload;
	bytea	   *data;
	int64		len;
	int64		byte_offset = PG_ARGISNULL(2) ? -1 : PG_GETARG_INT64(2);

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("data must not be null")));
	/* bytes are written past the executor, which would see to it */
	PreventCommandIfReadOnly("modelreg_upload_append()");
	data = PG_GETARG_BYTEA_PP(1);
	len = VARSIZE_ANY_EXHDR(data);

	upload = mr_open_upload_hold_from(upload_id, "append to", byte_offset);
	if (!PG_ARGISNULL(2) && byte_offset != upload->bytes)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("byte_offset " INT64_FORMAT " is not where the upload is",
						byte_offset),
				 errdetail("It holds " INT64_FORMAT " bytes.", upload->bytes),
				 errhint("Go on with byte_offset " INT64_FORMAT ".",
						 upload->bytes)));
	if (upload->row.expected_size >= 0 &&
		len > upload->row.expected_size - upload->bytes)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("upload would become larger than its expected_size"),
				 errdetail("It was begun for " INT64_FORMAT " bytes, holds " INT64_FORMAT ", and " INT64_FORMAT " more came.",
						   upload->row.expected_size, upload->bytes, len)));

	mr_open_upload_add(upload, VARDATA_ANY(data), len);
	mr_heal_record(NULL, NULL, NULL);
	PG_RETURN_INT64(upload->bytes);
}

static Datum
upload_status(FunctionCallInfo fcinfo)
{
	pg_uuid_t  *upload_id = mr_arg_required_uuid(fcinfo, 0, "upload_id");
	const MrOpenUpload *upload = mr_open_upload_peek(upload_id);
	MrUploadRow row;
	int64		bytes;
	TimestampTz expires_at = DT_NOBEGIN;

	mr_result_begin(fcinfo);
	if (!mr_uploads_is_visible(upload_id) ||
		!mr_uploads_get(upload_id, MR_SIGHT_ACTIVE, &row))
		mr_uploads_raise_unknown(upload_id);
	mr_open_upload_require_user(&row, "see the status of");
	if (upload == NULL)
		mr_open_upload_require_intact(&row);

	bytes = upload ? upload->bytes : row.bytes_held;
	if (mr_guc_upload_expiry >= 0)
		expires_at = row.last_append_at + mr_guc_upload_expiry * USECS_PER_SEC;
	mr_result_add(fcinfo,
				  MR_VALUES(mr_value_int8(bytes),
							mr_value_size(row.expected_size),
							mr_value_text(row.created_by),
							mr_value_time(row.created_at),
							mr_value_time(row.last_append_at),
							mr_value_time(expires_at)));
	return (Datum) 0;
}

static Datum
abort_upload(FunctionCallInfo fcinfo)
{
	pg_uuid_t  *upload_id = mr_arg_required_uuid(fcinfo, 0, "upload_id");
	MrUploadRow row;

	mr_open_upload_drop(upload_id, "abort", &row);
	mr_discarded_add(&row.upload_id,
					 mr_storages_or_default(row.storage)->name);
	PG_RETURN_VOID();
}
