/*
 * References to roles: the type modelreg.role_ref.
 *
 * A name does not do for who owns something: a role may be renamed, and
 * another one may get its old name.  An OID alone does not do for a dump: it
 * is somebody else's in another cluster.  So a reference holds the OID, by
 * which it is compared, and the name that the role had when the reference was
 * made.  As text it is the role's present name, or that name when there is no
 * such role.
 *
 * A name that is no role's is kept, and stays one when a role gets it later: to
 * create a role gives nobody what an earlier one owned.
 *
 * A datum is a varlena: the OID, then the name without an end.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/role_ref.h"

static void set_name(MrRoleRef *ref, const char *name, Size len);

/*
 * A reference to a role that exists.
 */
void
mr_role_ref_from_role(Oid role, MrRoleRef *ref)
{
	const char *name = GetUserNameFromId(role, false);

	ref->role = role;
	set_name(ref, name, strlen(name));
}

/*
 * A reference to the role of that name, if there is one.  A longer name than a
 * role can have is cut, as PostgreSQL does.
 */
void
mr_role_ref_from_name(const char *name, MrRoleRef *ref)
{
	char	   *clipped = pnstrdup(name, pg_mbcliplen(name, strlen(name),
													  NAMEDATALEN - 1));

	ref->role = get_role_oid(clipped, true);
	set_name(ref, clipped, strlen(clipped));
	pfree(clipped);
}

/*
 * Reads a datum, whatever is in it: what is damaged must not keep a
 * verification from saying so.
 */
void
mr_role_ref_from_datum(Datum datum, MrRoleRef *ref)
{
	struct varlena *data = PG_DETOAST_DATUM_PACKED(datum);
	Size		len = VARSIZE_ANY_EXHDR(data);

	memset(ref, 0, sizeof(MrRoleRef));
	if (len < sizeof(Oid))
		return;
	memcpy(&ref->role, VARDATA_ANY(data), sizeof(Oid));
	set_name(ref, VARDATA_ANY(data) + sizeof(Oid), len - sizeof(Oid));
}

Datum
mr_role_ref_datum(const MrRoleRef *ref)
{
	Size		len = strlen(ref->name);
	struct varlena *data = palloc(VARHDRSZ + sizeof(Oid) + len);

	SET_VARSIZE(data, VARHDRSZ + sizeof(Oid) + len);
	memcpy(VARDATA(data), &ref->role, sizeof(Oid));
	memcpy(VARDATA(data) + sizeof(Oid), ref->name, len);
	return PointerGetDatum(data);
}

/*
 * The same as a parameter of a statement.
 */
MrValue
mr_role_ref_value(const MrRoleRef *ref)
{
	Oid			schema = get_namespace_oid("modelreg", false);
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum("role_ref"),
									   ObjectIdGetDatum(schema));

	return mr_value_of(type, mr_role_ref_datum(ref));
}

bool
mr_role_ref_exists(const MrRoleRef *ref)
{
	return OidIsValid(ref->role) &&
		SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(ref->role));
}

/*
 * The role's present name, or what it was called when there is no such role.
 */
const char *
mr_role_ref_name(const MrRoleRef *ref)
{
	MrRoleRef	present;

	if (!mr_role_ref_exists(ref))
		return ref->name;
	mr_role_ref_from_role(ref->role, &present);
	return pstrdup(present.name);
}

/*
 * Whether nothing tells them apart, not even the name when they were made.
 */
bool
mr_role_ref_identical(const MrRoleRef *a, const MrRoleRef *b)
{
	return a->role == b->role && strcmp(a->name, b->name) == 0;
}

/*
 * An order in which roles are equal if they are the same, and names that were
 * no role's if they are the same; these come last.  It does not change when a
 * role is renamed or dropped, so that an index stays right.
 */
int
mr_role_ref_compare(const MrRoleRef *a, const MrRoleRef *b)
{
	if (OidIsValid(a->role) != OidIsValid(b->role))
		return OidIsValid(a->role) ? -1 : 1;
	if (a->role != b->role)
		return a->role < b->role ? -1 : 1;
	return OidIsValid(a->role) ? 0 : strcmp(a->name, b->name);
}

/*
 * Roles are shared by databases of different encodings: a name may be no text
 * in this one, and a dump of it could not be restored.
 */
static void
set_name(MrRoleRef *ref, const char *name, Size len)
{
	len = strnlen(name, len);
	len = pg_mbcliplen(name, (int) Min(len, 2 * NAMEDATALEN), NAMEDATALEN - 1);
	memset(ref->name, 0, NAMEDATALEN);
	memcpy(ref->name, name, len);
	if (pg_verifymbstr(ref->name, (int) len, true))
		return;
	for (Size i = 0; i < len; i++)
	{
		if (IS_HIGHBIT_SET(ref->name[i]))
			ref->name[i] = '?';
	}
}
