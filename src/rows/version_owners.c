/*
 * Who owns the versions of modelreg.model_version.
 */
#include "postgres.h"

#include "base/call.h"
#include "base/sql.h"
#include "rows/version_owners.h"

/*
 * Gives a version to another owner.
 */
void
mr_version_owners_set(const char *model_id, const MrRoleRef *owner)
{
	static MrStatement statement = {
		"UPDATE modelreg.model_version SET owner = $2 WHERE model_id = $1"
	};

	mr_call_notes.reassigns = true;
	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_value_text(model_id), mr_role_ref_value(owner)));
	mr_call_notes.reassigns = false;
}

/*
 * The models that have versions whose owner shows as that, as far as the actor
 * sees them, in the order of their names; returns how many.
 */
uint64
mr_version_owners_models(const char *owner, pg_uuid_t **model_keys)
{
	static MrStatement statement = {
		"SELECT model_key FROM modelreg.model_version WHERE owner::text = $1"
		" GROUP BY model_key, model_name ORDER BY model_name, model_key"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_CALLER,
									MR_VALUES(mr_value_text(owner)));
	pg_uuid_t  *next = palloc(sizeof(pg_uuid_t) * Max(rows.count, 1));

	*model_keys = next;
	while (mr_sql_next(&rows))
		*next++ = mr_sql_uuid(&rows, 1);
	return rows.count;
}

/*
 * Those versions of one model, oldest first; returns how many.
 */
uint64
mr_version_owners_ids(const pg_uuid_t *model_key, const char *owner,
					  char ***model_ids)
{
	static MrStatement statement = {
		"SELECT model_id FROM modelreg.model_version"
		" WHERE model_key = $1 AND owner::text = $2"
		" ORDER BY version_number"
	};

	return mr_sql_texts(mr_sql_query(&statement, MR_SIGHT_CALLER,
									 MR_VALUES(mr_value_uuid(model_key),
											   mr_value_text(owner))),
						model_ids);
}
