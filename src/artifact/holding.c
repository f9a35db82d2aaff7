/*
 * Where the bytes are that a version, or a file of one, holds.
 *
 * Storages deliver bytes and tell structural damage; here the bytes are
 * compared with the artifact's size and SHA-256, so that the promise that what
 * was registered is what is loaded is kept in one place for all storages.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "artifact/holding.h"
#include "base/clip.h"
#include "base/compat.h"
#include "heal/damage.h"
#include "rows/files.h"
#include "store/storages.h"

static void get_artifact(MrHolding *holding, const uint8 *sha256);
static void require_last_byte(const MrHolding *holding);

/*
 * Find the bytes of a version, or with a path of a file of it, by the active
 * snapshot and with the rights of the present role.  42704 if there is no such
 * version or file.
 */
void
mr_holding_find(const char *model_id, const char *path, MrHolding *holding)
{
	MrVersion	version;
	MrFile		file;

	if (!mr_versions_get(model_id, MR_SIGHT_ACTIVE, &version))
		mr_versions_raise_unknown(model_id);
	if (path == NULL)
	{
		mr_holding_of_version(&version, holding);
		return;
	}
	if (!mr_files_get(model_id, path, &file))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model version \"%s\" has no file \"%s\"", model_id,
						mr_clip_text(path)),
				 errhint("Its files are in modelreg.version_file.")));
	holding->name = psprintf("%s/%s", model_id, path);
	holding->size = file.size;
	get_artifact(holding, file.sha256);
}

/*
 * The same for a version that has been read.
 */
void
mr_holding_of_version(const MrVersion *version, MrHolding *holding)
{
	uint8		sha256[MR_SHA256_LEN];

	holding->name = version->model_id;
	holding->size = version->artifact_size;
	if (!mr_digest_from_hex(version->checksum, sha256))
		mr_damage_raise_missing(version->model_id);
	get_artifact(holding, sha256);
}

/*
 * Return the bytes of an artifact as of the active snapshot, palloc'd.
 *
 * Damage is an error, as the caller could not tell otherwise.  Without verify
 * only the structure and the size are checked, not the SHA-256.
 */
bytea *
mr_holding_read(const MrHolding *holding, bool verify)
{
	const MrArtifact *artifact = &holding->artifact;
	const MrStorage *storage = mr_storages_by_name(artifact->storage);
	int64		size = holding->size;
	MrStorageReader *reader;
	MrDigest   *digest = NULL;
	bytea	   *result;
	char	   *next;
	uint64		left;
	const char *run;
	Size		len;

	if (size > (int64) (MaxAllocSize - VARHDRSZ))
	{
		require_last_byte(holding);
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("artifact of model version \"%s\" is too large for bytea",
						holding->name),
				 errdetail("It has " INT64_FORMAT " bytes; at most %zu fit.",
						   size, (Size) (MaxAllocSize - VARHDRSZ)),
				 errhint("Use modelreg_download(), which returns it in pieces.")));
	}

	result = palloc(size + VARHDRSZ);
	SET_VARSIZE(result, size + VARHDRSZ);
	next = VARDATA(result);
	left = size;

	/* Hash each run while it is in the processor's cache. */
	if (verify)
		digest = mr_digest_begin();
	reader = storage->read_begin(&artifact->content, size, 0, false,
								 GetActiveSnapshot());
	while (storage->read_next(reader, &run, &len))
	{
		CHECK_FOR_INTERRUPTS();
		if (len > left)
			elog(ERROR, "storage \"%s\" returned more bytes than asked for",
				 storage->name);
		memcpy(next, run, len);
		if (verify)
			mr_digest_add(digest, next, len);
		next += len;
		left -= len;
	}
	mr_damage_require_whole(storage, reader, holding->name);
	storage->read_end(reader);
	Assert(left == 0);

	if (verify)
	{
		uint8		actual[MR_SHA256_LEN];

		mr_digest_end(digest, actual);
		if (memcmp(actual, artifact->sha256, MR_SHA256_LEN) != 0)
			mr_damage_raise_mismatch(artifact, holding->name, actual);
	}
	return result;
}

/*
 * The sizes agree, or one of them is damaged: then it must not decide what the
 * caller is told.
 */
static void
get_artifact(MrHolding *holding, const uint8 *sha256)
{
	if (!mr_artifacts_get(sha256, MR_SIGHT_ACTIVE, &holding->artifact))
		mr_damage_raise_missing(holding->name);
	if (holding->size != holding->artifact.size)
		mr_damage_raise_damaged(holding->name,
								psprintf("It says " INT64_FORMAT " bytes, and the artifact " INT64_FORMAT ".",
										 holding->size,
										 holding->artifact.size));
	if (holding->size < 0)
		mr_damage_raise_damaged(holding->name,
								"The artifact's size is negative.");
}

/*
 * Raise the error for damage unless there are as many bytes as the sizes say.
 */
static void
require_last_byte(const MrHolding *holding)
{
	const MrArtifact *artifact = &holding->artifact;
	const MrStorage *storage = mr_storages_by_name(artifact->storage);
	MrStorageReader *reader = storage->read_begin(&artifact->content,
												  artifact->size,
												  artifact->size - 1, false,
												  GetActiveSnapshot());
	const char *run;
	Size		len;

	while (storage->read_next(reader, &run, &len))
		CHECK_FOR_INTERRUPTS();
	mr_damage_require_whole(storage, reader, holding->name);
	storage->read_end(reader);
}
