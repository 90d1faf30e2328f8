/*
 * cairn recipe check: is a recipe sound?
 */
#include <stdio.h>

#include "cairn/recipe.h"
#include "command.h"
#include "exit_code.h"
#include "output.h"
#include "say.h"

static int run(const struct arguments *arguments)
{
	cairn_recipe *recipe;
	/* Warnings come through the log. */
	int status = cairn_recipe_open(&recipe, arguments->operands[0]);
	if (status < 0)
		return say_failure(status);
	size_t count = cairn_recipe_count(recipe);
	printf("ok: %zu stage%s\n", count, count == 1 ? "" : "s");
	cairn_recipe_free(recipe);
	return output_end(EXIT_DONE);
}

static const struct operand operands[] = {
	{ "FILE", COMPLETE_RECIPE, 0, 0 },
	{ .name = NULL },
};

static const struct example example_list[] = {
	{ "cairn recipe check my.json", "before it runs for hours" },
	{ NULL, NULL },
};

const struct command cmd_recipe_check = {
	.name = "recipe check",
	.summary = "is a recipe sound?",
	.description =
		"Reads a recipe and checks all that can be known before it runs: its form, every parameter, and that "
		"each stage takes what it can work with. Says 'ok' and how many stages there are, or what is "
		"wrong and where. Stages that the result does not depend on are warned of.\n\n"
		"FILE is a path that holds a '/' or ends in '.json', or the name of a recipe.",
	.operands = operands,
	.examples = example_list,
	.run = run,
};
