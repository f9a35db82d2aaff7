/*
 * Appending to the audit trail.
 */
#ifndef MR_TRAIL_H
#define MR_TRAIL_H

#include "base/stage.h"
#include "rows/models.h"

/* What happened, as its source knows it */
typedef struct MrEvent
{
	const char *event;			/* register, stage, ... */
	const char *model_id;		/* NULL: no version concerned */
	const char *stage;			/* the version's stage after it, or before its
								 * deletion; NULL: no version concerned */
	const char *alias;			/* NULL: no alias concerned */
	TimestampTz at;				/* 0: now */
	NullableDatum old_values;	/* jsonb */
	NullableDatum new_values;	/* jsonb */
} MrEvent;

extern void mr_trail_take_reason(const char *reason);
extern void mr_trail_hold(MrModel *model);
extern void mr_trail_release(MrModel *model);
extern void mr_trail_append(MrModel *model, const MrEvent *event);
extern void mr_trail_append_by_key(const pg_uuid_t *model_key,
								   const MrEvent *event);
extern void mr_trail_append_registry(const MrEvent *event);
extern void mr_trail_lock_registry(void);

#endif							/* MR_TRAIL_H */
