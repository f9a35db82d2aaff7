/*
 * Verification of the stored bytes, and of what refers to what.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "artifact/manifest.h"
#include "artifact/upload_list.h"
#include "base/arg.h"
#include "base/call.h"
#include "base/result.h"
#include "heal/inspect.h"
#include "rows/discarded.h"
#include "rows/files.h"
#include "rows/references.h"
#include "rows/versions.h"
#include "store/storages.h"

/* Damaged files of a version that are named */
#define MAX_NAMED_FILES 10

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
static void begin_findings(Findings *findings);
static Finding *find_artifact_out(Findings *findings, const uint8 *sha256);
static char *join_file_problems(Findings *findings,
								const MrReference *reference);
static Datum verify_orphans(FunctionCallInfo fcinfo);
static void report_orphan(void *arg, const char *problem);
static char *join_reference_problems(const MrReference *reference);
static char *join_problems(const char *first, const char *second);
static void return_finding(FunctionCallInfo fcinfo, const char *model_id,
						   bool ok, const char *expected, const char *actual,
						   const char *problem);

/*
 * The versions are those that the caller may see; what belongs to none is
 * found as the owner, or row-level security would make orphans.
 */
Datum
modelreg_verify(PG_FUNCTION_ARGS)
{
	mr_result_begin(fcinfo);
	mr_call_as_caller(fcinfo, verify_versions);
	if (PG_ARGISNULL(0))
		mr_call_with_rights(fcinfo, verify_orphans);
	return (Datum) 0;
}

static Datum
verify_versions(FunctionCallInfo fcinfo)
{
	char	   *model_id = mr_arg_text(fcinfo, 0);
	MrReference *references;
	uint64		count = mr_references_get(model_id, &references);
	Findings	findings;
	MemoryContext context;

	if (model_id && count == 0)
		mr_versions_raise_unknown(model_id);

	begin_findings(&findings);
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
			Finding    *finding = find_artifact_out(&findings, sha256);

			damage = finding->damage;
			if (finding->is_stored)
				actual = mr_digest_hex(finding->actual);
		}
		problem = join_problems(damage, join_reference_problems(r));
		if (r->file_count != 0 || r->files_found != 0)
			problem = join_problems(problem, join_file_problems(&findings, r));
		return_finding(fcinfo, r->model_id, problem == NULL, r->checksum,
					   actual, problem);
		MemoryContextSwitchTo(old_context);
	}
	MemoryContextDelete(context);
	MemoryContextDelete(findings.context);
	return (Datum) 0;
}

static void
begin_findings(Findings *findings)
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
find_artifact_out(Findings *findings, const uint8 *sha256)
{
	bool		is_known;
	Finding    *finding = hash_search(findings->table, sha256, HASH_ENTER,
									  &is_known);
	MrArtifact	artifact;

	if (is_known)
		return finding;
	finding->is_stored = mr_artifacts_get(sha256, MR_SIGHT_ACTIVE, &artifact);
	finding->damage = "the artifact is missing";
	if (finding->is_stored)
		(void) mr_inspect_artifact(&artifact, GetActiveSnapshot(),
								   finding->actual,
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
join_file_problems(Findings *findings, const MrReference *reference)
{
	MrFile	   *files;
	uint64		count = mr_files_list(reference->model_id, &files);
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
		Finding    *finding = find_artifact_out(findings, files[i].sha256);

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
 * What is stored but belongs to no version.  Who does not see everything is
 * not told, as none of it is his.
 */
static Datum
verify_orphans(FunctionCallInfo fcinfo)
{
	MrArtifact *artifacts;
	uint64		count;
	uint64		used;

	if (mr_call_is_restricted("model_version") ||
		mr_call_is_restricted("version_file") ||
		mr_call_is_restricted("artifact") ||
		mr_call_is_restricted("upload"))
		return (Datum) 0;
	count = mr_artifacts_unused(&artifacts);
	for (uint64 i = 0; i < count; i++)
	{
		uint8		digest[MR_SHA256_LEN];
		const char *damage;

		(void) mr_inspect_artifact(&artifacts[i], GetActiveSnapshot(), digest,
								   &damage);
		return_finding(fcinfo, NULL, damage == NULL,
					   mr_digest_hex(artifacts[i].sha256),
					   mr_digest_hex(digest),
					   join_problems(damage,
									 "no version uses the artifact; the next cleanup removes it"));
	}
	count = mr_artifacts_malformed();
	if (count > 0)
		return_finding(fcinfo, NULL, false, NULL, NULL,
					   psprintf(UINT64_FORMAT " rows of modelreg.artifact have no SHA-256 as their key",
								count));
	mr_discarded_count(&count, &used);
	if (count > used)
		return_finding(fcinfo, NULL, true, NULL, NULL,
					   psprintf(UINT64_FORMAT " discarded contents wait for the next cleanup",
								count - used));
	if (used > 0)
		return_finding(fcinfo, NULL, false, NULL, NULL,
					   psprintf(UINT64_FORMAT " contents are discarded and in use",
								used));
	count = mr_files_of_no_version();
	if (count > 0)
		return_finding(fcinfo, NULL, false, NULL, NULL,
					   psprintf(UINT64_FORMAT " rows of modelreg.version_file belong to no version",
								count));
	if (mr_upload_list_has_open())
	{
		return_finding(fcinfo, NULL, true, NULL, NULL,
					   "an upload of this transaction is not finished: chunks of no artifact are not looked for");
		return (Datum) 0;
	}
	mr_storages_default()->orphans(report_orphan, fcinfo);
	return (Datum) 0;
}

static void
report_orphan(void *arg, const char *problem)
{
	return_finding((FunctionCallInfo) arg, NULL, false, NULL, NULL, problem);
}

/*
 * What is wrong with what the version refers to, its bytes apart; NULL if
 * nothing.
 */
static char *
join_reference_problems(const MrReference *reference)
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
return_finding(FunctionCallInfo fcinfo, const char *model_id, bool ok,
			   const char *expected, const char *actual, const char *problem)
{
	mr_result_add(fcinfo,
				  MR_VALUES(mr_value_text(model_id), mr_value_bool(ok),
							mr_value_text(expected), mr_value_text(actual),
							mr_value_text(problem)));
}
