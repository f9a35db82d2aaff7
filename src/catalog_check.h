/*-------------------------------------------------------------------------
 *
 * catalog_check.h
 *	  The table modelreg.artifact_check.
 *
 * LAYER 1
 *
 * IDENTIFICATION
 *	  src/catalog_check.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODELREG_CATALOG_CHECK_H
#define MODELREG_CATALOG_CHECK_H

#include "utils/timestamp.h"

#include "digest.h"

/* An artifact whose turn it is to be verified */
typedef struct MrDue
{
	uint8		sha256[MR_SHA256_LEN];
	int64		artifact_size;	/* bytes */
} MrDue;

extern uint64 mr_check_due(TimestampTz since, int limit, MrDue **due);
extern void mr_check_note(const uint8 *sha256, const char *problem);
extern void mr_check_forget_gone(void);
extern void mr_check_forget_problems(void);

#endif							/* MODELREG_CATALOG_CHECK_H */
