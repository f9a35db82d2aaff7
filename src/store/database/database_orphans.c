/*
 * Artifacts in the database: what is stored but belongs to nothing.
 *
 * The tables are read from the contents down to the pieces, and what the table
 * above does not know is reported.  What is missing is not reported here:
 * reading the artifact tells.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"

#include "base/sql.h"
#include "base/uuid7.h"
#include "store/database/database.h"

/* Contents that have a list, but that nothing refers to */
static MrStatement unknown_contents = {
	"SELECT DISTINCT l.content FROM modelreg.artifact_chunk AS l"
	" WHERE NOT EXISTS (SELECT FROM modelreg.artifact AS a"
	" WHERE a.content = l.content)"
	" AND NOT EXISTS (SELECT FROM modelreg.upload AS u"
	" WHERE u.upload_id = l.content)"
	" AND NOT EXISTS (SELECT FROM modelreg.discarded_content AS d"
	" WHERE d.content = l.content)"
};

/* Chunks that are on no list */
static MrStatement unlisted_chunks = {
	"SELECT c.chunk FROM modelreg.chunk AS c WHERE NOT EXISTS"
	" (SELECT FROM modelreg.artifact_chunk AS l WHERE l.chunk = c.chunk)"
};

/*
 * Chunks that have pieces but no row.  The pieces are all the bytes that there
 * are, so the index is asked once for each gap between two chunks whether there
 * are any, and again only behind what was found.  The two keys that bound all
 * gaps are looked for apart.
 */
#define LEAST_UUID "'00000000-0000-0000-0000-000000000000'::uuid"
#define GREATEST_UUID "'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid"
#define FIRST_PIECE_BETWEEN(gap) \
	"(SELECT p.chunk FROM modelreg.chunk_piece AS p" \
	" WHERE p.chunk > " gap ".chunk AND p.chunk < " gap ".next" \
	" ORDER BY p.chunk LIMIT 1)"

static MrStatement unknown_pieces = {
	"WITH RECURSIVE gap AS ("
	"SELECT b.chunk, lead(b.chunk, 1, " GREATEST_UUID ")"
	" OVER (ORDER BY b.chunk) AS next"
	" FROM (SELECT " LEAST_UUID " AS chunk"
	" UNION ALL SELECT c.chunk FROM modelreg.chunk AS c) AS b"
	"), orphan AS ("
	"SELECT f.chunk, gap.next FROM gap"
	" CROSS JOIN LATERAL " FIRST_PIECE_BETWEEN("gap") " AS f"
	" UNION ALL "
	"SELECT f.chunk, orphan.next FROM orphan"
	" CROSS JOIN LATERAL " FIRST_PIECE_BETWEEN("orphan") " AS f"
	") SELECT chunk FROM orphan"
	" UNION SELECT p.chunk FROM modelreg.chunk_piece AS p"
	" WHERE p.chunk IN (" LEAST_UUID ", " GREATEST_UUID ")"
	" AND NOT EXISTS"
	" (SELECT FROM modelreg.chunk AS c WHERE c.chunk = p.chunk)"
};

/* Rows that are taken from a cursor at a time */
#define FETCH_ORPHANS 1000

static void report_keys(MrStatement *statement, const char *problem,
						MrStorageReport report, void *arg);

/*
 * Report what belongs to nothing, by the active snapshot.
 */
void
mr_database_orphans(MrStorageReport report, void *arg)
{
	/* until the call ends: merge joins spill nothing, and to compile is dear */
	(void) set_config_option("enable_hashjoin", "off", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);

	report_keys(&unknown_contents,
				"content %s has chunks but is that of no artifact", report, arg);
	report_keys(&unlisted_chunks, "chunk %s is part of no artifact", report,
				arg);
	report_keys(&unknown_pieces,
				"chunk %s has pieces but no row in modelreg.chunk", report, arg);
}

static void
report_keys(MrStatement *statement, const char *problem,
			MrStorageReport report, void *arg)
{
	Portal		cursor = mr_sql_open(statement, MR_NO_VALUES);
	uint64		fetched;

	do
	{
		MrRows		rows = mr_sql_fetch(cursor, FETCH_ORPHANS);

		CHECK_FOR_INTERRUPTS();
		fetched = rows.count;
		while (mr_sql_next(&rows))
		{
			pg_uuid_t	key = mr_sql_uuid(&rows, 1);
			char	   *line = psprintf(problem, mr_uuid7_text(&key));

			report(arg, line);
			pfree(line);
		}
	} while (fetched > 0);
	SPI_cursor_close(cursor);
}
