/*
 * XXH3 of chunks, by which equal ones are found.
 *
 * The library's header is compiled in: it is fast only if the compiler sees
 * it, and nothing is left to link with.
 */
#include "postgres.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "bytes/fingerprint.h"

/*
 * Store the 128-bit XXH3 of the bytes in out, most significant byte first as
 * XXH128_canonicalFromHash has it, so that it is the same on every machine.
 */
void
mr_fingerprint(const void *data, Size len, pg_uuid_t *out)
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, len));
	memcpy(out->data, canonical.digest, UUID_LEN);
}
