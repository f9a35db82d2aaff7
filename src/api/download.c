/*
 * Streaming downloads: the bytes of a version in pieces.
 *
 * Each piece is read by a reader of its own, which ends with it: nothing is
 * open while the client is sent the piece, or takes its time, or never asks for
 * the next.  All of them read as of the query's snapshot.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "artifact/holding.h"
#include "base/arg.h"
#include "base/call.h"
#include "base/compat.h"
#include "base/guc.h"
#include "heal/damage.h"
#include "store/storages.h"

/* Largest piece in bytes: on its way to the client it is there three times. */
#define MAX_PIECE_SIZE (16 * 1024 * 1024)

/* A download, as far as it has come */
typedef struct Download
{
	char	   *name;			/* of the artifact, for messages */
	MrArtifact	artifact;
	int64		next;			/* offset of the next piece */
	int64		end;			/* offset behind the last byte */
	int32		piece_size;
	MrDigest   *digest;			/* of a whole artifact; NULL: a range */
	bool		check;			/* compare chunks with their checksums */
} Download;

PG_FUNCTION_INFO_V1(modelreg_download);

static Datum begin_download(FunctionCallInfo fcinfo);
static bytea *read_download_piece(Download *download);
static void verify_download(Download *download);

/*
 * modelreg_download(model_id, byte_offset, length, piece_size, path): see its
 * COMMENT.
 */
Datum
modelreg_download(PG_FUNCTION_ARGS)
{
	FuncCallContext *context;
	Download   *download;
	bytea	   *piece;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext oldcontext;
		Datum		state;

		context = SRF_FIRSTCALL_INIT();
		oldcontext = MemoryContextSwitchTo(context->multi_call_memory_ctx);
		state = mr_call_as_caller(fcinfo, begin_download);
		context->user_fctx = DatumGetPointer(state);
		MemoryContextSwitchTo(oldcontext);
	}
	context = SRF_PERCALL_SETUP();
	download = context->user_fctx;
	if (download->next >= download->end)
		SRF_RETURN_DONE(context);

	piece = read_download_piece(download);
	SRF_RETURN_NEXT(context, PointerGetDatum(piece));
}

/*
 * Checks the arguments and looks up the version, with the rights of the caller.
 */
static Datum
begin_download(FunctionCallInfo fcinfo)
{
	char	   *model_id = mr_arg_required_text(fcinfo, 0, "model_id");
	int64		byte_offset = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT64(1);
	int64		length = PG_ARGISNULL(2) ? PG_INT64_MAX : PG_GETARG_INT64(2);
	int32		piece_size = PG_ARGISNULL(3) ? 1024 * 1024 : PG_GETARG_INT32(3);
	char	   *path = mr_arg_text(fcinfo, 4);
	MrHolding	holding;
	Download   *download;

	if (byte_offset < 0 || length < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be negative",
						byte_offset < 0 ? "byte_offset" : "length")));
	if (piece_size < 1 || piece_size > MAX_PIECE_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("piece_size must be between 1 and %d",
						MAX_PIECE_SIZE)));
	mr_holding_find(model_id, path, &holding);
	if (byte_offset > holding.size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("byte_offset " INT64_FORMAT " is beyond the artifact",
						byte_offset),
				 errdetail("The artifact of model version \"%s\" has " INT64_FORMAT " bytes.",
						   holding.name, holding.size)));

	MemoryContextSwitchTo(mr_call_result_context());
	download = palloc0(sizeof(Download));
	download->name = pstrdup(holding.name);
	download->artifact = holding.artifact;
	download->artifact.storage = pstrdup(holding.artifact.storage);
	download->artifact.size = holding.size;
	download->next = byte_offset;
	download->end = byte_offset + Min(length,
									  holding.size - byte_offset);
	download->piece_size = piece_size;
	if (mr_guc_verify_checksums)
	{
		if (byte_offset == 0 && download->end == holding.size)
			download->digest = mr_digest_begin();
		else
			download->check = true;
	}
	return PointerGetDatum(download);
}

/*
 * Reads the next piece.  The last one of a whole artifact is handed out only
 * when the SHA-256 of all has turned out right.
 */
static bytea *
read_download_piece(Download *download)
{
	const MrStorage *storage = mr_storages_by_name(download->artifact.storage);
	int64		len = Min((int64) download->piece_size,
						  download->end - download->next);
	bytea	   *piece = palloc(VARHDRSZ + len);
	char	   *next = VARDATA(piece);
	char	   *end = next + len;
	MrStorageReader *reader;
	const char *run;
	Size		run_len;

	SET_VARSIZE(piece, VARHDRSZ + len);
	reader = storage->read_begin(&download->artifact.content,
								 download->artifact.size, download->next,
								 download->check, GetActiveSnapshot());
	while (next < end && storage->read_next(reader, &run, &run_len))
	{
		CHECK_FOR_INTERRUPTS();
		run_len = Min(run_len, end - next);
		memcpy(next, run, run_len);
		if (download->digest != NULL)
			mr_digest_add(download->digest, next, run_len);
		next += run_len;
	}

	/* at the end of the artifact, see that nothing follows */
	if (next == end &&
		download->next + len == download->artifact.size &&
		storage->read_next(reader, &run, &run_len))
		elog(ERROR, "storage \"%s\" returned more bytes than asked for",
			 storage->name);
	mr_damage_require_whole(storage, reader, download->name);
	if (next < end)
		elog(ERROR, "storage \"%s\" returned fewer bytes than asked for",
			 storage->name);
	storage->read_end(reader);

	download->next += len;
	if (download->digest != NULL && download->next == download->end)
		verify_download(download);
	return piece;
}

static void
verify_download(Download *download)
{
	MrDigest   *digest = download->digest;
	uint8		actual[MR_SHA256_LEN];

	download->digest = NULL;
	mr_digest_end(digest, actual);
	if (memcmp(actual, download->artifact.sha256, MR_SHA256_LEN) != 0)
		mr_damage_raise_mismatch(&download->artifact, download->name, actual);
}
