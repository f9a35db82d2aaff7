/*
 * Who acts, and what he may do.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"

#include "base/actor.h"

/* The role that called the function of ours that runs; invalid: none does */
static Oid	actor = InvalidOid;

static const char *const role_names[] = {
	NULL, "modelreg_writer", "modelreg_admin"
};

/*
 * Sets the actor; returns the one before.  For call.c, which puts him back.
 */
Oid
mr_actor_set(Oid role)
{
	Oid			before = actor;

	actor = role;
	return before;
}

/*
 * The role that acts: the caller of the function of ours that runs, else the
 * present role.
 */
Oid
mr_actor_role(void)
{
	return OidIsValid(actor) ? actor : GetUserId();
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
