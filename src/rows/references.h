/*
 * What versions refer to, for verification.
 */
#ifndef MR_REFERENCES_H
#define MR_REFERENCES_H

/* What a version refers to */
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

extern uint64 mr_references_get(const char *model_id,
								MrReference **references);

#endif							/* MR_REFERENCES_H */
