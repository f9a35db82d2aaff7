/*
 * The errors of reads that find damage.
 */
#ifndef MR_DAMAGE_H
#define MR_DAMAGE_H

#include "base/compat.h"
#include "rows/artifacts.h"
#include "store/storage.h"

extern void mr_damage_require_whole(const MrStorage *storage,
									MrStorageReader *reader, const char *name);
pg_noreturn extern void mr_damage_raise_missing(const char *name);
pg_noreturn extern void mr_damage_raise_damaged(const char *name,
												const char *detail);
pg_noreturn extern void mr_damage_raise_mismatch(const MrArtifact *artifact,
												 const char *name,
												 const uint8 *actual);

#endif							/* MR_DAMAGE_H */
