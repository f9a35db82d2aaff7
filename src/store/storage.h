/*
 * The interface between artifacts and the places that hold their bytes.
 *
 * A storage is one constant struct of callbacks, named by artifact.storage,
 * so that a further storage is a further file and nothing else changes.  What
 * it holds are contents: sequences of bytes, each under a key of its own.
 */
#ifndef MR_STORAGE_H
#define MR_STORAGE_H

#include "utils/snapshot.h"
#include "utils/uuid.h"

/* Each storage defines these for itself, in its own files. */
typedef struct MrStorageWriter MrStorageWriter;
typedef struct MrStorageReader MrStorageReader;

/* What became of bytes that were stored */
typedef enum MrHealth
{
	MR_WHOLE,					/* they are as they were registered */
	MR_DAMAGED,					/* they are not, or not all there */
	MR_UNREADABLE				/* this build lacks what it takes to tell */
} MrHealth;

/*
 * Takes one line for a person.  String and current memory context last for the
 * call only.
 */
typedef void (*MrStorageReport) (void *arg, const char *problem);

typedef struct MrStorage
{
	/* The value of artifact.storage. */
	const char *name;

	/*
	 * Writing: begin, the bytes in order and in runs of any size, finish;
	 * then end, after which the next command can read the content.  What is
	 * not ended is never read, and if write_matches says that another content
	 * is stored as the very same bytes in the same place, it need not be.
	 *
	 * Between the calls a writer holds memory of the context that it was
	 * begun in, and nothing else, so it may last longer than a statement.
	 * What it knows is true as long as the (sub)transaction that it wrote in
	 * lives, or its parent.
	 *
	 * Bytes that are found damaged where they had been stored before are made
	 * whole for everybody; mr_call_notes.healed counts them.
	 */
	MrStorageWriter *(*write_begin) (const pg_uuid_t *content);
	void		(*write) (MrStorageWriter *writer, const char *data, Size len);
	void		(*write_finish) (MrStorageWriter *writer);
	bool		(*write_matches) (MrStorageWriter *writer,
								  const pg_uuid_t *content);
	void		(*write_end) (MrStorageWriter *writer);
	void		(*write_free) (MrStorageWriter *writer);

	/*
	 * A copy of the writer in the current memory context, for the present
	 * (sub)transaction, which may go back to where it was.
	 */
	MrStorageWriter *(*write_copy) (MrStorageWriter *writer);

	/*
	 * What another session needs to go on writing once this transaction has
	 * committed, palloc'd; the writer stays usable.  write_pending points at
	 * the bytes from byte_offset on, which are nowhere but in the writer, or
	 * in that state: what is before them can be read.
	 */
	bytea	   *(*write_suspend) (MrStorageWriter *writer);
	MrStorageWriter *(*write_resume) (const pg_uuid_t *content, bytea *state);
	const char *(*write_pending) (MrStorageWriter *writer, int64 *byte_offset,
								  Size *len);

	/*
	 * Instead of write_resume: a writer that goes on from byte_offset, where
	 * a run of a reader with check ended.  What is stored behind that becomes
	 * part of the content rest, which nothing refers to.
	 */
	MrStorageWriter *(*write_cut) (const pg_uuid_t *content,
								   int64 byte_offset, const pg_uuid_t *rest);

	/*
	 * Reading, as of a snapshot that the caller keeps valid; works on a hot
	 * standby.  A reader holds locks and pins, and must be used up within the
	 * statement that began it; after an error nobody needs to end it.
	 *
	 * read_next points at the next run of bytes, from byte_offset on, which
	 * stays valid until the next call; false means the end, or a problem.
	 * read_health tells which, and in problem, if it is not whole, one line
	 * for a person that names chunk and byte offset, allocated in the memory
	 * context of read_begin.  Damage is never raised as an error.  The runs
	 * never add up to more than expected_size - byte_offset.
	 *
	 * With check, chunks are compared with their own checksums before they
	 * are handed out, so that damage is told by chunk.
	 */
	MrStorageReader *(*read_begin) (const pg_uuid_t *content,
									uint64 expected_size, uint64 byte_offset,
									bool check, Snapshot snapshot);
	bool		(*read_next) (MrStorageReader *reader, const char **data,
							  Size *len);
	MrHealth	(*read_health) (MrStorageReader *reader,
								const char **problem);
	void		(*read_end) (MrStorageReader *reader);

	/*
	 * The first content is damaged, the second is what it should be: heal
	 * whatever the first shares with further contents, and count it as above.
	 */
	void		(*repair) (const pg_uuid_t *damaged, const pg_uuid_t *whole);

	/*
	 * Delete some of a content that nothing refers to, as far as no other
	 * content uses it, and count down bytes by what was deleted; it stops
	 * when they are used up.  Returns whether nothing of the content is left;
	 * what somebody else is about to use stays for another time.
	 */
	bool		(*remove) (const pg_uuid_t *content, int64 *bytes);

	/*
	 * Report what is stored but belongs to nothing by the active snapshot,
	 * one line for each chunk or content.  Reads the whole storage's
	 * directory.
	 */
	void		(*orphans) (MrStorageReport report, void *arg);
} MrStorage;

#endif							/* MR_STORAGE_H */
