/*-------------------------------------------------------------------------
 *
 * manifest.h
 *	  The manifest of a version with files.
 *
 * LAYER 2
 *
 * IDENTIFICATION
 *	  src/manifest.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODELREG_MANIFEST_H
#define MODELREG_MANIFEST_H

#include "lib/stringinfo.h"

#include "catalog_file.h"

extern void mr_manifest_check(const MrFile *files, int count);
extern void mr_manifest_sort(MrFile *files, int count);
extern void mr_manifest_build(const MrFile *files, int count,
							  StringInfo manifest);

#endif							/* MODELREG_MANIFEST_H */
