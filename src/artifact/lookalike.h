/*
 * Artifacts that look like something else.
 */
#ifndef MR_LOOKALIKE_H
#define MR_LOOKALIKE_H

extern void mr_lookalike_notice(const char *data, size_t len);

#endif							/* MR_LOOKALIKE_H */
