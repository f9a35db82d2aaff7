/*
 * The table modelreg.model.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/plan.h"
#include "base/uuid7.h"
#include "rows/models.h"

static bool fetch_model(MrPlan *plan, Datum key, MrModel *model);
static Datum required_value(HeapTuple tuple, TupleDesc desc,
							const char *column);
static Datum column_value(HeapTuple tuple, TupleDesc desc,
						  const char *column, bool *isnull);

/*
 * Fills model from a row of the table.  Strings are allocated in the present
 * context.
 */
void
mr_model_from_row(HeapTuple tuple, TupleDesc desc, MrModel *model)
{
	bool		isnull;
	Datum		value;
	bytea	   *hash;

	value = required_value(tuple, desc, "model_key");
	model->key = *DatumGetUUIDP(value);
	value = required_value(tuple, desc, "model_name");
	model->name = TextDatumGetCString(value);
	value = required_value(tuple, desc, "exclusive_production");
	model->exclusive_production = DatumGetBool(value);

	value = column_value(tuple, desc, "max_versions", &isnull);
	model->max_versions = isnull ? mr_guc_max_versions : DatumGetInt32(value);
	value = column_value(tuple, desc, "auto_cleanup", &isnull);
	model->auto_cleanup = isnull ? mr_guc_auto_cleanup : DatumGetBool(value);
	value = column_value(tuple, desc, "require_metadata", &isnull);
	model->require_metadata = mr_guc_require_metadata;
	if (!isnull)
		model->require_metadata = DatumGetBool(value);

	value = required_value(tuple, desc, "last_version_number");
	model->last_version_number = DatumGetInt32(value);
	value = column_value(tuple, desc, "last_registered_at", &isnull);
	model->last_registered_at = DT_NOBEGIN;
	if (!isnull)
		model->last_registered_at = DatumGetTimestampTz(value);
	value = required_value(tuple, desc, "last_id_suffix");
	model->last_id_suffix = DatumGetInt32(value);
	value = column_value(tuple, desc, "highest_version", &isnull);
	model->highest_version = isnull ? NULL : TextDatumGetCString(value);
	value = required_value(tuple, desc, "audit_seq");
	model->audit_seq = DatumGetInt64(value);
	value = column_value(tuple, desc, "audit_at", &isnull);
	model->audit_at = isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
	value = required_value(tuple, desc, "audit_hash");
	hash = DatumGetByteaPP(value);
	if (VARSIZE_ANY_EXHDR(hash) != MR_SHA256_LEN)
		elog(ERROR, "audit_hash of a model has an unexpected length");
	memcpy(model->audit_hash, VARDATA_ANY(hash), MR_SHA256_LEN);
	model->dirty = false;
}

/*
 * Locks the model's row to the end of the transaction; false if there is no
 * model of that name.
 */
bool
mr_model_lock_by_name(const char *name, MrModel *model)
{
	static MrPlan plan = {
		"SELECT * FROM modelreg.model WHERE model_name = $1 FOR NO KEY UPDATE",
		1, {TEXTOID}
	};

	return fetch_model(&plan, CStringGetTextDatum(name),
					   model);
}

bool
mr_model_lock_by_key(const pg_uuid_t *key, MrModel *model)
{
	static MrPlan plan = {
		"SELECT * FROM modelreg.model WHERE model_key = $1 FOR NO KEY UPDATE",
		1, {UUIDOID}
	};

	return fetch_model(&plan, UUIDPGetDatum(key), model);
}

/*
 * The same, but false as well if somebody else holds the lock.
 */
bool
mr_model_try_lock_by_key(const pg_uuid_t *key, MrModel *model)
{
	static MrPlan plan = {
		"SELECT * FROM modelreg.model WHERE model_key = $1"
		" FOR NO KEY UPDATE SKIP LOCKED",
		1, {UUIDOID}
	};

	return fetch_model(&plan, UUIDPGetDatum(key), model);
}

bool
mr_model_get_by_key(const pg_uuid_t *key, MrModel *model)
{
	static MrPlan plan = {
		"SELECT * FROM modelreg.model WHERE model_key = $1",
		1, {UUIDOID}
	};

	return fetch_model(&plan, UUIDPGetDatum(key), model);
}

bool
mr_model_exists(const char *name)
{
	static MrPlan plan = {
		"SELECT FROM modelreg.model WHERE model_name = $1",
		1, {TEXTOID}
	};
	Datum		value = CStringGetTextDatum(name);

	return mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL) > 0;
}

/*
 * Creates a model; false if there is one of that name.  Waits for a
 * transaction that is creating or deleting one.  Fills model, and snapshot
 * with what the trail shall hold of it.
 */
bool
mr_model_insert(const char *name, const char *type,
				const MrModelSettings *settings, const char *creator,
				MrModel *model, Datum *snapshot)
{
	static MrPlan plan = {
		"INSERT INTO modelreg.model AS m (model_key, model_name, model_type,"
		" description, tags, properties, exclusive_production, max_versions,"
		" auto_cleanup, require_metadata, created_at, created_by)"
		" VALUES ($1, $2, $3, coalesce($4, ''), coalesce($5, '{}'),"
		" coalesce($6, '{}'), coalesce($7, true), $8, $9, $10,"
		" clock_timestamp(), $11)"
		" ON CONFLICT (model_name) DO NOTHING"
		" RETURNING modelreg.model_snapshot(m)",
		11,
		{UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID, JSONBOID, BOOLOID,
		INT4OID, BOOLOID, BOOLOID, TEXTOID}
	};
	pg_uuid_t	key;
	Datum		values[11];
	char		nulls[11];

	mr_uuid7(&key);
	memset(nulls, ' ', sizeof(nulls));
	values[0] = UUIDPGetDatum(&key);
	values[1] = CStringGetTextDatum(name);
	values[2] = CStringGetTextDatum(type);
	for (int i = 0; i < MR_SETTING_COUNT; i++)
	{
		values[3 + i] = settings ? settings->value[i].value : (Datum) 0;
		nulls[3 + i] = settings && !settings->value[i].isnull ? ' ' : 'n';
	}
	values[10] = CStringGetTextDatum(creator);

	if (mr_plan_run(&plan, MR_SIGHT_LATEST, values, nulls) == 0)
		return false;
	*snapshot = mr_plan_copy_out(0, 1);
	if (!mr_model_lock_by_key(&key, model))
		elog(ERROR, "new model \"%s\" vanished", name);
	return true;
}

/*
 * Changes settings; properties are merged into those there are.  reset is a
 * text[] of what to set to NULL.
 */
void
mr_model_update(const pg_uuid_t *key, const MrModelSettings *settings,
				Datum reset)
{
	static MrPlan plan = {
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
		" WHERE model_key = $1",
		9,
		{UUIDOID, TEXTOID, TEXTARRAYOID, JSONBOID, BOOLOID, INT4OID, BOOLOID,
		BOOLOID, TEXTARRAYOID}
	};
	Datum		values[9];
	char		nulls[9];

	values[0] = UUIDPGetDatum(key);
	nulls[0] = ' ';
	for (int i = 0; i < MR_SETTING_COUNT; i++)
	{
		values[1 + i] = settings->value[i].value;
		nulls[1 + i] = settings->value[i].isnull ? 'n' : ' ';
	}
	values[8] = reset;
	nulls[8] = ' ';
	mr_plan_run(&plan, MR_SIGHT_LATEST, values, nulls);
}

/*
 * Renames a model; false if the name is taken, by a model that the present
 * snapshot does not show.  The transaction must then fail.
 */
bool
mr_model_rename(const pg_uuid_t *key, const char *new_name)
{
	static MrPlan plan = {
		"UPDATE modelreg.model SET model_name = $2 WHERE model_key = $1",
		2, {UUIDOID, TEXTOID}
	};
	MemoryContext context = CurrentMemoryContext;
	volatile bool renamed = true;
	Datum		values[2];

	values[0] = UUIDPGetDatum(key);
	values[1] = CStringGetTextDatum(new_name);
	PG_TRY();
	{
		mr_plan_run(&plan, MR_SIGHT_LATEST, values, NULL);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_UNIQUE_VIOLATION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		renamed = false;
	}
	PG_END_TRY();
	return renamed;
}

void
mr_model_delete(const pg_uuid_t *key)
{
	static MrPlan plan = {
		"DELETE FROM modelreg.model WHERE model_key = $1",
		1, {UUIDOID}
	};
	Datum		value = UUIDPGetDatum(key);

	mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL);
}

/*
 * Writes the counters and the head of the chain back.  The caller holds the
 * row's lock.
 */
void
mr_model_advance(MrModel *model)
{
	static MrPlan plan = {
		"UPDATE modelreg.model SET last_version_number = $2,"
		" last_registered_at = $3, last_id_suffix = $4, highest_version = $5,"
		" audit_seq = $6, audit_at = $7, audit_hash = $8"
		" WHERE model_key = $1",
		8,
		{UUIDOID, INT4OID, TIMESTAMPTZOID, INT4OID, TEXTOID, INT8OID,
		TIMESTAMPTZOID, BYTEAOID}
	};
	Datum		values[8];
	char		nulls[8];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = UUIDPGetDatum(&model->key);
	values[1] = Int32GetDatum(model->last_version_number);
	values[2] = TimestampTzGetDatum(model->last_registered_at);
	if (TIMESTAMP_IS_NOBEGIN(model->last_registered_at))
		nulls[2] = 'n';
	values[3] = Int32GetDatum(model->last_id_suffix);
	if (model->highest_version)
		values[4] = CStringGetTextDatum(model->highest_version);
	else
	{
		values[4] = (Datum) 0;
		nulls[4] = 'n';
	}
	values[5] = Int64GetDatum(model->audit_seq);
	values[6] = TimestampTzGetDatum(model->audit_at);
	if (TIMESTAMP_IS_NOBEGIN(model->audit_at))
		nulls[6] = 'n';
	values[7] = PointerGetDatum(mr_digest_bytea(model->audit_hash));
	mr_plan_run(&plan, MR_SIGHT_LATEST, values, nulls);
	model->dirty = false;
}

/*
 * Copies the model's name and exclusive_production to its versions.
 */
void
mr_model_spread(const pg_uuid_t *key)
{
	static MrPlan plan = {
		"UPDATE modelreg.model_version AS v"
		" SET model_name = m.model_name,"
		" exclusive_production = m.exclusive_production"
		" FROM modelreg.model AS m"
		" WHERE m.model_key = $1 AND v.model_key = $1"
		" AND (v.model_name <> m.model_name"
		" OR v.exclusive_production <> m.exclusive_production)",
		1, {UUIDOID}
	};
	Datum		value = UUIDPGetDatum(key);

	mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL);
}

bool
mr_model_has_versions(const pg_uuid_t *key)
{
	static MrPlan plan = {
		"SELECT FROM modelreg.model_version WHERE model_key = $1 LIMIT 1",
		1, {UUIDOID}
	};
	Datum		value = UUIDPGetDatum(key);

	return mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL) > 0;
}

/*
 * The last id ever issued under the name, by this model or an earlier one,
 * and when; false if none was.  A transaction snapshot may be too old to show
 * a model that came and went since, so it does not count here.
 */
bool
mr_model_last_issued(const char *name, TimestampTz *at, char **model_id)
{
	static MrPlan plan = {
		"SELECT at, model_id FROM modelreg.audit_event"
		" WHERE model_name = $1 AND event = 'register'"
		" ORDER BY at DESC, seq DESC LIMIT 1",
		1, {TEXTOID}
	};
	Datum		value = CStringGetTextDatum(name);
	bool		isnull;

	if (mr_plan_run(&plan, MR_SIGHT_PRESENT, &value, NULL) == 0)
		return false;
	*at = DatumGetTimestampTz(mr_plan_datum(0, 1, &isnull));
	*model_id = mr_plan_text(0, 2);
	return true;
}

/*
 * The row as a composite value that outlives SPI_finish.
 */
Datum
mr_model_row(const pg_uuid_t *key)
{
	static MrPlan plan = {
		"SELECT m FROM modelreg.model AS m WHERE m.model_key = $1",
		1, {UUIDOID}
	};
	Datum		value = UUIDPGetDatum(key);

	if (mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL) != 1)
		elog(ERROR, "model vanished");
	return mr_plan_copy_out(0, 1);
}

/*
 * What an UPDATE changed of what the trail holds of a model, as two JSON
 * objects; false if nothing.
 */
bool
mr_model_changes(HeapTuple old_row, HeapTuple new_row, TupleDesc desc,
				 Datum *old_values, Datum *new_values)
{
	static MrPlan plan = {
		"SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(n.key, n.value)"
		" FROM jsonb_each(modelreg.model_snapshot($1)) AS o"
		" JOIN jsonb_each(modelreg.model_snapshot($2)) AS n ON n.key = o.key"
		" WHERE o.value IS DISTINCT FROM n.value"
		" HAVING count(*) > 0",
		2, {InvalidOid, InvalidOid}
	};

	if (mr_plan_run_on_rows(&plan, old_row, new_row, desc) == 0)
		return false;
	*old_values = mr_plan_copy_out(0, 1);
	*new_values = mr_plan_copy_out(0, 2);
	return true;
}

/*
 * What the trail holds of a model.
 */
Datum
mr_model_snapshot(HeapTuple row, TupleDesc desc)
{
	static MrPlan plan = {
		"SELECT modelreg.model_snapshot($1)",
		1, {InvalidOid}
	};

	mr_plan_run_on_rows(&plan, row, NULL, desc);
	return mr_plan_copy_out(0, 1);
}

/*
 * Whether only the functions of modelreg write the column.
 */
bool
mr_model_column_is_counter(const char *column)
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
mr_model_column_is_setting(const char *column)
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
mr_model_column_kind(const char *column)
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
 * The keys of all models, or of the one of that name, as a uuid[] that
 * outlives SPI_finish; returns how many.
 */
uint64
mr_model_keys(const char *name, Datum *keys)
{
	static MrPlan plan = {
		"SELECT coalesce(array_agg(model_key ORDER BY model_key), '{}'), count(*)"
		" FROM modelreg.model WHERE $1 IS NULL OR model_name = $1",
		1, {TEXTOID}
	};
	Datum		value = name ? CStringGetTextDatum(name) : (Datum) 0;
	bool		isnull;

	mr_plan_run(&plan, MR_SIGHT_LATEST, &value, name ? NULL : "n");
	*keys = mr_plan_copy_out(0, 1);
	return (uint64) DatumGetInt64(mr_plan_datum(0, 2, &isnull));
}

static bool
fetch_model(MrPlan *plan, Datum key, MrModel *model)
{
	if (mr_plan_run(plan, MR_SIGHT_LATEST, &key, NULL) == 0)
		return false;
	mr_model_from_row(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, model);
	return true;
}

/*
 * A column that is never null: the guards see to that in a new row.
 */
static Datum
required_value(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;
	Datum		value = column_value(tuple, desc, column, &isnull);

	if (isnull)
		elog(ERROR, "column \"%s\" of modelreg.model is null", column);
	return value;
}

static Datum
column_value(HeapTuple tuple, TupleDesc desc, const char *column,
			 bool *isnull)
{
	int			number = SPI_fnumber(desc, column);

	if (number <= 0)
		elog(ERROR, "table modelreg.model has no column \"%s\"", column);
	return heap_getattr(tuple, number, desc, isnull);
}
