/*
 * Compression of chunks, with lz4 and zstd.
 *
 * Either library may be missing from a build, which then refuses to compress
 * with it and to read what was compressed with it, and says so.
 */
#include "postgres.h"

#ifdef USE_MODELREG_LZ4
#include <lz4.h>
#endif
#ifdef USE_MODELREG_ZSTD
#include <zstd.h>
#include <zstd_errors.h>
#endif

#include "base/compat.h"
#include "bytes/codec.h"

/* zstd's own default; higher levels cost more than writing the bytes does. */
#define ZSTD_LEVEL 3

/* What the codec is called */
static const char *const codec_names[] = {"none", "lz4", "zstd"};

#ifdef USE_MODELREG_ZSTD
static Size zstd_compress(const char *raw, Size raw_size, char *out,
						  Size out_size);
static bool zstd_decompress(const char *stored, Size stored_size, char *raw,
							Size raw_size);
pg_noreturn static void out_of_memory(void);
#endif

/*
 * Whether any build of modelreg knows the codec.
 */
bool
mr_codec_is_known(int codec)
{
	return codec >= MR_CODEC_NONE && codec <= MR_CODEC_ZSTD;
}

/*
 * Whether this build has the library.
 */
bool
mr_codec_is_built_in(MrCodec codec)
{
	switch (codec)
	{
		case MR_CODEC_NONE:
			return true;
		case MR_CODEC_LZ4:
#ifdef USE_MODELREG_LZ4
			return true;
#else
			return false;
#endif
		case MR_CODEC_ZSTD:
#ifdef USE_MODELREG_ZSTD
			return true;
#else
			return false;
#endif
	}
	return false;
}

const char *
mr_codec_name(MrCodec codec)
{
	return codec_names[codec];
}

/*
 * Compress into out.  Returns the compressed size, or 0 if it would be more
 * than out_size.
 */
Size
mr_codec_compress(MrCodec codec, const char *raw, Size raw_size, char *out,
				  Size out_size)
{
	switch (codec)
	{
		case MR_CODEC_NONE:
			break;
		case MR_CODEC_LZ4:
#ifdef USE_MODELREG_LZ4
			return LZ4_compress_default(raw, out, raw_size, out_size);
#else
			break;
#endif
		case MR_CODEC_ZSTD:
#ifdef USE_MODELREG_ZSTD
			return zstd_compress(raw, raw_size, out, out_size);
#else
			break;
#endif
	}
	elog(ERROR, "codec %d cannot compress", codec);
	return 0;					/* keep compiler quiet */
}

/*
 * Decompress into raw.  Returns false, with raw undefined, unless the result
 * has exactly raw_size bytes.  The codec must be built in.
 */
bool
mr_codec_decompress(MrCodec codec, const char *stored, Size stored_size,
					char *raw,
					Size raw_size)
{
	switch (codec)
	{
		case MR_CODEC_NONE:
			break;
		case MR_CODEC_LZ4:
#ifdef USE_MODELREG_LZ4
			return LZ4_decompress_safe(stored, raw, stored_size,
									   raw_size) == (int) raw_size;
#else
			break;
#endif
		case MR_CODEC_ZSTD:
#ifdef USE_MODELREG_ZSTD
			return zstd_decompress(stored, stored_size, raw, raw_size);
#else
			break;
#endif
	}
	elog(ERROR, "codec %d cannot decompress", codec);
	return false;				/* keep compiler quiet */
}

#ifdef USE_MODELREG_ZSTD

/*
 * The contexts are kept for the session: a megabyte or two, where making one
 * for each chunk would cost as much as compressing it.
 */
static Size
zstd_compress(const char *raw, Size raw_size, char *out, Size out_size)
{
	static ZSTD_CCtx *context = NULL;
	Size		size;

	if (context == NULL)
		context = ZSTD_createCCtx();
	if (context == NULL)
		out_of_memory();

	size = ZSTD_compressCCtx(context, out, out_size, raw, raw_size, ZSTD_LEVEL);
	if (!ZSTD_isError(size))
		return size;
	if (ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation)
		out_of_memory();
	return 0;
}

static bool
zstd_decompress(const char *stored, Size stored_size, char *raw, Size raw_size)
{
	static ZSTD_DCtx *context = NULL;
	Size		size;

	if (context == NULL)
		context = ZSTD_createDCtx();
	if (context == NULL)
		out_of_memory();

	size = ZSTD_decompressDCtx(context, raw, raw_size, stored, stored_size);
	return !ZSTD_isError(size) && size == raw_size;
}

static void
out_of_memory(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory"),
			 errdetail("zstd could not allocate its working memory.")));
}

#endif							/* USE_MODELREG_ZSTD */
