/*
 * The type modelreg.role_ref for SQL: its text, its casts and its order.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"

#include "base/role_ref.h"

PG_FUNCTION_INFO_V1(modelreg_role_ref_in);
PG_FUNCTION_INFO_V1(modelreg_role_ref_out);
PG_FUNCTION_INFO_V1(modelreg_role_ref_recv);
PG_FUNCTION_INFO_V1(modelreg_role_ref_send);
PG_FUNCTION_INFO_V1(modelreg_role_ref_from_text);
PG_FUNCTION_INFO_V1(modelreg_role_ref_from_name);
PG_FUNCTION_INFO_V1(modelreg_role_ref_role);
PG_FUNCTION_INFO_V1(modelreg_role_ref_written);
PG_FUNCTION_INFO_V1(modelreg_role_ref_source);
PG_FUNCTION_INFO_V1(modelreg_role_ref_agrees);
PG_FUNCTION_INFO_V1(modelreg_role_ref_eq);
PG_FUNCTION_INFO_V1(modelreg_role_ref_ne);
PG_FUNCTION_INFO_V1(modelreg_role_ref_lt);
PG_FUNCTION_INFO_V1(modelreg_role_ref_le);
PG_FUNCTION_INFO_V1(modelreg_role_ref_gt);
PG_FUNCTION_INFO_V1(modelreg_role_ref_ge);
PG_FUNCTION_INFO_V1(modelreg_role_ref_cmp);
PG_FUNCTION_INFO_V1(modelreg_role_ref_hash);
PG_FUNCTION_INFO_V1(modelreg_role_ref_hash_extended);

static Datum datum_of_name(const char *name);
static int	compare_arguments(FunctionCallInfo fcinfo);
static MrRoleRef argument_ref(FunctionCallInfo fcinfo);
static char *source_of_ref(const MrRoleRef *ref);

Datum
modelreg_role_ref_in(PG_FUNCTION_ARGS)
{
	return datum_of_name(PG_GETARG_CSTRING(0));
}

Datum
modelreg_role_ref_out(PG_FUNCTION_ARGS)
{
	MrRoleRef	ref = argument_ref(fcinfo);

	PG_RETURN_CSTRING(pstrdup(mr_role_ref_name(&ref)));
}

/*
 * The binary form is the name, too: the OID would be another role's elsewhere.
 */
Datum
modelreg_role_ref_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			len;

	return datum_of_name(pq_getmsgtext(buf, buf->len - buf->cursor, &len));
}

Datum
modelreg_role_ref_send(PG_FUNCTION_ARGS)
{
	MrRoleRef	ref = argument_ref(fcinfo);
	const char *name = mr_role_ref_name(&ref);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendtext(&buf, name, (int) strlen(name));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

Datum
modelreg_role_ref_from_text(PG_FUNCTION_ARGS)
{
	return datum_of_name(text_to_cstring(PG_GETARG_TEXT_PP(0)));
}

Datum
modelreg_role_ref_from_name(PG_FUNCTION_ARGS)
{
	return datum_of_name(NameStr(*PG_GETARG_NAME(0)));
}

/*
 * The role, as a regrole; null if there is none.
 */
Datum
modelreg_role_ref_role(PG_FUNCTION_ARGS)
{
	MrRoleRef	ref = argument_ref(fcinfo);

	if (!mr_role_ref_exists(&ref))
		PG_RETURN_NULL();
	PG_RETURN_OID(ref.role);
}

/*
 * What the role was called when the reference was made.
 */
Datum
modelreg_role_ref_written(PG_FUNCTION_ARGS)
{
	MrRoleRef	ref = argument_ref(fcinfo);

	PG_RETURN_TEXT_P(cstring_to_text(ref.name));
}

/*
 * Which role that is, and of which cluster; null if it is none.
 */
Datum
modelreg_role_ref_source(PG_FUNCTION_ARGS)
{
	MrRoleRef	ref = argument_ref(fcinfo);

	if (!OidIsValid(ref.role))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(source_of_ref(&ref)));
}

/*
 * Whether a reference is the one that the trail holds, by what the two
 * functions above said of it then.  In the cluster where that was, while the
 * role exists, it must be that role.  Elsewhere, and after it was dropped, a
 * dump may have been restored: then the name decides.
 */
Datum
modelreg_role_ref_agrees(PG_FUNCTION_ARGS)
{
	MrRoleRef	ref;
	MrRoleRef	told = {InvalidOid};
	char	   *source;
	char	   *slash;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_BOOL(PG_ARGISNULL(0) && PG_ARGISNULL(1));
	ref = argument_ref(fcinfo);
	if (!PG_ARGISNULL(2))
	{
		source = text_to_cstring(PG_GETARG_TEXT_PP(2));
		slash = strchr(source, '/');
		if (slash != NULL)
			told.role = (Oid) strtoul(slash + 1, NULL, 10);
		if (strcmp(source, source_of_ref(&told)) == 0 &&
			mr_role_ref_exists(&told))
			PG_RETURN_BOOL(ref.role == told.role);
	}
	PG_RETURN_BOOL(strcmp(ref.name,
						  text_to_cstring(PG_GETARG_TEXT_PP(1))) == 0);
}

Datum
modelreg_role_ref_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) == 0);
}

Datum
modelreg_role_ref_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) != 0);
}

Datum
modelreg_role_ref_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) < 0);
}

Datum
modelreg_role_ref_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) <= 0);
}

Datum
modelreg_role_ref_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) > 0);
}

Datum
modelreg_role_ref_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) >= 0);
}

Datum
modelreg_role_ref_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_arguments(fcinfo));
}

Datum
modelreg_role_ref_hash(PG_FUNCTION_ARGS)
{
	MrRoleRef	ref = argument_ref(fcinfo);

	if (OidIsValid(ref.role))
		return hash_uint32(ref.role);
	return hash_any((unsigned char *) ref.name, (int) strlen(ref.name));
}

Datum
modelreg_role_ref_hash_extended(PG_FUNCTION_ARGS)
{
	MrRoleRef	ref = argument_ref(fcinfo);
	uint64		seed = PG_GETARG_INT64(1);

	if (OidIsValid(ref.role))
		return hash_uint32_extended(ref.role, seed);
	return hash_any_extended((unsigned char *) ref.name,
							 (int) strlen(ref.name), seed);
}

static Datum
datum_of_name(const char *name)
{
	MrRoleRef	ref;

	mr_role_ref_from_name(name, &ref);
	return mr_role_ref_datum(&ref);
}

static int
compare_arguments(FunctionCallInfo fcinfo)
{
	MrRoleRef	a;
	MrRoleRef	b;

	mr_role_ref_from_datum(PG_GETARG_DATUM(0), &a);
	mr_role_ref_from_datum(PG_GETARG_DATUM(1), &b);
	return mr_role_ref_compare(&a, &b);
}

/*
 * The first argument.
 */
static MrRoleRef
argument_ref(FunctionCallInfo fcinfo)
{
	MrRoleRef	ref;

	mr_role_ref_from_datum(PG_GETARG_DATUM(0), &ref);
	return ref;
}

static char *
source_of_ref(const MrRoleRef *ref)
{
	return psprintf(UINT64_FORMAT "/%u", GetSystemIdentifier(), ref->role);
}
