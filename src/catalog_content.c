/*-------------------------------------------------------------------------
 *
 * catalog_content.c
 *	  Contents that are repaired, or that nothing refers to any more.
 *
 * Lists of chunks are written and removed without SQL.  But their repair is so
 * rare that it may take its time, and so delicate that the guards shall see it.
 *
 * LAYER 1
 *
 * IDENTIFICATION
 *	  src/catalog_content.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"

#include "catalog_content.h"
#include "plan.h"
#include "storage.h"
#include "uuid7.h"

/*
 * Advisory lock of who changes or deletes entries of lists.  Class and key are
 * "modelreg" in ASCII; the functions of SQL take subs 1 and 2, the trail 3, and
 * scrubs 5.
 */
#define LISTS_LOCK_CLASS	0x6d6f6465
#define LISTS_LOCK_KEY		0x6c726567
#define LISTS_LOCK_SUB		4

/* Whether something refers to the content of a discarded_content AS d */
#define CONTENT_IS_USED \
	"(EXISTS (SELECT FROM modelreg.artifact AS a" \
	" WHERE a.content = d.content)" \
	" OR EXISTS (SELECT FROM modelreg.upload AS u" \
	" WHERE u.upload_id = d.content))"

/*
 * Leaves a content that nothing refers to any more to cleanup.
 */
void
mr_content_discard(const pg_uuid_t *content, const char *storage)
{
	static MrPlan plan = {
		"INSERT INTO modelreg.discarded_content (content, storage)"
		" VALUES ($1, $2) ON CONFLICT (content) DO NOTHING",
		2, {UUIDOID, TEXTOID}
	};
	Datum		values[2];

	values[0] = UUIDPGetDatum(content);
	values[1] = CStringGetTextDatum(storage);
	mr_plan_run(&plan, MR_SIGHT_LATEST, values, NULL);
}

/*
 * Locks up to limit contents that wait for removal and follow the key "after",
 * without those that somebody else is removing.  Only a superuser's plain SQL
 * can discard what is in use; it is passed over.
 */
uint64
mr_content_lock_discarded(const pg_uuid_t *after, int limit,
						  MrDiscarded **rows)
{
	static MrPlan plan = {
		"SELECT content, storage FROM modelreg.discarded_content AS d"
		" WHERE content > $1 AND NOT " CONTENT_IS_USED
		" ORDER BY content LIMIT $2 FOR UPDATE OF d SKIP LOCKED",
		2, {UUIDOID, INT4OID}
	};
	Datum		values[2];
	uint64		count;

	values[0] = UUIDPGetDatum(after);
	values[1] = Int32GetDatum(limit);
	count = mr_plan_run(&plan, MR_SIGHT_LATEST, values, NULL);
	*rows = palloc(sizeof(MrDiscarded) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;

		(*rows)[i].content = *DatumGetUUIDP(mr_plan_datum(i, 1, &isnull));
		(*rows)[i].storage = mr_plan_text(i, 2);
	}
	return count;
}

/*
 * Nothing is left of a discarded content.
 */
void
mr_content_forget(const pg_uuid_t *content)
{
	static MrPlan plan = {
		"DELETE FROM modelreg.discarded_content WHERE content = $1",
		1, {UUIDOID}
	};
	Datum		value = UUIDPGetDatum(content);

	mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL);
}

/*
 * How many contents wait for removal, and how many of them are in use all the
 * same, by the active snapshot.
 */
void
mr_content_count_discarded(uint64 *discarded, uint64 *used)
{
	static MrPlan plan = {
		"SELECT count(*), count(*) FILTER (WHERE " CONTENT_IS_USED ")"
		" FROM modelreg.discarded_content AS d",
		0, {InvalidOid}
	};
	bool		isnull;

	mr_plan_run(&plan, MR_SIGHT_ACTIVE, NULL, NULL);
	*discarded = DatumGetInt64(mr_plan_datum(0, 1, &isnull));
	*used = DatumGetInt64(mr_plan_datum(0, 2, &isnull));
}

/*
 * Takes the lock of those who change or delete entries of lists of chunks, to
 * the end of the transaction: repairs and cleanups.  To add entries needs no
 * lock.  Returns false if somebody else has it and dont_wait is set.
 */
bool
mr_chunk_lock_lists(bool dont_wait)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, LISTS_LOCK_CLASS, LISTS_LOCK_KEY,
						 LISTS_LOCK_SUB);
	return LockAcquire(&tag, ExclusiveLock, false, dont_wait) !=
		LOCKACQUIRE_NOT_AVAIL;
}

/*
 * Puts a whole chunk in the place of a damaged one, in every list of what is
 * not discarded, and leaves the latter to cleanup.  Returns whether it was on
 * any.  Lists that an upload has in memory alone do not change: there the
 * damage is found, and healed, by the next registration.
 */
bool
mr_chunk_replace(const pg_uuid_t *damaged, const pg_uuid_t *whole)
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

	(void) mr_chunk_lock_lists(false);
	values[0] = UUIDPGetDatum(damaged);
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
