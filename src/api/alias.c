/*
 * Aliases: names of versions within a model, such as champion, that are
 * moved from one version to another.
 *
 * An alias always names a version that exists.  Setting one locks the model
 * and then the version, so that a deletion, which locks the version too, comes
 * before or after it as a whole; and a deletion looks for aliases when it has
 * that lock.  The guard, in guard_alias.c, holds this for plain SQL.
 */
#include "postgres.h"

#include "base/arg.h"
#include "base/call.h"
#include "base/check.h"
#include "life/target.h"
#include "rows/aliases.h"
#include "trail/trail.h"

MR_ADMIN_FUNCTION(modelreg_set_alias, set_alias, "set an alias");
MR_ADMIN_FUNCTION(modelreg_drop_alias, drop_alias, "drop an alias");

static void record_first(MrModel *model, const MrAlias *alias);

static Datum
set_alias(FunctionCallInfo fcinfo)
{
	char	   *model_id = mr_arg_required_text(fcinfo, 0, "model_id");
	char	   *name = mr_arg_text(fcinfo, 1);
	MrModel		model;
	MrVersion	version;
	MrAlias		alias;
	char	   *present;

	mr_check_alias("alias", name);
	mr_trail_take_reason(mr_arg_text(fcinfo, 2));
	mr_target_lock(model_id, &model, &version);

	alias.model_key = model.key;
	alias.alias = name;
	alias.model_id = model_id;
	present = mr_aliases_target(&model.key, name);
	mr_trail_hold(&model);
	if (present == NULL)
		record_first(&model, &alias);
	else if (strcmp(present, model_id) != 0)
		mr_aliases_move(&alias, mr_actor_name());
	mr_trail_release(&model);
	return mr_aliases_row(&model.key, name);
}

/*
 * Moves and deletions are recorded by a trigger; a restore would fire one for
 * insertions.
 */
static void
record_first(MrModel *model, const MrAlias *alias)
{
	MrEvent		event = {0};

	/* only plain SQL can have been quicker, which takes no model's lock */
	if (!mr_aliases_insert(alias, mr_actor_name(), &event.new_values.value))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not set the alias because another session did"),
				 errhint("Try again.")));
	event.event = "alias";
	event.model_id = alias->model_id;
	event.alias = alias->alias;
	event.old_values.isnull = true;
	mr_trail_append(model, &event);
}

static Datum
drop_alias(FunctionCallInfo fcinfo)
{
	char	   *model_name = mr_arg_required_text(fcinfo, 0, "model_name");
	char	   *name = mr_arg_required_text(fcinfo, 1, "alias");
	MrModel		model;
	bool		dropped;

	mr_trail_take_reason(mr_arg_text(fcinfo, 2));
	mr_target_lock_model(model_name, &model);
	mr_trail_hold(&model);
	dropped = mr_aliases_is_visible(&model.key, name) &&
		mr_aliases_delete(&model.key, name);
	mr_trail_release(&model);
	PG_RETURN_BOOL(dropped);
}
