/*
 * Rules of the registry as a whole: legal moves, and directions of metrics.
 */
#include "postgres.h"

#include "base/arg.h"
#include "base/call.h"
#include "base/check.h"
#include "rows/rules.h"
#include "trail/trail.h"

MR_ADMIN_FUNCTION(modelreg_set_stage_rule, set_stage_rule, "set a stage rule");
MR_ADMIN_FUNCTION(modelreg_set_metric_direction, set_metric_direction,
				  "set a metric's direction");

static void record_rule(const char *event, Datum snapshot);

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
		mr_rules_delete_move(from, to);
	else if (!mr_rules_update_move(from, to, PG_GETARG_BOOL(2)))
	{
		snapshot = mr_rules_insert_move(from, to, PG_GETARG_BOOL(2));
		record_rule("stage_rule", snapshot);
	}
	PG_RETURN_VOID();
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
		mr_rules_delete_direction(metric);
	else if (!mr_rules_update_direction(metric, PG_GETARG_BOOL(1)))
	{
		snapshot = mr_rules_insert_direction(metric, PG_GETARG_BOOL(1));
		record_rule("metric_direction", snapshot);
	}
	PG_RETURN_VOID();
}

/*
 * Updates and deletions are recorded by a trigger; a restore would fire one
 * for insertions.
 */
static void
record_rule(const char *event, Datum snapshot)
{
	MrEvent		recorded = {0};

	recorded.event = event;
	recorded.old_values.isnull = true;
	recorded.new_values.value = snapshot;
	mr_trail_append_registry(&recorded);
}
