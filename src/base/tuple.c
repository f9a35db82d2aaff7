/*
 * Columns of a row by their names: a table may have gained others since, and
 * have lost some.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/builtins.h"

#include "base/tuple.h"

/*
 * A column that must be there.
 */
Datum
mr_tuple_nullable(HeapTuple row, TupleDesc desc, const char *column,
				  bool *isnull)
{
	int			number = SPI_fnumber(desc, column);

	if (number <= 0)
		elog(ERROR, "row of modelreg has no column \"%s\"", column);
	return heap_getattr(row, number, desc, isnull);
}

/*
 * The same of a column that is never null: the guards see to that.
 */
Datum
mr_tuple_datum(HeapTuple row, TupleDesc desc, const char *column)
{
	bool		isnull;
	Datum		datum = mr_tuple_nullable(row, desc, column, &isnull);

	if (isnull)
		elog(ERROR, "column \"%s\" of a row of modelreg is null", column);
	return datum;
}

/*
 * The same as a C string, if its type is text.
 */
char *
mr_tuple_text(HeapTuple row, TupleDesc desc, const char *column)
{
	return TextDatumGetCString(mr_tuple_datum(row, desc, column));
}
