/*
 * Finding and listing versions.
 *
 * All of it reads only: no locks beyond AccessShareLock, no writes, by the
 * active snapshot, so it works on a hot standby.  Versions are looked up with
 * the rights of the caller, so grants and row-level security hold.
 */
#include "postgres.h"

#include "access/tupconvert.h"
#include "funcapi.h"
#include "miscadmin.h"

#include "api/filter_args.h"
#include "base/arg.h"
#include "base/call.h"
#include "base/clip.h"
#include "base/result.h"
#include "base/sql.h"
#include "rows/versions.h"

/* Rows that a listing takes from its cursor at a time */
#define FETCH_VERSIONS 1000

/* Arguments of modelreg_list behind the filters */
enum
{
	ARG_MAX_ROWS = FILTER_ARGS,
	ARG_BEFORE_ID
};

MR_READER_FUNCTION(modelreg_find_latest, find_latest);
MR_READER_FUNCTION(modelreg_list, list_versions);

static void return_versions(FunctionCallInfo fcinfo, const MrFilter *filter);

static Datum
find_latest(FunctionCallInfo fcinfo)
{
	MrFilter	filter;

	mr_filter_args_read(fcinfo, &filter);
	filter.max_rows.value = Int64GetDatum(1);
	filter.max_rows.isnull = false;
	return_versions(fcinfo, &filter);
	return (Datum) 0;
}

static Datum
list_versions(FunctionCallInfo fcinfo)
{
	MrFilter	filter;

	mr_filter_args_read(fcinfo, &filter);

	if (!PG_ARGISNULL(ARG_MAX_ROWS))
	{
		if (PG_GETARG_INT32(ARG_MAX_ROWS) < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("max_rows must not be negative")));
		filter.max_rows.value =
			Int64GetDatum(PG_GETARG_INT32(ARG_MAX_ROWS));
		filter.max_rows.isnull = false;
	}
	if (!PG_ARGISNULL(ARG_BEFORE_ID))
	{
		char	   *before_id = mr_arg_text(fcinfo, ARG_BEFORE_ID);
		char	   *model_name = mr_arg_text(fcinfo, ARG_MODEL_NAME);
		MrVersion	before;

		if (!mr_versions_get(before_id, MR_SIGHT_ACTIVE, &before))
			mr_versions_raise_unknown(before_id);
		if (model_name && strcmp(model_name, before.model_name) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("before_id \"%s\" is no version of model \"%s\"",
							before_id, mr_clip_text(model_name))));
		filter.before_id = mr_arg_nullable(fcinfo, ARG_BEFORE_ID);
	}

	return_versions(fcinfo, &filter);
	return (Datum) 0;
}

/*
 * Puts the versions that pass the filter into the function's result.
 */
static void
return_versions(FunctionCallInfo fcinfo, const MrFilter *filter)
{
	TupleDesc	result_desc;
	Portal		cursor;
	TupleConversionMap *map = NULL;
	uint64		fetched;

	mr_result_begin(fcinfo);
	result_desc = ((ReturnSetInfo *) fcinfo->resultinfo)->setDesc;
	cursor = mr_version_filter_open(filter);
	do
	{
		MrRows		rows = mr_sql_fetch(cursor, FETCH_VERSIONS);

		CHECK_FOR_INTERRUPTS();
		fetched = rows.count;
		while (mr_sql_next(&rows))
		{
			HeapTuple	row = rows.row;

			/* the row type has holes where the table lost columns */
			if (map == NULL && rows.desc->natts != result_desc->natts)
				map = convert_tuples_by_position(rows.desc, result_desc,
												 "unexpected row type of modelreg.model_version");
			if (map)
				row = execute_attr_map_tuple(row, map);
			mr_result_add_row(fcinfo, row);
		}
	} while (fetched == FETCH_VERSIONS);
	SPI_cursor_close(cursor);
}
