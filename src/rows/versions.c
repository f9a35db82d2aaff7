/*
 * The table modelreg.model_version.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "rows/versions.h"

static bool fetch_version(MrPlan *plan, MrSight sight, const char *model_id,
						  MrVersion *version);
static uint64 id_column(uint64 rows, char ***model_ids);
static char *column_text(HeapTuple tuple, TupleDesc desc,
						 const char *column);
static Datum column_value(HeapTuple tuple, TupleDesc desc,
						  const char *column);

/*
 * Fills version from a row of the table.  Strings are allocated in the
 * present context.
 */
void
mr_version_from_row(HeapTuple tuple, TupleDesc desc, MrVersion *version)
{
	Datum		value;

	version->model_id = column_text(tuple, desc, "model_id");
	value = column_value(tuple, desc, "model_key");
	version->model_key = *DatumGetUUIDP(value);
	version->model_name = column_text(tuple, desc, "model_name");
	version->model_type = column_text(tuple, desc, "model_type");
	version->version = column_text(tuple, desc, "version");
	if (!mr_stage_lookup(column_text(tuple, desc, "deployment_stage"),
						 &version->stage))
		elog(ERROR, "model version \"%s\" is in an unexpected stage",
			 version->model_id);
	version->registered_by = column_text(tuple, desc, "registered_by");
	version->checksum = column_text(tuple, desc, "checksum");
	value = column_value(tuple, desc, "artifact_size");
	version->artifact_size = DatumGetInt64(value);
	value = column_value(tuple, desc, "file_count");
	version->file_count = DatumGetInt32(value);
	value = column_value(tuple, desc, "exclusive_production");
	version->exclusive_production = DatumGetBool(value);
}

Datum
mr_version_stage_datum(HeapTuple tuple, TupleDesc desc)
{
	return column_value(tuple, desc, "deployment_stage");
}

Datum
mr_version_metrics_datum(HeapTuple tuple, TupleDesc desc)
{
	return column_value(tuple, desc, "performance_metrics");
}

/*
 * Reads a version; false if there is none of that id, or the present role may
 * not see it.
 */
bool
mr_version_get(const char *model_id, MrSight sight, MrVersion *version)
{
	static MrPlan plan = {
		"SELECT * FROM modelreg.model_version WHERE model_id = $1",
		1, {TEXTOID}
	};

	return fetch_version(&plan, sight, model_id, version);
}

/*
 * Reads a version and locks its row to the end of the transaction.  The
 * caller holds the lock of its model.
 */
bool
mr_version_lock(const char *model_id, MrVersion *version)
{
	static MrPlan plan = {
		"SELECT * FROM modelreg.model_version WHERE model_id = $1 FOR UPDATE",
		1, {TEXTOID}
	};

	return fetch_version(&plan, MR_SIGHT_LATEST, model_id, version);
}

bool
mr_version_exists(const char *model_name, const char *version)
{
	static MrPlan plan = {
		"SELECT FROM modelreg.model AS m"
		" JOIN modelreg.model_version AS v ON v.model_key = m.model_key"
		" WHERE m.model_name = $1 AND v.version = $2",
		2, {TEXTOID, TEXTOID}
	};
	Datum		values[2];

	values[0] = CStringGetTextDatum(model_name);
	values[1] = CStringGetTextDatum(version);
	return mr_plan_run(&plan, MR_SIGHT_LATEST, values, NULL) > 0;
}

/*
 * The first of the ids (text[]) that is no version; NULL if all are.
 */
char *
mr_version_missing(Datum model_ids)
{
	static MrPlan plan = {
		"SELECT i FROM unnest($1) AS i WHERE NOT EXISTS"
		" (SELECT FROM modelreg.model_version AS v WHERE v.model_id = i)"
		" LIMIT 1",
		1, {TEXTARRAYOID}
	};

	if (mr_plan_run(&plan, MR_SIGHT_LATEST, &model_ids, NULL) == 0)
		return NULL;
	return mr_plan_text(0, 1);
}

/*
 * Inserts a row and returns it as a composite value that outlives SPI_finish;
 * snapshot is what the trail shall hold of it.
 */
Datum
mr_version_insert(const MrNewVersion *new_version, Datum *snapshot)
{
	static MrPlan plan = {
		"INSERT INTO modelreg.model_version AS v"
		" (model_id, model_key, model_name, model_type, version,"
		" version_number, created_at, registered_at, registered_by, checksum,"
		" artifact_size, model_config, training_metadata, dataset_version,"
		" parent_ids, deployment_stage, performance_metrics, tags, notes,"
		" exclusive_production, properties, file_count, files_size)"
		" VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, $8), $8, $9, $10, $11,"
		" coalesce($12, '{}'), coalesce($13, '{}'), $14, $15,"
		" $16::text::modelreg.deployment_stage, coalesce($17, '{}'), $18,"
		" coalesce($19, ''), $20, coalesce($21, '{}'), $22, $23)"
		" RETURNING v, modelreg.version_snapshot(v)",
		23,
		{TEXTOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, INT4OID,
			TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, INT8OID, JSONBOID,
			JSONBOID, TEXTOID, TEXTARRAYOID, TEXTOID, JSONBOID, TEXTARRAYOID,
		TEXTOID, BOOLOID, JSONBOID, INT4OID, INT8OID}
	};
	const MrNewVersion *n = new_version;
	Datum		values[23];
	char		nulls[23];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = CStringGetTextDatum(n->model_id);
	values[1] = UUIDPGetDatum(&n->model_key);
	values[2] = CStringGetTextDatum(n->model_name);
	values[3] = CStringGetTextDatum(n->model_type);
	values[4] = CStringGetTextDatum(n->version);
	values[5] = Int32GetDatum(n->version_number);
	values[6] = n->created_at.value;
	nulls[6] = n->created_at.isnull ? 'n' : ' ';
	values[7] = TimestampTzGetDatum(n->registered_at);
	values[8] = CStringGetTextDatum(n->registered_by);
	values[9] = CStringGetTextDatum(n->checksum);
	values[10] = Int64GetDatum(n->artifact_size);
	values[11] = n->model_config.value;
	nulls[11] = n->model_config.isnull ? 'n' : ' ';
	values[12] = n->training_metadata.value;
	nulls[12] = n->training_metadata.isnull ? 'n' : ' ';
	values[13] = n->dataset_version.value;
	nulls[13] = n->dataset_version.isnull ? 'n' : ' ';
	values[14] = n->parent_ids;
	values[15] = CStringGetTextDatum(mr_stage_name(n->stage));
	values[16] = n->performance_metrics.value;
	nulls[16] = n->performance_metrics.isnull ? 'n' : ' ';
	values[17] = n->tags;
	values[18] = n->notes.value;
	nulls[18] = n->notes.isnull ? 'n' : ' ';
	values[19] = BoolGetDatum(n->exclusive_production);
	values[20] = n->properties.value;
	nulls[20] = n->properties.isnull ? 'n' : ' ';
	values[21] = Int32GetDatum(n->file_count);
	values[22] = Int64GetDatum(n->files_size);

	mr_plan_run(&plan, MR_SIGHT_LATEST, values, nulls);
	*snapshot = mr_plan_copy_out(0, 2);
	return mr_plan_copy_out(0, 1);
}

/*
 * Moves a version; a trigger sets deployed_at.
 */
void
mr_version_set_stage(const char *model_id, MrStage stage)
{
	static MrPlan plan = {
		"UPDATE modelreg.model_version"
		" SET deployment_stage = $2::text::modelreg.deployment_stage"
		" WHERE model_id = $1",
		2, {TEXTOID, TEXTOID}
	};
	Datum		values[2];

	values[0] = CStringGetTextDatum(model_id);
	values[1] = CStringGetTextDatum(mr_stage_name(stage));
	mr_plan_run(&plan, MR_SIGHT_LATEST, values, NULL);
}

/*
 * Replaces notes (text), tags (text[]) and metrics (jsonb), and merges
 * properties (jsonb) into those there are; null leaves alone.
 */
void
mr_version_set_metadata(const char *model_id, NullableDatum notes,
						NullableDatum tags, NullableDatum metrics,
						NullableDatum properties)
{
	static MrPlan plan = {
		"UPDATE modelreg.model_version SET notes = coalesce($2, notes),"
		" tags = coalesce($3, tags),"
		" performance_metrics = coalesce($4, performance_metrics),"
		" properties = modelreg.merge_properties(properties, $5)"
		" WHERE model_id = $1",
		5, {TEXTOID, TEXTOID, TEXTARRAYOID, JSONBOID, JSONBOID}
	};
	Datum		values[5];
	char		nulls[5];

	values[0] = CStringGetTextDatum(model_id);
	nulls[0] = ' ';
	values[1] = notes.value;
	nulls[1] = notes.isnull ? 'n' : ' ';
	values[2] = tags.value;
	nulls[2] = tags.isnull ? 'n' : ' ';
	values[3] = metrics.value;
	nulls[3] = metrics.isnull ? 'n' : ' ';
	values[4] = properties.value;
	nulls[4] = properties.isnull ? 'n' : ' ';
	mr_plan_run(&plan, MR_SIGHT_LATEST, values, nulls);
}

void
mr_version_delete(const char *model_id)
{
	static MrPlan plan = {
		"DELETE FROM modelreg.model_version WHERE model_id = $1",
		1, {TEXTOID}
	};
	Datum		value = CStringGetTextDatum(model_id);

	mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL);
}

/*
 * The row as a composite value that outlives SPI_finish.
 */
Datum
mr_version_row(const char *model_id)
{
	static MrPlan plan = {
		"SELECT v FROM modelreg.model_version AS v WHERE v.model_id = $1",
		1, {TEXTOID}
	};
	Datum		value = CStringGetTextDatum(model_id);

	if (mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL) != 1)
		elog(ERROR, "model version \"%s\" vanished", model_id);
	return mr_plan_copy_out(0, 1);
}

/*
 * Raises 42704.
 */
void
mr_version_raise_unknown(const char *model_id)
{
	int			shown = pg_mbcliplen(model_id, strlen(model_id), 255);

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("model version \"%.*s\" does not exist", shown, model_id)));
}

/*
 * The model's versions in production, but the one named except; returns how
 * many.
 */
uint64
mr_version_in_production(const pg_uuid_t *model_key, const char *except,
						 char ***model_ids)
{
	static MrPlan plan = {
		"SELECT model_id FROM modelreg.model_version"
		" WHERE model_key = $1 AND deployment_stage = 'production'"
		" AND model_id IS DISTINCT FROM $2"
		" ORDER BY version_number FOR UPDATE",
		2, {UUIDOID, TEXTOID}
	};
	Datum		values[2];

	values[0] = UUIDPGetDatum(model_key);
	values[1] = except ? CStringGetTextDatum(except) : (Datum) 0;
	return id_column(mr_plan_run(&plan, MR_SIGHT_LATEST, values,
								 except ? NULL : " n"),
					 model_ids);
}

#define REFERENCES_SQL \
	"SELECT v.model_id, v.checksum, v.artifact_size," \
	" coalesce(a.artifact_size, -1), a.storage, m.model_key IS NOT NULL," \
	" v.file_count, v.files_size," \
	" (SELECT count(*) FROM modelreg.version_file AS f" \
	" WHERE f.model_id = v.model_id)," \
	" (SELECT string_agg(p, ', ') FROM unnest(v.parent_ids) AS p" \
	" WHERE NOT EXISTS (SELECT FROM modelreg.audit_event AS e" \
	" WHERE e.model_id = p AND e.event = 'register'))" \
	" FROM modelreg.model_version AS v" \
	" LEFT JOIN modelreg.artifact AS a ON a.sha256 =" \
	" CASE WHEN v.checksum ~ '^[0-9a-f]{64}$' THEN decode(v.checksum, 'hex') END" \
	" LEFT JOIN modelreg.model AS m ON m.model_key = v.model_key"

/*
 * What the version, or if model_id is NULL what each version, refers to, by
 * the active snapshot and with the rights of the present role; ordered by
 * artifact.  Returns how many.
 */
uint64
mr_version_references(const char *model_id, MrReference **references)
{
	static MrPlan one_plan = {
		REFERENCES_SQL " WHERE v.model_id = $1",
		1, {TEXTOID}
	};
	static MrPlan all_plan = {
		REFERENCES_SQL " ORDER BY v.checksum, v.model_id",
		0, {InvalidOid}
	};
	Datum		value = model_id ? CStringGetTextDatum(model_id) : (Datum) 0;
	uint64		count;
	bool		isnull;

	count = mr_plan_run(model_id ? &one_plan : &all_plan, MR_SIGHT_ACTIVE,
						&value, NULL);
	*references = MemoryContextAllocHuge(CurrentMemoryContext,
										 sizeof(MrReference) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
	{
		MrReference *r = &(*references)[i];

		r->model_id = mr_plan_text(i, 1);
		r->checksum = mr_plan_text(i, 2);
		r->artifact_size = DatumGetInt64(mr_plan_datum(i, 3, &isnull));
		r->stored_size = DatumGetInt64(mr_plan_datum(i, 4, &isnull));
		r->storage = mr_plan_text(i, 5);
		r->has_model = DatumGetBool(mr_plan_datum(i, 6, &isnull));
		r->file_count = DatumGetInt32(mr_plan_datum(i, 7, &isnull));
		r->files_size = DatumGetInt64(mr_plan_datum(i, 8, &isnull));
		r->files_found = DatumGetInt64(mr_plan_datum(i, 9, &isnull));
		r->missing_parents = mr_plan_text(i, 10);
	}
	return count;
}

/*
 * All versions of the model, oldest first; returns how many.
 */
uint64
mr_version_all(const pg_uuid_t *model_key, char ***model_ids)
{
	static MrPlan plan = {
		"SELECT model_id FROM modelreg.model_version WHERE model_key = $1"
		" ORDER BY version_number FOR UPDATE",
		1, {UUIDOID}
	};
	Datum		value = UUIDPGetDatum(model_key);

	return id_column(mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL),
					 model_ids);
}

/*
 * Up to limit versions beyond the newest ones that are kept, oldest first,
 * without those that somebody else holds locked, those with an alias and,
 * with spare_live, those in production and canary; locks them.  The caller
 * holds the model's lock.
 */
uint64
mr_version_excess(const pg_uuid_t *model_key, int keep, bool spare_live,
				  int limit, char ***model_ids)
{
	static MrPlan plan = {
		"SELECT model_id FROM modelreg.model_version AS v"
		" WHERE model_key = $1"
		" AND version_number <= (SELECT version_number"
		" FROM modelreg.model_version WHERE model_key = $1"
		" ORDER BY version_number DESC OFFSET $2 LIMIT 1)"
		" AND NOT ($3 AND deployment_stage IN ('production', 'canary'))"
		" AND NOT EXISTS (SELECT FROM modelreg.model_alias AS a"
		" WHERE a.model_id = v.model_id)"
		" ORDER BY version_number LIMIT $4"
		" FOR UPDATE OF v SKIP LOCKED",
		4, {UUIDOID, INT4OID, BOOLOID, INT4OID}
	};
	Datum		values[4];

	values[0] = UUIDPGetDatum(model_key);
	values[1] = Int32GetDatum(keep);
	values[2] = BoolGetDatum(spare_live);
	values[3] = Int32GetDatum(limit);
	return id_column(mr_plan_run(&plan, MR_SIGHT_LATEST, values, NULL),
					 model_ids);
}

MrVersionColumn
mr_version_column(const char *column)
{
	if (strcmp(column, "deployment_stage") == 0)
		return MR_COLUMN_STAGE;
	if (strcmp(column, "deployed_at") == 0)
		return MR_COLUMN_DEPLOYED_AT;
	if (strcmp(column, "model_name") == 0 ||
		strcmp(column, "exclusive_production") == 0)
		return MR_COLUMN_COPY;
	if (strcmp(column, "performance_metrics") == 0)
		return MR_COLUMN_METRICS;
	if (strcmp(column, "tags") == 0)
		return MR_COLUMN_TAGS;
	if (strcmp(column, "notes") == 0)
		return MR_COLUMN_NOTES;
	if (strcmp(column, "properties") == 0)
		return MR_COLUMN_PROPERTIES;
	return MR_COLUMN_FIXED;
}

int
mr_version_deployed_at_column(TupleDesc desc)
{
	return SPI_fnumber(desc, "deployed_at");
}

/*
 * What an UPDATE changed, as two JSON objects, the guarded copies apart;
 * false if nothing.
 */
bool
mr_version_changes(HeapTuple old_row, HeapTuple new_row, TupleDesc desc,
				   Datum *old_values, Datum *new_values)
{
	static MrPlan plan = {
		"SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(n.key, n.value)"
		" FROM jsonb_each(modelreg.version_snapshot($1)) AS o"
		" JOIN jsonb_each(modelreg.version_snapshot($2)) AS n ON n.key = o.key"
		" WHERE o.value IS DISTINCT FROM n.value"
		" AND o.key NOT IN ('model_name', 'exclusive_production')"
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
 * What the trail holds of a version.
 */
Datum
mr_version_snapshot(HeapTuple row, TupleDesc desc)
{
	static MrPlan plan = {
		"SELECT modelreg.version_snapshot($1)",
		1, {InvalidOid}
	};

	mr_plan_run_on_rows(&plan, row, NULL, desc);
	return mr_plan_copy_out(0, 1);
}

static bool
fetch_version(MrPlan *plan, MrSight sight, const char *model_id,
			  MrVersion *version)
{
	Datum		value = CStringGetTextDatum(model_id);

	if (mr_plan_run(plan, sight, &value, NULL) == 0)
		return false;
	mr_version_from_row(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, version);
	return true;
}

/*
 * The first column of the last run's rows as C strings.
 */
static uint64
id_column(uint64 rows, char ***model_ids)
{
	*model_ids = palloc(sizeof(char *) * Max(rows, 1));
	for (uint64 i = 0; i < rows; i++)
		(*model_ids)[i] = mr_plan_text(i, 1);
	return rows;
}

static char *
column_text(HeapTuple tuple, TupleDesc desc, const char *column)
{
	(void) column_value(tuple, desc, column);
	return SPI_getvalue(tuple, desc, SPI_fnumber(desc, column));
}

/*
 * A column that is never null: the guards see to that in a new row.
 */
static Datum
column_value(HeapTuple tuple, TupleDesc desc, const char *column)
{
	int			number = SPI_fnumber(desc, column);
	bool		isnull;
	Datum		value;

	if (number <= 0)
		elog(ERROR, "table modelreg.model_version has no column \"%s\"",
			 column);
	value = heap_getattr(tuple, number, desc, &isnull);
	if (isnull)
		elog(ERROR, "column \"%s\" of modelreg.model_version is null", column);
	return value;
}
