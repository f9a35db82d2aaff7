/*
 * Finding versions by filters.
 *
 * The query has conditions for the filters that are given and for no others,
 * so that each combination gets the plan, and the index, that fits it; one
 * query that tests every filter for null gets none.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "base/sql.h"
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

/* A query for one combination of filters */
typedef struct FilterQuery
{
	uint32		given;			/* hash key: bit per parameter */
	MrStatement statement;
} FilterQuery;

static MrStatement *get_filter_query(uint32 given);
static char *build_filter_query(uint32 given);

/*
 * Opens a cursor on the versions that pass the filters, newest first, with
 * the rights of the present role and by the active snapshot.
 *
 * Newest is, within a model, by version_number; across models by registered_at
 * and model_id.
 */
Portal
mr_version_filter_open(const MrFilter *filter)
{
	MrValue		values[PARAM_COUNT];
	uint32		given = 0;

	values[PARAM_MODEL_TYPE] = mr_value_nullable(TEXTOID, filter->model_type);
	values[PARAM_DEPLOYMENT_STAGE] =
		mr_value_nullable(TEXTOID, filter->deployment_stage);
	values[PARAM_MIN_PERFORMANCE] =
		mr_value_nullable(JSONBOID, filter->min_performance);
	values[PARAM_MAX_PERFORMANCE] =
		mr_value_nullable(JSONBOID, filter->max_performance);
	values[PARAM_TAGS] = mr_value_nullable(TEXTARRAYOID, filter->tags);
	values[PARAM_MODEL_NAME] = mr_value_nullable(TEXTOID, filter->model_name);
	values[PARAM_VERSION] = mr_value_nullable(TEXTOID, filter->version);
	values[PARAM_BEFORE_ID] = mr_value_nullable(TEXTOID, filter->before_id);
	values[PARAM_MAX_ROWS] = mr_value_nullable(INT8OID, filter->max_rows);

	for (int i = 0; i < PARAM_COUNT; i++)
	{
		if (!values[i].isnull)
			given |= 1U << i;
	}
	return mr_sql_open(get_filter_query(given), PARAM_COUNT, values);
}

static MrStatement *
get_filter_query(uint32 given)
{
	static HTAB *queries = NULL;
	FilterQuery *query;
	bool		found;

	if (queries == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(uint32);
		control.entrysize = sizeof(FilterQuery);
		control.hcxt = TopMemoryContext;
		queries = hash_create("modelreg filter queries", 32, &control,
							  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}

	query = hash_search(queries, &given, HASH_ENTER, &found);
	if (!found)
		memset(&query->statement, 0, sizeof(MrStatement));
	if (query->statement.text == NULL)
		query->statement.text = MemoryContextStrdup(TopMemoryContext,
													build_filter_query(given));
	return &query->statement;
}

static char *
build_filter_query(uint32 given)
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
