/*
 * The table modelreg.audit_event.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "base/compat.h"
#include "base/plan.h"
#include "base/uuid7.h"
#include "rows/events.h"

/* Layout of what is hashed, in audit_event.format */
#define HASH_FORMAT 1

#define INSERT_SQL \
	"INSERT INTO modelreg.audit_event (model_key, seq, at, event, model_name," \
	" model_id, session_user_name, actor, client, xid, old_values," \
	" new_values, reason, format, hash)" \
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
#define INSERT_PARAMETERS 15
#define INSERT_TYPES \
	UUIDOID, INT8OID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, \
	TEXTOID, JSONBOID, XID8OID, JSONBOID, JSONBOID, TEXTOID, INT2OID, BYTEAOID

static void compute_hash(const MrEventRow *row, uint64 xid, uint8 *hash);
static void append_text(StringInfo text, const char *value);
static void append_jsonb(StringInfo text, Datum value, bool isnull);
static void read_hash(uint64 row, int column, uint8 *hash);
static void set_text(Datum *values, char *nulls, int i, const char *value);

/*
 * Inserts the row and tells its hash.
 */
void
mr_event_insert(const MrEventRow *row, uint8 *hash)
{
	/*
	 * A repeatable-read transaction that has not seen the head of the
	 * registry's chain gets 40001 from ON CONFLICT, where a plain INSERT
	 * would report a duplicate.  (For a model's chain, the lock of its row
	 * raises 40001 first.)
	 */
	static MrPlan registry_plan = {
		INSERT_SQL " ON CONFLICT (model_key, seq) DO NOTHING",
		INSERT_PARAMETERS, {INSERT_TYPES}
	};
	static MrPlan model_plan = {
		INSERT_SQL,
		INSERT_PARAMETERS, {INSERT_TYPES}
	};
	Datum		values[INSERT_PARAMETERS];
	char		nulls[INSERT_PARAMETERS];
	uint64		xid = U64FromFullTransactionId(GetTopFullTransactionId());

	compute_hash(row, xid, hash);

	memset(nulls, ' ', sizeof(nulls));
	values[0] = UUIDPGetDatum(&row->model_key);
	values[1] = Int64GetDatum(row->seq);
	values[2] = TimestampTzGetDatum(row->at);
	set_text(values, nulls, 3, row->event);
	set_text(values, nulls, 4, row->model_name);
	set_text(values, nulls, 5, row->model_id);
	set_text(values, nulls, 6, row->session_user_name);
	set_text(values, nulls, 7, row->actor);
	values[8] = row->client;
	values[9] = UInt64GetDatum(xid);
	values[10] = row->old_values.value;
	nulls[10] = row->old_values.isnull ? 'n' : ' ';
	values[11] = row->new_values.value;
	nulls[11] = row->new_values.isnull ? 'n' : ' ';
	set_text(values, nulls, 12, row->reason);
	values[13] = Int16GetDatum(HASH_FORMAT);
	values[14] = PointerGetDatum(mr_digest_bytea(hash));

	if (mr_plan_run(row->model_name ? &model_plan : &registry_plan,
					MR_SIGHT_LATEST, values, nulls) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("event %lld of the audit chain exists already",
						(long long) row->seq),
				 errhint("Run modelreg_audit_verify().")));
}

/*
 * The hash of an event: SHA-256 of the previous hash and the UTF-8 of the event
 * as a JSON array, in the text form of jsonb.  modelreg.audit_hash computes
 * the same in SQL.
 */
static void
compute_hash(const MrEventRow *row, uint64 xid, uint8 *hash)
{
	StringInfoData text;
	MrDigest   *digest;
	char	   *utf8;
	Datum		key = DirectFunctionCall1(uuid_out,
										  UUIDPGetDatum(&row->model_key));
	int64		epoch_at = row->at + MR_EPOCH_DIFFERENCE;

	initStringInfo(&text);
	appendStringInfo(&text, "[%d, ", HASH_FORMAT);
	append_text(&text, DatumGetCString(key));
	appendStringInfo(&text, ", " INT64_FORMAT ", " INT64_FORMAT ", ",
					 row->seq, epoch_at);
	append_text(&text, row->event);
	appendStringInfoString(&text, ", ");
	append_text(&text, row->model_id);
	appendStringInfoString(&text, ", ");
	append_text(&text, row->session_user_name);
	appendStringInfoString(&text, ", ");
	append_text(&text, row->actor);
	appendStringInfoString(&text, ", ");
	append_jsonb(&text, row->client, false);
	appendStringInfo(&text, ", \"" UINT64_FORMAT "\", ", xid);
	append_jsonb(&text, row->old_values.value, row->old_values.isnull);
	appendStringInfoString(&text, ", ");
	append_jsonb(&text, row->new_values.value, row->new_values.isnull);
	appendStringInfoString(&text, ", ");
	append_text(&text, row->reason);
	appendStringInfoChar(&text, ']');

	utf8 = pg_server_to_any(text.data, text.len, PG_UTF8);
	digest = mr_digest_begin();
	mr_digest_add(digest, row->previous_hash, MR_SHA256_LEN);
	mr_digest_add(digest, utf8, utf8 == text.data ? text.len : strlen(utf8));
	mr_digest_end(digest, hash);
}

static void
append_text(StringInfo text, const char *value)
{
	if (value)
		escape_json(text, value);
	else
		appendStringInfoString(text, "null");
}

static void
append_jsonb(StringInfo text, Datum value, bool isnull)
{
	Jsonb	   *jsonb;

	if (isnull)
	{
		appendStringInfoString(text, "null");
		return;
	}
	jsonb = DatumGetJsonbP(value);
	(void) JsonbToCString(text, &jsonb->root, VARSIZE(jsonb));
}

/*
 * What the trail says of this session's client: its address, which is asked
 * for once, and the name that it gave itself.
 */
Datum
mr_event_client(const char *application_name)
{
	static MrPlan plan = {
		"SELECT host(inet_client_addr())",
		0, {InvalidOid}
	};
	static bool known = false;
	static char address[64];
	StringInfoData text;

	if (!known)
	{
		char	   *value;

		mr_plan_run(&plan, MR_SIGHT_LATEST, NULL, NULL);
		value = mr_plan_text(0, 1);
		snprintf(address, sizeof(address), "%s", value ? value : "");
		known = true;
	}

	initStringInfo(&text);
	appendStringInfoString(&text, "{\"address\": ");
	append_text(&text, address[0] ? address : NULL);
	appendStringInfoString(&text, ", \"application_name\": ");
	append_text(&text, application_name);
	appendStringInfoChar(&text, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
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
mr_event_cleanup_values(int64 versions, int64 artifacts, int64 uploads,
						bool forced, const char *model_name)
{
	static MrPlan plan = {
		"SELECT jsonb_build_object('versions', $1, 'artifacts', $2,"
		" 'forced', $3, 'model_name', $4, 'uploads', $5)",
		5, {INT8OID, INT8OID, BOOLOID, TEXTOID, INT8OID}
	};
	Datum		values[5];
	char		nulls[5];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = Int64GetDatum(versions);
	values[1] = Int64GetDatum(artifacts);
	values[2] = BoolGetDatum(forced);
	set_text(values, nulls, 3, model_name);
	values[4] = Int64GetDatum(uploads);
	mr_plan_run(&plan, MR_SIGHT_LATEST, values, nulls);
	return mr_plan_copy_out(0, 1);
}

/*
 * What the trail says of stored bytes that were damaged and are whole again.
 */
Datum
mr_event_repair_values(const char *checksum, int64 chunks)
{
	static MrPlan plan = {
		"SELECT jsonb_build_object('checksum', $1, 'chunks', $2)",
		2, {TEXTOID, INT8OID}
	};
	Datum		values[2];
	char		nulls[2];

	memset(nulls, ' ', sizeof(nulls));
	set_text(values, nulls, 0, checksum);
	values[1] = Int64GetDatum(chunks);
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
