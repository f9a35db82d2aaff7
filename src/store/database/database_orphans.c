/*
 * Artifacts in the database: what is stored but belongs to nothing.
 *
 * The tables are read from the contents down to the pieces, and what the table
 * above does not know is reported.  What is missing is not reported here:
 * reading the artifact tells.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "base/uuid7.h"
#include "store/database/database.h"
#include "store/storage.h"
#include "store/table.h"

/* A chunk, as seen from both sides */
typedef struct ChunkSeen
{
	pg_uuid_t	chunk;			/* hash key */
	bool		listed;			/* an artifact_chunk refers to it */
	bool		stored;			/* it has a row in modelreg.chunk */
} ChunkSeen;

/* The search, with what it has seen so far */
typedef struct OrphanSearch
{
	Snapshot	snapshot;
	MrStorageReport report;		/* takes what is found, with arg */
	void	   *arg;
	HTAB	   *contents;		/* keys of contents */
	HTAB	   *chunks;			/* ChunkSeens */
} OrphanSearch;

static void read_contents(OrphanSearch *search, const char *table,
						  int column);
static void read_lists(OrphanSearch *search);
static void read_chunks(OrphanSearch *search);
static void read_pieces(OrphanSearch *search);
static HTAB *create_hash(const char *name, Size keysize, Size entrysize);
static ChunkSeen *enter_chunk(OrphanSearch *search, const pg_uuid_t *chunk);
static pg_uuid_t *get_uuid(Relation rel, HeapTuple tuple, int column);

/*
 * Report what belongs to nothing.  Holds some 50 bytes for each chunk.
 */
void
mr_database_orphans(Snapshot snapshot, MrStorageReport report, void *arg)
{
	OrphanSearch search = {snapshot, report, arg};
	MemoryContext context;
	MemoryContext oldcontext;

	context = AllocSetContextCreate(CurrentMemoryContext, "modelreg orphans",
									ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(context);

	search.contents = create_hash("modelreg contents", sizeof(pg_uuid_t),
								  sizeof(pg_uuid_t));
	search.chunks = create_hash("modelreg chunks", sizeof(pg_uuid_t),
								sizeof(ChunkSeen));
	read_contents(&search, "artifact", ARTIFACT_CONTENT);
	read_contents(&search, "upload", UPLOAD_UPLOAD_ID);
	read_contents(&search, "discarded_content", DISCARDED_CONTENT);
	read_lists(&search);
	read_chunks(&search);
	read_pieces(&search);

	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);
}

/*
 * Collect the contents that a table refers to.
 */
static void
read_contents(OrphanSearch *search, const char *table, int column)
{
	Relation	rel = mr_table_open(table, AccessShareLock);
	SysScanDesc scan;
	HeapTuple	tuple;

	scan = systable_beginscan(rel, InvalidOid, false, search->snapshot, 0,
							  NULL);
	while ((tuple = systable_getnext(scan)) != NULL)
	{
		const pg_uuid_t *content = get_uuid(rel, tuple, column);

		CHECK_FOR_INTERRUPTS();
		if (content != NULL)
			hash_search(search->contents, content, HASH_ENTER, NULL);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/*
 * Collect the chunks that are listed.  Reports lists of contents that nothing
 * refers to.
 */
static void
read_lists(OrphanSearch *search)
{
	Relation	rel = mr_table_open("artifact_chunk", AccessShareLock);
	SysScanDesc scan;
	HeapTuple	tuple;

	scan = systable_beginscan(rel, InvalidOid, false, search->snapshot, 0,
							  NULL);
	while ((tuple = systable_getnext(scan)) != NULL)
	{
		const pg_uuid_t *content = get_uuid(rel, tuple, LIST_CONTENT);
		pg_uuid_t  *chunk = get_uuid(rel, tuple, LIST_CHUNK);
		bool		found;

		CHECK_FOR_INTERRUPTS();
		if (content != NULL)
		{
			/* Once reported, a content is entered and so not repeated. */
			hash_search(search->contents, content, HASH_ENTER, &found);
			if (!found)
				search->report(search->arg,
							   psprintf("content %s has chunks but is that of no artifact",
										mr_uuid_text(content)));
		}
		if (chunk != NULL)
			enter_chunk(search, chunk)->listed = true;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/*
 * Collect the chunks that are stored.  Reports those that are on no list.
 */
static void
read_chunks(OrphanSearch *search)
{
	Relation	rel = mr_table_open("chunk", AccessShareLock);
	SysScanDesc scan;
	HeapTuple	tuple;

	scan = systable_beginscan(rel, InvalidOid, false, search->snapshot, 0,
							  NULL);
	while ((tuple = systable_getnext(scan)) != NULL)
	{
		pg_uuid_t  *chunk = get_uuid(rel, tuple, CHUNK_CHUNK);
		ChunkSeen  *seen;

		CHECK_FOR_INTERRUPTS();
		if (chunk == NULL)
			continue;
		seen = enter_chunk(search, chunk);
		if (!seen->listed && !seen->stored)
			search->report(search->arg,
						   psprintf("chunk %s is part of no artifact",
									mr_uuid_text(chunk)));
		seen->stored = true;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/*
 * Report pieces of chunks that are not stored.  The pieces are all the bytes
 * that there are, so look only at the first of each chunk, jumping from chunk
 * to chunk in the index.
 */
static void
read_pieces(OrphanSearch *search)
{
	MrIndexedTable pieces = mr_table_open_indexed("chunk_piece", NULL,
												  AccessShareLock);
	StrategyNumber strategy = BTGreaterEqualStrategyNumber;
	RegProcedure procedure = F_UUID_GE;
	pg_uuid_t	last = MR_UUID_NIL;
	pg_uuid_t  *chunk;

	do
	{
		SysScanDesc scan;
		HeapTuple	tuple;

		CHECK_FOR_INTERRUPTS();
		scan = mr_table_scan(&pieces, strategy, procedure,
							 UUIDPGetDatum(&last), search->snapshot);
		tuple = systable_getnext_ordered(scan, ForwardScanDirection);
		chunk = tuple ? get_uuid(pieces.rel, tuple, PIECE_CHUNK) : NULL;
		if (chunk != NULL)
		{
			ChunkSeen  *seen = hash_search(search->chunks, chunk, HASH_FIND,
										   NULL);

			if (seen == NULL || !seen->stored)
				search->report(search->arg,
							   psprintf("chunk %s has pieces but no row in modelreg.chunk",
										mr_uuid_text(chunk)));
			last = *chunk;
			strategy = BTGreaterStrategyNumber;
			procedure = F_UUID_GT;
		}
		systable_endscan_ordered(scan);
	} while (chunk != NULL);

	mr_table_close_indexed(&pieces);
}

/*
 * Create a hash table in the current memory context.
 */
static HTAB *
create_hash(const char *name, Size keysize, Size entrysize)
{
	HASHCTL		ctl = {0};

	ctl.keysize = keysize;
	ctl.entrysize = entrysize;
	ctl.hcxt = CurrentMemoryContext;
	return hash_create(name, 1024, &ctl,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * Find or enter a chunk.
 */
static ChunkSeen *
enter_chunk(OrphanSearch *search, const pg_uuid_t *chunk)
{
	bool		found;
	ChunkSeen  *seen = hash_search(search->chunks, chunk, HASH_ENTER, &found);

	if (!found)
	{
		seen->listed = false;
		seen->stored = false;
	}
	return seen;
}

/*
 * Get a column that is a UUID, or NULL.
 */
static pg_uuid_t *
get_uuid(Relation rel, HeapTuple tuple, int column)
{
	bool		isnull;
	Datum		datum = heap_getattr(tuple, column, RelationGetDescr(rel),
									 &isnull);

	return isnull ? NULL : DatumGetUUIDP(datum);
}
