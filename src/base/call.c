/*
 * Calls of our functions from SQL: as whom they run, and what they tell the
 * triggers that they fire.
 *
 * The writing functions are SECURITY INVOKER: on entry GetUserId() is the
 * role that really called, so a pooler's SET ROLE counts and somebody else's
 * SECURITY DEFINER function lends nothing.  That role is checked and
 * remembered as the actor; only then do we go on with the rights of
 * modelreg_owner, as ri_triggers.c does for the owner of a table (so not even
 * FORCE ROW LEVEL SECURITY blinds us), and with a search_path in which nobody
 * else can put anything.
 *
 * The owner sees every row, so what a call is about is looked up as the actor
 * first, where row-level security may hide something from him: statements of
 * MR_SIGHT_CALLER do that, by mr_call_become_actor.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "base/call.h"

MrCallNotes mr_call_notes = {0};

/* A function of the API runs, no bare trigger */
static bool in_function = false;

/* The security context that the actor called in; -1: there is no actor */
static int	actor_flags = -1;

/* Where the innermost body that runs puts its result */
static MemoryContext result_context = NULL;

static Datum run_body(FunctionCallInfo fcinfo, Oid user, int flags,
					  MrBody body);
static void pin_search_path(void);
static Oid	table_oid(const char *table);

/*
 * Runs body with the rights of modelreg_owner, connected to SPI, after
 * checking that the caller has the required role (42501 otherwise; deed says
 * in the error what was denied).
 *
 * The result of body must be by value, or outlive SPI_finish; see
 * mr_call_copy_out.
 */
Datum
mr_call_as_owner(FunctionCallInfo fcinfo, MrRole required, const char *deed,
				 MrBody body)
{
	Oid			owner = get_role_oid("modelreg_owner", false);
	MrCallNotes saved_notes = mr_call_notes;
	bool		saved_in_function = in_function;
	MemoryContext saved_context = result_context;
	Oid			saved_actor = mr_actor_set(InvalidOid);
	int			saved_actor_flags = actor_flags;
	Oid			user;
	int			flags;
	volatile Datum result = (Datum) 0;

	GetUserIdAndSecContext(&user, &flags);

	if (required == MR_ROLE_NONE && in_function && user == owner)
		mr_actor_set(saved_actor);
	else
	{
		mr_actor_set(user);
		actor_flags = flags;
		in_function = required != MR_ROLE_NONE;
		memset(&mr_call_notes, 0, sizeof(mr_call_notes));
		mr_call_notes.cause = in_function ? MR_CAUSE_REQUEST : MR_CAUSE_SQL;
	}

	PG_TRY();
	{
		if (required != MR_ROLE_NONE)
		{
			mr_actor_require(required, deed, NULL);
			if (saved_notes.held != NULL)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_IN_USE),
						 errmsg("cannot %s while the model that a trigger fires for is being changed",
								deed)));
		}
		result = run_body(fcinfo, owner,
						  flags | SECURITY_LOCAL_USERID_CHANGE |
						  SECURITY_NOFORCE_RLS, body);
	}
	PG_FINALLY();
	{
		mr_call_notes = saved_notes;
		in_function = saved_in_function;
		result_context = saved_context;
		mr_actor_set(saved_actor);
		actor_flags = saved_actor_flags;
	}
	PG_END_TRY();

	return result;
}

/*
 * The same, whatever the caller may do: for a trigger, say.  It acts for the
 * function of ours that made the change, if one did, else for the present role.
 */
Datum
mr_call_with_rights(FunctionCallInfo fcinfo, MrBody body)
{
	return mr_call_as_owner(fcinfo, MR_ROLE_NONE, NULL, body);
}

/*
 * Runs body, connected to SPI, with the rights of the caller, so that grants
 * and row-level security hold; only the search_path is ours.  The result is as
 * above.
 */
Datum
mr_call_as_caller(FunctionCallInfo fcinfo, MrBody body)
{
	MemoryContext saved_context = result_context;
	int			saved_actor_flags = actor_flags;
	Oid			saved_actor;
	Oid			user;
	int			flags;
	volatile Datum result = (Datum) 0;

	GetUserIdAndSecContext(&user, &flags);
	saved_actor = mr_actor_set(user);
	actor_flags = flags;
	PG_TRY();
	{
		result = run_body(fcinfo, user, flags, body);
	}
	PG_FINALLY();
	{
		result_context = saved_context;
		mr_actor_set(saved_actor);
		actor_flags = saved_actor_flags;
	}
	PG_END_TRY();

	return result;
}

/*
 * Goes on with the rights of the actor, and tells who it was before.  On error
 * the abort puts that back.
 */
void
mr_call_become_actor(MrUser *before)
{
	GetUserIdAndSecContext(&before->role, &before->flags);
	if (actor_flags != -1)
		SetUserIdAndSecContext(mr_actor_role(), actor_flags);
}

void
mr_call_become(const MrUser *user)
{
	SetUserIdAndSecContext(user->role, user->flags);
}

/*
 * Whether row-level security decides which rows of a table of ours the actor
 * sees.  It costs a few look-ups in the caches of the catalog.
 */
bool
mr_call_is_restricted(const char *table)
{
	Oid			relation = table_oid(table);
	MrUser		user;
	int			answer;

	mr_call_become_actor(&user);
	answer = check_enable_rls(relation, InvalidOid, true);
	mr_call_become(&user);
	return answer == RLS_ENABLED;
}

/*
 * Whether it does so for anybody.
 */
bool
mr_call_has_row_security(const char *table)
{
	HeapTuple	tuple = SearchSysCache1(RELOID,
										ObjectIdGetDatum(table_oid(table)));
	bool		enabled;

	if (!HeapTupleIsValid(tuple))
		return false;
	enabled = ((Form_pg_class) GETSTRUCT(tuple))->relrowsecurity;
	ReleaseSysCache(tuple);
	return enabled;
}

/*
 * The memory context that outlives SPI_finish of the body that runs.
 */
MemoryContext
mr_call_result_context(void)
{
	return result_context;
}

/*
 * A copy of a value of that type in this context.
 */
Datum
mr_call_copy_out(Datum datum, Oid type)
{
	MemoryContext old_context = MemoryContextSwitchTo(result_context);
	int16		typlen;
	bool		typbyval;

	get_typlenbyval(type, &typlen, &typbyval);
	datum = datumCopy(datum, typbyval, typlen);
	MemoryContextSwitchTo(old_context);
	return datum;
}

/*
 * On error the abort puts back user and settings.
 */
static Datum
run_body(FunctionCallInfo fcinfo, Oid user, int flags, MrBody body)
{
	Oid			saved_user;
	int			saved_flags;
	int			nest_level = NewGUCNestLevel();
	Datum		result;

	pin_search_path();
	GetUserIdAndSecContext(&saved_user, &saved_flags);
	SetUserIdAndSecContext(user, flags);
	result_context = CurrentMemoryContext;
	SPI_connect();
	result = body(fcinfo);
	SPI_finish();
	SetUserIdAndSecContext(saved_user, saved_flags);
	AtEOXact_GUC(true, nest_level);
	return result;
}

static void
pin_search_path(void)
{
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

static Oid
table_oid(const char *table)
{
	return get_relname_relid(table, get_namespace_oid("modelreg", false));
}
