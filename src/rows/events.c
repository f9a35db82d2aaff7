/*
 * The table modelreg.audit_event.
 */
#include "postgres.h"

#include "access/xact.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "base/compat.h"
#include "base/sql.h"
#include "base/uuid7.h"
#include "rows/events.h"

/* Layout of what is hashed, in audit_event.format */
#define HASH_FORMAT 1

#define INSERT_EVENT \
	"INSERT INTO modelreg.audit_event (model_key, seq, at, event, model_name," \
	" model_id, session_user_name, actor, client, xid, old_values," \
	" new_values, reason, format, hash)" \
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"

static void compute_event_hash(const MrEventRow *row, uint64 xid, uint8 *hash);
static void append_text(StringInfo text, const char *value);
static void append_jsonb(StringInfo text, Datum value, bool isnull);

/*
 * Inserts the row and tells its hash.
 */
void
mr_events_insert(const MrEventRow *row, uint8 *hash)
{
	/*
	 * A repeatable-read transaction that has not seen the head of the
	 * registry's chain gets 40001 from ON CONFLICT, where a plain INSERT
	 * would report a duplicate.  (For a model's chain, the lock of its row
	 * raises 40001 first.)
	 */
	static MrStatement of_registry = {
		INSERT_EVENT " ON CONFLICT (model_key, seq) DO NOTHING"
	};
	static MrStatement of_model = {INSERT_EVENT};
	uint64		xid = U64FromFullTransactionId(GetTopFullTransactionId());

	compute_event_hash(row, xid, hash);
	if (mr_sql_run(row->model_name ? &of_model : &of_registry, MR_SIGHT_LATEST,
				   MR_VALUES(mr_value_uuid(&row->model_key),
							 mr_value_int8(row->seq),
							 mr_value_time(row->at),
							 mr_value_text(row->event),
							 mr_value_text(row->model_name),
							 mr_value_text(row->model_id),
							 mr_value_text(row->session_user_name),
							 mr_value_text(row->actor),
							 mr_value_of(JSONBOID, row->client),
							 mr_value_of(XID8OID, UInt64GetDatum(xid)),
							 mr_value_nullable(JSONBOID, row->old_values),
							 mr_value_nullable(JSONBOID, row->new_values),
							 mr_value_text(row->reason),
							 mr_value_of(INT2OID, Int16GetDatum(HASH_FORMAT)),
							 mr_digest_value(hash))) != 1)
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
compute_event_hash(const MrEventRow *row, uint64 xid, uint8 *hash)
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
mr_events_client(const char *application_name)
{
	static MrStatement statement = {"SELECT host(inet_client_addr())"};
	static bool known = false;
	static char address[64];
	StringInfoData text;

	if (!known)
	{
		char	   *value = mr_sql_query_text(&statement, MR_SIGHT_LATEST,
											  MR_NO_VALUES);

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
mr_events_registry_head(int64 *seq, TimestampTz *at, uint8 *hash)
{
	static MrStatement statement = {
		"SELECT seq, at, hash FROM modelreg.audit_event"
		" WHERE model_key = $1 ORDER BY seq DESC LIMIT 1"
	};
	pg_uuid_t	nil = MR_UUID_NIL;
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_LATEST,
									MR_VALUES(mr_value_uuid(&nil)));
	bool		isnull;

	if (!mr_sql_next(&rows))
		return false;
	*seq = mr_sql_int8(&rows, 1);
	*at = mr_sql_time(&rows, 2);
	if (!mr_digest_from_datum(mr_sql_datum(&rows, 3, &isnull), hash))
		elog(ERROR, "hash of an audit event has an unexpected length");
	mr_sql_end(&rows);
	return true;
}

/*
 * What the trail says of a deletion.
 */
Datum
mr_events_deletion_values(const char *cause, bool forced)
{
	static MrStatement statement = {
		"SELECT jsonb_build_object('cause', $1, 'forced', $2)"
	};

	return mr_sql_query_datum(&statement, MR_SIGHT_LATEST,
							  MR_VALUES(mr_value_text(cause),
										mr_value_bool(forced)));
}

/*
 * What the trail says of a cleanup.
 */
Datum
mr_events_cleanup_values(int64 versions, int64 artifacts, int64 uploads,
						 bool forced, const char *model_name)
{
	static MrStatement statement = {
		"SELECT jsonb_build_object('versions', $1, 'artifacts', $2,"
		" 'forced', $3, 'model_name', $4, 'uploads', $5)"
	};

	return mr_sql_query_datum(&statement, MR_SIGHT_LATEST,
							  MR_VALUES(mr_value_int8(versions),
										mr_value_int8(artifacts),
										mr_value_bool(forced),
										mr_value_text(model_name),
										mr_value_int8(uploads)));
}

/*
 * What the trail says of stored bytes that were damaged and are whole again.
 */
Datum
mr_events_repair_values(const char *checksum, int64 chunks)
{
	static MrStatement statement = {
		"SELECT jsonb_build_object('checksum', $1, 'chunks', $2)"
	};

	return mr_sql_query_datum(&statement, MR_SIGHT_LATEST,
							  MR_VALUES(mr_value_text(checksum),
										mr_value_int8(chunks)));
}
