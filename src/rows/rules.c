/*
 * The tables modelreg.stage_rule and modelreg.metric_direction.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "rows/rules.h"

pg_noreturn static void raise_conflict(void);
static bool run_rule(MrPlan *plan, MrStage from, MrStage to, bool allowed);

/*
 * Whether there is a rule for the move, and what it says.
 */
bool
mr_rule_get(MrStage from, MrStage to, bool *allowed)
{
	static MrPlan plan = {
		"SELECT allowed FROM modelreg.stage_rule"
		" WHERE from_stage = $1::text::modelreg.deployment_stage"
		" AND to_stage = $2::text::modelreg.deployment_stage",
		3, {TEXTOID, TEXTOID, BOOLOID}
	};
	bool		isnull;

	if (!run_rule(&plan, from, to, false))
		return false;
	*allowed = DatumGetBool(mr_plan_datum(0, 1, &isnull));
	return true;
}

/*
 * Changes a rule; false if there is none.
 */
bool
mr_rule_update(MrStage from, MrStage to, bool allowed)
{
	static MrPlan plan = {
		"UPDATE modelreg.stage_rule SET allowed = $3"
		" WHERE from_stage = $1::text::modelreg.deployment_stage"
		" AND to_stage = $2::text::modelreg.deployment_stage",
		3, {TEXTOID, TEXTOID, BOOLOID}
	};

	return run_rule(&plan, from, to, allowed);
}

/*
 * Inserts a rule; snapshot is what the trail shall hold of it.
 */
void
mr_rule_insert(MrStage from, MrStage to, bool allowed, Datum *snapshot)
{
	static MrPlan plan = {
		"INSERT INTO modelreg.stage_rule AS r (from_stage, to_stage, allowed)"
		" VALUES ($1::text::modelreg.deployment_stage,"
		" $2::text::modelreg.deployment_stage, $3)"
		" ON CONFLICT DO NOTHING RETURNING to_jsonb(r)",
		3, {TEXTOID, TEXTOID, BOOLOID}
	};

	if (!run_rule(&plan, from, to, allowed))
		raise_conflict();
	*snapshot = mr_plan_copy_out(0, 1);
}

void
mr_rule_delete(MrStage from, MrStage to)
{
	static MrPlan plan = {
		"DELETE FROM modelreg.stage_rule"
		" WHERE from_stage = $1::text::modelreg.deployment_stage"
		" AND to_stage = $2::text::modelreg.deployment_stage",
		3, {TEXTOID, TEXTOID, BOOLOID}
	};

	run_rule(&plan, from, to, false);
}

/*
 * Changes a metric's direction; false if none is set.
 */
bool
mr_direction_update(const char *metric, bool higher_is_better)
{
	static MrPlan plan = {
		"UPDATE modelreg.metric_direction SET higher_is_better = $2"
		" WHERE metric = $1",
		2, {TEXTOID, BOOLOID}
	};
	Datum		values[2];

	values[0] = CStringGetTextDatum(metric);
	values[1] = BoolGetDatum(higher_is_better);
	return mr_plan_run(&plan, MR_SIGHT_LATEST, values, NULL) > 0;
}

/*
 * Inserts a metric's direction; snapshot is what the trail shall hold of it.
 */
void
mr_direction_insert(const char *metric, bool higher_is_better, Datum *snapshot)
{
	static MrPlan plan = {
		"INSERT INTO modelreg.metric_direction AS d (metric, higher_is_better)"
		" VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING to_jsonb(d)",
		2, {TEXTOID, BOOLOID}
	};
	Datum		values[2];

	values[0] = CStringGetTextDatum(metric);
	values[1] = BoolGetDatum(higher_is_better);
	if (mr_plan_run(&plan, MR_SIGHT_LATEST, values, NULL) == 0)
		raise_conflict();
	*snapshot = mr_plan_copy_out(0, 1);
}

void
mr_direction_delete(const char *metric)
{
	static MrPlan plan = {
		"DELETE FROM modelreg.metric_direction WHERE metric = $1",
		1, {TEXTOID}
	};
	Datum		value = CStringGetTextDatum(metric);

	mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL);
}

/*
 * Whether the column of either table is a value, not part of the key.
 */
bool
mr_setting_column_is_value(const char *column)
{
	return strcmp(column, "allowed") == 0 ||
		strcmp(column, "higher_is_better") == 0;
}

/*
 * What the trail holds of a row of either table.
 */
Datum
mr_setting_snapshot(HeapTuple row, TupleDesc desc)
{
	static MrPlan plan = {
		"SELECT to_jsonb($1)",
		1, {InvalidOid}
	};

	mr_plan_run_on_rows(&plan, row, NULL, desc);
	return mr_plan_copy_out(0, 1);
}

/*
 * Our functions set these one at a time, so only plain SQL can have been
 * quicker.  (Above READ COMMITTED, ON CONFLICT itself raises 40001 for a row
 * that the snapshot does not show.)
 */
static void
raise_conflict(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not insert the setting because another session did"),
			 errhint("Try again.")));
}

static bool
run_rule(MrPlan *plan, MrStage from, MrStage to, bool allowed)
{
	Datum		values[3];

	values[0] = CStringGetTextDatum(mr_stage_name(from));
	values[1] = CStringGetTextDatum(mr_stage_name(to));
	values[2] = BoolGetDatum(allowed);
	return mr_plan_run(plan, MR_SIGHT_LATEST, values, NULL) > 0;
}
