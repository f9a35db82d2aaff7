/*
 * The text of JSON values, a run at a time.
 *
 * jsonb keeps 1e131071 in 16 bytes; its text has 131,072 digits.  What is
 * stored is dumped, listed and hashed as text, so its limits are about the
 * text, which is measured here without being built, and can be interrupted.
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "base/compat.h"
#include "base/json.h"

/* Bytes that are collected before they are handed on */
#define RUN_SIZE (64 * 1024)

/* A number of no more characters is not beyond float8. */
#define SAFE_DIGITS 300

/* Enough of a key for a message */
#define SHOWN_KEY 200

static bool is_full(const MrJsonText *out);
static void add_bytes(MrJsonText *out, const char *bytes, int len);
static void hand_on(MrJsonText *out);
static void add_scalar(MrJsonText *out, const JsonbValue *value,
					   const JsonbValue *key);
static void add_number(MrJsonText *out, Numeric number,
					   const JsonbValue *key);
static bool fits_float8(const char *digits);
static int	plain_prefix(const char *string, int len);
static void add_array(MrJsonText *out, ArrayType *array);

/*
 * Begins a text.  The caller has filled limit, float8_only, take and arg in;
 * the rest is set here.
 */
void
mr_json_begin(MrJsonText *out)
{
	out->size = 0;
	out->misfit = NULL;

	if (out->take)
		initStringInfo(&out->run);
}

/*
 * Adds what is not to be escaped: punctuation, numbers.
 */
void
mr_json_add(MrJsonText *out, const char *run)
{
	add_bytes(out, run, strlen(run));
}

/*
 * Adds a string, quoted and escaped as jsonb's output does it.
 */
void
mr_json_add_string(MrJsonText *out, const char *string, int len)
{
	add_bytes(out, "\"", 1);
	while (len > 0 && !is_full(out))
	{
		int			plain = plain_prefix(string, len);
		char		escaped[7];

		CHECK_FOR_INTERRUPTS();
		if (plain > 0)
		{
			add_bytes(out, string, plain);
			string += plain;
			len -= plain;
			continue;
		}

		switch (*string)
		{
			case '\b':
				strcpy(escaped, "\\b");
				break;
			case '\f':
				strcpy(escaped, "\\f");
				break;
			case '\n':
				strcpy(escaped, "\\n");
				break;
			case '\r':
				strcpy(escaped, "\\r");
				break;
			case '\t':
				strcpy(escaped, "\\t");
				break;
			case '"':
				strcpy(escaped, "\\\"");
				break;
			case '\\':
				strcpy(escaped, "\\\\");
				break;
			default:
				snprintf(escaped, sizeof(escaped), "\\u%04x", (int) *string);
				break;
		}
		add_bytes(out, escaped, strlen(escaped));
		string++;
		len--;
	}
	add_bytes(out, "\"", 1);
}

/*
 * Adds what jsonb's output gives.
 */
void
mr_json_add_jsonb(MrJsonText *out, Jsonb *value)
{
	JsonbIterator *it = JsonbIteratorInit(&value->root);
	JsonbIteratorToken token;
	JsonbValue	item;
	JsonbValue	key = {jbvNull};
	bool		is_first = true;
	bool		is_raw_scalar = false;

	while (!is_full(out) &&
		   (token = JsonbIteratorNext(&it, &item, false)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		switch (token)
		{
			case WJB_BEGIN_ARRAY:
			case WJB_BEGIN_OBJECT:
				if (!is_first)
					add_bytes(out, ", ", 2);
				is_first = true;
				if (token == WJB_BEGIN_OBJECT)
					add_bytes(out, "{", 1);
				else if (item.val.array.rawScalar)
					is_raw_scalar = true;
				else
					add_bytes(out, "[", 1);
				break;
			case WJB_KEY:
				if (!is_first)
					add_bytes(out, ", ", 2);
				key = item;
				mr_json_add_string(out, item.val.string.val,
								   item.val.string.len);
				add_bytes(out, ": ", 2);
				/* no comma before the value */
				is_first = true;
				break;
			case WJB_VALUE:
			case WJB_ELEM:
				if (!is_first)
					add_bytes(out, ", ", 2);
				is_first = false;
				add_scalar(out, &item, &key);
				break;
			case WJB_END_ARRAY:
				is_first = false;
				if (!is_raw_scalar)
					add_bytes(out, "]", 1);
				break;
			case WJB_END_OBJECT:
				is_first = false;
				add_bytes(out, "}", 1);
				break;
			default:
				elog(ERROR, "unexpected token of jsonb: %d", (int) token);
		}
	}
}

/*
 * Adds a value as to_jsonb shows it; of types other than jsonb, text and
 * text[] only about as many bytes.
 */
void
mr_json_add_value(MrJsonText *out, const MrValue *value)
{
	if (value->isnull)
		mr_json_add(out, "null");
	else if (value->type == JSONBOID)
		mr_json_add_jsonb(out, DatumGetJsonbP(value->datum));
	else if (value->type == TEXTARRAYOID)
		add_array(out, DatumGetArrayTypeP(value->datum));
	else if (value->type == TEXTOID)
	{
		struct varlena *string = PG_DETOAST_DATUM_PACKED(value->datum);

		mr_json_add_string(out, VARDATA_ANY(string),
						   VARSIZE_ANY_EXHDR(string));
	}
	else
		mr_json_add(out, "\"0123abcd-0123-7abc-89ab-0123456789ab\"");
}

/*
 * Hands the rest on.
 */
void
mr_json_end(MrJsonText *out)
{
	if (out->take)
	{
		hand_on(out);
		pfree(out->run.data);
	}
}

/*
 * How many bytes a value's text has, or some number beyond the limit.
 */
int64
mr_json_size(const MrValue *value, int64 limit)
{
	MrJsonText	out = {.limit = limit};

	mr_json_begin(&out);
	mr_json_add_value(&out, value);
	mr_json_end(&out);
	return out.size;
}

/*
 * Whether there is no need to go on.
 */
static bool
is_full(const MrJsonText *out)
{
	return out->size > out->limit || out->misfit != NULL;
}

static void
add_bytes(MrJsonText *out, const char *bytes, int len)
{
	out->size += len;

	if (out->take == NULL)
		return;
	appendBinaryStringInfo(&out->run, bytes, len);
	if (out->run.len >= RUN_SIZE)
		hand_on(out);
}

static void
hand_on(MrJsonText *out)
{
	if (out->run.len > 0)
		out->take(out->arg, out->run.data, out->run.len);

	resetStringInfo(&out->run);
}

static void
add_scalar(MrJsonText *out, const JsonbValue *value, const JsonbValue *key)
{
	switch (value->type)
	{
		case jbvNull:
			add_bytes(out, "null", 4);
			break;
		case jbvBool:
			mr_json_add(out, value->val.boolean ? "true" : "false");
			break;
		case jbvString:
			mr_json_add_string(out, value->val.string.val,
							   value->val.string.len);
			break;
		case jbvNumeric:
			add_number(out, value->val.numeric, key);
			break;
		default:
			elog(ERROR, "unexpected type of jsonb: %d", (int) value->type);
	}
}

static void
add_number(MrJsonText *out, Numeric number, const JsonbValue *key)
{
	Datum		digits_out = DirectFunctionCall1(numeric_out,
												 NumericGetDatum(number));
	char	   *digits = DatumGetCString(digits_out);

	if (out->float8_only && !fits_float8(digits))
	{
		int			shown = 0;

		if (key->type == jbvString)
			shown = pg_mbcliplen(key->val.string.val, key->val.string.len,
								 SHOWN_KEY);
		out->misfit = pnstrdup(shown > 0 ? key->val.string.val : "", shown);
	}
	else
		mr_json_add(out, digits);
	pfree(digits);
}

/*
 * Whether float8 can hold a number, which becomes neither infinite nor zero
 * there.
 */
static bool
fits_float8(const char *digits)
{
	double		as_float;

	if (strlen(digits) <= SAFE_DIGITS)
		return true;
	as_float = strtod(digits, NULL);
	return !isinf(as_float) &&
		(as_float != 0 || digits[strspn(digits, "-0.")] == '\0');
}

/*
 * How many of the first bytes of a string need no escape: whole characters,
 * and no more than a run of them.  In every server encoding a byte below 0x80
 * is that ASCII character.
 */
static int
plain_prefix(const char *string, int len)
{
	int			plain = 0;
	int			most = Min(len, RUN_SIZE);

	while (plain < most && (unsigned char) string[plain] >= ' ' &&
		   string[plain] != '"' && string[plain] != '\\')
		plain++;
	if (plain == most && most < len)
		plain = pg_mbcliplen(string, len, plain);
	return plain;
}

static void
add_array(MrJsonText *out, ArrayType *array)
{
	ArrayIterator iterator = array_create_iterator(array, 0, NULL);
	Datum		element;
	bool		isnull;
	bool		is_first = true;

	mr_json_add(out, "[");
	while (!is_full(out) && array_iterate(iterator, &element, &isnull))
	{
		MrValue		value = {TEXTOID, isnull, element};

		CHECK_FOR_INTERRUPTS();
		if (!is_first)
			mr_json_add(out, ", ");
		is_first = false;
		mr_json_add_value(out, &value);
	}
	mr_json_add(out, "]");
	array_free_iterator(iterator);
}
