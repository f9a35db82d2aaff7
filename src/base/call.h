/*
 * Calls of our functions from SQL: as whom they run, and what they tell the
 * triggers that they fire.
 */
#ifndef MR_CALL_H
#define MR_CALL_H

#include "fmgr.h"

#include "base/actor.h"

/* Why a version is being deleted; the trail says so */
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

/*
 * What the function of ours that runs knows, and triggers and lower rooms do
 * not; it is gone when the function ends or fails.
 */
typedef struct MrCallNotes
{
	MrCause		cause;			/* of the deletions that it makes */
	bool		demotes;		/* it makes room in production just now, which
								 * no stage rule forbids */
	bool		reassigns;		/* it gives a version to another owner just
								 * now, which nothing else may */
	void	   *held;			/* the model whose events wait, see trail.c */
	int64		healed;			/* damaged chunks that are whole again, and
								 * not yet in the trail, see heal.c */
} MrCallNotes;

extern MrCallNotes mr_call_notes;

/* As whom something runs */
typedef struct MrUser
{
	Oid			role;
	int			flags;			/* the security context's */
} MrUser;

typedef Datum (*MrBody) (FunctionCallInfo fcinfo);

extern Datum mr_call_as_owner(FunctionCallInfo fcinfo, MrRole required,
							  const char *deed, MrBody body);
extern Datum mr_call_with_rights(FunctionCallInfo fcinfo, MrBody body);
extern Datum mr_call_as_caller(FunctionCallInfo fcinfo, MrBody body);
extern void mr_call_become_actor(MrUser *before);
extern void mr_call_become(const MrUser *user);
extern bool mr_call_is_restricted(const char *table);
extern bool mr_call_has_row_security(const char *table);
extern MemoryContext mr_call_result_context(void);
extern Datum mr_call_copy_out(Datum datum, Oid type);

/*
 * Each defines an SQL-callable function, which runs body: for writers or admins
 * as the owner, with what an error says was denied to others; for a trigger as
 * the owner, whoever fired it; for readers as the caller, with the grants that
 * he has.
 */
#define MR_WRITER_FUNCTION(function, body, deed) \
	MR_FUNCTION(function, body, \
				mr_call_as_owner(fcinfo, MR_ROLE_WRITER, deed, body))
#define MR_ADMIN_FUNCTION(function, body, deed) \
	MR_FUNCTION(function, body, \
				mr_call_as_owner(fcinfo, MR_ROLE_ADMIN, deed, body))
#define MR_TRIGGER_FUNCTION(function, body) \
	MR_FUNCTION(function, body, mr_call_with_rights(fcinfo, body))
#define MR_READER_FUNCTION(function, body) \
	MR_FUNCTION(function, body, mr_call_as_caller(fcinfo, body))

#define MR_FUNCTION(function, body, call) \
	static Datum body(FunctionCallInfo fcinfo); \
	PG_FUNCTION_INFO_V1(function); \
	Datum \
	function(PG_FUNCTION_ARGS) \
	{ \
		return call; \
	} \
	extern int	no_such_variable

#endif							/* MR_CALL_H */
