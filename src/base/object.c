/*
 * JSON objects, key by key.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/object.h"

/*
 * Goes to the first pair of an object.
 */
void
mr_object_first(MrObjectPairs *pairs, Jsonb *object)
{
	JsonbValue	whole;

	if (!JB_ROOT_IS_OBJECT(object))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("JSON value in a row of modelreg is no object"),
				 errhint("Run modelreg_audit_verify().")));
	pairs->iterator = JsonbIteratorInit(&object->root);
	(void) JsonbIteratorNext(&pairs->iterator, &whole, true);
	mr_object_next(pairs);
}

void
mr_object_next(MrObjectPairs *pairs)
{
	CHECK_FOR_INTERRUPTS();
	pairs->more = JsonbIteratorNext(&pairs->iterator, &pairs->key,
									true) == WJB_KEY;
	if (pairs->more)
		(void) JsonbIteratorNext(&pairs->iterator, &pairs->value, true);
}

/*
 * By the order of the keys in jsonb: below 0, 0 or above.
 */
int
mr_object_compare_keys(const JsonbValue *a, const JsonbValue *b)
{
	if (a->val.string.len != b->val.string.len)
		return a->val.string.len < b->val.string.len ? -1 : 1;
	return memcmp(a->val.string.val, b->val.string.val, a->val.string.len);
}

bool
mr_object_equal_values(JsonbValue *a, JsonbValue *b)
{
	if (a->type == jbvBinary && b->type == jbvBinary)
		return compareJsonbContainers(a->val.binary.data,
									  b->val.binary.data) == 0;
	return a->type == b->type &&
		compareJsonbContainers(&JsonbValueToJsonb(a)->root,
							   &JsonbValueToJsonb(b)->root) == 0;
}

/*
 * Begins an object, in the present context.
 */
void
mr_object_begin(MrObject *object)
{
	object->state = NULL;
	object->count = 0;
	(void) pushJsonbValue(&object->state, WJB_BEGIN_OBJECT, NULL);
}

/*
 * Adds a pair, of which key and value stay where they are.
 */
void
mr_object_add(MrObject *object, JsonbValue *key, JsonbValue *value)
{
	(void) pushJsonbValue(&object->state, WJB_KEY, key);
	(void) pushJsonbValue(&object->state, WJB_VALUE, value);
	object->count++;
}

Jsonb *
mr_object_end(MrObject *object)
{
	return JsonbValueToJsonb(pushJsonbValue(&object->state, WJB_END_OBJECT,
											NULL));
}

/*
 * The object with the changes merged in, where a null removes a key.
 */
Jsonb *
mr_object_merge(Jsonb *object, Jsonb *changes)
{
	MrObjectPairs present;
	MrObjectPairs change;
	MrObject	merged;

	mr_object_first(&present, object);
	mr_object_first(&change, changes);
	mr_object_begin(&merged);
	while (present.more || change.more)
	{
		int			order;

		if (present.more && change.more)
			order = mr_object_compare_keys(&present.key, &change.key);
		else
			order = present.more ? -1 : 1;

		if (order < 0)
			mr_object_add(&merged, &present.key, &present.value);
		else if (change.value.type != jbvNull)
			mr_object_add(&merged, &change.key, &change.value);
		if (order <= 0)
			mr_object_next(&present);
		if (order >= 0)
			mr_object_next(&change);
	}
	return mr_object_end(&merged);
}
