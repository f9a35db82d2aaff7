/*
 * Semantic Versioning 2.0.0: parsing and precedence.
 *
 * The specification (semver.org) sets no limit to the numbers in a version,
 * and date-like or generated ones overflow a bigint.  So numbers stay strings
 * of digits here: as leading zeros are not allowed, the longer number is the
 * greater one, and numbers of one length compare like text.
 *
 * What the grammar allows is ASCII, and in every server encoding a byte below
 * 0x80 is that ASCII character.  Bytes can therefore be looked at one by one;
 * a multibyte character fails at its first byte.  The character classes are
 * our own because those of <ctype.h> depend on the locale.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "base/semver.h"

/* A part of a version that someone else holds */
typedef struct VersionPart
{
	const char *start;			/* first byte, not NUL-terminated */
	int			len;			/* number of bytes */
} VersionPart;

/* A version, taken apart.  Build metadata has no say in anything we do. */
typedef struct ParsedVersion
{
	VersionPart numbers[3];		/* major, minor, patch */
	VersionPart prerelease;		/* without the hyphen; len 0 if there is none */
} ParsedVersion;

static bool parse_version(const char *version, ParsedVersion *parsed);
static void parse_valid_version(const char *version, ParsedVersion *parsed);
static bool parse_number(const char **cursor, VersionPart *number);
static bool parse_identifiers(const char **cursor, bool leading_zeros,
							  VersionPart *identifiers);
static int	compare_prereleases(const VersionPart *a, const VersionPart *b);
static int	compare_identifiers(const VersionPart *a, const VersionPart *b);
static int	compare_numbers(const VersionPart *a, const VersionPart *b);
static int	compare_text(const VersionPart *a, const VersionPart *b);
static VersionPart next_identifier(VersionPart *rest);
static bool is_number(const VersionPart *part);
static bool is_digit(char c);
static bool is_identifier_char(char c);

/*
 * Says whether the text is a Semantic Versioning 2.0.0 version of at most
 * MR_MAX_VERSION bytes.
 */
bool
mr_semver_valid(const char *version)
{
	ParsedVersion parsed;

	return strlen(version) <= MR_MAX_VERSION && parse_version(version, &parsed);
}

/*
 * Reports an error unless the version is valid.
 *
 * Length is the first thing looked at, so that what the other message repeats
 * is never longer than MR_MAX_VERSION.
 */
void
mr_semver_check(const char *version)
{
	size_t		len = strlen(version);

	if (len > MR_MAX_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version is longer than %d bytes", MR_MAX_VERSION),
				 errdetail("It has %zu bytes.", len)));

	if (!mr_semver_valid(version))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is no Semantic Versioning 2.0.0 version",
						version),
				 errhint("Write MAJOR.MINOR.PATCH, such as 1.4.0 or 2.0.0-rc.1, without leading zeros or a \"v\".")));
}

/*
 * Compares two valid versions by precedence; returns -1, 0 or 1.
 *
 * 0 does not mean that the texts are the same: build metadata does not count.
 */
int
mr_semver_compare(const char *a, const char *b)
{
	ParsedVersion pa;
	ParsedVersion pb;
	int			i;

	parse_valid_version(a, &pa);
	parse_valid_version(b, &pb);

	for (i = 0; i < lengthof(pa.numbers); i++)
	{
		int			cmp = compare_numbers(&pa.numbers[i], &pb.numbers[i]);

		if (cmp != 0)
			return cmp;
	}

	return compare_prereleases(&pa.prerelease, &pb.prerelease);
}

/*
 * Returns the next minor version, MAJOR.(MINOR + 1).0, of a valid version,
 * palloc'd; NULL if it would be longer than MR_MAX_VERSION bytes.
 */
char *
mr_semver_next_minor(const char *version)
{
	ParsedVersion parsed;
	const VersionPart *major = &parsed.numbers[0];
	const VersionPart *minor = &parsed.numbers[1];
	StringInfoData next;
	int			nines = 0;		/* the nines that minor ends with */
	int			i;

	parse_valid_version(version, &parsed);

	while (nines < minor->len && minor->start[minor->len - 1 - nines] == '9')
		nines++;

	initStringInfo(&next);
	appendBinaryStringInfo(&next, major->start, major->len);
	appendStringInfoChar(&next, '.');

	/* Adding one turns those nines to zeros and carries into what is left. */
	if (nines == minor->len)
		appendStringInfoChar(&next, '1');
	else
	{
		int			carry_at = minor->len - 1 - nines;

		appendBinaryStringInfo(&next, minor->start, carry_at);
		appendStringInfoChar(&next, minor->start[carry_at] + 1);
	}
	for (i = 0; i < nines; i++)
		appendStringInfoChar(&next, '0');

	appendStringInfoString(&next, ".0");

	if (next.len > MR_MAX_VERSION)
	{
		pfree(next.data);
		return NULL;
	}
	return next.data;
}

/*
 * Takes a version apart; returns false if it does not follow the grammar.
 * The parts point into the version.
 */
static bool
parse_version(const char *version, ParsedVersion *parsed)
{
	const char *cursor = version;
	int			i;

	for (i = 0; i < lengthof(parsed->numbers); i++)
	{
		if (i > 0 && *cursor++ != '.')
			return false;
		if (!parse_number(&cursor, &parsed->numbers[i]))
			return false;
	}

	parsed->prerelease.start = cursor;
	parsed->prerelease.len = 0;
	if (*cursor == '-')
	{
		cursor++;
		if (!parse_identifiers(&cursor, false, &parsed->prerelease))
			return false;
	}

	if (*cursor == '+')
	{
		VersionPart build;

		cursor++;
		if (!parse_identifiers(&cursor, true, &build))
			return false;
	}

	return *cursor == '\0';
}

/*
 * The same for a version that the caller has checked, or that was checked
 * before it was stored.
 */
static void
parse_valid_version(const char *version, ParsedVersion *parsed)
{
	if (!parse_version(version, parsed))
		elog(ERROR, "malformed version");
}

/*
 * Moves the cursor over a number; returns false if there is none or if it has
 * a leading zero.
 */
static bool
parse_number(const char **cursor, VersionPart *number)
{
	const char *p = *cursor;

	number->start = p;
	while (is_digit(*p))
		p++;
	number->len = p - number->start;
	*cursor = p;

	return number->len == 1 || (number->len > 1 && number->start[0] != '0');
}

/*
 * Moves the cursor over identifiers with dots between them; returns false if
 * one is empty or, where leading zeros are not allowed, is a number with one.
 */
static bool
parse_identifiers(const char **cursor, bool leading_zeros,
				  VersionPart *identifiers)
{
	const char *p = *cursor;

	identifiers->start = p;
	for (;;)
	{
		VersionPart part;

		part.start = p;
		while (is_identifier_char(*p))
			p++;
		part.len = p - part.start;

		if (part.len == 0)
			return false;
		if (!leading_zeros && part.len > 1 && part.start[0] == '0' &&
			is_number(&part))
			return false;

		if (*p != '.')
			break;
		p++;
	}
	identifiers->len = p - identifiers->start;
	*cursor = p;

	return true;
}

/*
 * Compares what follows the hyphen of two versions whose numbers are equal.
 */
static int
compare_prereleases(const VersionPart *a, const VersionPart *b)
{
	VersionPart rest_a = *a;
	VersionPart rest_b = *b;

	/* A release follows its own pre-releases. */
	if (a->len == 0 || b->len == 0)
		return (a->len == 0) - (b->len == 0);

	while (rest_a.len > 0 && rest_b.len > 0)
	{
		VersionPart part_a = next_identifier(&rest_a);
		VersionPart part_b = next_identifier(&rest_b);
		int			cmp = compare_identifiers(&part_a, &part_b);

		if (cmp != 0)
			return cmp;
	}

	/* All else being equal, more identifiers follow fewer. */
	return (rest_a.len > 0) - (rest_b.len > 0);
}

/*
 * Compares two pre-release identifiers: numbers precede text.
 */
static int
compare_identifiers(const VersionPart *a, const VersionPart *b)
{
	bool		a_is_number = is_number(a);
	bool		b_is_number = is_number(b);

	if (a_is_number && b_is_number)
		return compare_numbers(a, b);
	if (a_is_number || b_is_number)
		return a_is_number ? -1 : 1;
	return compare_text(a, b);
}

/*
 * Compares two numbers without leading zeros.
 */
static int
compare_numbers(const VersionPart *a, const VersionPart *b)
{
	if (a->len != b->len)
		return (a->len > b->len) - (a->len < b->len);
	return compare_text(a, b);
}

/*
 * Compares by ASCII codes; a text follows its own beginning.
 */
static int
compare_text(const VersionPart *a, const VersionPart *b)
{
	int			cmp = memcmp(a->start, b->start, Min(a->len, b->len));

	if (cmp != 0)
		return (cmp > 0) - (cmp < 0);
	return (a->len > b->len) - (a->len < b->len);
}

/*
 * Takes the first identifier, and the dot behind it, off what is left of a
 * valid pre-release.
 */
static VersionPart
next_identifier(VersionPart *rest)
{
	VersionPart part;
	int			taken;

	part.start = rest->start;
	part.len = 0;
	while (part.len < rest->len && part.start[part.len] != '.')
		part.len++;

	taken = Min(part.len + 1, rest->len);
	rest->start += taken;
	rest->len -= taken;

	return part;
}

/*
 * Says whether a part consists of digits.
 */
static bool
is_number(const VersionPart *part)
{
	int			i;

	for (i = 0; i < part->len; i++)
	{
		if (!is_digit(part->start[i]))
			return false;
	}
	return part->len > 0;
}

/*
 * Says whether a byte is an ASCII digit.
 */
static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Says whether a byte may stand in a pre-release or build identifier.
 */
static bool
is_identifier_char(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		c == '-';
}
