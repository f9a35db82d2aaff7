/*-------------------------------------------------------------------------
 *
 * manifest.c
 *	  The manifest of a version with files: the artifact of such a version,
 *	  made from nothing but the paths, sizes and SHA-256 of its files.
 *
 * So the version's checksum stands for all of them, equal directories are one
 * artifact, and whoever has the files can make the manifest and compare.  It
 * is canonical: JSON in UTF-8 without whitespace, the files in the order of
 * the bytes of their paths.
 *
 * LAYER 2
 *
 * IDENTIFICATION
 *	  src/manifest.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/json.h"

#include "manifest.h"

static char *utf8_path(const MrFile *file);
static int	compare_paths(const void *a, const void *b);

/*
 * Puts files into the order that they have in the manifest, and reports an
 * error (22023) if two have the same path, or one is a directory of another.
 */
void
mr_manifest_sort(MrFile *files, int count)
{
	qsort(files, count, sizeof(MrFile), compare_paths);
	for (int i = 0; i < count; i++)
	{
		char	   *slash = files[i].path;

		if (i > 0 && strcmp(files[i].path, files[i - 1].path) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("path \"%s\" is given twice", files[i].path)));
		while ((slash = strchr(slash, '/')) != NULL)
		{
			MrFile		directory = {0};

			directory.path = pnstrdup(files[i].path, slash - files[i].path);
			if (bsearch(&directory, files, count, sizeof(MrFile),
						compare_paths) != NULL)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("path \"%s\" is a file and the directory of \"%s\"",
								directory.path, files[i].path)));
			pfree(directory.path);
			slash++;
		}
	}
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
compare_paths(const void *a, const void *b)
{
	return strcmp(utf8_path((const MrFile *) a), utf8_path((const MrFile *) b));
}
