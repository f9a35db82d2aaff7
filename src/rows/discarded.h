/*
 * The table modelreg.discarded_content.
 */
#ifndef MR_DISCARDED_H
#define MR_DISCARDED_H

#include "utils/uuid.h"

/* A row of modelreg.discarded_content */
typedef struct MrDiscarded
{
	pg_uuid_t	content;
	char	   *storage;
} MrDiscarded;

extern void mr_content_discard(const pg_uuid_t *content, const char *storage);
extern uint64 mr_content_lock_discarded(const pg_uuid_t *after, int limit,
										MrDiscarded **rows);
extern void mr_content_forget(const pg_uuid_t *content);
extern void mr_content_count_discarded(uint64 *discarded, uint64 *used);

#endif							/* MR_DISCARDED_H */
