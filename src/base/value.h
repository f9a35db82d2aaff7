/*
 * Values with their types: the parameters of a statement, the columns of a
 * result.
 *
 * A list of them is written where it is used, and the compiler checks it:
 *
 *		mr_sql_run(&statement, MR_SIGHT_LATEST,
 *				   MR_VALUES(mr_value_uuid(key), mr_value_text(name)));
 */
#ifndef MR_VALUE_H
#define MR_VALUE_H

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef struct MrValue
{
	Oid			type;
	bool		isnull;
	Datum		datum;
} MrValue;

/* A number of values and their array, as two arguments of a call */
#define MR_VALUES(...) \
	lengthof(((MrValue[]) {__VA_ARGS__})), ((MrValue[]) {__VA_ARGS__})
#define MR_NO_VALUES 0, NULL

static inline MrValue
mr_value_of(Oid type, Datum datum)
{
	MrValue		value = {type, false, datum};

	return value;
}

static inline MrValue
mr_value_null(Oid type)
{
	MrValue		value = {type, true, (Datum) 0};

	return value;
}

/* One that is null or not already */
static inline MrValue
mr_value_nullable(Oid type, NullableDatum nullable)
{
	MrValue		value = {type, nullable.isnull, nullable.value};

	return value;
}

/* NULL is null */
static inline MrValue
mr_value_text(const char *text)
{
	if (text == NULL)
		return mr_value_null(TEXTOID);
	return mr_value_of(TEXTOID, CStringGetTextDatum(text));
}

static inline MrValue
mr_value_uuid(const pg_uuid_t *uuid)
{
	return mr_value_of(UUIDOID, UUIDPGetDatum(uuid));
}

static inline MrValue
mr_value_bool(bool value)
{
	return mr_value_of(BOOLOID, BoolGetDatum(value));
}

static inline MrValue
mr_value_int4(int32 value)
{
	return mr_value_of(INT4OID, Int32GetDatum(value));
}

static inline MrValue
mr_value_int8(int64 value)
{
	return mr_value_of(INT8OID, Int64GetDatum(value));
}

/* A number of bytes; negative, unknown, is null */
static inline MrValue
mr_value_size(int64 size)
{
	return size < 0 ? mr_value_null(INT8OID) : mr_value_int8(size);
}

/* DT_NOBEGIN, never, is null */
static inline MrValue
mr_value_time(TimestampTz value)
{
	if (TIMESTAMP_IS_NOBEGIN(value))
		return mr_value_null(TIMESTAMPTZOID);
	return mr_value_of(TIMESTAMPTZOID, TimestampTzGetDatum(value));
}

/* A row of a table */
static inline MrValue
mr_value_row(HeapTuple row, TupleDesc desc)
{
	return mr_value_of(desc->tdtypeid, heap_copy_tuple_as_datum(row, desc));
}

#endif							/* MR_VALUE_H */
