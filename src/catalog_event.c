/*-------------------------------------------------------------------------
 *
 * catalog_event.c
 *	  The table modelreg.audit_event.
 *
 * LAYER 1
 *
 * IDENTIFICATION
 *	  src/catalog_event.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "catalog_event.h"
#include "compat.h"
#include "plan.h"
#include "uuid7.h"

static void read_hash(uint64 row, int column, uint8 *hash);
static void set_text(Datum *values, char *nulls, int i, const char *value);

/*
 * Inserts the row and tells its hash.
 *
 * A repeatable-read transaction that has not seen the head of the chain gets
 * 40001 from ON CONFLICT, where a plain INSERT would report a duplicate.
 */
void
mr_event_insert(const MrEventRow *row, uint8 *hash)
{
	static MrPlan plan = {
		"INSERT INTO modelreg.audit_event (model_key, seq, at, event,"
		" model_name, model_id, session_user_name, actor, client, xid,"
		" old_values, new_values, reason, format, hash)"
		" SELECT $1, $2, $3, $4, $5, $6, $7, $8, c.client, c.xid, $10, $11,"
		" $12, 1, modelreg.audit_hash($13, 1::smallint, $1, $2, $3, $4, $6,"
		" $7, $8, c.client, c.xid, $10, $11, $12)"
		" FROM (SELECT jsonb_build_object("
		" 'address', host(inet_client_addr()),"
		" 'application_name', $9) AS client,"
		" pg_current_xact_id() AS xid OFFSET 0) AS c"
		" ON CONFLICT (model_key, seq) DO NOTHING"
		" RETURNING hash",
		13,
		{UUIDOID, INT8OID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
		TEXTOID, TEXTOID, JSONBOID, JSONBOID, TEXTOID, BYTEAOID}
	};
	Datum		values[13];
	char		nulls[13];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = UUIDPGetDatum(&row->model_key);
	values[1] = Int64GetDatum(row->seq);
	values[2] = TimestampTzGetDatum(row->at);
	set_text(values, nulls, 3, row->event);
	set_text(values, nulls, 4, row->model_name);
	set_text(values, nulls, 5, row->model_id);
	set_text(values, nulls, 6, row->session_user_name);
	set_text(values, nulls, 7, row->actor);
	set_text(values, nulls, 8, row->application_name);
	values[9] = row->old_values.value;
	nulls[9] = row->old_values.isnull ? 'n' : ' ';
	values[10] = row->new_values.value;
	nulls[10] = row->new_values.isnull ? 'n' : ' ';
	set_text(values, nulls, 11, row->reason);
	values[12] = PointerGetDatum(mr_digest_bytea(row->previous_hash));

	if (mr_plan_run(&plan, MR_SIGHT_LATEST, values, nulls) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("event %lld of the audit chain exists already",
						(long long) row->seq),
				 errhint("Run modelreg_audit_verify().")));
	read_hash(0, 1, hash);
}

/*
 * The last event of the registry's own chain; false if it has none.  The
 * caller holds the chain's advisory lock.
 */
bool
mr_event_registry_head(int64 *seq, TimestampTz *at, uint8 *hash)
{
	static MrPlan plan = {
		"SELECT seq, at, hash FROM modelreg.audit_event"
		" WHERE model_key = $1 ORDER BY seq DESC LIMIT 1",
		1, {UUIDOID}
	};
	pg_uuid_t	nil = MR_UUID_NIL;
	Datum		value = UUIDPGetDatum(&nil);
	bool		isnull;

	if (mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL) == 0)
		return false;
	*seq = DatumGetInt64(mr_plan_datum(0, 1, &isnull));
	*at = DatumGetTimestampTz(mr_plan_datum(0, 2, &isnull));
	read_hash(0, 3, hash);
	return true;
}

/*
 * What the trail says of a deletion.
 */
Datum
mr_event_deletion_values(const char *cause, bool forced)
{
	static MrPlan plan = {
		"SELECT jsonb_build_object('cause', $1, 'forced', $2)",
		2, {TEXTOID, BOOLOID}
	};
	Datum		values[2];

	values[0] = CStringGetTextDatum(cause);
	values[1] = BoolGetDatum(forced);
	mr_plan_run(&plan, MR_SIGHT_LATEST, values, NULL);
	return mr_plan_copy_out(0, 1);
}

/*
 * What the trail says of a cleanup.
 */
Datum
mr_event_cleanup_values(int64 versions, int64 artifacts,
						bool keep_production, const char *model_name)
{
	static MrPlan plan = {
		"SELECT jsonb_build_object('versions', $1, 'artifacts', $2,"
		" 'forced', NOT $3, 'model_name', $4)",
		4, {INT8OID, INT8OID, BOOLOID, TEXTOID}
	};
	Datum		values[4];
	char		nulls[4];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = Int64GetDatum(versions);
	values[1] = Int64GetDatum(artifacts);
	values[2] = BoolGetDatum(keep_production);
	set_text(values, nulls, 3, model_name);
	mr_plan_run(&plan, MR_SIGHT_LATEST, values, nulls);
	return mr_plan_copy_out(0, 1);
}

static void
read_hash(uint64 row, int column, uint8 *hash)
{
	bool		isnull;
	bytea	   *value = DatumGetByteaPP(mr_plan_datum(row, column, &isnull));

	if (VARSIZE_ANY_EXHDR(value) != MR_SHA256_LEN)
		elog(ERROR, "hash of an audit event has an unexpected length");
	memcpy(hash, VARDATA_ANY(value), MR_SHA256_LEN);
}

static void
set_text(Datum *values, char *nulls, int i, const char *value)
{
	if (value)
		values[i] = CStringGetTextDatum(value);
	else
	{
		values[i] = (Datum) 0;
		nulls[i] = 'n';
	}
}
