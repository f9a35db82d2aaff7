/*
 * The table modelreg.upload.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "base/uuid7.h"
#include "rows/uploads.h"

#define ROW_COLUMNS \
	"upload_id, created_by, created_at, last_append_at, expected_size," \
	" bytes_held, storage, progress"

static bool get_row(MrPlan *plan, MrSight sight, const pg_uuid_t *upload_id,
					MrUploadRow *row);
static void read_row(uint64 number, MrUploadRow *row);

/*
 * Inserts a new upload, without bytes.
 */
void
mr_upload_row_insert(const MrUploadRow *row)
{
	static MrPlan plan = {
		"INSERT INTO modelreg.upload (upload_id, created_by, created_at,"
		" last_append_at, expected_size, storage, progress)"
		" VALUES ($1, $2, $3, $3, $4, $5, $6)",
		6, {UUIDOID, TEXTOID, TIMESTAMPTZOID, INT8OID, TEXTOID, UUIDOID}
	};
	Datum		values[6];
	char		nulls[6];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = UUIDPGetDatum(&row->upload_id);
	values[1] = CStringGetTextDatum(row->created_by);
	values[2] = TimestampTzGetDatum(row->created_at);
	values[3] = Int64GetDatum(row->expected_size);
	if (row->expected_size < 0)
		nulls[3] = 'n';
	values[4] = CStringGetTextDatum(row->storage);
	values[5] = UUIDPGetDatum(&row->progress);
	mr_plan_run(&plan, MR_SIGHT_LATEST, values, nulls);
}

bool
mr_upload_row_get(const pg_uuid_t *upload_id, MrSight sight, MrUploadRow *row)
{
	static MrPlan plan = {
		"SELECT " ROW_COLUMNS " FROM modelreg.upload WHERE upload_id = $1",
		1, {UUIDOID}
	};

	return get_row(&plan, sight, upload_id, row);
}

/*
 * The same, and locks the row to the end of the transaction.
 */
bool
mr_upload_row_lock(const pg_uuid_t *upload_id, MrUploadRow *row)
{
	static MrPlan plan = {
		"SELECT " ROW_COLUMNS " FROM modelreg.upload WHERE upload_id = $1"
		" FOR UPDATE",
		1, {UUIDOID}
	};

	return get_row(&plan, MR_SIGHT_LATEST, upload_id, row);
}

/*
 * What the storage saved last; NULL if it has not yet.
 */
bytea *
mr_upload_row_state(const pg_uuid_t *upload_id)
{
	static MrPlan plan = {
		"SELECT state FROM modelreg.upload WHERE upload_id = $1",
		1, {UUIDOID}
	};
	Datum		value = UUIDPGetDatum(upload_id);
	bytea	   *state;
	bool		isnull;

	if (mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL) == 0)
		return NULL;
	value = mr_plan_datum(0, 1, &isnull);
	state = isnull ? NULL : DatumGetByteaPCopy(value);
	mr_plan_free_rows();
	return state;
}

/*
 * Saves how far the upload is, whose row is locked.
 */
void
mr_upload_row_save(const pg_uuid_t *upload_id, int64 bytes_held,
				   const pg_uuid_t *progress, bytea *state)
{
	static MrPlan plan = {
		"UPDATE modelreg.upload SET bytes_held = $2, progress = $3,"
		" state = $4, last_append_at = clock_timestamp()"
		" WHERE upload_id = $1",
		4, {UUIDOID, INT8OID, UUIDOID, BYTEAOID}
	};
	Datum		values[4];

	values[0] = UUIDPGetDatum(upload_id);
	values[1] = Int64GetDatum(bytes_held);
	values[2] = UUIDPGetDatum(progress);
	values[3] = PointerGetDatum(state);
	mr_plan_run(&plan, MR_SIGHT_LATEST, values, NULL);
}

/*
 * Whether there is such a table.
 */
bool
mr_upload_table_exists(void)
{
	Oid			schema = get_namespace_oid("modelreg", true);

	return OidIsValid(schema) &&
		OidIsValid(get_relname_relid("upload", schema));
}

void
mr_upload_row_delete(const pg_uuid_t *upload_id)
{
	static MrPlan plan = {
		"DELETE FROM modelreg.upload WHERE upload_id = $1",
		1, {UUIDOID}
	};
	Datum		value = UUIDPGetDatum(upload_id);

	mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL);
}

/*
 * Locks up to limit uploads that have had no append for so many seconds,
 * without those that somebody is at.
 */
uint64
mr_upload_row_lock_expired(int seconds, int limit, MrUploadRow **rows)
{
	static MrPlan plan = {
		"SELECT " ROW_COLUMNS " FROM modelreg.upload"
		" WHERE last_append_at <= clock_timestamp() - make_interval(secs => $1)"
		" LIMIT $2 FOR UPDATE SKIP LOCKED",
		2, {INT4OID, INT4OID}
	};
	Datum		values[2];
	uint64		count;

	values[0] = Int32GetDatum(seconds);
	values[1] = Int32GetDatum(limit);
	count = mr_plan_run(&plan, MR_SIGHT_LATEST, values, NULL);
	*rows = palloc(sizeof(MrUploadRow) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
		read_row(i, &(*rows)[i]);
	return count;
}

/*
 * Raises 42704 for an upload that there is not.
 */
void
mr_upload_raise_unknown(const pg_uuid_t *upload_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("upload \"%s\" does not exist", mr_uuid_text(upload_id)),
			 errhint("It was registered, aborted or removed after modelreg.upload_expiry; begin another.")));
}

static bool
get_row(MrPlan *plan, MrSight sight, const pg_uuid_t *upload_id,
		MrUploadRow *row)
{
	Datum		value = UUIDPGetDatum(upload_id);

	if (mr_plan_run(plan, sight, &value, NULL) == 0)
		return false;
	read_row(0, row);
	return true;
}

static void
read_row(uint64 number, MrUploadRow *row)
{
	bool		isnull;

	row->upload_id = *DatumGetUUIDP(mr_plan_datum(number, 1, &isnull));
	row->created_by = mr_plan_text(number, 2);
	row->created_at = DatumGetTimestampTz(mr_plan_datum(number, 3, &isnull));
	row->last_append_at =
		DatumGetTimestampTz(mr_plan_datum(number, 4, &isnull));
	row->expected_size = DatumGetInt64(mr_plan_datum(number, 5, &isnull));
	if (isnull)
		row->expected_size = -1;
	row->bytes_held = DatumGetInt64(mr_plan_datum(number, 6, &isnull));
	row->storage = mr_plan_text(number, 7);
	row->progress = *DatumGetUUIDP(mr_plan_datum(number, 8, &isnull));
}
