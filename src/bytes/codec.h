/*
 * Compression of chunks, with lz4 and zstd.
 */
#ifndef MR_CODEC_H
#define MR_CODEC_H

#include "base/guc.h"

extern bool mr_codec_is_known(int codec);
extern bool mr_codec_is_built_in(MrCodec codec);
extern const char *mr_codec_name(MrCodec codec);
extern Size mr_codec_compress(MrCodec codec, const char *raw, Size raw_size,
							  char *out, Size out_size);
extern bool mr_codec_decompress(MrCodec codec, const char *stored,
								Size stored_size,
								char *raw, Size raw_size);

#endif							/* MR_CODEC_H */
