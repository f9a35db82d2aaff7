/*
 * Making damaged artifacts whole.
 */
#ifndef MR_HEAL_H
#define MR_HEAL_H

#include "rows/artifacts.h"
#include "rows/models.h"
#include "store/storage.h"

extern void mr_heal_artifact(const MrArtifact *whole);
extern void mr_heal_record(MrModel *model, const char *model_id,
						   const char *checksum);

#endif							/* MR_HEAL_H */
