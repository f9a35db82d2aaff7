/*
 * Bytes become artifacts, of which there is one for equal bytes, and are locked
 * against cleanup to the end of the transaction.  What is there already is
 * compared with them, and if it is damaged, it is healed.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "artifact/artifact.h"
#include "base/uuid7.h"
#include "heal/heal.h"
#include "heal/inspect.h"
#include "rows/artifacts.h"
#include "rows/discarded.h"
#include "store/storages.h"

static void describe_artifact(MrArtifact *artifact, const uint8 *sha256,
							  int64 size, const MrStorage *storage,
							  const pg_uuid_t *content);
static bool insert_or_share(MrArtifact *artifact);

/*
 * Store an artifact, unless it is there.
 */
void
mr_artifact_store(const char *data, Size len, const uint8 *sha256)
{
	const MrStorage *storage = mr_storages_default();
	MrStorageWriter *writer;
	pg_uuid_t	content;
	MrArtifact	wanted;
	MrArtifact	stored;
	bool		is_new;

	mr_uuid7(&content);
	describe_artifact(&wanted, sha256, len, storage, &content);
	stored = wanted;
	is_new = insert_or_share(&stored);
	if (!is_new && mr_inspect_bytes(&stored, data, len) != MR_DAMAGED)
		return;

	writer = storage->write_begin(&content);
	storage->write(writer, data, len);
	storage->write_finish(writer);
	storage->write_end(writer);
	storage->write_free(writer);
	if (!is_new)
		mr_heal_artifact(&wanted);
}

/*
 * Make what a writer has written and finished, under the key content, an
 * artifact, or, if there is one of the same bytes, leave it to cleanup.  The
 * caller frees the writer.
 */
void
mr_artifact_adopt(const MrStorage *storage, MrStorageWriter *writer,
				  const pg_uuid_t *content, int64 size, const uint8 *sha256)
{
	MrArtifact	wanted;
	MrArtifact	stored;

	describe_artifact(&wanted, sha256, size, storage, content);
	stored = wanted;
	if (insert_or_share(&stored))
	{
		storage->write_end(writer);
		return;
	}

	if (stored.size == size && strcmp(stored.storage, storage->name) == 0 &&
		storage->write_matches(writer, &stored.content))
	{
		mr_discarded_add(content, storage->name);
		return;
	}
	storage->write_end(writer);
	mr_heal_artifact(&wanted);
}

static void
describe_artifact(MrArtifact *artifact, const uint8 *sha256, int64 size,
				  const MrStorage *storage, const pg_uuid_t *content)
{
	memcpy(artifact->sha256, sha256, MR_SHA256_LEN);
	artifact->size = size;
	artifact->storage = unconstify(char *, storage->name);
	artifact->content = *content;
}

/*
 * Insert a row; or, if there is one of the same SHA-256, lock and read that.
 * Returns whether it was inserted.
 */
static bool
insert_or_share(MrArtifact *artifact)
{
	MrArtifact	wanted = *artifact;

	/*
	 * Bytes are new more often than not, so the insertion comes first.  A
	 * transaction snapshot may still show bytes that a cleanup has removed
	 * since: then the lock raises 40001, where an insertion would add to
	 * them.
	 */
	if (IsolationUsesXactSnapshot() &&
		mr_artifacts_share(wanted.sha256, artifact))
		return false;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (mr_artifacts_insert(&wanted))
			return true;
		/* between the two steps a cleanup may remove the row; try again */
		if (mr_artifacts_share(wanted.sha256, artifact))
			return false;
	}
}
