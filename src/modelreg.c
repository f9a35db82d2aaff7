/*-------------------------------------------------------------------------
 *
 * modelreg.c
 *	  A model registry in PostgreSQL: the library's entry point.
 *
 * LAYER 4
 *
 * IDENTIFICATION
 *	  src/modelreg.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "guc.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	mr_guc_define();
}
