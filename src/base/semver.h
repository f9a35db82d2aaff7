/*
 * Semantic Versioning 2.0.0: parsing and precedence.
 */
#ifndef MR_SEMVER_H
#define MR_SEMVER_H

/* Longest version in bytes; the specification itself names no limit */
#define MR_MAX_VERSION 255

extern bool mr_semver_valid(const char *version);
extern void mr_semver_check(const char *version);
extern int	mr_semver_compare(const char *a, const char *b);
extern char *mr_semver_next_minor(const char *version);

#endif							/* MR_SEMVER_H */
