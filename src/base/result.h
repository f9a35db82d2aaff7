/*
 * Rows that an SQL-callable function returns.
 */
#ifndef MR_RESULT_H
#define MR_RESULT_H

#include "fmgr.h"

#include "base/value.h"

extern void mr_result_begin(FunctionCallInfo fcinfo);
extern void mr_result_add(FunctionCallInfo fcinfo, int nvalues,
						  const MrValue *values);
extern void mr_result_add_row(FunctionCallInfo fcinfo, HeapTuple row);

#endif							/* MR_RESULT_H */
