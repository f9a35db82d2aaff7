/*
 * Prepared statements that live as long as the session.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "base/plan.h"

/*
 * Runs the statement, preparing it if this is its first time; returns the
 * number of rows, which are in SPI_tuptable until the next run.
 */
uint64
mr_plan_run(MrPlan *plan, MrSight sight, const Datum *values,
			const char *nulls)
{
	int			code;

	if (plan->plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(plan->sql, plan->nargs, plan->types);

		if (prepared == NULL)
			elog(ERROR, "could not prepare \"%s\": %s", plan->sql,
				 SPI_result_code_string(SPI_result));
		if (SPI_keepplan(prepared) != 0)
			elog(ERROR, "could not keep the plan of \"%s\"", plan->sql);
		plan->plan = prepared;
	}

	if (sight == MR_SIGHT_PRESENT)
		code = SPI_execute_snapshot(plan->plan, unconstify(Datum *, values),
									nulls, GetLatestSnapshot(),
									InvalidSnapshot, false, false, 0);
	else
		code = SPI_execute_plan(plan->plan, unconstify(Datum *, values),
								nulls, sight == MR_SIGHT_ACTIVE, 0);
	if (code < 0)
		elog(ERROR, "could not execute \"%s\": %s", plan->sql,
			 SPI_result_code_string(code));
	return SPI_processed;
}

/*
 * Runs the statement on one or two rows of a table, second being NULL for one;
 * they are its parameters, whose type is the table's row type.
 */
uint64
mr_plan_run_on_rows(MrPlan *plan, HeapTuple first, HeapTuple second,
					TupleDesc desc)
{
	Datum		values[2];

	/* the type is another when the extension was created anew */
	if (plan->types[0] != desc->tdtypeid && plan->plan != NULL)
	{
		SPI_freeplan(plan->plan);
		plan->plan = NULL;
	}
	plan->types[0] = plan->types[1] = desc->tdtypeid;

	values[0] = heap_copy_tuple_as_datum(first, desc);
	if (second)
		values[1] = heap_copy_tuple_as_datum(second, desc);
	return mr_plan_run(plan, MR_SIGHT_LATEST, values, NULL);
}

/*
 * A value of the last run's result; rows count from 0, columns from 1.
 */
Datum
mr_plan_datum(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
						 column, isnull);
}

/*
 * The same as a C string, if its type is text; NULL if it is null.
 */
char *
mr_plan_text(uint64 row, int column)
{
	bool		isnull;
	Datum		value = mr_plan_datum(row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/*
 * The same, not null, copied to where it outlives SPI_finish.
 */
Datum
mr_plan_copy_out(uint64 row, int column)
{
	bool		isnull;
	Datum		value = mr_plan_datum(row, column, &isnull);

	if (isnull)
		elog(ERROR, "unexpected null in column %d", column);
	return SPI_datumTransfer(value, false, -1);
}

/*
 * Frees the last run's rows, which else stay until SPI_finish: for who runs a
 * statement thousands of times.  All that is needed of them must be copied.
 */
void
mr_plan_free_rows(void)
{
	SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = NULL;
}
