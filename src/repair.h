/*-------------------------------------------------------------------------
 *
 * repair.h
 *	  What follows when stored bytes were damaged and are whole again.
 *
 * LAYER 2
 *
 * IDENTIFICATION
 *	  src/repair.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODELREG_REPAIR_H
#define MODELREG_REPAIR_H

#include "catalog_model.h"

extern void mr_repair_record(MrModel *model, const char *model_id,
							 const char *checksum, int64 chunks);

#endif							/* MODELREG_REPAIR_H */
