/*
 * Checks of arguments.
 */
#ifndef MR_CHECK_H
#define MR_CHECK_H

#include "utils/array.h"
#include "utils/jsonb.h"

/* Longest path of a file in bytes */
#define MR_MAX_PATH 1024

/* Most files that a version may have */
#define MR_MAX_FILES 10000

/* Most elements that an array of tags may have, duplicates included */
#define MR_MAX_TAGS 1000

/* Longest notes, reason or description in bytes */
#define MR_MAX_TEXT (1024 * 1024)

/* Largest JSON object in bytes, as jsonb and as text */
#define MR_MAX_JSON (16 * 1024 * 1024)

/* Largest metadata of a version in bytes, as the text of JSON */
#define MR_MAX_VERSION_ROW (64 * 1024 * 1024)

/*
 * "what" is the name of the argument, as the caller of the SQL function knows
 * it.  All errors are ERRCODE_INVALID_PARAMETER_VALUE.
 */
extern void mr_check_name(const char *what, const char *name);
extern void mr_check_path(const char *path);
extern void mr_check_alias(const char *what, const char *alias);
extern ArrayType *mr_check_tags(const char *what, ArrayType *tags);
extern ArrayType *mr_check_ids(const char *what, ArrayType *ids);
extern int64 mr_check_metrics(const char *what, Jsonb *metrics);
extern bool mr_check_metrics_empty(Jsonb *metrics);
extern void mr_check_metrics_given(Jsonb *metrics);
extern int64 mr_check_object(const char *what, Jsonb *value);
extern void mr_check_version_size(int64 size);
extern void mr_check_max_versions(const char *what, int max_versions);
extern char *mr_check_sha256_hex(const char *what, const char *hex);
extern void mr_check_text_size(const char *what, const char *value);

#endif							/* MR_CHECK_H */
