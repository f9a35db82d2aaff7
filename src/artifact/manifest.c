/*
 * The manifest of a version with files: the artifact of such a version,
 * made from nothing but the paths, sizes and SHA-256 of its files.
 *
 * So the version's checksum stands for all of them, equal directories are one
 * artifact, and whoever has the files can make the manifest and compare.  It
 * is canonical: JSON in UTF-8 without whitespace, the files in the order of
 * the bytes of their paths.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/json.h"

#include "artifact/manifest.h"
#include "base/clip.h"

/* A file, and what it is sorted by */
typedef struct Sortable
{
	const char *key;
	MrFile		file;
} Sortable;

static char *utf8_path(const MrFile *file);
static int	compare_keys(const void *a, const void *b);
static int	compare_paths(const void *a, const void *b);

/*
 * Reports an error (22023) if two files have the same path, or one is a
 * directory of another.
 */
void
mr_manifest_check(const MrFile *files, int count)
{
	const char **paths = palloc(sizeof(char *) * Max(count, 1));

	for (int i = 0; i < count; i++)
		paths[i] = files[i].path;

	/* a directory is followed by what is in it */
	qsort(paths, count, sizeof(char *), compare_paths);
	for (int i = 1; i < count; i++)
	{
		size_t		len = strlen(paths[i - 1]);

		if (strncmp(paths[i], paths[i - 1], len) != 0)
			continue;
		if (paths[i][len] == '\0')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("path \"%s\" is given twice",
							mr_clip_text(paths[i]))));
		if (paths[i][len] == '/')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("path \"%s\" is a file and the directory of \"%s\"",
							mr_clip_text(paths[i - 1]),
							mr_clip_text(paths[i]))));
	}
	pfree(paths);
}

/*
 * Puts files into the order that they have in the manifest.
 */
void
mr_manifest_sort(MrFile *files, int count)
{
	Sortable   *sorted = palloc(sizeof(Sortable) * Max(count, 1));

	for (int i = 0; i < count; i++)
	{
		sorted[i].key = utf8_path(&files[i]);
		sorted[i].file = files[i];
	}
	qsort(sorted, count, sizeof(Sortable), compare_keys);
	for (int i = 0; i < count; i++)
		files[i] = sorted[i].file;
	pfree(sorted);
}

/*
 * Appends the manifest of files that are in order.
 */
void
mr_manifest_build(const MrFile *files, int count, StringInfo manifest)
{
	appendStringInfoString(manifest,
						   "{\"format\":\"modelreg-files-1\",\"files\":[");
	for (int i = 0; i < count; i++)
	{
		appendStringInfoString(manifest, i > 0 ? ",{\"path\":" : "{\"path\":");
		escape_json(manifest, utf8_path(&files[i]));
		appendStringInfo(manifest,
						 ",\"size\":" INT64_FORMAT ",\"sha256\":\"%s\"}",
						 files[i].size, mr_digest_hex(files[i].sha256));
	}
	appendStringInfoString(manifest, "]}");
}

static char *
utf8_path(const MrFile *file)
{
	return pg_server_to_any(file->path, strlen(file->path), PG_UTF8);
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp(((const Sortable *) a)->key, ((const Sortable *) b)->key);
}

/*
 * By bytes, but for the slash, which comes before all that a path may have.
 */
static int
compare_paths(const void *a, const void *b)
{
	const unsigned char *x = *(const unsigned char *const *) a;
	const unsigned char *y = *(const unsigned char *const *) b;

	while (*x != '\0' && *x == *y)
	{
		x++;
		y++;
	}
	return (*x == '/' ? 1 : *x) - (*y == '/' ? 1 : *y);
}
