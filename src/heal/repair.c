/*
 * What follows when stored bytes were damaged and are whole again.
 */
#include "postgres.h"

#include "heal/repair.h"
#include "rows/artifact_checks.h"
#include "rows/events.h"
#include "trail/trail.h"

/*
 * Records that so many chunks were healed; what the last scrub found is out of
 * date then.  model, whose lock the caller holds, model_id and checksum are
 * NULL as long as the bytes belong to no version.
 */
void
mr_repair_record(MrModel *model, const char *model_id, const char *checksum,
				 int64 chunks)
{
	MrEvent		event = {0};

	mr_check_forget_problems();

	event.event = "repair";
	event.model_id = model_id;
	event.old_values.isnull = true;
	event.new_values.value = mr_event_repair_values(checksum, chunks);
	if (model != NULL)
		mr_trail_append(model, &event);
	else
		mr_trail_append_registry(&event);
}
