/*
 * Whether stored artifacts are what was registered: their size, their SHA-256,
 * and the checksums of their parts.  Damage is told, never raised as an error.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "heal/inspect.h"
#include "store/storages.h"

static MrHealth inspect_all(const MrArtifact *artifact, Snapshot snapshot,
							MrDigest *digest, const char **problem);
static MrHealth try_to_hash_all(const MrStorage *storage,
								const pg_uuid_t *content, int64 size,
								Snapshot snapshot, MrDigest *digest,
								int64 *sound, const char **problem);
static MrHealth hash_all(const MrStorage *storage, const pg_uuid_t *content,
						 int64 size, Snapshot snapshot, MrDigest *digest,
						 int64 *sound, const char **problem);

/*
 * Read an artifact as of the snapshot and compare it with its size and
 * SHA-256, and its chunks with their checksums.  If it is not whole, one line
 * that says why is stored in problem, palloc'd, else NULL; damage is not raised
 * as an error.  The SHA-256 of the bytes that could be read, up to the first
 * damage, is stored in actual.
 */
MrHealth
mr_inspect_artifact(const MrArtifact *artifact, Snapshot snapshot,
					uint8 *actual,
					const char **problem)
{
	MrDigest   *digest = mr_digest_begin();
	MrHealth	health = inspect_all(artifact, snapshot, digest, problem);

	mr_digest_end(digest, actual);
	if (health == MR_WHOLE &&
		memcmp(actual, artifact->sha256, MR_SHA256_LEN) != 0)
	{
		health = MR_DAMAGED;
		*problem = "the stored bytes do not match their checksum";
	}
	return health;
}

/*
 * Read a content of a storage, of as many bytes as size says, as of the
 * snapshot, and add its bytes to the digest, until chunks do not match their
 * checksums: sound tells how many they were.  The problem is as above.
 */
MrHealth
mr_inspect_content(const MrStorage *storage, const pg_uuid_t *content,
				   int64 size, Snapshot snapshot, MrDigest *digest,
				   int64 *sound, const char **problem)
{
	*problem = NULL;
	*sound = 0;
	/* a parallel operation, which is rare here, allows no subtransaction */
	if (IsInParallelMode())
		return hash_all(storage, content, size, snapshot, digest, sound,
						problem);
	return try_to_hash_all(storage, content, size, snapshot, digest, sound,
						   problem);
}

/*
 * Whether an artifact is stored whole, as these bytes, by now.
 */
MrHealth
mr_inspect_bytes(const MrArtifact *artifact, const char *data, Size len)
{
	const MrStorage *storage = mr_storages_find(artifact->storage);
	Snapshot	snapshot;
	MrStorageReader *reader;
	const char *run;
	Size		run_len;
	bool		equal = true;
	MrHealth	health;
	const char *problem;

	if (storage == NULL || artifact->size != len)
		return MR_DAMAGED;
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	reader = storage->read_begin(&artifact->content, len, 0, true, snapshot);
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

static MrHealth
inspect_all(const MrArtifact *artifact, Snapshot snapshot, MrDigest *digest,
			const char **problem)
{
	const MrStorage *storage = mr_storages_find(artifact->storage);
	int64		sound;

	if (storage == NULL)
	{
		*problem = psprintf("artifact storage \"%s\" is not supported",
							artifact->storage);
		return MR_DAMAGED;
	}
	if (artifact->size < 0)
	{
		*problem = "the artifact's size is negative";
		return MR_DAMAGED;
	}
	return mr_inspect_content(storage, &artifact->content, artifact->size,
							  snapshot, digest, &sound, problem);
}

/*
 * Read and hash a content.  Where PostgreSQL itself finds a page damaged, by
 * its data checksums say, it raises an error; that is damage like any other.
 */
static MrHealth
try_to_hash_all(const MrStorage *storage, const pg_uuid_t *content, int64 size,
				Snapshot snapshot, MrDigest *digest, int64 *sound,
				const char **problem)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile MrHealth health = MR_DAMAGED;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		health = hash_all(storage, content, size, snapshot, digest, sound,
						  problem);
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
hash_all(const MrStorage *storage, const pg_uuid_t *content, int64 size,
		 Snapshot snapshot, MrDigest *digest, int64 *sound,
		 const char **problem)
{
	MrStorageReader *reader;
	MrHealth	health;
	const char *run;
	Size		len;

	reader = storage->read_begin(content, size, 0, true, snapshot);
	while (storage->read_next(reader, &run, &len))
	{
		CHECK_FOR_INTERRUPTS();
		mr_digest_add(digest, run, len);
		*sound += len;
	}
	health = storage->read_health(reader, problem);
	storage->read_end(reader);
	return health;
}
