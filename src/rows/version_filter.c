/*
 * Finding versions by filters.
 *
 * The query has conditions for the filters that are given and for no others,
 * so that each combination gets the plan, and the index, that fits it; one
 * query that tests every filter for null gets none.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "rows/version_filter.h"

/* The filters as parameters, in this order */
typedef enum FilterParameter
{
	PARAM_MODEL_TYPE,
	PARAM_DEPLOYMENT_STAGE,
	PARAM_MIN_PERFORMANCE,
	PARAM_MAX_PERFORMANCE,
	PARAM_TAGS,
	PARAM_MODEL_NAME,
	PARAM_VERSION,
	PARAM_BEFORE_ID,
	PARAM_MAX_ROWS
} FilterParameter;

#define PARAM_COUNT (PARAM_MAX_ROWS + 1)

static const Oid parameter_types[PARAM_COUNT] = {
	TEXTOID, TEXTOID, JSONBOID, JSONBOID, TEXTARRAYOID, TEXTOID, TEXTOID,
	TEXTOID, INT8OID
};

/* A prepared query for one combination of filters */
typedef struct FilterPlan
{
	uint32		given;			/* hash key: bit per parameter */
	SPIPlanPtr	plan;			/* kept plan, NULL if not prepared yet */
} FilterPlan;

static HTAB *filter_plans = NULL;

static SPIPlanPtr get_plan(uint32 given);
static char *build_query(uint32 given);

/*
 * Opens a cursor on the versions that pass the filters, newest first, with
 * the rights of the present role and by the active snapshot.
 *
 * Newest is, within a model, by version_number; across models by registered_at
 * and model_id.
 */
Portal
mr_find_open(const MrFilter *filter)
{
	const NullableDatum *parameters[PARAM_COUNT];
	Datum		values[PARAM_COUNT];
	char		nulls[PARAM_COUNT];
	uint32		given = 0;

	parameters[PARAM_MODEL_TYPE] = &filter->model_type;
	parameters[PARAM_DEPLOYMENT_STAGE] = &filter->deployment_stage;
	parameters[PARAM_MIN_PERFORMANCE] = &filter->min_performance;
	parameters[PARAM_MAX_PERFORMANCE] = &filter->max_performance;
	parameters[PARAM_TAGS] = &filter->tags;
	parameters[PARAM_MODEL_NAME] = &filter->model_name;
	parameters[PARAM_VERSION] = &filter->version;
	parameters[PARAM_BEFORE_ID] = &filter->before_id;
	parameters[PARAM_MAX_ROWS] = &filter->max_rows;

	for (int i = 0; i < PARAM_COUNT; i++)
	{
		values[i] = parameters[i]->value;
		nulls[i] = parameters[i]->isnull ? 'n' : ' ';
		if (!parameters[i]->isnull)
			given |= 1U << i;
	}
	return SPI_cursor_open(NULL, get_plan(given), values, nulls, true);
}

static SPIPlanPtr
get_plan(uint32 given)
{
	FilterPlan *entry;
	bool		found;

	if (filter_plans == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(uint32);
		control.entrysize = sizeof(FilterPlan);
		control.hcxt = TopMemoryContext;
		filter_plans = hash_create("modelreg filter plans", 32, &control,
								   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}

	entry = hash_search(filter_plans, &given, HASH_ENTER, &found);
	if (!found)
		entry->plan = NULL;
	if (entry->plan == NULL)
	{
		char	   *query = build_query(given);
		SPIPlanPtr	plan = SPI_prepare(query, PARAM_COUNT,
									   (Oid *) parameter_types);

		if (plan == NULL)
			elog(ERROR, "could not prepare \"%s\": %s", query,
				 SPI_result_code_string(SPI_result));
		if (SPI_keepplan(plan) != 0)
			elog(ERROR, "could not keep the plan of \"%s\"", query);
		entry->plan = plan;
	}
	return entry->plan;
}

static char *
build_query(uint32 given)
{
	StringInfoData query;
	bool		of_model = (given & (1U << PARAM_MODEL_NAME)) != 0;

#define GIVEN(parameter) ((given & (1U << (parameter))) != 0)

	initStringInfo(&query);
	appendStringInfoString(&query,
						   "SELECT v.* FROM modelreg.model_version AS v"
						   " WHERE true");
	if (GIVEN(PARAM_MODEL_TYPE))
		appendStringInfo(&query, " AND v.model_type = $%d",
						 PARAM_MODEL_TYPE + 1);
	if (GIVEN(PARAM_DEPLOYMENT_STAGE))
		appendStringInfo(&query,
						 " AND v.deployment_stage ="
						 " $%d::text::modelreg.deployment_stage",
						 PARAM_DEPLOYMENT_STAGE + 1);
	if (GIVEN(PARAM_MIN_PERFORMANCE))
		appendStringInfo(&query,
						 " AND NOT EXISTS (SELECT FROM jsonb_each($%d) AS b"
						 " WHERE ((v.performance_metrics -> b.key)::numeric"
						 " >= b.value::numeric) IS NOT TRUE)",
						 PARAM_MIN_PERFORMANCE + 1);
	if (GIVEN(PARAM_MAX_PERFORMANCE))
		appendStringInfo(&query,
						 " AND NOT EXISTS (SELECT FROM jsonb_each($%d) AS b"
						 " WHERE ((v.performance_metrics -> b.key)::numeric"
						 " <= b.value::numeric) IS NOT TRUE)",
						 PARAM_MAX_PERFORMANCE + 1);
	if (GIVEN(PARAM_TAGS))
		appendStringInfo(&query, " AND v.tags @> $%d", PARAM_TAGS + 1);
	if (of_model)
		appendStringInfo(&query,
						 " AND v.model_key = (SELECT m.model_key"
						 " FROM modelreg.model AS m WHERE m.model_name = $%d)",
						 PARAM_MODEL_NAME + 1);
	if (GIVEN(PARAM_VERSION))
		appendStringInfo(&query, " AND v.version = $%d", PARAM_VERSION + 1);

	if (GIVEN(PARAM_BEFORE_ID) && of_model)
		appendStringInfo(&query,
						 " AND v.version_number <"
						 " (SELECT b.version_number"
						 " FROM modelreg.model_version AS b"
						 " WHERE b.model_id = $%d)",
						 PARAM_BEFORE_ID + 1);
	else if (GIVEN(PARAM_BEFORE_ID))
		appendStringInfo(&query,
						 " AND (v.registered_at, v.model_id) <"
						 " ((SELECT b.registered_at"
						 " FROM modelreg.model_version AS b"
						 " WHERE b.model_id = $%d), $%d)",
						 PARAM_BEFORE_ID + 1, PARAM_BEFORE_ID + 1);

	if (of_model)
		appendStringInfoString(&query, " ORDER BY v.version_number DESC");
	else
		appendStringInfoString(&query,
							   " ORDER BY v.registered_at DESC,"
							   " v.model_id DESC");
	if (GIVEN(PARAM_MAX_ROWS))
		appendStringInfo(&query, " LIMIT $%d", PARAM_MAX_ROWS + 1);

#undef GIVEN

	return query.data;
}
