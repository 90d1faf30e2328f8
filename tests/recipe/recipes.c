#include "recipes.h"

#include <stdlib.h>
#include <string.h>

#include "recipe/recipe.h"
#include "support.h"

int parse_recipe(cairn_recipe **out, const char *text)
{
	char *json = strdup(text);
	for (char *c = json; *c; c++)
		*c = (char)(*c == '\'' ? '"' : *c);
	int status = cn_recipe_parse(out, json, strlen(json), "my.json");
	free(json);
	return status;
}

const char *parameter_of(const cairn_recipe *recipe, size_t stage, const char *name)
{
	cairn_recipe_parameter parameter;
	for (size_t i = 0; cairn_recipe_get_parameter(recipe, stage, i, &parameter) == 0; i++)
		if (strcmp(parameter.name, name) == 0)
			return parameter.value ? parameter.value : "unset";
	fail_msg("there is no parameter %s", name);
	return NULL;
}

const char *inputs_of(const cairn_recipe *recipe, size_t stage)
{
	static char text[1024];
	cairn_recipe_input input;
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; cairn_recipe_get_input(recipe, stage, i, &input) == 0; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s=%s%s", i ? " " : "", input.name,
					 input.value, input.is_default ? "*" : "");
	return text;
}

const char *order_of(const cairn_recipe *recipe)
{
	static char text[1024];
	cairn_recipe_stage stage;
	size_t used = 0;
	for (size_t i = 0; cairn_recipe_get_stage(recipe, i, &stage) == 0; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "", stage.name);
	return text;
}
