/*-------------------------------------------------------------------------
 *
 * storage.h
 *	  The interface between artifacts and the places that hold their bytes.
 *
 * A storage is one constant struct of callbacks, named by artifact.storage,
 * so that a further storage is a further file and nothing else changes.
 *
 * Writers and readers hold locks, pins and snapshots: one must be used up
 * within the statement that began it.  After an error nobody needs to call
 * write_end or read_end; abort cleans up.
 *
 * LAYER 1
 *
 * IDENTIFICATION
 *	  src/storage.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MR_STORAGE_H
#define MR_STORAGE_H

#include "utils/snapshot.h"

/* Each storage defines these for itself, in its own file. */
typedef struct MrStorageWriter MrStorageWriter;
typedef struct MrStorageReader MrStorageReader;

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
	 * Writing: begin, the bytes in order and in runs of any size, end.
	 * write_end ties the bytes to the artifact of that SHA-256, whose row is
	 * the caller's business, makes them visible to the transaction's next
	 * command, and frees the writer.
	 */
	MrStorageWriter *(*write_begin) (void);
	void		(*write) (MrStorageWriter *writer, const char *data, Size len);
	void		(*write_end) (MrStorageWriter *writer, const uint8 *sha256);

	/*
	 * Reading, as of a snapshot that the caller keeps valid; works on a hot
	 * standby.  read_next points at the next run of bytes, which stays valid
	 * until the next call; false means the end, or damage.  read_problem
	 * tells which: NULL if every byte was there, else one line for a person
	 * that names chunk and byte offset, allocated in the memory context of
	 * read_begin.  Damage is never raised as an error.  The runs never add up
	 * to more than expected_size.
	 */
	MrStorageReader *(*read_begin) (const uint8 *sha256, uint64 expected_size,
									Snapshot snapshot);
	bool		(*read_next) (MrStorageReader *reader, const char **data,
							  Size *len);
	const char *(*read_problem) (MrStorageReader *reader);
	void		(*read_end) (MrStorageReader *reader);

	/*
	 * Delete the bytes of an artifact as far as no other artifact uses them.
	 * The caller holds the artifact's row lock, or has deleted the row.
	 */
	void		(*remove) (const uint8 *sha256);

	/*
	 * Report what is stored but belongs to nothing as of the snapshot, one
	 * line for each chunk or artifact.  Reads the whole storage's directory,
	 * with memory in proportion to the number of chunks.
	 */
	void		(*orphans) (Snapshot snapshot, MrStorageReport report,
							void *arg);
} MrStorage;

extern const MrStorage mr_storage_database;

#endif							/* MR_STORAGE_H */
