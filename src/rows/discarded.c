/*
 * The table modelreg.discarded_content.
 */
#include "postgres.h"

#include "base/sql.h"
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
mr_discarded_add(const pg_uuid_t *content, const char *storage)
{
	static MrStatement statement = {
		"INSERT INTO modelreg.discarded_content (content, storage)"
		" VALUES ($1, $2) ON CONFLICT (content) DO NOTHING"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_value_uuid(content), mr_value_text(storage)));
}

/*
 * Locks up to limit contents that wait for removal and follow the key "after",
 * without those that somebody else is removing.  Only a superuser's plain SQL
 * can discard what is in use; it is passed over.
 */
uint64
mr_discarded_lock(const pg_uuid_t *after, int limit, MrDiscarded **contents)
{
	static MrStatement statement = {
		"SELECT content, storage FROM modelreg.discarded_content AS d"
		" WHERE content > $1 AND NOT " CONTENT_IS_USED
		" ORDER BY content LIMIT $2 FOR UPDATE OF d SKIP LOCKED"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_LATEST,
									MR_VALUES(mr_value_uuid(after),
											  mr_value_int4(limit)));
	MrDiscarded *next = palloc(sizeof(MrDiscarded) * Max(rows.count, 1));

	*contents = next;
	while (mr_sql_next(&rows))
	{
		next->content = mr_sql_uuid(&rows, 1);
		next->storage = mr_sql_text(&rows, 2);
		next++;
	}
	return rows.count;
}

/*
 * Nothing is left of a discarded content.
 */
void
mr_discarded_delete(const pg_uuid_t *content)
{
	static MrStatement statement = {
		"DELETE FROM modelreg.discarded_content WHERE content = $1"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST, MR_VALUES(mr_value_uuid(content)));
}

/*
 * How many contents wait for removal, and how many of them are in use all the
 * same, by the active snapshot.
 */
void
mr_discarded_count(uint64 *discarded, uint64 *used)
{
	static MrStatement statement = {
		"SELECT count(*), count(*) FILTER (WHERE " CONTENT_IS_USED ")"
		" FROM modelreg.discarded_content AS d"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_ACTIVE, MR_NO_VALUES);

	(void) mr_sql_next(&rows);
	*discarded = mr_sql_int8(&rows, 1);
	*used = mr_sql_int8(&rows, 2);
	mr_sql_end(&rows);
}
