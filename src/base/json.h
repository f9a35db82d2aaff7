/*
 * The text of JSON values, a run at a time: it can be far longer than the
 * values, and than the server could hold.
 */
#ifndef MR_JSON_H
#define MR_JSON_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#include "base/value.h"

/*
 * A text that is being written.  It is handed on in runs, which hold whole
 * characters each, or only counted.
 */
typedef struct MrJsonText
{
	int64		size;			/* bytes so far */
	int64		limit;			/* beyond this size it is not gone on with */
	bool		float8_only;	/* stop at a number that float8 cannot hold */
	char	   *misfit;			/* the key nearest to that number, or NULL */
	void		(*take) (void *arg, const char *run, int len);	/* or NULL */
	void	   *arg;
	StringInfoData run;			/* not handed on yet */
} MrJsonText;

extern void mr_json_begin(MrJsonText *out);
extern void mr_json_add(MrJsonText *out, const char *run);
extern void mr_json_add_string(MrJsonText *out, const char *string, int len);
extern void mr_json_add_jsonb(MrJsonText *out, Jsonb *value);
extern void mr_json_add_value(MrJsonText *out, const MrValue *value);
extern void mr_json_end(MrJsonText *out);

extern int64 mr_json_size(const MrValue *value, int64 limit);

#endif							/* MR_JSON_H */
