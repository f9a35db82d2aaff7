/*-------------------------------------------------------------------------
 *
 * catalog_artifact.c
 *	  The table modelreg.artifact.
 *
 * LAYER 1
 *
 * IDENTIFICATION
 *	  src/catalog_artifact.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "catalog_artifact.h"
#include "compat.h"
#include "digest.h"

static void read_row(uint64 number, MrArtifactRow *row);
static uint64 read_rows(uint64 count, MrArtifactRow **rows);

/*
 * Locks the artifact's row against cleanup to the end of the transaction;
 * false if there is none.  Waits for a cleanup that is removing it; above
 * READ COMMITTED that ends in 40001.
 */
bool
mr_artifact_row_share(const uint8 *sha256)
{
	static MrPlan plan = {
		"SELECT FROM modelreg.artifact WHERE sha256 = $1 FOR KEY SHARE",
		1, {BYTEAOID}
	};
	Datum		value = PointerGetDatum(mr_digest_bytea(sha256));

	return mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL) > 0;
}

/*
 * Inserts a row; false if there is one.  Waits for a transaction that is
 * inserting or deleting it.
 */
bool
mr_artifact_row_insert(const uint8 *sha256, int64 artifact_size,
					   const char *storage)
{
	static MrPlan plan = {
		"INSERT INTO modelreg.artifact (sha256, artifact_size, storage)"
		" VALUES ($1, $2, $3) ON CONFLICT (sha256) DO NOTHING",
		3, {BYTEAOID, INT8OID, TEXTOID}
	};
	Datum		values[3];

	values[0] = PointerGetDatum(mr_digest_bytea(sha256));
	values[1] = Int64GetDatum(artifact_size);
	values[2] = CStringGetTextDatum(storage);
	return mr_plan_run(&plan, MR_SIGHT_LATEST, values, NULL) > 0;
}

bool
mr_artifact_row_get(const uint8 *sha256, MrSight sight, MrArtifactRow *row)
{
	static MrPlan plan = {
		"SELECT sha256, artifact_size, storage FROM modelreg.artifact"
		" WHERE sha256 = $1",
		1, {BYTEAOID}
	};
	Datum		value = PointerGetDatum(mr_digest_bytea(sha256));

	if (mr_plan_run(&plan, sight, &value, NULL) == 0)
		return false;
	read_row(0, row);
	return true;
}

/*
 * Whether a version refers to the artifact, by the latest snapshot.
 */
bool
mr_artifact_row_is_used(const uint8 *sha256)
{
	static MrPlan plan = {
		"SELECT FROM modelreg.model_version"
		" WHERE checksum = encode($1, 'hex') LIMIT 1",
		1, {BYTEAOID}
	};
	Datum		value = PointerGetDatum(mr_digest_bytea(sha256));

	return mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL) > 0;
}

/*
 * Locks up to limit artifacts that no version refers to, without those that
 * a registration holds.  The caller must ask mr_artifact_row_is_used again,
 * in a statement of its own, before it removes one: a registration may have
 * committed after this statement's snapshot and before its lock.
 */
uint64
mr_artifact_row_lock_unused(int limit, MrArtifactRow **rows)
{
	static MrPlan plan = {
		"SELECT a.sha256, a.artifact_size, a.storage"
		" FROM modelreg.artifact AS a WHERE NOT EXISTS"
		" (SELECT FROM modelreg.model_version AS v"
		" WHERE v.checksum = encode(a.sha256, 'hex'))"
		" LIMIT $1 FOR UPDATE OF a SKIP LOCKED",
		1, {INT4OID}
	};
	Datum		value = Int32GetDatum(limit);

	return read_rows(mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL), rows);
}

void
mr_artifact_row_delete(const uint8 *sha256)
{
	static MrPlan plan = {
		"DELETE FROM modelreg.artifact WHERE sha256 = $1",
		1, {BYTEAOID}
	};
	Datum		value = PointerGetDatum(mr_digest_bytea(sha256));

	mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL);
}

/*
 * Whether something refers to a row of one of the byte tables.
 */
bool
mr_artifact_part_is_used(const char *table, HeapTuple row, TupleDesc desc)
{
	static MrPlan artifact_chunk_plan = {
		"SELECT FROM modelreg.artifact WHERE sha256 = $1",
		1, {BYTEAOID}
	};
	static MrPlan chunk_plan = {
		"SELECT FROM modelreg.artifact_chunk WHERE chunk = $1 LIMIT 1",
		1, {UUIDOID}
	};
	static MrPlan piece_plan = {
		"SELECT FROM modelreg.chunk WHERE chunk = $1",
		1, {UUIDOID}
	};
	bool		by_sha256 = strcmp(table, "artifact") == 0 ||
		strcmp(table, "artifact_chunk") == 0;
	bool		isnull;
	Datum		key;
	MrPlan	   *plan;

	key = heap_getattr(row, SPI_fnumber(desc, by_sha256 ? "sha256" : "chunk"),
					   desc, &isnull);
	if (strcmp(table, "artifact") == 0)
	{
		bytea	   *sha256 = DatumGetByteaPP(key);

		return mr_artifact_row_is_used((uint8 *) VARDATA_ANY(sha256));
	}
	if (strcmp(table, "artifact_chunk") == 0)
		plan = &artifact_chunk_plan;
	else if (strcmp(table, "chunk") == 0)
		plan = &chunk_plan;
	else
		plan = &piece_plan;
	return mr_plan_run(plan, MR_SIGHT_LATEST, &key, NULL) > 0;
}

/*
 * The artifacts that no version refers to, by the active snapshot.
 */
uint64
mr_artifact_row_unused(MrArtifactRow **rows)
{
	static MrPlan plan = {
		"SELECT a.sha256, a.artifact_size, a.storage"
		" FROM modelreg.artifact AS a WHERE NOT EXISTS"
		" (SELECT FROM modelreg.model_version AS v"
		" WHERE v.checksum = encode(a.sha256, 'hex'))"
		" ORDER BY a.sha256",
		0, {InvalidOid}
	};

	return read_rows(mr_plan_run(&plan, MR_SIGHT_ACTIVE, NULL, NULL), rows);
}

static void
read_row(uint64 number, MrArtifactRow *row)
{
	bool		isnull;
	bytea	   *sha256 = DatumGetByteaPP(mr_plan_datum(number, 1, &isnull));

	if (VARSIZE_ANY_EXHDR(sha256) != 32)
		elog(ERROR, "key of modelreg.artifact has an unexpected length");
	memcpy(row->sha256, VARDATA_ANY(sha256), 32);
	row->artifact_size = DatumGetInt64(mr_plan_datum(number, 2, &isnull));
	row->storage = mr_plan_text(number, 3);
}

static uint64
read_rows(uint64 count, MrArtifactRow **rows)
{
	*rows = palloc(sizeof(MrArtifactRow) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
		read_row(i, &(*rows)[i]);
	return count;
}
