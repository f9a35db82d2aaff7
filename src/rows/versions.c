/*
 * The table modelreg.model_version.
 */
#include "postgres.h"

#include "executor/spi.h"

#include "base/call.h"
#include "base/check.h"
#include "base/clip.h"
#include "base/json.h"
#include "base/tuple.h"
#include "rows/omission.h"
#include "rows/versions.h"

static MrStatement snapshot_statement = {
	"SELECT modelreg.version_snapshot($1)"
};

static NullableDatum visible_ids(const pg_uuid_t *model_key);
static bool query_version(MrStatement *statement, MrSight sight,
						  const char *model_id, MrVersion *version);
pg_noreturn static void raise_taken(const MrNewVersion *version,
									const char *constraint);

/*
 * Fills version from a row of the table.  Strings are allocated in the
 * present context.
 */
void
mr_versions_from_row(HeapTuple tuple, TupleDesc desc, MrVersion *version)
{
	Datum		value;

	version->model_id = mr_tuple_text(tuple, desc, "model_id");
	value = mr_tuple_datum(tuple, desc, "model_key");
	version->model_key = *DatumGetUUIDP(value);
	version->model_name = mr_tuple_text(tuple, desc, "model_name");
	version->model_type = mr_tuple_text(tuple, desc, "model_type");
	version->version = mr_tuple_text(tuple, desc, "version");
	value = mr_tuple_datum(tuple, desc, "version_number");
	version->version_number = DatumGetInt32(value);
	value = mr_tuple_datum(tuple, desc, "created_at");
	version->created_at = DatumGetTimestampTz(value);
	value = mr_tuple_datum(tuple, desc, "registered_at");
	version->registered_at = DatumGetTimestampTz(value);
	(void) mr_tuple_datum(tuple, desc, "deployment_stage");
	if (!mr_stage_lookup(SPI_getvalue(tuple, desc,
									  SPI_fnumber(desc, "deployment_stage")),
						 &version->stage))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("model version \"%s\" is in an unexpected stage",
						version->model_id),
				 errhint("Run modelreg_audit_verify().")));
	mr_role_ref_from_datum(mr_tuple_datum(tuple, desc, "owner"),
						   &version->owner);
	version->checksum = mr_tuple_text(tuple, desc, "checksum");
	value = mr_tuple_datum(tuple, desc, "artifact_size");
	version->artifact_size = DatumGetInt64(value);
	value = mr_tuple_datum(tuple, desc, "file_count");
	version->file_count = DatumGetInt32(value);
	value = mr_tuple_datum(tuple, desc, "exclusive_production");
	version->exclusive_production = DatumGetBool(value);
}

/*
 * The first row, if there is one, which ends the rows.
 */
bool
mr_versions_read(MrRows rows, MrVersion *version)
{
	if (!mr_sql_next(&rows))
		return false;
	mr_versions_from_row(rows.row, rows.desc, version);
	mr_sql_end(&rows);
	return true;
}

/*
 * Reads a version; false if there is none of that id, or the present role may
 * not see it.
 */
bool
mr_versions_get(const char *model_id, MrSight sight, MrVersion *version)
{
	static MrStatement statement = {
		"SELECT * FROM modelreg.model_version WHERE model_id = $1"
	};

	return query_version(&statement, sight, model_id, version);
}

/*
 * Whether the actor would find the version by a SELECT; true where row-level
 * security hides nothing from him, whether there is such a version or not.
 */
bool
mr_versions_is_visible(const char *model_id)
{
	static MrStatement statement = {
		"SELECT FROM modelreg.model_version WHERE model_id = $1"
	};

	return !mr_call_is_restricted("model_version") ||
		mr_sql_run(&statement, MR_SIGHT_CALLER,
				   MR_VALUES(mr_value_text(model_id))) > 0;
}

/*
 * Reads a version and locks its row to the end of the transaction.  The
 * caller holds the lock of its model.
 */
bool
mr_versions_lock(const char *model_id, MrVersion *version)
{
	static MrStatement statement = {
		"SELECT * FROM modelreg.model_version WHERE model_id = $1 FOR UPDATE"
	};

	return query_version(&statement, MR_SIGHT_LATEST, model_id, version);
}

bool
mr_versions_exists(const char *model_name, const char *version, MrSight sight)
{
	static MrStatement statement = {
		"SELECT FROM modelreg.model AS m"
		" JOIN modelreg.model_version AS v ON v.model_key = m.model_key"
		" WHERE m.model_name = $1 AND v.version = $2"
	};

	return mr_sql_run(&statement, sight,
					  MR_VALUES(mr_value_text(model_name),
								mr_value_text(version))) > 0;
}

/*
 * The first of the ids (text[]) that is no version, or none that the actor
 * may see; NULL if all are.
 */
char *
mr_versions_missing(Datum model_ids)
{
	static MrStatement statement = {
		"SELECT i FROM unnest($1) AS i WHERE NOT EXISTS"
		" (SELECT FROM modelreg.model_version AS v WHERE v.model_id = i)"
		" LIMIT 1"
	};

	return mr_sql_query_text(&statement, MR_SIGHT_CALLER,
							 MR_VALUES(mr_value_of(TEXTARRAYOID, model_ids)));
}

/*
 * Inserts a row and returns it as a composite value that outlives the call;
 * snapshot is what the trail shall hold of it.
 */
Datum
mr_versions_insert(const MrNewVersion *new_version, Datum *snapshot)
{
	static MrStatement statement = {
		"INSERT INTO modelreg.model_version AS v"
		" (model_id, model_key, model_name, model_type, version,"
		" version_number, created_at, registered_at, registered_by, checksum,"
		" artifact_size, model_config, training_metadata, dataset_version,"
		" parent_ids, deployment_stage, performance_metrics, tags, notes,"
		" exclusive_production, properties, file_count, files_size, owner)"
		" VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, $8), $8, $9, $10, $11,"
		" coalesce($12, '{}'), coalesce($13, '{}'), $14, $15,"
		" $16::text::modelreg.deployment_stage, coalesce($17, '{}'), $18,"
		" coalesce($19, ''), $20, coalesce($21, '{}'), $22, $23, $24)"
		" RETURNING v, modelreg.version_snapshot(v)"
	};
	const MrNewVersion *n = new_version;
	NullableDatum metrics = n->performance_metrics;
	MrRows		rows;
	Datum		row;
	char	   *taken;

	taken = mr_sql_try_query(&statement,
							 MR_VALUES(mr_value_text(n->model_id),
									   mr_value_uuid(&n->model_key),
									   mr_value_text(n->model_name),
									   mr_value_text(n->model_type),
									   mr_value_text(n->version),
									   mr_value_int4(n->version_number),
									   mr_value_nullable(TIMESTAMPTZOID,
														 n->created_at),
									   mr_value_time(n->registered_at),
									   mr_value_text(n->registered_by),
									   mr_value_text(n->checksum),
									   mr_value_int8(n->artifact_size),
									   mr_value_nullable(JSONBOID,
														 n->model_config),
									   mr_value_nullable(JSONBOID,
														 n->training_metadata),
									   mr_value_nullable(TEXTOID,
														 n->dataset_version),
									   mr_value_of(TEXTARRAYOID,
												   n->parent_ids),
									   mr_value_text(mr_stage_name(n->stage)),
									   mr_value_nullable(JSONBOID, metrics),
									   mr_value_of(TEXTARRAYOID, n->tags),
									   mr_value_nullable(TEXTOID, n->notes),
									   mr_value_bool(n->exclusive_production),
									   mr_value_nullable(JSONBOID,
														 n->properties),
									   mr_value_int4(n->file_count),
									   mr_value_int8(n->files_size),
									   mr_role_ref_value(&n->owner)),
							 &rows);
	if (taken != NULL)
		raise_taken(n, taken);
	if (!mr_sql_next(&rows))
		elog(ERROR, "model version \"%s\" was not inserted", n->model_id);
	row = mr_sql_copy_out(&rows, 1);
	*snapshot = mr_sql_copy_out(&rows, 2);
	mr_sql_end(&rows);
	return row;
}

/*
 * Moves a version; a trigger sets deployed_at.
 */
void
mr_versions_set_stage(const char *model_id, MrStage stage)
{
	static MrStatement statement = {
		"UPDATE modelreg.model_version"
		" SET deployment_stage = $2::text::modelreg.deployment_stage"
		" WHERE model_id = $1"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_value_text(model_id),
						 mr_value_text(mr_stage_name(stage))));
}

/*
 * Replaces notes (text), tags (text[]) and metrics (jsonb), and merges
 * properties (jsonb) into those there are; null leaves alone.
 */
void
mr_versions_set_metadata(const char *model_id, NullableDatum notes,
						 NullableDatum tags, NullableDatum metrics,
						 NullableDatum properties)
{
	static MrStatement statement = {
		"UPDATE modelreg.model_version SET notes = coalesce($2, notes),"
		" tags = coalesce($3, tags),"
		" performance_metrics = coalesce($4, performance_metrics),"
		" properties = modelreg.merge_properties(properties, $5)"
		" WHERE model_id = $1"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_value_text(model_id),
						 mr_value_nullable(TEXTOID, notes),
						 mr_value_nullable(TEXTARRAYOID, tags),
						 mr_value_nullable(JSONBOID, metrics),
						 mr_value_nullable(JSONBOID, properties)));
}

void
mr_versions_delete(const char *model_id)
{
	static MrStatement statement = {
		"DELETE FROM modelreg.model_version WHERE model_id = $1"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST, MR_VALUES(mr_value_text(model_id)));
}

/*
 * The row as a composite value that outlives the call.
 */
Datum
mr_versions_row(const char *model_id)
{
	static MrStatement statement = {
		"SELECT v FROM modelreg.model_version AS v WHERE v.model_id = $1"
	};

	return mr_sql_query_datum(&statement, MR_SIGHT_LATEST,
							  MR_VALUES(mr_value_text(model_id)));
}

/*
 * Raises 42704.
 */
void
mr_versions_raise_unknown(const char *model_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("model version \"%s\" does not exist",
					mr_clip_text(model_id))));
}

/*
 * The model's versions in production, but the one named except; returns how
 * many.
 */
uint64
mr_versions_in_production(const pg_uuid_t *model_key, const char *except,
						  char ***model_ids)
{
	static MrStatement statement = {
		"SELECT model_id FROM modelreg.model_version"
		" WHERE model_key = $1 AND deployment_stage = 'production'"
		" AND model_id IS DISTINCT FROM $2"
		" ORDER BY version_number FOR UPDATE"
	};

	return mr_sql_texts(mr_sql_query(&statement, MR_SIGHT_LATEST,
									 MR_VALUES(mr_value_uuid(model_key),
											   mr_value_text(except))),
						model_ids);
}

/*
 * All versions of the model, oldest first; returns how many.
 */
uint64
mr_versions_all(const pg_uuid_t *model_key, char ***model_ids)
{
	static MrStatement statement = {
		"SELECT model_id FROM modelreg.model_version WHERE model_key = $1"
		" ORDER BY version_number FOR UPDATE"
	};

	return mr_sql_texts(mr_sql_query(&statement, MR_SIGHT_LATEST,
									 MR_VALUES(mr_value_uuid(model_key))),
						model_ids);
}

/*
 * Up to limit versions beyond the newest ones that are kept, oldest first,
 * without those that somebody else holds locked, those with an alias, with
 * spare_live those in production and canary, and with visible_only those that
 * row-level security hides from the actor; locks them.  The caller holds the
 * model's lock.
 */
uint64
mr_versions_excess(const pg_uuid_t *model_key, int keep, bool spare_live,
				   bool visible_only, int limit, char ***model_ids)
{
	static MrStatement statement = {
		"SELECT model_id FROM modelreg.model_version AS v"
		" WHERE model_key = $1"
		" AND version_number <= (SELECT version_number"
		" FROM modelreg.model_version WHERE model_key = $1"
		" ORDER BY version_number DESC OFFSET $2 LIMIT 1)"
		" AND NOT ($3 AND deployment_stage IN ('production', 'canary'))"
		" AND NOT EXISTS (SELECT FROM modelreg.model_alias AS a"
		" WHERE a.model_id = v.model_id)"
		" AND ($5 IS NULL OR model_id = ANY ($5))"
		" ORDER BY version_number LIMIT $4"
		" FOR UPDATE OF v SKIP LOCKED"
	};
	NullableDatum only = {.isnull = true};

	if (visible_only && mr_call_is_restricted("model_version"))
		only = visible_ids(model_key);
	return mr_sql_texts(mr_sql_query(&statement, MR_SIGHT_LATEST,
									 MR_VALUES(mr_value_uuid(model_key),
											   mr_value_int4(keep),
											   mr_value_bool(spare_live),
											   mr_value_int4(limit),
											   mr_value_nullable(TEXTARRAYOID,
																 only))),
						model_ids);
}

MrVersionColumn
mr_versions_column(const char *column)
{
	if (strcmp(column, "deployment_stage") == 0)
		return MR_COLUMN_STAGE;
	if (strcmp(column, "deployed_at") == 0)
		return MR_COLUMN_DEPLOYED_AT;
	if (strcmp(column, "model_name") == 0 ||
		strcmp(column, "exclusive_production") == 0)
		return MR_COLUMN_COPY;
	if (strcmp(column, "owner") == 0)
		return MR_COLUMN_OWNER;
	if (strcmp(column, "registered_at") == 0 ||
		strcmp(column, "created_at") == 0)
		return MR_COLUMN_TIME;
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
mr_versions_deployed_at_column(TupleDesc desc)
{
	return SPI_fnumber(desc, "deployed_at");
}

/*
 * What an UPDATE changed, as two JSON objects, the guarded copies apart;
 * false if nothing.
 */
bool
mr_versions_changes(HeapTuple old_row, HeapTuple new_row, TupleDesc desc,
					Datum *old_values, Datum *new_values)
{
	static const char *const copies[] = {
		"model_name", "exclusive_production", NULL
	};

	return mr_omission_changes(&snapshot_statement, old_row, new_row, desc,
							   copies, old_values, new_values);
}

/*
 * What the trail holds of a version.
 */
Datum
mr_versions_snapshot(HeapTuple row, TupleDesc desc)
{
	return mr_omission_snapshot(&snapshot_statement, row, desc);
}

/*
 * Reports an error if a row is larger than we keep.
 */
void
mr_versions_check_size(HeapTuple row, TupleDesc desc)
{
	static const char *const columns[] = {
		"model_config", "training_metadata", "performance_metrics",
		"properties", "tags", "notes"
	};
	int64		size = 0;

	for (int i = 0; i < lengthof(columns); i++)
	{
		MrValue		value;

		value.type = SPI_gettypeid(desc, SPI_fnumber(desc, columns[i]));
		value.datum = mr_tuple_nullable(row, desc, columns[i], &value.isnull);
		size += mr_json_size(&value, MR_MAX_VERSION_ROW);
	}
	mr_check_version_size(size);
}

/*
 * The ids of the model's versions that the actor may see, text[].
 */
static NullableDatum
visible_ids(const pg_uuid_t *model_key)
{
	static MrStatement statement = {
		"SELECT coalesce(array_agg(model_id), '{}')"
		" FROM modelreg.model_version WHERE model_key = $1"
	};
	NullableDatum ids = {0};

	ids.value = mr_sql_query_datum(&statement, MR_SIGHT_CALLER,
								   MR_VALUES(mr_value_uuid(model_key)));
	return ids;
}

static bool
query_version(MrStatement *statement, MrSight sight, const char *model_id,
			  MrVersion *version)
{
	return mr_versions_read(mr_sql_query(statement, sight,
										 MR_VALUES(mr_value_text(model_id))),
							version);
}

/*
 * The counters of a locked model issue nothing twice, and a version that was
 * asked for has been looked up: what is taken nevertheless is damage.  Only a
 * promotion by plain SQL can still come first.
 */
static void
raise_taken(const MrNewVersion *version, const char *constraint)
{
	if (strcmp(constraint, "model_version_one_production") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("model \"%s\" has another version in production",
						version->model_name),
				 errhint("Try again.")));
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("counters of model \"%s\" are damaged",
					version->model_name),
			 errdetail("Model version \"%s\", version \"%s\" or number %d exists already.",
					   version->model_id, version->version,
					   version->version_number),
			 errhint("Run modelreg_audit_verify().")));
}
