/*
 * What the name of a metric says about which way is better.
 *
 * A wrong direction recommends the worst model, so whatever is not known is
 * unknown.  The measure stands at the end of a name, as in English (val_loss,
 * word_error_rate), but for words that say where it was measured (loss/train,
 * latency_p99_ms): so loss_reduction is no loss.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "base/metric.h"
#include "base/measure.h"
#include "base/name.h"

/* The most words that the name of a measure has */
#define MAX_MEASURE_WORDS 8

/* The words of a name, in lower case */
typedef struct Words
{
	char	   *letters;		/* one after another, each with its end */
	char	  **words;
	int			count;
} Words;

static void split_words(Words *words, const char *name, size_t len);
static void add_word(Words *words, const char *word);
static bool starts_word(const char *name, const char *at, const char *end);
static bool is_sign(const char *name, const char *at, const char *end);
static int	char_length(const char *at, const char *end);
static bool is_alphanumeric(const char *at, const char *end);
static int	cut_at(const Words *words);
static MrDirection find_ending(const Words *words, int end);
static bool find_measure(const Words *words, int start, int end,
						 MrMeasure *measure);
static MrDirection judge_measure(const Words *words, int start,
								 const MrMeasure *measure);
static bool are_places(const Words *words, int start, int end);
static bool is_place(const char *word);
static bool is_progress(const char *word);
static bool is_negation(const char *word);
static bool has_opposite(const Words *words, int end);

/*
 * Says which way is better, as far as the name tells.
 */
MrDirection
mr_metric_direction(const char *name, size_t len)
{
	Words		words;
	MrDirection direction = MR_DIRECTION_UNKNOWN;
	bool		counts_progress = false;

	/* What cannot be registered has no metric either. */
	if (len > MR_MAX_NAME)
		return MR_DIRECTION_UNKNOWN;

	split_words(&words, name, len);
	for (int end = cut_at(&words); end > 0; end--)
	{
		direction = find_ending(&words, end);
		if (direction != MR_DIRECTION_UNKNOWN ||
			!is_place(words.words[end - 1]))
			break;
		if (is_progress(words.words[end - 1]))
			counts_progress = true;
	}

	/* best_loss_epoch is when the loss was best. */
	if (counts_progress)
		for (int i = 0; i < words.count; i++)
			if (strcmp(words.words[i], "best") == 0)
				direction = MR_DIRECTION_UNKNOWN;

	pfree(words.words);
	pfree(words.letters);
	return direction;
}

/*
 * Splits a name at what is neither letter nor digit, and where a capital
 * begins a word.  A sign in front becomes the word minus, @ the word at.
 */
static void
split_words(Words *words, const char *name, size_t len)
{
	const char *end = name + len;
	char	   *word = palloc(len + 1);
	char	   *to = word;
	int			size;

	/* At most a word for each byte, none longer than minus */
	words->letters = palloc(len * sizeof("minus") + 1);
	words->words = palloc((len + 1) * sizeof(char *));
	words->words[0] = words->letters;
	words->count = 0;

	for (const char *at = name; at < end; at += size)
	{
		size = char_length(at, end);
		if (!is_alphanumeric(at, end) || starts_word(name, at, end))
		{
			*to = '\0';
			add_word(words, word);
			to = word;
		}
		if (is_alphanumeric(at, end))
			for (int i = 0; i < size; i++)
				*to++ = pg_ascii_tolower((unsigned char) at[i]);
		else if (*at == '@')
			add_word(words, "at");
		else if (is_sign(name, at, end) ||
				 (*at == '-' && words->count == 1 &&
				  strcmp(words->words[0], "1") == 0))
			add_word(words, "minus");
	}
	*to = '\0';
	add_word(words, word);
	pfree(word);
}

static void
add_word(Words *words, const char *word)
{
	size_t		size = strlen(word) + 1;

	if (size == 1)
		return;
	memcpy(words->words[words->count], word, size);
	words->words[words->count + 1] = words->words[words->count] + size;
	words->count++;
}

/*
 * Whether a capital begins a word: after a small letter or a digit, or before
 * a small letter (valLoss, F1Score, ROCCurve).
 */
static bool
starts_word(const char *name, const char *at, const char *end)
{
	if (at == name || *at < 'A' || *at > 'Z')
		return false;
	if ((at[-1] >= 'a' && at[-1] <= 'z') || (at[-1] >= '0' && at[-1] <= '9'))
		return true;
	return at[-1] >= 'A' && at[-1] <= 'Z' &&
		at + 1 < end && at[1] >= 'a' && at[1] <= 'z';
}

/*
 * Whether this is the sign of what follows (-loss), not a hyphen.
 */
static bool
is_sign(const char *name, const char *at, const char *end)
{
	/* U+2212 is no hyphen. */
	if (end - at > 3 && memcmp(at, "\xE2\x88\x92", 3) == 0)
		return GetDatabaseEncoding() == PG_UTF8;
	return *at == '-' && at + 1 < end && is_alphanumeric(at + 1, end) &&
		(at == name || (!IS_HIGHBIT_SET(at[-1]) &&
						!is_alphanumeric(at - 1, end)));
}

static int
char_length(const char *at, const char *end)
{
	return Min(pg_mblen(at), end - at);
}

/*
 * Whether a letter or a digit begins here, in encodings other than UTF8 also
 * whatever is not ASCII.
 */
static bool
is_alphanumeric(const char *at, const char *end)
{
	if (!IS_HIGHBIT_SET(*at))
		return isalnum((unsigned char) *at);
	if (GetDatabaseEncoding() != PG_UTF8 ||
		char_length(at, end) < pg_utf_mblen((const unsigned char *) at))
		return true;
	return mr_name_is_letter(utf8_to_unicode((const unsigned char *) at));
}

/*
 * Returns how many words there are before one that says where it was measured:
 * recall_at_precision is a recall.
 */
static int
cut_at(const Words *words)
{
	for (int i = 1; i < words->count; i++)
		if (strcmp(words->words[i], "at") == 0)
			return i;
	return words->count;
}

/*
 * Judges by the longest measure that ends there.
 */
static MrDirection
find_ending(const Words *words, int end)
{
	MrMeasure	measure;

	for (int start = Max(end - MAX_MEASURE_WORDS, 0); start < end; start++)
		if (find_measure(words, start, end, &measure) &&
			(!measure.is_alone || are_places(words, 0, start)))
			return judge_measure(words, start, &measure);
	return MR_DIRECTION_UNKNOWN;
}

/*
 * Looks the words up as one, also without a number at their end (loss2).
 */
static bool
find_measure(const Words *words, int start, int end, MrMeasure *measure)
{
	size_t		size = words->words[end] - words->words[start];
	char	   *joined = palloc(size + 1);
	char	   *to = joined;
	bool		is_found;

	for (int i = start; i < end; i++)
		to = stpcpy(to, words->words[i]);
	is_found = mr_measure_find(joined, measure);
	if (!is_found)
	{
		while (to > joined && isdigit((unsigned char) to[-1]))
			to--;
		*to = '\0';
		is_found = mr_measure_find(joined, measure);
	}
	pfree(joined);
	return is_found;
}

/*
 * Judges a measure by the words in front of it.
 */
static MrDirection
judge_measure(const Words *words, int start, const MrMeasure *measure)
{
	bool		is_lower = measure->direction == MR_DIRECTION_LOWER;
	int			negation = start;

	for (int i = 0; i < start; i++)
	{
		if (mr_measure_is_turning(words->words[i]))
			return MR_DIRECTION_UNKNOWN;
		if (is_negation(words->words[i]))
			negation = i;
	}
	if (negation == start)
	{
		if (!is_lower && has_opposite(words, start))
			return MR_DIRECTION_UNKNOWN;
		return measure->direction;
	}

	/*
	 * The negative of an error is better if higher.  neg_recall is likely the
	 * recall of the negatives, as neg_pair_loss is the loss of some.
	 */
	if (!is_lower || !are_places(words, 0, negation))
		return MR_DIRECTION_UNKNOWN;
	for (int i = negation + 1; i < start; i++)
		if (!mr_measure_is_kind(words->words[i]))
			return MR_DIRECTION_UNKNOWN;
	return MR_DIRECTION_HIGHER;
}

static bool
are_places(const Words *words, int start, int end)
{
	for (int i = start; i < end; i++)
		if (!is_place(words->words[i]))
			return false;
	return true;
}

/*
 * Whether a word can be left out: a number (p99, 0, 99th), a letter, or one
 * that says where it was measured.
 */
static bool
is_place(const char *word)
{
	if (isdigit((unsigned char) word[0]) || word[1] == '\0')
		return true;
	if ((word[0] == 'p' || word[0] == 'q') && isdigit((unsigned char) word[1]))
		return true;
	if (strncmp(word, "top", 3) == 0 &&
		strspn(word + 3, "0123456789k") == strlen(word + 3))
		return true;
	return mr_measure_is_place(word);
}

static bool
is_progress(const char *word)
{
	return strcmp(word, "epoch") == 0 || strcmp(word, "step") == 0 ||
		strcmp(word, "iteration") == 0;
}

static bool
is_negation(const char *word)
{
	return strcmp(word, "neg") == 0 || strcmp(word, "negative") == 0;
}

/*
 * Whether a word in front says that lower is better (loss_giou).
 */
static bool
has_opposite(const Words *words, int end)
{
	MrMeasure	measure;

	for (int i = 0; i < end; i++)
		if (find_measure(words, i, i + 1, &measure) && !measure.is_alone &&
			measure.direction == MR_DIRECTION_LOWER)
			return true;
	return false;
}
