/*
 * A model registry in PostgreSQL: the library's entry point.
 */
#include "postgres.h"

#include "fmgr.h"

#include "base/guc.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	mr_guc_define();
}
