/*
 * The table modelreg.model.
 */
#ifndef MR_MODELS_H
#define MR_MODELS_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "base/value.h"
#include "bytes/digest.h"

/* A row of modelreg.model */
typedef struct MrModel
{
	pg_uuid_t	key;			/* identity */
	char	   *name;			/* present name */
	bool		exclusive_production;	/* one production version at most */
	int			max_versions;	/* in force: own, else the server's; -1: all */
	bool		auto_cleanup;	/* in force */
	bool		require_metadata;	/* in force */
	int			last_version_number;	/* counters, see the table's comments */
	TimestampTz last_registered_at; /* DT_NOBEGIN if never */
	int			last_id_suffix; /* ids issued in that second */
	char	   *highest_version;	/* NULL if none */
	int64		audit_seq;		/* head of the chain: number */
	TimestampTz audit_at;		/* time, DT_NOBEGIN if none */
	uint8		audit_hash[MR_SHA256_LEN];	/* hash */
	bool		dirty;			/* counters differ from the row */
} MrModel;

/* What modelreg_create_model and modelreg_update_model set */
typedef enum MrModelSetting
{
	MR_SETTING_DESCRIPTION,		/* text */
	MR_SETTING_TAGS,			/* text[] */
	MR_SETTING_PROPERTIES,		/* jsonb */
	MR_SETTING_EXCLUSIVE_PRODUCTION,	/* boolean */
	MR_SETTING_MAX_VERSIONS,	/* integer */
	MR_SETTING_AUTO_CLEANUP,	/* boolean */
	MR_SETTING_REQUIRE_METADATA /* boolean */
} MrModelSetting;

#define MR_SETTING_COUNT (MR_SETTING_REQUIRE_METADATA + 1)

/* Null: leave as it is, or take the default */
typedef struct MrModelSettings
{
	MrValue		value[MR_SETTING_COUNT];
} MrModelSettings;

/* All of them null */
#define MR_NO_SETTINGS \
	{{{TEXTOID, true}, {TEXTARRAYOID, true}, {JSONBOID, true}, \
	{BOOLOID, true}, {INT4OID, true}, {BOOLOID, true}, {BOOLOID, true}}}

/* What a column of modelreg.model must be, apart from its type */
typedef enum MrColumnKind
{
	MR_KIND_NAME,				/* a name */
	MR_KIND_TEXT,				/* text of limited size */
	MR_KIND_TAGS,				/* an array of names */
	MR_KIND_OBJECT,				/* a JSON object */
	MR_KIND_MAX_VERSIONS,		/* an integer, see mr_check_max_versions */
	MR_KIND_OTHER				/* anything */
} MrColumnKind;

extern void mr_models_from_row(HeapTuple tuple, TupleDesc desc,
							   MrModel *model);
extern bool mr_models_lock_by_name(const char *name, MrModel *model);
extern bool mr_models_lock_by_key(const pg_uuid_t *key, MrModel *model);
extern bool mr_models_try_lock_by_key(const pg_uuid_t *key, MrModel *model);
extern bool mr_models_get_by_key(const pg_uuid_t *key, MrModel *model);
extern bool mr_models_get_by_name(const char *name, MrModel *model);
extern bool mr_models_is_visible(const char *name);
extern bool mr_models_is_visible_by_key(const pg_uuid_t *key);
extern bool mr_models_exists(const char *name);
extern bool mr_models_insert(const char *name, const char *type,
							 const MrModelSettings *settings,
							 const char *creator, MrModel *model,
							 Datum *snapshot);
extern void mr_models_update(const pg_uuid_t *key,
							 const MrModelSettings *settings,
							 Datum reset);
extern bool mr_models_rename(const pg_uuid_t *key, const char *new_name);
extern void mr_models_delete(const pg_uuid_t *key);
extern void mr_models_advance(MrModel *model);
extern void mr_models_spread(const pg_uuid_t *key);
extern bool mr_models_has_versions(const pg_uuid_t *key);
extern bool mr_models_last_issued(const MrModel *model, TimestampTz *second,
								  int *suffix);
extern Datum mr_models_row(const pg_uuid_t *key);
extern bool mr_models_changes(HeapTuple old_row, HeapTuple new_row,
							  TupleDesc desc, Datum *old_values,
							  Datum *new_values);
extern Datum mr_models_snapshot(HeapTuple row, TupleDesc desc);
pg_noreturn extern void mr_models_raise_damaged(const MrModel *model,
												const char *column);
extern bool mr_models_column_is_counter(const char *column);
extern bool mr_models_column_is_setting(const char *column);
extern MrColumnKind mr_models_column_kind(const char *column);
extern uint64 mr_models_keys(const char *name, Datum *keys);

#endif							/* MR_MODELS_H */
