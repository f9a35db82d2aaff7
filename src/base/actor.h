/*
 * Who acts, and what he may do.
 */
#ifndef MR_ACTOR_H
#define MR_ACTOR_H

/* The group roles, each containing the one before */
typedef enum MrRole
{
	MR_ROLE_NONE,				/* no role asked for */
	MR_ROLE_WRITER,
	MR_ROLE_ADMIN
} MrRole;

extern Oid	mr_actor_set(Oid role);
extern Oid	mr_actor_role(void);
extern const char *mr_actor_name(void);
extern bool mr_actor_has(MrRole role);
extern void mr_actor_require(MrRole role, const char *deed,
							 const char *object);
extern void mr_actor_log_refusal(const char *deed, const char *object);

#endif							/* MR_ACTOR_H */
