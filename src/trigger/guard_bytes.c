/*
 * The guard of the tables of bytes.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/call.h"
#include "base/tuple.h"
#include "bytes/digest.h"
#include "heal/inspect.h"
#include "rows/artifacts.h"
#include "rows/uses.h"
#include "store/database/chunk_reader.h"
#include "trigger/fired.h"
#include "trigger/guard.h"

PG_FUNCTION_INFO_V1(modelreg_guard_bytes);

static Datum bytes_are_repaired(FunctionCallInfo fcinfo);
static bool repair_may_change(const char *relation, const char *column);
static bool artifact_is_repaired(HeapTuple tuple, TupleDesc desc,
								 Snapshot snapshot);
static bool entry_is_repaired(TriggerData *trigger, TupleDesc desc,
							  Snapshot snapshot);
static MrHealth check_entry(MrChunkReader *reader, HeapTuple entry,
							TupleDesc desc, MrChunk *chunk);
static Datum bytes_are_used(FunctionCallInfo fcinfo);

/*
 * Row trigger on the byte tables.  A file goes when its version is gone, an
 * artifact when nothing refers to it, its chunks when it is gone.  Nothing
 * changes but where bytes are, by a repair.
 */
Datum
modelreg_guard_bytes(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = mr_fired_before_row(fcinfo);
	const char *relation = RelationGetRelationName(trigger->tg_relation);

	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		if (!mr_guard_trusts(trigger) ||
			!DatumGetBool(mr_call_with_rights(fcinfo, bytes_are_repaired)))
			mr_guard_refuse(relation, "updated");
		return PointerGetDatum(mr_guard_verdict(trigger));
	}
	if (!mr_guard_trusts(trigger))
		mr_actor_require(MR_ROLE_ADMIN, "delete from", relation);
	if (DatumGetBool(mr_call_with_rights(fcinfo, bytes_are_used)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("row of %s is in use", relation),
				 errhint("Delete the versions that use it, then call modelreg_cleanup.")));
	return PointerGetDatum(mr_guard_verdict(trigger));
}

/*
 * Whether an UPDATE is a repair, which is judged by what there is to repair:
 * an artifact may say that it is elsewhere if its bytes are there, and an entry
 * of a list may change its chunk if that is damaged.
 */
static Datum
bytes_are_repaired(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	const char *relation = RelationGetRelationName(trigger->tg_relation);
	Snapshot	snapshot;
	bool		repaired;

	for (int attno = 1; attno <= desc->natts; attno++)
	{
		const char *column = NameStr(TupleDescAttr(desc, attno - 1)->attname);

		if (mr_tuple_changed(trigger->tg_trigtuple, trigger->tg_newtuple,
							 desc, attno) &&
			!repair_may_change(relation, column))
			return BoolGetDatum(false);
	}

	/* of the other tables no column may change, so none has */
	if (strcmp(relation, "artifact") != 0 &&
		strcmp(relation, "artifact_chunk") != 0)
		return BoolGetDatum(false);

	snapshot = RegisterSnapshot(GetLatestSnapshot());
	if (strcmp(relation, "artifact") == 0)
		repaired = artifact_is_repaired(trigger->tg_newtuple, desc, snapshot);
	else
		repaired = entry_is_repaired(trigger, desc, snapshot);
	UnregisterSnapshot(snapshot);
	return BoolGetDatum(repaired);
}

static bool
repair_may_change(const char *relation, const char *column)
{
	static const char *const columns[][2] = {
		{"artifact", "artifact_size"},
		{"artifact", "storage"},
		{"artifact", "content"},
		{"artifact_chunk", "chunk"}
	};

	for (int i = 0; i < lengthof(columns); i++)
	{
		if (strcmp(relation, columns[i][0]) == 0 &&
			strcmp(column, columns[i][1]) == 0)
			return true;
	}
	return false;
}

/*
 * Reads all the bytes again, but a repair is rare.
 */
static bool
artifact_is_repaired(HeapTuple tuple, TupleDesc desc, Snapshot snapshot)
{
	MrArtifact	artifact;
	uint8		actual[MR_SHA256_LEN];
	const char *problem;

	return mr_artifacts_from_row(tuple, desc, &artifact) &&
		mr_inspect_artifact(&artifact, snapshot, actual, &problem) == MR_WHOLE;
}

/*
 * The new chunk must be whole, and the old one damaged; or both are of the same
 * bytes, as where a subscriber follows a repair of what is whole there.
 */
static bool
entry_is_repaired(TriggerData *trigger, TupleDesc desc, Snapshot snapshot)
{
	MrChunkReader *reader = mr_chunk_reader_begin(snapshot);
	MrChunk		old_chunk;
	MrChunk		new_chunk;
	MrHealth	old_health;
	bool		repaired;

	old_health = check_entry(reader, trigger->tg_trigtuple, desc, &old_chunk);
	repaired =
		check_entry(reader, trigger->tg_newtuple, desc,
					&new_chunk) == MR_WHOLE &&
		(old_health == MR_DAMAGED ||
		 (old_chunk.raw_size == new_chunk.raw_size &&
		  memcmp(&old_chunk.xxh3, &new_chunk.xxh3, UUID_LEN) == 0));
	mr_chunk_reader_end(reader);
	return repaired;
}

/*
 * Reads the chunk that an entry names; its row too, unless it is damaged.
 */
static MrHealth
check_entry(MrChunkReader *reader, HeapTuple entry, TupleDesc desc,
			MrChunk *chunk)
{
	bool		isnull;
	Datum		key = SPI_getbinval(entry, desc, SPI_fnumber(desc, "chunk"),
									&isnull);

	if (isnull)
		return MR_DAMAGED;
	return mr_chunk_reader_check(reader, DatumGetUUIDP(key), chunk);
}

static Datum
bytes_are_used(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Relation	relation = trigger->tg_relation;
	bool		used;

	used = mr_uses_found(RelationGetRelationName(relation),
						 trigger->tg_trigtuple,
						 RelationGetDescr(relation));
	return BoolGetDatum(used);
}
