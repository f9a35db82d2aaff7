/*
 * Locks on what is no row.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lock.h"

#include "base/lock.h"

/* "modelreg" in two halves */
#define LOCK_CLASS 0x6d6f6465
#define LOCK_KEY 0x6c726567

/*
 * Take a lock to the end of the transaction.  Returns false if somebody else
 * has it and dont_wait is set.
 */
bool
mr_lock_take(MrLock lock, bool dont_wait)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, LOCK_CLASS, LOCK_KEY, lock);
	return LockAcquire(&tag, ExclusiveLock, false, dont_wait) !=
		LOCKACQUIRE_NOT_AVAIL;
}
