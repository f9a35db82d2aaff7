/*
 * Hashing beside other work, in a thread.
 *
 * SHA-256 is a good part of the processor time of an upload, and needs nothing
 * but the bytes.  So a part that is large enough is hashed by a thread while
 * the backend cuts, compares and writes it.
 *
 * PostgreSQL is not made for threads, so this one does next to nothing.  It
 * lives for one call only, reads bytes that stay where they are for that long,
 * and calls one function of OpenSSL on a state that is its own.  It allocates
 * nothing, raises no error, and touches no memory of the server besides.
 *
 * Signals: it blocks them all, so the backend gets those that are sent to the
 * process.  Errors and cancellation: the backend waits for the thread before
 * the memory that this reads can be freed, be it that the work ended, raised
 * an error, or ended the process (FATAL, which passes no PG_TRY but the
 * callbacks of before_shmem_exit).  The wait is short, some milliseconds for
 * the largest parts, as the thread waits for nothing.  An immediate shutdown
 * ends process and thread at once.
 */
#include "postgres.h"

#include <pthread.h>
#include <signal.h>

#include "storage/ipc.h"

#include "base/guc.h"
#include "bytes/digest_thread.h"

/* Fewer bytes are hashed in less time than a thread takes to start and end. */
#define MIN_LEN ((Size) 128 * 1024)

/* What the thread works on */
typedef struct Hashing
{
	MrDigest   *digest;
	const void *data;
	Size		len;
	bool		ok;				/* set by the thread */
	pthread_t	thread;
	bool		is_running;		/* it has not been waited for */
} Hashing;

static bool start_hashing(Hashing *hashing);
static void *run_hashing(void *arg);
static void wait_for_thread(int code, Datum arg);

/*
 * Add bytes to a digest while other work is done, which must not touch the
 * digest, nor the bytes but to read them.
 */
void
mr_digest_thread_add_while(MrDigest *digest, const void *data, Size len,
						   MrDigestMeanwhile meanwhile, void *arg)
{
	Hashing		hashing = {digest, data, len};

	if (len < MIN_LEN || !mr_guc_hash_in_thread || !start_hashing(&hashing))
	{
		mr_digest_add(digest, data, len);
		meanwhile(arg);
		return;
	}

	PG_ENSURE_ERROR_CLEANUP(wait_for_thread, PointerGetDatum(&hashing));
	{
		meanwhile(arg);
	}
	PG_END_ENSURE_ERROR_CLEANUP(wait_for_thread, PointerGetDatum(&hashing));
	wait_for_thread(0, PointerGetDatum(&hashing));
	if (!hashing.ok)
		mr_digest_failed();
}

/*
 * Start the thread, with all signals blocked.  Returns false if the system has
 * none to give.
 */
static bool
start_hashing(Hashing *hashing)
{
	sigset_t	all;
	sigset_t	before;

	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return false;
	hashing->is_running = pthread_create(&hashing->thread, NULL, run_hashing,
										 hashing) == 0;
	(void) pthread_sigmask(SIG_SETMASK, &before, NULL);
	return hashing->is_running;
}

/*
 * The thread.
 */
static void *
run_hashing(void *arg)
{
	Hashing    *hashing = arg;

	hashing->ok = mr_digest_try_add(hashing->digest, hashing->data,
									hashing->len);
	return NULL;
}

/*
 * Wait until the thread has ended; also a callback of before_shmem_exit.
 */
static void
wait_for_thread(int code, Datum arg)
{
	Hashing    *hashing = (Hashing *) DatumGetPointer(arg);

	if (hashing->is_running)
		(void) pthread_join(hashing->thread, NULL);
	hashing->is_running = false;
}
