/*
 * What SQL may ask about the library.
 */
#include "postgres.h"

#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "base/guc.h"

PG_FUNCTION_INFO_V1(modelreg_setting_max_versions);
PG_FUNCTION_INFO_V1(modelreg_is_preloaded);
PG_FUNCTION_INFO_V1(modelreg_library_version);

Datum
modelreg_setting_max_versions(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(mr_guc_max_versions);
}

/*
 * Whether the library is preloaded, so that the settings are known in a
 * session that has called nothing of ours yet.  Not every role may read these
 * settings, so SQL cannot tell.
 */
Datum
modelreg_is_preloaded(PG_FUNCTION_ARGS)
{
	static const char *const settings[] = {
		"shared_preload_libraries", "session_preload_libraries",
		"local_preload_libraries"
	};

	for (int i = 0; i < lengthof(settings); i++)
	{
		const char *value = GetConfigOption(settings[i], true, false);
		List	   *libraries;
		ListCell   *cell;

		if (value == NULL ||
			!SplitDirectoriesString(pstrdup(value), ',', &libraries))
			continue;
		foreach(cell, libraries)
		{
			const char *name = last_dir_separator(lfirst(cell));

			name = name ? name + 1 : lfirst(cell);
			if (strcmp(name, "modelreg") == 0 ||
				strcmp(name, "modelreg" DLSUFFIX) == 0)
				PG_RETURN_BOOL(true);
		}
	}
	PG_RETURN_BOOL(false);
}

Datum
modelreg_library_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(MODELREG_VERSION));
}
