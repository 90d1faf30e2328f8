/*
 * Recipes as the library's users see them.
 */
#include "recipe/recipe.h"
#include "recipe/stage_runs.h"

#include <string.h>

#include "recipe/arguments.h"
#include "recipe/find.h"
#include "util/log.h"
#include "util/memory.h"

const char *cairn_value_type_name(cairn_value_type type)
{
	static const char *const names[] = { "queries", "index", "train", "ranking", "verified" };
	return (unsigned)type < sizeof(names) / sizeof(*names) ? names[type] : "unknown";
}

int cairn_recipe_open(cairn_recipe **out, const char *name)
{
	char *path;
	int status;
	*out = NULL;
	CN_TRY(cn_recipe_find(&path, name));
	status = cn_recipe_read(out, path);
	cn_free(path);
	for (size_t i = 0; status == 0 && i < (*out)->warning_count; i++)
		cn_log(CAIRN_LOG_WARNING, "%s", (*out)->warnings[i]);
	return status;
}

static void free_stage(cn_stage *stage)
{
	cn_arguments_free(stage);
	cn_free(stage->links);
	cn_free(stage->name);
}

void cairn_recipe_free(cairn_recipe *recipe)
{
	if (!recipe)
		return;
	for (size_t i = 0; i < recipe->stage_count; i++)
		free_stage(&recipe->stages[i]);
	for (size_t i = 0; i < recipe->role_count; i++) {
		cn_free(recipe->roles[i].name);
		cn_free(recipe->roles[i].model);
	}
	for (size_t i = 0; i < recipe->warning_count; i++)
		cn_free(recipe->warnings[i]);
	void *const rest[] = { recipe->stages, recipe->roles, recipe->warnings, recipe->name,
			       recipe->path,   recipe->title, recipe->about,    recipe };
	for (size_t i = 0; i < sizeof(rest) / sizeof(*rest); i++)
		cn_free(rest[i]);
}

/* ---- values and arguments ---- */

const char *cn_given_name(size_t given)
{
	static const char *const names[CN_GIVEN_COUNT] = { "queries", "index", "train" };
	return names[given];
}

const char *cn_value_name(const cairn_recipe *recipe, size_t value)
{
	return value < CN_GIVEN_COUNT ? cn_given_name(value) : recipe->stages[value - CN_GIVEN_COUNT].name;
}

cairn_value_type cn_value_type_of(const cairn_recipe *recipe, size_t value)
{
	static const cairn_value_type given[CN_GIVEN_COUNT] = { CAIRN_VALUE_QUERIES, CAIRN_VALUE_INDEX,
								CAIRN_VALUE_TRAIN };
	return value < CN_GIVEN_COUNT ? given[value] : recipe->stages[value - CN_GIVEN_COUNT].output;
}

const cn_argument *cn_stage_argument(const cn_stage *stage, const char *name)
{
	return &stage->arguments[cn_parameter_place(stage->type, name)];
}

int cn_stage_chose(const cn_stage *stage, const char *parameter, const char *word)
{
	size_t place = cn_parameter_place(stage->type, parameter);
	return strcmp(stage->type->parameters[place].choices[stage->arguments[place].choice], word) == 0;
}

int cn_stage_needs_local(const cn_stage *stage)
{
	if (stage->type->run == cn_run_search)
		return !cn_stage_chose(stage, "by", "global");
	return stage->type->run == cn_run_verify;
}

const cn_link *cn_stage_link(const cn_stage *stage, const char *input)
{
	for (size_t i = 0; i < stage->link_count; i++)
		if (strcmp(stage->links[i].input->name, input) == 0)
			return &stage->links[i];
	return NULL;
}

int cn_recipe_needs_train(const cairn_recipe *recipe)
{
	for (size_t i = 0; i < recipe->stage_count; i++)
		for (size_t k = 0; k < recipe->stages[i].link_count; k++)
			if (recipe->stages[i].links[k].value == CN_GIVEN_TRAIN)
				return 1;
	return 0;
}

/* ---- what is asked for ---- */

static int check_number(const char *what, size_t number, size_t count)
{
	return number < count ? 0
			      : cn_fail(CAIRN_EINVALID, "%s %zu: there are %zu, counted from 0", what, number, count);
}

void cairn_recipe_get_info(const cairn_recipe *recipe, cairn_recipe_info *info)
{
	*info = (cairn_recipe_info){
		.name = recipe->name,
		.path = recipe->path,
		.title = recipe->title,
		.about = recipe->about,
		.output = recipe->stages[recipe->output].name,
		.needs_train = cn_recipe_needs_train(recipe),
		.role_count = recipe->role_count,
		.warning_count = recipe->warning_count,
	};
}

int cairn_recipe_get_role(const cairn_recipe *recipe, size_t i, cairn_recipe_role *out)
{
	CN_TRY(check_number("role", i, recipe->role_count));
	*out = (cairn_recipe_role){ recipe->roles[i].name, recipe->roles[i].model };
	return 0;
}

int cairn_recipe_get_warning(const cairn_recipe *recipe, size_t i, const char **text)
{
	CN_TRY(check_number("warning", i, recipe->warning_count));
	*text = recipe->warnings[i];
	return 0;
}

size_t cairn_recipe_count(const cairn_recipe *recipe)
{
	return recipe->stage_count;
}

int cairn_recipe_get_stage(const cairn_recipe *recipe, size_t i, cairn_recipe_stage *out)
{
	CN_TRY(check_number("stage", i, recipe->stage_count));
	const cn_stage *stage = &recipe->stages[i];
	*out = (cairn_recipe_stage){
		.name = stage->name,
		.method = stage->type->name,
		.about = stage->type->help,
		.output = stage->output,
		.is_used = stage->is_used,
		.input_count = stage->link_count,
		.parameter_count = stage->argument_count,
	};
	return 0;
}

int cairn_recipe_get_input(const cairn_recipe *recipe, size_t stage, size_t i, cairn_recipe_input *out)
{
	CN_TRY(check_number("stage", stage, recipe->stage_count));
	CN_TRY(check_number("input", i, recipe->stages[stage].link_count));
	const cn_link *link = &recipe->stages[stage].links[i];
	*out = (cairn_recipe_input){
		.name = link->input->name,
		.value = cn_value_name(recipe, link->value),
		.type = cn_value_type_of(recipe, link->value),
		.is_default = link->is_default,
		.is_list = link->input->many,
	};
	return 0;
}

int cairn_recipe_get_parameter(const cairn_recipe *recipe, size_t stage, size_t i, cairn_recipe_parameter *out)
{
	CN_TRY(check_number("stage", stage, recipe->stage_count));
	CN_TRY(check_number("parameter", i, recipe->stages[stage].argument_count));
	const cn_parameter *parameter = &recipe->stages[stage].type->parameters[i];
	const cn_argument *argument = &recipe->stages[stage].arguments[i];
	*out = (cairn_recipe_parameter){
		.name = parameter->name,
		.value = argument->shown,
		.unset = parameter->presence == CN_OPTIONAL ? parameter->text : NULL,
		.about = parameter->help,
		.is_default = argument->is_default,
	};
	return 0;
}
