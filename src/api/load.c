/*
 * Loading artifacts in one piece.
 *
 * The version is looked up with the rights of the caller; the tables of the
 * bytes are granted to nobody and read directly.  Works on a hot standby.
 */
#include "postgres.h"

#include "executor/execdesc.h"
#include "nodes/plannodes.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"
#include "utils/portal.h"

#include "api/filter_args.h"
#include "artifact/holding.h"
#include "base/arg.h"
#include "base/call.h"
#include "base/guc.h"
#include "base/malloc.h"
#include "base/result.h"
#include "base/sql.h"
#include "base/tuple.h"
#include "rows/versions.h"

/* Argument of modelreg_load_latest behind the filters */
enum
{
	ARG_VERIFY_CHECKSUM = FILTER_ARGS
};

/*
 * Largest artifact, in bytes, that a result in text can hold: two digits a
 * byte, in a message of no more than MaxAllocSize.
 */
#define MAX_TEXT_SIZE ((int64) (MaxAllocSize - 9) / 2)

MR_READER_FUNCTION(modelreg_load, load_version);
MR_READER_FUNCTION(modelreg_load_latest, load_latest);

static bytea *load_artifact(const MrHolding *holding, bool verify);
static bool is_sent_as_text(FunctionCallInfo fcinfo);

static Datum
load_version(FunctionCallInfo fcinfo)
{
	char	   *model_id = mr_arg_required_text(fcinfo, 0, "model_id");
	bool		verify = mr_arg_bool(fcinfo, 1, mr_guc_verify_checksums);
	MrHolding	holding;

	mr_holding_find(model_id, mr_arg_text(fcinfo, 2), &holding);
	if (holding.size > MAX_TEXT_SIZE && is_sent_as_text(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("artifact of model version \"%s\" is too large for a result in text",
						holding.name),
				 errdetail("It has " INT64_FORMAT " bytes; at most " INT64_FORMAT " fit.",
						   holding.size, MAX_TEXT_SIZE),
				 errhint("Use modelreg_download(), which returns it in pieces, or ask for results in binary.")));
	return PointerGetDatum(load_artifact(&holding, verify));
}

static Datum
load_latest(FunctionCallInfo fcinfo)
{
	bool		verify = mr_arg_bool(fcinfo, ARG_VERIFY_CHECKSUM,
									 mr_guc_verify_checksums);
	MrFilter	filter;
	Portal		cursor;
	MrRows		rows;

	mr_result_begin(fcinfo);
	mr_filter_args_read(fcinfo, &filter);
	filter.max_rows.value = Int64GetDatum(1);
	filter.max_rows.isnull = false;

	cursor = mr_version_filter_open(&filter);
	rows = mr_sql_fetch(cursor, 1);
	while (mr_sql_next(&rows))
	{
		MrVersion	version;
		MrHolding	holding;
		Datum		stage = mr_tuple_datum(rows.row, rows.desc,
										   "deployment_stage");
		Datum		metrics = mr_tuple_datum(rows.row, rows.desc,
											 "performance_metrics");
		bytea	   *artifact;

		mr_versions_from_row(rows.row, rows.desc, &version);
		mr_holding_of_version(&version, &holding);
		artifact = load_artifact(&holding, verify);
		mr_result_add(fcinfo,
					  MR_VALUES(mr_value_text(version.model_id),
								mr_value_text(version.model_name),
								mr_value_text(version.model_type),
								mr_value_text(version.version),
								mr_value_of(ANYENUMOID, stage),
								mr_value_text(version.checksum),
								mr_value_of(JSONBOID, metrics),
								mr_value_of(BYTEAOID,
											PointerGetDatum(artifact))));
	}
	SPI_cursor_close(cursor);
	return (Datum) 0;
}

/*
 * The bytes, allocated to outlive SPI_finish.
 */
static bytea *
load_artifact(const MrHolding *holding, bool verify)
{
	MemoryContext old_context;
	bytea	   *artifact;

	mr_malloc_expect(holding->size);
	old_context = MemoryContextSwitchTo(mr_call_result_context());
	artifact = mr_holding_read(holding, verify);
	MemoryContextSwitchTo(old_context);
	return artifact;
}

/*
 * Whether the function's result is, as it is, a column of a query whose client
 * takes it as text.  What cannot be told is not: then the output function will
 * raise its own error, if need be.
 */
static bool
is_sent_as_text(FunctionCallInfo fcinfo)
{
	Portal		portal = ActivePortal;
	ListCell   *cell;

	if (portal == NULL || portal->strategy != PORTAL_ONE_SELECT ||
		portal->queryDesc == NULL || portal->formats == NULL)
		return false;
	foreach(cell, portal->queryDesc->plannedstmt->planTree->targetlist)
	{
		TargetEntry *entry = lfirst(cell);

		if (!entry->resjunk && (Node *) entry->expr == fcinfo->flinfo->fn_expr)
			return portal->formats[entry->resno - 1] == 0;
	}
	return false;
}
