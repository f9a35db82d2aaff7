/*
 * The table modelreg.version_file.
 */
#include "postgres.h"

#include "utils/array.h"

#include "base/compat.h"
#include "base/sql.h"
#include "rows/files.h"

static bool read_file_row(const MrRows *rows, MrFile *file);

/*
 * Inserts the files of a new version.
 */
void
mr_files_insert(const char *model_id, const MrFile *files, int count)
{
	static MrStatement statement = {
		"INSERT INTO modelreg.version_file"
		" (model_id, path, sha256, artifact_size)"
		" SELECT $1, f.path, f.sha256, f.artifact_size"
		" FROM unnest($2, $3, $4) AS f (path, sha256, artifact_size)"
	};
	Datum	   *paths = palloc(sizeof(Datum) * count);
	Datum	   *digests = palloc(sizeof(Datum) * count);
	Datum	   *sizes = palloc(sizeof(Datum) * count);
	ArrayType  *path_array;
	ArrayType  *digest_array;
	ArrayType  *size_array;

	for (int i = 0; i < count; i++)
	{
		paths[i] = CStringGetTextDatum(files[i].path);
		digests[i] = mr_digest_value(files[i].sha256).datum;
		sizes[i] = Int64GetDatum(files[i].size);
	}
	path_array = construct_array(paths, count, TEXTOID, -1, false,
								 TYPALIGN_INT);
	digest_array = construct_array(digests, count, BYTEAOID, -1, false,
								   TYPALIGN_INT);
	size_array = construct_array(sizes, count, INT8OID, sizeof(int64),
								 FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_value_text(model_id),
						 mr_value_of(TEXTARRAYOID,
									 PointerGetDatum(path_array)),
						 mr_value_of(BYTEAARRAYOID,
									 PointerGetDatum(digest_array)),
						 mr_value_of(INT8ARRAYOID,
									 PointerGetDatum(size_array))));
}

/*
 * Reads a file of a version, by the active snapshot and with the rights of the
 * present role; false if there is none of that path.
 */
bool
mr_files_get(const char *model_id, const char *path, MrFile *file)
{
	static MrStatement statement = {
		"SELECT path, sha256, artifact_size FROM modelreg.version_file"
		" WHERE model_id = $1 AND path = $2"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_ACTIVE,
									MR_VALUES(mr_value_text(model_id),
											  mr_value_text(path)));

	if (!mr_sql_next(&rows))
		return false;
	if (!read_file_row(&rows, file))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("checksum of file \"%s\" has an unexpected length",
						file->path),
				 errhint("Run modelreg_verify().")));
	mr_sql_end(&rows);
	return true;
}

/*
 * All files of a version, as above, in no order that matters; returns how many.
 * A checksum that cannot be one is all zeros.
 */
uint64
mr_files_list(const char *model_id, MrFile **files)
{
	static MrStatement statement = {
		"SELECT path, sha256, artifact_size FROM modelreg.version_file"
		" WHERE model_id = $1"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_ACTIVE,
									MR_VALUES(mr_value_text(model_id)));
	MrFile	   *next = palloc(sizeof(MrFile) * Max(rows.count, 1));

	*files = next;
	while (mr_sql_next(&rows))
		(void) read_file_row(&rows, next++);
	return rows.count;
}

/*
 * How many files belong to no version, by the active snapshot.
 */
int64
mr_files_of_no_version(void)
{
	static MrStatement statement = {
		"SELECT count(*) FROM modelreg.version_file AS f WHERE NOT EXISTS"
		" (SELECT FROM modelreg.model_version AS v"
		" WHERE v.model_id = f.model_id)"
	};

	return DatumGetInt64(mr_sql_query_datum(&statement, MR_SIGHT_ACTIVE,
											MR_NO_VALUES));
}

/*
 * Deletes the files of a version that is gone.
 */
void
mr_files_delete_of_version(const char *model_id)
{
	static MrStatement statement = {
		"DELETE FROM modelreg.version_file WHERE model_id = $1"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST, MR_VALUES(mr_value_text(model_id)));
}

/*
 * False if the checksum cannot be one.
 */
static bool
read_file_row(const MrRows *rows, MrFile *file)
{
	bool		isnull;

	file->path = mr_sql_text(rows, 1);
	file->size = mr_sql_int8(rows, 3);
	memset(file->sha256, 0, MR_SHA256_LEN);
	return mr_digest_from_datum(mr_sql_datum(rows, 2, &isnull), file->sha256);
}
