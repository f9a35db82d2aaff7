/*
 * The tables modelreg.stage_rule and modelreg.metric_direction.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/sql.h"
#include "rows/rules.h"

/* The rule of a move from $1 to $2 */
#define WHERE_MOVE \
	" WHERE from_stage = $1::text::modelreg.deployment_stage" \
	" AND to_stage = $2::text::modelreg.deployment_stage"

static MrValue value_of_stage(MrStage stage);
pg_noreturn static void raise_rule_conflict(void);

/*
 * Whether there is a rule for the move, and what it says.
 */
bool
mr_rules_get_move(MrStage from, MrStage to, bool *allowed)
{
	static MrStatement statement = {
		"SELECT allowed FROM modelreg.stage_rule" WHERE_MOVE
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_LATEST,
									MR_VALUES(value_of_stage(from),
											  value_of_stage(to)));

	if (!mr_sql_next(&rows))
		return false;
	*allowed = mr_sql_bool(&rows, 1);
	mr_sql_end(&rows);
	return true;
}

/*
 * Changes a rule; false if there is none.
 */
bool
mr_rules_update_move(MrStage from, MrStage to, bool allowed)
{
	static MrStatement statement = {
		"UPDATE modelreg.stage_rule SET allowed = $3" WHERE_MOVE
	};

	return mr_sql_run(&statement, MR_SIGHT_LATEST,
					  MR_VALUES(value_of_stage(from),
								value_of_stage(to),
								mr_value_bool(allowed))) > 0;
}

/*
 * Inserts a rule; returns what the trail shall hold of it.
 */
Datum
mr_rules_insert_move(MrStage from, MrStage to, bool allowed)
{
	static MrStatement statement = {
		"INSERT INTO modelreg.stage_rule AS r (from_stage, to_stage, allowed)"
		" VALUES ($1::text::modelreg.deployment_stage,"
		" $2::text::modelreg.deployment_stage, $3)"
		" ON CONFLICT DO NOTHING RETURNING to_jsonb(r)"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_LATEST,
									MR_VALUES(value_of_stage(from),
											  value_of_stage(to),
											  mr_value_bool(allowed)));
	Datum		snapshot;

	if (!mr_sql_next(&rows))
		raise_rule_conflict();
	snapshot = mr_sql_copy_out(&rows, 1);
	mr_sql_end(&rows);
	return snapshot;
}

void
mr_rules_delete_move(MrStage from, MrStage to)
{
	static MrStatement statement = {
		"DELETE FROM modelreg.stage_rule" WHERE_MOVE
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(value_of_stage(from),
						 value_of_stage(to)));
}

/*
 * Changes a metric's direction; false if none is set.
 */
bool
mr_rules_update_direction(const char *metric, bool higher_is_better)
{
	static MrStatement statement = {
		"UPDATE modelreg.metric_direction SET higher_is_better = $2"
		" WHERE metric = $1"
	};

	return mr_sql_run(&statement, MR_SIGHT_LATEST,
					  MR_VALUES(mr_value_text(metric),
								mr_value_bool(higher_is_better))) > 0;
}

/*
 * Inserts a metric's direction; returns what the trail shall hold of it.
 */
Datum
mr_rules_insert_direction(const char *metric, bool higher_is_better)
{
	static MrStatement statement = {
		"INSERT INTO modelreg.metric_direction AS d (metric, higher_is_better)"
		" VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING to_jsonb(d)"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_LATEST,
									MR_VALUES(mr_value_text(metric),
											  mr_value_bool(higher_is_better)));
	Datum		snapshot;

	if (!mr_sql_next(&rows))
		raise_rule_conflict();
	snapshot = mr_sql_copy_out(&rows, 1);
	mr_sql_end(&rows);
	return snapshot;
}

void
mr_rules_delete_direction(const char *metric)
{
	static MrStatement statement = {
		"DELETE FROM modelreg.metric_direction WHERE metric = $1"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST, MR_VALUES(mr_value_text(metric)));
}

/*
 * Whether the column of either table is a value, not part of the key.
 */
bool
mr_rules_column_is_value(const char *column)
{
	return strcmp(column, "allowed") == 0 ||
		strcmp(column, "higher_is_better") == 0;
}

/*
 * What the trail holds of a row of either table.
 */
Datum
mr_rules_snapshot(HeapTuple row, TupleDesc desc)
{
	static MrStatement statement = {"SELECT to_jsonb($1)"};

	return mr_sql_query_datum(&statement, MR_SIGHT_LATEST,
							  MR_VALUES(mr_value_row(row, desc)));
}

static MrValue
value_of_stage(MrStage stage)
{
	return mr_value_text(mr_stage_name(stage));
}

/*
 * Our functions set these one at a time, so only plain SQL can have been
 * quicker.  (Above READ COMMITTED, ON CONFLICT itself raises 40001 for a row
 * that the snapshot does not show.)
 */
static void
raise_rule_conflict(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not insert the setting because another session did"),
			 errhint("Try again.")));
}
