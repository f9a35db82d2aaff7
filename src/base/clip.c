/*
 * What a message repeats of a text that a caller sent.
 *
 * A message goes to the client, to the server's log and to whoever reads these.
 * So it repeats no more than a name may be long: a megabyte that came in the
 * place of a name does not come back.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "base/clip.h"

/*
 * As much of a text as is as long as a name may be, with dots in the place of
 * the rest; palloc'd.
 */
const char *
mr_clip_text(const char *text)
{
	return mr_clip_bytes(text, strlen(text));
}

/*
 * The same of len bytes without a terminator.
 */
const char *
mr_clip_bytes(const char *text, size_t len)
{
	int			shown = pg_mbcharcliplen(text, len, MR_CLIP_CHARS);

	if (shown == len)
		return pnstrdup(text, len);
	return psprintf("%.*s...", shown, text);
}
