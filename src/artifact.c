/*-------------------------------------------------------------------------
 *
 * artifact.c
 *	  The bytes of artifacts, in and out, whatever storage holds them.
 *
 * Storages deliver bytes and tell structural damage; here the bytes are
 * compared with the artifact's size and SHA-256, so that the promise that what
 * was registered is what is loaded is kept in one place for all storages.
 *
 * LAYER 2
 *
 * IDENTIFICATION
 *	  src/artifact.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "artifact.h"
#include "compat.h"
#include "digest.h"
#include "storage.h"

static const MrStorage *storage_find(const char *name);
pg_noreturn static void artifact_damaged(const char *model_id,
										 const char *detail);

/* Every storage of this library. */
static const MrStorage *const storages[] = {
	&mr_storage_database
};

/*
 * Find a storage by the value of artifact.storage, or raise an error.
 */
const MrStorage *
mr_storage_by_name(const char *name)
{
	const MrStorage *storage = storage_find(name);

	if (storage == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("artifact storage \"%s\" is not supported", name)));
	return storage;
}

/*
 * Store the bytes of a new artifact in the database.  The caller has computed
 * sha256 and found no such artifact, and writes the artifact's row.
 */
void
mr_artifact_write(const char *data, Size len, const uint8 *sha256)
{
	const MrStorage *storage = &mr_storage_database;
	MrStorageWriter *writer = storage->write_begin();

	storage->write(writer, data, len);
	storage->write_end(writer, sha256);
}

/*
 * Return the bytes of an artifact as of the active snapshot, palloc'd.
 *
 * Damage is an error, as the caller could not tell otherwise.  Without verify
 * only the structure and the size are checked, not the SHA-256.  model_id is
 * for messages.
 */
bytea *
mr_artifact_read(const uint8 *sha256, int64 size, const char *storage_name,
				 bool verify, const char *model_id)
{
	const MrStorage *storage = mr_storage_by_name(storage_name);
	MrStorageReader *reader;
	MrDigest   *digest = NULL;
	bytea	   *result;
	char	   *next;
	uint64		left;
	const char *run;
	Size		len;
	const char *problem;

	if (size < 0)
		artifact_damaged(model_id, "The artifact's size is negative.");
	if (size > (int64) (MaxAllocSize - VARHDRSZ))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("artifact of model version \"%s\" is too large for bytea",
						model_id),
				 errdetail("It has " INT64_FORMAT " bytes; at most %zu fit.",
						   size, (Size) (MaxAllocSize - VARHDRSZ))));

	result = palloc(size + VARHDRSZ);
	SET_VARSIZE(result, size + VARHDRSZ);
	next = VARDATA(result);
	left = size;

	/* Hash each run while it is in the processor's cache. */
	if (verify)
		digest = mr_digest_begin();
	reader = storage->read_begin(sha256, size, GetActiveSnapshot());
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
	problem = storage->read_problem(reader);
	if (problem != NULL)
		artifact_damaged(model_id, psprintf("Damage found: %s.", problem));
	storage->read_end(reader);
	Assert(left == 0);

	if (verify)
	{
		uint8		actual[MR_SHA256_LEN];

		mr_digest_end(digest, actual);
		if (memcmp(actual, sha256, MR_SHA256_LEN) != 0)
			artifact_damaged(model_id,
							 psprintf("Expected SHA-256 %s, found %s.",
									  mr_digest_hex(sha256),
									  mr_digest_hex(actual)));
	}
	return result;
}

/*
 * Read an artifact as of the active snapshot and compare it with its size and
 * SHA-256.  Returns NULL if it is whole, else one line that says what is wrong,
 * palloc'd; damage is not raised as an error.  The SHA-256 of the bytes that
 * could be read, up to the first damage, is stored in actual.
 */
const char *
mr_artifact_check(const uint8 *sha256, int64 size, const char *storage_name,
				  uint8 *actual)
{
	const MrStorage *storage = storage_find(storage_name);
	MrDigest   *digest = mr_digest_begin();
	const char *problem;

	if (storage == NULL)
		problem = psprintf("artifact storage \"%s\" is not supported",
						   storage_name);
	else if (size < 0)
		problem = "the artifact's size is negative";
	else
	{
		MrStorageReader *reader;
		const char *run;
		Size		len;

		reader = storage->read_begin(sha256, size, GetActiveSnapshot());
		while (storage->read_next(reader, &run, &len))
		{
			CHECK_FOR_INTERRUPTS();
			mr_digest_add(digest, run, len);
		}
		problem = storage->read_problem(reader);
		storage->read_end(reader);
	}

	mr_digest_end(digest, actual);
	if (problem == NULL && memcmp(actual, sha256, MR_SHA256_LEN) != 0)
		problem = "the stored bytes do not match their checksum";
	return problem;
}

/*
 * Delete the bytes of an artifact as far as no other artifact uses them.  The
 * caller holds the artifact's row lock and deletes the row.
 */
void
mr_artifact_remove(const uint8 *sha256, const char *storage_name)
{
	mr_storage_by_name(storage_name)->remove(sha256);
}

/*
 * Find a storage by name, or return NULL.
 */
static const MrStorage *
storage_find(const char *name)
{
	int			i;

	for (i = 0; i < lengthof(storages); i++)
	{
		if (strcmp(storages[i]->name, name) == 0)
			return storages[i];
	}
	return NULL;
}

/*
 * Raise the error for an artifact whose bytes are not what was registered.
 */
static void
artifact_damaged(const char *model_id, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored bytes of model version \"%s\" do not match their checksum",
					model_id),
			 errdetail_internal("%s", detail),
			 errhint("Restore the bytes from a backup; modelreg_verify() finds every damaged artifact.")));
}
