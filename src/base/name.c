/*
 * What can name something.
 *
 * Names end up in ids, logs, file names and shell scripts, and people compare
 * them by sight.  So what cannot be seen, or is written in more than one way,
 * is refused: two names that look the same are the same, as far as that can be
 * had without a table of letters that look alike.
 */
#include "postgres.h"

#include "common/unicode_norm.h"
#include "mb/pg_wchar.h"

#include "base/name.h"

/* From first to last */
typedef struct Range
{
	pg_wchar	first;
	pg_wchar	last;
} Range;

static void check_unicode(const char *subject, const char *name, size_t len);
static void check_character(const char *subject, const pg_wchar *character,
							bool is_first, bool is_last);
static void check_normal(const char *subject, const pg_wchar *name);
static bool is_ascii(const char *name, size_t len);
static bool is_in(const Range *ranges, int count, pg_wchar character);

/*
 * Spaces but U+0020, and what ends a line
 */
static const Range other_spaces[] = {
	{0x00A0, 0x00A0}, {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029},
	{0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}
};

/*
 * What shows nothing of its own, by itself or at all: what Unicode 15 calls
 * Default_Ignorable_Code_Point, the bidirectional controls included, and the
 * controls of annotations.
 */
static const Range invisible[] = {
	{0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x061C, 0x061C}, {0x115F, 0x1160},
	{0x17B4, 0x17B5}, {0x180B, 0x180F}, {0x200B, 0x200F}, {0x202A, 0x202E},
	{0x2060, 0x206F}, {0x3164, 0x3164}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
	{0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0x1BCA0, 0x1BCA3},
	{0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}
};

/*
 * Blocks above ASCII that have no letters: punctuation, symbols, private use
 */
static const Range no_letters[] = {
	{0x0080, 0x00A9}, {0x00AB, 0x00B4}, {0x00B6, 0x00B9}, {0x00BB, 0x00BF},
	{0x00D7, 0x00D7}, {0x00F7, 0x00F7}, {0x2000, 0x2BFF}, {0x2E00, 0x2FFF},
	{0x3000, 0x3004}, {0x3008, 0x3020}, {0xD800, 0xF8FF}, {0xFE10, 0xFE1F},
	{0xFE30, 0xFE6F}, {0xFF00, 0xFF20}, {0xFFE0, 0xFFFF},
	{0x1F000, 0x1FAFF}, {0xE0000, 0x10FFFF}
};

/*
 * Reports an error unless the bytes can name the subject, an argument or a part
 * of one.
 */
void
mr_name_check(const char *subject, const char *name, size_t len)
{
	if (len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be empty", subject)));
	if (len > MR_MAX_NAME)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is longer than %d bytes", subject, MR_MAX_NAME)));
	if (pg_mbstrlen_with_len(name, len) > MR_MAX_NAME_CHARS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is longer than %d characters", subject,
						MR_MAX_NAME_CHARS)));
	if (mr_name_has_control(name, len))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not contain control characters", subject)));
	/* The rest of ASCII's white space are control characters. */
	if (name[0] == ' ' || name[len - 1] == ' ')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not begin or end with a space", subject)));
	if (GetDatabaseEncoding() == PG_UTF8 && !is_ascii(name, len))
		check_unicode(subject, name, len);
}

static void
check_unicode(const char *subject, const char *name, size_t len)
{
	pg_wchar   *characters = palloc((len + 1) * sizeof(pg_wchar));
	int			count = pg_mb2wchar_with_len(name, characters, len);

	for (int i = 0; i < count; i++)
		check_character(subject, &characters[i], i == 0, i == count - 1);
	check_normal(subject, characters);
	pfree(characters);
}

/*
 * ZWNJ and ZWJ, which languages need that join letters, may stand between two.
 */
static void
check_character(const char *subject, const pg_wchar *character, bool is_first,
				bool is_last)
{
	if (is_in(other_spaces, lengthof(other_spaces), *character))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not contain other spaces than U+0020",
						subject),
				 errdetail("It contains U+%04X.", *character)));
	if (!is_in(invisible, lengthof(invisible), *character))
		return;
	if ((*character == 0x200C || *character == 0x200D) &&
		!is_first && !is_last &&
		mr_name_is_letter(character[-1]) && mr_name_is_letter(character[1]))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must not contain invisible characters or bidirectional controls",
					subject),
			 errdetail("It contains U+%04X.", *character)));
}

static void
check_normal(const char *subject, const pg_wchar *name)
{
	pg_wchar   *normal;
	int			count = 0;
	char	   *utf8;

	if (unicode_is_normalized_quickcheck(UNICODE_NFC,
										 name) == UNICODE_NORM_QC_YES)
		return;
	normal = unicode_normalize(UNICODE_NFC, name);
	while (normal[count] != 0 && normal[count] == name[count])
		count++;
	if (normal[count] == name[count])
	{
		pfree(normal);
		return;
	}

	while (normal[count] != 0)
		count++;
	utf8 = palloc(count * MAX_MULTIBYTE_CHAR_LEN + 1);
	(void) pg_wchar2mb_with_len(normal, utf8, count);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s is not in Unicode normalization form C", subject),
			 errhint("Write it as \"%s\".", mr_clip_text(utf8))));
}

/*
 * Says whether there is a control character: C0 and DEL, which are single
 * bytes in every server encoding, and C1 (U+0080 to U+009F) where it can be
 * told from letters.
 */
bool
mr_name_has_control(const char *name, size_t len)
{
	bool		is_utf8 = GetDatabaseEncoding() == PG_UTF8;
	size_t		i;

	for (i = 0; i < len; i++)
	{
		unsigned char c = name[i];

		if (c < 0x20 || c == 0x7F)
			return true;
		/* 0xC2 is always a first byte, and leads U+0080 to U+00BF. */
		if (is_utf8 && c == 0xC2 && i + 1 < len &&
			(unsigned char) name[i + 1] < 0xA0)
			return true;
	}
	return false;
}

static bool
is_ascii(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (IS_HIGHBIT_SET(name[i]))
			return false;
	return true;
}

/*
 * A letter or what is part of one; not exact above ASCII, as no table of the
 * server says what a letter is.
 */
bool
mr_name_is_letter(pg_wchar character)
{
	if (character < 0x80)
		return (character >= 'A' && character <= 'Z') ||
			(character >= 'a' && character <= 'z');
	return !is_in(no_letters, lengthof(no_letters), character);
}

static bool
is_in(const Range *ranges, int count, pg_wchar character)
{
	for (int i = 0; i < count; i++)
		if (character >= ranges[i].first && character <= ranges[i].last)
			return true;
	return false;
}
