/*
 * Columns of a row by their names: a table may have gained others since, and
 * have lost some.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"

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
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("column \"%s\" of a row of modelreg is null", column),
				 errhint("Run modelreg_audit_verify() and modelreg_verify().")));
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

/*
 * Whether an UPDATE gives the column, counted from 1, another value.
 */
bool
mr_tuple_changed(HeapTuple before, HeapTuple after, TupleDesc desc,
				 int attno)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, attno - 1);
	Datum		old_value;
	Datum		new_value;
	bool		old_null;
	bool		new_null;

	if (attribute->attisdropped)
		return false;
	old_value = heap_getattr(before, attno, desc, &old_null);
	new_value = heap_getattr(after, attno, desc, &new_null);
	if (old_null || new_null)
		return old_null != new_null;
	return !datum_image_eq(old_value, new_value, attribute->attbyval,
						   attribute->attlen);
}
