/*
 * The table modelreg.version_file.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "base/plan.h"
#include "rows/files.h"

static Datum array_of(Datum *values, int count, Oid type, int16 typlen,
					  bool typbyval, char typalign);
static bool read_file(uint64 row, MrFile *file);

/*
 * Inserts the files of a new version.
 */
void
mr_file_insert(const char *model_id, const MrFile *files, int count)
{
	static MrPlan plan = {
		"INSERT INTO modelreg.version_file"
		" (model_id, path, sha256, artifact_size)"
		" SELECT $1, f.path, f.sha256, f.artifact_size"
		" FROM unnest($2, $3, $4) AS f (path, sha256, artifact_size)",
		4, {TEXTOID, TEXTARRAYOID, BYTEAARRAYOID, INT8ARRAYOID}
	};
	Datum	   *paths = palloc(sizeof(Datum) * count);
	Datum	   *digests = palloc(sizeof(Datum) * count);
	Datum	   *sizes = palloc(sizeof(Datum) * count);
	Datum		values[4];

	for (int i = 0; i < count; i++)
	{
		paths[i] = CStringGetTextDatum(files[i].path);
		digests[i] = PointerGetDatum(mr_digest_bytea(files[i].sha256));
		sizes[i] = Int64GetDatum(files[i].size);
	}
	values[0] = CStringGetTextDatum(model_id);
	values[1] = array_of(paths, count, TEXTOID, -1, false, TYPALIGN_INT);
	values[2] = array_of(digests, count, BYTEAOID, -1, false, TYPALIGN_INT);
	values[3] = array_of(sizes, count, INT8OID, sizeof(int64),
						 FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	mr_plan_run(&plan, MR_SIGHT_LATEST, values, NULL);
}

/*
 * Reads a file of a version, by the active snapshot and with the rights of the
 * present role; false if there is none of that path.
 */
bool
mr_file_get(const char *model_id, const char *path, MrFile *file)
{
	static MrPlan plan = {
		"SELECT path, sha256, artifact_size FROM modelreg.version_file"
		" WHERE model_id = $1 AND path = $2",
		2, {TEXTOID, TEXTOID}
	};
	Datum		values[2];

	values[0] = CStringGetTextDatum(model_id);
	values[1] = CStringGetTextDatum(path);
	if (mr_plan_run(&plan, MR_SIGHT_ACTIVE, values, NULL) == 0)
		return false;
	if (!read_file(0, file))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("checksum of file \"%s\" has an unexpected length",
						file->path),
				 errhint("Run modelreg_verify().")));
	return true;
}

/*
 * All files of a version, as above, in no order that matters; returns how many.
 * A checksum that cannot be one is all zeros.
 */
uint64
mr_file_list(const char *model_id, MrFile **files)
{
	static MrPlan plan = {
		"SELECT path, sha256, artifact_size FROM modelreg.version_file"
		" WHERE model_id = $1",
		1, {TEXTOID}
	};
	Datum		value = CStringGetTextDatum(model_id);
	uint64		count = mr_plan_run(&plan, MR_SIGHT_ACTIVE, &value, NULL);

	*files = palloc(sizeof(MrFile) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
		(void) read_file(i, &(*files)[i]);
	mr_plan_free_rows();
	return count;
}

/*
 * How many files belong to no version, by the active snapshot.
 */
uint64
mr_file_of_no_version(void)
{
	static MrPlan plan = {
		"SELECT count(*) FROM modelreg.version_file AS f WHERE NOT EXISTS"
		" (SELECT FROM modelreg.model_version AS v"
		" WHERE v.model_id = f.model_id)",
		0, {InvalidOid}
	};
	bool		isnull;

	mr_plan_run(&plan, MR_SIGHT_ACTIVE, NULL, NULL);
	return DatumGetInt64(mr_plan_datum(0, 1, &isnull));
}

/*
 * Deletes the files of a version that is gone.
 */
void
mr_file_delete_of_version(const char *model_id)
{
	static MrPlan plan = {
		"DELETE FROM modelreg.version_file WHERE model_id = $1",
		1, {TEXTOID}
	};
	Datum		value = CStringGetTextDatum(model_id);

	mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL);
}

static Datum
array_of(Datum *values, int count, Oid type, int16 typlen, bool typbyval,
		 char typalign)
{
	return PointerGetDatum(construct_array(values, count, type, typlen,
										   typbyval, typalign));
}

/*
 * False if the checksum cannot be one.
 */
static bool
read_file(uint64 row, MrFile *file)
{
	bool		isnull;
	bytea	   *sha256;

	file->path = mr_plan_text(row, 1);
	sha256 = DatumGetByteaPP(mr_plan_datum(row, 2, &isnull));
	file->size = DatumGetInt64(mr_plan_datum(row, 3, &isnull));
	memset(file->sha256, 0, MR_SHA256_LEN);
	if (VARSIZE_ANY_EXHDR(sha256) != MR_SHA256_LEN)
		return false;
	memcpy(file->sha256, VARDATA_ANY(sha256), MR_SHA256_LEN);
	return true;
}
