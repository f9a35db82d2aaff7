/*
 * Models as such: creation, settings, rename, deletion.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/jsonb.h"

#include "base/arg.h"
#include "base/call.h"
#include "base/check.h"
#include "base/compat.h"
#include "life/identity.h"
#include "life/removal.h"
#include "life/target.h"
#include "trail/trail.h"

MR_ADMIN_FUNCTION(modelreg_create_model, create_model, "create a model");
MR_ADMIN_FUNCTION(modelreg_update_model, update_model,
				  "change a model's settings");
MR_ADMIN_FUNCTION(modelreg_rename_model, rename_model, "rename a model");
MR_ADMIN_FUNCTION(modelreg_delete_model, delete_model, "delete a model");

static void read_model_settings(FunctionCallInfo fcinfo, int first,
								MrModelSettings *settings);
static Datum read_model_reset(FunctionCallInfo fcinfo, int n);
static void check_one_production(const MrModel *model);
pg_noreturn static void raise_model_taken(const char *name);

static Datum
create_model(FunctionCallInfo fcinfo)
{
	char	   *name = mr_arg_text(fcinfo, 0);
	char	   *type = mr_arg_text(fcinfo, 1);
	MrModelSettings settings = MR_NO_SETTINGS;
	MrModel		model;
	MrEvent		event = {0};

	mr_check_name("model_name", name);
	if (type == NULL)
		type = name;
	mr_check_name("model_type", type);
	read_model_settings(fcinfo, 2, &settings);
	mr_trail_take_reason(mr_arg_text(fcinfo, 9));

	if (!mr_models_insert(name, type, &settings, mr_actor_name(), &model,
						  &event.new_values.value))
		raise_model_taken(name);

	mr_identity_adopt(&model);
	event.event = "model_create";
	event.old_values.isnull = true;
	mr_trail_append(&model, &event);
	mr_models_advance(&model);
	return mr_models_row(&model.key);
}

static Datum
update_model(FunctionCallInfo fcinfo)
{
	char	   *name = mr_arg_required_text(fcinfo, 0, "model_name");
	MrModelSettings settings = MR_NO_SETTINGS;
	Datum		reset;
	MrModel		model;

	read_model_settings(fcinfo, 1, &settings);
	reset = read_model_reset(fcinfo, 8);
	mr_trail_take_reason(mr_arg_text(fcinfo, 9));

	mr_target_lock_model(name, &model);
	if (!settings.value[MR_SETTING_EXCLUSIVE_PRODUCTION].isnull &&
		PG_GETARG_BOOL(1 + MR_SETTING_EXCLUSIVE_PRODUCTION))
		check_one_production(&model);
	mr_models_update(&model.key, &settings, reset);
	return mr_models_row(&model.key);
}

static Datum
rename_model(FunctionCallInfo fcinfo)
{
	char	   *name = mr_arg_required_text(fcinfo, 0, "model_name");
	char	   *new_name = mr_arg_text(fcinfo, 1);
	MrModel		model;

	mr_check_name("new_name", new_name);
	mr_trail_take_reason(mr_arg_text(fcinfo, 2));

	mr_target_lock_model(name, &model);
	if (strcmp(name, new_name) != 0)
	{
		if (mr_models_exists(new_name) ||
			!mr_models_rename(&model.key, new_name))
			raise_model_taken(new_name);
	}
	return mr_models_row(&model.key);
}

static Datum
delete_model(FunctionCallInfo fcinfo)
{
	char	   *name = mr_arg_required_text(fcinfo, 0, "model_name");
	bool		force = mr_arg_bool(fcinfo, 1, false);
	MrCause		cause = force ? MR_CAUSE_MODEL_FORCED : MR_CAUSE_MODEL;
	MrModel		model;
	char	  **versions;
	uint64		count;

	mr_trail_take_reason(mr_arg_text(fcinfo, 2));
	mr_target_lock_model(name, &model);
	if (!force)
		mr_removal_check_model(&model);

	mr_trail_hold(&model);
	count = mr_versions_all(&model.key, &versions);
	for (uint64 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		mr_removal_delete(versions[i], cause);
	}
	mr_trail_release(&model);
	mr_models_delete(&model.key);
	PG_RETURN_VOID();
}

/*
 * Checks and collects the settings, which are seven arguments in the order
 * of MrModelSetting.
 */
static void
read_model_settings(FunctionCallInfo fcinfo, int first,
					MrModelSettings *settings)
{
	MrValue    *value = settings->value;

	for (int i = 0; i < MR_SETTING_COUNT; i++)
		value[i] = mr_value_nullable(value[i].type,
									 mr_arg_nullable(fcinfo, first + i));

	if (!value[MR_SETTING_DESCRIPTION].isnull)
		mr_check_text_size("description", mr_arg_text(fcinfo, first));
	if (!value[MR_SETTING_TAGS].isnull)
	{
		ArrayType  *tags = mr_arg_array(fcinfo, first + MR_SETTING_TAGS);

		value[MR_SETTING_TAGS].datum =
			PointerGetDatum(mr_check_tags("tags", tags));
	}
	if (!value[MR_SETTING_PROPERTIES].isnull)
		mr_check_object("properties",
						DatumGetJsonbP(value[MR_SETTING_PROPERTIES].datum));
	if (!value[MR_SETTING_MAX_VERSIONS].isnull)
		mr_check_max_versions("max_versions",
							  PG_GETARG_INT32(first + MR_SETTING_MAX_VERSIONS));
}

/*
 * The names of the settings to reset, each of which must be one that can be.
 */
static Datum
read_model_reset(FunctionCallInfo fcinfo, int n)
{
	ArrayType  *reset;
	Datum	   *names;
	int			count;

	reset = mr_check_tags("reset", mr_arg_array(fcinfo, n));
	deconstruct_array(reset, TEXTOID, -1, false, TYPALIGN_INT, &names, NULL,
					  &count);
	for (int i = 0; i < count; i++)
	{
		char	   *name = TextDatumGetCString(names[i]);

		if (strcmp(name, "max_versions") != 0 &&
			strcmp(name, "auto_cleanup") != 0 &&
			strcmp(name, "require_metadata") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("setting \"%s\" cannot be reset", name),
					 errhint("Those that can are max_versions, auto_cleanup and require_metadata.")));
	}
	return PointerGetDatum(reset);
}

/*
 * A model becomes exclusive with one version in production at most.
 */
static void
check_one_production(const MrModel *model)
{
	char	  **versions;

	if (mr_versions_in_production(&model->key, NULL, &versions) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("model \"%s\" has more than one version in production",
						model->name),
				 errhint("Move all but one to another stage first.")));
}

static void
raise_model_taken(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("model \"%s\" exists already", name)));
}
