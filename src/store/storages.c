/*
 * The storages that there are.
 */
#include "postgres.h"

#include "base/clip.h"
#include "store/database/database.h"
#include "store/storages.h"

/* Every storage of this library */
static const MrStorage *const storages[] = {
	&mr_storage_database
};

/*
 * Find a storage by the value of artifact.storage, or return NULL.
 */
const MrStorage *
mr_storages_find(const char *name)
{
	for (int i = 0; i < lengthof(storages); i++)
	{
		if (strcmp(storages[i]->name, name) == 0)
			return storages[i];
	}
	return NULL;
}

/*
 * The same, or raise an error.
 */
const MrStorage *
mr_storages_by_name(const char *name)
{
	const MrStorage *storage = mr_storages_find(name);

	if (storage == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("artifact storage \"%s\" is not supported",
						mr_clip_text(name))));
	return storage;
}

/*
 * The same, or the default one: where the name is damaged, the bytes are there,
 * or nowhere.
 */
const MrStorage *
mr_storages_or_default(const char *name)
{
	const MrStorage *storage = mr_storages_find(name);

	return storage != NULL ? storage : mr_storages_default();
}

/*
 * Where the bytes of new artifacts go.
 */
const MrStorage *
mr_storages_default(void)
{
	return &mr_storage_database;
}
