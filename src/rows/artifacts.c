/*
 * The table modelreg.artifact.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "bytes/digest.h"
#include "rows/artifacts.h"

/* The columns of an MrArtifactRow, of modelreg.artifact AS a */
#define ROW_COLUMNS "a.sha256, a.artifact_size, a.storage, a.content"

/* Whether no version, nor a file of one, refers to the artifact a */
#define UNUSED \
	"NOT EXISTS (SELECT FROM modelreg.model_version AS v" \
	" WHERE v.checksum = encode(a.sha256, 'hex'))" \
	" AND NOT EXISTS (SELECT FROM modelreg.version_file AS f" \
	" WHERE f.sha256 = a.sha256)"

static bool get_row(MrPlan *plan, MrSight sight, const uint8 *sha256,
					MrArtifactRow *row);
static uint64 read_rows(uint64 count, MrArtifactRow **rows);
static uint64 write_row(MrPlan *plan, const MrArtifactRow *row);
static void read_row(uint64 number, MrArtifactRow *row);
static void set_row(const Datum *values, MrArtifactRow *row);

/*
 * Locks the artifact's row against cleanup to the end of the transaction, and
 * reads it; false if there is none.  Waits for a cleanup that is removing it;
 * above READ COMMITTED that ends in 40001.
 */
bool
mr_artifact_row_share(const uint8 *sha256, MrArtifactRow *row)
{
	static MrPlan plan = {
		"SELECT " ROW_COLUMNS " FROM modelreg.artifact AS a"
		" WHERE sha256 = $1 FOR KEY SHARE",
		1, {BYTEAOID}
	};

	return get_row(&plan, MR_SIGHT_LATEST, sha256, row);
}

/*
 * The same, against changes of the row as well.
 */
bool
mr_artifact_row_lock(const uint8 *sha256, MrArtifactRow *row)
{
	static MrPlan plan = {
		"SELECT " ROW_COLUMNS " FROM modelreg.artifact AS a"
		" WHERE sha256 = $1 FOR NO KEY UPDATE",
		1, {BYTEAOID}
	};

	return get_row(&plan, MR_SIGHT_LATEST, sha256, row);
}

/*
 * Inserts a row; false if there is one.  Waits for a transaction that is
 * inserting or deleting it.
 */
bool
mr_artifact_row_insert(const MrArtifactRow *row)
{
	static MrPlan plan = {
		"INSERT INTO modelreg.artifact"
		" (sha256, artifact_size, storage, content)"
		" VALUES ($1, $2, $3, $4) ON CONFLICT (sha256) DO NOTHING",
		4, {BYTEAOID, INT8OID, TEXTOID, UUIDOID}
	};

	return write_row(&plan, row) > 0;
}

bool
mr_artifact_row_get(const uint8 *sha256, MrSight sight, MrArtifactRow *row)
{
	static MrPlan plan = {
		"SELECT " ROW_COLUMNS " FROM modelreg.artifact AS a"
		" WHERE sha256 = $1",
		1, {BYTEAOID}
	};

	return get_row(&plan, sight, sha256, row);
}

/*
 * Whether a version, or a file of one, refers to the artifact, by the latest
 * snapshot.
 */
bool
mr_artifact_row_is_used(const uint8 *sha256)
{
	static MrPlan plan = {
		"SELECT FROM modelreg.model_version"
		" WHERE checksum = encode($1, 'hex')"
		" UNION ALL SELECT FROM modelreg.version_file"
		" WHERE sha256 = $1 LIMIT 1",
		1, {BYTEAOID}
	};
	Datum		value = PointerGetDatum(mr_digest_bytea(sha256));

	return mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL) > 0;
}

/*
 * Locks up to limit artifacts that nothing refers to, without those that
 * a registration holds.  The caller must ask mr_artifact_row_is_used again,
 * in a statement of its own, before it removes one: a registration may have
 * committed after this statement's snapshot and before its lock.
 */
uint64
mr_artifact_row_lock_unused(int limit, MrArtifactRow **rows)
{
	static MrPlan plan = {
		"SELECT " ROW_COLUMNS
		" FROM modelreg.artifact AS a WHERE " UNUSED
		" LIMIT $1 FOR UPDATE OF a SKIP LOCKED",
		1, {INT4OID}
	};
	Datum		value = Int32GetDatum(limit);

	uint64		count = mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL);

	return read_rows(count, rows);
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
 * Tells where the bytes of an artifact are, which the caller has locked, and
 * how many.
 */
void
mr_artifact_row_replace(const MrArtifactRow *row)
{
	static MrPlan plan = {
		"UPDATE modelreg.artifact"
		" SET artifact_size = $2, storage = $3, content = $4"
		" WHERE sha256 = $1",
		4, {BYTEAOID, INT8OID, TEXTOID, UUIDOID}
	};

	write_row(&plan, row);
}

/*
 * Whether something refers to a row of one of the byte tables, or it belongs
 * to a version that is there.
 */
bool
mr_artifact_part_is_used(const char *table, HeapTuple row, TupleDesc desc)
{
	static MrPlan list_plan = {
		"SELECT FROM modelreg.artifact WHERE content = $1"
		" UNION ALL SELECT FROM modelreg.upload WHERE upload_id = $1 LIMIT 1",
		1, {UUIDOID}
	};
	static MrPlan chunk_plan = {
		"SELECT FROM modelreg.artifact_chunk WHERE chunk = $1 LIMIT 1",
		1, {UUIDOID}
	};
	static MrPlan piece_plan = {
		"SELECT FROM modelreg.chunk WHERE chunk = $1",
		1, {UUIDOID}
	};
	static MrPlan discarded_plan = {
		"SELECT FROM modelreg.artifact_chunk WHERE content = $1 LIMIT 1",
		1, {UUIDOID}
	};
	static MrPlan file_plan = {
		"SELECT FROM modelreg.model_version WHERE model_id = $1",
		1, {TEXTOID}
	};
	const char *column;
	MrPlan	   *plan;
	Datum		key;
	bool		isnull;

	if (strcmp(table, "artifact") == 0)
	{
		bytea	   *sha256;

		key = heap_getattr(row, SPI_fnumber(desc, "sha256"), desc, &isnull);
		sha256 = DatumGetByteaPP(key);
		return mr_artifact_row_is_used((uint8 *) VARDATA_ANY(sha256));
	}

	column = strncmp(table, "chunk", 5) == 0 ? "chunk" : "content";
	if (strcmp(table, "version_file") == 0)
		column = "model_id";
	if (strcmp(table, "artifact_chunk") == 0)
		plan = &list_plan;
	else if (strcmp(table, "chunk") == 0)
		plan = &chunk_plan;
	else if (strcmp(table, "chunk_piece") == 0)
		plan = &piece_plan;
	else if (strcmp(table, "discarded_content") == 0)
		plan = &discarded_plan;
	else if (strcmp(table, "version_file") == 0)
		plan = &file_plan;
	else
		elog(ERROR, "\"%s\" is no table of bytes", table);
	key = heap_getattr(row, SPI_fnumber(desc, column), desc, &isnull);
	return mr_plan_run(plan, MR_SIGHT_LATEST, &key, NULL) > 0;
}

/*
 * The artifacts that nothing refers to, by the active snapshot.
 */
uint64
mr_artifact_row_unused(MrArtifactRow **rows)
{
	static MrPlan plan = {
		"SELECT " ROW_COLUMNS
		" FROM modelreg.artifact AS a WHERE " UNUSED
		" ORDER BY a.sha256",
		0, {InvalidOid}
	};

	uint64		count = mr_plan_run(&plan, MR_SIGHT_ACTIVE, NULL, NULL);

	return read_rows(count, rows);
}

static bool
get_row(MrPlan *plan, MrSight sight, const uint8 *sha256, MrArtifactRow *row)
{
	Datum		value = PointerGetDatum(mr_digest_bytea(sha256));

	if (mr_plan_run(plan, sight, &value, NULL) == 0)
		return false;
	read_row(0, row);
	mr_plan_free_rows();
	return true;
}

static uint64
write_row(MrPlan *plan, const MrArtifactRow *row)
{
	Datum		values[4];

	values[0] = PointerGetDatum(mr_digest_bytea(row->sha256));
	values[1] = Int64GetDatum(row->artifact_size);
	values[2] = CStringGetTextDatum(row->storage);
	values[3] = UUIDPGetDatum(&row->content);
	return mr_plan_run(plan, MR_SIGHT_LATEST, values, NULL);
}

static void
read_row(uint64 number, MrArtifactRow *row)
{
	Datum		values[4];

	for (int i = 0; i < lengthof(values); i++)
	{
		bool		isnull;

		values[i] = mr_plan_datum(number, i + 1, &isnull);
	}
	set_row(values, row);
}

static void
set_row(const Datum *values, MrArtifactRow *row)
{
	bytea	   *sha256 = DatumGetByteaPP(values[0]);

	if (VARSIZE_ANY_EXHDR(sha256) != sizeof(row->sha256))
		elog(ERROR, "key of modelreg.artifact has an unexpected length");
	memcpy(row->sha256, VARDATA_ANY(sha256), sizeof(row->sha256));
	row->artifact_size = DatumGetInt64(values[1]);
	row->storage = TextDatumGetCString(values[2]);
	row->content = *DatumGetUUIDP(values[3]);
}

/*
 * Reads a row that a trigger was given.  Returns false if a column is null.
 */
bool
mr_artifact_row_from_tuple(HeapTuple tuple, TupleDesc desc, MrArtifactRow *row)
{
	static const char *const columns[] = {
		"sha256", "artifact_size", "storage", "content"
	};
	Datum		values[lengthof(columns)];

	for (int i = 0; i < lengthof(columns); i++)
	{
		bool		isnull;

		values[i] = SPI_getbinval(tuple, desc, SPI_fnumber(desc, columns[i]),
								  &isnull);
		if (isnull)
			return false;
	}
	set_row(values, row);
	return true;
}

/*
 * The rows of the last run, which are columns of modelreg.artifact in the order
 * of MrArtifactRow.
 */
static uint64
read_rows(uint64 count, MrArtifactRow **rows)
{
	*rows = palloc(sizeof(MrArtifactRow) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
		read_row(i, &(*rows)[i]);
	return count;
}
