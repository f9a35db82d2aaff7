/*
 * The table modelreg.artifact_chunk: lists of chunks.
 *
 * Lists are written, read and removed without SQL.  But their repair is so rare
 * that it may take its time, and so delicate that the guards shall see it.
 *
 * Who changes or deletes entries, repairs and cleanups, holds MR_LOCK_LISTS; to
 * add entries needs no lock.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/lock.h"
#include "base/plan.h"
#include "base/uuid7.h"
#include "rows/discarded.h"
#include "store/database/chunk_list.h"
#include "store/storage.h"

/*
 * Puts a whole chunk in the place of a damaged one, in every list of what is
 * not discarded, and leaves the latter to cleanup.  Returns whether it was on
 * any.  Lists that an upload has in memory alone do not change: there the
 * damage is found, and healed, by the next registration.
 */
bool
mr_list_replace(const pg_uuid_t *damaged, const pg_uuid_t *whole)
{
	static MrPlan update_plan = {
		"UPDATE modelreg.artifact_chunk AS l SET chunk = $2 WHERE chunk = $1"
		" AND NOT EXISTS (SELECT FROM modelreg.discarded_content AS d"
		" WHERE d.content = l.content)",
		2, {UUIDOID, UUIDOID}
	};
	static MrPlan list_plan = {
		"INSERT INTO modelreg.artifact_chunk"
		" (content, chunk_no, chunk, byte_offset)"
		" SELECT $1, 0, $2, 0 WHERE NOT EXISTS"
		" (SELECT FROM modelreg.artifact_chunk AS l WHERE l.chunk = $2)",
		2, {UUIDOID, UUIDOID}
	};
	static MrPlan look_plan = {
		"SELECT WHERE EXISTS (SELECT FROM modelreg.artifact_chunk AS l"
		" WHERE l.chunk = $1 AND NOT EXISTS"
		" (SELECT FROM modelreg.discarded_content AS d"
		" WHERE d.content = l.content)) OR NOT EXISTS"
		" (SELECT FROM modelreg.artifact_chunk AS l WHERE l.chunk = $1)",
		1, {UUIDOID}
	};
	pg_uuid_t	discarded;
	Datum		values[2];
	bool		replaced;

	/* somebody may have done it before, and cleanup not yet been there */
	values[0] = UUIDPGetDatum(damaged);
	if (mr_plan_run(&look_plan, MR_SIGHT_LATEST, values, NULL) == 0)
		return false;

	(void) mr_lock_take(MR_LOCK_LISTS, false);
	values[1] = UUIDPGetDatum(whole);
	replaced = mr_plan_run(&update_plan, MR_SIGHT_LATEST, values, NULL) > 0;

	/* it may be on the list of something discarded already */
	mr_uuid7(&discarded);
	values[0] = UUIDPGetDatum(&discarded);
	values[1] = UUIDPGetDatum(damaged);
	if (mr_plan_run(&list_plan, MR_SIGHT_LATEST, values, NULL) > 0)
		mr_content_discard(&discarded, mr_storage_database.name);
	return replaced;
}
