/*
 * Differences between the PostgreSQL versions that modelreg supports.
 *
 * Every version test of the library is here: the other files use the names
 * below, or core's own where these are the same in 15, 16, 17 and 18.
 */
#ifndef MR_COMPAT_H
#define MR_COMPAT_H

/*
 * security_invoker views, MarkGUCPrefixReserved and InitMaterializedSRF are not
 * in 14 and before.
 */
#if PG_VERSION_NUM < 150000
#error "modelreg needs PostgreSQL 15 or later"
#endif

/* 16 moved the varlena macros (VARDATA_ANY ...) out of postgres.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 18 put pg_noreturn, in front of the declaration, for the old macro. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/*
 * Insert the index entries of a new row.  16 added onlySummarizing, which is
 * for updates only.
 */
#if PG_VERSION_NUM >= 160000
#define mr_compat_insert_index_tuples(result_rel, slot, estate) \
	ExecInsertIndexTuples(result_rel, slot, estate, false, false, NULL, NIL, \
						  false)
#else
#define mr_compat_insert_index_tuples(result_rel, slot, estate) \
	ExecInsertIndexTuples(result_rel, slot, estate, false, false, NULL, NIL)
#endif

/* 18 lets the caller choose whether a deferrable primary key counts. */
#if PG_VERSION_NUM >= 180000
#define mr_compat_primary_key_index(rel) RelationGetPrimaryKeyIndex(rel, false)
#else
#define mr_compat_primary_key_index(rel) RelationGetPrimaryKeyIndex(rel)
#endif

#endif							/* MR_COMPAT_H */
