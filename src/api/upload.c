/*
 * Streaming uploads: bytes of any size in parts, in one transaction or in
 * many, by one session or by one after the other.
 *
 * modelreg_register_upload, which ends an upload, is in register.c.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "artifact/open_upload.h"
#include "base/actor.h"
#include "base/arg.h"
#include "base/guc.h"
#include "base/uuid7.h"
#include "heal/repair.h"
#include "rows/discarded.h"

/* Columns of modelreg_upload_status */
#define STATUS_COLUMNS 6

PG_FUNCTION_INFO_V1(modelreg_upload_begin);
PG_FUNCTION_INFO_V1(modelreg_upload_append);
PG_FUNCTION_INFO_V1(modelreg_upload_status);
PG_FUNCTION_INFO_V1(modelreg_upload_abort);

static Datum begin_upload(FunctionCallInfo fcinfo);
static Datum append_to_upload(FunctionCallInfo fcinfo);
static Datum upload_status(FunctionCallInfo fcinfo);
static Datum abort_upload(FunctionCallInfo fcinfo);

/*
 * modelreg_upload_begin(expected_size): see its COMMENT.
 */
Datum
modelreg_upload_begin(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_owner(fcinfo, MR_ROLE_WRITER, "begin an upload",
								 begin_upload);
}

static Datum
begin_upload(FunctionCallInfo fcinfo)
{
	MrUploadRow row = {0};
	pg_uuid_t  *result;

	row.expected_size = PG_ARGISNULL(0) ? -1 : PG_GETARG_INT64(0);
	if (!PG_ARGISNULL(0) && row.expected_size < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expected_size must not be negative")));
	mr_uuid7(&row.upload_id);
	mr_uuid7(&row.progress);
	row.created_by = pstrdup(mr_actor_name());
	row.created_at = GetCurrentTimestamp();
	row.storage = pstrdup(mr_storage_database.name);
	mr_upload_row_insert(&row);

	result = MemoryContextAlloc(mr_actor_result_context(), sizeof(pg_uuid_t));
	*result = row.upload_id;
	return UUIDPGetDatum(result);
}

/*
 * modelreg_upload_append(upload_id, data, byte_offset): see its COMMENT.
 */
Datum
modelreg_upload_append(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_owner(fcinfo, MR_ROLE_WRITER, "append to an upload",
								 append_to_upload);
}

static Datum
append_to_upload(FunctionCallInfo fcinfo)
{
	pg_uuid_t  *upload_id = mr_arg_required_uuid(fcinfo, 0, "upload_id");
	MrUpload   *upload;
	bytea	   *data;
	int64		len;
	int64		healed;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("data must not be null")));
	/* bytes are written past the executor, which would see to it */
	PreventCommandIfReadOnly("modelreg_upload_append()");
	data = PG_GETARG_BYTEA_PP(1);
	len = VARSIZE_ANY_EXHDR(data);

	upload = mr_upload_hold(upload_id, "append to");
	if (!PG_ARGISNULL(2) && PG_GETARG_INT64(2) != upload->bytes)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("byte_offset " INT64_FORMAT " is not where the upload is",
						PG_GETARG_INT64(2)),
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

	healed = upload->storage->write_healed(upload->writer);
	mr_upload_add(upload, VARDATA_ANY(data), len);
	healed = upload->storage->write_healed(upload->writer) - healed;
	if (healed > 0)
		mr_repair_record(NULL, NULL, NULL, healed);
	PG_RETURN_INT64(upload->bytes);
}

/*
 * modelreg_upload_status(upload_id): see its COMMENT.
 */
Datum
modelreg_upload_status(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_owner(fcinfo, MR_ROLE_WRITER,
								 "see the status of an upload", upload_status);
}

static Datum
upload_status(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	pg_uuid_t  *upload_id = mr_arg_required_uuid(fcinfo, 0, "upload_id");
	const MrUpload *upload = mr_upload_peek(upload_id);
	MrUploadRow row;
	Datum		values[STATUS_COLUMNS];
	bool		nulls[STATUS_COLUMNS] = {false};
	MemoryContext oldcontext;

	oldcontext = MemoryContextSwitchTo(mr_actor_result_context());
	InitMaterializedSRF(fcinfo, 0);
	MemoryContextSwitchTo(oldcontext);
	if (!mr_upload_row_get(upload_id, MR_SIGHT_ACTIVE, &row))
		mr_upload_raise_unknown(upload_id);
	mr_upload_require_user(&row, "see the status of");

	values[0] = Int64GetDatum(upload ? upload->bytes : row.bytes_held);
	values[1] = Int64GetDatum(row.expected_size);
	nulls[1] = row.expected_size < 0;
	values[2] = CStringGetTextDatum(row.created_by);
	values[3] = TimestampTzGetDatum(row.created_at);
	values[4] = TimestampTzGetDatum(row.last_append_at);
	values[5] = TimestampTzGetDatum(row.last_append_at +
									mr_guc_upload_expiry * USECS_PER_SEC);
	nulls[5] = mr_guc_upload_expiry < 0;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

/*
 * modelreg_upload_abort(upload_id): see its COMMENT.
 */
Datum
modelreg_upload_abort(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_owner(fcinfo, MR_ROLE_WRITER, "abort an upload",
								 abort_upload);
}

static Datum
abort_upload(FunctionCallInfo fcinfo)
{
	pg_uuid_t  *upload_id = mr_arg_required_uuid(fcinfo, 0, "upload_id");
	MrUploadRow row;

	mr_upload_drop(upload_id, "abort", &row);
	mr_content_discard(&row.upload_id, row.storage);
	PG_RETURN_VOID();
}
