/*
 * The table modelreg.model_alias.
 */
#ifndef MR_ALIASES_H
#define MR_ALIASES_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "utils/uuid.h"

/* A row of modelreg.model_alias */
typedef struct MrAlias
{
	pg_uuid_t	model_key;		/* the model */
	char	   *alias;			/* unique within it */
	char	   *model_id;		/* the version that it names */
} MrAlias;

/* Which kind of column of modelreg.model_alias it is */
typedef enum MrAliasColumn
{
	MR_ALIAS_KEY,				/* part of the key */
	MR_ALIAS_TARGET,			/* model_id */
	MR_ALIAS_STAMP				/* set_at, set_by */
} MrAliasColumn;

extern void mr_aliases_from_row(HeapTuple tuple, TupleDesc desc,
								MrAlias *alias);
extern char *mr_aliases_target(const pg_uuid_t *model_key, const char *alias);
extern bool mr_aliases_is_visible(const pg_uuid_t *model_key,
								  const char *alias);
extern bool mr_aliases_insert(const MrAlias *alias, const char *actor,
							  Datum *snapshot);
extern void mr_aliases_move(const MrAlias *alias, const char *actor);
extern bool mr_aliases_delete(const pg_uuid_t *model_key, const char *alias);
extern void mr_aliases_delete_of_version(const char *model_id);
extern char *mr_aliases_of_version(const char *model_id);
extern char *mr_aliases_of_model(const pg_uuid_t *model_key);
extern Datum mr_aliases_row(const pg_uuid_t *model_key, const char *alias);
extern Datum mr_aliases_snapshot(HeapTuple row, TupleDesc desc);
extern MrAliasColumn mr_aliases_column(const char *column);
extern HeapTuple mr_aliases_stamp(HeapTuple row, TupleDesc desc, Datum set_at,
								  Datum set_by);

#endif							/* MR_ALIASES_H */
