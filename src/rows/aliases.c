/*
 * The table modelreg.model_alias.
 */
#include "postgres.h"

#include "executor/spi.h"

#include "base/call.h"
#include "base/sql.h"
#include "base/tuple.h"
#include "rows/aliases.h"

/*
 * Fills alias from a row of the table.  Strings are allocated in the present
 * context.
 */
void
mr_aliases_from_row(HeapTuple tuple, TupleDesc desc, MrAlias *alias)
{
	Datum		key = mr_tuple_datum(tuple, desc, "model_key");

	alias->model_key = *DatumGetUUIDP(key);
	alias->alias = mr_tuple_text(tuple, desc, "alias");
	alias->model_id = mr_tuple_text(tuple, desc, "model_id");
}

/*
 * The model_id that the alias names; NULL if there is no such alias.
 */
char *
mr_aliases_target(const pg_uuid_t *model_key, const char *alias)
{
	static MrStatement statement = {
		"SELECT model_id FROM modelreg.model_alias"
		" WHERE model_key = $1 AND alias = $2"
	};

	return mr_sql_query_text(&statement, MR_SIGHT_LATEST,
							 MR_VALUES(mr_value_uuid(model_key),
									   mr_value_text(alias)));
}

/*
 * Whether the actor would find the alias by a SELECT; true where row-level
 * security hides nothing from him, whether there is such an alias or not.
 */
bool
mr_aliases_is_visible(const pg_uuid_t *model_key, const char *alias)
{
	static MrStatement statement = {
		"SELECT FROM modelreg.model_alias WHERE model_key = $1 AND alias = $2"
	};

	return !mr_call_is_restricted("model_alias") ||
		mr_sql_run(&statement, MR_SIGHT_CALLER,
				   MR_VALUES(mr_value_uuid(model_key),
							 mr_value_text(alias))) > 0;
}

/*
 * Inserts a row, and fills snapshot with what the trail shall hold of it; false
 * if there is one.  The caller holds the model's lock and that of the version.
 */
bool
mr_aliases_insert(const MrAlias *alias, const char *actor, Datum *snapshot)
{
	static MrStatement statement = {
		"INSERT INTO modelreg.model_alias AS a"
		" (model_key, alias, model_id, set_at, set_by)"
		" VALUES ($1, $2, $3, clock_timestamp(), $4)"
		" ON CONFLICT (model_key, alias) DO NOTHING"
		" RETURNING modelreg.alias_snapshot(a)"
	};
	MrRows		rows = mr_sql_query(&statement, MR_SIGHT_LATEST,
									MR_VALUES(mr_value_uuid(&alias->model_key),
											  mr_value_text(alias->alias),
											  mr_value_text(alias->model_id),
											  mr_value_text(actor)));

	if (!mr_sql_next(&rows))
		return false;
	*snapshot = mr_sql_copy_out(&rows, 1);
	mr_sql_end(&rows);
	return true;
}

/*
 * Lets an alias name another version; the locks are as above.
 */
void
mr_aliases_move(const MrAlias *alias, const char *actor)
{
	static MrStatement statement = {
		"UPDATE modelreg.model_alias"
		" SET model_id = $3, set_at = clock_timestamp(), set_by = $4"
		" WHERE model_key = $1 AND alias = $2"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST,
			   MR_VALUES(mr_value_uuid(&alias->model_key),
						 mr_value_text(alias->alias),
						 mr_value_text(alias->model_id),
						 mr_value_text(actor)));
}

/*
 * Deletes an alias; false if there is none.
 */
bool
mr_aliases_delete(const pg_uuid_t *model_key, const char *alias)
{
	static MrStatement statement = {
		"DELETE FROM modelreg.model_alias"
		" WHERE model_key = $1 AND alias = $2"
	};

	return mr_sql_run(&statement, MR_SIGHT_LATEST,
					  MR_VALUES(mr_value_uuid(model_key),
								mr_value_text(alias))) > 0;
}

/*
 * Deletes all aliases of a version, whose row the caller has locked.
 */
void
mr_aliases_delete_of_version(const char *model_id)
{
	static MrStatement statement = {
		"DELETE FROM modelreg.model_alias WHERE model_id = $1"
	};

	mr_sql_run(&statement, MR_SIGHT_LATEST, MR_VALUES(mr_value_text(model_id)));
}

/*
 * An alias that names the version, whatever the transaction's snapshot shows;
 * NULL if there is none.
 */
char *
mr_aliases_of_version(const char *model_id)
{
	static MrStatement statement = {
		"SELECT alias FROM modelreg.model_alias WHERE model_id = $1"
		" ORDER BY alias LIMIT 1"
	};

	return mr_sql_query_text(&statement, MR_SIGHT_PRESENT,
							 MR_VALUES(mr_value_text(model_id)));
}

/*
 * An alias of the model, as above.
 */
char *
mr_aliases_of_model(const pg_uuid_t *model_key)
{
	static MrStatement statement = {
		"SELECT alias FROM modelreg.model_alias WHERE model_key = $1"
		" ORDER BY alias LIMIT 1"
	};

	return mr_sql_query_text(&statement, MR_SIGHT_PRESENT,
							 MR_VALUES(mr_value_uuid(model_key)));
}

/*
 * The row as a composite value that outlives the call.
 */
Datum
mr_aliases_row(const pg_uuid_t *model_key, const char *alias)
{
	static MrStatement statement = {
		"SELECT a FROM modelreg.model_alias AS a"
		" WHERE a.model_key = $1 AND a.alias = $2"
	};

	return mr_sql_query_datum(&statement, MR_SIGHT_LATEST,
							  MR_VALUES(mr_value_uuid(model_key),
										mr_value_text(alias)));
}

/*
 * What the trail holds of an alias.
 */
Datum
mr_aliases_snapshot(HeapTuple row, TupleDesc desc)
{
	static MrStatement statement = {"SELECT modelreg.alias_snapshot($1)"};

	return mr_sql_query_datum(&statement, MR_SIGHT_LATEST,
							  MR_VALUES(mr_value_row(row, desc)));
}

MrAliasColumn
mr_aliases_column(const char *column)
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
mr_aliases_stamp(HeapTuple row, TupleDesc desc, Datum set_at, Datum set_by)
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
