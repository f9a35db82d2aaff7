/*
 * Finding versions by filters.
 */
#ifndef MR_VERSION_FILTER_H
#define MR_VERSION_FILTER_H

#include "executor/spi.h"

/* The filters; a null one lets everything pass */
typedef struct MrFilter
{
	NullableDatum model_type;	/* text */
	NullableDatum deployment_stage; /* text, a stage's name */
	NullableDatum min_performance;	/* jsonb, not empty */
	NullableDatum max_performance;	/* jsonb, not empty */
	NullableDatum tags;			/* text[], not empty */
	NullableDatum model_name;	/* text */
	NullableDatum version;		/* text */
	NullableDatum before_id;	/* text: only what follows this version */
	NullableDatum max_rows;		/* bigint */
} MrFilter;

extern Portal mr_version_filter_open(const MrFilter *filter);

#endif							/* MR_VERSION_FILTER_H */
