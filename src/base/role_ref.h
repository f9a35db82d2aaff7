/*
 * References to roles: the type modelreg.role_ref.
 */
#ifndef MR_ROLE_REF_H
#define MR_ROLE_REF_H

#include "base/value.h"

/* A role, and what it was called when the reference was made */
typedef struct MrRoleRef
{
	Oid			role;			/* invalid: no role had the name */
	char		name[NAMEDATALEN];
} MrRoleRef;

extern void mr_role_ref_from_role(Oid role, MrRoleRef *ref);
extern void mr_role_ref_from_name(const char *name, MrRoleRef *ref);
extern void mr_role_ref_from_datum(Datum datum, MrRoleRef *ref);
extern Datum mr_role_ref_datum(const MrRoleRef *ref);
extern MrValue mr_role_ref_value(const MrRoleRef *ref);
extern bool mr_role_ref_exists(const MrRoleRef *ref);
extern const char *mr_role_ref_name(const MrRoleRef *ref);
extern bool mr_role_ref_identical(const MrRoleRef *a, const MrRoleRef *b);
extern int	mr_role_ref_compare(const MrRoleRef *a, const MrRoleRef *b);

#endif							/* MR_ROLE_REF_H */
