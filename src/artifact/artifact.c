/*
 * The bytes of artifacts, in and out, whatever storage holds them.
 *
 * Storages deliver bytes and tell structural damage; here the bytes are
 * compared with the artifact's size and SHA-256, so that the promise that what
 * was registered is what is loaded is kept in one place for all storages.
 */
#include "postgres.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "artifact/artifact.h"
#include "base/compat.h"
#include "base/uuid7.h"
#include "bytes/digest.h"
#include "rows/discarded.h"
#include "rows/files.h"
#include "store/storage.h"

static void get_row(const char *name, const uint8 *sha256, MrArtifactRow *row);
static bool insert_or_share(MrArtifactRow *row);
static int64 replace_if_damaged(const MrArtifactRow *wanted,
								const MrStorage *storage,
								MrStorageWriter *writer);
static MrHealth try_to_read_all(const MrArtifactRow *row, Snapshot snapshot,
								MrDigest *digest, const char **problem);
static MrHealth read_all(const MrArtifactRow *row, Snapshot snapshot,
						 MrDigest *digest, const char **problem);
static MrHealth compare(const MrArtifactRow *row, const char *data, Size len);
pg_noreturn static void raise_unreadable(const char *model_id,
										 const char *problem);

/*
 * Store an artifact in the database, unless it is there, and lock its row
 * against cleanup to the end of the transaction.
 *
 * What is there is compared with the bytes, and if it is damaged, it is
 * healed: returns how many chunks were.
 */
int64
mr_artifact_store(const char *data, Size len, const uint8 *sha256)
{
	const MrStorage *storage = &mr_storage_database;
	MrStorageWriter *writer;
	MrArtifactRow wanted;
	MrArtifactRow row;
	bool		is_new;
	int64		healed;

	memcpy(wanted.sha256, sha256, MR_SHA256_LEN);
	wanted.artifact_size = len;
	wanted.storage = unconstify(char *, storage->name);
	mr_uuid7(&wanted.content);
	row = wanted;
	is_new = insert_or_share(&row);
	if (!is_new && compare(&row, data, len) != MR_DAMAGED)
		return 0;

	writer = storage->write_begin(&wanted.content);
	storage->write(writer, data, len);
	storage->write_finish(writer);
	if (is_new)
	{
		storage->write_end(writer);
		healed = storage->write_healed(writer);
	}
	else
		healed = replace_if_damaged(&wanted, storage, writer);
	storage->write_free(writer);
	return healed;
}

/*
 * Make what a writer has written and finished, under the key content, an
 * artifact, or, if there is one of the same bytes, leave it to cleanup.
 * Otherwise as mr_artifact_store; the caller frees the writer.
 */
int64
mr_artifact_adopt(const MrStorage *storage, MrStorageWriter *writer,
				  const pg_uuid_t *content, int64 size, const uint8 *sha256)
{
	MrArtifactRow wanted;
	MrArtifactRow row;

	memcpy(wanted.sha256, sha256, MR_SHA256_LEN);
	wanted.artifact_size = size;
	wanted.storage = unconstify(char *, storage->name);
	wanted.content = *content;
	row = wanted;
	if (insert_or_share(&row))
	{
		storage->write_end(writer);
		return storage->write_healed(writer);
	}

	if (row.artifact_size == size && strcmp(row.storage, storage->name) == 0 &&
		storage->write_matches(writer, &row.content))
	{
		mr_content_discard(content, storage->name);
		return storage->write_healed(writer);
	}
	return replace_if_damaged(&wanted, storage, writer);
}

/*
 * Insert a row; or, if there is one of the same SHA-256, lock and read that.
 * Returns whether it was inserted.
 */
static bool
insert_or_share(MrArtifactRow *row)
{
	MrArtifactRow wanted = *row;

	/*
	 * Bytes are new more often than not, so the insertion comes first.  A
	 * transaction snapshot may still show bytes that a cleanup has removed
	 * since: then the lock raises 40001, where an insertion would add to
	 * them.
	 */
	if (IsolationUsesXactSnapshot() &&
		mr_artifact_row_share(wanted.sha256, row))
		return false;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (mr_artifact_row_insert(&wanted))
			return true;
		/* between the two steps a cleanup may remove the row; try again */
		if (mr_artifact_row_share(wanted.sha256, row))
			return false;
	}
}

/*
 * There is an artifact of these bytes, but not of the same chunks.  If it is
 * damaged, the writer's content takes its place, and otherwise is discarded.
 * Returns how many chunks were healed, at least 1 if the artifact was.
 */
static int64
replace_if_damaged(const MrArtifactRow *wanted, const MrStorage *storage,
				   MrStorageWriter *writer)
{
	MrArtifactRow row;
	uint8		actual[MR_SHA256_LEN];
	Snapshot	snapshot;
	const char *problem;
	MrHealth	health;
	int64		healed;

	storage->write_end(writer);
	healed = storage->write_healed(writer);

	if (!mr_artifact_row_lock(wanted->sha256, &row))
		elog(ERROR, "artifact vanished although it is locked");
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	health = mr_artifact_check(&row, snapshot, actual, &problem);
	UnregisterSnapshot(snapshot);
	if (health != MR_DAMAGED)
	{
		mr_content_discard(&wanted->content, storage->name);
		return healed;
	}

	/* where the row names no storage, the bytes are in this one, or nowhere */
	if (mr_storage_find(row.storage) == NULL)
		row.storage = unconstify(char *, storage->name);
	if (strcmp(row.storage, storage->name) == 0)
		healed += storage->repair(&row.content, &wanted->content);
	mr_artifact_row_replace(wanted);
	mr_content_discard(&row.content, row.storage);
	return Max(healed, 1);
}

/*
 * Whether an artifact is stored whole, as these bytes.
 */
static MrHealth
compare(const MrArtifactRow *row, const char *data, Size len)
{
	const MrStorage *storage = mr_storage_find(row->storage);
	Snapshot	snapshot;
	MrStorageReader *reader;
	const char *run;
	Size		run_len;
	bool		equal = true;
	MrHealth	health;
	const char *problem;

	if (storage == NULL || row->artifact_size != len)
		return MR_DAMAGED;
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	reader = storage->read_begin(&row->content, len, 0, true, snapshot);
	while (equal && storage->read_next(reader, &run, &run_len))
	{
		CHECK_FOR_INTERRUPTS();
		equal = memcmp(run, data, run_len) == 0;
		data += run_len;
	}
	health = equal ? storage->read_health(reader, &problem) : MR_DAMAGED;
	storage->read_end(reader);
	UnregisterSnapshot(snapshot);
	return health;
}

/*
 * Find the bytes of a version, or with a path of a file of it, by the active
 * snapshot and with the rights of the present role.  42704 if there is no such
 * version or file.
 */
void
mr_artifact_find(const char *model_id, const char *path, MrHolding *holding)
{
	MrVersion	version;
	MrFile		file;

	if (!mr_version_get(model_id, MR_SIGHT_ACTIVE, &version))
		mr_version_raise_unknown(model_id);
	if (path == NULL)
	{
		mr_artifact_of_version(&version, holding);
		return;
	}
	if (!mr_file_get(model_id, path, &file))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model version \"%s\" has no file \"%.*s\"", model_id,
						pg_mbcliplen(path, strlen(path), 255), path),
				 errhint("Its files are in modelreg.version_file.")));
	holding->name = psprintf("%s/%s", model_id, path);
	holding->size = file.size;
	get_row(holding->name, file.sha256, &holding->row);
}

/*
 * The same for a version that has been read.
 */
void
mr_artifact_of_version(const MrVersion *version, MrHolding *holding)
{
	uint8		sha256[MR_SHA256_LEN];

	holding->name = version->model_id;
	holding->size = version->artifact_size;
	if (!mr_digest_from_hex(version->checksum, sha256))
		mr_artifact_raise_missing(version->model_id);
	get_row(holding->name, sha256, &holding->row);
}

static void
get_row(const char *name, const uint8 *sha256, MrArtifactRow *row)
{
	if (!mr_artifact_row_get(sha256, MR_SIGHT_ACTIVE, row))
		mr_artifact_raise_missing(name);
}

/*
 * Return the bytes of an artifact as of the active snapshot, palloc'd.
 *
 * Damage is an error, as the caller could not tell otherwise.  Without verify
 * only the structure and the size are checked, not the SHA-256.  size is what
 * the version says, model_id is for messages.
 */
bytea *
mr_artifact_read(const MrArtifactRow *row, int64 size, bool verify,
				 const char *model_id)
{
	const MrStorage *storage = mr_storage_by_name(row->storage);
	MrStorageReader *reader;
	MrDigest   *digest = NULL;
	bytea	   *result;
	char	   *next;
	uint64		left;
	const char *run;
	Size		len;

	if (size < 0)
		mr_artifact_raise_damaged(model_id, "The artifact's size is negative.");
	if (size > (int64) (MaxAllocSize - VARHDRSZ))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("artifact of model version \"%s\" is too large for bytea",
						model_id),
				 errdetail("It has " INT64_FORMAT " bytes; at most %zu fit.",
						   size, (Size) (MaxAllocSize - VARHDRSZ)),
				 errhint("Use modelreg_download(), which returns it in pieces.")));

	result = palloc(size + VARHDRSZ);
	SET_VARSIZE(result, size + VARHDRSZ);
	next = VARDATA(result);
	left = size;

	/* Hash each run while it is in the processor's cache. */
	if (verify)
		digest = mr_digest_begin();
	reader = storage->read_begin(&row->content, size, 0, false,
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
	mr_artifact_require_whole(storage, reader, model_id);
	storage->read_end(reader);
	Assert(left == 0);

	if (verify)
	{
		uint8		actual[MR_SHA256_LEN];

		mr_digest_end(digest, actual);
		if (memcmp(actual, row->sha256, MR_SHA256_LEN) != 0)
			mr_artifact_raise_mismatch(row, model_id, actual);
	}
	return result;
}

/*
 * Read an artifact as of the snapshot and compare it with its size and
 * SHA-256, and its chunks with their checksums.  If it is not whole, one line
 * that says why is stored in problem, palloc'd, else NULL; damage is not raised
 * as an error.  The SHA-256 of the bytes that could be read, up to the first
 * damage, is stored in actual.
 */
MrHealth
mr_artifact_check(const MrArtifactRow *row, Snapshot snapshot, uint8 *actual,
				  const char **problem)
{
	MrDigest   *digest = mr_digest_begin();
	MrHealth	health;

	*problem = NULL;
	/* a parallel operation, which is rare here, allows no subtransaction */
	if (IsInParallelMode())
		health = read_all(row, snapshot, digest, problem);
	else
		health = try_to_read_all(row, snapshot, digest, problem);

	mr_digest_end(digest, actual);
	if (health == MR_WHOLE && memcmp(actual, row->sha256, MR_SHA256_LEN) != 0)
	{
		health = MR_DAMAGED;
		*problem = "the stored bytes do not match their checksum";
	}
	return health;
}

/*
 * Read and hash an artifact.  Where PostgreSQL itself finds a page damaged, by
 * its data checksums say, it raises an error; that is damage like any other.
 */
static MrHealth
try_to_read_all(const MrArtifactRow *row, Snapshot snapshot, MrDigest *digest,
				const char **problem)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile MrHealth health = MR_DAMAGED;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		health = read_all(row, snapshot, digest, problem);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode != ERRCODE_DATA_CORRUPTED &&
			error->sqlerrcode != ERRCODE_INDEX_CORRUPTED)
			ReThrowError(error);
		*problem = error->message;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return health;
}

static MrHealth
read_all(const MrArtifactRow *row, Snapshot snapshot, MrDigest *digest,
		 const char **problem)
{
	const MrStorage *storage = mr_storage_find(row->storage);
	MrStorageReader *reader;
	MrHealth	health;
	const char *run;
	Size		len;

	if (storage == NULL)
	{
		*problem = psprintf("artifact storage \"%s\" is not supported",
							row->storage);
		return MR_DAMAGED;
	}
	if (row->artifact_size < 0)
	{
		*problem = "the artifact's size is negative";
		return MR_DAMAGED;
	}

	reader = storage->read_begin(&row->content, row->artifact_size, 0, true,
								 snapshot);
	while (storage->read_next(reader, &run, &len))
	{
		CHECK_FOR_INTERRUPTS();
		mr_digest_add(digest, run, len);
	}
	health = storage->read_health(reader, problem);
	storage->read_end(reader);
	return health;
}

/*
 * Raise an error unless all is well with what a reader has read.
 */
void
mr_artifact_require_whole(const MrStorage *storage, MrStorageReader *reader,
						  const char *model_id)
{
	const char *problem;

	switch (storage->read_health(reader, &problem))
	{
		case MR_WHOLE:
			break;
		case MR_DAMAGED:
			mr_artifact_raise_damaged(model_id,
									  psprintf("Damage found: %s.", problem));
			break;
		case MR_UNREADABLE:
			raise_unreadable(model_id, problem);
			break;
	}
}

/*
 * Raise the error for a version without an artifact.
 */
void
mr_artifact_raise_missing(const char *model_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("artifact of model version \"%s\" is missing", model_id),
			 errhint("Run modelreg_verify().")));
}

/*
 * Raise the error for an artifact whose bytes are not what was registered.
 */
void
mr_artifact_raise_damaged(const char *model_id, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored bytes of model version \"%s\" do not match their checksum",
					model_id),
			 errdetail_internal("%s", detail),
			 errhint("Register the right bytes again, which heals them, or restore a backup; modelreg_verify() finds every damaged artifact.")));
}

/*
 * Raise the error for an artifact that this build cannot read.
 */
static void
raise_unreadable(const char *model_id, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot read artifact of model version \"%s\"", model_id),
			 errdetail_internal("Its %s.", problem),
			 errhint("Build modelreg with lz4 and zstd.")));
}

/*
 * Raise the error for one with another SHA-256, as of the active snapshot: look
 * which chunk it is.
 */
void
mr_artifact_raise_mismatch(const MrArtifactRow *row, const char *model_id,
						   const uint8 *actual)
{
	uint8		again[MR_SHA256_LEN];
	const char *problem;

	if (mr_artifact_check(row, GetActiveSnapshot(), again,
						  &problem) == MR_WHOLE)
		problem = "a second reading found nothing wrong";
	mr_artifact_raise_damaged(model_id,
							  psprintf("Expected SHA-256 %s, found %s: %s.",
									   mr_digest_hex(row->sha256),
									   mr_digest_hex(actual), problem));
}
