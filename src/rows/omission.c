/*
 * What the trail holds of rows, however large they are.
 *
 * No function stores a row that an event could not hold; a restore, or a
 * superuser, can.  It must be possible to delete that, so an event whose values
 * would be longer than MAX_VALUES leaves the large columns out: it holds
 * {"omitted": {column: {"sha256": hex, "size": bytes}}} of their text instead.
 */
#include "postgres.h"

#include "access/detoast.h"

#include "base/json.h"
#include "base/object.h"
#include "base/tuple.h"
#include "bytes/digest.h"
#include "rows/omission.h"

/* Longest old and new values of an event together */
#define MAX_VALUES ((int64) 128 * 1024 * 1024)

/* A column of no more is never left out. */
#define MAX_KEPT ((int64) 1024 * 1024)

/* A text that is hashed, in UTF-8 */
typedef struct Sealed
{
	MrDigest   *digest;
	int64		size;
} Sealed;

static HeapTuple keep_columns(HeapTuple row, TupleDesc desc,
							  const bool *drop);
static bool is_large_type(TupleDesc desc, int attno);
static MrValue column_value(HeapTuple row, TupleDesc desc, int attno);
static int64 column_size(HeapTuple row, TupleDesc desc, int attno);
static Jsonb *take_snapshot(MrStatement *statement, HeapTuple row,
							TupleDesc desc);
static bool has_column(TupleDesc desc, const bool *columns,
					   const JsonbValue *name);
static bool is_apart(const char *const *apart, const JsonbValue *name);
static Datum end_values(MrObject *values, HeapTuple row, TupleDesc desc,
						const bool *omit);
static Jsonb *describe_omitted(HeapTuple row, TupleDesc desc,
							   const bool *omit);
static void seal_run(void *arg, const char *run, int len);

/*
 * What the trail holds of a row, in the present context.
 */
Datum
mr_omission_snapshot(MrStatement *statement, HeapTuple row, TupleDesc desc)
{
	bool	   *omit = palloc0(sizeof(bool) * (desc->natts + 1));
	int64		size = 0;
	Jsonb	   *snapshot;
	MrObjectPairs pairs;
	MrObject	values;

	for (int attno = 1; attno <= desc->natts; attno++)
		size += column_size(row, desc, attno);
	for (int attno = 1; attno <= desc->natts && size > MAX_VALUES; attno++)
		omit[attno] = column_size(row, desc, attno) > MAX_KEPT;

	snapshot = take_snapshot(statement, keep_columns(row, desc, omit), desc);
	if (size <= MAX_VALUES)
		return JsonbPGetDatum(snapshot);
	mr_object_begin(&values);
	for (mr_object_first(&pairs, snapshot); pairs.more; mr_object_next(&pairs))
	{
		if (!has_column(desc, omit, &pairs.key))
			mr_object_add(&values, &pairs.key, &pairs.value);
	}
	return end_values(&values, row, desc, omit);
}

/*
 * What an UPDATE changed, as two JSON objects in the present context; false if
 * nothing.  The keys of the list apart, which ends with NULL, do not count.
 */
bool
mr_omission_changes(MrStatement *statement, HeapTuple old_row,
					HeapTuple new_row, TupleDesc desc,
					const char *const *apart, Datum *old_values,
					Datum *new_values)
{
	bool	   *same = palloc0(sizeof(bool) * (desc->natts + 1));
	bool	   *omit_old = palloc0(sizeof(bool) * (desc->natts + 1));
	bool	   *omit_new = palloc0(sizeof(bool) * (desc->natts + 1));
	int64		size = 0;
	HeapTuple	old_kept;
	HeapTuple	new_kept;
	MrObjectPairs old_pair;
	MrObjectPairs new_pair;
	MrObject	old_changed;
	MrObject	new_changed;
	bool		changed = false;

	/* what is the same need not be made JSON of to see that */
	for (int attno = 1; attno <= desc->natts; attno++)
	{
		same[attno] = is_large_type(desc, attno) &&
			!mr_tuple_changed(old_row, new_row, desc, attno);
		if (!same[attno])
			size += column_size(old_row, desc, attno) +
				column_size(new_row, desc, attno);
	}
	for (int attno = 1; attno <= desc->natts && size > MAX_VALUES; attno++)
	{
		if (same[attno])
			continue;
		omit_old[attno] = column_size(old_row, desc, attno) > MAX_KEPT;
		omit_new[attno] = column_size(new_row, desc, attno) > MAX_KEPT;
	}

	old_kept = keep_columns(keep_columns(old_row, desc, same), desc, omit_old);
	new_kept = keep_columns(keep_columns(new_row, desc, same), desc, omit_new);
	mr_object_first(&old_pair, take_snapshot(statement, old_kept, desc));
	mr_object_first(&new_pair, take_snapshot(statement, new_kept, desc));
	mr_object_begin(&old_changed);
	mr_object_begin(&new_changed);
	/* snapshots of one table have the same keys */
	for (; old_pair.more && new_pair.more;
		 mr_object_next(&old_pair), mr_object_next(&new_pair))
	{
		bool		no_old = has_column(desc, omit_old, &old_pair.key);
		bool		no_new = has_column(desc, omit_new, &new_pair.key);

		if (is_apart(apart, &old_pair.key) ||
			(!no_old && !no_new &&
			 mr_object_equal_values(&old_pair.value, &new_pair.value)))
			continue;
		changed = true;
		if (!no_old)
			mr_object_add(&old_changed, &old_pair.key, &old_pair.value);
		if (!no_new)
			mr_object_add(&new_changed, &new_pair.key, &new_pair.value);
	}
	if (!changed)
		return false;
	*old_values = end_values(&old_changed, old_row, desc, omit_old);
	*new_values = end_values(&new_changed, new_row, desc, omit_new);
	return true;
}

static Jsonb *
take_snapshot(MrStatement *statement, HeapTuple row, TupleDesc desc)
{
	MrRows		rows = mr_sql_query(statement, MR_SIGHT_LATEST,
									MR_VALUES(mr_value_row(row, desc)));
	Jsonb	   *snapshot;
	bool		isnull;

	if (!mr_sql_next(&rows))
		elog(ERROR, "no snapshot of a row");
	snapshot = DatumGetJsonbPCopy(mr_sql_datum(&rows, 1, &isnull));
	mr_sql_end(&rows);
	return snapshot;
}

/*
 * Whether the column of that name is among the columns.
 */
static bool
has_column(TupleDesc desc, const bool *columns, const JsonbValue *name)
{
	for (int attno = 1; attno <= desc->natts; attno++)
	{
		const char *column = NameStr(TupleDescAttr(desc, attno - 1)->attname);

		if (columns[attno] && strlen(column) == name->val.string.len &&
			memcmp(column, name->val.string.val, name->val.string.len) == 0)
			return true;
	}
	return false;
}

static bool
is_apart(const char *const *apart, const JsonbValue *name)
{
	for (; *apart != NULL; apart++)
	{
		if (strlen(*apart) == name->val.string.len &&
			memcmp(*apart, name->val.string.val, name->val.string.len) == 0)
			return true;
	}
	return false;
}

/*
 * The values, with what was left out of them.
 */
static Datum
end_values(MrObject *values, HeapTuple row, TupleDesc desc, const bool *omit)
{
	Jsonb	   *omitted = describe_omitted(row, desc, omit);

	if (omitted != NULL)
	{
		JsonbValue	key = {jbvString};
		JsonbValue	value;

		key.val.string.val = pstrdup("omitted");
		key.val.string.len = strlen("omitted");
		JsonbToJsonbValue(omitted, &value);
		mr_object_add(values, &key, &value);
	}
	return JsonbPGetDatum(mr_object_end(values));
}

/*
 * The row with null in some columns, or itself if these are none.
 */
static HeapTuple
keep_columns(HeapTuple row, TupleDesc desc, const bool *drop)
{
	int		   *columns = palloc(sizeof(int) * desc->natts);
	Datum	   *values = palloc0(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * desc->natts);
	int			count = 0;

	for (int attno = 1; attno <= desc->natts; attno++)
	{
		if (!drop[attno])
			continue;
		nulls[count] = true;
		columns[count++] = attno;
	}
	if (count == 0)
		return row;
	return heap_modify_tuple_by_cols(row, desc, count, columns, values, nulls);
}

/*
 * Whether values of the column may be large.
 */
static bool
is_large_type(TupleDesc desc, int attno)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, attno - 1);

	return !attribute->attisdropped &&
		(attribute->atttypid == JSONBOID || attribute->atttypid == TEXTOID ||
		 attribute->atttypid == TEXTARRAYOID);
}

static MrValue
column_value(HeapTuple row, TupleDesc desc, int attno)
{
	MrValue		value = {TupleDescAttr(desc, attno - 1)->atttypid};

	value.datum = heap_getattr(row, attno, desc, &value.isnull);
	return value;
}

/*
 * How many bytes a column takes in an event, as jsonb or as its text, whichever
 * is more; of other types than the large ones, none worth counting.
 */
static int64
column_size(HeapTuple row, TupleDesc desc, int attno)
{
	MrValue		value = column_value(row, desc, attno);
	int64		binary;

	if (value.isnull || !is_large_type(desc, attno))
		return 0;
	binary = toast_raw_datum_size(value.datum);
	if (binary > MAX_VALUES)
		return binary;
	return Max(binary, mr_json_size(&value, MAX_VALUES));
}

/*
 * What an event says of the columns that it leaves out; NULL if these are none.
 */
static Jsonb *
describe_omitted(HeapTuple row, TupleDesc desc, const bool *omit)
{
	StringInfoData said;
	int			count = 0;
	Datum		jsonb;

	initStringInfo(&said);
	appendStringInfoString(&said, "{");
	for (int attno = 1; attno <= desc->natts; attno++)
	{
		MrValue		value;
		Sealed		sealed = {0};
		MrJsonText	out = {
			.limit = PG_INT64_MAX,
			.take = seal_run,
			.arg = &sealed
		};
		uint8		sha256[MR_SHA256_LEN];

		if (!omit[attno])
			continue;
		value = column_value(row, desc, attno);
		sealed.digest = mr_digest_begin();
		mr_json_begin(&out);
		mr_json_add_value(&out, &value);
		mr_json_end(&out);
		mr_digest_end(sealed.digest, sha256);
		appendStringInfo(&said, "%s\"%s\": {\"sha256\": \"%s\", \"size\": " INT64_FORMAT "}",
						 count++ > 0 ? ", " : "",
						 NameStr(TupleDescAttr(desc, attno - 1)->attname),
						 mr_digest_hex(sha256), sealed.size);
	}
	if (count == 0)
		return NULL;
	appendStringInfoString(&said, "}");
	jsonb = DirectFunctionCall1(jsonb_in, CStringGetDatum(said.data));
	return DatumGetJsonbP(jsonb);
}

static void
seal_run(void *arg, const char *run, int len)
{
	Sealed	   *sealed = arg;

	sealed->size += mr_digest_add_text(sealed->digest, run, len);
}
