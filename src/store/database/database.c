/*
 * Artifacts in the database: as rows that fill a page each.
 *
 * A content is a sequence of chunks (modelreg.artifact_chunk lists them), cut
 * where its bytes say so, so that artifacts that differ in part share the
 * others.  A chunk is a row of modelreg.chunk and its bytes, as they are or
 * compressed, cut into pieces (chunk_piece).  Chunks are the unit that
 * artifacts share and codecs apply to; pieces are the unit that PostgreSQL
 * handles best: a piece of PIECE_SIZE bytes leaves no room for a second row in
 * its page, needs no TOAST, and is read straight from the buffer.
 *
 * The tables are written as COPY writes and read as TOAST is read, without SPI
 * or executor.  Hence no trigger fires and no permission is asked for: these
 * tables are granted to nobody, and the callers have checked what the user may
 * do.
 *
 * Here is the list of callbacks; each file does what its name says.
 */
#include "postgres.h"

#include "store/database/database.h"
#include "store/storage.h"

const MrStorage mr_storage_database = {
	.name = "database",
	.write_begin = mr_database_write_begin,
	.write = mr_database_write,
	.write_finish = mr_database_write_finish,
	.write_matches = mr_database_write_matches,
	.write_end = mr_database_write_end,
	.write_free = mr_database_write_free,
	.write_copy = mr_database_write_copy,
	.write_suspend = mr_database_write_suspend,
	.write_resume = mr_database_write_resume,
	.write_pending = mr_database_write_pending,
	.write_cut = mr_database_write_cut,
	.read_begin = mr_database_read_begin,
	.read_next = mr_database_read_next,
	.read_health = mr_database_read_health,
	.read_end = mr_database_read_end,
	.repair = mr_database_repair_content,
	.remove = mr_database_remove,
	.orphans = mr_database_orphans
};
