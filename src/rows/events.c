/*
 * The table modelreg.audit_event.
 */
#include "postgres.h"

#include "access/xact.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "base/compat.h"
#include "base/json.h"
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

static void add_text(MrJsonText *text, const char *value);
static void add_jsonb(MrJsonText *text, NullableDatum value);
static void take_run(void *arg, const char *run, int len);

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

	MrDigest   *digest = mr_digest_begin();
	MrRows		rows = {0};
	char	   *taken;

	mr_digest_add(digest, row->previous_hash, MR_SHA256_LEN);
	mr_events_add_to_digest(digest, row, HASH_FORMAT, xid);
	mr_digest_end(digest, hash);

	taken = mr_sql_try_query(row->model_name ? &of_model : &of_registry,
							 MR_VALUES(mr_value_uuid(&row->model_key),
									   mr_value_int8(row->seq),
									   mr_value_time(row->at),
									   mr_value_text(row->event),
									   mr_value_text(row->model_name),
									   mr_value_text(row->model_id),
									   mr_value_text(row->session_user_name),
									   mr_value_text(row->actor),
									   mr_value_nullable(JSONBOID,
														 row->client),
									   mr_value_of(XID8OID,
												   UInt64GetDatum(xid)),
									   mr_value_nullable(JSONBOID,
														 row->old_values),
									   mr_value_nullable(JSONBOID,
														 row->new_values),
									   mr_value_text(row->reason),
									   mr_value_of(INT2OID,
												   Int16GetDatum(HASH_FORMAT)),
									   mr_digest_value(hash)),
							 &rows);
	if (taken != NULL || rows.count != 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("event %lld of the audit chain exists already",
						(long long) row->seq),
				 errhint("Run modelreg_audit_verify().")));
	mr_sql_end(&rows);
}

/*
 * Adds an event to a digest to which the previous hash was added: the UTF-8 of
 * a JSON array, in the text form of jsonb.  What can be null or infinite only
 * by damage has a form as well, so that it is told from what was recorded.
 */
void
mr_events_add_to_digest(MrDigest *digest, const MrEventRow *row, int format,
						uint64 xid)
{
	MrJsonText text = {
		.limit = PG_INT64_MAX,
		.take = take_run,
		.arg = digest
	};

	mr_json_begin(&text);
	mr_json_add(&text, psprintf("[%d, ", format));
	add_text(&text, mr_uuid7_text(&row->model_key));
	mr_json_add(&text, psprintf(", " INT64_FORMAT ", ", row->seq));
	if (TIMESTAMP_NOT_FINITE(row->at))
		mr_json_add(&text, TIMESTAMP_IS_NOEND(row->at) ?
					"\"infinity\"" : "\"-infinity\"");
	else
		mr_json_add(&text, psprintf(INT64_FORMAT,
									row->at + MR_EPOCH_DIFFERENCE));
	mr_json_add(&text, ", ");
	add_text(&text, row->event);
	mr_json_add(&text, ", ");
	add_text(&text, row->model_id);
	mr_json_add(&text, ", ");
	add_text(&text, row->session_user_name);
	mr_json_add(&text, ", ");
	add_text(&text, row->actor);
	mr_json_add(&text, ", ");
	add_jsonb(&text, row->client);
	mr_json_add(&text, psprintf(", \"" UINT64_FORMAT "\", ", xid));
	add_jsonb(&text, row->old_values);
	mr_json_add(&text, ", ");
	add_jsonb(&text, row->new_values);
	mr_json_add(&text, ", ");
	add_text(&text, row->reason);
	mr_json_add(&text, "]");
	mr_json_end(&text);
}

static void
add_text(MrJsonText *text, const char *value)
{
	if (value)
		mr_json_add_string(text, value, strlen(value));
	else
		mr_json_add(text, "null");
}

static void
add_jsonb(MrJsonText *text, NullableDatum value)
{
	MrValue		jsonb = mr_value_nullable(JSONBOID, value);

	mr_json_add_value(text, &jsonb);
}

static void
take_run(void *arg, const char *run, int len)
{
	(void) mr_digest_add_text(arg, run, len);
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
	if (address[0])
		escape_json(&text, address);
	else
		appendStringInfoString(&text, "null");
	appendStringInfoString(&text, ", \"application_name\": ");
	escape_json(&text, application_name);
	appendStringInfoChar(&text, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
}

/*
 * The last event of the registry's own chain; false if it has none.  The
 * caller holds the chain's advisory lock.
 */
bool
mr_events_registry_head(int64 *seq, uint8 *hash)
{
	static MrStatement statement = {
		"SELECT seq, hash FROM modelreg.audit_event"
		" WHERE model_key = $1 ORDER BY seq DESC LIMIT 1"
	};
	pg_uuid_t	nil = MR_UUID_NIL;
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_LATEST,
									MR_VALUES(mr_value_uuid(&nil)));
	bool		isnull;

	if (!mr_sql_next(&rows))
		return false;
	*seq = mr_sql_int8(&rows, 1);
	if (!mr_digest_from_datum(mr_sql_datum(&rows, 2, &isnull), hash))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("hash of an audit event has an unexpected length"),
				 errhint("Run modelreg_audit_verify().")));
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
