/*
 * Rows that an SQL-callable function returns, all at once.
 */
#include "postgres.h"

#include "funcapi.h"

#include "base/result.h"

/*
 * Begins a result, which is empty at first.
 */
void
mr_result_begin(FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, 0);
}

/*
 * Adds a row of these columns.
 */
void
mr_result_add(FunctionCallInfo fcinfo, int nvalues, const MrValue *values)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		datums[MaxTupleAttributeNumber];
	bool		nulls[MaxTupleAttributeNumber];

	Assert(nvalues == result->setDesc->natts);
	for (int i = 0; i < nvalues; i++)
	{
		datums[i] = values[i].datum;
		nulls[i] = values[i].isnull;
	}
	tuplestore_putvalues(result->setResult, result->setDesc, datums, nulls);
}

/*
 * Adds a row that is there already.
 */
void
mr_result_add_row(FunctionCallInfo fcinfo, HeapTuple row)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	tuplestore_puttuple(result->setResult, row);
}
