/*
 * What refers to a row of the tables of bytes.
 */
#include "postgres.h"

#include "base/sql.h"
#include "base/tuple.h"
#include "rows/uses.h"

/* A table, and a query for what uses a row of it */
typedef struct UsedTable
{
	const char *table;
	const char *column;			/* by which the row is referred to */
	Oid			type;			/* of that column */
	MrStatement statement;
} UsedTable;

/*
 * Whether something refers to a row of one of the tables of bytes, or it
 * belongs to a version that is there.
 */
bool
mr_uses_found(const char *table, HeapTuple row, TupleDesc desc)
{
	static UsedTable tables[] = {
		{"artifact", "sha256", BYTEAOID,
			{"SELECT FROM modelreg.model_version"
				" WHERE checksum = encode($1, 'hex')"
				" UNION ALL SELECT FROM modelreg.version_file"
		" WHERE sha256 = $1 LIMIT 1"}},
		{"artifact_chunk", "content", UUIDOID,
			{"SELECT FROM modelreg.artifact WHERE content = $1"
				" UNION ALL SELECT FROM modelreg.upload"
		" WHERE upload_id = $1 LIMIT 1"}},
		{"chunk", "chunk", UUIDOID,
		{"SELECT FROM modelreg.artifact_chunk WHERE chunk = $1 LIMIT 1"}},
		{"chunk_piece", "chunk", UUIDOID,
		{"SELECT FROM modelreg.chunk WHERE chunk = $1"}},
		{"discarded_content", "content", UUIDOID,
		{"SELECT FROM modelreg.artifact_chunk WHERE content = $1 LIMIT 1"}},
		{"version_file", "model_id", TEXTOID,
		{"SELECT FROM modelreg.model_version WHERE model_id = $1"}}
	};

	for (int i = 0; i < lengthof(tables); i++)
	{
		UsedTable  *used = &tables[i];
		MrValue		key = {used->type};

		if (strcmp(used->table, table) != 0)
			continue;
		key.datum = mr_tuple_nullable(row, desc, used->column, &key.isnull);
		return mr_sql_run(&used->statement, MR_SIGHT_LATEST, 1, &key) > 0;
	}
	elog(ERROR, "\"%s\" is no table of bytes", table);
	return true;				/* keep compiler quiet */
}
