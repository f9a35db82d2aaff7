/*
 * What a message repeats, for the functions that are written in SQL.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/clip.h"
#include "base/compat.h"

PG_FUNCTION_INFO_V1(modelreg_clip);

/*
 * modelreg.clip(message text) RETURNS text
 */
Datum
modelreg_clip(PG_FUNCTION_ARGS)
{
	text	   *whole = PG_GETARG_TEXT_PP(0);
	const char *clipped = mr_clip_bytes(VARDATA_ANY(whole),
										VARSIZE_ANY_EXHDR(whole));

	PG_RETURN_TEXT_P(cstring_to_text(clipped));
}
