/*
 * The errors of reads that find damage.  name is that of the version, or of a
 * file of one.
 */
#include "postgres.h"

#include "utils/snapmgr.h"

#include "heal/damage.h"
#include "heal/inspect.h"

pg_noreturn static void raise_unreadable(const char *name,
										 const char *problem);

/*
 * Raise an error unless all is well with what a reader has read.
 */
void
mr_damage_require_whole(const MrStorage *storage, MrStorageReader *reader,
						const char *name)
{
	const char *problem;

	switch (storage->read_health(reader, &problem))
	{
		case MR_WHOLE:
			break;
		case MR_DAMAGED:
			mr_damage_raise_damaged(name,
									psprintf("Damage found: %s.", problem));
			break;
		case MR_UNREADABLE:
			raise_unreadable(name, problem);
			break;
	}
}

/*
 * Raise the error for a version without an artifact.
 */
void
mr_damage_raise_missing(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("artifact of model version \"%s\" is missing", name),
			 errhint("Run modelreg_verify().")));
}

/*
 * Raise the error for an artifact whose bytes are not what was registered.
 */
void
mr_damage_raise_damaged(const char *name, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored bytes of model version \"%s\" do not match their checksum",
					name),
			 errdetail_internal("%s", detail),
			 errhint("Register the right bytes again, which heals them, or restore a backup; modelreg_verify() finds every damaged artifact.")));
}

/*
 * Raise the error for one with another SHA-256, as of the active snapshot: look
 * which chunk it is.
 */
void
mr_damage_raise_mismatch(const MrArtifact *artifact, const char *name,
						 const uint8 *actual)
{
	uint8		again[MR_SHA256_LEN];
	const char *problem;

	if (mr_inspect_artifact(artifact, GetActiveSnapshot(), again,
							&problem) == MR_WHOLE)
		problem = "a second reading found nothing wrong";
	mr_damage_raise_damaged(name,
							psprintf("Expected SHA-256 %s, found %s: %s.",
									 mr_digest_hex(artifact->sha256),
									 mr_digest_hex(actual), problem));
}

/*
 * Raise the error for an artifact that this build cannot read.
 */
static void
raise_unreadable(const char *name, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot read artifact of model version \"%s\"", name),
			 errdetail_internal("Its %s.", problem),
			 errhint("Build modelreg with lz4 and zstd.")));
}
