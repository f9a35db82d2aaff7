/*
 * Statements that are prepared once in a session, and their rows.
 */
#ifndef MR_SQL_H
#define MR_SQL_H

#include "executor/spi.h"

#include "base/value.h"

#define MR_SQL_MAX_VALUES 24

/* Only the text is given; the rest is filled in by the first run */
typedef struct MrStatement
{
	const char *text;
	SPIPlanPtr	plan;			/* NULL: not prepared yet */
	Oid			types[MR_SQL_MAX_VALUES];	/* that it was prepared for */
} MrStatement;

/* How a statement sees the database */
typedef enum MrSight
{
	MR_SIGHT_ACTIVE,			/* read only, by the active snapshot */
	MR_SIGHT_LATEST,			/* by a new snapshot, the transaction's above
								 * READ COMMITTED; may write */
	MR_SIGHT_PRESENT,			/* by a new snapshot whatever the isolation
								 * level; reads only */
	MR_SIGHT_CALLER				/* as MR_SIGHT_LATEST, but with the rights of
								 * the actor: what row-level security hides
								 * from him is not there */
} MrSight;

/*
 * The rows of a statement: mr_sql_next goes to the first, and then to the next.
 * They are freed when there is no next one, or by mr_sql_end.
 */
typedef struct MrRows
{
	HeapTuple	row;			/* the present one */
	TupleDesc	desc;
	uint64		count;			/* of all */

	uint64		next;			/* number of the row after the present one */
	SPITupleTable *table;		/* NULL: freed */
} MrRows;

extern uint64 mr_sql_run(MrStatement *statement, MrSight sight, int nvalues,
						 const MrValue *values);
extern MrRows mr_sql_query(MrStatement *statement, MrSight sight, int nvalues,
						   const MrValue *values);
extern char *mr_sql_try_query(MrStatement *statement, int nvalues,
							  const MrValue *values, MrRows *rows);
extern char *mr_sql_query_text(MrStatement *statement, MrSight sight,
							   int nvalues, const MrValue *values);
extern Datum mr_sql_query_datum(MrStatement *statement, MrSight sight,
								int nvalues, const MrValue *values);
extern Portal mr_sql_open(MrStatement *statement, int nvalues,
						  const MrValue *values);
extern MrRows mr_sql_fetch(Portal cursor, long count);

extern bool mr_sql_next(MrRows *rows);
extern void mr_sql_end(MrRows *rows);

/* Columns of the present row, which count from 1 */
extern Datum mr_sql_datum(const MrRows *rows, int column, bool *isnull);
extern Datum mr_sql_copy_out(const MrRows *rows, int column);
extern char *mr_sql_text(const MrRows *rows, int column);
extern uint64 mr_sql_texts(MrRows rows, char ***texts);
extern bool mr_sql_bool(const MrRows *rows, int column);
extern int32 mr_sql_int4(const MrRows *rows, int column);
extern int64 mr_sql_int8(const MrRows *rows, int column);
extern TimestampTz mr_sql_time(const MrRows *rows, int column);
extern pg_uuid_t mr_sql_uuid(const MrRows *rows, int column);

#endif							/* MR_SQL_H */
