/*
 * Locks on what is no row.
 */
#ifndef MR_LOCK_H
#define MR_LOCK_H

/*
 * The locks, by their last field: the advisory locks of SQL have 1 and 2 there,
 * so nobody else can hold these.
 */
typedef enum MrLock
{
	MR_LOCK_REGISTRY = 3,		/* the registry's own audit chain */
	MR_LOCK_LISTS = 4,			/* entries of lists of chunks, but for new
								 * ones */
	MR_LOCK_SCRUB = 5			/* scrubs */
} MrLock;

extern bool mr_lock_take(MrLock lock, bool dont_wait);

#endif							/* MR_LOCK_H */
