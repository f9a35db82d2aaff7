/*
 * Who acts: role checks, and the switch to the owner's rights.
 *
 * The writing functions are SECURITY INVOKER: on entry GetUserId() is the
 * role that really called, so a pooler's SET ROLE counts and somebody else's
 * SECURITY DEFINER function lends nothing.  That role is checked and
 * remembered as the actor; only then do we go on with the rights of
 * modelreg_owner, as ri_triggers.c does for the owner of a table (so not even
 * FORCE ROW LEVEL SECURITY blinds us), and with a search_path in which nobody
 * else can put anything.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "base/actor.h"

/* The innermost function or trigger of ours that runs as the owner */
typedef struct ActorFrame
{
	Oid			actor;			/* role that called */
	bool		is_function;	/* a function of the API, no bare trigger */
	MrCause		cause;			/* of the deletions made in it */
	bool		demotes;		/* makes room in production just now */
	void	   *held;			/* what higher layers keep for its triggers */
} ActorFrame;

static ActorFrame frame = {InvalidOid, false, MR_CAUSE_SQL, false, NULL};

/* Where the innermost body that runs puts its result */
static MemoryContext result_context = NULL;

static const char *const role_names[] = {
	NULL, "modelreg_writer", "modelreg_admin"
};

static void pin_search_path(void);

/*
 * Runs body with the rights of modelreg_owner, connected to SPI, after
 * checking that the caller has the required role (42501 otherwise; deed says
 * in the error what was denied).  A trigger passes MR_ROLE_NONE: it acts for
 * the function that made the change, if one did, else for the present role.
 *
 * The result of body must be by value or allocated in
 * mr_actor_result_context(), as SPI_palloc does.
 */
Datum
mr_actor_run_as_owner(FunctionCallInfo fcinfo, MrRole required,
					  const char *deed, MrBody body)
{
	Oid			owner = get_role_oid("modelreg_owner", false);
	ActorFrame	saved_frame = frame;
	MemoryContext saved_context = result_context;
	Oid			saved_user;
	int			saved_flags;
	int			nest_level;
	Datum		result;

	GetUserIdAndSecContext(&saved_user, &saved_flags);

	if (required != MR_ROLE_NONE)
	{
		frame.actor = saved_user;
		frame.is_function = true;
		frame.cause = MR_CAUSE_REQUEST;
		frame.demotes = false;
		frame.held = NULL;
	}
	else if (!(frame.is_function && saved_user == owner))
	{
		frame.actor = saved_user;
		frame.is_function = false;
		frame.cause = MR_CAUSE_SQL;
		frame.demotes = false;
		frame.held = NULL;
	}

	PG_TRY();
	{
		if (required != MR_ROLE_NONE)
		{
			mr_actor_require(required, deed, NULL);
			if (saved_frame.held != NULL)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_IN_USE),
						 errmsg("cannot %s while the model that a trigger fires for is being changed",
								deed)));
		}

		nest_level = NewGUCNestLevel();
		pin_search_path();
		SetUserIdAndSecContext(owner,
							   saved_flags | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_NOFORCE_RLS);
		result_context = CurrentMemoryContext;
		SPI_connect();
		result = body(fcinfo);
		SPI_finish();
		SetUserIdAndSecContext(saved_user, saved_flags);
		AtEOXact_GUC(true, nest_level);
	}
	PG_FINALLY();
	{
		/* on error the abort puts back user and settings, but not this */
		frame = saved_frame;
		result_context = saved_context;
	}
	PG_END_TRY();

	return result;
}

/*
 * Runs body, connected to SPI, with the rights of the caller, so that grants
 * and row-level security hold; only the search_path is ours.
 *
 * The result of body must be by value or allocated in
 * mr_actor_result_context(), as SPI_palloc does.
 */
Datum
mr_actor_run_as_caller(FunctionCallInfo fcinfo, MrBody body)
{
	MemoryContext saved_context = result_context;
	int			nest_level;
	Datum		result;

	PG_TRY();
	{
		nest_level = NewGUCNestLevel();
		pin_search_path();
		result_context = CurrentMemoryContext;
		SPI_connect();
		result = body(fcinfo);
		SPI_finish();
		AtEOXact_GUC(true, nest_level);
	}
	PG_FINALLY();
	{
		result_context = saved_context;
	}
	PG_END_TRY();

	return result;
}

/*
 * The memory context that outlives SPI_finish of the body that runs.
 */
MemoryContext
mr_actor_result_context(void)
{
	return result_context;
}

/*
 * The role that acts: the caller of the function of ours that runs, else the
 * present role.
 */
Oid
mr_actor_role(void)
{
	return OidIsValid(frame.actor) ? frame.actor : GetUserId();
}

const char *
mr_actor_name(void)
{
	return GetUserNameFromId(mr_actor_role(), false);
}

bool
mr_actor_has(MrRole role)
{
	return has_privs_of_role(mr_actor_role(),
							 get_role_oid(role_names[role], false));
}

/*
 * Raises 42501 unless the actor has the rights of the role.  object names
 * what the deed is done to, or is NULL.
 */
void
mr_actor_require(MrRole role, const char *deed, const char *object)
{
	if (mr_actor_has(role))
		return;

	mr_actor_log_refusal(deed, object);
	if (object)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s \"%s\"", deed, object),
				 errhint("Only roles with the rights of %s may do this.",
						 role_names[role])));
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to %s", deed),
			 errhint("Only roles with the rights of %s may do this.",
					 role_names[role])));
}

/*
 * Writes to the server log that something was refused, and to whom.  The
 * error alone would not do: a client may catch it in a subtransaction, and
 * then it is never logged.  An audit record would roll back with the rest.
 */
void
mr_actor_log_refusal(const char *deed, const char *object)
{
	ereport(LOG_SERVER_ONLY,
			(errmsg("modelreg refused role \"%s\" (session user \"%s\") to %s%s%s%s",
					mr_actor_name(),
					GetUserNameFromId(GetSessionUserId(), false),
					deed,
					object ? " \"" : "", object ? object : "",
					object ? "\"" : ""),
			 errhidestmt(true)));
}

/*
 * Lets the function of ours that runs keep something for the triggers that it
 * fires; gone when it ends or fails.
 */
void
mr_actor_hold(void *held)
{
	frame.held = held;
}

void *
mr_actor_held(void)
{
	return frame.held;
}

/*
 * Whether the stage move that goes on is the demotion that a promotion or a
 * forced deletion makes, which no stage rule forbids.
 */
bool
mr_actor_demotes(void)
{
	return frame.demotes;
}

void
mr_actor_set_demotes(bool demotes)
{
	frame.demotes = demotes;
}

MrCause
mr_actor_cause(void)
{
	return frame.cause;
}

/*
 * Sets the cause of the deletions that follow in this call; returns the one
 * before.
 */
MrCause
mr_actor_set_cause(MrCause cause)
{
	MrCause		before = frame.cause;

	frame.cause = cause;
	return before;
}

static void
pin_search_path(void)
{
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}
