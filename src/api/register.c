/*
 * Registration: bytes, SHA-256, metadata, stage, audit record and event
 * in the caller's transaction.
 *
 * Lock order: the artifact's row, then the model's, then its versions.  The
 * bytes are stored before the model is locked, because that lock is held to
 * the end of the transaction and storing may take long.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/jsonb.h"

#include "api/registration_args.h"
#include "artifact/artifact.h"
#include "artifact/lookalike.h"
#include "artifact/manifest.h"
#include "artifact/open_upload.h"
#include "base/arg.h"
#include "base/call.h"
#include "base/check.h"
#include "base/compat.h"
#include "base/guc.h"
#include "base/uuid7.h"
#include "bytes/digest.h"
#include "heal/heal.h"
#include "life/identity.h"
#include "life/move.h"
#include "life/removal.h"
#include "life/target.h"
#include "rows/events.h"
#include "rows/files.h"
#include "trail/trail.h"

/* How many versions modelreg.auto_cleanup removes in one registration */
#define MR_AUTO_CLEANUP_LIMIT 10

MR_WRITER_FUNCTION(modelreg_register, register_artifact,
				   "register a model version");
MR_WRITER_FUNCTION(modelreg_register_upload, register_upload,
				   "register a model version");
MR_WRITER_FUNCTION(modelreg_register_files, register_files,
				   "register a model version");
MR_WRITER_FUNCTION(modelreg_check_registration, check_registration,
				   "register a model version");

/*
 * Puts checksum and size into version, and sees that the bytes are stored and
 * locked.
 */
typedef void (*StoreBytes) (FunctionCallInfo fcinfo, MrNewVersion *version);

/* An upload that becomes an artifact */
typedef struct Incoming
{
	MrFile		file;			/* path: NULL if it is the version's artifact */
	pg_uuid_t	upload_id;
	MrOpenUpload *upload;
} Incoming;

static Datum register_version(FunctionCallInfo fcinfo, StoreBytes store);
static void store_artifact(FunctionCallInfo fcinfo, MrNewVersion *version);
static void store_upload(FunctionCallInfo fcinfo, MrNewVersion *version);
static void store_files(FunctionCallInfo fcinfo, MrNewVersion *version);
static Incoming *read_files(FunctionCallInfo fcinfo, int *count);
static Datum *read_array(FunctionCallInfo fcinfo, int n, const char *what,
						 Oid type, int16 typlen, char typalign, int *count);
static void finish_upload(MrOpenUpload *upload, bool may_be_empty,
						  Incoming *incoming);
static void notice_path(MrOpenUpload *upload);
static void adopt_upload(const Incoming *incoming);
static int	compare_uploads(const void *a, const void *b);
static int	compare_digests(const void *a, const void *b);
static void set_checksum(FunctionCallInfo fcinfo, MrNewVersion *version,
						 const uint8 *sha256);
static void lock_or_create_model(const char *name, const char *type,
								 MrModel *model);

static Datum
register_artifact(FunctionCallInfo fcinfo)
{
	return register_version(fcinfo, store_artifact);
}

static Datum
register_upload(FunctionCallInfo fcinfo)
{
	return register_version(fcinfo, store_upload);
}

/*
 * The same arguments as of the others, and the paths before them: they are
 * moved behind.
 */
static Datum
register_files(FunctionCallInfo fcinfo)
{
	LOCAL_FCINFO(moved, ARG_COUNT + 1);

	InitFunctionCallInfoData(*moved, fcinfo->flinfo, ARG_COUNT + 1,
							 fcinfo->fncollation, fcinfo->context,
							 fcinfo->resultinfo);
	for (int i = 0; i < ARG_COUNT; i++)
		moved->args[i] = fcinfo->args[i + 1];
	moved->args[ARG_PATHS] = fcinfo->args[0];
	return register_version(moved, store_files);
}

static Datum
register_version(FunctionCallInfo fcinfo, StoreBytes store)
{
	MrNewVersion version = {0};
	MrModel		model;
	MrEvent		event = {0};
	char	   *wanted_version = mr_arg_text(fcinfo, ARG_VERSION);
	Datum		row;

	mr_registration_args_read(fcinfo, &version, MR_SIGHT_LATEST);
	store(fcinfo, &version);

	lock_or_create_model(version.model_name, version.model_type, &model);
	if (wanted_version)
		mr_registration_args_require_new(version.model_name, wanted_version,
										 MR_SIGHT_LATEST);
	if (model.require_metadata)
		mr_registration_args_require_metrics(fcinfo);

	mr_trail_hold(&model);
	if (version.stage == MR_STAGE_PRODUCTION)
		mr_move_demote_incumbents(&model, NULL);

	version.model_key = model.key;
	version.exclusive_production = model.exclusive_production;
	version.registered_at = GetCurrentTimestamp();
	version.registered_by = mr_actor_name();
	mr_role_ref_from_role(mr_actor_role(), &version.owner);
	version.version = mr_identity_version(&model, wanted_version);
	version.model_id = mr_identity_issue(&model, version.registered_at);
	version.version_number = model.last_version_number;
	row = mr_versions_insert(&version, &event.new_values.value);
	if (version.file_count > 0)
		mr_files_insert(version.model_id, version.files, version.file_count);

	event.event = "register";
	event.model_id = version.model_id;
	event.stage = mr_stage_name(version.stage);
	event.at = version.registered_at;
	event.old_values.isnull = true;
	mr_trail_append(&model, &event);
	mr_heal_record(&model, version.model_id, version.checksum);

	if (model.auto_cleanup)
		mr_removal_delete_excess(&model, true, MR_AUTO_CLEANUP_LIMIT,
								 MR_CAUSE_AUTO);
	mr_trail_release(&model);
	return row;
}

/*
 * The arguments of modelreg_register_upload without the upload: everything is
 * checked that can be before the bytes are there, and nothing reserved.
 */
static Datum
check_registration(FunctionCallInfo fcinfo)
{
	LOCAL_FCINFO(moved, ARG_COUNT);
	MrNewVersion version = {0};
	MrModel		model;
	bool		require_metadata = mr_guc_require_metadata;
	char	   *expected;

	InitFunctionCallInfoData(*moved, fcinfo->flinfo, ARG_COUNT,
							 fcinfo->fncollation, fcinfo->context,
							 fcinfo->resultinfo);
	moved->args[ARG_UPLOAD_ID].isnull = true;
	for (int i = ARG_UPLOAD_ID + 1; i < ARG_COUNT; i++)
		moved->args[i] = fcinfo->args[i - 1];

	mr_registration_args_read(moved, &version, MR_SIGHT_ACTIVE);
	expected = mr_arg_text(moved, ARG_EXPECTED_CHECKSUM);
	if (expected)
		(void) mr_check_sha256_hex("expected_checksum", expected);
	if (mr_models_get_by_name(version.model_name, &model))
		require_metadata = model.require_metadata;
	if (require_metadata)
		mr_registration_args_require_metrics(moved);
	PG_RETURN_VOID();
}

/*
 * The bytes are an argument.
 */
static void
store_artifact(FunctionCallInfo fcinfo, MrNewVersion *version)
{
	bytea	   *artifact;
	uint8		sha256[MR_SHA256_LEN];

	if (PG_ARGISNULL(ARG_ARTIFACT))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("artifact must not be null")));
	artifact = PG_GETARG_BYTEA_PP(ARG_ARTIFACT);
	version->artifact_size = VARSIZE_ANY_EXHDR(artifact);
	if (version->artifact_size == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("artifact must not be empty")));

	mr_digest_bytes(VARDATA_ANY(artifact), version->artifact_size, sha256);
	set_checksum(fcinfo, version, sha256);
	mr_artifact_store(VARDATA_ANY(artifact), version->artifact_size, sha256);
	mr_lookalike_notice(VARDATA_ANY(artifact), version->artifact_size);
}

/*
 * The bytes have been uploaded.
 */
static void
store_upload(FunctionCallInfo fcinfo, MrNewVersion *version)
{
	pg_uuid_t  *upload_id = mr_arg_required_uuid(fcinfo, ARG_UPLOAD_ID,
												 "upload_id");
	MrOpenUpload *upload = mr_open_upload_hold(upload_id, "register");
	Incoming	incoming = {0};

	notice_path(upload);
	finish_upload(upload, false, &incoming);
	version->artifact_size = incoming.file.size;
	set_checksum(fcinfo, version, incoming.file.sha256);
	adopt_upload(&incoming);
}

/*
 * The files have been uploaded; the version's own artifact is the manifest.
 */
static void
store_files(FunctionCallInfo fcinfo, MrNewVersion *version)
{
	int			count;
	Incoming   *incoming = read_files(fcinfo, &count);
	MrFile	   *files = palloc(sizeof(MrFile) * count);
	StringInfoData manifest;
	uint8		sha256[MR_SHA256_LEN];
	int			next = 0;

	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		finish_upload(mr_open_upload_hold(&incoming[i].upload_id, "register"),
					  true, &incoming[i]);
		files[i] = incoming[i].file;
		version->files_size += files[i].size;
	}
	mr_manifest_sort(files, count);
	initStringInfo(&manifest);
	mr_manifest_build(files, count, &manifest);
	version->artifact_size = manifest.len;
	version->files = files;
	version->file_count = count;
	mr_digest_bytes(manifest.data, manifest.len, sha256);
	set_checksum(fcinfo, version, sha256);

	/* in one order for all, or two that store the same would deadlock */
	qsort(incoming, count, sizeof(Incoming), compare_digests);
	while (next < count &&
		   memcmp(incoming[next].file.sha256, sha256, MR_SHA256_LEN) < 0)
		adopt_upload(&incoming[next++]);
	mr_artifact_store(manifest.data, manifest.len, sha256);
	while (next < count)
		adopt_upload(&incoming[next++]);
}

/*
 * The paths, checked, and the ids of the uploads that go with them, in the
 * order in which these are to be locked.
 */
static Incoming *
read_files(FunctionCallInfo fcinfo, int *count)
{
	int			uploads;
	Datum	   *paths = read_array(fcinfo, ARG_PATHS, "paths", TEXTOID, -1,
								   TYPALIGN_INT, count);
	Datum	   *upload_ids = read_array(fcinfo, ARG_UPLOAD_IDS, "upload_ids",
										UUIDOID, UUID_LEN, TYPALIGN_CHAR,
										&uploads);
	Incoming   *incoming;
	MrFile	   *files;

	if (uploads != *count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("paths and upload_ids must be of the same length"),
				 errdetail("There are %d paths and %d uploads.", *count,
						   uploads)));
	if (*count < 1 || *count > MR_MAX_FILES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a version must have between 1 and %d files",
						MR_MAX_FILES)));

	incoming = palloc0(sizeof(Incoming) * *count);
	files = palloc(sizeof(MrFile) * *count);
	for (int i = 0; i < *count; i++)
	{
		incoming[i].file.path = TextDatumGetCString(paths[i]);
		incoming[i].upload_id = *DatumGetUUIDP(upload_ids[i]);
		mr_check_path(incoming[i].file.path);
		files[i] = incoming[i].file;
	}
	mr_manifest_check(files, *count);
	pfree(files);

	qsort(incoming, *count, sizeof(Incoming), compare_uploads);
	for (int i = 1; i < *count; i++)
	{
		if (compare_uploads(&incoming[i - 1], &incoming[i]) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("an upload is given for two paths"),
					 errdetail("It is %s.",
							   mr_uuid7_text(&incoming[i].upload_id))));
	}
	return incoming;
}

/*
 * The elements of an array that must not be null nor have nulls.
 */
static Datum *
read_array(FunctionCallInfo fcinfo, int n, const char *what, Oid type,
		   int16 typlen, char typalign, int *count)
{
	ArrayType  *array = mr_arg_array(fcinfo, n);
	Datum	   *values;

	if (array == NULL || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be null, nor contain nulls", what)));
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must have one dimension", what)));
	deconstruct_array(array, type, typlen, false, typalign, &values, NULL,
					  count);
	return values;
}

/*
 * No more bytes come: their size and SHA-256.
 */
static void
finish_upload(MrOpenUpload *upload, bool may_be_empty, Incoming *incoming)
{
	if (upload->bytes == 0 && !may_be_empty)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("artifact must not be empty")));
	if (upload->row.expected_size >= 0 &&
		upload->bytes != upload->row.expected_size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("upload is not complete"),
				 errdetail("It was begun for " INT64_FORMAT " bytes and holds " INT64_FORMAT ".",
						   upload->row.expected_size, upload->bytes),
				 errhint("Go on with byte_offset " INT64_FORMAT ".",
						 upload->bytes)));

	incoming->upload = upload;
	incoming->file.size = upload->bytes;
	mr_open_upload_finish(upload, incoming->file.sha256);
}

/*
 * A path is not as long as a chunk, and so is where bytes wait for one.
 */
static void
notice_path(MrOpenUpload *upload)
{
	int64		byte_offset;
	Size		len;
	const char *pending;

	pending = upload->storage->write_pending(upload->writer, &byte_offset,
											 &len);
	if (byte_offset == 0)
		mr_lookalike_notice(pending, len);
}

/*
 * Makes an artifact of a finished upload, and ends it.
 */
static void
adopt_upload(const Incoming *incoming)
{
	MrOpenUpload *upload = incoming->upload;

	mr_artifact_adopt(upload->storage, upload->writer, &upload->row.upload_id,
					  incoming->file.size, incoming->file.sha256);
	mr_open_upload_end(upload);
}

static int
compare_uploads(const void *a, const void *b)
{
	return memcmp(&((const Incoming *) a)->upload_id,
				  &((const Incoming *) b)->upload_id, UUID_LEN);
}

static int
compare_digests(const void *a, const void *b)
{
	return memcmp(((const Incoming *) a)->file.sha256,
				  ((const Incoming *) b)->file.sha256, MR_SHA256_LEN);
}

/*
 * The checksum of the bytes, which must be the expected one, if there is one.
 */
static void
set_checksum(FunctionCallInfo fcinfo, MrNewVersion *version,
			 const uint8 *sha256)
{
	char	   *expected = mr_arg_text(fcinfo, ARG_EXPECTED_CHECKSUM);

	version->checksum = mr_digest_hex(sha256);
	if (expected && strcmp(mr_check_sha256_hex("expected_checksum", expected),
						   version->checksum) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("artifact does not match expected_checksum"),
				 errdetail("Expected %s, but the bytes received have %s.",
						   expected, version->checksum)));
}

/*
 * Locks the model, creating it if there is none.  It can vanish between the
 * two steps, by a concurrent rename or deletion; then it is tried again.
 */
static void
lock_or_create_model(const char *name, const char *type, MrModel *model)
{
	MrModelSettings no_settings = MR_NO_SETTINGS;
	MrEvent		event = {0};

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (mr_target_lock_model_to_fill(name, model))
			return;
		if (mr_models_insert(name, type, &no_settings, mr_actor_name(), model,
							 &event.new_values.value))
			break;
	}

	mr_identity_adopt(model);
	event.event = "model_create";
	event.old_values.isnull = true;
	mr_trail_append(model, &event);
	mr_models_advance(model);
}
