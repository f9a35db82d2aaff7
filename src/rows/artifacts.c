/*
 * The table modelreg.artifact.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/tuple.h"
#include "rows/artifacts.h"

/* The columns of an MrArtifact, of modelreg.artifact AS a */
#define ARTIFACT_COLUMNS "a.sha256, a.artifact_size, a.storage, a.content"

/*
 * Whether no version, nor a file of one, refers to the artifact a; one whose
 * key is no SHA-256 is none of these.
 */
#define ARTIFACT_IS_UNUSED \
	"octet_length(a.sha256) = 32" \
	" AND NOT EXISTS (SELECT FROM modelreg.model_version AS v" \
	" WHERE v.checksum = encode(a.sha256, 'hex'))" \
	" AND NOT EXISTS (SELECT FROM modelreg.version_file AS f" \
	" WHERE f.sha256 = a.sha256)"

static bool query_artifact(MrStatement *statement, MrSight sight,
						   const uint8 *sha256, MrArtifact *artifact);
static uint64 read_artifacts(MrRows *rows, MrArtifact **artifacts);
static void read_artifact(const MrRows *rows, MrArtifact *artifact);

/*
 * Locks the artifact's row against cleanup to the end of the transaction, and
 * reads it; false if there is none.  Waits for a cleanup that is removing it;
 * above READ COMMITTED that ends in 40001.
 */
bool
mr_artifacts_share(const uint8 *sha256, MrArtifact *artifact)
{
	static MrStatement statement = {
		"SELECT " ARTIFACT_COLUMNS " FROM modelreg.artifact AS a"
		" WHERE sha256 = $1 FOR KEY SHARE"
	};

	return query_artifact(&statement, MR_SIGHT_LATEST, sha256, artifact);
}

/*
 * The same, against changes of the row as well.
 */
bool
mr_artifacts_lock(const uint8 *sha256, MrArtifact *artifact)
{
	static MrStatement statement = {
		"SELECT " ARTIFACT_COLUMNS " FROM modelreg.artifact AS a"
		" WHERE sha256 = $1 FOR NO KEY UPDATE"
	};

	return query_artifact(&statement, MR_SIGHT_LATEST, sha256, artifact);
}

bool
mr_artifacts_get(const uint8 *sha256, MrSight sight, MrArtifact *artifact)
{
	static MrStatement statement = {
		"SELECT " ARTIFACT_COLUMNS " FROM modelreg.artifact AS a"
		" WHERE sha256 = $1"
	};

	return query_artifact(&statement, sight, sha256, artifact);
}

/*
 * Inserts a row; false if there is one.  Waits for a transaction that is
 * inserting or deleting it.
 */
bool
mr_artifacts_insert(const MrArtifact *artifact)
{
	static MrStatement statement = {
		"INSERT INTO modelreg.artifact"
		" (sha256, artifact_size, storage, content)"
		" VALUES ($1, $2, $3, $4) ON CONFLICT (sha256) DO NOTHING"
	};

	return mr_sql_run(&statement, MR_SIGHT_LATEST,
					  MR_VALUES(mr_digest_value(artifact->sha256),
								mr_value_int8(artifact->size),
								mr_value_text(artifact->storage),
								mr_value_uuid(&artifact->content))) > 0;
}

/*
 * Tells where the bytes of an artifact are, which the caller has locked, and
 * how many.
 */
void
mr_artifacts_replace(const MrArtifact *artifact)
{
	static MrStatement statement = {
		"UPDATE modelreg.artifact"
		" SET artifact_size = $2, storage = $3, content = $4"
		" WHERE sha256 = $1"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_digest_value(artifact->sha256),
						 mr_value_int8(artifact->size),
						 mr_value_text(artifact->storage),
						 mr_value_uuid(&artifact->content)));
}

void
mr_artifacts_delete(const uint8 *sha256)
{
	static MrStatement statement = {
		"DELETE FROM modelreg.artifact WHERE sha256 = $1"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST, MR_VALUES(mr_digest_value(sha256)));
}

/*
 * Whether a version, or a file of one, refers to the artifact, by the latest
 * snapshot.
 */
bool
mr_artifacts_is_used(const uint8 *sha256)
{
	static MrStatement statement = {
		"SELECT FROM modelreg.model_version"
		" WHERE checksum = encode($1, 'hex')"
		" UNION ALL SELECT FROM modelreg.version_file"
		" WHERE sha256 = $1 LIMIT 1"
	};

	return mr_sql_run(&statement, MR_SIGHT_LATEST,
					  MR_VALUES(mr_digest_value(sha256))) > 0;
}

/*
 * The artifacts that nothing refers to, by the active snapshot; returns how
 * many.
 */
uint64
mr_artifacts_unused(MrArtifact **artifacts)
{
	static MrStatement statement = {
		"SELECT " ARTIFACT_COLUMNS
		" FROM modelreg.artifact AS a WHERE " ARTIFACT_IS_UNUSED
		" ORDER BY a.sha256"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_ACTIVE, MR_NO_VALUES);

	return read_artifacts(&rows, artifacts);
}

/*
 * How many artifacts have a key that is no SHA-256, by the active snapshot.
 */
int64
mr_artifacts_malformed(void)
{
	static MrStatement statement = {
		"SELECT count(*) FROM modelreg.artifact"
		" WHERE octet_length(sha256) <> 32"
	};

	return DatumGetInt64(mr_sql_query_datum(&statement, MR_SIGHT_ACTIVE,
											MR_NO_VALUES));
}

/*
 * Locks up to limit artifacts that nothing refers to, without those that
 * a registration holds.  The caller must ask mr_artifacts_is_used again,
 * in a statement of its own, before it removes one: a registration may have
 * committed after this statement's snapshot and before its lock.
 */
uint64
mr_artifacts_lock_unused(int limit, MrArtifact **artifacts)
{
	static MrStatement statement = {
		"SELECT " ARTIFACT_COLUMNS
		" FROM modelreg.artifact AS a WHERE " ARTIFACT_IS_UNUSED
		" LIMIT $1 FOR UPDATE OF a SKIP LOCKED"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_LATEST,
									MR_VALUES(mr_value_int4(limit)));

	return read_artifacts(&rows, artifacts);
}

/*
 * Reads a row that a trigger was given.  Returns false if a column is null.
 */
bool
mr_artifacts_from_row(HeapTuple row, TupleDesc desc, MrArtifact *artifact)
{
	static const char *const columns[] = {
		"sha256", "artifact_size", "storage", "content"
	};
	Datum		values[lengthof(columns)];

	for (int i = 0; i < lengthof(columns); i++)
	{
		bool		isnull;

		values[i] = mr_tuple_nullable(row, desc, columns[i], &isnull);
		if (isnull)
			return false;
	}
	if (!mr_digest_from_datum(values[0], artifact->sha256))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("key of modelreg.artifact has an unexpected length"),
				 errhint("Run modelreg_verify().")));
	artifact->size = DatumGetInt64(values[1]);
	artifact->storage = TextDatumGetCString(values[2]);
	artifact->content = *DatumGetUUIDP(values[3]);
	return true;
}

static bool
query_artifact(MrStatement *statement, MrSight sight, const uint8 *sha256,
			   MrArtifact *artifact)
{
	MrRows		rows = mr_sql_query(statement, sight,
									MR_VALUES(mr_digest_value(sha256)));

	if (!mr_sql_next(&rows))
		return false;
	read_artifact(&rows, artifact);
	mr_sql_end(&rows);
	return true;
}

static uint64
read_artifacts(MrRows *rows, MrArtifact **artifacts)
{
	MrArtifact *artifact = palloc(sizeof(MrArtifact) * Max(rows->count, 1));

	*artifacts = artifact;
	while (mr_sql_next(rows))
		read_artifact(rows, artifact++);
	return rows->count;
}

static void
read_artifact(const MrRows *rows, MrArtifact *artifact)
{
	if (!mr_artifacts_from_row(rows->row, rows->desc, artifact))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("null in a row of modelreg.artifact"),
				 errhint("Run modelreg_verify().")));
}
