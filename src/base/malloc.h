/*
 * Telling malloc what comes again.
 */
#ifndef MR_MALLOC_H
#define MR_MALLOC_H

extern void mr_malloc_expect(int64 size);

#endif							/* MR_MALLOC_H */
