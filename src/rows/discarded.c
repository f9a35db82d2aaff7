/*
 * The table modelreg.discarded_content.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "base/plan.h"
#include "rows/discarded.h"

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
