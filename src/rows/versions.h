/*
 * The table modelreg.model_version.
 */
#ifndef MR_VERSIONS_H
#define MR_VERSIONS_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "base/role_ref.h"
#include "base/sql.h"
#include "base/stage.h"

/* What the code needs of a row of modelreg.model_version */
typedef struct MrVersion
{
	char	   *model_id;		/* identifier */
	pg_uuid_t	model_key;		/* its model */
	char	   *model_name;		/* name of that */
	char	   *model_type;		/* type */
	char	   *version;		/* SemVer */
	int			version_number; /* within the model */
	TimestampTz created_at;		/* when it was trained */
	TimestampTz registered_at;	/* when it was registered */
	MrStage		stage;			/* present stage */
	MrRoleRef	owner;			/* whose it is */
	char	   *checksum;		/* SHA-256, hexadecimal */
	int64		artifact_size;	/* bytes */
	int			file_count;		/* its files; 0: one artifact */
	bool		exclusive_production;	/* copy of the model's */
} MrVersion;

/* A row to be */
typedef struct MrNewVersion
{
	const char *model_id;
	pg_uuid_t	model_key;
	const char *model_name;
	const char *model_type;
	const char *version;
	int			version_number;
	NullableDatum created_at;	/* timestamptz; null: registered_at */
	TimestampTz registered_at;
	const char *registered_by;
	MrRoleRef	owner;
	const char *checksum;
	int64		artifact_size;
	NullableDatum model_config; /* jsonb; null: {} */
	NullableDatum training_metadata;	/* jsonb; null: {} */
	NullableDatum dataset_version;	/* text */
	Datum		parent_ids;		/* text[] */
	MrStage		stage;
	NullableDatum performance_metrics;	/* jsonb; null: {} */
	Datum		tags;			/* text[] */
	NullableDatum notes;		/* text; null: '' */
	NullableDatum properties;	/* jsonb; null: {} */
	const struct MrFile *files; /* NULL: one artifact */
	int			file_count;
	int64		files_size;		/* bytes of the files */
	bool		exclusive_production;
} MrNewVersion;

/* Which kind of column of modelreg.model_version it is */
typedef enum MrVersionColumn
{
	MR_COLUMN_FIXED,			/* as the registration set it */
	MR_COLUMN_STAGE,			/* deployment_stage */
	MR_COLUMN_DEPLOYED_AT,		/* deployed_at */
	MR_COLUMN_COPY,				/* guarded copy of a column of the model */
	MR_COLUMN_OWNER,			/* owner */
	MR_COLUMN_TIME,				/* registered_at, created_at */
	MR_COLUMN_METRICS,			/* performance_metrics */
	MR_COLUMN_TAGS,				/* tags */
	MR_COLUMN_NOTES,			/* notes */
	MR_COLUMN_PROPERTIES		/* properties */
} MrVersionColumn;

extern void mr_versions_from_row(HeapTuple tuple, TupleDesc desc,
								 MrVersion *version);
extern bool mr_versions_read(MrRows rows, MrVersion *version);
extern bool mr_versions_get(const char *model_id, MrSight sight,
							MrVersion *version);
extern bool mr_versions_is_visible(const char *model_id);
extern bool mr_versions_lock(const char *model_id, MrVersion *version);
extern bool mr_versions_exists(const char *model_name, const char *version,
							   MrSight sight);
extern char *mr_versions_missing(Datum model_ids);
extern Datum mr_versions_insert(const MrNewVersion *new_version,
								Datum *snapshot);
extern void mr_versions_set_stage(const char *model_id, MrStage stage);
extern void mr_versions_set_metadata(const char *model_id, NullableDatum notes,
									 NullableDatum tags,
									 NullableDatum metrics,
									 NullableDatum properties);
extern void mr_versions_delete(const char *model_id);
extern Datum mr_versions_row(const char *model_id);
pg_noreturn extern void mr_versions_raise_unknown(const char *model_id);
extern uint64 mr_versions_in_production(const pg_uuid_t *model_key,
										const char *except, char ***model_ids);
extern uint64 mr_versions_all(const pg_uuid_t *model_key, char ***model_ids);
extern uint64 mr_versions_excess(const pg_uuid_t *model_key, int keep,
								 bool spare_live, bool visible_only,
								 int limit, char ***model_ids);
extern MrVersionColumn mr_versions_column(const char *column);
extern int	mr_versions_deployed_at_column(TupleDesc desc);
extern bool mr_versions_changes(HeapTuple old_row, HeapTuple new_row,
								TupleDesc desc, Datum *old_values,
								Datum *new_values);
extern Datum mr_versions_snapshot(HeapTuple row, TupleDesc desc);
extern void mr_versions_check_size(HeapTuple row, TupleDesc desc);

#endif							/* MR_VERSIONS_H */
