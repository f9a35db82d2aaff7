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
#include "base/plan.h"
#include "base/stage.h"

/* What the code needs of a row of modelreg.model_version */
typedef struct MrVersion
{
	char	   *model_id;		/* identifier */
	pg_uuid_t	model_key;		/* its model */
	char	   *model_name;		/* name of that */
	char	   *model_type;		/* type */
	char	   *version;		/* SemVer */
	MrStage		stage;			/* present stage */
	char	   *registered_by;	/* role */
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

/* What a version refers to, for verification */
typedef struct MrReference
{
	char	   *model_id;		/* the version */
	char	   *checksum;		/* its artifact */
	int64		artifact_size;	/* as the version says */
	int64		stored_size;	/* as the artifact says; -1: there is none */
	char	   *storage;		/* NULL: there is no artifact */
	bool		has_model;		/* its model exists */
	int			file_count;		/* files, as the version says */
	int64		files_size;		/* bytes of these, as the version says */
	int64		files_found;	/* rows of modelreg.version_file */
	char	   *missing_parents;	/* never registered; NULL: none */
} MrReference;

/* Which kind of column of modelreg.model_version it is */
typedef enum MrVersionColumn
{
	MR_COLUMN_FIXED,			/* as the registration set it */
	MR_COLUMN_STAGE,			/* deployment_stage */
	MR_COLUMN_DEPLOYED_AT,		/* deployed_at */
	MR_COLUMN_COPY,				/* guarded copy of a column of the model */
	MR_COLUMN_METRICS,			/* performance_metrics */
	MR_COLUMN_TAGS,				/* tags */
	MR_COLUMN_NOTES,			/* notes */
	MR_COLUMN_PROPERTIES		/* properties */
} MrVersionColumn;

extern void mr_version_from_row(HeapTuple tuple, TupleDesc desc,
								MrVersion *version);
extern Datum mr_version_stage_datum(HeapTuple tuple, TupleDesc desc);
extern Datum mr_version_metrics_datum(HeapTuple tuple, TupleDesc desc);
extern bool mr_version_get(const char *model_id, MrSight sight,
						   MrVersion *version);
extern bool mr_version_lock(const char *model_id, MrVersion *version);
extern bool mr_version_exists(const char *model_name, const char *version);
extern char *mr_version_missing(Datum model_ids);
extern Datum mr_version_insert(const MrNewVersion *new_version,
							   Datum *snapshot);
extern void mr_version_set_stage(const char *model_id, MrStage stage);
extern void mr_version_set_metadata(const char *model_id, NullableDatum notes,
									NullableDatum tags,
									NullableDatum metrics,
									NullableDatum properties);
extern void mr_version_delete(const char *model_id);
extern Datum mr_version_row(const char *model_id);
pg_noreturn extern void mr_version_raise_unknown(const char *model_id);
extern uint64 mr_version_in_production(const pg_uuid_t *model_key,
									   const char *except, char ***model_ids);
extern uint64 mr_version_references(const char *model_id,
									MrReference **references);
extern uint64 mr_version_all(const pg_uuid_t *model_key, char ***model_ids);
extern uint64 mr_version_excess(const pg_uuid_t *model_key, int keep,
								bool spare_live, int limit,
								char ***model_ids);
extern MrVersionColumn mr_version_column(const char *column);
extern int	mr_version_deployed_at_column(TupleDesc desc);
extern bool mr_version_changes(HeapTuple old_row, HeapTuple new_row,
							   TupleDesc desc, Datum *old_values,
							   Datum *new_values);
extern Datum mr_version_snapshot(HeapTuple row, TupleDesc desc);

#endif							/* MR_VERSIONS_H */
