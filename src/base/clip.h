/*
 * What a message repeats of a text that a caller sent.
 */
#ifndef MR_CLIP_H
#define MR_CLIP_H

/* So many characters are repeated: a whole name, however long */
#define MR_CLIP_CHARS 256

extern const char *mr_clip_text(const char *text);
extern const char *mr_clip_bytes(const char *text, size_t len);

#endif							/* MR_CLIP_H */
