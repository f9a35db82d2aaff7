/*
 * The settings of modelreg.
 *
 * What decides about the registry for everybody is superuser-set; a session
 * may choose for itself only what concerns nobody else.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/guc.h"

int			mr_guc_max_versions = 10;
bool		mr_guc_auto_cleanup = false;
bool		mr_guc_require_metadata = true;
int			mr_guc_notify = MR_NOTIFY_STAGE;
bool		mr_guc_verify_checksums = true;
int			mr_guc_compression = MR_CODEC_DEFAULT;
int			mr_guc_upload_expiry = SECS_PER_DAY;
bool		mr_guc_hash_in_thread = true;
static char *guc_reason = NULL;

static const struct config_enum_entry notify_options[] = {
	{"none", MR_NOTIFY_NONE, false},
	{"stage", MR_NOTIFY_STAGE, false},
	{"all", MR_NOTIFY_ALL, false},
	{NULL, 0, false}
};

/* What this build has; another value is refused with these as hint. */
static const struct config_enum_entry compression_options[] = {
	{"none", MR_CODEC_NONE, false},
#ifdef USE_MODELREG_LZ4
	{"lz4", MR_CODEC_LZ4, false},
#endif
#ifdef USE_MODELREG_ZSTD
	{"zstd", MR_CODEC_ZSTD, false},
#endif
	{NULL, 0, false}
};

static bool check_max_versions(int *newval, void **extra, GucSource source);

/*
 * Defines the settings.  Called once, when the library is loaded.
 */
void
mr_guc_define(void)
{
	DefineCustomIntVariable("modelreg.max_versions",
							"Number of versions of each model that cleanup keeps.",
							"-1 keeps all. A model's own max_versions goes first.",
							&mr_guc_max_versions,
							10, -1, INT_MAX,
							PGC_SUSET, 0,
							check_max_versions, NULL, NULL);
	DefineCustomBoolVariable("modelreg.auto_cleanup",
							 "Lets a registration remove versions beyond max_versions.",
							 "A model's own auto_cleanup goes first.",
							 &mr_guc_auto_cleanup,
							 false,
							 PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("modelreg.require_metadata",
							 "Refuses registrations without a performance metric.",
							 "A model's own require_metadata goes first.",
							 &mr_guc_require_metadata,
							 true,
							 PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomEnumVariable("modelreg.notify",
							 "Which events are sent on the channel modelreg.",
							 "stage sends what may change which version serves.",
							 &mr_guc_notify,
							 MR_NOTIFY_STAGE,
							 notify_options,
							 PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("modelreg.verify_checksums",
							 "Verifies artifacts when they are loaded or downloaded.",
							 NULL,
							 &mr_guc_verify_checksums,
							 true,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomEnumVariable("modelreg.compression",
							 "How the bytes of new artifacts are compressed.",
							 "What does not shrink is stored as it is. Reading does not depend on this.",
							 &mr_guc_compression,
							 MR_CODEC_DEFAULT,
							 compression_options,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("modelreg.upload_expiry",
							"Time without an append after which cleanup removes an unfinished upload.",
							"-1 keeps them.",
							&mr_guc_upload_expiry,
							SECS_PER_DAY, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomBoolVariable("modelreg.hash_in_thread",
							 "Hashes the parts of an upload in a thread while they are written.",
							 "Off uses one processor at a time.",
							 &mr_guc_hash_in_thread,
							 true,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomStringVariable("modelreg.reason",
							   "Reason that the audit trail records for changes by plain SQL.",
							   NULL,
							   &guc_reason,
							   "",
							   PGC_USERSET, GUC_NOT_IN_SAMPLE,
							   NULL, NULL, NULL);
	MarkGUCPrefixReserved("modelreg");
}

const char *
mr_guc_reason(void)
{
	return guc_reason ? guc_reason : "";
}

void
mr_guc_set_reason(const char *reason)
{
	(void) set_config_option("modelreg.reason", reason,
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * 0 would mean to keep nothing; who wants that shall delete the models.
 */
static bool
check_max_versions(int *newval, void **extra, GucSource source)
{
	if (*newval == 0)
	{
		GUC_check_errdetail("It must be -1 (keep all) or at least 1.");
		return false;
	}
	return true;
}
