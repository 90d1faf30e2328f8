/*
 * cairn recipe: runs that are written down.
 */
#include "command.h"

static const struct command *const children[] = { &cmd_recipe_list, &cmd_recipe_show, &cmd_recipe_check, NULL };

const struct command cmd_recipe = {
	.name = "recipe",
	.summary = "look at and check recipes",
	.description =
		"A recipe is a JSON file that names the stages of a run: searches, verification, query expansion, "
		"diffusion and others, their parameters, and which takes what from which. docs/recipes.md of "
		"the source describes them.",
	.children = children,
};
