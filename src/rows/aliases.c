/*
 * The table modelreg.model_alias.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "base/plan.h"
#include "rows/aliases.h"

static uint64 run_by_key(MrPlan *plan, const pg_uuid_t *model_key,
						 const char *alias);
static uint64 write_alias(MrPlan *plan, const MrAlias *alias,
						  const char *actor);
static Datum required_value(HeapTuple tuple, TupleDesc desc,
							const char *column);

/*
 * Fills alias from a row of the table.  Strings are allocated in the present
 * context.
 */
void
mr_alias_from_row(HeapTuple tuple, TupleDesc desc, MrAlias *alias)
{
	alias->model_key = *DatumGetUUIDP(required_value(tuple, desc,
													 "model_key"));
	alias->alias = TextDatumGetCString(required_value(tuple, desc, "alias"));
	alias->model_id = TextDatumGetCString(required_value(tuple, desc,
														 "model_id"));
}

/*
 * The model_id that the alias names; NULL if there is no such alias.
 */
char *
mr_alias_target(const pg_uuid_t *model_key, const char *alias)
{
	static MrPlan plan = {
		"SELECT model_id FROM modelreg.model_alias"
		" WHERE model_key = $1 AND alias = $2",
		2, {UUIDOID, TEXTOID}
	};

	if (run_by_key(&plan, model_key, alias) == 0)
		return NULL;
	return mr_plan_text(0, 1);
}

/*
 * Inserts a row; false if there is one.  The caller holds the model's lock and
 * that of the version.
 */
bool
mr_alias_insert(const MrAlias *alias, const char *actor)
{
	static MrPlan plan = {
		"INSERT INTO modelreg.model_alias"
		" (model_key, alias, model_id, set_at, set_by)"
		" VALUES ($1, $2, $3, clock_timestamp(), $4)"
		" ON CONFLICT (model_key, alias) DO NOTHING",
		4, {UUIDOID, TEXTOID, TEXTOID, TEXTOID}
	};

	return write_alias(&plan, alias, actor) > 0;
}

/*
 * Lets an alias name another version; the locks are as above.
 */
void
mr_alias_move(const MrAlias *alias, const char *actor)
{
	static MrPlan plan = {
		"UPDATE modelreg.model_alias"
		" SET model_id = $3, set_at = clock_timestamp(), set_by = $4"
		" WHERE model_key = $1 AND alias = $2",
		4, {UUIDOID, TEXTOID, TEXTOID, TEXTOID}
	};

	write_alias(&plan, alias, actor);
}

/*
 * Deletes an alias; false if there is none.
 */
bool
mr_alias_delete(const pg_uuid_t *model_key, const char *alias)
{
	static MrPlan plan = {
		"DELETE FROM modelreg.model_alias"
		" WHERE model_key = $1 AND alias = $2",
		2, {UUIDOID, TEXTOID}
	};

	return run_by_key(&plan, model_key, alias) > 0;
}

/*
 * Deletes all aliases of a version, whose row the caller has locked.
 */
void
mr_alias_delete_of_version(const char *model_id)
{
	static MrPlan plan = {
		"DELETE FROM modelreg.model_alias WHERE model_id = $1",
		1, {TEXTOID}
	};
	Datum		value = CStringGetTextDatum(model_id);

	mr_plan_run(&plan, MR_SIGHT_LATEST, &value, NULL);
}

/*
 * An alias that names the version, whatever the transaction's snapshot shows;
 * NULL if there is none.
 */
char *
mr_alias_of_version(const char *model_id)
{
	static MrPlan plan = {
		"SELECT alias FROM modelreg.model_alias WHERE model_id = $1"
		" ORDER BY alias LIMIT 1",
		1, {TEXTOID}
	};
	Datum		value = CStringGetTextDatum(model_id);

	if (mr_plan_run(&plan, MR_SIGHT_PRESENT, &value, NULL) == 0)
		return NULL;
	return mr_plan_text(0, 1);
}

/*
 * An alias of the model, as above.
 */
char *
mr_alias_of_model(const pg_uuid_t *model_key)
{
	static MrPlan plan = {
		"SELECT alias FROM modelreg.model_alias WHERE model_key = $1"
		" ORDER BY alias LIMIT 1",
		1, {UUIDOID}
	};
	Datum		value = UUIDPGetDatum(model_key);

	if (mr_plan_run(&plan, MR_SIGHT_PRESENT, &value, NULL) == 0)
		return NULL;
	return mr_plan_text(0, 1);
}

/*
 * The row as a composite value that outlives SPI_finish.
 */
Datum
mr_alias_row(const pg_uuid_t *model_key, const char *alias)
{
	static MrPlan plan = {
		"SELECT a FROM modelreg.model_alias AS a"
		" WHERE a.model_key = $1 AND a.alias = $2",
		2, {UUIDOID, TEXTOID}
	};

	if (run_by_key(&plan, model_key, alias) != 1)
		elog(ERROR, "alias \"%s\" vanished", alias);
	return mr_plan_copy_out(0, 1);
}

/*
 * What the trail holds of an alias.
 */
Datum
mr_alias_values(const MrAlias *alias)
{
	static MrPlan plan = {
		"SELECT jsonb_build_object('alias', $1, 'model_id', $2)",
		2, {TEXTOID, TEXTOID}
	};
	Datum		values[2];

	values[0] = CStringGetTextDatum(alias->alias);
	values[1] = CStringGetTextDatum(alias->model_id);
	mr_plan_run(&plan, MR_SIGHT_ACTIVE, values, NULL);
	return mr_plan_copy_out(0, 1);
}

MrAliasColumn
mr_alias_column(const char *column)
{
	if (strcmp(column, "model_id") == 0)
		return MR_ALIAS_TARGET;
	if (strcmp(column, "set_at") == 0 || strcmp(column, "set_by") == 0)
		return MR_ALIAS_STAMP;
	return MR_ALIAS_KEY;
}

/*
 * The row with other set_at (timestamptz) and set_by (text).
 */
HeapTuple
mr_alias_stamp(HeapTuple row, TupleDesc desc, Datum set_at, Datum set_by)
{
	int			columns[2];
	Datum		values[2];
	bool		nulls[2] = {false};

	columns[0] = SPI_fnumber(desc, "set_at");
	columns[1] = SPI_fnumber(desc, "set_by");
	values[0] = set_at;
	values[1] = set_by;
	return heap_modify_tuple_by_cols(row, desc, 2, columns, values, nulls);
}

static uint64
run_by_key(MrPlan *plan, const pg_uuid_t *model_key, const char *alias)
{
	Datum		values[2];

	values[0] = UUIDPGetDatum(model_key);
	values[1] = CStringGetTextDatum(alias);
	return mr_plan_run(plan, MR_SIGHT_LATEST, values, NULL);
}

static uint64
write_alias(MrPlan *plan, const MrAlias *alias, const char *actor)
{
	Datum		values[4];

	values[0] = UUIDPGetDatum(&alias->model_key);
	values[1] = CStringGetTextDatum(alias->alias);
	values[2] = CStringGetTextDatum(alias->model_id);
	values[3] = CStringGetTextDatum(actor);
	return mr_plan_run(plan, MR_SIGHT_LATEST, values, NULL);
}

/*
 * A column that is never null: the guard sees to that in a new row.
 */
static Datum
required_value(HeapTuple tuple, TupleDesc desc, const char *column)
{
	int			number = SPI_fnumber(desc, column);
	bool		isnull;
	Datum		value;

	if (number <= 0)
		elog(ERROR, "table modelreg.model_alias has no column \"%s\"", column);
	value = heap_getattr(tuple, number, desc, &isnull);
	if (isnull)
		elog(ERROR, "column \"%s\" of modelreg.model_alias is null", column);
	return value;
}
