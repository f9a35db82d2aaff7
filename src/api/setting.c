/*
 * Settings of the registry as a whole: stage rules, metric directions,
 * and what SQL may ask about the library.
 */
#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "base/actor.h"
#include "base/arg.h"
#include "base/check.h"
#include "base/guc.h"
#include "rows/rules.h"
#include "trail/trail.h"

PG_FUNCTION_INFO_V1(modelreg_set_stage_rule);
PG_FUNCTION_INFO_V1(modelreg_set_metric_direction);
PG_FUNCTION_INFO_V1(modelreg_setting_max_versions);
PG_FUNCTION_INFO_V1(modelreg_library_version);
PG_FUNCTION_INFO_V1(modelreg_is_preloaded);

static Datum set_stage_rule(FunctionCallInfo fcinfo);
static Datum set_metric_direction(FunctionCallInfo fcinfo);
static void record_insert(const char *event, Datum snapshot);

/*
 * modelreg_set_stage_rule(from_stage, to_stage, allowed, reason): see its
 * COMMENT.
 */
Datum
modelreg_set_stage_rule(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_owner(fcinfo, MR_ROLE_ADMIN, "set a stage rule",
								 set_stage_rule);
}

static Datum
set_stage_rule(FunctionCallInfo fcinfo)
{
	MrStage		from = mr_stage_parse("from_stage", mr_arg_text(fcinfo, 0));
	MrStage		to = mr_stage_parse("to_stage", mr_arg_text(fcinfo, 1));
	Datum		snapshot;

	if (from == to)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("from_stage and to_stage must differ")));
	mr_trail_take_reason(mr_arg_text(fcinfo, 3));

	/* one at a time, or two would both find no row to change */
	mr_trail_lock_registry();
	if (PG_ARGISNULL(2))
		mr_rule_delete(from, to);
	else if (!mr_rule_update(from, to, PG_GETARG_BOOL(2)))
	{
		mr_rule_insert(from, to, PG_GETARG_BOOL(2), &snapshot);
		record_insert("stage_rule", snapshot);
	}
	PG_RETURN_VOID();
}

/*
 * modelreg_set_metric_direction(metric, higher_is_better, reason): see its
 * COMMENT.
 */
Datum
modelreg_set_metric_direction(PG_FUNCTION_ARGS)
{
	return mr_actor_run_as_owner(fcinfo, MR_ROLE_ADMIN,
								 "set a metric's direction",
								 set_metric_direction);
}

static Datum
set_metric_direction(FunctionCallInfo fcinfo)
{
	char	   *metric = mr_arg_text(fcinfo, 0);
	Datum		snapshot;

	mr_check_name("metric", metric);
	mr_trail_take_reason(mr_arg_text(fcinfo, 2));

	mr_trail_lock_registry();
	if (PG_ARGISNULL(1))
		mr_direction_delete(metric);
	else if (!mr_direction_update(metric, PG_GETARG_BOOL(1)))
	{
		mr_direction_insert(metric, PG_GETARG_BOOL(1), &snapshot);
		record_insert("metric_direction", snapshot);
	}
	PG_RETURN_VOID();
}

Datum
modelreg_setting_max_versions(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(mr_guc_max_versions);
}

/*
 * Whether the library is preloaded, so that the settings are known in a
 * session that has called nothing of ours yet.  Not every role may read these
 * settings, so SQL cannot tell.
 */
Datum
modelreg_is_preloaded(PG_FUNCTION_ARGS)
{
	static const char *const settings[] = {
		"shared_preload_libraries", "session_preload_libraries",
		"local_preload_libraries"
	};

	for (int i = 0; i < lengthof(settings); i++)
	{
		const char *value = GetConfigOption(settings[i], true, false);
		List	   *libraries;
		ListCell   *cell;

		if (value == NULL ||
			!SplitDirectoriesString(pstrdup(value), ',', &libraries))
			continue;
		foreach(cell, libraries)
		{
			const char *name = last_dir_separator(lfirst(cell));

			name = name ? name + 1 : lfirst(cell);
			if (strcmp(name, "modelreg") == 0 ||
				strcmp(name, "modelreg" DLSUFFIX) == 0)
				PG_RETURN_BOOL(true);
		}
	}
	PG_RETURN_BOOL(false);
}

Datum
modelreg_library_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(MODELREG_VERSION));
}

/*
 * Updates and deletions are recorded by a trigger; a restore would fire one
 * for insertions.
 */
static void
record_insert(const char *event, Datum snapshot)
{
	MrEvent		recorded = {0};

	recorded.event = event;
	recorded.old_values.isnull = true;
	recorded.new_values.value = snapshot;
	mr_trail_append_registry(&recorded);
}
