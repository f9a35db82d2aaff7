/*
 * The table modelreg.artifact_check.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "base/plan.h"
#include "bytes/digest.h"
#include "rows/artifact_checks.h"

/*
 * Up to limit artifacts that were not verified since, those that never were
 * first, then the least recently verified.
 */
uint64
mr_check_due(TimestampTz since, int limit, MrDue **due)
{
	static MrPlan plan = {
		"SELECT a.sha256, a.artifact_size FROM modelreg.artifact AS a"
		" LEFT JOIN modelreg.artifact_check AS c ON c.sha256 = a.sha256"
		" WHERE c.verified_at IS NULL OR c.verified_at < $1"
		" ORDER BY c.verified_at NULLS FIRST, a.stored_at, a.sha256 LIMIT $2",
		2, {TIMESTAMPTZOID, INT4OID}
	};
	Datum		values[2];
	uint64		count;

	values[0] = TimestampTzGetDatum(since);
	values[1] = Int32GetDatum(limit);
	count = mr_plan_run(&plan, MR_SIGHT_LATEST, values, NULL);
	*due = palloc0(sizeof(MrDue) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;
		bytea	   *sha256 = DatumGetByteaPP(mr_plan_datum(i, 1, &isnull));

		memcpy((*due)[i].sha256, VARDATA_ANY(sha256),
			   Min(VARSIZE_ANY_EXHDR(sha256), MR_SHA256_LEN));
		(*due)[i].artifact_size = DatumGetInt64(mr_plan_datum(i, 2, &isnull));
	}
	return count;
}

/*
 * Notes that an artifact was verified now; problem is NULL if it is whole.
 */
void
mr_check_note(const uint8 *sha256, const char *problem)
{
	static MrPlan plan = {
		"INSERT INTO modelreg.artifact_check (sha256, verified_at, problem)"
		" VALUES ($1, clock_timestamp(), $2) ON CONFLICT (sha256) DO UPDATE"
		" SET verified_at = excluded.verified_at, problem = excluded.problem",
		2, {BYTEAOID, TEXTOID}
	};
	Datum		values[2];
	char		nulls[2] = {' ', problem ? ' ' : 'n'};

	values[0] = PointerGetDatum(mr_digest_bytea(sha256));
	values[1] = problem ? CStringGetTextDatum(problem) : (Datum) 0;
	mr_plan_run(&plan, MR_SIGHT_LATEST, values, nulls);
}

/*
 * Forgets the artifacts that are no more.
 */
void
mr_check_forget_gone(void)
{
	static MrPlan plan = {
		"DELETE FROM modelreg.artifact_check AS c WHERE NOT EXISTS"
		" (SELECT FROM modelreg.artifact AS a WHERE a.sha256 = c.sha256)",
		0, {InvalidOid}
	};

	mr_plan_run(&plan, MR_SIGHT_LATEST, NULL, NULL);
}

/*
 * Forgets what was wrong with artifacts: some were healed, so these are
 * verified first the next time.
 */
void
mr_check_forget_problems(void)
{
	static MrPlan plan = {
		"DELETE FROM modelreg.artifact_check WHERE problem IS NOT NULL",
		0, {InvalidOid}
	};

	mr_plan_run(&plan, MR_SIGHT_LATEST, NULL, NULL);
}
