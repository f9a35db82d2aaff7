/*
 * JSON objects, key by key.
 *
 * The aggregates of PostgreSQL 15 that make objects look, for each nested
 * string, for the end of the whole value: minutes for one of 16 MB, in which
 * no interrupt is served.
 */
#ifndef MR_OBJECT_H
#define MR_OBJECT_H

#include "utils/jsonb.h"

/* The pairs of an object, in the order of jsonb: mr_object_next goes on */
typedef struct MrObjectPairs
{
	bool		more;			/* there is a present one */
	JsonbValue	key;
	JsonbValue	value;			/* a container as a whole */
	JsonbIterator *iterator;
} MrObjectPairs;

/* An object that is being made */
typedef struct MrObject
{
	JsonbParseState *state;
	int			count;			/* pairs so far */
} MrObject;

extern void mr_object_first(MrObjectPairs *pairs, Jsonb *object);
extern void mr_object_next(MrObjectPairs *pairs);
extern int	mr_object_compare_keys(const JsonbValue *a, const JsonbValue *b);
extern bool mr_object_equal_values(JsonbValue *a, JsonbValue *b);

extern void mr_object_begin(MrObject *object);
extern void mr_object_add(MrObject *object, JsonbValue *key,
						  JsonbValue *value);
extern Jsonb *mr_object_end(MrObject *object);

extern Jsonb *mr_object_merge(Jsonb *object, Jsonb *changes);

#endif							/* MR_OBJECT_H */
