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

static bool is_full(const MrJsonText *text);
static void add_bytes(MrJsonText *text, const char *bytes, int len);
static void hand_on(MrJsonText *text);
static void add_scalar(MrJsonText *text, const JsonbValue *value,
					   const JsonbValue *key);
static void add_number(MrJsonText *text, Numeric number,
					   const JsonbValue *key);
static bool fits_float8(const char *digits);
static int	plain_prefix(const char *string, int len);
static void add_array(MrJsonText *text, ArrayType *array);

/*
 * Begins a text.  The caller has filled limit, float8_only, take and arg in;
 * the rest is set here.
 */
void
mr_json_begin(MrJsonText *text)
{
	text	  ->size = 0;
	text	  ->misfit = NULL;

	if (text->take)
		initStringInfo(&text->run);
}

/*
 * Adds what is not to be escaped: punctuation, numbers.
 */
void
mr_json_add(MrJsonText *text, const char *run)
{
	add_bytes(text, run, strlen(run));
}

/*
 * Adds a string, quoted and escaped as jsonb's output does it.
 */
void
mr_json_add_string(MrJsonText *text, const char *string, int len)
{
	add_bytes(text, "\"", 1);
	while (len > 0 && !is_full(text))
	{
		int			plain = plain_prefix(string, len);
		char		escaped[7];

		CHECK_FOR_INTERRUPTS();
		if (plain > 0)
		{
			add_bytes(text, string, plain);
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
		add_bytes(text, escaped, strlen(escaped));
		string++;
		len--;
	}
	add_bytes(text, "\"", 1);
}

/*
 * Adds what jsonb's output gives.
 */
void
mr_json_add_jsonb(MrJsonText *text, Jsonb *value)
{
	JsonbIterator *it = JsonbIteratorInit(&value->root);
	JsonbIteratorToken token;
	JsonbValue	item;
	JsonbValue	key = {jbvNull};
	bool		is_first = true;
	bool		is_raw_scalar = false;

	while (!is_full(text) &&
		   (token = JsonbIteratorNext(&it, &item, false)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		switch (token)
		{
			case WJB_BEGIN_ARRAY:
			case WJB_BEGIN_OBJECT:
				if (!is_first)
					add_bytes(text, ", ", 2);
				is_first = true;
				if (token == WJB_BEGIN_OBJECT)
					add_bytes(text, "{", 1);
				else if (item.val.array.rawScalar)
					is_raw_scalar = true;
				else
					add_bytes(text, "[", 1);
				break;
			case WJB_KEY:
				if (!is_first)
					add_bytes(text, ", ", 2);
				key = item;
				mr_json_add_string(text, item.val.string.val,
								   item.val.string.len);
				add_bytes(text, ": ", 2);
				/* no comma before the value */
				is_first = true;
				break;
			case WJB_VALUE:
			case WJB_ELEM:
				if (!is_first)
					add_bytes(text, ", ", 2);
				is_first = false;
				add_scalar(text, &item, &key);
				break;
			case WJB_END_ARRAY:
				is_first = false;
				if (!is_raw_scalar)
					add_bytes(text, "]", 1);
				break;
			case WJB_END_OBJECT:
				is_first = false;
				add_bytes(text, "}", 1);
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
mr_json_add_value(MrJsonText *text, const MrValue *value)
{
	if (value->isnull)
		mr_json_add(text, "null");
	else if (value->type == JSONBOID)
		mr_json_add_jsonb(text, DatumGetJsonbP(value->datum));
	else if (value->type == TEXTARRAYOID)
		add_array(text, DatumGetArrayTypeP(value->datum));
	else if (value->type == TEXTOID)
	{
		struct varlena *string = PG_DETOAST_DATUM_PACKED(value->datum);

		mr_json_add_string(text, VARDATA_ANY(string),
						   VARSIZE_ANY_EXHDR(string));
	}
	else
		mr_json_add(text, "\"0123abcd-0123-7abc-89ab-0123456789ab\"");
}

/*
 * Hands the rest on.
 */
void
mr_json_end(MrJsonText *text)
{
	if (text->take)
	{
		hand_on(text);
		pfree(text->run.data);
	}
}

/*
 * How many bytes a value's text has, or some number beyond the limit.
 */
int64
mr_json_size(const MrValue *value, int64 limit)
{
	MrJsonText text = {.limit = limit};

	mr_json_begin(&text);
	mr_json_add_value(&text, value);
	mr_json_end(&text);
	return text.size;
}

/*
 * Whether there is no need to go on.
 */
static bool
is_full(const MrJsonText *text)
{
	return text->size > text->limit || text->misfit != NULL;
}

static void
add_bytes(MrJsonText *text, const char *bytes, int len)
{
	text	  ->size += len;

	if (text->take == NULL)
		return;
	appendBinaryStringInfo(&text->run, bytes, len);
	if (text->run.len >= RUN_SIZE)
		hand_on(text);
}

static void
hand_on(MrJsonText *text)
{
	if (text->run.len > 0)
		text	  ->take(text->arg, text->run.data, text->run.len);

	resetStringInfo(&text->run);
}

static void
add_scalar(MrJsonText *text, const JsonbValue *value, const JsonbValue *key)
{
	switch (value->type)
	{
		case jbvNull:
			add_bytes(text, "null", 4);
			break;
		case jbvBool:
			mr_json_add(text, value->val.boolean ? "true" : "false");
			break;
		case jbvString:
			mr_json_add_string(text, value->val.string.val,
							   value->val.string.len);
			break;
		case jbvNumeric:
			add_number(text, value->val.numeric, key);
			break;
		default:
			elog(ERROR, "unexpected type of jsonb: %d", (int) value->type);
	}
}

static void
add_number(MrJsonText *text, Numeric number, const JsonbValue *key)
{
	Datum		out = DirectFunctionCall1(numeric_out,
										  NumericGetDatum(number));
	char	   *digits = DatumGetCString(out);

	if (text->float8_only && !fits_float8(digits))
	{
		int			shown = 0;

		if (key->type == jbvString)
			shown = pg_mbcliplen(key->val.string.val, key->val.string.len,
								 SHOWN_KEY);
		text	  ->misfit = pnstrdup(shown > 0 ? key->val.string.val : "", shown);
	}
	else
		mr_json_add(text, digits);
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
add_array(MrJsonText *text, ArrayType *array)
{
	ArrayIterator iterator = array_create_iterator(array, 0, NULL);
	Datum		element;
	bool		isnull;
	bool		is_first = true;

	mr_json_add(text, "[");
	while (!is_full(text) && array_iterate(iterator, &element, &isnull))
	{
		MrValue		value = {TEXTOID, isnull, element};

		CHECK_FOR_INTERRUPTS();
		if (!is_first)
			mr_json_add(text, ", ");
		is_first = false;
		mr_json_add_value(text, &value);
	}
	mr_json_add(text, "]");
	array_free_iterator(iterator);
}
