/*
 * Arguments of SQL-callable functions, nulls included.
 */
#ifndef MR_ARG_H
#define MR_ARG_H

#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

/* A text argument as a C string; NULL if it is null. */
static inline char *
mr_arg_text(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* A boolean argument, or the default if it is null. */
static inline bool
mr_arg_bool(FunctionCallInfo fcinfo, int n, bool default_value)
{
	return PG_ARGISNULL(n) ? default_value : PG_GETARG_BOOL(n);
}

/* Any argument with its null flag. */
static inline NullableDatum
mr_arg_nullable(FunctionCallInfo fcinfo, int n)
{
	return fcinfo->args[n];
}

/* A text[] argument; NULL if it is null. */
static inline ArrayType *
mr_arg_array(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : PG_GETARG_ARRAYTYPE_P(n);
}

/* A text argument that must not be null (22023); what is its name. */
static inline char *
mr_arg_required_text(FunctionCallInfo fcinfo, int n, const char *what)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be null", what)));
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* The same of type uuid. */
static inline pg_uuid_t *
mr_arg_required_uuid(FunctionCallInfo fcinfo, int n, const char *what)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be null", what)));
	return PG_GETARG_UUID_P(n);
}

#endif							/* MR_ARG_H */
