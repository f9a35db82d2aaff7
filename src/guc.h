/*-------------------------------------------------------------------------
 *
 * guc.h
 *	  The settings of modelreg.
 *
 * LAYER 0
 *
 * IDENTIFICATION
 *	  src/guc.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODELREG_GUC_H
#define MODELREG_GUC_H

/* How much modelreg.notify tells */
typedef enum MrNotify
{
	MR_NOTIFY_NONE,				/* nothing */
	MR_NOTIFY_STAGE,			/* what changes which version serves */
	MR_NOTIFY_ALL				/* every event of a model */
} MrNotify;

extern int	mr_guc_max_versions;	/* versions that cleanup keeps; -1: all */
extern bool mr_guc_auto_cleanup;	/* registrations remove old versions */
extern bool mr_guc_require_metadata;	/* registrations need a metric */
extern int	mr_guc_notify;		/* an MrNotify */
extern bool mr_guc_verify_checksums;	/* loads verify by default */

extern void mr_guc_define(void);

/* modelreg.reason, never NULL */
extern const char *mr_guc_reason(void);

/* Sets modelreg.reason until the present GUC nest level ends. */
extern void mr_guc_set_reason(const char *reason);

#endif							/* MODELREG_GUC_H */
