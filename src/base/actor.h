/*
 * Who acts: role checks, and the switch to the owner's rights.
 */
#ifndef MR_ACTOR_H
#define MR_ACTOR_H

#include "fmgr.h"

/* The group roles, each containing the one before */
typedef enum MrRole
{
	MR_ROLE_NONE,				/* no role asked for */
	MR_ROLE_WRITER,
	MR_ROLE_ADMIN
} MrRole;

/* Why a version is being deleted; the trail says so. */
typedef enum MrCause
{
	MR_CAUSE_SQL,				/* plain SQL, no function of ours */
	MR_CAUSE_REQUEST,			/* modelreg_delete */
	MR_CAUSE_FORCE,				/* modelreg_delete(..., force => true) */
	MR_CAUSE_CLEANUP,			/* modelreg_cleanup */
	MR_CAUSE_CLEANUP_FORCED,	/* the same, protection lifted */
	MR_CAUSE_AUTO,				/* modelreg.auto_cleanup */
	MR_CAUSE_MODEL,				/* modelreg_delete_model */
	MR_CAUSE_MODEL_FORCED		/* the same, with force => true */
} MrCause;

typedef Datum (*MrBody) (FunctionCallInfo fcinfo);

extern Datum mr_actor_run_as_owner(FunctionCallInfo fcinfo, MrRole required,
								   const char *deed, MrBody body);
extern Datum mr_actor_run_as_caller(FunctionCallInfo fcinfo, MrBody body);
extern MemoryContext mr_actor_result_context(void);

extern Oid	mr_actor_role(void);
extern const char *mr_actor_name(void);
extern bool mr_actor_has(MrRole role);
extern void mr_actor_require(MrRole role, const char *deed,
							 const char *object);
extern void mr_actor_log_refusal(const char *deed, const char *object);

extern void mr_actor_hold(void *held);
extern void *mr_actor_held(void);
extern bool mr_actor_demotes(void);
extern void mr_actor_set_demotes(bool demotes);
extern MrCause mr_actor_cause(void);
extern MrCause mr_actor_set_cause(MrCause cause);

#endif							/* MR_ACTOR_H */
