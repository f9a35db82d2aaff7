/*
 * The order in which the ids of a name were issued.
 *
 * The trail has an index by it: a model that takes a name finds the last id of
 * that name however many there are.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

/* Digits of the greatest number of an id in its second */
#define SUFFIX_DIGITS 10

PG_FUNCTION_INFO_V1(modelreg_issue_rank);

static bool take_digits(const char **text, int at_least, int at_most);

/*
 * modelreg.issue_rank(model_name text, model_id text) RETURNS text
 *
 * "YYYYMMDD_HHMMSS NNNNNNNNNN", second and number in it; NULL for what is no
 * id that was issued under that name.
 */
Datum
modelreg_issue_rank(PG_FUNCTION_ARGS)
{
	char	   *model_name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *model_id = text_to_cstring(PG_GETARG_TEXT_PP(1));
	size_t		name_length = strlen(model_name);
	const char *second = model_id + name_length + 1;
	const char *rest = second;
	const char *suffix = "1";

	if (strncmp(model_id, model_name, name_length) != 0 ||
		model_id[name_length] != '_' ||
		!take_digits(&rest, 8, 8) || *rest++ != '_' ||
		!take_digits(&rest, 6, 6))
		PG_RETURN_NULL();
	if (*rest == '_')
	{
		suffix = ++rest;
		if (!take_digits(&rest, 1, SUFFIX_DIGITS))
			PG_RETURN_NULL();
	}
	if (*rest != '\0')
		PG_RETURN_NULL();

	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%.15s %.*s%s", second,
											  (int) (SUFFIX_DIGITS -
													 strlen(suffix)),
											  "0000000000", suffix)));
}

/*
 * Goes past the digits that text begins with; false if there are fewer or
 * more.
 */
static bool
take_digits(const char **text, int at_least, int at_most)
{
	size_t		length = strspn(*text, "0123456789");

	*text = *text +length;
	return length >= at_least && length <= at_most;
}
