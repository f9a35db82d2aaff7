/*
 * What can name something.
 */
#ifndef MR_NAME_H
#define MR_NAME_H

#include "mb/pg_wchar.h"

#include "base/clip.h"

/* Longest name, tag or metric key in characters, and in bytes */
#define MR_MAX_NAME_CHARS MR_CLIP_CHARS
#define MR_MAX_NAME 1024

extern void mr_name_check(const char *subject, const char *name, size_t len);
extern bool mr_name_is_letter(pg_wchar character);
extern bool mr_name_has_control(const char *name, size_t len);

#endif							/* MR_NAME_H */
