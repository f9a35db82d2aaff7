/*
 * Telling malloc what comes again.
 */
#include "postgres.h"

#include "base/malloc.h"

/* Largest artifact, in bytes, for whose size the backend keeps memory */
#define KEEP_MEMORY_LIMIT	(10 * 1024 * 1024)

/*
 * Tells malloc, once for each larger size, that blocks of an artifact's size
 * come again.
 *
 * While a function's bytea is sent it is there three times: the result, the
 * output function's copy, and the message.  glibc gives the top of its heap
 * back to the system when more is free than twice the largest block it once
 * mapped, so each load would take it again, page by page: 1 MB took 5.7 ms and
 * takes 3.2 ms.  A larger block, mapped and freed untouched, raises that limit;
 * it costs two system calls.  Beyond 32 MB glibc learns nothing.
 */
void
mr_malloc_expect(int64 size)
{
	static int64 known_size = 0;

	if (size <= known_size || size > KEEP_MEMORY_LIMIT)
		return;
	pfree(palloc(3 * size));
	known_size = size;
}
