/*
 * Inner keys: UUIDs of version 7 (RFC 9562).
 *
 * Keys must survive dump, restore and logical replication, which sequences do
 * not, and new ones should go to the right-hand end of their index, which
 * random ones do not.  PostgreSQL makes such UUIDs itself only from 18 on.
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "base/uuid7.h"

/*
 * The time of the last key in units of 1/4096 ms.  These are the 60 bits of
 * the timestamp field and of the 12 bits after it, which the RFC gives to a
 * fraction or a counter: here they are both.
 */
static uint64 last_tick = 0;

/*
 * Make a new UUID.  Within a session each is greater than the one before, even
 * if the clock was set back; across sessions they only tend to be.
 */
void
mr_uuid7(pg_uuid_t *out)
{
	uint64		usecs = (uint64) (GetCurrentTimestamp() + MR_EPOCH_DIFFERENCE);
	uint64		tick;
	int			i;

	tick = ((usecs / 1000) << 12) | ((usecs % 1000) * 4096 / 1000);
	if (tick <= last_tick)
		tick = last_tick + 1;

	if (!pg_strong_random(&out->data[8], 8))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	last_tick = tick;

	for (i = 0; i < 6; i++)
		out->data[i] = (uint8) (tick >> (52 - 8 * i));
	out->data[6] = 0x70 | ((tick >> 8) & 0x0f); /* version 7 */
	out->data[7] = (uint8) tick;
	out->data[8] = 0x80 | (out->data[8] & 0x3f);	/* variant of RFC 9562 */
}

/*
 * A UUID as text, palloc'd.
 */
char *
mr_uuid7_text(const pg_uuid_t *uuid)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(uuid)));
}
