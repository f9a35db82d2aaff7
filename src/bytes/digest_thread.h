/*
 * Hashing beside other work, in a thread.
 */
#ifndef MR_DIGEST_THREAD_H
#define MR_DIGEST_THREAD_H

#include "bytes/digest.h"

/* Work that is done meanwhile; it may raise errors. */
typedef void (*MrDigestMeanwhile) (void *arg);

extern void mr_digest_thread_add_while(MrDigest *digest, const void *data,
									   Size len,
									   MrDigestMeanwhile meanwhile, void *arg);

#endif							/* MR_DIGEST_THREAD_H */
