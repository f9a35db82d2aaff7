/*
 * What versions refer to, for verification.
 */
#include "postgres.h"

#include "base/call.h"
#include "base/sql.h"
#include "rows/references.h"

#define SELECT_REFERENCES \
	"SELECT v.model_id, v.checksum, v.artifact_size," \
	" coalesce(a.artifact_size, -1), a.storage," \
	" $1 OR m.model_key IS NOT NULL," \
	" v.file_count, v.files_size," \
	" (SELECT count(*) FROM modelreg.version_file AS f" \
	" WHERE f.model_id = v.model_id)," \
	" (SELECT string_agg(p, ', ') FROM unnest(v.parent_ids) AS p" \
	" WHERE NOT $2 AND NOT EXISTS (SELECT FROM modelreg.audit_event AS e" \
	" WHERE e.model_id = p AND e.event = 'register'))" \
	" FROM modelreg.model_version AS v" \
	" LEFT JOIN modelreg.artifact AS a ON a.sha256 =" \
	" CASE WHEN v.checksum ~ '^[0-9a-f]{64}$' THEN decode(v.checksum, 'hex') END" \
	" LEFT JOIN modelreg.model AS m ON m.model_key = v.model_key"

/*
 * What the version, or if model_id is NULL what each version, refers to, by
 * the active snapshot and with the rights of the present role; ordered by
 * artifact.  Returns how many.  A model, or the registration of a parent, that
 * row-level security may hide from that role is not said to be missing.
 */
uint64
mr_references_get(const char *model_id, MrReference **references)
{
	static MrStatement of_one = {SELECT_REFERENCES " WHERE v.model_id = $3"};
	static MrStatement of_all = {
		SELECT_REFERENCES " ORDER BY v.checksum, v.model_id"
	};
	MrValue		models_hidden = mr_value_bool(mr_call_is_restricted("model"));
	MrValue		events_hidden =
		mr_value_bool(mr_call_is_restricted("audit_event"));
	MrRows		rows;
	MrReference *next;

	if (model_id)
		rows = mr_sql_query(&of_one, MR_SIGHT_ACTIVE,
							MR_VALUES(models_hidden, events_hidden,
									  mr_value_text(model_id)));
	else
		rows = mr_sql_query(&of_all, MR_SIGHT_ACTIVE,
							MR_VALUES(models_hidden, events_hidden));
	next = MemoryContextAllocHuge(CurrentMemoryContext,
								  sizeof(MrReference) * Max(rows.count, 1));
	*references = next;
	while (mr_sql_next(&rows))
	{
		next->model_id = mr_sql_text(&rows, 1);
		next->checksum = mr_sql_text(&rows, 2);
		next->artifact_size = mr_sql_int8(&rows, 3);
		next->stored_size = mr_sql_int8(&rows, 4);
		next->storage = mr_sql_text(&rows, 5);
		next->has_model = mr_sql_bool(&rows, 6);
		next->file_count = mr_sql_int4(&rows, 7);
		next->files_size = mr_sql_int8(&rows, 8);
		next->files_found = mr_sql_int8(&rows, 9);
		next->missing_parents = mr_sql_text(&rows, 10);
		next++;
	}
	return rows.count;
}
