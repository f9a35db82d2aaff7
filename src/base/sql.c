/*
 * Statements that are prepared once in a session, and their rows.
 *
 * All SQL of the library runs through here.  The types of a statement's
 * parameters are those of the values that it is run with.
 */
#include "postgres.h"

#include "utils/snapmgr.h"

#include "base/call.h"
#include "base/sql.h"

static void prepare_statement(MrStatement *statement, int nvalues,
							  const MrValue *values);
static bool has_other_types(const MrStatement *statement, int nvalues,
							const MrValue *values);
static void split_values(int nvalues, const MrValue *values, Datum *datums,
						 char *nulls);
static Datum required_column(const MrRows *rows, int column);

/*
 * Runs a statement whose rows nobody needs; returns how many there were, or
 * were written.
 */
uint64
mr_sql_run(MrStatement *statement, MrSight sight, int nvalues,
		   const MrValue *values)
{
	MrRows		rows = mr_sql_query(statement, sight, nvalues, values);

	mr_sql_end(&rows);
	return rows.count;
}

/*
 * Runs a statement and returns its rows.
 */
MrRows
mr_sql_query(MrStatement *statement, MrSight sight, int nvalues,
			 const MrValue *values)
{
	Datum		datums[MR_SQL_MAX_VALUES];
	char		nulls[MR_SQL_MAX_VALUES];
	MrRows		rows = {0};
	MrUser		user;
	int			code;

	if (sight == MR_SIGHT_CALLER)
		mr_call_become_actor(&user);
	prepare_statement(statement, nvalues, values);
	split_values(nvalues, values, datums, nulls);
	if (sight == MR_SIGHT_PRESENT)
		code = SPI_execute_snapshot(statement->plan, datums, nulls,
									GetLatestSnapshot(), InvalidSnapshot,
									false, false, 0);
	else
		code = SPI_execute_plan(statement->plan, datums, nulls,
								sight == MR_SIGHT_ACTIVE, 0);
	if (sight == MR_SIGHT_CALLER)
		mr_call_become(&user);
	if (code < 0)
		elog(ERROR, "could not execute \"%s\": %s", statement->text,
			 SPI_result_code_string(code));
	rows.count = SPI_processed;
	rows.table = SPI_tuptable;
	return rows;
}

/*
 * The same for a statement that writes.  If a unique constraint does not allow
 * that, returns its name, else NULL; the transaction must then fail.
 */
char *
mr_sql_try_query(MrStatement *statement, int nvalues, const MrValue *values,
				 MrRows *rows)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *volatile constraint = NULL;

	PG_TRY();
	{
		*rows = mr_sql_query(statement, MR_SIGHT_LATEST, nvalues, values);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		if (geterrcode() != ERRCODE_UNIQUE_VIOLATION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		constraint = pstrdup(error->constraint_name ?
							 error->constraint_name : "");
	}
	PG_END_TRY();
	return constraint;
}

/*
 * The first column of the first row, if its type is text, in the present
 * context; NULL if that is null, or there is no row.
 */
char *
mr_sql_query_text(MrStatement *statement, MrSight sight, int nvalues,
				  const MrValue *values)
{
	MrRows		rows = mr_sql_query(statement, sight, nvalues, values);
	char	   *text = NULL;

	if (mr_sql_next(&rows))
		text = mr_sql_text(&rows, 1);

	mr_sql_end(&rows);
	return text;
}

/*
 * The first column of the one row, which is not null, copied to where it
 * outlives the call (see mr_call_as_owner).
 */
Datum
mr_sql_query_datum(MrStatement *statement, MrSight sight, int nvalues,
				   const MrValue *values)
{
	MrRows		rows = mr_sql_query(statement, sight, nvalues, values);
	Datum		datum;

	if (!mr_sql_next(&rows))
		elog(ERROR, "\"%s\" found no row", statement->text);
	datum = mr_sql_copy_out(&rows, 1);
	mr_sql_end(&rows);
	return datum;
}

/*
 * Opens a cursor on a query, which reads by the active snapshot.
 */
Portal
mr_sql_open(MrStatement *statement, int nvalues, const MrValue *values)
{
	Datum		datums[MR_SQL_MAX_VALUES];
	char		nulls[MR_SQL_MAX_VALUES];

	prepare_statement(statement, nvalues, values);
	split_values(nvalues, values, datums, nulls);
	return SPI_cursor_open(NULL, statement->plan, datums, nulls, true);
}

/*
 * Up to so many further rows of a cursor.
 */
MrRows
mr_sql_fetch(Portal cursor, long count)
{
	MrRows		rows = {0};

	SPI_cursor_fetch(cursor, true, count);
	rows.count = SPI_processed;
	rows.table = SPI_tuptable;
	return rows;
}

/*
 * Goes to the next row; frees all and returns false if there is none.
 */
bool
mr_sql_next(MrRows *rows)
{
	if (rows->table == NULL || rows->next == rows->count)
	{
		mr_sql_end(rows);
		return false;
	}
	rows->row = rows->table->vals[rows->next++];
	rows->desc = rows->table->tupdesc;
	return true;
}

/*
 * Frees the rows, whichever is the present one.
 */
void
mr_sql_end(MrRows *rows)
{
	if (rows->table != NULL)
		SPI_freetuptable(rows->table);
	rows->table = NULL;
	rows->row = NULL;
	rows->desc = NULL;
}

/*
 * A column as it is, valid until the rows are freed.
 */
Datum
mr_sql_datum(const MrRows *rows, int column, bool *isnull)
{
	return SPI_getbinval(rows->row, rows->desc, column, isnull);
}

/*
 * A column that is not null, copied to where it outlives the call (see
 * mr_call_as_owner).
 */
Datum
mr_sql_copy_out(const MrRows *rows, int column)
{
	Form_pg_attribute attribute = TupleDescAttr(rows->desc, column - 1);

	return SPI_datumTransfer(required_column(rows, column),
							 attribute->attbyval, attribute->attlen);
}

/*
 * A text column as a C string in the present context; NULL if it is null.
 */
char *
mr_sql_text(const MrRows *rows, int column)
{
	bool		isnull;
	Datum		datum = mr_sql_datum(rows, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(datum);
}

/*
 * The first column of all rows, which must be texts without a null, as C
 * strings in the present context; returns how many.
 */
uint64
mr_sql_texts(MrRows rows, char ***texts)
{
	char	  **next = palloc(sizeof(char *) * Max(rows.count, 1));

	*texts = next;
	while (mr_sql_next(&rows))
		*next++ = mr_sql_text(&rows, 1);
	return rows.count;
}

bool
mr_sql_bool(const MrRows *rows, int column)
{
	return DatumGetBool(required_column(rows, column));
}

int32
mr_sql_int4(const MrRows *rows, int column)
{
	return DatumGetInt32(required_column(rows, column));
}

int64
mr_sql_int8(const MrRows *rows, int column)
{
	return DatumGetInt64(required_column(rows, column));
}

TimestampTz
mr_sql_time(const MrRows *rows, int column)
{
	return DatumGetTimestampTz(required_column(rows, column));
}

pg_uuid_t
mr_sql_uuid(const MrRows *rows, int column)
{
	return *DatumGetUUIDP(required_column(rows, column));
}

/*
 * Prepares a statement, unless that is done.
 */
static void
prepare_statement(MrStatement *statement, int nvalues, const MrValue *values)
{
	SPIPlanPtr	plan;

	Assert(nvalues <= MR_SQL_MAX_VALUES);
	if (statement->plan != NULL)
	{
		if (!has_other_types(statement, nvalues, values))
			return;
		SPI_freeplan(statement->plan);
		statement->plan = NULL;
	}

	for (int i = 0; i < nvalues; i++)
		statement->types[i] = values[i].type;
	plan = SPI_prepare(statement->text, nvalues, statement->types);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", statement->text,
			 SPI_result_code_string(SPI_result));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep the plan of \"%s\"", statement->text);
	statement->plan = plan;
}

/*
 * A table's row type is another when the extension was created anew.
 */
static bool
has_other_types(const MrStatement *statement, int nvalues,
				const MrValue *values)
{
	for (int i = 0; i < nvalues; i++)
	{
		if (statement->types[i] != values[i].type)
			return true;
	}
	return false;
}

/*
 * Values in the form that SPI takes.
 */
static void
split_values(int nvalues, const MrValue *values, Datum *datums, char *nulls)
{
	for (int i = 0; i < nvalues; i++)
	{
		datums[i] = values[i].datum;
		nulls[i] = values[i].isnull ? 'n' : ' ';
	}
}

static Datum
required_column(const MrRows *rows, int column)
{
	bool		isnull;
	Datum		datum = mr_sql_datum(rows, column, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("unexpected null in a row of modelreg"),
				 errhint("Run modelreg_audit_verify() and modelreg_verify().")));
	return datum;
}
