/*
 * The table modelreg.version_file.
 */
#ifndef MR_FILES_H
#define MR_FILES_H

#include "bytes/digest.h"

/* A file of a version */
typedef struct MrFile
{
	char	   *path;			/* relative, in the server's encoding */
	uint8		sha256[MR_SHA256_LEN];	/* of its bytes */
	int64		size;			/* bytes */
} MrFile;

extern void mr_files_insert(const char *model_id, const MrFile *files,
							int count);
extern bool mr_files_get(const char *model_id, const char *path, MrFile *file);
extern uint64 mr_files_list(const char *model_id, MrFile **files);
extern int64 mr_files_of_no_version(void);
extern void mr_files_delete_of_version(const char *model_id);

#endif							/* MR_FILES_H */
