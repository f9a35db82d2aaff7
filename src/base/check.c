/*
 * Checks of arguments.
 *
 * What is refused here would be stored for good otherwise: metrics, for one,
 * are compared as float8 whatever jsonb can hold.  The guard triggers ask the
 * same of plain SQL.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "base/check.h"
#include "base/clip.h"
#include "base/compat.h"
#include "base/name.h"
#include "base/json.h"

/* Hex digits of a SHA-256 digest */
#define SHA256_HEX_LEN 64

static ArrayType *check_list(const char *what, ArrayType *list,
							 bool of_names);
static void check_is_object(const char *what, Jsonb *value);
static int64 check_json_text(const char *what, Jsonb *value);
static void check_not_null(const char *what, const void *value);
static void check_metric(const char *what, const JsonbValue *key,
						 const JsonbValue *value, Datum zero);
static bool contains_text(const Datum *texts, int count, Datum text_datum);

/*
 * Reports an error unless the value can name something.
 */
void
mr_check_name(const char *what, const char *name)
{
	check_not_null(what, name);
	mr_name_check(what, name, strlen(name));
}

/*
 * Reports an error unless it is the path of a file below some directory,
 * wherever it is downloaded: on another system, a drive's letter would lead out
 * of it.
 */
void
mr_check_path(const char *path)
{
	size_t		len = strlen(path);
	const char *component = path;

	if (len > MR_MAX_PATH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("path is longer than %d bytes", MR_MAX_PATH)));
	if (mr_name_has_control(path, len) || strchr(path, '\\') != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("path must contain neither control characters nor backslashes")));
	for (;;)
	{
		size_t		component_len = strcspn(component, "/");

		if (component_len == 0 ||
			(component == path && component[0] != '\0' &&
			 component[1] == ':') ||
			(component_len == 1 && component[0] == '.') ||
			(component_len == 2 && component[0] == '.' && component[1] == '.'))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("path \"%s\" is not a relative path of a file",
							mr_clip_text(path)),
					 errhint("Write it like conda.yaml or data/model.pkl, without . and .. in it.")));
		if (component[component_len] == '\0')
			return;
		component += component_len + 1;
	}
}

/*
 * Reports an error unless it is the name of an alias: one that nothing takes
 * for a version or for a path, in model@alias say.
 */
void
mr_check_alias(const char *what, const char *alias)
{
	mr_check_name(what, alias);
	if (strpbrk(alias, "@/:") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not contain @, / or :", what)));
	if (pg_strcasecmp(alias, "latest") == 0 ||
		((alias[0] == 'v' || alias[0] == 'V') && alias[1] != '\0' &&
		 strspn(alias + 1, "0123456789") == strlen(alias + 1)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be \"latest\" or \"v\" and a number",
						what),
				 errhint("Those name versions already.")));
}

/*
 * Reports an error unless the array is a list of names; returns it without
 * duplicates, in the order in which they came, and counted from 1.
 *
 * NULL gives the empty array.  The result may be the input itself.
 */
ArrayType *
mr_check_tags(const char *what, ArrayType *tags)
{
	return check_list(what, tags, true);
}

/*
 * The same for a list of ids, of which is only asked that they are not null.
 */
ArrayType *
mr_check_ids(const char *what, ArrayType *ids)
{
	return check_list(what, ids, false);
}

static ArrayType *
check_list(const char *what, ArrayType *list, bool of_names)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int			kept = 0;
	int			i;

	if (list == NULL)
		return construct_empty_array(TEXTOID);
	Assert(ARR_ELEMTYPE(list) == TEXTOID);

	if (ARR_NDIM(list) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be an array of one dimension", what)));

	count = ArrayGetNItems(ARR_NDIM(list), ARR_DIMS(list));
	if (count == 0)
		return list;
	if (count > MR_MAX_TAGS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s has more than %d elements", what, MR_MAX_TAGS),
				 errdetail("It has %d elements.", count)));

	deconstruct_array(list, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls,
					  &count);

	for (i = 0; i < count; i++)
	{
		const void *element = DatumGetPointer(elements[i]);
		char	   *subject = psprintf("%s[%d]", what, i + 1);

		check_not_null(subject, nulls[i] ? NULL : element);
		if (of_names)
			mr_name_check(subject, VARDATA_ANY(element),
						  VARSIZE_ANY_EXHDR(element));
		pfree(subject);

		if (!contains_text(elements, kept, elements[i]))
			elements[kept++] = elements[i];
	}

	if (kept == count && ARR_LBOUND(list)[0] == 1)
		return list;
	return construct_array(elements, kept, TEXTOID, -1, false, TYPALIGN_INT);
}

/*
 * Reports an error unless the value is a flat JSON object whose values are
 * numbers that float8 can hold, under keys that are names.
 */
int64
mr_check_metrics(const char *what, Jsonb *metrics)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	value;
	Datum		zero = NumericGetDatum(int64_to_numeric(0));

	check_is_object(what, metrics);

	it = JsonbIteratorInit(&metrics->root);
	/* Nested containers come as one value each, and are no numbers. */
	while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();

		if (token == WJB_KEY)
		{
			(void) JsonbIteratorNext(&it, &value, true);
			check_metric(what, &key, &value, zero);
		}
	}
	return check_json_text(what, metrics);
}

/*
 * Says whether checked metrics have no metric in them; NULL has none.
 */
bool
mr_check_metrics_empty(Jsonb *metrics)
{
	return metrics == NULL || JB_ROOT_COUNT(metrics) == 0;
}

/*
 * Reports an error unless the value is a JSON object of limited size, whose
 * numbers float8 can hold.  Returns the bytes of its text.
 */
int64
mr_check_object(const char *what, Jsonb *value)
{
	check_is_object(what, value);
	return check_json_text(what, value);
}

static void
check_is_object(const char *what, Jsonb *value)
{
	check_not_null(what, value);

	if (!JB_ROOT_IS_OBJECT(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a JSON object", what)));
	if (VARSIZE(value) > MR_MAX_JSON)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is larger than %d bytes as jsonb", what,
						MR_MAX_JSON)));
}

/*
 * What clients do with a number beyond float8 differs, and it can have 131,072
 * digits.  Returns the bytes of the text.
 */
static int64
check_json_text(const char *what, Jsonb *value)
{
	MrJsonText	out = {.limit = MR_MAX_JSON,.float8_only = true};

	mr_json_begin(&out);
	mr_json_add_jsonb(&out, value);
	mr_json_end(&out);
	if (out.misfit)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s has a number beyond the range of double precision",
						what),
				 errdetail("It is in \"%s\".", out.misfit),
				 errhint("Pass it as a string.")));
	if (out.size > out.limit)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is longer than %d bytes as text", what,
						MR_MAX_JSON)));
	return out.size;
}

/*
 * Reports an error if the columns of a version that may be large have more
 * bytes, as JSON, than we keep.  Each may be at its own limit, but not all.
 */
void
mr_check_version_size(int64 size)
{
	if (size > MR_MAX_VERSION_ROW)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("metadata of the version is longer than %d bytes as JSON",
						MR_MAX_VERSION_ROW),
				 errhint("Register large data as an artifact.")));
}

/*
 * Reports an error unless there is a metric, where the model requires one.
 */
void
mr_check_metrics_given(Jsonb *metrics)
{
	if (mr_check_metrics_empty(metrics))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("performance_metrics must have at least one metric"),
				 errhint("Pass a metric such as {\"f1_score\": 0.85}, or switch require_metadata off for the model.")));
}

/*
 * Reports an error unless the value is a number of versions to keep, or -1 for
 * all of them.  0 would mean to keep nothing.
 */
void
mr_check_max_versions(const char *what, int max_versions)
{
	if (max_versions < -1 || max_versions == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be -1 (keep all) or at least 1", what)));
}

/*
 * Reports an error unless the value is a SHA-256 digest in hex; returns it in
 * lower case, palloc'd.
 */
char *
mr_check_sha256_hex(const char *what, const char *hex)
{
	size_t		len;
	size_t		digits;
	char	   *result;
	size_t		i;

	check_not_null(what, hex);

	len = strlen(hex);
	digits = strspn(hex, "0123456789abcdefABCDEF");
	if (len != SHA256_HEX_LEN || digits != SHA256_HEX_LEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a SHA-256 digest of %d hexadecimal digits",
						what, SHA256_HEX_LEN),
				 errdetail("It has %zu bytes, and begins with %zu hexadecimal digits.",
						   len, digits)));

	result = pnstrdup(hex, SHA256_HEX_LEN);
	for (i = 0; i < SHA256_HEX_LEN; i++)
		result[i] = pg_ascii_tolower((unsigned char) result[i]);
	return result;
}

/*
 * Reports an error if a free text is larger than we keep; NULL has no size.
 */
void
mr_check_text_size(const char *what, const char *value)
{
	size_t		len = value == NULL ? 0 : strlen(value);

	if (len > MR_MAX_TEXT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is longer than %d bytes", what, MR_MAX_TEXT),
				 errdetail("It has %zu bytes.", len)));
}

/*
 * Reports an error if there is no value.
 */
static void
check_not_null(const char *what, const void *value)
{
	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be null", what)));
}

/*
 * Reports an error unless key and value make a metric.
 *
 * A number that rounds to zero is refused like one that rounds to infinity:
 * every view and comparison reads metrics as float8, and would show something
 * that nobody measured.
 */
static void
check_metric(const char *what, const JsonbValue *key, const JsonbValue *value,
			 Datum zero)
{
	const char *name = mr_clip_bytes(key->val.string.val, key->val.string.len);
	Datum		number;
	float8		as_float;

	mr_name_check(psprintf("key \"%s\" of %s", name, what),
				  key->val.string.val, key->val.string.len);

	if (value->type != jbvNumeric)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" in \"%s\" must be a number", name, what),
				 errhint("Metrics are a flat object of numbers, such as {\"accuracy\": 0.93}.")));

	number = NumericGetDatum(value->val.numeric);
	as_float = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
												  number));
	if (isnan(as_float) || isinf(as_float) ||
		(as_float == 0 &&
		 DatumGetBool(DirectFunctionCall2(numeric_ne, number, zero))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" in \"%s\" must be a finite number within the range of double precision",
						name, what)));
}

/*
 * Says whether one of the first count texts has the same bytes.  For as few
 * and short ones as there can be here, looking at each is quick enough.
 */
static bool
contains_text(const Datum *texts, int count, Datum text_datum)
{
	const void *wanted = DatumGetPointer(text_datum);
	Size		len = VARSIZE_ANY_EXHDR(wanted);
	int			i;

	for (i = 0; i < count; i++)
	{
		const void *candidate = DatumGetPointer(texts[i]);

		if (VARSIZE_ANY_EXHDR(candidate) == len &&
			memcmp(VARDATA_ANY(candidate), VARDATA_ANY(wanted), len) == 0)
			return true;
	}
	return false;
}
