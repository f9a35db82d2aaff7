/*
 * The hash of an event, for who verifies.
 *
 * It can be computed of whatever a damaged table holds, and takes no more
 * memory than the values themselves.
 */
#include "postgres.h"

#include "utils/xid8.h"

#include "base/arg.h"
#include "base/compat.h"
#include "rows/events.h"

PG_FUNCTION_INFO_V1(modelreg_audit_hash);

/* Arguments of modelreg.audit_hash */
enum
{
	ARG_PREVIOUS,
	ARG_FORMAT,
	ARG_MODEL_KEY,
	ARG_SEQ,
	ARG_AT,
	ARG_EVENT,
	ARG_MODEL_ID,
	ARG_SESSION_USER_NAME,
	ARG_ACTOR,
	ARG_CLIENT,
	ARG_XID,
	ARG_OLD_VALUES,
	ARG_NEW_VALUES,
	ARG_REASON
};

/*
 * modelreg.audit_hash: see its COMMENT.  NULL, which is no hash, where a column
 * is null that no event has null.
 */
Datum
modelreg_audit_hash(PG_FUNCTION_ARGS)
{
	MrEventRow	row = {0};
	bytea	   *previous;
	FullTransactionId xid;
	MrDigest   *digest;
	uint8		hash[MR_SHA256_LEN];

	if (PG_ARGISNULL(ARG_PREVIOUS) || PG_ARGISNULL(ARG_FORMAT) ||
		PG_ARGISNULL(ARG_MODEL_KEY) || PG_ARGISNULL(ARG_SEQ) ||
		PG_ARGISNULL(ARG_AT) || PG_ARGISNULL(ARG_XID))
		PG_RETURN_NULL();

	row.model_key = *PG_GETARG_UUID_P(ARG_MODEL_KEY);
	row.seq = PG_GETARG_INT64(ARG_SEQ);
	row.at = PG_GETARG_TIMESTAMPTZ(ARG_AT);
	row.event = mr_arg_text(fcinfo, ARG_EVENT);
	row.model_id = mr_arg_text(fcinfo, ARG_MODEL_ID);
	row.session_user_name = mr_arg_text(fcinfo, ARG_SESSION_USER_NAME);
	row.actor = mr_arg_text(fcinfo, ARG_ACTOR);
	row.client = mr_arg_nullable(fcinfo, ARG_CLIENT);
	row.old_values = mr_arg_nullable(fcinfo, ARG_OLD_VALUES);
	row.new_values = mr_arg_nullable(fcinfo, ARG_NEW_VALUES);
	row.reason = mr_arg_text(fcinfo, ARG_REASON);

	digest = mr_digest_begin();
	previous = PG_GETARG_BYTEA_PP(ARG_PREVIOUS);
	mr_digest_add(digest, VARDATA_ANY(previous), VARSIZE_ANY_EXHDR(previous));
	xid = PG_GETARG_FULLTRANSACTIONID(ARG_XID);
	mr_events_add_to_digest(digest, &row, PG_GETARG_INT16(ARG_FORMAT),
							U64FromFullTransactionId(xid));
	mr_digest_end(digest, hash);
	PG_RETURN_DATUM(mr_digest_value(hash).datum);
}
