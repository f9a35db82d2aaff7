/*
 * Verification of the stored bytes, and of what refers to what.
 */
#include "postgres.h"

#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "artifact/artifact.h"
#include "artifact/manifest.h"
#include "artifact/open_upload.h"
#include "base/actor.h"
#include "base/arg.h"
#include "bytes/digest.h"
#include "rows/discarded.h"
#include "rows/files.h"
#include "rows/versions.h"

/* Damaged files of a version that are named */
#define MAX_NAMED_FILES 10

/* Columns of modelreg_verify */
#define VERIFY_COLUMNS 5

/* What was found of an artifact */
typedef struct Finding
{
	uint8		sha256[MR_SHA256_LEN];	/* the artifact; hash key */
	bool		is_stored;		/* there is one */
	uint8		actual[MR_SHA256_LEN];	/* of the bytes that could be read */
	const char *damage;			/* NULL: none */
} Finding;

/* What was found of all of them so far */
typedef struct Findings
{
	HTAB	   *table;			/* of Finding */
	MemoryContext context;		/* holds the table and the texts */
} Findings;

PG_FUNCTION_INFO_V1(modelreg_verify);

static Datum verify_versions(FunctionCallInfo fcinfo);
static void make_findings(Findings *findings);
static Finding *find_out(Findings *findings, const uint8 *sha256);
static char *file_problems(Findings *findings, const MrReference *reference);
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
	Findings	findings;
	MemoryContext context;

	if (model_id && count == 0)
		mr_version_raise_unknown(model_id);

	make_findings(&findings);
	context = AllocSetContextCreate(CurrentMemoryContext, "modelreg verify",
									ALLOCSET_DEFAULT_SIZES);
	for (uint64 i = 0; i < count; i++)
	{
		MrReference *r = &references[i];
		uint8		sha256[MR_SHA256_LEN];
		const char *damage = "the checksum is malformed";
		const char *actual = NULL;
		char	   *problem;
		MemoryContext old_context;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(context);
		old_context = MemoryContextSwitchTo(context);
		if (mr_digest_from_hex(r->checksum, sha256))
		{
			Finding    *finding = find_out(&findings, sha256);

			damage = finding->damage;
			if (finding->is_stored)
				actual = mr_digest_hex(finding->actual);
		}
		problem = join_problems(damage, reference_problems(r));
		if (r->file_count != 0 || r->files_found != 0)
			problem = join_problems(problem, file_problems(&findings, r));
		return_row(result, r->model_id, problem == NULL, r->checksum, actual,
				   problem);
		MemoryContextSwitchTo(old_context);
	}
	MemoryContextDelete(context);
	MemoryContextDelete(findings.context);
	return (Datum) 0;
}

static void
make_findings(Findings *findings)
{
	HASHCTL		control = {0};

	findings->context = AllocSetContextCreate(CurrentMemoryContext,
											  "modelreg findings",
											  ALLOCSET_DEFAULT_SIZES);
	control.keysize = MR_SHA256_LEN;
	control.entrysize = sizeof(Finding);
	control.hcxt = findings->context;
	findings->table = hash_create("modelreg verify", 256, &control,
								  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * What there is to say of an artifact, which is read once, however many
 * versions and files share it.
 */
static Finding *
find_out(Findings *findings, const uint8 *sha256)
{
	bool		is_known;
	Finding    *finding = hash_search(findings->table, sha256, HASH_ENTER,
									  &is_known);
	MrArtifactRow row;

	if (is_known)
		return finding;
	finding->is_stored = mr_artifact_row_get(sha256, MR_SIGHT_ACTIVE, &row);
	finding->damage = "the artifact is missing";
	if (finding->is_stored)
		(void) mr_artifact_check(&row, GetActiveSnapshot(), finding->actual,
								 &finding->damage);
	if (finding->damage)
		finding->damage = MemoryContextStrdup(findings->context,
											  finding->damage);
	return finding;
}

/*
 * What is wrong with a version's files, and with the manifest that stands for
 * them; NULL if nothing.
 */
static char *
file_problems(Findings *findings, const MrReference *reference)
{
	MrFile	   *files;
	uint64		count = mr_file_list(reference->model_id, &files);
	int64		size = 0;
	StringInfoData manifest;
	StringInfoData problems;
	uint8		sha256[MR_SHA256_LEN];
	int			damaged = 0;

	mr_manifest_sort(files, count);
	initStringInfo(&manifest);
	mr_manifest_build(files, count, &manifest);
	mr_digest_bytes(manifest.data, manifest.len, sha256);

	initStringInfo(&problems);
	for (uint64 i = 0; i < count; i++)
	{
		Finding    *finding = find_out(findings, files[i].sha256);

		CHECK_FOR_INTERRUPTS();
		size += files[i].size;
		if (finding->damage && damaged++ < MAX_NAMED_FILES)
			appendStringInfo(&problems, "%sfile \"%s\": %s",
							 damaged > 1 ? "; " : "", files[i].path,
							 finding->damage);
	}
	if (damaged > MAX_NAMED_FILES)
		appendStringInfo(&problems, "; and %d more files",
						 damaged - MAX_NAMED_FILES);
	if (reference->file_count != count || reference->files_size != size ||
		strcmp(mr_digest_hex(sha256), reference->checksum) != 0)
		appendStringInfo(&problems,
						 "%sthe rows of modelreg.version_file are not what was registered",
						 problems.len > 0 ? "; " : "");
	return problems.len > 0 ? problems.data : NULL;
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
	count = mr_file_of_no_version();
	if (count > 0)
		return_row(result, NULL, false, NULL, NULL,
				   psprintf(UINT64_FORMAT " rows of modelreg.version_file belong to no version",
							count));
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
