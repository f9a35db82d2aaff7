/*-------------------------------------------------------------------------
 *
 * catalog_list.h
 *	  The table modelreg.artifact_chunk: lists of chunks.
 *
 * LAYER 1
 *
 * IDENTIFICATION
 *	  src/catalog_list.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODELREG_CATALOG_LIST_H
#define MODELREG_CATALOG_LIST_H

#include "utils/uuid.h"

extern bool mr_list_replace(const pg_uuid_t *damaged, const pg_uuid_t *whole);

#endif							/* MODELREG_CATALOG_LIST_H */
