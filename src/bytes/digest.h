/*
 * SHA-256 of artifacts, with OpenSSL.
 */
#ifndef MR_DIGEST_H
#define MR_DIGEST_H

#include "base/value.h"

/* Length of a SHA-256 in bytes; its hexadecimal form is twice as long. */
#define MR_SHA256_LEN 32

typedef struct MrDigest MrDigest;

extern MrDigest *mr_digest_begin(void);
extern MrDigest *mr_digest_copy(MrDigest *digest);
extern void mr_digest_add(MrDigest *digest, const void *data, Size len);
extern Size mr_digest_add_text(MrDigest *digest, const char *text, int len);
extern bool mr_digest_try_add(MrDigest *digest, const void *data, Size len);
extern void mr_digest_end(MrDigest *digest, uint8 *out);
extern void mr_digest_failed(void);

extern void mr_digest_bytes(const void *data, Size len, uint8 *out);

extern MrValue mr_digest_value(const uint8 *sha256);
extern bool mr_digest_from_datum(Datum datum, uint8 *out);
extern char *mr_digest_hex(const uint8 *sha256);
extern bool mr_digest_from_hex(const char *hex, uint8 *out);

#endif							/* MR_DIGEST_H */
