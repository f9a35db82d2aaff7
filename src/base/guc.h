/*
 * The settings of modelreg.
 */
#ifndef MR_GUC_H
#define MR_GUC_H

/* How much modelreg.notify tells */
typedef enum MrNotify
{
	MR_NOTIFY_NONE,				/* nothing */
	MR_NOTIFY_STAGE,			/* what changes which version serves */
	MR_NOTIFY_ALL				/* every event of a model */
} MrNotify;

/* Values of modelreg.compression and of chunk.codec; never renumbered */
typedef enum MrCodec
{
	MR_CODEC_NONE = 0,			/* as they are */
	MR_CODEC_LZ4 = 1,			/* one lz4 block */
	MR_CODEC_ZSTD = 2			/* one zstd frame */
} MrCodec;

#ifdef USE_MODELREG_LZ4
#define MR_CODEC_DEFAULT MR_CODEC_LZ4
#else
#define MR_CODEC_DEFAULT MR_CODEC_NONE
#endif

extern int	mr_guc_max_versions;	/* versions that cleanup keeps; -1: all */
extern bool mr_guc_auto_cleanup;	/* registrations remove old versions */
extern bool mr_guc_require_metadata;	/* registrations need a metric */
extern int	mr_guc_notify;		/* an MrNotify */
extern bool mr_guc_verify_checksums;	/* loads verify by default */
extern int	mr_guc_compression; /* an MrCodec, for new artifacts */
extern int	mr_guc_upload_expiry;	/* seconds without an append; -1: never */
extern bool mr_guc_hash_in_thread;	/* uploads are hashed beside writing */

extern void mr_guc_define(void);

/* modelreg.reason, never NULL */
extern const char *mr_guc_reason(void);

/* Sets modelreg.reason until the present GUC nest level ends. */
extern void mr_guc_set_reason(const char *reason);

#endif							/* MR_GUC_H */
