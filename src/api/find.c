/*
 * Finding, listing and loading versions.
 *
 * All of it reads only: no locks beyond AccessShareLock, no writes, by the
 * active snapshot, so it works on a hot standby.  Versions are looked up with
 * the rights of the caller, so grants and row-level security hold; the tables
 * of the bytes are granted to nobody and read directly.
 */
#include "postgres.h"

#include "access/tupconvert.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/jsonb.h"

#include "artifact/artifact.h"
#include "base/actor.h"
#include "base/arg.h"
#include "base/check.h"
#include "base/compat.h"
#include "base/guc.h"
#include "rows/version_filter.h"
#include "rows/versions.h"

/* Rows that a listing takes from its cursor at a time */
#define MR_FETCH_ROWS 1000

/* Arguments that modelreg_load_latest, _find_latest and _list share */
enum
{
	ARG_MODEL_TYPE,
	ARG_DEPLOYMENT_STAGE,
	ARG_MIN_PERFORMANCE,
	ARG_TAGS,
	ARG_MODEL_NAME,
	ARG_VERSION,
	ARG_MAX_PERFORMANCE,
	ARG_LIST_MAX_ROWS,
	ARG_LIST_BEFORE_ID,
	ARG_LOAD_VERIFY_CHECKSUM = ARG_MAX_PERFORMANCE + 1
};

/* Largest artifact, in bytes, for whose size the backend keeps memory */
#define MR_KEEP_MEMORY_LIMIT	(10 * 1024 * 1024)

/* Columns of modelreg_load_latest */
#define LOAD_LATEST_COLUMNS 8

PG_FUNCTION_INFO_V1(modelreg_find_latest);
PG_FUNCTION_INFO_V1(modelreg_list);
PG_FUNCTION_INFO_V1(modelreg_load);
PG_FUNCTION_INFO_V1(modelreg_load_latest);

static Datum find_latest(FunctionCallInfo fcinfo);
static Datum list_versions(FunctionCallInfo fcinfo);
static Datum load_version(FunctionCallInfo fcinfo);
static Datum load_latest(FunctionCallInfo fcinfo);
static void read_filter(FunctionCallInfo fcinfo, MrFilter *filter);
static NullableDatum read_bounds(FunctionCallInfo fcinfo, int n,
								 const char *what);
static void return_rows(FunctionCallInfo fcinfo, const MrFilter *filter);
static void keep_memory(int64 size);
static bytea *load_artifact(const MrHolding *holding, bool verify);

/*
 * modelreg_find_latest(filters): see its COMMENT.
 */
Datum
modelreg_find_latest(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_caller(fcinfo, find_latest);
}

static Datum
find_latest(FunctionCallInfo fcinfo)
{
	MrFilter	filter;

	read_filter(fcinfo, &filter);
	filter.max_rows.value = Int64GetDatum(1);
	filter.max_rows.isnull = false;
	return_rows(fcinfo, &filter);
	return (Datum) 0;
}

/*
 * modelreg_list(filters, max_rows, before_id): see its COMMENT.
 */
Datum
modelreg_list(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_caller(fcinfo, list_versions);
}

static Datum
list_versions(FunctionCallInfo fcinfo)
{
	MrFilter	filter;

	read_filter(fcinfo, &filter);

	if (!PG_ARGISNULL(ARG_LIST_MAX_ROWS))
	{
		if (PG_GETARG_INT32(ARG_LIST_MAX_ROWS) < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("max_rows must not be negative")));
		filter.max_rows.value =
			Int64GetDatum(PG_GETARG_INT32(ARG_LIST_MAX_ROWS));
		filter.max_rows.isnull = false;
	}
	if (!PG_ARGISNULL(ARG_LIST_BEFORE_ID))
	{
		char	   *before_id = mr_arg_text(fcinfo, ARG_LIST_BEFORE_ID);
		char	   *model_name = mr_arg_text(fcinfo, ARG_MODEL_NAME);
		MrVersion	before;

		if (!mr_version_get(before_id, MR_SIGHT_ACTIVE, &before))
			mr_version_raise_unknown(before_id);
		if (model_name && strcmp(model_name, before.model_name) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("before_id \"%s\" is no version of model \"%s\"",
							before_id, model_name)));
		filter.before_id = mr_arg_nullable(fcinfo, ARG_LIST_BEFORE_ID);
	}

	return_rows(fcinfo, &filter);
	return (Datum) 0;
}

/*
 * modelreg_load(model_id, verify_checksum, path): see its COMMENT.
 */
Datum
modelreg_load(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_caller(fcinfo, load_version);
}

static Datum
load_version(FunctionCallInfo fcinfo)
{
	char	   *model_id = mr_arg_required_text(fcinfo, 0, "model_id");
	bool		verify = mr_arg_bool(fcinfo, 1, mr_guc_verify_checksums);
	MrHolding	holding;

	mr_artifact_find(model_id, mr_arg_text(fcinfo, 2), &holding);
	return PointerGetDatum(load_artifact(&holding, verify));
}

/*
 * modelreg_load_latest(filters, verify_checksum): see its COMMENT.
 */
Datum
modelreg_load_latest(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_caller(fcinfo, load_latest);
}

static Datum
load_latest(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		verify = mr_arg_bool(fcinfo, ARG_LOAD_VERIFY_CHECKSUM,
									 mr_guc_verify_checksums);
	MrFilter	filter;
	MrVersion	version;
	MrHolding	holding;
	Portal		cursor;
	HeapTuple	row;
	TupleDesc	desc;
	Datum		values[LOAD_LATEST_COLUMNS];
	bool		nulls[LOAD_LATEST_COLUMNS] = {false};

	InitMaterializedSRF(fcinfo, 0);
	read_filter(fcinfo, &filter);
	filter.max_rows.value = Int64GetDatum(1);
	filter.max_rows.isnull = false;

	cursor = mr_find_open(&filter);
	SPI_cursor_fetch(cursor, true, 1);
	if (SPI_processed == 1)
	{
		row = SPI_tuptable->vals[0];
		desc = SPI_tuptable->tupdesc;
		mr_version_from_row(row, desc, &version);
		values[0] = CStringGetTextDatum(version.model_id);
		values[1] = CStringGetTextDatum(version.model_name);
		values[2] = CStringGetTextDatum(version.model_type);
		values[3] = CStringGetTextDatum(version.version);
		values[4] = mr_version_stage_datum(row, desc);
		values[5] = CStringGetTextDatum(version.checksum);
		values[6] = mr_version_metrics_datum(row, desc);
		mr_artifact_of_version(&version, &holding);
		values[7] = PointerGetDatum(load_artifact(&holding, verify));
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
	}
	SPI_cursor_close(cursor);
	return (Datum) 0;
}

/*
 * Checks and collects the filters that the finding functions share.
 */
static void
read_filter(FunctionCallInfo fcinfo, MrFilter *filter)
{
	char	   *stage = mr_arg_text(fcinfo, ARG_DEPLOYMENT_STAGE);

	filter->model_type = mr_arg_nullable(fcinfo, ARG_MODEL_TYPE);
	filter->deployment_stage = mr_arg_nullable(fcinfo, ARG_DEPLOYMENT_STAGE);
	if (stage)
		(void) mr_stage_parse("deployment_stage", stage);
	filter->min_performance = read_bounds(fcinfo, ARG_MIN_PERFORMANCE,
										  "min_performance");
	filter->max_performance = read_bounds(fcinfo, ARG_MAX_PERFORMANCE,
										  "max_performance");

	filter->tags.isnull = true;
	if (!PG_ARGISNULL(ARG_TAGS))
	{
		ArrayType  *tags = mr_check_tags("tags",
										 PG_GETARG_ARRAYTYPE_P(ARG_TAGS));

		filter->tags.value = PointerGetDatum(tags);
		filter->tags.isnull = ARR_NDIM(tags) == 0;
	}
	filter->model_name = mr_arg_nullable(fcinfo, ARG_MODEL_NAME);
	filter->version = mr_arg_nullable(fcinfo, ARG_VERSION);
	filter->before_id.isnull = true;
	filter->max_rows.isnull = true;
}

static NullableDatum
read_bounds(FunctionCallInfo fcinfo, int n, const char *what)
{
	NullableDatum bounds = mr_arg_nullable(fcinfo, n);

	if (!bounds.isnull)
	{
		mr_check_metrics(what, PG_GETARG_JSONB_P(n));
		bounds.isnull = mr_metrics_empty(PG_GETARG_JSONB_P(n));
	}
	return bounds;
}

/*
 * Puts the versions that pass the filter into the function's result.
 */
static void
return_rows(FunctionCallInfo fcinfo, const MrFilter *filter)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Portal		cursor;
	TupleConversionMap *map = NULL;
	uint64		fetched;

	InitMaterializedSRF(fcinfo, 0);
	cursor = mr_find_open(filter);
	do
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(cursor, true, MR_FETCH_ROWS);
		fetched = SPI_processed;

		/* the row type has holes where the table lost columns */
		if (SPI_tuptable->tupdesc->natts != result->setDesc->natts)
			map = convert_tuples_by_position(SPI_tuptable->tupdesc,
											 result->setDesc,
											 "unexpected row type of modelreg.model_version");
		for (uint64 i = 0; i < fetched; i++)
		{
			HeapTuple	row = SPI_tuptable->vals[i];

			if (map)
				row = execute_attr_map_tuple(row, map);
			tuplestore_puttuple(result->setResult, row);
		}
		SPI_freetuptable(SPI_tuptable);
	} while (fetched == MR_FETCH_ROWS);
	SPI_cursor_close(cursor);
}

/*
 * The bytes, allocated to outlive SPI_finish.
 */
static bytea *
load_artifact(const MrHolding *holding, bool verify)
{
	MemoryContext old_context;
	bytea	   *artifact;

	keep_memory(holding->size);
	old_context = MemoryContextSwitchTo(mr_actor_result_context());
	artifact = mr_artifact_read(&holding->row, holding->size, verify,
								holding->name);
	MemoryContextSwitchTo(old_context);
	return artifact;
}

/*
 * Tells malloc, once for each larger size, that blocks of an artifact's size
 * come again.
 *
 * While a function's bytea is sent it is there three times: the result, the
 * output function's copy, and the message.  glibc gives the top of its heap
 * back to the system when more is free than twice the largest block it once
 * mapped, so each load would take it again, page by page: 1 MB took 5.7 ms and
 * takes 3.2 ms.  A larger block, mapped and freed untouched, raises that limit;
 * it costs two system calls.  Beyond 32 MB glibc learns nothing.
 */
static void
keep_memory(int64 size)
{
	static int64 known_size = 0;

	if (size <= known_size || size > MR_KEEP_MEMORY_LIMIT)
		return;
	pfree(palloc(3 * size));
	known_size = size;
}
