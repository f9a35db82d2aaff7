/*
 * Where the bytes are that a version, or a file of one, holds.
 */
#ifndef MR_HOLDING_H
#define MR_HOLDING_H

#include "rows/artifacts.h"
#include "rows/versions.h"

typedef struct MrHolding
{
	char	   *name;			/* model_id, or model_id/path, for messages */
	int64		size;			/* bytes, as the version or file says */
	MrArtifact	artifact;
} MrHolding;

extern void mr_holding_find(const char *model_id, const char *path,
							MrHolding *holding);
extern void mr_holding_of_version(const MrVersion *version,
								  MrHolding *holding);
extern bytea *mr_holding_read(const MrHolding *holding, bool verify);

#endif							/* MR_HOLDING_H */
