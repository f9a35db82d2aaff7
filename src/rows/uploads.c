/*
 * The table modelreg.upload.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "port/pg_bswap.h"
#include "utils/lsyscache.h"

#include "base/call.h"
#include "base/compat.h"
#include "base/uuid7.h"
#include "rows/uploads.h"

#define UPLOAD_COLUMNS \
	"upload_id, created_by, created_at, last_append_at, expected_size," \
	" bytes_held, storage, progress, digest, owner"

static bool query_upload(MrStatement *statement, MrSight sight,
						 const pg_uuid_t *upload_id, MrUploadRow *row);
static void read_upload(const MrRows *rows, MrUploadRow *row);
static void compute_digest(const MrUploadRow *row, bytea *state, uint8 *out);
static void add_int64(MrDigest *digest, int64 number);

/*
 * Inserts a new upload, without bytes.
 */
void
mr_uploads_insert(MrUploadRow *row)
{
	static MrStatement statement = {
		"INSERT INTO modelreg.upload (upload_id, created_by, created_at,"
		" last_append_at, expected_size, storage, progress, digest, owner)"
		" VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8)"
	};

	compute_digest(row, NULL, row->digest);
	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_value_uuid(&row->upload_id),
						 mr_value_text(row->created_by),
						 mr_value_time(row->created_at),
						 mr_value_size(row->expected_size),
						 mr_value_text(row->storage),
						 mr_value_uuid(&row->progress),
						 mr_digest_value(row->digest),
						 mr_role_ref_value(&row->owner)));
}

bool
mr_uploads_get(const pg_uuid_t *upload_id, MrSight sight, MrUploadRow *row)
{
	static MrStatement statement = {
		"SELECT " UPLOAD_COLUMNS " FROM modelreg.upload WHERE upload_id = $1"
	};

	return query_upload(&statement, sight, upload_id, row);
}

/*
 * Whether the actor would find the upload by a SELECT; true where row-level
 * security hides nothing from him, whether there is such an upload or not.
 */
bool
mr_uploads_is_visible(const pg_uuid_t *upload_id)
{
	static MrStatement statement = {
		"SELECT FROM modelreg.upload WHERE upload_id = $1"
	};

	return !mr_call_is_restricted("upload") ||
		mr_sql_run(&statement, MR_SIGHT_CALLER,
				   MR_VALUES(mr_value_uuid(upload_id))) > 0;
}

/*
 * Reads an upload and locks its row to the end of the transaction.
 */
bool
mr_uploads_lock(const pg_uuid_t *upload_id, MrUploadRow *row)
{
	static MrStatement statement = {
		"SELECT " UPLOAD_COLUMNS " FROM modelreg.upload WHERE upload_id = $1"
		" FOR UPDATE"
	};

	return query_upload(&statement, MR_SIGHT_LATEST, upload_id, row);
}

/*
 * What the storage saved last; NULL if it has not yet.
 */
bytea *
mr_uploads_state(const pg_uuid_t *upload_id, MrSight sight)
{
	static MrStatement statement = {
		"SELECT state FROM modelreg.upload WHERE upload_id = $1"
	};
	MrRows		rows = mr_sql_query(&statement, sight,
									MR_VALUES(mr_value_uuid(upload_id)));
	bytea	   *state = NULL;

	if (mr_sql_next(&rows))
	{
		bool		isnull;
		Datum		datum = mr_sql_datum(&rows, 1, &isnull);

		if (!isnull)
			state = DatumGetByteaPCopy(datum);
	}
	mr_sql_end(&rows);
	return state;
}

/*
 * Whether what was read of an upload, its state included, is what was saved.
 * Who began it and when, and whose it is, decides nothing about its bytes, and
 * is not looked at.
 */
bool
mr_uploads_is_intact(const MrUploadRow *row, bytea *state)
{
	uint8		actual[MR_SHA256_LEN];

	compute_digest(row, state, actual);
	return memcmp(actual, row->digest, MR_SHA256_LEN) == 0;
}

/*
 * Saves how far an upload is, whose row is locked, and what may have been
 * replaced in it since it was damaged.
 */
void
mr_uploads_save(MrUploadRow *row, bytea *state)
{
	static MrStatement statement = {
		"UPDATE modelreg.upload SET expected_size = $2, bytes_held = $3,"
		" storage = $4, progress = $5, state = $6, digest = $7,"
		" last_append_at = clock_timestamp()"
		" WHERE upload_id = $1"
	};

	compute_digest(row, state, row->digest);
	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_value_uuid(&row->upload_id),
						 mr_value_size(row->expected_size),
						 mr_value_int8(row->bytes_held),
						 mr_value_text(row->storage),
						 mr_value_uuid(&row->progress),
						 mr_value_of(BYTEAOID, PointerGetDatum(state)),
						 mr_digest_value(row->digest)));
}

/*
 * Whether there is such a table.
 */
bool
mr_uploads_table_exists(void)
{
	Oid			schema = get_namespace_oid("modelreg", true);

	return OidIsValid(schema) &&
		OidIsValid(get_relname_relid("upload", schema));
}

/*
 * Gives an upload to another owner.
 */
void
mr_uploads_set_owner(const pg_uuid_t *upload_id, const MrRoleRef *owner)
{
	static MrStatement statement = {
		"UPDATE modelreg.upload SET owner = $2 WHERE upload_id = $1"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_value_uuid(upload_id), mr_role_ref_value(owner)));
}

/*
 * The uploads whose owner shows as that, as far as the actor sees them, in the
 * order in which uploads are locked; returns how many.
 */
uint64
mr_uploads_of_owner(const char *owner, pg_uuid_t **upload_ids)
{
	static MrStatement statement = {
		"SELECT upload_id FROM modelreg.upload WHERE owner::text = $1"
		" ORDER BY upload_id"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_CALLER,
									MR_VALUES(mr_value_text(owner)));
	pg_uuid_t  *next = palloc(sizeof(pg_uuid_t) * Max(rows.count, 1));

	*upload_ids = next;
	while (mr_sql_next(&rows))
		*next++ = mr_sql_uuid(&rows, 1);
	return rows.count;
}

void
mr_uploads_delete(const pg_uuid_t *upload_id)
{
	static MrStatement statement = {
		"DELETE FROM modelreg.upload WHERE upload_id = $1"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_value_uuid(upload_id)));
}

/*
 * Locks up to limit uploads that have had no append for so many seconds,
 * without those that somebody is at.
 */
uint64
mr_uploads_lock_expired(int seconds, int limit, MrUploadRow **uploads)
{
	static MrStatement statement = {
		"SELECT " UPLOAD_COLUMNS " FROM modelreg.upload"
		" WHERE last_append_at <= clock_timestamp() - make_interval(secs => $1)"
		" LIMIT $2 FOR UPDATE SKIP LOCKED"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_LATEST,
									MR_VALUES(mr_value_int4(seconds),
											  mr_value_int4(limit)));
	MrUploadRow *next = palloc(sizeof(MrUploadRow) * Max(rows.count, 1));

	*uploads = next;
	while (mr_sql_next(&rows))
		read_upload(&rows, next++);
	return rows.count;
}

/*
 * Raises 42704 for an upload that there is not.
 */
void
mr_uploads_raise_unknown(const pg_uuid_t *upload_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("upload \"%s\" does not exist", mr_uuid7_text(upload_id)),
			 errhint("It was registered, aborted or removed after modelreg.upload_expiry; begin another.")));
}

static bool
query_upload(MrStatement *statement, MrSight sight, const pg_uuid_t *upload_id,
			 MrUploadRow *row)
{
	MrRows		rows = mr_sql_query(statement, sight,
									MR_VALUES(mr_value_uuid(upload_id)));

	if (!mr_sql_next(&rows))
		return false;
	read_upload(&rows, row);
	mr_sql_end(&rows);
	return true;
}

static void
read_upload(const MrRows *rows, MrUploadRow *row)
{
	Datum		expected_size;
	Datum		digest;
	Datum		owner;
	bool		isnull;

	row->upload_id = mr_sql_uuid(rows, 1);
	row->created_by = mr_sql_text(rows, 2);
	row->created_at = mr_sql_time(rows, 3);
	row->last_append_at = mr_sql_time(rows, 4);
	expected_size = mr_sql_datum(rows, 5, &isnull);
	row->expected_size = isnull ? -1 : DatumGetInt64(expected_size);
	row->bytes_held = mr_sql_int8(rows, 6);
	row->storage = mr_sql_text(rows, 7);
	row->progress = mr_sql_uuid(rows, 8);
	digest = mr_sql_datum(rows, 9, &isnull);
	if (isnull || !mr_digest_from_datum(digest, row->digest))
		memset(row->digest, 0, MR_SHA256_LEN);
	owner = mr_sql_datum(rows, 10, &isnull);
	memset(&row->owner, 0, sizeof(MrRoleRef));
	if (!isnull)
		mr_role_ref_from_datum(owner, &row->owner);
}

/*
 * In network byte order: a dump may go to another machine.
 */
static void
compute_digest(const MrUploadRow *row, bytea *state, uint8 *out)
{
	MrDigest   *digest = mr_digest_begin();

	mr_digest_add(digest, &row->upload_id, UUID_LEN);
	mr_digest_add(digest, &row->progress, UUID_LEN);
	add_int64(digest, row->expected_size);
	add_int64(digest, row->bytes_held);
	add_int64(digest, strlen(row->storage));
	mr_digest_add(digest, row->storage, strlen(row->storage));
	add_int64(digest, state != NULL ? (int64) VARSIZE_ANY_EXHDR(state) : -1);
	if (state != NULL)
		mr_digest_add(digest, VARDATA_ANY(state), VARSIZE_ANY_EXHDR(state));
	mr_digest_end(digest, out);
}

static void
add_int64(MrDigest *digest, int64 number)
{
	uint64		bytes = pg_hton64(number);

	mr_digest_add(digest, &bytes, sizeof(bytes));
}
