/*
 * Making damaged artifacts whole: whoever has the right bytes registers them.
 *
 * A storage heals the chunks that it finds damaged while it writes the same
 * bytes, for all who share them.  What is left, an artifact whose row or list
 * is damaged, is healed here.  Both are counted in mr_call_notes.healed, and
 * the call that healed something records it before it ends.
 */
#include "postgres.h"

#include "utils/snapmgr.h"

#include "base/call.h"
#include "heal/heal.h"
#include "heal/inspect.h"
#include "rows/artifact_checks.h"
#include "rows/discarded.h"
#include "rows/events.h"
#include "store/storages.h"
#include "trail/trail.h"

/*
 * There is an artifact of these bytes, which the transaction has locked against
 * cleanup, but not of the same chunks as a content that has been written.  If
 * it is damaged, that content takes its place, and otherwise is discarded.
 */
void
mr_heal_artifact(const MrArtifact *whole)
{
	const MrStorage *storage = mr_storages_by_name(whole->storage);
	MrArtifact	stored;
	uint8		actual[MR_SHA256_LEN];
	Snapshot	snapshot;
	const char *problem;
	MrHealth	health;

	if (!mr_artifacts_lock(whole->sha256, &stored))
		elog(ERROR, "artifact vanished although it is locked");
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	health = mr_inspect_artifact(&stored, snapshot, actual, &problem);
	UnregisterSnapshot(snapshot);
	if (health != MR_DAMAGED)
	{
		mr_discarded_add(&whole->content, whole->storage);
		return;
	}

	stored.storage =
		unconstify(char *, mr_storages_or_default(stored.storage)->name);
	if (strcmp(stored.storage, whole->storage) == 0)
		storage->repair(&stored.content, &whole->content);
	mr_artifacts_replace(whole);
	mr_discarded_add(&stored.content, stored.storage);

	/* where no chunk was damaged, but a row or a list, that counts as one */
	if (mr_call_notes.healed == 0)
		mr_call_notes.healed = 1;
}

/*
 * Records what this call has healed, if anything; what the last scrub found is
 * out of date then.  model, whose lock the caller holds, model_id and checksum
 * are NULL as long as the bytes belong to no version.
 */
void
mr_heal_record(MrModel *model, const char *model_id, const char *checksum)
{
	MrEvent		event = {0};

	if (mr_call_notes.healed == 0)
		return;
	mr_artifact_checks_forget_problems();

	event.event = "repair";
	event.model_id = model_id;
	event.old_values.isnull = true;
	event.new_values.value = mr_events_repair_values(checksum,
													 mr_call_notes.healed);
	if (model != NULL)
		mr_trail_append(model, &event);
	else
		mr_trail_append_registry(&event);
	mr_call_notes.healed = 0;
}
