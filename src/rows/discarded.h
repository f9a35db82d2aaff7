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

extern void mr_discarded_add(const pg_uuid_t *content, const char *storage);
extern uint64 mr_discarded_lock(const pg_uuid_t *after, int limit,
								MrDiscarded **contents);
extern void mr_discarded_delete(const pg_uuid_t *content);
extern void mr_discarded_count(uint64 *discarded, uint64 *used);

#endif							/* MR_DISCARDED_H */
