/*
 * The storages that there are.
 */
#ifndef MR_STORAGES_H
#define MR_STORAGES_H

#include "store/storage.h"

extern const MrStorage *mr_storages_find(const char *name);
extern const MrStorage *mr_storages_by_name(const char *name);
extern const MrStorage *mr_storages_or_default(const char *name);
extern const MrStorage *mr_storages_default(void);

#endif							/* MR_STORAGES_H */
