/*
 * The table modelreg.model.
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "pgtime.h"

#include "base/call.h"
#include "base/compat.h"
#include "base/guc.h"
#include "base/sql.h"
#include "base/tuple.h"
#include "base/uuid7.h"
#include "rows/models.h"
#include "rows/omission.h"

static MrStatement snapshot_statement = {
	"SELECT modelreg.model_snapshot($1)"
};

static bool query_model(MrStatement *statement, MrValue key, MrModel *model);
static bool read_model(MrRows *rows, MrModel *model);

/*
 * Fills model from a row of the table.  Strings are allocated in the present
 * context.
 */
void
mr_models_from_row(HeapTuple tuple, TupleDesc desc, MrModel *model)
{
	bool		isnull;
	Datum		value;

	value = mr_tuple_datum(tuple, desc, "model_key");
	model->key = *DatumGetUUIDP(value);
	model->name = mr_tuple_text(tuple, desc, "model_name");
	value = mr_tuple_datum(tuple, desc, "exclusive_production");
	model->exclusive_production = DatumGetBool(value);

	value = mr_tuple_nullable(tuple, desc, "max_versions", &isnull);
	model->max_versions = isnull ? mr_guc_max_versions : DatumGetInt32(value);
	value = mr_tuple_nullable(tuple, desc, "auto_cleanup", &isnull);
	model->auto_cleanup = isnull ? mr_guc_auto_cleanup : DatumGetBool(value);
	value = mr_tuple_nullable(tuple, desc, "require_metadata", &isnull);
	model->require_metadata = isnull ?
		mr_guc_require_metadata : DatumGetBool(value);

	value = mr_tuple_datum(tuple, desc, "last_version_number");
	model->last_version_number = DatumGetInt32(value);
	value = mr_tuple_nullable(tuple, desc, "last_registered_at", &isnull);
	model->last_registered_at = isnull ?
		DT_NOBEGIN : DatumGetTimestampTz(value);
	if (!isnull && TIMESTAMP_NOT_FINITE(model->last_registered_at))
		mr_models_raise_damaged(model, "last_registered_at");
	value = mr_tuple_datum(tuple, desc, "last_id_suffix");
	model->last_id_suffix = DatumGetInt32(value);
	value = mr_tuple_nullable(tuple, desc, "highest_version", &isnull);
	model->highest_version = isnull ? NULL : TextDatumGetCString(value);
	value = mr_tuple_datum(tuple, desc, "audit_seq");
	model->audit_seq = DatumGetInt64(value);
	if (model->audit_seq < 0 || model->audit_seq == PG_INT64_MAX)
		mr_models_raise_damaged(model, "audit_seq");
	value = mr_tuple_nullable(tuple, desc, "audit_at", &isnull);
	model->audit_at = isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
	if (!isnull && TIMESTAMP_NOT_FINITE(model->audit_at))
		mr_models_raise_damaged(model, "audit_at");
	value = mr_tuple_datum(tuple, desc, "audit_hash");
	if (!mr_digest_from_datum(value, model->audit_hash))
		mr_models_raise_damaged(model, "audit_hash");
	model->dirty = false;
}

/*
 * Locks the model's row to the end of the transaction; false if there is no
 * model of that name.
 */
bool
mr_models_lock_by_name(const char *name, MrModel *model)
{
	static MrStatement statement = {
		"SELECT * FROM modelreg.model WHERE model_name = $1 FOR NO KEY UPDATE"
	};

	return query_model(&statement, mr_value_text(name), model);
}

bool
mr_models_lock_by_key(const pg_uuid_t *key, MrModel *model)
{
	static MrStatement statement = {
		"SELECT * FROM modelreg.model WHERE model_key = $1 FOR NO KEY UPDATE"
	};

	return query_model(&statement, mr_value_uuid(key), model);
}

/*
 * The same, but false as well if somebody else holds the lock.
 */
bool
mr_models_try_lock_by_key(const pg_uuid_t *key, MrModel *model)
{
	static MrStatement statement = {
		"SELECT * FROM modelreg.model WHERE model_key = $1"
		" FOR NO KEY UPDATE SKIP LOCKED"
	};

	return query_model(&statement, mr_value_uuid(key), model);
}

bool
mr_models_get_by_key(const pg_uuid_t *key, MrModel *model)
{
	static MrStatement statement = {
		"SELECT * FROM modelreg.model WHERE model_key = $1"
	};

	return query_model(&statement, mr_value_uuid(key), model);
}

/*
 * Reads a model, by the active snapshot.
 */
bool
mr_models_get_by_name(const char *name, MrModel *model)
{
	static MrStatement statement = {
		"SELECT * FROM modelreg.model WHERE model_name = $1"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_ACTIVE,
									MR_VALUES(mr_value_text(name)));

	return read_model(&rows, model);
}

/*
 * Whether the actor would find the model by a SELECT; true where row-level
 * security hides nothing from him, whether there is such a model or not.
 */
bool
mr_models_is_visible(const char *name)
{
	static MrStatement statement = {
		"SELECT FROM modelreg.model WHERE model_name = $1"
	};

	return !mr_call_is_restricted("model") ||
		mr_sql_run(&statement, MR_SIGHT_CALLER,
				   MR_VALUES(mr_value_text(name))) > 0;
}

bool
mr_models_is_visible_by_key(const pg_uuid_t *key)
{
	static MrStatement statement = {
		"SELECT FROM modelreg.model WHERE model_key = $1"
	};

	return !mr_call_is_restricted("model") ||
		mr_sql_run(&statement, MR_SIGHT_CALLER,
				   MR_VALUES(mr_value_uuid(key))) > 0;
}

bool
mr_models_exists(const char *name)
{
	static MrStatement statement = {
		"SELECT FROM modelreg.model WHERE model_name = $1"
	};

	return mr_sql_run(&statement, MR_SIGHT_LATEST,
					  MR_VALUES(mr_value_text(name))) > 0;
}

/*
 * Creates a model; false if there is one of that name.  Waits for a
 * transaction that is creating or deleting one.  Fills model, and snapshot
 * with what the trail shall hold of it.
 */
bool
mr_models_insert(const char *name, const char *type,
				 const MrModelSettings *settings, const char *creator,
				 MrModel *model, Datum *snapshot)
{
	static MrStatement statement = {
		"INSERT INTO modelreg.model AS m (model_key, model_name, model_type,"
		" description, tags, properties, exclusive_production, max_versions,"
		" auto_cleanup, require_metadata, created_at, created_by)"
		" VALUES ($1, $2, $3, coalesce($4, ''), coalesce($5, '{}'),"
		" coalesce($6, '{}'), coalesce($7, true), $8, $9, $10,"
		" clock_timestamp(), $11)"
		" ON CONFLICT (model_name) DO NOTHING"
		" RETURNING modelreg.model_snapshot(m)"
	};
	const MrValue *set = settings->value;
	pg_uuid_t	key;
	MrRows		rows;

	mr_uuid7(&key);
	rows = mr_sql_query(&statement, MR_SIGHT_LATEST,
						MR_VALUES(mr_value_uuid(&key),
								  mr_value_text(name),
								  mr_value_text(type),
								  set[MR_SETTING_DESCRIPTION],
								  set[MR_SETTING_TAGS],
								  set[MR_SETTING_PROPERTIES],
								  set[MR_SETTING_EXCLUSIVE_PRODUCTION],
								  set[MR_SETTING_MAX_VERSIONS],
								  set[MR_SETTING_AUTO_CLEANUP],
								  set[MR_SETTING_REQUIRE_METADATA],
								  mr_value_text(creator)));
	if (!mr_sql_next(&rows))
		return false;
	*snapshot = mr_sql_copy_out(&rows, 1);
	mr_sql_end(&rows);
	if (!mr_models_lock_by_key(&key, model))
		elog(ERROR, "new model \"%s\" vanished", name);
	return true;
}

/*
 * Changes settings; properties are merged into those there are.  reset is a
 * text[] of what to set to NULL.
 */
void
mr_models_update(const pg_uuid_t *key, const MrModelSettings *settings,
				 Datum reset)
{
	static MrStatement statement = {
		"UPDATE modelreg.model SET"
		" description = coalesce($2, description),"
		" tags = coalesce($3, tags),"
		" properties = modelreg.merge_properties(properties, $4),"
		" exclusive_production = coalesce($5, exclusive_production),"
		" max_versions = CASE WHEN 'max_versions' <> ALL ($9)"
		" THEN coalesce($6, max_versions) END,"
		" auto_cleanup = CASE WHEN 'auto_cleanup' <> ALL ($9)"
		" THEN coalesce($7, auto_cleanup) END,"
		" require_metadata = CASE WHEN 'require_metadata' <> ALL ($9)"
		" THEN coalesce($8, require_metadata) END"
		" WHERE model_key = $1"
	};
	const MrValue *set = settings->value;

	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_value_uuid(key),
						 set[MR_SETTING_DESCRIPTION],
						 set[MR_SETTING_TAGS],
						 set[MR_SETTING_PROPERTIES],
						 set[MR_SETTING_EXCLUSIVE_PRODUCTION],
						 set[MR_SETTING_MAX_VERSIONS],
						 set[MR_SETTING_AUTO_CLEANUP],
						 set[MR_SETTING_REQUIRE_METADATA],
						 mr_value_of(TEXTARRAYOID, reset)));
}

/*
 * Renames a model; false if the name is taken, by a model that the present
 * snapshot does not show.  The transaction must then fail.
 */
bool
mr_models_rename(const pg_uuid_t *key, const char *new_name)
{
	static MrStatement statement = {
		"UPDATE modelreg.model SET model_name = $2 WHERE model_key = $1"
	};
	MrRows		rows;

	if (mr_sql_try_query(&statement,
						 MR_VALUES(mr_value_uuid(key),
								   mr_value_text(new_name)), &rows) != NULL)
		return false;
	mr_sql_end(&rows);
	return true;
}

void
mr_models_delete(const pg_uuid_t *key)
{
	static MrStatement statement = {
		"DELETE FROM modelreg.model WHERE model_key = $1"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST, MR_VALUES(mr_value_uuid(key)));
}

/*
 * Writes the counters and the head of the chain back.  The caller holds the
 * row's lock.
 */
void
mr_models_advance(MrModel *model)
{
	static MrStatement statement = {
		"UPDATE modelreg.model SET last_version_number = $2,"
		" last_registered_at = $3, last_id_suffix = $4, highest_version = $5,"
		" audit_seq = $6, audit_at = $7, audit_hash = $8"
		" WHERE model_key = $1"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_value_uuid(&model->key),
						 mr_value_int4(model->last_version_number),
						 mr_value_time(model->last_registered_at),
						 mr_value_int4(model->last_id_suffix),
						 mr_value_text(model->highest_version),
						 mr_value_int8(model->audit_seq),
						 mr_value_time(model->audit_at),
						 mr_digest_value(model->audit_hash)));
	model->dirty = false;
}

/*
 * Copies the model's name and exclusive_production to its versions.
 */
void
mr_models_spread(const pg_uuid_t *key)
{
	static MrStatement statement = {
		"UPDATE modelreg.model_version AS v"
		" SET model_name = m.model_name,"
		" exclusive_production = m.exclusive_production"
		" FROM modelreg.model AS m"
		" WHERE m.model_key = $1 AND v.model_key = $1"
		" AND (v.model_name <> m.model_name"
		" OR v.exclusive_production <> m.exclusive_production)"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST, MR_VALUES(mr_value_uuid(key)));
}

bool
mr_models_has_versions(const pg_uuid_t *key)
{
	static MrStatement statement = {
		"SELECT FROM modelreg.model_version WHERE model_key = $1 LIMIT 1"
	};

	return mr_sql_run(&statement, MR_SIGHT_LATEST,
					  MR_VALUES(mr_value_uuid(key))) > 0;
}

/*
 * The last id ever issued under the model's name, by it or an earlier one: its
 * second, and its number in that second; false if none was.  A transaction
 * snapshot may be too old to show a model that came and went since, so it does
 * not count here.
 */
bool
mr_models_last_issued(const MrModel *model, TimestampTz *second, int *suffix)
{
	static MrStatement statement = {
		"SELECT modelreg.issue_rank(model_name, model_id)"
		" FROM modelreg.audit_event WHERE model_name = $1"
		" AND modelreg.issue_rank(model_name, model_id) IS NOT NULL"
		" ORDER BY modelreg.issue_rank(model_name, model_id) DESC LIMIT 1"
	};
	char	   *rank = mr_sql_query_text(&statement, MR_SIGHT_PRESENT,
										 MR_VALUES(mr_value_text(model->name)));
	struct pg_tm tm = {0};
	int			utc = 0;

	if (rank == NULL)
		return false;
	if (sscanf(rank, "%4d%2d%2d_%2d%2d%2d %d", &tm.tm_year, &tm.tm_mon,
			   &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec,
			   suffix) != 7 ||
		tm.tm_mon < 1 || tm.tm_mon > MONTHS_PER_YEAR ||
		tm.tm_mday < 1 || tm.tm_mday > 31 ||
		tm2timestamp(&tm, 0, &utc, second) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("an id of model \"%s\" in the audit trail is damaged",
						model->name),
				 errhint("Run modelreg_audit_verify().")));
	return true;
}

/*
 * The row as a composite value that outlives the call.
 */
Datum
mr_models_row(const pg_uuid_t *key)
{
	static MrStatement statement = {
		"SELECT m FROM modelreg.model AS m WHERE m.model_key = $1"
	};

	return mr_sql_query_datum(&statement, MR_SIGHT_LATEST,
							  MR_VALUES(mr_value_uuid(key)));
}

/*
 * What an UPDATE changed of what the trail holds of a model, as two JSON
 * objects; false if nothing.
 */
bool
mr_models_changes(HeapTuple old_row, HeapTuple new_row, TupleDesc desc,
				  Datum *old_values, Datum *new_values)
{
	static const char *const none[] = {NULL};

	return mr_omission_changes(&snapshot_statement, old_row, new_row, desc,
							   none, old_values, new_values);
}

/*
 * What the trail holds of a model.
 */
Datum
mr_models_snapshot(HeapTuple row, TupleDesc desc)
{
	return mr_omission_snapshot(&snapshot_statement, row, desc);
}

/*
 * Whether only the functions of modelreg write the column.
 */
bool
mr_models_column_is_counter(const char *column)
{
	return strcmp(column, "last_version_number") == 0 ||
		strcmp(column, "last_registered_at") == 0 ||
		strcmp(column, "last_id_suffix") == 0 ||
		strcmp(column, "highest_version") == 0 ||
		strcmp(column, "audit_seq") == 0 ||
		strcmp(column, "audit_at") == 0 ||
		strcmp(column, "audit_hash") == 0;
}

/*
 * Whether the column may change at all, counters apart.
 */
bool
mr_models_column_is_setting(const char *column)
{
	return strcmp(column, "model_name") == 0 ||
		strcmp(column, "model_type") == 0 ||
		strcmp(column, "description") == 0 ||
		strcmp(column, "tags") == 0 ||
		strcmp(column, "properties") == 0 ||
		strcmp(column, "exclusive_production") == 0 ||
		strcmp(column, "max_versions") == 0 ||
		strcmp(column, "auto_cleanup") == 0 ||
		strcmp(column, "require_metadata") == 0;
}

MrColumnKind
mr_models_column_kind(const char *column)
{
	if (strcmp(column, "model_name") == 0 || strcmp(column, "model_type") == 0)
		return MR_KIND_NAME;
	if (strcmp(column, "description") == 0)
		return MR_KIND_TEXT;
	if (strcmp(column, "tags") == 0)
		return MR_KIND_TAGS;
	if (strcmp(column, "properties") == 0)
		return MR_KIND_OBJECT;
	if (strcmp(column, "max_versions") == 0)
		return MR_KIND_MAX_VERSIONS;
	return MR_KIND_OTHER;
}

/*
 * The keys of all models, or of the one of that name, that the actor may see,
 * as a uuid[] that outlives the call; returns how many.
 */
uint64
mr_models_keys(const char *name, Datum *keys)
{
	static MrStatement statement = {
		"SELECT coalesce(array_agg(model_key ORDER BY model_key), '{}'), count(*)"
		" FROM modelreg.model WHERE $1 IS NULL OR model_name = $1"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_CALLER,
									MR_VALUES(mr_value_text(name)));
	uint64		count;

	(void) mr_sql_next(&rows);
	*keys = mr_sql_copy_out(&rows, 1);
	count = mr_sql_int8(&rows, 2);
	mr_sql_end(&rows);
	return count;
}

/*
 * Raises XX001: nothing goes on from a counter that cannot be right.
 */
void
mr_models_raise_damaged(const MrModel *model, const char *column)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("%s of model \"%s\" is damaged", column, model->name),
			 errhint("Run modelreg_audit_verify().")));
}

static bool
query_model(MrStatement *statement, MrValue key, MrModel *model)
{
	MrRows		rows = mr_sql_query(statement, MR_SIGHT_LATEST, 1, &key);

	return read_model(&rows, model);
}

/*
 * The first row, if there is one, which ends the rows.
 */
static bool
read_model(MrRows *rows, MrModel *model)
{
	if (!mr_sql_next(rows))
		return false;
	mr_models_from_row(rows->row, rows->desc, model);
	mr_sql_end(rows);
	return true;
}
