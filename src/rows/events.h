/*
 * The table modelreg.audit_event.
 */
#ifndef MR_EVENTS_H
#define MR_EVENTS_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "bytes/digest.h"

/* A row of modelreg.audit_event to be; xid and hash are added */
typedef struct MrEventRow
{
	pg_uuid_t	model_key;		/* chain */
	int64		seq;			/* number in it */
	TimestampTz at;				/* when */
	const char *event;			/* what */
	const char *model_name;		/* may be NULL */
	const char *model_id;		/* may be NULL */
	const char *session_user_name;
	const char *actor;
	NullableDatum client;		/* jsonb */
	NullableDatum old_values;	/* jsonb */
	NullableDatum new_values;	/* jsonb */
	const char *reason;
	uint8		previous_hash[MR_SHA256_LEN];	/* of event seq - 1 */
} MrEventRow;

extern void mr_events_insert(const MrEventRow *row, uint8 *hash);
extern void mr_events_add_to_digest(MrDigest *digest, const MrEventRow *row,
									int format, uint64 xid);
extern Datum mr_events_client(const char *application_name);
extern bool mr_events_registry_head(int64 *seq, uint8 *hash);
extern Datum mr_events_deletion_values(const char *cause, bool forced);
extern Datum mr_events_cleanup_values(int64 versions, int64 artifacts,
									  int64 uploads, bool forced,
									  const char *model_name);
extern Datum mr_events_repair_values(const char *checksum, int64 chunks);

#endif							/* MR_EVENTS_H */
