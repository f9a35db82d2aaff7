/*
 * When the versions of modelreg.model_version were registered, and what says
 * that a time is wrong.
 */
#include "postgres.h"

#include "base/sql.h"
#include "rows/version_times.h"

/*
 * Lowers the time of a registration, and with it created_at, where the
 * registration took the one for the other.
 */
void
mr_version_times_lower(const char *model_id,
					   TimestampTz registered_at)
{
	static MrStatement statement = {
		"UPDATE modelreg.model_version SET registered_at = $2,"
		" created_at = CASE WHEN created_at = registered_at THEN $2"
		" ELSE created_at END"
		" WHERE model_id = $1"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_value_text(model_id),
						 mr_value_time(registered_at)));
}

/*
 * When the model's next version was registered; DT_NOEND if there is none.
 */
TimestampTz
mr_version_times_next(const MrVersion *version)
{
	static MrStatement statement = {
		"SELECT registered_at FROM modelreg.model_version"
		" WHERE model_key = $1 AND version_number > $2"
		" ORDER BY version_number LIMIT 1"
	};
	MrValue		key = mr_value_uuid(&version->model_key);
	MrValue		number = mr_value_int4(version->version_number);
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_LATEST,
									MR_VALUES(key, number));
	TimestampTz next;

	if (!mr_sql_next(&rows))
		return DT_NOEND;
	next = mr_sql_time(&rows, 1);
	mr_sql_end(&rows);
	return next;
}

/*
 * The model's last version before that number; false if there is none.
 */
bool
mr_version_times_before(const pg_uuid_t *model_key, int version_number,
						MrVersion *version)
{
	static MrStatement statement = {
		"SELECT * FROM modelreg.model_version"
		" WHERE model_key = $1 AND version_number < $2"
		" ORDER BY version_number DESC LIMIT 1"
	};

	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_LATEST,
									MR_VALUES(mr_value_uuid(model_key),
											  mr_value_int4(version_number)));

	return mr_versions_read(rows, version);
}

/*
 * Narrows the times between which the version was registered: not later than
 * any event of the model after it, nor than latest; and not earlier than the
 * last event and version before it that do not contradict that, nor than
 * earliest.
 */
void
mr_version_times_bounds(const MrVersion *version, TimestampTz *earliest,
						TimestampTz *latest)
{
	static MrStatement statement = {
		"WITH registration AS ("
		" SELECT seq FROM modelreg.audit_event"
		" WHERE model_id = $1 AND model_key = $2 AND event = 'register'"
		"), upper AS ("
		" SELECT least($4, (SELECT min(e.at) FROM modelreg.audit_event AS e,"
		" registration AS r WHERE e.model_key = $2 AND e.seq > r.seq)) AS at"
		") SELECT greatest($5,"
		" (SELECT max(e.at) FROM modelreg.audit_event AS e, registration AS r"
		" WHERE e.model_key = $2 AND e.seq < r.seq AND e.at <= upper.at),"
		" (SELECT v.registered_at + interval '1 microsecond'"
		" FROM modelreg.model_version AS v WHERE v.model_key = $2"
		" AND v.version_number < $3 AND v.registered_at < upper.at"
		" ORDER BY v.version_number DESC LIMIT 1)), upper.at FROM upper"
	};
	const MrVersion *v = version;
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_LATEST,
									MR_VALUES(mr_value_text(v->model_id),
											  mr_value_uuid(&v->model_key),
											  mr_value_int4(v->version_number),
											  mr_value_time(*latest),
											  mr_value_time(*earliest)));

	(void) mr_sql_next(&rows);
	*earliest = mr_sql_time(&rows, 1);
	*latest = mr_sql_time(&rows, 2);
	mr_sql_end(&rows);
}
