/*
 * Recipes: any text gives a recipe whose stages can run in their order and whose complete form says the same, or an
 * error that names the file.
 */
#include <string.h>

#include "cairn/image.h"
#include "recipe/recipe.h"
#include "target.h"

int fuzz_accepted;

static void check_number(const cn_parameter *parameter, double value)
{
	FUZZ_CHECK(value >= parameter->least && value <= parameter->most);
	FUZZ_CHECK(!parameter->above || value > parameter->least);
}

static void check_argument(const cn_parameter *parameter, const cn_argument *argument)
{
	FUZZ_CHECK(argument->is_set == (argument->shown != NULL));
	FUZZ_CHECK(argument->is_set || parameter->presence == CN_OPTIONAL);
	if (!argument->is_set)
		return;
	if (parameter->kind == CN_INTEGER)
		check_number(parameter, (double)argument->integer);
	if (parameter->kind == CN_REAL)
		check_number(parameter, argument->real);
	for (size_t i = 0; i < argument->count; i++)
		check_number(parameter, argument->reals[i]);
}

/* What it takes comes before it and has a type that it can take. */
static void check_stage(const cairn_recipe *recipe, size_t number)
{
	const cn_stage *stage = &recipe->stages[number];
	for (size_t i = 0; i < stage->link_count; i++) {
		cairn_value_type type = cn_value_type_of(recipe, stage->links[i].value);
		cairn_value_type wanted = stage->links[i].input->type;
		FUZZ_CHECK(stage->links[i].value < CN_GIVEN_COUNT + number);
		FUZZ_CHECK(type == wanted || (wanted == CAIRN_VALUE_RANKING && type == CAIRN_VALUE_VERIFIED));
	}
	for (size_t i = 0; i < stage->argument_count; i++)
		check_argument(&stage->type->parameters[i], &stage->arguments[i]);
}

static void check_recipe(const cairn_recipe *recipe)
{
	cairn_recipe *again;
	char *first, *second;
	FUZZ_CHECK(recipe->stage_count >= 1 && recipe->stage_count <= CN_RECIPE_STAGES);
	FUZZ_CHECK(recipe->output < recipe->stage_count && recipe->stages[recipe->output].is_used);
	for (size_t i = 0; i < recipe->stage_count; i++)
		check_stage(recipe, i);
	FUZZ_CHECK(cairn_recipe_to_json(&first, recipe) == 0);
	FUZZ_CHECK(cn_recipe_parse(&again, first, strlen(first), "again.json") == 0);
	FUZZ_CHECK(cairn_recipe_to_json(&second, again) == 0);
	FUZZ_CHECK(strcmp(first, second) == 0);
	cairn_bytes_free(first);
	cairn_bytes_free(second);
	cairn_recipe_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cairn_recipe *recipe;
	fuzz_accepted = cn_recipe_parse(&recipe, (const char *)data, size, "my.json") == 0;
	if (fuzz_accepted)
		check_recipe(recipe);
	else
		FUZZ_CHECK(strncmp(cairn_last_error(), "my.json:", 8) == 0);
	cairn_recipe_free(recipe);
	return 0;
}
