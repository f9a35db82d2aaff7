/*
 * The manifest of a version with files.
 */
#ifndef MR_MANIFEST_H
#define MR_MANIFEST_H

#include "lib/stringinfo.h"

#include "rows/files.h"

extern void mr_manifest_check(const MrFile *files, int count);
extern void mr_manifest_sort(MrFile *files, int count);
extern void mr_manifest_build(const MrFile *files, int count,
							  StringInfo manifest);

#endif							/* MR_MANIFEST_H */
