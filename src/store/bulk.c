/*
 * Many new rows for a table.
 *
 * Rows are written as COPY writes them: in batches, with their index entries,
 * by the table access method.  No trigger fires, no constraint but the indexes
 * is checked, and no permission is asked for.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"

#include "base/compat.h"
#include "store/bulk.h"

/* How many rows are inserted at a time: 512 kB, if a row fills its page. */
#define BATCH_ROWS 64

/* A table that rows are being written to */
struct MrBulk
{
	EState	   *estate;			/* its memory context holds all of this */
	Relation	rel;
	ResultRelInfo *result_rel;	/* rel and its open indexes */
	MrBulkRing *ring;			/* for rows that fill a page, else NULL */
	CommandId	cid;			/* the command that writes */
	int			nslots;			/* rows in the batch */
	TupleTableSlot *slots[BATCH_ROWS];	/* the rows; made when first needed */
};

static void flush_bulk(MrBulk *bulk);

/*
 * Begin to write rows to a table that is open with RowExclusiveLock; ring is
 * for rows that fill a page, else NULL.  Memory is taken from a child of the
 * current context.
 */
MrBulk *
mr_bulk_begin(Relation rel, MrBulkRing *ring)
{
	EState	   *estate = CreateExecutorState();
	MemoryContext oldcontext = MemoryContextSwitchTo(estate->es_query_cxt);
	MrBulk	   *bulk = palloc0(sizeof(MrBulk));

	bulk->estate = estate;
	bulk->rel = rel;
	bulk->result_rel = makeNode(ResultRelInfo);
	InitResultRelInfo(bulk->result_rel, bulk->rel, 0, NULL, 0);
	ExecOpenIndices(bulk->result_rel, false);
	bulk->ring = ring;
	bulk->cid = GetCurrentCommandId(true);

	MemoryContextSwitchTo(oldcontext);
	return bulk;
}

/*
 * Add a row, which is copied.  Columns beyond the given ones, which a later
 * version of the extension may have added, are NULL.
 */
void
mr_bulk_insert(MrBulk *bulk, const Datum *values, int nvalues)
{
	TupleDesc	desc = RelationGetDescr(bulk->rel);
	TupleTableSlot *slot = bulk->slots[bulk->nslots];

	if (slot == NULL)
	{
		MemoryContext oldcontext;

		oldcontext = MemoryContextSwitchTo(bulk->estate->es_query_cxt);
		slot = ExecInitExtraTupleSlot(bulk->estate, desc, &TTSOpsHeapTuple);
		bulk->slots[bulk->nslots] = slot;
		MemoryContextSwitchTo(oldcontext);
	}

	memcpy(slot->tts_values, values, nvalues * sizeof(Datum));
	memset(slot->tts_isnull, false, nvalues * sizeof(bool));
	memset(slot->tts_isnull + nvalues, true,
		   (desc->natts - nvalues) * sizeof(bool));
	ExecStoreVirtualTuple(slot);
	ExecMaterializeSlot(slot);

	if (++bulk->nslots == BATCH_ROWS)
		flush_bulk(bulk);
}

/*
 * Insert what is left, close the table but keep its lock, and free all.  The
 * next command sees the rows.
 */
void
mr_bulk_end(MrBulk *bulk)
{
	flush_bulk(bulk);

	/* no pin outlives the statement, but the ring does */
	if (bulk->ring != NULL && bulk->ring->state != NULL)
		ReleaseBulkInsertStatePin(bulk->ring->state);
	table_finish_bulk_insert(bulk->rel, 0);
	ExecResetTupleTable(bulk->estate->es_tupleTable, false);
	ExecCloseIndices(bulk->result_rel);
	table_close(bulk->rel, NoLock);
	FreeExecutorState(bulk->estate);
}

/*
 * Insert the batch and its index entries.
 */
static void
flush_bulk(MrBulk *bulk)
{
	MemoryContext oldcontext;
	int			i;

	if (bulk->nslots == 0)
		return;

	/* a small artifact is over before the ring would pay */
	if (bulk->ring != NULL && bulk->ring->state == NULL &&
		bulk->nslots == BATCH_ROWS)
	{
		oldcontext = MemoryContextSwitchTo(bulk->ring->context);
		bulk->ring->state = GetBulkInsertState();
		MemoryContextSwitchTo(oldcontext);
	}

	oldcontext = MemoryContextSwitchTo(GetPerTupleMemoryContext(bulk->estate));
	table_multi_insert(bulk->rel, bulk->slots, bulk->nslots, bulk->cid, 0,
					   bulk->ring != NULL ? bulk->ring->state : NULL);
	for (i = 0; i < bulk->nslots; i++)
	{
		mr_compat_insert_index_tuples(bulk->result_rel, bulk->slots[i],
									  bulk->estate);
		ExecClearTuple(bulk->slots[i]);
	}
	bulk->nslots = 0;

	MemoryContextSwitchTo(oldcontext);
	ResetPerTupleExprContext(bulk->estate);
}
