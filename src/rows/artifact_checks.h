/*
 * The table modelreg.artifact_check.
 */
#ifndef MR_ARTIFACT_CHECKS_H
#define MR_ARTIFACT_CHECKS_H

#include "utils/timestamp.h"

#include "bytes/digest.h"

/* An artifact whose turn it is to be verified */
typedef struct MrDue
{
	uint8		sha256[MR_SHA256_LEN];
	int64		artifact_size;	/* bytes */
} MrDue;

extern uint64 mr_artifact_checks_due(TimestampTz since, int limit, MrDue **due);
extern void mr_artifact_checks_note(const uint8 *sha256, const char *problem);
extern void mr_artifact_checks_forget_gone(void);
extern void mr_artifact_checks_forget_problems(void);

#endif							/* MR_ARTIFACT_CHECKS_H */
