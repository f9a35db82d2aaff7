/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  Verification of the stored bytes, and of what refers to what.
 *
 * LAYER 3
 *
 * IDENTIFICATION
 *	  src/verify.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "actor.h"
#include "args.h"
#include "artifact.h"
#include "catalog_content.h"
#include "catalog_version.h"
#include "digest.h"
#include "uploading.h"

/* Columns of modelreg_verify */
#define VERIFY_COLUMNS 5

PG_FUNCTION_INFO_V1(modelreg_verify);

static Datum verify_versions(FunctionCallInfo fcinfo);
static Datum verify_orphans(FunctionCallInfo fcinfo);
static void report_orphan(void *arg, const char *problem);
static char *reference_problems(const MrReference *reference);
static char *join_problems(const char *first, const char *second);
static void return_row(ReturnSetInfo *result, const char *model_id, bool ok,
					   const char *expected, const char *actual,
					   const char *problem);

/*
 * modelreg_verify(model_id): see its COMMENT.
 *
 * The versions are those that the caller may see; what belongs to none is
 * found as the owner, or row-level security would make orphans.
 */
Datum
modelreg_verify(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	mr_actor_run_as_caller(fcinfo, verify_versions);
	if (PG_ARGISNULL(0))
		mr_actor_run_as_owner(fcinfo, MR_ROLE_NONE, NULL, verify_orphans);
	return (Datum) 0;
}

static Datum
verify_versions(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *model_id = mr_arg_text(fcinfo, 0);
	MrReference *references;
	uint64		count = mr_version_references(model_id, &references);
	MemoryContext context;
	const char *checksum = NULL;
	char	   *actual = NULL;
	const char *damage = NULL;

	if (model_id && count == 0)
		mr_version_raise_unknown(model_id);

	context = AllocSetContextCreate(CurrentMemoryContext, "modelreg verify",
									ALLOCSET_DEFAULT_SIZES);
	for (uint64 i = 0; i < count; i++)
	{
		MrReference *r = &references[i];
		MrArtifactRow row;
		uint8		sha256[MR_SHA256_LEN];
		uint8		digest[MR_SHA256_LEN];
		char	   *problem;
		MemoryContext old_context;

		CHECK_FOR_INTERRUPTS();

		/* versions that share an artifact follow each other */
		if (checksum == NULL || strcmp(checksum, r->checksum) != 0)
		{
			MemoryContextReset(context);
			old_context = MemoryContextSwitchTo(context);
			checksum = r->checksum;
			actual = NULL;
			if (!mr_digest_from_hex(r->checksum, sha256))
				damage = "the checksum is malformed";
			else if (!mr_artifact_row_get(sha256, MR_SIGHT_ACTIVE, &row))
				damage = "the artifact is missing";
			else
			{
				(void) mr_artifact_check(&row, GetActiveSnapshot(), digest,
										 &damage);
				actual = mr_digest_hex(digest);
			}
		}
		else
			old_context = MemoryContextSwitchTo(context);

		problem = join_problems(damage, reference_problems(r));
		return_row(result, r->model_id, problem == NULL, r->checksum, actual,
				   problem);
		MemoryContextSwitchTo(old_context);
	}
	MemoryContextDelete(context);
	return (Datum) 0;
}

/*
 * What is stored but belongs to no version.
 */
static Datum
verify_orphans(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MrArtifactRow *rows;
	uint64		count = mr_artifact_row_unused(&rows);
	uint64		used;

	for (uint64 i = 0; i < count; i++)
	{
		uint8		digest[MR_SHA256_LEN];
		const char *damage;

		(void) mr_artifact_check(&rows[i], GetActiveSnapshot(), digest,
								 &damage);
		return_row(result, NULL, damage == NULL,
				   mr_digest_hex(rows[i].sha256), mr_digest_hex(digest),
				   join_problems(damage,
								 "no version uses the artifact; the next cleanup removes it"));
	}
	mr_content_count_discarded(&count, &used);
	if (count > used)
		return_row(result, NULL, true, NULL, NULL,
				   psprintf(UINT64_FORMAT " discarded contents wait for the next cleanup",
							count - used));
	if (used > 0)
		return_row(result, NULL, false, NULL, NULL,
				   psprintf(UINT64_FORMAT " contents are discarded and in use",
							used));
	if (mr_upload_is_any_open())
	{
		return_row(result, NULL, true, NULL, NULL,
				   "an upload of this transaction is not finished: chunks of no artifact are not looked for");
		return (Datum) 0;
	}
	mr_storage_database.orphans(GetActiveSnapshot(), report_orphan, result);
	return (Datum) 0;
}

static void
report_orphan(void *arg, const char *problem)
{
	return_row((ReturnSetInfo *) arg, NULL, false, NULL, NULL, problem);
}

/*
 * What is wrong with what the version refers to, its bytes apart; NULL if
 * nothing.
 */
static char *
reference_problems(const MrReference *reference)
{
	char	   *problem = NULL;

	if (!reference->has_model)
		problem = join_problems(problem, "the version's model is missing");
	if (reference->storage != NULL &&
		reference->stored_size != reference->artifact_size)
		problem = join_problems(problem,
								psprintf("the version says " INT64_FORMAT " bytes, the artifact " INT64_FORMAT,
										 reference->artifact_size,
										 reference->stored_size));
	if (reference->missing_parents)
		problem = join_problems(problem,
								psprintf("parents were never registered: %s",
										 reference->missing_parents));
	return problem;
}

static char *
join_problems(const char *first, const char *second)
{
	if (first && second)
		return psprintf("%s; %s", first, second);
	if (first || second)
		return pstrdup(first ? first : second);
	return NULL;
}

static void
return_row(ReturnSetInfo *result, const char *model_id, bool ok,
		   const char *expected, const char *actual, const char *problem)
{
	Datum		values[VERIFY_COLUMNS] = {0};
	bool		nulls[VERIFY_COLUMNS];

	nulls[0] = model_id == NULL;
	nulls[1] = false;
	nulls[2] = expected == NULL;
	nulls[3] = actual == NULL;
	nulls[4] = problem == NULL;
	if (model_id)
		values[0] = CStringGetTextDatum(model_id);
	values[1] = BoolGetDatum(ok);
	if (expected)
		values[2] = CStringGetTextDatum(expected);
	if (actual)
		values[3] = CStringGetTextDatum(actual);
	if (problem)
		values[4] = CStringGetTextDatum(problem);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}
