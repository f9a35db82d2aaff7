/*
 * Where to cut a stream of bytes, by its content.
 */
#ifndef MR_CHUNKER_H
#define MR_CHUNKER_H

/*
 * Sizes of chunks in bytes; see docs/artifact-storage.md for why.  Other values
 * can be tried with -D.  Stores made with different ones share less.
 */
#ifndef MR_CHUNK_MIN
#define MR_CHUNK_MIN (32 * 1024)
#endif
#ifndef MR_CHUNK_AVERAGE
#define MR_CHUNK_AVERAGE (64 * 1024)
#endif
#ifndef MR_CHUNK_MAX
#define MR_CHUNK_MAX (256 * 1024)
#endif

typedef struct MrChunker
{
	uint64		hash;			/* of the last 64 bytes */
	uint32		len;			/* bytes of the present chunk seen so far */
} MrChunker;

extern void mr_chunker_reset(MrChunker *chunker);
extern Size mr_chunker_next(MrChunker *chunker, const char *data, Size len,
							bool *cut);

#endif							/* MR_CHUNKER_H */
