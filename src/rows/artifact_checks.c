/*
 * The table modelreg.artifact_check.
 */
#include "postgres.h"

#include "base/sql.h"
#include "rows/artifact_checks.h"

/*
 * Up to limit artifacts that were not verified since, those that never were
 * first, or as a wrong clock says will be, then the least recently verified;
 * only what the actor may see.
 * Returns how many.
 */
uint64
mr_artifact_checks_due(TimestampTz since, int limit, MrDue **due)
{
	static MrStatement statement = {
		"SELECT a.sha256, a.artifact_size FROM modelreg.artifact AS a"
		" LEFT JOIN modelreg.artifact_check AS c ON c.sha256 = a.sha256"
		" WHERE c.verified_at IS NULL OR c.verified_at < $1"
		" OR c.verified_at > clock_timestamp()"
		" ORDER BY CASE WHEN c.verified_at <= clock_timestamp()"
		" THEN c.verified_at END NULLS FIRST, a.content LIMIT $2"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_CALLER,
									MR_VALUES(mr_value_time(since),
											  mr_value_int4(limit)));
	MrDue	   *next = palloc0(sizeof(MrDue) * Max(rows.count, 1));

	*due = next;
	while (mr_sql_next(&rows))
	{
		bool		isnull;

		/* a key that cannot be one is all zeros */
		(void) mr_digest_from_datum(mr_sql_datum(&rows, 1, &isnull),
									next->sha256);
		next->artifact_size = mr_sql_int8(&rows, 2);
		next++;
	}
	return rows.count;
}

/*
 * Notes that an artifact was verified now; problem is NULL if it is whole.
 */
void
mr_artifact_checks_note(const uint8 *sha256, const char *problem)
{
	static MrStatement statement = {
		"INSERT INTO modelreg.artifact_check (sha256, verified_at, problem)"
		" VALUES ($1, clock_timestamp(), $2) ON CONFLICT (sha256) DO UPDATE"
		" SET verified_at = excluded.verified_at, problem = excluded.problem"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_digest_value(sha256), mr_value_text(problem)));
}

/*
 * Forgets the artifacts that are no more.
 */
void
mr_artifact_checks_forget_gone(void)
{
	static MrStatement statement = {
		"DELETE FROM modelreg.artifact_check AS c WHERE NOT EXISTS"
		" (SELECT FROM modelreg.artifact AS a WHERE a.sha256 = c.sha256)"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST, MR_NO_VALUES);
}

/*
 * Forgets what was wrong with artifacts: some were healed, so these are
 * verified first the next time.
 */
void
mr_artifact_checks_forget_problems(void)
{
	static MrStatement statement = {
		"DELETE FROM modelreg.artifact_check WHERE problem IS NOT NULL"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST, MR_NO_VALUES);
}
